// A client that keeps a fixed number of unary calls under way, or sends them at a fixed rate.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace homeport::bench {

// Full names for gRPC.
inline constexpr char kGetMethod[] = "/homeport.v1.KeyValue/Get";
inline constexpr char kPutMethod[] = "/homeport.v1.KeyValue/Put";

struct LoadOptions {
  // "host:port".
  std::string address;
  std::string method;
  // Serialized messages, sent in turn.
  std::vector<std::string> requests;
  // Sent as `x-forwarded-for`; empty: not sent.
  std::string from;
  // Calls under way at all times.
  int outstanding = 64;
  // Connections; the calls are spread evenly over them.
  int channels = 4;
  // An answer must have so many bytes, so that an empty one is not taken for a fast one.
  size_t response_bytes_min = 1;
  absl::Duration warm_up = absl::Milliseconds(500);
  absl::Duration duration = absl::Seconds(2);
  // Called when the measured time begins and ends, on the calling thread.
  std::function<void()> on_begin = nullptr;
  std::function<void()> on_end = nullptr;
};

struct LoadResult {
  double per_second = 0;
  uint64_t answered = 0;
  // Of the calls that were answered in the measured time.
  absl::Duration p50;
  absl::Duration p99;
};

// Runs on the calling thread: one completion queue, as many calls under way as asked. The error of
// the first call that fails, INTERNAL if an answer is too short.
absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options);

struct LagOptions {
  // Gateways of the region that is written and of the region that is read.
  std::string write_address;
  std::string read_address;
  std::string name_space;
  size_t value_bytes = 100;
  double writes_per_second = 5000;
  // Every so many writes, one is followed to the other region.
  int probe_every = 25;
  absl::Duration warm_up = absl::Seconds(2);
  absl::Duration duration = absl::Seconds(10);
};

struct LagResult {
  // Of each write that was followed, in milliseconds: from its acknowledgement, and from its being
  // sent, until a read in the other region had answered with it.
  std::vector<double> from_acknowledgement_ms;
  std::vector<double> from_start_ms;
  // Of each write that was followed: until its acknowledgement.
  std::vector<double> write_ms;
  // Writes acknowledged a second in the measured time.
  double writes_per_second = 0;
  uint64_t failed_writes = 0;
};

// Writes at a fixed rate, however long the answers take (open loop), each write another record.
// The read of a followed write is sent when its acknowledgement arrives, with its session token and
// `local_only`, so that the far replica answers as soon as it has applied the write: nobody polls.
// Errors: of the first read that fails or finds another value.
absl::StatusOr<LagResult> RunLag(const LagOptions& options);

}  // namespace homeport::bench
