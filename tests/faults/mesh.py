"""A mesh of real processes whose links can be broken and whose disks can lose power.

Every link of a replica to a peer goes through a relay of its own, so that each direction between
two regions can be cut, swallowed or slowed by itself. Servers are `homeport serve` as shipped.
"""

import asyncio
import functools
import mmap
import os
import shutil
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from harness import (WORLD, Server, await_that, free_ports, grpc, new_folder,  # noqa: E402
                     topology, write_topology)

RELAY_BYTES = 64 << 10
# "some" is held by the first region and the last only: what others relay between the two has gaps.
NAMESPACES = ({"name": "registers"}, {"name": "some"}, {"name": "counters", "item_type": "counter"},
              {"name": "sets", "item_type": "set"})


class Relay:
    """Passes the connections of `source` on to `target`. `mode`: "pass", "cut" (connections end and
    are refused), "swallow" (nothing comes through, in neither direction, and nobody is told),
    "swallow_out" and "swallow_back" (only what `source` sends, or is sent, is lost)."""

    def __init__(self, network, listen_port, target_port):
        self.network = network
        self.listen_port, self.target_port = listen_port, target_port
        self.mode, self.delay = "pass", 0.0
        self.writers = set()

    async def serve(self):
        self.server = await asyncio.start_server(self.connect, "127.0.0.1", self.listen_port)

    async def connect(self, reader, writer):
        self.writers.add(writer)
        try:
            if self.mode == "cut":
                return
            there, back = await asyncio.open_connection("127.0.0.1", self.target_port)
            self.writers.add(back)
            try:
                await asyncio.gather(self.copy(reader, back, True), self.copy(there, writer, False))
            finally:
                self.writers.discard(back)
                back.transport.abort()
        except OSError:
            pass
        finally:
            self.writers.discard(writer)
            writer.transport.abort()

    async def copy(self, reader, writer, outwards):
        while True:
            data = await reader.read(RELAY_BYTES)
            if not data:
                raise ConnectionResetError
            if self.delay:
                await asyncio.sleep(self.delay)
            while self.mode in ("swallow", "swallow_out" if outwards else "swallow_back"):
                # TCP would send it again once the way is free: nothing is lost from a stream that
                # lives on.
                await asyncio.sleep(0.02)
            writer.write(data)
            await writer.drain()

    def set(self, mode="pass", delay=0.0):
        def apply():
            self.mode, self.delay = mode, delay
            if mode == "cut":
                for writer in list(self.writers):
                    writer.transport.abort()
        self.network.loop.call_soon_threadsafe(apply)


class Network:
    """The thread of the relays."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def relay(self, listen_port, target_port):
        relay = Relay(self, listen_port, target_port)
        asyncio.run_coroutine_threadsafe(relay.serve(), self.loop).result(10)
        return relay


class Bend:
    """What bend.c does to one process."""

    FIELDS = ("clock_offset", "fail", "after", "sticky", "failed", "calls")
    KINDS = {"reads": 1, "writes": 2, "syncs": 3}

    def __init__(self, folder, data):
        self.path = os.path.join(folder, "bend")
        with open(self.path, "wb") as file:
            file.write(bytes(8 * len(self.FIELDS)))
        with open(self.path, "r+b") as file:
            self.at = mmap.mmap(file.fileno(), 0)
        self.environment = (f"LD_PRELOAD={Bend.library()}", f"HOMEPORT_BEND={self.path}",
                            f"HOMEPORT_BEND_FOLDER={data}")

    @staticmethod
    @functools.cache
    def library():
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("c++")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bend.c")
        library = os.path.join(new_folder(), "bend.so")
        subprocess.run([compiler, "-x", "c", "-O1", "-shared", "-fPIC", "-o", library, source],
                       check=True)
        return library

    def set(self, **fields):
        """In this order."""
        for name, value in fields.items():
            struct.pack_into("<q", self.at, 8 * self.FIELDS.index(name), value)

    def get(self, name):
        return struct.unpack_from("<q", self.at, 8 * self.FIELDS.index(name))[0]


class FaultMesh:
    """`count` regions of `replicas` replicas, each a process with a gateway of its own: `servers`,
    region by region. `folders`: where each process has its data; a folder of its own if None.
    `wrapper`: what the program is started by. `bent`: each process has a `bend`. `program`: what
    they run, if it is not the shipped one."""

    def __init__(self, count, folders=None, wrapper=(), replicas=1, bent=False, program=None,
                 **storage):
        self.regions = WORLD[:count]
        self.places = [(region, name) for region in self.regions for name in "abc"[:replicas]]
        size = len(self.places)
        ports = free_ports(2 * size + size * (size - 1))
        relay_ports = iter(ports[2 * size:])
        spaces = [dict(space, regions=[self.regions[0].name, self.regions[-1].name])
                  if space["name"] == "some" else space for space in NAMESPACES]
        content = topology(self.regions, namespaces=spaces,
                           storage=dict({"heartbeat_interval": "200ms"}, **storage))
        for r, region in enumerate(content["regions"]):
            own = ports[2 * r * replicas:2 * (r + 1) * replicas]
            region["gateways"] = [f"127.0.0.1:{port}" for port in own[::2]]
            region["replicas"] = [{"name": name, "address": f"127.0.0.1:{port}"}
                                  for name, port in zip("abc", own[1::2])]
        self.topology_file = write_topology(os.path.join(new_folder(), "topology.yaml"), content)
        self.network = Network()
        self.relays = {}
        self.servers = []
        for a, (region, name) in enumerate(self.places):
            flags = ["--replica", name, "--listen", f"127.0.0.1:{ports[2 * a]}",
                     "--internal-listen", f"127.0.0.1:{ports[2 * a + 1]}"]
            for b, (peer, peer_name) in enumerate(self.places):
                if a == b:
                    continue
                port = next(relay_ports)
                self.relays[a, b] = self.network.relay(port, ports[2 * b + 1])
                flags += ["--dial", f"{peer.name}/{peer_name}=127.0.0.1:{port}"]
            data = os.path.join(folders[a], "data") if folders else None
            server = Server(self.topology_file, region, any_port=False, flags=flags, data=data)
            server.place = f"{region.name}/{name}"
            server.holds_some = region in (self.regions[0], self.regions[-1])
            environment = ()
            if bent:
                server.bend = Bend(server.folder, server.data)
                environment = ("env",) + server.bend.environment
            # The mesh is the parent of the process, whatever starts it.
            server.command = server.command[:3] + list(environment) + list(wrapper) + \
                server.command[3:]
            if program:
                run_instead(server, program)
            self.servers.append(server)
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.await_serving()

    def link(self, a, b, mode="pass", delay=0.0):
        """What both regions' processes send over connections between the two."""
        self.relays[a, b].set(mode, delay)
        self.relays[b, a].set(mode, delay)

    def isolate(self, a, mode, delay=0.0):
        for b in range(len(self.servers)):
            if b != a:
                self.link(a, b, mode, delay)

    def one_way(self, a, b, mode):
        """Of what goes over connections between the two, what `a` sends."""
        self.relays[a, b].set(mode + "_out")
        self.relays[b, a].set(mode + "_back")

    def heal(self):
        for relay in self.relays.values():
            relay.set()

    def kill(self):
        for server in self.servers:
            server.kill()


def run_instead(server, program):
    """Lets `server` be another program from its next start on."""
    server.command[server.command.index("serve") - 1] = program


def await_equal(mesh, clients, patience=60.0):
    """Until every replica has applied what each has received of its own writes."""
    def behind():
        """Of each origin that some replica has less of: what each has."""
        positions = []
        for client in clients:
            try:
                replica = client.status().replica
            except grpc.RpcError as error:
                # A machine under load.
                return {"not to be reached": [str(error)[:200]]}
            positions.append({p.origin: p.applied for p in replica.positions})
        origins = set().union(*positions)
        return {origin: [position.get(origin, 0) for position in positions] for origin in origins
                if len({position.get(origin, 0) for position in positions}) > 1}
    try:
        await_that("equal replicas", lambda: not behind(), patience)
    except AssertionError as error:
        raise AssertionError(f"replicas that stay unequal: {behind()}\n" + "\n".join(
            str(client.status().replica)[:3000] for client in clients)) from error
