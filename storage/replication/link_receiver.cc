#include "storage/replication/link_receiver.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/mutants.h"
#include "storage/replication/link_sender.h"

namespace homeport {

using internal::v1::OriginReport;
using internal::v1::PullRequest;
using internal::v1::PullResponse;

namespace {

// How often a peer is told what is here of origins that it does not give.
constexpr absl::Duration kAcknowledgeAll = absl::Milliseconds(500);

}  // namespace

LinkReceiver::LinkReceiver(Options options) : options_(std::move(options)), seeds_(options_.peer) {}

PullRequest LinkReceiver::OnConnected(const std::string& topology_fingerprint,
                                      const ReplicaView& view, absl::Time wall) {
  established_ = false;
  peer_start_ = Origin(0);
  left_ = view.left;
  acknowledged_.clear();
  not_from_peer_.clear();
  gaps_.Clear();
  holds_.Clear();
  waits_.clear();
  paused_.Clear();
  peer_holds_back_ = false;
  if (compare_ != nullptr) compare_->Reset();
  seeds_.OnConnected();
  credit_due_ = 0;
  bytes_received_ = bytes_committed_;  // what was under way is sent again
  PullRequest request;
  *request.mutable_hello() = MakeHello(options_.cluster, options_.self, topology_fingerprint, view,
                                       wall, options_.frame_version);
  request.mutable_hello()->set_takes_gaps(true);
  request.mutable_hello()->set_takes_owed(true);
  request.set_credit_bytes(options_.credit_bytes);
  for (const OriginView& origin : view.origins) {
    acknowledged_[origin.origin] = {origin.received, origin.applied};
  }
  relay_changed_ = !relay_.empty();
  if (stand_by_) {
    peer_holds_back_ = true;
    request.set_standby(true);
  }
  return request;
}

void LinkReceiver::TakeReports(const google::protobuf::RepeatedPtrField<OriginReport>& reports) {
  for (const OriginReport& report : reports) {
    auto found = peer_origins_.find(Origin(report.origin()));
    if (found == peer_origins_.end()) {
      if (peer_origins_.size() >= kOriginsMax) continue;
      found = peer_origins_.try_emplace(Origin(report.origin())).first;
    }
    PeerOrigin& known = found->second;
    known.received = Sequence(report.received());
    known.applied = Sequence(report.applied());
    if (!report.replica().empty()) known.replica = ReplicaName(report.replica());
  }
}

absl::Status LinkReceiver::OnResponse(const PullResponse& response, SteadyTime now) {
  now_ = now;
  if (response.refusal() != internal::v1::LINK_REFUSAL_UNSPECIFIED) {
    switch (response.refusal()) {
      case internal::v1::LINK_REFUSAL_LOG_TRUNCATED:
        refused_state_ = v1::LINK_STATE_SNAPSHOT_NEEDED;
        break;
      case internal::v1::LINK_REFUSAL_NOT_A_MEMBER:
      case internal::v1::LINK_REFUSAL_LEFT:
        refused_state_ = v1::LINK_STATE_FENCED;
        break;
      default:
        refused_state_ = v1::LINK_STATE_PAUSED;
    }
    reason_ = absl::StrCat("refused by the peer: ", response.refusal_detail());
    return absl::FailedPreconditionError(reason_);
  }
  if (!established_) {
    if (!response.has_hello()) return absl::DataLossError("the peer's first message is no hello");
    const internal::v1::Hello& hello = response.hello();
    if (hello.cluster() != options_.cluster || hello.replica() != options_.peer.value()) {
      return absl::UnauthenticatedError(
          absl::StrCat("expected ", options_.peer.value(), " of cluster ", options_.cluster,
                       ", found ", hello.replica(), " of cluster ", hello.cluster()));
    }
    if (const Origin left = OriginOfLeft(left_.get(), options_.peer, hello.origins());
        left != Origin(0) && !HP_MUTANT(kLeftReplicaWelcome)) {
      refused_state_ = v1::LINK_STATE_FENCED;
      reason_ = LeftText(options_.peer, left);
      return absl::FailedPreconditionError(reason_);
    }
    peer_start_ = Origin(hello.origin());
    // A peer whose disk was wiped or replaced has less than it had, so nothing is kept of before.
    peer_origins_.clear();
    TakeReports(hello.origins());
    established_ = true;
    refused_state_ = v1::LINK_STATE_UNSPECIFIED;
    reason_.clear();
    ++connects_;
  }
  bytes_received_ += response.batch().block().size() + response.seed_chunk().block().size();
  seeds_.OnResponse(response, now);
  TakeReports(response.heartbeat().origins());
  for (const internal::v1::Position& end : response.not_from_me()) {
    const Origin origin(end.origin());
    if (not_from_peer_.size() >= kOriginsMax && !not_from_peer_.contains(origin)) continue;
    not_from_peer_[origin] = Sequence(end.sequence());
  }
  for (const internal::v1::Gap& gap : response.gaps()) gaps_.Add(gap);
  if (response.has_compare() && compare_ != nullptr) {
    return compare_->OnResponse(response.compare());
  }
  return absl::OkStatus();
}

void LinkReceiver::OnCommitted(uint64_t bytes, uint64_t entries, SteadyTime) {
  credit_due_ += bytes;
  bytes_committed_ += bytes;
  entries_received_ += entries;
}

void LinkReceiver::Acknowledge(const ReplicaView& view, PullRequest& request) {
  const SteadyTime now = std::max(now_, view.steady);
  // A peer that is to send something else begins behind what is here.
  const bool all = now >= acknowledge_all_ || relay_changed_ || stand_by_ != peer_holds_back_;
  if (all) acknowledge_all_ = now + kAcknowledgeAll;
  for (const OriginView& origin : view.origins) {
    const bool gives = (origin.replica != nullptr && *origin.replica == options_.peer) ||
                       relay_.contains(origin.origin);
    if (!all && !gives) continue;
    auto& last = acknowledged_[origin.origin];
    if (last.first == origin.received && last.second == origin.applied) continue;
    last = {origin.received, origin.applied};
    OriginReport* report = request.add_acknowledged();
    report->set_origin(origin.origin.value());
    report->set_received(origin.received.value());
    report->set_applied(origin.applied.value());
  }
}

std::optional<PullRequest> LinkReceiver::NextRequest(const ReplicaView& view) {
  if (!established_) return std::nullopt;
  PullRequest request;
  Acknowledge(view, request);
  // Small grants would cost a message each; a sixteenth of the window keeps the sender going.
  if (credit_due_ >= options_.credit_bytes / 16) {
    request.set_credit_bytes(credit_due_);
    credit_due_ = 0;
  }
  if (relay_changed_) {
    relay_changed_ = false;
    for (const auto& [origin, planned] : relay_) {
      internal::v1::Position* position = request.mutable_relay()->add_after();
      position->set_origin(origin.value());
      position->set_sequence(view.ReceivedOf(origin).value());
    }
    request.mutable_relay();
  }
  if (stand_by_ != peer_holds_back_) {
    peer_holds_back_ = stand_by_;
    request.set_standby(stand_by_);
  }
  paused_.AddTo(request, view, now_);
  gaps_.Prune(view);
  holds_.AddTo(request, options_.peer, view);
  // What lags far behind has too much in flight to be compared.
  if (compare_ != nullptr &&
      (!compare_->idle() || EntriesBehind(view) <= options_.streaming_entries)) {
    auto step =
        compare_->Next(std::max(now_, view.steady), ToWallTime(view.time), view.seeding.get());
    if (step) *request.mutable_compare() = std::move(*step);
  }
  seeds_.AddTo(request, view, now_);
  if (request.ByteSizeLong() == 0) return std::nullopt;
  return request;
}

void LinkReceiver::OnDisconnected(const absl::Status& why) {
  if (compare_ != nullptr) compare_->Reset();
  established_ = false;
  if (refused_state_ == v1::LINK_STATE_UNSPECIFIED || !why.ok()) {
    reason_ = why.ok() ? "the peer ended the link" : std::string(why.message());
  }
}

void LinkReceiver::WantRelay(std::map<Origin, Sequence> wanted) {
  // Only the set of origins matters: a relay that is under way goes on from where it is.
  const bool same = wanted.size() == relay_.size() &&
                    std::equal(wanted.begin(), wanted.end(), relay_.begin(),
                               [](const auto& a, const auto& b) { return a.first == b.first; });
  if (same) return;
  relay_ = std::move(wanted);
  relay_changed_ = true;
}

bool LinkReceiver::NotFromPeer(Origin origin, Sequence after) const {
  auto found = not_from_peer_.find(origin);
  return found != not_from_peer_.end() && found->second == after;
}

bool LinkReceiver::Withholds(Origin origin) const {
  auto told = acknowledged_.find(origin);
  const Sequence have = told == acknowledged_.end() ? Sequence(0) : told->second.first;
  auto end = not_from_peer_.find(origin);
  return (end != not_from_peer_.end() && end->second >= have) || !Gaps(origin, have).empty();
}

void LinkReceiver::ObserveWall(uint64_t peer_wall_micros, absl::Time wall) {
  if (peer_wall_micros == 0) return;
  clock_offset_ = absl::FromUnixMicros(static_cast<int64_t>(peer_wall_micros)) - wall;
}

uint64_t LinkReceiver::EntriesBehind(const ReplicaView& view) const {
  uint64_t behind = 0;
  for (const auto& [origin, peer] : peer_origins_) {
    if (peer.replica != options_.peer) continue;
    const Sequence applied = view.AppliedOf(origin);
    if (peer.received > applied) behind += peer.received.value() - applied.value();
  }
  return behind;
}

v1::LinkStatus LinkReceiver::Status(const ReplicaView& view, absl::Time wall) const {
  v1::LinkStatus status;
  status.set_peer(options_.peer.value());
  const uint64_t behind = EntriesBehind(view);
  if (!established_) {
    status.set_state(refused_state_ == v1::LINK_STATE_UNSPECIFIED ? v1::LINK_STATE_CONNECTING
                                                                  : refused_state_);
    status.set_reason(reason_);
  } else {
    status.set_state(behind > options_.streaming_entries ? v1::LINK_STATE_CATCHING_UP
                                                         : v1::LINK_STATE_STREAMING);
    for (const auto& [origin, after] : not_from_peer_) {
      if (view.ReceivedOf(origin) != after) continue;
      status.set_state(v1::LINK_STATE_PAUSED);
      status.set_reason(
          absl::StrCat("the peer can not send on from entry ", after.value(), " of origin ",
                       absl::Hex(origin.value()),
                       ": the topologies differ about it, or the peer may not hold it"));
    }
    if (!waits_.empty()) {
      status.set_state(v1::LINK_STATE_PAUSED);
      status.set_reason(waits_);
    }
    if (!paused_.empty()) {
      status.set_state(v1::LINK_STATE_PAUSED);
      status.set_reason(paused_.Describe(view));
    }
    seeds_.AddTo(status, view, now_);
  }
  auto set_time = [](absl::Time time, google::protobuf::Timestamp* out) {
    out->set_seconds(absl::ToUnixSeconds(time));
    out->set_nanos(static_cast<int32_t>((absl::ToUnixMicros(time) % 1000000) * 1000));
  };
  const HybridTime watermark = view.WatermarkOf(options_.peer);
  if (watermark != HybridTime(0)) {
    const absl::Duration lag = std::max(absl::ZeroDuration(), wall - ToWallTime(watermark));
    status.mutable_lag()->set_seconds(absl::ToInt64Seconds(lag));
    status.mutable_lag()->set_nanos(static_cast<int32_t>(
        absl::ToInt64Nanoseconds(lag - absl::Seconds(absl::ToInt64Seconds(lag)))));
  }
  HybridTime last_applied;
  for (const OriginView& origin : view.origins) {
    if (origin.replica != nullptr && *origin.replica == options_.peer) {
      last_applied = std::max(last_applied, origin.applied_time);
    }
  }
  if (last_applied != HybridTime(0)) {
    set_time(ToWallTime(last_applied), status.mutable_last_applied());
  }
  if (compare_ != nullptr) {
    const ComparedPeer compared = compare_->peer();
    status.set_records_differ(compared.records_differ);
    status.set_records_repaired(compared.records_repaired);
    status.set_compare_put_off(compared.put_off);
    if (compared.verified != absl::InfinitePast()) {
      const absl::Duration age = std::max(absl::ZeroDuration(), wall - compared.verified);
      status.mutable_verified_age()->set_seconds(absl::ToInt64Seconds(age));
      status.mutable_verified_age()->set_nanos(static_cast<int32_t>(
          absl::ToInt64Nanoseconds(age - absl::Seconds(absl::ToInt64Seconds(age)))));
    }
  }
  status.set_standby(stand_by_);
  status.set_lag_entries(behind);
  status.set_pending_bytes(bytes_received_ - bytes_committed_);
  status.set_bytes_received(bytes_received_);
  status.set_entries_received(entries_received_);
  status.set_connects(connects_);
  return status;
}

}  // namespace homeport
