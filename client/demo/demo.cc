#include "client/demo/demo.h"

#include <stdio.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/demo/interrupt.h"
#include "client/demo/scenes.h"
#include "client/demo/stage.h"
#include "client/text/describe.h"
#include "client/text/text_table.h"
#include "client/world/world.h"

namespace homeport {
namespace {

constexpr absl::Duration kLinksTimeout = absl::Seconds(30);
constexpr absl::Duration kComparisonTimeout = absl::Seconds(60);
constexpr absl::Duration kKeepPoll = absl::Hours(1);
constexpr char kCredit[] = "IP Geolocation by DB-IP, https://db-ip.com";

// Round trips of the world, as a table.
void SayDistances(Stage& stage) {
  std::vector<std::string> titles = {"round trips, ms"};
  for (const std::string& name : stage.names()) titles.push_back(absl::StrCat(">", name));
  TextTable table(titles);
  for (int a = 0; a < stage.world().size(); ++a) {
    std::vector<TextTable::Cell> row = {stage.region_name(a)};
    for (int b = 0; b < stage.world().size(); ++b) {
      row.emplace_back(
          a == b ? "-" : absl::StrCat(absl::ToInt64Milliseconds(stage.world().RoundTrip(a, b))));
    }
    table.Add(std::move(row));
  }
  printf("%s", table.ToString(stage.colours(), 2).c_str());
}

void SayHowToTalk(Stage& stage, const DemoOptions& options) {
  stage.Heading("The world goes on until Ctrl-C");
  TextTable table({"REGION", "GATEWAY", "METRICS"});
  for (int i = 0; i < stage.world().size(); ++i) {
    table.Add({stage.region_name(i), stage.world().gateway(i), stage.world().metrics(i)});
  }
  const std::string& gateway = stage.world().gateway(0);
  const std::string& far = stage.world().gateway(1);
  printf(
      "%s\n"
      "  export HOMEPORT_GATEWAY=%s\n"
      "  %s status\n"
      "  %s put user/7 Ada --from 200.160.2.3\n"
      "  %s get user/7 --gateway %s\n"
      "  %s explain 133.11.114.194\n"
      "\n"
      "From Python (python3-grpcio, stubs of proto/homeport/v1 by grpc_tools.protoc):\n"
      "\n"
      "  import grpc\n"
      "  from homeport.v1 import key_value_pb2 as kv, key_value_pb2_grpc as rpc\n"
      "  stub = rpc.KeyValueStub(grpc.insecure_channel(\"%s\"))\n"
      "  put = stub.Put(kv.PutRequest(namespace=\"demo\", id=\"user/8\", value=b\"Grace\"))\n"
      "  print(put.provenance.region, put.version)\n"
      "\n"
      "Topology, logs and data: %s\n",
      table.ToString(stage.colours(), 2).c_str(), gateway.c_str(), options.program.c_str(),
      options.program.c_str(), options.program.c_str(), far.c_str(), options.program.c_str(),
      gateway.c_str(), stage.world().folder().c_str());
  fflush(stdout);
}

absl::Status Play(Stage& stage) {
  absl::StatusOr<Divergence> divergence = Divergence();
  for (auto* scene : {&TravellersScene, &IsolationScene, &KillScene, &JoinScene}) {
    if (absl::Status played = scene(stage); !played.ok()) return played;
    if (absl::Status go_on = CheckInterrupt(); !go_on.ok()) return go_on;
    divergence = stage.AwaitComparison(kComparisonTimeout);
    if (!divergence.ok()) return divergence.status();
  }
  stage.claims().Add("the regions compare what they hold all the time, and find no difference",
                     divergence->records == 0,
                     absl::StrCat(divergence->records, " records differ"));
  return ComparisonScene(stage);
}

}  // namespace

absl::StatusOr<bool> RunDemo(const DemoOptions& options) {
  std::error_code error;
  const std::string database = std::filesystem::absolute(options.database, error).string();
  if (!std::filesystem::is_regular_file(database, error)) {
    return absl::NotFoundError(absl::StrCat("no GeoIP database at ", options.database));
  }
  InterruptScope interrupts;
  WorldOptions world_options;
  world_options.program = options.program;
  world_options.round_trips = options.round_trips;
  world_options.namespaces = {kDemoNamespace};
  world_options.databases = {database};
  world_options.database_credit = kCredit;
  world_options.keep_folder = options.keep;
  // Often enough to be seen.
  world_options.more_yaml = "storage:\n  compare_interval: 1s\n";
  printf("Starting five regions on this machine ...\n");
  fflush(stdout);
  auto world = World::Start(std::move(world_options), [] { return !Interrupted(); });
  if (!world.ok()) return world.status();
  Stage stage(world->get(), options.colours);
  stage.Heading("Five regions, a process each, with a relay for the distance between any two");
  SayDistances(stage);
  if (absl::Status up = stage.AwaitLinks(kLinksTimeout); !up.ok()) return up;
  stage.Say("every region is connected to every other");

  const absl::Status played = Play(stage);
  if (!played.ok() && played.code() != absl::StatusCode::kCancelled) {
    stage.claims().Add(
        "the demo goes on to its end", false,
        absl::StrCat(absl::StatusCodeToString(played.code()), ": ", played.message()));
  }
  if (played.code() == absl::StatusCode::kCancelled) return played;
  stage.Heading("Claims");
  printf("%s\n%s\n", stage.claims().ToString(options.colours).c_str(),
         stage.claims().AllHold()
             ? Styled("Every claim holds.", TextStyle::kGreen, options.colours).c_str()
             : Styled("Not every claim holds.", TextStyle::kRed, options.colours).c_str());
  printf("%s\n", kCredit);
  fflush(stdout);
  if (options.keep) {
    world->get()->HealAll();
    SayHowToTalk(stage, options);
    while (Sleep(kKeepPoll).ok()) {
    }
  }
  return stage.claims().AllHold();
}

}  // namespace homeport
