"""What node/driver.js does, with the Python package, in the test's own process."""

import base64
import concurrent.futures

from homeport_client import Client, HomeportError


class PythonDriver:

    def __init__(self):
        self.clients, self.sessions = [], []

    def close(self):
        for client in self.clients:
            client.close()

    def ask(self, command, **what):
        try:
            return {"ok": getattr(self, command)(**what)}
        except HomeportError as error:
            return {"error": [error.code, error.reason]}

    def session(self, gateways, timeout, token):
        self.clients.append(Client(*gateways, timeout=timeout))
        self.sessions.append(self.clients[-1].session(base64.b64decode(token)))
        return len(self.sessions) - 1

    def export(self, session):
        return base64.b64encode(self.sessions[session].export()).decode()

    def preferred(self, session):
        return self.clients[session].gateways.preferred

    def get(self, session, namespace, id, options):
        reply = self.sessions[session].get(namespace, id, **options)
        item = reply.item
        return [item.value.decode(), item.counter] if reply.HasField("item") else None

    def put(self, session, namespace, id, value, options):
        return self.sessions[session].put(namespace, id, value.encode(),
                                          **options).provenance.replica

    def add(self, session, namespace, id, options):
        return self.sessions[session].add(namespace, id, 1, **options).provenance.replica

    def put_many(self, session, namespace, id, count):
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            return len(list(pool.map(
                lambda i: self.sessions[session].put(namespace, f"{id}/{i}", b"v"), range(count))))
