// Who the client is: the peer, or what a trusted proxy says.
//
// RFC 7239 (Forwarded), and the de facto x-forwarded-for.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/net/ip_address.h"
#include "common/net/ip_table.h"

namespace homeport {

// Immutable, thread-safe.
class ClientAddressResolver {
 public:
  // Only this many bytes at the right end of the joined header are read, and this many hops walked;
  // what lies to the left counts as malformed.
  static constexpr size_t kHeaderBytesMax = 8192;
  static constexpr int kHopsMax = 64;

  // `trusted` are the proxies that are believed; `header` is a lower-case header name that replaces
  // `forwarded` and `x-forwarded-for`, or empty. It is read as x-forwarded-for is (one address is a
  // list of one), unless it is "forwarded".
  //
  // Name the header that the proxies really write: many pass a client's other headers on untouched,
  // and a client behind such a proxy could then say where it is by the header that the proxy does
  // not know.
  ClientAddressResolver(const std::vector<IpRange>& trusted, std::string header);

  // `headers` are the request's, names in lower case, in the order received; repeated ones are
  // joined in that order. An untrusted peer's headers are ignored. From a trusted peer the hops are
  // walked from the right and the first untrusted one is the client; if every hop is trusted, the
  // left-most. `forwarded` goes before `x-forwarded-for`. A malformed or obfuscated hop ends the
  // walk: the client is then the last good hop to its right, or the peer. Empty list elements are
  // skipped.
  IpAddress Resolve(
      const IpAddress& peer,
      absl::Span<const std::pair<absl::string_view, absl::string_view>> headers) const;
  bool Trusts(const IpAddress& address) const;

 private:
  IpTable trusted_;
  std::string header_;
};

// The address in a gRPC peer string: "ipv4:1.2.3.4:5", "ipv6:[::1]:5", "ipv6:%5B::1%5D:5" or
// "unix:...". A unix peer is 127.0.0.1. INVALID_ARGUMENT (ADDRESS_INVALID) otherwise.
absl::StatusOr<IpAddress> ParseGrpcPeer(absl::string_view peer);

}  // namespace homeport
