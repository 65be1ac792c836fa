// What `new` gives in the simulator: small blocks of fixed sizes from one reserved range.
//
// A seed allocates and frees a few hundred thousand small objects in one thread, which took a fifth
// of its time with an allocator that is made for many threads. A block that is freed goes on the
// list of its size; no memory is given back. Size classes by page: Bonwick, "The Slab Allocator",
// 1994.
//
// Sanitizers have an allocator of their own, which stays.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HOMEPORT_SIM_SANITIZED
#endif
#endif
#else
#define HOMEPORT_SIM_SANITIZED
#endif

#ifndef HOMEPORT_SIM_SANITIZED

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

constexpr size_t kGrain = 16;
constexpr size_t kSmallMax = 1024;
constexpr size_t kPageBytes = size_t{64} << 10;
// Addresses only: a page takes memory when it is first written.
constexpr size_t kRangeBytes = size_t{8} << 30;

struct Free {
  Free* next;
};

Free* free_of[kSmallMax / kGrain + 1];
char* range_begin = nullptr;
char* range_next = nullptr;  // the first page that nobody has
char* range_end = nullptr;
bool range_refused = false;

// At the beginning of each page.
struct alignas(kGrain) PageHead {
  size_t size_class;
};

bool InRange(const void* block) {
  return reinterpret_cast<uintptr_t>(block) - reinterpret_cast<uintptr_t>(range_begin) <
         static_cast<uintptr_t>(range_end - range_begin);
}

void Reserve() {
  void* got = mmap(nullptr, kRangeBytes + kPageBytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED) {
    range_refused = true;
    return;
  }
  const uintptr_t at = reinterpret_cast<uintptr_t>(got);
  range_begin = static_cast<char*>(got) + (kPageBytes - at % kPageBytes) % kPageBytes;
  range_next = range_begin;
  range_end = range_begin + kRangeBytes;
}

// Null if there is no page any more.
void* FromNewPage(size_t size_class) {
  if (range_begin == nullptr && !range_refused) Reserve();
  if (range_next == range_end) return nullptr;
  char* page = range_next;
  range_next += kPageBytes;
  new (page) PageHead{size_class};
  const size_t bytes = size_class * kGrain;
  Free*& list = free_of[size_class];
  // The lowest address first.
  size_t blocks = (kPageBytes - sizeof(PageHead)) / bytes;
  for (; blocks > 0; --blocks) {
    list = new (page + sizeof(PageHead) + (blocks - 1) * bytes) Free{list};
  }
  Free* block = list;
  list = block->next;
  return block;
}

}  // namespace

void* operator new(size_t bytes) {
  if (bytes <= kSmallMax) {
    const size_t size_class = bytes == 0 ? 1 : (bytes + kGrain - 1) / kGrain;
    if (Free* block = free_of[size_class]; block != nullptr) {
      free_of[size_class] = block->next;
      return block;
    }
    if (void* block = FromNewPage(size_class)) return block;
  }
  void* block = std::malloc(bytes);
  if (block == nullptr) std::abort();
  return block;
}

void operator delete(void* block) noexcept {
  if (!InRange(block)) return std::free(block);
  const uintptr_t at = reinterpret_cast<uintptr_t>(block);
  const size_t size_class = reinterpret_cast<const PageHead*>(at - at % kPageBytes)->size_class;
  free_of[size_class] = new (block) Free{free_of[size_class]};
}

void operator delete(void* block, size_t) noexcept { operator delete(block); }

#endif
