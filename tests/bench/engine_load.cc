#include "tests/bench/engine_load.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "rocksdb/db.h"

namespace homeport::bench {

absl::StatusOr<double> RunEngineLoad(const EngineLoadOptions& options) {
  rocksdb::Options db_options;
  db_options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(db_options, options.folder, &opened);
  if (!status.ok()) return absl::UnavailableError(options.folder + ": " + status.ToString());
  const std::unique_ptr<rocksdb::DB> db(opened);

  std::atomic<uint64_t> written{0};
  std::atomic<uint64_t> failed{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < options.threads; ++thread) {
    threads.emplace_back([&, thread] {
      const std::string value(options.value_bytes, 'v');
      rocksdb::WriteOptions write;
      write.sync = true;
      for (uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
        if (!db->Put(write, absl::StrFormat("put%03d-%08d", thread, i), value).ok()) {
          failed.fetch_add(1);
          return;
        }
        written.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  absl::SleepFor(options.warm_up);
  const absl::Time begin = absl::Now();
  const uint64_t before = written.load();
  absl::SleepFor(options.duration);
  const uint64_t count = written.load() - before;
  const absl::Duration elapsed = absl::Now() - begin;
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  if (failed.load() > 0) return absl::UnavailableError(options.folder + ": a write failed");
  return static_cast<double>(count) / absl::ToDoubleSeconds(elapsed);
}

}  // namespace homeport::bench
