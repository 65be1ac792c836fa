#include "tests/sim/fault_engine.h"

#include <iterator>
#include <unordered_map>

namespace homeport::sim {

class FaultEngine::FailedIterator final : public KvIterator {
 public:
  void Seek(absl::string_view) override {}
  void Next() override {}
  bool Valid() const override { return false; }
  absl::string_view key() const override { return {}; }
  absl::string_view value() const override { return {}; }
  absl::Status status() const override { return ReadError(); }
};

bool FaultEngine::FailRead() {
  if (plan_->reads_left < 0 || plan_->reads_left-- > 0) return false;
  ++plan_->reads_failed;
  return true;
}

std::vector<Written> FaultEngine::ChangesOf(const WriteBatch& batch) {
  using Kind = WriteBatch::Operation::Kind;
  std::vector<Written> changes;
  // By key; tables share none.
  std::unordered_map<std::string, size_t> last_of;
  for (const WriteBatch::Operation& operation : batch.operations()) {
    const bool item = operation.table == Table::kItems;
    if (!item && operation.table != Table::kJournal) continue;
    if (operation.kind == Kind::kDeleteRange) continue;
    if (!watch_items_ && (!item || operation.kind != Kind::kDelete)) continue;
    Written change{operation.table, operation.key, {}, operation.value};
    auto [last, first] = last_of.try_emplace(operation.key, changes.size());
    if (!first && changes[last->second].table == operation.table) {
      change.before = changes[last->second].after;
    } else if (auto before = engine_->Get(operation.table, operation.key);
               before.ok() && before->has_value()) {
      change.before = **std::move(before);
    }
    last->second = changes.size();
    changes.push_back(std::move(change));
  }
  return changes;
}

absl::Status FaultEngine::Write(const WriteBatch& batch, Durability durability) {
  if (plan_->writes_left >= 0 && plan_->writes_left-- == 0) {
    ++plan_->writes_failed;
    disk_->FailNextWrite(absl::StatusCode::kUnavailable, plan_->fate);
  }
  std::vector<Written> changes = ChangesOf(batch);
  if (auto status = engine_->Write(batch, durability); !status.ok()) return status;
  written_.insert(written_.end(), std::make_move_iterator(changes.begin()),
                  std::make_move_iterator(changes.end()));
  return absl::OkStatus();
}

std::unique_ptr<KvIterator> FaultEngine::Iterate(Table table, absl::string_view end,
                                                 const KvSnapshot* snapshot) {
  if (FailRead()) return std::make_unique<FailedIterator>();
  return engine_->Iterate(table, end, snapshot);
}

}  // namespace homeport::sim
