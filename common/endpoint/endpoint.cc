#include "common/endpoint/endpoint.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/net/ip_address.h"
#include "common/status/error.h"

namespace homeport {
namespace {

constexpr size_t kHostBytesMax = 253;
constexpr int kPortMax = 65535;

absl::Status Bad(absl::string_view text, absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason::kAddressInvalid,
                   absl::StrCat("\"", text, "\" ", what), {{"field", "address"}});
}

bool IsNameCharacter(char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.'; }

bool LooksNumeric(absl::string_view host) {
  return std::all_of(host.begin(), host.end(),
                     [](char c) { return absl::ascii_isdigit(c) || c == '.'; });
}

}  // namespace

absl::StatusOr<Endpoint> Endpoint::Parse(absl::string_view text) {
  Endpoint endpoint;
  absl::string_view port;
  if (absl::StartsWith(text, "[")) {
    const size_t close = text.find(']');
    if (close == absl::string_view::npos) return Bad(text, "has no closing bracket");
    const absl::string_view host = text.substr(1, close - 1);
    const auto ip = IpAddress::Parse(host);
    if (!ip.ok() || !absl::StrContains(host, ":")) {
      return Bad(text, "has no IPv6 address in its brackets");
    }
    if (close + 1 == text.size()) return Bad(text, "has no port");
    if (text[close + 1] != ':') return Bad(text, "has something between its bracket and the port");
    endpoint.host = std::string(host);
    port = text.substr(close + 2);
  } else {
    const size_t colon = text.rfind(':');
    if (colon == absl::string_view::npos) return Bad(text, "has no port");
    const absl::string_view host = text.substr(0, colon);
    if (absl::StrContains(host, ":")) {
      return Bad(text, "has an IPv6 address, which must stand in brackets");
    }
    if (host.empty()) return Bad(text, "has no host");
    if (host.size() > kHostBytesMax) {
      return Bad(text, absl::StrCat("has a host of more than ", kHostBytesMax, " bytes"));
    }
    if (!std::all_of(host.begin(), host.end(), IsNameCharacter)) {
      return Bad(text, "has a host that is neither a name nor an address");
    }
    if (LooksNumeric(host) && !IpAddress::Parse(host).ok()) {
      return Bad(text, "has a host that looks like an IPv4 address and is none");
    }
    endpoint.host = std::string(host);
    port = text.substr(colon + 1);
  }
  if (port.empty()) return Bad(text, "has no port");
  const bool digits = std::all_of(port.begin(), port.end(), absl::ascii_isdigit);
  if (!digits || (port.size() > 1 && port[0] == '0') || !absl::SimpleAtoi(port, &endpoint.port) ||
      endpoint.port > kPortMax) {
    return Bad(text, absl::StrCat("has a port that is not a number from 0 to ", kPortMax));
  }
  return endpoint;
}

std::string Endpoint::ToString() const {
  const bool v6 = absl::StrContains(host, ":");
  return v6 ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

bool Endpoint::IsLoopback() const {
  if (absl::EqualsIgnoreCase(host, "localhost")) return true;
  const auto ip = IpAddress::Parse(host);
  if (!ip.ok()) return false;
  static const IpRange* const kV4 = new IpRange(*IpRange::Parse("127.0.0.0/8"));
  static const IpRange* const kV6 = new IpRange(*IpRange::Parse("::1/128"));
  return kV4->Contains(*ip) || kV6->Contains(*ip);
}

}  // namespace homeport
