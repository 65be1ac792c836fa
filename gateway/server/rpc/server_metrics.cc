#include "gateway/server/rpc/server_metrics.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status/error.h"

namespace homeport {
namespace {

const prometheus::Histogram::BucketBoundaries& LatencyBuckets() {
  static const auto& buckets = *new prometheus::Histogram::BucketBoundaries{
      0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
      0.025,   0.05,   0.1,     0.25,   0.5,   1,      2.5,   10};
  return buckets;
}

}  // namespace

ServerMetrics::ServerMetrics(std::shared_ptr<prometheus::Registry> registry)
    : registry_(std::move(registry)),
      requests_(prometheus::BuildCounter()
                    .Name("homeport_gateway_requests_total")
                    .Help("Requests that ended, by method, status code and reason of the error.")
                    .Register(*registry_)),
      seconds_(prometheus::BuildHistogram()
                   .Name("homeport_gateway_request_seconds")
                   .Help("Time from a request's arrival to its answer, by method.")
                   .Register(*registry_)),
      in_flight_(&prometheus::BuildGauge()
                      .Name("homeport_gateway_requests_in_flight")
                      .Help("KeyValue requests that are not answered yet.")
                      .Register(*registry_)
                      .Add({})),
      retries_(&prometheus::BuildCounter()
                    .Name("homeport_gateway_retries_total")
                    .Help("Calls that were sent to a replica after another one had failed.")
                    .Register(*registry_)
                    .Add({})),
      retries_denied_(&prometheus::BuildCounter()
                           .Name("homeport_gateway_retries_denied_total")
                           .Help("Retries that the budget did not allow.")
                           .Register(*registry_)
                           .Add({})) {
  auto& routes = prometheus::BuildCounter()
                     .Name("homeport_gateway_routes_total")
                     .Help("Answered KeyValue requests by the reason of their route.")
                     .Register(*registry_);
  for (int i = 0; i < v1::RouteReason_ARRAYSIZE; ++i) {
    absl::string_view name = v1::RouteReason_Name(static_cast<v1::RouteReason>(i));
    absl::ConsumePrefix(&name, "ROUTE_REASON_");
    routes_[i] = &routes.Add({{"reason", std::string(name)}});
  }
}

ServerMetrics::Method ServerMetrics::AddMethod(const std::string& name) {
  return {name, &requests_.Add({{"method", name}, {"code", "OK"}, {"reason", ""}}),
          &seconds_.Add({{"method", name}}, LatencyBuckets())};
}

void ServerMetrics::Observe(const Method& method, const absl::Status& status,
                            absl::Duration latency) {
  method.seconds->Observe(absl::ToDoubleSeconds(latency));
  if (status.ok()) {
    method.ok->Increment();
  } else {
    ErrorCounter(method, status).Increment();
  }
}

void ServerMetrics::ObserveRoute(v1::RouteReason reason) {
  if (v1::RouteReason_IsValid(reason)) routes_[reason]->Increment();
}

prometheus::Counter& ServerMetrics::ErrorCounter(const Method& method, const absl::Status& status) {
  const std::string code = absl::StatusCodeToString(status.code());
  std::string reason = ReasonOf(status);
  std::string key = absl::StrCat(method.name, " ", code, " ", reason);
  absl::MutexLock lock(&mutex_);
  if (const auto it = errors_.find(key); it != errors_.end()) return *it->second;
  if (errors_.size() >= kErrorCountersMax) {
    return requests_.Add({{"method", method.name}, {"code", code}, {"reason", "OTHER"}});
  }
  prometheus::Counter& counter =
      requests_.Add({{"method", method.name}, {"code", code}, {"reason", std::move(reason)}});
  errors_.emplace(std::move(key), &counter);
  return counter;
}

}  // namespace homeport
