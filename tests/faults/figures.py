#!/usr/bin/env python3
"""What a region feels of a fault of another: figures, by hand.

  figures.py blackhole [--seconds S] [--pairs N]
      One region is read and written while another is swallowed by a black hole, and while none is,
      in turns: N pairs of S seconds. Prints each pair's p99 and success, and the median of the
      ratios of p99. Exit code 1 if less than 99.9 % of the calls during black holes succeed.
  figures.py memory [--minutes M] [--every S] [--rate R]
      Two regions are written and read while the process of a third is down, each by R calls a
      second at most (0: as fast as they are answered). Prints what memory each process has
      resident, in MiB, every S seconds, and the growth over the second half.
"""

import argparse
import statistics
import sys
import threading
import time

from mesh import FaultMesh
from harness import grpc, refusal_of

WORKERS = 4
SUCCESS_LEAST = 0.999
VALUE = b"v" * 100
KEYS = 10000


class Calls:
    """Puts and gets of one region by `WORKERS` clients, one after the other. `replies`: seconds of
    each that succeeded; `errors`: the others. `rate`: calls a second at most, of all clients; 0: no
    limit."""

    def __init__(self, server, rate=0.0):
        self.server = server
        self.pause = WORKERS / rate if rate else 0.0
        self.clients = [server.client() for _ in range(WORKERS)]

    def run(self, seconds):
        self.replies, self.errors = [], []
        until = time.monotonic() + seconds

        def work(worker):
            client = self.clients[worker]
            number = worker
            while time.monotonic() < until:
                begin = time.monotonic()
                try:
                    if number % 2:
                        client.put(f"f{number % KEYS}", VALUE, namespace="registers")
                    else:
                        client.get(f"f{number * 7 % KEYS}", namespace="registers")
                    self.replies.append(time.monotonic() - begin)
                except grpc.RpcError as error:
                    self.errors.append(refusal_of(error))
                number += WORKERS + 1
                time.sleep(max(0.0, begin + self.pause - time.monotonic()))
        threads = [threading.Thread(target=work, args=(n,)) for n in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self

    def p99(self):
        return sorted(self.replies)[int(0.99 * len(self.replies))]

    def success(self):
        return len(self.replies) / max(1, len(self.replies) + len(self.errors))


def blackhole(seconds, pairs):
    """The ratios of p99, and the successes, of each pair."""
    mesh = FaultMesh(3)
    try:
        calls = Calls(mesh.servers[0])
        calls.run(min(seconds, 3))
        ratios, successes = [], []
        for pair in range(pairs):
            control = calls.run(seconds).p99()
            mesh.isolate(2, "swallow")
            calls.run(seconds)
            mesh.heal()
            ratios.append(calls.p99() / control)
            successes.append(calls.success())
            print(f"pair {pair + 1}: p99 {1000 * control:.2f} ms, with a black hole "
                  f"{1000 * calls.p99():.2f} ms, ratio {ratios[-1]:.2f}; {len(calls.replies)} calls "
                  f"succeeded, {len(calls.errors)} did not", flush=True)
            for error in calls.errors[:3]:
                print(f"  {error}", flush=True)
            time.sleep(1.0)
        return ratios, successes
    finally:
        mesh.kill()


def resident_mib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    raise AssertionError(f"{server.region} has no memory")


def memory(minutes, every, rate):
    mesh = FaultMesh(3)
    try:
        mesh.servers[2].kill()
        pairs = [Calls(server, rate) for server in mesh.servers[:2]]
        threads = [threading.Thread(target=calls.run, args=(60 * minutes,)) for calls in pairs]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        rows = []
        while any(thread.is_alive() for thread in threads):
            time.sleep(every)
            rows.append((time.monotonic() - began,
                         [resident_mib(calls.server) for calls in pairs],
                         [len(calls.replies) for calls in pairs]))
            at, sizes, counts = rows[-1]
            print(f"{at:6.0f} s  resident " + "  ".join(f"{size:7.1f}" for size in sizes)
                  + " MiB  calls " + "  ".join(str(count) for count in counts), flush=True)
        half = [sizes for at, sizes, _ in rows if at >= rows[-1][0] / 2]
        growth = [last - first for first, last in zip(half[0], half[-1])]
        print("growth over the second half: " + ", ".join(f"{g:+.1f} MiB" for g in growth))
    finally:
        mesh.kill()


def main():
    parser = argparse.ArgumentParser(description="What a region feels of a fault of another.")
    parser.add_argument("figure", choices=("blackhole", "memory"))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=0.0)
    arguments = parser.parse_args()
    if arguments.figure == "memory":
        memory(arguments.minutes, arguments.every, arguments.rate)
        return 0
    ratios, successes = blackhole(arguments.seconds, arguments.pairs)
    print(f"median ratio of p99 {statistics.median(ratios):.2f}, least success "
          f"{100 * min(successes):.3f} %")
    return 0 if min(successes) >= SUCCESS_LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
