// What is measured, each as pairs that alternate within one run.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/bench/report.h"

namespace homeport::bench {

struct BenchOptions {
  std::string program;         // homeport
  std::string database;        // MMDB, countries
  std::string nginx_template;  // nginx.conf.in
  std::string folder;          // for data and logs, on a real disk; must be there
  // How often each pair alternates, and how long each measurement takes.
  int rounds = 5;
  absl::Duration warm_up = absl::Milliseconds(400);
  absl::Duration duration = absl::Seconds(2);
  absl::Duration lag_duration = absl::Seconds(15);
  // Cores of the client and of the servers; the same where the machine has one. Empty: not pinned.
  std::vector<int> client_cores;
  std::vector<int> server_cores;
  // Completion queues, with a thread each, of every server: one a core that it may run on.
  int server_threads = 1;
  // Profiles also what meets its mark.
  bool profile_all = false;
};

// Each adds its rows to `report`. Errors are of what could not be measured; a missed mark is none.
absl::Status MeasureDecisions(const BenchOptions& options, Report& report);
absl::Status MeasureLocalGets(const BenchOptions& options, Report& report);
absl::Status MeasureRemoteGets(const BenchOptions& options, Report& report);
absl::Status MeasurePuts(const BenchOptions& options, Report& report);
absl::Status MeasureLag(const BenchOptions& options, Report& report);
absl::Status MeasureCatchUp(const BenchOptions& options, Report& report);
absl::Status MeasureLongLink(const BenchOptions& options, Report& report);
absl::Status MeasureWriters(const BenchOptions& options, Report& report);
absl::Status MeasureLinkBytes(const BenchOptions& options, Report& report);
absl::Status MeasureLinkCount(const BenchOptions& options, Report& report);
absl::Status MeasureSeeding(const BenchOptions& options, Report& report);
absl::Status MeasureDigests(const BenchOptions& options, Report& report);

}  // namespace homeport::bench
