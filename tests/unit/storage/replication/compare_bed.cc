#include "tests/unit/storage/replication/compare_bed.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/replication/digest_sums.h"
#include "storage/replication/staging.h"

namespace homeport {
namespace {

int Draw(std::mt19937& random, int below) {
  return static_cast<int>(random() % static_cast<unsigned>(below));
}

}  // namespace

void MutateAtRandom(Mesh& mesh, int at, std::mt19937& random, int records) {
  const int record = Draw(random, records);
  v1::MutateRequest mutation;
  mutation.set_namespace_("all");
  const int changes = 1 + Draw(random, 2);
  for (int i = 0; i < changes; ++i) {
    v1::Change* change = mutation.add_changes();
    change->set_key(absl::StrCat("key", i));
    if (Draw(random, 5) == 0) {
      change->set_delete_(true);
    } else if (record % 3 == 0) {
      change->set_put(absl::StrCat("value", random() % 1000));
      if (Draw(random, 6) == 0) change->mutable_ttl()->set_seconds(3600);
    } else if (record % 3 == 1) {
      change->set_add(Draw(random, 20) - 10);
    } else {
      change->mutable_set()->add_add(absl::StrCat("element", Draw(random, 4)));
      change->mutable_set()->add_remove(absl::StrCat("element", 4 + Draw(random, 4)));
      if (Draw(random, 2) == 0) {
        change->mutable_set()->set_add(0, absl::StrCat("element", 4 + Draw(random, 4)));
        change->mutable_set()->set_remove(0, absl::StrCat("element", Draw(random, 4)));
      }
    }
  }
  mutation.set_id(absl::StrCat("record", record));
  HP_CHECK(mesh.Mutate(at, mutation, SessionToken()).ok());
}

void Tamper(Mesh& mesh, int at, const std::function<void(ItemWriter&)>& change) {
  mesh.Crash(at);
  {
    auto engine = MemoryEngine::Open(mesh.disk(at));
    HP_CHECK(engine.ok());
    Staging staging(engine->get());
    DigestSums digests(&staging);
    HP_CHECK(digests.Load().ok());
    ItemWriter items(&staging);
    items.AddObserver(&digests);
    change(items);
    digests.StageChanged();
    HP_CHECK(staging.Write().ok());
  }
  mesh.Start(at);
}

void TamperPut(Mesh& mesh, int at, const std::string& item_key,
               const internal::v1::StoredItem& item) {
  Tamper(mesh, at, [&item_key, &item](ItemWriter& items) {
    auto loaded = items.Load(item_key);
    HP_CHECK(loaded.ok());
    items.Replace(*std::move(loaded), item, ItemCause::kMerge);
  });
}

void TamperRemove(Mesh& mesh, int at, const std::string& item_key) {
  Tamper(mesh, at, [&item_key](ItemWriter& items) {
    auto loaded = items.Load(item_key);
    HP_CHECK(loaded.ok());
    items.Remove(*std::move(loaded), ItemCause::kClean);
  });
}

Compared Compare(Mesh& mesh, int asking, int answering, const std::string& name_space,
                 CompareInitiator::Options options) {
  Compared compared;
  CompareInitiator initiator(&mesh.engine(asking), options);
  CompareResponder responder(&mesh.engine(answering));
  initiator.SetNamespaces({name_space});
  // A comparison is over once nothing was asked for a while: pieces of work are bounded.
  for (int quiet = 0; quiet < 100; ++quiet) {
    const Moment now = mesh.Now(asking);
    if (auto request = initiator.Next(now.steady, now.wall, nullptr)) {
      quiet = 0;
      ++compared.steps;
      responder.OnRequest(*request, "");
    }
    auto response = responder.Work(now.steady);
    if (!response) continue;
    HP_CHECK(initiator.OnResponse(*response).ok());
    for (Repair& repair : initiator.TakeRepairs()) compared.repairs.push_back(std::move(repair));
  }
  compared.result = initiator.namespaces().at(name_space);
  return compared;
}

void Take(Mesh& mesh, int at, const std::vector<Repair>& repairs) {
  for (const Repair& repair : repairs) {
    HP_CHECK(mesh.core(at).StageRepair(repair.item_key, repair.item, mesh.Now(at)).ok());
  }
  HP_CHECK(mesh.core(at).Commit(mesh.Now(at)).ok());
}

}  // namespace homeport
