#!/usr/bin/env python3
"""Every error of the public protos as a stock client decodes it: code, reason and metadata."""

import os
import unittest

import grpc

from harness import (DE, US, Server, await_that, consistency, kv, locator_pb2, new_folder, refused,
                     topology, write_topology)

MEBIBYTE = 1 << 20


class WireErrorsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        folder = new_folder()
        file = write_topology(os.path.join(folder, "topology.yaml"),
                              topology([DE, US], namespaces=["demo", {"name": "far", "regions": ["us-east-1"]}]))
        other = write_topology(os.path.join(folder, "other.yaml"),
                               topology([DE], cluster="another"))
        cls.server = Server(file, DE).start()
        cls.stranger = Server(other, DE).start()
        cls.client = cls.server.client()
        cls.foreign_token = cls.stranger.client().put("x").session_token

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        cls.stranger.kill()

    def assert_refused(self, call, code, reason, **metadata):
        refusal = refused(call)
        self.assertEqual((refusal.code, refusal.reason), (code, reason), refusal)
        for name, value in metadata.items():
            self.assertEqual(refusal.metadata.get(name), value, refusal)
        self.assertTrue(refusal.message, refusal)
        return refusal

    def assert_limit(self, call, field, limit, actual=None):
        refusal = self.assert_refused(call, "INVALID_ARGUMENT", "LIMIT_EXCEEDED", field=field,
                                      limit=str(limit), actual=str(actual or limit + 1))
        self.assertIn(field, refusal.message)

    def mutate(self, changes, id="m", **options):
        return self.client.call(self.client.key_value.Mutate, kv.MutateRequest(
            namespace="demo", id=id, changes=changes, options=kv.WriteOptions(**options)))

    def batch_get(self, names, **options):
        return self.client.call(self.client.key_value.BatchGet, kv.BatchGetRequest(
            namespace="demo", names=names, options=consistency.ReadOptions(**options)))

    def list_items(self, id="m", **fields):
        return self.client.call(self.client.key_value.ListItems,
                                kv.ListItemsRequest(namespace="demo", id=id, **fields))

    def list_records(self, **fields):
        return self.client.call(self.client.key_value.ListRecords,
                                kv.ListRecordsRequest(namespace="demo", **fields))

    # Limits: at the limit it works, one past it is refused.

    def test_id_of_512_bytes_is_taken_and_513_refused(self):
        self.client.put("i" * 512, b"v", region_choice=2)
        self.assertEqual(self.client.get("i" * 512, region_choice=2).item.value, b"v")
        for call in (lambda: self.client.put("i" * 513), lambda: self.client.get("i" * 513),
                     lambda: self.mutate([kv.Change(put=b"")], id="i" * 513),
                     lambda: self.list_items(id="i" * 513)):
            self.assert_limit(call, "id", 512)

    def test_the_limit_of_an_id_is_in_bytes_not_characters(self):
        self.client.put("é" * 256)
        self.assert_limit(lambda: self.client.put("é" * 256 + "x"), "id", 512)

    def test_empty_id_is_refused(self):
        self.assert_refused(lambda: self.client.put(""), "INVALID_ARGUMENT", "FIELD_INVALID",
                            field="id")

    def test_key_of_1_kib_is_taken_and_one_byte_more_refused(self):
        self.client.put("k", b"v", key="k" * 1024)
        self.assertEqual(self.client.get("k", key="k" * 1024).item.key, "k" * 1024)
        for call in (lambda: self.client.put("k", key="k" * 1025),
                     lambda: self.client.get("k", key="k" * 1025)):
            self.assert_limit(call, "key", 1024)
        self.assert_limit(lambda: self.mutate([kv.Change(key="a", put=b""),
                                               kv.Change(key="k" * 1025, put=b"")]),
                          "changes[1].key", 1024)

    def test_value_of_1_mib_is_taken_and_one_byte_more_refused(self):
        self.client.put("v", b"v" * MEBIBYTE)
        self.assertEqual(len(self.client.get("v").item.value), MEBIBYTE)
        self.assert_limit(lambda: self.client.put("v", b"w" * (MEBIBYTE + 1)), "value", MEBIBYTE)
        self.assert_limit(lambda: self.mutate([kv.Change(put=b"w" * (MEBIBYTE + 1))]),
                          "changes[0].put", MEBIBYTE)
        self.assertEqual(self.client.get("v").item.value[:1], b"v")

    def test_mutation_of_1000_changes_is_taken_and_1001_refused(self):
        changes = [kv.Change(key=f"{n:04}", put=b"x") for n in range(1001)]
        self.mutate(changes[:1000], id="many")
        self.assertEqual(len(self.list_items(id="many", page_size=1000).items), 1000)
        self.assert_limit(lambda: self.mutate(changes, id="many"), "changes", 1000)

    def test_mutation_of_4_mib_is_taken_and_one_byte_more_refused(self):
        # Keys count: four of one byte.
        changes = [kv.Change(key=str(n), put=b"x" * (MEBIBYTE - 1)) for n in range(4)]
        self.mutate(changes, id="big")
        changes[0].put = b"x" * MEBIBYTE
        self.assert_limit(lambda: self.mutate(changes, id="big"), "changes", 4 * MEBIBYTE)

    def test_namespace_of_64_bytes_is_refused_by_its_length_and_63_by_its_name(self):
        self.assert_limit(lambda: self.client.get("x", namespace="n" * 64), "namespace", 63)
        self.assert_refused(lambda: self.client.get("x", namespace="n" * 63), "NOT_FOUND",
                            "NAMESPACE_UNKNOWN", namespace="n" * 63)

    def test_batch_of_1000_names_is_taken_and_1001_refused(self):
        names = [kv.ItemName(id=f"b{n}") for n in range(1001)]
        self.assertEqual(len(self.batch_get(names[:1000]).results), 1000)
        self.assert_limit(lambda: self.batch_get(names), "names", 1000)
        self.assert_refused(lambda: self.batch_get([]), "INVALID_ARGUMENT", "FIELD_INVALID",
                            field="names")

    def test_request_id_of_64_bytes_is_taken_and_65_refused(self):
        self.client.put("r", request_id="r" * 64)
        self.assert_limit(lambda: self.client.put("r", request_id="r" * 65), "options.request_id",
                          64)

    def test_page_size_of_1000_is_taken_and_a_negative_one_refused(self):
        self.list_records(page_size=1000)
        self.list_items(page_size=1000)
        for call in (lambda: self.list_records(page_size=-1),
                     lambda: self.list_items(page_size=-1)):
            self.assert_refused(call, "INVALID_ARGUMENT", "FIELD_INVALID", field="page_size")
        for call in (lambda: self.list_records(page_size=1001),
                     lambda: self.list_items(page_size=1001)):
            self.assert_limit(call, "page_size", 1000)

    def test_a_message_too_big_to_read_is_refused_as_exhausted(self):
        self.assertEqual(refused(self.client.put, "v", b"x" * (6 * MEBIBYTE)).code,
                         "RESOURCE_EXHAUSTED")

    # Names.

    def test_unknown_namespace_is_named(self):
        for call in (lambda: self.client.get("x", namespace="nope"),
                     lambda: self.client.put("x", namespace="nope"),
                     lambda: self.client.explain("8.8.8.8", namespace="nope")):
            refusal = self.assert_refused(call, "NOT_FOUND", "NAMESPACE_UNKNOWN", namespace="nope")
            self.assertIn("nope", refusal.message)

    def test_a_key_twice_in_a_mutation_is_refused(self):
        self.assert_refused(lambda: self.mutate([kv.Change(key="a", put=b"1"),
                                                 kv.Change(key="a", delete=True)]),
                            "INVALID_ARGUMENT", "FIELD_INVALID", field="changes[1].key")

    def test_a_change_without_action_is_refused(self):
        self.assert_refused(lambda: self.mutate([kv.Change(key="a")]), "INVALID_ARGUMENT",
                            "FIELD_INVALID", field="changes[0].action")
        self.assert_refused(lambda: self.mutate([]), "INVALID_ARGUMENT", "FIELD_INVALID",
                            field="changes")

    def test_not_an_address_is_refused_by_locate(self):
        for address in ("8.8.8", "example.com", "8.8.8.8:80", "1" * 100):
            refusal = refused(self.client.locate, address)
            self.assertEqual(refusal.code, "INVALID_ARGUMENT", refusal)
            self.assertEqual(refusal.metadata.get("field"), "address", refusal)

    # Tokens.

    def test_a_damaged_session_token_is_refused_at_once(self):
        token = bytearray(self.client.put("t").session_token)
        for at in range(len(token)):
            bad = bytearray(token)
            bad[at] ^= 0x40
            refusal = refused(self.client.get, "t", session_token=bytes(bad))
            self.assertIn(refusal.reason, ("TOKEN_INVALID", "TOKEN_FOREIGN"), (at, refusal))
        for bad in (b"x", bytes(token[:-1]), bytes(token) + b"\0", b"\xff" * 64):
            for call in (lambda: self.client.get("t", session_token=bad),
                         lambda: self.client.put("t", session_token=bad)):
                self.assert_refused(call, "INVALID_ARGUMENT", "TOKEN_INVALID",
                                    field="options.session_token")

    def test_a_token_of_another_cluster_is_refused(self):
        for call in (lambda: self.client.get("t", session_token=self.foreign_token),
                     lambda: self.client.put("t", session_token=self.foreign_token)):
            refusal = self.assert_refused(call, "FAILED_PRECONDITION", "TOKEN_FOREIGN")
            self.assertIn("cluster", refusal.metadata)

    def test_a_damaged_page_token_is_refused(self):
        for n in range(3):
            self.client.put(f"page{n}", key=f"k{n}")
        self.mutate([kv.Change(key=f"{n}", put=b"x") for n in range(3)], id="paged")
        records = self.list_records(page_size=1).next_page_token
        items = self.list_items(id="paged", page_size=1).next_page_token
        self.assertTrue(records and items)
        swapped = items[:-1] + ("A" if items[-1] != "A" else "B")
        for call in (lambda: self.list_records(page_token="x"),
                     lambda: self.list_items(page_token="!?"),
                     lambda: self.list_items(id="paged", page_token=items[:-2]),
                     lambda: self.list_items(id="paged", page_token=swapped),
                     # Whole, and of another request.
                     lambda: self.list_items(id="paged", page_token=records),
                     lambda: self.list_records(page_token=items),
                     lambda: self.list_items(id="other", page_token=items),
                     lambda: self.list_records(prefix="p", page_token=records)):
            self.assert_refused(call, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", field="page_token")

    # Levels and choices.

    def test_latest_is_refused_by_name(self):
        for call in (lambda: self.client.get("x", consistency=4),
                     lambda: self.batch_get([kv.ItemName(id="x")], consistency=4)):
            self.assert_refused(call, "FAILED_PRECONDITION", "LEVEL_UNAVAILABLE", level="LATEST")

    def test_bounded_needs_a_bound(self):
        for call in (lambda: self.client.get("x", consistency=3),
                     lambda: self.batch_get([kv.ItemName(id="x")], consistency=3)):
            self.assert_refused(call, "INVALID_ARGUMENT", "FIELD_INVALID",
                                field="options.max_staleness")

    def test_a_bad_target_is_named_by_its_place(self):
        session = consistency.ReadTarget(consistency=2, latency=dict(seconds=1))
        for second, field in (
                (consistency.ReadTarget(consistency=1), "options.targets[1].latency"),
                (consistency.ReadTarget(consistency=3, latency=dict(seconds=1)),
                 "options.targets[1].max_staleness"),
                (session, "options.targets[1]")):
            self.assert_refused(lambda: self.client.get("x", targets=[session, second]),
                                "INVALID_ARGUMENT", "FIELD_INVALID", field=field)

    def test_enums_that_nobody_knows_are_refused(self):
        self.assert_refused(lambda: self.client.get("x", consistency=77), "INVALID_ARGUMENT",
                            "FIELD_INVALID", field="options.consistency")
        self.assert_refused(lambda: self.client.put("x", region_choice=77), "INVALID_ARGUMENT",
                            "FIELD_INVALID", field="options.region_choice")

    def test_max_staleness_goes_with_bounded_only(self):
        options = consistency.ReadOptions()
        options.max_staleness.seconds = 1
        self.assert_refused(lambda: self.client.call(self.client.key_value.Get, kv.GetRequest(
            namespace="demo", id="x", options=options)), "INVALID_ARGUMENT", "FIELD_INVALID",
            field="options.max_staleness")

    def test_a_namespace_that_is_not_here_is_refused_local_only(self):
        for call in (lambda: self.client.get("x", namespace="far", local_only=True),
                     lambda: self.client.put("x", namespace="far", local_only=True)):
            self.assert_refused(call, "UNAVAILABLE", "NO_LOCAL_REPLICA",
                                region="eu-central-1")

    def test_a_namespace_whose_regions_are_all_away_says_so_and_a_write_was_not_done(self):
        for call in (lambda: self.client.get("x", namespace="far"),
                     lambda: self.client.put("x", namespace="far")):
            refusal = refused(call)
            self.assertEqual(refusal.code, "UNAVAILABLE", refusal)
            self.assertIn(refusal.reason, ("NO_REGION", "REGION_UNREACHABLE"), refusal)

    def test_a_gateway_without_replica_refuses_local_only(self):
        file = self.server.topology_file
        gateway = Server(file, DE, replica=False,
                         flags=["--dial", f"eu-central-1/a={self.server.internal}"]).start()
        client = gateway.client()
        try:
            self.client.put("through", b"v")
            await_that("the gateway's connection", lambda: gateway_answers(client))
            answer = client.get("through", region_choice=2)
            self.assertEqual(answer.item.value, b"v")
            self.assertEqual(answer.provenance.replica, "eu-central-1/a")
            for call in (lambda: client.get("through", local_only=True),
                         lambda: client.put("through", local_only=True)):
                self.assert_refused(call, "UNAVAILABLE", "NO_LOCAL_REPLICA", region="eu-central-1")
        finally:
            gateway.kill()

    # Retries and deadlines.

    def test_a_request_id_again_gives_the_same_answer_and_for_another_write_an_error(self):
        first = self.client.put("again", b"1", request_id="one")
        self.client.put("again", b"2", request_id="two")
        again = self.client.put("again", b"1", request_id="one")
        self.assertEqual(first.version, again.version)
        self.assertEqual(self.client.get("again").item.value, b"2")
        self.assert_refused(lambda: self.client.put("again", b"3", request_id="one"),
                            "INVALID_ARGUMENT", "REQUEST_ID_REUSED", field="options.request_id")

    def test_a_missing_item_is_no_error(self):
        answer = self.client.get("never was")
        self.assertFalse(answer.HasField("item"))
        self.assertEqual(answer.version.hybrid_time, 0)

    def test_a_deleted_item_has_the_version_of_its_delete(self):
        self.client.put("gone", b"x")
        erased = self.client.call(self.client.key_value.Delete,
                                  kv.DeleteRequest(namespace="demo", id="gone"))
        answer = self.client.get("gone")
        self.assertFalse(answer.HasField("item"))
        self.assertEqual(answer.version, erased.version)

    def test_every_error_is_counted_by_method_code_and_reason(self):
        refused(self.client.get, "x", namespace="counted")
        lines = [line for line in self.server.scrape().splitlines()
                 if line.startswith("homeport_gateway_requests_total{")
                 and 'reason="NAMESPACE_UNKNOWN"' in line and 'method="Get"' in line]
        self.assertEqual(len(lines), 1, lines)


def gateway_answers(client):
    try:
        return client.get("through", region_choice=2)
    except grpc.RpcError:
        return None


if __name__ == "__main__":
    unittest.main()
