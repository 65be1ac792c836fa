// Which gateway a client asks next. Pure: time and chance are passed in.
//
// A client has a list of gateways, best first, and stays with one that answers. When a reply names
// a nearer one (Provenance.nearest_gateway) it moves there. One that fails is ejected, for a time
// that doubles with each failure in a row; then one request at a time is let through as a probe
// (half open), and an answer brings it back. While it is out the next one of the list is asked. If
// all are out, the one that comes back first is asked all the same: a guess beats no answer.
#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/sdk/core/retry.h"
#include "common/time/clock.h"

namespace homeport::sdk {

struct GatewayChoiceOptions {
  // Moves to the gateway that a reply names as nearer. Off: what the list says, in its order.
  bool follow_nearest = true;
  // Attempts without an answer in time, in a row, until a gateway is ejected. One that breaks a
  // connection or refuses it is ejected at once.
  int timeouts_max = 2;
  // The first time out, and the longest; some chance is added so that clients do not come together.
  absl::Duration ejection_base = absl::Milliseconds(500);
  absl::Duration ejection_max = absl::Seconds(30);
  // A probe that nobody reported the end of gives up its turn after this.
  absl::Duration probe_turn = absl::Seconds(10);
  // A move to a nearer gateway is followed by none for this long, should two name each other.
  absl::Duration move_interval = absl::Seconds(1);
};

// Thread-safe.
class GatewayChoice {
 public:
  // That a client knows at most, those it was told of included; the oldest of these is forgotten.
  static constexpr size_t kGatewaysMax = 16;

  // `gateways` are 1 to kGatewaysMax addresses, best first. The first is asked first.
  GatewayChoice(std::vector<std::string> gateways, GatewayChoiceOptions options);

  // The gateway for the next attempt; `not_this` (the one that just failed, or empty) only if there
  // is no other that is fit.
  std::string Pick(SteadyTime now, absl::string_view not_this = "");
  // An attempt at `gateway` has ended.
  void Ended(absl::string_view gateway, GatewayVerdict verdict, SteadyTime now, Chance chance);
  // A reply by `gateway` names a nearer one; empty: none.
  void ToldOf(absl::string_view gateway, absl::string_view nearest, SteadyTime now);
  // The gateway that is asked while it is fit.
  std::string preferred() const;
  // Some other gateway than this one is fit to be asked.
  bool HasOther(absl::string_view gateway, SteadyTime now) const;

 private:
  struct Gateway {
    std::string address;
    bool told = false;
    int timeouts = 0;
    int ejections = 0;  // in a row; 0: it is in
    SteadyTime out_until = absl::ZeroDuration();
    SteadyTime probe_until = absl::ZeroDuration();
  };

  Gateway* Find(absl::string_view address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Fit(const Gateway& gateway, SteadyTime now) const;

  const GatewayChoiceOptions options_;
  mutable absl::Mutex mutex_;
  // The preferred one is the first; those that were configured keep their order behind it.
  std::vector<Gateway> gateways_ ABSL_GUARDED_BY(mutex_);
  SteadyTime moved_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

}  // namespace homeport::sdk
