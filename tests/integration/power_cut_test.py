#!/usr/bin/env python3
"""A power cut on real files: what was not synced is gone, what was acknowledged is there.

The data is on an ext4 of its own, on a loop device. The cut is the file system's own "shutdown"
without flushing its log (EXT4_IOC_SHUTDOWN): from that moment nothing reaches the disk, and what
had not is dropped, at a point in time that no process has a say in. Mounted again, the journal is
replayed as after a real cut.

kill -9 can not show a missing sync, since the kernel keeps what was written; this can. To prove
that it can, the same test runs with syncs that do nothing, and must see losses.
"""

import fcntl
import os
import random
import shutil
import struct
import subprocess
import tempfile
import unittest

from harness import (DE, PATIENCE, Load, Server, await_that, grpc, new_folder, topology,
                     write_topology)

EXT4_IOC_SHUTDOWN = 0x8004587D
WITHOUT_FLUSHING_THE_LOG = struct.pack("I", 2)
DISK_BYTES = 512 << 20
CYCLES = 4

SYNC_NOTHING = """\
#define _GNU_SOURCE
#include <stddef.h>
int fsync(int fd) { (void)fd; return 0; }
int fdatasync(int fd) { (void)fd; return 0; }
int sync_file_range(int fd, long long at, long long size, unsigned flags) {
  (void)fd; (void)at; (void)size; (void)flags; return 0;
}
"""


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


class Disk:
    """An ext4 in a file, whose power can be cut."""

    def __init__(self, test):
        folder = new_folder()
        self.image = os.path.join(folder, "disk.img")
        self.mount_point = os.path.join(folder, "disk")
        os.mkdir(self.mount_point)
        with open(self.image, "wb") as image:
            image.truncate(DISK_BYTES)
        if shutil.which("mkfs.ext4", path="/sbin:/usr/sbin:" + os.environ["PATH"]) is None:
            test.skipTest("there is no mkfs.ext4")
        run("mkfs.ext4", "-q", "-F", self.image)
        mounted = run("mount", "-o", "loop", self.image, self.mount_point)
        if mounted.returncode != 0:
            test.skipTest("needs to mount a loop device: " + mounted.stderr.strip())
        test.addCleanup(run, "umount", "-l", self.mount_point)

    def cut_power(self):
        root = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(root, EXT4_IOC_SHUTDOWN, WITHOUT_FLUSHING_THE_LOG)
        finally:
            os.close(root)

    def mount_again(self):
        def unmounted():
            return run("umount", self.mount_point).returncode == 0
        await_that("the file system let go", unmounted)
        mounted = run("mount", "-o", "loop", self.image, self.mount_point)
        if mounted.returncode != 0:
            raise AssertionError(mounted.stderr)


class PowerCutTest(unittest.TestCase):

    def setUp(self):
        self.disk = Disk(self)
        self.topology_file = write_topology(os.path.join(new_folder(), "topology.yaml"),
                                            topology([DE]))

    def server(self):
        server = Server(self.topology_file, DE, data=os.path.join(self.disk.mount_point, "data"))
        self.addCleanup(server.kill)
        return server

    def cut_under_load(self, server, cycle, chance):
        """Names of the records whose writes were acknowledged before the power was cut."""
        client = server.client()
        acknowledged = [[] for _ in range(4)]

        def work(worker, number):
            name = f"{cycle}-{worker}-{number}"
            client.put(name, name.encode() * 20)
            acknowledged[worker].append(name)

        with Load(work, workers=4) as load:
            at = chance.randint(20, 120)
            await_that("the point of the cut", lambda: load.count() >= at)
            # What is answered from here on proves nothing: with the power gone no answer would come,
            # but here the process lives on, and ext4 may tell a sync that was under way that the
            # journal's transaction is over when it was in fact thrown away.
            before = [name for names in acknowledged for name in list(names)]
            self.disk.cut_power()
            await_that("the failure shown", lambda: load.failures)
        server.kill()
        client.close()
        self.disk.mount_again()
        return before

    def missing(self, server, names):
        client = server.client()
        return [name for name in names if client.get(name).item.value != name.encode() * 20]

    def test_no_acknowledged_write_is_lost_by_power_cuts_under_load(self):
        seed = int(os.environ.get("HOMEPORT_SEED") or random.SystemRandom().getrandbits(32))
        print(f"HOMEPORT_SEED={seed}", flush=True)
        chance = random.Random(seed)
        names = []
        server = self.server().start()
        for cycle in range(CYCLES):
            names += self.cut_under_load(server, cycle, chance)
            server = self.server().start()
            missing = self.missing(server, names)
            self.assertEqual(missing, [], f"after cut {cycle}: lost {len(missing)} of {len(names)}")
        self.assertEqual(server.terminate(), 0)

    def test_the_same_cut_shows_the_loss_when_syncs_do_nothing(self):
        compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("cc")
        folder = new_folder()
        source, library = os.path.join(folder, "nosync.c"), os.path.join(folder, "nosync.so")
        with open(source, "w", encoding="utf-8") as file:
            file.write(SYNC_NOTHING)
        subprocess.run([compiler, "-x", "c", "-shared", "-fPIC", "-o", library, source], check=True)
        # A store that was made in good order, then served without syncs.
        server = self.server().start()
        server.client().put("first", b"v")
        self.assertEqual(server.terminate(), 0)
        os.sync()
        server = self.server()
        server.command = ["env", "LD_PRELOAD=" + library] + server.command
        server.start()
        names = self.cut_under_load(server, 0, random.Random(1))
        server = self.server()
        server.launch()
        await_that("a start or a refusal", lambda: not server.is_alive()
                   or os.path.exists(server.ready_path))
        if not server.is_alive():
            return  # It noticed the damage, and refused to serve with less.
        server.await_serving()
        self.assertNotEqual(self.missing(server, names), [], "nothing was lost without syncs, so "
                            "this test could not see a missing sync")


if __name__ == "__main__":
    unittest.main()
