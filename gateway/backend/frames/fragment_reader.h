// Putting messages together again from fragments that a stranger may have made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/time/clock.h"
#include "homeport/internal/v1/forwarding.pb.h"

namespace homeport {

// More than a FragmentWriter with the same limit of a call ever has under way.
struct AssemblyLimits {
  // Of one message.
  size_t call_bytes_max = 8 * 1024 * 1024;
  // Messages of which a part is here.
  size_t calls_max = 64;
  // Their bytes together.
  size_t bytes_max = 128 * 1024 * 1024;
};

// One direction of a stream. Thread-compatible.
class FragmentReader {
 public:
  // A message that is whole.
  struct Assembled {
    // Null while more is to come. Points into the fragment or into the reader; valid until the next
    // call of either.
    std::string* data = nullptr;
    // Of the first fragment, and when that came.
    uint64_t deadline_micros = 0;
    SteadyTime began;
  };

  explicit FragmentReader(const AssemblyLimits& limits) : limits_(limits) {}

  // Takes one fragment. `fragment` must stay as long as the result is used. Errors say that the
  // other side broke the protocol, and the stream is to be ended:
  //   INVALID_ARGUMENT  FIELD_INVALID (fragments.call, fragments.data), LIMIT_EXCEEDED (field)
  absl::StatusOr<Assembled> Add(SteadyTime now, internal::v1::Fragment* fragment);
  // Forgets what has come of `call`, if anything.
  void Drop(uint64_t call);
  // Forgets everything.
  void Clear();

  size_t calls() const { return partial_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Partial {
    std::string data;
    uint64_t deadline_micros = 0;
    SteadyTime began;
  };

  const AssemblyLimits limits_;
  absl::flat_hash_map<uint64_t, Partial> partial_;
  size_t bytes_ = 0;
  std::string whole_;
};

}  // namespace homeport
