#include "client/node/config_metrics.h"

#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "prometheus/metric_family.h"

namespace homeport {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily Counter(std::string name, std::string help, uint64_t value) {
  ClientMetric metric;
  metric.counter.value = static_cast<double>(value);
  return {std::move(name), std::move(help), MetricType::Counter, {std::move(metric)}};
}

ClientMetric Gauge(double value) {
  ClientMetric metric;
  metric.gauge.value = value;
  return metric;
}

}  // namespace

std::vector<MetricFamily> ConfigMetrics::Collect() const {
  const TopologyWatcher::Counts topology = watcher_->counts();
  const GeoStatus geo = geo_->status();
  std::vector<MetricFamily> families;
  families.push_back(Counter("homeport_topology_changes_taken_total",
                             "Changes of the topology file that came into force.", topology.taken));
  families.push_back(Counter("homeport_topology_changes_refused_total",
                             "Changes of the topology file that did not.", topology.refused));
  families.push_back({"homeport_topology_refused",
                      "1 while the topology file is refused and an earlier one is in force.",
                      MetricType::Gauge,
                      {Gauge(watcher_->refusal().empty() ? 0 : 1)}});
  families.push_back(
      Counter("homeport_geo_loads_total", "GeoIP databases taken into service.", geo.loads));
  families.push_back(Counter("homeport_geo_refusals_total",
                             "GeoIP database files refused: missing, damaged or worse.",
                             geo.refusals));
  MetricFamily ages{"homeport_geo_database_age_seconds",
                    "Age of the data of each GeoIP database in service.",
                    MetricType::Gauge,
                    {}};
  const absl::Time now = absl::Now();
  for (const GeoFileStatus& file : geo.files) {
    if (file.info == nullptr) continue;
    ClientMetric age = Gauge(absl::ToDoubleSeconds(now - file.info->built));
    age.label.push_back({"path", file.path});
    ages.metric.push_back(std::move(age));
  }
  families.push_back(std::move(ages));
  return families;
}

}  // namespace homeport
