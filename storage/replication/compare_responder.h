// The answering side of comparisons: the sender of a link. No I/O but reading the engine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/time/clock.h"
#include "homeport/internal/v1/compare.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/replication/compare_cut.h"

namespace homeport {

// A page of a list ends at this many bytes of keys and hashes, or when so many items were looked
// at; fetched items at so many bytes.
inline constexpr size_t kComparePageBytes = 256 * 1024;
inline constexpr int kComparePageLooked = 100'000;
inline constexpr size_t kCompareFetchBytes = 1024 * 1024;
// Keys of one fetch.
inline constexpr int kCompareFetchKeys = 256;
// A snapshot that is not asked about for this long is given up.
inline constexpr absl::Duration kCompareIdleMax = absl::Seconds(60);

// One comparison at a time; a new one takes the place of the last. What makes no sense is declined,
// so that a peer costs one snapshot and the touched items at most. Thread-compatible. The engine
// must outlive it.
class CompareResponder {
 public:
  explicit CompareResponder(KvEngine* engine) : engine_(engine) {}

  // Takes a step. `refused` is why the namespace can not be compared with this peer now; empty: it
  // can.
  void OnRequest(const internal::v1::CompareRequest& request, absl::string_view refused);
  // Does a bounded piece of the work that the last step asks for; its answer once that is done.
  std::optional<internal::v1::CompareResponse> Work(SteadyTime now);
  // True while Work() has something to do.
  bool busy() const { return request_.has_value(); }

 private:
  // The answer, or nullopt while there is more to be done. FAILED_PRECONDITION to decline.
  absl::StatusOr<std::optional<internal::v1::CompareResponse>> Piece();
  absl::StatusOr<bool> Begin(internal::v1::CompareResponse& response);
  absl::StatusOr<bool> Digest(internal::v1::CompareResponse& response);
  absl::StatusOr<bool> List(internal::v1::CompareResponse& response);
  absl::StatusOr<bool> Fetch(internal::v1::CompareResponse& response);

  KvEngine* engine_;
  uint64_t number_ = 0;
  std::unique_ptr<CompareCut> cut_;
  bool begun_ = false;     // own touched items are found
  bool digested_ = false;  // the digests are sent
  // The step that is being worked on, and its answer so far.
  std::optional<internal::v1::CompareRequest> request_;
  bool step_begun_ = false;
  internal::v1::CompareListed page_;
  size_t page_bytes_ = 0;
  int page_looked_ = 0;
  CompareCut::Ranges ranges_;
  SteadyTime worked_;  // on the last step
  std::string refused_;
};

}  // namespace homeport
