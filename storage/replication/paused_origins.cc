#include "storage/replication/paused_origins.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace homeport {

absl::StatusOr<bool> PausedOrigins::OnRefused(Origin origin, absl::Status why) {
  auto found = origins_.find(origin);
  if (found == origins_.end()) {
    if (origins_.size() >= kMax) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "more than ", kMax,
          " origins of the peer are refused; the last one: ", std::string(why.message())));
    }
    origins_[origin].why = std::move(why);
    return true;
  }
  Paused& paused = found->second;
  // What follows in the origin is refused for its gap; the first reason is the one to tell.
  if (paused.step != Step::kAsked) return false;
  paused.step = Step::kToHold;
  paused.why = std::move(why);
  paused.wait = std::min(paused.wait * 2, kRetryMax);
  return true;
}

void PausedOrigins::AddTo(internal::v1::PullRequest& request, const ReplicaView& view,
                          SteadyTime now) {
  for (auto it = origins_.begin(); it != origins_.end();) {
    const Origin origin = it->first;
    Paused& paused = it->second;
    const Sequence received = view.ReceivedOf(origin);
    switch (paused.step) {
      case Step::kToHold:
        request.add_hold(origin.value());
        paused.at = received;
        paused.retry = now + paused.wait;
        paused.step = Step::kHeld;
        break;
      case Step::kHeld:
        // Another link may have brought what was refused here.
        if (now < paused.retry && received == paused.at) break;
        request.add_resume()->set_origin(origin.value());
        request.mutable_resume(request.resume_size() - 1)->set_sequence(received.value());
        paused.step = Step::kAsked;
        break;
      case Step::kAsked:
        break;
    }
    if (paused.step == Step::kAsked && received > paused.at) {
      it = origins_.erase(it);
    } else {
      ++it;
    }
  }
}

std::string PausedOrigins::Describe(const ReplicaView& view) const {
  if (origins_.empty()) return "";
  const auto& [origin, paused] = *origins_.begin();
  const OriginView* known = view.Find(origin);
  std::string text = absl::StrCat("origin ", absl::Hex(origin.value(), absl::kZeroPad16));
  if (known != nullptr && known->replica != nullptr) {
    absl::StrAppend(&text, " of ", known->replica->value());
  }
  absl::StrAppend(&text, " is not taken: ", std::string(paused.why.message()));
  if (origins_.size() > 1) {
    absl::StrAppend(&text, " (and ", origins_.size() - 1, " other origins)");
  }
  return text;
}

}  // namespace homeport
