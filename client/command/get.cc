#include <stdio.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/command/client_flags.h"
#include "client/command/commands.h"
#include "client/text/describe.h"

namespace homeport {
namespace {

// A value as it is; a counter's number; a set's elements, escaped, one a line.
std::string ValueText(const v1::Item& item) {
  if (item.has_counter()) return absl::StrCat(item.counter(), "\n");
  if (item.elements().empty()) return absl::StrCat(item.value(), "\n");
  std::string text;
  for (const std::string& element : item.elements()) {
    absl::StrAppend(&text, absl::Utf8SafeCEscape(element), "\n");
  }
  return text;
}

}  // namespace

int RunGet(const Arguments& arguments) {
  Flags flags(
      "get",
      "Reads one item: its value, number or elements to stdout, where it came from to stderr.",
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
      const v1::Item& item = response->item();
      const std::string value = ValueText(item);
      fwrite(value.data(), 1, value.size(), stdout);
      fflush(stdout);
      fprintf(stderr, "version %s, from %s\n", Describe(response->version()).c_str(), from.c_str());
      if (item.has_expires()) fprintf(stderr, "expires %s\n", Describe(item.expires()).c_str());
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
