#include "storage/replication/earlier_starts.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "homeport/internal/v1/entry.pb.h"
#include "storage/model/keys.h"
#include "storage/replication/log_reader.h"

namespace homeport {
namespace {

// Table::kMeta: one key an origin, and one a replica.
constexpr absl::string_view kLostPrefix = "lost/";
constexpr absl::string_view kLeftPrefix = "left/";

std::string LostKey(Origin origin) {
  return absl::StrCat(kLostPrefix, LogKey(origin, Sequence(0)));
}

}  // namespace

absl::Status EarlierStarts::Load(KvEngine* engine) {
  for (const auto& [origin, state] : origins_->states()) {
    if (origin != self_ && origins_->IsOwn(state)) at_start_[origin] = state.received;
  }
  std::unique_ptr<KvIterator> it = engine->Iterate(Table::kMeta, PrefixEnd(kLostPrefix));
  for (it->Seek(kLostPrefix); it->Valid(); it->Next()) {
    auto key = ParseLogKey(it->key().substr(kLostPrefix.size()));
    if (!key) return absl::DataLossError("the name of an origin that lost entries does not parse");
    lost_.insert(key->origin);
  }
  if (!it->status().ok()) return it->status();
  auto left = std::make_shared<LeftReplicas>();
  it = engine->Iterate(Table::kMeta, PrefixEnd(kLeftPrefix));
  for (it->Seek(kLeftPrefix); it->Valid(); it->Next()) {
    internal::v1::OriginChain stored;
    if (!stored.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) {
      return absl::DataLossError("what is stored of a replica that left does not parse");
    }
    std::set<Origin>& origins = (*left)[ReplicaName(stored.replica())];
    for (const internal::v1::Position& end : stored.ends()) origins.insert(Origin(end.origin()));
  }
  left_ = std::move(left);
  return it->status();
}

void EarlierStarts::StageLost() {
  for (const auto& [origin, state] : origins_->states()) {
    if (origin == self_ || !origins_->IsOwn(state)) continue;
    if (state.closed_end) {
      if (lost_.erase(origin) > 0) staging_->Delete(Table::kMeta, LostKey(origin));
      continue;
    }
    auto before = at_start_.find(origin);
    const bool all_here = before != at_start_.end() && state.received <= before->second;
    // A start whose disk had less was closing the origin, and members take nothing more of it until
    // that is done.
    if ((all_here && !state.frozen) || !lost_.insert(origin).second) continue;
    staging_->Put(Table::kMeta, LostKey(origin), std::string());
  }
}

absl::StatusOr<bool> EarlierStarts::CameBackEmpty(const ReplicaName& replica,
                                                  const std::set<Origin>& left) {
  LogReader log(staging_->engine());
  for (const auto& [origin, state] : origins_->states()) {
    if (!state.StartOf(replica) || left.contains(origin) || state.applied == Sequence(0) ||
        state.durable == Sequence(0)) {
      continue;
    }
    auto first = log.Read(origin, Sequence(1));
    // Seeded from a peer, which had let it in.
    if (first.status().code() == absl::StatusCode::kOutOfRange) return true;
    if (!first.ok()) return first.status();
    if (!first->entry) continue;
    const auto& ends = first->entry->chain().ends();
    const bool had_them = std::any_of(ends.begin(), ends.end(), [&left](const auto& end) {
      return left.contains(Origin(end.origin()));
    });
    if (!had_them) return true;
  }
  return false;
}

absl::Status EarlierStarts::StageLeft(const MemberSet& members) {
  if (members.members.empty()) return absl::OkStatus();
  LeftReplicas next = *left_;
  std::set<ReplicaName> changed;
  for (const auto& [origin, state] : origins_->states()) {
    if (state.replica == nullptr || members.Lists(*state.replica)) continue;
    if (next[*state.replica].insert(origin).second) changed.insert(*state.replica);
  }
  for (auto it = next.begin(); it != next.end();) {
    if (members.Lists(it->first)) {
      auto back = CameBackEmpty(it->first, it->second);
      if (!back.ok()) return back.status();
      if (*back) {
        staging_->Delete(Table::kMeta, absl::StrCat(kLeftPrefix, it->first.value()));
        it = next.erase(it);
        changed.insert(ReplicaName());
        continue;
      }
    }
    ++it;
  }
  for (const ReplicaName& replica : changed) {
    auto left = next.find(replica);
    if (left == next.end()) continue;
    internal::v1::OriginChain stored;
    stored.set_replica(replica.value());
    for (const Origin origin : left->second) stored.add_ends()->set_origin(origin.value());
    staging_->Put(Table::kMeta, absl::StrCat(kLeftPrefix, replica.value()),
                  stored.SerializeAsString());
  }
  if (!changed.empty()) left_ = std::make_shared<const LeftReplicas>(std::move(next));
  return absl::OkStatus();
}

}  // namespace homeport
