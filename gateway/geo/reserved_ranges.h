// Addresses that say nothing of a place by themselves.
#pragma once

#include <optional>

#include "common/net/ip_address.h"

namespace homeport {

// True for addresses that stand for no one place on the Internet: private, loopback, link-local,
// shared (carrier-grade NAT), documentation, benchmarking, multicast, reserved and unassigned
// kinds, after IANA's special-purpose registries (RFC 6890). Of IPv6, everything outside 2000::/3
// is, except 64:ff9b::/96. Thread-safe.
bool IsReservedAddress(const IpAddress& address);

// The IPv4 address that an IPv6 address of a transition mechanism carries, which is where its user
// is: 64:ff9b::/96 (RFC 6052, translated), 2002::/16 (6to4, RFC 3056) and 2001::/32 (Teredo,
// RFC 4380: the client's address, inverted). Databases answer these with the place of some relay
// or with nothing. nullopt for every other address. Thread-safe.
std::optional<IpAddress> EmbeddedIpv4(const IpAddress& address);

}  // namespace homeport
