"""Real processes and a stock client, for tests of what a user of Homeport sees.

Each process listens on loopback on a port of its own choice, has its data in the test's own folder,
is ended by its own id, and is killed by the kernel should the test die first.
"""

import atexit
import collections
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.environ["HOMEPORT_STUBS"])

import grpc

# grpcio is a package with a fixed place; the standard's stubs stand beside ours.
grpc.__path__.append(os.path.join(os.environ["HOMEPORT_STUBS"], "grpc"))

from google.rpc import error_details_pb2, status_pb2
from grpc.health.v1 import health_pb2, health_pb2_grpc
from homeport.v1 import admin_pb2, admin_pb2_grpc
from homeport.v1 import consistency_pb2 as consistency
from homeport.v1 import key_value_pb2 as kv
from homeport.v1 import key_value_pb2_grpc
from homeport.v1 import locator_pb2, locator_pb2_grpc

PROGRAM = os.environ["HOMEPORT_PROGRAM"]
DATABASE = os.environ["HOMEPORT_GEOIP_DATABASE"]
CREDIT = "IP Geolocation by DB-IP, https://db-ip.com"

# Anything that is waited for comes long before this, also on a machine under load.
PATIENCE = 30.0
CALL_TIMEOUT = 10.0

Region = collections.namedtuple("Region", "name country latitude longitude")
US = Region("us-east-1", "US", 39.0438, -77.4874)
BR = Region("sa-east-1", "BR", -23.5505, -46.6333)
DE = Region("eu-central-1", "DE", 50.1109, 8.6821)
JP = Region("ap-northeast-1", "JP", 35.6762, 139.6503)
AU = Region("ap-southeast-2", "AU", -33.8688, 151.2093)
WORLD = (US, BR, DE, JP, AU)


def await_that(what, condition, patience=PATIENCE):
    """Returns the first true value of `condition`; fails naming `what` if none comes."""
    deadline = time.monotonic() + patience
    last = None
    while time.monotonic() < deadline:
        last = condition()
        if last:
            return last
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come in {patience:.0f} s; last: {last!r}")


def free_ports(count):
    """Ports of loopback that nobody listens on, below those of outgoing connections."""
    ports, held = [], []
    while len(ports) < count:
        candidate = socket.socket()
        try:
            candidate.bind(("127.0.0.1", random.randint(15000, 30000)))
        except OSError:
            candidate.close()
            continue
        held.append(candidate)
        ports.append(candidate.getsockname()[1])
    for candidate in held:
        candidate.close()
    return ports


def new_folder():
    folder = tempfile.mkdtemp(prefix="homeport-test-")
    atexit.register(shutil.rmtree, folder, True)
    return folder


def topology(regions, namespaces=("demo",), ports=None, cluster="test", **sections):
    """A topology as a dictionary. `ports` are two a region: gateway, replica; 1 and 2 if nobody
    dials them. A region in `sections["without_replica"]` is one of gateways only."""
    without = sections.pop("without_replica", ())
    ports = ports or [n + 1 for n in range(2 * len(regions))]
    listed = []
    for number, region in enumerate(regions):
        entry = dict(region._asdict(), gateways=[f"127.0.0.1:{ports[2 * number]}"])
        if region not in without:
            entry["replicas"] = [{"name": "a", "address": f"127.0.0.1:{ports[2 * number + 1]}"}]
        listed.append(entry)
    spaces = [{"name": n} if isinstance(n, str) else n for n in namespaces]
    whole = {"cluster": cluster, "regions": listed, "namespaces": spaces}
    whole.update(sections)
    whole.setdefault("gateway", {"drain_delay": "100ms"})
    return whole


def write_topology(path, content):
    """By rename, as an operator's tool does. JSON is YAML."""
    text = content if isinstance(content, str) else json.dumps(content, indent=1)
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".part", path)
    return path


def run(*arguments, timeout=PATIENCE, **options):
    """Runs `homeport ARGUMENTS` to its end."""
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=timeout,
                          check=False, stdin=subprocess.DEVNULL, **options)


class Server:
    """One `homeport serve`."""

    def __init__(self, topology_file, region, data=None, flags=(), any_port=True, replica=True):
        self.folder = new_folder()
        self.topology_file = topology_file
        self.region = region.name
        self.data = data or os.path.join(self.folder, "data")
        self.log_path = os.path.join(self.folder, "log")
        self.ready_path = os.path.join(self.folder, "ready.json")
        self.command = ["setpriv", "--pdeathsig", "KILL", PROGRAM, "serve",
                        "--topology", topology_file, "--region", region.name,
                        "--ready-file", self.ready_path]
        self.command += ["--data", self.data] if replica else ["--no-replica"]
        if any_port:
            self.command += ["--listen", "127.0.0.1:0"]
            if replica:
                self.command += ["--internal-listen", "127.0.0.1:0"]
        self.command += flags
        self.process = None
        self.public = self.internal = self.metrics_address = None

    def start(self):
        """Starts and waits until it serves."""
        self.launch()
        return self.await_serving()

    def await_serving(self):
        await_that(f"{self.region} serving", self.is_ready)
        with open(self.ready_path, encoding="utf-8") as file:
            ready = json.load(file)
        self.public, self.metrics_address = ready["public"], ready["metrics"]
        self.internal = ready.get("internal")
        return self

    def launch(self):
        if os.path.exists(self.ready_path):
            os.remove(self.ready_path)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        atexit.register(self.kill)

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.region} ended with {self.process.returncode}:\n"
                                 + self.log()[-3000:])
        return os.path.exists(self.ready_path)

    def is_alive(self):
        return self.process.poll() is None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def log_lines(self):
        """Each line as an object: the log has nothing else."""
        return [json.loads(line) for line in self.log().splitlines()]

    def signal(self, number):
        self.process.send_signal(number)

    def terminate(self):
        """SIGTERM; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def scrape(self):
        with urllib.request.urlopen(f"http://{self.metrics_address}/metrics", timeout=10) as page:
            return page.read().decode("utf-8")

    def client(self, **options):
        return Client(self.public, **options)


class Client:
    """Stubs of one gateway, as `from_address` behind a trusted proxy if one is given."""

    def __init__(self, address, from_address=None, headers=()):
        self.channel = grpc.insecure_channel(address, options=[
            ("grpc.max_receive_message_length", 16 << 20),
            ("grpc.max_send_message_length", 16 << 20),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 500)])
        self.metadata = list(headers)
        if from_address:
            self.metadata.append(("x-forwarded-for", from_address))
        self.key_value = key_value_pb2_grpc.KeyValueStub(self.channel)
        self.locator = locator_pb2_grpc.LocatorStub(self.channel)
        self.admin = admin_pb2_grpc.AdminStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def call(self, method, request, timeout=CALL_TIMEOUT):
        return method(request, timeout=timeout, metadata=self.metadata or None,
                      wait_for_ready=False)

    def put(self, id, value=b"", namespace="demo", key="", timeout=CALL_TIMEOUT, **options):
        return self.call(self.key_value.Put, kv.PutRequest(
            namespace=namespace, id=id, key=key, value=value,
            options=kv.WriteOptions(**options)), timeout)

    def get(self, id, namespace="demo", key="", timeout=CALL_TIMEOUT, **options):
        return self.call(self.key_value.Get, kv.GetRequest(
            namespace=namespace, id=id, key=key, options=consistency.ReadOptions(**options)),
            timeout)

    def locate(self, address=""):
        return self.call(self.locator.Locate, locator_pb2.LocateRequest(address=address))

    def explain(self, address="", namespace="demo", **fields):
        return self.call(self.locator.ExplainRoute, locator_pb2.ExplainRouteRequest(
            address=address, namespace=namespace, **fields))

    def status(self):
        return self.call(self.admin.GetStatus, admin_pb2.GetStatusRequest())

    def check_health(self, service=""):
        return self.call(self.health.Check, health_pb2.HealthCheckRequest(service=service)).status

    def close(self):
        self.channel.close()


Refusal = collections.namedtuple("Refusal", "code reason metadata message")


def refusal_of(error):
    """What a stock client makes of an error: from grpc-status-details-bin, nothing else."""
    info = error_details_pb2.ErrorInfo()
    for name, value in error.trailing_metadata() or ():
        if name != "grpc-status-details-bin":
            continue
        status = status_pb2.Status.FromString(value)
        assert status.code == error.code().value[0], (status.code, error.code())
        for detail in status.details:
            if detail.Unpack(info):
                assert info.domain == "homeport.dev", info.domain
    return Refusal(error.code().name, info.reason, dict(info.metadata), error.details())


def refused(call, *arguments, **options):
    """The refusal that a call ends with; fails if it succeeds."""
    try:
        answer = call(*arguments, **options)
    except grpc.RpcError as error:
        return refusal_of(error)
    raise AssertionError(f"was not refused, but answered: {str(answer)[:500]}")


class Load:
    """Threads that call `work(worker, number)` until stopped; keeps what failed."""

    def __init__(self, work, workers=2):
        self.work = work
        self.failures = []
        self.done = [0] * workers
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n,), daemon=True)
                        for n in range(workers)]

    def _run(self, worker):
        number = 0
        while not self.stopping.is_set():
            try:
                self.work(worker, number)
                self.done[worker] += 1
            except grpc.RpcError as error:
                self.failures.append(refusal_of(error))
            number += 1

    def count(self):
        return sum(self.done)

    def await_more(self, count=20):
        """Until each worker has done `count` more."""
        before = list(self.done)
        await_that("progress of the load",
                   lambda: all(d >= b + count for d, b in zip(self.done, before)))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(PATIENCE)


class Mesh:
    """Regions as processes that reach each other directly."""

    def __init__(self, regions, without_replica=(), flags=(), **sections):
        for attempt in range(3):
            self.folder = new_folder()
            ports = free_ports(2 * len(regions))
            self.topology_file = write_topology(
                os.path.join(self.folder, "topology.yaml"),
                topology(regions, ports=ports, without_replica=without_replica, **sections))
            self.servers = [Server(self.topology_file, region, any_port=False, flags=flags,
                                   replica=region not in without_replica) for region in regions]
            try:
                for server in self.servers:
                    server.launch()
                for server in self.servers:
                    server.await_serving()
                return
            except AssertionError as error:
                # A port may have been taken in the meantime.
                if attempt == 2 or "LISTEN_FAILED" not in str(error) and "listen" not in str(error):
                    raise
                self.kill()

    def kill(self):
        for server in self.servers:
            server.kill()

    def __getitem__(self, number):
        return self.servers[number]
