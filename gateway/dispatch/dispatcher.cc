#include "gateway/dispatch/dispatcher.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/status/error.h"
#include "gateway/dispatch/retry_policy.h"

namespace homeport {

struct Dispatcher::Shared {
  Shared(const Clock* clock_in, StoreLookup stores_in, HealthTracker* health_in,
         const DispatchOptions& options_in)
      : clock(clock_in),
        stores(std::move(stores_in)),
        health(health_in),
        options(options_in),
        retries(options_in.retries) {}

  const Clock* clock;
  StoreLookup stores;
  HealthTracker* health;
  DispatchOptions options;
  mutable LoadBudget retries;
};

// One request on its way. Held by whoever will take its next step: the loop in Advance(), and the
// callback of the store that is being asked.
//
// A store may answer before Execute() returns, after it, or meanwhile from another thread.
// Whichever of the two comes second, the return or the answer, goes on; so the loop is never
// entered from inside itself, however many stores answer at once.
class Dispatcher::Run : public std::enable_shared_from_this<Dispatcher::Run> {
 public:
  Run(std::shared_ptr<const Shared> shared, Plan plan, const CallContext& context,
      const internal::v1::StoreRequest& request, internal::v1::StoreResponse* response, Done done)
      : shared_(std::move(shared)),
        plan_(std::move(plan)),
        context_(context),
        request_(request),
        response_(response),
        done_(std::move(done)),
        facts_(FactsOf(request)) {}

  void Start() {
    now_ = shared_->clock->SteadyNow();
    if (now_ >= context_.deadline) {
      Finish(MakeError(absl::StatusCode::kDeadlineExceeded, reason::kDeadline,
                       "the deadline was over before the request was sent to a replica",
                       {{"waited_for", "gateway"}}));
      return;
    }
    shared_->retries.OnRequest();
    if (!ChooseNext()) return;
    Advance();
  }

 private:
  enum Step { kAsking, kReturned, kAnswered };

  // What was tried, and how it ended.
  struct Tried {
    Target target;
    std::string how;
  };

  // Asks the current target, and goes on as long as answers are there at once.
  void Advance() {
    do {
      step_.store(kAsking, std::memory_order_relaxed);
      Ask();
      if (step_.exchange(kReturned, std::memory_order_acq_rel) == kAsking) return;
    } while (TakeAnswer());
  }

  void OnAnswer(absl::Status status) {
    answer_ = std::move(status);
    if (step_.exchange(kAnswered, std::memory_order_acq_rel) == kAsking) return;
    if (TakeAnswer()) Advance();
  }

  void Ask() {
    asked_at_ = now_;
    const std::shared_ptr<RecordStore> store = shared_->stores(current_->target);
    if (store == nullptr) {
      OnAnswer(MakeError(absl::StatusCode::kUnavailable, reason::kUnreachable,
                         "the replica is not in the topology any more"));
      return;
    }
    const CallContext context{AttemptDeadline(), context_.cancellation};
    store->Execute(context, request_, response_,
                   [run = shared_from_this()](absl::Status status) mutable {
                     // The store may drop the callback while it runs.
                     const std::shared_ptr<Run> self = std::move(run);
                     self->OnAnswer(std::move(status));
                   });
  }

  // Reads leave time for those after them; a write can not go on after a deadline anyway.
  SteadyTime AttemptDeadline() const {
    if (facts_.write || LastAttempt()) return context_.deadline;
    SteadyTime deadline = context_.deadline;
    if (deadline != absl::InfiniteDuration()) {
      deadline = now_ + (deadline - now_) * (1 - shared_->options.reserve_share);
    }
    if (current_->health == HealthState::kProbing) {
      deadline = std::min(deadline, now_ + shared_->options.probe_time_max);
    }
    return deadline;
  }

  bool LastAttempt() const {
    if (sent_ + 1 >= shared_->options.attempts_max) return true;
    for (const Attempt& attempt : plan_.attempts) {
      if (attempt.target != current_->target && !WasTried(attempt.target)) return false;
    }
    return true;
  }

  bool TriedAll() const {
    for (const Attempt& attempt : plan_.attempts) {
      if (!WasTried(attempt.target)) return false;
    }
    return true;
  }

  bool WasTried(Target target) const {
    for (const Tried& tried : tried_) {
      if (tried.target == target) return true;
    }
    return false;
  }
  bool RegionWasTried(int region) const {
    for (const Tried& tried : tried_) {
      if (tried.target.region == region) return true;
    }
    return false;
  }

  // Judges the answer. True if another replica is to be asked now; false when the run is over, and
  // then nothing of it may be touched.
  bool TakeAnswer() {
    now_ = shared_->clock->SteadyNow();
    RetryFacts facts = facts_;
    // The replica says whether it had to.
    if (answer_.ok()) facts.may_wait = facts.may_wait && response_->waited();
    const Judgement judgement = Judge(answer_, facts);
    if (judgement.outcome) {
      shared_->health->OnOutcome(current_->target, *judgement.outcome, now_ - asked_at_, now_);
    }
    if (answer_.ok()) {
      Finish(absl::OkStatus());
      return false;
    }
    if (unknown_) return TakeRepeatsAnswer(judgement);

    tried_.push_back({current_->target, HowItEnded(answer_)});
    if (!judgement.unsent) ++sent_;
    if (judgement.step == NextStep::kAnswer) {
      // What the request itself got wrong has nothing to do with where it was tried.
      const bool the_requests_own = judgement.outcome == HealthTracker::Outcome::kAlive;
      Finish(the_requests_own ? std::move(answer_) : WithTried(std::move(answer_)));
      return false;
    }
    if (judgement.step == NextStep::kRepeat) {
      unknown_ = std::move(answer_);
      if (now_ < context_.deadline && !Cancelled() && MayRetry()) return Again();
      Finish(WithTried(*std::move(unknown_)));
      return false;
    }
    // An error from a replica that was reached says more than one that could not be.
    if (!judgement.unsent) {
      if (!reached_error_ || !SaysMore(*reached_error_, answer_)) {
        reached_error_ = std::move(answer_);
      }
    } else if (!unreached_error_) {
      unreached_error_ = std::move(answer_);
    }
    const bool failed = judgement.outcome == HealthTracker::Outcome::kFailure ||
                        judgement.outcome == HealthTracker::Outcome::kTimeout ||
                        judgement.outcome == HealthTracker::Outcome::kBroken;
    return GoOn(failed);
  }

  bool MayRetry() {
    if (shared_->retries.Take(now_)) {
      ++retries_;
    } else {
      retry_denied_ = true;
    }
    return !retry_denied_;
  }

  // The second asking of a write whose first outcome is unknown: its id makes an answer of the
  // store speak for both. Anything but an answer leaves the first one unknown.
  bool TakeRepeatsAnswer(const Judgement& judgement) {
    tried_.push_back({current_->target, HowItEnded(answer_)});
    const bool answers_both =
        judgement.step == NextStep::kAnswer && judgement.outcome == HealthTracker::Outcome::kAlive;
    Finish(answers_both ? std::move(answer_) : WithTried(*std::move(unknown_)));
    return false;
  }

  bool Again() {
    response_->Clear();
    return true;
  }

  // Goes on with another replica, or ends the run.
  bool GoOn(bool failed) {
    if (Cancelled()) {
      Finish(WithTried(absl::CancelledError("the caller cancelled the request")));
      return false;
    }
    if (now_ >= context_.deadline || sent_ >= shared_->options.attempts_max) {
      FinishUnanswered();
      return false;
    }
    // With nowhere to go nothing is taken from the budget.
    if (failed && !TriedAll() && !MayRetry()) {
      FinishUnanswered();
      return false;
    }
    if (!ChooseNext()) return false;
    return Again();
  }

  // Finds the attempt to make. False if there is none, and then the run is over.
  bool ChooseNext() {
    const bool last = shared_->options.attempts_max > 1 &&
                      sent_ + 1 == shared_->options.attempts_max && !tried_.empty();
    const Attempt* first = nullptr;
    for (const Attempt& attempt : plan_.attempts) {
      if (WasTried(attempt.target)) continue;
      if (first == nullptr) first = &attempt;
      if (!last) break;
      // Replicas of a region often fail together; the last chance goes elsewhere.
      if (!RegionWasTried(attempt.target.region)) {
        first = &attempt;
        break;
      }
    }
    if (first == nullptr) {
      FinishUnanswered();
      return false;
    }
    current_ = ProbeBefore(*first);
    return true;
  }

  // A replica that would come before `first` if it were healthy, and that may be probed now; or
  // `first`.
  const Attempt* ProbeBefore(const Attempt& first) {
    const v1::Operation operation = facts_.write ? v1::OPERATION_WRITE : v1::OPERATION_READ;
    for (const Attempt& attempt : plan_.attempts) {
      if (attempt.health != HealthState::kProbing || attempt.rank >= first.rank ||
          WasTried(attempt.target)) {
        continue;
      }
      if (shared_->health->TakeProbe(attempt.target, now_, operation)) return &attempt;
    }
    return &first;
  }

  bool Cancelled() const { return context_.cancellation && context_.cancellation->cancelled(); }

  // True if `old_error` tells the caller more than `new_error` of another replica: how far behind
  // the first is says more than that the second did not answer, and the least age says the most.
  static bool SaysMore(const absl::Status& old_error, const absl::Status& new_error) {
    if (ReasonOf(old_error) != reason::kStaleLimit) return false;
    if (ReasonOf(new_error) != reason::kStaleLimit) return true;
    int64_t old_ms = 0, new_ms = 0;
    if (!absl::SimpleAtoi(ErrorMetadataOf(old_error, "age_ms").value_or(""), &old_ms)) return false;
    if (!absl::SimpleAtoi(ErrorMetadataOf(new_error, "age_ms").value_or(""), &new_ms)) return true;
    return old_ms < new_ms;
  }

  static std::string HowItEnded(const absl::Status& status) {
    std::string reason = ReasonOf(status);
    return reason.empty() ? absl::StatusCodeToString(status.code()) : reason;
  }

  void FinishUnanswered() {
    if (reached_error_) {
      Finish(WithTried(*std::move(reached_error_)));
      return;
    }
    Finish(WithTried(MakeError(
        absl::StatusCode::kUnavailable, reason::kNoRegion,
        absl::StrCat("no replica could be reached; the first: ", unreached_error_->message()))));
  }

  // `error` with metadata `tried`: "eu-west/a REGION_UNREACHABLE, us-east/a OVERLOADED".
  absl::Status WithTried(absl::Status error) const {
    if (retry_denied_) error = WithErrorMetadata(std::move(error), "retry", "denied");
    return WithErrorMetadata(
        std::move(error), "tried",
        absl::StrJoin(tried_, ", ", [this](std::string* out, const Tried& tried) {
          absl::StrAppend(out, shared_->health->NameOf(tried.target).value(), " ", tried.how);
        }));
  }

  // Ends the run: nothing of the dispatcher is touched after `done_` is called.
  void Finish(absl::Status status) {
    const Attempt& attempt = current_ ? *current_ : plan_.attempts.front();
    const DispatchResult result{attempt.target, attempt.reason,
                                static_cast<int>(tried_.size()) + (status.ok() ? 1 : 0), retries_,
                                retry_denied_};
    Done done = std::move(done_);
    done(std::move(status), result);
  }

  const std::shared_ptr<const Shared> shared_;
  const Plan plan_;
  const CallContext context_;
  const internal::v1::StoreRequest& request_;
  internal::v1::StoreResponse* const response_;
  Done done_;
  const RetryFacts facts_;

  SteadyTime now_;
  SteadyTime asked_at_;
  const Attempt* current_ = nullptr;
  std::atomic<Step> step_{kAsking};
  absl::Status answer_;
  // A write's first answer, when it left the outcome unknown.
  std::optional<absl::Status> unknown_;
  std::optional<absl::Status> reached_error_;
  std::optional<absl::Status> unreached_error_;
  int sent_ = 0;
  int retries_ = 0;
  bool retry_denied_ = false;
  absl::InlinedVector<Tried, 1> tried_;
};

Dispatcher::Dispatcher(const Clock* clock, StoreLookup stores, HealthTracker* health,
                       DispatchOptions options)
    : shared_(std::make_shared<const Shared>(clock, std::move(stores), health, options)) {}

std::shared_ptr<const StoreFreshness> Dispatcher::FreshnessOf(Target target) const {
  const std::shared_ptr<RecordStore> store = shared_->stores(target);
  return store == nullptr ? nullptr : store->freshness();
}

void Dispatcher::Dispatch(Plan plan, const CallContext& context,
                          const internal::v1::StoreRequest& request,
                          internal::v1::StoreResponse* response, Done done) {
  HP_CHECK(!plan.attempts.empty());
  std::make_shared<Run>(shared_, std::move(plan), context, request, response, std::move(done))
      ->Start();
}

}  // namespace homeport
