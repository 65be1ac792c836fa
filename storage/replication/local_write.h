// A client's mutation as the change log has it.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "homeport/internal/v1/entry.pb.h"
#include "homeport/v1/key_value.pb.h"

namespace homeport {

// The mutation's part of an entry: the general class of its namespace. The mutation is validated.
internal::v1::EntryPart PartOf(const v1::MutateRequest& mutation);

// Tells two mutations under one request id apart; over a serialized part.
uint64_t MutationHash(absl::string_view part_bytes);

}  // namespace homeport
