#include "common/net/ip_address.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status/error.h"

namespace homeport {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kV4Bits = 32;
constexpr int kV6Bits = 128;
constexpr int kMappedBits = kV6Bits - kV4Bits;
// How much of a wrong text an error repeats.
constexpr size_t kQuotedBytesMax = 64;

absl::Status Invalid(absl::string_view field, absl::string_view text, absl::string_view problem) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason::kAddressInvalid,
                   absl::StrCat(field, " \"", absl::CHexEscape(text.substr(0, kQuotedBytesMax)),
                                "\": ", problem),
                   {{"field", std::string(field)}});
}

// A decimal number without sign and leading zeros, at most `max`.
std::optional<int> ParseDecimal(absl::string_view text, int max) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  int value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  if (value > max) return std::nullopt;
  return value;
}

std::optional<uint32_t> ParseV4(absl::string_view text) {
  uint32_t value = 0;
  for (int part = 0; part < 4; ++part) {
    const size_t end = part < 3 ? text.find('.') : text.size();
    if (end == absl::string_view::npos) return std::nullopt;
    const std::optional<int> octet = ParseDecimal(text.substr(0, end), 255);
    if (!octet) return std::nullopt;
    value = value << 8 | static_cast<uint32_t>(*octet);
    text.remove_prefix(part < 3 ? end + 1 : end);
  }
  return value;
}

// One to four hexadecimal digits.
std::optional<uint16_t> ParseGroup(absl::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  uint16_t value = 0;
  for (char c : text) {
    int digit;
    if (c >= '0' && c <= '9') {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = c - 'A' + 10;
    } else {
      return std::nullopt;
    }
    value = static_cast<uint16_t>(value << 4 | digit);
  }
  return value;
}

// Appends the groups of "1:2:3" or, at the end, "1:2:10.0.0.1" to `groups`. Empty text has none.
bool ParseGroups(absl::string_view text, bool may_end_in_v4, std::array<uint16_t, 8>& groups,
                 size_t& count) {
  while (!text.empty()) {
    const size_t colon = text.find(':');
    const bool last = colon == absl::string_view::npos;
    const absl::string_view part = last ? text : text.substr(0, colon);
    if (last && may_end_in_v4 && part.find('.') != absl::string_view::npos) {
      const std::optional<uint32_t> v4 = ParseV4(part);
      if (!v4 || count + 2 > groups.size()) return false;
      groups[count++] = static_cast<uint16_t>(*v4 >> 16);
      groups[count++] = static_cast<uint16_t>(*v4);
      return true;
    }
    const std::optional<uint16_t> group = ParseGroup(part);
    if (!group || count == groups.size()) return false;
    groups[count++] = *group;
    if (last) return true;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;  // a colon at the end
  }
  return true;
}

std::optional<std::array<uint8_t, 16>> ParseV6(absl::string_view text) {
  std::array<uint16_t, 8> head{}, tail{};
  size_t head_count = 0, tail_count = 0;
  const size_t gap = text.find("::");
  if (gap == absl::string_view::npos) {
    if (!ParseGroups(text, true, head, head_count) || head_count != head.size()) {
      return std::nullopt;
    }
  } else {
    const absl::string_view after = text.substr(gap + 2);
    if (!ParseGroups(text.substr(0, gap), false, head, head_count) ||
        !ParseGroups(after, true, tail, tail_count) || head_count + tail_count >= head.size()) {
      return std::nullopt;
    }
    std::copy_n(tail.begin(), tail_count, head.end() - static_cast<ptrdiff_t>(tail_count));
  }
  std::array<uint8_t, 16> bytes;
  for (size_t i = 0; i < head.size(); ++i) {
    bytes[2 * i] = static_cast<uint8_t>(head[i] >> 8);
    bytes[2 * i + 1] = static_cast<uint8_t>(head[i]);
  }
  return bytes;
}

std::string V6ToString(const std::array<uint8_t, 16>& bytes) {
  std::array<int, 8> groups;
  for (size_t i = 0; i < 8; ++i) groups[i] = bytes[2 * i] << 8 | bytes[2 * i + 1];
  // RFC 5952 4.2: the longest run of at least two zero groups is shortened, the first one on a tie.
  size_t gap_start = 8, gap_length = 1;
  for (size_t i = 0; i < 8;) {
    size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > gap_length) {
      gap_start = i;
      gap_length = end - i;
    }
    i = std::max(end, i + 1);
  }
  std::string text;
  for (size_t i = 0; i < 8;) {
    if (i == gap_start) {
      text += "::";
      i += gap_length;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    absl::StrAppendFormat(&text, "%x", groups[i]);
    ++i;
  }
  return text;
}

}  // namespace

absl::StatusOr<IpAddress> IpAddress::Parse(absl::string_view text) {
  if (text.size() > kTextBytesMax) return Invalid("address", text, "too long");
  if (text.find(':') == absl::string_view::npos) {
    const std::optional<uint32_t> v4 = ParseV4(text);
    if (!v4) return Invalid("address", text, "not an IPv4 or IPv6 address");
    return V4(*v4);
  }
  const size_t zone = text.find('%');
  if (zone != absl::string_view::npos && zone + 1 == text.size()) {
    return Invalid("address", text, "the zone is empty");
  }
  const auto bytes = ParseV6(text.substr(0, zone));
  if (!bytes) return Invalid("address", text, "not an IPv4 or IPv6 address");
  return V6(*bytes);
}

IpAddress IpAddress::V4(uint32_t host_order) {
  IpAddress address;
  for (size_t i = 0; i < 4; ++i) {
    address.bytes_[12 + i] = static_cast<uint8_t>(host_order >> (24 - 8 * i));
  }
  return address;
}

IpAddress IpAddress::V6(const std::array<uint8_t, 16>& bytes) {
  IpAddress address;
  address.bytes_ = bytes;
  address.v4_ = std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin());
  if (address.v4_) std::fill_n(address.bytes_.begin(), kMappedPrefix.size(), uint8_t{0});
  return address;
}

std::string IpAddress::ToString() const {
  if (!v4_) return V6ToString(bytes_);
  return absl::StrCat(bytes_[12], ".", bytes_[13], ".", bytes_[14], ".", bytes_[15]);
}

std::string IpAddress::ToTruncatedString() const {
  IpAddress truncated = *this;
  if (v4_) {
    truncated.bytes_[15] = 0;
  } else {
    std::fill(truncated.bytes_.begin() + 6, truncated.bytes_.end(), uint8_t{0});
  }
  return truncated.ToString();
}

absl::StatusOr<IpRange> IpRange::Parse(absl::string_view text) {
  const size_t slash = text.find('/');
  const absl::string_view address_text = text.substr(0, slash);
  const auto address = IpAddress::Parse(address_text);
  if (!address.ok() || address_text.find('%') != absl::string_view::npos) {
    return Invalid("range", text, "not an address, or an address, \"/\" and a prefix length");
  }
  // The length is counted in the family that the text is written in.
  const bool written_as_v6 = address_text.find(':') != absl::string_view::npos;
  const int bits = written_as_v6 ? kV6Bits : kV4Bits;
  int length = bits;
  if (slash != absl::string_view::npos) {
    const std::optional<int> parsed = ParseDecimal(text.substr(slash + 1), bits);
    if (!parsed) {
      return Invalid("range", text, absl::StrCat("the prefix length must be 0 to ", bits));
    }
    length = *parsed;
  }
  IpRange range;
  range.first_ = *address;
  range.prefix_length_ = length;
  if (written_as_v6 && address->is_v4()) {
    range.prefix_length_ -= kMappedBits;
    if (range.prefix_length_ < 0) {
      return Invalid("range", text, "bits after the prefix are not zero");
    }
  }
  const int prefix_in_bytes = range.prefix_length_ + (address->is_v4() ? kMappedBits : 0);
  for (int bit = prefix_in_bytes; bit < kV6Bits; ++bit) {
    if (address->bytes()[static_cast<size_t>(bit / 8)] & (0x80 >> bit % 8)) {
      return Invalid("range", text, "bits after the prefix are not zero");
    }
  }
  return range;
}

bool IpRange::Contains(const IpAddress& address) const {
  if (address.is_v4() != first_.is_v4()) return false;
  const int bits = prefix_length_ + (first_.is_v4() ? kMappedBits : 0);
  const size_t whole = static_cast<size_t>(bits / 8);
  const auto& a = address.bytes();
  const auto& b = first_.bytes();
  if (std::memcmp(a.data(), b.data(), whole) != 0) return false;
  if (bits % 8 == 0) return true;
  return ((a[whole] ^ b[whole]) & (0xff00 >> bits % 8) & 0xff) == 0;
}

std::string IpRange::ToString() const {
  return absl::StrCat(first_.ToString(), "/", prefix_length_);
}

}  // namespace homeport
