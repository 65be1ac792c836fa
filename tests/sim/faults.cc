#include "tests/sim/faults.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"

namespace homeport::sim {

const char* FaultName(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::kCutBoth:
      return "cut";
    case Fault::Kind::kCutOneWay:
      return "cut one way";
    case Fault::Kind::kFlap:
      return "flap";
    case Fault::Kind::kIsolate:
      return "isolate region";
    case Fault::Kind::kSlow:
      return "slow link";
    case Fault::Kind::kBreakStreams:
      return "break streams";
    case Fault::Kind::kCrash:
      return "crash";
    case Fault::Kind::kPowerCut:
      return "power cut";
    case Fault::Kind::kCrashInRecovery:
      return "crash in recovery";
    case Fault::Kind::kWipeDisk:
      return "wipe disk";
    case Fault::Kind::kRestoreDisk:
      return "restore old disk";
    case Fault::Kind::kDiskFull:
      return "disk full";
    case Fault::Kind::kWriteError:
      return "write error";
    case Fault::Kind::kReadError:
      return "read error";
    case Fault::Kind::kClockJump:
      return "clock jump";
    case Fault::Kind::kClockDrift:
      return "clock drift";
    case Fault::Kind::kPause:
      return "pause";
    case Fault::Kind::kRepeat:
      return "repeating link";
    case Fault::Kind::kStartAhead:
      return "start ahead";
  }
  return "?";
}

std::string Fault::Describe(const Shape& shape) const {
  const std::string whom = kind == Kind::kIsolate ? absl::StrCat("r", a) : shape.ReplicaNameOf(a);
  std::string text = absl::StrCat(at / kMilli, " ms: ", FaultName(kind), " ", whom);
  if (kind == Kind::kCutBoth || kind == Kind::kCutOneWay || kind == Kind::kFlap ||
      kind == Kind::kSlow || kind == Kind::kRepeat) {
    absl::StrAppend(&text, " to ", shape.ReplicaNameOf(b));
  }
  absl::StrAppend(&text, " for ", duration / kMilli, " ms, amount ", amount, keep ? ", kept" : "");
  return text;
}

std::vector<Fault> DrawFaults(Random random, const Shape& shape) {
  std::vector<Fault> faults;
  // Some seeds have one kind only, again and again; most have what comes.
  const int count = static_cast<int>(random.Chance(80) ? 0 : random.Between(2, 14));
  const bool one_kind = random.Chance(80);
  const int only = static_cast<int>(random.Below(Fault::kKinds));
  int disks_left = shape.lose_disk ? shape.disks_lost_max : 0;
  for (int i = 0; i < count; ++i) {
    Fault fault;
    fault.kind =
        static_cast<Fault::Kind>(one_kind ? only : static_cast<int>(random.Below(Fault::kKinds)));
    fault.at = random.Between(0, shape.operations_end);
    fault.duration = random.Between(1, 1 + shape.operations_end / 3);
    fault.a = static_cast<int>(random.Below(shape.replicas()));
    fault.b = static_cast<int>(random.Below(shape.replicas() - 1));
    if (fault.b >= fault.a) ++fault.b;
    fault.keep = random.Chance(500);
    fault.amount = random.Between(0, 3);
    switch (fault.kind) {
      case Fault::Kind::kIsolate:
        fault.a = shape.region_of[fault.a];
        break;
      case Fault::Kind::kSlow:
        fault.amount = random.Between(3, 30);
        break;
      case Fault::Kind::kCrash:
      case Fault::Kind::kPowerCut:
      case Fault::Kind::kCrashInRecovery:
        fault.duration = random.Between(0, 500 * kMilli);
        break;
      case Fault::Kind::kWipeDisk:
      case Fault::Kind::kRestoreDisk:
        if (disks_left == 0) continue;
        --disks_left;
        break;
      case Fault::Kind::kDiskFull:
        fault.amount = random.Between(0, 4000);
        break;
      case Fault::Kind::kReadError:
        fault.amount = random.Between(0, 40);
        break;
      case Fault::Kind::kClockJump:
        fault.amount = random.Between(-3600 * kSecond, 3600 * kSecond);
        break;
      case Fault::Kind::kClockDrift:
        fault.amount = random.Between(-20000, 20000);  // millionths
        break;
      case Fault::Kind::kStartAhead:
        // Who starts ahead forgets request ids that much earlier.
        fault.amount = shape.request_window > 10 * kSecond
                           ? shape.drift_max + random.Between(0, 4 * kSecond)
                           : 0;
        fault.duration = random.Between(0, 500 * kMilli);
        break;
      case Fault::Kind::kPause:
        fault.duration = random.Between(10 * kMilli, kSecond);
        break;
      default:
        break;
    }
    faults.push_back(fault);
  }
  std::stable_sort(faults.begin(), faults.end(),
                   [](const Fault& a, const Fault& b) { return a.at < b.at; });
  return faults;
}

int FaultKinds(const std::vector<Fault>& faults) {
  std::set<Fault::Kind> kinds;
  for (const Fault& fault : faults) kinds.insert(fault.kind);
  return static_cast<int>(kinds.size());
}

}  // namespace homeport::sim
