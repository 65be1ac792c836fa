#include "tests/bench/machine.h"

#include <sched.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "client/world/child_process.h"

namespace homeport::bench {
namespace {

constexpr size_t kProfileLines = 14;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Ticks {
  uint64_t user = 0;
  uint64_t system = 0;
};

Ticks TicksOf(pid_t pid) {
  const std::string stat = ReadFile(absl::StrCat("/proc/", pid, "/stat"));
  // The second field is the program's name in brackets and may have spaces in it.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(stat.substr(name_end + 2));
  // From the third field on: utime is the 14th, stime the 15th.
  std::vector<std::string> values{std::istream_iterator<std::string>(fields), {}};
  if (values.size() < 13) return {};
  return {std::stoull(values[11]), std::stoull(values[12])};
}

absl::Duration InTime(uint64_t ticks) {
  return absl::Seconds(static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK)));
}

// What perf reports, without its comments and what is below a percent.
std::string TopLines(const std::string& report) {
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(report, '\n')) {
    if (line.empty() || line[0] == '#') continue;
    if (lines.size() == kProfileLines) break;
    lines.push_back(absl::StrCat("  ", absl::StripTrailingAsciiWhitespace(line.substr(0, 110))));
  }
  return absl::StrCat(absl::StrJoin(lines, "\n"), "\n");
}

// True if the command ended well in time.
bool RunCommand(std::vector<std::string> command, const std::string& log, absl::Duration timeout) {
  ChildProcess::Options options;
  options.command = std::move(command);
  options.log_file = log;
  auto process = ChildProcess::Start(options);
  if (!process.ok()) return false;
  auto end = (*process)->Wait(timeout);
  return end.ok() && *end == ProcessEnd{};
}

}  // namespace

std::vector<int> AllowedCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

void RunOn(const std::vector<int>& cores) {
  if (cores.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int core : cores) CPU_SET(core, &set);
  // A machine that refuses runs the benchmark unpinned, as its spread then shows.
  (void)sched_setaffinity(0, sizeof(set), &set);
}

absl::Duration CpuTime(pid_t pid) {
  const Ticks ticks = TicksOf(pid);
  return InTime(ticks.user + ticks.system);
}

absl::Duration CpuTime(const std::vector<pid_t>& pids) {
  absl::Duration sum;
  for (pid_t pid : pids) sum += CpuTime(pid);
  return sum;
}

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::istringstream text(ReadFile(absl::StrCat("/proc/", pid, "/task/", pid, "/children")));
  return {std::istream_iterator<pid_t>(text), {}};
}

std::string ProfileOf(const std::vector<pid_t>& pids, absl::Duration duration,
                      const std::string& folder) {
  const std::string data = folder + "/perf.data";
  const std::string text = folder + "/perf.txt";
  std::vector<Ticks> before;
  for (pid_t pid : pids) before.push_back(TicksOf(pid));
  const absl::Time start = absl::Now();
  const bool sampled =
      RunCommand({"perf", "record", "-q", "-F", "997", "-o", data, "-p", absl::StrJoin(pids, ","),
                  "--", "sleep", absl::StrCat(absl::ToDoubleSeconds(duration))},
                 folder + "/perf.log", duration + absl::Seconds(20));
  if (!sampled) absl::SleepFor(duration);
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  std::string result;
  for (size_t i = 0; i < pids.size(); ++i) {
    const Ticks now = TicksOf(pids[i]);
    absl::StrAppendFormat(
        &result, "  process %d: %.0f %% of a core in user code, %.0f %% in the kernel\n", pids[i],
        100 * absl::ToDoubleSeconds(InTime(now.user - before[i].user)) / seconds,
        100 * absl::ToDoubleSeconds(InTime(now.system - before[i].system)) / seconds);
  }
  // First which threads and libraries, then which functions.
  for (const char* sort : {"comm,dso", "comm,dso,symbol"}) {
    unlink(text.c_str());
    if (!sampled || !RunCommand({"perf", "report", "-i", data, "--stdio", "--no-children", "-g",
                                 "none", "--percent-limit", "0.8", "--sort", sort},
                                text, absl::Seconds(60))) {
      return result + "  perf(1) is not here or may not sample: no functions\n";
    }
    absl::StrAppend(&result, TopLines(ReadFile(text)));
  }
  return result;
}

}  // namespace homeport::bench
