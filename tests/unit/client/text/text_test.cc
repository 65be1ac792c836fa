#include "client/text/describe.h"
#include "client/text/text_table.h"
#include "common/status/error.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

TEST(TextTableTest, ColumnsAreAsWideAsTheirWidestCellAndNumbersStandRight) {
  TextTable table({"region", ">lag", "state"});
  table.Add({"us-east-1", "7 ms", "streaming"});
  table.Add({"S\xC3\xA3o", "1234 ms", ""});
  EXPECT_EQ(table.ToString(false, 2),
            "  region         lag  state\n"
            "  us-east-1     7 ms  streaming\n"
            "  S\xC3\xA3o        1234 ms\n");
}

TEST(TextTableTest, ColoursDoNotCountAsWidth) {
  TextTable table({"a", "b"});
  table.Add({TextTable::Cell("x", TextStyle::kRed), "y"});
  EXPECT_EQ(table.ToString(true), "\x1b[1ma\x1b[0m  \x1b[1mb\x1b[0m\n\x1b[31mx\x1b[0m  y\n");
}

TEST(DescribeTest, DurationsHaveThreeDigitsAndAUnit) {
  EXPECT_EQ(Describe(absl::ZeroDuration()), "0 ms");
  EXPECT_EQ(Describe(absl::Microseconds(171)), "171 us");
  EXPECT_EQ(Describe(absl::Microseconds(1240)), "1.24 ms");
  EXPECT_EQ(Describe(absl::Microseconds(93'040)), "93.0 ms");
  EXPECT_EQ(Describe(absl::Milliseconds(999.7)), "1.00 s");
  EXPECT_EQ(Describe(absl::Milliseconds(12'400)), "12.4 s");
  EXPECT_EQ(Describe(absl::Minutes(5)), "5 min");
  EXPECT_EQ(Describe(absl::Hours(47)), "47 h");
  EXPECT_EQ(Describe(absl::Hours(24 * 500)), "500 days");
  EXPECT_EQ(Describe(-absl::Milliseconds(5)), "-5.00 ms");
}

TEST(DescribeTest, BytesHaveAUnit) {
  EXPECT_EQ(DescribeBytes(1023), "1023 B");
  EXPECT_EQ(DescribeBytes(1536), "1.5 KiB");
  EXPECT_EQ(DescribeBytes(uint64_t{5} << 40), "5.0 TiB");
}

TEST(DescribeTest, VersionsShowTimeCountAndOrigin) {
  v1::Version version;
  EXPECT_EQ(Describe(version), "none");
  version.set_hybrid_time((uint64_t{1'000'000} << 12) + 3);
  version.set_origin(0xdeadbeef);
  EXPECT_EQ(Describe(version), "1970-01-01 00:00:01.000000 +3 by 00000000deadbeef");
  google::protobuf::Timestamp time;
  time.set_seconds(61);
  time.set_nanos(500'000'000);
  EXPECT_EQ(Describe(time), "1970-01-01 00:01:01.500000");
}

TEST(DescribeTest, ProvenanceIsOneLine) {
  v1::Provenance provenance;
  provenance.set_region("sa-east-1");
  provenance.set_replica("sa-east-1/a");
  provenance.set_gateway_region("us-east-1");
  provenance.set_reason(v1::ROUTE_REASON_FAILOVER);
  provenance.set_level_met(v1::CONSISTENCY_LEVEL_SESSION);
  provenance.mutable_age()->set_nanos(120'000'000);
  provenance.set_attempts(2);
  provenance.set_nearest_gateway("127.0.0.1:1");
  EXPECT_EQ(Describe(provenance),
            "sa-east-1/a (failover, session, age 120 ms, via us-east-1, 2 attempts, nearer gateway "
            "127.0.0.1:1)");
}

TEST(DescribeTest, PlacesNameWhatIsKnown) {
  v1::Place place;
  EXPECT_EQ(Describe(place), "unknown");
  place.set_country("DE");
  place.set_latitude(51.01);
  place.set_longitude(9.8);
  place.set_country_point(true);
  EXPECT_EQ(Describe(place), "DE (51.01, 9.80, the country's point)");
}

TEST(DescribeTest, ErrorsShowCodeReasonMessageAndMetadata) {
  EXPECT_EQ(DescribeError(LimitError("id", 512, 600, "bytes")),
            "INVALID_ARGUMENT (LIMIT_EXCEEDED): id: 600 bytes is over the limit of 512\n"
            "  actual: 600\n  field: id\n  limit: 512\n");
  EXPECT_EQ(DescribeError(absl::UnavailableError("connection refused")),
            "UNAVAILABLE: connection refused\n");
}

TEST(DescribeTest, JsonHasTheNamesOfTheProtosAndEveryField) {
  v1::Version version;
  version.set_origin(7);
  EXPECT_EQ(ToJson(version), "{\n \"hybrid_time\": \"0\",\n \"origin\": \"7\"\n}\n");
}

}  // namespace
}  // namespace homeport
