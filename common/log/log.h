// Structured logs: one JSON object a line on stderr.
//
//   Log(LogLevel::kInfo, "link up", {{"peer", peer.value()}, {"entries", count}});
//   {"time":"2026-01-02T03:04:05.678Z","level":"info","event":"link up","peer":"eu/a","entries":12}
//
// Never a stored value, a session token, or a whole client address
// (IpAddress::ToTruncatedString()). Log at the edges; what decides returns what happened.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/string_view.h"

namespace homeport {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// A field's value: text, number or truth.
class LogValue {
 public:
  LogValue(absl::string_view v) : value_(std::string(v)) {}   // NOLINT: implicit for brace lists
  LogValue(const std::string& v) : value_(v) {}               // NOLINT
  LogValue(const char* v) : value_(std::string(v)) {}         // NOLINT
  LogValue(bool v) : value_(v) {}                             // NOLINT
  LogValue(double v) : value_(v) {}                           // NOLINT
  LogValue(int v) : value_(static_cast<int64_t>(v)) {}        // NOLINT
  LogValue(int64_t v) : value_(v) {}                          // NOLINT
  LogValue(uint64_t v) : value_(v) {}                         // NOLINT
  LogValue(uint32_t v) : value_(static_cast<uint64_t>(v)) {}  // NOLINT

  const std::variant<std::string, bool, double, int64_t, uint64_t>& value() const { return value_; }

 private:
  std::variant<std::string, bool, double, int64_t, uint64_t> value_;
};

using LogFields = std::initializer_list<std::pair<absl::string_view, LogValue>>;

// Writes a line if `level` is at or above the threshold. Thread-safe; a line is written whole.
void Log(LogLevel level, absl::string_view event, LogFields fields = {});
// The threshold; kInfo at start. Thread-safe.
void SetLogThreshold(LogLevel level);
bool LogEnabled(LogLevel level);
// The line that Log() would write for that time, without the line feed.
std::string FormatLogLine(absl::string_view time, LogLevel level, absl::string_view event,
                          LogFields fields);

}  // namespace homeport
