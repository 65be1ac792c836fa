// Whether the process, its services and the regions behind it can be used; for health checks.
#pragma once

#include <atomic>

#include "absl/strings/string_view.h"
#include "gateway/server/gateway.h"

namespace homeport {

// Names that grpc.health.v1 knows: "" (the process), "homeport.v1.KeyValue", "homeport.v1.Locator",
// "homeport.v1.Admin", and "region/<name>" for each region with replicas. Thread-safe.
class ServingState {
 public:
  enum class Answer {
    kServing,
    kNotServing,
    kUnknown,    // nothing was heard of the region yet
    kNoService,  // there is no such name
  };

  // `gateway` must outlive this.
  explicit ServingState(const Gateway* gateway) : gateway_(gateway) {}

  // From now on nothing serves. Can not be taken back.
  void BeginDrain() { draining_.store(true, std::memory_order_release); }
  bool draining() const { return draining_.load(std::memory_order_acquire); }

  // A region serves when one of its replicas is healthy. The replica of this process counts as
  // heard of.
  Answer Of(absl::string_view name) const;

 private:
  Answer OfRegion(absl::string_view region) const;

  const Gateway* gateway_;
  std::atomic<bool> draining_{false};
};

}  // namespace homeport
