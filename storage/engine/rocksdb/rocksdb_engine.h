// The engine on a local disk, over RocksDB: one column family a table.
//
// Why it is set up as it is:
// - Damage in the middle of the write-ahead log refuses to open (kTolerateCorruptedTailRecords);
// only
//   an incomplete record at its very end, which a power cut leaves, is dropped. RocksDB's default
//   would silently drop everything after one flipped bit.
// - RocksDB's own resuming after an error is off, after a full disk too: after a failed sync nobody
//   knows which pages the kernel dropped, and after a failed append its log ends in a torn record,
//   so that only opening again, which reads what is there, may go on.
// - A full disk: a write that met it fails the engine as any failure does. Callers refuse writes
//   earlier, while DiskFreeBytes() is at least BallastBytes(). Opening needs room too: it writes
//   what is only in the write-ahead log to a sorted file, before it can free the log. So a ballast
//   file of that size is kept in the directory, given up by an opening that finds less free, and
//   made again by an opening or a DiskFreeBytes() that finds room for it twice.
// - RocksDB's warnings are lines of the process' log; it writes no LOG file.
// - Memory is bounded by RocksdbOptions, whatever the size of the data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/engine/kv_engine.h"
#include "storage/engine/rocksdb/scrub.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace homeport {

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
  size_t write_buffer_bytes = 32 << 20;
  int open_files_max = 512;
  // Begun once the store is open, and stopped before it is closed; of one opening. Null: none.
  std::shared_ptr<Scrub> scrub;
  // The operating system as RocksDB sees it; null: the real one. Not owned; outlives the engine.
  rocksdb::Env* env = nullptr;
};

// The most that opening a store of these options may need to write.
inline uint64_t BallastBytes(const RocksdbOptions& options) {
  constexpr uint64_t kManifestAndOptions = 4 << 20;
  return options.write_buffer_bytes + kManifestAndOptions;
}

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
