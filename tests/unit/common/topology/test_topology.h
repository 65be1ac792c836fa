// A sound topology for tests to damage.
#pragma once

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "homeport/internal/v1/topology.pb.h"

namespace homeport {

// Two regions with a replica each and one of gateways only; one namespace.
inline internal::v1::Topology SoundTopology() {
  internal::v1::Topology topology;
  const bool parsed = google::protobuf::TextFormat::ParseFromString(
      R"pb(
        cluster: "world"
        regions {
          name: "eu-central-1"
          country: "DE"
          latitude: 50.11
          longitude: 8.68
          gateways: "127.0.0.1:7011"
          replicas { name: "a" address: "127.0.0.1:7012" }
        }
        regions {
          name: "us-east-1"
          country: "US"
          latitude: 38.95
          longitude: -77.45
          gateways: "127.0.0.1:7021"
          replicas { name: "a" address: "127.0.0.1:7022" }
          replicas { name: "b" address: "127.0.0.1:7023" }
        }
        regions {
          name: "ap-northeast-1"
          country: "JP"
          latitude: 35.62
          longitude: 139.78
          gateways: "127.0.0.1:7031"
        }
        namespaces { name: "users" }
        round_trips {
          from: "us-east-1"
          to: "eu-central-1"
          round_trip { nanos: 93000000 }
        }
      )pb",
      &topology);
  EXPECT_TRUE(parsed);
  return topology;
}

}  // namespace homeport
