// Gaps that a peer named, by origin: of which namespaces it does not give what, and where.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>

#include "common/base/ids.h"
#include "homeport/internal/v1/replication.pb.h"
#include "storage/replication/replica_view.h"

namespace homeport {

// Of one link, for planning and for people; what may be taken does not hang on it. Thread-
// compatible.
class GapNotes {
 public:
  // Gaps of further origins are not noted, and of an origin later ones are put together.
  static constexpr size_t kOriginsMax = 1000;
  static constexpr size_t kGapsMax = 64;

  void Add(const internal::v1::Gap& gap);
  // Forgets what the replica has by now from elsewhere.
  void Prune(const ReplicaView& view);
  void Clear() { origins_.clear(); }
  // Namespaces of gaps that have something of after + 1 to `last`.
  std::set<std::string> Namespaces(Origin origin, Sequence after, Sequence last) const;

 private:
  struct Note {
    uint64_t first;
    uint64_t last;
    std::set<std::string> namespaces;
  };
  // Ascending.
  std::map<Origin, std::deque<Note>> origins_;
};

}  // namespace homeport
