#include "storage/replication/holdings.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/model/keys.h"
#include "storage/replication/seed_chunk.h"

namespace homeport {
namespace {

// One key a namespace of which entries were left out.
constexpr absl::string_view kLeftOutPrefix = "left_out/";

std::string LeftOutKey(absl::string_view name_space) {
  return absl::StrCat(kLeftOutPrefix, name_space);
}

}  // namespace

absl::Status Holdings::Load() {
  std::unique_ptr<KvIterator> it =
      staging_->engine()->Iterate(Table::kMeta, PrefixEnd(kLeftOutPrefix));
  for (it->Seek(kLeftOutPrefix); it->Valid(); it->Next()) {
    left_out_.insert(std::string(it->key().substr(kLeftOutPrefix.size())));
  }
  if (!it->status().ok()) return it->status();
  return kept_.Load();
}

void Holdings::LeaveOut(const std::string& name_space) {
  if (!left_out_.insert(name_space).second) return;
  staging_->Put(Table::kMeta, LeftOutKey(name_space), std::string());
}

void Holdings::Owe(const std::string& name_space, Origin origin, Sequence last, uint64_t entries) {
  const std::vector<std::string> partial = seeds_->Partial();
  const bool whole = std::find(partial.begin(), partial.end(), name_space) == partial.end();
  if (whole && !left_out_.contains(name_space)) kept_.Keep(name_space);
  seeds_->Owe(name_space, origin, last, entries);
}

absl::Status Holdings::OnPolicy(const HoldingPolicy& policy,
                                const std::vector<std::pair<Origin, Sequence>>& received,
                                const std::pair<Origin, Sequence>& own) {
  if (auto status = DropForbidden(policy); !status.ok()) return status;
  // Of a namespace that the topology does not know nobody gives anything.
  for (const std::string& partial : seeds_->Partial()) {
    if (policy.AskItems(partial) != HoldingPolicy::Answer::kUnknown) continue;
    seeds_->TakeAway(partial);
    LeaveOut(partial);
  }
  for (auto at = left_out_.begin(); at != left_out_.end();) {
    if (policy.AskItems(*at) != HoldingPolicy::Answer::kHolds) {
      ++at;
      continue;
    }
    if (policy.HeldElsewhere(*at)) {
      auto at_least = received;
      if (dropped_.erase(*at) > 0) at_least.push_back(own);
      seeds_->Give(*at, std::move(at_least));
    } else {
      kept_.Forget(*at);
    }
    staging_->Delete(Table::kMeta, LeftOutKey(*at));
    at = left_out_.erase(at);
  }
  return absl::OkStatus();
}

absl::Status Holdings::DropForbidden(const HoldingPolicy& policy) {
  std::set<std::string> whole;
  const std::vector<std::string> partial = seeds_->Partial();
  for (const std::string& name_space : policy.Forbidden()) {
    if (!left_out_.contains(name_space) &&
        std::find(partial.begin(), partial.end(), name_space) == partial.end()) {
      whole.insert(name_space);
    }
    seeds_->TakeAway(name_space);
    LeaveOut(name_space);
  }
  std::unique_ptr<KvIterator> it = staging_->engine()->Iterate(Table::kItems);
  for (it->Seek(absl::string_view()); it->Valid();) {
    const auto parts = ParseItemKey(it->key());
    if (!parts) return absl::DataLossError("the key of a stored item does not parse");
    const std::string name_space(parts->name_space);
    if (policy.AskItems(name_space) == HoldingPolicy::Answer::kForbids) {
      if (whole.contains(name_space)) kept_.Keep(name_space);
      if (!kept_.Keeps(name_space)) Drop(name_space);
    }
    it->Seek(PrefixEnd(NamespacePrefix(name_space)));
  }
  return it->status();
}

void Holdings::Drop(const std::string& name_space) {
  const std::string items = NamespacePrefix(name_space);
  const std::string ids = RequestIdsOf(name_space).key;
  staging_->DeleteRange(Table::kItems, items, PrefixEnd(items));
  staging_->DeleteRange(Table::kRequests, ids, PrefixEnd(ids));
  digests_->Drop(name_space);
  dropped_.insert(name_space);
}

void Holdings::LetGo(const MemberTable& members) {
  const std::shared_ptr<const KeptView> kept = kept_.View();
  if (kept->cuts.empty()) return;
  const std::vector<std::string> partial = seeds_->Partial();
  for (const auto& [name_space, cut] : kept->cuts) {
    const bool left_out = left_out_.contains(name_space);
    const bool whole =
        !left_out && std::find(partial.begin(), partial.end(), name_space) == partial.end();
    if (!whole && kept_.Look(name_space, self_, members)) continue;
    if (left_out) Drop(name_space);
    kept_.Forget(name_space);
  }
}

}  // namespace homeport
