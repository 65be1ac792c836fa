#include "common/topology/yaml/yaml_tree.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using ::testing::HasSubstr;

FileProblem OnlyProblem(const std::string& text) {
  const YamlDocument document = ParseYaml(text);
  EXPECT_EQ(document.root, nullptr);
  EXPECT_EQ(document.problems.size(), 1);
  return document.problems.empty() ? FileProblem{} : document.problems[0];
}

TEST(ParseYamlTest, EveryNodeKnowsItsLine) {
  const YamlDocument document = ParseYaml("# a comment\na: 1\nb:\n  - x\n  - y: z\n");
  ASSERT_NE(document.root, nullptr);
  const YamlNode& root = *document.root;
  ASSERT_EQ(root.kind, YamlNode::Kind::kMap);
  EXPECT_EQ(root.line, 2);
  ASSERT_EQ(root.entries.size(), 2);
  EXPECT_EQ(root.entries[0].first->text, "a");
  EXPECT_EQ(root.entries[1].first->line, 3);
  const YamlNode& list = *root.entries[1].second;
  ASSERT_EQ(list.items.size(), 2);
  EXPECT_EQ(list.items[0]->text, "x");
  EXPECT_EQ(list.items[1]->line, 5);
  EXPECT_EQ(list.items[1]->entries[0].second->text, "z");
}

TEST(ParseYamlTest, EqualKeysAreBothKept) {
  const YamlDocument document = ParseYaml("a: 1\na: 2\n");
  ASSERT_EQ(document.root->entries.size(), 2);
  EXPECT_EQ(document.root->entries[0].second->text, "1");
  EXPECT_EQ(document.root->entries[1].second->text, "2");
}

TEST(ParseYamlTest, QuotedTextIsToldFromPlain) {
  const YamlDocument document = ParseYaml("[1, \"1\", '1', !!str 1, ~]");
  const auto& items = document.root->items;
  EXPECT_FALSE(items[0]->quoted);
  EXPECT_TRUE(items[1]->quoted);
  EXPECT_TRUE(items[2]->quoted);
  EXPECT_TRUE(items[3]->quoted);
  EXPECT_EQ(items[4]->kind, YamlNode::Kind::kNull);
}

TEST(ParseYamlTest, SyntaxErrorsHaveTheirLine) {
  const FileProblem problem = OnlyProblem("a: 1\nb: [1, 2\nc: 3\n");
  EXPECT_THAT(problem.what, HasSubstr("not YAML: "));
  EXPECT_EQ(problem.line, 3);
  EXPECT_EQ(OnlyProblem("a: 1\n\tb: 2\n").line, 2);
}

TEST(ParseYamlTest, AnAliasIsTheNodeOfItsAnchor) {
  const YamlDocument document = ParseYaml("a: &x {k: v}\nb: *x\n");
  EXPECT_EQ(document.root->entries[0].second, document.root->entries[1].second);
}

TEST(ParseYamlTest, AnAliasToWhatEnclosesItIsRefused) {
  EXPECT_EQ(OnlyProblem("a: &x\n  b: *x\n").what,
            "an alias stands for something that it is inside of");
}

TEST(ParseYamlTest, ThereIsExactlyOneDocument) {
  EXPECT_EQ(OnlyProblem("").what, "the file is empty");
  EXPECT_EQ(OnlyProblem("# nothing\n").what, "the file is empty");
  const FileProblem problem = OnlyProblem("a: 1\n---\nb: 2\n");
  EXPECT_EQ(problem.what, "there must be one document, and a second begins");
  EXPECT_NE(ParseYaml("---\na: 1\n").root, nullptr);
}

TEST(ParseYamlTest, TagsAreRefused) {
  EXPECT_THAT(OnlyProblem("a: 1\nb: !secret x\n"),
              (FileProblem{2, "", "tags such as \"!secret\" have no meaning here"}));
}

std::string Nested(int depth) {
  return absl::StrCat(std::string(depth, '['), std::string(depth, ']'));
}

TEST(ParseYamlTest, NestsToTheLimitAndNotOnePast) {
  EXPECT_NE(ParseYaml(Nested(kYamlDepthMax)).root, nullptr);
  EXPECT_EQ(OnlyProblem(Nested(kYamlDepthMax + 1)).what, "the file nests deeper than 32 levels");
  EXPECT_EQ(ParseYaml(Nested(100'000)).root, nullptr);
}

TEST(ParseYamlTest, ValuesAreCounted) {
  std::string text = "[";
  for (int i = 0; i < kYamlNodesMax; ++i) text += "a,";
  text += "]";
  EXPECT_EQ(OnlyProblem(text).what, "the file has more than 400000 values");
}

// Of these the library makes empty documents without an end.
TEST(ParseYamlTest, AStrayCommaIsAProblemAndNotAnEndlessFile) {
  for (const char* text : {",", "# text\n, text", "[a]\n, b"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(ParseYaml(text).problems.empty());
  }
}

}  // namespace
}  // namespace homeport
