#include <cmath>
#include <string>

#include "gateway/geo/countries.h"
#include "gateway/geo/reserved_ranges.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/geo/geo_fixture.h"

namespace homeport {
namespace {

using testing::Ip;

TEST(CountriesTest, EveryAssignedCodeHasAPointAndAContinent) {
  int known = 0;
  for (char first = 'A'; first <= 'Z'; ++first) {
    for (char second = 'A'; second <= 'Z'; ++second) {
      const std::string code = {first, second};
      const Country* country = FindCountry(code);
      if (country == nullptr) continue;
      ++known;
      EXPECT_EQ(country->code, code);
      EXPECT_EQ(std::string(country->continent).size(), 2u) << code;
      EXPECT_LE(std::abs(country->point.latitude), 90) << code;
      EXPECT_LE(std::abs(country->point.longitude), 180) << code;
    }
  }
  EXPECT_EQ(known, 250);  // ISO 3166-1's 249 and XK
}

TEST(CountriesTest, PointsAreWherePeopleLive) {
  EXPECT_LT(FindCountry("AU")->point.latitude, -30);  // not the desert in the middle
  EXPECT_LT(FindCountry("CA")->point.latitude, 50);
  EXPECT_EQ(FindCountry("AW")->point, (GeoPoint{12.51, -69.99}));
  EXPECT_STREQ(FindCountry("BR")->continent, "SA");
  EXPECT_STREQ(FindCountry("JP")->continent, "AS");
  EXPECT_STREQ(FindCountry("ZA")->continent, "AF");
  EXPECT_STREQ(FindCountry("AQ")->continent, "AN");
  EXPECT_STREQ(FindCountry("NZ")->continent, "OC");
  EXPECT_STREQ(FindCountry("MX")->continent, "NA");
  EXPECT_STREQ(FindCountry("RU")->continent, "EU");
}

TEST(CountriesTest, CodesAreTakenInEitherCase) {
  EXPECT_EQ(FindCountry("us"), FindCountry("US"));
  EXPECT_NE(FindCountry("Us"), nullptr);
}

TEST(CountriesTest, CodesOfNoOneCountryAreUnknown) {
  for (const char* code : {"AP", "EU", "XX", "ZZ", "T1", "A1", "A2", "O1", "AN", "CS", "--", "",
                           "U", "USA", "U\x13", "@@", "[["}) {
    EXPECT_EQ(FindCountry(code), nullptr) << code;
  }
}

TEST(ReservedRangesTest, AddressesThatAreNowhereAreReserved) {
  for (const char* text : {"0.0.0.0",      "0.255.255.255",
                           "10.0.0.0",     "10.255.255.255",
                           "100.64.0.0",   "100.127.255.255",
                           "127.0.0.1",    "169.254.169.254",
                           "172.16.0.0",   "172.31.255.255",
                           "192.0.0.1",    "192.0.2.1",
                           "192.88.99.1",  "192.168.1.1",
                           "198.18.0.1",   "198.19.255.255",
                           "198.51.100.1", "203.0.113.255",
                           "224.0.0.1",    "239.255.255.255",
                           "240.0.0.0",    "255.255.255.255",
                           "::",           "::1",
                           "::8.8.8.8",    "64:ff9b:1::808:808",
                           "100::1",       "2001:2::1",
                           "2001:10::1",   "2001:20::1",
                           "2001:db8::1",  "3fff::1",
                           "4000::",       "5f00::1",
                           "fc00::1",      "fd12:3456::1",
                           "fe80::1",      "febf::1",
                           "fec0::1",      "ff02::1",
                           "ffff::"}) {
    EXPECT_TRUE(IsReservedAddress(Ip(text))) << text;
  }
}

TEST(ReservedRangesTest, TheirNeighboursAreNot) {
  for (const char* text : {"1.0.0.0",         "9.255.255.255",
                           "11.0.0.0",        "100.63.255.255",
                           "100.128.0.0",     "126.255.255.255",
                           "128.0.0.0",       "169.253.255.255",
                           "169.255.0.0",     "172.15.255.255",
                           "172.32.0.0",      "192.0.1.0",
                           "192.167.255.255", "192.169.0.0",
                           "198.17.255.255",  "198.20.0.0",
                           "223.255.255.255", "2000::1",
                           "2001:200::1",     "2001:db7::1",
                           "2001:db9::1",     "2a00:1450:4001:81b::200e",
                           "3ffe:ffff::1",    "3fff:1000::1"}) {
    EXPECT_FALSE(IsReservedAddress(Ip(text))) << text;
  }
}

TEST(ReservedRangesTest, TransitionAddressesAreWhereTheirIpv4UserIs) {
  EXPECT_EQ(EmbeddedIpv4(Ip("64:ff9b::808:808")), Ip("8.8.8.8"));
  EXPECT_EQ(EmbeddedIpv4(Ip("2002:808:808:1::1")), Ip("8.8.8.8"));
  EXPECT_EQ(EmbeddedIpv4(Ip("2001:0:4136:e378:8000:63bf:f7f7:f7f7")), Ip("8.8.8.8"));
  EXPECT_EQ(EmbeddedIpv4(Ip("64:ff9b:1::808:808")), std::nullopt);
  EXPECT_EQ(EmbeddedIpv4(Ip("2001:4860:4860::8888")), std::nullopt);
  EXPECT_EQ(EmbeddedIpv4(Ip("8.8.8.8")), std::nullopt);
  EXPECT_FALSE(IsReservedAddress(Ip("64:ff9b::808:808")));
  EXPECT_FALSE(IsReservedAddress(Ip("2002:808:808::1")));
  EXPECT_TRUE(IsReservedAddress(Ip("64:ff9b::a00:1")));  // 10.0.0.1
  EXPECT_TRUE(IsReservedAddress(Ip("2002:c0a8:101::1")));
}

}  // namespace
}  // namespace homeport
