"""A mesh of real processes whose links can be broken and whose disks can lose power.

Every link of a replica to a peer goes through a relay of its own, so that each direction between
two regions can be cut, swallowed or slowed by itself. Servers are `homeport serve` as shipped.
"""

import asyncio
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from harness import (WORLD, Server, await_that, free_ports, new_folder, topology,  # noqa: E402
                     write_topology)

RELAY_BYTES = 64 << 10
NAMESPACES = ({"name": "registers"}, {"name": "counters", "item_type": "counter"},
              {"name": "sets", "item_type": "set"})


class Relay:
    """Passes the connections of `source` on to `target`. `mode`: "pass", "cut" (connections end and
    are refused), "swallow" (nothing comes through, in neither direction, and nobody is told),
    "swallow_out" (only what `source` sends is lost)."""

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
            while self.mode == "swallow" or self.mode == "swallow_out" and outwards:
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


class FaultMesh:
    """`count` regions. `folders`: where each has its data; a folder of its own if None."""

    def __init__(self, count, folders=None, wrapper=()):
        self.regions = WORLD[:count]
        ports = free_ports(2 * count + count * (count - 1))
        relay_ports = iter(ports[2 * count:])
        self.topology_file = write_topology(
            os.path.join(new_folder(), "topology.yaml"),
            topology(self.regions, ports=ports[:2 * count], namespaces=NAMESPACES,
                     storage={"heartbeat_interval": "200ms"}))
        self.network = Network()
        self.relays = {}
        self.servers = []
        for a, region in enumerate(self.regions):
            flags = []
            for b, peer in enumerate(self.regions):
                if a == b:
                    continue
                port = next(relay_ports)
                self.relays[a, b] = self.network.relay(port, ports[2 * b + 1])
                flags += ["--dial", f"{peer.name}/a=127.0.0.1:{port}"]
            data = os.path.join(folders[a], "data") if folders else None
            server = Server(self.topology_file, region, any_port=False, flags=flags, data=data)
            server.command = list(wrapper) + server.command
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

    def heal(self):
        for relay in self.relays.values():
            relay.set()

    def kill(self):
        for server in self.servers:
            server.kill()


def await_equal(mesh, clients, patience=60.0):
    """Until every replica has applied what each has received of its own writes."""
    def behind():
        """Of each origin that some replica has less of: what each has."""
        positions = []
        for client in clients:
            replica = client.status().replica
            positions.append({p.origin: p.applied for p in replica.positions})
        origins = set().union(*positions)
        return {origin: [position.get(origin, 0) for position in positions] for origin in origins
                if len({position.get(origin, 0) for position in positions}) > 1}
    try:
        await_that("equal replicas", lambda: not behind(), patience)
    except AssertionError as error:
        raise AssertionError(f"replicas that stay unequal: {behind()}\n" + "\n".join(
            str(client.status().replica)[:3000] for client in clients)) from error
