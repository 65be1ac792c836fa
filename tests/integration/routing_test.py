#!/usr/bin/env python3
"""Where requests of real addresses go, by the quick start's database, and who is believed."""

import unittest

from harness import (AU, BR, CREDIT, DATABASE, DE, JP, PATIENCE, US, WORLD, Client, Mesh,
                     await_that, grpc, refused)

# Addresses of universities, exchanges and ministries that have been where they are for decades.
PLACES = (
    ("128.112.128.1", "US", US),
    ("132.248.10.44", "MX", US),
    ("142.150.210.7", "CA", US),
    ("200.160.2.3", "BR", BR),
    ("200.16.97.1", "AR", BR),
    ("141.76.2.4", "DE", DE),
    ("193.51.193.149", "FR", DE),
    ("81.174.160.1", "GB", DE),
    ("133.11.114.194", "JP", JP),
    ("143.248.1.177", "KR", JP),
    ("130.102.2.15", "AU", AU),
    ("130.216.1.1", "NZ", AU),
    ("2001:200:dff:fff1:216:3eff:feb1:44d7", "JP", JP),
)

FASTEST = 3  # REGION_CHOICE_FASTEST

DATABASE_SECTION = [{"path": DATABASE, "credit": CREDIT}]


def answers(client, **options):
    try:
        return client.put("probe", b"", **options)
    except grpc.RpcError:
        return None


def await_reaching(server, regions):
    """Until the gateway has measured its way to each of them, itself aside."""
    client = server.client()

    def reached():
        replicas = [replica for region in client.status().regions for replica in region.replicas
                    if region.name in regions and not region.is_self]
        return all(replica.health == "healthy" and replica.round_trip_measured
                   for replica in replicas)

    await_that(f"{server.region} reaching {regions}", reached)
    client.close()


class RoutingTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh(WORLD, namespaces=["demo", {"name": "near", "region_choice": "gateway"},
                                           {"name": "atlantic",
                                            "regions": [US.name, BR.name, DE.name]}],
                        geo={"databases": DATABASE_SECTION, "trusted_proxies": ["127.0.0.0/8"],
                             "cidr_rules": [{"range": "198.51.100.0/24", "region": JP.name},
                                            {"range": "198.51.100.128/25", "country": "BR"}],
                             "region_rules": [{"country": "NO", "region": AU.name}]},
                        default_region=BR.name)
        cls.gateway = cls.mesh[2]
        # A gateway that has not dialled a region yet sends its clients to the next one.
        for gateway in cls.mesh:
            await_reaching(gateway, [region.name for region in WORLD])

    @classmethod
    def tearDownClass(cls):
        cls.mesh.kill()

    def as_client(self, address, server=None):
        client = (server or self.gateway).client(from_address=address)
        self.addCleanup(client.close)
        return client

    def test_addresses_of_many_countries_end_in_the_nearest_region(self):
        for address, country, region in PLACES:
            with self.subTest(address=address, country=country):
                client = self.as_client(address)
                written = client.put(f"from-{address}", b"v").provenance
                self.assertEqual((written.region, written.replica),
                                 (region.name, region.name + "/a"), written)
                self.assertEqual(consistency_reason(written), "NEAREST")
                self.assertEqual(written.gateway_region, DE.name)
                self.assertGreaterEqual(written.attempts, 1)
                read = client.get(f"from-{address}")
                self.assertEqual(read.provenance.region, region.name)
                self.assertEqual(read.item.value, b"v")
                # A gateway elsewhere is nearer to the client, and is told.
                if region != DE:
                    self.assertTrue(read.provenance.nearest_gateway, read.provenance)
                else:
                    self.assertFalse(read.provenance.nearest_gateway, read.provenance)

    def test_locate_shows_country_source_credit_and_age(self):
        client = self.as_client("141.76.2.4")
        for address, country, region in PLACES:
            with self.subTest(address=address):
                answer = client.locate(address)
                self.assertEqual(answer.place.country, country)
                self.assertEqual(answer.source, 4)  # DATABASE
                self.assertEqual(answer.region, region.name)
                self.assertEqual(answer.database.credit, CREDIT)
                self.assertEqual(answer.database.path, DATABASE)
                self.assertGreater(answer.database.age.seconds, 0)
                self.assertGreater(answer.database.built.seconds, 1_600_000_000)
                self.assertTrue(answer.place.country_point)
        self.assertEqual(client.locate("").address, "141.76.2.4")
        self.assertEqual(client.locate("8.8.8.8").place.country, "US")

    def test_a_mapped_address_is_the_address_it_maps(self):
        answer = self.as_client("8.8.8.8").locate("::ffff:133.11.114.194")
        self.assertEqual((answer.address, answer.place.country), ("133.11.114.194", "JP"))

    def test_explain_agrees_with_where_the_request_then_goes(self):
        for address, _, _ in PLACES:
            for namespace in ("demo", "near", "atlantic"):
                for choice in (0, 1, 2, FASTEST):
                    with self.subTest(address=address, namespace=namespace, choice=choice):
                        client = self.as_client(address)
                        plan = client.explain(namespace=namespace, operation=2,
                                              region_choice=choice)
                        first = plan.candidates[0]
                        self.assertEqual(first.order, 1)
                        self.assertEqual(len(plan.candidates), len(WORLD))
                        self.assertTrue(all(candidate.why for candidate in plan.candidates))
                        went = client.put("x", namespace=namespace,
                                          region_choice=choice).provenance
                        self.assertEqual((went.region, went.replica, went.reason),
                                         (first.region, first.replica, plan.reason), plan)
                        if choice == FASTEST:
                            # No way is shorter than none.
                            self.assertEqual(went.region, DE.name)
                            self.assertEqual(consistency_reason(went), "FASTEST")

    def test_a_namespace_of_some_regions_goes_to_the_nearest_of_these(self):
        went = self.as_client("133.11.114.194").put("x", namespace="atlantic").provenance
        self.assertIn(went.region, (US.name, DE.name))
        plan = self.as_client("133.11.114.194").explain(namespace="atlantic")
        for candidate in plan.candidates:
            if candidate.region in (JP.name, AU.name):
                self.assertEqual(candidate.order, 0, candidate)

    def test_a_region_rule_beats_the_nearest_region(self):
        went = self.as_client("158.36.0.1").put("x").provenance
        self.assertEqual((went.region, consistency_reason(went)), (AU.name, "RULE"))

    def test_the_operators_table_beats_the_database_by_its_longest_prefix(self):
        client = self.as_client("198.51.100.7")
        self.assertEqual(client.locate().source, 2)  # CIDR
        went = client.put("x").provenance
        self.assertEqual((went.region, consistency_reason(went)), (JP.name, "RULE"))
        client = self.as_client("198.51.100.200")
        self.assertEqual(client.locate().place.country, "BR")
        self.assertEqual(client.put("x").provenance.region, BR.name)

    def test_private_addresses_belong_to_the_gateways_region(self):
        for server, region in ((self.gateway, DE), (self.mesh[3], JP)):
            for address in ("192.168.1.1", "10.9.8.7", "127.0.0.1", "fd00::1", "169.254.1.1"):
                with self.subTest(address=address, region=region.name):
                    client = self.as_client(address, server)
                    answer = client.locate()
                    self.assertEqual((answer.source, answer.region), (3, region.name))  # RESERVED

    def test_the_forwarded_header_is_read_as_rfc_7239_says(self):
        for header, region in (("for=133.11.114.194", JP),
                               ("For=\"133.11.114.194:4711\";proto=http;by=203.0.113.43", JP),
                               ("for=\"[2001:200:dff:fff1:216:3eff:feb1:44d7]:1\"", JP),
                               ("for=8.8.8.8, for=130.102.2.15", AU),
                               ("for=130.102.2.15, for=127.0.0.9", AU)):
            with self.subTest(header=header):
                client = Client(self.gateway.public, headers=[("forwarded", header)])
                self.addCleanup(client.close)
                self.assertEqual(client.put("x").provenance.region, region.name)

    def test_only_the_right_most_untrusted_hop_counts(self):
        went = self.as_client("133.11.114.194, 130.102.2.15, 127.0.0.3").put("x").provenance
        self.assertEqual(went.region, AU.name)
        # Two header lines are one list, in their order.
        client = Client(self.gateway.public, headers=[("x-forwarded-for", "133.11.114.194"),
                                                      ("x-forwarded-for", "130.102.2.15")])
        self.addCleanup(client.close)
        self.assertEqual(client.put("x").provenance.region, AU.name)

    def test_rubbish_in_the_header_harms_nobody(self):
        for rubbish in (",,,", "unknown", "999.1.1.1", "a" * 4000, "for=", "_hidden, 8.8.8.8.8"):
            with self.subTest(rubbish=rubbish[:20]):
                self.assertTrue(self.as_client(rubbish).put("x").provenance.region)

    def test_a_session_reads_its_writes_in_whichever_region_it_lands(self):
        token = b""
        for number, (address, _, region) in enumerate(PLACES * 2):
            client = self.as_client(address, self.mesh[number % len(WORLD)])
            if number:
                read = client.get("roaming", session_token=token, timeout=PATIENCE)
                self.assertEqual(read.item.value, str(number - 1).encode())
                token = read.session_token
            written = client.put("roaming", str(number).encode(), session_token=token,
                                 timeout=PATIENCE)
            self.assertEqual(written.provenance.region, region.name)
            token = written.session_token


class DistrustTest(unittest.TestCase):
    """No proxy is trusted: what a client says of itself means nothing."""

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh([DE, JP], geo={"databases": DATABASE_SECTION})
        await_reaching(cls.mesh[0], [DE.name, JP.name])

    @classmethod
    def tearDownClass(cls):
        cls.mesh.kill()

    def test_forged_headers_of_an_untrusted_peer_are_ignored(self):
        for name in ("x-forwarded-for", "forwarded", "x-real-ip", "homeport-client-address"):
            value = "for=133.11.114.194" if name == "forwarded" else "133.11.114.194"
            client = Client(self.mesh[0].public, headers=[(name, value)])
            self.addCleanup(client.close)
            answer = client.locate()
            self.assertEqual((answer.address, answer.source), ("127.0.0.1", 3), name)
            self.assertEqual(client.put("x").provenance.region, DE.name)


class FailoverTest(unittest.TestCase):

    def setUp(self):
        self.mesh = Mesh([US, DE, JP], without_replica=(JP,),
                         geo={"databases": DATABASE_SECTION, "trusted_proxies": ["127.0.0.0/8"]})
        self.addCleanup(self.mesh.kill)

    def test_reads_and_writes_of_a_dead_region_fail_over_and_come_back(self):
        for server in (self.mesh[0], self.mesh[2]):
            await_reaching(server, [US.name, DE.name])
        # One gateway with a replica of its own, one without.
        clients = [server.client(from_address="141.76.2.4")
                   for server in (self.mesh[0], self.mesh[2])]
        for client in clients:
            self.assertEqual(client.put("x", b"1").provenance.region, DE.name)
        token = clients[0].put("x", b"2", request_id="second").session_token
        await_that("replication", lambda: clients[0].get(
            "x", region_choice=2, consistency=1).item.value == b"2")
        self.mesh[1].kill()
        for number, client in enumerate(clients):
            # A write that was under way when the connection broke may be of unknown outcome; later
            # ones have another region.
            written = await_that("a write elsewhere", lambda c=client: answers(c))
            self.assertEqual((written.provenance.region, consistency_reason(written.provenance)),
                             (US.name, "FAILOVER"), number)
            read = client.get("x", session_token=token)
            self.assertEqual((read.provenance.region, consistency_reason(read.provenance)),
                             (US.name, "FAILOVER"), number)
            self.assertEqual(read.item.value, b"2")
            plan = client.explain()
            self.assertEqual(plan.candidates[0].region, US.name, plan)
            self.assertEqual(client.check_health("region/" + US.name), 1)
        for client in clients:
            await_that("the dead region not serving",
                       lambda c=client: c.check_health("region/" + DE.name) == 2)
        self.mesh[1].start()
        for client in clients:
            await_that("the region again",
                       lambda c=client: (a := answers(c)) and a.provenance.region == DE.name)

    def test_when_no_region_is_left_the_error_says_what_was_tried(self):
        client = self.mesh[2].client()
        await_reaching(self.mesh[2], [US.name, DE.name])
        self.mesh[0].kill()
        self.mesh[1].kill()
        await_that("both known to be gone",
                   lambda: refused(client.put, "x").reason != "OUTCOME_UNKNOWN")
        for call in (lambda: client.get("x"), lambda: client.put("x")):
            refusal = refused(call)
            self.assertEqual((refusal.code, refusal.reason), ("UNAVAILABLE", "NO_REGION"), refusal)
            self.assertIn(US.name, refusal.metadata.get("tried", ""))
            self.assertIn(DE.name, refusal.metadata.get("tried", ""))


def consistency_reason(provenance):
    name = provenance.DESCRIPTOR.fields_by_name["reason"].enum_type.values_by_number[
        provenance.reason].name
    return name[len("ROUTE_REASON_"):]


if __name__ == "__main__":
    unittest.main()
