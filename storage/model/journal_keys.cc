#include "storage/model/journal_keys.h"

namespace homeport {
namespace {

constexpr char kIndexMark = 'r';
constexpr size_t kNumberBytes = 8;

void AppendNumber(std::string& out, ConflictNumber number) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(number.value() >> shift));
  }
}

}  // namespace

std::string ConflictKey(ConflictNumber number) {
  std::string out(kConflictPrefix);
  AppendNumber(out, number);
  return out;
}

std::string ConflictIndexPrefix(absl::string_view items_prefix) {
  std::string out(1, kIndexMark);
  out.append(items_prefix.data(), items_prefix.size());
  return out;
}

std::string ConflictIndexKey(absl::string_view record_prefix, ConflictNumber number) {
  std::string out = ConflictIndexPrefix(record_prefix);
  AppendNumber(out, number);
  return out;
}

std::optional<ConflictNumber> ParseConflictNumber(absl::string_view stored) {
  const bool known =
      !stored.empty() && (stored[0] == kConflictPrefix[0]
                              ? stored.size() == 1 + kNumberBytes
                              : stored[0] == kIndexMark && stored.size() > 1 + kNumberBytes);
  if (!known) return std::nullopt;
  uint64_t value = 0;
  for (const char c : stored.substr(stored.size() - kNumberBytes)) {
    value = value << 8 | static_cast<unsigned char>(c);
  }
  return ConflictNumber(value);
}

}  // namespace homeport
