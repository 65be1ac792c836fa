#include "storage/replication/compare_initiator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/mutants.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"
#include "storage/replication/compare_responder.h"
#include "storage/replication/replica_view.h"

namespace homeport {
namespace {

using internal::v1::CompareBegun;
using internal::v1::CompareDigests;
using internal::v1::CompareFetched;
using internal::v1::CompareListed;
using internal::v1::CompareRequest;
using internal::v1::CompareResponse;
using internal::v1::ItemDigest;
using internal::v1::StoredItem;

// What one piece of work reads at most.
constexpr int kEntriesPerPiece = 5'000;
constexpr int kItemsPerPiece = 10'000;

absl::Status NoSense(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("a comparison's answer ", what));
}

std::optional<int> RegionOf(const Topology& topology, const ReplicaName& replica) {
  return topology.FindRegion(
      absl::string_view(replica.value()).substr(0, replica.value().find('/')));
}

}  // namespace

bool IsSeeded(const SeedView* seeding, absl::string_view name_space) {
  return seeding != nullptr && (seeding->whole_replica || seeding->Find(name_space) != nullptr);
}

std::vector<std::string> SharedNamespaces(const Topology& topology, const ReplicaName& a,
                                          const ReplicaName& b) {
  std::vector<std::string> shared;
  const std::optional<int> region_a = RegionOf(topology, a);
  const std::optional<int> region_b = RegionOf(topology, b);
  if (!region_a || !region_b) return shared;
  for (const NamespaceInfo& info : topology.namespaces()) {
    if (info.HeldBy(*region_a) && info.HeldBy(*region_b)) shared.push_back(info.name.value());
  }
  std::sort(shared.begin(), shared.end());
  return shared;
}

void CompareInitiator::SetNamespaces(const std::vector<std::string>& namespaces) {
  for (auto it = namespaces_.begin(); it != namespaces_.end();) {
    const bool kept = std::binary_search(namespaces.begin(), namespaces.end(), it->first);
    it = kept ? std::next(it) : namespaces_.erase(it);
  }
  for (const std::string& name_space : namespaces) namespaces_.try_emplace(name_space);
}

ComparedPeer CompareInitiator::peer() const {
  ComparedPeer peer;
  peer.records_repaired = records_repaired_;
  if (!namespaces_.empty()) peer.verified = absl::InfiniteFuture();
  for (const auto& [name_space, compared] : namespaces_) {
    peer.records_differ += compared.records_differ;
    peer.more_differ = peer.more_differ || compared.more_differ;
    peer.verified = std::min(peer.verified, compared.verified);
    if (peer.put_off.empty() && !compared.put_off.empty()) {
      peer.put_off = absl::StrCat(name_space, ": ", compared.put_off);
    }
  }
  return peer;
}

std::vector<Repair> CompareInitiator::TakeRepairs() { return std::exchange(repairs_, {}); }

void CompareInitiator::Reset() {
  stage_ = Stage::kIdle;
  cut_.reset();
  suspects_.reset();
  repairs_.clear();
}

void CompareInitiator::GiveUp(absl::string_view why) {
  auto found = namespaces_.find(cut_->name_space());
  if (found != namespaces_.end()) found->second.put_off = std::string(why);
  Reset();
}

std::optional<CompareRequest> CompareInitiator::Next(SteadyTime now, absl::Time wall,
                                                     const SeedView* seeding) {
  if (Waits()) {
    if (now - asked_ > options_.patience) {
      GiveUp(absl::StrCat("no answer came for ", absl::FormatDuration(options_.patience)));
    }
    return std::nullopt;
  }
  auto request = Piece(now, wall, seeding);
  if (!request.ok()) {
    GiveUp(request.status().message());
    return std::nullopt;
  }
  if (*request) asked_ = now;
  return std::move(*request);
}

CompareRequest CompareInitiator::Request() const {
  CompareRequest request;
  request.set_number(number_);
  request.set_namespace_(cut_->name_space());
  return request;
}

std::optional<std::string> CompareInitiator::NextNamespace(SteadyTime now,
                                                           const SeedView* seeding) {
  if (round_.empty() && now >= round_next_) {
    round_next_ = now + options_.interval;
    // The turn goes round: the names behind the last one, then those before it.
    auto at = namespaces_.upper_bound(last_);
    for (size_t i = 0; i < std::min(options_.namespaces_max, namespaces_.size()); ++i, ++at) {
      if (at == namespaces_.end()) at = namespaces_.begin();
      round_.push_back(at->first);
    }
    std::reverse(round_.begin(), round_.end());
  }
  while (!round_.empty()) {
    last_ = std::move(round_.back());
    round_.pop_back();
    auto found = namespaces_.find(last_);
    if (found == namespaces_.end()) continue;
    if (!IsSeeded(seeding, last_)) return last_;
    found->second.put_off = "it is being seeded here";
  }
  return std::nullopt;
}

absl::StatusOr<CompareRequest> CompareInitiator::Begin(std::string name_space) {
  ++number_;
  cut_ = std::make_unique<CompareCut>(engine_, std::move(name_space));
  differing_.clear();
  more_differ_ = false;
  fetch_.clear();
  if (auto status = cut_->Open(); !status.ok()) return status;
  CompareRequest request = Request();
  request.mutable_begin();
  for (const auto& [origin, sequence] : cut_->applied()) {
    internal::v1::Position* position = request.mutable_begin()->add_applied();
    position->set_origin(origin.value());
    position->set_sequence(sequence.value());
  }
  stage_ = Stage::kBegun;
  return request;
}

CompareRequest CompareInitiator::AskForPage(absl::string_view after_key) {
  CompareRequest request = Request();
  for (uint32_t range = 0; range < kDigestRanges; ++range) {
    if (ranges_.test(range)) request.mutable_list()->add_ranges(range);
  }
  after_key_ = std::string(after_key);
  request.mutable_list()->set_after_key(after_key_);
  stage_ = Stage::kListing;
  return request;
}

absl::StatusOr<std::optional<CompareRequest>> CompareInitiator::Piece(SteadyTime now,
                                                                      absl::Time wall,
                                                                      const SeedView* seeding) {
  std::optional<CompareRequest> request;
  std::optional<std::string> begin;
  switch (stage_) {
    case Stage::kIdle:
      begin = NextNamespace(now, seeding);
      break;
    case Stage::kFinding: {
      auto found = cut_->FindTouched(kEntriesPerPiece);
      if (!found.ok()) return found.status();
      if (!*found) return request;
      request = Request();
      request->mutable_touched();
      for (const std::string& key : cut_->touched()) request->mutable_touched()->add_keys(key);
      if (auto status = cut_->LeaveOut(begun_.touched()); !status.ok()) return status;
      begun_.Clear();
      stage_ = Stage::kTouched;
      return request;
    }
    case Stage::kSumming: {
      auto summed = cut_->SumUp(kItemsPerPiece);
      if (!summed.ok()) return summed.status();
      if (!*summed) return request;
      ranges_.reset();
      if (cut_->sums() == *their_sums_) {
        begin = Complete(wall);
        break;
      }
      for (uint32_t range = 0; range < kDigestRanges; ++range) {
        ranges_.set(range, cut_->sums()[range] != (*their_sums_)[range]);
      }
      cut_->Seek({});
      return std::optional<CompareRequest>(AskForPage({}));
    }
    case Stage::kDiffing: {
      auto done = Diff();
      if (!done.ok()) return done.status();
      if (!*done) return request;
      if (page_.to_key().empty() || more_differ_) {
        begin = Complete(wall);
        break;
      }
      return std::optional<CompareRequest>(AskForPage(page_.to_key()));
    }
    case Stage::kAsking: {
      fetching_.assign(fetch_.begin() + static_cast<ptrdiff_t>(fetched_),
                       fetch_.begin() + static_cast<ptrdiff_t>(
                                            std::min(fetch_.size(), fetched_ + kCompareFetchKeys)));
      request = Request();
      for (const std::string& key : fetching_) request->mutable_fetch()->add_keys(key);
      stage_ = Stage::kFetching;
      return request;
    }
    default:
      return request;
  }
  if (!begin) return request;
  auto begun = Begin(std::move(*begin));
  if (!begun.ok()) return begun.status();
  return std::optional<CompareRequest>(std::move(*begun));
}

absl::StatusOr<bool> CompareInitiator::Diff() {
  int budget = kItemsPerPiece;
  CompareCut::Item mine;
  while (!more_differ_) {
    auto walked = cut_->Walk(ranges_, page_.to_key(), budget, mine);
    if (!walked.ok()) return walked.status();
    if (*walked == CompareCut::Walked::kPaused) return false;
    const bool end = *walked == CompareCut::Walked::kEnd;
    for (; page_at_ < page_.items_size(); ++page_at_) {
      const ItemDigest& theirs = page_.items(page_at_);
      if (!end && theirs.key() >= mine.key) break;
      if (theirs.hash() != 0) Differs(theirs.key());
    }
    if (end) return true;
    uint64_t their_hash = 0;
    bool there = page_at_ < page_.items_size() && page_.items(page_at_).key() == mine.key;
    if (there) their_hash = page_.items(page_at_++).hash();
    const bool comparable = mine.hash != 0 && (!there || their_hash != 0);
    if (comparable && mine.hash != their_hash) Differs(mine.key);
  }
  return true;
}

void CompareInitiator::Differs(const std::string& key) {
  if (differing_.size() >= options_.differing_max) {
    more_differ_ = true;
    return;
  }
  differing_.insert(key);
}

std::optional<std::string> CompareInitiator::Complete(absl::Time wall) {
  const std::string name_space = cut_->name_space();
  stage_ = Stage::kIdle;
  if (!differing_.empty() && !suspects_) {
    // Once more, with new cuts, before anybody is alarmed.
    suspects_ = std::exchange(differing_, {});
    cut_.reset();
    return name_space;
  }
  std::string record;
  uint64_t records = 0;
  for (const std::string& key : differing_) {
    if (!suspects_->contains(key)) continue;
    fetch_.push_back(key);
    const std::string item_key = absl::StrCat(NamespacePrefix(name_space), key);
    if (RecordOf(item_key) == record) continue;
    record = std::string(RecordOf(item_key));
    ++records;
  }
  suspects_.reset();
  if (auto found = namespaces_.find(name_space); found != namespaces_.end()) {
    found->second = {records, more_differ_ && records > 0, wall, std::string()};
  }
  fetched_ = 0;
  repaired_last_.clear();
  if (fetch_.empty()) {
    cut_.reset();
  } else {
    stage_ = Stage::kAsking;
  }
  return std::nullopt;
}

absl::string_view CompareInitiator::RecordOf(absl::string_view item_key) const {
  auto parts = ParseItemKey(item_key);
  return parts ? parts->record_prefix : absl::string_view();
}

absl::Status CompareInitiator::OnResponse(const CompareResponse& response) {
  if (response.number() < number_ || (!Waits() && response.number() == number_)) {
    return absl::OkStatus();  // of a comparison that was given up
  }
  if (response.number() > number_) return NoSense("was not asked for");
  if (response.step_case() == CompareResponse::kDeclined) {
    GiveUp(absl::StrCat("the peer declined: ", response.declined()));
    return absl::OkStatus();
  }
  if (stage_ == Stage::kBegun && response.has_begun()) return TakeBegun(response.begun());
  if (stage_ == Stage::kTouched && response.has_digests()) return TakeDigests(response.digests());
  if (stage_ == Stage::kListing && response.has_listed()) return TakeListed(response.listed());
  if (stage_ == Stage::kFetching && response.has_fetched()) return TakeFetched(response.fetched());
  return NoSense("is one to another step");
}

absl::Status CompareInitiator::TakeBegun(const CompareBegun& begun) {
  if (static_cast<size_t>(begun.applied_size()) > kOriginsMax)
    return NoSense("has too many origins");
  size_t bytes = 0;
  for (const std::string& key : begun.touched()) bytes += key.size();
  if (static_cast<size_t>(begun.touched_size()) > kTouchedMax || bytes > kTouchedBytesMax) {
    return NoSense("names too many items");
  }
  Applied theirs;
  for (const internal::v1::Position& position : begun.applied()) {
    theirs[Origin(position.origin())] = Sequence(position.sequence());
  }
  if (auto status = cut_->Meet(theirs); !status.ok()) {
    GiveUp(status.message());
    return absl::OkStatus();
  }
  begun_ = begun;
  stage_ = Stage::kFinding;
  return absl::OkStatus();
}

absl::Status CompareInitiator::TakeDigests(const CompareDigests& digests) {
  const int ranges = static_cast<int>(kDigestRanges);
  if (digests.sums_size() != ranges || digests.sums2_size() != ranges ||
      digests.items_size() != ranges) {
    return NoSense("does not have every range");
  }
  if (their_sums_ == nullptr) their_sums_ = std::make_unique<NamespaceSums>();
  const uint64_t* first = digests.sums().data();
  const uint64_t* second = digests.sums2().data();
  const uint64_t* items = digests.items().data();
  for (RangeSums& sums : *their_sums_) sums = {*first++, *second++, *items++};
  stage_ = Stage::kSumming;
  return absl::OkStatus();
}

absl::Status CompareInitiator::TakeListed(CompareListed listed) {
  if (!listed.to_key().empty() && listed.to_key() <= after_key_) {
    return NoSense("goes back in the keys");
  }
  size_t bytes = 0;
  absl::string_view last = after_key_;
  const std::string prefix = NamespacePrefix(cut_->name_space());
  for (const ItemDigest& item : listed.items()) {
    const std::optional<uint32_t> range = DigestRangeOf(absl::StrCat(prefix, item.key()));
    if (item.key() <= last || (!listed.to_key().empty() && item.key() > listed.to_key()) ||
        !range || !ranges_.test(*range)) {
      return NoSense("lists items out of order, or that were not asked for");
    }
    last = item.key();
    bytes += item.key().size();
  }
  if (bytes > 2 * kComparePageBytes) return NoSense("is larger than a page");
  page_ = std::move(listed);
  page_at_ = 0;
  stage_ = Stage::kDiffing;
  return absl::OkStatus();
}

absl::Status CompareInitiator::TakeFetched(const CompareFetched& fetched) {
  if (fetched.items().empty() || static_cast<size_t>(fetched.items_size()) > fetching_.size()) {
    return NoSense("has other items than were asked for");
  }
  for (int i = 0; i < fetched.items_size(); ++i) {
    const internal::v1::FetchedItem& item = fetched.items(i);
    if (item.key() != fetching_[i]) return NoSense("has other items than were asked for");
    if (!item.has_item()) continue;  // the other side takes what is here
    StoredItem theirs;
    if (!theirs.ParseFromString(item.item())) return NoSense("has an item that does not parse");
    // What was listed as comparable rests on nothing that this side has not applied.
    if (!cut_->Covered(theirs)) return NoSense("has an item that is newer than the cut");
    auto mine = cut_->Get(item.key());
    if (!mine.ok()) {
      GiveUp(mine.status().message());
      return absl::OkStatus();
    }
    if (*mine && !HP_MUTANT(kRepairReplaces)) {
      StoredItem merged = **mine;
      if (!MergeInto(theirs, &merged)) continue;
    }
    Repair repair{absl::StrCat(NamespacePrefix(cut_->name_space()), item.key()), std::move(theirs)};
    if (const absl::string_view record = RecordOf(repair.item_key); record != repaired_last_) {
      repaired_last_ = std::string(record);
      ++records_repaired_;
    }
    repairs_.push_back(std::move(repair));
  }
  fetched_ += static_cast<size_t>(fetched.items_size());
  if (fetched_ < fetch_.size()) {
    stage_ = Stage::kAsking;
  } else {
    stage_ = Stage::kIdle;
    cut_.reset();
  }
  return absl::OkStatus();
}

}  // namespace homeport
