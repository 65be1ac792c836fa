#include "storage/replication/intake.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "storage/model/entry_codec.h"
#include "storage/replication/block_codec.h"

namespace homeport {
namespace {

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

absl::Status StageAll(const PeerBatch& batch, ReplicaCore& core, Taken& taken) {
  for (const std::string& bytes : batch.block.entries()) {
    absl::Status status = core.StageEntry(bytes);
    if (status.ok()) {
      ++taken.entries;
      continue;
    }
    if (!IsRefusal(status)) return status;
    auto entry = ParseEntry(bytes);
    if (!entry.ok()) return entry.status();
    Refuse(Origin(entry->origin()), std::move(status), taken);
  }
  for (const internal::v1::Skip& skip : batch.skips) {
    absl::Status status = core.StageSkip(skip);
    if (status.ok()) continue;
    if (!IsRefusal(status)) return status;
    Refuse(Origin(skip.origin()), std::move(status), taken);
  }
  return absl::OkStatus();
}

// A disk that was put back to an old copy knows nothing of the starts since, and its own may look
// earlier than they do. Its word counts, unless a later start of it knows that it is over.
void ObserveStart(const PeerBatch& batch, ReplicaCore& core) {
  const OriginView* known = core.view()->Find(batch.peer_start);
  if (known != nullptr && known->covered_by != Origin(0)) return;
  internal::v1::MemberReport report;
  report.set_replica(batch.peer.value());
  report.set_start(batch.peer_start.value());
  report.set_topology_fingerprint(batch.hello->topology_fingerprint());
  *report.mutable_origins() = batch.hello->origins();
  *report.mutable_partial_namespaces() = batch.hello->partial_namespaces();
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
  if (batch.hello && core.Finished(batch.peer_start)) ObserveStart(batch, core);
  // What exists of it comes from members, which say what they have; a process that was thought gone
  // does not.
  if (core.Finished(batch.peer_start)) {
    taken.status = absl::FailedPreconditionError(
        absl::StrCat(batch.peer.value(), " was started again since this stream began"));
    return taken;
  }
  for (const auto& [origin, replica] : batch.names) core.ObserveReplica(origin, replica);
  taken.status = StageAll(batch, core, taken);
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
