#include "common/topology/yaml/topology_watcher.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/log/log.h"
#include "common/status/error.h"
#include "common/topology/yaml/topology_loader.h"

namespace homeport {
namespace {

// Longer than the time stamps of any file system are apart.
constexpr absl::Duration kSettlingTime = absl::Seconds(3);

int64_t Nanos(const timespec& time) { return absl::ToUnixNanos(absl::TimeFromTimespec(time)); }

absl::Status NeedsRestart(const Topology& in_force, const Topology& next) {
  if (in_force.cluster() == next.cluster()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition, reason::kFieldInvalid,
                   absl::StrCat("cluster: changing \"", in_force.cluster(), "\" to \"",
                                next.cluster(), "\" needs a restart of every process"),
                   {{"field", "cluster"}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<TopologyWatcher>> TopologyWatcher::Start(Options options) {
  std::unique_ptr<TopologyWatcher> watcher(new TopologyWatcher(std::move(options)));
  {
    absl::MutexLock load(&watcher->load_mutex_);
    watcher->last_read_ = IdentityOf(watcher->options_.path);
    // The first look decides by content whether it was rewritten meanwhile.
    watcher->unsettled_ = true;
    auto topology = watcher->ReadNext();
    if (!topology.ok()) return topology.status();
    absl::MutexLock lock(&watcher->mutex_);
    watcher->current_ = *std::move(topology);
  }
  if (watcher->options_.poll_interval < absl::InfiniteDuration()) {
    watcher->thread_ = std::thread([w = watcher.get()] { w->Run(); });
  }
  return watcher;
}

TopologyWatcher::~TopologyWatcher() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

TopologyWatcher::Snapshot TopologyWatcher::current() const {
  absl::MutexLock lock(&mutex_);
  return current_;
}

TopologyWatcher::Counts TopologyWatcher::counts() const {
  absl::MutexLock lock(&mutex_);
  return counts_;
}

std::string TopologyWatcher::refusal() const {
  absl::MutexLock lock(&mutex_);
  return refusal_;
}

absl::Status TopologyWatcher::Reload() {
  absl::MutexLock load(&load_mutex_);
  last_refusal_.clear();
  return Load();
}

absl::Status TopologyWatcher::Poll() {
  absl::MutexLock load(&load_mutex_);
  if (!unsettled_ && IdentityOf(options_.path) == last_read_) return absl::OkStatus();
  return Load();
}

TopologyWatcher::Identity TopologyWatcher::IdentityOf(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return Identity();
  return {info.st_dev, info.st_ino, static_cast<uint64_t>(info.st_size), Nanos(info.st_mtim),
          Nanos(info.st_ctim)};
}

absl::StatusOr<TopologyWatcher::Snapshot> TopologyWatcher::ReadNext() const {
  auto proto = LoadTopologyFile(options_.path);
  if (!proto.ok()) return proto.status();
  return Topology::Create(*std::move(proto));
}

absl::Status TopologyWatcher::Load() {
  // Before the file is read: a write during the reading makes the next look different.
  last_read_ = IdentityOf(options_.path);
  unsettled_ = absl::Now() - absl::FromUnixNanos(last_read_.changed_nanos) < kSettlingTime;
  const Snapshot in_force = current();
  auto next = ReadNext();
  absl::Status refusal = next.status();
  if (refusal.ok()) refusal = NeedsRestart(*in_force, **next);
  if (refusal.ok() && options_.vet) refusal = options_.vet(*in_force, **next);
  if (!refusal.ok()) {
    std::string what(refusal.message());
    if (what == last_refusal_) return refusal;
    {
      absl::MutexLock lock(&mutex_);
      ++counts_.refused;
      refusal_ = what;
    }
    for (absl::string_view problem : absl::StrSplit(what, '\n')) {
      Log(LogLevel::kError, "topology refused",
          {{"path", options_.path}, {"problem", problem}, {"in_force", in_force->fingerprint()}});
    }
    last_refusal_ = std::move(what);
    return refusal;
  }
  last_refusal_.clear();
  {
    absl::MutexLock lock(&mutex_);
    refusal_.clear();
  }
  if ((*next)->proto().SerializeAsString() == in_force->proto().SerializeAsString()) {
    return absl::OkStatus();
  }
  {
    absl::MutexLock lock(&mutex_);
    current_ = *next;
    ++counts_.taken;
  }
  Log(LogLevel::kInfo, "topology changed",
      {{"path", options_.path}, {"from", in_force->fingerprint()}, {"to", (*next)->fingerprint()}});
  if (options_.on_change) options_.on_change(*next);
  return absl::OkStatus();
}

void TopologyWatcher::Run() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), options_.poll_interval)) return;
    }
    Poll().IgnoreError();  // logged and counted where it is decided
  }
}

}  // namespace homeport
