#!/usr/bin/env python3
"""The checker finds each kind of wrong in histories made by hand, and nothing in good ones."""

import os
import subprocess
import sys
import tempfile
import unittest
import json

from checker import Checker


class History:
    """Writes a history a line at a time; each operation takes one unit of time, after the last."""

    def __init__(self):
        self.lines = []
        self.now = 0

    def add(self, op, session, key, outcome="done", region="eu", at=None, **fields):
        start, end = at or (self.now, self.now + 1)
        self.now = max(self.now, end) + 1
        self.lines.append(dict(op=op, session=session, client=session, key=key, outcome=outcome,
                               region=region, start=start, end=end, **fields))
        return self

    def put(self, session, key, value, version=None, outcome="done", **more):
        return self.add("write", session, key, outcome, value=value,
                        version=version and [version, 1], **more)

    def delete(self, session, key, version=None, outcome="done", **more):
        return self.put(session, key, None, version, outcome, **more)

    def read(self, session, key, value, version=None, **more):
        return self.add("read", session, key, value=value, version=version and [version, 1], **more)

    def final(self, key, value, version=None, regions=("eu", "us"), **more):
        for region in regions:
            self.lines.append(dict(op="final", region=region, key=key, value=value,
                                   version=version and [version, 1], **more))
        return self

    def count(self, session, key, amount, outcome="done", **more):
        return self.add("write", session, key, outcome, type="counter", add=amount, **more)

    def count_read(self, session, key, value):
        return self.add("read", session, key, type="counter", value=value)

    def include(self, session, key, element, outcome="done", **more):
        return self.add("write", session, key, outcome, type="set", include=element, **more)

    def exclude(self, session, key, element, outcome="done", **more):
        return self.add("write", session, key, outcome, type="set", exclude=element, **more)

    def set_read(self, session, key, value):
        return self.add("read", session, key, type="set", value=value)


def kinds(history):
    return sorted({problem.kind for problem in Checker(history.lines).run()})


class RegisterTest(unittest.TestCase):

    def test_a_good_history_has_nothing_wrong(self):
        history = History()
        history.put("s1", "x", "a", 1).read("s2", "x", "a", 1, region="us")
        history.put("s2", "x", "b", 2).put("s3", "x", "c", outcome="unknown")
        history.put("s3", "x", "d", outcome="failed").delete("s4", "y", 3)
        history.read("s1", "x", "b", 2).read("s1", "y", None)
        history.final("x", "b", 2).final("y", None)
        self.assertEqual(kinds(history), [])

    def test_a_write_of_unknown_outcome_may_be_there_or_not(self):
        history = History().put("s1", "x", "a", 1).put("s2", "x", "b", outcome="unknown")
        self.assertEqual(kinds(history.final("x", "a", 1)), [])
        history = History().put("s1", "x", "a", 1).put("s2", "x", "b", outcome="unknown")
        self.assertEqual(kinds(history.final("x", "b", 2)), [])

    def test_a_lost_write_is_found(self):
        self.assertEqual(kinds(History().put("s", "x", "a", 1).final("x", None)), ["lost"])
        history = History().put("s", "x", "a", 1).put("s", "x", "b", 2).final("x", "a", 1)
        self.assertEqual(kinds(history), ["lost"])

    def test_only_what_a_replica_took_right_before_it_met_damage_may_be_lost(self):
        def lost_by(served, since, until):
            history = History().put("s", "x", "a", 1, at=(4, 5), served="eu/a")
            history.lines.append({"op": "fault", "kind": "met_while_serving", "served": served,
                                  "since": since, "until": until})
            return kinds(history.final("x", None))
        self.assertEqual(lost_by("eu/a", 4, 6), [])
        self.assertEqual(lost_by("eu/a", 6, 8), ["lost"])
        self.assertEqual(lost_by("eu/a", 2, 4), ["lost"])
        self.assertEqual(lost_by("us/a", 4, 6), ["lost"])

    def test_an_unknown_delete_explains_that_nothing_is_there(self):
        history = History().put("s", "x", "a", 1).delete("s", "x", outcome="unknown")
        self.assertEqual(kinds(history.final("x", None)), [])

    def test_an_older_delete_does_not_explain_it(self):
        history = History().delete("s", "x", 1).put("s", "x", "a", 2).final("x", None)
        self.assertEqual(kinds(history), ["lost"])

    def test_divergence_is_found(self):
        history = History().put("s", "x", "a", 1).put("s", "x", "b", outcome="unknown")
        history.final("x", "a", 1, regions=("eu",)).final("x", "b", 2, regions=("us",))
        self.assertEqual(kinds(history), ["diverged"])

    def test_a_key_that_some_region_was_not_asked_for_is_found(self):
        history = History().put("s", "x", "a", 1).put("s", "y", "b", 2)
        history.final("x", "a", 1).final("y", "b", 2, regions=("eu",))
        self.assertEqual(kinds(history), ["history"])
        self.assertEqual(kinds(History().put("s", "x", "a", 1)), ["history"])

    def test_resurrection_is_found(self):
        history = History().put("s", "x", "a", 1).delete("s", "x", 2).final("x", "a", 1)
        self.assertEqual(kinds(history), ["resurrected"])

    def test_values_from_nowhere_are_found(self):
        self.assertEqual(kinds(History().read("s", "x", "a", 1)), ["nowhere"])
        history = History().put("s", "y", "a", 1).final("y", "a", 1).read("s2", "x", "a", 1)
        self.assertEqual(kinds(history), ["nowhere"])
        early = History().read("s", "x", "a", 1).put("s2", "x", "a", 1).final("x", "a", 1)
        self.assertEqual(kinds(early), ["nowhere"])

    def test_a_failed_write_that_appears_is_found(self):
        history = History().put("s", "x", "a", outcome="failed").final("x", "a", 1)
        self.assertEqual(kinds(history), ["failed_appears"])

    def test_a_value_with_two_versions_is_found(self):
        history = History().put("s", "x", "a", 1).read("s2", "x", "a", 2).final("x", "a", 1)
        self.assertEqual(kinds(history), ["version"])

    def test_two_writes_with_one_version_are_found(self):
        history = History().put("s", "x", "a", 1).put("s2", "x", "b", 1).final("x", "b", 1)
        self.assertEqual(kinds(history), ["version"])


class SessionTest(unittest.TestCase):

    def test_a_session_that_does_not_read_its_own_write_is_found(self):
        history = History().put("s1", "x", "a", 1).put("s2", "x", "b", 2).read("s2", "x", "a", 1)
        self.assertEqual(kinds(history.final("x", "b", 2)), ["read_your_writes"])
        history = History().put("s1", "x", "a", 1).read("s1", "x", None).final("x", "a", 1)
        self.assertEqual(kinds(history), ["read_your_writes"])

    def test_another_session_may_be_behind(self):
        history = History().put("s1", "x", "a", 1).put("s2", "x", "b", 2).read("s3", "x", "a", 1)
        self.assertEqual(kinds(history.final("x", "b", 2)), [])

    def test_a_delete_is_met_as_a_write_is(self):
        history = History().put("s", "x", "a", 1).delete("s", "x", 2).read("s", "x", None, 2)
        self.assertEqual(kinds(history.final("x", None, 2)), [])
        history = History().put("s", "x", "a", 1).delete("s", "x", 2).read("t", "x", None, 2)
        history.read("t", "x", "a", 1).final("x", None, 2)
        self.assertEqual(kinds(history), ["monotonic_reads"])
        history = History().delete("s", "x", 1).put("s", "x", "a", 2).read("s", "x", None, 1)
        self.assertEqual(kinds(history.final("x", "a", 2)), ["read_your_writes"])

    def test_reads_that_go_back_are_found(self):
        history = History().put("s1", "x", "a", 1).put("s1", "x", "b", 2)
        history.read("s2", "x", "b", 2).read("s2", "x", "a", 1)
        self.assertEqual(kinds(history.final("x", "b", 2)), ["monotonic_reads"])

    def test_a_read_that_sees_a_write_without_the_one_before_is_found(self):
        history = History().put("s1", "x", "a", 1).put("s1", "y", "b", 2)
        history.read("s2", "y", "b", 2).read("s2", "x", None)
        self.assertEqual(kinds(history.final("x", "a", 1).final("y", "b", 2)),
                         ["monotonic_writes"])

    def test_a_read_that_sees_an_answer_without_the_question_is_found(self):
        history = History().put("s1", "x", "question", 1).read("s2", "x", "question", 1)
        history.put("s2", "y", "answer", 2).read("s3", "y", "answer", 2).read("s3", "x", None)
        self.assertEqual(kinds(history.final("x", "question", 1).final("y", "answer", 2)),
                         ["writes_follow_reads"])

    def test_that_goes_over_several_sessions(self):
        history = History().put("s1", "x", "a", 1).read("s2", "x", "a", 1).put("s2", "y", "b", 2)
        history.read("s3", "y", "b", 2).put("s3", "z", "c", 3).read("s4", "z", "c", 3)
        history.read("s4", "x", None)
        history.final("x", "a", 1).final("y", "b", 2).final("z", "c", 3)
        self.assertEqual(kinds(history), ["writes_follow_reads"])

    def test_versions_that_contradict_a_session_are_found(self):
        history = History().put("s", "x", "a", 5).put("s", "y", "b", 4)
        self.assertEqual(kinds(history.final("x", "a", 5).final("y", "b", 4)), ["order"])
        history = History().put("s", "x", "a", 5).read("s2", "x", "a", 5).put("s2", "y", "b", 4)
        self.assertEqual(kinds(history.final("x", "a", 5).final("y", "b", 4)), ["order"])


class CounterTest(unittest.TestCase):

    def final(self, history, value, regions=("eu", "us")):
        return history.final("n", value, regions=regions, type="counter")

    def test_a_count_between_what_is_sure_and_what_may_be_is_good(self):
        for value in (3, 8):
            history = History().count("s", "n", 3).count("s", "n", 5, outcome="unknown")
            self.assertEqual(kinds(self.final(history.count_read("s", "n", value), value)), [])

    def test_lost_and_doubled_additions_are_found(self):
        self.assertEqual(kinds(self.final(History().count("s", "n", 3), 2)), ["lost"])
        self.assertEqual(kinds(self.final(History().count("s", "n", 3), 6)), ["twice"])
        history = History().count("s", "n", 3).count("s", "n", 2, outcome="failed")
        self.assertEqual(kinds(self.final(history, 5)), ["twice"])

    def test_a_count_that_differs_between_regions_is_found(self):
        history = History().count("s", "n", 3).count("s", "n", 5, outcome="unknown")
        self.final(history, 3, regions=("eu",))
        self.assertEqual(kinds(self.final(history, 8, regions=("us",))), ["diverged"])

    def test_reads_of_a_session_are_held_against_its_own_additions(self):
        history = History().count("s", "n", 3).count_read("s", "n", 2)
        self.assertEqual(kinds(self.final(history, 3)), ["read_your_writes"])
        history = History().count("s", "n", 3).count_read("t", "n", 3).count_read("t", "n", 2)
        self.assertEqual(kinds(self.final(history, 3)), ["monotonic_reads"])
        history = History().count_read("t", "n", 3).count("s", "n", 3)
        self.assertEqual(kinds(self.final(history, 3)), ["nowhere"])


class SetTest(unittest.TestCase):

    def final(self, history, value, regions=("eu", "us")):
        return history.final("m", value, regions=regions, type="set")

    def test_a_good_history_has_nothing_wrong(self):
        history = History().include("s", "m", "a").include("s", "m", "b").exclude("s", "m", "a")
        history.include("t", "m", "c", outcome="unknown").set_read("s", "m", ["b"])
        self.assertEqual(kinds(self.final(history, ["b"])), [])

    def test_lost_resurrected_and_unheard_of_elements_are_found(self):
        self.assertEqual(kinds(self.final(History().include("s", "m", "a"), [])), ["lost"])
        history = History().include("s", "m", "a").exclude("s", "m", "a")
        self.assertEqual(kinds(self.final(history, ["a"])), ["resurrected"])
        self.assertEqual(kinds(self.final(History().include("s", "m", "a"), ["a", "z"])),
                         ["nowhere"])
        history = History().include("s", "m", "a", outcome="failed")
        self.assertEqual(kinds(self.final(history, ["a"])), ["failed_appears"])

    def test_an_element_that_a_session_saw_stays_until_it_is_removed(self):
        history = History().include("s", "m", "a").set_read("t", "m", ["a"]).set_read("t", "m", [])
        self.assertEqual(kinds(self.final(history, ["a"])), ["monotonic_reads"])


class ProgramTest(unittest.TestCase):

    def run_checker(self, history, *arguments):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            for line in history.lines:
                file.write(json.dumps(line) + "\n")
            file.flush()
            checker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "checker.py")
            return subprocess.run([sys.executable, "-B", checker, file.name, *arguments],
                                  capture_output=True, text=True, check=False)

    def test_a_history_in_which_nothing_happened_fails_as_vacuous(self):
        ended = self.run_checker(History().put("s", "x", "a", 1).final("x", "a", 1))
        self.assertEqual(ended.returncode, 3, ended.stdout)
        self.assertIn("vacuous: crossings: 0", ended.stdout)

    def test_a_wrong_history_is_wrong_even_if_little_happened(self):
        ended = self.run_checker(History().put("s", "x", "a", 1).final("x", None))
        self.assertEqual(ended.returncode, 1, ended.stdout)
        self.assertIn("wrong: 2 lost", ended.stdout)

    def test_what_is_needed_can_be_said(self):
        history = History().put("s", "x", "a", 1, at=(0, 5)).put("t", "x", "b", 2, region="us",
                                                                 at=(1, 6))
        history.read("s", "x", "b", 2).read("s", "x", "b", 2, region="us").final("x", "b", 2)
        little = ["--least-writes-done", "2", "--least-reads-done", "2", "--least-crossings", "1",
                  "--least-switches", "1", "--least-concurrent", "1", "--least-faults", "0"]
        ended = self.run_checker(history, *little)
        self.assertEqual(ended.returncode, 0, ended.stdout)


if __name__ == "__main__":
    unittest.main()
