// MMDB files: one that is opened answers every look-up; all others are refused.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/net/ip_address.h"
#include "gateway/geo/mmdb/mmdb_database.h"

namespace {

using homeport::IpAddress;

IpAddress Address(const std::string& text) {
  auto address = IpAddress::Parse(text);
  if (!address.ok()) abort();
  return *address;
}

// A file of these bytes without a disk.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size) : fd_(memfd_create("mmdb", 0)) {
    if (fd_ < 0) abort();
    for (size_t done = 0; done < size;) {
      const ssize_t written = write(fd_, data + done, size - done);
      if (written <= 0) abort();
      done += static_cast<size_t>(written);
    }
  }
  ~MemoryFile() { close(fd_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  const int fd_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const IpAddress addresses[] = {
      Address("0.0.0.0"),         Address("1.2.3.4"),
      Address("81.2.69.160"),     Address("128.0.0.0"),
      Address("255.255.255.255"), Address("::"),
      Address("2001:db8::1"),     Address("2a02::"),
      Address("8000::"),          Address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")};
  const MemoryFile file(data, size);
  const auto database = homeport::MmdbDatabase::Open(file.path(), "");
  if (!database.ok()) return 0;
  for (const IpAddress& address : addresses) {
    homeport::Place place;
    (*database)->Lookup(address, place);
  }
  return 0;
}
