// How keys of Table::kJournal are made.
//
// A conflict stands under its number, which is the hybrid time at which it was found, made unique:
// so conflicts are in the order of time. An index has the same numbers by record.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "storage/model/hybrid_time.h"

namespace homeport {

using ConflictNumber = HybridTime;

// How much is in the journal.
inline constexpr absl::string_view kJournalStateKey = "s";
// A conflict.
inline constexpr absl::string_view kConflictPrefix = "t";
std::string ConflictKey(ConflictNumber number);
// The index: everything of a namespace or a record starts with the prefix, which is made from
// NamespacePrefix() or RecordPrefix().
std::string ConflictIndexPrefix(absl::string_view items_prefix);
std::string ConflictIndexKey(absl::string_view record_prefix, ConflictNumber number);
// Of a conflict's key or of the index; nullopt if `stored` is neither.
std::optional<ConflictNumber> ParseConflictNumber(absl::string_view stored);

}  // namespace homeport
