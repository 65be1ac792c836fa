// The limits of requests, and the check that a request keeps them.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "homeport/internal/v1/store.pb.h"
#include "homeport/internal/v1/topology.pb.h"

namespace homeport {

inline constexpr size_t kNamespaceBytesMax = 63;
inline constexpr size_t kIdBytesMax = 512;
inline constexpr size_t kKeyBytesMax = 1024;
inline constexpr size_t kValueBytesMax = 1024 * 1024;
// Of an element of a set.
inline constexpr size_t kElementBytesMax = 1024;
// Elements that one change of a set adds and removes.
inline constexpr size_t kSetChangeElementsMax = 1000;
// Of a set's elements together, checked where an addition is accepted. Regions that add at the same
// time can each fill it.
inline constexpr size_t kSetBytesMax = 1024 * 1024;
// How long a value can be asked to live.
inline constexpr absl::Duration kTtlMin = absl::Milliseconds(1);
inline constexpr absl::Duration kTtlMax = absl::Hours(3650 * 24);
// What a BOUNDED read can ask for.
inline constexpr absl::Duration kStalenessMin = absl::Milliseconds(1);
inline constexpr absl::Duration kStalenessMax = absl::Hours(24);
// Targets of a read, and the latency that one can name.
inline constexpr int kReadTargetsMax = 8;
inline constexpr absl::Duration kTargetLatencyMin = absl::Milliseconds(1);
inline constexpr absl::Duration kTargetLatencyMax = absl::Hours(1);
// Of a set as it is stored, with what was removed and not forgotten yet.
inline constexpr size_t kSetStoredBytesMax = 4 * 1024 * 1024;
inline constexpr size_t kMutationChangesMax = 1000;
// Keys, values and elements together.
inline constexpr size_t kMutationBytesMax = 4 * 1024 * 1024;
inline constexpr size_t kBatchNamesMax = 1000;
inline constexpr int kPageSizeMax = 1000;
// Of a list that does not say.
inline constexpr int kPageSizeDefault = 100;
inline constexpr size_t kRequestIdBytesMax = 64;
// More than any token that this software mints: a token has at most 1,024 positions of 16 bytes,
// and 16 more.
inline constexpr size_t kSessionTokenBytesMax = 1024 * 16 + 16;
// A page token holds at most a key or an id, and a little more.
inline constexpr size_t kPageTokenBytesMax = 4096;

// How the caller wrote a mutation; decides what fields are called in errors.
enum class MutationForm {
  kMutate,  // a MutateRequest: "changes[2].key"
  kPut,     // a PutRequest: "key", "value"
  kDelete,  // a DeleteRequest: "key"
};

// Checks everything of a request that can be checked without looking at the topology or at data.
// Pure; a small fraction of a microsecond for one item.
//
//   INVALID_ARGUMENT     LIMIT_EXCEEDED (field, limit, actual), FIELD_INVALID (field),
//                        TOKEN_INVALID or PAGE_TOKEN_INVALID when one is longer than any that
//                        was ever given out
//   FAILED_PRECONDITION  LEVEL_UNAVAILABLE (level): LATEST
absl::Status ValidateRequest(const internal::v1::StoreRequest& request,
                             MutationForm form = MutationForm::kMutate);

// Checks that the changes fit the type of the namespace's items; UNSPECIFIED is a register.
// INVALID_ARGUMENT, ITEM_TYPE_WRONG (field, type). Pure.
absl::Status ValidateItemTypes(const v1::MutateRequest& request, internal::v1::ItemType type,
                               MutationForm form = MutationForm::kMutate);
// "register", "counter" or "set".
absl::string_view ItemTypeName(internal::v1::ItemType type);

// The check of a namespace's name alone.
absl::Status ValidateNamespaceName(absl::string_view name);

}  // namespace homeport
