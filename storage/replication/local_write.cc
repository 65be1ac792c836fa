#include "storage/replication/local_write.h"

#include <xxhash.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/mutants.h"
#include "common/status/error.h"
#include "common/store/validate.h"
#include "storage/model/entry_codec.h"
#include "storage/model/item_merge.h"

namespace homeport {
namespace {

using internal::v1::CounterShare;
using internal::v1::ItemChange;
using internal::v1::Position;
using internal::v1::SetElement;
using internal::v1::StoredItem;

uint64_t Hash(absl::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string FieldOf(int index, absl::string_view field) {
  return absl::StrCat("changes[", index, "].", field);
}

absl::Status Overflow(int index) {
  const std::string field = FieldOf(index, "add");
  return MakeError(
      absl::StatusCode::kFailedPrecondition, reason::kCounterOverflow,
      absl::StrCat(field, ": the counter would leave the range of a signed 64-bit number"),
      {{"field", field}});
}

absl::Status SetTooLarge(int index, size_t limit, size_t actual, absl::string_view what) {
  const std::string field = FieldOf(index, "set.add");
  return MakeError(
      absl::StatusCode::kFailedPrecondition, reason::kSetTooLarge,
      absl::StrCat(field, ": the set would have ", actual, " ", what, ", over the limit of ",
                   limit),
      {{"field", field}, {"limit", absl::StrCat(limit)}, {"actual", absl::StrCat(actual)}});
}

// What the item looks like is part of the answer to a write that depends on it.
void See(const StoredItem& stored, SessionToken& seen) {
  if (HP_MUTANT(kOverwriteForgetsDependency)) return;
  ForEachPosition(stored,
                  [&seen](Origin origin, Sequence sequence) { seen.Advance(origin, sequence); });
}

void SeeRemovals(const StoredItem& stored, SessionToken& seen) {
  for (const Position& removed : stored.removed_by()) {
    seen.Advance(Origin(removed.origin()), Sequence(removed.sequence()));
  }
}

absl::Status FitAdd(int index, int64_t delta, const StoredItem* stored, Origin self,
                    SessionToken& seen, ItemChange* change) {
  static const StoredItem kNothing;
  const StoredItem& item = stored == nullptr ? kNothing : *stored;
  CounterShare* share = change->mutable_share();
  int64_t total = 0;
  for (const CounterShare& known : item.shares()) {
    if (Origin(known.origin()) != self) continue;
    total = known.total();
    share->set_began(known.began());
  }
  int64_t unused = 0;
  if (__builtin_add_overflow(total, delta, &total) ||
      __builtin_add_overflow(CounterValue(item), delta, &unused)) {
    return Overflow(index);
  }
  share->set_total(total);
  // A sum that begins anew says that the last one was seen removed.
  SeeRemovals(item, seen);
  return absl::OkStatus();
}

absl::Status FitSet(int index, const v1::SetChange& asked, const StoredItem* stored,
                    const WriteTerms& terms, SessionToken& seen, ItemChange* change) {
  static const StoredItem kNothing;
  const StoredItem& item = stored == nullptr ? kNothing : *stored;
  // Also for an element that is not there any more: who applies this must not show it again.
  if (!asked.remove().empty()) SeeRemovals(item, seen);
  for (const std::string& name : asked.add()) {
    SetElement* element = change->add_elements();
    element->set_element(name);
    element->add_added();
  }
  for (const std::string& name : asked.remove()) {
    const auto found = std::lower_bound(
        item.elements().begin(), item.elements().end(), name,
        [](const SetElement& one, const std::string& n) { return one.element() < n; });
    if (found == item.elements().end() || found->element() != name || found->added().empty()) {
      continue;
    }
    SetElement* element = change->add_elements();
    element->set_element(name);
    *element->mutable_removed() = found->added();
    for (const Position& added : found->added()) {
      seen.Advance(Origin(added.origin()), Sequence(added.sequence()));
    }
  }
  if (asked.add().empty()) return absl::OkStatus();
  StoredItem after = item;
  ApplyChange(&after, *change, {{terms.time, terms.origin}, Sequence(~uint64_t{0})});
  size_t bytes = 0;
  for (absl::string_view element : SetElements(after)) bytes += element.size();
  if (bytes > kSetBytesMax) {
    return SetTooLarge(index, kSetBytesMax, bytes, "bytes of elements");
  }
  if (after.ByteSizeLong() > kSetStoredBytesMax) {
    return SetTooLarge(index, kSetStoredBytesMax, after.ByteSizeLong(),
                       "bytes with what was removed lately");
  }
  return absl::OkStatus();
}

// Of a counter or a set: what is there now.
void FitDelete(const StoredItem& stored, SessionToken& seen, ItemChange* change) {
  See(stored, seen);
  *change->mutable_removed_shares() = stored.shares();
  for (const SetElement& element : stored.elements()) {
    if (element.added().empty()) continue;
    SetElement* removed = change->add_elements();
    removed->set_element(element.element());
    *removed->mutable_removed() = element.added();
  }
}

}  // namespace

LocalMutation::LocalMutation(const v1::MutateRequest* mutation) : mutation_(mutation) {
  part_.mutable_change_class()->set_namespace_(mutation->namespace_());
  part_.mutable_change_class()->set_kind(internal::v1::CLASS_KIND_GENERAL);
  part_.set_record_id(mutation->id());
  // Puts and deletes by themselves are in an entry as they were asked for.
  bool plain = true;
  for (const v1::Change& change : mutation->changes()) {
    ItemChange* item = part_.add_changes();
    item->set_key(change.key());
    if (change.has_put()) item->set_value(change.put());
    plain = plain && !change.has_ttl() && (change.has_put() || change.has_delete_());
  }
  if (plain) {
    bytes_ = part_.SerializeAsString();
    hash_ = Hash(bytes_);
    return;
  }
  v1::MutateRequest asked = *mutation;
  asked.clear_options();
  hash_ = Hash(asked.SerializeAsString());
  fitted_ = true;
}

absl::Status LocalMutation::Fit(int index, const StoredItem* stored, const WriteTerms& terms,
                                SessionToken& seen) {
  const v1::Change& asked = mutation_->changes(index);
  ItemChange* change = part_.mutable_changes(index);
  switch (asked.action_case()) {
    case v1::Change::kAdd:
      fitted_ = true;
      return FitAdd(index, asked.add(), stored, terms.origin, seen, change);
    case v1::Change::kSet:
      fitted_ = true;
      return FitSet(index, asked.set(), stored, terms, seen, change);
    case v1::Change::kPut: {
      if (stored != nullptr) See(*stored, seen);
      absl::Duration ttl = terms.ttl;
      if (asked.has_ttl()) {
        ttl = absl::Seconds(asked.ttl().seconds()) + absl::Nanoseconds(asked.ttl().nanos());
      }
      if (ttl == absl::ZeroDuration()) return absl::OkStatus();
      change->set_expires(FromWallTime(ToWallTime(terms.time) + ttl).value());
      fitted_ = true;
      return absl::OkStatus();
    }
    case v1::Change::kDelete:
    case v1::Change::ACTION_NOT_SET:
      break;
  }
  if (stored == nullptr) return absl::OkStatus();
  FitDelete(*stored, seen, change);
  fitted_ = fitted_ || !change->removed_shares().empty() || !change->elements().empty();
  return absl::OkStatus();
}

absl::Status LocalMutation::AddTo(internal::v1::Entry& entry) {
  if (fitted_) bytes_ = part_.SerializeAsString();
  if (bytes_.size() > kPartBytesMax) {
    return LimitError("changes", kPartBytesMax, bytes_.size(), "bytes in the change log");
  }
  const std::string& request_id = mutation_->options().request_id();
  if (!request_id.empty()) {
    entry.set_request_id(request_id);
    if (fitted_) entry.set_mutation_hash(hash_);
  }
  entry.add_part_checksums(Checksum(bytes_));
  *entry.add_parts() = std::move(bytes_);
  return absl::OkStatus();
}

uint64_t MutationHashOf(const internal::v1::Entry& entry, absl::string_view part) {
  return entry.mutation_hash() != 0 ? entry.mutation_hash() : Hash(part);
}

}  // namespace homeport
