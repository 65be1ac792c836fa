// Longest-prefix match over many address ranges.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/types/span.h"
#include "common/net/ip_address.h"

namespace homeport {

// Answers which of a set of ranges holds an address and has the longest prefix.
//
// CIDR ranges either nest or are disjoint, so they cut each family's numbers into segments that
// have one answer each. Only the segments are kept, in order: a lookup is one binary search over
// numbers (about log2(2 n) steps, tens of nanoseconds for thousands of ranges) whatever the
// nesting.
//
// Immutable and thread-safe. A default table is empty.
class IpTable {
 public:
  IpTable() = default;
  // `ranges[i]` is answered as `i`. Of equal ranges the first one is answered.
  explicit IpTable(absl::Span<const IpRange> ranges);

  // The index of the longest range that holds `address`, or nullopt.
  std::optional<int> Find(const IpAddress& address) const;
  bool Contains(const IpAddress& address) const { return Find(address).has_value(); }

 private:
  // `starts[i]` is the first number of a segment whose answer is `answers[i]`, -1 for none. The
  // first segment starts at 0 unless there is no range at all.
  template <typename Number>
  struct Segments {
    std::vector<Number> starts;
    std::vector<int> answers;
  };
  template <typename Number>
  static Segments<Number> Build(absl::Span<const IpRange> ranges, bool v4);
  template <typename Number>
  static std::optional<int> Search(const Segments<Number>& segments, Number number);

  Segments<uint32_t> v4_;
  Segments<absl::uint128> v6_;
};

}  // namespace homeport
