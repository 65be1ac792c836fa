#!/usr/bin/env python3
"""Counters, sets and items that expire, from Python.

    counters_and_sets.py HOST:PORT COUNTERS SETS REGISTERS

The last three are namespaces whose items are counters, sets and registers.
"""

import sys

from homeport_client import Client, HomeportError


def main():
    address, counters, sets, registers = sys.argv[1:]
    with Client(address) as client:
        session = client.session()

        # Additions of all regions count, also those made while they could not reach each other.
        session.add(counters, "page/home", 5)
        session.add(counters, "page/home", -2)
        print("counter", session.get(counters, "page/home").item.counter)

        # An element that one region adds while another removes it stays.
        session.change_set(sets, "user/7", add=[b"red", b"green"])
        session.change_set(sets, "user/7", add=[b"blue"], remove=[b"green"])
        elements = session.get(sets, "user/7").item.elements
        print("set", *(element.decode() for element in elements))

        session.put(registers, "session/9", b"token", ttl=3600)
        print("expires", session.get(registers, "session/9").item.HasField("expires"))

        try:
            session.put(counters, "page/home", b"five")
        except HomeportError as error:
            print("error", error.code, error.message)


if __name__ == "__main__":
    main()
