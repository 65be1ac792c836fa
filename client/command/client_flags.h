// Flags of the commands that talk to a gateway.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/command/exit_codes.h"
#include "client/command/flags.h"
#include "client/rpc/gateway_client.h"
#include "homeport/v1/consistency.pb.h"

namespace homeport {

// Where the gateway is and how to print; every command that calls one has these.
struct GatewayFlags {
  std::string gateway = "127.0.0.1:7011";
  std::string from;
  absl::Duration timeout = absl::Seconds(5);
  bool json = false;

  void Declare(Flags& flags);
  // Connected. INVALID_ARGUMENT for a wrong address, UNAVAILABLE (REGION_UNREACHABLE) if nothing
  // answers there.
  absl::StatusOr<std::unique_ptr<GatewayClient>> Connect() const;
};

// Flags of the commands that read or write records. A session is carried from call to call by a
// file, or by a token that the caller passes on.
struct RecordFlags : GatewayFlags {
  std::string name_space = "demo";
  std::string token;  // base64
  std::string session_file;
  std::string region;  // "", "client" or "gateway"
  bool local_only = false;
  std::string level;                                    // reads only
  absl::Duration max_staleness = absl::ZeroDuration();  // reads only; 0: none
  int regions = 0;                                      // writes only

  void Declare(Flags& flags, CallKind kind);
  // INVALID_ARGUMENT for a token that is not base64, or with both a token and a session file.
  absl::StatusOr<v1::ReadOptions> ToReadOptions() const;
  // With a new request id.
  absl::StatusOr<v1::WriteOptions> ToWriteOptions() const;
  // Writes the reply's token to the session file, if there is one.
  absl::Status Keep(const std::string& session_token) const;

 private:
  absl::StatusOr<std::string> SessionToken() const;
};

// Prints the error to stderr and returns the exit code.
int Fail(const absl::Status& status, CallKind kind);

}  // namespace homeport
