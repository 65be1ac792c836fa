#!/usr/bin/env python3
"""Checks every #include of the tree against the layers, and the core for clocks and I/O.

The compiler already refuses a header of our own that no dependency provides. It cannot refuse
a header in /usr/include, or one in a library's folder nested in a folder that is declared; and it
does not know which folders decide and so may not touch the world. This does. It reads the units
that CMake wrote (HomeportLibrary.cmake says the format) and prints every problem as
`file:line: what`. Exit code 1 if there is one.
"""

import argparse
import collections
import os
import re
import sys

# Folders with code. Others (docs, deploy) have none that is compiled.
ROOTS = ("common", "gateway", "storage", "client", "tests")

# External library by the start of the path that is included.
EXTERNALS = (
    ("grpcpp/ext/proto_server_reflection", "grpc_reflection"),
    ("grpc", "grpc"),
    ("rocksdb/", "rocksdb"),
    ("maxminddb", "maxminddb"),
    ("yaml-cpp/", "yaml"),
    ("nlohmann/", "json"),
    ("prometheus/", "prometheus"),
    ("httplib.h", "httplib"),
    ("zstd", "zstd"),
    ("xxhash.h", "xxhash"),
    ("gtest/", "gtest"),
    ("gmock/", "gtest"),
    ("absl/", "absl"),
    ("google/protobuf/", "protobuf"),
    ("CLI/", "cli11"),
    ("benchmark/", "benchmark"),
    ("libpq", "libpq"),
)

# What an external brings along and may be included without being named again.
IMPLIED = {"grpc": ("protobuf", "absl"), "grpc_reflection": ("grpc", "protobuf", "absl")}

# The standard library's and the system's headers that what decides may not include, with the reason.
CORE_HEADERS = (
    (r"(thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|stop_token)$",
     "threads: the adapters own them"),
    (r"absl/synchronization/(notification|barrier|blocking_counter)\.h$",
     "waiting for another thread: only adapters wait"),
    (r"(chrono|ctime|time\.h|sys/time\.h)$|absl/time/clock\.h$",
     "a real clock: take a Clock of common/time"),
    (r"(fstream|iostream|filesystem|stdio\.h|cstdio|syncstream)$",
     "I/O: return what is to be written"),
    (r"(sys/|netinet/|arpa/|linux/|net/)", "the system: put it into an adapter"),
    (r"(unistd|fcntl|poll|signal|pthread|dlfcn|netdb|ifaddrs|dirent|spawn)\.h$|csignal$",
     "the system: put it into an adapter"),
)

# Calls that what decides may not make, with the reason.
CORE_CALLS = (
    (r"absl::(Now|GetCurrentTimeNanos)\s*\(", "a real clock: take a Clock of common/time"),
    (r"absl::SleepFor\b|\b(u|nano)?sleep\s*\(", "waiting: only adapters wait"),
    (r"std::(chrono|this_thread|thread|jthread|async)\b", "threads and real clocks are the adapters'"),
    (r"std::random_device\b|absl::(Insecure)?BitGen\b|(?<![\w.:>])s?rand(om)?\s*\(",
     "chance that cannot be repeated: take a seed"),
    # After an operator or `return`: `HybridTime time(x)` declares a variable.
    (r"(?:[=(,;{}!&|?+*/<-]|\breturn\b|std::|^)\s*(time|gettimeofday|clock_gettime|getenv|system|popen|fork)"
     r"\s*\(", "the system: put it into an adapter"),
    (r"std::(cout|cerr|clog)\b|(?<!n)printf\s*\(", "output: return what happened"),
)

# file → (rules that it may break, reason). Short, and each with its reason.
EXEMPT = {
    "common/base/check.cc": (
        ("cstdio", "stdio.h", "printf"),
        "a broken invariant is reported before abort(); there is nobody left to return it to"),
}

# Where gRPC's headers may be included: they cost seconds for each file.
GRPC_FOLDERS = ("common/rpc", "gateway/server", "gateway/backend", "storage/link", "client", "tests")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
# Comments, strings and characters. Raw strings are matched whole.
NOT_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^()\\ ]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|'
    r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)
CORE_HEADER_RULES = [(re.compile(p), why) for p, why in CORE_HEADERS]
CORE_CALL_RULES = [(re.compile(p), why) for p, why in CORE_CALLS]

Unit = collections.namedtuple("Unit", "kind name folder rank core deps externals sources")


def read_units(path, source):
    units = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if not line.strip():
                continue
            kind, name, folder, rank, core, deps, externals, sources = line.rstrip("\n").split("|")
            split = lambda text: [part for part in text.split(",") if part]
            units.append(Unit(kind, name, folder, rank, core == "core", split(deps),
                              split(externals),
                              [os.path.relpath(p, source) for p in split(sources)]))
    return units


def source_files(source):
    for root in ROOTS:
        for folder, folders, names in os.walk(os.path.join(source, root)):
            folders[:] = sorted(f for f in folders if f not in ("node_modules", "__pycache__"))
            for name in sorted(names):
                if name.endswith((".h", ".cc", ".inc.h")):
                    yield os.path.relpath(os.path.join(folder, name), source)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


class Checker:

    def __init__(self, source, units):
        self.source = source
        self.units = units
        self.libraries = {u.folder: u for u in units if u.kind == "library"}
        self.by_source = collections.defaultdict(list)
        self.by_folder = collections.defaultdict(list)
        for unit in units:
            self.by_folder[unit.folder].append(unit)
            for path in unit.sources:
                self.by_source[path].append(unit)
        self.reach_cache = {}
        self.problems = []
        self.grpc_files = []

    def reach(self, unit):
        """Folders and externals that `unit` declared, itself and by its dependencies."""
        key = unit.name
        if key not in self.reach_cache:
            folders, externals = set(), set(unit.externals)
            self.reach_cache[key] = (folders, externals)  # Also ends a cycle.
            for dep in unit.deps:
                folders.add(dep)
                if dep in self.libraries:
                    more_folders, more_externals = self.reach(self.libraries[dep])
                    folders |= more_folders
                    externals |= more_externals
            for external in list(externals):
                externals.update(IMPLIED.get(external, ()))
            if any(f == "proto/services" for f in folders):
                externals.update(("grpc",) + IMPLIED["grpc"])
            if any(f == "proto" or f.startswith("proto/") for f in folders):
                externals.add("protobuf")
        return self.reach_cache[key]

    def owners(self, path):
        """The units that compile `path`, or whose folder holds this header; deepest folder first."""
        if path in self.by_source:
            return self.by_source[path]
        folder = os.path.dirname(path)
        while folder:
            if folder in self.by_folder:
                return self.by_folder[folder]
            folder = os.path.dirname(folder)
        return []

    def library_of(self, included):
        folder = os.path.dirname(included)
        while folder:
            if folder in self.libraries:
                return folder
            folder = os.path.dirname(folder)
        return None

    def problem(self, path, line, what):
        self.problems.append(f"{path}:{line}: {what}")

    def check_file(self, path):
        with open(os.path.join(self.source, path), encoding="utf-8", errors="replace") as file:
            text = file.read()
        owners = self.owners(path)
        if not owners:
            self.problem(path, 1, "belongs to no library, program or test: nothing compiles it")
            return
        if path.endswith(".cc") and path not in self.by_source:
            self.problem(path, 1, f"is in no SOURCES ({owners[0].folder} does not compile it)")
        core = any(unit.core for unit in owners)
        uses_grpc = False
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start(2)) + 1
            included = match.group(2)
            uses_grpc |= included.startswith("grpc") or included.endswith(".grpc.pb.h")
            self.check_include(path, line, included, owners)
            if core:
                self.check_core_include(path, line, included)
        if uses_grpc:
            self.grpc_files.append(path)
            if not path.startswith(tuple(f + "/" for f in GRPC_FOLDERS)):
                self.problem(path, 1, "includes gRPC; only these folders may: " +
                             ", ".join(GRPC_FOLDERS))
        if core:
            self.check_core_calls(path, text)

    def check_include(self, path, line, included, owners):
        if ".." in included.split("/"):
            self.problem(path, line, f'"{included}": includes are from the root of the repository')
            return
        for start, external in EXTERNALS:
            if included.startswith(start):
                if not any(external in self.reach(unit)[1] for unit in owners):
                    self.problem(path, line, f"<{included}> is of {external}, which "
                                 f"{owners[0].name} does not declare in EXTERNAL")
                return
        top = included.split("/")[0]
        if top not in ROOTS:
            same = os.path.join(os.path.dirname(path), included)
            if os.path.isfile(os.path.join(self.source, same)):
                self.problem(path, line, f'"{included}": write it from the root of the repository, '
                             f'"{same}"')
            return
        if path.startswith("common/") and top != "common":
            self.problem(path, line, f'"{included}": common is used by all and uses none of them')
            return
        if (path.split("/")[0], top) in (("gateway", "storage"), ("storage", "gateway")):
            self.problem(path, line, f'"{included}": gateway and storage meet in proto and '
                         "common/store only")
            return
        if top == "tests" and not path.startswith("tests/"):
            self.problem(path, line, f'"{included}": what is shipped does not use test code')
            return
        folder = self.library_of(included)
        if folder is None:
            if not any(included.startswith(unit.folder + "/") for unit in owners):
                self.problem(path, line, f'"{included}" is in no declared library')
        elif not any(folder == unit.folder or folder in self.reach(unit)[0] for unit in owners):
            self.problem(path, line, f'"{included}" is of {folder}, which {owners[0].name} does '
                         "not declare in DEPS")

    def check_core_include(self, path, line, included):
        if included in EXEMPT.get(path, ((), ""))[0]:
            return
        for rule, why in CORE_HEADER_RULES:
            if rule.match(included):
                self.problem(path, line, f"<{included}> in a folder that decides: {why}")

    def check_core_calls(self, path, text):
        code = NOT_CODE.sub(blank, text)
        exempt = EXEMPT.get(path, ((), ""))[0]
        for rule, why in CORE_CALL_RULES:
            for match in rule.finditer(code):
                called = match.group(0).strip(" \n\t(=,;{}!&|?+*/<-")
                if any(word in called for word in exempt):
                    continue
                line = text.count("\n", 0, match.end()) + 1
                self.problem(path, line, f"{called} in a folder that decides: {why}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--source", required=True, help="root of the repository")
    parser.add_argument("--units", required=True, help="layers.txt of the build folder")
    parser.add_argument("--verbose", action="store_true", help="also list the files that include gRPC")
    args = parser.parse_args()
    source = os.path.abspath(args.source)
    checker = Checker(source, read_units(args.units, source))
    count = 0
    for path in source_files(source):
        checker.check_file(path)
        count += 1
    for path in EXEMPT:
        if checker.owners(path) and not os.path.exists(os.path.join(source, path)):
            checker.problem("tests/layers/check_layers.py", 1, f"exempts {path}, which is gone")
    for problem in checker.problems:
        print(problem)
    if args.verbose:
        print("\n".join(checker.grpc_files))
    shipped = sum(not path.startswith("tests/") for path in checker.grpc_files)
    print(f"layers: {count} files, {len(checker.problems)} problems; gRPC headers in {shipped} files "
          f"of ours and {len(checker.grpc_files) - shipped} of tests")
    return 1 if checker.problems else 0


if __name__ == "__main__":
    sys.exit(main())
