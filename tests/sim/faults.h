// What goes wrong in a run: a list that is drawn beforehand, so that any part of it can be left
// out.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/random.h"
#include "tests/sim/shape.h"

namespace homeport::sim {

struct Fault {
  enum class Kind {
    kCutBoth,          // both streams between two replicas end and stay down
    kCutOneWay,        // only what `b` pulls from `a`
    kFlap,             // streams between two replicas end again and again
    kIsolate,          // a region is cut off from all others
    kSlow,             // a link takes `amount` times as long
    kBreakStreams,     // streams of a replica end once, and come again
    kCrash,            // the process dies
    kPowerCut,         // so does what was not synced, all of it or but `amount` batches
    kCrashInRecovery,  // the process dies and its next starts fail
    kWipeDisk,         // the disk is replaced by an empty one
    kRestoreDisk,      // the disk is replaced by a copy as of the fault's begin
    kDiskFull,         // no more than `amount` bytes fit
    kWriteError,       // the write after `amount` others fails; lost, or kept unsynced
    kReadError,        // the read after `amount` others fails
    kClockJump,        // the wall clock jumps
    kClockDrift,       // the clocks run at another rate
    kPause,            // the process stands still
    kRepeat,           // a link carries messages twice, the second time late
    kStartAhead,       // the process dies, and starts with a clock that is ahead by `amount`
  };
  static constexpr int kKinds = 19;

  Kind kind;
  Micros at = 0;
  Micros duration = 0;
  int a = 0;  // a replica; kIsolate: a region
  int b = 0;  // another replica
  int64_t amount = 0;
  bool keep = false;  // kWriteError: the write is on the disk nevertheless

  std::string Describe(const Shape& shape) const;
};

const char* FaultName(Fault::Kind kind);

// In the order of time.
std::vector<Fault> DrawFaults(Random random, const Shape& shape);

// How many kinds the list has.
int FaultKinds(const std::vector<Fault>& faults);

}  // namespace homeport::sim
