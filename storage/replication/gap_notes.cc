#include "storage/replication/gap_notes.h"

#include <algorithm>

namespace homeport {

void GapNotes::Add(const internal::v1::Gap& gap) {
  const Origin origin(gap.origin());
  if (origins_.size() >= kOriginsMax && !origins_.contains(origin)) return;
  std::set<std::string> namespaces;
  for (const internal::v1::ChangeClass& missing : gap.classes()) {
    namespaces.insert(missing.namespace_());
  }
  std::deque<Note>& notes = origins_[origin];
  // What is said again after the peer was told to go back.
  while (!notes.empty() && notes.back().first >= gap.first()) notes.pop_back();
  const bool extends = !notes.empty() && notes.back().last + 1 >= gap.first() &&
                       notes.back().namespaces == namespaces;
  if (!extends && notes.size() < kGapsMax) {
    notes.push_back({gap.first(), gap.last(), std::move(namespaces)});
    return;
  }
  notes.back().last = std::max<uint64_t>(notes.back().last, gap.last());
  notes.back().namespaces.merge(namespaces);
}

void GapNotes::Prune(const ReplicaView& view) {
  for (auto it = origins_.begin(); it != origins_.end();) {
    const uint64_t received = view.ReceivedOf(it->first).value();
    auto& notes = it->second;
    while (!notes.empty() && notes.front().last <= received) notes.pop_front();
    it = notes.empty() ? origins_.erase(it) : std::next(it);
  }
}

std::set<std::string> GapNotes::Namespaces(Origin origin, Sequence after, Sequence last) const {
  std::set<std::string> names;
  auto found = origins_.find(origin);
  if (found == origins_.end()) return names;
  for (const Note& note : found->second) {
    if (note.last <= after.value() || note.first > last.value()) continue;
    names.insert(note.namespaces.begin(), note.namespaces.end());
  }
  return names;
}

}  // namespace homeport
