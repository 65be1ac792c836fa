// The asking side of comparisons: the receiver of a link. No I/O but reading the engine.
//
// Compares the namespaces that both sides hold whole, a few every interval, in turn. What differs
// is compared once more at once, with new cuts; what differs then too is counted, fetched, and
// merged here. The other side finds the same in its own comparison and takes what is missing there.
#pragma once

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
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/time/clock.h"
#include "common/topology/topology.h"
#include "homeport/internal/v1/compare.pb.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/replication/compare_cut.h"
#include "storage/replication/seed_view.h"

namespace homeport {

// A peer's item that is to be merged into the one here.
struct Repair {
  std::string item_key;  // of Table::kItems
  internal::v1::StoredItem item;
};

// What is known of a namespace by comparisons with one peer.
struct ComparedNamespace {
  // As of the last comparison that was completed.
  uint64_t records_differ = 0;
  // There are more than `records_differ`: the comparison stopped there.
  bool more_differ = false;
  // When that was; InfinitePast: there was none.
  absl::Time verified = absl::InfinitePast();
  // Why the last comparison was not completed, or empty.
  std::string put_off;
};

// All that is compared with one peer.
struct ComparedPeer {
  uint64_t records_differ = 0;
  bool more_differ = false;
  // The oldest of the namespaces'; InfinitePast while one was never compared.
  absl::Time verified = absl::InfinitePast();
  // Records of which something was taken from the peer, since start.
  uint64_t records_repaired = 0;
  // Why a namespace could not be compared when its turn was, the namespace named; or empty.
  std::string put_off;
};

// True if what a replica holds of the namespace is not what its positions say, so that it can not
// be compared.
bool IsSeeded(const SeedView* seeding, absl::string_view name_space);
// Namespaces that the regions of both replicas hold, in name order.
std::vector<std::string> SharedNamespaces(const Topology& topology, const ReplicaName& a,
                                          const ReplicaName& b);

// Thread-compatible. The engine must outlive it.
class CompareInitiator {
 public:
  struct Options {
    absl::Duration interval = absl::Seconds(10);
    // An answer that does not come for so long is given up.
    absl::Duration patience = absl::Seconds(30);
    // Namespaces that are compared every interval.
    size_t namespaces_max = 8;
    // Items that one comparison names as different at most; the next one goes on.
    size_t differing_max = 10'000;
  };

  CompareInitiator(KvEngine* engine, Options options) : engine_(engine), options_(options) {}

  // What can be compared with the peer, in name order.
  void SetNamespaces(const std::vector<std::string>& namespaces);
  // Does a bounded piece of the work that there is, and returns the next step if that is due. What
  // is being seeded here (`seeding`, null: nothing) is passed over.
  std::optional<internal::v1::CompareRequest> Next(SteadyTime now, absl::Time wall,
                                                   const SeedView* seeding);
  // Takes an answer. DATA_LOSS if it makes no sense: the link is to end.
  absl::Status OnResponse(const internal::v1::CompareResponse& response);
  // The stream has ended, and with it what was under way.
  void Reset();
  // True while no comparison is under way.
  bool idle() const { return stage_ == Stage::kIdle; }

  // What the last answer brought to be merged.
  std::vector<Repair> TakeRepairs();
  const std::map<std::string, ComparedNamespace>& namespaces() const { return namespaces_; }
  ComparedPeer peer() const;

 private:
  enum class Stage {
    kIdle,
    kBegun,     // waits for the other side's cut
    kFinding,   // finds what own entries have touched
    kTouched,   // waits for digests
    kSumming,   // makes own digests
    kListing,   // waits for a page
    kDiffing,   // compares a page
    kAsking,    // asks for items that differ
    kFetching,  // waits for them
  };

  bool Waits() const {
    return stage_ == Stage::kBegun || stage_ == Stage::kTouched || stage_ == Stage::kListing ||
           stage_ == Stage::kFetching;
  }
  internal::v1::CompareRequest Request() const;
  absl::StatusOr<std::optional<internal::v1::CompareRequest>> Piece(SteadyTime now, absl::Time wall,
                                                                    const SeedView* seeding);
  std::optional<std::string> NextNamespace(SteadyTime now, const SeedView* seeding);
  absl::StatusOr<internal::v1::CompareRequest> Begin(std::string name_space);
  absl::StatusOr<bool> Diff();
  void Differs(const std::string& key);
  internal::v1::CompareRequest AskForPage(absl::string_view after_key);
  // The comparison is complete: what differs is known.
  std::optional<std::string> Complete(absl::Time wall);
  void GiveUp(absl::string_view why);
  absl::Status TakeBegun(const internal::v1::CompareBegun& begun);
  absl::Status TakeDigests(const internal::v1::CompareDigests& digests);
  absl::Status TakeListed(internal::v1::CompareListed listed);
  absl::Status TakeFetched(const internal::v1::CompareFetched& fetched);
  absl::string_view RecordOf(absl::string_view item_key) const;

  KvEngine* engine_;
  Options options_;
  std::map<std::string, ComparedNamespace> namespaces_;
  uint64_t records_repaired_ = 0;

  Stage stage_ = Stage::kIdle;
  uint64_t number_ = 0;
  SteadyTime asked_;
  SteadyTime round_next_ = -absl::InfiniteDuration();
  // Namespaces still to be compared in this round, and the last one whose turn was.
  std::vector<std::string> round_;
  std::string last_;

  std::unique_ptr<CompareCut> cut_;
  Applied theirs_;
  internal::v1::CompareBegun begun_;
  std::unique_ptr<NamespaceSums> their_sums_;
  CompareCut::Ranges ranges_;
  std::string after_key_;  // of the page that was asked for
  internal::v1::CompareListed page_;
  int page_at_ = 0;
  // Keys that differ, in this comparison and in the one before of the same namespace.
  std::set<std::string> differing_;
  bool more_differ_ = false;
  std::optional<std::set<std::string>> suspects_;
  // Keys to be fetched, and how many were asked for.
  std::vector<std::string> fetch_;
  size_t fetched_ = 0;
  std::vector<std::string> fetching_;
  std::string repaired_last_;
  std::vector<Repair> repairs_;
};

}  // namespace homeport
