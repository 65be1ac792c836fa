#!/usr/bin/env python3
"""Breaks meshes of the shipped program and judges what their clients saw.

  faults.py KIND [--count N] [--regions 3|5] [--seed S] [--state FILE] [--keep FOLDER]

  kills   the process of a region is killed under load, and started again
  power   the power of a region's disk is cut under load: what was not synced is gone
  disks   a disk is wiped, an old copy of it is put back, a second process wants it
  flips   a bit of some file is flipped, or its end cut off, after the peers have what it held
  links   cuts, one-way cuts, black holes, slow and flapping links, stopped processes
  clocks  the clock of a region is bent, by seconds or an hour, forwards or back
  full    a region's disk is full, sometimes while its process starts
  halves  one of the two replicas of a region is gone for a while, or comes back with an empty disk
  errors  reads, writes or syncs of a region's disk fail, once or until it is started anew
  upgrade processes are replaced by --other-program, and back

A fault is one line of progress. `--state FILE` keeps what was done: the same command goes on where
it was ended. Each round has a mesh and a history of its own, which is kept in `--keep` if it is
wrong. Exit code: 0; 1: something is wrong; 3: a history showed too little; 77: this machine can
not run it (1 if the environment has `CI`).
"""

import argparse
import collections
import datetime
import errno
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from checker import LEAST, Checker, read_history, too_little
from load import FaultLoad, Recorder
from mesh import Bend, FaultMesh, await_equal, run_instead
# These two are found by what the two before have put on the path.
from harness import PROGRAM, Server, await_that, grpc, new_folder, refusal_of
from power_cut_test import Disk

ROUND_FAULTS = 10
OPERATIONS_BETWEEN = 60
CANNOT_RUN = 77


class CannotRun(Exception):
    """This machine lacks what a kind needs."""


class Kills:
    """kill -9: what was acknowledged is in the files, but not that it was synced."""

    def __init__(self, chance, regions, **options):
        self.chance = chance
        self.mesh = FaultMesh(regions, **options)

    def fault(self, load):
        victims = [self.chance.randrange(len(self.mesh.servers))]
        if self.chance.random() < 0.2:
            victims = range(len(self.mesh.servers))
        for victim in victims:
            load.fault("kill", region=self.mesh.servers[victim].place)
            self.mesh.servers[victim].kill()
        if self.chance.random() < 0.5 and len(victims) == 1:
            load.await_operations(10)
        for victim in victims:
            self.mesh.servers[victim].launch()
        for victim in victims:
            self.mesh.servers[victim].await_serving()

    def close(self):
        self.mesh.kill()


class Power:
    """Each region's data is on a disk of its own, whose power is cut while it writes."""

    def __init__(self, chance, regions, all_at_once=0.2, **options):
        self.chance, self.all_at_once = chance, all_at_once
        self.cleanups = []
        self.disks = []
        try:
            for _ in range(regions):
                self.disks.append(Disk(self))
        except CannotRun:
            self.clean_up()
            raise
        self.mesh = FaultMesh(regions, folders=[disk.mount_point for disk in self.disks],
                              **options)

    # What a disk asks of a test.
    def skipTest(self, why):
        raise CannotRun(why)

    def addCleanup(self, function, *arguments):
        self.cleanups.append((function, arguments))

    def fault(self, load):
        victims = [self.chance.randrange(len(self.mesh.servers))]
        if self.chance.random() < self.all_at_once:
            victims = list(range(len(self.mesh.servers)))
        for victim in victims:
            load.fault("power", region=self.mesh.servers[victim].place)
            load.cut_begins(victim)
            self.disks[victim].cut_power()
            self.mesh.servers[victim].kill()
        for victim in victims:
            self.disks[victim].mount_again()
            load.cut_ends(victim)
            self.mesh.servers[victim].launch()
        for victim in victims:
            self.mesh.servers[victim].await_serving()

    def clean_up(self):
        for function, arguments in reversed(self.cleanups):
            function(*arguments)

    def close(self):
        self.mesh.kill()
        self.clean_up()


class Links:
    """Nothing is lost; whoever is cut off goes on by itself."""

    def __init__(self, chance, regions, **options):
        self.chance = chance
        self.mesh = FaultMesh(regions, **options)

    def fault(self, load):
        kind = self.chance.choice(("cut", "one_way", "swallow", "slow", "flapping", "stopped"))
        a, b = self.chance.sample(range(len(self.mesh.servers)), 2)
        load.fault(kind, regions=[self.mesh.servers[a].place, self.mesh.servers[b].place])
        if kind == "cut":
            self.mesh.isolate(a, "cut")
        elif kind == "one_way":
            self.mesh.one_way(a, b, "swallow")
        elif kind == "swallow":
            self.mesh.isolate(a, "swallow")
        elif kind == "slow":
            self.mesh.isolate(a, "pass", delay=0.2)
        elif kind == "flapping":
            for _ in range(5):
                self.mesh.link(a, b, "cut")
                load.await_operations(5)
                self.mesh.link(a, b)
                load.await_operations(5)
        else:
            self.mesh.servers[a].signal(signal.SIGSTOP)
        # Sometimes for longer than it takes to notice that a peer is silent.
        load.go_on_for(self.chance.choice((0.5, 1.0, 5.0)))
        if kind == "stopped":
            self.mesh.servers[a].signal(signal.SIGCONT)
        self.mesh.heal()

    def close(self):
        for server in self.mesh.servers:
            if server.is_alive():
                server.signal(signal.SIGCONT)
        self.mesh.kill()


class Stopped:
    """What is done to the files of a process that was stopped in good order, so that its peers have
    all that it had."""

    def __init__(self, chance, regions, **options):
        self.chance = chance
        self.mesh = FaultMesh(regions, **options)

    def fault(self, load):
        victim = self.chance.randrange(len(self.mesh.servers))
        server = self.mesh.servers[victim]
        kind, what = self.choose(server)
        load.avoided = victim
        # What a peer's gateway sends on does not come either.
        with load.paused():
            load.await_shipped(victim)
            code = server.terminate()
        if code != 0:
            raise AssertionError(f"{server.region} ended with {code}: {server.log()[-3000:]}")
        load.fault(kind, region=server.region, **what())
        self.start(server, load)
        load.avoided = None

    def start(self, server, load):
        del load
        server.start()

    def close(self):
        self.mesh.kill()


class Disks(Stopped):
    """A disk is lost whole, or an old copy of it is put back, or a second process wants it."""

    def __init__(self, chance, regions):
        super().__init__(chance, regions)
        self.copies = {}

    def choose(self, server):
        kind = self.chance.choice(("wiped", "old", "second"))
        copy = os.path.join(server.folder, "copy")

        def keep():
            shutil.copytree(server.data, copy)
            self.copies[server.region] = copy
            return {}

        def put_back():
            shutil.rmtree(server.data)
            os.rename(self.copies.pop(server.region), server.data)
            return {}

        def wipe():
            shutil.rmtree(server.data)
            return {}
        if kind == "old":
            return ("old", put_back) if server.region in self.copies else ("copied", keep)
        if kind == "second":
            return kind, lambda: {}
        return kind, wipe

    def start(self, server, load):
        super().start(server, load)
        region = next(region for region in self.mesh.regions if region.name == server.region)
        other = Server(self.mesh.topology_file, region, data=server.data)
        other.launch()
        code = other.process.wait(60)
        if code == 0 or "in use by another process" not in other.log():
            raise AssertionError(f"a second process on {server.data} ended with {code}: "
                                 + other.log()[-3000:])


class Flips(Stopped):
    """A bit is flipped in some file, or its end is cut off. No wrong value is served; whoever meets
    the damage, or finds it in a table that nobody reads, moves the store aside and is filled anew
    by the peers, without a hand of ours, so that after a while all can be read again. Some are
    killed in the middle of that."""

    # A write that is older than this is with a peer, all links being there.
    UNSHIPPED_SECONDS = 1.0
    # How often a process is to be killed while it begins anew, and for how long that is waited for.
    KILLED_CHANCE = 0.35
    KILLED_PATIENCE = 3.0
    # A store while it is moved aside, and what those that were are called.
    MOVING, MOVED = "damaged.moving", "damaged-"

    def choose(self, server):
        kind = self.chance.choice(("flip", "flip", "cut_off"))

        def damage():
            names = [name for name in os.listdir(server.data)
                     if os.path.isfile(os.path.join(server.data, name))
                     and os.path.getsize(os.path.join(server.data, name)) > 0]
            # Each sort of file is as likely as any other.
            sorts = sorted({name.split(".")[-1].split("-")[0] for name in names})
            sort = self.chance.choice(sorts)
            name = self.chance.choice(sorted(name for name in names if
                                             name.split(".")[-1].split("-")[0] == sort))
            path = os.path.join(server.data, name)
            at = self.chance.randrange(os.path.getsize(path))
            with open(path, "r+b") as file:
                if kind == "cut_off":
                    file.truncate(at)
                else:
                    file.seek(at)
                    byte = file.read(1)[0]
                    file.seek(at)
                    file.write(bytes([byte ^ 1 << self.chance.randrange(8)]))
            return {"file": name, "offset": at}
        return kind, damage

    def start(self, server, load):
        met = server.log().count("is damaged")
        if self.chance.random() < self.KILLED_CHANCE:
            self.kill_while_it_begins_anew(server, load)
        server.start()
        # Who has the same is next only when this one has all of it again, and no damage that it
        # would still find.
        load.await_readable(server)
        await_that(f"{server.place} looking at all its tables", lambda: self.is_clean(server))
        load.await_readable(server)
        if server.log().count("is damaged") > met:
            load.fault("damage_met", region=server.region)

    def moved_aside(self, server):
        return {name for name in os.listdir(server.data) if name.startswith(self.MOVED)}

    def kill_while_it_begins_anew(self, server, load):
        """Starts it, and kills it while it moves its store aside or is filled, if it does."""
        before, written = self.moved_aside(server), len(server.log())
        moving = os.path.join(server.data, self.MOVING)
        while_moving = self.chance.random() < 0.5
        wait = self.chance.uniform(0, 0.1)
        server.launch()
        until = time.monotonic() + self.KILLED_PATIENCE
        while time.monotonic() < until and server.is_alive():
            if while_moving and os.path.exists(moving):
                break
            if self.moved_aside(server) != before:
                time.sleep(wait)
                break
            if self.is_clean(server):
                break
            time.sleep(0 if while_moving else 0.01)
        server.kill()
        if os.path.exists(moving):
            load.fault("killed_while_moving", region=server.region)
        elif self.moved_aside(server) != before:
            filled = "has caught up" in server.log()[written:]
            load.fault("killed_once_filled" if filled else "killed_while_filled",
                       region=server.region)

    @staticmethod
    def is_clean(server):
        """Each of its tables was looked at, and none is damaged. None while it starts anew."""
        try:
            with open(server.ready_path, encoding="utf-8") as file:
                server.metrics_address = json.load(file)["metrics"]
            page = server.scrape()
        except (OSError, ValueError, http.client.HTTPException):
            return None
        values = dict(line.rsplit(" ", 1) for line in page.splitlines()
                      if line[:1] not in ("", "#"))
        # Metrics are served before the store is open.
        passes = values.get("homeport_scrub_passes_total")
        damaged = values.get('homeport_scrub_tables_total{found="damaged"}')
        if passes is None or damaged is None:
            return None
        return float(passes) > 0 and float(damaged) == 0

    def tell_unshipped(self, load):
        """Damage that is met when a replica has taken writes again: of the last of them, as long as
        a peer may not have them, nothing can be asked."""
        offset = time.time() - time.monotonic()
        for server in self.mesh.servers:
            met = None
            for line in server.log_lines():
                at = datetime.datetime.fromisoformat(line["time"]).timestamp() - offset
                # Who was killed after the move may not have told of it.
                if "moved_to" in line or line["event"] == "serving":
                    if met is not None:
                        load.fault("met_while_serving", served=server.place,
                                   since=met - self.UNSHIPPED_SECONDS, until=at)
                    met = None
                elif met is None and "damaged" in json.dumps(line) and server.data in str(line):
                    met = at


class Clocks:
    """The wall clock of a region's process is off, and later right again. A jump is not followed;
    who starts with a clock that is ahead takes no writes; who starts with one that is behind does
    not apply what comes from its future. Each gets over it by itself once its clock is right, or,
    since a jump is not followed, once it is started anew."""

    # Whoever starts further ahead takes no writes, but promises its peers by that clock that
    # nothing earlier will come. So it takes none once its clock is right either, for as long as it
    # was ahead (CLOCK_SUSPECT), and two such take each other's word.
    AHEAD_AT_START_MAX = 2

    def __init__(self, chance, regions, **options):
        self.chance = chance
        self.mesh = FaultMesh(regions, bent=True, **options)

    def fault(self, load):
        victim = self.chance.randrange(len(self.mesh.servers))
        server = self.mesh.servers[victim]
        seconds = self.chance.choice((1, -1)) * self.chance.choice((0.3, 2, 10, 3600))
        restart = self.chance.random() < 0.5 and seconds <= self.AHEAD_AT_START_MAX
        load.fault("clock", region=server.place, seconds=seconds, restart=restart)
        server.bend.set(clock_offset=int(seconds * 1e9))
        if restart:
            server.kill()
            server.start()
        load.go_on_for(self.chance.choice((0.5, 2.0)))
        server.bend.set(clock_offset=0)
        if restart:
            load.go_on_for(0.5)
            server.kill()
            server.start()

    def close(self):
        self.mesh.kill()


class Full:
    """Each region's data is on a small disk of its own, which others fill. Reads go on, writes are
    refused by name (those to the region's gateway go to another region), and there being room again
    is enough."""

    DISK_MIB = 192
    RESERVE_MIB = 16

    def __init__(self, chance, regions, **options):
        self.chance = chance
        self.disks = []
        for _ in range(regions):
            disk = os.path.join(new_folder(), "disk")
            os.mkdir(disk)
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.DISK_MIB}m", "none",
                                      disk], capture_output=True, text=True, check=False)
            if mounted.returncode != 0:
                self.unmount()
                raise CannotRun("needs to mount a tmpfs: " + mounted.stderr.strip())
            self.disks.append(disk)
        self.mesh = FaultMesh(regions, folders=self.disks,
                              disk_reserve_bytes=f"{self.RESERVE_MIB}MiB", **options)

    @staticmethod
    def free(disk):
        status = os.statvfs(disk)
        return status.f_bavail * status.f_frsize

    def fill(self, disk, left):
        """With something of which `left` bytes are left; returns its path."""
        file, path = tempfile.mkstemp(dir=disk)
        try:
            os.posix_fallocate(file, 0, max(1, self.free(disk) - left))
        except OSError as error:
            # Somebody else has taken it in the meantime.
            if error.errno != errno.ENOSPC:
                raise
        finally:
            os.close(file)
        return path

    def fault(self, load):
        victim = self.chance.randrange(len(self.mesh.servers))
        server = self.mesh.servers[victim]
        restart = self.chance.random() < 0.4
        load.fault("full", region=server.place, restart=restart)
        if restart:
            server.kill()
        # To the last byte, or so that only the reserve is touched.
        left = self.chance.choice((0, 4 << 20, (self.RESERVE_MIB << 20) - 4096))
        others = [self.fill(self.disks[victim], left)]
        if restart:
            server.start()
        client = server.client()

        def refused():
            # A start and a flush drop logs.
            if self.free(self.disks[victim]) > left:
                others.append(self.fill(self.disks[victim], left))
            return self.refusal(client)
        try:
            refusal = await_that("a write that is refused", refused)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.free(self.disks[victim])} bytes free, the last "
                                 f"answer: {self.answer}\n{server.log()[-3000:]}") from error
        if refusal.reason != "DISK_FULL":
            raise AssertionError(f"a full disk is called {refusal}")
        load.await_readable(server)
        load.go_on_for(self.chance.choice((0.2, 1.5)))
        for path in others:
            os.remove(path)
        await_that("writes once there is room", lambda: self.refusal(client) is None)
        client.close()

    def refusal(self, client):
        try:
            client.put("probe", b"v", namespace="registers", local_only=True)
        except grpc.RpcError as error:
            found = self.answer = refusal_of(error)
            # What was under way when the storage met the end.
            return None if found.code in ("UNKNOWN", "UNAVAILABLE") else found
        self.answer = "done"
        return None

    def unmount(self):
        for disk in self.disks:
            subprocess.run(["umount", "-l", disk], check=False)

    def close(self):
        self.mesh.kill()
        self.unmount()


class Halves(Stopped):
    """Regions of two replicas, of which one is gone: the other serves the region."""

    def __init__(self, chance, regions, **options):
        super().__init__(chance, regions, replicas=2, **options)

    def fault(self, load):
        if self.chance.random() < 0.5:
            # Of one region, or of all.
            regions = range(len(self.mesh.regions))
            if self.chance.random() < 0.7:
                regions = [self.chance.choice(regions)]
            victims = [2 * region + self.chance.randrange(2) for region in regions]
            for victim in victims:
                load.fault("half", region=self.mesh.servers[victim].place)
                self.mesh.servers[victim].kill()
            load.go_on_for(self.chance.choice((0.5, 2.0)))
            for victim in victims:
                self.mesh.servers[victim].start()
        else:
            super().fault(load)

    def choose(self, server):
        def wipe():
            shutil.rmtree(server.data)
            return {}
        return "half_wiped", wipe


class Errors:
    """A read, a write or a sync of a process' disk fails. It may take no more writes from then on
    (never one on the strength of a sync that failed before), or end; it is then started anew, as
    whoever operates it would."""

    def __init__(self, chance, regions, **options):
        self.chance = chance
        self.mesh = FaultMesh(regions, bent=True, **options)

    def fault(self, load):
        victim = self.chance.randrange(len(self.mesh.servers))
        server = self.mesh.servers[victim]
        kind = self.chance.choice(sorted(Bend.KINDS))
        sticky = self.chance.random() < 0.5
        before = server.bend.get("failed")
        server.bend.set(sticky=sticky, after=self.chance.randrange(40), fail=Bend.KINDS[kind])
        starting = kind == "reads" and self.chance.random() < 0.5
        if starting:
            # Of what it knows of itself, not all can be read.
            server.kill()
            server.launch()
            await_that("a start or a refusal", lambda: not server.is_alive()
                       or os.path.exists(server.ready_path))
        load.go_on_for(1.0)
        server.bend.set(fail=0)
        load.fault("error", region=server.place, what=kind, sticky=sticky, starting=starting,
                   failed=server.bend.get("failed") - before, ended=not server.is_alive())
        server.kill()
        server.start()

    def close(self):
        self.mesh.kill()


class Upgrade:
    """Two programs in one mesh; now and then a process becomes the other one."""

    other = None

    def __init__(self, chance, regions, **options):
        self.chance = chance
        self.mesh = FaultMesh(regions, **options)
        self.others = set()

    def fault(self, load):
        victim = self.chance.randrange(len(self.mesh.servers))
        server = self.mesh.servers[victim]
        self.others ^= {victim}
        code, orderly = None, self.chance.random() < 0.5
        if orderly:
            code = server.terminate()
            # `others` is what it is to be from now on: whoever becomes the other program was the
            # shipped one. What the other program does wrong at its end is told, and is past.
            if code != 0 and victim in self.others:
                raise AssertionError(f"{server.place} ended with {code}: {server.log()[-3000:]}")
        else:
            server.kill()
        run_instead(server, self.other if victim in self.others else PROGRAM)
        load.fault("replaced", region=server.place, other=victim in self.others, orderly=orderly,
                   code=code, others=len(self.others))
        server.start()

    def close(self):
        self.mesh.kill()


KINDS = {"clocks": Clocks, "errors": Errors, "full": Full, "halves": Halves, "upgrade": Upgrade,
         "kills": Kills, "power": Power, "links": Links, "disks": Disks, "flips": Flips}


def run_round(make_bed, count, seed, history, progress, patience=60.0, **load_options):
    """One mesh, `count` faults. Returns the problems of its history and its facts. `patience`: in
    which replicas have to become equal."""
    chance = random.Random(seed)
    bed = make_bed(chance)
    recorder = Recorder(history)
    try:
        with FaultLoad(bed.mesh, recorder, "k", seed, **load_options) as load:
            load.await_operations(OPERATIONS_BETWEEN)
            for number in range(count):
                load.await_operations(chance.randint(5, OPERATIONS_BETWEEN))
                bed.fault(load)
                progress(number + 1)
            load.await_operations(OPERATIONS_BETWEEN)
        clients = [server.client() for server in bed.mesh.servers]
        await_equal(bed.mesh, clients, patience)
        load.read_all()
        if isinstance(bed, Flips):
            bed.tell_unshipped(load)
    except Exception as error:
        for server in bed.mesh.servers:
            print(f"{server.place}: exit code {server.process.poll()}\n{server.log()[-2000:]}",
                  flush=True)
        kept = history + ".kept"
        shutil.copy(history, kept)
        print(f"its history: {kept}", flush=True)
        raise error
    finally:
        recorder.close()
        bed.close()
    checker = Checker(read_history(history))
    return checker.run(), checker.facts


def load_state(path, key):
    if path and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            state = json.load(file)
        if state["key"] != key:
            raise SystemExit(f"{path}: is of another run: {state['key']}")
        return state
    return {"key": key, "done": 0, "facts": {}, "wrong": 0, "seconds": 0.0}


def save_state(path, state):
    if path:
        with open(path + ".part", "w", encoding="utf-8") as file:
            json.dump(state, file)
        os.rename(path + ".part", path)


def main():
    parser = argparse.ArgumentParser(description="Breaks meshes and judges what clients saw.")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--regions", type=int, choices=(3, 5), default=3)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--other-program", help="for `upgrade`")
    parser.add_argument("--state")
    parser.add_argument("--keep", default=tempfile.gettempdir())
    arguments = parser.parse_args()
    if arguments.kind == "upgrade" and not arguments.other_program:
        parser.error("`upgrade` needs --other-program")
    Upgrade.other = arguments.other_program
    seed = arguments.seed
    if seed is None:
        seed = int(os.environ.get("HOMEPORT_SEED") or random.SystemRandom().getrandbits(31))
    key = f"{arguments.kind} {arguments.regions} regions"
    state = load_state(arguments.state, key)
    facts = collections.Counter(state["facts"])
    print(f"HOMEPORT_SEED={seed}", flush=True)
    while state["done"] < arguments.count:
        count = min(ROUND_FAULTS, arguments.count - state["done"])
        began = time.monotonic()
        folder = tempfile.mkdtemp(prefix="homeport-faults-")
        history = os.path.join(folder, "history.jsonl")

        def progress(number):
            print(f"{arguments.kind} {state['done'] + number} of {arguments.count}, "
                  f"{time.monotonic() - began:.1f} s", flush=True)
        try:
            problems, round_facts = run_round(
                lambda chance: KINDS[arguments.kind](chance, arguments.regions), count,
                seed + state["done"], history, progress)
        except CannotRun as why:
            print(f"{arguments.kind}: NOT RUN ON THIS MACHINE: {why}", flush=True)
            # Where everything is judged by what ran, what did not run is a failure.
            return 1 if os.environ.get("CI") else CANNOT_RUN
        for problem in problems[:20]:
            print(f"WRONG: {problem.kind}: {problem.text}", flush=True)
        if problems:
            kept = os.path.join(arguments.keep, f"homeport-history-{seed + state['done']}.jsonl")
            shutil.move(history, kept)
            print(f"its history: {kept}", flush=True)
        shutil.rmtree(folder, True)
        facts.update(round_facts)
        state.update(done=state["done"] + count, facts=dict(facts),
                     wrong=state["wrong"] + len(problems),
                     seconds=state["seconds"] + time.monotonic() - began)
        save_state(arguments.state, state)
        if problems:
            break
    least = dict(LEAST, faults=arguments.count)
    if arguments.kind == "errors":
        # An error is armed, and is only met when its call comes.
        least["failed_calls"] = arguments.count // 2
    if arguments.kind == "flips":
        # Much is not there any more when it would be read: only tables are looked at unasked.
        least["fault_damage_met"] = arguments.count // 10
        facts["rebuilds_killed"] = facts["fault_killed_while_moving"] + \
            facts["fault_killed_while_filled"]
        least["rebuilds_killed"] = arguments.count // 60
    little = too_little(facts, least)
    for line in little:
        print("vacuous: " + line)
    print(f"{key}: {state['done']} faults, {state['wrong']} wrong, {state['seconds']:.1f} s, "
          f"{json.dumps(dict(sorted(facts.items())))}", flush=True)
    if state["wrong"]:
        return 1
    return 3 if little else 0


if __name__ == "__main__":
    sys.exit(main())
