// What one commit will write: a batch, and the view of the engine as if it were written already.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/engine/kv_engine.h"

namespace homeport {

// The parts of a replica's core share one, so that each sees what the others staged. Thread-
// compatible. The engine must outlive it.
class Staging {
 public:
  explicit Staging(KvEngine* engine) : engine_(engine) {}

  // The value as it will be after Write(); nullopt: none. Of Table::kLog what the engine has: the
  // log is written far more often than it is read back, and remembering its keys would cost. The
  // engine's errors.
  absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key) const;

  void Put(Table table, std::string key, std::string value);
  void Delete(Table table, std::string key);
  // Deletes [begin, end), staged keys included. Get() is slower by each range that is staged.
  void DeleteRange(Table table, std::string begin, std::string end);

  // Writes what is staged with one sync, and begins anew. The engine's errors; what is staged then
  // stays as it is.
  absl::Status Write();

  bool empty() const { return batch_.empty(); }
  // Bytes of keys and values staged.
  size_t bytes() const { return batch_.bytes(); }
  // For iterating, which does not see what is staged.
  KvEngine* engine() const { return engine_; }

 private:
  void Remember(Table table, const std::string& key);

  KvEngine* engine_;
  WriteBatch batch_;
  // The last operation on each key, an index into the batch's operations.
  absl::flat_hash_map<std::string, size_t> last_[kTableCount];
  // Operations of the batch that delete ranges outside the log.
  std::vector<size_t> ranges_;
};

}  // namespace homeport
