// Sessions that write, read and retry, and know what they were promised.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace homeport::sim {

class Clients {
 public:
  Clients(World* world, Random random);
  // Asks the world for all operations of the run.
  void Begin();
  // After healing: every replica serves every session, or tells it what was lost.
  bool ServedEverywhere() const { return !FindUnserved(); }
  // Each session asks every replica for what it has seen of origins that are not known there.
  void AskAboutUnknown();
  // What is wrong if that never happens.
  void FailUnserved();

  int acknowledged() const { return acknowledged_; }
  int reads() const { return reads_; }

 private:
  struct Session {
    SessionToken token;
    Past past;
    uint64_t seen_time = 0;
    // What of each item the session has written or read: time and origin.
    std::map<int, std::pair<uint64_t, uint64_t>> seen;
    int region = 0;
    bool busy = false;
    uint64_t generation = 0;
  };
  // A write with a request id, to be tried again.
  struct Retriable {
    Operation operation;
    int node = 0;  // where it was sent
    WriteName name;
    bool answered = false;
    Micros at = 0;
  };

  // A replica that refuses a session.
  std::optional<int> FindUnserved() const;
  void Step();
  void Write(int session, int node);
  void Retry(int session, int node);
  void Read(int session, int node);
  // Restores a conflict of the replica's journal.
  void Restore(int session, int node);
  // Of what the session has seen something is known here to be lost: it is told, and begins anew
  // with what is left.
  void TellLost(Session& session, const ReplicaView& view);
  // Whether the replica may serve the session; checks that it does so rightly.
  bool Served(Session& session, int node);
  void CheckRegister(Session& session, int node, int item, HybridTime now, const Expected& expected,
                     const v1::GetResponse& response);
  void CheckParts(Session& session, int node, int item, const ExpectedParts& expected,
                  const v1::GetResponse& response);
  std::string NameOf(int node, int item) const;
  void Acknowledge(int session, uint64_t generation, const Operation& operation,
                   const WriteName& name);
  int PickNode(Session& session);
  // One that the replica holds; `whole`: and has all of.
  int PickNamespace(int node, bool whole);

  World* world_;
  const Shape& shape_;
  Random random_;
  Random answers_;  // which of them are lost
  Random restores_;
  // The writes that restored conflicts, by the conflict's id.
  std::map<std::string, Version> restored_;
  std::vector<Session> sessions_;
  std::vector<Retriable> retriable_;
  int made_ = 0;
  int acknowledged_ = 0;
  int reads_ = 0;
};

}  // namespace homeport::sim
