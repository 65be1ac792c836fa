// Many runs. HOMEPORT_SEEDS says how many, HOMEPORT_FIRST_SEED where they begin; each seed is the
// same run always.
#include "tests/unit/storage/replication/campaign.h"

#include <cstdint>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  uint64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

TEST(MeshCampaignTest, EverySeedConvergesAndLosesNothing) {
  const uint64_t first = FromEnvironment("HOMEPORT_FIRST_SEED", 1);
  const uint64_t seeds = FromEnvironment("HOMEPORT_SEEDS", 100);
  CampaignCounts all;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Campaign campaign(seed);
    campaign.Run();
    if (HasFailure()) return;
    const CampaignCounts& counts = campaign.counts();
    all.acknowledged += counts.acknowledged;
    all.unknown += counts.unknown;
    all.repeated += counts.repeated;
    all.disks_lost += counts.disks_lost;
    all.writes_lost += counts.writes_lost;
  }
  RecordProperty("acknowledged", all.acknowledged);
  // A campaign that does not meet its faults proves nothing.
  if (seeds < 100) return;
  EXPECT_GT(all.acknowledged, static_cast<int>(seeds) * 50);
  EXPECT_GT(all.unknown, 0);
  EXPECT_GT(all.repeated, 0);
  EXPECT_GT(all.disks_lost, 0);
  EXPECT_GT(all.writes_lost, 0);
}

}  // namespace
}  // namespace homeport
