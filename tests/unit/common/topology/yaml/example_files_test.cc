// Every file of deploy/config is what it says it is.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "common/topology/topology.h"
#include "common/topology/yaml/topology_loader.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;

std::shared_ptr<const Topology> Load(const std::string& name) {
  auto proto = LoadTopologyFile(HOMEPORT_EXAMPLES "/" + name);
  EXPECT_TRUE(proto.ok()) << proto.status();
  if (!proto.ok()) return nullptr;
  auto topology = Topology::Create(*std::move(proto));
  EXPECT_TRUE(topology.ok()) << topology.status();
  return topology.ok() ? *topology : nullptr;
}

std::string TextOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The names of the fields of `message` and of all messages in it.
void CollectFields(const google::protobuf::Descriptor& message, std::vector<std::string>& names) {
  if (&message == google::protobuf::Duration::descriptor()) return;
  for (int i = 0; i < message.field_count(); ++i) {
    names.push_back(message.field(i)->name());
    if (message.field(i)->message_type() != nullptr) {
      CollectFields(*message.field(i)->message_type(), names);
    }
  }
}

TEST(ExampleFilesTest, ThereAreTwoAndEachIsSound) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(HOMEPORT_EXAMPLES)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  EXPECT_THAT(names, ElementsAre("five-regions.yaml", "one-machine.yaml"));
  for (const std::string& name : names) EXPECT_NE(Load(name), nullptr) << name;
}

TEST(ExampleFilesTest, TheReferencesKnowEveryFieldOfTheSchema) {
  std::vector<std::string> fields;
  CollectFields(*internal::v1::Topology::descriptor(), fields);
  const std::string example = TextOf(HOMEPORT_EXAMPLES "/one-machine.yaml");
  const std::string page = TextOf(HOMEPORT_EXAMPLES "/../../docs/configuration.md");
  for (const std::string& field : fields) {
    EXPECT_TRUE(absl::StrContains(example, field + ":")) << field;
    EXPECT_TRUE(absl::StrContains(page, "`" + field + "`")) << field;
  }
}

TEST(ExampleFilesTest, TheValuesShownAsDefaultsAreTheDefaults) {
  const auto shown = Load("one-machine.yaml");
  ASSERT_NE(shown, nullptr);
  internal::v1::Topology silent = shown->proto();
  silent.clear_gateway();
  silent.clear_storage();
  EXPECT_EQ((*Topology::Create(silent))->fingerprint(), shown->fingerprint());
}

TEST(ExampleFilesTest, TheFiveRegionsHaveAMeasuredRoundTripForEveryPair) {
  const auto world = Load("five-regions.yaml");
  ASSERT_NE(world, nullptr);
  EXPECT_EQ(world->regions().size(), 5);
  EXPECT_EQ(world->proto().round_trips_size(), 10);
  const auto round_trip = [&](const char* a, const char* b) {
    return world->RoundTrip(*world->FindRegion(a), *world->FindRegion(b));
  };
  EXPECT_EQ(round_trip("us-east-1", "eu-central-1"), absl::Milliseconds(93));
  EXPECT_EQ(round_trip("ap-southeast-2", "sa-east-1"), absl::Milliseconds(312));
  EXPECT_EQ(round_trip("ap-southeast-2", "ap-northeast-1"), absl::Milliseconds(106));
  EXPECT_THAT(world->FindNamespace("atlantic")->regions, ElementsAre(0, 1, 2));
}

}  // namespace
}  // namespace homeport
