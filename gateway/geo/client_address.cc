#include "gateway/geo/client_address.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status/error.h"
#include "gateway/geo/forwarded.h"

namespace homeport {
namespace {

using Headers = absl::Span<const std::pair<absl::string_view, absl::string_view>>;

constexpr absl::string_view kForwarded = "forwarded";
constexpr absl::string_view kForwardedFor = "x-forwarded-for";
// A peer string is an address, a port and maybe a zone; only this much of a wrong one is repeated.
constexpr size_t kQuotedBytesMax = 64;

bool Has(Headers headers, absl::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [name](const auto& header) { return header.first == name; });
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// A percent sign that two hexadecimal digits do not follow stays: it starts a zone.
std::string PercentDecode(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
        HexDigit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

}  // namespace

ClientAddressResolver::ClientAddressResolver(const std::vector<IpRange>& trusted,
                                             std::string header)
    : trusted_(trusted), header_(std::move(header)) {}

bool ClientAddressResolver::Trusts(const IpAddress& address) const {
  return trusted_.Contains(address);
}

IpAddress ClientAddressResolver::Resolve(const IpAddress& peer, Headers headers) const {
  if (!Trusts(peer)) return peer;
  absl::string_view name = header_;
  if (name.empty()) name = Has(headers, kForwarded) ? kForwarded : kForwardedFor;
  IpAddress client = peer;
  size_t bytes_left = kHeaderBytesMax;
  int hops_left = kHopsMax;
  for (auto header = headers.rbegin(); header != headers.rend(); ++header) {
    if (header->first != name) continue;
    absl::string_view value = header->second;
    const bool cut = value.size() > bytes_left;
    if (cut) value.remove_prefix(value.size() - bytes_left);
    ElementsFromRight elements(value);
    while (const std::optional<absl::string_view> element = elements.Next()) {
      if (hops_left-- == 0) return client;
      if (element->empty()) continue;
      // An element that the cut may have shortened is not the one that was written.
      const size_t start = static_cast<size_t>(element->data() - value.data());
      if (cut && value.substr(0, start).find(',') == absl::string_view::npos) return client;
      const std::optional<IpAddress> hop =
          name == kForwarded ? ParseForwardedElement(*element) : ParseForwardedForElement(*element);
      if (!hop) return client;
      client = *hop;
      if (!Trusts(client)) return client;
    }
    if (cut) return client;
    bytes_left -= value.size();
  }
  return client;
}

absl::StatusOr<IpAddress> ParseGrpcPeer(absl::string_view peer) {
  const auto invalid = [peer] {
    return MakeError(
        absl::StatusCode::kInvalidArgument, reason::kAddressInvalid,
        absl::StrCat("peer \"", absl::CHexEscape(peer.substr(0, kQuotedBytesMax)),
                     "\": not an address of the forms \"ipv4:\", \"ipv6:\" or \"unix:\""),
        {{"field", "peer"}});
  };
  absl::string_view rest = peer;
  if (absl::ConsumePrefix(&rest, "unix:") || absl::ConsumePrefix(&rest, "unix-abstract:")) {
    return IpAddress::V4(0x7f000001);
  }
  const bool v4 = absl::ConsumePrefix(&rest, "ipv4:");
  if (!v4 && !absl::ConsumePrefix(&rest, "ipv6:")) return invalid();
  if (rest.size() > 3 * IpAddress::kTextBytesMax) return invalid();
  const std::string decoded = PercentDecode(rest);
  // The forms are those of x-forwarded-for; the family must be the one announced.
  const std::optional<IpAddress> address = ParseForwardedForElement(decoded);
  if (!address || absl::StartsWith(decoded, "[") == v4) return invalid();
  return *address;
}

}  // namespace homeport
