// Putting the public requests into the form that replicas understand, without copying values.
#pragma once

#include "homeport/internal/v1/store.pb.h"

namespace homeport {

// Moves the content of `put` into a mutation of one change. `put` is left empty or with parts of
// its content. Both may be on an arena, but it must be the same one.
void MoveToStoreRequest(v1::PutRequest* put, internal::v1::StoreRequest* request);
// The same for a delete.
void MoveToStoreRequest(v1::DeleteRequest* erase, internal::v1::StoreRequest* request);

// Moves the answer to a mutation into that of the put or delete that it was.
void MoveToResponse(v1::MutateResponse* from, v1::PutResponse* to);
void MoveToResponse(v1::MutateResponse* from, v1::DeleteResponse* to);

}  // namespace homeport
