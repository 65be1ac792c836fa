#include "gateway/geo/mmdb/mmdb_decoder.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/geo/mmdb_writer.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace testing;  // NOLINT: homeport::testing, the writers

class Recorder : public MmdbVisitor {
 public:
  absl::Status OnScalar(absl::Span<const MmdbStep> path, const MmdbScalar& scalar) override {
    std::string line;
    for (const MmdbStep& step : path) {
      absl::StrAppend(&line, ".", step.key.empty() ? absl::StrCat(step.index) : step.key);
    }
    absl::StrAppend(&line, "=", scalar.text, scalar.number, ",", scalar.unsigned_value, ",",
                    scalar.signed_value);
    lines.push_back(line);
    return absl::OkStatus();
  }
  std::vector<std::string> lines;
};

absl::Status Decode(absl::string_view bytes, size_t offset = 0, Recorder* recorder = nullptr) {
  Recorder own;
  // A copy of the exact size, so that the sanitizer sees a read beyond it.
  const std::vector<uint8_t> section(bytes.begin(), bytes.end());
  return MmdbDecoder(section).Decode(offset, recorder == nullptr ? own : *recorder);
}

void ExpectDamaged(absl::string_view bytes, absl::string_view what, size_t offset = 0) {
  const absl::Status status = Decode(bytes, offset);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << what;
  EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(what)));
}

TEST(MmdbDecoderTest, EveryTypeIsDecodedWithItsPath) {
  Recorder recorder;
  const std::string bytes =
      MmdbMap({{"a", MmdbText("text")},
               {"b", MmdbArray({MmdbDouble(1.5), MmdbMap({{"c", MmdbFloat(-2.5f)}})})},
               {"d", MmdbUint16(65535)},
               {"e", MmdbUint32(4294967295)},
               {"f", MmdbUint64(1)},
               {"g", MmdbBool(true)},
               {"h", std::string("\x04\x01\xff\xff\xff\xfe", 6)}});
  ASSERT_TRUE(Decode(bytes, 0, &recorder).ok());
  EXPECT_THAT(recorder.lines,
              ElementsAre(".a=text0,0,0", ".b.0=1.5,0,0", ".b.1.c=-2.5,0,0", ".d=0,65535,0",
                          ".e=0,4294967295,0", ".f=0,1,0", ".g=0,1,0", ".h=0,0,-2"));
}

TEST(MmdbDecoderTest, PointersAreFollowedForKeysAndValues) {
  Recorder recorder;
  const std::string shared = MmdbText("key");
  const std::string bytes =
      shared + "\xe2" + MmdbPointer(0) + MmdbPointer(0) + MmdbText("x") + MmdbUint16(7);
  ASSERT_TRUE(Decode(bytes, shared.size(), &recorder).ok());
  EXPECT_THAT(recorder.lines, ElementsAre(".key=key0,0,0", ".x=0,7,0"));
}

TEST(MmdbDecoderTest, PointersOfEverySizeLeadWhereTheySay) {
  const std::string text = MmdbText("there");
  const std::vector<std::pair<std::string, size_t>> cases = {
      {std::string("\x27\xff", 2), 0x7ff},
      {std::string("\x28\x00\x01", 3), 2049},
      {std::string("\x30\x00\x00\x02", 4), 526338},
      {std::string("\x38\x00\x00\x01\x00", 5), 256}};
  for (const auto& [pointer, target] : cases) {
    std::string bytes = pointer;
    bytes.resize(target, '\0');
    Recorder recorder;
    ASSERT_TRUE(Decode(bytes + text, 0, &recorder).ok()) << target;
    EXPECT_THAT(recorder.lines, ElementsAre("=there0,0,0")) << target;
  }
}

TEST(MmdbDecoderTest, LongTextsAreDecodedWhole) {
  for (size_t size : {28u, 29u, 284u, 285u, 65820u}) {
    Recorder recorder;
    ASSERT_TRUE(Decode(MmdbText(std::string(size, 'x')), 0, &recorder).ok()) << size;
    EXPECT_EQ(recorder.lines[0].size(), size + 1 + 5) << size;
  }
}

TEST(MmdbDecoderTest, EveryValueThatIsCutOffIsRefused) {
  const std::string whole = NestedCity("US", "NA", "CA", "Oakland", 37.8, -122.2);
  ASSERT_TRUE(Decode(whole).ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(Decode(whole.substr(0, size)).code(), absl::StatusCode::kDataLoss) << size;
  }
}

TEST(MmdbDecoderTest, WhatTheFormatDoesNotAllowIsRefused) {
  ExpectDamaged("", "beyond the end");
  ExpectDamaged("x", "beyond the end", 5);
  ExpectDamaged(MmdbPointer(2) + MmdbPointer(0), "a pointer to a pointer");
  ExpectDamaged(MmdbPointer(2000), "beyond the end");
  ExpectDamaged("\x67" + std::string(8, 'x'), "a double of another size");
  ExpectDamaged(std::string("\x03\x08") + "xxx", "a float of another size");
  ExpectDamaged("\xa3xxx", "16-bit");
  ExpectDamaged("\xc5xxxxx", "32-bit");
  ExpectDamaged(std::string("\x09\x02") + "xxxxxxxxx", "64-bit");
  ExpectDamaged(std::string("\x11\x03") + std::string(17, 'x'), "128-bit");
  ExpectDamaged(std::string("\x02\x07"), "neither 0 nor 1");
  ExpectDamaged(std::string("\x00\x05", 2), "type that does not exist");  // container
  ExpectDamaged(std::string("\x00\x06", 2), "type that does not exist");  // end marker
  ExpectDamaged(std::string("\x00\x00", 2), "type that does not exist");
  ExpectDamaged(std::string("\x00\xff", 2), "type that does not exist");
  ExpectDamaged("\xe1" + MmdbUint16(1) + MmdbUint16(1), "key is not text");
}

TEST(MmdbDecoderTest, LoopsAndDeepNestsEnd) {
  ExpectDamaged("\xe1" + MmdbText("a") + MmdbPointer(0), "nested too deeply");
  std::string nest = MmdbText("x");
  for (size_t i = 0; i < MmdbDecoder::kDepthMax; ++i) nest = MmdbArray({nest});
  EXPECT_TRUE(Decode(nest).ok());
  ExpectDamaged(MmdbArray({nest}), "nested too deeply");
}

TEST(MmdbDecoderTest, AFewBytesThatStandForBillionsOfValuesAreRefused) {
  // Each array is twice the one before it.
  std::string bytes = MmdbText("x");
  size_t last = 0;
  for (int i = 0; i < 14; ++i) {
    const std::string pointer = MmdbPointer(static_cast<uint32_t>(last));
    last = bytes.size();
    bytes += MmdbArray(std::vector<MmdbBytes>(20, pointer));
  }
  ExpectDamaged(bytes, "too many values", last);
}

TEST(MmdbDecoderTest, ElementsAreTakenUpToTheLimit) {
  const std::vector<MmdbBytes> members(MmdbDecoder::kElementsMax - 1, MmdbBool(true));
  EXPECT_TRUE(Decode(MmdbArray(members)).ok());
  std::vector<MmdbBytes> more = members;
  more.push_back(MmdbBool(true));
  ExpectDamaged(MmdbArray(more), "too many values");
}

TEST(Utf8Test, OnlyWellFormedTextIs) {
  for (const char* good :
       {"", "Zürich", "東京", "\xf0\x9f\x9a\xa2", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const char* bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe6\x9d", "\xff"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

}  // namespace
}  // namespace homeport
