#include "storage/replication/log_reader.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/entry_codec.h"
#include "storage/model/keys.h"

namespace homeport {

absl::StatusOr<Sequence> StoredLogBegin(KvEngine* engine, Origin origin) {
  auto bytes = engine->Get(Table::kMeta, PositionKey(origin));
  if (!bytes.ok()) return bytes.status();
  internal::v1::StoredPosition stored;
  if (bytes->has_value() && !stored.ParseFromString(**bytes)) {
    return absl::DataLossError("a stored position does not parse");
  }
  return Sequence(std::max<uint64_t>(1, stored.log_begin()));
}

absl::Status LogReader::Lacks(Origin origin, Sequence sequence) const {
  const std::string name = absl::StrCat("entry ", sequence.value(), " of origin ",
                                        absl::Hex(origin.value(), absl::kZeroPad16));
  auto begin = StoredLogBegin(engine_, origin);
  if (!begin.ok()) return begin.status();
  if (sequence < *begin) {
    return absl::OutOfRangeError(
        absl::StrCat(name, " has left the log, which begins at ", begin->value()));
  }
  return absl::DataLossError(absl::StrCat("the log lacks ", name));
}

absl::StatusOr<LoggedRecord> LogReader::Read(Origin origin, Sequence sequence) {
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
  if (!it.Valid()) return it.status().ok() ? Lacks(origin, sequence) : it.status();
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
  if (!key || key->origin != origin || first > sequence.value()) return Lacks(origin, sequence);
  record.sequence = key->sequence;
  place.next = Sequence(key->sequence.value() + 1);
  it.Next();
  return record;
}

}  // namespace homeport
