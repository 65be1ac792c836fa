#include "gateway/geo/mmdb/geo_reloader.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/geo/geo_fixture.h"
#include "tests/unit/gateway/geo/mmdb_writer.h"

namespace homeport {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace testing;  // NOLINT: homeport::testing, the writers

std::string FileOf(absl::string_view country, absl::string_view range = "8.0.0.0/8") {
  MmdbWriter writer;
  writer.Insert(range, FlatCountry(country));
  return writer.Build();
}

class GeoReloaderTest : public ::testing::Test {
 protected:
  GeoReloaderTest() { WriteFile(path_, FileOf("US")); }

  static std::string Country(const GeoReloader& reloader, absl::string_view address = "8.8.8.8") {
    return reloader.Get()->Locate(Ip(address)).country;
  }
  // A change is taken at the second look that finds it the same.
  static void PollTwice(GeoReloader& reloader) {
    reloader.Poll();
    reloader.Poll();
  }

  TempDirectory directory_;
  const std::string path_ = directory_.Path("test.mmdb");
};

TEST_F(GeoReloaderTest, LoadsWhatTheTopologyLists) {
  GeoReloader reloader(TopologyWithDatabases({path_}), 0);
  const Place place = reloader.Get()->Locate(Ip("8.8.8.8"));
  EXPECT_EQ(place.country, "US");
  EXPECT_EQ(place.source, v1::PLACE_SOURCE_DATABASE);
  EXPECT_EQ(place.database->credit, "credit of " + path_);
  const GeoStatus status = reloader.status();
  EXPECT_EQ(status.loads, 1u);
  EXPECT_EQ(status.refusals, 0u);
  EXPECT_EQ(status.warning, "");
  ASSERT_EQ(status.files.size(), 1u);
  EXPECT_EQ(status.files[0].info->type, "Test");
}

TEST_F(GeoReloaderTest, RelativePathsAreRelativeToTheDirectory) {
  GeoReloader reloader(TopologyWithDatabases({"test.mmdb"}), 0, directory_.Path(""));
  EXPECT_EQ(Country(reloader), "US");
  EXPECT_EQ(reloader.status().files[0].path, "test.mmdb");
}

TEST_F(GeoReloaderTest, WithoutAnyDatabaseItWorksAndSaysSo) {
  GeoReloader reloader(GeoTopology(), 0);
  EXPECT_EQ(reloader.Get()->Locate(Ip("8.8.8.8")).source, v1::PLACE_SOURCE_DEFAULT);
  EXPECT_EQ(reloader.Get()->Locate(Ip("10.0.0.1")).source, v1::PLACE_SOURCE_RESERVED);
  EXPECT_THAT(reloader.status().warning, HasSubstr("no GeoIP database is configured"));
  EXPECT_THAT(reloader.status().files, IsEmpty());
}

TEST_F(GeoReloaderTest, AMissingFileIsReportedAndTakenWhenItComes) {
  const std::string late = directory_.Path("late.mmdb");
  GeoReloader reloader(TopologyWithDatabases({late}), 0);
  EXPECT_EQ(Country(reloader), "");
  EXPECT_THAT(reloader.status().warning, HasSubstr("no GeoIP database is loaded"));
  EXPECT_THAT(reloader.status().warning, HasSubstr(late));
  EXPECT_EQ(reloader.status().refusals, 1u);
  PollTwice(reloader);
  EXPECT_EQ(reloader.status().refusals, 1u);  // not tried over and over
  WriteFile(late, FileOf("JP"));
  PollTwice(reloader);
  EXPECT_EQ(Country(reloader), "JP");
  EXPECT_EQ(reloader.status().warning, "");
}

TEST_F(GeoReloaderTest, AFileRenamedOverTheOldOneIsTaken) {
  GeoReloader reloader(TopologyWithDatabases({path_}), 0);
  WriteFile(directory_.Path("new"), FileOf("DE"));
  std::filesystem::rename(directory_.Path("new"), path_);
  PollTwice(reloader);
  EXPECT_EQ(Country(reloader), "DE");
  EXPECT_EQ(reloader.status().loads, 2u);
}

TEST_F(GeoReloaderTest, ASymbolicLinkSwitchedToAnotherFileIsTaken) {
  const std::string link = directory_.Path("current.mmdb");
  WriteFile(directory_.Path("v2"), FileOf("DE"));
  std::filesystem::create_symlink(path_, link);
  GeoReloader reloader(TopologyWithDatabases({link}), 0);
  EXPECT_EQ(Country(reloader), "US");
  std::filesystem::create_symlink(directory_.Path("v2"), directory_.Path("next"));
  std::filesystem::rename(directory_.Path("next"), link);
  PollTwice(reloader);
  EXPECT_EQ(Country(reloader), "DE");
}

TEST_F(GeoReloaderTest, AFileRewrittenInPlaceIsTaken) {
  GeoReloader reloader(TopologyWithDatabases({path_}), 0);
  WriteFile(path_, FileOf("DE"));
  PollTwice(reloader);
  EXPECT_EQ(Country(reloader), "DE");
}

TEST_F(GeoReloaderTest, AFileThatIsStillBeingWrittenIsLeftAlone) {
  GeoReloader reloader(TopologyWithDatabases({path_}), 0);
  const std::string whole = FileOf("DE");
  for (size_t size = 1; size < whole.size(); size += 7) {
    WriteFile(path_, whole.substr(0, size));
    reloader.Poll();
  }
  EXPECT_EQ(reloader.status().refusals, 0u);
  EXPECT_EQ(Country(reloader), "US");
  WriteFile(path_, whole);
  PollTwice(reloader);
  EXPECT_EQ(Country(reloader), "DE");
}

TEST_F(GeoReloaderTest, AHalfWrittenFileIsRefusedOnceAndTheOldOneServesOn) {
  GeoReloader reloader(TopologyWithDatabases({path_}), 0);
  const std::string whole = FileOf("DE");
  WriteFile(path_, whole.substr(0, whole.size() / 2));
  PollTwice(reloader);
  PollTwice(reloader);
  EXPECT_EQ(Country(reloader), "US");
  GeoStatus status = reloader.status();
  EXPECT_EQ(status.refusals, 1u);
  EXPECT_EQ(status.loads, 1u);
  EXPECT_THAT(status.files[0].refused, HasSubstr(path_));
  EXPECT_NE(status.files[0].info, nullptr);
  EXPECT_THAT(status.warning, HasSubstr("the one built 2026-06-01 serves on"));
  WriteFile(path_, whole);
  PollTwice(reloader);
  EXPECT_EQ(Country(reloader), "DE");
  EXPECT_EQ(reloader.status().warning, "");
}

TEST_F(GeoReloaderTest, AFileThatIsRemovedServesOn) {
  GeoReloader reloader(TopologyWithDatabases({path_}), 0);
  std::filesystem::remove(path_);
  PollTwice(reloader);
  EXPECT_EQ(Country(reloader), "US");
  EXPECT_EQ(reloader.status().refusals, 1u);
  EXPECT_THAT(reloader.status().warning, HasSubstr("No such file"));
}

TEST_F(GeoReloaderTest, AFileTruncatedInPlaceWhileItServesIsNoHarm) {
  GeoReloader reloader(TopologyWithDatabases({path_}), 0);
  const auto held = reloader.Get();
  ASSERT_EQ(truncate(path_.c_str(), 0), 0);
  PollTwice(reloader);
  EXPECT_EQ(held->Locate(Ip("8.8.8.8")).country, "US");
  EXPECT_EQ(Country(reloader), "US");
  EXPECT_EQ(reloader.status().refusals, 1u);
}

TEST_F(GeoReloaderTest, OnRequestEveryFileIsReadAtOnce) {
  GeoReloader reloader(TopologyWithDatabases({path_}), 0);
  WriteFile(path_, FileOf("DE"));
  reloader.Reload();
  EXPECT_EQ(Country(reloader), "DE");
  WriteFile(path_, "rubbish");
  reloader.Reload();
  reloader.Reload();
  EXPECT_EQ(Country(reloader), "DE");
  EXPECT_EQ(reloader.status().refusals, 2u);
}

TEST_F(GeoReloaderTest, TheSameBytesAgainChangeNothing) {
  GeoReloader reloader(TopologyWithDatabases({path_}), 0);
  const auto before = reloader.Get();
  WriteFile(path_, FileOf("US"));
  PollTwice(reloader);
  reloader.Reload();
  EXPECT_EQ(reloader.Get(), before);
  EXPECT_EQ(reloader.status().loads, 1u);
}

TEST_F(GeoReloaderTest, ABadFileDoesNotHoldUpAnother) {
  const std::string other = directory_.Path("other.mmdb");
  WriteFile(other, FileOf("FR", "9.0.0.0/8"));
  GeoReloader reloader(TopologyWithDatabases({path_, other}), 0);
  WriteFile(path_, "rubbish");
  WriteFile(other, FileOf("CH", "9.0.0.0/8"));
  PollTwice(reloader);
  EXPECT_EQ(Country(reloader), "US");
  EXPECT_EQ(Country(reloader, "9.9.9.9"), "CH");
}

TEST_F(GeoReloaderTest, Ipv4AndIpv6MayComeInFilesApart) {
  const std::string other = directory_.Path("other.mmdb");
  MmdbWriter v4(4);
  v4.Insert("8.0.0.0/8", FlatCountry("US"));
  WriteFile(path_, v4.Build());
  WriteFile(other, FileOf("DE", "2a00::/16"));
  GeoReloader reloader(TopologyWithDatabases({path_, other}), 0);
  EXPECT_EQ(Country(reloader), "US");
  EXPECT_EQ(Country(reloader, "2a00::1"), "DE");
}

TEST_F(GeoReloaderTest, AnotherTopologyKeepsWhatBothList) {
  GeoReloader reloader(TopologyWithDatabases({path_}), 0);
  const auto kept = reloader.Get()->databases()[0];
  const std::string other = directory_.Path("other.mmdb");
  WriteFile(other, FileOf("FR", "9.0.0.0/8"));
  reloader.SetTopology(TopologyWithDatabases({other, path_}), 1);
  EXPECT_EQ(reloader.Get()->databases().size(), 2u);
  EXPECT_EQ(reloader.Get()->databases()[1], kept);
  EXPECT_EQ(Country(reloader, "9.9.9.9"), "FR");
  EXPECT_EQ(Country(reloader, "10.0.0.1"), "US");  // region 1 now
  EXPECT_EQ(reloader.status().loads, 2u);
  reloader.SetTopology(GeoTopology(), 0);
  EXPECT_EQ(Country(reloader), "");
  EXPECT_THAT(reloader.status().warning, HasSubstr("configured"));
}

TEST_F(GeoReloaderTest, TheLastReaderClosesAnOldDatabase) {
  GeoReloader reloader(TopologyWithDatabases({path_}), 0);
  auto held = reloader.Get();
  std::weak_ptr<const GeoDatabase> old = held->databases()[0];
  WriteFile(path_, FileOf("DE"));
  reloader.Reload();
  EXPECT_EQ(held->Locate(Ip("8.8.8.8")).country, "US");
  EXPECT_FALSE(old.expired());
  held.reset();
  EXPECT_TRUE(old.expired());
}

TEST_F(GeoReloaderTest, ReadersAreAnsweredWholeWhileFilesChange) {
  GeoReloader reloader(TopologyWithDatabases({path_}), 0);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> answered{0}, wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        const Place place = reloader.Get()->Locate(Ip("8.8.8.8"));
        if (place.country != "US" && place.country != "DE") ++wrong;
        if (place.database == nullptr) ++wrong;
        reloader.status();
        ++answered;
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    WriteFile(path_, i % 3 == 2 ? "rubbish" : FileOf(i % 3 == 0 ? "DE" : "US"));
    i % 2 == 0 ? reloader.Reload() : PollTwice(reloader);
  }
  while (answered < 1000) std::this_thread::yield();
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(reloader.status().loads, 20u);
  EXPECT_EQ(reloader.status().refusals, 16u);
}

}  // namespace
}  // namespace homeport
