#include "common/endpoint/listen_address.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/endpoint/endpoint.h"
#include "common/status/error.h"

namespace homeport {

absl::Status CheckListenAddress(absl::string_view address, bool tls, bool allow_plaintext) {
  const auto endpoint = Endpoint::Parse(address);
  if (!endpoint.ok()) return endpoint.status();
  if (tls || allow_plaintext || endpoint->IsLoopback()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument, reason::kAddressInvalid,
                   absl::StrCat("\"", address,
                                "\" is not a loopback address and would be served in plaintext: "
                                "anyone on the way could read and change everything; listen on "
                                "127.0.0.1 or [::1], or give --insecure-plaintext"),
                   {{"field", "address"}});
}

}  // namespace homeport
