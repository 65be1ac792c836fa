#!/usr/bin/env python3
"""The runner sees a program that breaks its promise: one whose syncs do nothing. A wall
clock that jumps is survived. One region goes on while another is swallowed by a black hole."""

import json
import os
import shutil
import subprocess
import time
import unittest

import faults
import figures
from harness import new_folder
from mesh import FaultMesh
from power_cut_test import SYNC_NOTHING


class UnsyncedTest(unittest.TestCase):

    def test_power_cuts_of_a_program_that_does_not_sync_are_seen(self):
        compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("cc")
        folder = new_folder()
        source, library = os.path.join(folder, "nosync.c"), os.path.join(folder, "nosync.so")
        with open(source, "w", encoding="utf-8") as file:
            file.write(SYNC_NOTHING)
        subprocess.run([compiler, "-x", "c", "-shared", "-fPIC", "-o", library, source], check=True)

        def bed(chance):
            return faults.Power(chance, 3, wrapper=("env", "LD_PRELOAD=" + library), all_at_once=1)

        try:
            problems, _ = faults.run_round(bed, 1, 1, os.path.join(folder, "history.jsonl"),
                                           lambda number: None)
        except faults.CannotRun as why:
            self.skipTest(str(why))
        except AssertionError as refusal:
            # It noticed the damage, and refused to serve with less.
            self.assertRegex(str(refusal), "(?i)damaged|corrupt")
            return
        self.assertIn("lost", {problem.kind for problem in problems})


class ClockTest(unittest.TestCase):

    def test_a_wall_clock_that_jumps_takes_no_time_from_a_request(self):
        mesh = FaultMesh(3, bent=True)
        self.addCleanup(mesh.kill)
        client, bend = mesh.servers[0].client(), mesh.servers[0].bend
        client.put("k", b"v", namespace="registers")
        # Abseil's clock looks at the system's every other second, and goes by the processor's cycles
        # in between.
        for offset, seconds in ((3600, 2.5), (0, 1.0), (-3600, 2.5), (0, 1.0)):
            bend.set(clock_offset=int(offset * 1e9))
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                self.assertEqual(client.get("k", namespace="registers").item.value, b"v")
        client.close()


class CleanTest(unittest.TestCase):

    def test_a_process_whose_store_is_not_open_yet_has_looked_at_nothing(self):
        class Server:
            ready_path = os.path.join(new_folder(), "ready")
            page = "homeport_up 1\n"

            def scrape(self):
                return self.page

        server = Server()
        self.assertFalse(faults.Flips.is_clean(server))
        with open(server.ready_path, "w", encoding="utf-8") as file:
            json.dump({"metrics": "127.0.0.1:1"}, file)
        self.assertFalse(faults.Flips.is_clean(server))
        for passes, damaged, clean in ((0, 0, False), (1, 1, False), (1, 0, True)):
            server.page = (f"homeport_scrub_passes_total {passes}\n"
                           f'homeport_scrub_tables_total{{found="damaged"}} {damaged}\n')
            self.assertEqual(faults.Flips.is_clean(server), clean)


class BlackHoleTest(unittest.TestCase):

    def test_a_region_answers_while_another_is_in_a_black_hole(self):
        # How long the answers take is told by figures.py, on a machine of its own.
        _, successes = figures.blackhole(seconds=3.0, pairs=2)
        self.assertGreaterEqual(min(successes), figures.SUCCESS_LEAST)


if __name__ == "__main__":
    unittest.main()
