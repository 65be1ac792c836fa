#!/usr/bin/env python3
"""Topology and databases replaced while requests are served: all or nothing, and none fails."""

import os
import shutil
import signal
import unittest

from harness import (CREDIT, DATABASE, DE, JP, US, Load, Server, await_that, new_folder, refused,
                     topology, write_topology)

NO_DATABASE = "no GeoIP database"


class TopologyReloadTest(unittest.TestCase):

    def setUp(self):
        self.path = os.path.join(new_folder(), "topology.yaml")
        self.geo = {"trusted_proxies": ["127.0.0.0/8"]}
        self.write()
        self.server = Server(self.path, DE).start()
        self.addCleanup(self.server.kill)
        self.client = self.server.client()

    def write(self, namespaces=("demo",), **sections):
        sections.setdefault("geo", self.geo)
        write_topology(self.path, topology([DE], namespaces=namespaces, **sections))

    def load(self):
        client = self.server.client()
        return Load(lambda worker, number: (
            client.put(f"{worker}-{number}", b"v", request_id=f"{worker}-{number}"),
            client.get(f"{worker}-{number}")))

    def knows(self, namespace):
        return not refused_or_none(self.client, namespace)

    def test_changes_by_signal_and_by_file_are_taken_and_no_request_fails(self):
        with self.load() as load:
            load.await_more()
            for number in range(6):
                names = ["demo"] + [f"added{n}" for n in range(number + 1)]
                self.write(names, gateway={"drain_delay": "100ms", "attempts_max": 1 + number % 3})
                if number % 2 == 0:
                    self.server.signal(signal.SIGHUP)
                await_that(names[-1], lambda n=names[-1]: self.knows(n))
                load.await_more(5)
            before = self.client.status().topology_fingerprint
            self.server.signal(signal.SIGHUP)  # nothing has changed
            load.await_more()
            self.assertEqual(self.client.status().topology_fingerprint, before)
        self.assertEqual(load.failures, [])
        self.assertGreater(load.count(), 50)

    def test_a_broken_file_is_refused_whole_shown_and_the_old_one_serves_on(self):
        fingerprint = self.client.status().topology_fingerprint
        good = topology([DE], namespaces=["demo", "half"], geo=self.geo)
        misspelt = dict(good, gatway={})
        other_cluster = dict(good, cluster="another")
        no_region = topology([US], namespaces=["demo", "half"])
        no_namespace = topology([DE], namespaces=["half"])
        with self.load() as load:
            for content, said in (("{", "topology.yaml"), (misspelt, "gatway"), ("", "topology.yaml"),
                                  (other_cluster, "cluster"), (no_region, DE.name),
                                  (no_namespace, "demo")):
                with self.subTest(said=said):
                    known = len(self.server.log_lines())
                    write_topology(self.path, content)
                    self.server.signal(signal.SIGHUP)

                    def shown():
                        return [line for line in self.server.log_lines()[known:]
                                if line["level"] in ("error", "warning") and said in str(line)]
                    await_that("a log line that names what is wrong", shown)
                    load.await_more(5)
                    self.assertFalse(self.knows("half"))
                    self.assertEqual(self.client.status().topology_fingerprint, fingerprint)
                    warnings = list(self.client.status().warnings)
                    self.assertTrue(any(said in warning for warning in warnings), warnings)
            self.assertGreaterEqual(counter(self.server.scrape(),
                                            "homeport_topology_changes_refused_total"), 6)
            os.remove(self.path)
            self.server.signal(signal.SIGHUP)
            load.await_more()
            write_topology(self.path, good)
            await_that("the good file", lambda: self.knows("half"))
            self.assertEqual(list(self.client.status().warnings),
                             [w for w in self.client.status().warnings if NO_DATABASE in w])
        self.assertEqual(load.failures, [])

    def test_a_half_written_file_that_is_finished_later_is_taken(self):
        with open(self.path, encoding="utf-8") as file:
            text = file.read()
        whole = text.replace('"demo"', '"demo"},{"name": "later"')
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(whole[:len(whole) // 2])
            file.flush()
            self.server.signal(signal.SIGHUP)
            await_that("a refusal", lambda: any("topology" in str(line) and line["level"] == "error"
                                                for line in self.server.log_lines()))
            self.assertTrue(self.knows("demo"))
            file.write(whole[len(whole) // 2:])
        await_that("the whole file", lambda: self.knows("later"))

    def test_who_is_trusted_follows_the_file(self):
        client = self.server.client(from_address="203.0.113.9")
        self.assertEqual(client.locate().address, "203.0.113.9")
        self.write(geo={})
        self.server.signal(signal.SIGHUP)
        await_that("distrust", lambda: client.locate().address == "127.0.0.1")


class DatabaseReloadTest(unittest.TestCase):

    def setUp(self):
        self.folder = new_folder()
        self.path = os.path.join(self.folder, "geo.mmdb")

    def serve(self):
        file = write_topology(os.path.join(self.folder, "topology.yaml"), topology(
            [DE, JP], geo={"databases": [{"path": "geo.mmdb", "credit": CREDIT}],
                           "trusted_proxies": ["127.0.0.0/8"]}))
        server = Server(file, DE).start()
        self.addCleanup(server.kill)
        self.server, self.client = server, server.client()

    def load(self):
        client = self.server.client(from_address="141.76.2.4")

        def work(worker, number):
            client.put(f"{worker}-{number % 100}", b"v", request_id=f"{worker}-{number}")
            client.locate("133.11.114.194")
        return Load(work)

    def source(self):
        answer = self.client.locate("133.11.114.194")
        return answer.place.country if answer.source == 4 else None

    def loads(self):
        return counter(self.server.scrape(), "homeport_geo_loads_total")

    def refusals(self):
        return counter(self.server.scrape(), "homeport_geo_refusals_total")

    def damage(self, path):
        with open(path, "r+b") as file:
            file.truncate(os.path.getsize(path) // 3)

    def variant(self, name, stamp):
        """The same data as built at another time: an update, as far as the gateway can see."""
        path = os.path.join(self.folder, name)
        with open(DATABASE, "rb") as file:
            content = bytearray(file.read())
        # A 64-bit number in four bytes.
        at = content.rfind(b"build_epoch\x04\x02") + len(b"build_epoch\x04\x02")
        value = int.from_bytes(content[at:at + 4], "big") + stamp
        content[at:at + 4] = value.to_bytes(4, "big")
        with open(path, "wb") as file:
            file.write(content)
        return path, value

    def test_a_database_replaced_in_each_way_is_taken_while_serving(self):
        shutil.copy(DATABASE, self.path)
        self.serve()
        self.assertEqual(self.source(), "JP")

        def built():
            return self.client.locate("133.11.114.194").database.built.seconds
        with self.load() as load:
            load.await_more()
            renamed, stamp = self.variant("renamed", 1)
            os.rename(renamed, self.path)
            await_that("the one renamed over it", lambda: built() == stamp)
            linked, stamp = self.variant("linked", 2)
            os.symlink(linked, self.path + ".link")
            os.rename(self.path + ".link", self.path)
            await_that("the one behind a link", lambda: built() == stamp)
            second, stamp = self.variant("second", 3)
            os.symlink(second, self.path + ".link")
            os.rename(self.path + ".link", self.path)
            await_that("the one behind the link switched", lambda: built() == stamp)
            newer, stamp = self.variant("newer", 4)
            with open(newer, "rb") as source, open(second, "r+b") as target:
                target.write(source.read())
            await_that("the one written in place", lambda: built() == stamp)
            load.await_more()
            signalled, stamp = self.variant("signalled", 5)
            os.rename(signalled, second)
            self.server.signal(signal.SIGHUP)
            await_that("the one read for a signal", lambda: built() == stamp)
        self.assertEqual(load.failures, [])

    def test_truncated_in_place_under_load_the_old_one_serves_on(self):
        shutil.copy(DATABASE, self.path)
        self.serve()
        with self.load() as load:
            load.await_more()
            self.damage(self.path)
            await_that("a refusal shown", lambda: any("geo.mmdb" in w
                                                      for w in self.client.status().warnings))
            load.await_more()
            self.assertEqual(self.source(), "JP")
            with open(self.path, "w", encoding="utf-8"):
                pass
            self.server.signal(signal.SIGHUP)
            load.await_more()
            self.assertEqual(self.source(), "JP")
            os.remove(self.path)
            self.server.signal(signal.SIGHUP)
            load.await_more()
            self.assertEqual(self.source(), "JP")
            self.assertTrue(self.server.is_alive())
            shutil.copy(DATABASE, self.path)
            await_that("no warning", lambda: not self.client.status().warnings)
        self.assertEqual(load.failures, [])

    def test_a_database_that_comes_later_is_taken(self):
        self.serve()
        self.assertIsNone(self.source())
        self.assertTrue(self.client.locate("133.11.114.194").warning)
        shutil.copy(DATABASE, self.path + ".part")
        os.rename(self.path + ".part", self.path)
        await_that("the database", lambda: self.source() == "JP")
        self.assertFalse(self.client.locate("133.11.114.194").warning)

    def test_loads_and_refusals_are_counted(self):
        shutil.copy(DATABASE, self.path)
        self.serve()
        self.assertGreaterEqual(self.loads(), 1)
        before = self.refusals()
        self.damage(self.path)
        self.server.signal(signal.SIGHUP)
        await_that("a refusal counted", lambda: self.refusals() > before)


def refused_or_none(client, namespace):
    try:
        client.get("x", namespace=namespace)
    except Exception as error:  # pylint: disable=broad-except
        return error
    return None


def counter(page, name):
    for line in page.splitlines():
        if line.startswith(name) and line[len(name)] in " {":
            return float(line.rsplit(" ", 1)[1])
    raise AssertionError(f"there is no metric {name}")


if __name__ == "__main__":
    unittest.main()
