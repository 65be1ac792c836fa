// The session token: what a session has seen, by origin.
//
// Wire form (opaque to clients), little endian: byte 0 the format (1); bytes 1-3 zero; bytes 4-11
// the cluster (XXH3-64 of its name); then 16 bytes a position: origin, sequence, in ascending order
// of the origin; last 4 bytes the low 32 bits of XXH3-64 over all before. So 16 bytes a position
// plus 16, whatever the number of keys.
#pragma once

#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/base/ids.h"

namespace homeport {

// Names the cluster inside tokens.
uint64_t ClusterFingerprint(absl::string_view cluster);

// A set of positions, at most one an origin: everything of that origin up to that sequence.
// Thread-compatible value.
class SessionToken {
 public:
  struct Position {
    Origin origin;
    Sequence sequence;
    friend bool operator==(const Position&, const Position&) = default;
  };

  // Positions that a token may carry at most; more can not be minted by a sound cluster.
  static constexpr size_t kPositionsMax = 1024;

  // The token of a new session: nothing seen.
  SessionToken() = default;

  // Empty bytes are the token of a new session. INVALID_ARGUMENT (TOKEN_INVALID) if damaged, of an
  // unknown format or out of order; FAILED_PRECONDITION (TOKEN_FOREIGN) if of another cluster.
  static absl::StatusOr<SessionToken> Parse(absl::string_view bytes, uint64_t cluster_fingerprint);
  // Never empty, also for a session that has seen nothing.
  std::string Serialize(uint64_t cluster_fingerprint) const;

  // Raises the origin's position to `sequence`, if it is lower. Sequence 0 changes nothing.
  void Advance(Origin origin, Sequence sequence);
  // Advances by every position of `other`.
  void Merge(const SessionToken& other);
  // Takes an origin's position out, if it is there.
  void Drop(Origin origin);
  // 0 if the token has no position in the origin.
  Sequence SequenceOf(Origin origin) const;
  // In ascending order of the origin.
  absl::Span<const Position> positions() const { return positions_; }

  friend bool operator==(const SessionToken&, const SessionToken&) = default;

 private:
  absl::InlinedVector<Position, 6> positions_;
};

}  // namespace homeport
