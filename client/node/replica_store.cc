#include "client/node/replica_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/status/error.h"
#include "storage/engine/quarantine/quarantine.h"

namespace homeport {
namespace {

absl::StatusOr<std::string> MoveAside(const std::string& path, const absl::Status& damage) {
  auto moved = Quarantine(path);
  if (!moved.ok()) return moved.status();
  for (const std::string& removed : moved->removed) {
    Log(LogLevel::kWarning, "a damaged store that was kept aside is removed, for one more",
        {{"path", removed}});
  }
  Log(LogLevel::kError, "the store is damaged: it is moved aside, and filled anew from the peers",
      {{"path", path}, {"moved_to", moved->directory}, {"why", std::string(damage.message())}});
  return absl::StrCat("the store was damaged, is kept in ", moved->directory,
                      ", and was begun anew: ", std::string(damage.message()));
}

}  // namespace

absl::Status MayRebuild(const Topology& topology, int region, bool keep_damaged) {
  if (keep_damaged) {
    return absl::FailedPreconditionError(
        "--keep-damaged is given: start without it to have the store moved aside and filled anew "
        "from the peers, or put a sound copy in its place");
  }
  const auto& regions = topology.regions();
  if (regions[region].replicas.size() > 1) return absl::OkStatus();
  for (const NamespaceInfo& info : topology.namespaces()) {
    if (!info.HeldBy(region) || info.regions.size() > 1) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "no other replica holds namespace '", info.name.value(),
        "', so nothing is begun anew: put a sound copy of the directory in its place, or move it "
        "away to begin with an empty one, which gives up what only it had"));
  }
  if (regions.size() < 2) {
    return absl::FailedPreconditionError(
        "there is no other replica to fill it from: put a sound copy of the directory in its "
        "place, or move it away to begin with an empty one");
  }
  return absl::OkStatus();
}

absl::StatusOr<ReplicaStore> OpenReplicaStore(RocksdbOptions options,
                                              const absl::Status& may_rebuild) {
  ReplicaStore store;
  store.watch = std::make_shared<DamageWatch>();
  ScrubOptions scrub;
  scrub.on_damage = [watch = store.watch](const absl::Status& damage) { watch->Note(damage); };
  // It is begun by the one opening that succeeds.
  store.scrub = options.scrub = std::make_shared<Scrub>(std::move(scrub));
  absl::Status damage = CheckNotMarked(options.path);
  absl::StatusOr<std::unique_ptr<KvEngine>> engine = absl::UnknownError("not opened");
  if (damage.ok()) {
    engine = OpenRocksdbEngine(options);
    damage = engine.status();
  }
  if (damage.code() == absl::StatusCode::kDataLoss) {
    if (!may_rebuild.ok()) {
      return MakeError(
          absl::StatusCode::kDataLoss, reason::kStorageFailed,
          absl::StrCat(std::string(damage.message()), "; ", std::string(may_rebuild.message())),
          {{"path", options.path}});
    }
    auto moved = MoveAside(options.path, damage);
    if (!moved.ok()) return moved.status();
    store.moved_aside = std::move(*moved);
    engine = OpenRocksdbEngine(options);
  }
  if (!engine.ok()) return engine.status();
  store.engine = WatchForDamage(std::move(*engine), store.watch);
  return store;
}

}  // namespace homeport
