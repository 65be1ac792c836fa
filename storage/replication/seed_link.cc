#include "storage/replication/seed_link.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/replication/origin_table.h"
#include "storage/replication/seed_view.h"

namespace homeport {
namespace {

// A hostile peer's list is not kept whole.
constexpr int kPartialMax = 10'000;

const NamespaceSeeding* Find(const ReplicaView& view, absl::string_view name_space) {
  return view.seeding == nullptr ? nullptr : view.seeding->Find(name_space);
}

}  // namespace

void SeedLink::OnConnected() {
  truncated_.clear();
  partial_.clear();
  kept_.clear();
  asked_.reset();
}

void SeedLink::OnResponse(const internal::v1::PullResponse& response, SteadyTime now) {
  for (auto at = declined_.begin(); at != declined_.end();) {
    at = now < at->second.until ? std::next(at) : declined_.erase(at);
  }
  for (const internal::v1::Position& end : response.truncated()) {
    const Origin origin(end.origin());
    if (truncated_.size() >= kOriginsMax && !truncated_.contains(origin)) continue;
    truncated_[origin] = Sequence(end.sequence());
  }
  const auto take = [](const auto& names, std::set<std::string, std::less<>>& out) {
    out.clear();
    for (int i = 0; i < std::min(kPartialMax, names.size()); ++i) out.insert(names[i]);
  };
  if (response.has_hello()) {
    take(response.hello().partial_namespaces(), partial_);
    take(response.hello().kept_namespaces(), kept_);
  }
  for (const internal::v1::MemberReport& member : response.heartbeat().members()) {
    if (member.replica() != peer_.value()) continue;
    take(member.partial_namespaces(), partial_);
    take(member.kept_namespaces(), kept_);
  }
  if (response.has_seed_chunk() && !response.seed_chunk().declined().empty() && asked_ &&
      response.seed_chunk().number() == number_) {
    declined_[asked_->name_space] = {now + kRetry,
                                     absl::StrCat("declined: ", response.seed_chunk().declined())};
    asked_.reset();
  }
}

void SeedLink::OnRefused(const absl::Status& why, SteadyTime now) {
  if (!asked_) return;
  declined_[asked_->name_space] = {
      now + kRetry, absl::StrCat("what the peer sent was refused: ", std::string(why.message()))};
}

void SeedLink::AddTo(internal::v1::PullRequest& request, const ReplicaView& view, SteadyTime now) {
  const NamespaceSeeding* seeding = wanted_ ? Find(view, *wanted_) : nullptr;
  if (seeding == nullptr || seeding->done() || DeclinedLately(seeding->name)) {
    // Number 0: what is under way is to end.
    if (asked_) request.mutable_seed();
    asked_.reset();
    return;
  }
  if (asked_ && asked_->name_space == seeding->name &&
      asked_->generation == view.seeding->generation) {
    return;
  }
  asked_ = Asked{seeding->name, view.seeding->generation, now, seeding->items};
  internal::v1::SeedRequest* seed = request.mutable_seed();
  seed->set_number(++number_);
  seed->set_namespace_(seeding->name);
  if (seeding->place.part == SeedPlace::Part::kItems) {
    seed->set_after_key(seeding->place.key);
  } else {
    seed->set_after_request_key(seeding->place.key);
  }
  for (const auto& [origin, sequence] : seeding->at_least) {
    internal::v1::Position* position = seed->add_at_least();
    position->set_origin(origin.value());
    position->set_sequence(sequence.value());
  }
}

std::optional<Sequence> SeedLink::TruncatedAt(Origin origin, Sequence after) const {
  auto found = truncated_.find(origin);
  if (found == truncated_.end() || found->second <= after) return std::nullopt;
  return found->second;
}

bool SeedLink::DeclinedLately(absl::string_view name_space) const {
  return declined_.contains(name_space);
}

void SeedLink::AddTo(v1::LinkStatus& status, const ReplicaView& view, SteadyTime now) const {
  if (asked_) {
    const NamespaceSeeding* seeding = Find(view, asked_->name_space);
    if (seeding != nullptr && !seeding->done()) {
      status.set_state(v1::LINK_STATE_SEEDING);
      status.set_reason(absl::StrCat("taking in namespace '", seeding->name, "'"));
      status.set_seed_namespace(seeding->name);
      status.set_seed_items(seeding->items);
      status.set_seed_items_total(std::max(seeding->items, seeding->items_total));
      status.set_seed_bytes(seeding->bytes);
      const uint64_t taken = seeding->items - std::min(seeding->items, asked_->items);
      if (taken == 0 || seeding->items_total <= seeding->items || now <= asked_->since) return;
      const absl::Duration left =
          (now - asked_->since) *
          (static_cast<double>(seeding->items_total - seeding->items) / static_cast<double>(taken));
      status.mutable_seed_remaining()->set_seconds(absl::ToInt64Seconds(left));
      return;
    }
  }
  for (const auto& [origin, end] : truncated_) {
    if (!TruncatedAt(origin, view.ReceivedOf(origin))) continue;
    status.set_state(v1::LINK_STATE_SNAPSHOT_NEEDED);
    std::string reason = absl::StrCat("the peer's log begins after entry ", end.value(),
                                      " of origin ", OriginText(origin), ", and this replica has ",
                                      view.ReceivedOf(origin).value());
    for (const auto& [name_space, declined] : declined_) {
      absl::StrAppend(&reason, "; namespace '", name_space, "' ", declined.why);
    }
    status.set_reason(std::move(reason));
    return;
  }
}

}  // namespace homeport
