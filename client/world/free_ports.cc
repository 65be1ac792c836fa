#include "client/world/free_ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>

#include "absl/strings/str_cat.h"

namespace homeport {
namespace {

constexpr int kPortFirst = 12'000;
constexpr int kPortLast = 31'999;
constexpr int kTriesPerPort = 200;

}  // namespace

absl::StatusOr<std::vector<int>> FreePorts(int count) {
  // At random, so that two worlds that start at once rarely meet.
  std::random_device random;
  std::vector<int> ports;
  // Held until all are found, which makes them different.
  std::vector<int> held;
  for (int i = 0; i < count * kTriesPerPort && static_cast<int>(ports.size()) < count; ++i) {
    const int port =
        kPortFirst + static_cast<int>(random() % static_cast<unsigned>(kPortLast - kPortFirst + 1));
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) break;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
      ports.push_back(port);
      held.push_back(fd);
    } else {
      close(fd);
    }
  }
  for (int fd : held) close(fd);
  if (static_cast<int>(ports.size()) < count) {
    return absl::ResourceExhaustedError(
        absl::StrCat("found ", ports.size(), " free ports of ", count));
  }
  return ports;
}

}  // namespace homeport
