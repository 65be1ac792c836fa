// What a replica's core counts.
#pragma once

#include <cstdint>

namespace homeport {

// Counts since Open(); for metrics.
struct CoreCounters {
  uint64_t writes = 0;             // local writes staged, without repeated ones
  uint64_t writes_repeated = 0;    // answered from the request ids
  uint64_t entries_received = 0;   // of other origins
  uint64_t entries_duplicate = 0;  // of other origins, and already here
  uint64_t entries_applied = 0;    // of other origins
  uint64_t registers_kept = 0;     // changes of entries that an existing version beat
  uint64_t clock_refusals = 0;     // times that an origin was found too far ahead
  uint64_t entries_owed = 0;       // left out by peers with another topology
  uint64_t namespaces_kept = 0;    // now: not held whole any more, and not had by another member
  uint64_t chain_entries = 0;      // written by this replica
  uint64_t items_repaired = 0;     // changed by a peer's item after a comparison
  uint64_t tombstones_dropped = 0;
  uint64_t expired_dropped = 0;
  uint64_t items_pruned = 0;     // counters and sets that forgot what was removed
  uint64_t cleanup_waiting = 0;  // candidates that the last look at all of them left
  uint64_t origins_closed = 0;   // by this replica
  // Positions of closed origins beyond their ends that some entry depends on: at least so many
  // entries were lost.
  uint64_t positions_lost = 0;
  // Times that an origin's log was truncated, by reason.
  uint64_t truncated_applied_by_all = 0;
  uint64_t truncated_for_bytes = 0;
  uint64_t truncated_for_age = 0;
};

}  // namespace homeport
