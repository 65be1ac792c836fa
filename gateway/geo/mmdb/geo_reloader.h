// The locator in force, and taking new databases while it serves.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/topology/topology.h"
#include "gateway/geo/geo_locator.h"
#include "gateway/geo/mmdb/mmdb_database.h"

namespace homeport {

// The state of one file that the topology lists.
struct GeoFileStatus {
  std::string path;  // as the topology has it
  // What serves; null if nothing of this file does.
  std::shared_ptr<const GeoDatabaseInfo> info;
  // Why what lies on disk now was refused, naming the path; empty if it is what serves.
  std::string refused;
};

struct GeoStatus {
  std::vector<GeoFileStatus> files;  // in the topology's order
  // Counted since the start: databases taken into service, and files refused.
  uint64_t loads = 0;
  uint64_t refusals = 0;
  // Degraded modes in one line, such as no database at all; empty when all is well.
  std::string warning;
};

// Keeps a GeoLocator up to date with the topology and its database files.
//
// A new file is copied, checked whole and compared with what serves before it takes its place; a
// bad one is refused, logged and counted, and the old one serves on. Files are taken one by one: a
// bad one does not hold up the others. Readers keep what they got until they release it; the last
// one closes the old databases.
//
// Thread-safe. Get() and status() never wait for a load. Not to be called from inside a signal
// handler.
class GeoReloader {
 public:
  // Loads the databases of `topology`; those that can not be loaded are refused as above, so that a
  // gateway starts without any. Relative paths are relative to `directory`; empty: the working
  // directory.
  GeoReloader(std::shared_ptr<const Topology> topology, int self_region,
              std::string directory = "");

  // The locator in force. Never null.
  std::shared_ptr<const GeoLocator> Get() const ABSL_LOCKS_EXCLUDED(mutex_);
  GeoStatus status() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Reads every file again, changed or not. One that has the same bytes as before stays as it is.
  void Reload() ABSL_LOCKS_EXCLUDED(load_mutex_, mutex_);

  // Looks whether files have changed (renamed over, behind a symbolic link, rewritten in place,
  // gone) and loads those that have, once two calls in a row find them the same: a file that is
  // still being written is left alone. Cheap when nothing has changed; a second between calls is
  // about right.
  void Poll() ABSL_LOCKS_EXCLUDED(load_mutex_, mutex_);

  // Takes another topology. Databases that both list are kept as they are.
  void SetTopology(std::shared_ptr<const Topology> topology, int self_region)
      ABSL_LOCKS_EXCLUDED(load_mutex_, mutex_);

 private:
  // One listed file.
  struct File {
    std::string path;       // as listed
    std::string full_path;  // with the directory
    std::string credit;
    std::shared_ptr<const MmdbDatabase> database;  // null: none serves
    std::string refused;
    FileSignature tried;  // what was loaded or refused last
    FileSignature seen;   // what the last Poll() saw
  };

  // Opens `file` and takes what it has, or refuses it. True if another database serves now.
  bool Load(File& file) ABSL_EXCLUSIVE_LOCKS_REQUIRED(load_mutex_);
  void Refuse(File& file, const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(load_mutex_);
  std::vector<File> ListFiles(const Topology& topology) const;
  // Puts files_ and topology_ in force.
  void Publish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(load_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  void PublishStatus() ABSL_EXCLUSIVE_LOCKS_REQUIRED(load_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string directory_;

  // Held while files are read and checked, which takes up to seconds.
  absl::Mutex load_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  std::shared_ptr<const Topology> topology_ ABSL_GUARDED_BY(load_mutex_);
  int self_region_ ABSL_GUARDED_BY(load_mutex_) = 0;
  std::vector<File> files_ ABSL_GUARDED_BY(load_mutex_);
  uint64_t loads_ ABSL_GUARDED_BY(load_mutex_) = 0;
  uint64_t refusals_ ABSL_GUARDED_BY(load_mutex_) = 0;

  // Held for a few instructions.
  mutable absl::Mutex mutex_;
  std::shared_ptr<const GeoLocator> locator_ ABSL_GUARDED_BY(mutex_);
  GeoStatus status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace homeport
