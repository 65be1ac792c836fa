// What a region's replica holds, read item by item, and how regions differ.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "client/rpc/gateway_client.h"

namespace homeport {

struct ItemAddress {
  std::string name_space;
  std::string id;
  std::string key;
  friend auto operator<=>(const ItemAddress&, const ItemAddress&) = default;
};

struct ItemContent {
  std::string value;
  uint64_t hybrid_time = 0;
  uint64_t origin = 0;
  friend bool operator==(const ItemContent&, const ItemContent&) = default;
};

struct RegionContent {
  std::map<ItemAddress, ItemContent> items;
  // Every replica that answered, by the replies' own word.
  std::set<std::string> replicas;
  // Records, over all namespaces.
  size_t records = 0;
};

// All namespaces, all records, all items, by pages of `local_only` reads at level EVENTUAL.
// CANCELLED as soon as `go_on` says false.
absl::StatusOr<RegionContent> ReadRegion(GatewayClient& gateway, absl::FunctionRef<bool()> go_on);

// How many items are missing in some region, or not the same in value and version; with the first
// few in words.
struct Differences {
  size_t count = 0;
  std::vector<std::string> examples;
};
Differences Compare(const std::vector<std::string>& regions,
                    const std::vector<RegionContent>& contents);

// Those of `wanted` that a region lacks, or has otherwise.
Differences Missing(const std::map<ItemAddress, ItemContent>& wanted, const std::string& region,
                    const RegionContent& content);

}  // namespace homeport
