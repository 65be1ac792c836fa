// Joins what several peers send of one origin when none of them may give all of it.
//
// A relay gives only classes that it holds whole; what else there is it names as a gap, and goes on
// behind it. Positions pass over nothing, so what lies beyond a gap waits here until another peer
// has brought what is missing. Kept in memory only: after a restart, or when it was dropped because
// a limit was met, it is asked for again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/base/ids.h"

namespace homeport {

// What waits, as of a commit. Immutable, shared between threads.
struct JoinView {
  struct OfOrigin {
    // By peer, up to where its stream was taken. Of what lies between that and what is received
    // here the peer gives nothing but what waits already.
    std::map<ReplicaName, Sequence> seen;
    // Peers of whose next piece was dropped, and for which there is still no room.
    std::set<ReplicaName> full;
  };
  std::map<Origin, OfOrigin> origins;

  // Null if nothing of the origin waits.
  const OfOrigin* Find(Origin origin) const {
    auto found = origins.find(origin);
    return found == origins.end() ? nullptr : &found->second;
  }
};

// Of one replica. Thread-compatible.
class StreamJoin {
 public:
  struct Options {
    // What waits of one origin, and of all together, with kPieceCost a piece.
    size_t origin_bytes = 4 * 1024 * 1024;
    size_t bytes = 64 * 1024 * 1024;
  };
  static constexpr size_t kPieceCost = 128;
  // Origins of which something waits. Gaps of further ones are not taken note of, so what lies
  // beyond them is refused like that of any stream that jumps.
  static constexpr size_t kOriginsMax = 1000;

  // An entry, or a note that some were left out, as it came.
  struct Piece {
    Sequence first;
    Sequence last;
    bool skip = false;
    std::string bytes;
  };
  enum class Answer {
    kKept,        // or known already
    kFull,        // dropped; the peer is to hold the origin
    kDropped,     // it followed such a one
    kUnexpected,  // the peer has named no gap before it
  };

  explicit StreamJoin(Options options) : options_(options) {}

  // Streams of the peer begin anew: what they skipped may come now.
  void Forget(const ReplicaName& peer);
  // The peer gives nothing of these sequences, and goes on behind them.
  void AddGap(const ReplicaName& peer, Origin origin, Sequence first, Sequence last,
              Sequence received);
  // A piece that begins behind `received` + 1.
  Answer Offer(const ReplicaName& peer, Origin origin, Piece piece, Sequence received);
  // What the peer sent was taken, up to `received`, without having to wait.
  void OnTaken(const ReplicaName& peer, Origin origin, Sequence received);
  // The piece that follows `received`, if it waits.
  std::optional<Piece> Take(Origin origin, Sequence received);
  // What waits of the origin is of no use.
  void Drop(Origin origin);
  // Forgets what `received_of` has passed.
  template <typename ReceivedOf>
  void Prune(ReceivedOf received_of) {
    for (auto it = origins_.begin(); it != origins_.end();) {
      const std::optional<Sequence> received = received_of(it->first);
      if (received && !PruneOrigin(it->second, *received)) {
        ++it;
      } else {
        bytes_ -= it->second.bytes;
        it = origins_.erase(it);
        changed_ = true;
      }
    }
  }

  bool empty() const { return origins_.empty(); }
  std::set<Origin> Origins() const;
  size_t bytes() const { return bytes_; }
  // As it is now; null if nothing waits.
  std::shared_ptr<const JoinView> View();

 private:
  struct Stream {
    Sequence seen;
    // What follows was dropped, and needs so many bytes; 0: nothing was.
    size_t wanted = 0;
  };
  struct Joined {
    std::map<ReplicaName, Stream> streams;
    std::map<Sequence, Piece> pieces;  // by their first sequence
    size_t bytes = 0;
  };

  static size_t CostOf(const Piece& piece) { return piece.bytes.size() + kPieceCost; }
  // True if nothing is left.
  bool PruneOrigin(Joined& joined, Sequence received);
  void Erase(Joined& joined, std::map<Sequence, Piece>::iterator at);

  Options options_;
  std::map<Origin, Joined> origins_;
  size_t bytes_ = 0;
  bool changed_ = true;
  std::shared_ptr<const JoinView> view_;
};

}  // namespace homeport
