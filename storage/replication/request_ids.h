// The window in which a request id gives the same answer again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/time/clock.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/hybrid_time.h"
#include "storage/model/keys.h"
#include "storage/replication/staging.h"

namespace homeport {

// What is remembered of a write.
internal::v1::StoredRequest MakeRequest(const Stamp& stamp, uint64_t mutation_hash);

// Two keys an id, one by id and one by time, so that forgetting walks what is old. Thread-
// compatible. Staging must outlive it.
class RequestIds {
 public:
  // `forget_max`: ids that one call of Forget() removes at most.
  RequestIds(Staging* staging, int forget_max) : staging_(staging), forget_max_(forget_max) {}

  // `request_key` is RequestKey(). nullopt if the id is not known. DATA_LOSS if what is stored does
  // not parse; otherwise the engine's errors.
  absl::StatusOr<std::optional<internal::v1::StoredRequest>> Find(
      absl::string_view request_key) const;
  void Stage(const std::string& request_key, const internal::v1::StoredRequest& request);
  // The clock here. An id is remembered from when it came here, or from its write's time if that is
  // later: the clock of the replica that took the write may be behind.
  void SetTime(HybridTime now) { now_ = now; }
  // Forgets ids from before `before`, at most once a second, unless the last call left some. Errors
  // as of Find().
  absl::Status Forget(HybridTime before, SteadyTime now);

 private:
  Staging* staging_;
  int forget_max_;
  HybridTime now_;
  SteadyTime forget_next_;
  // No request's time key is before this one.
  std::string forget_from_{kRequestTimePrefix};
  // The least time key staged since the last walk, which did not see it; empty: none.
  std::string staged_first_;
};

}  // namespace homeport
