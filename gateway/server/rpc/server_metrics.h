// What the public server counts.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "gateway/dispatch/dispatcher.h"
#include "homeport/v1/consistency.pb.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace homeport {

// Counters by method, code and reason; latencies by method; routes by reason. Thread-safe. A
// success costs no look-up: its counters are made beforehand.
//
//   homeport_gateway_requests_total{method,code,reason}
//   homeport_gateway_request_seconds{method}
//   homeport_gateway_requests_in_flight
//   homeport_gateway_routes_total{reason}
//   homeport_gateway_retries_total, homeport_gateway_retries_denied_total
class ServerMetrics {
 public:
  // One method's share. Lives as long as the metrics.
  struct Method {
    std::string name;
    prometheus::Counter* ok;
    prometheus::Histogram* seconds;
  };

  explicit ServerMetrics(std::shared_ptr<prometheus::Registry> registry);

  Method AddMethod(const std::string& name);
  // A request of `method` ended.
  void Observe(const Method& method, const absl::Status& status, absl::Duration latency);
  void ObserveRoute(v1::RouteReason reason);
  // What a request cost that was answered or not.
  void ObserveRetries(const DispatchResult& result) {
    if (result.retries > 0) retries_->Increment(result.retries);
    if (result.retry_denied) retries_denied_->Increment();
  }
  prometheus::Gauge& in_flight() { return *in_flight_; }

 private:
  // Pairs of method and error that get a counter of their own; reasons can come from other
  // processes, so their number must have a bound. The rest counts under the reason "OTHER".
  static constexpr size_t kErrorCountersMax = 512;

  prometheus::Counter& ErrorCounter(const Method& method, const absl::Status& status);

  std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  prometheus::Gauge* in_flight_;
  prometheus::Counter* retries_;
  prometheus::Counter* retries_denied_;
  std::array<prometheus::Counter*, v1::RouteReason_ARRAYSIZE> routes_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, prometheus::Counter*> errors_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace homeport
