// The fields of an ordinary entry, read from its serialized form and written back to the byte,
// without a message in between: a link does this for every entry that it carries.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace homeport {

// An entry with one part and nothing left out of it; its strings are pieces of what they were read
// from. The checksum of the part is not here, as it follows from the part.
struct EntryFields {
  struct Dependency {
    uint64_t origin = 0;
    uint64_t sequence = 0;
  };

  uint64_t origin = 0;
  uint64_t sequence = 0;
  uint64_t timestamp = 0;
  std::vector<Dependency> dependencies;
  absl::string_view request_id;
  uint64_t mutation_hash = 0;
  // Serialized.
  absl::string_view change_class;
  absl::string_view record_id;
  // True: the part sets one key to a value. False: `changes` are the part's changes, serialized.
  bool plain = false;
  absl::string_view key;
  absl::string_view value;
  absl::string_view changes;
};

// False if `bytes` is not to the byte what SerializeFields() makes of the fields: a chain entry,
// several parts, a part left out or damaged, fields that are not known here or in another order.
bool ParseFields(absl::string_view bytes, EntryFields& fields);

// As protobuf does it: fields in the order of their numbers, none that is empty.
std::string SerializeFields(const EntryFields& fields);

}  // namespace homeport
