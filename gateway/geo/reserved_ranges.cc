#include "gateway/geo/reserved_ranges.h"

#include <algorithm>
#include <vector>

#include "common/base/check.h"
#include "common/net/ip_table.h"

namespace homeport {
namespace {

constexpr absl::string_view kReserved[] = {
    "0.0.0.0/8",        // this network
    "10.0.0.0/8",       // private
    "100.64.0.0/10",    // shared, carrier-grade NAT
    "127.0.0.0/8",      // loopback
    "169.254.0.0/16",   // link-local
    "172.16.0.0/12",    // private
    "192.0.0.0/24",     // protocol assignments
    "192.0.2.0/24",     // documentation
    "192.88.99.0/24",   // 6to4 relays, withdrawn
    "192.168.0.0/16",   // private
    "198.18.0.0/15",    // benchmarking
    "198.51.100.0/24",  // documentation
    "203.0.113.0/24",   // documentation
    "224.0.0.0/4",      // multicast
    "240.0.0.0/4",      // reserved, and broadcast
    // Only 2000::/3 is global unicast. This covers ::, ::1, the local NAT64 prefix 64:ff9b:1::/48,
    // 100::/64 (discard), SRv6 (5f00::/16), ULA (fc00::/7), link-local (fe80::/10), multicast
    // (ff00::/8).
    "::/3", "4000::/2", "8000::/1",
    "2001::/23",      // protocol assignments: benchmarking, ORCHID
    "2001:db8::/32",  // documentation
    "3fff::/20",      // documentation
};

const IpTable& ReservedTable() {
  static const IpTable* const table = [] {
    std::vector<IpRange> ranges;
    for (absl::string_view text : kReserved) {
      const auto range = IpRange::Parse(text);
      HP_CHECK(range.ok());
      ranges.push_back(*range);
    }
    return new IpTable(ranges);
  }();
  return *table;
}

uint32_t Number(const IpAddress& address, size_t offset) {
  uint32_t number = 0;
  for (size_t i = offset; i < offset + 4; ++i) number = number << 8 | address.bytes()[i];
  return number;
}

}  // namespace

std::optional<IpAddress> EmbeddedIpv4(const IpAddress& address) {
  if (address.is_v4()) return std::nullopt;
  const uint32_t head = Number(address, 0);
  if (head >> 16 == 0x2002) return IpAddress::V4(Number(address, 2));
  if (head == 0x20010000) return IpAddress::V4(~Number(address, 12));
  const auto& bytes = address.bytes();
  if (head == 0x0064ff9b &&
      std::all_of(bytes.begin() + 4, bytes.begin() + 12, [](uint8_t byte) { return byte == 0; })) {
    return IpAddress::V4(Number(address, 12));
  }
  return std::nullopt;
}

bool IsReservedAddress(const IpAddress& address) {
  const std::optional<IpAddress> embedded = EmbeddedIpv4(address);
  return ReservedTable().Contains(embedded ? *embedded : address);
}

}  // namespace homeport
