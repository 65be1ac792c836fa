// kill -9 under load: what was acknowledged is everywhere afterwards.
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

#include "tests/integration/world_fixture.h"

namespace homeport {
namespace {

constexpr int kCycles = 6;

class CrashTest : public WorldTest {};

TEST_F(CrashTest, AcknowledgedWritesAreEverywhereAfterKillsAtRandomPoints) {
  // HOMEPORT_SEED repeats a run, as far as processes can be repeated.
  const char* given = std::getenv("HOMEPORT_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "HOMEPORT_SEED=" << seed << std::endl;
  std::mt19937_64 random(seed);

  StartWorld(SmallWorld(3));
  if (HasFatalFailure()) return;
  auto writers = StartWriters();
  ASSERT_TRUE(AwaitProgress(writers, 10));
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    const int region = static_cast<int>(random() % 3);
    const uint64_t until = writers[region]->acknowledged() + random() % 60;
    ASSERT_TRUE(
        Await("the point of the kill", [&] { return writers[region]->acknowledged() >= until; }));
    ASSERT_TRUE(world_->Kill(region).ok());
    // The others do not wait for it.
    for (int other = 0; other < 3; ++other) {
      if (other == region) continue;
      const uint64_t before = writers[other]->acknowledged();
      ASSERT_TRUE(
          Await("progress elsewhere", [&] { return writers[other]->acknowledged() > before + 5; }));
    }
    ASSERT_TRUE(world_->Restart(region).ok());
  }
  ASSERT_TRUE(AwaitProgress(writers, 10));
  for (auto& writer : writers) writer->Stop();
  AwaitEqual({0, 1, 2}, writers);
}

TEST_F(CrashTest, EverythingKilledAtOnceComesBackWithAllThatWasAcknowledged) {
  StartWorld(SmallWorld(3));
  if (HasFatalFailure()) return;
  auto writers = StartWriters();
  ASSERT_TRUE(AwaitProgress(writers, 50));
  for (int region = 0; region < 3; ++region) ASSERT_TRUE(world_->Kill(region).ok());
  for (int region = 0; region < 3; ++region) ASSERT_TRUE(world_->Restart(region).ok());
  ASSERT_TRUE(AwaitProgress(writers, 10));
  for (auto& writer : writers) writer->Stop();
  AwaitEqual({0, 1, 2}, writers);
}

}  // namespace
}  // namespace homeport
