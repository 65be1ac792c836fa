#include "gateway/route/region_rules.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace homeport {
namespace {

// A code of at most eight characters as a number; 0 for an empty or a longer one, which no rule
// names: ISO 3166-2 codes have at most six.
uint64_t Pack(absl::string_view code) {
  if (code.size() > sizeof(uint64_t)) return 0;
  uint64_t packed = 0;
  for (char c : code) packed = packed << 8 | static_cast<uint8_t>(c);
  return packed;
}

// As Pack("US-CA"), without building the string.
uint64_t PackSubdivision(absl::string_view country, absl::string_view subdivision) {
  if (country.empty() || subdivision.empty() ||
      country.size() + 1 + subdivision.size() > sizeof(uint64_t)) {
    return 0;
  }
  return (Pack(country) << 8 | '-') << (8 * subdivision.size()) | Pack(subdivision);
}

template <typename Map, typename Key>
void TakeFirst(const Map& map, const Key& key, int& first) {
  if (key == 0 || map.empty()) return;
  auto it = map.find(key);
  if (it != map.end()) first = std::min(first, it->second);
}

}  // namespace

RegionRules::RegionRules(const Topology& topology) {
  for (const internal::v1::RegionRule& rule : topology.proto().geo().region_rules()) {
    const int index = size();
    std::string words;
    if (rule.asn() != 0) {
      by_asn_.try_emplace(rule.asn(), index);
      words = absl::StrCat("autonomous system ", rule.asn());
    } else if (!rule.subdivision().empty()) {
      by_subdivision_.try_emplace(Pack(rule.subdivision()), index);
      words = absl::StrCat("subdivision ", rule.subdivision());
    } else if (!rule.country().empty()) {
      by_country_.try_emplace(Pack(rule.country()), index);
      words = absl::StrCat("country ", rule.country());
    } else {
      by_continent_.try_emplace(Pack(rule.continent()), index);
      words = absl::StrCat("continent ", rule.continent());
    }
    rules_.push_back({topology.FindRegion(rule.region()).value(), std::move(words)});
  }
}

std::optional<RegionRules::Match> RegionRules::Find(const Place& place) const {
  int first = size();
  TakeFirst(by_asn_, place.asn, first);
  TakeFirst(by_subdivision_, PackSubdivision(place.country, place.subdivision), first);
  TakeFirst(by_country_, Pack(place.country), first);
  TakeFirst(by_continent_, Pack(place.continent), first);
  if (first == size()) return std::nullopt;
  return Match{first, rules_[first].region};
}

}  // namespace homeport
