"""Sessions that write and read all over a mesh, and record what they did as a history.

A line of the history is a JSON object with `op`:
  write, read  client, session, region (whose gateway was asked), served (the replica that answered),
               key, type (register, counter, set), value (unique; null: a delete, or nothing there),
               or add, include, exclude; version [hybrid time, origin], token (base64), start, end
               (seconds of one monotonic clock), outcome: done, failed (nothing happened, for
               certain), unknown; error
  final        a read after everything: region (the replica that was read), regions (all that hold
               the key), key, type, value, version
  fault        what was broken, where and when. Of kind met_while_serving: served, a replica that
               found its store damaged, and the time since which what it took may be unshipped,
               until it had begun anew
"""

import base64
import contextlib
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from harness import PATIENCE, Client, await_that, grpc, kv, refusal_of  # noqa: E402

# What the service answers with one of these did not happen; any other error is one of unknown
# outcome.
DEFINITE = ("INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "ABORTED", "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED")
CALL_SECONDS = 3.0
# How often a put, a delete, a read, an addition to a counter and a read of one, a change of a set
# and a read of one.
WEIGHTS = (40, 4, 36, 6, 4, 6, 4)
SESSION_OPERATIONS = 30
ERROR_PAUSE_SECONDS = 0.03
# An unanswered addition is tried again with its request id.
RETRIES_MAX = 2
# Some do not wait long, so that what is tried again was often done.
IMPATIENT_CHANCE = 0.3
IMPATIENT_SECONDS = (0.001, 0.02)
# Registers of the namespace that not every region holds.
SOME_CHANCE = 0.15
SOME_KEYS = 4
# A session stays in its region for some operations.
SWITCH_CHANCE = 0.15


def status_of(client):
    """None while the process is not to be reached, as on a machine under load."""
    try:
        return client.status()
    except grpc.RpcError:
        return None


class Recorder:
    """Appends lines to a file. Thread-safe."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")
        self.mutex = threading.Lock()
        self.operations = 0

    def add(self, **line):
        text = json.dumps(line)
        with self.mutex:
            self.file.write(text + "\n")
            self.operations += line.get("outcome") == "done"

    def close(self):
        self.file.close()


class Session:
    """One after the other of sessions of a client: each has a token of its own."""

    def __init__(self, load, number):
        self.load, self.number = load, number
        self.random = random.Random(f"{load.seed}/{number}")
        self.clients = load.connect()
        self.idle = False
        load.sessions.append(self)
        self.sessions = self.values = 0
        self.begin()

    def begin(self):
        self.name = f"{self.load.name}.{self.number}.{self.sessions}"
        self.sessions += 1
        self.token, self.left = b"", SESSION_OPERATIONS
        self.region = self.random.randrange(len(self.clients))
        self.elements = {}  # what the session saw of sets, and may take out: by key

    def step(self):
        if self.left == 0:
            self.begin()
        self.left -= 1
        if self.random.random() < self.load.switch_chance:
            self.region = self.random.randrange(len(self.clients))
        if self.region == self.load.avoided:
            self.region = (self.region + 1) % len(self.clients)
        work = self.random.choices(
            (self.put, self.delete, self.read, self.count, self.count_read, self.change_set,
             self.set_read), self.load.weights)[0]
        work()

    def key(self, kind, count):
        return f"{self.load.name}-{kind}{self.random.randrange(count)}"

    def register(self):
        """A namespace and a key in it."""
        if self.random.random() < SOME_CHANCE:
            return "some", self.key("p", SOME_KEYS)
        return "registers", self.key("r", self.load.keys)

    def new_value(self):
        self.values += 1
        return f"{self.load.name}.{self.number}-{self.values}"

    def call(self, method, request, line, seconds=CALL_SECONDS):
        """Makes the call and records it. Returns the answer, or None."""
        client = self.clients[self.region]
        region = self.load.mesh.servers[self.region].region
        line.update(client=self.number, session=self.name, region=region)
        request.options.session_token = self.token
        line["start"] = time.monotonic()
        answer = None
        try:
            answer = client.call(getattr(client.key_value, method), request, seconds)
            line["end"] = time.monotonic()
            line["outcome"] = "done"
        except grpc.RpcError as error:
            line["end"] = time.monotonic()
            refusal = refusal_of(error)
            line["outcome"] = "failed" if refusal.code in DEFINITE else "unknown"
            line["error"] = f"{refusal.code} {refusal.reason}"
            if refusal.reason in ("HISTORY_LOST", "TOKEN_FOREIGN"):
                self.left = 0
            # A process that is down refuses a thousand calls a second.
            self.load.stopping.wait(ERROR_PAUSE_SECONDS)
        served = self.region
        if answer is not None:
            line["served"] = answer.provenance.replica
            served = self.load.numbers[answer.provenance.replica]
        # A process without power answers nobody: what it still said is not known.
        if any(self.load.power_was_cut(place, line["end"]) for place in (self.region, served)):
            line["outcome"], answer = "unknown", None
            line.pop("version", None)
        if answer is not None:
            self.token = answer.session_token
            line["token"] = base64.b64encode(self.token).decode()
            if answer.version.hybrid_time:
                line["version"] = [answer.version.hybrid_time, answer.version.origin]
        return answer

    def record(self, line):
        self.load.recorder.add(**line)

    def put(self):
        (space, key), value = self.register(), self.new_value()
        line = {"op": "write", "type": "register", "key": key, "value": value}
        self.call("Put", kv.PutRequest(namespace=space, id=key, value=value.encode()), line)
        self.record(line)

    def delete(self):
        space, key = self.register()
        line = {"op": "write", "type": "register", "key": key, "value": None}
        self.call("Delete", kv.DeleteRequest(namespace=space, id=key), line)
        self.record(line)

    def read(self):
        space, key = self.register()
        line = {"op": "read", "type": "register", "key": key}
        answer = self.call("Get", kv.GetRequest(namespace=space, id=key), line)
        if answer is not None:
            line["value"] = answer.item.value.decode() if answer.HasField("item") else None
        self.record(line)

    def count(self):
        key, amount = self.key("c", 4), self.random.randint(1, 9)
        request = kv.MutateRequest(namespace="counters", id=key)
        request.changes.add().add = amount
        # A request id is known to the replica that had the first attempt; elsewhere only what has come
        # there by then is. So both go to the gateway's own replica.
        request.options.request_id = self.new_value()
        request.options.local_only = True
        line = {"op": "write", "type": "counter", "key": key, "add": amount}
        impatient = self.random.random() < IMPATIENT_CHANCE
        self.call("Mutate", request, line,
                  self.random.uniform(*IMPATIENT_SECONDS) if impatient else CALL_SECONDS)
        start = line["start"]
        for _ in range(RETRIES_MAX):
            if line["outcome"] != "unknown" or self.load.stopping.is_set():
                break
            # The same addition once more: however often it is asked for, it is done once.
            again = dict(line)
            self.call("Mutate", request, again)
            if again["outcome"] == "done":
                again.pop("error", None)
                line = again
                line["start"], line["retried"] = start, True
            line["end"] = again["end"]
        self.record(line)

    def count_read(self):
        key = self.key("c", 4)
        line = {"op": "read", "type": "counter", "key": key}
        answer = self.call("Get", kv.GetRequest(namespace="counters", id=key), line)
        if answer is not None:
            line["value"] = answer.item.counter
        self.record(line)

    def change_set(self):
        key = self.key("s", 4)
        request = kv.MutateRequest(namespace="sets", id=key)
        line = {"op": "write", "type": "set", "key": key}
        seen = self.elements.get(key)
        if seen and self.random.random() < 0.5:
            # Each element is taken out at most once, by a session that has seen it.
            line["exclude"] = seen.pop()
            if not self.load.take(line["exclude"]):
                return
            request.changes.add().set.remove.append(line["exclude"].encode())
        else:
            line["include"] = self.new_value()
            request.changes.add().set.add.append(line["include"].encode())
        self.call("Mutate", request, line)
        self.record(line)

    def set_read(self):
        key = self.key("s", 4)
        line = {"op": "read", "type": "set", "key": key}
        answer = self.call("Get", kv.GetRequest(namespace="sets", id=key), line)
        if answer is not None:
            line["value"] = sorted(element.decode() for element in answer.item.elements)
            self.elements[key] = list(line["value"])
        self.record(line)


class FaultLoad:
    """`workers` sessions at a time over a mesh, on keys that begin with `name`."""

    def __init__(self, mesh, recorder, name, seed, workers=6, keys=12,
                 weights=WEIGHTS, switch_chance=SWITCH_CHANCE):
        self.mesh, self.recorder, self.name, self.seed = mesh, recorder, name, seed
        self.keys, self.weights, self.switch_chance = keys, weights, switch_chance
        self.numbers = {server.place: n for n, server in enumerate(mesh.servers)}
        self.cuts = {}  # region -> the moments between which its process had no power
        self.taken = set()
        self.sessions = []
        self.avoided = None  # a region that gets no new calls
        self.mutex = threading.Lock()
        self.stopping = threading.Event()
        self.going = threading.Event()
        self.going.set()
        self.error = None
        self.connections = []
        self.threads = [threading.Thread(target=self.work, args=(n,), daemon=True)
                        for n in range(workers)]

    def connect(self):
        clients = [Client(server.public) for server in self.mesh.servers]
        self.connections += clients
        return clients

    def power_was_cut(self, region, at):
        return any(begin <= at <= end for begin, end in self.cuts.get(region, ()))

    def cut_begins(self, region):
        self.cuts.setdefault(region, []).append((time.monotonic(), float("inf")))

    def cut_ends(self, region):
        begin, _ = self.cuts[region][-1]
        self.cuts[region][-1] = (begin, time.monotonic())

    def take(self, element):
        with self.mutex:
            if element in self.taken:
                return False
            self.taken.add(element)
            return True

    def work(self, number):
        try:
            session = Session(self, number)
            while not self.stopping.is_set():
                session.idle = False
                if self.going.is_set():
                    session.step()
                else:
                    session.idle = True
                    self.going.wait(0.1)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error
            raise

    def fault(self, kind, **more):
        self.recorder.add(op="fault", kind=kind, at=time.monotonic(), **more)

    def await_operations(self, count):
        """Until so many more were done."""
        until = self.recorder.operations + count

        def reached():
            if self.error:
                raise self.error
            return self.recorder.operations >= until
        await_that("progress of the load", reached, 2 * PATIENCE)

    def go_on_for(self, seconds):
        """A session that comes to a region that is cut off waits there for what it has seen, so no
        count of operations is sure to come."""
        self.stopping.wait(seconds)
        if self.error:
            raise self.error

    @contextlib.contextmanager
    def paused(self):
        """No call is under way."""
        self.going.clear()
        try:
            await_that("the last call", lambda: self.error or all(s.idle for s in self.sessions))
            if self.error:
                raise self.error
            yield
        finally:
            self.going.set()

    def await_shipped(self, region):
        """Until every peer has all that a region's process took, of a load that is paused."""
        client = self.mesh.servers[region].client()

        def peers_have_it():
            status = status_of(client)
            if status is None:
                return False
            members = status.replica.members
            return all(member.known and member.missing_entries == 0 for member in members)
        await_that("the peers having it", peers_have_it, 2 * PATIENCE)
        client.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(PATIENCE)
        for client in self.connections:
            client.close()

    def read_all(self):
        """The final reads: what every region itself holds."""
        for server in self.mesh.servers:
            for line in self.await_readable(server):
                self.recorder.add(**line)

    def await_readable(self, server):
        """A line for each key, as this region has it once it can serve all of them."""
        def readable():
            if not server.is_alive():
                raise AssertionError(f"{server.place} ended: {server.log()[-3000:]}")
            client = server.client()
            try:
                return list(self.read_region(server, client))
            except grpc.RpcError as error:
                refusal = refusal_of(error)
                # It fills itself anew, or starts anew to do so.
                if refusal.code in ("DATA_LOSS", "UNAVAILABLE") or refusal.reason == "CATCHING_UP":
                    return None
                raise
            finally:
                client.close()
        return await_that(f"all of {server.place} readable", readable, 2 * PATIENCE)

    def read_region(self, server, client):
        kinds = (("registers", "register", "r", self.keys), ("some", "register", "p", SOME_KEYS),
                 ("counters", "counter", "c", 4), ("sets", "set", "s", 4))
        for namespace, kind, letter, count in kinds:
            holders = [s.place for s in self.mesh.servers if namespace != "some" or s.holds_some]
            if server.place not in holders:
                continue
            for number in range(count):
                key = f"{self.name}-{letter}{number}"
                answer = client.get(key, namespace=namespace, local_only=True,
                                    consistency="CONSISTENCY_LEVEL_EVENTUAL")
                line = {"op": "final", "type": kind, "region": server.place, "key": key,
                        "regions": holders, "served": answer.provenance.replica}
                if answer.version.hybrid_time:
                    line["version"] = [answer.version.hybrid_time, answer.version.origin]
                if kind == "register":
                    line["value"] = answer.item.value.decode() if answer.HasField("item") else None
                elif kind == "counter":
                    line["value"] = answer.item.counter
                else:
                    line["value"] = sorted(e.decode() for e in answer.item.elements)
                yield line
