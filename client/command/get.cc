#include <stdio.h>

#include "client/command/client_flags.h"
#include "client/command/commands.h"
#include "client/text/describe.h"

namespace homeport {

int RunGet(const Arguments& arguments) {
  Flags flags("get", "Reads one item: its value to stdout, where it came from to stderr.",
              {"homeport get user/7", "homeport get user/7 --key name --from 200.160.2.3",
               "homeport get user/7 --level eventual --local-only --json",
               "homeport get user/7 --session /tmp/me   # reads what `put --session` wrote"});
  RecordFlags options;
  std::string id;
  std::string key;
  flags.Argument("ID", &id, /*required=*/true, "The record");
  flags.String("--key", &key, "The item in the record; the empty key if not given");
  options.Declare(flags, CallKind::kRead);
  if (auto code = flags.ParseOrExit(arguments)) return *code;

  auto read_options = options.ToReadOptions();
  if (!read_options.ok()) return Fail(read_options.status(), CallKind::kRead);
  auto client = options.Connect();
  if (!client.ok()) return Fail(client.status(), CallKind::kRead);
  v1::GetRequest request;
  request.set_namespace_(options.name_space);
  request.set_id(id);
  request.set_key(key);
  *request.mutable_options() = *std::move(read_options);
  auto response = (*client)->Get(request);
  if (!response.ok()) return Fail(response.status(), CallKind::kRead);
  if (absl::Status kept = options.Keep(response->session_token()); !kept.ok()) {
    return Fail(kept, CallKind::kRead);
  }
  if (options.json) {
    fputs(ToJson(*response).c_str(), stdout);
  } else {
    const std::string from = Describe(response->provenance());
    if (response->has_item()) {
      const std::string& value = response->item().value();
      fwrite(value.data(), 1, value.size(), stdout);
      fputc('\n', stdout);
      fflush(stdout);
      fprintf(stderr, "version %s, from %s\n", Describe(response->version()).c_str(), from.c_str());
    } else {
      fprintf(stderr, "no such item%s, says %s\n",
              response->version().hybrid_time() != 0
                  ? (" (deleted at " + Describe(response->version()) + ")").c_str()
                  : "",
              from.c_str());
    }
  }
  return response->has_item() ? kExitOk : kExitFalse;
}

}  // namespace homeport
