#include "common/log/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <type_traits>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace homeport {
namespace {

// Bytes of one text that a line shows; the rest is cut, so that a line has a bound.
constexpr size_t kTextBytesMax = 16 * 1024;
constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr absl::string_view kCut = "\xE2\x80\xA6";          // an ellipsis

std::atomic<LogLevel> threshold{LogLevel::kInfo};

absl::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

bool IsContinuation(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

// Bytes of the well-formed UTF-8 sequence that `text` begins with (Unicode 15, table 3-7), or 0.
size_t SequenceLength(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  size_t length = 0;
  uint8_t second_min = 0x80;
  uint8_t second_max = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) second_min = 0xA0;  // overlong
    if (lead == 0xED) second_max = 0x9F;  // surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) second_min = 0x90;  // overlong
    if (lead == 0xF4) second_max = 0x8F;  // above U+10FFFF
  } else {
    return 0;
  }
  if (text.size() < length || byte(1) < second_min || byte(1) > second_max) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (!IsContinuation(text[i])) return 0;
  }
  return length;
}

void AppendEscape(uint8_t c, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out.append("\\\"");
      return;
    case '\\':
      out.append("\\\\");
      return;
    case '\n':
      out.append("\\n");
      return;
    case '\r':
      out.append("\\r");
      return;
    case '\t':
      out.append("\\t");
      return;
    default:
      out.append("\\u00");
      out.push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 15]);
  }
}

void AppendText(absl::string_view text, std::string& out) {
  bool cut = false;
  if (text.size() > kTextBytesMax) {
    size_t end = kTextBytesMax;
    while (end > kTextBytesMax - 4 && IsContinuation(text[end])) --end;
    text = text.substr(0, end);
    cut = true;
  }
  out.push_back('"');
  while (!text.empty()) {
    const uint8_t c = static_cast<uint8_t>(text[0]);
    if (c < 0x20 || c == '"' || c == '\\' || c == 0x7F) {
      AppendEscape(c, out);
      text.remove_prefix(1);
      continue;
    }
    const size_t length = SequenceLength(text);
    if (length == 0) {
      out.append(kReplacement.data(), kReplacement.size());
      text.remove_prefix(1);
    } else {
      out.append(text.data(), length);
      text.remove_prefix(length);
    }
  }
  if (cut) out.append(kCut.data(), kCut.size());
  out.push_back('"');
}

void AppendDouble(double value, std::string& out) {
  // JSON has no words for these.
  if (!std::isfinite(value)) {
    out.append(std::isnan(value) ? "\"nan\"" : value > 0 ? "\"inf\"" : "\"-inf\"");
    return;
  }
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out.append(buffer, end - buffer);
}

void AppendValue(const LogValue& value, std::string& out) {
  std::visit(
      [&out](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string>) {
          AppendText(v, out);
        } else if constexpr (std::is_same_v<T, bool>) {
          out.append(v ? "true" : "false");
        } else if constexpr (std::is_same_v<T, double>) {
          AppendDouble(v, out);
        } else {
          absl::StrAppend(&out, v);
        }
      },
      value.value());
}

// One write a line, so that lines of several processes on one pipe stay whole too; the lock is for
// what the kernel takes only in part.
void WriteLine(absl::string_view line) {
  ABSL_CONST_INIT static absl::Mutex mutex(absl::kConstInit);
  absl::MutexLock lock(&mutex);
  while (!line.empty()) {
    const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    // Whoever read the log is gone or does not keep up; that must not stop the service.
    if (written <= 0) return;
    line.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

std::string FormatLogLine(absl::string_view time, LogLevel level, absl::string_view event,
                          LogFields fields) {
  std::string line = "{\"time\":";
  AppendText(time, line);
  line.append(",\"level\":");
  AppendText(LevelName(level), line);
  line.append(",\"event\":");
  AppendText(event, line);
  for (const auto& [name, value] : fields) {
    line.push_back(',');
    AppendText(name, line);
    line.push_back(':');
    AppendValue(value, line);
  }
  line.push_back('}');
  return line;
}

void SetLogThreshold(LogLevel level) { threshold.store(level, std::memory_order_relaxed); }

bool LogEnabled(LogLevel level) { return level >= threshold.load(std::memory_order_relaxed); }

void Log(LogLevel level, absl::string_view event, LogFields fields) {
  if (!LogEnabled(level)) return;
  std::string line =
      FormatLogLine(absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone()),
                    level, event, fields);
  line.push_back('\n');
  WriteLine(line);
}

}  // namespace homeport
