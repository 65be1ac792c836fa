#include "storage/replication/intake.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "storage/model/entry_codec.h"
#include "storage/replication/block_codec.h"

namespace homeport {
namespace {

using internal::v1::Skip;

// Errors that are about one origin's next entry. All others are about the stream or the core.
bool IsRefusal(const absl::Status& status) {
  return status.code() == absl::StatusCode::kFailedPrecondition ||
         status.code() == absl::StatusCode::kPermissionDenied ||
         status.code() == absl::StatusCode::kResourceExhausted;
}

// What follows in the same origin is refused for its gap; the first reason is the one to tell.
void Refuse(Origin origin, absl::Status why, Taken& taken) {
  const bool known =
      std::any_of(taken.refused.begin(), taken.refused.end(),
                  [origin](const RefusedOrigin& refused) { return refused.origin == origin; });
  if (!known) taken.refused.push_back({origin, std::move(why)});
}

// Stages what one peer's message has of entries.
class Stager {
 public:
  Stager(const ReplicaName& peer, ReplicaCore& core, Taken& taken)
      : peer_(peer), core_(core), taken_(taken) {}

  absl::Status All(const PeerBatch& batch) {
    differ_ = batch.topologies_differ;
    if (!batch.gaps.empty()) return InOrder(batch);
    for (const std::string& bytes : batch.block.entries()) {
      if (auto status = StageEntry(bytes); !status.ok()) return status;
    }
    for (const Skip& skip : batch.skips) {
      if (auto status = StageSkip(skip); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  using Piece = StreamJoin::Piece;

  // Of one origin in the order of sequences; only then it can be told what a gap is behind.
  absl::Status InOrder(const PeerBatch& batch) {
    struct Ordered {
      Origin origin;
      uint64_t first;
      const std::string* entry;
      const Skip* skip;
      const internal::v1::Gap* gap;
    };
    std::vector<Ordered> all;
    for (const std::string& bytes : batch.block.entries()) {
      auto entry = ParseEntry(bytes);
      if (!entry.ok()) return entry.status();
      all.push_back({Origin(entry->origin()), entry->sequence(), &bytes, nullptr, nullptr});
    }
    for (const Skip& skip : batch.skips) {
      all.push_back({Origin(skip.origin()), skip.first(), nullptr, &skip, nullptr});
    }
    for (const internal::v1::Gap& gap : batch.gaps) {
      all.push_back({Origin(gap.origin()), gap.first(), nullptr, nullptr, &gap});
    }
    std::stable_sort(all.begin(), all.end(), [](const Ordered& a, const Ordered& b) {
      return std::tie(a.origin, a.first) < std::tie(b.origin, b.first);
    });
    for (const Ordered& one : all) {
      absl::Status status;
      if (one.entry != nullptr) {
        status = StageEntry(*one.entry);
      } else if (one.skip != nullptr) {
        status = StageSkip(*one.skip);
      } else {
        core_.joins().AddGap(peer_, one.origin, Sequence(one.first), Sequence(one.gap->last()),
                             Received(one.origin));
      }
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status StageEntry(const std::string& bytes) {
    absl::Status status = core_.StageEntry(bytes);
    // By the peer's topology this region may hold it. By the one here it is left out.
    if (differ_ && absl::IsPermissionDenied(status)) status = StageForbidden(bytes);
    if (status.ok() && core_.joins().empty()) {
      ++taken_.entries;
      return status;
    }
    if (!status.ok() && !IsRefusal(status)) return status;
    auto entry = ParseEntry(bytes);
    if (!entry.ok()) return entry.status();
    const Origin origin(entry->origin());
    if (status.ok()) {
      ++taken_.entries;
      OnTaken(origin);
      return status;
    }
    const Sequence at(entry->sequence());
    if (IsAhead(origin, at)) {
      absl::Status content = core_.admission().CheckContent(*entry);
      if (!content.ok()) {
        status = std::move(content);
      } else if (Wait(origin, {at, at, /*skip=*/false, bytes})) {
        ++taken_.entries;
        return absl::OkStatus();
      }
    }
    if (!IsRefusal(status)) return status;
    Refuse(origin, std::move(status), taken_);
    return absl::OkStatus();
  }

  absl::Status StageForbidden(const std::string& bytes) {
    auto entry = ParseEntry(bytes);
    if (!entry.ok()) return entry.status();
    Skip skip;
    skip.set_origin(entry->origin());
    skip.set_first(entry->sequence());
    skip.set_last(entry->sequence());
    skip.set_timestamp(entry->timestamp());
    *skip.mutable_dependencies() = entry->dependencies();
    for (int i = 0; i < entry->parts_size(); ++i) {
      auto part = ParsePart(*entry, i);
      if (!part.ok()) return part.status();
      *skip.add_classes() = part->change_class();
    }
    skip.mutable_classes()->MergeFrom(entry->withheld());
    return core_.StageOwed(skip);
  }

  absl::Status StageSkip(const Skip& sent) {
    const Origin origin(sent.origin());
    Skip skip = sent;
    // What another peer brought of it meanwhile is not skipped again.
    const uint64_t next = Received(origin).value() + 1;
    if (sent.first() < next && next <= sent.last()) skip.set_first(next);
    absl::Status status = differ_ ? core_.StageOwed(skip) : core_.StageSkip(skip);
    if (status.ok()) {
      OnTaken(origin);
      return status;
    }
    if (!IsRefusal(status)) return status;
    if (IsAhead(origin, Sequence(skip.first()))) {
      absl::Status content = core_.admission().CheckContent(skip);
      if (!content.ok()) {
        status = std::move(content);
      } else if (Wait(origin, {Sequence(skip.first()), Sequence(skip.last()), /*skip=*/true,
                               skip.SerializeAsString()})) {
        return absl::OkStatus();
      }
    }
    if (!IsRefusal(status)) return status;
    Refuse(origin, std::move(status), taken_);
    return absl::OkStatus();
  }

  Sequence Received(Origin origin) const {
    const OriginState* state = core_.origins().Find(origin);
    return state == nullptr ? Sequence(0) : state->received;
  }
  bool IsAhead(Origin origin, Sequence first) const {
    return !core_.joins().empty() && first.value() > Received(origin).value() + 1;
  }

  // False if the peer has named no gap before the piece: it is refused then.
  bool Wait(Origin origin, Piece piece) {
    switch (core_.joins().Offer(peer_, origin, std::move(piece), Received(origin))) {
      case StreamJoin::Answer::kKept:
      case StreamJoin::Answer::kDropped:
        return true;
      case StreamJoin::Answer::kFull:
        taken_.full.push_back(origin);
        return true;
      case StreamJoin::Answer::kUnexpected:
        return false;
    }
    return false;
  }

  void OnTaken(Origin origin) {
    StreamJoin& joins = core_.joins();
    if (joins.empty()) return;
    joins.OnTaken(peer_, origin, Received(origin));
    while (std::optional<Piece> piece = joins.Take(origin, Received(origin))) {
      absl::Status status;
      if (piece->skip) {
        Skip skip;
        skip.ParseFromString(piece->bytes);
        // Peers put skips together as they stand in their logs.
        skip.set_first(Received(origin).value() + 1);
        status = core_.StageSkip(skip);
      } else {
        status = core_.StageEntry(piece->bytes);
      }
      // Whoever sent it is asked again, and told why if it is refused then too.
      if (!status.ok()) joins.Drop(origin);
    }
  }

  const ReplicaName& peer_;
  ReplicaCore& core_;
  Taken& taken_;
  bool differ_ = false;
};

// A disk that was put back to an old copy knows nothing of the starts since, and its own may look
// earlier than they do. Its word counts, unless a later start of it knows that it is over.
void ObserveStart(const PeerBatch& batch, ReplicaCore& core) {
  const OriginView* known = core.view()->Find(batch.peer_start);
  if (known != nullptr && known->covered_by != Origin(0)) return;
  core.TakeBackPast(batch.peer, batch.peer_start);
  // It says no time, by which hearsay is judged, so it counts only where it is needed.
  if (!core.Finished(batch.peer_start)) return;
  internal::v1::MemberReport report;
  report.set_replica(batch.peer.value());
  report.set_start(batch.peer_start.value());
  report.set_topology_fingerprint(batch.hello->topology_fingerprint());
  *report.mutable_origins() = batch.hello->origins();
  *report.mutable_partial_namespaces() = batch.hello->partial_namespaces();
  *report.mutable_kept_namespaces() = batch.hello->kept_namespaces();
  core.ObserveMember(report, batch.peer);
}

}  // namespace

absl::StatusOr<PeerBatch> UnpackResponse(const ReplicaName& peer,
                                         const internal::v1::PullResponse& response) {
  PeerBatch batch;
  batch.peer = peer;
  if (response.has_hello()) batch.hello = response.hello();
  if (response.has_batch()) {
    auto block = UnpackBlock(response.batch());
    if (!block.ok()) return block.status();
    batch.block = std::move(*block);
    batch.credit_bytes = response.batch().block().size();
  }
  if (response.has_seed_chunk() && response.seed_chunk().declined().empty()) {
    batch.seed_chunk = response.seed_chunk();
    batch.credit_bytes += response.seed_chunk().block().size();
  }
  batch.skips.assign(response.skips().begin(), response.skips().end());
  batch.gaps.assign(response.gaps().begin(), response.gaps().end());
  batch.topologies_differ = response.topologies_differ();
  batch.heartbeat = response.heartbeat();
  for (const auto* reports : {&response.hello().origins(), &response.heartbeat().origins()}) {
    for (const internal::v1::OriginReport& report : *reports) {
      if (report.replica().empty()) continue;
      batch.names.emplace_back(Origin(report.origin()), ReplicaName(report.replica()));
    }
  }
  return batch;
}

Taken TakeIn(const PeerBatch& batch, ReplicaCore& core, const Moment& now) {
  Taken taken;
  if (batch.hello) ObserveStart(batch, core);
  // What exists of it comes from members, which say what they have; a process that was thought gone
  // does not.
  if (core.Finished(batch.peer_start)) {
    taken.status = absl::FailedPreconditionError(
        absl::StrCat(batch.peer.value(), " was started again since this stream began"));
    return taken;
  }
  for (const auto& [origin, replica] : batch.names) core.ObserveReplica(origin, replica);
  if (batch.hello) core.joins().Forget(batch.peer);
  taken.status = Stager(batch.peer, core, taken).All(batch);
  if (!taken.status.ok()) return taken;
  for (const internal::v1::Watermark& watermark : batch.heartbeat.watermarks()) {
    const HybridTime time(watermark.timestamp());
    // Believing it would let the reads of a whole region run ahead of what writes can be stamped.
    if (core.clock().TooFarAhead(time, now.wall, now.steady)) continue;
    core.ObserveWatermark(Origin(watermark.origin()), Sequence(watermark.sequence()), time);
  }
  for (const Repair& repair : batch.repairs) {
    absl::Status status = core.StageRepair(repair.item_key, repair.item, now);
    if (IsRefusal(status)) {
      taken.repair_refused = std::move(status);
    } else if (!status.ok()) {
      taken.status = std::move(status);
      return taken;
    }
  }
  for (const internal::v1::MemberReport& report : batch.heartbeat.members()) {
    core.ObserveMember(report, batch.peer);
  }
  if (batch.seed_chunk) {
    absl::Status status = core.StageSeedChunk(batch.peer, *batch.seed_chunk, now);
    (IsRefusal(status) ? taken.seed_refused : taken.status) = std::move(status);
  }
  return taken;
}

}  // namespace homeport
