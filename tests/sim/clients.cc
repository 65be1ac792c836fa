#include "tests/sim/clients.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/replication/record_reader.h"

namespace homeport::sim {
namespace {

// Retries that a client keeps in mind.
constexpr size_t kRetriableMax = 40;
// Elements that the sets of a run are made of.
constexpr int kElements = 6;

std::string TextOf(const SessionToken& token) {
  std::string text;
  for (const SessionToken::Position& position : token.positions()) {
    absl::StrAppend(&text, " ", absl::Hex(position.origin.value(), absl::kZeroPad16), "/",
                    position.sequence.value());
  }
  return text;
}

}  // namespace

Clients::Clients(World* world, Random random)
    : world_(world),
      shape_(world->shape()),
      random_(random),
      answers_(random.Split(1)),
      restores_(random.Split(2)),
      sessions_(shape_.sessions) {
  for (Session& session : sessions_) {
    session.region = static_cast<int>(random_.Below(shape_.regions));
  }
  // Of an origin that went whole nobody is left who ever heard of it: a session that saw it begins
  // anew. All others are told what they have lost, by who finds it in their token.
  world_->on_disk_lost = [this] {
    for (Session& session : sessions_) {
      const auto gone = [this](uint64_t origin) {
        const EntryRecord* first = world_->history().Find(origin, 1);
        return first == nullptr || !first->on_disk || first->lost;
      };
      const auto& seen = session.past.positions();
      const auto& token = session.token.positions();
      const bool whole =
          std::any_of(seen.begin(), seen.end(), [&](const auto& p) { return gone(p.first); }) ||
          std::any_of(token.begin(), token.end(),
                      [&](const auto& p) { return gone(p.origin.value()); });
      if (!whole) continue;
      const uint64_t generation = session.generation;
      const int region = session.region;
      const bool busy = session.busy;
      session = Session();
      session.generation = generation + 1;
      session.region = region;
      session.busy = busy;
    }
  };
}

void Clients::TellLost(Session& session, const ReplicaView& view) {
  world_->coverage().Covered(Path::kHistoryLost);
  view.DropLost(session.token);
  // What the lost entry rested on nobody can say any more: the fresh token has what the old one
  // named.
  Past left;
  for (const SessionToken::Position& position : session.token.positions()) {
    const uint64_t origin = position.origin.value();
    const uint64_t seen = std::min(session.past.Of(origin), position.sequence.value());
    if (seen > 0) left.Advance(origin, seen);
  }
  session.past = std::move(left);
  session.seen.clear();
  session.seen_time = 0;
  ++session.generation;
}

void Clients::Begin() {
  for (int i = 0; i < shape_.operations; ++i) {
    world_->Schedule(random_.Between(0, shape_.operations_end), [this] { Step(); });
  }
}

int Clients::PickNode(Session& session) {
  if (random_.Chance(shape_.roams)) {
    const int region = static_cast<int>(random_.Below(shape_.regions));
    if (region != session.region && !session.past.positions().empty()) {
      world_->coverage().Covered(Path::kSessionRoamed);
    }
    session.region = region;
  }
  std::vector<int> nodes;
  for (int at = 0; at < shape_.replicas(); ++at) {
    if (shape_.region_of[at] == session.region && world_->ServesReads(at)) nodes.push_back(at);
  }
  return nodes.empty() ? -1 : nodes[random_.Below(nodes.size())];
}

int Clients::PickNamespace(int node, bool whole) {
  for (int i = 0; i < 8; ++i) {
    const int at = static_cast<int>(random_.Below(shape_.namespaces.size()));
    if (world_->Holds(node, at) && (!whole || !world_->IsPartial(node, at))) return at;
  }
  return 0;
}

bool Clients::Served(Session& session, int node) {
  const ReplicaView& view = *world_->node(node).core->view();
  if (view.FindLost(session.token)) TellLost(session, view);
  if (!view.Covers(session.token)) {
    world_->coverage().Covered(Path::kTokenWaited);
    return false;
  }
  for (const auto& [origin, sequence] : session.past.positions()) {
    if (view.AppliedOf(Origin(origin)).value() >= sequence) continue;
    const EntryRecord* entry = world_->history().Find(origin, sequence);
    const bool lost = entry != nullptr && entry->lost;
    world_->Fail(absl::StrCat(
        shape_.ReplicaNameOf(node),
        lost ? " serves a session and does not say that what it has seen went with a disk: "
             : " serves a session that has seen more than is applied there: ",
        absl::Hex(origin, absl::kZeroPad16), "/", sequence, ", of which ",
        view.AppliedOf(Origin(origin)).value(), "; its token has", TextOf(session.token)));
    return false;
  }
  return true;
}

void Clients::Step() {
  const int at = static_cast<int>(random_.Below(sessions_.size()));
  Session& session = sessions_[at];
  const int node = PickNode(session);
  if (node == -1 || session.busy) return;
  if (!Served(session, node)) return;
  if (shape_.restores > 0 && restores_.Chance(shape_.restores)) return Restore(at, node);
  if (random_.Chance(shape_.reads)) return Read(at, node);
  if (!retriable_.empty() && random_.Chance(60)) return Retry(at, node);
  Write(at, node);
}

void Clients::Write(int at, int node) {
  Session& session = sessions_[at];
  if (!world_->ServesWrites(node) || !world_->MayWrite(node)) return;
  const int name_space = PickNamespace(node, /*whole=*/false);
  Operation operation;
  operation.name_space = name_space;
  const std::string& name = shape_.namespaces[name_space].name;
  operation.mutation.set_namespace_(name);
  operation.mutation.set_id(absl::StrCat("k", random_.Below(shape_.ids)));
  if (random_.Chance(shape_.with_request_id)) {
    operation.mutation.mutable_options()->set_request_id(absl::StrCat("id", made_));
  }
  ++made_;
  int64_t others = -1;
  for (int region = 0; region < shape_.regions; ++region) {
    others += world_->RegionHolds(node, region, name_space) ? 1 : 0;
  }
  if (others > 0 && random_.Chance(150)) {
    operation.mutation.mutable_options()->set_acknowledged_by_regions(
        static_cast<uint32_t>(random_.Between(1, others)));
  }
  const uint64_t keys = 1 + random_.Below((uint64_t{1} << shape_.keys) - 1);
  for (int key = 0; key < shape_.keys; ++key) {
    if ((keys >> key & 1) == 0) continue;
    v1::Change* change = operation.mutation.add_changes();
    change->set_key(absl::StrCat(key));
    Effect effect;
    effect.item = world_->history().Item(name_space, name, operation.mutation.id(), change->key());
    if (random_.Chance(shape_.deletes)) {
      change->set_delete_(true);
      effect.kind = Effect::Kind::kDelete;
    } else if (shape_.namespaces[name_space].type == internal::v1::ITEM_TYPE_COUNTER) {
      effect.kind = Effect::Kind::kAdd;
      effect.delta = random_.Between(-50, 100);
      change->set_add(effect.delta);
    } else if (shape_.namespaces[name_space].type == internal::v1::ITEM_TYPE_SET) {
      effect.kind = Effect::Kind::kSet;
      for (int element = 0; element < kElements; ++element) {
        const uint64_t what = random_.Below(6);
        if (what == 0) effect.added.push_back(absl::StrCat("e", element));
        if (what == 1) effect.removed.push_back(absl::StrCat("e", element));
      }
      if (effect.added.empty() && effect.removed.empty()) effect.added.push_back("e0");
      for (const std::string& element : effect.added) change->mutable_set()->add_add(element);
      for (const std::string& element : effect.removed) change->mutable_set()->add_remove(element);
    } else {
      effect.ttl = shape_.namespaces[name_space].ttl;
      if (random_.Chance(30)) {
        effect.ttl = random_.Between(1, 4) * kSecond;
        change->mutable_ttl()->set_seconds(effect.ttl / kSecond);
      }
      effect.value = absl::StrCat("v", made_, ".", key, ".");
      size_t size = random_.Below(static_cast<uint64_t>(shape_.value_max) + 1);
      if (shape_.big_values && random_.Chance(20)) {
        size = static_cast<size_t>(random_.Between(64 * 1024 + 1, 200 * 1024));
        world_->coverage().Covered(Path::kBigValue);
      }
      if (effect.value.size() < size)
        effect.value.resize(size, static_cast<char>('a' + made_ % 26));
      change->set_put(effect.value);
    }
    operation.items.push_back(effect.item);
    operation.effects.push_back(std::move(effect));
  }
  operation.token = session.token;
  operation.past = session.past;
  operation.seen_time = session.seen_time;
  session.busy = true;
  const uint64_t generation = session.generation;
  int slot = -1;
  if (!operation.mutation.options().request_id().empty() && retriable_.size() < kRetriableMax) {
    slot = static_cast<int>(retriable_.size());
    retriable_.push_back({operation, node, WriteName(), false, world_->now()});
  }
  const Operation copy = operation;
  operation.done = [this, at, generation, slot, copy](const absl::Status& status,
                                                      const WriteName& written) {
    sessions_[at].busy = false;
    if (absl::IsUnknown(status) || absl::IsUnavailable(status)) return;
    if (!status.ok()) {
      return world_->Fail(absl::StrCat("a write is refused: ", std::string(status.message())));
    }
    if (slot != -1 && answers_.Chance(shape_.answers_lost)) return;
    if (written.repeated) return world_->Fail("a new write was taken for a retry");
    if (slot != -1) {
      retriable_[slot].name = written;
      retriable_[slot].answered = true;
    }
    ++acknowledged_;
    Acknowledge(at, generation, copy, written);
  };
  world_->Submit(node, std::move(operation));
}

void Clients::Acknowledge(int at, uint64_t generation, const Operation& operation,
                          const WriteName& name) {
  Session& session = sessions_[at];
  if (session.generation != generation) return;
  session.token.Advance(name.version.origin, name.sequence);
  session.past.Advance(name.version.origin.value(), name.sequence.value());
  session.seen_time = std::max(session.seen_time, name.version.time.value());
  if (name.repeated) return;
  for (const int item : operation.items) {
    auto& seen = session.seen[item];
    seen = std::max(seen, {name.version.time.value(), name.version.origin.value()});
  }
}

void Clients::Retry(int at, int node) {
  const size_t slot = random_.Below(retriable_.size());
  Retriable& retriable = retriable_[slot];
  const int name_space = retriable.operation.name_space;
  if (!world_->Holds(node, name_space) || world_->IsPartial(node, name_space)) return;
  if (!world_->ServesWrites(node) || !world_->MayWrite(node)) return;
  const ReplicaView& view = *world_->node(node).core->view();
  // Elsewhere only what is known to be there; where it was sent, always.
  bool known = false;
  if (retriable.answered) {
    known = view.AppliedOf(retriable.name.version.origin) >= retriable.name.sequence;
    if (!known) return;
  } else if (retriable.node != node) {
    return;
  }
  // Near the end of its window an id may be known or not.
  const bool in_window = world_->now() - retriable.at < shape_.request_window / 2;
  if (!in_window) return;
  Operation operation = retriable.operation;
  Session& session = sessions_[at];
  operation.token = session.token;
  operation.past = session.past;
  operation.seen_time = session.seen_time;
  session.busy = true;
  const uint64_t generation = session.generation;
  const Operation copy = operation;
  operation.done = [this, at, generation, slot, copy, known, node](const absl::Status& status,
                                                                   const WriteName& written) {
    sessions_[at].busy = false;
    if (absl::IsUnknown(status) || absl::IsUnavailable(status)) return;
    if (!status.ok()) {
      return world_->Fail(absl::StrCat("a retry is refused: ", std::string(status.message())));
    }
    Retriable& again = retriable_[slot];
    if (known && !written.repeated) return world_->Fail("a retry was done twice");
    if (again.answered && written.repeated && written.version != again.name.version) {
      return world_->Fail("a retry got another answer");
    }
    if (written.repeated) {
      world_->coverage().Covered(again.node == node ? Path::kRetryRecognized
                                                    : Path::kRetryElsewhere);
    }
    if (!again.answered) {
      world_->coverage().Covered(written.repeated ? Path::kUnknownWasDone : Path::kUnknownWasNot);
      again.answered = true;
      again.name = written;
      again.at = world_->now();
    }
    if (!written.repeated) ++acknowledged_;
    Acknowledge(at, generation, copy, written);
  };
  world_->Submit(node, std::move(operation));
}

void Clients::Read(int at, int node) {
  Session& session = sessions_[at];
  History& history = world_->history();
  const int name_space = PickNamespace(node, /*whole=*/true);
  v1::GetRequest request;
  request.set_namespace_(shape_.namespaces[name_space].name);
  request.set_id(absl::StrCat("k", random_.Below(shape_.ids)));
  request.set_key(absl::StrCat(random_.Below(shape_.keys)));
  v1::GetResponse response;
  Node& replica = world_->node(node);
  const ReplicaView& view = *replica.core->view();
  const HybridTime now = view.TimeAt(world_->MomentAt(node).steady);
  if (auto status = ReadItem(replica.engine.get(), request, now, session.token, response);
      !status.ok()) {
    if (!absl::IsUnavailable(status)) {
      return world_->Fail(absl::StrCat("a read fails: ", std::string(status.message())));
    }
    world_->coverage().Covered(Path::kReadFailed);
    return;
  }
  ++reads_;
  const int item = history.Item(name_space, request.namespace_(), request.id(), request.key());
  const auto applied = [&view](uint64_t origin) { return view.AppliedOf(Origin(origin)).value(); };
  if (replica.seeded) {
    // What the answer shows may be newer than the positions; the token has it.
    for (const SessionToken::Position& position : session.token.positions()) {
      session.past.Advance(position.origin.value(), position.sequence.value());
    }
  } else if (shape_.namespaces[name_space].type == internal::v1::ITEM_TYPE_REGISTER) {
    CheckRegister(session, node, item, now, history.ExpectedOf(item, applied), response);
  } else {
    CheckParts(session, node, item, history.PartsOf(item, applied), response);
  }
  if (random_.Chance(500)) view.Normalize(session.token);
}

std::string Clients::NameOf(int node, int item) const {
  const ItemRecord& record = world_->history().item(item);
  return absl::StrCat(record.name_space_name, "/", record.id, "/", record.key, " at ",
                      shape_.ReplicaNameOf(node));
}

void Clients::CheckRegister(Session& session, int node, int item, HybridTime now,
                            const Expected& expected, const v1::GetResponse& response) {
  const bool put = expected.effect != nullptr && expected.effect->kind == Effect::Kind::kPut;
  const bool expired =
      put && expected.effect->ttl != 0 &&
      ToWallTime(HybridTime(expected.entry->time)) + absl::Microseconds(expected.effect->ttl) <=
          ToWallTime(now);
  const bool present = put && !expired;
  if (expired) world_->coverage().Covered(Path::kExpiredSeen);
  if (response.has_item() != present ||
      (present && response.item().value() != expected.effect->value)) {
    return world_->Fail(absl::StrCat("a read of ", NameOf(node, item),
                                     " does not show the greatest write applied"));
  }
  if (expected.entry == nullptr) return;
  if (!present) world_->coverage().Covered(Path::kDeleteSeen);
  auto& seen = session.seen[item];
  const std::pair<uint64_t, uint64_t> shown(expected.entry->time, expected.entry->origin);
  if (shown < seen) {
    return world_->Fail(absl::StrCat("a session went back in time with ", NameOf(node, item)));
  }
  seen = shown;
  // Of what is cleaned away nothing is seen, and nobody needs it.
  if (!present && !response.has_version()) return;
  session.past.Advance(expected.entry->origin, expected.entry->sequence);
  session.seen_time = std::max(session.seen_time, expected.entry->time);
}

void Clients::CheckParts(Session& session, int node, int item, const ExpectedParts& expected,
                         const v1::GetResponse& response) {
  const std::set<std::string> elements(response.item().elements().begin(),
                                       response.item().elements().end());
  if (response.has_item() != expected.present || elements != expected.elements ||
      response.item().counter() != expected.number) {
    return world_->Fail(absl::StrCat("a read of ", NameOf(node, item), " shows ",
                                     response.item().counter(), " and ", elements.size(),
                                     " elements; its history makes ", expected.number, " and ",
                                     expected.elements.size()));
  }
  for (const EntryRecord* entry : expected.entries) {
    session.past.Advance(entry->origin, entry->sequence);
    session.seen_time = std::max(session.seen_time, entry->time);
  }
}

void Clients::AskAboutUnknown() {
  for (const Session& session : sessions_) {
    for (int node = 0; node < shape_.replicas(); ++node) {
      if (!world_->Listed(node)) continue;
      ReplicaCore& core = *world_->node(node).core;
      for (const SessionToken::Position& position : session.token.positions()) {
        if (core.view()->Find(position.origin) == nullptr) {
          core.AskAbout(position.origin, world_->MomentAt(node));
        }
      }
    }
  }
}

std::optional<int> Clients::FindUnserved() const {
  for (const Session& session : sessions_) {
    for (int node = 0; node < shape_.replicas(); ++node) {
      if (!world_->Listed(node)) continue;
      const ReplicaView& view = *world_->node(node).core->view();
      if (!view.FindLost(session.token) && !view.Covers(session.token)) return node;
    }
  }
  return std::nullopt;
}

void Clients::FailUnserved() {
  const int node = FindUnserved().value_or(0);
  const ReplicaView& view = *world_->node(node).core->view();
  SessionToken::Position missing;
  for (const Session& session : sessions_) {
    if (!view.FindLost(session.token) && !view.Covers(session.token, &missing)) break;
  }
  world_->TellDifferences();
  world_->Fail(absl::StrCat(
      shape_.ReplicaNameOf(node), " refuses a session although it has everything: it has not ",
      absl::Hex(missing.origin.value(), absl::kZeroPad16), "/", missing.sequence.value()));
}

}  // namespace homeport::sim
