#include "storage/replication/request_ids.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "common/base/mutants.h"

namespace homeport {
namespace {

constexpr absl::Duration kForgetInterval = absl::Seconds(1);

}  // namespace

using internal::v1::StoredRequest;

StoredRequest MakeRequest(const Stamp& stamp, uint64_t mutation_hash) {
  StoredRequest request;
  request.set_origin(stamp.version.origin.value());
  request.set_sequence(stamp.sequence.value());
  request.set_timestamp(stamp.version.time.value());
  request.set_mutation_hash(mutation_hash);
  return request;
}

absl::StatusOr<std::optional<StoredRequest>> RequestIds::Find(absl::string_view request_key) const {
  auto bytes = staging_->Get(Table::kRequests, request_key);
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return std::optional<StoredRequest>();
  StoredRequest request;
  if (!request.ParseFromString(**bytes)) {
    return absl::DataLossError("stored request id does not parse");
  }
  return std::optional<StoredRequest>(std::move(request));
}

void RequestIds::Stage(const std::string& request_key, const StoredRequest& request) {
  if (HP_MUTANT(kRetryNotRemembered)) return;
  staging_->Put(Table::kRequests, request_key, request.SerializeAsString());
  std::string time_key =
      RequestTimeKey(std::max(now_, HybridTime(request.timestamp())), request_key);
  if (staged_first_.empty() || time_key < staged_first_) staged_first_ = time_key;
  staging_->Put(Table::kRequests, std::move(time_key), std::string());
}

absl::Status RequestIds::Forget(HybridTime before, SteadyTime now) {
  if (now < forget_next_) return absl::OkStatus();
  forget_next_ = now + kForgetInterval;
  int left = forget_max_;
  std::string staged_first = std::exchange(staged_first_, std::string());
  // An entry that came late can bring an id from before what was forgotten already.
  if (!staged_first.empty()) forget_from_ = std::min(forget_from_, staged_first);
  std::unique_ptr<KvIterator> it =
      staging_->engine()->Iterate(Table::kRequests, RequestTimeKey(before, absl::string_view()));
  // Not from the front: what was forgotten before is there as tombstones until the engine compacts.
  for (it->Seek(forget_from_); it->Valid() && left > 0; it->Next(), --left) {
    auto parts = ParseRequestTimeKey(it->key());
    if (!parts) return absl::DataLossError("stored request time does not parse");
    staging_->Delete(Table::kRequests, std::string(parts->request_key));
    forget_from_ = std::string(it->key());
    staging_->Delete(Table::kRequests, forget_from_);
  }
  if (!staged_first.empty()) forget_from_ = std::min(forget_from_, staged_first);
  if (left == 0) forget_next_ = now;
  return it->status();
}

}  // namespace homeport
