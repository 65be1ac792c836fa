#include "client/text/describe.h"

#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/base/check.h"
#include "common/status/error.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/error_details.pb.h"

namespace homeport {
namespace {

// "ROUTE_REASON_GATEWAY_REGION" becomes "gateway region".
std::string EnumWords(absl::string_view name, absl::string_view prefix) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(absl::StripPrefix(name, prefix)), {{"_", " "}});
}

std::string ThreeDigits(double value, absl::string_view unit) {
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return absl::StrFormat("%.*f %s", decimals, value, unit);
}

}  // namespace

absl::Duration DurationOf(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

std::string Describe(absl::Duration duration) {
  if (duration < absl::ZeroDuration()) return absl::StrCat("-", Describe(-duration));
  if (duration == absl::ZeroDuration()) return "0 ms";
  if (duration < absl::Microseconds(999.5)) {
    return ThreeDigits(absl::ToDoubleMicroseconds(duration), "us");
  }
  if (duration < absl::Milliseconds(999.5)) {
    return ThreeDigits(absl::ToDoubleMilliseconds(duration), "ms");
  }
  if (duration < absl::Seconds(120)) return ThreeDigits(absl::ToDoubleSeconds(duration), "s");
  if (duration < absl::Hours(2)) return absl::StrCat(absl::ToInt64Minutes(duration), " min");
  if (duration < absl::Hours(48)) return absl::StrCat(absl::ToInt64Hours(duration), " h");
  return absl::StrCat(absl::ToInt64Hours(duration) / 24, " days");
}

std::string DescribeBytes(uint64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes);
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, units[unit]);
}

std::string Describe(v1::RouteReason reason) {
  return EnumWords(v1::RouteReason_Name(reason), "ROUTE_REASON_");
}

std::string Describe(v1::ConsistencyLevel level) {
  return EnumWords(v1::ConsistencyLevel_Name(level), "CONSISTENCY_LEVEL_");
}

std::string Describe(v1::PlaceSource source) {
  return EnumWords(v1::PlaceSource_Name(source), "PLACE_SOURCE_");
}

std::string Describe(v1::LinkState state) {
  return EnumWords(v1::LinkState_Name(state), "LINK_STATE_");
}

std::string Describe(const v1::Version& version) {
  if (version.hybrid_time() == 0) return "none";
  const absl::Time at = absl::FromUnixMicros(static_cast<int64_t>(version.hybrid_time() >> 12));
  return absl::StrFormat("%s +%d by %016x",
                         absl::FormatTime("%Y-%m-%d %H:%M:%E6S", at, absl::UTCTimeZone()),
                         version.hybrid_time() & 0xFFF, version.origin());
}

std::string Describe(const google::protobuf::Timestamp& time) {
  const absl::Time at = absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  return absl::FormatTime("%Y-%m-%d %H:%M:%E6S", at, absl::UTCTimeZone());
}

std::string Describe(const v1::Provenance& provenance) {
  std::string text = absl::StrCat(provenance.replica(), " (", Describe(provenance.reason()));
  if (provenance.level_met() != v1::CONSISTENCY_LEVEL_UNSPECIFIED) {
    absl::StrAppend(&text, ", ", Describe(provenance.level_met()));
  }
  if (provenance.has_age()) {
    absl::StrAppend(&text, ", age ", Describe(DurationOf(provenance.age())));
    if (!provenance.age_of().empty()) absl::StrAppend(&text, " by ", provenance.age_of());
  }
  if (provenance.gateway_region() != provenance.region() && !provenance.gateway_region().empty()) {
    absl::StrAppend(&text, ", via ", provenance.gateway_region());
  }
  if (provenance.attempts() > 1) absl::StrAppend(&text, ", ", provenance.attempts(), " attempts");
  if (!provenance.nearest_gateway().empty()) {
    absl::StrAppend(&text, ", nearer gateway ", provenance.nearest_gateway());
  }
  return text + ")";
}

std::string Describe(const v1::Place& place) {
  std::vector<std::string> parts;
  for (const std::string& part : {place.city(), place.subdivision(), place.country()}) {
    if (!part.empty()) parts.push_back(part);
  }
  if (parts.empty()) parts.push_back("unknown");
  std::string text = absl::StrJoin(parts, ", ");
  if (place.has_latitude() && place.has_longitude()) {
    absl::StrAppendFormat(&text, " (%.2f, %.2f%s)", place.latitude(), place.longitude(),
                          place.country_point() ? ", the country's point" : "");
  }
  if (place.asn() != 0) absl::StrAppend(&text, ", AS", place.asn());
  if (!place.pinned_region().empty()) {
    absl::StrAppend(&text, ", pinned to ", place.pinned_region());
  }
  return text;
}

std::string DescribeError(const absl::Status& status) {
  const google::rpc::Status rpc = ToRpcStatus(status);
  google::rpc::ErrorInfo info;
  for (const auto& detail : rpc.details()) {
    if (detail.Is<google::rpc::ErrorInfo>()) detail.UnpackTo(&info);
  }
  std::string text = absl::StatusCodeToString(status.code());
  if (!info.reason().empty()) absl::StrAppend(&text, " (", info.reason(), ")");
  absl::StrAppend(&text, ": ", status.message(), "\n");
  // A proto map has no order of its own.
  std::map<std::string, std::string> metadata(info.metadata().begin(), info.metadata().end());
  for (const auto& [name, value] : metadata) absl::StrAppend(&text, "  ", name, ": ", value, "\n");
  return text;
}

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // Fails only for messages with an Any of an unknown type; no reply has one.
  HP_CHECK(google::protobuf::util::MessageToJsonString(message, &json, options).ok());
  return json;
}

}  // namespace homeport
