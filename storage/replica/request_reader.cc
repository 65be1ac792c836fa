#include "storage/replica/request_reader.h"

#include "common/topology/option_ranges.h"
#include "storage/replica/refusals.h"

namespace homeport {
namespace {

using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

template <typename Request>
RequestParts ReadParts(const Request& request) {
  const v1::ReadOptions& options = request.options();
  return {&request.namespace_(), &options.session_token(), options.consistency(),
          ToAbslDuration(options.max_staleness())};
}

// How old an answer of a read may be.
void DescribeAge(const ReadAge& read, v1::Provenance& provenance) {
  provenance.set_age_source(read.source);
  if (read.writer != nullptr) provenance.set_age_of(read.writer->value());
  if (!read.age) return;
  provenance.mutable_age()->set_seconds(absl::ToInt64Seconds(*read.age));
  provenance.mutable_age()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(*read.age % absl::Seconds(1))));
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
                          v1::CONSISTENCY_LEVEL_SESSION, absl::ZeroDuration()};
    case StoreRequest::OPERATION_NOT_SET:
      break;
  }
  return std::nullopt;
}

absl::Status RequestReader::Read(const Published& published, const NamespaceInfo& info,
                                 v1::ConsistencyLevel level, HybridTime now,
                                 const StoreRequest& request, SessionToken& token,
                                 StoreResponse* response) const {
  if (!published.view->HoldsWhole(info.name.value())) {
    return NotWholeError(self_, *published.view, info);
  }
  const ReadAge age = AgeOf(published, info, now);
  const auto finish = [&](auto& answer) {
    Finish(published, level, token, answer);
    DescribeAge(age, *answer.mutable_provenance());
  };
  switch (request.operation_case()) {
    case StoreRequest::kGet: {
      v1::GetResponse& answer = *response->mutable_get();
      absl::Status status = ReadItem(engine_, request.get(), now, token, answer);
      finish(answer);
      return status;
    }
    case StoreRequest::kBatchGet: {
      v1::BatchGetResponse& answer = *response->mutable_batch_get();
      absl::Status status = ReadItems(engine_, request.batch_get(), now, limits_, token, answer);
      finish(answer);
      return status;
    }
    case StoreRequest::kListItems: {
      v1::ListItemsResponse& answer = *response->mutable_list_items();
      absl::Status status = ListItems(engine_, request.list_items(), now, limits_, token, answer);
      finish(answer);
      return status;
    }
    default: {
      v1::ListRecordsResponse& answer = *response->mutable_list_records();
      absl::Status status =
          ListRecords(engine_, request.list_records(), now, limits_, token, answer);
      finish(answer);
      return status;
    }
  }
}

void RequestReader::Describe(const Published& published, v1::ConsistencyLevel level,
                             v1::Provenance& provenance) const {
  provenance.set_region(published.topology->regions()[published.region].name.value());
  provenance.set_replica(self_.value());
  provenance.set_level_met(level);
}

}  // namespace homeport
