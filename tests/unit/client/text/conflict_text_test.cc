#include "client/text/conflict_text.h"

#include "gtest/gtest.h"

namespace homeport {
namespace {

v1::Conflict Example() {
  v1::Conflict conflict;
  conflict.set_id("eu/a:0006439b2f1c0d00");
  conflict.set_namespace_("demo");
  conflict.set_record_id("user/7");
  conflict.set_value("Ada\n");
  conflict.mutable_written()->set_seconds(1);
  conflict.mutable_overtaken()->set_seconds(2);
  return conflict;
}

TEST(ConflictTextTest, AConflictIsALine) {
  v1::Conflict restored = Example();
  restored.set_key("name");
  restored.set_deleted(true);
  restored.mutable_restored()->set_hybrid_time(1);
  EXPECT_EQ(
      DescribeConflicts({Example(), restored}, false),
      "CONFLICT               ITEM                LOST       WRITTEN                     OVERTAKEN"
      "                   NOTE\n"
      "eu/a:0006439b2f1c0d00  demo user/7         \"Ada\\n\"    1970-01-01 00:00:01.000000  "
      "1970-01-01 00:00:02.000000\n"
      "eu/a:0006439b2f1c0d00  demo user/7 \"name\"  (deleted)  1970-01-01 00:00:01.000000  "
      "1970-01-01 00:00:02.000000  restored\n");
}

TEST(ConflictTextTest, ALongValueIsCutBetweenCharacters) {
  v1::Conflict conflict = Example();
  conflict.set_value(std::string(31, 'x') + "\xC3\xA9" + std::string(2000, 'y'));
  const std::string text = DescribeConflicts({conflict}, false);
  EXPECT_NE(text.find("\"" + std::string(31, 'x') + "\"... 2.0 KiB"), std::string::npos) << text;
}

TEST(ConflictTextTest, OneConflictIsShownWhole) {
  v1::Conflict conflict = Example();
  conflict.set_value(std::string(100, 'x'));
  conflict.set_by_snapshot(true);
  conflict.mutable_expires()->set_seconds(3);
  const std::string text = DescribeConflict(conflict);
  EXPECT_NE(text.find("lost:       " + std::string(100, 'x') + "\n"), std::string::npos) << text;
  EXPECT_NE(text.find("expires:    1970-01-01 00:00:03"), std::string::npos) << text;
  EXPECT_NE(text.find("by a snapshot"), std::string::npos) << text;
  EXPECT_NE(text.find("restored:   no\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace homeport
