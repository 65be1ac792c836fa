#include "storage/model/keys.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace homeport {
namespace {

void AppendBigEndian(std::string& out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

uint64_t ReadBigEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

std::string NamespacePrefix(absl::string_view name_space) {
  std::string out(name_space);
  out.push_back('\0');
  return out;
}

std::string RecordPrefix(absl::string_view name_space, absl::string_view record_id) {
  std::string out;
  out.reserve(name_space.size() + record_id.size() + 16);
  out.append(name_space.data(), name_space.size());
  out.push_back('\0');
  for (const char c : record_id) {
    out.push_back(c);
    if (c == '\0') out.push_back('\xff');
  }
  out.push_back('\0');
  out.push_back('\x01');
  return out;
}

std::string ItemKey(absl::string_view name_space, absl::string_view record_id,
                    absl::string_view key) {
  std::string out = RecordPrefix(name_space, record_id);
  out.append(key.data(), key.size());
  return out;
}

std::string PrefixEnd(absl::string_view prefix) {
  std::string end(prefix);
  while (!end.empty()) {
    if (static_cast<unsigned char>(end.back()) != 0xff) {
      end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
      return end;
    }
    end.pop_back();
  }
  return end;
}

std::optional<ItemKeyParts> ParseItemKey(absl::string_view stored) {
  const size_t name_end = stored.find('\0');
  if (name_end == absl::string_view::npos) return std::nullopt;
  ItemKeyParts parts;
  parts.name_space = stored.substr(0, name_end);
  size_t at = name_end + 1;
  while (at < stored.size()) {
    const char c = stored[at++];
    if (c != '\0') {
      parts.record_id.push_back(c);
      continue;
    }
    if (at == stored.size()) return std::nullopt;
    const char mark = stored[at++];
    if (mark == '\x01') {
      parts.record_prefix = stored.substr(0, at);
      parts.key = stored.substr(at);
      return parts;
    }
    if (mark != '\xff') return std::nullopt;
    parts.record_id.push_back('\0');
  }
  return std::nullopt;
}

std::string LogKey(Origin origin, Sequence sequence) {
  std::string out;
  out.reserve(16);
  AppendBigEndian(out, origin.value());
  AppendBigEndian(out, sequence.value());
  return out;
}

std::optional<LogKeyParts> ParseLogKey(absl::string_view stored) {
  if (stored.size() != 16) return std::nullopt;
  return LogKeyParts{Origin(ReadBigEndian(stored)), Sequence(ReadBigEndian(stored.substr(8)))};
}

std::string PositionKey(Origin origin) {
  std::string out(kPositionPrefix);
  AppendBigEndian(out, origin.value());
  return out;
}

std::optional<Origin> ParsePositionKey(absl::string_view stored) {
  if (stored.size() != kPositionPrefix.size() + 8 || !absl::StartsWith(stored, kPositionPrefix)) {
    return std::nullopt;
  }
  return Origin(ReadBigEndian(stored.substr(kPositionPrefix.size())));
}

std::string ExpiryKey(HybridTime time, absl::string_view item_key) {
  std::string out;
  out.reserve(8 + item_key.size());
  AppendBigEndian(out, time.value());
  out.append(item_key.data(), item_key.size());
  return out;
}

std::optional<ExpiryKeyParts> ParseExpiryKey(absl::string_view stored) {
  if (stored.size() < 8) return std::nullopt;
  return ExpiryKeyParts{HybridTime(ReadBigEndian(stored)), stored.substr(8)};
}

std::string RequestKey(absl::string_view name_space, absl::string_view request_id) {
  std::string out = "i";
  out.append(name_space.data(), name_space.size());
  out.push_back('\0');
  out.append(request_id.data(), request_id.size());
  return out;
}

std::string RequestTimeKey(HybridTime time, absl::string_view request_key) {
  std::string out(kRequestTimePrefix);
  AppendBigEndian(out, time.value());
  out.append(request_key.data(), request_key.size());
  return out;
}

std::optional<RequestTimeKeyParts> ParseRequestTimeKey(absl::string_view stored) {
  if (stored.size() < kRequestTimePrefix.size() + 8 ||
      !absl::StartsWith(stored, kRequestTimePrefix)) {
    return std::nullopt;
  }
  stored.remove_prefix(kRequestTimePrefix.size());
  return RequestTimeKeyParts{HybridTime(ReadBigEndian(stored)), stored.substr(8)};
}

}  // namespace homeport
