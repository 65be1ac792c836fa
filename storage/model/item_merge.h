// What a stored item is, and how two states of one become one. Pure.
//
// Every part of a StoredItem is a semilattice, so that merging is commutative, associative and
// idempotent whatever the order in which states and entries meet:
// - A register's value and expiry follow the greater version.
// - A counter has one share an origin, the one with the greatest sequence, and one removed share an
//   origin, chosen the same way. What a removed share stands for does not count: a share as old is
//   gone, from a later one of the same sum its total is taken, and one that began later has nothing
//   to do with it.
// - An element of a set has, by origin, the last addition or the last removed addition.
// (State-based counters and add-wins sets: Shapiro, Preguiça, Baquero, Zawirski, "A comprehensive
// study of Convergent and Commutative Replicated Data Types", INRIA RR-7506, 2011.)
//
// Canonical form, which everything here makes and keeps: shares and positions in ascending order of
// the origin, elements in ascending order of their bytes, none twice; a share that is removed is
// only in `removed_shares`, a removed share that no share of its sum can meet any more is in
// neither; an origin is in `added` or `removed` of an element, not in both; no element without
// either. So equal states are equal bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "homeport/internal/v1/entry.pb.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/hybrid_time.h"

namespace homeport {

// Whether a write of version `a` replaces what one of version `b` wrote.
bool Beats(const Version& a, const Version& b);

// When and by which entry the item was last written.
Stamp StampOf(const internal::v1::StoredItem& item);

// The merge of both. True in MergeInto() if `item` is another one now.
internal::v1::StoredItem Merge(const internal::v1::StoredItem& a,
                               const internal::v1::StoredItem& b);
bool MergeInto(const internal::v1::StoredItem& other, internal::v1::StoredItem* item);

// The item that a change by the entry `stamp` makes where there is none.
internal::v1::StoredItem ItemOf(const internal::v1::ItemChange& change, const Stamp& stamp);
// Merges ItemOf() into `item`. False if the item has the change already, or what beats it.
bool ApplyChange(internal::v1::StoredItem* item, const internal::v1::ItemChange& change,
                 const Stamp& stamp);

// What an origin's share adds to the counter. `removed` is the origin's removed share, null: none.
__int128 ShareValue(const internal::v1::CounterShare& share,
                    const internal::v1::CounterShare* removed);
// The counter's number. A sum that int64 does not hold is the nearest number that it does.
int64_t CounterValue(const internal::v1::StoredItem& item);
// The set's elements, ascending; into `item`.
std::vector<absl::string_view> SetElements(const internal::v1::StoredItem& item);

// True if there is nothing in the item but what was removed: no value, no share, no element.
bool IsTombstone(const internal::v1::StoredItem& item);
// True if readers see the item at `now`: no tombstone, and not expired.
bool IsPresent(const internal::v1::StoredItem& item, HybridTime now);

// Calls `see` with the entries on which what readers see of the item rests, those left out that
// others among them depend on. An origin may come more than once.
void ForEachPosition(const internal::v1::StoredItem& item,
                     absl::FunctionRef<void(Origin, Sequence)> see);

// When it is worth looking whether the item, or something in it, can go: its expiry; for a
// tombstone and for an item that Prune() would change its version's time. nullopt: never.
std::optional<HybridTime> CleanupTime(const internal::v1::StoredItem& item);
// Forgets what was removed, of an item that is not a tombstone. Readers see no difference. To be
// used once every member has applied all of ForEachPosition(): nobody then has what was removed.
// The pruned form is the same at all replicas that have applied the same entries, whatever they
// have pruned before. False if nothing was left to forget.
bool Prune(internal::v1::StoredItem* item);

// `item` without what another replica, which has `other` in its place (null: nothing), would have
// too if it had not removed it: what comes from entries that it has applied, as `covered` says, and
// is not there. nullopt: nothing is left.
std::optional<internal::v1::StoredItem> WithoutRemoved(
    const internal::v1::StoredItem& item, const internal::v1::StoredItem* other,
    absl::FunctionRef<bool(Origin, Sequence)> covered);
// `mine` after a peer's snapshot showed `theirs` in its place (null: nothing): without what the
// peer removed, and merged. nullopt: nothing is left.
std::optional<internal::v1::StoredItem> MergeSnapshot(
    const internal::v1::StoredItem& mine, const internal::v1::StoredItem* theirs,
    absl::FunctionRef<bool(Origin, Sequence)> covered);

}  // namespace homeport
