// What replies say, in words for people. The words are not stable; scripts use JSON.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/message.h"
#include "google/protobuf/timestamp.pb.h"
#include "homeport/v1/admin.pb.h"
#include "homeport/v1/consistency.pb.h"
#include "homeport/v1/locator.pb.h"

namespace homeport {

absl::Duration DurationOf(const google::protobuf::Duration& duration);

// Three digits that matter, and a unit: "1.24 ms", "93.0 ms", "12.4 s", "5 min", "3 h", "500 days".
std::string Describe(absl::Duration duration);
// "1.2 KiB", "17 B".
std::string DescribeBytes(uint64_t bytes);
// "nearest", "failover", ...
std::string Describe(v1::RouteReason reason);
std::string Describe(v1::ConsistencyLevel level);
std::string Describe(v1::PlaceSource source);
std::string Describe(v1::LinkState state);
// "2026-11-22 18:03:07.123456 +0 by 00000000deadbeef"; "none" for no write.
std::string Describe(const v1::Version& version);
// "2026-11-22 18:03:07.123456", in UTC.
std::string Describe(const google::protobuf::Timestamp& time);
// One line: replica, reason, level, age, and a nearer gateway if there is one.
std::string Describe(const v1::Provenance& provenance);
// "Frankfurt, HE, DE (50.11, 8.68)", as far as it is known; "unknown".
std::string Describe(const v1::Place& place);

// Code and reason, message, and metadata, a line each.
std::string DescribeError(const absl::Status& status);

// The message as JSON with the field names of the protos, all fields present, on several lines.
std::string ToJson(const google::protobuf::Message& message);

}  // namespace homeport
