#include <stdio.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/demo/scenes.h"
#include "client/text/describe.h"

namespace homeport {
namespace {

constexpr absl::Duration kEverywhereTimeout = absl::Seconds(10);
constexpr absl::Duration kPoll = absl::Microseconds(300);

// What is claimed of all visits together.
struct Tally {
  int visits = 0;
  int located = 0;
  int nearest = 0;
  int read_back = 0;
  int everywhere = 0;
  int not_too_fast = 0;
  int forwarded = 0;
  std::set<std::string> countries;
};

bool AtLeast(const v1::Version& version, const v1::Version& other) {
  return std::make_pair(version.hybrid_time(), version.origin()) >=
         std::make_pair(other.hybrid_time(), other.origin());
}

// From now until every region has the write; infinite if one has not in time.
absl::StatusOr<absl::Duration> AwaitEverywhere(Stage& stage, const v1::PutRequest& put,
                                               const v1::Version& version) {
  const absl::Time start = absl::Now();
  v1::GetRequest get;
  get.set_namespace_(put.namespace_());
  get.set_id(put.id());
  get.set_key(put.key());
  get.mutable_options()->set_local_only(true);
  get.mutable_options()->set_consistency(v1::CONSISTENCY_LEVEL_EVENTUAL);
  std::set<int> waiting;
  for (int i = 0; i < stage.world().size(); ++i) waiting.insert(i);
  while (!waiting.empty()) {
    if (absl::Status go_on = CheckInterrupt(); !go_on.ok()) return go_on;
    if (absl::Now() - start > kEverywhereTimeout) return absl::InfiniteDuration();
    for (auto it = waiting.begin(); it != waiting.end();) {
      auto read = stage.direct(*it).Get(get);
      const bool there = read.ok() && AtLeast(read->version(), version);
      it = there ? waiting.erase(it) : std::next(it);
    }
    if (!waiting.empty()) absl::SleepFor(kPoll);
  }
  return absl::Now() - start;
}

absl::Duration LongestWay(Stage& stage, int from) {
  absl::Duration longest;
  for (int to = 0; to < stage.world().size(); ++to) {
    longest = std::max(longest, stage.world().RoundTrip(from, to) / 2);
  }
  return longest;
}

std::string Ms(absl::Duration d) {
  return d == absl::InfiniteDuration() ? "never"
                                       : absl::StrFormat("%.1f", absl::ToDoubleMilliseconds(d));
}

const char kHeader[] =
    "ADDRESS         FROM             LOCATED      GATEWAY         ANSWERED BY       WHY       "
    "PUT ms (path)   GET ms  EVERYWHERE ms (longest way)";

absl::Status Visit(Stage& stage, const Traveller& traveller, int number, Tally& tally) {
  const int region = stage.RegionIndex(traveller.region);
  const int gateway = traveller.gateway.empty() ? region : stage.RegionIndex(traveller.gateway);
  auto journey = stage.Travel(traveller, gateway);
  if (!journey.ok()) return journey.status();
  auto place = journey->gateway->Locate({});
  if (!place.ok()) return place.status();

  v1::PutRequest put;
  put.set_namespace_(kDemoNamespace);
  put.set_id(absl::StrCat("visit/", traveller.country, "/", number));
  put.set_value(absl::StrCat("hello from ", traveller.place));
  put.mutable_options()->set_request_id(NewRequestId());
  const absl::Time put_sent = absl::Now();
  auto written = journey->gateway->Put(put);
  const absl::Duration put_took = absl::Now() - put_sent;
  if (!written.ok()) return written.status();
  auto everywhere = AwaitEverywhere(stage, put, written->version());
  if (!everywhere.ok()) return everywhere.status();

  v1::GetRequest get;
  get.set_namespace_(kDemoNamespace);
  get.set_id(put.id());
  get.mutable_options()->set_session_token(written->session_token());
  const absl::Time get_sent = absl::Now();
  auto read = journey->gateway->Get(get);
  const absl::Duration get_took = absl::Now() - get_sent;
  if (!read.ok()) return read.status();

  const v1::Provenance& from = written->provenance();
  const absl::Duration path = journey->round_trip + stage.world().RoundTrip(gateway, region);
  ++tally.visits;
  tally.countries.insert(place->place().country());
  tally.located +=
      place->place().country() == traveller.country && place->source() == v1::PLACE_SOURCE_DATABASE;
  tally.nearest +=
      from.region() == traveller.region && read->provenance().region() == from.region();
  tally.read_back +=
      read->item().value() == put.value() && AtLeast(read->version(), written->version());
  tally.everywhere += *everywhere != absl::InfiniteDuration();
  tally.not_too_fast += put_took >= path && get_took >= path;
  tally.forwarded += gateway != region;
  stage.Say(absl::StrFormat(
      "%-15s %-16s %-12s %-15s %-17s %-9s %6s (%5s)  %6s  %6s (%s)", traveller.address,
      traveller.place, absl::StrCat(place->place().country(), " ", Describe(place->source())),
      stage.region_name(gateway), from.replica(), Describe(from.reason()), Ms(put_took), Ms(path),
      Ms(get_took), Ms(*everywhere), Ms(LongestWay(stage, stage.RegionIndex(from.region())))));
  return absl::OkStatus();
}

}  // namespace

absl::Status TravellersScene(Stage& stage) {
  stage.Heading(
      "Clients at real addresses write and read: through the nearest gateway, and some from afar");
  stage.Say(kHeader);
  Tally tally;
  int number = 0;
  for (const Traveller& traveller : Travellers()) {
    if (absl::Status visited = Visit(stage, traveller, ++number, tally); !visited.ok()) {
      return absl::Status(visited.code(), absl::StrCat(traveller.place, " (", traveller.address,
                                                       "): ", visited.message()));
    }
  }
  stage.Say(
      "path: last mile and distance to the gateway, and on to the region. Everywhere: from the "
      "put's "
      "answer until the last region has it; longest way: one way to the farthest region");
  auto of = [&](int n) { return absl::StrCat(n, " of ", tally.visits); };
  Claims& claims = stage.claims();
  claims.Add("addresses of ten countries and more are located by the database",
             tally.located == tally.visits && tally.countries.size() >= 10,
             absl::StrCat(of(tally.located), ", ", tally.countries.size(), " countries"));
  claims.Add("each request is answered by the region nearest to its client",
             tally.nearest == tally.visits, of(tally.nearest));
  claims.Add("also through a far gateway", tally.forwarded > 0 && tally.nearest == tally.visits,
             absl::StrCat(tally.forwarded, " forwarded"));
  claims.Add("no answer is quicker than its path allows", tally.not_too_fast == tally.visits,
             of(tally.not_too_fast));
  claims.Add("a session reads its own write", tally.read_back == tally.visits, of(tally.read_back));
  claims.Add("every write reaches every region", tally.everywhere == tally.visits,
             of(tally.everywhere));
  return absl::OkStatus();
}

}  // namespace homeport
