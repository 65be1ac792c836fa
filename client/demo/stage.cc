#include "client/demo/stage.h"

#include <stdio.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/demo/interrupt.h"
#include "client/text/describe.h"
#include "client/text/text_table.h"
#include "common/base/check.h"

namespace homeport {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(50);
constexpr absl::Duration kCallTimeout = absl::Seconds(5);

bool GoOn() { return !Interrupted(); }

bool LinksUp(GatewayClient& gateway, int peers) {
  auto status = gateway.GetStatus({});
  if (!status.ok()) return false;
  const auto& links = status->replica().links();
  return std::count_if(links.begin(), links.end(), [](const v1::LinkStatus& link) {
           return link.state() == v1::LINK_STATE_STREAMING;
         }) >= peers;
}

}  // namespace

absl::Status CheckInterrupt() {
  return Interrupted() ? absl::CancelledError("interrupted") : absl::OkStatus();
}

absl::Status Sleep(absl::Duration duration) {
  const absl::Time end = absl::Now() + duration;
  while (absl::Now() < end) {
    if (absl::Status go_on = CheckInterrupt(); !go_on.ok()) return go_on;
    absl::SleepFor(kPoll);
  }
  return absl::OkStatus();
}

Stage::Stage(World* world, bool colours) : world_(world), colours_(colours), start_(absl::Now()) {
  while (static_cast<int>(names_.size()) < world->size()) AddRegion();
}

void Stage::AddRegion() {
  const int region = static_cast<int>(names_.size());
  HP_CHECK(region < world_->size());
  names_.push_back(world_->regions()[region].name);
  GatewayClientOptions options;
  options.address = world_->gateway(region);
  options.timeout = kCallTimeout;
  direct_.push_back(std::make_unique<GatewayClient>(std::move(options)));
}

int Stage::RegionIndex(absl::string_view name) const {
  auto it = std::find(names_.begin(), names_.end(), name);
  HP_CHECK(it != names_.end());
  return static_cast<int>(it - names_.begin());
}

void Stage::Heading(absl::string_view text) {
  const std::string time =
      absl::StrFormat("[%5.1f s]", absl::ToDoubleSeconds(absl::Now() - start_));
  printf("\n%s %s\n", Styled(time, TextStyle::kDim, colours_).c_str(),
         Styled(text, TextStyle::kBold, colours_).c_str());
  fflush(stdout);
}

void Stage::Say(absl::string_view text) {
  printf("  %s\n", std::string(text).c_str());
  fflush(stdout);
}

absl::StatusOr<Journey> Stage::Travel(const Traveller& traveller, int gateway_region) {
  const WorldRegion& region = world_->regions()[gateway_region];
  Journey journey;
  journey.round_trip = RoundTripTo(traveller, region.latitude, region.longitude);
  auto way = world_->OpenLastMile(gateway_region, journey.round_trip);
  if (!way.ok()) return way.status();
  journey.way = *std::move(way);
  GatewayClientOptions options;
  options.address = journey.way->endpoint().ToString();
  options.from = traveller.address;
  options.timeout = kCallTimeout;
  journey.gateway = std::make_unique<GatewayClient>(std::move(options));
  if (absl::Status connected = journey.gateway->Connect(); !connected.ok()) return connected;
  return journey;
}

absl::Status Stage::AwaitLinks(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  for (int i = 0; i < world_->size();) {
    if (absl::Status go_on = CheckInterrupt(); !go_on.ok()) return go_on;
    if (LinksUp(direct(i), world_->size() - 1)) {
      ++i;
      continue;
    }
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat("links of ", names_[i], " are not up after ",
                                                      absl::FormatDuration(timeout)));
    }
    absl::SleepFor(kPoll);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RegionContent>> Stage::ReadAll() {
  std::vector<absl::StatusOr<RegionContent>> readings(names_.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < names_.size(); ++i) {
    threads.emplace_back([this, i, &readings] { readings[i] = ReadRegion(*direct_[i], GoOn); });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<RegionContent> contents;
  for (size_t i = 0; i < names_.size(); ++i) {
    if (!readings[i].ok()) {
      return absl::Status(
          readings[i].status().code(),
          absl::StrCat("reading ", names_[i], ": ", readings[i].status().message()));
    }
    contents.push_back(*std::move(readings[i]));
  }
  return contents;
}

absl::StatusOr<Divergence> Stage::AwaitComparison(absl::Duration timeout) {
  const absl::Time start = absl::Now();
  for (;;) {
    if (absl::Status go_on = CheckInterrupt(); !go_on.ok()) return go_on;
    Divergence all;
    std::string waiting;
    for (int i = 0; i < world_->size() && waiting.empty(); ++i) {
      auto status = direct(i).GetStatus({});
      if (!status.ok()) return status.status();
      if (status->replica().links_size() < world_->size() - 1) waiting = names_[i];
      for (const v1::LinkStatus& link : status->replica().links()) {
        const absl::Duration age = DurationOf(link.verified_age());
        if (!link.has_verified_age() || age > absl::Now() - start) {
          waiting = absl::StrCat(names_[i], " with ", link.peer());
        }
        all.records += link.records_differ();
        all.verified = std::max(all.verified, age);
      }
    }
    if (waiting.empty()) {
      Say(Styled(absl::StrCat("records that differ between any two regions: ", all.records,
                              ", verified ", Describe(all.verified), " ago"),
                 all.records == 0 ? TextStyle::kGreen : TextStyle::kRed, colours_));
      return all;
    }
    if (absl::Now() - start > timeout) {
      return absl::DeadlineExceededError(
          absl::StrCat("not compared after ", absl::FormatDuration(timeout), ": ", waiting));
    }
    absl::SleepFor(kPoll);
  }
}

absl::StatusOr<std::vector<RegionContent>> Stage::AwaitEqual(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    auto contents = ReadAll();
    if (!contents.ok()) return contents.status();
    if (Compare(names_, *contents).count == 0 || absl::Now() > deadline) return contents;
    absl::SleepFor(kPoll);
  }
}

}  // namespace homeport
