// What one side of a comparison holds still: a snapshot of its engine, and what is left out of it.
//
// Positions, items, log and digests are written in one batch, so a snapshot is a consistent cut of
// all of them without asking the thread that writes.
//
//   cut.Open(); cut.Meet(theirs);                       // both cuts are known
//   while (!*cut.FindTouched(budget)) {}                // own entries beyond the lesser of them
//   cut.LeaveOut(their_touched);
//   while (!*cut.SumUp(budget)) {}                      // digests of what must be equal
//   ... cut.Walk() through ranges whose sums differ
//
// Work is done in pieces that the caller bounds, as links do it between their messages.
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "homeport/internal/v1/entry.pb.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/replication/digest_sums.h"

namespace homeport {

// Items that one side may name as touched, and bytes of their keys; a comparison that would need
// more is put off.
inline constexpr size_t kTouchedMax = 100'000;
inline constexpr size_t kTouchedBytesMax = 3 * 1024 * 1024;
// Entries that one side reads at most to find them.
inline constexpr uint64_t kTouchedEntriesMax = 200'000;

using Applied = std::map<Origin, Sequence>;

// Item keys are without the namespace's prefix here. Thread-compatible. The engine must outlive it.
class CompareCut {
 public:
  enum class Walked {
    kItem,    // the item is set
    kPaused,  // the budget is used up; to be called again
    kEnd,     // there is no further item
  };
  struct Item {
    std::string key;
    // ItemHash::first; 0 if what is stored is newer than the lesser of the cuts.
    uint64_t hash = 0;
  };
  using Ranges = std::bitset<kDigestRanges>;

  CompareCut(KvEngine* engine, std::string name_space);

  // Reads what is applied at the cut. DATA_LOSS if it does not parse; otherwise the engine's
  // errors, as from all that follows.
  absl::Status Open();
  const Applied& applied() const { return applied_; }
  const std::string& name_space() const { return name_space_; }

  // What the other side has applied at its cut. FAILED_PRECONDITION if too much lies between the
  // cuts, or the log no longer has it: the comparison is to be put off.
  absl::Status Meet(const Applied& theirs);
  // Reads at most `budget` entries beyond the lesser of the cuts; true when all are read.
  // FAILED_PRECONDITION if they have touched too much.
  absl::StatusOr<bool> FindTouched(int budget);
  // What they have touched, none twice.
  const std::set<std::string>& touched() const { return left_out_; }
  // Leaves out what the other side's entries have touched. FAILED_PRECONDITION if that is too much.
  absl::Status LeaveOut(const google::protobuf::RepeatedPtrField<std::string>& theirs);
  // Takes at most `budget` items that are left out from the digests; true when all are.
  absl::StatusOr<bool> SumUp(int budget);
  // After SumUp().
  const NamespaceSums& sums() const { return *sums_; }

  // Begins, or goes on, behind a key.
  void Seek(absl::string_view after_key);
  // The next item of the ranges, without those left out, whose key is not after `to_key` (empty: no
  // bound). `budget` is lowered by one for each stored item that is looked at.
  absl::StatusOr<Walked> Walk(const Ranges& ranges, absl::string_view to_key, int& budget,
                              Item& item);
  // The last key that was looked at.
  const std::string& walked_to() const { return walked_to_; }

  // A stored item as it is at the cut.
  absl::StatusOr<std::optional<internal::v1::StoredItem>> Get(absl::string_view key) const;
  // True if the item rests on nothing that is beyond the lesser of the cuts, but for what is beyond
  // the end of its origin: as a rule nobody has that any more.
  bool Covered(const internal::v1::StoredItem& item) const;

 private:
  // What is known of an origin's end.
  struct Ends {
    std::optional<Sequence> closed;
    // By the chain entry `at` of `by`; `by` is 0 if there is none.
    Origin by;
    Sequence at;
    Sequence covered;
  };

  // True if all of the origin up to its end is applied at the lesser of the cuts.
  bool IsOver(Origin origin) const;
  // Of `times` as many items as one side may name.
  absl::Status Touch(absl::string_view key, size_t times);
  absl::Status LeftOut(absl::string_view body) const;
  absl::Status TouchedBy(const internal::v1::Entry& entry);

  KvEngine* engine_;
  std::string name_space_;
  std::string prefix_;  // of the stored keys
  std::unique_ptr<KvSnapshot> snapshot_;
  Applied applied_;
  std::map<Origin, Sequence> log_begin_;
  std::map<Origin, Ends> ends_;
  Applied lesser_;
  // Origins whose entries are still to be read, up to what is applied here.
  Applied unread_;
  std::set<std::string> left_out_;
  size_t left_out_bytes_ = 0;
  std::unique_ptr<NamespaceSums> sums_;
  // The next item to be taken from the sums.
  std::optional<std::set<std::string>::const_iterator> summed_;
  std::unique_ptr<KvIterator> log_;
  std::unique_ptr<KvIterator> items_;
  std::string walked_to_;
};

}  // namespace homeport
