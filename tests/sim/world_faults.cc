// What each kind of fault does, and undoes.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "tests/sim/world.h"

namespace homeport::sim {

void World::Begin(const Fault& fault) {
  trace_->Tell([&] { return absl::StrCat("FAULT ", fault.Describe(shape_)); });
  Node& node = nodes_[fault.a];
  switch (fault.kind) {
    case Fault::Kind::kCutBoth:
      Cut(LinkOf(fault.b, fault.a));
      [[fallthrough]];
    case Fault::Kind::kCutOneWay:
      Cut(LinkOf(fault.a, fault.b));
      return;
    case Fault::Kind::kFlap:
      for (Micros at = 0; at < fault.duration; at += 70 * kMilli) {
        Schedule(now_ + at, [this, fault] {
          EndStream(LinkOf(fault.a, fault.b), absl::UnavailableError("flap"));
          EndStream(LinkOf(fault.b, fault.a), absl::UnavailableError("flap"));
        });
      }
      return;
    case Fault::Kind::kIsolate:
      for (Link& link : links_) {
        if (link.from == link.to) continue;
        const bool from = shape_.region_of[link.from] == fault.a;
        if (from != (shape_.region_of[link.to] == fault.a)) Cut(link);
      }
      return;
    case Fault::Kind::kSlow:
      LinkOf(fault.a, fault.b).slow *= fault.amount;
      return;
    case Fault::Kind::kRepeat:
      ++LinkOf(fault.a, fault.b).repeats;
      return;
    case Fault::Kind::kBreakStreams:
      for (int other = 0; other < size(); ++other) {
        EndStream(LinkOf(fault.a, other), absl::UnavailableError("broken"));
        EndStream(LinkOf(other, fault.a), absl::UnavailableError("broken"));
      }
      return;
    case Fault::Kind::kCrash:
      if (!node.running()) return;
      Crash(fault.a, false, 0);
      return RestartLater(fault.a, fault.duration);
    case Fault::Kind::kPowerCut:
      if (!node.running()) return;
      Crash(fault.a, true, fault.keep ? static_cast<size_t>(fault.amount) : 0);
      return RestartLater(fault.a, fault.duration);
    case Fault::Kind::kCrashInRecovery:
      if (!node.running()) return;
      Crash(fault.a, fault.keep, 0);
      node.plan.fate = fault.keep ? MemoryDisk::Fate::kKept : MemoryDisk::Fate::kLost;
      node.plan.writes_left = 0;
      return RestartLater(fault.a, fault.duration);
    case Fault::Kind::kStartAhead:
      if (!node.running()) return;
      Crash(fault.a, false, 0);
      node.start_offset = fault.amount;
      clocks_bent_ = true;
      return RestartLater(fault.a, fault.duration);
    case Fault::Kind::kWipeDisk:
      LoseDisk(fault.a, std::make_shared<MemoryDisk>());
      node.seeded = false;
      coverage_->Covered(Path::kDiskWiped);
      return RestartLater(fault.a, fault.duration);
    case Fault::Kind::kRestoreDisk:
      if (!node.running() || node.copy != nullptr) return;
      {
        const std::string name = absl::StrCat("copy", ++copies_);
        HP_CHECK(node.raw->Checkpoint(name).ok());
        node.copy = node.disk->CheckpointAt(name);
      }
      return;
    case Fault::Kind::kDiskFull:
      node.disk->SetCapacity(node.running() ? node.raw->DiskBytes() + fault.amount : 0);
      return;
    case Fault::Kind::kWriteError:
      node.plan.fate = fault.keep ? MemoryDisk::Fate::kKept : MemoryDisk::Fate::kLost;
      node.plan.writes_left = fault.amount;
      return;
    case Fault::Kind::kReadError:
      node.plan.reads_left = fault.amount;
      return;
    case Fault::Kind::kClockJump:
      clocks_bent_ = true;
      node.offset += fault.amount;
      return;
    case Fault::Kind::kClockDrift:
    case Fault::Kind::kPause:
      if (fault.kind == Fault::Kind::kPause) {
        node.paused_until = std::max(node.paused_until, now_ + fault.duration);
        coverage_->Covered(Path::kPauseOutlived);
        return;
      }
      clocks_bent_ = true;
      const Micros passed = now_ - node.rate_since;
      node.steady_then += passed + passed * node.rate / 1'000'000;
      node.rate_since = now_;
      node.rate = fault.amount;
      return;
  }
}

void World::End(const Fault& fault) {
  Node& node = nodes_[fault.a];
  switch (fault.kind) {
    case Fault::Kind::kCutBoth:
      Uncut(LinkOf(fault.b, fault.a));
      [[fallthrough]];
    case Fault::Kind::kCutOneWay:
      Uncut(LinkOf(fault.a, fault.b));
      return;
    case Fault::Kind::kIsolate:
      for (Link& link : links_) {
        if (link.from == link.to) continue;
        const bool from = shape_.region_of[link.from] == fault.a;
        if (from != (shape_.region_of[link.to] == fault.a)) Uncut(link);
      }
      return;
    case Fault::Kind::kSlow:
      LinkOf(fault.a, fault.b).slow /= fault.amount;
      return;
    case Fault::Kind::kRepeat:
      --LinkOf(fault.a, fault.b).repeats;
      return;
    case Fault::Kind::kRestoreDisk:
      if (node.copy == nullptr) return;
      LoseDisk(fault.a, std::exchange(node.copy, nullptr));
      coverage_->Covered(Path::kDiskRestored);
      return RestartLater(fault.a, kRestart);
    case Fault::Kind::kDiskFull:
      node.disk->SetCapacity(std::nullopt);
      return;
    default:
      return;
  }
}

void World::HealAll() {
  trace_->Tell([] { return std::string("all faults stop"); });
  for (int at = 0; at < size(); ++at) {
    Node& node = nodes_[at];
    node.plan.writes_left = -1;
    node.plan.reads_left = -1;
    node.disk->SetCapacity(std::nullopt);
    node.offset = 0;
    if (!node.running()) Start(at);
  }
  for (Link& link : links_) {
    link.cuts = 0;
    link.slow = 1;
    link.repeats = 0;
    WantConnect(link, random_.Between(0, kReconnect));
  }
}

}  // namespace homeport::sim
