// What a gateway does with a request: client address, locate, plan, dispatch, annotate.
#pragma once

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/store/record_store.h"
#include "common/store/validate.h"
#include "common/time/clock.h"
#include "gateway/dispatch/dispatcher.h"
#include "gateway/dispatch/health_tracker.h"
#include "gateway/geo/client_address.h"
#include "gateway/geo/geo_locator.h"
#include "gateway/route/read_targets.h"
#include "gateway/route/router.h"

namespace homeport {

// Everything that a reload replaces, made from one topology. Immutable; a request keeps the one
// that it began with. No member is null.
struct GatewayState {
  std::shared_ptr<const Router> router;
  std::shared_ptr<const GeoLocator> locator;
  std::shared_ptr<const ClientAddressResolver> addresses;
  std::shared_ptr<HealthTracker> health;
  std::shared_ptr<Dispatcher> dispatcher;
};

// A request's headers as ClientAddressResolver wants them.
using HeaderList = std::vector<std::pair<absl::string_view, absl::string_view>>;

// Who sent a request. The views are valid while the call that they are passed to runs.
struct Caller {
  // As gRPC names it, "ipv4:192.0.2.1:50000".
  absl::string_view peer;
  // Appends the headers; called only when the peer is a trusted proxy.
  absl::FunctionRef<void(HeaderList&)> headers;
};

// A read with targets on its way (read_targets.h).
struct TargetRun {
  std::vector<v1::ReadTarget> targets;
  RequestFacts facts;
  SteadyTime started;
  int current = 0;
  int attempts = 0;  // for targets before the current one
};

// A read of more than EVENTUAL of a namespace whose policy is to serve what there is while the
// region is isolated (isolation.h).
struct StaleRun {
  RequestFacts facts;
  // It was when the request came.
  bool was_isolated = false;
  // Why the read was not answered at its own level; OK until then.
  absl::Status refusal;
  int attempts = 0;  // for its own level
};

// One request on its way. Belongs to the caller of Gateway::Execute and stays where it is until
// `done` is called. May be used again after that.
struct GatewayCall {
  // Set by the caller.
  internal::v1::StoreRequest* request = nullptr;    // may be completed by the gateway
  internal::v1::StoreResponse* response = nullptr;  // empty
  MutationForm form = MutationForm::kMutate;
  CallContext context;
  absl::AnyInvocable<void(absl::Status)> done;

  // Set by the gateway.
  std::shared_ptr<const GatewayState> state;
  IpAddress client;
  Place place;
  int preferred_region = 0;
  // Null for a request without targets.
  std::unique_ptr<TargetRun> targets;
  // Null unless it is a read that may get what there is while the region is isolated.
  std::unique_ptr<StaleRun> stale;
  // How the answer was got; set once the dispatcher has ended.
  DispatchResult result;
};

// Thread-safe. Has no I/O of its own and knows nothing of gRPC.
class Gateway {
 public:
  // `clock` must outlive the gateway.
  Gateway(const Clock* clock, std::shared_ptr<const GatewayState> state);

  // Replaces the state for requests that come from now on.
  void SetState(std::shared_ptr<const GatewayState> state);
  std::shared_ptr<const GatewayState> state() const;
  const Clock& clock() const { return *clock_; }

  // Runs a request to its end. `call->done` is called exactly once, in any thread, possibly before
  // this returns; what it captured is destroyed after it returned. A request without a deadline
  // gets the topology's default. On success the response carries the whole provenance.
  //
  // Errors are those of ValidateRequest, Router::MakePlan and Dispatcher::Dispatch, and
  // NOT_FOUND NAMESPACE_UNKNOWN.
  void Execute(const Caller& caller, GatewayCall* call);

  // The client's address: the peer's, or what a trusted proxy says. A peer whose address can not be
  // known counts as unspecified (0.0.0.0), which is a reserved address.
  static IpAddress ClientAddress(const GatewayState& state, const Caller& caller);

 private:
  // Goes for the target `from` of the call, or one after it.
  void StartTarget(GatewayCall* call, int from);
  void OnTargetEnded(GatewayCall* call, absl::Status status);
  void OnEnded(GatewayCall* call, absl::Status status);
  // True if the call that ended so is now asking for what there is here.
  bool StartStale(GatewayCall* call, const absl::Status& status);
  void Finish(GatewayCall* call, absl::Status status);
  void Annotate(GatewayCall* call);

  // A dispatcher may still be returning from the callback of its last request when that request's
  // reference to the state goes; so the last few states stay alive.
  static constexpr size_t kStatesKept = 4;

  const Clock* clock_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const GatewayState> state_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<const GatewayState>> replaced_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace homeport
