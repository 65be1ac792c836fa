// One direction of a relayed connection: what is in flight, and when each piece arrives.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>

#include "absl/strings/string_view.h"

namespace homeport {

// Nanoseconds on the monotonic clock.
using RelayNanos = int64_t;

// A queue of bytes with arrival times. No I/O and no clock: the caller says what time it is.
// Thread-compatible.
class RelayStream {
 public:
  // `jitter` 0 or more nanoseconds; `bytes_per_second` 0 means unlimited.
  RelayStream(uint64_t seed, RelayNanos jitter, uint64_t bytes_per_second)
      : random_(seed), jitter_(jitter), bytes_per_second_(bytes_per_second) {}

  // Takes in bytes that were sent at `now` and travel for `delay`. They arrive no sooner than what
  // was sent before them. At a limited rate they first queue behind those.
  void Send(absl::string_view bytes, RelayNanos now, RelayNanos delay);
  // The sender has ended its side; arrives after everything before it.
  void SendEnd(RelayNanos now, RelayNanos delay);

  // When the next piece arrives; nullopt if nothing is in flight.
  std::optional<RelayNanos> NextArrival() const;
  // Up to `count` pieces that have arrived by `now`, as buffers for writev. Returns how many.
  int Arrived(RelayNanos now, iovec* buffers, int count) const;
  // The first `bytes` of what has arrived were delivered.
  void Delivered(size_t bytes);
  // True when the end is what arrives next, and has arrived by `now`.
  bool EndArrived(RelayNanos now) const;
  void DeliveredEnd();

  // Bytes sent and not delivered.
  size_t in_flight_bytes() const { return in_flight_bytes_; }

 private:
  struct Piece {
    RelayNanos arrival;
    std::string bytes;  // empty: the end
  };
  RelayNanos ArrivalOf(size_t bytes, RelayNanos now, RelayNanos delay);

  std::mt19937_64 random_;
  const RelayNanos jitter_;
  const uint64_t bytes_per_second_;
  RelayNanos line_free_ = 0;
  RelayNanos last_arrival_ = 0;
  std::deque<Piece> pieces_;
  // Of the first piece.
  size_t delivered_of_first_ = 0;
  size_t in_flight_bytes_ = 0;
};

}  // namespace homeport
