// RocksDB's statuses as Homeport's errors.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "rocksdb/status.h"

namespace homeport {

// OK stays OK; a full disk is RESOURCE_EXHAUSTED with DISK_FULL, damage is DATA_LOSS and anything
// else UNAVAILABLE, both with STORAGE_FAILED. Message and metadata name `path`.
absl::Status FromRocksdb(const rocksdb::Status& status, const std::string& path);

}  // namespace homeport
