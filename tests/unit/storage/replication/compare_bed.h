// What tests of digests and comparisons share: random histories, planted differences, and
// comparisons that are run by hand.
#pragma once

#include <functional>
#include <random>
#include <string>

#include "absl/strings/string_view.h"
#include "storage/replication/compare_initiator.h"
#include "storage/replication/compare_responder.h"
#include "storage/replication/item_writer.h"
#include "tests/unit/storage/replication/mesh.h"

namespace homeport {

// Makes a random mutation at the replica: of a register, a counter or a set, by the record's id.
void MutateAtRandom(Mesh& mesh, int at, std::mt19937& random, int records);

// Changes stored items behind the replica's back, with digests that fit, and starts it anew.
void Tamper(Mesh& mesh, int at, const std::function<void(ItemWriter&)>& change);
void TamperPut(Mesh& mesh, int at, const std::string& item_key,
               const internal::v1::StoredItem& item);
void TamperRemove(Mesh& mesh, int at, const std::string& item_key);

// What one comparison, with its repetition and its fetching, brought.
struct Compared {
  ComparedNamespace result;
  std::vector<Repair> repairs;
  // Requests of the asking side.
  int steps = 0;
};
// Compares a namespace, as `asking` sees it against `answering`. Nothing is merged.
Compared Compare(Mesh& mesh, int asking, int answering, const std::string& name_space,
                 CompareInitiator::Options options = {});
// Merges what a comparison brought.
void Take(Mesh& mesh, int at, const std::vector<Repair>& repairs);

}  // namespace homeport
