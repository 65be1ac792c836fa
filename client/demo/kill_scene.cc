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

constexpr char kKilled[] = "ap-northeast-1";
constexpr char kRefuge[] = "ap-southeast-2";
constexpr int kWritersPerRegion = 2;
constexpr absl::Duration kBefore = absl::Seconds(2);
constexpr absl::Duration kDown = absl::Seconds(3);
constexpr absl::Duration kAfter = absl::Seconds(2);
constexpr absl::Duration kPause = absl::Milliseconds(10);
constexpr absl::Duration kLinksTimeout = absl::Seconds(30);
constexpr absl::Duration kEqualTimeout = absl::Seconds(30);

struct Load {
  std::vector<Journey> journeys;
  std::vector<std::unique_ptr<Writer>> writers;
  // Which of them begin at the region that is killed.
  std::vector<Writer*> of_killed;
};

absl::Status StartLoad(Stage& stage, Load& load) {
  const int refuge = stage.RegionIndex(kRefuge);
  for (const std::string& name : stage.names()) {
    int started = 0;
    for (const Traveller& traveller : Travellers()) {
      if (traveller.region != name || !traveller.gateway.empty() || started == kWritersPerRegion) {
        continue;
      }
      ++started;
      GatewayClient* second = nullptr;
      if (name == kKilled) {
        auto journey = stage.Travel(traveller, refuge);
        if (!journey.ok()) return journey.status();
        second = journey->gateway.get();
        load.journeys.push_back(*std::move(journey));
      }
      auto journey = stage.Travel(traveller, stage.RegionIndex(name));
      if (!journey.ok()) return journey.status();
      GatewayClient* first = journey->gateway.get();
      load.journeys.push_back(*std::move(journey));
      load.writers.push_back(std::make_unique<Writer>(
          kDemoNamespace, absl::StrCat("kill/", name, "/", started), first, second, kPause));
      if (name == kKilled) load.of_killed.push_back(load.writers.back().get());
    }
  }
  return absl::OkStatus();
}

absl::Status KillAndRestart(Stage& stage, int killed, Load& load) {
  if (absl::Status slept = Sleep(kBefore); !slept.ok()) return slept;
  if (absl::Status gone = stage.world().Kill(killed); !gone.ok()) return gone;
  stage.Say(absl::StrCat(kKilled, " is killed with -9; its clients move to ", kRefuge));
  if (absl::Status slept = Sleep(kDown); !slept.ok()) return slept;
  const absl::Time start = absl::Now();
  absl::Status restarted = stage.world().Restart(killed, [] { return !Interrupted(); });
  if (!restarted.ok()) return restarted;
  stage.Say(absl::StrCat(kKilled, " is started again on the same disk, and serves after ",
                         Describe(absl::Now() - start)));
  for (Writer* writer : load.of_killed) writer->Return();
  return Sleep(kAfter);
}

}  // namespace

absl::Status KillScene(Stage& stage) {
  const int killed = stage.RegionIndex(kKilled);
  stage.Heading(absl::StrCat(kKilled, " is killed under load, and started again"));
  Load load;
  if (absl::Status started = StartLoad(stage, load); !started.ok()) return started;
  const absl::Status done = KillAndRestart(stage, killed, load);
  std::vector<LoadResult> of_killed;
  std::vector<LoadResult> of_others;
  for (auto& writer : load.writers) {
    const bool killed_one = std::find(load.of_killed.begin(), load.of_killed.end(), writer.get()) !=
                            load.of_killed.end();
    (killed_one ? of_killed : of_others).push_back(writer->Stop());
  }
  if (!done.ok()) return done;
  const LoadResult killed_load = Sum(of_killed);
  const LoadResult other_load = Sum(of_others);
  const LoadResult all = Sum({killed_load, other_load});
  stage.Say(absl::StrFormat(
      "its clients: %d writes, %d with unknown outcome, %d calls failed; the others: %d writes, %d "
      "failures",
      killed_load.writes, killed_load.unknown, killed_load.failed, other_load.writes,
      other_load.failed + other_load.unknown));
  for (const std::string& error : killed_load.errors) {
    stage.Say(absl::StrCat("its clients saw: ", error));
  }
  for (const std::string& error : other_load.errors) stage.Say(absl::StrCat("error: ", error));
  if (absl::Status up = stage.AwaitLinks(kLinksTimeout); !up.ok()) return up;
  auto contents = stage.AwaitEqual(kEqualTimeout);
  if (!contents.ok()) return contents.status();
  const Differences differences = Compare(stage.names(), *contents);
  size_t lost = 0;
  for (size_t i = 0; i < contents->size(); ++i) {
    const Differences missing =
        Missing(all.acknowledged, stage.region_name(static_cast<int>(i)), (*contents)[i]);
    lost += missing.count;
    for (const std::string& example : missing.examples) stage.Say(example);
  }
  for (const std::string& example : differences.examples) stage.Say(example);
  Claims& claims = stage.claims();
  claims.Add(
      "a killed region stops no other",
      other_load.failed + other_load.unknown == 0 && other_load.wrong == 0 && other_load.writes > 0,
      absl::StrCat(other_load.writes, " writes, ", other_load.failed + other_load.unknown,
                   " failures"));
  claims.Add("its clients go on by another gateway and come back",
             killed_load.moves == of_killed.size() && killed_load.returns == of_killed.size() &&
                 killed_load.wrong == 0,
             absl::StrCat(killed_load.writes, " writes, ", killed_load.moves, " moved, ",
                          killed_load.returns, " came back"));
  claims.Add("every write acknowledged around the kill is in every region", lost == 0,
             absl::StrCat(all.acknowledged.size(), " writes, ", lost, " lost"));
  claims.Add("after the restart all regions are equal", differences.count == 0,
             absl::StrCat(differences.count, " differences"));
  return absl::OkStatus();
}

}  // namespace homeport
