// Whether a store's manifest is as long as it has been.
//
// RocksDB takes a manifest whose end is missing for one that was never longer: tables and files
// that the missing end names are then not part of the store, nobody says so, and what other tables
// say of them stays. So its length is kept beside it, in a file EXTENT, and a shorter one is
// damage. The file is behind the manifest by what was appended in the moment before a crash, never
// ahead of it.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/listener.h"

namespace homeport {

// DATA_LOSS: the manifest that counts in `path` is shorter or older than it has been, or EXTENT is
// damaged itself. Where the disk can not be read, as FromRocksdb (rocksdb_status.h). A store
// without EXTENT, as an earlier version leaves it, is whole.
absl::Status CheckManifestExtent(rocksdb::Env* env, const std::string& path);

// Keeps EXTENT up to date whenever the manifest has grown. Where that fails the old one stays.
class KeepsManifestExtent final : public rocksdb::EventListener {
 public:
  // Once the store is open, and has begun a manifest. Thread-safe.
  void Keep(rocksdb::DB* db);

  void OnFlushCompleted(rocksdb::DB* db, const rocksdb::FlushJobInfo& /*info*/) override {
    Keep(db);
  }
  void OnCompactionCompleted(rocksdb::DB* db, const rocksdb::CompactionJobInfo& /*info*/) override {
    Keep(db);
  }

 private:
  absl::Mutex mutex_;  // one writes the file at a time
};

}  // namespace homeport
