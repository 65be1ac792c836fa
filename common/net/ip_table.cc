#include "common/net/ip_table.h"

#include <algorithm>
#include <limits>

namespace homeport {
namespace {

uint64_t Number64(const IpAddress& address, size_t offset) {
  uint64_t number = 0;
  for (size_t i = offset; i < offset + 8; ++i) number = number << 8 | address.bytes()[i];
  return number;
}

void ToNumber(const IpAddress& address, uint32_t& number) { number = address.v4_number(); }
void ToNumber(const IpAddress& address, absl::uint128& number) {
  number = absl::MakeUint128(Number64(address, 0), Number64(address, 8));
}

}  // namespace

template <typename Number>
IpTable::Segments<Number> IpTable::Build(absl::Span<const IpRange> ranges, bool v4) {
  constexpr int kBits = sizeof(Number) * 8;
  constexpr Number kLast = std::numeric_limits<Number>::max();
  struct Entry {
    Number first, last;
    int answer;
  };
  std::vector<Entry> entries;
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].first().is_v4() != v4) continue;
    Entry entry{0, 0, static_cast<int>(i)};
    ToNumber(ranges[i].first(), entry.first);
    const int length = ranges[i].prefix_length();
    entry.last = length == kBits ? entry.first : entry.first | (kLast >> length);
    entries.push_back(entry);
  }
  Segments<Number> segments;
  if (entries.empty()) return segments;
  // Outer ranges before those that they hold; equal ones with the first last, so that it wins.
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    if (a.first != b.first) return a.first < b.first;
    if (a.last != b.last) return a.last > b.last;
    return a.answer > b.answer;
  });
  auto start = [&segments](Number number, int answer) {
    if (!segments.starts.empty() && segments.starts.back() == number) {
      segments.answers.back() = answer;
    } else if (segments.answers.empty() || segments.answers.back() != answer) {
      segments.starts.push_back(number);
      segments.answers.push_back(answer);
    }
  };
  start(0, -1);
  std::vector<Entry> open;  // the ranges that hold the current number, outermost first
  auto close_before = [&](const Number* next) {
    while (!open.empty() && (next == nullptr || open.back().last < *next)) {
      const Number last = open.back().last;
      open.pop_back();
      if (last != kLast) start(last + 1, open.empty() ? -1 : open.back().answer);
    }
  };
  for (const Entry& entry : entries) {
    close_before(&entry.first);
    start(entry.first, entry.answer);
    open.push_back(entry);
  }
  close_before(nullptr);
  return segments;
}

template <typename Number>
std::optional<int> IpTable::Search(const Segments<Number>& segments, Number number) {
  if (segments.starts.empty()) return std::nullopt;
  const auto after = std::upper_bound(segments.starts.begin(), segments.starts.end(), number);
  const int answer = segments.answers[static_cast<size_t>(after - segments.starts.begin()) - 1];
  if (answer < 0) return std::nullopt;
  return answer;
}

IpTable::IpTable(absl::Span<const IpRange> ranges)
    : v4_(Build<uint32_t>(ranges, true)), v6_(Build<absl::uint128>(ranges, false)) {}

std::optional<int> IpTable::Find(const IpAddress& address) const {
  if (address.is_v4()) return Search(v4_, address.v4_number());
  absl::uint128 number;
  ToNumber(address, number);
  return Search(v6_, number);
}

}  // namespace homeport
