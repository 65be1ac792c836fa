#include "storage/replication/conflict_reader.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/keys.h"
#include "storage/replication/conflict_journal.h"
#include "storage/replication/page_token.h"

namespace homeport {
namespace {

using internal::v1::StoredConflict;

constexpr size_t kNumberDigits = 16;

void SetTime(HybridTime time, google::protobuf::Timestamp* out) {
  const int64_t micros = absl::ToUnixMicros(ToWallTime(time));
  out->set_seconds(micros / 1'000'000);
  out->set_nanos(static_cast<int32_t>(micros % 1'000'000 * 1000));
}

void SetVersion(uint64_t timestamp, uint64_t origin, v1::Version* version) {
  version->set_hybrid_time(timestamp);
  version->set_origin(origin);
}

absl::StatusOr<v1::Conflict> ToWire(const ReplicaName& here, ConflictNumber number,
                                    absl::string_view bytes) {
  StoredConflict stored;
  if (!stored.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("a conflict in the journal does not parse");
  }
  internal::v1::StoredItem& lost = *stored.mutable_lost();
  v1::Conflict conflict;
  conflict.set_id(ConflictId(here, number));
  conflict.set_namespace_(stored.namespace_());
  conflict.set_record_id(stored.record_id());
  conflict.set_key(stored.key());
  conflict.set_deleted(!lost.has_value());
  conflict.set_value(std::move(*lost.mutable_value()));
  SetVersion(lost.timestamp(), lost.origin(), conflict.mutable_version());
  SetTime(HybridTime(lost.timestamp()), conflict.mutable_written());
  if (lost.expires() != 0) SetTime(HybridTime(lost.expires()), conflict.mutable_expires());
  SetVersion(stored.winner_timestamp(), stored.winner_origin(), conflict.mutable_winner());
  SetTime(number, conflict.mutable_overtaken());
  conflict.set_by_snapshot(stored.by_snapshot());
  if (stored.restored_origin() != 0) {
    SetVersion(stored.restored_timestamp(), stored.restored_origin(), conflict.mutable_restored());
  }
  return conflict;
}

absl::StatusOr<HybridTime> TimeOf(const google::protobuf::Timestamp& time,
                                  absl::string_view field) {
  // As google.protobuf.Timestamp has it: the years 1 to 9999.
  if (time.seconds() < -62'135'596'800 || time.seconds() > 253'402'300'799 || time.nanos() < 0 ||
      time.nanos() > 999'999'999) {
    return FieldError(field, "is not a time");
  }
  return FromWallTime(absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos()));
}

// What is asked for, checked.
struct Wanted {
  ConflictNumber first;
  std::optional<ConflictNumber> end;
  int page_size = 0;
  uint64_t hash = 0;
};

absl::StatusOr<Wanted> Check(const ReplicaName& here, const v1::ListConflictsRequest& request,
                             const ReadLimits& limits) {
  if (auto status = CheckReplica(request.replica(), here); !status.ok()) return status;
  if (request.namespace_().empty() && !request.record_id().empty()) {
    return FieldError("namespace", "is missing: a record is in a namespace");
  }
  if (request.page_size() < 0) {
    return FieldError("page_size", absl::StrCat(request.page_size(), " is negative"));
  }
  Wanted wanted;
  wanted.page_size = request.page_size() == 0 ? limits.page_size_default
                                              : std::min(request.page_size(), kConflictPageMax);
  if (request.has_from()) {
    auto from = TimeOf(request.from(), "from");
    if (!from.ok()) return from.status();
    wanted.first = *from;
  }
  if (request.has_to()) {
    auto to = TimeOf(request.to(), "to");
    if (!to.ok()) return to.status();
    if (*to < wanted.first) return FieldError("to", "is before `from`");
    wanted.end = *to;
  }
  wanted.hash = PageRequestHash({"conflicts", here.value(), request.namespace_(),
                                 request.record_id(), absl::StrCat(wanted.first.value()),
                                 wanted.end ? absl::StrCat(wanted.end->value()) : "-"});
  if (!request.page_token().empty()) {
    auto position = ParsePageToken(request.page_token(), wanted.hash);
    if (!position.ok()) return position.status();
    auto number = ParseConflictNumber(*position);
    if (!number) return ParsePageToken("", wanted.hash).status();
    wanted.first = std::max(wanted.first, *number);
  }
  return wanted;
}

}  // namespace

std::string ConflictId(const ReplicaName& replica, ConflictNumber number) {
  return absl::StrCat(replica.value(), ":", absl::Hex(number.value(), absl::kZeroPad16));
}

absl::Status CheckReplica(absl::string_view replica, const ReplicaName& here) {
  if (replica.empty() || replica == here.value()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition, reason::kReplicaNotHere,
                   absl::StrCat("the journal of ", replica, " is not here: this is ", here.value(),
                                "; ask a gateway whose process has that replica"),
                   {{"replica", std::string(replica)}, {"here", here.value()}});
}

absl::StatusOr<ConflictNumber> ParseConflictId(absl::string_view id, const ReplicaName& here) {
  const size_t colon = id.rfind(':');
  const absl::string_view digits = colon == absl::string_view::npos ? "" : id.substr(colon + 1);
  uint64_t number = 0;
  if (colon == 0 || digits.size() != kNumberDigits ||
      digits.find_first_not_of("0123456789abcdef") != absl::string_view::npos ||
      !absl::SimpleHexAtoi(digits, &number)) {
    return FieldError("id", "is no conflict's id, like eu-west/a:0006439b2f1c0d00");
  }
  if (auto status = CheckReplica(id.substr(0, colon), here); !status.ok()) return status;
  return ConflictNumber(number);
}

absl::StatusOr<v1::ListConflictsResponse> ListConflicts(KvEngine* engine, const ReplicaName& here,
                                                        const v1::ListConflictsRequest& request,
                                                        const ReadLimits& limits) {
  auto wanted = Check(here, request, limits);
  if (!wanted.ok()) return wanted.status();
  v1::ListConflictsResponse response;
  response.set_replica(here.value());
  const bool by_record = !request.record_id().empty();
  const std::string record =
      by_record ? RecordPrefix(request.namespace_(), request.record_id()) : std::string();
  auto key_of = [&](ConflictNumber number) {
    return by_record ? ConflictIndexKey(record, number) : ConflictKey(number);
  };
  const std::string end = wanted->end ? key_of(*wanted->end)
                                      : PrefixEnd(by_record ? ConflictIndexPrefix(record)
                                                            : std::string(kConflictPrefix));
  int scans_left = limits.scanned_max;
  size_t bytes = 0;
  // The index and the conflicts must be of one state.
  const std::unique_ptr<KvSnapshot> snapshot = engine->Snapshot();
  std::unique_ptr<KvIterator> it = engine->Iterate(Table::kJournal, end, snapshot.get());
  for (it->Seek(key_of(wanted->first)); it->Valid(); it->Next()) {
    const auto number = ParseConflictNumber(it->key());
    if (!number) return absl::DataLossError("a key of the conflict journal does not parse");
    auto conflict = absl::StatusOr<v1::Conflict>(v1::Conflict());
    size_t size = it->value().size();
    if (by_record) {
      auto stored = engine->Get(Table::kJournal, ConflictKey(*number), snapshot.get());
      if (!stored.ok()) return stored.status();
      if (!stored->has_value()) {
        return absl::DataLossError(
            "the conflict journal's index names a conflict that is not there");
      }
      size = (*stored)->size();
      conflict = ToWire(here, *number, **stored);
    } else {
      conflict = ToWire(here, *number, it->value());
    }
    if (!conflict.ok()) return conflict.status();
    const bool full = response.conflicts_size() == wanted->page_size || scans_left-- == 0 ||
                      (response.conflicts_size() > 0 && bytes + size > limits.page_bytes);
    if (full) {
      response.set_next_page_token(MakePageToken(wanted->hash, ConflictKey(*number)));
      return response;
    }
    if (!request.namespace_().empty() && conflict->namespace_() != request.namespace_()) continue;
    bytes += size;
    *response.add_conflicts() = *std::move(conflict);
  }
  if (auto status = it->status(); !status.ok()) return status;
  return response;
}

absl::StatusOr<v1::Conflict> ReadConflict(KvEngine* engine, const ReplicaName& here,
                                          ConflictNumber number) {
  auto stored = engine->Get(Table::kJournal, ConflictKey(number));
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return ConflictUnknown(number);
  return ToWire(here, number, **stored);
}

}  // namespace homeport
