#include "gateway/geo/mmdb/mmdb_tree.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

namespace homeport {
namespace {

// Heights of nodes: the longest way to a leaf. No height is over 128.
constexpr uint8_t kUnknown = 255;
constexpr uint8_t kOnTheWay = 254;

class Tree {
 public:
  Tree(absl::Span<const uint8_t> file, const MmdbMetadata& metadata)
      : file_(file), record_bits_(metadata.record_bits) {}

  // The left (0) or right (1) record of a node.
  uint32_t Record(uint64_t node, int side) const {
    const uint8_t* at = file_.data() + node * record_bits_ / 4;
    switch (record_bits_) {
      case 24:
        at += 3 * side;
        return uint32_t{at[0]} << 16 | uint32_t{at[1]} << 8 | at[2];
      case 28: {
        // The middle byte has the high bits of both.
        const uint32_t high = side == 0 ? at[3] >> 4 : at[3] & 15;
        at += 4 * side;
        return high << 24 | uint32_t{at[0]} << 16 | uint32_t{at[1]} << 8 | at[2];
      }
      default:
        at += 4 * side;
        return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
    }
  }

 private:
  absl::Span<const uint8_t> file_;
  uint64_t record_bits_;
};

// Fails if some way from the root is longer than `bits`. Subtrees may be shared (files alias
// IPv4 into several IPv6 ranges), so heights are kept, and each node is entered once.
absl::Status CheckHeight(const Tree& tree, uint64_t node_count, int bits) {
  std::vector<uint8_t> heights(node_count, kUnknown);
  struct Frame {
    uint32_t node;
    int side;
    int height;
  };
  std::vector<Frame> way = {{0, 0, 1}};
  heights[0] = kOnTheWay;
  while (!way.empty()) {
    Frame& top = way.back();
    if (top.side == 2) {
      heights[top.node] = static_cast<uint8_t>(top.height);
      const int height = top.height;
      way.pop_back();
      if (!way.empty()) way.back().height = std::max(way.back().height, height + 1);
      continue;
    }
    const uint32_t next = tree.Record(top.node, top.side++);
    if (next >= node_count) continue;
    if (heights[next] == kOnTheWay) {
      return absl::DataLossError(
          absl::StrCat("node ", top.node, " of the search tree is in a loop"));
    }
    if (heights[next] != kUnknown) {
      top.height = std::max(top.height, heights[next] + 1);
    } else {
      heights[next] = kOnTheWay;
      way.push_back({next, 0, 1});
    }
    if (static_cast<int>(way.size()) > bits || way.back().height > bits) {
      return absl::DataLossError(
          absl::StrCat("the search tree is deeper than ", bits, " bits at node ", next));
    }
  }
  if (heights[0] > bits) {
    return absl::DataLossError(absl::StrCat("the search tree is deeper than ", bits, " bits"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<uint32_t>> WalkMmdbTree(absl::Span<const uint8_t> file,
                                                   const MmdbMetadata& metadata) {
  const Tree tree(file, metadata);
  const uint64_t data_bytes = metadata.data_end - metadata.data_start;
  // A record over the count of nodes names data, counted from the zeros before the data section.
  const uint64_t data_base = metadata.node_count + (metadata.data_start - metadata.tree_bytes);
  std::vector<bool> named(data_bytes);
  for (uint64_t node = 0; node < metadata.node_count; ++node) {
    for (int side = 0; side < 2; ++side) {
      const uint32_t record = tree.Record(node, side);
      if (record <= metadata.node_count) continue;
      if (record < data_base || record - data_base >= data_bytes) {
        return absl::DataLossError(
            absl::StrCat("node ", node, " of the search tree names data that is not there"));
      }
      named[record - data_base] = true;
    }
  }
  if (absl::Status status = CheckHeight(tree, metadata.node_count, metadata.address_bits());
      !status.ok()) {
    return status;
  }
  std::vector<uint32_t> offsets;
  for (uint64_t offset = 0; offset < data_bytes; ++offset) {
    if (named[offset]) offsets.push_back(static_cast<uint32_t>(offset));
  }
  return offsets;
}

}  // namespace homeport
