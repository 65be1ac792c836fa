#include "storage/replication/unheard_origins.h"

#include <algorithm>
#include <utility>

namespace homeport {

void UnheardOrigins::Ask(Origin origin, HybridTime now) {
  if (asked_.size() >= kMax || unheard_->contains(origin)) return;
  asked_.try_emplace(origin, now);
}

void UnheardOrigins::Look(const ReplicaView& view, const ReplicaName& self,
                          const MemberTable& members) {
  if (asked_.empty() && unheard_->empty()) return;
  const auto known = [&view](Origin origin) { return view.ReceivedOf(origin) > Sequence(0); };
  const auto& listed = members.members().members;
  const auto denied = [&](Origin origin, HybridTime asked) {
    const HybridTime alive = FromWallTime(ToWallTime(asked) + drift_max_);
    return !listed.empty() && std::all_of(listed.begin(), listed.end(), [&](const auto& item) {
      if (item.first == self) return true;
      const Member* member = members.Find(item.first);
      if (member == nullptr || member->start == origin) return false;
      const OriginView* start = view.Find(member->start);
      return start != nullptr && start->watermark > alive &&
             member->Of(origin).received == Sequence(0);
    });
  };
  std::set<Origin> unheard = *unheard_;
  std::erase_if(unheard, known);
  for (auto at = asked_.begin(); at != asked_.end();) {
    const bool answer = !known(at->first) && denied(at->first, at->second);
    if (answer && unheard.size() < kMax) unheard.insert(at->first);
    at = answer || known(at->first) ? asked_.erase(at) : std::next(at);
  }
  if (unheard != *unheard_) unheard_ = std::make_shared<const std::set<Origin>>(std::move(unheard));
}

}  // namespace homeport
