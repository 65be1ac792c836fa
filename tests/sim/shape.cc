#include "tests/sim/shape.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"

namespace homeport::sim {
namespace {

// A usual value mostly, and now and then one that nobody would choose.
int64_t Usual(Random& random, int64_t low, int64_t high, int64_t silly_low, int64_t silly_high) {
  return random.Chance(200) ? random.Between(silly_low, silly_high) : random.Between(low, high);
}

}  // namespace

std::string Shape::ReplicaNameOf(int replica) const {
  const int region = region_of[replica];
  int index = 0;
  for (int i = 0; i < replica; ++i) index += region_of[i] == region ? 1 : 0;
  return absl::StrCat("r", region, "/", std::string(1, static_cast<char>('a' + index)));
}

std::shared_ptr<const Topology> Shape::MakeTopology(int version) const {
  const TopologyVersion& file = story.versions[version];
  internal::v1::Topology proto;
  proto.set_cluster("sim");
  for (int i = 0; i < regions; ++i) {
    if (!file.listed[i]) continue;
    internal::v1::Region* region = proto.add_regions();
    region->set_joining(file.joining[i]);
    region->set_leaving(file.leaving[i]);
    region->set_name(absl::StrCat("r", i));
    region->set_country("DE");
    region->set_latitude(i);
    region->set_longitude(i);
    region->add_gateways(absl::StrCat("127.0.0.1:", 1000 + i));
    for (int at = 0; at < replicas(); ++at) {
      if (region_of[at] != i) continue;
      internal::v1::Replica* replica = region->add_replicas();
      replica->set_name(ReplicaNameOf(at).substr(ReplicaNameOf(at).find('/') + 1));
      replica->set_address(absl::StrCat("127.0.0.1:", 2000 + at));
    }
  }
  for (size_t at = 0; at < namespaces.size(); ++at) {
    const ShapeNamespace& info = namespaces[at];
    const std::vector<bool>& held = file.held[at];
    internal::v1::Namespace* added = proto.add_namespaces();
    added->set_name(info.name);
    added->set_item_type(info.type);
    if (info.ttl != 0) added->mutable_ttl()->set_seconds(info.ttl / kSecond);
    if (std::find(held.begin(), held.end(), false) == held.end()) continue;
    for (int i = 0; i < regions; ++i) {
      if (held[i] && file.listed[i]) added->add_regions(absl::StrCat("r", i));
    }
  }
  auto topology = Topology::Create(proto);
  HP_CHECK(topology.ok());
  return *topology;
}

std::string Shape::Describe() const {
  std::string text = absl::StrCat(regions, " regions, ", replicas(), " replicas, ", ids, " ids of ",
                                  keys, " keys, ", sessions, " sessions, ", operations,
                                  " operations in ", operations_end / kMilli, " ms; namespaces");
  for (const ShapeNamespace& info : namespaces) {
    absl::StrAppend(&text, " ", info.name, "(");
    for (int i = 0; i < regions; ++i) absl::StrAppend(&text, info.held[i] ? "x" : "-");
    absl::StrAppend(&text, ")");
    if (info.type == internal::v1::ITEM_TYPE_COUNTER) absl::StrAppend(&text, " of counters");
    if (info.type == internal::v1::ITEM_TYPE_SET) absl::StrAppend(&text, " of sets");
    if (info.ttl != 0) absl::StrAppend(&text, " for ", info.ttl / kSecond, " s");
  }
  absl::StrAppend(&text, "; reads ", reads, ", deletes ", deletes, ", roams ", roams,
                  " of 1000; values to ", value_max, big_values ? " and big ones" : "", "; batch ",
                  batch_bytes, ", credit ", credit_bytes, ", skips ", skips_max, ", apply ",
                  apply_max, "; sync ", sync_delay, " us, pump ", pump_delay, " us, log ",
                  log_bytes_max, ", heartbeat ", heartbeat / kMilli, " ms, drift ",
                  drift_max / kMilli, " ms");
  if (story.kind != RolloutStory::Kind::kNone) absl::StrAppend(&text, "; ", story.Describe());
  return text;
}

Shape DrawShape(Random random) {
  Shape shape;
  shape.regions = static_cast<int>(random.Between(2, random.Chance(150) ? 7 : 4));
  // Not above eight: what many replicas of a region can do, two can, and links go by the square.
  const bool several = random.Chance(250);
  for (int region = 0; region < shape.regions; ++region) {
    int replicas = several ? static_cast<int>(random.Between(1, 3)) : 1;
    while (replicas > 1 && shape.replicas() + replicas + shape.regions - region - 1 > 8) --replicas;
    for (int i = 0; i < replicas; ++i) shape.region_of.push_back(region);
  }
  const std::vector<bool> everywhere(shape.regions, true);
  shape.namespaces.push_back({"all", everywhere});
  if (random.Chance(500)) {
    shape.namespaces.push_back({"counts", everywhere, internal::v1::ITEM_TYPE_COUNTER});
  }
  if (random.Chance(500)) {
    shape.namespaces.push_back({"sets", everywhere, internal::v1::ITEM_TYPE_SET});
  }
  if (random.Chance(300)) {
    shape.namespaces.push_back(
        {"short", everywhere, internal::v1::ITEM_TYPE_REGISTER, random.Between(1, 3) * kSecond});
  }
  shape.lose_disk = random.Chance(500);
  if (!shape.lose_disk) {
    const int64_t partial = random.Between(0, 3);
    for (int64_t i = 0; i < partial; ++i) {
      ShapeNamespace info{absl::StrCat("some", i), std::vector<bool>(shape.regions, false)};
      for (int region = 0; region < shape.regions; ++region) info.held[region] = random.Chance(600);
      if (std::find(info.held.begin(), info.held.end(), true) == info.held.end()) {
        info.held[random.Below(shape.regions)] = true;
      }
      if (random.Chance(300)) {
        info.type =
            random.Chance(500) ? internal::v1::ITEM_TYPE_COUNTER : internal::v1::ITEM_TYPE_SET;
      }
      shape.namespaces.push_back(std::move(info));
    }
  }
  shape.ids = static_cast<int>(Usual(random, 4, 20, 1, 2));
  shape.keys = static_cast<int>(random.Between(1, 4));
  shape.sessions = static_cast<int>(random.Between(2, 8));
  shape.operations = static_cast<int>(random.Between(400, 600));
  shape.operations_end = shape.operations * random.Between(2, 8) * kMilli;
  shape.reads = static_cast<int>(random.Between(150, 450));
  shape.deletes = static_cast<int>(Usual(random, 50, 250, 0, 700));
  shape.with_request_id = static_cast<int>(random.Between(100, 600));
  shape.answers_lost = random.Split(1).Chance(50) ? 100 : 0;
  shape.roams = static_cast<int>(Usual(random, 20, 300, 0, 1000));
  shape.value_max = static_cast<int>(Usual(random, 4, 120, 0, 3000));
  shape.big_values = random.Chance(10);
  shape.latency.assign(shape.regions, std::vector<Micros>(shape.regions, 300));
  for (int a = 0; a < shape.regions; ++a) {
    for (int b = 0; b < a; ++b) {
      shape.latency[a][b] = shape.latency[b][a] = random.Between(1 * kMilli, 90 * kMilli);
    }
  }
  shape.jitter = random.Between(0, 10 * kMilli);
  shape.sync_delay = Usual(random, 2 * kMilli, 12 * kMilli, 0, kMilli);
  shape.pump_delay = Usual(random, 5 * kMilli, 50 * kMilli, 0, 500);
  shape.heartbeat = random.Between(150, 500) * kMilli;
  shape.down_grace = random.Between(50, 600) * kMilli;
  shape.batch_bytes = static_cast<size_t>(Usual(random, 500, 256 * 1024, 1, 100));
  shape.credit_bytes = static_cast<uint64_t>(Usual(random, 4000, 1 << 20, 16, 1000));
  shape.skips_max = static_cast<int>(Usual(random, 10, 10000, 1, 3));
  shape.apply_max = static_cast<int>(Usual(random, 20, 2000, 1, 5));
  shape.forget_max = static_cast<int>(Usual(random, 10, 1000, 1, 2));
  shape.request_window = random.Chance(300) ? random.Between(1, 3) * kSecond : 600 * kSecond;
  shape.drift_max = Usual(random, 300, 600, 250, 2000) * kMilli;
  shape.log_bytes_max =
      random.Chance(400) ? static_cast<uint64_t>(random.Between(300, 20000)) : uint64_t{1} << 30;
  shape.seed_chunk_bytes = static_cast<size_t>(Usual(random, 200, 5000, 1, 20));
  shape.seed_bytes_per_second =
      static_cast<uint64_t>(Usual(random, 100'000, 1 << 26, 2000, 20'000));
  shape.compare_interval = random.Between(2, 10) * kSecond;
  shape.clock_grain = random.Chance(300) ? random.Between(1, 20) * kMilli : 1;
  shape.watch_items = random.Chance(250);
  Random journal = random.Split(2);
  if (shape.watch_items && journal.Chance(500)) {
    shape.journal_bytes = static_cast<uint64_t>(journal.Between(100, 3000));
  }
  shape.restores = shape.watch_items ? static_cast<int>(journal.Between(0, 80)) : 0;
  return shape;
}

}  // namespace homeport::sim
