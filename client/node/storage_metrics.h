// What a replica and its links count, for Prometheus.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "prometheus/collectable.h"
#include "storage/engine/rocksdb/scrub.h"
#include "storage/link/link_manager.h"
#include "storage/link/replication_service.h"
#include "storage/replica/replica.h"

namespace homeport {

// Reads the numbers when they are asked for. What it is given must outlive it.
class StorageMetrics final : public prometheus::Collectable {
 public:
  StorageMetrics(const Replica* replica, const LinkManager* links,
                 const ReplicationService* service, const Scrub* scrub, std::string data_path)
      : replica_(replica),
        links_(links),
        service_(service),
        scrub_(scrub),
        data_path_(std::move(data_path)) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const Replica* replica_;
  const LinkManager* links_;
  const ReplicationService* service_;
  const Scrub* scrub_;
  const std::string data_path_;
};

}  // namespace homeport
