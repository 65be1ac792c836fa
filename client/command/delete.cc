#include <stdio.h>

#include "client/command/client_flags.h"
#include "client/command/commands.h"
#include "client/text/describe.h"

namespace homeport {

int RunDelete(const Arguments& arguments) {
  Flags flags("delete", "Deletes one item. Deleting what is not there is not an error.",
              {"homeport delete user/7", "homeport delete user/7 --key name"});
  RecordFlags options;
  std::string id;
  std::string key;
  flags.Argument("ID", &id, /*required=*/true, "The record");
  flags.String("--key", &key, "The item in the record; the empty key if not given");
  options.Declare(flags, CallKind::kWrite);
  if (auto code = flags.ParseOrExit(arguments)) return *code;

  // Until the request is sent an error is definite, whatever its code.
  auto write_options = options.ToWriteOptions();
  if (!write_options.ok()) return Fail(write_options.status(), CallKind::kRead);
  auto client = options.Connect();
  if (!client.ok()) return Fail(client.status(), CallKind::kRead);
  v1::DeleteRequest request;
  request.set_namespace_(options.name_space);
  request.set_id(id);
  request.set_key(key);
  *request.mutable_options() = *std::move(write_options);
  auto response = (*client)->Delete(request);
  if (!response.ok()) return Fail(response.status(), CallKind::kWrite);
  if (absl::Status kept = options.Keep(response->session_token()); !kept.ok()) {
    return Fail(kept, CallKind::kRead);
  }
  if (options.json) {
    fputs(ToJson(*response).c_str(), stdout);
  } else {
    printf("deleted: version %s, at %s\n", Describe(response->version()).c_str(),
           Describe(response->provenance()).c_str());
    if (options.regions > 0) {
      printf("other regions that have it: %u\n", response->acknowledged_by_regions());
    }
  }
  return kExitOk;
}

}  // namespace homeport
