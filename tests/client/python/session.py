#!/usr/bin/env python3
"""A session with Homeport from Python: write, read what was written, list, read an error.

    session.py HOST:PORT NAMESPACE

Needs grpcio and the stubs that make_stubs.py makes, on PYTHONPATH.
"""

import sys
import uuid

import grpc
from google.rpc import error_details_pb2, status_pb2
from homeport.v1 import consistency_pb2, key_value_pb2, key_value_pb2_grpc


def error_info(error):
    """The google.rpc.ErrorInfo of an error: a stable reason, and what it is about."""
    info = error_details_pb2.ErrorInfo()
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                detail.Unpack(info)
    return info


def main():
    address, namespace = sys.argv[1:]
    channel = grpc.insecure_channel(address)
    store = key_value_pb2_grpc.KeyValueStub(channel)

    # A request_id makes the write safe to send again: the same id has no second effect.
    written = store.Put(key_value_pb2.PutRequest(
        namespace=namespace, id="user/7", key="name", value="Ada".encode(),
        options=key_value_pb2.WriteOptions(request_id=uuid.uuid4().hex)), timeout=5)
    print("written at", written.provenance.replica)

    # With the token of the last reply a read sees the write, in whichever region it lands.
    read = store.Get(key_value_pb2.GetRequest(
        namespace=namespace, id="user/7", key="name",
        options=consistency_pb2.ReadOptions(session_token=written.session_token)), timeout=5)
    print("read", read.item.value.decode())

    page_token = ""
    while True:
        page = store.ListItems(key_value_pb2.ListItemsRequest(
            namespace=namespace, id="user/7", page_token=page_token,
            options=consistency_pb2.ReadOptions(session_token=read.session_token)), timeout=5)
        for item in page.items:
            print("item", item.key, item.value.decode())
        page_token = page.next_page_token
        if not page_token:
            break

    try:
        store.Get(key_value_pb2.GetRequest(namespace="no-such", id="user/7"), timeout=5)
    except grpc.RpcError as error:
        info = error_info(error)
        print("error", error.code().name, info.reason, info.metadata["namespace"])


if __name__ == "__main__":
    main()
