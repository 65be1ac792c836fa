#include "storage/replication/staging.h"

#include "common/base/mutants.h"

namespace homeport {

absl::StatusOr<std::optional<std::string>> Staging::Get(Table table, absl::string_view key) const {
  using Kind = WriteBatch::Operation::Kind;
  const auto& last = last_[static_cast<int>(table)];
  const auto found = last.find(key);
  // Later operations stand behind earlier ones: a range hides the keys that were staged before it.
  for (const size_t at : ranges_) {
    const WriteBatch::Operation& range = batch_.operations()[at];
    if (range.table == table && (found == last.end() || found->second < at) && key >= range.key &&
        key < range.value) {
      return std::optional<std::string>();
    }
  }
  if (found == last.end()) return engine_->Get(table, key);
  const WriteBatch::Operation& operation = batch_.operations()[found->second];
  if (operation.kind == Kind::kDelete) return std::optional<std::string>();
  return std::optional<std::string>(operation.value);
}

void Staging::Remember(Table table, const std::string& key) {
  if (table != Table::kLog) last_[static_cast<int>(table)][key] = batch_.operations().size();
}

void Staging::Put(Table table, std::string key, std::string value) {
  Remember(table, key);
  batch_.Put(table, std::move(key), std::move(value));
}

void Staging::Delete(Table table, std::string key) {
  Remember(table, key);
  batch_.Delete(table, std::move(key));
}

void Staging::DeleteRange(Table table, std::string begin, std::string end) {
  if (table != Table::kLog) ranges_.push_back(batch_.operations().size());
  batch_.DeleteRange(table, std::move(begin), std::move(end));
}

absl::Status Staging::Write() {
  const auto durability = HP_MUTANT(kAcknowledgeBeforeSync) ? KvEngine::Durability::kBuffered
                                                            : KvEngine::Durability::kSynced;
  if (HP_MUTANT(kPositionBeforeData)) {
    WriteBatch positions;
    for (const WriteBatch::Operation& operation : batch_.operations()) {
      if (operation.table == Table::kMeta && operation.kind == WriteBatch::Operation::Kind::kPut) {
        positions.Put(operation.table, operation.key, operation.value);
      }
    }
    if (auto status = engine_->Write(positions, durability); !status.ok()) return status;
  }
  if (auto status = engine_->Write(batch_, durability); !status.ok()) return status;
  batch_.Clear();
  for (auto& last : last_) last.clear();
  ranges_.clear();
  return absl::OkStatus();
}

}  // namespace homeport
