// The benchmark: one run, one table. tests/bench/README.md says how to read it.
#include <sys/vfs.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/bench/bare_server.h"
#include "tests/bench/machine.h"
#include "tests/bench/scenarios.h"

namespace homeport::bench {
namespace {

constexpr long kTmpfsMagic = 0x01021994;

struct Scenario {
  const char* name;
  absl::Status (*measure)(const BenchOptions&, Report&);
};

constexpr Scenario kScenarios[] = {{"decisions", MeasureDecisions},
                                   {"local-get", MeasureLocalGets},
                                   {"remote-get", MeasureRemoteGets},
                                   {"put", MeasurePuts},
                                   {"lag", MeasureLag},
                                   {"catch-up", MeasureCatchUp},
                                   {"long-link", MeasureLongLink},
                                   {"writers", MeasureWriters},
                                   {"link-bytes", MeasureLinkBytes},
                                   {"link-count", MeasureLinkCount},
                                   {"seeding", MeasureSeeding},
                                   {"digests", MeasureDigests}};

void ChooseCores(BenchOptions& options, bool pin, Report& report) {
  const std::vector<int> cores = AllowedCores();
  if (!pin || cores.size() < 2) {
    options.server_threads = std::max(1, static_cast<int>(cores.size()));
    report.AddNote(absl::StrCat(cores.size(), " cores, nothing pinned"));
    return;
  }
  options.client_cores = {cores[0]};
  options.server_cores = {cores[1]};
  options.server_threads = 1;
  RunOn(options.client_cores);
  report.AddNote(absl::StrCat("client on core ", cores[0], ", all servers on core ", cores[1],
                              ", one thread for calls in each; lag: all on both cores"));
}

}  // namespace

int Main(int argc, char** argv) {
  CLI::App app("Measures Homeport against what it is built on and what it replaces.");
  BenchOptions options;
  std::string json_file, only;
  bool quick = false, strict = false, no_pin = false;
  app.add_option("--program", options.program, "The homeport program");
  app.add_option("--database", options.database, "An MMDB file with countries");
  app.add_option("--nginx-template", options.nginx_template, "nginx.conf.in");
  app.add_option("--folder", options.folder, "For data and logs; on a real disk");
  app.add_option("--json", json_file, "Writes all samples to this file");
  app.add_option(
      "--only", only,
      "Of decisions,local-get,remote-get,put,lag,catch-up,long-link,writers,link-bytes,link-count,"
      "seeding,digests: only these");
  app.add_option("--rounds", options.rounds, "How often each pair alternates")
      ->check(CLI::Range(1, 100));
  app.add_flag("--quick", quick, "Under a minute, with wider spreads");
  app.add_flag("--strict", strict, "Exit code 1 if a mark is not met");
  app.add_flag("--no-pin", no_pin, "Leave processes on any core");
  app.add_flag("--profile", options.profile_all, "Profiles also what meets its mark");
  BareServerOptions bare;
  CLI::App* bare_command = app.add_subcommand("bare-server", "The bare gRPC server");
  bare_command->add_option("--answer", bare.answer_file, "A serialized GetResponse")->required();
  bare_command->add_option("--ready-file", bare.ready_file, "Takes the address")->required();
  bare_command->add_option("--threads", bare.threads, "Completion queues")
      ->check(CLI::Range(1, 256));
  CLI11_PARSE(app, argc, argv);
  if (bare_command->parsed()) return RunBareServer(bare);
  for (const auto& [flag, value] :
       {std::pair("--program", &options.program), std::pair("--database", &options.database),
        std::pair("--nginx-template", &options.nginx_template),
        std::pair("--folder", &options.folder)}) {
    if (!value->empty()) continue;
    std::fprintf(stderr, "%s is missing; tests/bench/run gives it\n", flag);
    return 2;
  }
  std::set<std::string> chosen;
  if (!only.empty()) chosen = absl::StrSplit(only, ',');
  for (const std::string& name : chosen) {
    bool known = false;
    for (const Scenario& scenario : kScenarios) known |= name == scenario.name;
    if (known) continue;
    std::fprintf(stderr, "--only: there is no '%s'\n", name.c_str());
    return 2;
  }
  if (quick) {
    options.rounds = 2;
    options.warm_up = absl::Milliseconds(200);
    options.duration = absl::Seconds(1);
    options.lag_duration = absl::Seconds(5);
  }

  Report report;
  const absl::Time start = absl::Now();
  report.AddNote(absl::StrCat(
      "Homeport benchmark, ", absl::FormatTime("%Y-%m-%d %H:%M", start, absl::UTCTimeZone()),
      " UTC, ", options.rounds, " rounds of ", absl::FormatDuration(options.duration)));
  ChooseCores(options, !no_pin, report);
  std::filesystem::create_directories(options.folder);
  struct statfs disk;
  if (statfs(options.folder.c_str(), &disk) == 0 && disk.f_type == kTmpfsMagic) {
    report.AddNote("--folder is in memory: figures of synced writes say nothing");
  }
  for (const Scenario& scenario : kScenarios) {
    if (!chosen.empty() && !chosen.contains(scenario.name)) continue;
    std::fprintf(stderr, "measuring %s ...\n", scenario.name);
    if (auto status = scenario.measure(options, report); !status.ok()) {
      std::fprintf(stderr, "%s: %s\n", scenario.name, status.ToString().c_str());
      return 3;
    }
  }
  std::fputs(report.ToText().c_str(), stdout);
  std::printf("\nIn %.0f s.\n", absl::ToDoubleSeconds(absl::Now() - start));
  if (!json_file.empty()) {
    std::ofstream file(json_file, std::ios::trunc);
    file << report.ToJson();
    file.flush();
    if (!file) {
      std::fprintf(stderr, "can not write %s\n", json_file.c_str());
      return 3;
    }
  }
  return strict && !report.all_met() ? 1 : 0;
}

}  // namespace homeport::bench

int main(int argc, char** argv) { return homeport::bench::Main(argc, argv); }
