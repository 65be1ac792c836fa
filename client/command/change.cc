#include <stdio.h>

#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "client/command/client_flags.h"
#include "client/command/commands.h"
#include "client/text/describe.h"

namespace homeport {
namespace {

// Makes one change of one item, and tells what came of it.
int MakeChange(const RecordFlags& options, const std::string& id, v1::Change change) {
  // Until the request is sent an error is definite, whatever its code.
  auto write_options = options.ToWriteOptions();
  if (!write_options.ok()) return Fail(write_options.status(), CallKind::kRead);
  auto client = options.Connect();
  if (!client.ok()) return Fail(client.status(), CallKind::kRead);
  v1::MutateRequest request;
  request.set_namespace_(options.name_space);
  request.set_id(id);
  *request.add_changes() = std::move(change);
  *request.mutable_options() = *std::move(write_options);
  auto response = (*client)->Mutate(request);
  if (!response.ok()) return Fail(response.status(), CallKind::kWrite);
  if (absl::Status kept = options.Keep(response->session_token()); !kept.ok()) {
    return Fail(kept, CallKind::kRead);
  }
  if (options.json) {
    fputs(ToJson(*response).c_str(), stdout);
    return kExitOk;
  }
  printf("changed: version %s, at %s\n", Describe(response->version()).c_str(),
         Describe(response->provenance()).c_str());
  if (options.regions > 0) {
    printf("other regions that have it: %u\n", response->acknowledged_by_regions());
  }
  return kExitOk;
}

}  // namespace

int RunAdd(const Arguments& arguments) {
  Flags flags("add", "Adds to a number, in a namespace of counters.",
              {"homeport add page/home --namespace views", "homeport add page/home 10 --key today",
               "homeport add page/home -1"});
  RecordFlags options;
  std::string id;
  std::string key;
  std::optional<std::string> number;
  flags.Argument("ID", &id, /*required=*/true, "The record");
  flags.Argument("N", &number, "How much; 1 if not given, below 0 to subtract");
  flags.String("--key", &key, "The item in the record; the empty key if not given");
  options.Declare(flags, CallKind::kWrite);
  if (auto code = flags.ParseOrExit(arguments)) return *code;

  int64_t delta = 1;
  if (number && !absl::SimpleAtoi(*number, &delta)) {
    fprintf(stderr, "homeport add: N: \"%s\" is not a signed 64-bit number\n", number->c_str());
    return kExitUsage;
  }
  v1::Change change;
  change.set_key(key);
  change.set_add(delta);
  return MakeChange(options, id, std::move(change));
}

int RunSet(const Arguments& arguments) {
  Flags flags("set", "Adds elements to a set and removes some, in a namespace of sets.",
              {"homeport set user/7 --key tags --add red --add blue --namespace tags",
               "homeport set user/7 --key tags --add green --remove red"});
  RecordFlags options;
  std::string id;
  std::string key;
  std::vector<std::string> add;
  std::vector<std::string> remove;
  flags.Argument("ID", &id, /*required=*/true, "The record");
  flags.String("--key", &key, "The item in the record; the empty key if not given");
  flags.Strings("--add", &add, "An element to add; may be given several times");
  flags.Strings("--remove", &remove, "An element to remove; may be given several times");
  options.Declare(flags, CallKind::kWrite);
  if (auto code = flags.ParseOrExit(arguments)) return *code;

  v1::Change change;
  change.set_key(key);
  v1::SetChange& set = *change.mutable_set();
  for (std::string& element : add) set.add_add(std::move(element));
  for (std::string& element : remove) set.add_remove(std::move(element));
  return MakeChange(options, id, std::move(change));
}

}  // namespace homeport
