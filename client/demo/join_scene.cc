#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/demo/interrupt.h"
#include "client/demo/load.h"
#include "client/demo/scenes.h"
#include "client/text/describe.h"

namespace homeport {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(200);
constexpr absl::Duration kPause = absl::Milliseconds(20);
constexpr absl::Duration kServesTimeout = absl::Seconds(90);
constexpr absl::Duration kEqualTimeout = absl::Seconds(30);
// What there is before the region comes, so that it takes a while to have it.
constexpr int kRecordsBefore = 1500;

const WorldRegion& NewRegion() {
  static const auto* const region = new WorldRegion{"eu-west-2", "GB", "London", 51.51, -0.13};
  return *region;
}

std::string PhaseInWords(v1::ReplicaPhase phase) {
  switch (phase) {
    case v1::REPLICA_PHASE_CATCHING_UP:
      return "catches up; reads and writes go elsewhere";
    case v1::REPLICA_PHASE_COMPARING:
      return "has caught up and answers reads; is being compared";
    case v1::REPLICA_PHASE_SERVING:
      return "serves reads and writes";
    default:
      return "does not say how far it is";
  }
}

// Fills the namespace from one client.
absl::Status Fill(GatewayClient& gateway) {
  for (int i = 0; i < kRecordsBefore; ++i) {
    if (i % 50 == 0) {
      if (absl::Status go_on = CheckInterrupt(); !go_on.ok()) return go_on;
    }
    v1::PutRequest put;
    put.set_namespace_(kDemoNamespace);
    put.set_id(absl::StrCat("archive/", i));
    put.set_value(std::string(512, static_cast<char>('a' + i % 26)));
    put.mutable_options()->set_request_id(NewRequestId());
    put.mutable_options()->set_local_only(true);
    if (auto answer = gateway.Put(put); !answer.ok()) return answer.status();
  }
  return absl::OkStatus();
}

// Says how far the region is whenever that is something new. True once it serves.
class Progress {
 public:
  explicit Progress(Stage* stage) : stage_(stage) {}

  bool Say(GatewayClient& joined) {
    auto status = joined.GetStatus({});
    if (!status.ok() || !status->has_replica()) return false;
    const v1::ReplicaStatus& replica = status->replica();
    const int percent = static_cast<int>(replica.progress() * 100);
    const bool catching_up = replica.phase() == v1::REPLICA_PHASE_CATCHING_UP;
    if (replica.phase() != phase_ || (catching_up && percent / 10 != percent_ / 10)) {
      phase_ = replica.phase();
      percent_ = percent;
      std::string line = absl::StrCat(NewRegion().name, " ", PhaseInWords(phase_));
      if (catching_up) absl::StrAppendFormat(&line, ": %d %%", percent);
      if (catching_up && replica.has_remaining()) {
        absl::StrAppend(&line, ", about ", Describe(DurationOf(replica.remaining())), " to go");
      }
      stage_->Say(line);
    }
    return phase_ == v1::REPLICA_PHASE_SERVING;
  }

 private:
  Stage* stage_;
  v1::ReplicaPhase phase_ = v1::REPLICA_PHASE_UNSPECIFIED;
  int percent_ = -1;
};

}  // namespace

absl::Status JoinScene(Stage& stage) {
  const WorldRegion& region = NewRegion();
  stage.Heading(absl::StrCat("A sixth region, ", region.name, " (", region.place,
                             "), joins while clients go on everywhere"));
  if (absl::Status filled = Fill(stage.direct(0)); !filled.ok()) return filled;
  std::vector<Journey> journeys;
  std::vector<absl::Duration> round_trips;
  for (int i = 0; i < stage.world().size(); ++i) {
    const WorldRegion& other = stage.world().regions()[i];
    Traveller between;
    between.latitude = region.latitude;
    between.longitude = region.longitude;
    round_trips.push_back(RoundTripTo(between, other.latitude, other.longitude));
    const auto traveller = std::find_if(Travellers().begin(), Travellers().end(),
                                        [&](const Traveller& t) { return t.region == other.name; });
    auto journey = stage.Travel(*traveller, i);
    if (!journey.ok()) return journey.status();
    journeys.push_back(*std::move(journey));
  }
  std::vector<std::unique_ptr<Writer>> writers;
  for (size_t i = 0; i < journeys.size(); ++i) {
    writers.push_back(std::make_unique<Writer>(kDemoNamespace, absl::StrCat("join/", i),
                                               journeys[i].gateway.get(), nullptr, kPause));
  }
  const absl::Time start = absl::Now();
  absl::Status joined = stage.world().Join(region, round_trips, [] { return !Interrupted(); });
  bool serves = false;
  if (joined.ok()) {
    stage.AddRegion();
    stage.Say(
        absl::StrCat("the topology file has it with `joining: true`; its process runs, with "
                     "an empty disk"));
    Progress progress(&stage);
    while (joined.ok() && !serves && absl::Now() - start < kServesTimeout) {
      serves = progress.Say(stage.direct(stage.world().size() - 1));
      if (!serves) joined = Sleep(kPoll);
    }
  }
  std::vector<LoadResult> results;
  for (auto& writer : writers) results.push_back(writer->Stop());
  if (!joined.ok()) return joined;
  const LoadResult all = Sum(results);
  stage.Say(
      absl::StrFormat("%s after its start; meanwhile %d writes elsewhere, slowest %s, "
                      "failures: %d",
                      Describe(absl::Now() - start), all.writes, Describe(all.slowest),
                      all.failed + all.unknown + all.wrong));
  for (const std::string& error : all.errors) stage.Say(absl::StrCat("error: ", error));

  // A client near it is served there.
  v1::PutRequest put;
  put.set_namespace_(kDemoNamespace);
  put.set_id("join/first");
  put.set_value("written in the new region");
  put.mutable_options()->set_request_id(NewRequestId());
  put.mutable_options()->set_local_only(true);
  auto first = stage.direct(stage.world().size() - 1).Put(put);
  if (!first.ok()) stage.Say(absl::StrCat("its first write: ", first.status().message()));
  auto contents = stage.AwaitEqual(kEqualTimeout);
  if (!contents.ok()) return contents.status();
  const Differences differences = Compare(stage.names(), *contents);
  for (const std::string& example : differences.examples) stage.Say(example);

  Claims& claims = stage.claims();
  claims.Add("a new region joins, and no write anywhere waits or fails for it",
             serves && all.writes > 0 && all.failed + all.unknown + all.wrong == 0,
             absl::StrCat(all.writes, " writes, ", all.failed + all.unknown, " failures"));
  claims.Add(
      "it has everything that the others have, and takes writes",
      first.ok() && differences.count == 0 && contents->back().records > kRecordsBefore,
      absl::StrCat(contents->back().records, " records, ", differences.count, " differences"));
  return absl::OkStatus();
}

}  // namespace homeport
