// Runs of a mesh drawn from a seed: writes, deletes, mutations of several items, retries, sessions,
// cuts, crashes with unsynced data lost, failing, lost and restored disks, clocks that are off and
// jump. Then everything heals and must converge, with every acknowledged write accounted for.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/storage/replication/mesh.h"

namespace homeport {

// What a run did, so that a campaign can tell that it was not empty.
struct CampaignCounts {
  int acknowledged = 0;
  int unknown = 0;      // writes whose disk failed
  int repeated = 0;     // retries that were recognized
  int disks_lost = 0;   // wiped or put back to an old copy
  int writes_lost = 0;  // acknowledged writes that went with a disk
};

// Reports what is wrong by gtest's assertions.
class Campaign {
 public:
  explicit Campaign(uint64_t seed);
  void Run();
  const CampaignCounts& counts() const { return counts_; }

 private:
  // An item: namespace, id and key.
  using ItemName = std::pair<std::string, std::pair<std::string, std::string>>;
  struct Session {
    SessionToken token;
    // The greatest version of each item that the session has written or read.
    std::map<ItemName, Version> seen;
  };
  // A write that was acknowledged, or whose outcome is unknown.
  struct Write {
    v1::MutateRequest mutation;
    WriteName name;
    bool acknowledged = false;
    bool lost = false;
  };

  uint64_t Draw(uint64_t below) { return random_() % below; }
  int Node() { return static_cast<int>(Draw(mesh_.size())); }
  bool Serves(int at) const { return mesh_.running(at) && !mesh_.failed(at); }
  bool Holds(int at, const std::string& name_space) const { return name_space == "all" || at < 2; }
  void Step();
  void MakeWrite(int at);
  void Retry(int at);
  void Read(int at);
  void Crash(int at);
  void StartNode(int at);
  void LoseDisk(int at);
  void CheckAtomicity(int at);
  void Heal();
  void CheckValues();
  // What readers could see: tombstones go at one replica before they go at another.
  std::map<std::string, std::string> Visible(int at);

  std::mt19937_64 random_;
  Mesh mesh_;
  // Positions of a lost disk that nobody holds whole can not be passed by, so that runs have either
  // namespaces of some regions or lost disks.
  const bool lose_disks_;
  std::vector<Session> sessions_;
  std::vector<Write> writes_;
  // The items that a version wrote.
  std::map<Version, std::set<ItemName>> items_of_;
  // Items that some write deleted.
  std::set<ItemName> deleted_;
  int values_ = 0;
  CampaignCounts counts_;
};

}  // namespace homeport
