#!/usr/bin/env python3
"""Counters, sets and items that expire, from Python.

    counters_and_sets.py HOST:PORT COUNTERS SETS REGISTERS

The last three are namespaces whose items are counters, sets and registers.
"""

import sys
import uuid

import grpc
from homeport.v1 import key_value_pb2, key_value_pb2_grpc


def main():
    address, counters, sets, registers = sys.argv[1:]
    store = key_value_pb2_grpc.KeyValueStub(grpc.insecure_channel(address))
    session = {"token": b""}

    def change(namespace, record, **what):
        """Changes the record's item "": one of put, add, set and delete; ttl with put."""
        # With a request_id a lost answer is no problem: sent again, an addition counts once.
        reply = store.Mutate(key_value_pb2.MutateRequest(
            namespace=namespace, id=record, changes=[key_value_pb2.Change(**what)],
            options={"session_token": session["token"], "request_id": uuid.uuid4().hex}),
            timeout=5)
        session["token"] = reply.session_token

    def item(namespace, record):
        reply = store.Get(key_value_pb2.GetRequest(
            namespace=namespace, id=record, options={"session_token": session["token"]}),
            timeout=5)
        session["token"] = reply.session_token
        return reply.item

    # Additions of all regions count, also those made while they could not reach each other.
    change(counters, "page/home", add=5)
    change(counters, "page/home", add=-2)
    print("counter", item(counters, "page/home").counter)

    # An element that one region adds while another removes it stays.
    change(sets, "user/7", set={"add": [b"red", b"green"]})
    change(sets, "user/7", set={"add": [b"blue"], "remove": [b"green"]})
    print("set", *(element.decode() for element in item(sets, "user/7").elements))

    change(registers, "session/9", put=b"token", ttl={"seconds": 3600})
    lives = item(registers, "session/9")
    print("expires", lives.HasField("expires"))

    try:
        change(counters, "page/home", put=b"five")
    except grpc.RpcError as error:
        print("error", error.code().name, error.details())


if __name__ == "__main__":
    main()
