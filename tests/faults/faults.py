#!/usr/bin/env python3
"""Breaks meshes of the shipped program and judges what their clients saw.

  faults.py KIND [--count N] [--regions 3|5] [--seed S] [--state FILE] [--keep FOLDER]

  kills   the process of a region is killed under load, and started again
  power   the power of a region's disk is cut under load: what was not synced is gone
  links   cuts, one-way cuts, black holes, slow and flapping links, stopped processes

A fault is one line of progress. `--state FILE` keeps what was done: the same command goes on where
it was ended. Each round has a mesh and a history of its own, which is kept in `--keep` if it is
wrong. Exit code: 0; 1: something is wrong; 3: a history showed too little; 77: this machine can
not run it (1 if the environment has `CI`).
"""

import argparse
import collections
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time

from checker import LEAST, Checker, read_history, too_little
from load import FaultLoad, Recorder
from mesh import FaultMesh, await_equal
from power_cut_test import Disk

ROUND_FAULTS = 10
OPERATIONS_BETWEEN = 60
CANNOT_RUN = 77


class CannotRun(Exception):
    """This machine lacks what a kind needs."""


class Kills:
    """kill -9: what was acknowledged is in the files, but not that it was synced."""

    def __init__(self, chance, regions):
        self.chance = chance
        self.mesh = FaultMesh(regions)

    def fault(self, load):
        victims = [self.chance.randrange(len(self.mesh.servers))]
        if self.chance.random() < 0.2:
            victims = range(len(self.mesh.servers))
        for victim in victims:
            load.fault("kill", region=self.mesh.regions[victim].name)
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

    def __init__(self, chance, regions, wrapper=(), all_at_once=0.2):
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
                              wrapper=wrapper)

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
            load.fault("power", region=self.mesh.regions[victim].name)
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

    def __init__(self, chance, regions):
        self.chance = chance
        self.mesh = FaultMesh(regions)

    def fault(self, load):
        kind = self.chance.choice(("cut", "one_way", "swallow", "slow", "flapping", "stopped"))
        a, b = self.chance.sample(range(len(self.mesh.servers)), 2)
        load.fault(kind, regions=[self.mesh.regions[a].name, self.mesh.regions[b].name])
        if kind == "cut":
            self.mesh.isolate(a, "cut")
        elif kind == "one_way":
            self.mesh.relays[a, b].set("swallow_out")
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
        load.await_operations(40)
        if kind == "stopped":
            self.mesh.servers[a].signal(signal.SIGCONT)
        self.mesh.heal()

    def close(self):
        for server in self.mesh.servers:
            if server.is_alive():
                server.signal(signal.SIGCONT)
        self.mesh.kill()


KINDS = {"kills": Kills, "power": Power, "links": Links}


def run_round(make_bed, count, seed, history, progress):
    """One mesh, `count` faults. Returns the problems of its history and its facts."""
    chance = random.Random(seed)
    bed = make_bed(chance)
    recorder = Recorder(history)
    try:
        with FaultLoad(bed.mesh, recorder, "k", seed) as load:
            load.await_operations(OPERATIONS_BETWEEN)
            for number in range(count):
                load.await_operations(chance.randint(5, OPERATIONS_BETWEEN))
                bed.fault(load)
                progress(number + 1)
            load.await_operations(OPERATIONS_BETWEEN)
        clients = [server.client() for server in bed.mesh.servers]
        await_equal(bed.mesh, clients)
        load.read_all()
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
    parser.add_argument("--state")
    parser.add_argument("--keep", default=tempfile.gettempdir())
    arguments = parser.parse_args()
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
