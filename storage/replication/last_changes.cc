#include "storage/replication/last_changes.h"

#include <algorithm>

namespace homeport {

LastChanges LastChanges::Unknown() {
  LastChanges unknown;
  unknown.Forget();
  return unknown;
}

LastChanges LastChanges::Parse(bool known, const Proto& changes) {
  LastChanges parsed;
  if (!known) parsed.Forget();
  for (const internal::v1::LastChange& change : changes) {
    parsed.Note(change.namespace_(), Sequence(change.sequence()));
  }
  return parsed;
}

void LastChanges::Forget() {
  known_ = false;
  last_.clear();
}

void LastChanges::Note(absl::string_view name_space, Sequence sequence) {
  if (!known_) return;
  auto found = last_.find(name_space);
  if (found != last_.end()) {
    found->second = std::max(found->second, sequence);
  } else if (last_.size() < kNamespacesMax) {
    last_.emplace(name_space, sequence);
  } else {
    Forget();
  }
}

void LastChanges::Take(const LastChanges& later) {
  if (!later.known_) Forget();
  for (const auto& [name_space, sequence] : later.last_) Note(name_space, sequence);
}

std::optional<Sequence> LastChanges::Of(absl::string_view name_space) const {
  if (!known_) return std::nullopt;
  auto found = last_.find(name_space);
  return found == last_.end() ? Sequence(0) : found->second;
}

void LastChanges::AddTo(Proto& out) const {
  for (const auto& [name_space, sequence] : last_) {
    internal::v1::LastChange* change = out.Add();
    change->set_namespace_(name_space);
    change->set_sequence(sequence.value());
  }
}

}  // namespace homeport
