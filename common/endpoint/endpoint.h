// Where a process listens or is reached: host and port.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace homeport {

// A host and a port. Value.
struct Endpoint {
  // A name, an IPv4 address, or an IPv6 address without its brackets.
  std::string host;
  // 0 to 65535; 0 asks for a free one when listening.
  int port = 0;

  // "host:port"; an IPv6 host must be in brackets ("[::1]:7001"). Names are at most 253 letters,
  // digits, '-', '_' and '.', and not of digits and dots only unless they are an IPv4 address. The
  // port is decimal without leading zeros. INVALID_ARGUMENT (ADDRESS_INVALID) otherwise, quoting
  // the text and saying what is wrong with it.
  static absl::StatusOr<Endpoint> Parse(absl::string_view text);
  // What Parse() accepts.
  std::string ToString() const;
  // True for 127.0.0.0/8, ::1 and "localhost". Other names are not looked up: false.
  bool IsLoopback() const;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

}  // namespace homeport
