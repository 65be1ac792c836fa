#include "client/world/relay_loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/base/check.h"

namespace homeport {
namespace {

// Read at once from one socket, so that a fast connection does not hold up the others for long.
constexpr size_t kReadBytes = size_t{256} << 10;
constexpr int kEventsMax = 64;
constexpr int kBuffersMax = 64;
constexpr int kForward = 0;
constexpr int kBackward = 1;
// What epoll reports for our own descriptors; sockets have 2 and more.
constexpr uint64_t kTimerKey = 0;
constexpr uint64_t kEventKey = 1;

RelayNanos NowNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return RelayNanos{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Lets close() send a reset in place of an orderly end.
void ResetOnClose(int fd) {
  const linger hard{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

void SendAtOnce(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

struct RelayLoop::Link {
  uint64_t id = 0;
  int listen_fd = -1;
  Endpoint target;
  RelayOptions options;
  RelayNanos delay[2] = {0, 0};
  bool cut = false;
  bool listening = false;
  bool black_hole[2] = {false, false};
  RelayCounters counters;
  uint64_t accepted = 0;
  std::set<uint64_t> connections;
};

// Way 0 is read from side 0 and written to side 1, way 1 the other way round.
struct RelayLoop::Connection {
  Connection(uint64_t connection_id, Link* owner, uint64_t seed, RelayNanos jitter)
      : id(connection_id),
        link(owner),
        streams{RelayStream(seed, jitter, owner->options.bytes_per_second),
                RelayStream(seed + 1, jitter, owner->options.bytes_per_second)} {}

  const uint64_t id;
  Link* const link;
  int fd[2] = {-1, -1};
  uint32_t watched_events[2] = {0, 0};
  RelayStream streams[2];
  // Nothing sent before this was read: the handshake takes a round trip.
  RelayNanos established = 0;
  bool connecting = true;            // to the target
  bool ended[2] = {false, false};    // the side that is read has ended
  bool closed[2] = {false, false};   // the end was delivered
  bool dead[2] = {false, false};     // the side was reset; the other one hears of it in time
  bool blocked[2] = {false, false};  // the side that is written takes no more
  std::optional<RelayNanos> scheduled[2];
};

absl::StatusOr<std::unique_ptr<RelayLoop>> RelayLoop::Start() {
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  const int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  const int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_fd < 0 || timer_fd < 0 || event_fd < 0) {
    const int error = errno;
    for (int fd : {epoll_fd, timer_fd, event_fd}) {
      if (fd >= 0) close(fd);
    }
    return absl::InternalError(absl::StrCat("no descriptors for a relay: ", strerror(error)));
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kTimerKey;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &event);
  event.data.u64 = kEventKey;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &event);
  return std::unique_ptr<RelayLoop>(new RelayLoop(epoll_fd, timer_fd, event_fd));
}

RelayLoop::RelayLoop(int epoll_fd, int timer_fd, int event_fd)
    : epoll_fd_(epoll_fd), timer_fd_(timer_fd), event_fd_(event_fd), scratch_(kReadBytes, '\0') {
  thread_ = std::thread([this] { Loop(); });
}

RelayLoop::~RelayLoop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  eventfd_write(event_fd_, 1);
  thread_.join();
  while (!links_.empty()) RemoveLink(links_.begin()->first);
  for (int fd : {epoll_fd_, timer_fd_, event_fd_}) close(fd);
}

void RelayLoop::Run(absl::AnyInvocable<void()> work) {
  absl::Notification done;
  {
    absl::MutexLock lock(&mutex_);
    posted_.push_back([&work, &done] {
      work();
      done.Notify();
    });
  }
  eventfd_write(event_fd_, 1);
  done.WaitForNotification();
}

void RelayLoop::Loop() {
  // Timers of a thread may otherwise be late by 50 microseconds on purpose.
  prctl(PR_SET_TIMERSLACK, 1);
  prctl(PR_SET_NAME, "relay");
  epoll_event events[kEventsMax];
  for (;;) {
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
    }
    DeliverDue();
    ArmTimer();
    const int n = epoll_wait(epoll_fd_, events, kEventsMax, -1);
    if (n < 0 && errno != EINTR) return;
    for (int i = 0; i < n; ++i) {
      const uint64_t key = events[i].data.u64;
      uint64_t drained;
      if (key == kTimerKey) {
        [[maybe_unused]] ssize_t ignored = read(timer_fd_, &drained, sizeof(drained));
      } else if (key == kEventKey) {
        [[maybe_unused]] ssize_t ignored = read(event_fd_, &drained, sizeof(drained));
        RunPosted();
      } else if (auto link = links_.find(key / 2); link != links_.end()) {
        Accept(*link->second);
      } else if (auto it = connections_.find(key / 2); it != connections_.end()) {
        // Otherwise an event before it has closed the connection.
        OnSocket(*it->second, static_cast<int>(key % 2), events[i].events);
      }
    }
  }
}

void RelayLoop::RunPosted() {
  std::vector<absl::AnyInvocable<void()>> posted;
  {
    absl::MutexLock lock(&mutex_);
    posted.swap(posted_);
  }
  for (auto& work : posted) work();
}

void RelayLoop::DeliverDue() {
  RelayNanos now = NowNanos();
  while (!due_.empty() && due_.begin()->at <= now) {
    const Due due = *due_.begin();
    due_.erase(due_.begin());
    Connection& connection = *connections_.at(due.connection);
    connection.scheduled[due.way].reset();
    Deliver(connection, due.way);
  }
}

void RelayLoop::ArmTimer() {
  itimerspec when{};
  if (!due_.empty()) {
    const RelayNanos at = std::max<RelayNanos>(due_.begin()->at, 1);
    when.it_value.tv_sec = at / 1'000'000'000;
    when.it_value.tv_nsec = at % 1'000'000'000;
  }
  timerfd_settime(timer_fd_, TFD_TIMER_ABSTIME, &when, nullptr);
}

uint64_t RelayLoop::AddLink(int listen_fd, const Endpoint& target, const RelayOptions& options) {
  auto link = std::make_unique<Link>();
  link->id = next_id_++;
  link->listen_fd = listen_fd;
  link->target = target;
  link->options = options;
  link->delay[kForward] = absl::ToInt64Nanoseconds(options.delay_forward);
  link->delay[kBackward] = absl::ToInt64Nanoseconds(options.delay_backward);
  ListenTo(*link, true);
  const uint64_t id = link->id;
  links_[id] = std::move(link);
  return id;
}

void RelayLoop::ListenTo(Link& link, bool on) {
  if (link.listening == on) return;
  link.listening = on;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = link.id * 2;
  epoll_ctl(epoll_fd_, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, link.listen_fd, &event);
}

void RelayLoop::RemoveLink(uint64_t id) {
  Link& link = *links_.at(id);
  CloseAll(link, nullptr);
  close(link.listen_fd);
  links_.erase(id);
}

void RelayLoop::CloseAll(Link& link, uint64_t* counter) {
  const std::set<uint64_t> connections = link.connections;
  for (uint64_t id : connections) {
    if (counter != nullptr) ++*counter;
    Close(*connections_.at(id), /*reset=*/true);
  }
}

void RelayLoop::Cut(uint64_t id) {
  Link& link = *links_.at(id);
  link.cut = true;
  ListenTo(link, true);
  CloseAll(link, &link.counters.reset);
}

void RelayLoop::BlackHole(uint64_t id, RelayDirection direction) {
  Link& link = *links_.at(id);
  if (direction != RelayDirection::kBackward) link.black_hole[kForward] = true;
  if (direction != RelayDirection::kForward) link.black_hole[kBackward] = true;
}

void RelayLoop::Heal(uint64_t id) {
  Link& link = *links_.at(id);
  link.cut = false;
  ListenTo(link, true);
  link.black_hole[kForward] = link.black_hole[kBackward] = false;
  const std::set<uint64_t> connections = link.connections;
  for (uint64_t connection : connections) {
    for (int way : {kForward, kBackward}) {
      auto it = connections_.find(connection);
      if (it != connections_.end()) Deliver(*it->second, way);
    }
  }
}

void RelayLoop::SetDelay(uint64_t id, absl::Duration forward, absl::Duration backward) {
  Link& link = *links_.at(id);
  link.delay[kForward] = absl::ToInt64Nanoseconds(forward);
  link.delay[kBackward] = absl::ToInt64Nanoseconds(backward);
}

RelayCounters RelayLoop::Counters(uint64_t id) const {
  const Link& link = *links_.at(id);
  RelayCounters counters = link.counters;
  counters.open = link.connections.size();
  for (uint64_t connection : link.connections) {
    const Connection& c = *connections_.at(connection);
    counters.held_forward += c.streams[kForward].in_flight_bytes();
    counters.held_backward += c.streams[kBackward].in_flight_bytes();
  }
  return counters;
}

void RelayLoop::Accept(Link& link) {
  if (link.black_hole[kForward] && !link.cut) {
    ListenTo(link, false);
    return;
  }
  const int fd = accept4(link.listen_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  if (link.cut) {
    ++link.counters.refused;
    ResetOnClose(fd);
    close(fd);
    return;
  }
  const int target_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(link.target.port));
  inet_pton(AF_INET, link.target.host.c_str(), &address.sin_addr);
  if (target_fd < 0 ||
      (connect(target_fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 &&
       errno != EINPROGRESS)) {
    ++link.counters.unreachable;
    ResetOnClose(fd);
    close(fd);
    if (target_fd >= 0) close(target_fd);
    return;
  }
  SendAtOnce(fd);
  SendAtOnce(target_fd);
  // Each connection draws its own jitter, the same one in every run with the same order of them.
  const uint64_t seed = link.options.seed * 0x9E3779B97F4A7C15u + 2 * ++link.accepted;
  auto connection = std::make_unique<Connection>(next_id_++, &link, seed,
                                                 absl::ToInt64Nanoseconds(link.options.jitter));
  connection->fd[0] = fd;
  connection->fd[1] = target_fd;
  connection->established = NowNanos() + link.delay[kForward] + link.delay[kBackward];
  for (int side : {0, 1}) {
    epoll_event event{};
    event.data.u64 = connection->id * 2 + static_cast<uint64_t>(side);
    epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, connection->fd[side], &event);
  }
  ++link.counters.connections;
  link.connections.insert(connection->id);
  Connection& added = *connection;
  connections_[added.id] = std::move(connection);
  Watch(added, 0);
  Watch(added, 1);
}

bool RelayLoop::OnConnected(Connection& connection, uint32_t events) {
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(connection.fd[1], SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    ++connection.link->counters.unreachable;
    --connection.link->counters.connections;
    Close(connection, /*reset=*/true);
    return false;
  }
  if ((events & EPOLLOUT) == 0) return true;
  connection.connecting = false;
  Watch(connection, 1);
  return Deliver(connection, kForward);
}

void RelayLoop::OnSocket(Connection& connection, int side, uint32_t events) {
  if (side == 1 && connection.connecting && !OnConnected(connection, events)) return;
  if ((events & EPOLLERR) != 0) {
    OnDead(connection, side);
    return;
  }
  // A side is written with what was read from the other one.
  const int way_out = side == 1 ? kForward : kBackward;
  if ((events & EPOLLOUT) != 0 && connection.blocked[way_out]) {
    connection.blocked[way_out] = false;
    Watch(connection, side);
    if (!Deliver(connection, way_out)) return;
  }
  if ((events & (EPOLLIN | EPOLLHUP)) != 0) ReadFrom(connection, side);
}

// A reset travels like everything else: it reaches the other side after the delay, and not at all
// while the link is a black hole.
bool RelayLoop::OnDead(Connection& connection, int side) {
  if (connection.dead[side]) return true;
  connection.dead[side] = true;
  const int way = side == 0 ? kForward : kBackward;
  connection.blocked[1 - way] = false;
  if (connection.closed[way]) {
    Close(connection, /*reset=*/true);
    return false;
  }
  if (!connection.ended[way]) {
    connection.ended[way] = true;
    connection.streams[way].SendEnd(NowNanos(), connection.link->delay[way]);
    Reschedule(connection, way);
  }
  Watch(connection, side);
  return Deliver(connection, 1 - way);
}

bool RelayLoop::ReadFrom(Connection& connection, int side) {
  Link& link = *connection.link;
  const int way = side == 0 ? kForward : kBackward;
  RelayStream& stream = connection.streams[way];
  if (connection.ended[way] || stream.in_flight_bytes() >= link.options.in_flight_bytes_max) {
    Watch(connection, side);
    return true;
  }
  const size_t room = link.options.in_flight_bytes_max - stream.in_flight_bytes();
  const ssize_t n = read(connection.fd[side], scratch_.data(), std::min(room, scratch_.size()));
  if (n < 0) {
    if (errno == EAGAIN || errno == EINTR) return true;
    return OnDead(connection, side);
  }
  const RelayNanos sent = std::max(NowNanos(), connection.established);
  if (n == 0) {
    connection.ended[way] = true;
    stream.SendEnd(sent, link.delay[way]);
  } else {
    stream.Send(absl::string_view(scratch_.data(), static_cast<size_t>(n)), sent, link.delay[way]);
  }
  Reschedule(connection, way);
  Watch(connection, side);
  return true;
}

bool RelayLoop::Deliver(Connection& connection, int way) {
  Link& link = *connection.link;
  RelayStream& stream = connection.streams[way];
  const int to = way == kForward ? 1 : 0;
  if (link.black_hole[way] || (to == 1 && connection.connecting)) return true;
  const bool was_full = stream.in_flight_bytes() >= link.options.in_flight_bytes_max;
  const RelayNanos now = NowNanos();
  while (!connection.blocked[way]) {
    iovec buffers[kBuffersMax];
    const int count = stream.Arrived(now, buffers, kBuffersMax);
    if (count == 0) break;
    msghdr message{};
    message.msg_iov = buffers;
    message.msg_iovlen = static_cast<size_t>(count);
    if (connection.dead[to]) {
      size_t lost = 0;
      for (int i = 0; i < count; ++i) lost += buffers[i].iov_len;
      stream.Delivered(lost);
      continue;
    }
    const ssize_t n = sendmsg(connection.fd[to], &message, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        connection.blocked[way] = true;
        break;
      }
      return OnDead(connection, to);
    }
    stream.Delivered(static_cast<size_t>(n));
    (way == kForward ? link.counters.bytes_forward : link.counters.bytes_backward) +=
        static_cast<uint64_t>(n);
  }
  if (!connection.blocked[way] && stream.EndArrived(now)) {
    stream.DeliveredEnd();
    connection.closed[way] = true;
    const bool reset = connection.dead[0] || connection.dead[1];
    if (reset || (connection.closed[kForward] && connection.closed[kBackward])) {
      Close(connection, reset);
      return false;
    }
    shutdown(connection.fd[to], SHUT_WR);
  }
  Reschedule(connection, way);
  if (connection.blocked[way]) Watch(connection, to);
  if (was_full) Watch(connection, 1 - to);
  return true;
}

void RelayLoop::Reschedule(Connection& connection, int way) {
  std::optional<RelayNanos> next = connection.streams[way].NextArrival();
  // A held way is looked at again by Heal(), a blocked one when its socket takes more, and a
  // connecting one when it is connected.
  if (connection.link->black_hole[way] || connection.blocked[way] ||
      (way == kForward && connection.connecting)) {
    next.reset();
  }
  if (next == connection.scheduled[way]) return;
  if (connection.scheduled[way].has_value()) {
    due_.erase(Due{*connection.scheduled[way], connection.id, way});
  }
  connection.scheduled[way] = next;
  if (next.has_value()) due_.insert(Due{*next, connection.id, way});
}

void RelayLoop::Watch(Connection& connection, int side) {
  const int way_in = side == 0 ? kForward : kBackward;
  const int way_out = 1 - way_in;
  uint32_t events = 0;
  if (!connection.dead[side] && !connection.ended[way_in] &&
      !(side == 1 && connection.connecting) &&
      connection.streams[way_in].in_flight_bytes() < connection.link->options.in_flight_bytes_max) {
    events |= EPOLLIN;
  }
  if ((connection.blocked[way_out] && !connection.dead[side]) ||
      (side == 1 && connection.connecting))
    events |= EPOLLOUT;
  // A hang-up is reported whether asked for or not, again and again: when nothing is left to read
  // and nothing to write, the socket leaves the set.
  if (events == connection.watched_events[side] && events != 0) return;
  epoll_event event{};
  event.events = events;
  event.data.u64 = connection.id * 2 + static_cast<uint64_t>(side);
  if (events == 0) {
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, connection.fd[side], nullptr);
  } else if (epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, connection.fd[side], &event) != 0 &&
             errno == ENOENT) {
    epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, connection.fd[side], &event);
  }
  connection.watched_events[side] = events;
}

void RelayLoop::Close(Connection& connection, bool reset) {
  for (int way : {kForward, kBackward}) {
    if (connection.scheduled[way].has_value()) {
      due_.erase(Due{*connection.scheduled[way], connection.id, way});
    }
  }
  for (int side : {0, 1}) {
    if (reset) ResetOnClose(connection.fd[side]);
    close(connection.fd[side]);
  }
  connection.link->connections.erase(connection.id);
  connections_.erase(connection.id);
}

}  // namespace homeport
