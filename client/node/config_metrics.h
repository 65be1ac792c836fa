// What was reloaded and what was refused, for Prometheus.
#pragma once

#include <vector>

#include "common/topology/yaml/topology_watcher.h"
#include "gateway/geo/mmdb/geo_reloader.h"
#include "prometheus/collectable.h"

namespace homeport {

// Reads the numbers when they are asked for. What it is given must outlive it.
class ConfigMetrics final : public prometheus::Collectable {
 public:
  ConfigMetrics(const TopologyWatcher* watcher, const GeoReloader* geo)
      : watcher_(watcher), geo_(geo) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const TopologyWatcher* watcher_;
  const GeoReloader* geo_;
};

}  // namespace homeport
