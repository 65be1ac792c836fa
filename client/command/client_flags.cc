#include "client/command/client_flags.h"

#include <stdio.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/text/describe.h"
#include "common/endpoint/endpoint.h"
#include "common/net/ip_address.h"
#include "common/status/error.h"

namespace homeport {
namespace {

v1::RegionChoice ChoiceOf(const std::string& region) {
  if (region == "client") return v1::REGION_CHOICE_CLIENT;
  if (region == "gateway") return v1::REGION_CHOICE_GATEWAY;
  if (region == "fastest") return v1::REGION_CHOICE_FASTEST;
  return v1::REGION_CHOICE_UNSPECIFIED;
}

v1::ConsistencyLevel LevelOf(const std::string& level) {
  v1::ConsistencyLevel value = v1::CONSISTENCY_LEVEL_UNSPECIFIED;
  v1::ConsistencyLevel_Parse(absl::StrCat("CONSISTENCY_LEVEL_", absl::AsciiStrToUpper(level)),
                             &value);
  return value;
}

}  // namespace

void GatewayFlags::Declare(Flags& flags) {
  flags.String("--gateway", &gateway, "The gateway, HOST:PORT", "HOMEPORT_GATEWAY");
  flags.String("--from", &from,
               "Act as a client at this address; gateways believe it only from this machine or "
               "their trusted proxies");
  flags.Duration("--timeout", &timeout, "Give up after this long");
  flags.Switch("--json", &json, "Print the reply as JSON");
}

absl::StatusOr<std::unique_ptr<GatewayClient>> GatewayFlags::Connect() const {
  auto endpoint = Endpoint::Parse(gateway);
  if (!endpoint.ok()) return FieldError("--gateway", endpoint.status().message());
  if (!from.empty()) {
    auto address = IpAddress::Parse(from);
    if (!address.ok()) return FieldError("--from", address.status().message());
  }
  GatewayClientOptions options;
  options.address = gateway;
  options.from = from;
  options.timeout = timeout;
  auto client = std::make_unique<GatewayClient>(std::move(options));
  if (absl::Status connected = client->Connect(); !connected.ok()) return connected;
  return client;
}

void RecordFlags::Declare(Flags& flags, CallKind kind) {
  GatewayFlags::Declare(flags);
  flags.String("--namespace", &name_space, "The namespace", "HOMEPORT_NAMESPACE");
  flags.String("--token", &token, "The session token of an earlier reply, in base64",
               "HOMEPORT_TOKEN");
  flags.String("--session", &session_file,
               "A file that carries the session token from call to call");
  flags.Choice("--region", &region, {"client", "gateway", "fastest"},
               "Who chooses the region: the client's place, this gateway, or who answers first");
  flags.Switch("--local-only", &local_only, "This gateway's own replica, or an error");
  if (kind == CallKind::kRead) {
    flags.Choice("--level", &level, {"eventual", "session", "bounded", "latest"},
                 "How fresh the answer must be; the namespace's default if not given");
    flags.Duration("--max-staleness", &max_staleness,
                   "How old the answer may be at most; the level is then bounded");
  } else {
    flags.Integer("--regions", &regions, 0, 1000,
                  "Answer only once so many other regions have the write too");
  }
}

absl::StatusOr<std::string> RecordFlags::SessionToken() const {
  if (!token.empty() && !session_file.empty()) {
    return FieldError("--token", "not together with --session");
  }
  std::string text = token;
  if (!session_file.empty()) {
    std::ifstream file(session_file);
    // A session that has not begun has no file.
    if (!file) return std::string();
    std::stringstream content;
    content << file.rdbuf();
    text = content.str();
  }
  std::string bytes;
  if (!absl::Base64Unescape(absl::StripAsciiWhitespace(text), &bytes)) {
    return FieldError(session_file.empty() ? "--token" : session_file, "is not base64");
  }
  return bytes;
}

absl::StatusOr<v1::ReadOptions> RecordFlags::ToReadOptions() const {
  auto session = SessionToken();
  if (!session.ok()) return session.status();
  v1::ReadOptions options;
  options.set_consistency(LevelOf(level));
  if (max_staleness > absl::ZeroDuration()) {
    if (level.empty()) options.set_consistency(v1::CONSISTENCY_LEVEL_BOUNDED);
    absl::Duration rest = max_staleness;
    options.mutable_max_staleness()->set_seconds(absl::IDivDuration(rest, absl::Seconds(1), &rest));
    options.mutable_max_staleness()->set_nanos(
        static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  }
  options.set_session_token(*session);
  options.set_local_only(local_only);
  options.set_region_choice(ChoiceOf(region));
  return options;
}

absl::StatusOr<v1::WriteOptions> RecordFlags::ToWriteOptions() const {
  auto session = SessionToken();
  if (!session.ok()) return session.status();
  v1::WriteOptions options;
  options.set_session_token(*session);
  options.set_request_id(NewRequestId());
  options.set_acknowledged_by_regions(static_cast<uint32_t>(regions));
  options.set_local_only(local_only);
  options.set_region_choice(ChoiceOf(region));
  return options;
}

absl::Status RecordFlags::Keep(const std::string& session_token) const {
  if (session_file.empty()) return absl::OkStatus();
  // By rename, so that an interrupted call leaves the session as it was.
  const std::string part = session_file + ".part";
  {
    std::ofstream file(part, std::ios::trunc);
    file << absl::Base64Escape(session_token) << "\n";
    if (!file.flush()) return absl::InternalError(absl::StrCat("cannot write ", part));
  }
  std::error_code error;
  std::filesystem::rename(part, session_file, error);
  if (error) {
    return absl::InternalError(absl::StrCat("cannot write ", session_file, ": ", error.message()));
  }
  return absl::OkStatus();
}

int Fail(const absl::Status& status, CallKind kind) {
  fprintf(stderr, "homeport: %s", DescribeError(status).c_str());
  const int code = ExitCodeOf(status, kind);
  if (code == kExitUnknown) {
    fputs("The write may have happened: read before you repeat it.\n", stderr);
  }
  return code;
}

}  // namespace homeport
