// The topology's explicit rules, compiled: which region a place is sent to, whatever is nearer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/topology/topology.h"
#include "gateway/geo/place.h"

namespace homeport {

// The first rule in the file's order that matches a place. Four look-ups, however many rules there
// are. Immutable, thread-safe.
class RegionRules {
 public:
  explicit RegionRules(const Topology& topology);

  struct Match {
    int rule = 0;  // position in the file's list
    int region = 0;
  };
  std::optional<Match> Find(const Place& place) const;
  // "country DE", "autonomous system 64500".
  const std::string& Describe(int rule) const { return rules_[rule].words; }
  int size() const { return static_cast<int>(rules_.size()); }
  bool empty() const { return rules_.empty(); }

 private:
  struct Rule {
    int region = 0;
    std::string words;
  };

  std::vector<Rule> rules_;
  // From what a rule names to the first rule that names it.
  absl::flat_hash_map<uint32_t, int> by_asn_;
  absl::flat_hash_map<uint64_t, int> by_subdivision_;
  absl::flat_hash_map<uint64_t, int> by_country_;
  absl::flat_hash_map<uint64_t, int> by_continent_;
};

}  // namespace homeport
