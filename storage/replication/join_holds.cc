#include "storage/replication/join_holds.h"

#include <algorithm>

namespace homeport {

void JoinHolds::AddTo(internal::v1::PullRequest& request, const ReplicaName& peer,
                      const ReplicaView& view) {
  for (auto it = told_.begin(); it != told_.end();) {
    auto& [origin, told] = *it;
    if (!told) {
      request.add_hold(origin.value());
      told = true;
      ++it;
      continue;
    }
    const Sequence received = view.ReceivedOf(origin);
    const Sequence seen = std::max(received, view.SeenOf(peer, origin));
    const JoinView::OfOrigin* joined = view.joins == nullptr ? nullptr : view.joins->Find(origin);
    // Behind what is received nothing has to wait, however much there is.
    if (joined != nullptr && joined->full.contains(peer) && seen > received) {
      ++it;
      continue;
    }
    internal::v1::Position* resume = request.add_resume();
    resume->set_origin(origin.value());
    resume->set_sequence(seen.value());
    it = told_.erase(it);
  }
}

}  // namespace homeport
