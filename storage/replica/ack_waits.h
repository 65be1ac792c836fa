// Writes that are done here and are answered once other regions have them too.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/base/ids.h"
#include "common/store/record_store.h"
#include "common/time/clock.h"
#include "homeport/internal/v1/replication.pb.h"
#include "homeport/v1/key_value.pb.h"
#include "storage/model/keys.h"
#include "storage/replica/runner.h"
#include "storage/replication/region_acks.h"

namespace homeport {

// A write that waits, committed here.
struct AckWait {
  CallContext context;
  v1::MutateResponse* response = nullptr;  // filled in, but for the count
  RecordStore::Done done;
  Version version;
  Sequence sequence;
  std::string name_space;
  // The regions that count, and how many of them are wanted.
  std::vector<std::string> regions;
  uint32_t want = 0;
  SteadyTime give_up;
};

// No thread waits: answers run on the runner, which must outlive this. Thread-safe.
class AckWaits {
 public:
  AckWaits(size_t max, Runner* runner) : max_(max), runner_(runner) {}

  // True if no more writes may wait; to be asked before the write is made.
  bool Full() const;
  void Add(AckWait wait);
  // What peers have, see RegionAcks.
  void SetTopology(std::string fingerprint);
  void OnHello(const internal::v1::Hello& hello);
  void OnAcknowledged(const ReplicaName& peer, const RegionAcks::Reports& reports);
  void OnMemberReport(const internal::v1::MemberReport& report);

  // Answers the writes whose time is over with DEADLINE_EXCEEDED (NOT_YET_REPLICATED), and drops
  // those that nobody waits for any more.
  void Expire(SteadyTime now);
  // The earliest time at which Expire() has something to do; infinite if there is none.
  SteadyTime NextExpiry() const;
  // Answers all that wait with UNAVAILABLE (NOT_YET_REPLICATED): this replica is stopping.
  void Abandon();
  size_t size() const;

 private:
  void AnswerMet() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int CountOf(const AckWait& wait) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answer(AckWait wait, absl::Status status);

  const size_t max_;
  Runner* const runner_;
  mutable absl::Mutex mutex_;
  RegionAcks acks_ ABSL_GUARDED_BY(mutex_);
  std::vector<AckWait> waits_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace homeport
