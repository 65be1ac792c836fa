// Cutting outgoing messages into fragments, so that large ones never delay small ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "absl/functional/function_ref.h"
#include "homeport/internal/v1/forwarding.pb.h"

namespace homeport {

// Large messages whose fragments take turns at one time; more wait for one of them to end, so that
// the other side has a bounded number in assembly.
inline constexpr size_t kLargeInTurnMax = 8;
// Fragments in one stream message at most.
inline constexpr int kFragmentsPerMessageMax = 2048;
// Ids of cancelled calls in one stream message at most.
inline constexpr int kCancelledPerMessageMax = 1024;
// What a fragment costs in a message besides its data, at most.
inline constexpr size_t kFragmentOverheadBytes = 24;

// The queue in front of one direction of a stream.
//
// Whatever waits when the stream can be written goes out in one message, up to about a budget:
// first those that fit into one fragment, in order, then one fragment after the other of the large
// ones in turn. A message always carries a fragment of a large one if there is any, so small ones
// never starve them either: a message is at most budget + fragment_bytes (+ overhead) long.
//
// Thread-compatible. Never refuses: whoever adds bounds bytes().
class FragmentWriter {
 public:
  // Called with each fragment before it goes out; `first` and `last` of its call. May set the
  // deadline. False: nobody wants the call any more, the rest of it is dropped.
  using Keep = absl::FunctionRef<bool(internal::v1::Fragment* fragment, bool first, bool last)>;
  using Fragments = google::protobuf::RepeatedPtrField<internal::v1::Fragment>;

  FragmentWriter(size_t fragment_bytes, size_t message_bytes);

  // Queues the serialized message of `call`.
  void Add(uint64_t call, std::string data);
  // Drops what is left of a large message; nothing if `call` has none here.
  void DropLarge(uint64_t call);
  // Appends the next fragments to `fragments`, until `used` bytes and theirs reach the budget.
  void Fill(size_t used, Fragments* fragments, Keep keep);
  // Forgets everything.
  void Clear();

  bool empty() const { return small_.empty() && large_.empty() && waiting_.empty(); }
  // Bytes that have not gone out.
  size_t bytes() const { return bytes_; }

 private:
  struct Outgoing {
    uint64_t call = 0;
    size_t sent = 0;
    std::string data;
  };
  // Takes one fragment of the front of `large_`; returns its size in a message.
  size_t TakeLarge(Fragments* fragments, Keep keep);

  const size_t fragment_bytes_;
  const size_t message_bytes_;
  size_t bytes_ = 0;
  std::deque<Outgoing> small_;
  // In turn: the front one gives the next fragment and goes to the back.
  std::deque<Outgoing> large_;
  // Large ones whose turn has not come.
  std::deque<Outgoing> waiting_;
};

}  // namespace homeport
