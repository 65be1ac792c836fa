// A damaged store is moved aside, into its own data directory: the directory itself may be a mount
// point, and whoever cares for one finds what was in it there.
//
// `damaged-000001` and so on hold what was moved, the greatest number last. A store that was found
// damaged while it was in use carries a file DAMAGED that says by what, until it is moved. A move
// that a crash interrupts is finished by the next.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace homeport {

// The file that marks a store as damaged.
inline constexpr char kDamagedName[] = "DAMAGED";
// Stores that are kept aside at most; the oldest goes when one more is moved.
inline constexpr int kQuarantinedMax = 2;

// Marks the store in `path`; durable on return. The errors of the disk.
absl::Status MarkDamaged(const std::string& path, const absl::Status& damage);

// OK, or DATA_LOSS with what the mark says; also when a move aside was interrupted.
absl::Status CheckNotMarked(const std::string& path);

struct Quarantined {
  std::string directory;             // where the store is now
  std::vector<std::string> removed;  // stores moved aside earlier that had to go
};

// Moves every file of the store in `path` aside, so that an empty store can be begun there; the
// ballast stays. FAILED_PRECONDITION: in use by another process; nothing was moved. Else the errors
// of the disk: what was moved so far stays moved, and the next call goes on.
absl::StatusOr<Quarantined> Quarantine(const std::string& path);

// What is kept aside in `path`, oldest first: full paths.
std::vector<std::string> ListQuarantined(const std::string& path);

}  // namespace homeport
