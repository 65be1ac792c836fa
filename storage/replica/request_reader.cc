#include "storage/replica/request_reader.h"

#include <algorithm>

#include "storage/replica/refusals.h"

namespace homeport {
namespace {

using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

template <typename Request>
RequestParts ReadParts(const Request& request) {
  return {&request.namespace_(), &request.options().session_token(),
          request.options().consistency()};
}

}  // namespace

std::optional<RequestParts> PartsOf(const StoreRequest& request) {
  switch (request.operation_case()) {
    case StoreRequest::kGet:
      return ReadParts(request.get());
    case StoreRequest::kBatchGet:
      return ReadParts(request.batch_get());
    case StoreRequest::kListItems:
      return ReadParts(request.list_items());
    case StoreRequest::kListRecords:
      return ReadParts(request.list_records());
    case StoreRequest::kMutate:
      return RequestParts{&request.mutate().namespace_(),
                          &request.mutate().options().session_token(),
                          v1::CONSISTENCY_LEVEL_SESSION};
    case StoreRequest::OPERATION_NOT_SET:
      break;
  }
  return std::nullopt;
}

absl::Status RequestReader::Read(const Published& published, const NamespaceInfo& info,
                                 v1::ConsistencyLevel level, const StoreRequest& request,
                                 SessionToken& token, StoreResponse* response) const {
  if (!published.view->HoldsWhole(info.name.value())) {
    return NotWholeError(self_, *published.view, info);
  }
  const HybridTime now = published.view->TimeAt(clock_->SteadyNow());
  switch (request.operation_case()) {
    case StoreRequest::kGet: {
      v1::GetResponse& answer = *response->mutable_get();
      absl::Status status = ReadItem(engine_, request.get(), now, token, answer);
      Finish(published, &info, level, token, answer);
      return status;
    }
    case StoreRequest::kBatchGet: {
      v1::BatchGetResponse& answer = *response->mutable_batch_get();
      absl::Status status = ReadItems(engine_, request.batch_get(), now, limits_, token, answer);
      Finish(published, &info, level, token, answer);
      return status;
    }
    case StoreRequest::kListItems: {
      v1::ListItemsResponse& answer = *response->mutable_list_items();
      absl::Status status = ListItems(engine_, request.list_items(), now, limits_, token, answer);
      Finish(published, &info, level, token, answer);
      return status;
    }
    default: {
      v1::ListRecordsResponse& answer = *response->mutable_list_records();
      absl::Status status =
          ListRecords(engine_, request.list_records(), now, limits_, token, answer);
      Finish(published, &info, level, token, answer);
      return status;
    }
  }
}

void RequestReader::Describe(const Published& published, const NamespaceInfo* info,
                             v1::ConsistencyLevel level, v1::Provenance& provenance) const {
  provenance.set_region(published.topology->regions()[published.region].name.value());
  provenance.set_replica(self_.value());
  provenance.set_level_met(level);
  if (info == nullptr) return;
  const size_t index = static_cast<size_t>(info - published.topology->namespaces().data());
  if (!published.oldest[index]) return;
  const absl::Duration age =
      std::max(absl::ZeroDuration(), clock_->WallNow() - ToWallTime(*published.oldest[index]));
  provenance.mutable_age()->set_seconds(absl::ToInt64Seconds(age));
  provenance.mutable_age()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(age % absl::Seconds(1))));
}

}  // namespace homeport
