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

constexpr char kIsolated[] = "eu-central-1";
constexpr char kOther[] = "us-east-1";
constexpr absl::Duration kLoad = absl::Seconds(4);
constexpr absl::Duration kPause = absl::Milliseconds(20);
constexpr absl::Duration kEqualTimeout = absl::Seconds(30);

const Traveller& FirstOf(const std::string& region) {
  return *std::find_if(Travellers().begin(), Travellers().end(),
                       [&](const Traveller& t) { return t.region == region; });
}

absl::StatusOr<v1::PutResponse> PutMotto(GatewayClient& gateway, const std::string& value) {
  v1::PutRequest put;
  put.set_namespace_(kDemoNamespace);
  put.set_id("shared/motto");
  put.set_value(value);
  put.mutable_options()->set_request_id(NewRequestId());
  return gateway.Put(put);
}

void SayDegraded(Stage& stage, int region) {
  auto status = stage.direct(region).GetStatus({});
  if (!status.ok()) return;
  int down = 0;
  std::string example;
  for (const v1::LinkStatus& link : status->replica().links()) {
    if (link.state() == v1::LINK_STATE_STREAMING) continue;
    ++down;
    example = absl::StrCat(link.peer(), " ", Describe(link.state()), link.has_lag() ? ", lag " : "",
                           link.has_lag() ? Describe(DurationOf(link.lag())) : "");
  }
  stage.Say(absl::StrCat("degraded, says ", stage.region_name(region), ": ", down, " of ",
                         status->replica().links_size(), " links down",
                         example.empty() ? "" : absl::StrCat(" (", example, ")")));
}

}  // namespace

absl::Status IsolationScene(Stage& stage) {
  const int isolated = stage.RegionIndex(kIsolated);
  const int other = stage.RegionIndex(kOther);
  stage.Heading(absl::StrCat("Every link of ", kIsolated, " is cut; clients go on everywhere"));
  // One client by each gateway, and a European who is in America.
  std::vector<Journey> journeys;
  for (const std::string& name : stage.names()) {
    auto journey = stage.Travel(FirstOf(name), stage.RegionIndex(name));
    if (!journey.ok()) return journey.status();
    journeys.push_back(*std::move(journey));
  }
  auto abroad = stage.Travel(FirstOf(kIsolated), other);
  if (!abroad.ok()) return abroad.status();
  journeys.push_back(*std::move(abroad));

  stage.world().Isolate(isolated, LinkFailure::kCut);
  std::vector<std::unique_ptr<Writer>> writers;
  for (size_t i = 0; i < journeys.size(); ++i) {
    writers.push_back(std::make_unique<Writer>(kDemoNamespace, absl::StrCat("isolation/", i),
                                               journeys[i].gateway.get(), nullptr, kPause));
  }
  // Both sides write the same item.
  auto here = PutMotto(stage.direct(isolated), "written inside");
  auto there = PutMotto(stage.direct(other), "written outside");
  const absl::Status waited = Sleep(kLoad);
  SayDegraded(stage, other);
  SayDegraded(stage, isolated);
  std::vector<LoadResult> results;
  for (auto& writer : writers) results.push_back(writer->Stop());
  stage.world().HealAll();
  const absl::Time healed = absl::Now();
  if (!waited.ok()) return waited;
  if (!here.ok()) return here.status();
  if (!there.ok()) return there.status();

  const LoadResult inside = results[static_cast<size_t>(isolated)];
  const LoadResult& travelling = results.back();
  const LoadResult all = Sum(results);
  stage.Say(
      absl::StrFormat("inside: %d writes, %d reads; outside: %d writes, %d reads; failures: %d",
                      inside.writes, inside.reads, all.writes - inside.writes,
                      all.reads - inside.reads, all.failed + all.unknown + all.wrong));
  stage.Say(
      absl::StrFormat("a European in America: %d of %d writes taken by another region, slowest %s",
                      travelling.failovers, travelling.writes, Describe(travelling.slowest)));
  for (const std::string& error : all.errors) stage.Say(absl::StrCat("error: ", error));

  stage.Heading("The links are healed");
  auto contents = stage.AwaitEqual(kEqualTimeout);
  if (!contents.ok()) return contents.status();
  const Differences differences = Compare(stage.names(), *contents);
  stage.Say(absl::StrCat("all regions hold the same after ", Describe(absl::Now() - healed),
                         " (reading them included): ", contents->front().records, " records"));
  for (const std::string& example : differences.examples) stage.Say(example);

  // The later version wins, in every region.
  const v1::Version& winner =
      std::max(here->version(), there->version(), [](const v1::Version& a, const v1::Version& b) {
        return std::make_pair(a.hybrid_time(), a.origin()) <
               std::make_pair(b.hybrid_time(), b.origin());
      });
  size_t winners = 0;
  size_t lost = 0;
  for (size_t i = 0; i < contents->size(); ++i) {
    const auto& items = (*contents)[i].items;
    auto it = items.find({kDemoNamespace, "shared/motto", ""});
    winners += it != items.end() && it->second.hybrid_time == winner.hybrid_time() &&
               it->second.origin == winner.origin();
    lost += Missing(all.acknowledged, stage.region_name(static_cast<int>(i)), (*contents)[i]).count;
  }
  Claims& claims = stage.claims();
  claims.Add("a region that is cut off goes on reading and writing",
             inside.writes > 0 && inside.reads == inside.writes && inside.failed == 0 &&
                 inside.unknown == 0,
             absl::StrCat(inside.writes, " writes, ", inside.failed + inside.unknown, " failures"));
  claims.Add("so do the others, and its clients elsewhere",
             all.failed + all.unknown + all.wrong == 0 && travelling.writes > 0 &&
                 travelling.failovers == travelling.writes,
             absl::StrCat(all.writes - inside.writes, " writes, ",
                          all.failed + all.unknown - inside.failed - inside.unknown, " failures"));
  claims.Add("after healing all regions are equal", differences.count == 0,
             absl::StrCat(differences.count, " differences"));
  claims.Add("of two writes to one item the later version wins everywhere",
             winners == contents->size(), absl::StrCat(winners, " of ", contents->size()));
  claims.Add("no write acknowledged during the cut is lost", lost == 0,
             absl::StrCat(all.acknowledged.size(), " writes, ", lost, " lost"));
  return absl::OkStatus();
}

}  // namespace homeport
