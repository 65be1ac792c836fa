#include "common/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace homeport {
namespace {

std::atomic<uint64_t> bugs_found{0};

}  // namespace

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(
      stderr,
      "{\"level\":\"fatal\",\"event\":\"check failed\",\"condition\":\"%s\",\"at\":\"%s:%d\"}\n",
      condition, file, line);
  std::abort();
}

void BugFound(absl::string_view what, const char* file, int line) {
  bugs_found.fetch_add(1, std::memory_order_relaxed);
  std::fprintf(stderr,
               "{\"level\":\"error\",\"event\":\"bug\",\"what\":\"%.*s\",\"at\":\"%s:%d\"}\n",
               static_cast<int>(what.size()), what.data(), file, line);
#ifndef NDEBUG
  std::abort();
#endif
}

uint64_t BugsFound() { return bugs_found.load(std::memory_order_relaxed); }

}  // namespace homeport
