#include "tests/sim/workers.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "common/base/check.h"

namespace homeport::sim {
namespace {

struct Worker {
  pid_t process = -1;
  int pipe = -1;
  uint64_t next = 0;  // the seed that it is at
};

SeedReport RunOne(uint64_t seed) {
  RunOptions options;
  options.seed = seed;
  RunResult result = RunSeed(options);
  if (result.failure.empty() && seed % 20 == 0 && RunSeed(options).hash != result.hash) {
    result.failure = "the second run of the seed was another one";
  }
  SeedReport report;
  report.seed = seed;
  report.failed = !result.failure.empty();
  std::strncpy(report.failure, result.failure.c_str(), sizeof(report.failure) - 1);
  report.events = result.events;
  report.acknowledged = result.acknowledged;
  report.writes_lost = result.writes_lost;
  report.regions = result.regions;
  report.fault_kinds = result.fault_kinds;
  report.converged_after = result.converged_after;
  report.coverage = result.coverage;
  return report;
}

void Spawn(Worker& worker, uint64_t end, uint64_t step, unsigned seconds_max,
           const std::function<void()>& prepare) {
  int ends[2];
  HP_CHECK(pipe(ends) == 0);
  const pid_t process = fork();
  HP_CHECK(process >= 0);
  if (process == 0) {
    close(ends[0]);
    prepare();
    for (uint64_t seed = worker.next; seed < end; seed += step) {
      alarm(seconds_max);
      const SeedReport report = RunOne(seed);
      if (write(ends[1], &report, sizeof(report)) != sizeof(report)) _exit(1);
    }
    _exit(0);
  }
  close(ends[1]);
  worker.process = process;
  worker.pipe = ends[0];
}

// True if a whole report came; false at the end of the pipe.
bool ReadReport(int pipe, SeedReport& report) {
  size_t have = 0;
  while (have < sizeof(report)) {
    const ssize_t got = read(pipe, reinterpret_cast<char*>(&report) + have, sizeof(report) - have);
    if (got <= 0) return false;
    have += static_cast<size_t>(got);
  }
  return true;
}

void Reap(Worker& worker, bool end) {
  if (end) kill(worker.process, SIGKILL);
  close(worker.pipe);
  waitpid(worker.process, nullptr, 0);
  worker.process = -1;
  worker.pipe = -1;
}

}  // namespace

void RunSeeds(uint64_t first, uint64_t seeds, int jobs, unsigned seconds_max,
              const std::function<void()>& prepare,
              const std::function<bool(const SeedReport&)>& report) {
  const uint64_t end = first + seeds;
  const uint64_t step = static_cast<uint64_t>(std::max(1, jobs));
  std::vector<Worker> workers(step);
  for (uint64_t i = 0; i < step; ++i) {
    workers[i].next = first + i;
    if (workers[i].next < end) Spawn(workers[i], end, step, seconds_max, prepare);
  }
  bool ended = false;
  while (true) {
    std::vector<pollfd> polled;
    std::vector<Worker*> of;
    for (Worker& worker : workers) {
      if (worker.pipe == -1) continue;
      polled.push_back({worker.pipe, POLLIN, 0});
      of.push_back(&worker);
    }
    if (polled.empty()) return;
    poll(polled.data(), polled.size(), -1);
    for (size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents == 0) continue;
      Worker& worker = *of[i];
      SeedReport got;
      if (ReadReport(worker.pipe, got)) {
        worker.next = got.seed + step;
      } else {
        Reap(worker, false);
        if (worker.next >= end) continue;
        got.seed = worker.next;
        got.failed = got.died = true;
        std::strncpy(got.failure, "the process died, or took too long", sizeof(got.failure) - 1);
        worker.next += step;
        if (worker.next < end) Spawn(worker, end, step, seconds_max, prepare);
      }
      ended = ended || !report(got);
    }
    if (!ended) continue;
    for (Worker& worker : workers) {
      if (worker.pipe != -1) Reap(worker, true);
    }
    return;
  }
}

}  // namespace homeport::sim
