#!/usr/bin/env python3
"""Conflicts with real processes: found once, listed, shown and restored."""

import json
import unittest

from harness import (DE, JP, US, Mesh, admin_pb2, await_that, refused, run)


class ConflictsTest(unittest.TestCase):
    """Two regions that wrote the same item while the other was down."""

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh([DE, JP], storage={"heartbeat_interval": "100ms"})
        cls.de, cls.jp = cls.mesh[0], cls.mesh[1]
        client = cls.de.client()
        client.put("seen", b"first", local_only=True)
        there = cls.jp.client()
        await_that("replication", lambda: there.get("seen", local_only=True).item.value == b"first")
        # Japan overwrites what it has seen: no conflict, whoever looks.
        there.put("seen", b"second", local_only=True)
        await_that("replication", lambda: client.get("seen", local_only=True).item.value == b"second")
        cls.jp.kill()
        for number in range(3):
            client.put(f"item/{number}", b"early", key="k", local_only=True)
        cls.de.kill()
        cls.jp.start()
        there = cls.jp.client()
        for number in range(3):
            there.put(f"item/{number}", b"late", key="k", local_only=True)
        cls.de.start()
        cls.client = cls.de.client()
        await_that("healing", lambda: all(
            cls.client.get(f"item/{n}", key="k", local_only=True).item.value == b"late"
            for n in range(3)))

    @classmethod
    def tearDownClass(cls):
        cls.mesh.kill()

    def conflicts(self, server, **fields):
        client = server.client()
        return list(client.call(client.admin.ListConflicts,
                                admin_pb2.ListConflictsRequest(**fields)).conflicts)

    def homeport(self, *arguments):
        return run("conflicts", *arguments, "--gateway", self.jp.public)

    def test_each_is_journaled_once_where_the_loser_was_accepted(self):
        found = self.conflicts(self.de)
        self.assertEqual([c.record_id for c in found], ["item/0", "item/1", "item/2"])
        for conflict in found:
            self.assertEqual(conflict.value, b"early")
            self.assertEqual(conflict.key, "k")
            self.assertTrue(conflict.id.startswith(DE.name + "/a:"), conflict.id)
            self.assertLess(conflict.version.hybrid_time, conflict.winner.hybrid_time)
            self.assertFalse(conflict.by_snapshot)
        self.assertEqual(self.conflicts(self.jp), [])
        self.assertIn('homeport_conflicts_total{namespace="demo"} 3', self.de.scrape())
        journal = self.client.status().replica.conflict_journal
        self.assertEqual((journal.conflicts, journal.evicted), (3, 0))
        self.assertGreater(journal.bytes, 0)
        self.assertEqual(journal.bytes_max, 64 << 20)

    def test_pages_and_records_have_what_the_whole_list_has(self):
        client = self.client
        seen, token = [], ""
        while True:
            page = client.call(client.admin.ListConflicts,
                               admin_pb2.ListConflictsRequest(page_size=2, page_token=token))
            seen += [c.record_id for c in page.conflicts]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(seen, ["item/0", "item/1", "item/2"])
        self.assertEqual([c.record_id for c in self.conflicts(
            self.de, namespace="demo", record_id="item/1")], ["item/1"])
        self.assertEqual(self.conflicts(self.de, namespace="other"), [])

    def test_what_is_asked_of_the_wrong_process_is_told(self):
        answer = refused(self.conflicts, self.jp, replica=DE.name + "/a")
        self.assertEqual((answer.code, answer.reason), ("FAILED_PRECONDITION", "REPLICA_NOT_HERE"))
        self.assertEqual(answer.metadata["here"], JP.name + "/a")
        there = self.jp.client()
        found = self.conflicts(self.de)[0].id
        answer = refused(there.call, there.admin.RestoreConflict,
                         admin_pb2.RestoreConflictRequest(id=found))
        self.assertEqual(answer.reason, "REPLICA_NOT_HERE")
        answer = refused(there.call, there.admin.GetConflict,
                         admin_pb2.GetConflictRequest(id="nonsense"))
        self.assertEqual((answer.code, answer.reason), ("INVALID_ARGUMENT", "FIELD_INVALID"))
        answer = refused(there.call, there.admin.GetConflict,
                         admin_pb2.GetConflictRequest(id=JP.name + "/a:0000000000000001"))
        self.assertEqual((answer.code, answer.reason), ("NOT_FOUND", "CONFLICT_UNKNOWN"))

    def test_the_command_lists_all_regions_from_any_gateway(self):
        listed = self.homeport("list")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        lines = listed.stdout.splitlines()
        self.assertEqual(len(lines), 4, listed.stdout)
        for number, line in enumerate(lines[1:]):
            self.assertIn(f"demo item/{number}", line)
            self.assertIn('"early"', line)
        pages = self.homeport("list", "item/2", "--json")
        self.assertEqual(pages.returncode, 0, pages.stderr)
        decoder, text, answers = json.JSONDecoder(), pages.stdout.strip(), []
        while text:
            answer, end = decoder.raw_decode(text)
            answers.append(answer)
            text = text[end:].strip()
        self.assertEqual({a["replica"]: len(a["conflicts"]) for a in answers},
                         {DE.name + "/a": 1, JP.name + "/a": 0})
        here = self.homeport("list", "--here")
        self.assertEqual((here.returncode, here.stdout), (0, "no conflicts\n"))
        one = self.homeport("list", "--replica", DE.name + "/a")
        self.assertEqual(len(one.stdout.splitlines()), 4, one.stdout + one.stderr)
        none = self.homeport("list", "--replica", "nowhere/a")
        self.assertEqual(none.returncode, 4, none.stderr)

    def test_a_lost_value_is_shown_and_restored_once(self):
        found = self.conflicts(self.de, namespace="demo", record_id="item/0")[0].id
        shown = self.homeport("show", found)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("lost:       early", shown.stdout)
        self.assertIn("restored:   no", shown.stdout)
        value = self.homeport("show", found, "--value")
        self.assertEqual(value.stdout, "early")
        restored = self.homeport("restore", found)
        self.assertEqual(restored.returncode, 0, restored.stderr)
        self.assertTrue(restored.stdout.startswith("restored: "), restored.stdout)
        there = self.jp.client()
        await_that("the restored value in Japan", lambda: there.get(
            "item/0", key="k", local_only=True).item.value == b"early")
        there.put("item/0", b"later still", key="k", local_only=True)
        again = self.homeport("restore", found, "--json")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertTrue(json.loads(again.stdout)["repeated"])
        await_that("the last write in Germany", lambda: self.client.get(
            "item/0", key="k", local_only=True).item.value == b"later still")
        self.assertIn("restored", self.homeport("list", "item/0").stdout)
        # What replaced what it had seen is no conflict, here or there.
        self.assertEqual(self.conflicts(self.jp), [])
        self.assertEqual(len(self.conflicts(self.de, namespace="demo", record_id="item/0")), 1)

    def test_an_unknown_conflict_is_refused_with_its_name(self):
        gone = self.homeport("show", DE.name + "/a:0000000000000001")
        self.assertEqual(gone.returncode, 4, gone.stderr)
        self.assertIn("0000000000000001", gone.stderr)
        nonsense = self.homeport("restore", "nonsense")
        self.assertEqual(nonsense.returncode, 4, nonsense.stderr)


class PartsOfAMeshTest(unittest.TestCase):

    def test_a_region_that_does_not_answer_is_named_and_the_rest_is_listed(self):
        mesh = Mesh([DE, JP, US], without_replica=(US,), storage={"heartbeat_interval": "100ms"})
        try:
            mesh[1].kill()
            listed = run("conflicts", "list", "--gateway", mesh[2].public)
            self.assertEqual(listed.returncode, 3, listed.stderr)
            self.assertEqual(listed.stdout, "no conflicts\n")
            self.assertIn(JP.name, listed.stderr)
            here = run("conflicts", "list", "--here", "--gateway", mesh[2].public)
            self.assertEqual(here.returncode, 4, here.stderr)
            self.assertIn("REPLICA_NOT_HERE", here.stderr)
        finally:
            mesh.kill()


if __name__ == "__main__":
    unittest.main(verbosity=2)
