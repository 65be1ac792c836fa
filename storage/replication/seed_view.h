// How far a replica's seedings are, as of its last commit.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "storage/replication/seed_chunk.h"

namespace homeport {

// Of one namespace.
struct NamespaceSeeding {
  std::string name;
  // Behind this nothing is taken in yet.
  SeedPlace place;
  // What a sender must have applied.
  std::vector<std::pair<Origin, Sequence>> at_least;
  // The namespace was given to this region, and is not whole here.
  bool partial = false;
  uint64_t items = 0;        // taken in
  uint64_t bytes = 0;        // taken in, as sent
  uint64_t items_total = 0;  // at the sender, estimated; 0: not known
  uint64_t owed = 0;         // entries that were left out while topologies differed

  bool done() const { return place.part == SeedPlace::Part::kEnd; }
};

// Immutable, shared between threads.
struct SeedView {
  // The replica lacks entries that no log has any more: all its namespaces are seeded, and then its
  // positions jump.
  bool whole_replica = false;
  // Changes whenever what was asked of a sender is of no use any more.
  uint64_t generation = 0;
  // In name order.
  std::vector<NamespaceSeeding> namespaces;

  // Null if the namespace is not being seeded.
  const NamespaceSeeding* Find(absl::string_view name) const {
    for (const NamespaceSeeding& seeding : namespaces) {
      if (seeding.name == name) return &seeding;
    }
    return nullptr;
  }
};

}  // namespace homeport
