// Applies logged entries, each when everything that it depends on is applied.
#pragma once

#include <map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "homeport/internal/v1/entry.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/model/hybrid_clock.h"
#include "storage/replication/core_counters.h"
#include "storage/replication/holdings.h"
#include "storage/replication/item_writer.h"
#include "storage/replication/log_reader.h"
#include "storage/replication/moment.h"
#include "storage/replication/origin_table.h"
#include "storage/replication/request_ids.h"
#include "storage/replication/seed_receiver.h"

namespace homeport {

// Works on the parts of one core, all of which must outlive it. Thread-compatible.
class EntryApplier {
 public:
  struct Parts {
    Origin self;
    OriginTable* origins;
    ItemWriter* items;
    RequestIds* requests;
    HybridClock* clock;
    CoreCounters* counters;
    const SeedReceiver* seeds;
    const Holdings* holdings;
  };
  struct Result {
    // Something that can be applied was left for the next call.
    bool more = false;
    // More of an earlier origin of this replica was applied than its chain entries say.
    bool chain_wanted = false;
  };

  explicit EntryApplier(const Parts& parts) : parts_(parts) {}

  // Applies entries of all origins until none can be applied, or `max` were. DATA_LOSS if the log
  // or an item is damaged; otherwise the engine's errors.
  absl::StatusOr<Result> ApplyAll(KvEngine* engine, int max, const Moment& now);

 private:
  enum class Step { kApplied, kWaits, kNotReadable };

  absl::StatusOr<Step> ApplyNext(Origin origin, OriginState& state, LogReader& log,
                                 const Moment& now);
  bool StillBlocked(const OriginBlock& block, const Moment& now);
  std::optional<OriginBlock> BlockOf(const LoggedRecord& record, HybridTime time,
                                     const Moment& now);
  absl::Status ApplyEntry(const internal::v1::Entry& entry, OriginState& state);

  void NoteLost(const google::protobuf::RepeatedPtrField<internal::v1::Position>& dependencies);

  Parts parts_;
  // By closed origin, the greatest position beyond its end that an entry named.
  std::map<Origin, Sequence> lost_;
};

}  // namespace homeport
