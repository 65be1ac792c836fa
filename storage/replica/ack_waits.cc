#include "storage/replica/ack_waits.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"

namespace homeport {
namespace {

absl::Status NotYet(absl::StatusCode code, const AckWait& wait, int have, absl::string_view why) {
  return MakeError(
      code, reason::kNotYetReplicated,
      absl::StrCat("the write is done, but ", why, " ", have, " of the ", wait.want,
                   " other regions asked for had applied it"),
      {{"have", absl::StrCat(have)},
       {"want", absl::StrCat(wait.want)},
       {"version_time", absl::StrCat(wait.version.time.value())},
       {"version_origin", absl::StrCat(absl::Hex(wait.version.origin.value(), absl::kZeroPad16))}});
}

bool Cancelled(const AckWait& wait) {
  return wait.context.cancellation != nullptr && wait.context.cancellation->cancelled();
}

}  // namespace

bool AckWaits::Full() const {
  absl::MutexLock lock(&mutex_);
  return waits_.size() >= max_;
}

size_t AckWaits::size() const {
  absl::MutexLock lock(&mutex_);
  return waits_.size();
}

void AckWaits::Add(AckWait wait) {
  absl::MutexLock lock(&mutex_);
  waits_.push_back(std::move(wait));
  AnswerMet();
}

void AckWaits::SetTopology(std::string fingerprint) {
  absl::MutexLock lock(&mutex_);
  acks_.SetTopology(std::move(fingerprint));
  AnswerMet();
}

void AckWaits::OnHello(const internal::v1::Hello& hello) {
  absl::MutexLock lock(&mutex_);
  acks_.OnHello(hello);
  AnswerMet();
}

void AckWaits::OnAcknowledged(const ReplicaName& peer, const RegionAcks::Reports& reports) {
  if (reports.empty()) return;
  absl::MutexLock lock(&mutex_);
  acks_.OnAcknowledged(peer, reports);
  AnswerMet();
}

void AckWaits::OnMemberReport(const internal::v1::MemberReport& report) {
  absl::MutexLock lock(&mutex_);
  acks_.OnMemberReport(report);
  AnswerMet();
}

int AckWaits::CountOf(const AckWait& wait) const {
  return acks_.Count(wait.version.origin, wait.sequence, wait.name_space, wait.regions);
}

void AckWaits::AnswerMet() {
  const auto met = std::stable_partition(
      waits_.begin(), waits_.end(), [this](const AckWait& wait) ABSL_NO_THREAD_SAFETY_ANALYSIS {
        const int have = CountOf(wait);
        wait.response->set_acknowledged_by_regions(static_cast<uint32_t>(have));
        return have < static_cast<int>(wait.want);
      });
  for (auto it = met; it != waits_.end(); ++it) Answer(std::move(*it), absl::OkStatus());
  waits_.erase(met, waits_.end());
}

void AckWaits::Expire(SteadyTime now) {
  absl::MutexLock lock(&mutex_);
  const auto over = std::stable_partition(waits_.begin(), waits_.end(), [now](const AckWait& wait) {
    return wait.give_up > now && !Cancelled(wait);
  });
  for (auto it = over; it != waits_.end(); ++it) {
    absl::Status status =
        Cancelled(*it)
            ? absl::CancelledError("the caller cancelled after the write was done")
            : NotYet(absl::StatusCode::kDeadlineExceeded, *it, CountOf(*it), "in time only");
    Answer(std::move(*it), std::move(status));
  }
  waits_.erase(over, waits_.end());
}

SteadyTime AckWaits::NextExpiry() const {
  absl::MutexLock lock(&mutex_);
  SteadyTime first = absl::InfiniteDuration();
  for (const AckWait& wait : waits_) first = std::min(first, wait.give_up);
  return first;
}

void AckWaits::Abandon() {
  absl::MutexLock lock(&mutex_);
  for (AckWait& wait : waits_) {
    absl::Status status = NotYet(absl::StatusCode::kUnavailable, wait, CountOf(wait),
                                 "this replica is stopping, and only");
    Answer(std::move(wait), std::move(status));
  }
  waits_.clear();
}

void AckWaits::Answer(AckWait wait, absl::Status status) {
  runner_->Run([done = std::move(wait.done), status = std::move(status)]() mutable {
    done(std::move(status));
  });
}

}  // namespace homeport
