// `forwarded` and `x-forwarded-for`: an untrusted peer is never believed, and no header stops the
// process.
//
// The input is headers, a line each: "name: value".
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gateway/geo/client_address.h"
#include "gateway/geo/forwarded.h"

namespace {

using homeport::ClientAddressResolver;
using homeport::IpAddress;
using homeport::IpRange;

template <typename T>
T Sound(absl::StatusOr<T> value) {
  if (!value.ok()) abort();
  return *std::move(value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<IpRange> trusted = {Sound(IpRange::Parse("10.0.0.0/8")),
                                               Sound(IpRange::Parse("fd00::/8"))};
  static const ClientAddressResolver by_any(trusted, "");
  static const ClientAddressResolver by_own(trusted, "cf-connecting-ip");
  static const IpAddress proxy = Sound(IpAddress::Parse("10.1.2.3"));
  static const IpAddress stranger = Sound(IpAddress::Parse("192.0.2.1"));

  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  std::vector<std::pair<absl::string_view, absl::string_view>> headers;
  for (absl::string_view line : absl::StrSplit(input, '\n')) {
    const std::pair<absl::string_view, absl::string_view> header =
        absl::StrSplit(line, absl::MaxSplits(": ", 1));
    headers.push_back(header);
    homeport::ElementsFromRight elements(header.second);
    while (auto element = elements.Next()) {
      homeport::ParseForwardedForElement(*element);
      homeport::ParseForwardedElement(*element);
    }
  }
  for (const ClientAddressResolver* resolver : {&by_any, &by_own}) {
    if (resolver->Resolve(stranger, headers) != stranger) abort();
    resolver->Resolve(proxy, headers);
  }
  (void)homeport::ParseGrpcPeer(input).ok();
  return 0;
}
