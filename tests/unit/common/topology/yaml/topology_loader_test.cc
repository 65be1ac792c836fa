#include "common/topology/yaml/topology_loader.h"

#include <sys/stat.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/status/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/common/topology/yaml/temporary_folder.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> ProblemsOf(const std::string& text) {
  std::vector<std::string> problems;
  for (const FileProblem& problem : ParseTopology(text).problems) {
    problems.push_back(ToString("f", problem));
  }
  return problems;
}

std::string With(const std::string& from, const std::string& to) {
  const std::string changed = absl::StrReplaceAll(kSoundYaml, {{from, to}});
  EXPECT_NE(changed, kSoundYaml);
  return changed;
}

TEST(ParseTopologyTest, ASoundFileHasNoProblem) {
  const TopologyText result = ParseTopology(kSoundYaml);
  EXPECT_THAT(result.problems, IsEmpty());
  EXPECT_EQ(result.topology.regions(0).replicas(0).address(), "127.0.0.1:7012");
}

TEST(ParseTopologyTest, EveryProblemOfEveryKindIsReportedAtOnceInOrderOfLines) {
  EXPECT_THAT(
      ProblemsOf("cluster: World\n"
                 "regions:\n"
                 "  - name: eu\n"
                 "    contry: DE\n"
                 "    latitude: 95\n"
                 "    longitude: eight\n"
                 "    replicas:\n"
                 "      - name: a\n"
                 "        address: 10.0.0.7\n"
                 "namespaces:\n"
                 "  - name: users\n"
                 "    regions: [eu, us]\n"
                 "    name: people\n"
                 "gateway:\n"
                 "  default_deadline: 5\n"
                 "  attempts_max: 0\n"),
      ElementsAre(
          "f:1: cluster: \"World\", must be 1 to 63 of [a-z0-9-]",
          "f:4: regions[0].contry: there is no such field; did you mean \"country\"?",
          "f:5: regions[0].latitude: 95, must be -90 to 90",
          "f:6: regions[0].longitude: must be a number, and is \"eight\"",
          "f:9: regions[0].replicas[0].address: \"10.0.0.7\" has no port",
          "f:12: namespaces[0].regions[1]: there is no region \"us\"; there are eu",
          "f:13: namespaces[0].name: stands twice; first in line 11",
          "f:15: gateway.default_deadline: must be a time with its unit, such as 150ms, 2s or 10m, "
          "and is \"5\"",
          "f:16: gateway.attempts_max: 0, must be 1 to 10"));
}

TEST(ParseTopologyTest, WhatIsMissingIsReportedWhereItWouldStand) {
  EXPECT_THAT(ProblemsOf(With("    latitude: 50\n", "")),
              ElementsAre("f:3: regions[0].latitude: is missing; must be -90 to 90"));
  EXPECT_THAT(ProblemsOf(With("cluster: world\n", "# a comment\n")),
              ElementsAre("f:2: cluster: is missing; must be 1 to 63 of [a-z0-9-]"));
}

TEST(ParseTopologyTest, SyntaxErrorsHaveTheirLine) {
  const std::vector<std::string> problems = ProblemsOf("cluster: world\nregions: [\n");
  ASSERT_EQ(problems.size(), 1);
  EXPECT_THAT(problems[0], HasSubstr("f:3: not YAML: "));
}

TEST(ParseTopologyTest, BytesThatAreNotUtf8AreRefusedWithTheirLine) {
  EXPECT_THAT(ProblemsOf("cluster: world\n# caf\xE9\n"), ElementsAre("f:2: is not UTF-8"));
}

TEST(ParseTopologyTest, DatabasePathsStayAsTheyAreWritten) {
  const TopologyText result =
      ParseTopology(absl::StrCat(kSoundYaml, "geo: {databases: [{path: ../x.mmdb}]}\n"));
  EXPECT_EQ(result.topology.geo().databases(0).path(), "../x.mmdb");
}

TEST(LoadTopologyFileTest, DatabasePathsAreRelativeToTheFile) {
  const TemporaryFolder folder;
  const std::string path = folder.Write(
      "t.yaml",
      absl::StrCat(kSoundYaml, "geo: {databases: [{path: ../x.mmdb}, {path: /abs/y.mmdb}]}\n"));
  const auto topology = LoadTopologyFile(path);
  ASSERT_TRUE(topology.ok()) << topology.status();
  EXPECT_EQ(topology->geo().databases(0).path(), folder / "../x.mmdb");
  EXPECT_EQ(topology->geo().databases(1).path(), "/abs/y.mmdb");
}

TEST(LoadTopologyFileTest, AnUnsoundFileIsRefusedWithAllProblemsOneALine) {
  const TemporaryFolder folder;
  const std::string path =
      folder.Write("t.yaml", absl::StrReplaceAll(kSoundYaml, {{"world", "W"}, {"DE", "UK"}}));
  const auto topology = LoadTopologyFile(path);
  EXPECT_EQ(topology.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(topology.status()), reason::kFieldInvalid);
  EXPECT_EQ(ErrorMetadataOf(topology.status(), "field"), "cluster");
  const std::vector<std::string> lines =
      absl::StrSplit(std::string(topology.status().message()), '\n');
  EXPECT_THAT(lines, ElementsAre(HasSubstr(path + ":1: cluster: "),
                                 HasSubstr(path + ":4: regions[0].country: ")));
}

TEST(LoadTopologyFileTest, AFileThatCanNotBeReadIsNamed) {
  const TemporaryFolder folder;
  const auto missing = LoadTopologyFile(folder / "none.yaml");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(missing.status().message(), (folder / "none.yaml") + ": No such file or directory");

  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  for (const std::string& path : {folder / "", folder / "pipe"}) {
    const auto odd = LoadTopologyFile(path);
    EXPECT_EQ(odd.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(odd.status().message(), path + ": is not a regular file");
  }
}

TEST(LoadTopologyFileTest, AFileIsReadUpToTheLimitAndRefusedOnePast) {
  const TemporaryFolder folder;
  std::string text = kSoundYaml;
  text += "#";
  text.resize(kTopologyFileBytesMax, 'x');
  EXPECT_TRUE(LoadTopologyFile(folder.Write("t.yaml", text)).ok());
  const auto large = LoadTopologyFile(folder.Write("t.yaml", text + "x"));
  EXPECT_EQ(ReasonOf(large.status()), reason::kLimitExceeded);
  EXPECT_THAT(std::string(large.status().message()), HasSubstr("is over the limit of 16777216"));
}

}  // namespace
}  // namespace homeport
