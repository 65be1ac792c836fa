#include "client/node/storage_metrics.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "prometheus/metric_family.h"
#include "storage/engine/quarantine/quarantine.h"

namespace homeport {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<std::pair<std::string, std::string>>;

class Families {
 public:
  void Begin(std::string name, std::string help, MetricType type) {
    families_.push_back({std::move(name), std::move(help), type, {}});
  }
  void Add(double value, const Labels& labels = {}) {
    ClientMetric metric;
    for (const auto& [name, text] : labels) metric.label.push_back({name, text});
    if (families_.back().type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    families_.back().metric.push_back(std::move(metric));
  }
  void Counter(std::string name, std::string help, uint64_t value) {
    Begin(std::move(name), std::move(help), MetricType::Counter);
    Add(static_cast<double>(value));
  }
  void Gauge(std::string name, std::string help, double value) {
    Begin(std::move(name), std::move(help), MetricType::Gauge);
    Add(value);
  }
  std::vector<MetricFamily> Take() { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
};

double Seconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + duration.nanos() * 1e-9;
}

std::string StateName(v1::LinkState state) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::LinkState_Name(state), "LINK_STATE_"));
}

void AddCore(const ReplicaStats& stats, Families& out) {
  const CoreCounters& core = stats.core;
  out.Counter("homeport_replica_writes_total", "Writes that clients made here.", core.writes);
  out.Counter("homeport_replica_writes_repeated_total",
              "Writes answered from a request id that was done before.", core.writes_repeated);
  out.Counter("homeport_replica_entries_received_total", "Entries received from peers.",
              core.entries_received);
  out.Counter("homeport_replica_entries_duplicate_total",
              "Entries received from peers that were already here.", core.entries_duplicate);
  out.Counter("homeport_replica_entries_applied_total", "Entries of peers applied.",
              core.entries_applied);
  out.Counter("homeport_replica_registers_kept_total",
              "Changes of peers that a later version here had overtaken.", core.registers_kept);
  out.Counter("homeport_replica_entries_owed_total",
              "Entries that peers left out because their topology was another one.",
              core.entries_owed);
  out.Gauge("homeport_replica_namespaces_kept",
            "Namespaces that are not held whole any more, and kept as nobody else is known to have "
            "all of them.",
            static_cast<double>(core.namespaces_kept));
  out.Counter("homeport_replica_tombstones_dropped_total",
              "Tombstones dropped, as every member has them.", core.tombstones_dropped);
  out.Counter("homeport_replica_expired_dropped_total",
              "Expired items dropped, as every member has them.", core.expired_dropped);
  out.Gauge("homeport_replica_cleanup_waiting",
            "Tombstones and expired items that wait for members, at the last look.",
            core.cleanup_waiting);
  out.Counter("homeport_replica_origins_closed_total",
              "Origins lost with a disk or left with a region that this replica has closed.",
              core.origins_closed);
  out.Counter("homeport_replica_positions_lost_total",
              "Entries lost with a disk, at least: what entries that were applied name of them.",
              core.positions_lost);
  out.Counter("homeport_replica_clock_refusals_total",
              "Times that an origin was found too far ahead and paused.", core.clock_refusals);
  out.Counter("homeport_replica_clock_jumps_ignored_total",
              "Jumps of this machine's wall clock that were not followed.",
              stats.clock_jumps_ignored);
  out.Counter("homeport_replica_commits_total", "Batches written, each with one sync.",
              stats.commits);
  out.Counter("homeport_replica_commit_bytes_total", "Bytes of keys and values in those batches.",
              stats.commit_bytes);
  out.Gauge("homeport_replica_writes_queued", "Writes waiting for a commit.",
            static_cast<double>(stats.writes_queued));
  out.Gauge("homeport_replica_waiting", "Requests waiting for their session token.",
            static_cast<double>(stats.waiting));
  out.Gauge("homeport_replica_waiting_for_regions",
            "Writes waiting for other regions to have them.",
            static_cast<double>(stats.waiting_for_regions));
  out.Gauge("homeport_replica_origins_blocked", "Origins whose next entry can not be applied yet.",
            static_cast<double>(stats.blocked.size()));
}

void AddConflicts(const ConflictStats& stats, Families& out) {
  out.Begin("homeport_conflicts_total",
            "Writes accepted here that others overtook without having seen them.",
            MetricType::Counter);
  for (const auto& [name_space, found] : stats.found) {
    out.Add(static_cast<double>(found), {{"namespace", name_space}});
  }
  out.Gauge("homeport_conflict_journal_conflicts", "Conflicts in the journal.",
            static_cast<double>(stats.conflicts));
  out.Gauge("homeport_conflict_journal_bytes", "Bytes of the conflict journal.",
            static_cast<double>(stats.bytes));
  out.Counter("homeport_conflicts_evicted_total",
              "Conflicts that were dropped from the journal to make room, ever.", stats.evicted);
}

std::string PhaseName(v1::ReplicaPhase phase) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::ReplicaPhase_Name(phase), "REPLICA_PHASE_"));
}

void AddReplica(const v1::ReplicaStatus& replica, Sequence log_begin, Families& out) {
  out.Begin("homeport_replica_phase", "1 for what the replica does at present.", MetricType::Gauge);
  for (int phase = v1::REPLICA_PHASE_CATCHING_UP; phase <= v1::REPLICA_PHASE_LEAVING; ++phase) {
    out.Add(replica.phase() == phase ? 1 : 0,
            {{"phase", PhaseName(static_cast<v1::ReplicaPhase>(phase))}});
  }
  out.Gauge("homeport_replica_join_progress", "Of catching up, from 0 to 1.", replica.progress());
  out.Gauge("homeport_log_bytes", "Bytes of the change log.",
            static_cast<double>(replica.log_bytes()));
  out.Gauge("homeport_log_begin", "First of this start's entries that the change log still has.",
            static_cast<double>(log_begin.value()));
  out.Begin("homeport_member_missing_entries",
            "This replica's entries that a member is not known to have applied.",
            MetricType::Gauge);
  for (const v1::MemberStatus& member : replica.members()) {
    out.Add(static_cast<double>(member.missing_entries()), {{"member", member.replica()}});
  }
  out.Begin("homeport_member_known", "1 if the member was heard of since this process started.",
            MetricType::Gauge);
  for (const v1::MemberStatus& member : replica.members()) {
    out.Add(member.known() ? 1 : 0, {{"member", member.replica()}});
  }
}

void AddSeeding(const std::vector<v1::LinkStatus>& links, Families& out) {
  out.Begin("homeport_link_standby", "1 while another replica of the region pulls from the peer.",
            MetricType::Gauge);
  for (const v1::LinkStatus& link : links) {
    out.Add(link.standby() ? 1 : 0, {{"peer", link.peer()}});
  }
  out.Begin("homeport_seed_items", "Items taken in by the seeding that is under way.",
            MetricType::Gauge);
  for (const v1::LinkStatus& link : links) {
    out.Add(static_cast<double>(link.seed_items()), {{"peer", link.peer()}});
  }
  out.Begin("homeport_seed_items_total", "Items that it will have taken in, estimated.",
            MetricType::Gauge);
  for (const v1::LinkStatus& link : links) {
    out.Add(static_cast<double>(link.seed_items_total()), {{"peer", link.peer()}});
  }
}

void AddScrub(const ScrubStatus& scrub, Families& out) {
  out.Counter("homeport_scrub_passes_total",
              "Times that every table of the store was read and its checksums were verified.",
              scrub.passes);
  out.Begin("homeport_scrub_age_seconds",
            "How long ago the last such pass ended; absent before the first.", MetricType::Gauge);
  if (scrub.age) out.Add(absl::ToDoubleSeconds(*scrub.age));
  out.Begin("homeport_scrub_tables_total", "Tables looked at, by what was found.",
            MetricType::Counter);
  out.Add(static_cast<double>(scrub.tables), {{"found", "whole"}});
  out.Add(static_cast<double>(scrub.tables_damaged), {{"found", "damaged"}});
  out.Add(static_cast<double>(scrub.tables_unread), {{"found", "unreadable"}});
  out.Counter("homeport_scrub_bytes_total", "Bytes of tables read for it.", scrub.bytes);
}

}  // namespace

std::vector<MetricFamily> StorageMetrics::Collect() const {
  Families out;
  const ReplicaStats stats = replica_->Stats();
  AddCore(stats, out);
  AddConflicts(*stats.conflicts, out);
  out.Gauge("homeport_replica_writes_refused", "1 while the replica refuses writes.",
            replica_->WriteState().ok() ? 0 : 1);
  out.Gauge("homeport_replica_stores_moved_aside",
            "Damaged stores that are kept in the data directory.",
            static_cast<double>(ListQuarantined(data_path_).size()));
  AddScrub(scrub_->status(), out);
  const std::shared_ptr<const ReplicaView> view = replica_->view();
  const OriginView* self = view->Find(view->self);
  AddReplica(replica_->Status(), self == nullptr ? Sequence(1) : self->log_begin, out);
  const std::vector<v1::LinkStatus> links = links_->Status();
  out.Begin("homeport_link_state", "1 for the state that the link from the peer is in.",
            MetricType::Gauge);
  for (const v1::LinkStatus& link : links) {
    for (int state = v1::LINK_STATE_CONNECTING; state <= v1::LINK_STATE_FENCED; ++state) {
      out.Add(link.state() == state ? 1 : 0,
              {{"peer", link.peer()}, {"state", StateName(static_cast<v1::LinkState>(state))}});
    }
  }
  out.Begin("homeport_link_lag_seconds", "Age of the newest data of the peer.", MetricType::Gauge);
  for (const v1::LinkStatus& link : links) {
    if (link.has_lag()) out.Add(Seconds(link.lag()), {{"peer", link.peer()}});
  }
  out.Begin("homeport_link_lag_entries", "Entries that the peer has and this replica has not.",
            MetricType::Gauge);
  for (const v1::LinkStatus& link : links) {
    out.Add(static_cast<double>(link.lag_entries()), {{"peer", link.peer()}});
  }
  out.Begin("homeport_link_received_bytes_total", "Bytes of batches received, compressed.",
            MetricType::Counter);
  for (const v1::LinkStatus& link : links) {
    out.Add(static_cast<double>(link.bytes_received()), {{"peer", link.peer()}});
  }
  out.Begin("homeport_link_connects_total", "Times that the link was established.",
            MetricType::Counter);
  for (const v1::LinkStatus& link : links) {
    out.Add(static_cast<double>(link.connects()), {{"peer", link.peer()}});
  }
  out.Begin("homeport_divergent_records",
            "Records of which the peer holds other content than this replica although it should "
            "not, by the last comparison.",
            MetricType::Gauge);
  for (const v1::LinkStatus& link : links) {
    out.Add(static_cast<double>(link.records_differ()), {{"peer", link.peer()}});
  }
  out.Begin("homeport_compare_age_seconds",
            "How long ago the namespace was compared with the peer whose turn is longest past.",
            MetricType::Gauge);
  for (const v1::LinkStatus& link : links) {
    if (link.has_verified_age()) out.Add(Seconds(link.verified_age()), {{"peer", link.peer()}});
  }
  out.Begin("homeport_repaired_records_total",
            "Records of which something was taken from the peer after a comparison.",
            MetricType::Counter);
  for (const v1::LinkStatus& link : links) {
    out.Add(static_cast<double>(link.records_repaired()), {{"peer", link.peer()}});
  }
  out.Begin("homeport_link_clock_offset_seconds",
            "The peer's wall clock less this one's, the way here included.", MetricType::Gauge);
  for (const auto& [peer, offset] : links_->ClockOffsets()) {
    out.Add(absl::ToDoubleSeconds(offset), {{"peer", peer}});
  }
  out.Begin("homeport_peer_received", "What a peer has durably of this start's entries.",
            MetricType::Gauge);
  for (const PullingPeer& peer : service_->Peers()) {
    out.Add(static_cast<double>(peer.received), {{"peer", peer.name.value()}});
  }
  AddSeeding(links, out);
  return out.Take();
}

}  // namespace homeport
