// The directory of a store: that it can be one, and the ballast in it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace homeport {

// Makes `path` a directory that can be written, if `create` with its parents, each synced into its
// own parent so that a power cut cannot take the store away with its directory.
// FAILED_PRECONDITION: not a directory, or may not be written. NOT_FOUND: absent and not `create`.
// RESOURCE_EXHAUSTED or UNAVAILABLE: it could not be made.
absl::Status PrepareDataDirectory(const std::string& path, bool create);

// DATA_LOSS: files of a store are in `path`, and not the one that says which of them count
// (CURRENT). RocksDB would begin an empty store among them.
absl::Status CheckStoreIsWhole(const std::string& path);

// Gives up the ballast if the disk has less than `bytes` free.
void ReleaseBallastIfFull(const std::string& path, uint64_t bytes);
// Makes a ballast of `bytes` if there is none and the disk has room for it twice; else does
// nothing.
void RestoreBallast(const std::string& path, uint64_t bytes);

}  // namespace homeport
