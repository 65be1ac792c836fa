// The engine on a local disk, over RocksDB: one column family a table.
//
// Why it is set up as it is:
// - Damage in the middle of the write-ahead log refuses to open (kTolerateCorruptedTailRecords);
// only
//   an incomplete record at its very end, which a power cut leaves, is dropped. RocksDB's default
//   would silently drop everything after one flipped bit.
// - RocksDB's own resuming after an error is off: after a failed sync nobody knows which pages the
//   kernel dropped, so that only opening again, which reads what is there, may go on.
// - A full disk: a write that met it fails the engine as any failure does. Callers refuse writes
//   earlier, by DiskFreeBytes(). Opening needs room too, so that a ballast file of kBallastBytes is
//   kept in the directory and given up when there is less than that; it is made again at the next
//   opening with room for several.
// - Memory is bounded by RocksdbOptions, whatever the size of the data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/engine/kv_engine.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace homeport {

inline constexpr uint64_t kBallastBytes = 8 << 20;
// The ballast's name in the data directory.
inline constexpr char kBallastName[] = "BALLAST";

struct RocksdbOptions {
  // The data directory; belongs to one engine at a time.
  std::string path;
  // Makes the directory, its parents and an empty store if there is none.
  bool create = true;
  // Cached blocks, indexes and filters.
  size_t cache_bytes = 64 << 20;
  // Writes not yet in sorted files, of all tables together.
  size_t write_buffer_bytes = 64 << 20;
  int open_files_max = 512;
  // The operating system as RocksDB sees it; null: the real one. Not owned; outlives the engine.
  rocksdb::Env* env = nullptr;
};

// Errors name the path:
//   FAILED_PRECONDITION  in use by another process (or another engine of this one); not a
//   directory;
//                        may not be written
//   NOT_FOUND            no store is there and `create` is false
//   DATA_LOSS            the store is damaged; nothing was changed
//   RESOURCE_EXHAUSTED   the disk is full, even without the ballast
//   UNAVAILABLE          any other failure of the disk
absl::StatusOr<std::unique_ptr<KvEngine>> OpenRocksdbEngine(const RocksdbOptions& options);

}  // namespace homeport
