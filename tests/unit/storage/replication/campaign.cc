#include "tests/unit/storage/replication/campaign.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/keys.h"
#include "storage/replication/record_reader.h"

namespace homeport {
namespace {

constexpr int kSteps = 1500;
constexpr int kIds = 8;
constexpr int kKeys = 3;

Version VersionOf(const internal::v1::StoredItem& item) {
  return {HybridTime(item.timestamp()), Origin(item.origin())};
}

}  // namespace

Campaign::Campaign(uint64_t seed)
    : random_(seed), mesh_(2 + static_cast<int>(Draw(4))), lose_disks_(Draw(2) == 0), sessions_(4) {
  mesh_.EnableUpkeep();
}

void Campaign::Run() {
  for (int i = 0; i < mesh_.size(); ++i) {
    mesh_.SkewWall(i, absl::Milliseconds(static_cast<int64_t>(Draw(200)) - 100));
  }
  mesh_.ConnectAll();
  for (int step = 0; step < kSteps && !::testing::Test::HasFailure(); ++step) Step();
  if (!::testing::Test::HasFailure()) Heal();
}

void Campaign::Step() {
  const int at = Node();
  const int other = Node();
  const uint64_t kind = Draw(1000);
  mesh_.Advance(absl::Microseconds(Draw(2000)));
  if (kind < 220) {
    if (Serves(at)) MakeWrite(at);
  } else if (kind < 240) {
    if (Serves(at)) Retry(at);
  } else if (kind < 430) {
    if (Serves(at)) Read(at);
  } else if (kind < 450) {
    if (Serves(at)) CheckAtomicity(at);
  } else if (kind < 940) {
    if (at != other) mesh_.Step(at, other, Draw(10) == 0);
  } else if (kind < 955) {
    if (at != other) mesh_.Cut(at, other);
  } else if (kind < 972) {
    if (at != other && !mesh_.connected(at, other)) mesh_.Connect(at, other);
  } else if (kind < 978) {
    if (Serves(at)) mesh_.PlanAllRelays(at);
    if (Serves(at)) mesh_.Tend(at);
  } else if (kind < 981) {
    mesh_.SkewWall(at, absl::Seconds(static_cast<int64_t>(Draw(7200)) - 3600));
  } else if (kind < 984) {
    mesh_.FailNextWrite(at, Draw(2) == 0 ? MemoryDisk::Fate::kLost : MemoryDisk::Fate::kKept);
  } else if (kind < 987) {
    if (Serves(at)) mesh_.CopyDisk(at);
  } else if (kind < 988) {
    if (lose_disks_ && counts_.disks_lost == 0) LoseDisk(at);
  } else if (kind < 992) {
    if (mesh_.running(at)) Crash(at);
  } else if (!Serves(at)) {
    StartNode(at);
  }
}

void Campaign::Crash(int at) { mesh_.Crash(at, Draw(2) == 0); }

void Campaign::StartNode(int at) {
  if (mesh_.running(at)) Crash(at);
  // A replica takes the wall clock at its start for good, so it may begin ahead of the others.
  mesh_.SkewWall(at, Draw(10) == 0 ? absl::Seconds(3)
                                   : absl::Milliseconds(static_cast<int64_t>(Draw(200)) - 100));
  mesh_.TryStart(at);
}

void Campaign::LoseDisk(int at) {
  if (mesh_.running(at)) Crash(at);
  if (Draw(2) == 0 || !mesh_.RestoreDisk(at)) mesh_.WipeDisk(at);
  ++counts_.disks_lost;
  for (int i = 0; i < mesh_.size(); ++i) {
    // Its disk may have kept what its last commit does not know of.
    if (mesh_.running(i) && mesh_.failed(i)) mesh_.Crash(i);
  }
  for (Write& write : writes_) {
    if (write.lost) continue;
    bool held = false;
    for (int i = 0; i < mesh_.size() && !held; ++i) {
      held = mesh_.ReceivedOnDisk(i, write.name.version.origin) >= write.name.sequence;
    }
    if (held) continue;
    write.lost = true;
    counts_.writes_lost += write.acknowledged ? 1 : 0;
  }
  // Sessions may name what was lost.
  for (Session& session : sessions_) session = Session();
}

void Campaign::MakeWrite(int at) {
  Session& session = sessions_[Draw(sessions_.size())];
  if (!mesh_.core(at).view()->Covers(session.token)) return;
  v1::MutateRequest mutation;
  mutation.set_namespace_(!lose_disks_ && at < 2 && Draw(4) == 0 ? "some" : "all");
  mutation.set_id(absl::StrCat("k", Draw(kIds)));
  if (Draw(3) == 0) mutation.mutable_options()->set_request_id(absl::StrCat("id", writes_.size()));
  const uint64_t keys = 1 + Draw((1 << kKeys) - 1);
  std::set<ItemName> items;
  for (int key = 0; key < kKeys; ++key) {
    if ((keys >> key & 1) == 0) continue;
    v1::Change* change = mutation.add_changes();
    change->set_key(absl::StrCat(key));
    if (Draw(5) == 0) {
      change->set_delete_(true);
      deleted_.insert({mutation.namespace_(), {mutation.id(), change->key()}});
    } else {
      change->set_put(absl::StrCat(++values_));
    }
    items.insert({mutation.namespace_(), {mutation.id(), change->key()}});
  }
  const Origin self = mesh_.core(at).self();
  const Sequence next(mesh_.core(at).view()->ReceivedOf(self).value() + 1);
  auto name = mesh_.Mutate(at, mutation, session.token);
  if (!name.ok()) {
    ASSERT_TRUE(mesh_.failed(at)) << name.status();
    ++counts_.unknown;
    writes_.push_back({mutation, {{HybridTime(), self}, next, false}, false, false});
    return;
  }
  ASSERT_FALSE(name->repeated);
  ++counts_.acknowledged;
  writes_.push_back({mutation, *name, true, false});
  session.token.Advance(name->version.origin, name->sequence);
  ASSERT_TRUE(items_of_.emplace(name->version, items).second) << "two writes have one version";
  for (const ItemName& item : items) {
    Version& last = session.seen[item];
    ASSERT_GT(name->version, last) << "a session's write is older than what it has seen";
    last = name->version;
  }
}

void Campaign::Retry(int at) {
  if (writes_.empty()) return;
  const Write& write = writes_[Draw(writes_.size())];
  if (!write.acknowledged || write.lost || write.mutation.options().request_id().empty()) return;
  if (!Holds(at, write.mutation.namespace_())) return;
  const ReplicaView& view = *mesh_.core(at).view();
  if (view.AppliedOf(write.name.version.origin) < write.name.sequence) return;
  auto again = mesh_.Mutate(at, write.mutation, SessionToken());
  if (!again.ok()) {
    ASSERT_TRUE(mesh_.failed(at)) << again.status();
    return;
  }
  ASSERT_TRUE(again->repeated) << "a retry was done twice";
  ASSERT_EQ(again->version, write.name.version);
  ++counts_.repeated;
}

void Campaign::Read(int at) {
  Session& session = sessions_[Draw(sessions_.size())];
  if (!mesh_.core(at).view()->Covers(session.token)) return;
  v1::GetRequest request;
  request.set_namespace_(!lose_disks_ && at < 2 && Draw(4) == 0 ? "some" : "all");
  request.set_id(absl::StrCat("k", Draw(kIds)));
  request.set_key(absl::StrCat(Draw(kKeys)));
  v1::GetResponse response;
  ASSERT_TRUE(ReadItem(&mesh_.engine(at), request, HybridTime(1), session.token, response).ok());
  const Version version{HybridTime(response.version().hybrid_time()),
                        Origin(response.version().origin())};
  Version& seen = session.seen[{request.namespace_(), {request.id(), request.key()}}];
  // A tombstone that went has no version to be seen.
  if (!response.has_item() && version == Version() &&
      deleted_.contains({request.namespace_(), {request.id(), request.key()}})) {
    return;
  }
  ASSERT_GE(version, seen) << "a session went back in time";
  seen = version;
  if (Draw(2) == 0) mesh_.core(at).view()->Normalize(session.token);
}

// No mix that no write made: beside an item of some write, that write's other items are there or
// were overtaken.
void Campaign::CheckAtomicity(int at) {
  std::map<ItemName, Version> present;
  for (const auto& [key, value] : mesh_.Items(at)) {
    const auto parts = ParseItemKey(key);
    internal::v1::StoredItem item;
    ASSERT_TRUE(parts && item.ParseFromString(value));
    present[{std::string(parts->name_space), {parts->record_id, std::string(parts->key)}}] =
        VersionOf(item);
  }
  for (const auto& [name, version] : present) {
    auto written = items_of_.find(version);
    if (written == items_of_.end()) continue;  // its outcome was unknown
    for (const ItemName& item : written->second) {
      if (deleted_.contains(item) && !present.contains(item)) continue;  // a tombstone that went
      ASSERT_GE(present[item], version) << "half a mutation is visible";
    }
  }
}

void Campaign::Heal() {
  for (int i = 0; i < mesh_.size(); ++i) {
    if (mesh_.running(i)) Crash(i);
    mesh_.SkewWall(i, absl::ZeroDuration());
  }
  mesh_.Advance(absl::Minutes(1));
  for (int i = 0; i < mesh_.size(); ++i) {
    // The first start may meet a fault that no write has met yet.
    if (!mesh_.TryStart(i)) mesh_.Start(i);
  }
  mesh_.ConnectAll();
  ASSERT_TRUE(mesh_.Settle());
  for (int i = 0; i < mesh_.size(); ++i) {
    EXPECT_TRUE(mesh_.core(i).Blocked().empty());
    for (const OriginView& origin : mesh_.core(i).view()->origins) {
      EXPECT_EQ(origin.received, origin.applied);
      EXPECT_EQ(origin.applied, mesh_.core(0).view()->AppliedOf(origin.origin))
          << "replica " << i << " is behind";
    }
    CheckAtomicity(i);
  }
  const std::string some = NamespacePrefix("some");
  auto items = Visible(0);
  EXPECT_EQ(Visible(1), items);
  std::erase_if(items, [&some](const auto& item) { return item.first.rfind(some, 0) == 0; });
  for (int i = 2; i < mesh_.size(); ++i) EXPECT_EQ(Visible(i), items);
  CheckValues();
}

std::map<std::string, std::string> Campaign::Visible(int at) {
  auto items = mesh_.Items(at);
  std::erase_if(items, [](const auto& item) {
    internal::v1::StoredItem stored;
    return !stored.ParseFromString(item.second) || !stored.has_value();
  });
  return items;
}

// Every item is what the greatest of its writes made it; one of unknown outcome may be that, too.
void Campaign::CheckValues() {
  std::map<ItemName, std::pair<Version, std::string>> newest;
  std::map<ItemName, std::set<std::string>> possible;
  auto text = [](const v1::Change& change) {
    return change.has_put() ? absl::StrCat("=", change.put()) : std::string("deleted");
  };
  for (const Write& write : writes_) {
    for (const v1::Change& change : write.mutation.changes()) {
      const ItemName name{write.mutation.namespace_(), {write.mutation.id(), change.key()}};
      if (!write.acknowledged) {
        possible[name].insert(text(change));
      } else if (!write.lost && write.name.version > newest[name].first) {
        newest[name] = {write.name.version, text(change)};
      }
    }
  }
  const auto stored = mesh_.Items(0);
  for (const auto& [name, wanted] : newest) {
    if (wanted.first == Version()) continue;
    auto found = stored.find(ItemKey(name.first, name.second.first, name.second.second));
    if (found == stored.end() && wanted.second == "deleted") continue;
    if (found == stored.end() && possible[name].contains("deleted")) continue;
    ASSERT_NE(found, stored.end()) << "an acknowledged write is lost";
    internal::v1::StoredItem item;
    ASSERT_TRUE(item.ParseFromString(found->second));
    const std::string value = item.has_value() ? absl::StrCat("=", item.value()) : "deleted";
    if (VersionOf(item) > wanted.first && possible[name].contains(value)) continue;
    ASSERT_EQ(value, wanted.second) << "an acknowledged write is lost";
    ASSERT_EQ(VersionOf(item), wanted.first);
  }
}

}  // namespace homeport
