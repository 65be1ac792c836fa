#include "storage/replication/link_sender.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/mutants.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/entry_codec.h"
#include "storage/model/keys.h"
#include "storage/replication/compare_initiator.h"
#include "storage/replication/kept_items.h"
#include "storage/replication/seed_view.h"

namespace homeport {

using internal::v1::ChangeClass;
using internal::v1::EntryBlock;
using internal::v1::Hello;
using internal::v1::OriginReport;
using internal::v1::PullRequest;
using internal::v1::PullResponse;
using internal::v1::Skip;

Hello MakeHello(const std::string& cluster, const ReplicaName& self,
                const std::string& topology_fingerprint, const ReplicaView& view, absl::Time wall,
                uint32_t frame_version) {
  Hello hello;
  hello.set_cluster(cluster);
  hello.set_replica(self.value());
  hello.set_origin(view.self.value());
  hello.set_topology_fingerprint(topology_fingerprint);
  hello.set_frame_version(frame_version);
  for (const OriginView& origin : view.origins) {
    OriginReport* report = hello.add_origins();
    report->set_origin(origin.origin.value());
    if (origin.replica != nullptr) report->set_replica(origin.replica->value());
    report->set_received(origin.received.value());
    report->set_applied(origin.applied.value());
    report->set_frozen(origin.frozen);
    if (origin.replica != nullptr && *origin.replica == self) {
      report->set_came_since_start(origin.came_since_start);
    }
  }
  if (view.seeding != nullptr) {
    for (const NamespaceSeeding& seeding : view.seeding->namespaces) {
      if (seeding.partial) hello.add_partial_namespaces(seeding.name);
    }
  }
  if (view.kept != nullptr) {
    for (const auto& [name_space, cut] : view.kept->cuts) hello.add_kept_namespaces(name_space);
  }
  hello.set_wall_micros(static_cast<uint64_t>(std::max<int64_t>(0, absl::ToUnixMicros(wall))));
  return hello;
}

LinkSender::LinkSender(Options options, KvEngine* engine)
    : options_(std::move(options)),
      engine_(engine),
      compare_(engine),
      seeds_(options_.seeding, engine) {}

std::optional<PullResponse> LinkSender::OnHello(const Hello& hello,
                                                std::shared_ptr<const Topology> topology,
                                                const ReplicaView& view) {
  auto refuse = [](internal::v1::LinkRefusal refusal, std::string detail) {
    PullResponse response;
    response.set_refusal(refusal);
    response.set_refusal_detail(std::move(detail));
    return response;
  };
  if (hello.cluster() != options_.cluster) {
    return refuse(internal::v1::LINK_REFUSAL_OTHER_CLUSTER,
                  absl::StrCat("this is cluster ", options_.cluster, ", not ", hello.cluster()));
  }
  peer_ = ReplicaName(hello.replica());
  peer_fingerprint_ = hello.topology_fingerprint();
  takes_gaps_ = hello.takes_gaps();
  takes_owed_ = hello.takes_owed();
  frame_version_ = std::min(hello.frame_version(), options_.frame_version);
  if (const Origin left = OriginOfLeft(view.left.get(), peer_, hello.origins());
      left != Origin(0) && !HP_MUTANT(kLeftReplicaWelcome)) {
    return refuse(internal::v1::LINK_REFUSAL_LEFT, LeftText(peer_, left));
  }
  if (peer_ == options_.self || topology->FindReplica(peer_) == nullptr) {
    return refuse(
        internal::v1::LINK_REFUSAL_NOT_A_MEMBER,
        absl::StrCat(peer_.value(), " is not a peer in the topology of ", options_.self.value()));
  }
  OnTopology(std::move(topology));
  TakeReports(hello.origins());
  TakeOwnOrigins(view);
  return std::nullopt;
}

// All starts of this replica are sent unasked, also one that was lost with a disk and came back
// from a peer while the link was up: the receiver asks nobody else for it.
void LinkSender::TakeOwnOrigins(const ReplicaView& view) {
  for (const OriginView& origin : view.origins) {
    if (origin.replica == nullptr || *origin.replica != options_.self) continue;
    if (sent_.try_emplace(origin.origin, PeerReceived(origin.origin)).second) {
      relay_.erase(origin.origin);
    }
  }
}

void LinkSender::TakeReports(const google::protobuf::RepeatedPtrField<OriginReport>& reports) {
  for (const OriginReport& report : reports) {
    const Origin origin(report.origin());
    if (acknowledged_.size() >= kOriginsMax && !acknowledged_.contains(origin)) continue;
    acknowledged_[origin] = {Sequence(report.received()), Sequence(report.applied())};
  }
}

void LinkSender::OnTopology(std::shared_ptr<const Topology> topology) {
  topology_ = topology;
  topologies_agree_ = topology->fingerprint() == peer_fingerprint_;
  const absl::string_view self = options_.self.value();
  const std::optional<int> own_region = topology->FindRegion(self.substr(0, self.find('/')));
  own_policy_.reset();
  if (own_region) own_policy_.emplace(topology, *own_region);
  const size_t slash = peer_.value().find('/');
  const std::optional<int> region =
      topology->FindRegion(absl::string_view(peer_.value()).substr(0, slash));
  if (region) {
    policy_.emplace(std::move(topology), *region);
  } else {
    policy_.reset();
  }
  not_from_me_.clear();
  // What was not given may be given now.
  for (const Origin origin : gapped_) {
    for (auto* positions : {&sent_, &relay_}) {
      auto found = positions->find(origin);
      if (found != positions->end()) found->second = PeerReceived(origin);
    }
  }
  gapped_.clear();
}

void LinkSender::OnRequest(const PullRequest& request, const ReplicaView& view) {
  // A peer that grants without end gains nothing: the credit is a window, not an account.
  constexpr int64_t kCreditMax = int64_t{4} * 1024 * 1024 * 1024;
  const uint64_t granted = std::min<uint64_t>(kCreditMax, request.credit_bytes());
  credit_ = std::min(kCreditMax, credit_ + static_cast<int64_t>(granted));
  TakeReports(request.acknowledged());
  TakeHolds(request);
  if (request.has_compare()) {
    compare_.OnRequest(request.compare(), CompareRefusal(request.compare().namespace_(), view));
  }
  if (request.has_seed()) {
    seeds_.OnRequest(request.seed(), MayGive(request.seed().namespace_(), view));
  }
  if (!request.has_relay()) return;
  const std::map<Origin, Sequence> under_way = std::exchange(relay_, {});
  for (const internal::v1::Position& after : request.relay().after()) {
    const Origin origin(after.origin());
    // Origins of this replica are sent anyway, and what nobody here knows can not be.
    if (sent_.contains(origin) || view.Find(origin) == nullptr) continue;
    auto last = under_way.find(origin);
    relay_[origin] =
        std::max(Sequence(after.sequence()), last == under_way.end() ? Sequence(0) : last->second);
  }
}

void LinkSender::TakeHolds(const PullRequest& request) {
  if (request.has_standby()) {
    standby_ = request.standby();
    // What another replica brought it meanwhile is not sent again.
    for (auto& [origin, sent] : sent_) sent = std::max(sent, PeerReceived(origin));
  }
  for (const uint64_t origin : request.hold()) {
    if (sent_.contains(Origin(origin)) || relay_.contains(Origin(origin))) {
      held_.insert(Origin(origin));
    }
  }
  for (const internal::v1::Position& after : request.resume()) {
    const Origin origin(after.origin());
    held_.erase(origin);
    for (auto* positions : {&sent_, &relay_}) {
      auto found = positions->find(origin);
      if (found != positions->end()) found->second = Sequence(after.sequence());
    }
  }
}

Sequence LinkSender::PeerReceived(Origin origin) const {
  auto found = acknowledged_.find(origin);
  return found == acknowledged_.end() ? Sequence(0) : found->second.received;
}

Sequence LinkSender::PeerApplied(Origin origin) const {
  auto found = acknowledged_.find(origin);
  return found == acknowledged_.end() ? Sequence(0) : found->second.applied;
}

std::string LinkSender::CompareRefusal(const std::string& name_space,
                                       const ReplicaView& view) const {
  const std::vector<std::string> shared = SharedNamespaces(*topology_, options_.self, peer_);
  if (!std::binary_search(shared.begin(), shared.end(), name_space)) {
    return absl::StrCat("by the topology of ", options_.self.value(), " not both of us hold it");
  }
  return IsSeeded(view.seeding.get(), name_space) ? "it is being seeded here" : "";
}

absl::StatusOr<std::optional<PullResponse>> LinkSender::Next(const ReplicaView& view) {
  // In a message of its own, which no batch makes too large, and without credit: it was asked for.
  if (auto answer = compare_.Work(view.steady)) {
    PullResponse response;
    *response.mutable_compare() = std::move(*answer);
    return std::optional<PullResponse>(std::move(response));
  }
  return NextEntries(view);
}

absl::StatusOr<std::optional<PullResponse>> LinkSender::NextEntries(const ReplicaView& view) {
  if (credit_ <= 0 || !policy_ || standby_) return std::optional<PullResponse>();
  TakeOwnOrigins(view);
  PullResponse response;
  EntryBlock block;
  size_t bytes = 0;
  int skips_left = options_.skips_max;
  bool room = true;
  for (auto* positions : {&sent_, &relay_}) {
    for (auto& [origin, sent] : *positions) {
      const Sequence limit = view.ReceivedOf(origin);
      // What others brought it, or a seeding, is not sent again.
      sent = std::max(sent, PeerReceived(origin));
      if (!room || sent >= limit || held_.contains(origin)) continue;
      auto stuck = not_from_me_.find(origin);
      if (stuck != not_from_me_.end() && stuck->second == sent) continue;
      stuck = truncated_.find(origin);
      if (stuck != truncated_.end() && stuck->second == sent) continue;
      auto filled = Fill(origin, limit, view.self, block, bytes, skips_left, response);
      if (!filled.ok()) return filled.status();
      room = *filled;
    }
  }
  if (!topologies_agree_ && takes_owed_) response.set_topologies_differ(true);
  if (block.entries_size() > 0) {
    *response.mutable_batch() = PackBlock(block, frame_version_);
    credit_ -= static_cast<int64_t>(response.batch().block().size());
  }
  if (!response.has_batch() && response.skips().empty() && response.not_from_me().empty() &&
      response.truncated().empty() && response.gaps().empty()) {
    return std::optional<PullResponse>();
  }
  return std::optional<PullResponse>(std::move(response));
}

absl::StatusOr<bool> LinkSender::Fill(Origin origin, Sequence limit, Origin self, EntryBlock& block,
                                      size_t& bytes, int& skips_left, PullResponse& response) {
  Sequence& sent = sent_.contains(origin) ? sent_[origin] : relay_[origin];
  owing_ = takes_owed_ && !topologies_agree_ && sent_.contains(origin);
  bool skipped = false;
  std::unique_ptr<KvIterator> it = engine_->Iterate(Table::kLog, PrefixEnd(LogKey(origin, limit)));
  for (it->Seek(LogKey(origin, Sequence(sent.value() + 1))); it->Valid() && sent < limit;
       it->Next()) {
    auto key = ParseLogKey(it->key());
    auto record = ParseLogRecord(it->value());
    if (!record.ok()) return record.status();
    if (!key || key->origin != origin) break;
    std::string trimmed;
    Skip skip;
    Verdict verdict = Verdict::kNotFromMe;
    // Classes that this side was not given; null if it has the whole entry.
    const google::protobuf::RepeatedPtrField<ChangeClass>* left_out = nullptr;
    if (record->kind == LogRecord::Kind::kEntry) {
      if (key->sequence.value() != sent.value() + 1) break;  // a gap: reported below
      auto judged = JudgeEntry(record->body, origin == self, trimmed, skip);
      if (!judged.ok()) return judged.status();
      verdict = *judged;
    } else {
      if (!skip.ParseFromArray(record->body.data(), static_cast<int>(record->body.size()))) {
        return absl::DataLossError("a stored skip does not parse");
      }
      if (skip.first() > sent.value() + 1) break;
      skip.set_first(sent.value() + 1);
      // What was left out for this replica may be left out for the peer only if the peer's own
      // policy says so.
      const bool forbidden =
          std::all_of(skip.classes().begin(), skip.classes().end(),
                      [this](const ChangeClass& c) { return Judge(c) == Verdict::kSkip; }) ||
          HP_MUTANT(kRelaySpreadsSkips);
      verdict = forbidden && !skip.classes().empty() ? Verdict::kSkip : Verdict::kNotFromMe;
      left_out = &skip.classes();
    }
    if (verdict == Verdict::kNotFromMe && left_out != nullptr && takes_gaps_) {
      if (skips_left-- == 0) return false;
      AddGap(origin, key->sequence, *left_out, sent, response);
      sent = key->sequence;
      continue;
    }
    if (verdict == Verdict::kNotFromMe) {
      not_from_me_[origin] = sent;
      internal::v1::Position* end = response.add_not_from_me();
      end->set_origin(origin.value());
      end->set_sequence(sent.value());
      return true;
    }
    if (verdict == Verdict::kSkip) {
      if (skips_left-- == 0) return false;
      AddSkip(std::move(skip), response);
      skipped = true;
      sent = key->sequence;
      continue;
    }
    // Skips stand behind the entries of a message, so an entry after a skip begins a new one,
    // unless there are gaps: a receiver that takes them goes by the sequences.
    if (skipped && response.gaps().empty()) return false;
    if (HP_MUTANT(kResendRestamped) && origin != self) {
      auto entry = ParseEntry(record->body);
      if (!entry.ok()) return entry.status();
      entry->set_timestamp(entry->timestamp() + 1);
      trimmed = entry->SerializeAsString();
    }
    const absl::string_view body = trimmed.empty() ? record->body : absl::string_view(trimmed);
    if (bytes > 0 && bytes + body.size() > options_.batch_bytes) return false;
    block.add_entries(std::string(body));
    bytes += body.size();
    sent = key->sequence;
  }
  if (auto status = it->status(); !status.ok()) return status;
  if (sent < limit) {
    if (auto status = AddTruncated(origin, sent, response); !status.ok()) return status;
  }
  return bytes < options_.batch_bytes;
}

absl::Status LinkSender::AddTruncated(Origin origin, Sequence sent, PullResponse& response) {
  // By the disk and not by the view, which may be older than the log that was read.
  auto bytes = engine_->Get(Table::kMeta, PositionKey(origin));
  if (!bytes.ok()) return bytes.status();
  internal::v1::StoredPosition stored;
  if (!bytes->has_value() || !stored.ParseFromString(**bytes) ||
      stored.log_begin() <= sent.value() + 1) {
    return absl::DataLossError(absl::StrCat("the log lacks entry ", sent.value() + 1, " of origin ",
                                            absl::Hex(origin.value())));
  }
  truncated_[origin] = sent;
  internal::v1::Position* end = response.add_truncated();
  end->set_origin(origin.value());
  end->set_sequence(stored.log_begin() - 1);
  return absl::OkStatus();
}

absl::Status LinkSender::MayGive(const std::string& name_space, const ReplicaView& view) const {
  // What a jump passes over has to be the same for both.
  if (!topologies_agree_) return absl::FailedPreconditionError("the topologies differ");
  if (name_space.empty()) return absl::OkStatus();
  if (!policy_ || policy_->AskItems(name_space) != HoldingPolicy::Answer::kHolds) {
    return absl::PermissionDeniedError(
        absl::StrCat("the region of ", peer_.value(), " may not hold it"));
  }
  // What was here is given for as long as nobody else is known to have all of it.
  if (KeptCutOf(view, name_space) != nullptr) return absl::OkStatus();
  if (!own_policy_ || own_policy_->AskItems(name_space) != HoldingPolicy::Answer::kHolds) {
    return absl::FailedPreconditionError(
        absl::StrCat("the region of ", options_.self.value(), " does not hold it"));
  }
  if (!view.HoldsWhole(name_space)) {
    return absl::FailedPreconditionError(
        absl::StrCat(options_.self.value(), " does not hold it whole yet"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<PullResponse>> LinkSender::NextSeed(const ReplicaView& view,
                                                                 SteadyTime now) {
  if (credit_ <= 0) return std::optional<PullResponse>();
  // What is given may have changed since it was asked for, as long as no snapshot was taken.
  if (seeds_.waiting()) seeds_.Allow(MayGive(seeds_.name_space(), view));
  auto chunk = seeds_.Next(view, now);
  if (!chunk.ok()) return chunk.status();
  if (!chunk->has_value()) return std::optional<PullResponse>();
  PullResponse response;
  *response.mutable_seed_chunk() = **std::move(chunk);
  credit_ -= static_cast<int64_t>(response.seed_chunk().block().size());
  return std::optional<PullResponse>(std::move(response));
}

LinkSender::Verdict LinkSender::Judge(const ChangeClass& change_class) const {
  switch (policy_->Ask(change_class)) {
    case HoldingPolicy::Answer::kHolds:
      return Verdict::kSend;
    case HoldingPolicy::Answer::kForbids:
      if (HP_MUTANT(kSenderIgnoresPolicy)) return Verdict::kSend;
      // During a rollout the receiver may think otherwise, and a skip can not be taken back unless
      // it is said to be owed.
      return topologies_agree_ || owing_ ? Verdict::kSkip : Verdict::kNotFromMe;
    case HoldingPolicy::Answer::kUnknown:
      if (owing_) return Verdict::kSkip;
      break;
  }
  return Verdict::kNotFromMe;
}

absl::StatusOr<LinkSender::Verdict> LinkSender::JudgeEntry(absl::string_view bytes, bool own,
                                                           std::string& trimmed, Skip& skip) const {
  // Entries that came from elsewhere may lack parts, so only those of this start go unread.
  if (own && topologies_agree_ && policy_->HoldsEverything()) return Verdict::kSend;
  auto entry = ParseEntry(bytes);
  if (!entry.ok()) return entry.status();
  if (entry->has_chain()) return Verdict::kSend;
  std::vector<int> forbidden;
  for (int i = 0; i < entry->parts_size(); ++i) {
    auto part = ParsePart(*entry, i);
    if (!part.ok()) return part.status();
    switch (Judge(part->change_class())) {
      case Verdict::kSend:
        break;
      case Verdict::kNotFromMe:
        return Verdict::kNotFromMe;
      case Verdict::kSkip:
        forbidden.push_back(i);
        *skip.add_classes() = part->change_class();
    }
  }
  for (const ChangeClass& withheld : entry->withheld()) {
    if (Judge(withheld) != Verdict::kSkip) return Verdict::kNotFromMe;
    *skip.add_classes() = withheld;
  }
  if (forbidden.empty()) return Verdict::kSend;
  if (static_cast<int>(forbidden.size()) < entry->parts_size()) {
    if (owing_) return Verdict::kNotFromMe;  // what is withheld of an entry can not be owed
    for (auto at = forbidden.rbegin(); at != forbidden.rend(); ++at) {
      entry->mutable_parts()->DeleteSubrange(*at, 1);
    }
    *entry->mutable_withheld() = skip.classes();
    trimmed = entry->SerializeAsString();
    return Verdict::kSend;
  }
  skip.set_origin(entry->origin());
  skip.set_first(entry->sequence());
  skip.set_last(entry->sequence());
  skip.set_timestamp(entry->timestamp());
  *skip.mutable_dependencies() = entry->dependencies();
  return Verdict::kSkip;
}

void LinkSender::AddSkip(Skip skip, PullResponse& response) const {
  Skip* last =
      response.skips().empty() ? nullptr : response.mutable_skips(response.skips_size() - 1);
  const bool extends = last != nullptr && last->origin() == skip.origin() &&
                       last->last() + 1 == skip.first() && last->dependencies().empty() &&
                       skip.dependencies().empty();
  if (!extends) {
    *response.add_skips() = std::move(skip);
    return;
  }
  last->set_last(skip.last());
  last->set_timestamp(std::max(last->timestamp(), skip.timestamp()));
  for (const ChangeClass& added : skip.classes()) {
    const bool known =
        std::any_of(last->classes().begin(), last->classes().end(), [&added](const ChangeClass& c) {
          return c.SerializeAsString() == added.SerializeAsString();
        });
    if (!known) *last->add_classes() = added;
  }
}

void LinkSender::AddGap(Origin origin, Sequence last,
                        const google::protobuf::RepeatedPtrField<ChangeClass>& classes,
                        Sequence sent, PullResponse& response) {
  gapped_.insert(origin);
  internal::v1::Gap* gap =
      response.gaps().empty() ? nullptr : response.mutable_gaps(response.gaps_size() - 1);
  if (gap == nullptr || gap->origin() != origin.value() || gap->last() != sent.value()) {
    gap = response.add_gaps();
    gap->set_origin(origin.value());
    gap->set_first(sent.value() + 1);
  }
  gap->set_last(last.value());
  for (const ChangeClass& missing : classes) {
    if (Judge(missing) == Verdict::kSkip) continue;
    const bool known =
        std::any_of(gap->classes().begin(), gap->classes().end(), [&missing](const ChangeClass& c) {
          return c.SerializeAsString() == missing.SerializeAsString();
        });
    if (!known) *gap->add_classes() = missing;
  }
}

PullResponse LinkSender::MakeHeartbeat(const ReplicaView& view, const internal::v1::Watermark& own,
                                       absl::Time wall) {
  PullResponse response;
  internal::v1::Heartbeat* heartbeat = response.mutable_heartbeat();
  *heartbeat->add_watermarks() = own;
  for (const OriginView& origin : view.origins) {
    if (origin.origin != view.self && origin.applied == origin.received &&
        origin.covered_by == Origin(0)) {
      internal::v1::Watermark* watermark = heartbeat->add_watermarks();
      watermark->set_origin(origin.origin.value());
      watermark->set_sequence(origin.applied.value());
      watermark->set_timestamp(origin.watermark.value());
    }
    Report& last = reported_[origin.origin];
    if (last.received == origin.received && last.applied == origin.applied) continue;
    last = {origin.received, origin.applied};
    OriginReport* report = heartbeat->add_origins();
    report->set_origin(origin.origin.value());
    if (origin.replica != nullptr) report->set_replica(origin.replica->value());
    report->set_received(origin.received.value());
    report->set_applied(origin.applied.value());
  }
  members_.AddTo(*heartbeat, options_.self, peer_, view);
  heartbeat->set_wall_micros(static_cast<uint64_t>(std::max<int64_t>(0, absl::ToUnixMicros(wall))));
  return response;
}

}  // namespace homeport
