#include "storage/replication/kept_items.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

// Table::kMeta: one key a namespace, with a StoredSeed of which only the cut is set.
constexpr absl::string_view kKeptPrefix = "kept/";

std::string KeptKey(absl::string_view name_space) { return absl::StrCat(kKeptPrefix, name_space); }

// Empty if the member has all of it.
std::string Lacks(const SeedCut& cut, const std::string& name_space, const ReplicaName& name,
                  const MemberTable& members) {
  const Member* member = members.Find(name);
  if (member == nullptr) return absl::StrCat(name.value(), " was not heard of yet");
  if (member->fingerprint != members.members().fingerprint) {
    return absl::StrCat(name.value(), " goes by another topology");
  }
  if (member->partial.contains(name_space)) {
    return absl::StrCat(name.value(), " does not hold it whole");
  }
  for (const auto& [origin, of] : cut) {
    const Sequence applied = member->Of(origin).applied;
    if (applied >= of.sequence) continue;
    return absl::StrCat(name.value(), " has applied ", applied.value(), " of origin ",
                        OriginText(origin), ", of ", of.sequence.value());
  }
  return std::string();
}

}  // namespace

const SeedCut* KeptCutOf(const ReplicaView& view, absl::string_view name_space) {
  if (view.kept == nullptr) return nullptr;
  auto found = view.kept->cuts.find(name_space);
  return found == view.kept->cuts.end() ? nullptr : &found->second;
}

absl::Status KeptItems::Load() {
  auto kept = std::make_shared<KeptView>();
  std::unique_ptr<KvIterator> it =
      staging_->engine()->Iterate(Table::kMeta, PrefixEnd(kKeptPrefix));
  for (it->Seek(kKeptPrefix); it->Valid(); it->Next()) {
    internal::v1::StoredSeed stored;
    if (!stored.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) {
      return absl::DataLossError("what is stored of a namespace that is kept does not parse");
    }
    auto cut = ParseCut(stored.cut());
    if (!cut.ok()) return cut.status();
    kept->cuts[std::string(it->key().substr(kKeptPrefix.size()))] = *std::move(cut);
  }
  kept_ = std::move(kept);
  return it->status();
}

void KeptItems::Keep(const std::string& name_space) {
  if (Keeps(name_space)) return;
  ReplicaView now;
  origins_->Show(now);
  auto kept = std::make_shared<KeptView>(*kept_);
  SeedCut& cut = kept->cuts[name_space];
  cut = CutOf(now);
  internal::v1::StoredSeed stored;
  stored.set_has_cut(true);
  AddCut(cut, stored.mutable_cut());
  staging_->Put(Table::kMeta, KeptKey(name_space), stored.SerializeAsString());
  kept_ = std::move(kept);
}

void KeptItems::Forget(const std::string& name_space) {
  if (!Keeps(name_space)) return;
  auto kept = std::make_shared<KeptView>(*kept_);
  kept->cuts.erase(name_space);
  kept->waits.erase(name_space);
  staging_->Delete(Table::kMeta, KeptKey(name_space));
  kept_ = std::move(kept);
}

bool KeptItems::Look(const std::string& name_space, const ReplicaName& self,
                     const MemberTable& members) {
  const SeedCut& cut = kept_->cuts.find(name_space)->second;
  std::string waits;
  for (const auto& [name, held] : members.members().members) {
    if (name == self || !held.contains(name_space)) continue;
    const std::string lacks = Lacks(cut, name_space, name, members);
    if (lacks.empty()) return false;
    absl::StrAppend(&waits, waits.empty() ? "" : "; ", lacks);
  }
  if (waits.empty()) waits = "no other member may hold it";
  auto last = kept_->waits.find(name_space);
  if (last == kept_->waits.end() || last->second != waits) {
    auto kept = std::make_shared<KeptView>(*kept_);
    kept->waits[name_space] = std::move(waits);
    kept_ = std::move(kept);
  }
  return true;
}

}  // namespace homeport
