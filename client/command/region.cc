#include <stdio.h>

#include <functional>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/command/client_flags.h"
#include "client/command/commands.h"
#include "client/text/region_text.h"
#include "common/status/error.h"

namespace homeport {
namespace {

constexpr absl::Duration kPollInterval = absl::Milliseconds(500);

struct RegionFlags : GatewayFlags {
  std::string region;
  std::vector<std::string> at;
  absl::Duration wait = absl::Hours(1);

  void DeclareRegion(Flags& flags) {
    flags.Argument("NAME", &region, /*required=*/true, "The region");
    GatewayFlags::Declare(flags);
    flags.Strings("--at", &at,
                  "HOST:PORT of a gateway of the region, for each of its replicas; else those of "
                  "the topology");
    flags.Duration("--wait", &wait, "Give up after this long; what was begun goes on");
  }
};

// What the gateway's topology says of the region.
absl::StatusOr<v1::RegionStatus> FindRegion(const RegionFlags& flags, absl::string_view field) {
  auto client = flags.Connect();
  if (!client.ok()) return client.status();
  auto status = (*client)->GetStatus({});
  if (!status.ok()) return status.status();
  std::vector<std::string> names;
  for (const v1::RegionStatus& region : status->regions()) {
    if (region.name() == flags.region) return region;
    names.push_back(region.name());
  }
  return FieldError(
      "NAME",
      absl::StrCat("the topology has no region '", flags.region, "'; write it into the file with '",
                   field, ": true' and roll it out first. It has ", absl::StrJoin(names, ", ")));
}

// Each replica of the region, as its own process sees it; those that do not answer are left out.
std::map<std::string, v1::ReplicaStatus> AskReplicas(const RegionFlags& flags,
                                                     const v1::RegionStatus& region) {
  std::vector<std::string> addresses = flags.at;
  if (addresses.empty()) addresses.assign(region.gateways().begin(), region.gateways().end());
  std::map<std::string, v1::ReplicaStatus> replicas;
  for (const std::string& address : addresses) {
    GatewayFlags one = flags;
    one.gateway = address;
    auto client = one.Connect();
    if (!client.ok()) continue;
    auto status = (*client)->GetStatus({});
    if (status.ok() && status->has_replica())
      replicas[status->replica().name()] = status->replica();
  }
  return replicas;
}

// Asks until `done` holds for every replica of the region. `refused` says of a replica why that
// will never be; empty: it may.
int Follow(const RegionFlags& flags, const v1::RegionStatus& region,
           const std::function<std::string(const v1::ReplicaStatus&)>& describe,
           const std::function<std::string(const v1::ReplicaStatus&)>& refused,
           const std::function<bool(const v1::ReplicaStatus&)>& done) {
  const absl::Time until = absl::Now() + flags.wait;
  std::map<std::string, std::string> shown;
  while (true) {
    const std::map<std::string, v1::ReplicaStatus> replicas = AskReplicas(flags, region);
    bool all = true;
    for (const v1::RemoteReplicaStatus& listed : region.replicas()) {
      auto found = replicas.find(listed.name());
      std::string line = absl::StrCat(listed.name(), ": does not answer");
      if (found != replicas.end()) {
        if (const std::string why = refused(found->second); !why.empty()) {
          return Fail(absl::FailedPreconditionError(why), CallKind::kRead);
        }
        line = describe(found->second);
        all &= done(found->second);
      } else {
        all = false;
      }
      if (shown[listed.name()] != line) printf("%s\n", line.c_str());
      shown[listed.name()] = line;
    }
    fflush(stdout);
    if (all) return kExitOk;
    if (absl::Now() >= until) {
      fprintf(stderr, "homeport: gave up after %s; what was begun goes on\n",
              absl::FormatDuration(flags.wait).c_str());
      return kExitUnavailable;
    }
    absl::SleepFor(kPollInterval);
  }
}

}  // namespace

int RunRegionJoin(const Arguments& arguments) {
  Flags flags("region join",
              "Shows how far a new region is, and returns when it serves. First write it into the "
              "topology file with 'joining: true', roll the file out, and start its processes.",
              {"homeport region join eu-north --gateway 127.0.0.1:7011"});
  RegionFlags options;
  options.DeclareRegion(flags);
  if (auto code = flags.ParseOrExit(arguments)) return *code;
  auto region = FindRegion(options, "joining");
  if (!region.ok()) return Fail(region.status(), CallKind::kRead);
  const int code = Follow(
      options, *region, DescribeJoin,
      [&](const v1::ReplicaStatus& replica) {
        return replica.phase() == v1::REPLICA_PHASE_LEAVING
                   ? absl::StrCat("region '", options.region, "' is leaving, by the topology")
                   : "";
      },
      HasJoined);
  if (code == kExitOk) printf("%s serves\n", options.region.c_str());
  return code;
}

int RunRegionLeave(const Arguments& arguments) {
  Flags flags(
      "region leave",
      "Shows what a leaving region has still to hand over, and returns when all others have "
      "all of it. First write 'leaving: true' into the topology file and roll it out.",
      {"homeport region leave eu-north --gateway 127.0.0.1:7011"});
  RegionFlags options;
  options.DeclareRegion(flags);
  if (auto code = flags.ParseOrExit(arguments)) return *code;
  auto region = FindRegion(options, "leaving");
  if (!region.ok()) return Fail(region.status(), CallKind::kRead);
  const int code = Follow(
      options, *region,
      [&](const v1::ReplicaStatus& replica) { return DescribeLeave(replica, options.region); },
      [&](const v1::ReplicaStatus& replica) {
        return replica.phase() == v1::REPLICA_PHASE_LEAVING
                   ? ""
                   : absl::StrCat(replica.name(),
                                  " takes writes: write 'leaving: true' for region '",
                                  options.region, "' into the topology file and roll it out first");
      },
      [&](const v1::ReplicaStatus& replica) { return HasHandedOver(replica, options.region); });
  if (code == kExitOk) {
    printf("%s has handed over everything; stop it and remove it from the topology file\n",
           options.region.c_str());
  }
  return code;
}

}  // namespace homeport
