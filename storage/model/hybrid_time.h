// Hybrid time and versions.
//
// After "Logical Physical Clocks and Consistent Snapshots in Globally Distributed Databases"
// (Kulkarni, Demirbas, Madappa, Avva, Leone; 2014), packed as microseconds since the Unix epoch
// times 4096 plus a logical count. The count overflows into the microseconds, which is harmless:
// time then runs ahead by a microsecond.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/base/named_type.h"

namespace homeport {

// A reading of a hybrid logical clock. 0 is before every reading.
using HybridTime = NamedType<uint64_t, struct HybridTimeTag>;

inline constexpr uint64_t kHybridTicksPerMicro = 4096;

// The physical part. The reverse takes logical count 0; times before 1970 become 0.
inline absl::Time ToWallTime(HybridTime time) {
  return absl::FromUnixMicros(static_cast<int64_t>(time.value() / kHybridTicksPerMicro));
}
inline HybridTime FromWallTime(absl::Time time) {
  const int64_t micros = absl::ToUnixMicros(time);
  return HybridTime(micros <= 0 ? 0 : static_cast<uint64_t>(micros) * kHybridTicksPerMicro);
}

// The name of a write in the total order of writes. Default: before every write.
struct Version {
  HybridTime time;
  Origin origin;
  friend bool operator==(const Version&, const Version&) = default;
  friend auto operator<=>(const Version&, const Version&) = default;
};

// The name and the place of an entry.
struct Stamp {
  Version version;
  Sequence sequence;
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

}  // namespace homeport
