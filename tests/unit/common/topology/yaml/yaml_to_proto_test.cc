#include "common/topology/yaml/yaml_to_proto.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "homeport/internal/v1/topology.pb.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

struct Converted {
  internal::v1::Topology topology;
  YamlConversion conversion;
  // "line path: what".
  std::vector<std::string> problems;
};

Converted Convert(const std::string& text) {
  const YamlDocument document = ParseYaml(text);
  EXPECT_NE(document.root, nullptr) << text;
  Converted converted;
  converted.conversion = YamlToProto(*document.root, converted.topology);
  for (const FileProblem& problem : converted.conversion.problems) {
    converted.problems.push_back(absl::StrCat(problem.line, " ", problem.path, ": ", problem.what));
  }
  return converted;
}

TEST(YamlToProtoTest, FieldsOfEveryTypeAreRead) {
  const Converted converted = Convert(R"(
cluster: 123
regions:
  - name: "eu"
    country: NO
    latitude: -1.5e1
    longitude: 0
    gateways: ["a:1", 'b:2']
namespaces:
  - {name: n, write_mode: any_region, default_consistency: eventual, region_choice: gateway}
geo:
  region_rules: [{asn: 4294967295, region: eu}]
gateway:
  default_deadline: 1m0.5s
  attempts_max: 7
storage:
  batch_bytes: 65536
  credit_bytes: 2MiB
)");
  EXPECT_THAT(converted.problems, IsEmpty());
  const internal::v1::Topology& t = converted.topology;
  EXPECT_EQ(t.cluster(), "123");
  EXPECT_EQ(t.regions(0).country(), "NO");
  EXPECT_EQ(t.regions(0).latitude(), -15);
  EXPECT_TRUE(t.regions(0).has_longitude());
  EXPECT_THAT(t.regions(0).gateways(), ElementsAre("a:1", "b:2"));
  EXPECT_EQ(t.namespaces(0).write_mode(), internal::v1::WRITE_MODE_ANY_REGION);
  EXPECT_EQ(t.namespaces(0).default_consistency(), v1::CONSISTENCY_LEVEL_EVENTUAL);
  EXPECT_EQ(t.namespaces(0).region_choice(), v1::REGION_CHOICE_GATEWAY);
  EXPECT_EQ(t.geo().region_rules(0).asn(), 4294967295);
  EXPECT_EQ(t.gateway().default_deadline().seconds(), 60);
  EXPECT_EQ(t.gateway().default_deadline().nanos(), 500'000'000);
  EXPECT_EQ(t.gateway().attempts_max(), 7);
  EXPECT_EQ(t.storage().batch_bytes(), 65536);
  EXPECT_EQ(t.storage().credit_bytes(), 2 << 20);
  EXPECT_FALSE(t.gateway().has_drain_delay());
}

TEST(YamlToProtoTest, UnknownFieldsAreRefusedWithASuggestionOrTheList) {
  EXPECT_THAT(Convert("cluster: a\nregoins: []\nround_trips:\n  - {form: x, xyz: y}\n").problems,
              ElementsAre("2 regoins: there is no such field; did you mean \"regions\"?",
                          "4 round_trips[0].form: there is no such field; did you mean \"from\"?",
                          "4 round_trips[0].xyz: there is no such field; there are from, to, "
                          "round_trip"));
}

TEST(YamlToProtoTest, AMisspeltFieldIsNotAlsoMissing) {
  const Converted converted = Convert("geo: {trusted_proxy: []}\nregoins: []\n");
  EXPECT_THAT(
      converted.conversion.not_understood,
      UnorderedElementsAre("geo.trusted_proxy", "geo.trusted_proxies", "regoins", "regions"));
}

TEST(YamlToProtoTest, RepeatedFieldsAreRefusedAndNameTheFirst) {
  EXPECT_THAT(Convert("cluster: a\ngeo: {}\ncluster: b\ngateway:\n  attempts_max: 1\n"
                      "  attempts_max: 1\n")
                  .problems,
              ElementsAre("3 cluster: stands twice; first in line 1",
                          "6 gateway.attempts_max: stands twice; first in line 5"));
}

TEST(YamlToProtoTest, WrongTypesSayWhatIsWanted) {
  EXPECT_THAT(
      Convert("cluster: [a]\n"
              "regions: {name: a}\n"
              "geo: yes\n"
              "gateway:\n"
              "  attempts_max: \"3\"\n"
              "  ejection_failures: -1\n"
              "round_trips: [7, {from: {}, to: a}]\n"
              "namespaces:\n")
          .problems,
      ElementsAre(
          "1 cluster: must be a text, and is a list",
          "2 regions: must be a list, and is a group of fields",
          "3 geo: must have fields of its own, and is \"yes\"",
          "5 gateway.attempts_max: must be a whole number from 0 to 4294967295, and is "
          "\"3\"",
          "6 gateway.ejection_failures: must be a whole number from 0 to 4294967295, and is "
          "\"-1\"",
          "7 round_trips[0]: must have fields of its own, and is \"7\"",
          "7 round_trips[1].from: must be a text, and is a group of fields",
          "8 namespaces: has no value; give one or leave the line out"));
}

TEST(YamlToProtoTest, ABadItemKeepsTheIndexesOfTheOthers) {
  const Converted converted = Convert("regions: [7, {name: eu, gateways: [[], \"a:1\"]}]");
  ASSERT_EQ(converted.topology.regions_size(), 2);
  EXPECT_EQ(converted.topology.regions(1).name(), "eu");
  EXPECT_THAT(converted.topology.regions(1).gateways(), ElementsAre("", "a:1"));
}

TEST(YamlToProtoTest, NumbersAreNumbers) {
  for (const char* value : {"abc", "\"1\"", "nan", "inf", "1e999", "0x", "[]", "1_5"}) {
    SCOPED_TRACE(value);
    EXPECT_THAT(Convert(absl::StrCat("regions: [{latitude: ", value, "}]")).problems,
                ElementsAre(StartsWith("1 regions[0].latitude: must be a number, and is ")));
  }
}

TEST(YamlToProtoTest, TimesHaveUnits) {
  for (const char* value : {"5", "fast", "1 s", "inf", "-inf", "1y", "{}", "\"\""}) {
    SCOPED_TRACE(value);
    EXPECT_THAT(Convert(absl::StrCat("gateway: {drain_delay: ", value, "}")).problems,
                ElementsAre(StartsWith("1 gateway.drain_delay: must be a time with its unit, such "
                                       "as 150ms, 2s or 10m, and is ")));
  }
  EXPECT_THAT(Convert("gateway: {drain_delay: 0}").problems, IsEmpty());
}

TEST(YamlToProtoTest, SizesMayHaveUnits) {
  const auto bytes = [](const std::string& value) {
    const Converted converted = Convert(absl::StrCat("storage: {batch_bytes: ", value, "}"));
    EXPECT_THAT(converted.problems, IsEmpty()) << value;
    return converted.topology.storage().batch_bytes();
  };
  EXPECT_EQ(bytes("0"), 0);
  EXPECT_EQ(bytes("1000"), 1000);
  EXPECT_EQ(bytes("256KiB"), 256 << 10);
  EXPECT_EQ(bytes("\"1 MiB\""), 1 << 20);
  EXPECT_EQ(bytes("3GiB"), 3ULL << 30);
  EXPECT_EQ(bytes("16777215TiB"), 16777215ULL << 40);
  for (const char* value :
       {"16777216TiB", "18446744073709551616", "-1", "1.5MiB", "KiB", "256kb", "256KB", "1MiBs"}) {
    SCOPED_TRACE(value);
    EXPECT_THAT(Convert(absl::StrCat("storage: {batch_bytes: ", value, "}")).problems,
                ElementsAre(StartsWith("1 storage.batch_bytes: must be a size such as 65536, 64KiB "
                                       "or 1GiB, and is ")));
  }
}

TEST(YamlToProtoTest, EnumsAreWordsInLowerCaseWithoutTheirPrefix) {
  EXPECT_THAT(
      Convert("namespaces:\n"
              "  - write_mode: any_regoin\n"
              "  - region_choice: CLIENT\n"
              "  - default_consistency: unspecified\n")
          .problems,
      ElementsAre("2 namespaces[0].write_mode: must be any_region, and is \"any_regoin\"; did you "
                  "mean \"any_region\"?",
                  "3 namespaces[1].region_choice: must be one of client, gateway, fastest, and is "
                  "\"CLIENT\"; "
                  "did you mean \"client\"?",
                  "4 namespaces[2].default_consistency: must be one of eventual, session, bounded, "
                  "latest, and is \"unspecified\""));
}

TEST(YamlToProtoTest, AliasesAreWrittenOut) {
  const Converted converted = Convert("regions:\n  - &one {name: a, country: DE}\n  - *one\n");
  EXPECT_THAT(converted.problems, IsEmpty());
  EXPECT_EQ(converted.topology.regions(1).country(), "DE");
}

TEST(YamlToProtoTest, AliasesThatBlowUpAreCutShort) {
  // A list of ten thousand, five hundred times: a small file that is five million values.
  std::string text = "regions:\n  - gateways: &a [";
  for (int i = 0; i < 10'000; ++i) absl::StrAppend(&text, "g,");
  text += "]\n";
  for (int i = 0; i < 500; ++i) text += "  - gateways: *a\n";
  EXPECT_THAT(Convert(text).problems,
              ElementsAre(StartsWith("2 : the file has more than 400000 values once its aliases")));
}

TEST(YamlToProtoTest, ADocumentThatIsNoMapIsRefused) {
  EXPECT_THAT(Convert("just words").problems,
              ElementsAre("1 : must have fields of its own, and is \"just words\""));
  EXPECT_THAT(Convert("? [a, b]\n: c\n").problems,
              ElementsAre("1 : a field's name must be a word, and is a list"));
}

TEST(YamlToProtoTest, EveryFieldKnowsItsLine) {
  const Converted converted =
      Convert("cluster: a\nregions:\n  - name: x\n    country:\n      DE\n");
  EXPECT_THAT(
      converted.conversion.lines,
      UnorderedElementsAre(std::make_pair("cluster", 1), std::make_pair("regions", 2),
                           std::make_pair("regions[0]", 3), std::make_pair("regions[0].name", 3),
                           std::make_pair("regions[0].country", 4)));
}

}  // namespace
}  // namespace homeport
