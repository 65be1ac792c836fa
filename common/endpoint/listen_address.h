// Which addresses a server may listen on.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace homeport {

// Plaintext listens on loopback only, for whoever is between two machines could read and change
// everything. OK if `address` ("host:port") is loopback, or `tls` is set, or `allow_plaintext` is:
// the flag --insecure-plaintext. INVALID_ARGUMENT (ADDRESS_INVALID) if it is no address, or is
// refused for this reason; the message names the address and the flag.
absl::Status CheckListenAddress(absl::string_view address, bool tls, bool allow_plaintext);

}  // namespace homeport
