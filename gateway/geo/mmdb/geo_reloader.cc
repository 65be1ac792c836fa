#include "gateway/geo/mmdb/geo_reloader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "common/log/log.h"
#include "gateway/geo/mmdb/compare_databases.h"

namespace homeport {
namespace {

std::string Date(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone());
}

std::string Warning(const std::vector<GeoFileStatus>& files) {
  if (files.empty()) return "no GeoIP database is configured: clients go to the default region";
  std::vector<std::string> parts;
  bool any = false;
  for (const GeoFileStatus& file : files) {
    any = any || file.info != nullptr;
    if (file.refused.empty()) continue;
    parts.push_back(file.info == nullptr ? file.refused
                                         : absl::StrCat(file.refused, " (the one built ",
                                                        Date(file.info->built), " serves on)"));
  }
  const std::string problems = absl::StrJoin(parts, "; ");
  if (any) return problems;
  return absl::StrCat("no GeoIP database is loaded: clients go to the default region; ", problems);
}

// What two databases share is compared before the swap, so that whoever reads the log sees a
// publisher's mistake (an old file, half the data) at the moment it comes into force.
void LogLoaded(const MmdbDatabase& loaded, const MmdbDatabase* old) {
  const GeoDatabaseInfo& info = *loaded.info();
  if (old == nullptr) {
    Log(LogLevel::kInfo, "geoip database loaded",
        {{"path", info.path}, {"type", info.type}, {"built", Date(info.built)}});
    return;
  }
  const DatabaseComparison comparison = CompareDatabases(*old, loaded);
  const bool odd =
      info.built < old->info()->built || comparison.lost * 10 > comparison.known_before;
  Log(odd ? LogLevel::kWarning : LogLevel::kInfo, "geoip database replaced",
      {{"path", info.path},
       {"type", info.type},
       {"built", Date(info.built)},
       {"built_before", Date(old->info()->built)},
       {"samples_known_before", comparison.known_before},
       {"samples_lost", comparison.lost},
       {"samples_moved_country", comparison.moved}});
}

}  // namespace

GeoReloader::GeoReloader(std::shared_ptr<const Topology> topology, int self_region,
                         std::string directory)
    : directory_(std::move(directory)) {
  SetTopology(std::move(topology), self_region);
}

std::shared_ptr<const GeoLocator> GeoReloader::Get() const {
  absl::MutexLock lock(&mutex_);
  return locator_;
}

GeoStatus GeoReloader::status() const {
  absl::MutexLock lock(&mutex_);
  return status_;
}

void GeoReloader::Reload() {
  absl::MutexLock lock(&load_mutex_);
  bool changed = false;
  for (File& file : files_) changed = Load(file) || changed;
  changed ? Publish() : PublishStatus();
}

void GeoReloader::Poll() {
  absl::MutexLock lock(&load_mutex_);
  bool tried = false, changed = false;
  for (File& file : files_) {
    const FileSignature now = SignatureOf(file.full_path);
    const bool settled = now == file.seen;
    file.seen = now;
    if (now == file.tried || !settled) continue;
    tried = true;
    changed = Load(file) || changed;
  }
  if (changed) {
    Publish();
  } else if (tried) {
    PublishStatus();
  }
}

void GeoReloader::SetTopology(std::shared_ptr<const Topology> topology, int self_region) {
  absl::MutexLock lock(&load_mutex_);
  std::vector<File> files = ListFiles(*topology);
  for (File& file : files) {
    bool kept = false;
    for (const File& old : files_) {
      if (old.full_path != file.full_path || old.credit != file.credit) continue;
      file = old;
      kept = true;
      break;
    }
    if (!kept) Load(file);
  }
  files_ = std::move(files);
  topology_ = std::move(topology);
  self_region_ = self_region;
  Publish();
}

std::vector<GeoReloader::File> GeoReloader::ListFiles(const Topology& topology) const {
  std::vector<File> files;
  for (const auto& listed : topology.proto().geo().databases()) {
    File file;
    file.path = listed.path();
    const bool relative = !directory_.empty() && !listed.path().empty() && listed.path()[0] != '/';
    file.full_path = relative ? absl::StrCat(directory_, "/", listed.path()) : listed.path();
    file.credit = listed.credit();
    files.push_back(std::move(file));
  }
  return files;
}

bool GeoReloader::Load(File& file) {
  // Looked at before it is read: what is written while it is read is then seen as a change later.
  file.tried = SignatureOf(file.full_path);
  file.seen = file.tried;
  auto opened = MmdbDatabase::Open(file.full_path, file.credit);
  if (!opened.ok()) {
    Refuse(file, opened.status());
    return false;
  }
  file.refused.clear();
  if (file.database != nullptr && file.database->SameContent(**opened)) return false;
  LogLoaded(**opened, file.database.get());
  file.database = *std::move(opened);
  ++loads_;
  return true;
}

void GeoReloader::Refuse(File& file, const absl::Status& why) {
  ++refusals_;
  file.refused = std::string(why.message());
  Log(LogLevel::kError, "geoip database refused",
      {{"path", file.full_path},
       {"reason", file.refused},
       {"serving", file.database == nullptr ? "none" : Date(file.database->info()->built)}});
}

void GeoReloader::Publish() {
  std::vector<std::shared_ptr<const GeoDatabase>> databases;
  for (const File& file : files_) {
    if (file.database != nullptr) databases.push_back(file.database);
  }
  auto locator = std::make_shared<const GeoLocator>(topology_, self_region_, std::move(databases));
  {
    absl::MutexLock lock(&mutex_);
    locator_.swap(locator);
  }
  // Here the old locator is released, outside the lock: freeing a database takes a while.
  locator.reset();
  PublishStatus();
}

void GeoReloader::PublishStatus() {
  GeoStatus status;
  for (const File& file : files_) {
    status.files.push_back(
        {file.path, file.database == nullptr ? nullptr : file.database->info(), file.refused});
  }
  status.loads = loads_;
  status.refusals = refusals_;
  status.warning = Warning(status.files);
  absl::MutexLock lock(&mutex_);
  status_ = std::move(status);
}

}  // namespace homeport
