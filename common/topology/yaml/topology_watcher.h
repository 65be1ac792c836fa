// The topology file in force, and its changes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/topology/topology.h"

namespace homeport {

// Holds the topology of a file and takes over its changes, all or nothing: a file that is missing,
// unsound, or changes what needs a restart is refused, logged with every problem and counted, and
// the topology in force stays. Thread-safe.
//
// A file has changed when its device, inode, size or time has (so a rename over it, a switched
// symbolic link and a rewrite in place are all seen) and its content differs. A file that is read
// while it is being written may be refused once; it is taken when the writer is done.
class TopologyWatcher {
 public:
  using Snapshot = std::shared_ptr<const Topology>;

  struct Options {
    std::string path;
    // How often the file is looked at by a thread of the watcher's own; infinite: never, the owner
    // calls Poll().
    absl::Duration poll_interval = absl::Seconds(1);
    // May refuse a sound topology for reasons of this process (its own region is gone, say); the
    // message says why. May be empty. Must not call the watcher.
    std::function<absl::Status(const Topology& in_force, const Topology& next)> vet;
    // Called with each topology after it is in force, one at a time, in their order; not for the
    // first one. May be empty. May call current() and counts(), nothing else of the watcher.
    std::function<void(const Snapshot& topology)> on_change;
  };

  struct Counts {
    uint64_t taken = 0;    // changes that came into force
    uint64_t refused = 0;  // changes that did not
  };

  // Loads the file. Errors as those of LoadTopologyFile(): there is nothing to fall back on.
  static absl::StatusOr<std::unique_ptr<TopologyWatcher>> Start(Options options);
  // Waits for a running callback.
  ~TopologyWatcher();
  TopologyWatcher(const TopologyWatcher&) = delete;
  TopologyWatcher& operator=(const TopologyWatcher&) = delete;

  // Never blocks on a load.
  Snapshot current() const;
  Counts counts() const;
  // Why what the file has now is not in force; empty if it is.
  std::string refusal() const;

  // Reads the file now, whether or not it seems changed: for a signal. OK if it is in force
  // afterwards, also when nothing had changed. Otherwise why it was refused: errors as those of
  // LoadTopologyFile(), FAILED_PRECONDITION for what needs a restart, or `vet`'s.
  absl::Status Reload();
  // The same, only if the file has changed since it was last read; OK if not.
  absl::Status Poll();

 private:
  // What tells one state of a file from another without reading it. All 0: there is no file.
  struct Identity {
    uint64_t device = 0;
    uint64_t inode = 0;
    uint64_t size = 0;
    int64_t modified_nanos = 0;
    int64_t changed_nanos = 0;
    friend bool operator==(const Identity&, const Identity&) = default;
  };

  explicit TopologyWatcher(Options options) : options_(std::move(options)) {}
  static Identity IdentityOf(const std::string& path);
  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(load_mutex_);
  absl::StatusOr<Snapshot> ReadNext() const;
  void Run();

  const Options options_;

  // One load at a time, callbacks included.
  absl::Mutex load_mutex_;
  Identity last_read_ ABSL_GUARDED_BY(load_mutex_);
  // The file was written so shortly before it was read that a later write could leave the same
  // identity: it is read again.
  bool unsettled_ ABSL_GUARDED_BY(load_mutex_) = false;
  // Of the last refusal, so that a bad file is logged once, not at every look.
  std::string last_refusal_ ABSL_GUARDED_BY(load_mutex_);

  mutable absl::Mutex mutex_;
  Snapshot current_ ABSL_GUARDED_BY(mutex_);
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  std::string refusal_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace homeport
