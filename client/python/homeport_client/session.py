"""Client and Session."""

import base64
import random
import threading
import time
import uuid

import grpc
from homeport.v1 import consistency_pb2, key_value_pb2 as kv, key_value_pb2_grpc

from homeport_client.errors import HomeportError, not_sent, unknown_outcome
from homeport_client.gateways import GatewayChoice
from homeport_client.tokens import IN_FLIGHT_MAX, SessionTokens

ATTEMPTS_MAX = 5
BACKOFF_BASE = 0.02
BACKOFF_MAX = 2.0
MESSAGE_BYTES_MAX = 16 << 20  # a page is 3 MiB of values, and its keys come on top
CHANNEL_OPTIONS = [("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
                   ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
                   ("grpc.initial_reconnect_backoff_ms", 50),
                   ("grpc.max_reconnect_backoff_ms", 500)]


class _Connection:
    """A channel, and whether it is up: a request that meets no connection was surely not sent."""

    def __init__(self, channel):
        self.channel = channel
        self.store = key_value_pb2_grpc.KeyValueStub(channel)
        self._changed = threading.Condition()
        self._state = None
        channel.subscribe(self._on_change, try_to_connect=True)

    def _on_change(self, state):
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def is_up(self, timeout):
        """Waits for the connection: until it is up, is refused, or the time is over."""
        with self._changed:
            if self._state is grpc.ChannelConnectivity.READY:
                return True
        wake = lambda state: None  # pylint: disable=unnecessary-lambda-assignment
        self.channel.subscribe(wake, try_to_connect=True)
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._state in (
                    grpc.ChannelConnectivity.READY,
                    grpc.ChannelConnectivity.TRANSIENT_FAILURE), timeout)
                return self._state is grpc.ChannelConnectivity.READY
        finally:
            self.channel.unsubscribe(wake)


class Client:
    """Gateways, best first, and connections to them. Thread-safe.

    `timeout` is every call's deadline in seconds, unless the call gives its own. `open_channel`
    makes a channel of an address, should a plaintext one not do. A gateway's address must be that
    of one process, not of a balancer before several: writes are sent again by it.
    """

    def __init__(self, *gateways, timeout=5.0, follow_nearest=True, metadata=(),
                 open_channel=lambda address: grpc.insecure_channel(address, CHANNEL_OPTIONS)):
        self.timeout = timeout
        self.gateways = GatewayChoice(gateways, follow_nearest)
        self._metadata = tuple(metadata) or None
        self._open_channel = open_channel
        self._lock = threading.Lock()
        self._connections = {}

    def session(self, token=b""):
        """A new session; with `token`, one that has seen what the exported one had."""
        session = Session(self)
        session.join(token)
        return session

    def close(self):
        with self._lock:
            connections, self._connections = self._connections, {}
        for connection in connections.values():
            connection.channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _connection(self, address):
        with self._lock:
            if address not in self._connections:
                self._connections[address] = _Connection(self._open_channel(address))
            return self._connections[address]

    def _attempt(self, address, method, request, seconds):
        """The reply, or a HomeportError; and whether the gateway may have seen the request."""
        connection = self._connection(address)
        start = time.monotonic()
        if not connection.is_up(seconds):
            return not_sent(address), False
        left = max(0.001, start + seconds - time.monotonic())
        try:
            return getattr(connection.store, method)(request, timeout=left,
                                                     metadata=self._metadata), True
        except grpc.RpcError as error:
            return HomeportError.of(error), True

    def call(self, method, request, timeout=None):
        """Sends `request` by the rules of retries; the reply, or raises HomeportError."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        write = isinstance(request.options, kv.WriteOptions)
        maybe_done, address = False, self.gateways.pick(time.monotonic())
        for attempt in range(1, ATTEMPTS_MAX + 1):
            now = time.monotonic()
            left = max(0.001, deadline - now)
            # A read leaves time for another gateway, should this one say nothing.
            others = not write and self.gateways.has_other(address, now)
            reply, sent = self._attempt(address, method, request, left / 2 if others else left)
            now = time.monotonic()
            if not isinstance(reply, HomeportError):
                self.gateways.answers(address, now, reply.provenance.nearest_gateway)
                return reply
            error = reply
            if not sent or not error.answered or error.reason == "DRAINING":
                self.gateways.failed(address, now, error.code == "DEADLINE_EXCEEDED")
            else:
                self.gateways.answers(address, now)
            maybe_done = maybe_done or write and sent and error.may_be_done
            if maybe_done:
                # Only the replica that has the request id can say, if it is sure to be asked.
                again = request.options.local_only and (
                    not sent or not error.answered or error.busy or error.turned_away)
            else:
                again = not sent or error.busy or error.turned_away or (
                    not write and error.may_be_done)
            elsewhere = again and not maybe_done and not (sent and error.busy)
            wait = error.retry_delay or 0.0
            if not elsewhere or attempt > 1:
                wait += random.random() * min(BACKOFF_MAX, BACKOFF_BASE * 2 ** (attempt - 1))
            if not again or attempt == ATTEMPTS_MAX or now + wait >= deadline:
                stands = error.reason == "NOT_YET_REPLICATED"
                raise unknown_outcome(error) if maybe_done and not stands else error
            time.sleep(wait)
            if elsewhere:
                address = self.gateways.pick(time.monotonic(), address)
        raise AssertionError("the last attempt returns or raises")


class Session:
    """What one user does: reads see the writes and reads before them, in every region.

    Thread-safe; at most 48 calls at a time, more wait for their turn. Options of reads are fields
    of homeport.v1.ReadOptions (consistency, max_staleness, targets, local_only, region_choice),
    those of writes of WriteOptions (local_only, region_choice, acknowledged_by_regions). A write
    that was not answered is sent again if it is `local_only`; otherwise HomeportError says
    OUTCOME_UNKNOWN. After HISTORY_LOST, TOKEN_FOREIGN or TOKEN_INVALID, which are told once, the
    session goes on with what it still can know.
    """

    def __init__(self, client):
        self._client = client
        self._tokens = SessionTokens()
        self._turns = threading.BoundedSemaphore(IN_FLIGHT_MAX)

    def export(self):
        """What this session has seen, as bytes, for `Client.session` or `join` elsewhere."""
        return self._tokens.export()

    def join(self, token):
        """Adds what another session has seen. ValueError if `token` is not an exported one."""
        self._tokens.join(token)

    def get(self, namespace, id, key="", timeout=None, **options):
        """The reply has no `item` if there is none."""
        return self._read("Get", kv.GetRequest(namespace=namespace, id=id, key=key), timeout,
                          options)

    def batch_get(self, namespace, names, timeout=None, **options):
        """`names` are pairs of id and key. The reply may have fewer results, of the first names."""
        return self._read("BatchGet", kv.BatchGetRequest(
            namespace=namespace, names=[kv.ItemName(id=i, key=k) for i, k in names]), timeout,
            options)

    def items(self, namespace, id, prefix="", start_key="", end_key="", page_size=0, timeout=None,
              **options):
        """Yields a record's items in key order, page by page."""
        for page in self._pages("ListItems", kv.ListItemsRequest(
                namespace=namespace, id=id, prefix=prefix, start_key=start_key, end_key=end_key,
                page_size=page_size), timeout, options):
            yield from page.items

    def records(self, namespace, prefix="", page_size=0, timeout=None, **options):
        """Yields the ids of a namespace's records in order, page by page."""
        for page in self._pages("ListRecords", kv.ListRecordsRequest(
                namespace=namespace, prefix=prefix, page_size=page_size), timeout, options):
            yield from page.ids

    def put(self, namespace, id, value, key="", ttl=None, timeout=None, **options):
        """`ttl` is in seconds."""
        request = kv.PutRequest(namespace=namespace, id=id, key=key, value=value)
        if ttl is not None:
            request.ttl.FromNanoseconds(round(ttl * 1e9))
        return self._write("Put", request, timeout, options)

    def delete(self, namespace, id, key="", timeout=None, **options):
        return self._write("Delete", kv.DeleteRequest(namespace=namespace, id=id, key=key), timeout,
                           options)

    def add(self, namespace, id, delta, key="", timeout=None, **options):
        """Adds to a counter."""
        return self.mutate(namespace, id, [kv.Change(key=key, add=delta)], timeout, **options)

    def change_set(self, namespace, id, key="", add=(), remove=(), timeout=None, **options):
        """Adds elements to a set and removes elements from it."""
        return self.mutate(namespace, id, [kv.Change(
            key=key, set=kv.SetChange(add=add, remove=remove))], timeout, **options)

    def mutate(self, namespace, id, changes, timeout=None, **options):
        """Applies homeport.v1.Change messages to one record, all or none."""
        return self._write("Mutate", kv.MutateRequest(namespace=namespace, id=id, changes=changes),
                           timeout, options)

    def _read(self, method, request, timeout, options):
        request.options.CopyFrom(consistency_pb2.ReadOptions(**options))
        return self._call(method, request, timeout)

    def _write(self, method, request, timeout, options):
        options.setdefault("request_id", uuid.uuid4().hex)
        request.options.CopyFrom(kv.WriteOptions(**options))
        return self._call(method, request, timeout)

    def _pages(self, method, request, timeout, options):
        while True:
            page = self._read(method, request, timeout, options)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _call(self, method, request, timeout):
        with self._turns:
            request.options.session_token, mark = self._tokens.to_send()
            try:
                reply = self._client.call(method, request, timeout)
            except HomeportError as error:
                if error.reason == "HISTORY_LOST" and "fresh_token" in error.metadata:
                    self._tokens.answered(mark, base64.b64decode(error.metadata["fresh_token"]))
                elif error.reason in ("HISTORY_LOST", "TOKEN_FOREIGN", "TOKEN_INVALID"):
                    self._tokens.drop(mark)
                raise
            self._tokens.answered(mark, reply.session_token)
            return reply
