#include "storage/model/entry_codec.h"

#include <xxhash.h>

#include "absl/strings/str_cat.h"

namespace homeport {

using internal::v1::Entry;
using internal::v1::EntryPart;

uint32_t Checksum(absl::string_view bytes) {
  return static_cast<uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

void AddPart(const EntryPart& part, Entry& entry) {
  std::string* bytes = entry.add_parts();
  part.SerializeToString(bytes);
  entry.add_part_checksums(Checksum(*bytes));
}

absl::StatusOr<Entry> ParseEntry(absl::string_view bytes) {
  Entry entry;
  if (!entry.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("entry does not parse");
  }
  const std::string name = absl::StrCat("entry ", absl::Hex(entry.origin()), "/", entry.sequence());
  if (entry.origin() == 0 || entry.sequence() == 0 || entry.timestamp() == 0) {
    return absl::DataLossError(absl::StrCat(name, " has no origin, sequence or timestamp"));
  }
  if (entry.part_checksums_size() != entry.parts_size() + entry.withheld_size()) {
    return absl::DataLossError(absl::StrCat(name, " has ", entry.part_checksums_size(),
                                            " checksums for ", entry.parts_size(), " parts"));
  }
  if (entry.has_chain() && entry.parts_size() > 0) {
    return absl::DataLossError(absl::StrCat(name, " is a chain entry with changes"));
  }
  // A part that was left out has a checksum that nothing here can match, so every part must match
  // one in order.
  int at = 0;
  for (const std::string& part : entry.parts()) {
    const uint32_t checksum = Checksum(part);
    while (at < entry.part_checksums_size() && entry.part_checksums(at) != checksum) ++at;
    if (at == entry.part_checksums_size()) {
      return absl::DataLossError(absl::StrCat(name, " has a damaged part"));
    }
    ++at;
  }
  return entry;
}

absl::StatusOr<EntryPart> ParsePart(const Entry& entry, int index) {
  EntryPart part;
  if (!part.ParseFromString(entry.parts(index))) {
    return absl::DataLossError(absl::StrCat("entry ", absl::Hex(entry.origin()), "/",
                                            entry.sequence(), ": part ", index, " does not parse"));
  }
  return part;
}

std::string MakeLogRecord(LogRecord::Kind kind, absl::string_view body) {
  std::string stored;
  stored.reserve(body.size() + 5);
  stored.push_back(static_cast<char>(kind));
  const uint32_t checksum = Checksum(body);
  for (int shift = 0; shift < 32; shift += 8)
    stored.push_back(static_cast<char>(checksum >> shift));
  stored.append(body.data(), body.size());
  return stored;
}

absl::StatusOr<LogRecord> ParseLogRecord(absl::string_view stored) {
  if (stored.size() < 5 || (stored[0] != 'E' && stored[0] != 'S')) {
    return absl::DataLossError("log record has no known kind");
  }
  uint32_t checksum = 0;
  for (int i = 0; i < 4; ++i) {
    checksum |= static_cast<uint32_t>(static_cast<unsigned char>(stored[1 + i])) << (8 * i);
  }
  LogRecord record{static_cast<LogRecord::Kind>(stored[0]), stored.substr(5)};
  if (Checksum(record.body) != checksum) return absl::DataLossError("log record is damaged");
  return record;
}

}  // namespace homeport
