// The storage engine: an ordered key-value store with atomic batches.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace homeport {

// Separate key spaces of one engine; a batch may span them.
enum class Table : uint8_t {
  kMeta = 0,      // identity, positions
  kItems = 1,     // the records
  kLog = 2,       // the change log
  kRequests = 3,  // request ids
  kExpiry = 4,    // what may go from the items some day, in the order of time
  kDigests = 5,   // sums over the items, for comparing replicas
  kJournal = 6,   // register writes that were overtaken
};
inline constexpr int kTableCount = 7;

// Changes that are made all or none, in the order in which they were added. Thread-compatible.
class WriteBatch {
 public:
  struct Operation {
    enum class Kind : uint8_t { kPut, kDelete, kDeleteRange };
    Kind kind;
    Table table;
    std::string key;
    std::string value;  // kPut: the value; kDeleteRange: the end, exclusive
  };

  void Put(Table table, std::string key, std::string value) {
    bytes_ += key.size() + value.size();
    operations_.push_back({Operation::Kind::kPut, table, std::move(key), std::move(value)});
  }
  void Delete(Table table, std::string key) {
    bytes_ += key.size();
    operations_.push_back({Operation::Kind::kDelete, table, std::move(key), {}});
  }
  // Deletes [begin, end); nothing when `end` is not after `begin`.
  void DeleteRange(Table table, std::string begin, std::string end) {
    bytes_ += begin.size() + end.size();
    operations_.push_back({Operation::Kind::kDeleteRange, table, std::move(begin), std::move(end)});
  }
  void Clear() {
    operations_.clear();
    bytes_ = 0;
  }
  bool empty() const { return operations_.empty(); }
  // Bytes of keys and values.
  size_t bytes() const { return bytes_; }
  const std::vector<Operation>& operations() const { return operations_; }

 private:
  std::vector<Operation> operations_;
  size_t bytes_ = 0;
};

// A state of the engine that later writes do not change. May be read by several threads. Must be
// destroyed before its engine; keeps disk space from being freed while it lives.
class KvSnapshot {
 public:
  virtual ~KvSnapshot() = default;
};

// Walks a table in ascending byte order. Not thread-safe. Sees the engine as it was at creation.
// After an error Valid() is false and status() says why; at the end status() is OK.
class KvIterator {
 public:
  virtual ~KvIterator() = default;
  // Moves to the first key at or after `key`.
  virtual void Seek(absl::string_view key) = 0;
  virtual void Next() = 0;
  virtual bool Valid() const = 0;
  // Valid until the next move.
  virtual absl::string_view key() const = 0;
  virtual absl::string_view value() const = 0;
  virtual absl::Status status() const = 0;
};

// Thread-safe, except that Write() is called by one thread at a time. Keys are any bytes.
//
// Errors: RESOURCE_EXHAUSTED when the disk is full; DATA_LOSS when stored bytes are damaged;
// UNAVAILABLE for every other failure of the disk. After a failed Write() the engine is failed:
// what the batch left on disk is unknown, every later Write() returns the same error, reads go on,
// and only opening it again recovers. A failed sync is never retried.
class KvEngine {
 public:
  enum class Durability {
    kSynced,    // on disk when Write() returns; survives a power cut
    kBuffered,  // survives the process at most
  };

  virtual ~KvEngine() = default;

  // nullopt: no such key.
  virtual absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key,
                                                         const KvSnapshot* snapshot = nullptr) = 0;
  // As many results as keys, in their order; all of one state of the engine.
  virtual absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(
      Table table, absl::Span<const std::string> keys, const KvSnapshot* snapshot = nullptr) = 0;
  // Applies the batch atomically. It becomes visible to reads only once it is as durable as asked.
  virtual absl::Status Write(const WriteBatch& batch, Durability durability) = 0;
  virtual std::unique_ptr<KvSnapshot> Snapshot() = 0;
  // Iterates keys below `end` (empty: to the last key).
  virtual std::unique_ptr<KvIterator> Iterate(Table table, absl::string_view end = {},
                                              const KvSnapshot* snapshot = nullptr) = 0;
  // Writes a copy of the present state to a directory that must not exist; opens as an engine.
  virtual absl::Status Checkpoint(const std::string& directory) = 0;
  // Bytes on disk, estimated.
  virtual uint64_t DiskBytes() const = 0;
  // Bytes that the disk has free; nullopt when that is not known.
  virtual std::optional<uint64_t> DiskFreeBytes() const = 0;
};

}  // namespace homeport
