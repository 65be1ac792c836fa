#include "storage/model/item_merge.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "common/base/mutants.h"

namespace homeport {
namespace {

using google::protobuf::RepeatedPtrField;
using internal::v1::CounterShare;
using internal::v1::ItemChange;
using internal::v1::Position;
using internal::v1::SetElement;
using internal::v1::StoredItem;
using Shares = RepeatedPtrField<CounterShare>;
using Positions = RepeatedPtrField<Position>;
using Elements = RepeatedPtrField<SetElement>;

struct ByOrigin {
  template <typename T>
  bool operator()(const T& a, const T& b) const {
    return a.origin() < b.origin();
  }
};
struct ByElement {
  bool operator()(const SetElement& a, const SetElement& b) const {
    return a.element() < b.element();
  }
};

bool Later(const Position& a, const Position& b) { return a.sequence() > b.sequence(); }
// An (origin, sequence) names one share; the rest only makes the order total.
bool Later(const CounterShare& a, const CounterShare& b) {
  return std::make_tuple(a.sequence(), a.began(), a.total()) >
         std::make_tuple(b.sequence(), b.began(), b.total());
}

// Takes all messages out of the list.
template <typename T>
std::vector<T*> Extract(RepeatedPtrField<T>* list) {
  std::vector<T*> all(list->size());
  list->ExtractSubrange(0, list->size(), all.data());
  return all;
}

// Merges two lists in ascending order; where both have a key, `both` makes one of the two. Moves
// pointers, not messages: a set may be long and what changes in it short.
template <typename T, typename Less, typename Both>
void MergeLists(RepeatedPtrField<T> b, RepeatedPtrField<T>* a, Less less, Both both) {
  if (b.empty()) return;
  if (a->empty()) {
    a->Swap(&b);
    return;
  }
  const std::vector<T*> mine = Extract(a);
  const std::vector<T*> theirs = Extract(&b);
  a->Reserve(static_cast<int>(mine.size() + theirs.size()));
  size_t i = 0;
  size_t j = 0;
  while (i < mine.size() || j < theirs.size()) {
    if (j == theirs.size() || (i < mine.size() && less(*mine[i], *theirs[j]))) {
      a->AddAllocated(mine[i++]);
    } else if (i == mine.size() || less(*theirs[j], *mine[i])) {
      a->AddAllocated(theirs[j++]);
    } else {
      const std::unique_ptr<T> other(theirs[j++]);
      both(std::move(*other), mine[i]);
      a->AddAllocated(mine[i++]);
    }
  }
}

template <typename T>
void MergeByOrigin(RepeatedPtrField<T> b, RepeatedPtrField<T>* a) {
  MergeLists(std::move(b), a, ByOrigin(), [](T theirs, T* mine) {
    if (Later(theirs, *mine)) *mine = std::move(theirs);
  });
}

// Ascending and none twice, whatever came from outside.
template <typename T>
void SortByOrigin(RepeatedPtrField<T>* list) {
  if (std::adjacent_find(list->begin(), list->end(), [](const T& a, const T& b) {
        return a.origin() >= b.origin();
      }) == list->end()) {
    return;
  }
  RepeatedPtrField<T> sorted;
  for (T& one : *list) {
    RepeatedPtrField<T> single;
    *single.Add() = std::move(one);
    MergeByOrigin(std::move(single), &sorted);
  }
  list->Swap(&sorted);
}

template <typename T>
const T* FindOrigin(const RepeatedPtrField<T>& sorted, uint64_t origin) {
  auto found = std::lower_bound(sorted.begin(), sorted.end(), origin,
                                [](const T& one, uint64_t o) { return one.origin() < o; });
  return found != sorted.end() && found->origin() == origin ? &*found : nullptr;
}

template <typename T, typename Predicate>
void EraseIf(RepeatedPtrField<T>* list, Predicate predicate) {
  list->erase(std::remove_if(list->begin(), list->end(), predicate), list->end());
}

// Of each origin what says more: the addition, or a removal as late.
void NormalizeElement(SetElement* element) {
  if (element->added().empty() || element->removed().empty()) return;
  if (HP_MUTANT(kSetRemoveWins)) return element->clear_added();
  if (HP_MUTANT(kSetRemoveWins)) element->clear_added();
  const auto beaten = [](const Position& one, const Positions& others, bool by_equal) {
    const Position* other = FindOrigin(others, one.origin());
    return other != nullptr && other->sequence() + (by_equal ? 1 : 0) > one.sequence();
  };
  const Positions added = element->added();
  EraseIf(element->mutable_added(),
          [&](const Position& one) { return beaten(one, element->removed(), true); });
  EraseIf(element->mutable_removed(),
          [&](const Position& one) { return beaten(one, added, false); });
}

void NormalizeShares(StoredItem* item) {
  if (item->shares().empty() || item->removed_shares().empty()) return;
  EraseIf(item->mutable_shares(), [&](const CounterShare& share) {
    const CounterShare* removed = FindOrigin(item->removed_shares(), share.origin());
    return removed != nullptr &&
           (share.sequence() <= removed->sequence() || HP_MUTANT(kCounterDeleteUnseen));
  });
  EraseIf(item->mutable_removed_shares(), [&](const CounterShare& removed) {
    const CounterShare* share = FindOrigin(item->shares(), removed.origin());
    return share != nullptr && share->began() > removed.sequence();
  });
}

// Makes the canonical form of an item that came from outside.
void Normalize(StoredItem* item) {
  SortByOrigin(item->mutable_shares());
  SortByOrigin(item->mutable_removed_shares());
  NormalizeShares(item);
  SortByOrigin(item->mutable_removed_by());
  for (SetElement& element : *item->mutable_elements()) {
    SortByOrigin(element.mutable_added());
    SortByOrigin(element.mutable_removed());
    NormalizeElement(&element);
  }
  EraseIf(item->mutable_elements(), [](const SetElement& element) {
    return element.added().empty() && element.removed().empty();
  });
  std::sort(item->mutable_elements()->begin(), item->mutable_elements()->end(), ByElement());
}

void MergeElement(SetElement theirs, SetElement* mine) {
  MergeByOrigin(std::move(*theirs.mutable_added()), mine->mutable_added());
  MergeByOrigin(std::move(*theirs.mutable_removed()), mine->mutable_removed());
  NormalizeElement(mine);
}

// Whether `a` is after `b` in the order in which values win.
bool Wins(const StoredItem& a, const StoredItem& b) {
  const Version va = StampOf(a).version;
  const Version vb = StampOf(b).version;
  if (va != vb) return Beats(va, vb);
  // A version names one write, so that what is below tells damaged states only.
  return std::make_tuple(a.sequence(), a.expires(), a.has_value(), absl::string_view(a.value())) >
         std::make_tuple(b.sequence(), b.expires(), b.has_value(), absl::string_view(b.value()));
}

// Also a tombstone of which nobody can tell any more what it was.
bool IsRegister(const StoredItem& item) {
  return item.shares().empty() && item.removed_shares().empty() && item.elements().empty() &&
         item.removed_by().empty();
}

void MergeParts(StoredItem other, StoredItem* item) {
  if (IsRegister(other)) return;
  if (HP_MUTANT(kCounterDeltaTwice) || HP_MUTANT(kMergeNotIdempotent)) {
    for (CounterShare& theirs : *other.mutable_shares()) {
      const CounterShare* mine = FindOrigin(item->shares(), theirs.origin());
      const bool again = mine != nullptr && mine->sequence() == theirs.sequence();
      if (mine == nullptr || (HP_MUTANT(kMergeNotIdempotent) && !again)) continue;
      theirs.set_total(theirs.total() + mine->total());
    }
  }
  if (HP_MUTANT(kCounterDeleteUnseen) && !other.removed_shares().empty()) item->clear_shares();
  MergeByOrigin(std::move(*other.mutable_shares()), item->mutable_shares());
  MergeByOrigin(std::move(*other.mutable_removed_shares()), item->mutable_removed_shares());
  NormalizeShares(item);
  MergeByOrigin(std::move(*other.mutable_removed_by()), item->mutable_removed_by());
  MergeLists(std::move(*other.mutable_elements()), item->mutable_elements(), ByElement(),
             [](SetElement theirs, SetElement* mine) { MergeElement(std::move(theirs), mine); });
}

// What a merge that is not idempotent would do.
[[maybe_unused]] void Double(StoredItem* item) {
  for (CounterShare& share : *item->mutable_shares()) share.set_total(2 * share.total());
  if (item->has_value()) item->mutable_value()->append("!");
  if (item->elements_size() > 1) item->mutable_elements()->RemoveLast();
}

void TakeValue(const StoredItem& from, StoredItem* item) {
  item->set_timestamp(from.timestamp());
  item->set_origin(from.origin());
  item->set_sequence(from.sequence());
  item->set_expires(from.expires());
  if (from.has_value()) {
    item->set_value(from.value());
  } else {
    item->clear_value();
  }
}

Position MakePosition(uint64_t origin, uint64_t sequence, const Stamp& stamp) {
  Position position;
  position.set_origin(origin == 0 ? stamp.version.origin.value() : origin);
  position.set_sequence(sequence == 0 ? stamp.sequence.value() : sequence);
  return position;
}

}  // namespace

bool Beats(const Version& a, const Version& b) {
  if (HP_MUTANT(kNoTieBreak) && a.time == b.time) return true;
  return a > b;
}

Stamp StampOf(const StoredItem& item) {
  return {{HybridTime(item.timestamp()), Origin(item.origin())}, Sequence(item.sequence())};
}

bool MergeInto(const StoredItem& other, StoredItem* item) {
  if (HP_MUTANT(kMergeNotIdempotent) && StampOf(other) == StampOf(*item)) Double(item);
  // The common case, without taking anything apart.
  if (IsRegister(other) && IsRegister(*item)) {
    if (!Wins(other, *item)) return false;
    *item = other;
    return true;
  }
  if (Wins(other, *item)) {
    TakeValue(other, item);
    MergeParts(other, item);
    return true;
  }
  const std::string before = item->SerializeAsString();
  MergeParts(other, item);
  return item->SerializeAsString() != before;
}

StoredItem Merge(const StoredItem& a, const StoredItem& b) {
  StoredItem merged = a;
  MergeInto(b, &merged);
  return merged;
}

StoredItem ItemOf(const ItemChange& change, const Stamp& stamp) {
  StoredItem item;
  item.set_timestamp(stamp.version.time.value());
  item.set_origin(stamp.version.origin.value());
  item.set_sequence(stamp.sequence.value());
  item.set_expires(change.expires());
  if (change.has_value()) item.set_value(change.value());
  bool removes = !change.removed_shares().empty();
  if (change.has_share()) {
    CounterShare* share = item.add_shares();
    *share = change.share();
    if (share->origin() == 0) share->set_origin(stamp.version.origin.value());
    if (share->sequence() == 0) share->set_sequence(stamp.sequence.value());
    if (share->began() == 0) share->set_began(stamp.sequence.value());
  }
  *item.mutable_removed_shares() = change.removed_shares();
  item.mutable_elements()->Reserve(change.elements_size());
  for (const SetElement& changed : change.elements()) {
    SetElement* element = item.add_elements();
    element->set_element(changed.element());
    for (const Position& added : changed.added()) {
      *element->add_added() = MakePosition(added.origin(), added.sequence(), stamp);
    }
    *element->mutable_removed() = changed.removed();
    removes = removes || !changed.removed().empty();
  }
  if (removes) *item.add_removed_by() = MakePosition(0, 0, stamp);
  if (!IsRegister(item)) Normalize(&item);
  return item;
}

bool ApplyChange(StoredItem* item, const ItemChange& change, const Stamp& stamp) {
  const bool parts =
      change.has_share() || !change.removed_shares().empty() || !change.elements().empty();
  // What is beaten is not even copied.
  if (!parts && !Beats(stamp.version, StampOf(*item).version)) return false;
  return MergeInto(ItemOf(change, stamp), item);
}

__int128 ShareValue(const CounterShare& share, const CounterShare* removed) {
  if (removed == nullptr || share.began() > removed->sequence()) return share.total();
  if (share.sequence() <= removed->sequence()) return 0;
  return static_cast<__int128>(share.total()) - removed->total();
}

int64_t CounterValue(const StoredItem& item) {
  // Summed whole before it is cut to size, so that the order does not matter.
  __int128 sum = 0;
  for (const CounterShare& share : item.shares()) {
    sum += ShareValue(share, FindOrigin(item.removed_shares(), share.origin()));
  }
  constexpr __int128 kMin = std::numeric_limits<int64_t>::min();
  constexpr __int128 kMax = std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(std::clamp(sum, kMin, kMax));
}

std::vector<absl::string_view> SetElements(const StoredItem& item) {
  std::vector<absl::string_view> elements;
  for (const SetElement& element : item.elements()) {
    if (!element.added().empty()) elements.push_back(element.element());
  }
  return elements;
}

bool IsTombstone(const StoredItem& item) {
  return !item.has_value() && item.shares().empty() &&
         std::all_of(item.elements().begin(), item.elements().end(),
                     [](const SetElement& element) { return element.added().empty(); });
}

bool IsPresent(const StoredItem& item, HybridTime now) {
  return (item.expires() == 0 || now.value() < item.expires()) && !IsTombstone(item);
}

void ForEachPosition(const StoredItem& item, absl::FunctionRef<void(Origin, Sequence)> see) {
  see(Origin(item.origin()), Sequence(item.sequence()));
  // What was removed is left out: the entries that removed it depend on it.
  for (const CounterShare& share : item.shares()) {
    see(Origin(share.origin()), Sequence(share.sequence()));
  }
  for (const SetElement& element : item.elements()) {
    for (const Position& added : element.added()) {
      see(Origin(added.origin()), Sequence(added.sequence()));
    }
  }
  for (const Position& removed : item.removed_by()) {
    see(Origin(removed.origin()), Sequence(removed.sequence()));
  }
}

std::optional<HybridTime> CleanupTime(const StoredItem& item) {
  if (item.expires() != 0 && item.has_value()) return HybridTime(item.expires());
  // Whatever was removed, some entry did.
  if (!item.removed_by().empty() || IsTombstone(item)) return HybridTime(item.timestamp());
  return std::nullopt;
}

bool Prune(StoredItem* item) {
  if (item->removed_by().empty()) return false;
  item->clear_removed_by();
  // A removed share stays while a later share of the same sum needs it for its value.
  EraseIf(item->mutable_removed_shares(), [item](const CounterShare& removed) {
    return FindOrigin(item->shares(), removed.origin()) == nullptr;
  });
  for (SetElement& element : *item->mutable_elements()) element.clear_removed();
  EraseIf(item->mutable_elements(),
          [](const SetElement& element) { return element.added().empty(); });
  return true;
}

std::optional<StoredItem> WithoutRemoved(const StoredItem& item, const StoredItem* other_or_null,
                                         absl::FunctionRef<bool(Origin, Sequence)> covered) {
  StoredItem kept = item;
  // True if the other has applied the entry and has neither what it added nor anything later.
  const auto gone = [covered](const auto& one, const auto* a, const auto* b) {
    return covered(Origin(one.origin()), Sequence(one.sequence())) &&
           (a == nullptr || a->sequence() < one.sequence()) &&
           (b == nullptr || b->sequence() < one.sequence());
  };
  static const StoredItem kNothing;
  const StoredItem& other = other_or_null == nullptr ? kNothing : *other_or_null;
  EraseIf(kept.mutable_shares(), [&](const CounterShare& share) {
    return gone(share, FindOrigin(other.shares(), share.origin()),
                FindOrigin(other.removed_shares(), share.origin()));
  });
  auto at = other.elements().begin();
  for (SetElement& element : *kept.mutable_elements()) {
    while (at != other.elements().end() && at->element() < element.element()) ++at;
    const bool found = at != other.elements().end() && at->element() == element.element();
    EraseIf(element.mutable_added(), [&](const Position& added) {
      return gone(added, found ? FindOrigin(at->added(), added.origin()) : nullptr,
                  found ? FindOrigin(at->removed(), added.origin()) : nullptr);
    });
  }
  EraseIf(kept.mutable_elements(), [](const SetElement& element) {
    return element.added().empty() && element.removed().empty();
  });
  if (other_or_null != nullptr) return kept;
  const Stamp stamp = StampOf(kept);
  const bool version_gone = covered(stamp.version.origin, stamp.sequence);
  if (version_gone) kept.clear_value();
  if (version_gone && IsRegister(kept)) return std::nullopt;
  return kept;
}

std::optional<StoredItem> MergeSnapshot(const StoredItem& mine, const StoredItem* theirs,
                                        absl::FunctionRef<bool(Origin, Sequence)> covered) {
  std::optional<StoredItem> kept = WithoutRemoved(mine, theirs, covered);
  if (theirs != nullptr) MergeInto(*theirs, &*kept);
  return kept;
}

}  // namespace homeport
