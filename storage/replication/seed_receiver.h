// The receiving end of seedings: what is to be seeded, how far it is, and how a chunk becomes part
// of what is here. No I/O but the engine.
//
// A chunk covers a range of keys as of a cut. It is merged by type: nothing that the sender lacks
// is lost, as nobody else may have it, except what the cut covers: the sender had that, and it was
// removed since. Taking in a chunk twice changes nothing, nor does another one of a later time.
//
// While the whole replica is seeded its positions stand, and entries go on being applied. An entry
// that the cut covers changes nothing in a range that is done: the chunk showed its effect, and
// also what was removed since, of which no trace may be left (Covers()).
//
// Progress is committed with what it claims. Chunks wait in a queue of bounded size, and a commit
// looks at a bounded number of items, those here included.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "homeport/internal/v1/seed.pb.h"
#include "storage/replication/item_writer.h"
#include "storage/replication/origin_table.h"
#include "storage/replication/request_ids.h"
#include "storage/replication/seed_chunk.h"
#include "storage/replication/seed_cut.h"
#include "storage/replication/seed_view.h"
#include "storage/replication/staging.h"

namespace homeport {

// Thread-compatible. Staging, items, request ids and origins must outlive it.
class SeedReceiver {
 public:
  struct Options {
    // What one Step() looks at.
    int step_items = 2000;
    size_t step_bytes = 4 * 1024 * 1024;
    // Chunks that wait. What comes beyond is dropped and asked for again.
    size_t queue_bytes = 64 * 1024 * 1024;
  };

  SeedReceiver(Options options, Staging* staging, ItemWriter* items, RequestIds* request_ids,
               const OriginTable* origins)
      : options_(options),
        staging_(staging),
        items_(items),
        request_ids_(request_ids),
        origins_(origins) {}

  // Takes over what the disk says. DATA_LOSS if it does not parse; otherwise the engine's errors.
  absl::Status Load();

  // Begins to seed the whole replica: these namespaces, and the positions. If that is under way, it
  // goes on without those that are not done and not among them.
  void SeedAll(const std::vector<std::string>& namespaces);
  // Begins to seed a namespace that was given to this region, with what was received before that.
  void Give(const std::string& name_space, std::vector<std::pair<Origin, Sequence>> at_least);
  // A peer left out entries of a namespace that this region may hold, up to `last`, because its
  // topology was another one. The namespace is to be seeded anew by somebody who has applied them.
  void Owe(const std::string& name_space, Origin origin, Sequence last, uint64_t entries);
  // Namespaces that are not whole here.
  std::vector<std::string> Partial() const;
  // This region may not hold the namespace any more.
  void TakeAway(absl::string_view name_space);

  // Queues a chunk of `peer`. One that belongs to no request that goes on here is dropped. Errors:
  // DATA_LOSS if it is damaged or contradicts itself; INVALID_ARGUMENT if it claims to be larger
  // than kBlockBytesMax; FAILED_PRECONDITION if ranges are left out, the cut has entries of this
  // start that were never made, or times are too far ahead; RESOURCE_EXHAUSTED as ParseCut().
  struct Terms {
    Origin self;
    Sequence self_received;
    // True if the time is too far ahead of the clock.
    absl::FunctionRef<bool(HybridTime)> too_far_ahead;
    // Called with the latest time in a chunk that is taken.
    absl::FunctionRef<void(HybridTime)> observe;
  };
  absl::Status Add(const ReplicaName& peer, const internal::v1::SeedChunk& chunk,
                   const Terms& terms);

  // True if no entry of the replica has items of the namespace.
  using NeverWrites =
      absl::FunctionRef<bool(absl::string_view replica, absl::string_view name_space)>;
  // True if Step() has something to do.
  bool HasWork() const { return !queue_.empty() || ended_; }
  // Merges what is queued, as far as the bounds allow, and stages the progress. Must come before
  // entries are applied in the same commit, as items that are only staged are not all seen. Returns
  // the least cut once the whole replica is seeded: positions have to be raised to it in the same
  // commit. DATA_LOSS if what is stored does not parse; otherwise the engine's errors.
  absl::StatusOr<std::optional<SeedCut>> Step(NeverWrites never_writes);

  // True if what an entry does to the item was seen in a chunk already.
  bool Covers(absl::string_view item_key, Origin origin, Sequence sequence) const;
  // As far as it is staged. Null if nothing is being seeded.
  std::shared_ptr<const SeedView> View() const;
  // True if View() is another one since this was last asked.
  bool TakeChanged() { return std::exchange(changed_, false); }

 private:
  struct Seeding {
    SeedPlace place;
    std::optional<SeedCut> cut;
    std::vector<std::pair<Origin, Sequence>> at_least;
    bool partial = false;
    uint64_t items = 0;
    uint64_t bytes = 0;
    uint64_t items_total = 0;
    uint64_t owed = 0;
  };
  // What chunks that follow each other have in common.
  struct Session {
    ReplicaName peer;
    uint64_t number = 0;
    std::string name_space;
    SeedPlace next;
    std::shared_ptr<const SeedCut> cut;
    uint64_t items_total = 0;
  };
  struct Queued {
    std::string name_space;
    SeedRange range;
    std::shared_ptr<const SeedCut> cut;
    std::vector<std::pair<std::string, internal::v1::StoredItem>> items;
    std::vector<std::pair<std::string, internal::v1::StoredRequest>> request_ids;
    uint64_t bytes = 0;         // as sent
    uint64_t memory_bytes = 0;  // unpacked
    uint64_t items_total = 0;
  };
  struct Budget {
    int items;
    size_t bytes;
    bool spent() const { return items <= 0 || bytes == 0; }
    void Take(size_t size) {
      --items;
      bytes -= std::min(bytes, size);
    }
  };

  static absl::Status Parse(const internal::v1::SeedChunk& chunk, const Terms& terms,
                            Queued& queued);
  void Persist(const std::string& name_space, const Seeding& seeding);
  void Forget(const std::string& name_space);
  // What is queued and under way is of no use any more.
  void Restart();
  absl::Status StepItems(const Queued& chunk, Seeding& seeding, Budget& budget);
  absl::Status StepRequestIds(const Queued& chunk, Seeding& seeding, Budget& budget);
  // `sent` is null for an item that the peer does not have.
  absl::Status MergeItem(const std::string& key, const internal::v1::StoredItem* sent,
                         const SeedCut& cut, bool partial);
  SeedCut LeastCut(NeverWrites never_writes) const;
  std::optional<SeedCut> TakeEnd(NeverWrites never_writes);

  Options options_;
  Staging* staging_;
  ItemWriter* items_;
  RequestIds* request_ids_;
  const OriginTable* origins_;
  bool whole_replica_ = false;
  uint64_t generation_ = 1;
  std::map<std::string, Seeding, std::less<>> seedings_;
  std::optional<Session> session_;
  std::deque<Queued> queue_;
  uint64_t queue_bytes_ = 0;
  // The whole replica is seeded, and Step() has not said so.
  bool ended_ = false;
  bool changed_ = true;
};

}  // namespace homeport
