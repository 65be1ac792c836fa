// The options of gateway and storage: what each may be, and what it is when the file is silent.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "homeport/internal/v1/topology.pb.h"

namespace homeport {

// A google.protobuf.Duration field; `field` is its name in the schema.
struct DurationOption {
  absl::string_view field;
  absl::Duration standard;
  absl::Duration min;
  absl::Duration max;
};

// A uint32 or uint64 field.
struct NumberOption {
  absl::string_view field;
  uint64_t standard;
  uint64_t min;
  uint64_t max;
};

// True if a number of this name is a size, which has a unit in the file: `batch_bytes`,
// `log_bytes_max`, `seed_bytes_per_second`.
bool IsSize(absl::string_view field);

// Every option of one message. A test holds that each field of the schema has its row.
struct OptionTable {
  absl::Span<const DurationOption> durations;
  absl::Span<const NumberOption> numbers;
};

// Of GatewayOptions and of StorageOptions.
const OptionTable& GatewayOptionTable();
const OptionTable& StorageOptionTable();

// The option's value, or its default if `options` does not have it. `options` must be of the
// message that the table is for.
absl::Duration EffectiveDuration(const google::protobuf::Message& options,
                                 const DurationOption& option);
uint64_t EffectiveNumber(const google::protobuf::Message& options, const NumberOption& option);

// Writes the default of every option that `options` does not have.
void FillDefaults(const OptionTable& table, google::protobuf::Message& options);

// The duration; beyond what absl::Duration can say, infinite.
absl::Duration ToAbslDuration(const google::protobuf::Duration& duration);
// For a finite duration.
void ToProtoDuration(absl::Duration duration, google::protobuf::Duration& out);

}  // namespace homeport
