#include "client/text/report.h"

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

template <typename T>
T Parse(const char* text) {
  T message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

TEST(ReportTest, StatusShowsRegionsLinksAndLagAtAGlance) {
  const auto response = Parse<v1::GetStatusResponse>(R"pb(
    cluster: "world"
    region: "us-east-1"
    version: "0.1.0"
    topology_fingerprint: "abcd"
    regions {
      name: "us-east-1"
      is_self: true
      gateways: "127.0.0.1:1"
      replicas { name: "us-east-1/a" health: "healthy" }
    }
    regions {
      name: "sa-east-1"
      gateways: "127.0.0.1:2"
      replicas {
        name: "sa-east-1/a"
        health: "ejected"
        reason: "5 failures in a row"
        round_trip { nanos: 115000000 }
        round_trip_measured: true
      }
    }
    regions { name: "edge" gateways: "127.0.0.1:3" }
    replica {
      name: "us-east-1/a"
      origin: 255
      disk_bytes: 2048
      positions { origin: 255 applied: 12 }
      links {
        peer: "sa-east-1/a"
        state: LINK_STATE_CATCHING_UP
        lag { seconds: 3 }
        lag_entries: 40
        entries_received: 7
        bytes_received: 1536
        verified_age { seconds: 12 }
      }
      links { peer: "eu-central-1/a" state: LINK_STATE_CONNECTING reason: "connection refused" }
    }
    databases {
      path: "x.mmdb"
      type: "Country"
      age { seconds: 864000 }
      credit: "DB-IP"
    }
    warnings: "one region away"
  )pb");
  EXPECT_EQ(DescribeStatus(response, false),
            "cluster world, seen from us-east-1, version 0.1.0, topology abcd\n"
            "\n"
            "REGION       REPLICA      HEALTH   ROUND TRIP  GATEWAY      NOTE\n"
            "us-east-1 *  us-east-1/a  healthy              127.0.0.1:1\n"
            "sa-east-1    sa-east-1/a  ejected      115 ms  127.0.0.1:2  5 failures in a row\n"
            "edge         none                              127.0.0.1:3\n"
            "\n"
            "FROM            STATE            LAG  ENTRIES BEHIND  RECEIVED    BYTES  "
            "   RECORDS THAT DIFFER  NOTE\n"
            "sa-east-1/a     catching up   3.00 s              40         7  1.5 KiB  "
            "0, verified 12.0 s ago\n"
            "eu-central-1/a  connecting   unknown               0         0      0 B  "
            "      not verified yet  connection refused\n"
            "\n"
            "replica us-east-1/a: origin 00000000000000ff, 12 entries, 2.0 KiB on disk\n"
            "geo: x.mmdb, Country, 10 days old; DB-IP\n"
            "warning: one region away\n");
}

TEST(ReportTest, ALocationNamesItsSourceAndTheDatabasesAge) {
  const auto response = Parse<v1::LocateResponse>(R"pb(
    address: "8.8.8.8"
    place { country: "US" latitude: 38.9 longitude: -92.72 country_point: true }
    source: PLACE_SOURCE_DATABASE
    database {
      path: "x.mmdb"
      age { seconds: 864000 }
      credit: "IP Geolocation by DB-IP"
    }
    region: "us-east-1"
    reason: ROUTE_REASON_NEAREST
  )pb");
  EXPECT_EQ(DescribeLocation(response),
            "8.8.8.8: US (38.90, -92.72, the country's point)\n"
            "  source: database\n"
            "  database: x.mmdb, 10 days old; IP Geolocation by DB-IP\n"
            "  region: us-east-1 (nearest)\n");
}

TEST(ReportTest, ARouteShowsEachCandidateAndWhy) {
  const auto response = Parse<v1::ExplainRouteResponse>(R"pb(
    client {
      address: "8.8.8.8"
      place { country: "US" }
      region: "us-east-1"
      source: PLACE_SOURCE_DATABASE
      reason: ROUTE_REASON_NEAREST
    }
    route: "failover(nearest(us-east-1, sa-east-1))"
    candidates {
      region: "us-east-1"
      replica: "us-east-1/a"
      distance_km: 1320.4
      round_trip { nanos: 400000 }
      round_trip_measured: true
      order: 1
      why: "nearest"
      health: "healthy"
    }
    candidates {
      region: "sa-east-1"
      replica: "sa-east-1/a"
      round_trip { nanos: 115000000 }
      why: "does not hold the namespace"
      health: "unknown"
    }
  )pb");
  EXPECT_EQ(DescribeRoute(response, false),
            "8.8.8.8: US\n"
            "  source: database\n"
            "  region: us-east-1 (nearest)\n"
            "route: failover(nearest(us-east-1, sa-east-1))\n"
            "TRY  REPLICA      DISTANCE  ROUND TRIP  HEALTH   WHY\n"
            "  1  us-east-1/a   1320 km      400 us  healthy  nearest\n"
            "  -  sa-east-1/a               ~115 ms  unknown  does not hold the namespace\n");
}

}  // namespace
}  // namespace homeport
