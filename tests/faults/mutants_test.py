#!/usr/bin/env python3
"""The checker sees planted bugs of common/base/mutants.h in meshes of real processes.

Each mutant gets what its bug needs to show, a few rounds of it, and has to be found in one of them:
by what the history of its clients says, or by replicas that do not become equal or do not start.
"""

import os
import sys
import unittest

import faults
from harness import new_folder

PROGRAM = os.environ["HOMEPORT_WITH_MUTANTS"]
ROUNDS_MAX = 4


def with_mutant(mutant):
    return {"wrapper": ("env", "HOMEPORT_MUTANT=" + mutant), "program": PROGRAM}


class Isolation(faults.Links):
    """The others go on deleting what a region wrote that is cut off."""

    def fault(self, load):
        victim = self.chance.randrange(len(self.mesh.servers))
        load.fault("cut", region=self.mesh.servers[victim].place)
        self.mesh.isolate(victim, "cut")
        load.go_on_for(1.0)
        # What is deleted from here on is newer than anything that the victim wrote.
        load.avoided = victim
        load.go_on_for(2.0)
        self.mesh.heal()
        load.avoided = None
        load.go_on_for(1.0)


class Relayed(faults.Links):
    """The two holders of a namespace reach each other only through a region that has it not."""

    def fault(self, load):
        first, last = 0, len(self.mesh.servers) - 1
        load.fault("cut", regions=[self.mesh.servers[n].place for n in (first, last)])
        self.mesh.link(first, last, "cut")
        load.go_on_for(3.0)
        self.mesh.heal()
        load.go_on_for(0.5)


class Lagging(faults.Links):
    """What one region sends to one other comes late."""

    def fault(self, load):
        a, b = self.chance.sample(range(len(self.mesh.servers)), 2)
        load.fault("slow", regions=[self.mesh.servers[n].place for n in (a, b)])
        self.mesh.link(a, b, delay=0.3)
        load.go_on_for(1.5)
        self.mesh.heal()


class MutantsTest(unittest.TestCase):

    def rounds(self, mutant, bed, count, rounds_max=ROUNDS_MAX, **options):
        """What was found in the first round in which something was."""
        for number in range(rounds_max):
            history = os.path.join(new_folder(), "history.jsonl")
            try:
                problems, _ = faults.run_round(bed, count, number + 1, history, lambda _: None,
                                              **options)
            except AssertionError as refusal:
                print(f"{mutant}: {str(refusal)[:200]}", file=sys.stderr, flush=True)
                return {"refusal"}
            except faults.CannotRun as why:
                if os.environ.get("CI"):
                    raise
                self.skipTest(str(why))
            if problems:
                found = {problem.kind for problem in problems}
                print(f"{mutant}: round {number + 1}: {sorted(found)}", file=sys.stderr, flush=True)
                return found
        return set()

    def found(self, mutant, bed, count, expected, **options):
        options.setdefault("patience", 10.0)
        found = self.rounds(
            mutant, lambda chance: bed(chance, 3, **with_mutant(mutant)), count, **options)
        self.assertTrue(found & set(expected), f"{mutant}: found {sorted(found) or 'nothing'}")

    def test_a_program_that_acknowledges_before_it_syncs_is_found_by_power_cuts(self):
        self.found("kAcknowledgeBeforeSync", lambda chance, regions, **options: faults.Power(
            chance, regions, all_at_once=1, **options), 2, ("lost", "refusal"))

    def test_positions_that_are_stored_before_their_data_are_found_by_kills(self):
        self.found("kPositionBeforeData", faults.Kills, 3, ("lost", "diverged", "refusal"))

    def test_tombstones_that_go_by_a_timer_are_found_by_cuts(self):
        self.found("kTombstoneByTimer", Isolation, 2,
                   # Comparing finds the difference afterwards: then only sessions have seen it.
                   ("resurrected", "diverged", "lost", "monotonic_writes", "writes_follow_reads"),
                   weights=(30, 20, 40, 1, 1, 1, 1), keys=40, switch_chance=0.02)

    def test_a_relay_that_spreads_what_was_left_out_for_it_is_found(self):
        self.found("kRelaySpreadsSkips", Relayed, 2, ("lost", "diverged", "refusal"))

    def test_a_replica_that_serves_sessions_it_is_behind_of_is_found(self):
        self.found("kTokenIgnored", Lagging, 1, ("read_your_writes", "monotonic_reads"))

    def test_entries_that_are_applied_before_what_they_rest_on_are_found(self):
        self.found("kDependenciesIgnored", Lagging, 4,
                   ("writes_follow_reads", "monotonic_writes", "monotonic_reads"),
                   weights=(40, 1, 55, 1, 1, 1, 1), keys=5)

    def test_a_retry_that_is_done_twice_is_found(self):
        self.found("kRetryNotRemembered", Lagging, 1, ("twice",),
                   weights=(10, 1, 10, 60, 10, 4, 4))

    def test_an_entry_of_which_a_change_is_left_out_is_found(self):
        self.found("kHalfBatchApplied", Lagging, 1, ("lost", "diverged", "monotonic_reads",
                                                     "read_your_writes", "writes_follow_reads"))

    def test_the_same_program_without_a_mutant_has_nothing_wrong(self):
        for bed in (Isolation, Relayed, Lagging):
            found = self.rounds("kNone", lambda chance, bed=bed: bed(
                chance, 3, **with_mutant("kNone")), 1, rounds_max=1)
            self.assertEqual(found, set(), bed.__name__)


if __name__ == "__main__":
    unittest.main()
