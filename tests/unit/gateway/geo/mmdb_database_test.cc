#include "gateway/geo/mmdb/mmdb_database.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <string>

#include "common/status/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/geo/geo_fixture.h"
#include "tests/unit/gateway/geo/mmdb_writer.h"

namespace homeport {
namespace {

using ::testing::HasSubstr;
using namespace testing;  // NOLINT: homeport::testing, the writers

class MmdbDatabaseTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::shared_ptr<const MmdbDatabase>> Open(const std::string& content) {
    // A new file each time: file systems may sync one that is truncated and written again.
    std::filesystem::remove(path_);
    WriteFile(path_, content);
    return MmdbDatabase::Open(path_, "credit");
  }
  absl::StatusOr<std::shared_ptr<const MmdbDatabase>> Open(const MmdbWriter& writer) {
    return Open(writer.Build());
  }
  // Of a database that must open; nullopt if it knows nothing.
  std::optional<Place> Find(const MmdbWriter& writer, absl::string_view address) {
    const auto database = Open(writer);
    EXPECT_TRUE(database.ok()) << database.status();
    Place place;
    if (!database.ok() || !(*database)->Lookup(Ip(address), place)) return std::nullopt;
    return place;
  }
  void ExpectRefused(const std::string& content, absl::StatusCode code, absl::string_view what) {
    const absl::Status status = Open(content).status();
    EXPECT_EQ(status.code(), code) << what;
    EXPECT_EQ(ReasonOf(status), reason::kGeoDatabaseInvalid) << what;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(what)));
    EXPECT_THAT(std::string(status.message()), ::testing::StartsWith(path_ + ": "));
    EXPECT_EQ(ErrorMetadataOf(status, "path"), path_);
  }
  void ExpectDamaged(const MmdbWriter& writer, absl::string_view what) {
    ExpectRefused(writer.Build(), absl::StatusCode::kDataLoss, what);
  }

  TempDirectory directory_;
  const std::string path_ = directory_.Path("test.mmdb");
};

MmdbWriter Countries(int ip_version = 6, int record_bits = 24) {
  MmdbWriter writer(ip_version, record_bits);
  writer.Insert("8.0.0.0/8", FlatCountry("US"));
  writer.Insert("8.8.4.0/24", FlatCountry("BR"));
  if (ip_version == 6) writer.Insert("2a00::/16", FlatCountry("DE"));
  return writer;
}

TEST_F(MmdbDatabaseTest, FlatFilesOfEveryRecordSizeAreRead) {
  for (int bits : {24, 28, 32}) {
    EXPECT_EQ(Find(Countries(6, bits), "8.8.8.8")->country, "US") << bits;
    EXPECT_EQ(Find(Countries(6, bits), "8.8.4.4")->country, "BR") << bits;
    EXPECT_EQ(Find(Countries(6, bits), "2a00:1450::1")->country, "DE") << bits;
    EXPECT_EQ(Find(Countries(4, bits), "8.8.8.8")->country, "US") << bits;
    EXPECT_EQ(Find(Countries(6, bits), "9.9.9.9"), std::nullopt) << bits;
  }
}

TEST_F(MmdbDatabaseTest, AnIpv6AddressInAFileOfIpv4IsUnknown) {
  EXPECT_EQ(Find(Countries(4), "2a00:1450::1"), std::nullopt);
}

TEST_F(MmdbDatabaseTest, AnIpv4AddressInAFileOfIpv6AloneIsUnknown) {
  MmdbWriter writer;
  writer.Insert("2a00::/16", FlatCountry("DE"));
  EXPECT_EQ(Find(writer, "8.8.8.8"), std::nullopt);
}

TEST_F(MmdbDatabaseTest, RangesOfEveryLengthEndWhereTheySay) {
  for (int ip_version : {4, 6}) {
    MmdbWriter writer(ip_version, 28);
    for (int length = 1; length <= 32; ++length) {
      // 128.0.0.0/1, 64.0.0.0/2 and so on; a network's number is its prefix length.
      writer.Insert(
          IpAddress::V4(1u << (32 - length)).ToString() + "/" + std::to_string(length),
          MmdbMap({{"autonomous_system_number", MmdbUint32(static_cast<uint32_t>(length))}}));
    }
    const auto database = Open(writer);
    ASSERT_TRUE(database.ok()) << database.status();
    for (uint32_t length = 1; length <= 32; ++length) {
      const uint32_t first = 1u << (32 - length);
      for (uint32_t number : {first, first + (first - 1)}) {
        Place place;
        ASSERT_TRUE((*database)->Lookup(IpAddress::V4(number), place)) << length;
        EXPECT_EQ(place.asn, length);
      }
    }
    Place place;
    EXPECT_FALSE((*database)->Lookup(IpAddress::V4(0), place));
  }
}

TEST_F(MmdbDatabaseTest, NestedRecordsAreReadWhole) {
  MmdbWriter writer(6, 28);
  writer.Insert("8.8.8.0/24", NestedCity("US", "NA", "CA", "Oakland", 37.8044, -122.2712));
  const auto place = Find(writer, "8.8.8.8");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->country, "US");
  EXPECT_EQ(place->continent, "NA");
  EXPECT_EQ(place->subdivision, "CA");
  EXPECT_EQ(place->city, "Oakland");
  EXPECT_EQ(place->point, (GeoPoint{37.8044, -122.2712}));
}

TEST_F(MmdbDatabaseTest, FlatCityRecordsAreReadWithFloatsAndDoubles) {
  for (bool with_floats : {true, false}) {
    const auto number = [&](double value) {
      return with_floats ? MmdbFloat(static_cast<float>(value)) : MmdbDouble(value);
    };
    MmdbWriter writer;
    writer.Insert("8.8.8.0/24", MmdbMap({{"city", MmdbText("Zürich")},
                                         {"country_code", MmdbText("CH")},
                                         {"latitude", number(47.25)},
                                         {"longitude", number(8.5)},
                                         {"state1", MmdbText("ZH")},
                                         {"timezone", MmdbText("Europe/Zurich")}}));
    const auto place = Find(writer, "8.8.8.8");
    ASSERT_TRUE(place);
    EXPECT_EQ(place->country, "CH");
    EXPECT_EQ(place->city, "Zürich");
    EXPECT_EQ(place->subdivision, "ZH");
    EXPECT_EQ(place->point, (GeoPoint{47.25, 8.5}));
  }
}

TEST_F(MmdbDatabaseTest, ASubdivisionsNameIsNotItsCode) {
  MmdbWriter writer;
  writer.Insert("8.8.8.0/24",
                MmdbMap({{"country_code", MmdbText("US")}, {"state1", MmdbText("California")}}));
  EXPECT_EQ(Find(writer, "8.8.8.8")->subdivision, "");
}

TEST_F(MmdbDatabaseTest, WithoutACountryTheRegisteredOneIsTaken) {
  MmdbWriter writer;
  const auto iso = [](absl::string_view code) { return MmdbMap({{"iso_code", MmdbText(code)}}); };
  writer.Insert("1.1.1.0/24", MmdbMap({{"registered_country", iso("AU")}}));
  writer.Insert("2.2.2.0/24", MmdbMap({{"country", iso("FR")}, {"registered_country", iso("AU")}}));
  EXPECT_EQ(Find(writer, "1.1.1.1")->country, "AU");
  EXPECT_EQ(Find(writer, "2.2.2.2")->country, "FR");
}

TEST_F(MmdbDatabaseTest, NetworksAreReadFromEitherSchema) {
  MmdbWriter writer;
  writer.Insert("1.1.1.0/24", MmdbMap({{"autonomous_system_number", MmdbUint32(13335)}}));
  writer.Insert("2.2.2.0/24",
                MmdbMap({{"traits", MmdbMap({{"autonomous_system_number", MmdbUint32(15557)}})}}));
  EXPECT_EQ(Find(writer, "1.1.1.1")->asn, 13335u);
  EXPECT_EQ(Find(writer, "2.2.2.2")->asn, 15557u);
}

TEST_F(MmdbDatabaseTest, CodesOfNoCountryAreUnknown) {
  for (const char* code : {"AP", "XX", "T1", "ZZ", "EU", "", "U\x01", "USA"}) {
    MmdbWriter writer = Countries();
    writer.Insert("9.9.9.0/24", FlatCountry(code));
    EXPECT_EQ(Find(writer, "9.9.9.9"), std::nullopt) << code;
  }
}

TEST_F(MmdbDatabaseTest, AWholeLargeCountrysCentreIsLeftOut) {
  const auto record = [](uint16_t radius) {
    return MmdbMap({{"country", MmdbMap({{"iso_code", MmdbText("US")}})},
                    {"location", MmdbMap({{"accuracy_radius", MmdbUint16(radius)},
                                          {"latitude", MmdbDouble(37.751)},
                                          {"longitude", MmdbDouble(-97.822)}})}});
  };
  MmdbWriter writer;
  writer.Insert("1.1.1.0/24", record(499));
  writer.Insert("2.2.2.0/24", record(500));
  EXPECT_EQ(Find(writer, "1.1.1.1")->point, (GeoPoint{37.751, -97.822}));
  EXPECT_EQ(Find(writer, "2.2.2.2")->point, std::nullopt);
}

TEST_F(MmdbDatabaseTest, OnlyUnknownFieldsAreAddedAndNeverAcrossCountries) {
  MmdbWriter writer;
  writer.Insert("8.8.8.0/24", NestedCity("US", "NA", "CA", "Oakland", 37.8, -122.2));
  const auto database = Open(writer);
  ASSERT_TRUE(database.ok());
  Place place;
  place.country = "US";
  place.city = "San Francisco";
  EXPECT_TRUE((*database)->Lookup(Ip("8.8.8.8"), place));
  EXPECT_EQ(place.city, "San Francisco");
  EXPECT_EQ(place.subdivision, "CA");
  Place elsewhere;
  elsewhere.country = "MX";
  (*database)->Lookup(Ip("8.8.8.8"), elsewhere);
  EXPECT_EQ(elsewhere.subdivision, "");
  EXPECT_EQ(elsewhere.point, std::nullopt);
}

TEST_F(MmdbDatabaseTest, RecordsBeyondThePreparedOnesAreAnsweredToo) {
  MmdbWriter writer(6, 32);
  constexpr uint32_t kRecords = MmdbDatabase::kPreparedRecordsMax + 100;
  for (uint32_t i = 0; i < kRecords; ++i) {
    writer.Insert(IpAddress::V4(0x08000000 + i).ToString(),
                  MmdbMap({{"country_code", MmdbText("US")},
                           {"autonomous_system_number", MmdbUint32(i + 1)}}));
  }
  const auto database = Open(writer);
  ASSERT_TRUE(database.ok()) << database.status();
  for (uint32_t i = 0; i < kRecords; ++i) {
    Place place;
    ASSERT_TRUE((*database)->Lookup(IpAddress::V4(0x08000000 + i), place));
    ASSERT_EQ(place.asn, i + 1);
    ASSERT_EQ(place.country, "US");
  }
}

TEST_F(MmdbDatabaseTest, SaysWhatTheFileIs) {
  const auto database = Open(Countries());
  ASSERT_TRUE(database.ok());
  const GeoDatabaseInfo& info = *(*database)->info();
  EXPECT_EQ(info.path, path_);
  EXPECT_EQ(info.type, "Test");
  EXPECT_EQ(info.credit, "credit");
  EXPECT_EQ(info.built, absl::FromUnixSeconds(1780345978));
}

TEST_F(MmdbDatabaseTest, WhatIsNoFileIsRefusedByName) {
  const auto code = [](const std::string& path) {
    const absl::Status status = MmdbDatabase::Open(path, "").status();
    EXPECT_EQ(ReasonOf(status), reason::kGeoDatabaseInvalid);
    EXPECT_THAT(std::string(status.message()), HasSubstr(path));
    return status.code();
  };
  EXPECT_EQ(code(directory_.Path("absent.mmdb")), absl::StatusCode::kNotFound);
  EXPECT_EQ(code(directory_.Path("")), absl::StatusCode::kFailedPrecondition);
  ASSERT_EQ(mkfifo(directory_.Path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(code(directory_.Path("pipe")), absl::StatusCode::kFailedPrecondition);
  WriteFile(directory_.Path("empty"), "");
  EXPECT_EQ(code(directory_.Path("empty")), absl::StatusCode::kFailedPrecondition);
  WriteFile(directory_.Path("huge"), "x");
  std::filesystem::resize_file(directory_.Path("huge"), SealedFile::kBytesMax + 1);
  EXPECT_EQ(code(directory_.Path("huge")), absl::StatusCode::kResourceExhausted);
}

TEST_F(MmdbDatabaseTest, WhatIsNoMmdbFileIsRefused) {
  ExpectRefused("hello", absl::StatusCode::kDataLoss, "no metadata at its end");
  ExpectRefused(std::string(1 << 20, '\0'), absl::StatusCode::kDataLoss, "no metadata at its end");
  ExpectRefused(Countries().Build() + std::string(200 << 10, '\0'), absl::StatusCode::kDataLoss,
                "no metadata at its end");
}

TEST_F(MmdbDatabaseTest, WrongMetadataIsRefused) {
  const std::vector<std::tuple<std::string, MmdbBytes, std::string>> cases = {
      {"node_count", "", "node_count is missing"},
      {"node_count", MmdbUint32(0), "node_count is 0"},
      {"node_count", MmdbUint32(4000000000), "no room for data"},
      {"node_count", MmdbText("12"), "node_count is not a number"},
      {"record_size", MmdbUint16(0), "record_size is 0"},
      {"record_size", MmdbUint16(26), "record_size is 26"},
      {"record_size", MmdbUint16(64), "record_size is 64"},
      {"ip_version", MmdbUint16(5), "ip_version is 5"},
      {"ip_version", MmdbUint16(7), "ip_version is 7"},
      {"binary_format_major_version", MmdbUint16(3), "binary_format_major_version is 3"},
      {"build_epoch", MmdbUint64(~uint64_t{0}), "build_epoch is"},
      {"build_epoch", "", "build_epoch is missing"},
      {"languages", MmdbArray({MmdbUint16(1)}), "languages is not a list of texts"},
      {"description", MmdbMap({{"en", MmdbBool(true)}}), "description is not a list of texts"},
      {"description", MmdbText("for tests"), "description is not a list of texts"},
      {"database_type", "", "database_type is missing"},
      {"database_type", MmdbText("\xff"), "database_type is not a short text"},
  };
  for (const auto& [key, value, what] : cases) {
    MmdbWriter writer = Countries();
    writer.SetMetadata(key, value);
    ExpectDamaged(writer, what);
  }
}

TEST_F(MmdbDatabaseTest, AWrongSearchTreeIsRefused) {
  MmdbWriter loop = Countries();
  loop.SetTreeRecord(5, 1, 5);
  ExpectDamaged(loop, "in a loop");
  MmdbWriter back = Countries();
  back.SetTreeRecord(7, 1, 0);
  ExpectDamaged(back, "in a loop");
  MmdbWriter beyond = Countries();
  beyond.SetTreeRecord(7, 1, 0xffffff);
  ExpectDamaged(beyond, "names data that is not there");
  MmdbWriter separator = Countries();
  separator.SetTreeRecord(7, 1, separator.node_count() + 3);
  ExpectDamaged(separator, "names data that is not there");
  MmdbWriter deep(6);
  deep.Insert("2a00::1", FlatCountry("DE"));
  deep.SetMetadata("ip_version", MmdbUint16(4));
  ExpectDamaged(deep, "deeper than 32 bits");
}

TEST_F(MmdbDatabaseTest, ATreeWhoseSubtreesAreSharedIsRead) {
  // Files alias IPv4 into other ranges, here all of 8000::/1.
  MmdbWriter writer = Countries();
  writer.SetTreeRecord(0, 1, 1);
  EXPECT_EQ(Find(writer, "8.8.8.8")->country, "US");
  EXPECT_EQ(Find(writer, "8000::808:808")->country, "US");
}

TEST_F(MmdbDatabaseTest, AWrongRecordIsRefused) {
  const auto nested = [](double latitude, double longitude) {
    return NestedCity("US", "NA", "CA", "Oakland", latitude, longitude);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::pair<MmdbBytes, std::string>> cases = {
      {MmdbText("US"), "not a map"},
      {MmdbMap({{"country_code", MmdbPointer(2000)}}), "beyond the end"},
      {nested(90.001, 0), "latitude: not -90 to 90"},
      {nested(nan, 0), "latitude: not -90 to 90"},
      {nested(0, -180.001), "longitude: not -180 to 180"},
      {nested(0, std::numeric_limits<double>::infinity()), "longitude: not -180 to 180"},
      {MmdbMap({{"city", MmdbText("Z\xfcrich")}}), "city: not UTF-8"},
      {MmdbMap({{"latitude", MmdbFloat(1)}}), "latitude or longitude alone"},
  };
  for (const auto& [record, what] : cases) {
    MmdbWriter writer = Countries();
    writer.Insert("9.9.9.0/24", record);
    ExpectDamaged(writer, what);
  }
}

TEST_F(MmdbDatabaseTest, AFileThatSaysNothingOfAnyPlaceIsRefused) {
  MmdbWriter writer;
  writer.Insert("9.9.9.0/24", MmdbMap({{"is_anonymous", MmdbBool(true)}}));
  ExpectDamaged(writer, "has a country, coordinates or a network");
  ExpectDamaged(MmdbWriter(), "no room for data");
}

// Whatever is wrong with a file, it is refused, or every answer it gives is in range.
void CheckAnswers(const MmdbDatabase& database) {
  for (const char* address : {"8.8.8.8", "8.8.4.4", "9.9.9.9", "0.0.0.0", "255.255.255.255",
                              "2a00::1", "::1", "ffff::", "7.7.7.7"}) {
    Place place;
    database.Lookup(Ip(address), place);
    EXPECT_TRUE(place.country.empty() || place.country.size() == 2);
    EXPECT_TRUE(place.continent.empty() || place.continent.size() == 2);
    EXPECT_LE(place.subdivision.size(), 3u);
    if (place.point) {
      EXPECT_LE(std::abs(place.point->latitude), 90);
      EXPECT_LE(std::abs(place.point->longitude), 180);
    }
  }
}

std::string SmallFile() {
  MmdbWriter writer = Countries();
  writer.Insert("7.7.0.0/16", NestedCity("US", "NA", "CA", "Oakland", 37.8, -122.2));
  writer.Insert("9.9.9.0/24",
                MmdbMap({{"country_code", MmdbPointer(writer.AddData(MmdbText("CH")))},
                         {"latitude", MmdbFloat(47)},
                         {"longitude", MmdbFloat(8)}}));
  return writer.Build();
}

TEST_F(MmdbDatabaseTest, AFileCutOffAnywhereIsRefused) {
  const std::string whole = SmallFile();
  ASSERT_TRUE(Open(whole).ok());
  for (size_t size = 1; size < whole.size(); ++size) {
    ASSERT_EQ(Open(whole.substr(0, size)).status().code(), absl::StatusCode::kDataLoss) << size;
  }
}

TEST_F(MmdbDatabaseTest, NoFlippedBitCrashesOrGivesValuesOutOfRange) {
  const std::string whole = SmallFile();
  int refused = 0;
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    const auto database = Open(damaged);
    if (database.ok()) {
      CheckAnswers(**database);
    } else {
      ++refused;
      ASSERT_EQ(ReasonOf(database.status()), reason::kGeoDatabaseInvalid) << bit;
    }
  }
  EXPECT_GT(refused, 0);
}

TEST_F(MmdbDatabaseTest, AFileTruncatedOrRewrittenInPlaceDoesNotDisturbWhatIsOpen) {
  const auto database = Open(Countries());
  ASSERT_TRUE(database.ok());
  ASSERT_EQ(truncate(path_.c_str(), 0), 0);  // a mapping of the file itself would raise SIGBUS
  Place place;
  EXPECT_TRUE((*database)->Lookup(Ip("8.8.4.4"), place));
  EXPECT_EQ(place.country, "BR");
  WriteFile(path_, std::string(1 << 20, 'x'));
  ASSERT_EQ(unlink(path_.c_str()), 0);
  Place again;
  EXPECT_TRUE((*database)->Lookup(Ip("8.8.8.8"), again));
  EXPECT_EQ(again.country, "US");
}

}  // namespace
}  // namespace homeport
