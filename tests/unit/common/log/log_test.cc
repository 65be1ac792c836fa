#include "common/log/log.h"

#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace homeport {
namespace {

using ::nlohmann::json;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

constexpr char kTime[] = "2026-01-02T03:04:05.678Z";

std::string Line(LogFields fields) { return FormatLogLine(kTime, LogLevel::kInfo, "it", fields); }

// What a reader of the line sees of one text value.
std::string Text(const std::string& value) {
  return json::parse(Line({{"text", value}})).at("text").get<std::string>();
}

std::string Captured(const std::function<void()>& act) {
  testing::internal::CaptureStderr();
  act();
  return testing::internal::GetCapturedStderr();
}

TEST(FormatLogLineTest, IsOneJsonObjectWithTheFieldsInOrder) {
  EXPECT_EQ(FormatLogLine(kTime, LogLevel::kInfo, "link up", {{"peer", "eu/a"}, {"entries", 12}}),
            "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\",\"event\":\"link up\","
            "\"peer\":\"eu/a\",\"entries\":12}");
}

TEST(FormatLogLineTest, LevelsAreNamed) {
  const auto level = [](LogLevel l) {
    return json::parse(FormatLogLine(kTime, l, "e", {})).at("level").get<std::string>();
  };
  EXPECT_EQ(level(LogLevel::kDebug), "debug");
  EXPECT_EQ(level(LogLevel::kInfo), "info");
  EXPECT_EQ(level(LogLevel::kWarning), "warning");
  EXPECT_EQ(level(LogLevel::kError), "error");
}

TEST(FormatLogLineTest, NumbersAndTruthsAreNotText) {
  const json line = json::parse(Line({{"yes", true},
                                      {"small", -7},
                                      {"least", std::numeric_limits<int64_t>::min()},
                                      {"most", std::numeric_limits<uint64_t>::max()},
                                      {"part", 0.1}}));
  EXPECT_EQ(line.at("yes"), true);
  EXPECT_EQ(line.at("small"), -7);
  EXPECT_EQ(line.at("least"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(line.at("most"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(line.at("part").get<double>(), 0.1);
}

TEST(FormatLogLineTest, NumbersThatJsonCanNotSayAreText) {
  const double infinity = std::numeric_limits<double>::infinity();
  const json line =
      json::parse(Line({{"nan", std::nan("")}, {"inf", infinity}, {"minus", -infinity}}));
  EXPECT_EQ(line.at("nan"), "nan");
  EXPECT_EQ(line.at("inf"), "inf");
  EXPECT_EQ(line.at("minus"), "-inf");
}

TEST(FormatLogLineTest, EveryByteMakesALineThatParsesAndStaysOneLine) {
  for (int first = 0; first < 256; ++first) {
    for (int second : {0x00, 0x0A, 0x22, 0x5C, 0x7F, 0x80, 0x9F, 0xA0, 0xBF, 0xC3, 0xFF}) {
      const std::string value{static_cast<char>(first), static_cast<char>(second), 'x'};
      const std::string line = Line({{value, value}});
      ASSERT_TRUE(json::accept(line)) << line;
      ASSERT_EQ(line.find('\n'), std::string::npos);
    }
  }
}

TEST(FormatLogLineTest, WellFormedTextComesBackUnchanged) {
  for (const char* text :
       {"", "plain", "a\"b\\c\nd\te\rf\x01g\x7F", "Grüße", "東京", "\xF0\x9F\x9A\xA2",
        "\xF4\x8F\xBF\xBF", "\xED\x9F\xBF", "\xEE\x80\x80"}) {
    EXPECT_EQ(Text(text), text);
  }
  EXPECT_EQ(Text(std::string("a\0b", 3)), std::string("a\0b", 3));
}

TEST(FormatLogLineTest, MalformedBytesAreReplaced) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(Text("a\xFFz"), "a" + r + "z");
  EXPECT_EQ(Text("\xC3"), r);                          // cut
  EXPECT_EQ(Text("\xC0\xAF"), r + r);                  // overlong
  EXPECT_EQ(Text("\xE0\x9F\xBF"), r + r + r);          // overlong
  EXPECT_EQ(Text("\xED\xA0\x80"), r + r + r);          // surrogate
  EXPECT_EQ(Text("\xF4\x90\x80\x80"), r + r + r + r);  // above U+10FFFF
}

TEST(FormatLogLineTest, LongTextIsCutAtACharacter) {
  EXPECT_EQ(Text(std::string(16384, 'a')), std::string(16384, 'a'));
  EXPECT_EQ(Text(std::string(16385, 'a')), std::string(16384, 'a') + "…");
  std::string umlauts = "x";
  for (int i = 0; i < 9000; ++i) umlauts += "ü";
  EXPECT_EQ(Text(umlauts), umlauts.substr(0, 16383) + "…");
}

TEST(LogTest, ALineOnStderrHasItsTimeInUtc) {
  const std::string out = Captured([] { Log(LogLevel::kError, "disk full", {{"path", "/x"}}); });
  ASSERT_EQ(out.back(), '\n');
  const json line = json::parse(out);
  EXPECT_EQ(line.at("event"), "disk full");
  EXPECT_THAT(line.at("time").get<std::string>(),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"));
}

TEST(LogTest, BelowTheThresholdNothingIsWritten) {
  EXPECT_FALSE(LogEnabled(LogLevel::kDebug));
  EXPECT_THAT(Captured([] { Log(LogLevel::kDebug, "detail"); }), IsEmpty());
  SetLogThreshold(LogLevel::kError);
  EXPECT_THAT(Captured([] { Log(LogLevel::kWarning, "odd"); }), IsEmpty());
  EXPECT_TRUE(LogEnabled(LogLevel::kError));
  SetLogThreshold(LogLevel::kDebug);
  EXPECT_THAT(Captured([] { Log(LogLevel::kDebug, "detail"); }), testing::HasSubstr("detail"));
  SetLogThreshold(LogLevel::kInfo);
}

TEST(LogTest, LinesOfManyThreadsStayWhole) {
  constexpr int kThreads = 8;
  constexpr int kLines = 200;
  const std::string out = Captured([] {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([t] {
        for (int i = 0; i < kLines; ++i) {
          Log(LogLevel::kInfo, "line", {{"thread", t}, {"filler", std::string(300, 'f')}});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  std::istringstream lines(out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) ASSERT_TRUE(json::accept(line));
  EXPECT_EQ(count, kThreads * kLines);
}

}  // namespace
}  // namespace homeport
