#include "storage/replication/compare_responder.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace homeport {
namespace {

using internal::v1::CompareRequest;
using internal::v1::CompareResponse;

// What one piece of work reads at most.
constexpr int kEntriesPerPiece = 5'000;
constexpr int kItemsPerPiece = 5'000;
// An item of a page beside its key.
constexpr size_t kListedBytes = 16;

absl::Status MakesNoSense() {
  return absl::FailedPreconditionError("the step does not follow from those before");
}

}  // namespace

void CompareResponder::OnRequest(const CompareRequest& request, absl::string_view refused) {
  step_begun_ = false;
  request_ = request;
  if (request.has_begin()) {
    number_ = request.number();
    begun_ = false;
    digested_ = false;
    cut_.reset();
    if (refused.empty()) cut_ = std::make_unique<CompareCut>(engine_, request.namespace_());
  } else if (cut_ != nullptr &&
             (request.number() != number_ || request.namespace_() != cut_->name_space())) {
    cut_.reset();
  }
  if (!refused.empty()) cut_.reset();
  refused_ = std::string(refused);
}

std::optional<CompareResponse> CompareResponder::Work(SteadyTime now) {
  if (!request_) {
    if (cut_ != nullptr && now - worked_ > kCompareIdleMax) cut_.reset();
    return std::nullopt;
  }
  worked_ = now;
  auto answer = Piece();
  if (answer.ok() && !answer->has_value()) return std::nullopt;
  CompareResponse response;
  if (answer.ok()) {
    response = std::move(**answer);
  } else {
    response.set_declined(std::string(answer.status().message()));
    cut_.reset();
  }
  response.set_number(request_->number());
  request_.reset();
  return response;
}

absl::StatusOr<std::optional<CompareResponse>> CompareResponder::Piece() {
  if (cut_ == nullptr) {
    return absl::FailedPreconditionError(
        refused_.empty() ? "the comparison was given up; it has to begin anew" : refused_);
  }
  CompareResponse response;
  absl::StatusOr<bool> done = MakesNoSense();
  switch (request_->step_case()) {
    case CompareRequest::kBegin:
      done = Begin(response);
      break;
    case CompareRequest::kTouched:
      if (begun_ && !digested_) done = Digest(response);
      break;
    case CompareRequest::kList:
      if (digested_) done = List(response);
      break;
    case CompareRequest::kFetch:
      if (digested_) done = Fetch(response);
      break;
    case CompareRequest::STEP_NOT_SET:
      break;
  }
  if (!done.ok()) return done.status();
  if (!*done) return std::optional<CompareResponse>();
  return std::optional<CompareResponse>(std::move(response));
}

absl::StatusOr<bool> CompareResponder::Begin(CompareResponse& response) {
  if (!std::exchange(step_begun_, true)) {
    if (auto status = cut_->Open(); !status.ok()) return status;
    Applied theirs;
    for (const internal::v1::Position& position : request_->begin().applied()) {
      theirs[Origin(position.origin())] = Sequence(position.sequence());
    }
    if (auto status = cut_->Meet(theirs); !status.ok()) return status;
  }
  auto found = cut_->FindTouched(kEntriesPerPiece);
  if (!found.ok() || !*found) return found;
  internal::v1::CompareBegun& begun = *response.mutable_begun();
  for (const auto& [origin, sequence] : cut_->applied()) {
    internal::v1::Position* position = begun.add_applied();
    position->set_origin(origin.value());
    position->set_sequence(sequence.value());
  }
  for (const std::string& key : cut_->touched()) begun.add_touched(key);
  begun_ = true;
  return true;
}

absl::StatusOr<bool> CompareResponder::Digest(CompareResponse& response) {
  if (!std::exchange(step_begun_, true)) {
    if (auto status = cut_->LeaveOut(request_->touched().keys()); !status.ok()) return status;
  }
  auto summed = cut_->SumUp(kItemsPerPiece);
  if (!summed.ok() || !*summed) return summed;
  internal::v1::CompareDigests& digests = *response.mutable_digests();
  digests.mutable_sums()->Resize(kDigestRanges, 0);
  digests.mutable_sums2()->Resize(kDigestRanges, 0);
  digests.mutable_items()->Resize(kDigestRanges, 0);
  uint64_t* first = digests.mutable_sums()->mutable_data();
  uint64_t* second = digests.mutable_sums2()->mutable_data();
  uint64_t* items = digests.mutable_items()->mutable_data();
  for (const RangeSums& sums : cut_->sums()) {
    *first++ = sums.first;
    *second++ = sums.second;
    *items++ = sums.items;
  }
  digested_ = true;
  return true;
}

absl::StatusOr<bool> CompareResponder::List(CompareResponse& response) {
  if (!std::exchange(step_begun_, true)) {
    ranges_.reset();
    for (const uint32_t range : request_->list().ranges()) {
      if (range >= kDigestRanges) return MakesNoSense();
      ranges_.set(range);
    }
    cut_->Seek(request_->list().after_key());
    page_.Clear();
    page_bytes_ = 0;
    page_looked_ = 0;
  }
  int budget = kItemsPerPiece;
  CompareCut::Item item;
  while (page_bytes_ < kComparePageBytes && page_looked_ < kComparePageLooked) {
    auto walked = cut_->Walk(ranges_, {}, budget, item);
    if (!walked.ok()) return walked.status();
    if (*walked == CompareCut::Walked::kEnd) {
      *response.mutable_listed() = std::move(page_);
      return true;
    }
    if (*walked == CompareCut::Walked::kPaused) {
      page_looked_ += kItemsPerPiece;
      if (page_looked_ < kComparePageLooked) return false;
      break;
    }
    internal::v1::ItemDigest* digest = page_.add_items();
    digest->set_key(item.key);
    digest->set_hash(item.hash);
    page_bytes_ += item.key.size() + kListedBytes;
  }
  page_.set_to_key(cut_->walked_to());
  *response.mutable_listed() = std::move(page_);
  return true;
}

absl::StatusOr<bool> CompareResponder::Fetch(CompareResponse& response) {
  const auto& keys = request_->fetch().keys();
  if (keys.empty() || keys.size() > kCompareFetchKeys) return MakesNoSense();
  size_t bytes = 0;
  for (const std::string& key : keys) {
    auto item = cut_->Get(key);
    if (!item.ok()) return item.status();
    internal::v1::FetchedItem fetched;
    fetched.set_key(key);
    if (*item) fetched.set_item((*item)->SerializeAsString());
    bytes += key.size() + fetched.item().size();
    if (response.has_fetched() && bytes > kCompareFetchBytes) break;
    *response.mutable_fetched()->add_items() = std::move(fetched);
  }
  return true;
}

}  // namespace homeport
