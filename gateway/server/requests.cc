#include "gateway/server/requests.h"

#include <utility>

#include "common/base/check.h"

namespace homeport {
namespace {

template <typename Request>
v1::Change* MoveOneChange(Request* from, internal::v1::StoreRequest* request) {
  HP_CHECK(from->GetArena() == request->GetArena());
  v1::MutateRequest* mutate = request->mutable_mutate();
  mutate->set_namespace_(std::move(*from->mutable_namespace_()));
  mutate->set_id(std::move(*from->mutable_id()));
  if (from->has_options()) {
    mutate->unsafe_arena_set_allocated_options(from->unsafe_arena_release_options());
  }
  v1::Change* change = mutate->add_changes();
  change->set_key(std::move(*from->mutable_key()));
  return change;
}

template <typename Response>
void MoveAnswer(v1::MutateResponse* from, Response* to) {
  HP_CHECK(from->GetArena() == to->GetArena());
  to->set_session_token(std::move(*from->mutable_session_token()));
  to->set_acknowledged_by_regions(from->acknowledged_by_regions());
  if (from->has_version()) {
    to->unsafe_arena_set_allocated_version(from->unsafe_arena_release_version());
  }
  if (from->has_provenance()) {
    to->unsafe_arena_set_allocated_provenance(from->unsafe_arena_release_provenance());
  }
}

}  // namespace

void MoveToStoreRequest(v1::PutRequest* put, internal::v1::StoreRequest* request) {
  v1::Change* change = MoveOneChange(put, request);
  change->set_put(std::move(*put->mutable_value()));
  if (put->has_ttl()) change->unsafe_arena_set_allocated_ttl(put->unsafe_arena_release_ttl());
}

void MoveToStoreRequest(v1::DeleteRequest* erase, internal::v1::StoreRequest* request) {
  MoveOneChange(erase, request)->set_delete_(true);
}

void MoveToResponse(v1::MutateResponse* from, v1::PutResponse* to) { MoveAnswer(from, to); }
void MoveToResponse(v1::MutateResponse* from, v1::DeleteResponse* to) { MoveAnswer(from, to); }

}  // namespace homeport
