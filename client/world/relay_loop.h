// The inside of RelayThread: an epoll loop that owns every socket and every queue. All state
// belongs to the loop's thread; others hand it work with Run().
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "client/world/relay_stream.h"
#include "client/world/tcp_relay.h"

namespace homeport {

class RelayLoop {
 public:
  static absl::StatusOr<std::unique_ptr<RelayLoop>> Start();
  ~RelayLoop();

  // Runs `work` on the loop's thread and returns when it is done. Not from the loop's thread.
  void Run(absl::AnyInvocable<void()> work);

  // The following only inside Run().
  uint64_t AddLink(int listen_fd, const Endpoint& target, const RelayOptions& options);
  void RemoveLink(uint64_t link);
  void Cut(uint64_t link);
  void BlackHole(uint64_t link, RelayDirection direction);
  void Heal(uint64_t link);
  void SetDelay(uint64_t link, absl::Duration forward, absl::Duration backward);
  RelayCounters Counters(uint64_t link) const;

 private:
  struct Link;
  struct Connection;

  // A stream with something to deliver, by when.
  struct Due {
    RelayNanos at;
    uint64_t connection;
    int way;
    friend auto operator<=>(const Due&, const Due&) = default;
  };

  RelayLoop(int epoll_fd, int timer_fd, int event_fd);
  void Loop();
  void RunPosted();
  void DeliverDue();
  void ArmTimer();
  void ListenTo(Link& link, bool on);
  void Accept(Link& link);
  void OnSocket(Connection& connection, int side, uint32_t events);
  // The following return false when they have closed the connection.
  bool OnConnected(Connection& connection, uint32_t events);
  bool ReadFrom(Connection& connection, int side);
  bool OnDead(Connection& connection, int side);
  bool Deliver(Connection& connection, int way);
  void Reschedule(Connection& connection, int way);
  void Watch(Connection& connection, int side);
  void Close(Connection& connection, bool reset);
  void CloseAll(Link& link, uint64_t* counter);

  const int epoll_fd_;
  const int timer_fd_;
  const int event_fd_;

  absl::Mutex mutex_;
  std::vector<absl::AnyInvocable<void()>> posted_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  // Of links and connections together. What epoll reports is twice the id, plus the side.
  uint64_t next_id_ = 1;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Link>> links_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::set<Due> due_;
  std::string scratch_;
  std::thread thread_;
};

}  // namespace homeport
