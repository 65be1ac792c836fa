#include "client/world/tcp_relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/world/relay_loop.h"

namespace homeport {
namespace {

constexpr absl::Duration kDelayMax = absl::Seconds(10);
constexpr int kBacklog = 1024;

bool InRange(absl::Duration d) { return d >= absl::ZeroDuration() && d <= kDelayMax; }

}  // namespace

RelayThread::RelayThread(std::unique_ptr<RelayLoop> loop) : loop_(std::move(loop)) {}
RelayThread::~RelayThread() = default;

absl::StatusOr<std::unique_ptr<RelayThread>> RelayThread::Start() {
  auto loop = RelayLoop::Start();
  if (!loop.ok()) return loop.status();
  return std::unique_ptr<RelayThread>(new RelayThread(*std::move(loop)));
}

absl::StatusOr<std::unique_ptr<TcpRelay>> TcpRelay::Create(RelayThread* thread,
                                                           const Endpoint& target,
                                                           const RelayOptions& options) {
  in_addr parsed;
  if (!target.IsLoopback() || target.port == 0 ||
      inet_pton(AF_INET, target.host.c_str(), &parsed) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("target: ", target.ToString(), " is not an IPv4 loopback address and port"));
  }
  if (!InRange(options.delay_forward) || !InRange(options.delay_backward) ||
      !InRange(options.jitter)) {
    return absl::InvalidArgumentError("delay: must be 0 to 10 s");
  }
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(fd, kBacklog) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return absl::ResourceExhaustedError(absl::StrCat("cannot listen: ", strerror(error)));
  }
  RelayLoop* loop = thread->loop_.get();
  uint64_t link = 0;
  loop->Run([&] { link = loop->AddLink(fd, target, options); });
  return std::unique_ptr<TcpRelay>(
      new TcpRelay(loop, link, Endpoint{"127.0.0.1", ntohs(address.sin_port)}));
}

TcpRelay::~TcpRelay() {
  loop_->Run([this] { loop_->RemoveLink(link_); });
}

void TcpRelay::Cut() {
  loop_->Run([this] { loop_->Cut(link_); });
}

void TcpRelay::BlackHole(RelayDirection direction) {
  loop_->Run([this, direction] { loop_->BlackHole(link_, direction); });
}

void TcpRelay::Heal() {
  loop_->Run([this] { loop_->Heal(link_); });
}

void TcpRelay::SetDelay(absl::Duration forward, absl::Duration backward) {
  loop_->Run([this, forward, backward] { loop_->SetDelay(link_, forward, backward); });
}

RelayCounters TcpRelay::counters() const {
  RelayCounters counters;
  loop_->Run([&] { counters = loop_->Counters(link_); });
  return counters;
}

}  // namespace homeport
