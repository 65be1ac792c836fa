// A world of real processes under writers, and the comparison of what its regions hold.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "client/rpc/gateway_client.h"
#include "client/world/world.h"
#include "gtest/gtest.h"

namespace homeport {

// Longer than anything that is waited for takes, also on a machine under load.
inline constexpr absl::Duration kPatience = absl::Seconds(40);

// The program under test: HOMEPORT_PROGRAM, set by CTest.
std::string ProgramUnderTest();

// What one region holds: values and versions by record and key.
using Content = std::map<std::pair<std::string, std::string>, std::string>;

// Writes at one region's gateway, `local_only`, one at a time until stopped: own items, every
// fourth time one that all writers write. A write that fails is sent again with its request id
// until it is acknowledged or the writer stops.
class Writer {
 public:
  Writer(std::string gateway, std::string record);
  ~Writer() { Stop(); }
  void Stop();

  uint64_t acknowledged() const { return acknowledged_; }
  // Failed tries since the start.
  uint64_t failures() const { return failures_; }
  const std::string& record() const { return record_; }
  // The value of item `number` of the writer's record.
  std::string ValueOf(uint64_t number) const;

 private:
  void Run();
  bool PutUntilAcknowledged(const std::string& id, const std::string& key,
                            const std::string& value);

  const std::string record_;
  const std::string gateway_;
  std::unique_ptr<GatewayClient> client_;
  std::atomic<uint64_t> acknowledged_{0};
  std::atomic<uint64_t> failures_{0};
  absl::Notification stop_;
  std::thread thread_;
};

class WorldTest : public ::testing::Test {
 protected:
  // Fails the test, fatally, if the world does not start.
  void StartWorld(WorldOptions options);
  // The first `count` regions, with short round trips.
  static WorldOptions SmallWorld(int count);

  GatewayClient& Client(int region) { return *clients_[region]; }
  // What the region's own replica holds; empty if it can not be asked.
  Content ContentOf(int region);
  // Until `condition` holds; fails the test, naming `what`, if it never does.
  bool Await(absl::string_view what, absl::FunctionRef<bool()> condition);
  // Until all these regions hold the same, and everything that `writers` have been acknowledged.
  void AwaitEqual(const std::vector<int>& regions,
                  const std::vector<std::unique_ptr<Writer>>& writers);
  // Until each writer has been acknowledged `count` more.
  bool AwaitProgress(const std::vector<std::unique_ptr<Writer>>& writers, uint64_t count);
  std::vector<std::unique_ptr<Writer>> StartWriters();

  std::unique_ptr<World> world_;
  std::vector<std::unique_ptr<GatewayClient>> clients_;
};

}  // namespace homeport
