// Which region may hold which changes. Both ends of a link ask, and both fail closed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/topology/topology.h"
#include "homeport/internal/v1/entry.pb.h"

namespace homeport {

// Answers for one region of one topology. Immutable, thread-safe, cheap to copy.
class HoldingPolicy {
 public:
  enum class Answer {
    kHolds,    // the region may hold the class
    kForbids,  // the topology says that it may not
    kUnknown,  // the topology does not know the class, so nothing can be said
  };

  HoldingPolicy(std::shared_ptr<const Topology> topology, int region);

  Answer Ask(const internal::v1::ChangeClass& change_class) const;
  // The same for what every region of the namespace may hold.
  Answer AskItems(absl::string_view name_space) const;
  // True if another region may hold it.
  bool HeldElsewhere(absl::string_view name_space) const;
  // True if the topology lists the replica in a region that may not hold the namespace: no entry of
  // it has items of it.
  bool NeverWrites(absl::string_view replica, absl::string_view name_space) const;
  // The topology's namespaces that the region may not hold, in name order.
  std::vector<std::string> Forbidden() const;
  // True if the region may hold every namespace of the topology: nothing is ever left out.
  bool HoldsEverything() const { return holds_everything_; }

 private:
  std::shared_ptr<const Topology> topology_;
  int region_;
  bool holds_everything_;
};

}  // namespace homeport
