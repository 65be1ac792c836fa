#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/command/client_flags.h"
#include "client/command/commands.h"
#include "client/text/conflict_text.h"
#include "client/text/describe.h"
#include "client/text/text_table.h"
#include "common/status/error.h"

namespace homeport {
namespace {

// As the gateway has it.
constexpr int kPageSizeMax = 1000;

// A process that may have the journal that is wanted.
struct Place {
  std::string region;
  std::string gateway;
};

// The gateways of every region, or of one. `client` is connected to the one that was named.
absl::StatusOr<std::vector<Place>> GatewaysOf(GatewayClient& client,
                                              const std::optional<std::string>& only_region) {
  auto status = client.GetStatus({});
  if (!status.ok()) return status.status();
  std::vector<Place> places;
  for (const v1::RegionStatus& region : status->regions()) {
    if (region.replicas().empty() || (only_region && region.name() != *only_region)) continue;
    for (const std::string& gateway : region.gateways()) places.push_back({region.name(), gateway});
  }
  return places;
}

struct ListFlags : GatewayFlags {
  std::optional<std::string> id;
  std::string name_space;
  std::string replica;
  absl::Duration since = absl::InfiniteDuration();
  int limit = 1000;
  bool here = false;

  v1::ListConflictsRequest ToRequest() const {
    v1::ListConflictsRequest request;
    request.set_namespace_(name_space);
    if (id) request.set_record_id(*id);
    request.set_replica(replica);
    if (since != absl::InfiniteDuration()) {
      const absl::Time from = absl::Now() - since;
      request.mutable_from()->set_seconds(absl::ToUnixSeconds(from));
    }
    return request;
  }
};

// What was found in all journals.
class Found {
 public:
  explicit Found(const ListFlags* flags) : flags_(flags) {}

  // Lists one journal.
  absl::Status Ask(GatewayClient& client) {
    v1::ListConflictsRequest request = flags_->ToRequest();
    int left = flags_->limit;
    do {
      request.set_page_size(std::min(left, kPageSizeMax));
      auto page = client.ListConflicts(request);
      if (!page.ok()) return page.status();
      // Two gateways may be one process.
      if (request.page_token().empty() && !asked_.emplace(page->replica(), true).second) {
        return absl::OkStatus();
      }
      if (flags_->json) fputs(ToJson(*page).c_str(), stdout);
      left -= page->conflicts_size();
      request.set_page_token(page->next_page_token());
      for (v1::Conflict& conflict : *page->mutable_conflicts()) {
        conflicts_.push_back(std::move(conflict));
      }
    } while (left > 0 && !request.page_token().empty());
    if (!request.page_token().empty()) more_ = true;
    return absl::OkStatus();
  }

  void Print() {
    if (!flags_->json) {
      // The times of different replicas are those of their clocks, which agree well enough to read.
      std::stable_sort(
          conflicts_.begin(), conflicts_.end(), [](const v1::Conflict& a, const v1::Conflict& b) {
            const auto key = [](const v1::Conflict& conflict) {
              return std::make_pair(conflict.overtaken().seconds(), conflict.overtaken().nanos());
            };
            return key(a) < key(b);
          });
      if (conflicts_.empty() && !asked_.empty()) {
        printf("no conflicts\n");
      } else if (!conflicts_.empty()) {
        fputs(DescribeConflicts(conflicts_, TerminalHasColours(STDOUT_FILENO)).c_str(), stdout);
      }
    }
    if (more_) fprintf(stderr, "there is more: raise --limit, or say --since\n");
  }

 private:
  const ListFlags* flags_;
  std::map<std::string, bool> asked_;
  std::vector<v1::Conflict> conflicts_;
  bool more_ = false;
};

bool NotHere(const absl::Status& status) { return ReasonOf(status) == reason::kReplicaNotHere; }

// Asks each of `places` for as long as `use` says that the journal is not there.
template <typename Use>
absl::Status AskUntilFound(const GatewayFlags& flags, const std::vector<Place>& places, Use use) {
  absl::Status last = absl::OkStatus();
  for (const Place& place : places) {
    GatewayFlags there = flags;
    there.gateway = place.gateway;
    auto client = there.Connect();
    absl::Status status = client.ok() ? use(**client) : client.status();
    if (status.ok()) return status;
    if (client.ok() && !NotHere(status)) return status;
    // That a process did not answer says more than that another is the wrong one.
    if (last.ok() || NotHere(last)) last = std::move(status);
  }
  return last;
}

// Calls `use` with a client of the process that has the conflict: the gateway that was named, or
// one of the conflict's region.
template <typename Use>
absl::Status AskOwner(const GatewayFlags& flags, const std::string& id, Use use) {
  auto client = flags.Connect();
  if (!client.ok()) return client.status();
  absl::Status here = use(**client);
  if (!NotHere(here)) return here;
  auto places = GatewaysOf(**client, id.substr(0, id.find('/')));
  if (!places.ok()) return places.status();
  absl::Status there = AskUntilFound(flags, *places, use);
  return places->empty() ? here : there;
}

}  // namespace

int RunConflictsList(const Arguments& arguments) {
  Flags flags("conflicts list",
              "Lists writes that others overtook without having seen them, from the journals of "
              "the replicas that accepted them. All regions are asked.",
              {"homeport conflicts list", "homeport conflicts list --since 1h",
               "homeport conflicts list user/7 --namespace demo --json",
               "homeport conflicts list --here --gateway 127.0.0.1:7021"});
  ListFlags options;
  flags.Argument("ID", &options.id, "Only of this record");
  flags.String("--namespace", &options.name_space, "Only of this namespace; with an ID: demo",
               "HOMEPORT_NAMESPACE");
  flags.Duration("--since", &options.since, "Only what was found in the time up to now");
  flags.String("--replica", &options.replica, "Only the journal of this replica, REGION/NAME");
  flags.Switch("--here", &options.here, "Only the journal of this gateway's own process");
  flags.Integer("--limit", &options.limit, 1, 1'000'000, "At most this many of each replica");
  options.Declare(flags);
  if (auto code = flags.ParseOrExit(arguments)) return *code;
  if (options.id.has_value() && options.name_space.empty()) options.name_space = "demo";

  auto client = options.Connect();
  if (!client.ok()) return Fail(client.status(), CallKind::kRead);
  Found found(&options);
  if (options.here) {
    if (auto status = found.Ask(**client); !status.ok()) return Fail(status, CallKind::kRead);
    found.Print();
    return kExitOk;
  }
  std::optional<std::string> region;
  if (!options.replica.empty()) region = options.replica.substr(0, options.replica.find('/'));
  auto places = GatewaysOf(**client, region);
  if (!places.ok()) return Fail(places.status(), CallKind::kRead);
  if (!options.replica.empty()) {
    absl::Status status =
        AskUntilFound(options, *places, [&](GatewayClient& there) { return found.Ask(there); });
    if (status.ok() && places->empty()) {
      status = FieldError("--replica", "the topology has no such replica");
    }
    if (!status.ok()) return Fail(status, CallKind::kRead);
    found.Print();
    return kExitOk;
  }
  int code = kExitOk;
  std::vector<std::string> missing;
  for (const Place& place : *places) {
    GatewayFlags there = options;
    there.gateway = place.gateway;
    auto other = there.Connect();
    const absl::Status status = other.ok() ? found.Ask(**other) : other.status();
    // A gateway without a replica has no journal to be missed.
    if (status.ok() || NotHere(status)) continue;
    missing.push_back(absl::StrCat(place.region, " (", place.gateway, "): ", status.message()));
    if (code == kExitOk) code = ExitCodeOf(status, CallKind::kRead);
  }
  found.Print();
  for (const std::string& line : missing) {
    fprintf(stderr, "homeport: not listed: %s\n", line.c_str());
  }
  return code;
}

int RunConflictsShow(const Arguments& arguments) {
  Flags flags("conflicts show", "Shows one conflict with the whole value that lost.",
              {"homeport conflicts show eu-west/a:0006439b2f1c0d00",
               "homeport conflicts show eu-west/a:0006439b2f1c0d00 --value > lost.png"});
  GatewayFlags options;
  std::string id;
  bool value_only = false;
  flags.Argument("CONFLICT", &id, /*required=*/true, "The conflict, as `conflicts list` has it");
  flags.Switch("--value", &value_only, "Print the lost value and nothing else");
  options.Declare(flags);
  if (auto code = flags.ParseOrExit(arguments)) return *code;

  v1::GetConflictResponse response;
  v1::GetConflictRequest request;
  request.set_id(id);
  absl::Status status = AskOwner(options, id, [&](GatewayClient& client) {
    auto answer = client.GetConflict(request);
    if (!answer.ok()) return answer.status();
    response = *std::move(answer);
    return absl::OkStatus();
  });
  if (!status.ok()) return Fail(status, CallKind::kRead);
  if (value_only) {
    if (response.conflict().deleted()) {
      fprintf(stderr, "homeport: what lost was a delete\n");
      return kExitFalse;
    }
    fwrite(response.conflict().value().data(), 1, response.conflict().value().size(), stdout);
    return kExitOk;
  }
  fputs((options.json ? ToJson(response) : DescribeConflict(response.conflict())).c_str(), stdout);
  return kExitOk;
}

int RunConflictsRestore(const Arguments& arguments) {
  Flags flags("conflicts restore",
              "Writes a value that lost anew, at the replica that had accepted it, and marks the "
              "conflict as restored. Doing it again changes nothing.",
              {"homeport conflicts restore eu-west/a:0006439b2f1c0d00"});
  GatewayFlags options;
  std::string id;
  flags.Argument("CONFLICT", &id, /*required=*/true, "The conflict, as `conflicts list` has it");
  options.Declare(flags);
  if (auto code = flags.ParseOrExit(arguments)) return *code;

  v1::RestoreConflictResponse response;
  v1::RestoreConflictRequest request;
  request.set_id(id);
  absl::Status status = AskOwner(options, id, [&](GatewayClient& client) {
    auto answer = client.RestoreConflict(request);
    if (!answer.ok()) return answer.status();
    response = *std::move(answer);
    return absl::OkStatus();
  });
  if (!status.ok()) return Fail(status, CallKind::kWrite);
  if (options.json) {
    fputs(ToJson(response).c_str(), stdout);
  } else {
    printf("%s: version %s\n", response.repeated() ? "was restored before" : "restored",
           Describe(response.version()).c_str());
  }
  return kExitOk;
}

}  // namespace homeport
