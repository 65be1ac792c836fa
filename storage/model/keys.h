// How keys of the engine's tables are made. All order as their parts do, by bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "storage/model/hybrid_time.h"

namespace homeport {

// Table::kItems. A namespace is [a-z0-9-], ends with a zero byte; a record id's zero bytes are
// written 00 FF and the id ends with 00 01; the item's key stands as it is.
std::string NamespacePrefix(absl::string_view name_space);
std::string RecordPrefix(absl::string_view name_space, absl::string_view record_id);
std::string ItemKey(absl::string_view name_space, absl::string_view record_id,
                    absl::string_view key);
// The first key after all that start with `prefix`; empty if there is none.
std::string PrefixEnd(absl::string_view prefix);

struct ItemKeyParts {
  absl::string_view name_space;  // into the given key
  std::string record_id;
  absl::string_view key;            // into the given key
  absl::string_view record_prefix;  // into the given key
};
// nullopt if `stored` is not an item's key.
std::optional<ItemKeyParts> ParseItemKey(absl::string_view stored);

// Table::kLog: origin and sequence, big endian.
std::string LogKey(Origin origin, Sequence sequence);
struct LogKeyParts {
  Origin origin;
  Sequence sequence;
};
std::optional<LogKeyParts> ParseLogKey(absl::string_view stored);

// Table::kMeta.
inline constexpr absl::string_view kIdentityKey = "identity";
std::string PositionKey(Origin origin);
inline constexpr absl::string_view kPositionPrefix = "position/";
// nullopt if `stored` is not a position's key.
std::optional<Origin> ParsePositionKey(absl::string_view stored);

// Table::kExpiry: a time, big endian, and the stored key of an item that may then be looked at.
std::string ExpiryKey(HybridTime time, absl::string_view item_key);
struct ExpiryKeyParts {
  HybridTime time;
  absl::string_view item_key;  // into the given key
};
// nullopt if `stored` is not a key of this table.
std::optional<ExpiryKeyParts> ParseExpiryKey(absl::string_view stored);

// Table::kRequests: by id, and by time for forgetting.
std::string RequestKey(absl::string_view name_space, absl::string_view request_id);
std::string RequestTimeKey(HybridTime time, absl::string_view request_key);
inline constexpr absl::string_view kRequestTimePrefix = "t";
struct RequestTimeKeyParts {
  HybridTime time;
  absl::string_view request_key;  // into the given key
};
std::optional<RequestTimeKeyParts> ParseRequestTimeKey(absl::string_view stored);

}  // namespace homeport
