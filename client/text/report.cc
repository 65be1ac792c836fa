#include "client/text/report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/text/describe.h"
#include "client/text/text_table.h"

namespace homeport {
namespace {

TextStyle StyleOfHealth(const std::string& health) {
  if (health == "healthy") return TextStyle::kGreen;
  if (health == "ejected") return TextStyle::kRed;
  return TextStyle::kYellow;
}

TextStyle StyleOfLink(v1::LinkState state) {
  switch (state) {
    case v1::LINK_STATE_STREAMING:
      return TextStyle::kGreen;
    case v1::LINK_STATE_CATCHING_UP:
    case v1::LINK_STATE_SEEDING:
      return TextStyle::kYellow;
    default:
      return TextStyle::kRed;
  }
}

std::string DatabaseLine(const v1::GeoDatabase& database) {
  std::string line = database.path();
  if (!database.type().empty()) absl::StrAppend(&line, ", ", database.type());
  if (database.has_age()) {
    absl::StrAppend(&line, ", ", Describe(DurationOf(database.age())), " old");
  }
  if (!database.credit().empty()) absl::StrAppend(&line, "; ", database.credit());
  return line;
}

std::string Regions(const v1::GetStatusResponse& response, bool colours) {
  TextTable table({"REGION", "REPLICA", "HEALTH", ">ROUND TRIP", "GATEWAY", "NOTE"});
  for (const v1::RegionStatus& region : response.regions()) {
    const std::string name = absl::StrCat(region.name(), region.is_self() ? " *" : "");
    const std::string gateways = absl::StrJoin(region.gateways(), ",");
    if (region.replicas().empty()) table.Add({name, "none", "", "", gateways, ""});
    for (const v1::RemoteReplicaStatus& replica : region.replicas()) {
      std::string round_trip;
      if (replica.has_round_trip()) {
        round_trip = absl::StrCat(replica.round_trip_measured() ? "" : "~",
                                  Describe(DurationOf(replica.round_trip())));
      }
      table.Add({name,
                 replica.name(),
                 {replica.health(), StyleOfHealth(replica.health())},
                 round_trip,
                 gateways,
                 replica.reason()});
    }
  }
  return table.ToString(colours);
}

// "0, verified 12 s ago"
std::string Divergence(const v1::LinkStatus& link) {
  if (!link.has_verified_age()) return "not verified yet";
  return absl::StrCat(link.records_differ(), ", verified ",
                      Describe(DurationOf(link.verified_age())), " ago");
}

std::string Links(const v1::ReplicaStatus& replica, bool colours) {
  TextTable table({"FROM", "STATE", ">LAG", ">ENTRIES BEHIND", ">RECEIVED", ">BYTES",
                   ">RECORDS THAT DIFFER", "NOTE"});
  for (const v1::LinkStatus& link : replica.links()) {
    table.Add({link.peer(),
               {Describe(link.state()), StyleOfLink(link.state())},
               link.has_lag() ? Describe(DurationOf(link.lag())) : "unknown",
               absl::StrCat(link.lag_entries()),
               absl::StrCat(link.entries_received()),
               DescribeBytes(link.bytes_received()),
               Divergence(link),
               link.standby() && link.reason().empty() ? "stands by: a sibling pulls"
               : !link.reason().empty() || link.compare_put_off().empty()
                   ? link.reason()
                   : absl::StrCat("not compared: ", link.compare_put_off())});
  }
  return table.empty() ? "" : "\n" + table.ToString(colours);
}

}  // namespace

std::string DescribeLocation(const v1::LocateResponse& response) {
  std::string text = absl::StrCat(response.address(), ": ", Describe(response.place()), "\n");
  absl::StrAppend(&text, "  source: ", Describe(response.source()), "\n");
  if (response.has_database()) {
    absl::StrAppend(&text, "  database: ", DatabaseLine(response.database()), "\n");
  }
  absl::StrAppend(&text, "  region: ", response.region(), " (", Describe(response.reason()), ")\n");
  if (!response.warning().empty()) absl::StrAppend(&text, "  warning: ", response.warning(), "\n");
  return text;
}

std::string DescribeRoute(const v1::ExplainRouteResponse& response, bool colours) {
  std::string text = DescribeLocation(response.client());
  absl::StrAppend(&text, "route: ", response.route(), "\n");
  TextTable table({">TRY", "REPLICA", ">DISTANCE", ">ROUND TRIP", "HEALTH", "WHY"});
  for (const v1::RouteCandidate& candidate : response.candidates()) {
    table.Add(
        {candidate.order() == 0 ? "-" : absl::StrCat(candidate.order()),
         candidate.replica(),
         candidate.has_distance_km() ? absl::StrFormat("%.0f km", candidate.distance_km()) : "",
         absl::StrCat(candidate.round_trip_measured() ? "" : "~",
                      Describe(DurationOf(candidate.round_trip()))),
         {candidate.health(), StyleOfHealth(candidate.health())},
         candidate.why()});
  }
  return text + table.ToString(colours);
}

std::string DescribeStatus(const v1::GetStatusResponse& response, bool colours) {
  std::string text =
      absl::StrCat("cluster ", response.cluster(), ", seen from ", response.region(), ", version ",
                   response.version(), ", topology ", response.topology_fingerprint(), "\n\n");
  text += Regions(response, colours);
  if (response.has_replica()) {
    const v1::ReplicaStatus& replica = response.replica();
    text += Links(replica, colours);
    absl::StrAppend(&text, "\nreplica ", replica.name(), ": origin ",
                    absl::StrFormat("%016x", replica.origin()), ", ",
                    replica.positions_size() > 0
                        ? absl::StrCat(replica.positions(0).applied(), " entries, ")
                        : "",
                    DescribeBytes(replica.disk_bytes()), " on disk\n");
    if (!replica.phase_detail().empty()) {
      absl::StrAppend(&text, "joining: ", replica.phase_detail(), "\n");
    }
    for (const v1::KeptNamespace& kept : replica.kept()) {
      absl::StrAppend(&text, "kept of namespace '", kept.namespace_(),
                      "' until another replica has it: ", kept.reason(), "\n");
    }
    if (!replica.writes_refused().empty()) {
      absl::StrAppend(&text,
                      Styled(absl::StrCat("writes refused: ", replica.writes_refused()),
                             TextStyle::kRed, colours),
                      "\n");
    }
  } else {
    text += "\nno replica in this process\n";
  }
  for (const v1::GeoDatabase& database : response.databases()) {
    absl::StrAppend(&text, "geo: ", DatabaseLine(database), "\n");
  }
  for (const std::string& warning : response.warnings()) {
    absl::StrAppend(&text, Styled(absl::StrCat("warning: ", warning), TextStyle::kYellow, colours),
                    "\n");
  }
  return text;
}

}  // namespace homeport
