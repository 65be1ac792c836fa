#include "common/topology/option_ranges.h"

#include <string>

#include "absl/strings/match.h"
#include "common/base/check.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace homeport {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr uint64_t kGiB = 1024 * kMiB;
constexpr uint64_t kTiB = 1024 * kGiB;

constexpr DurationOption kGatewayDurations[] = {
    {"default_deadline", absl::Seconds(5), absl::Milliseconds(10), absl::Seconds(60)},
    {"ejection_time", absl::Seconds(1), absl::Milliseconds(10), absl::Seconds(60)},
    {"drain_delay", absl::Seconds(1), absl::ZeroDuration(), absl::Seconds(60)},
    {"ping_interval", absl::Milliseconds(500), absl::Milliseconds(10), absl::Seconds(60)},
};
constexpr NumberOption kGatewayNumbers[] = {
    {"ejection_failures", 5, 1, 1000},
    {"attempts_max", 3, 1, 10},
};

constexpr DurationOption kStorageDurations[] = {
    {"heartbeat_interval", absl::Milliseconds(500), absl::Milliseconds(10), absl::Seconds(60)},
    {"clock_drift_max", absl::Milliseconds(500), absl::Milliseconds(1), absl::Minutes(10)},
    {"request_id_window", absl::Minutes(10), absl::Seconds(1), absl::Hours(24)},
    {"log_age_max", absl::Hours(72), absl::Seconds(10), absl::Hours(8760)},
    {"compare_interval", absl::Seconds(10), absl::Milliseconds(100), absl::Hours(24)},
};
constexpr NumberOption kStorageNumbers[] = {
    {"batch_bytes", 256 * kKiB, kKiB, 4 * kMiB},
    {"credit_bytes", 32 * kMiB, 64 * kKiB, kGiB},
    {"disk_reserve_bytes", 64 * kMiB, kMiB, kTiB},
    {"log_bytes_max", 8 * kGiB, kMiB, 16 * kTiB},
    {"seed_bytes_per_second", 64 * kMiB, 64 * kKiB, 16 * kGiB},
    {"conflict_journal_bytes", 64 * kMiB, 64 * kKiB, kTiB},
};

const FieldDescriptor* FieldOf(const Message& message, absl::string_view name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(std::string(name));
  HP_CHECK(field != nullptr);
  return field;
}

}  // namespace

const OptionTable& GatewayOptionTable() {
  static constexpr OptionTable kTable{kGatewayDurations, kGatewayNumbers};
  return kTable;
}

const OptionTable& StorageOptionTable() {
  static constexpr OptionTable kTable{kStorageDurations, kStorageNumbers};
  return kTable;
}

bool IsSize(absl::string_view field) { return absl::StrContains(field, "_bytes"); }

absl::Duration ToAbslDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

void ToProtoDuration(absl::Duration duration, google::protobuf::Duration& out) {
  HP_CHECK(duration > -absl::InfiniteDuration() && duration < absl::InfiniteDuration());
  out.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  out.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
}

absl::Duration EffectiveDuration(const Message& options, const DurationOption& option) {
  const FieldDescriptor* field = FieldOf(options, option.field);
  if (!options.GetReflection()->HasField(options, field)) return option.standard;
  return ToAbslDuration(static_cast<const google::protobuf::Duration&>(
      options.GetReflection()->GetMessage(options, field)));
}

uint64_t EffectiveNumber(const Message& options, const NumberOption& option) {
  const FieldDescriptor* field = FieldOf(options, option.field);
  const auto* reflection = options.GetReflection();
  if (!reflection->HasField(options, field)) return option.standard;
  return field->cpp_type() == FieldDescriptor::CPPTYPE_UINT32
             ? reflection->GetUInt32(options, field)
             : reflection->GetUInt64(options, field);
}

void FillDefaults(const OptionTable& table, Message& options) {
  const auto* reflection = options.GetReflection();
  for (const DurationOption& option : table.durations) {
    const FieldDescriptor* field = FieldOf(options, option.field);
    const absl::Duration value = EffectiveDuration(options, option);
    ToProtoDuration(value, static_cast<google::protobuf::Duration&>(
                               *reflection->MutableMessage(&options, field)));
  }
  for (const NumberOption& option : table.numbers) {
    const FieldDescriptor* field = FieldOf(options, option.field);
    const uint64_t value = EffectiveNumber(options, option);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
      reflection->SetUInt32(&options, field, static_cast<uint32_t>(value));
    } else {
      reflection->SetUInt64(&options, field, value);
    }
  }
}

}  // namespace homeport
