#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "homeport/v1/key_value.pb.h"
#include "tests/bench/engine_parts.h"
#include "tests/bench/machine.h"
#include "tests/bench/scenario_parts.h"
#include "tests/bench/two_regions.h"

namespace homeport::bench {
namespace {

constexpr int kRecords = 1'000'000;
constexpr absl::Duration kPatience = absl::Minutes(3);
// Unthrottled, and a log that has lost what a follower with an empty disk lacks.
constexpr char kYaml[] = "storage:\n  log_bytes_max: 1MiB\n  seed_bytes_per_second: 16GiB\n";

// Writes records until there are `kRecords` different ones.
absl::Status WriteRecords(const BenchOptions& options, TwoRegions& regions) {
  LoadOptions load;
  load.address = regions.gateway();
  load.method = kPutMethod;
  for (int i = 0; i < kRecords; ++i) {
    v1::PutRequest put;
    put.set_namespace_(kNamespace);
    put.set_id(absl::StrFormat("put%08d", i));
    put.set_value(std::string(kValueBytes, 'v'));
    load.requests.push_back(put.SerializeAsString());
  }
  load.outstanding = 256;
  load.warm_up = options.warm_up;
  load.duration = absl::Seconds(10);
  const absl::Time begin = absl::Now();
  uint64_t sent = 0;
  while (absl::Now() - begin < kPatience) {
    auto result = RunLoad(load);
    if (!result.ok()) return result.status();
    auto written = regions.Written();
    if (!written.ok()) return written.status();
    if (*written > kRecords) return absl::OkStatus();
    // The load begins with its first request each time.
    load.requests.erase(load.requests.begin(),
                        load.requests.begin() + static_cast<ptrdiff_t>(*written - sent));
    sent = *written;
  }
  return absl::DeadlineExceededError("the records are not written");
}

}  // namespace

absl::Status MeasureSeeding(const BenchOptions& options, Report& report) {
  std::vector<double> seeded, copied;
  {
    auto regions = TwoRegions::Start(options, "seeding", absl::ZeroDuration(), kYaml);
    if (!regions.ok()) return regions.status();
    if (auto status = WriteRecords(options, **regions); !status.ok()) return status;
    auto written = (*regions)->Written();
    if (!written.ok()) return written.status();
    std::filesystem::remove_all((*regions)->world().data_folder(1));
    if (auto status = (*regions)->StartFollower(); !status.ok()) return status;
    const absl::Time begin = absl::Now();
    while (true) {
      if (absl::Now() - begin > kPatience) {
        return absl::DeadlineExceededError("the follower is not seeded");
      }
      auto applied = (*regions)->Applied();
      if (!applied.ok()) return applied.status();
      if (*applied >= *written) break;
      absl::SleepFor(absl::Milliseconds(20));
    }
    seeded.push_back(kRecords / absl::ToDoubleSeconds(absl::Now() - begin));
  }
  {
    OnCores on(options.server_cores, options.client_cores);
    CoreLoad load;
    load.folder = options.folder + "/copy";
    load.entries = kRecords;
    load.value_bytes = kValueBytes;
    auto copy = RunItemCopy(load);
    std::filesystem::remove_all(load.folder);
    if (!copy.ok()) return copy.status();
    copied.push_back(*copy);
  }
  report.AddRatio("seeding a million records / copying them from engine to engine",
                  Ratios(seeded, copied), Mark{Mark::Kind::kAtLeast, 0.5});
  report.AddFigure("seeding", seeded, "records/s");
  report.AddFigure("copying from engine to engine", copied, "records/s");
  return absl::OkStatus();
}

}  // namespace homeport::bench
