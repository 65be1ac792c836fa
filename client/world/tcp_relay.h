// Distance between two processes of one machine: a TCP relay that delays what it forwards.
//
// A relay listens on a loopback port and connects every connection on to its target. What is read
// on one side is written on the other `delay` (plus jitter) later, in order; delays do not add up,
// so a stream runs at full rate with as much in flight as the delay holds. A connection's first
// bytes wait for one more round trip, as a handshake over that distance would take. Links can be
// cut, made a black hole, and healed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/endpoint/endpoint.h"

namespace homeport {

class RelayLoop;

// The thread that runs relays: one for many. Thread-safe. Must outlive its relays.
class RelayThread {
 public:
  // INTERNAL if the machine gives no epoll, timer or event descriptor.
  static absl::StatusOr<std::unique_ptr<RelayThread>> Start();
  ~RelayThread();
  RelayThread(const RelayThread&) = delete;
  RelayThread& operator=(const RelayThread&) = delete;

 private:
  friend class TcpRelay;
  explicit RelayThread(std::unique_ptr<RelayLoop> loop);

  std::unique_ptr<RelayLoop> loop_;
};

// Which way bytes go: forward is from those who connect to the target.
enum class RelayDirection { kForward, kBackward, kBoth };

struct RelayOptions {
  // One way, each way. 0 to 10 s.
  absl::Duration delay_forward;
  absl::Duration delay_backward;
  // Each piece of a stream is late by up to this much more, drawn from `seed`; never reordered.
  absl::Duration jitter;
  uint64_t seed = 1;
  // Each way and connection; 0: as fast as it goes.
  uint64_t bytes_per_second = 0;
  // What a connection may hold in flight each way; when it is full, nothing more is read. 64 MiB
  // carry 400 MB/s over a one-way delay of 150 ms.
  size_t in_flight_bytes_max = size_t{64} << 20;
};

// What a relay has seen since it was made.
struct RelayCounters {
  uint64_t connections = 0;     // accepted and connected on
  uint64_t open = 0;            // of these, still there
  uint64_t refused = 0;         // reset because the relay was cut
  uint64_t unreachable = 0;     // reset because the target did not accept
  uint64_t reset = 0;           // open ones reset by Cut()
  uint64_t bytes_forward = 0;   // delivered to the target
  uint64_t bytes_backward = 0;  // delivered to those who connected
  uint64_t held_forward = 0;    // read and not yet delivered
  uint64_t held_backward = 0;
};

// One relay. Thread-safe; each call returns when the relay's thread has done it, so what it says
// holds for every byte that arrives later. Destroying it resets its connections.
class TcpRelay {
 public:
  // Listens on a free port of 127.0.0.1. `thread` must outlive the relay. INVALID_ARGUMENT for a
  // target that is not an IPv4 loopback address with a port, or for delays out of range;
  // RESOURCE_EXHAUSTED if there is no port or descriptor.
  static absl::StatusOr<std::unique_ptr<TcpRelay>> Create(RelayThread* thread,
                                                          const Endpoint& target,
                                                          const RelayOptions& options);
  ~TcpRelay();
  TcpRelay(const TcpRelay&) = delete;
  TcpRelay& operator=(const TcpRelay&) = delete;

  // Where to connect: "127.0.0.1:port".
  const Endpoint& endpoint() const { return endpoint_; }

  // Resets every connection, and each new one at once. What was in flight is lost.
  void Cut();
  // Holds what goes that way, as a link that loses every packet does: nothing is delivered, ends of
  // connections neither, and senders see no error. New connections stall. Heal() delivers what was
  // held, as retransmission would.
  void BlackHole(RelayDirection direction);
  // Ends cuts and black holes.
  void Heal();
  // For what is read from now on. Never lets it overtake what was read before.
  void SetDelay(absl::Duration forward, absl::Duration backward);
  RelayCounters counters() const;

 private:
  TcpRelay(RelayLoop* loop, uint64_t link, Endpoint endpoint)
      : loop_(loop), link_(link), endpoint_(std::move(endpoint)) {}

  RelayLoop* const loop_;
  const uint64_t link_;
  const Endpoint endpoint_;
};

}  // namespace homeport
