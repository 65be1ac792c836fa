#include "storage/replication/log_reader.h"

#include "absl/strings/str_cat.h"
#include "storage/model/entry_codec.h"
#include "storage/model/keys.h"

namespace homeport {

absl::StatusOr<LoggedRecord> LogReader::Read(Origin origin, Sequence sequence) {
  const auto lacks = [origin, sequence] {
    return absl::DataLossError(absl::StrCat("the log lacks entry ", sequence.value(), " of origin ",
                                            absl::Hex(origin.value(), absl::kZeroPad16)));
  };
  if (places_.size() >= kPlacesMax && !places_.contains(origin)) places_.clear();
  Place& place = places_[origin];
  if (place.iterator == nullptr || place.next != sequence) {
    if (place.iterator == nullptr) {
      place.iterator =
          engine_->Iterate(Table::kLog, PrefixEnd(LogKey(origin, Sequence(~uint64_t{0}))));
    }
    // An entry stands at its own sequence, a skip at its last one: at or after `sequence`.
    place.iterator->Seek(LogKey(origin, sequence));
  }
  KvIterator& it = *place.iterator;
  if (!it.Valid()) return it.status().ok() ? lacks() : it.status();
  auto key = ParseLogKey(it.key());
  auto stored = ParseLogRecord(it.value());
  if (!stored.ok()) return stored.status();
  LoggedRecord record;
  uint64_t first = 0;
  if (stored->kind == LogRecord::Kind::kEntry) {
    auto entry = ParseEntry(stored->body);
    if (!entry.ok()) return entry.status();
    first = entry->sequence();
    record.entry = std::move(*entry);
  } else {
    record.skip.emplace();
    if (!record.skip->ParseFromArray(stored->body.data(), static_cast<int>(stored->body.size()))) {
      return absl::DataLossError("a stored skip does not parse");
    }
    first = record.skip->first();
  }
  if (!key || key->origin != origin || first > sequence.value()) return lacks();
  record.sequence = key->sequence;
  place.next = Sequence(key->sequence.value() + 1);
  it.Next();
  return record;
}

}  // namespace homeport
