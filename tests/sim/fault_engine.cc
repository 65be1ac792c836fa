#include "tests/sim/fault_engine.h"

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

absl::Status FaultEngine::Write(const WriteBatch& batch, Durability durability) {
  if (plan_->writes_left >= 0 && plan_->writes_left-- == 0) {
    ++plan_->writes_failed;
    disk_->FailNextWrite(absl::StatusCode::kUnavailable, plan_->fate);
  }
  return engine_->Write(batch, durability);
}

std::unique_ptr<KvIterator> FaultEngine::Iterate(Table table, absl::string_view end,
                                                 const KvSnapshot* snapshot) {
  if (FailRead()) return std::make_unique<FailedIterator>();
  return engine_->Iterate(table, end, snapshot);
}

}  // namespace homeport::sim
