#include "gateway/server/gateway.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/status/error.h"
#include "common/topology/option_ranges.h"
#include "gateway/route/freshness_order.h"
#include "gateway/route/isolation.h"
#include "gateway/server/route_words.h"

namespace homeport {
namespace {

using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

// What planning needs of a request, whatever its kind.
struct RequestOutline {
  absl::string_view name_space;
  v1::Operation operation;
  v1::RegionChoice region_choice;
  bool local_only;
};

template <typename Request>
RequestOutline OutlineAs(const Request& request, v1::Operation operation) {
  return {request.namespace_(), operation, request.options().region_choice(),
          request.options().local_only()};
}

RequestOutline OutlineOf(const StoreRequest& request) {
  switch (request.operation_case()) {
    case StoreRequest::kGet:
      return OutlineAs(request.get(), v1::OPERATION_READ);
    case StoreRequest::kBatchGet:
      return OutlineAs(request.batch_get(), v1::OPERATION_READ);
    case StoreRequest::kMutate:
      return OutlineAs(request.mutate(), v1::OPERATION_WRITE);
    case StoreRequest::kListItems:
      return OutlineAs(request.list_items(), v1::OPERATION_READ);
    default:
      return OutlineAs(request.list_records(), v1::OPERATION_READ);
  }
}

// The options of a read; null for a write. One that has none gets the default's.
const v1::ReadOptions* ReadOptionsOf(const StoreRequest& request) {
  switch (request.operation_case()) {
    case StoreRequest::kGet:
      return &request.get().options();
    case StoreRequest::kBatchGet:
      return &request.batch_get().options();
    case StoreRequest::kListItems:
      return &request.list_items().options();
    case StoreRequest::kListRecords:
      return &request.list_records().options();
    default:
      return nullptr;
  }
}

// The options of a read; null for a write.
v1::ReadOptions* MutableReadOptions(StoreRequest* request) {
  switch (request->operation_case()) {
    case StoreRequest::kGet:
      return request->mutable_get()->mutable_options();
    case StoreRequest::kBatchGet:
      return request->mutable_batch_get()->mutable_options();
    case StoreRequest::kListItems:
      return request->mutable_list_items()->mutable_options();
    case StoreRequest::kListRecords:
      return request->mutable_list_records()->mutable_options();
    default:
      return nullptr;
  }
}

// A replica takes a level that is not stated as SESSION, so another default of the namespace is
// written into the request: the answer then does not depend on which topology the replica has.
void ApplyDefaultLevel(const NamespaceInfo& name_space, StoreRequest* request) {
  if (name_space.default_consistency == v1::CONSISTENCY_LEVEL_SESSION) return;
  v1::ReadOptions* options = MutableReadOptions(request);
  if (options != nullptr && options->consistency() == v1::CONSISTENCY_LEVEL_UNSPECIFIED) {
    options->set_consistency(name_space.default_consistency);
  }
}

v1::Provenance* MutableProvenance(StoreResponse* response) {
  switch (response->result_case()) {
    case StoreResponse::kGet:
      return response->mutable_get()->mutable_provenance();
    case StoreResponse::kBatchGet:
      return response->mutable_batch_get()->mutable_provenance();
    case StoreResponse::kMutate:
      return response->mutable_mutate()->mutable_provenance();
    case StoreResponse::kListItems:
      return response->mutable_list_items()->mutable_provenance();
    case StoreResponse::kListRecords:
      return response->mutable_list_records()->mutable_provenance();
    case StoreResponse::RESULT_NOT_SET:
      break;
  }
  return nullptr;
}

// What the call's state knows of replicas, with the request's deadline.
FreshnessFacts FreshnessFactsOf(const GatewayCall& call, const NamespaceInfo& name_space,
                                const HealthSnapshot& health, SteadyTime now) {
  FreshnessFacts facts;
  facts.topology = &call.state->router->topology();
  facts.name_space = &name_space;
  facts.gateway = call.state->router->gateway();
  facts.health = &health;
  facts.now = now;
  facts.deadline = call.context.deadline;
  facts.freshness = [state = call.state.get()](Target target) {
    return state->dispatcher->FreshnessOf(target);
  };
  return facts;
}

// True if a later target may succeed where one ended so.
bool MayGoOn(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kDeadlineExceeded ||
         status.code() == absl::StatusCode::kResourceExhausted;
}

// While the region is isolated nothing new comes to it, so a read is not held up for long before it
// gets what there is.
constexpr absl::Duration kIsolatedWait = absl::Milliseconds(200);

// Whether a read may be refused for being behind.
bool AsksForMore(const NamespaceInfo& name_space, const v1::ReadOptions& options) {
  const v1::ConsistencyLevel level = options.consistency() == v1::CONSISTENCY_LEVEL_UNSPECIFIED
                                         ? name_space.default_consistency
                                         : options.consistency();
  return level == v1::CONSISTENCY_LEVEL_SESSION || level == v1::CONSISTENCY_LEVEL_BOUNDED;
}

absl::Duration DefaultDeadline(const Topology& topology) {
  const auto& deadline = topology.proto().gateway().default_deadline();
  return absl::Seconds(deadline.seconds()) + absl::Nanoseconds(deadline.nanos());
}

}  // namespace

Gateway::Gateway(const Clock* clock, std::shared_ptr<const GatewayState> state)
    : clock_(clock), state_(std::move(state)) {
  absl::MutexLock lock(&mutex_);
  HP_CHECK(state_ != nullptr);
}

void Gateway::SetState(std::shared_ptr<const GatewayState> state) {
  HP_CHECK(state != nullptr);
  std::shared_ptr<const GatewayState> dropped;  // destroyed outside the lock
  absl::MutexLock lock(&mutex_);
  replaced_.push_back(std::move(state_));
  state_ = std::move(state);
  if (replaced_.size() > kStatesKept) {
    dropped = std::move(replaced_.front());
    replaced_.pop_front();
  }
}

std::shared_ptr<const GatewayState> Gateway::state() const {
  absl::MutexLock lock(&mutex_);
  return state_;
}

IpAddress Gateway::ClientAddress(const GatewayState& state, const Caller& caller) {
  const absl::StatusOr<IpAddress> peer = ParseGrpcPeer(caller.peer);
  if (!peer.ok()) return IpAddress();
  // Headers are copied only when they count.
  if (!state.addresses->Trusts(*peer)) return *peer;
  HeaderList headers;
  caller.headers(headers);
  return state.addresses->Resolve(*peer, headers);
}

void Gateway::Execute(const Caller& caller, GatewayCall* call) {
  if (absl::Status status = ValidateRequest(*call->request, call->form); !status.ok()) {
    return Finish(call, std::move(status));
  }
  call->state = state();
  const GatewayState& state = *call->state;
  const Topology& topology = state.router->topology();

  const RequestOutline outline = OutlineOf(*call->request);
  const NamespaceInfo* name_space = topology.FindNamespace(outline.name_space);
  if (name_space == nullptr) {
    return Finish(call, MakeError(absl::StatusCode::kNotFound, reason::kNamespaceUnknown,
                                  absl::StrCat("namespace \"", outline.name_space,
                                               "\" is not in the topology"),
                                  {{"namespace", std::string(outline.name_space)}}));
  }
  if (call->request->has_mutate()) {
    // Here and not only where it is stored: the caller's name of the field is known here.
    if (absl::Status status =
            ValidateItemTypes(call->request->mutate(), name_space->item_type, call->form);
        !status.ok()) {
      return Finish(call, std::move(status));
    }
  }
  ApplyDefaultLevel(*name_space, call->request);

  call->client = ClientAddress(state, caller);
  call->place = state.locator->Locate(call->client);

  const SteadyTime now = clock_->SteadyNow();
  RequestFacts facts;
  facts.name_space = name_space;
  facts.operation = outline.operation;
  facts.region_choice = outline.region_choice;
  facts.local_only = outline.local_only;
  facts.place = &call->place;
  if (call->context.deadline == absl::InfiniteDuration()) {
    call->context.deadline = now + DefaultDeadline(topology);
  }
  call->targets = nullptr;
  if (const v1::ReadOptions* read = ReadOptionsOf(*call->request);
      read != nullptr && !read->targets().empty()) {
    call->targets = std::make_unique<TargetRun>();
    call->targets->targets.assign(read->targets().begin(), read->targets().end());
    call->targets->facts = facts;
    call->targets->started = now;
    // A replica is asked for one level.
    MutableReadOptions(call->request)->clear_targets();
    return StartTarget(call, 0);
  }
  const std::shared_ptr<const HealthSnapshot> health = state.health->Snapshot(now);
  absl::StatusOr<Plan> plan = state.router->MakePlan(facts, *health);
  if (!plan.ok()) return Finish(call, plan.status());
  call->preferred_region = plan->preferred_region;

  const v1::ReadOptions* options = ReadOptionsOf(*call->request);
  if (options != nullptr && options->consistency() == v1::CONSISTENCY_LEVEL_BOUNDED) {
    FreshnessFacts freshness = FreshnessFactsOf(*call, *name_space, *health, now);
    freshness.max_staleness = ToAbslDuration(options->max_staleness());
    OrderByFreshness(freshness, *plan);
  }
  CallContext context = call->context;
  call->stale = nullptr;
  if (name_space->serve_stale_when_isolated && options != nullptr &&
      AsksForMore(*name_space, *options)) {
    call->stale = std::make_unique<StaleRun>();
    call->stale->facts = facts;
    call->stale->was_isolated =
        IsIsolated(*name_space, state.router->gateway().self_region, *health);
    if (call->stale->was_isolated) {
      context.deadline = std::min(context.deadline, now + kIsolatedWait);
    }
  }
  state.dispatcher->Dispatch(*std::move(plan), context, *call->request, call->response,
                             [this, call](absl::Status status, const DispatchResult& result) {
                               call->result = result;
                               OnEnded(call, std::move(status));
                             });
}

void Gateway::OnEnded(GatewayCall* call, absl::Status status) {
  if (StaleRun* stale = call->stale.get()) {
    if (!status.ok() && stale->refusal.ok() && StartStale(call, status)) return;
    call->result.attempts += stale->attempts;
    // Why it was refused says more than that there is nothing either.
    if (!status.ok() && !stale->refusal.ok()) status = std::move(stale->refusal);
  }
  if (status.ok()) Annotate(call);
  Finish(call, std::move(status));
}

bool Gateway::StartStale(GatewayCall* call, const absl::Status& status) {
  if (status.code() != absl::StatusCode::kUnavailable &&
      status.code() != absl::StatusCode::kDeadlineExceeded) {
    return false;
  }
  StaleRun& stale = *call->stale;
  const GatewayState& state = *call->state;
  const int self = state.router->gateway().self_region;
  const SteadyTime now = clock_->SteadyNow();
  if (now >= call->context.deadline) return false;
  const std::shared_ptr<const HealthSnapshot> health = state.health->Snapshot(now);
  if (!stale.was_isolated && !IsIsolated(*stale.facts.name_space, self, *health)) return false;
  const absl::StatusOr<Plan> plan = state.router->MakePlan(stale.facts, *health);
  if (!plan.ok()) return false;
  Plan here = IsolatedPart(*plan, self);
  if (here.attempts.empty()) return false;
  stale.refusal = status;
  stale.attempts = call->result.attempts;
  v1::ReadOptions* options = MutableReadOptions(call->request);
  options->set_consistency(v1::CONSISTENCY_LEVEL_EVENTUAL);
  options->clear_max_staleness();
  call->response->Clear();
  state.dispatcher->Dispatch(std::move(here), call->context, *call->request, call->response,
                             [this, call](absl::Status ended, const DispatchResult& result) {
                               call->result = result;
                               OnEnded(call, std::move(ended));
                             });
  return true;
}

void Gateway::StartTarget(GatewayCall* call, int from) {
  TargetRun& run = *call->targets;
  const GatewayState& state = *call->state;
  const SteadyTime now = clock_->SteadyNow();
  const std::shared_ptr<const HealthSnapshot> health = state.health->Snapshot(now);
  absl::StatusOr<Plan> plan = state.router->MakePlan(run.facts, *health);
  if (!plan.ok()) return Finish(call, plan.status());
  call->preferred_region = plan->preferred_region;
  TargetChoice choice = ChooseTarget(FreshnessFactsOf(*call, *run.facts.name_space, *health, now),
                                     run.targets, from, run.started, *plan);
  run.current = choice.target;

  const v1::ReadTarget& target = run.targets[choice.target];
  v1::ReadOptions* options = MutableReadOptions(call->request);
  options->set_consistency(target.consistency());
  options->clear_max_staleness();
  if (target.has_max_staleness()) *options->mutable_max_staleness() = target.max_staleness();
  call->response->Clear();
  const CallContext context{choice.deadline, call->context.cancellation};
  state.dispatcher->Dispatch(std::move(choice.plan), context, *call->request, call->response,
                             [this, call](absl::Status status, const DispatchResult& result) {
                               call->result = result;
                               OnTargetEnded(call, std::move(status));
                             });
}

void Gateway::OnTargetEnded(GatewayCall* call, absl::Status status) {
  TargetRun& run = *call->targets;
  run.attempts += call->result.attempts;
  call->result.attempts = run.attempts;
  const bool is_last = run.current + 1 == static_cast<int>(run.targets.size());
  const bool cancelled =
      call->context.cancellation != nullptr && call->context.cancellation->cancelled();
  if (!status.ok() && MayGoOn(status) && !is_last && !cancelled &&
      clock_->SteadyNow() < call->context.deadline) {
    return StartTarget(call, run.current + 1);
  }
  if (status.ok()) {
    Annotate(call);
    if (v1::Provenance* provenance = MutableProvenance(call->response)) {
      const int met = TargetMet(run.targets, *provenance, clock_->SteadyNow() - run.started);
      provenance->set_target_met(met);
      if (met > 0) provenance->set_level_met(run.targets[met - 1].consistency());
    }
  }
  Finish(call, std::move(status));
}

void Gateway::Annotate(GatewayCall* call) {
  const DispatchResult& result = call->result;
  v1::Provenance* provenance = MutableProvenance(call->response);
  if (provenance == nullptr) {
    HP_BUG("a store answered without a result");
    return;
  }
  const Router& router = *call->state->router;
  const Topology& topology = router.topology();
  const int self = router.gateway().self_region;
  provenance->set_reason(result.reason);
  provenance->set_detail(RouteInWords(topology, call->place, call->preferred_region, result));
  provenance->set_gateway_region(topology.regions()[self].name.value());
  provenance->set_attempts(result.attempts);

  // Where this region is the nearest of those that hold the namespace, any other gateway would only
  // forward the request to here.
  const bool nearest_is_here =
      call->preferred_region == self &&
      (result.reason == v1::ROUTE_REASON_NEAREST || result.reason == v1::ROUTE_REASON_RULE);
  if (nearest_is_here) return;
  const auto [nearest, why] = router.PreferredRegion(call->place);
  if (nearest == self || (why != v1::ROUTE_REASON_NEAREST && why != v1::ROUTE_REASON_RULE)) {
    return;
  }
  const std::vector<std::string>& gateways = topology.regions()[nearest].gateways;
  if (!gateways.empty()) provenance->set_nearest_gateway(gateways.front());
}

void Gateway::Finish(GatewayCall* call, absl::Status status) {
  // `call` may be gone, or in use again, as soon as `done` has run.
  absl::AnyInvocable<void(absl::Status)> done = std::move(call->done);
  done(std::move(status));
}

}  // namespace homeport
