// Entries in the form in which they are stored and sent.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "homeport/internal/v1/entry.pb.h"
#include "homeport/internal/v1/replication.pb.h"

namespace homeport {

// XXH3-64, low 32 bits.
uint32_t Checksum(absl::string_view bytes);

// Adds a part and its checksum to `entry`.
void AddPart(const internal::v1::EntryPart& part, internal::v1::Entry& entry);

// Parses a serialized entry and checks its shape and the checksums of its parts: origin and
// sequence not 0, a checksum for each part, a chain entry without parts. DATA_LOSS, naming the
// origin and sequence as far as they are known, if anything is wrong.
absl::StatusOr<internal::v1::Entry> ParseEntry(absl::string_view bytes);
// The part's content; `index` < entry.parts_size(). DATA_LOSS if it does not parse.
absl::StatusOr<internal::v1::EntryPart> ParsePart(const internal::v1::Entry& entry, int index);

// What stands in the log at a sequence: an entry, or the note that some were left out. The stored
// form is one byte for the kind, the checksum of the rest (little endian), and the serialized
// message.
struct LogRecord {
  enum class Kind : uint8_t { kEntry = 'E', kSkip = 'S' };
  Kind kind;
  absl::string_view body;  // serialized Entry or Skip; into the stored bytes
};
std::string MakeLogRecord(LogRecord::Kind kind, absl::string_view body);
// DATA_LOSS if the record is damaged.
absl::StatusOr<LogRecord> ParseLogRecord(absl::string_view stored);

}  // namespace homeport
