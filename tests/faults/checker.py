#!/usr/bin/env python3
"""Judges a recorded history: checker.py HISTORY [--least-writes N] [--least-crossings N] ...

A history is a file of JSON lines (`history.py` says which). Exit code 0: nothing is wrong; 1: what
is wrong, a line each; 3: the run shows nothing, because too little happened in it.

What it knows of the service is only what is promised: versions order the writes of a key, a session
sees its own writes, what it saw before and what those rested on; after the end every region holds
the same, which is the newest of what was acknowledged or of what nobody knows the outcome of.

Time and memory grow with writes times keys of a session: 10^5 operations over 100 keys are some
seconds, 10^6 a few minutes and about 4 GB.
"""

import argparse
import collections
import json
import sys

SHOWN_MAX = 50
ABSENT = None

Problem = collections.namedtuple("Problem", "kind text")


def version_of(line):
    version = line.get("version")
    return tuple(version) if version else None


class Write:
    """One write of a register: `value` is unique, ABSENT for a delete."""

    def __init__(self, line, rests_on):
        self.key = line["key"]
        self.value = line.get("value")
        self.version = version_of(line)
        self.outcome = line["outcome"]
        self.start, self.end = line["start"], line["end"]
        self.session, self.region = line["session"], line["region"]
        self.rests_on = rests_on

    def name(self):
        what = "a delete" if self.value is ABSENT else repr(self.value)
        return f"{what} of {self.key!r} by session {self.session}"


class Checker:

    def __init__(self, lines):
        self.problems = []
        self.facts = collections.Counter()
        operations = [line for line in lines if line["op"] in ("write", "read")]
        # A session has one operation at a time, so its order is that of their starts.
        operations.sort(key=lambda line: line["start"])
        operations = [self.unshipped(line, lines) for line in operations]
        self.finals = [line for line in lines if line["op"] == "final"]
        self.faults = [line for line in lines if line["op"] == "fault"]
        self.operations = [o for o in operations if o.get("type", "register") == "register"]
        self.others = [o for o in operations if o.get("type", "register") != "register"]
        self.by_value = {}
        self.deletes = collections.defaultdict(list)
        self.done = collections.defaultdict(list)  # by key: the acknowledged writes
        self.version_seen = {}  # by value

    def unshipped(self, line, lines):
        """A write that a replica took right before it met damage may be in nobody else's log."""
        if line["op"] == "write" and line["outcome"] == "done" and any(
                other.get("kind") == "met_while_serving" and other["served"] == line["served"]
                and other["since"] <= line["end"] <= other["until"] for other in lines
                if other["op"] == "fault"):
            self.facts["unshipped_at_most"] += 1
            return dict(line, outcome="unknown")
        return line

    def wrong(self, kind, text):
        self.problems.append(Problem(kind, text))

    # Registers

    def index_writes(self):
        for line in self.operations:
            if line["op"] != "write":
                continue
            write = Write(line, {})
            line["write"] = write
            self.facts["writes_" + write.outcome] += 1
            if write.value is ABSENT:
                self.deletes[write.key].append(write)
            elif write.value in self.by_value:
                self.wrong("history", f"value {write.value!r} was written twice")
            else:
                self.by_value[write.value] = write
            if write.outcome == "done":
                if write.version is None:
                    self.wrong("history", f"{write.name()} is done and has no version")
                    continue
                self.done[write.key].append(write)
        for key, writes in self.done.items():
            names = collections.Counter(write.version for write in writes)
            for version, count in names.items():
                if count > 1:
                    self.wrong("version", f"{count} writes of {key!r} have the version {version}")

    def meet(self, where, key, value, version, end):
        """A value was seen. Returns its write, or None if there can be none."""
        write = self.by_value.get(value)
        if write is None or write.key != key:
            self.wrong("nowhere", f"{where}: {value!r} was never written to {key!r}")
            return None
        if write.outcome == "failed":
            self.wrong("failed_appears", f"{where}: {write.name()} had failed for certain")
        if write.start > end:
            self.wrong("nowhere", f"{where}: {write.name()} had not begun")
        if version is None:
            self.wrong("history", f"{where}: {value!r} was read without a version")
            return write
        known = write.version or self.version_seen.get(value)
        if known is not None and known != version:
            self.wrong("version", f"{where}: {write.name()} has version {version}, and {known}")
        self.version_seen[value] = version
        return write

    def may_be_deleted(self, key, floor, end):
        """Whether some delete, begun before `end`, may be `floor` or newer."""
        for delete in self.deletes[key]:
            if delete.start > end or delete.outcome == "failed":
                continue
            if delete.version is None or delete.version >= floor:
                return True
        return False

    def check_sessions(self):
        floors = collections.defaultdict(dict)  # session -> key -> (version, why)
        newest = {}  # session -> newest version that it met
        # A write rests on what its session had met when it began, and is met when it has ended.
        moments = [(line["start"], 0, line) for line in self.operations if line["op"] == "write"]
        moments += [(line["end"], 1, line) for line in self.operations]
        for _, ended, line in sorted(moments, key=lambda moment: moment[:2]):
            session, key = line["session"], line["key"]
            floor = floors[session]
            if not ended:
                line["write"].rests_on = dict(floor)
                continue
            where = f"session {session}, {line['op']} of {key!r} at {line['end']}"
            if line["op"] == "write":
                write = line["write"]
                if write.outcome != "done" or write.version is None:
                    continue
                before = newest.get(session)
                if before is not None and write.version <= before:
                    self.wrong("order", f"{where}: version {write.version} is not after {before}, "
                               "which the session had met")
                newest[session] = write.version
                floor[key] = (write.version, "read_your_writes")
                continue
            if line["outcome"] != "done":
                continue
            self.facts["reads_done"] += 1
            self.check_read(line, floor, where, newest)

    def check_read(self, line, floor, where, newest):
        session, key, value = line["session"], line["key"], line.get("value")
        needed = floor.get(key)
        version = version_of(line)
        if value is ABSENT:
            # The version is that of the delete; none, if nobody needs to remember it.
            if needed and (version and version < needed[0] or
                           not self.may_be_deleted(key, needed[0], line["end"])):
                self.wrong(needed[1], f"{where}: nothing is there, and version {needed[0]} was")
            elif version:
                floor[key] = (version, "monotonic_reads")
                newest[session] = max(version, newest.get(session, version))
            return
        write = self.meet(where, key, value, version, line["end"])
        if write is None or version is None:
            return
        if needed and version < needed[0]:
            self.wrong(needed[1], f"{where}: version {version} is older than {needed[0]}")
            return
        if write.region != line["region"]:
            self.facts["crossings"] += 1
        newest[session] = max(version, newest.get(session, version))
        floor[key] = (version, "monotonic_reads")
        # What the writer had met comes before its write, for whoever sees the write. A writer's own
        # writes are monotonic writes, what it had read are writes that follow reads.
        for other, (earlier, why) in write.rests_on.items():
            kind = "monotonic_writes" if why == "read_your_writes" else "writes_follow_reads"
            if other not in floor or floor[other][0] < earlier:
                floor[other] = (earlier, kind)

    def check_finals(self):
        by_key = collections.defaultdict(dict)
        everywhere = {line["region"] for line in self.finals}
        for line in self.finals:
            if line.get("type", "register") == "register":
                by_key[line["key"]][line["region"]] = line
        for key in set(self.done) | set(by_key):
            found = by_key.get(key, {})
            # A final read tells who holds the key, if not every region does.
            regions = set().union(*(line.get("regions", everywhere) for line in found.values()))
            if set(found) != regions or not regions:
                missing = ", ".join(sorted(regions - set(found))) or "every region"
                self.wrong("history", f"{key!r} was not read at the end in {missing}")
                continue
            contents = {}
            for region, line in found.items():
                contents.setdefault((line.get("value"), version_of(line)
                                     if line.get("value") is not ABSENT else None),
                                    []).append(region)
            if len(contents) > 1:
                self.wrong("diverged", f"{key!r}: {contents}")
            for region, line in sorted(found.items()):
                self.check_final(key, region, line)

    def check_final(self, key, region, line):
        where = f"final read of {key!r} in {region}"
        newest = max(self.done[key], key=lambda write: write.version, default=None)
        value, version = line.get("value"), version_of(line)
        if value is ABSENT:
            if newest and newest.value is not ABSENT and not self.may_be_deleted(
                    key, newest.version, float("inf")):
                self.wrong("lost", f"{where}: {newest.name()}, version {newest.version}")
            return
        if self.meet(where, key, value, version, float("inf")) is None or version is None:
            return
        if newest and version < newest.version:
            kind = "resurrected" if newest.value is ABSENT else "lost"
            self.wrong(kind, f"{where}: has {value!r} of version {version}, and {newest.name()} "
                       f"was done with {newest.version}")

    # Counters: only additions of positive numbers. Sets: each element is added once.

    def check_counters(self):
        sure, perhaps = collections.Counter(), collections.Counter()
        begun = collections.defaultdict(list)
        floors = collections.defaultdict(int)
        own = collections.defaultdict(int)
        lines = [line for line in self.others if line["type"] == "counter"]
        for line in lines:
            if line["op"] == "write" and line["outcome"] != "failed":
                (sure if line["outcome"] == "done" else perhaps)[line["key"]] += line["add"]
                begun[line["key"]].append((line["start"], line["add"]))
        for line in sorted(lines, key=lambda line: line["end"]):
            if line["outcome"] != "done":
                continue
            at = (line["session"], line["key"])
            where = f"session {at[0]}, counter {at[1]!r} at {line['end']}"
            if line["op"] == "write":
                own[at] += line["add"]
                floors[at] += line["add"]
                continue
            self.facts["counter_reads"] += 1
            if line["value"] < own[at]:
                self.wrong("read_your_writes", f"{where}: {line['value']}, and the session itself "
                           f"had added {own[at]}")
            elif line["value"] < floors[at]:
                self.wrong("monotonic_reads", f"{where}: {line['value']}, and {floors[at]} before")
            most = sum(add for start, add in begun[at[1]] if start <= line["end"])
            if line["value"] > most:
                self.wrong("nowhere", f"{where}: {line['value']}, and only {most} were added")
            floors[at] = max(floors[at], line["value"])
        for key, found in self.final_values("counter").items():
            least, most = sure[key], sure[key] + perhaps[key]
            for region, value in found.items():
                if value < least:
                    self.wrong("lost", f"counter {key!r} in {region}: {value}, and {least} were "
                               "acknowledged")
                if value > most:
                    self.wrong("twice", f"counter {key!r} in {region}: {value}, and at most {most} "
                               "were added")

    def final_values(self, kind):
        finals = collections.defaultdict(dict)
        for line in self.finals:
            if line.get("type") == kind:
                finals[line["key"]][line["region"]] = line["value"]
        regions = {line["region"] for line in self.finals}
        written = {line["key"] for line in self.others
                   if line["type"] == kind and line["op"] == "write" and line["outcome"] == "done"}
        for key in written | set(finals):
            if set(finals[key]) != regions:
                self.wrong("history", f"{kind} {key!r} was not read at the end everywhere")
            if len({json.dumps(value) for value in finals[key].values()}) > 1:
                self.wrong("diverged", f"{kind} {key!r}: {dict(finals[key])}")
        return finals

    def check_sets(self):
        added, removed = {}, {}
        lines = [line for line in self.others if line["type"] == "set"]
        for line in lines:
            if line["op"] == "write":
                (added if "include" in line else removed)[
                    (line["key"], line.get("include") or line.get("exclude"))] = line
        own = collections.defaultdict(set)
        for line in sorted(lines, key=lambda line: line["end"]):
            if line["outcome"] != "done":
                continue
            at = (line["session"], line["key"])
            where = f"session {at[0]}, set {at[1]!r} at {line['end']}"
            if line["op"] == "write":
                if "include" in line:
                    own[at].add(line["include"])
                else:
                    own[at].discard(line["exclude"])
                continue
            self.facts["set_reads"] += 1
            held = set(line["value"])
            self.check_elements(where, line["key"], held, added, line["end"])
            for element in own[at] - held:
                removal = removed.get((line["key"], element))
                if removal is None or removal["start"] > line["end"]:
                    self.wrong("monotonic_reads", f"{where}: {element!r} was there and is not")
            own[at] = held
        for key, found in self.final_values("set").items():
            for region, value in found.items():
                where = f"final read of set {key!r} in {region}"
                self.check_elements(where, key, set(value), added, float("inf"))
                for (other, element), line in added.items():
                    if other != key or line["outcome"] != "done":
                        continue
                    removal = removed.get((key, element))
                    if removal is None or removal["outcome"] == "failed":
                        if element not in value:
                            self.wrong("lost", f"{where}: {element!r}")
                    # A removal takes what its session had seen.
                    elif removal["outcome"] == "done" and element in value:
                        self.wrong("resurrected", f"{where}: {element!r} was removed")

    def check_elements(self, where, key, held, added, end):
        for element in held:
            line = added.get((key, element))
            if line is None or line["start"] > end:
                self.wrong("nowhere", f"{where}: {element!r} was never added")
            elif line["outcome"] == "failed":
                self.wrong("failed_appears", f"{where}: {element!r} had failed for certain")

    # Whether it shows anything

    def count_facts(self):
        """Switches of region by sessions, and writes of one key that overlap from two regions."""
        last = {}
        for line in self.operations:
            session = line["session"]
            if line["outcome"] == "done":
                self.facts["switches"] += session in last and last[session] != line["region"]
                last[session] = line["region"]
        by_key = collections.defaultdict(list)
        for line in self.operations:
            if line["op"] == "write":
                by_key[line["key"]].append(line)
        for lines in by_key.values():
            latest = collections.defaultdict(lambda: float("-inf"))  # end, by region
            for line in lines:
                self.facts["concurrent"] += any(
                    end > line["start"] for region, end in latest.items()
                    if region != line["region"])
                latest[line["region"]] = max(latest[line["region"]], line["end"])
        self.facts["faults"] = len(self.faults)
        for fault in self.faults:
            self.facts["fault_" + fault["kind"]] += 1
            self.facts["failed_calls"] += fault.get("failed", 0)
        self.facts["final_reads"] = len(self.finals)

    def run(self):
        self.index_writes()
        self.check_sessions()
        self.check_finals()
        self.check_counters()
        self.check_sets()
        self.count_facts()
        return self.problems


LEAST = (("writes_done", 100), ("reads_done", 100), ("crossings", 20), ("switches", 20),
         ("concurrent", 5), ("faults", 1), ("final_reads", 1))


def too_little(facts, least):
    return [f"{name}: {facts[name]}, and {count} are the least"
            for name, count in least.items() if facts[name] < count]


def read_history(path):
    lines = []
    with open(path, encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError as error:
                raise SystemExit(f"{path}:{number}: {error}") from error
    return lines


def main():
    parser = argparse.ArgumentParser(description="Judges a recorded history.")
    parser.add_argument("history")
    for name, count in LEAST:
        parser.add_argument("--least-" + name.replace("_", "-"), type=int, default=count)
    arguments = parser.parse_args()
    checker = Checker(read_history(arguments.history))
    problems = checker.run()
    print(json.dumps(dict(sorted(checker.facts.items()))))
    for problem in problems[:SHOWN_MAX]:
        print(f"{problem.kind}: {problem.text}")
    if problems:
        counts = collections.Counter(problem.kind for problem in problems)
        print("wrong: " + ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
        return 1
    little = too_little(checker.facts,
                        {name: getattr(arguments, "least_" + name) for name, _ in LEAST})
    for line in little:
        print("vacuous: " + line)
    return 3 if little else 0


if __name__ == "__main__":
    sys.exit(main())
