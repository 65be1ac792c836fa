#include "common/topology/yaml/suggestion.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace homeport {
namespace {

const std::vector<std::string>& Fields() {
  static const auto* const kFields =
      new std::vector<std::string>{"regions", "namespaces", "default_region", "geo", "name"};
  return *kFields;
}

TEST(NearestWordTest, FindsWhatWasMeant) {
  EXPECT_EQ(NearestWord("regoins", Fields()), "regions");
  EXPECT_EQ(NearestWord("region", Fields()), "regions");
  EXPECT_EQ(NearestWord("default-region", Fields()), "default_region");
  EXPECT_EQ(NearestWord("Namespaces", Fields()), "namespaces");
  EXPECT_EQ(NearestWord("nmae", Fields()), "name");
  EXPECT_EQ(NearestWord("ge", Fields()), "geo");
}

TEST(NearestWordTest, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(NearestWord("replication", Fields()), "");
  EXPECT_EQ(NearestWord("", Fields()), "");
  EXPECT_EQ(NearestWord("x", {}), "");
  EXPECT_EQ(NearestWord(std::string(65, 'a'), {std::string(65, 'a')}), "");
}

TEST(NearestWordTest, TheFirstOfEqualsIsTaken) {
  EXPECT_EQ(NearestWord("cat", {"bat", "hat"}), "bat");
}

}  // namespace
}  // namespace homeport
