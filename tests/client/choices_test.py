#!/usr/bin/env python3
"""What the Python package decides, without processes: tokens of a session, and gateways."""

import os
import random
import sys
import unittest

REPOSITORY = os.environ["HOMEPORT_REPOSITORY"]
sys.path[:0] = [os.environ["HOMEPORT_STUBS"], os.path.join(REPOSITORY, "client", "python")]

from homeport_client import tokens
from homeport_client.errors import HomeportError, unknown_outcome
from homeport_client.gateways import EJECTION_BASE, GATEWAYS_MAX, MOVE_INTERVAL, GatewayChoice
from homeport_client.tokens import SessionTokens


class SessionTokensTest(unittest.TestCase):

    def test_tokens_of_concurrent_replies_are_carried_together_until_one_reply_covers_them(self):
        session = SessionTokens()
        (_, first), (_, second) = session.to_send(), session.to_send()
        session.answered(first, b"a")
        session.answered(second, b"bc")
        self.assertEqual(session.export(), b"\x02\x02\x01\x00a\x02\x00bc")
        carried, mark = session.to_send()
        self.assertEqual(carried, session.export())
        session.answered(mark, b"d")
        self.assertEqual(session.export(), b"d")

    def test_nothing_seen_is_lost_and_no_more_are_held_than_a_request_can_carry(self):
        chance = random.Random(7)
        for _ in range(20):
            session, covers, under_way, seen = SessionTokens(), [], [], set()

            def covered_by(carried):
                return set().union(*(covers[int(token)] for token in tokens.split(carried)))

            for step in range(300):
                if len(under_way) < tokens.IN_FLIGHT_MAX and chance.random() < 0.5:
                    under_way.append(session.to_send())
                    self.assertEqual(covered_by(under_way[-1][0]), seen)
                elif under_way:
                    carried, mark = under_way.pop(chance.randrange(len(under_way)))
                    covers.append(covered_by(carried) | {step})
                    seen.add(step)
                    session.answered(mark, str(len(covers) - 1).encode())
                    held = tokens.split(session.export())
                    self.assertLessEqual(len(held), tokens.IN_FLIGHT_MAX)
            self.assertEqual(covered_by(session.export()), seen)

    def test_what_no_session_exported_is_refused(self):
        whole = tokens.bundle([b"a", b"bc"])
        for size in range(1, len(whole)):
            with self.assertRaises(ValueError):
                SessionTokens().join(whole[:size])
        with self.assertRaises(ValueError):
            SessionTokens().join(whole + b"x")

    def test_more_joined_than_a_request_can_carry_are_refused(self):
        session = SessionTokens()
        session.to_send()
        for number in range(tokens.JOINED_MAX):
            session.join(b"token %d" % number)
        with self.assertRaises(ValueError):
            session.join(b"one more")
        session.answered(session.to_send()[1], b"a")
        session.join(b"one more")


class GatewayChoiceTest(unittest.TestCase):

    def setUp(self):
        self.choice = GatewayChoice(["a", "b"], chance=lambda: 0.0)

    def test_one_that_fails_is_left_and_comes_back_by_one_probe_at_a_time(self):
        self.choice.failed("a", 0.0)
        self.assertEqual(self.choice.pick(0.0), "b")
        self.assertEqual(self.choice.pick(EJECTION_BASE), "a")
        self.assertEqual(self.choice.pick(EJECTION_BASE), "b")
        self.choice.failed("a", EJECTION_BASE)
        self.assertEqual(self.choice.pick(2.9 * EJECTION_BASE), "b")
        self.assertEqual(self.choice.pick(3 * EJECTION_BASE), "a")
        self.choice.answers("a", 3 * EJECTION_BASE)
        self.assertEqual(self.choice.pick(3 * EJECTION_BASE), "a")

    def test_one_timeout_is_no_failure_and_two_in_a_row_are(self):
        self.choice.failed("a", 0.0, timed_out=True)
        self.assertEqual(self.choice.pick(0.0), "a")
        self.choice.failed("a", 0.0, timed_out=True)
        self.assertEqual(self.choice.pick(0.0), "b")

    def test_a_nearer_one_is_moved_to_and_two_that_name_each_other_do_not_toss_the_client(self):
        self.choice.answers("a", 0.0, nearest="b")
        self.assertEqual(self.choice.preferred, "b")
        self.choice.answers("b", 0.0, nearest="a")
        self.assertEqual(self.choice.preferred, "b")
        self.choice.answers("b", MOVE_INTERVAL, nearest="c")
        self.assertEqual(self.choice.preferred, "c")

    def test_what_a_stand_in_says_is_not_followed(self):
        self.choice.failed("a", 0.0)
        self.choice.answers("b", 0.0, nearest="c")
        self.assertEqual(self.choice.preferred, "a")

    def test_no_more_gateways_are_known_than_the_limit(self):
        last = "a"
        for number in range(3 * GATEWAYS_MAX):
            self.choice.answers(last, number * MOVE_INTERVAL, nearest=str(number))
            last = str(number)
        known = set()
        while (address := self.choice.pick(1000.0)) not in known:
            known.add(address)
            self.choice.failed(address, 1000.0)
        self.assertEqual(len(known), GATEWAYS_MAX)
        self.assertLessEqual({"a", "b"}, known)


class ErrorsTest(unittest.TestCase):

    def test_only_what_names_no_reason_or_says_so_leaves_a_write_in_doubt(self):
        for code, reason, doubt in (("UNAVAILABLE", "", True), ("DEADLINE_EXCEEDED", "", True),
                                    ("CANCELLED", "", True), ("UNKNOWN", "", True),
                                    ("UNAVAILABLE", "OUTCOME_UNKNOWN", True),
                                    ("UNAVAILABLE", "NO_REGION", False),
                                    ("RESOURCE_EXHAUSTED", "OVERLOADED", False),
                                    ("INVALID_ARGUMENT", "LIMIT_EXCEEDED", False)):
            self.assertEqual(HomeportError(code, reason, "").may_be_done, doubt, (code, reason))
        last = HomeportError("UNAVAILABLE", "", "reset")
        self.assertEqual(unknown_outcome(last).reason, "OUTCOME_UNKNOWN")

    def test_only_the_overloaded_and_those_that_name_a_time_are_busy(self):
        self.assertTrue(HomeportError("RESOURCE_EXHAUSTED", "OVERLOADED", "").busy)
        self.assertFalse(HomeportError("RESOURCE_EXHAUSTED", "DISK_FULL", "").busy)
        self.assertTrue(HomeportError("UNAVAILABLE", "CATCHING_UP", "", retry_delay=0.1).busy)
        self.assertFalse(HomeportError("INVALID_ARGUMENT", "X", "", retry_delay=0.1).busy)


if __name__ == "__main__":
    unittest.main()
