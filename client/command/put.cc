#include <stdio.h>

#include <iostream>
#include <iterator>

#include "client/command/client_flags.h"
#include "client/command/commands.h"
#include "client/text/describe.h"

namespace homeport {

int RunPut(const Arguments& arguments) {
  Flags flags(
      "put", "Writes one item.",
      {"homeport put user/7 Ada", "homeport put user/7 Ada --key name --from 200.160.2.3",
       "homeport put picture/1 - < picture.png", "homeport put user/7 Ada --session /tmp/me",
       "homeport put session/9 token --ttl 1h"});
  RecordFlags options;
  std::string id;
  std::string key;
  std::string value;
  absl::Duration ttl;
  flags.Argument("ID", &id, /*required=*/true, "The record");
  flags.Argument("VALUE", &value, /*required=*/true, "The value; - reads it from stdin");
  flags.String("--key", &key, "The item in the record; the empty key if not given");
  flags.Duration("--ttl", &ttl, "How long the item lives; as the namespace says if not given");
  options.Declare(flags, CallKind::kWrite);
  if (auto code = flags.ParseOrExit(arguments)) return *code;

  if (value == "-") {
    value.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  }
  // Until the request is sent an error is definite, whatever its code.
  auto write_options = options.ToWriteOptions();
  if (!write_options.ok()) return Fail(write_options.status(), CallKind::kRead);
  auto client = options.Connect();
  if (!client.ok()) return Fail(client.status(), CallKind::kRead);
  v1::PutRequest request;
  request.set_namespace_(options.name_space);
  request.set_id(id);
  request.set_key(key);
  request.set_value(value);
  if (ttl > absl::ZeroDuration()) {
    request.mutable_ttl()->set_seconds(absl::IDivDuration(ttl, absl::Seconds(1), &ttl));
    request.mutable_ttl()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(ttl)));
  }
  *request.mutable_options() = *std::move(write_options);
  auto response = (*client)->Put(request);
  if (!response.ok()) return Fail(response.status(), CallKind::kWrite);
  if (absl::Status kept = options.Keep(response->session_token()); !kept.ok()) {
    return Fail(kept, CallKind::kRead);
  }
  if (options.json) {
    fputs(ToJson(*response).c_str(), stdout);
  } else {
    printf("written: version %s, at %s\n", Describe(response->version()).c_str(),
           Describe(response->provenance()).c_str());
    if (options.regions > 0) {
      printf("other regions that have it: %u\n", response->acknowledged_by_regions());
    }
  }
  return kExitOk;
}

}  // namespace homeport
