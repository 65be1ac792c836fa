#include "storage/replication/seed_sender.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/mutants.h"
#include "storage/model/keys.h"
#include "storage/replication/digest_sums.h"
#include "storage/replication/kept_items.h"
#include "storage/replication/seed_cut.h"

namespace homeport {
namespace {

using internal::v1::Position;
using internal::v1::SeedBlock;
using internal::v1::SeedChunk;

// Longer than a sender with nothing else to send is left alone.
constexpr absl::Duration kBurst = absl::Seconds(1);

}  // namespace

void SeedSender::OnRequest(const internal::v1::SeedRequest& request, absl::Status allowed) {
  snapshot_.reset();
  request_.reset();
  if (request.number() == 0) return;
  request_ = request;
  allowed_ = std::move(allowed);
  place_ = request.after_request_key().empty()
               ? SeedPlace{SeedPlace::Part::kItems, request.after_key()}
               : SeedPlace{SeedPlace::Part::kRequestIds, request.after_request_key()};
}

bool SeedSender::HasSpeed(SteadyTime now) {
  const double speed = static_cast<double>(std::max<uint64_t>(1, options_.bytes_per_second));
  const double burst = speed * absl::ToDoubleSeconds(kBurst);
  if (!refilled_) {
    tokens_ = burst;
  } else if (now > *refilled_) {
    tokens_ = std::min(burst, tokens_ + speed * absl::ToDoubleSeconds(now - *refilled_));
  }
  refilled_ = refilled_ ? std::max(*refilled_, now) : now;
  return tokens_ > 0;
}

absl::StatusOr<std::optional<SeedChunk>> SeedSender::Next(const ReplicaView& view, SteadyTime now) {
  if (!request_) return std::optional<SeedChunk>();
  SeedChunk chunk;
  chunk.set_number(request_->number());
  chunk.set_namespace_(request_->namespace_());
  if (!allowed_.ok()) {
    chunk.set_declined(std::string(allowed_.message()));
    request_.reset();
    return std::optional<SeedChunk>(std::move(chunk));
  }
  const SeedCut* kept = KeptCutOf(view, request_->namespace_());
  for (const Position& needed : request_->at_least()) {
    if (snapshot_ != nullptr) break;
    const Origin origin(needed.origin());
    // This start writes nothing of what it keeps.
    const bool applied = kept == nullptr || origin == view.self;
    const Sequence has = applied ? view.AppliedOf(origin) : SequenceIn(*kept, origin);
    if (has >= Sequence(needed.sequence())) continue;
    if (applied) return std::optional<SeedChunk>();
    chunk.set_declined("what is kept of it lacks entries that are needed");
    request_.reset();
    return std::optional<SeedChunk>(std::move(chunk));
  }
  if (!HasSpeed(now)) return std::optional<SeedChunk>();
  if (snapshot_ == nullptr) {
    if (auto status = Begin(view, chunk); !status.ok()) return status;
  } else if (HP_MUTANT(kSnapshotWithoutVector)) {
    AddCut(CutOf(view), chunk.mutable_cut());
  }
  SeedBlock block;
  SeedRange range{place_, SeedEnd()};
  if (!request_->namespace_().empty()) {
    if (auto status = Fill(block, range); !status.ok()) return status;
  }
  SetRange(range, chunk);
  PackSeedBlock(block, chunk);
  tokens_ -= static_cast<double>(chunk.block().size());
  place_ = std::move(range.to);
  if (chunk.last()) {
    snapshot_.reset();
    request_.reset();
  }
  return std::optional<SeedChunk>(std::move(chunk));
}

absl::Status SeedSender::Begin(const ReplicaView& view, SeedChunk& chunk) {
  // The view is older than the snapshot, never newer.
  const SeedCut* kept = KeptCutOf(view, request_->namespace_());
  AddCut(kept == nullptr ? CutOf(view) : *kept, chunk.mutable_cut());
  chunk.set_first(true);
  snapshot_ = engine_->Snapshot();
  if (request_->namespace_().empty()) return absl::OkStatus();
  auto sums = ReadDigests(engine_, request_->namespace_(), snapshot_.get());
  if (!sums.ok()) return sums.status();
  uint64_t items = 0;
  for (const RangeSums& range : **sums) items += range.items;
  chunk.set_items_total(items);
  return absl::OkStatus();
}

absl::Status SeedSender::Fill(SeedBlock& block, SeedRange& range) const {
  const bool items = range.from.part == SeedPlace::Part::kItems;
  const std::string prefix =
      items ? NamespacePrefix(request_->namespace_()) : RequestIdsOf(request_->namespace_()).key;
  range.to = items ? RequestIdsOf(request_->namespace_()) : SeedEnd();
  std::unique_ptr<KvIterator> it = engine_->Iterate(items ? Table::kItems : Table::kRequests,
                                                    PrefixEnd(prefix), snapshot_.get());
  size_t bytes = 0;
  int count = 0;
  it->Seek(std::max(prefix, range.from.key));
  if (it->Valid() && it->key() == range.from.key) it->Next();
  std::string last;
  for (; it->Valid(); it->Next()) {
    const size_t size = it->key().size() + it->value().size();
    if (count > 0 && (bytes + size > options_.chunk_bytes || count == options_.chunk_items)) {
      range.to = {range.from.part, std::move(last)};
      return absl::OkStatus();
    }
    last = std::string(it->key());
    if (items) {
      internal::v1::SeedItem* item = block.add_items();
      item->set_key(last);
      item->set_item(std::string(it->value()));
    } else {
      internal::v1::SeedRequestId* id = block.add_request_ids();
      id->set_key(last);
      id->set_request(std::string(it->value()));
    }
    bytes += size;
    ++count;
  }
  return it->status();
}

}  // namespace homeport
