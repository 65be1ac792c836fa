// IP addresses and ranges of them, as values. Plain data: threads may share them as they share
// ints.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace homeport {

// An IPv4 or IPv6 address without port or zone. Value; the default is 0.0.0.0.
class IpAddress {
 public:
  IpAddress() = default;

  // Text longer than this is no address; the longest one without a zone has 45 characters.
  static constexpr size_t kTextBytesMax = 128;

  // Accepts "192.0.2.1" (four decimal parts, no leading zeros) and RFC 4291 IPv6 text, with or
  // without a zone ("%eth0", which is dropped). An IPv4-mapped address (::ffff:a.b.c.d) becomes the
  // IPv4 address. INVALID_ARGUMENT (ADDRESS_INVALID) otherwise.
  static absl::StatusOr<IpAddress> Parse(absl::string_view text);
  static IpAddress V4(uint32_t host_order);
  // `bytes` in network order. An IPv4-mapped address becomes the IPv4 address here too.
  static IpAddress V6(const std::array<uint8_t, 16>& bytes);

  bool is_v4() const { return v4_; }
  // 16 bytes in network order; an IPv4 address stands in the last four, the others are zero.
  const std::array<uint8_t, 16>& bytes() const { return bytes_; }
  // The IPv4 address as a number in host order. Only for is_v4().
  uint32_t v4_number() const {
    return uint32_t{bytes_[12]} << 24 | uint32_t{bytes_[13]} << 16 | uint32_t{bytes_[14]} << 8 |
           bytes_[15];
  }
  // Canonical text (RFC 5952 for IPv6).
  std::string ToString() const;
  // For logs: the last octet of IPv4, and all but the first 48 bits of IPv6, zeroed.
  std::string ToTruncatedString() const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  bool v4_ = true;
  std::array<uint8_t, 16> bytes_{};
};

// An address range in CIDR notation. Value.
class IpRange {
 public:
  // "10.0.0.0/8", "2001:db8::/32", or an address alone, which is a range of one. Bits after the
  // prefix must be zero, and there is no zone. A range of IPv4-mapped addresses
  // ("::ffff:10.0.0.0/104") becomes the IPv4 range; no other IPv6 range holds an IPv4 address.
  // INVALID_ARGUMENT (ADDRESS_INVALID) otherwise.
  static absl::StatusOr<IpRange> Parse(absl::string_view text);

  bool Contains(const IpAddress& address) const;
  const IpAddress& first() const { return first_; }
  // Prefix length in the address' own family: 0 to 32 or 0 to 128.
  int prefix_length() const { return prefix_length_; }
  std::string ToString() const;

  friend bool operator==(const IpRange&, const IpRange&) = default;

 private:
  IpAddress first_;
  int prefix_length_ = 32;
};

}  // namespace homeport
