#!/usr/bin/env python3
"""A session with Homeport from Python: write, read what was written, list, read an error.

    session.py HOST:PORT NAMESPACE

Needs grpcio, the stubs that make_stubs.py makes, and client/python, on PYTHONPATH.
"""

import sys

from homeport_client import Client, HomeportError


def main():
    address, namespace = sys.argv[1:]
    with Client(address) as client:
        session = client.session()

        written = session.put(namespace, "user/7", b"Ada", key="name")
        print("written at", written.provenance.replica)

        # The session carries its token, so it sees the write in whichever region a read lands.
        read = session.get(namespace, "user/7", key="name")
        print("read", read.item.value.decode())

        for item in session.items(namespace, "user/7"):
            print("item", item.key, item.value.decode())

        # Somebody else goes on from there: in another process, on another continent.
        friend = client.session(session.export())
        print("friend reads", friend.get(namespace, "user/7", key="name").item.value.decode())

        try:
            session.get("no-such", "user/7")
        except HomeportError as error:
            print("error", error.code, error.reason, error.metadata["namespace"])


if __name__ == "__main__":
    main()
