#include "storage/replication/stream_join.h"

#include <algorithm>
#include <utility>

namespace homeport {

void StreamJoin::Forget(const ReplicaName& peer) {
  for (auto& [origin, joined] : origins_) changed_ |= joined.streams.erase(peer) > 0;
}

void StreamJoin::AddGap(const ReplicaName& peer, Origin origin, Sequence first, Sequence last,
                        Sequence received) {
  if (last <= received) return;
  auto found = origins_.find(origin);
  if (found == origins_.end()) {
    if (origins_.size() >= kOriginsMax || first.value() > received.value() + 1) return;
    found = origins_.try_emplace(origin).first;
  }
  auto& streams = found->second.streams;
  auto stream = streams.find(peer);
  const Sequence seen =
      stream == streams.end() ? received : std::max(received, stream->second.seen);
  if (first.value() > seen.value() + 1) return;
  streams[peer] = {std::max(seen, last), 0};
  changed_ = true;
}

StreamJoin::Answer StreamJoin::Offer(const ReplicaName& peer, Origin origin, Piece piece,
                                     Sequence received) {
  auto found = origins_.find(origin);
  if (found == origins_.end()) return Answer::kUnexpected;
  Joined& joined = found->second;
  auto stream = joined.streams.find(peer);
  if (stream == joined.streams.end()) return Answer::kUnexpected;
  auto& [seen, wanted] = stream->second;
  if (piece.first.value() > std::max(seen, received).value() + 1) {
    return wanted > 0 ? Answer::kDropped : Answer::kUnexpected;
  }
  auto known = joined.pieces.find(piece.first);
  if (known == joined.pieces.end() || known->second.last < piece.last) {
    const size_t cost = CostOf(piece);
    if (joined.bytes + cost > options_.origin_bytes || bytes_ + cost > options_.bytes) {
      wanted = cost;
      changed_ = true;
      return Answer::kFull;
    }
    if (known != joined.pieces.end()) Erase(joined, known);
    joined.bytes += cost;
    bytes_ += cost;
    const Sequence last = piece.last;
    joined.pieces[piece.first] = std::move(piece);
    seen = std::max(seen, last);
  } else {
    seen = std::max(seen, piece.last);
  }
  wanted = 0;
  changed_ = true;
  return Answer::kKept;
}

void StreamJoin::OnTaken(const ReplicaName& peer, Origin origin, Sequence received) {
  auto found = origins_.find(origin);
  if (found == origins_.end()) return;
  auto stream = found->second.streams.find(peer);
  if (stream == found->second.streams.end() || stream->second.seen > received) return;
  found->second.streams.erase(stream);
  changed_ = true;
}

std::optional<StreamJoin::Piece> StreamJoin::Take(Origin origin, Sequence received) {
  auto found = origins_.find(origin);
  if (found == origins_.end()) return std::nullopt;
  auto& pieces = found->second.pieces;
  while (!pieces.empty() && pieces.begin()->first.value() <= received.value() + 1) {
    Piece piece = std::move(pieces.begin()->second);
    const size_t cost = CostOf(piece);
    found->second.bytes -= cost;
    bytes_ -= cost;
    pieces.erase(pieces.begin());
    changed_ = true;
    if (piece.last > received) return piece;
  }
  return std::nullopt;
}

void StreamJoin::Erase(Joined& joined, std::map<Sequence, Piece>::iterator at) {
  const size_t cost = CostOf(at->second);
  joined.bytes -= cost;
  bytes_ -= cost;
  joined.pieces.erase(at);
}

void StreamJoin::Drop(Origin origin) {
  auto found = origins_.find(origin);
  if (found == origins_.end()) return;
  bytes_ -= found->second.bytes;
  origins_.erase(found);
  changed_ = true;
}

bool StreamJoin::PruneOrigin(Joined& joined, Sequence received) {
  for (auto it = joined.streams.begin(); it != joined.streams.end();) {
    // What follows what was dropped may still be under way, and is dropped too.
    if (it->second.seen > received || it->second.wanted > 0) {
      ++it;
      continue;
    }
    it = joined.streams.erase(it);
    changed_ = true;
  }
  while (!joined.pieces.empty() && joined.pieces.begin()->second.last <= received) {
    Erase(joined, joined.pieces.begin());
    changed_ = true;
  }
  return joined.streams.empty() && joined.pieces.empty();
}

std::set<Origin> StreamJoin::Origins() const {
  std::set<Origin> origins;
  for (const auto& [origin, joined] : origins_) origins.insert(origin);
  return origins;
}

std::shared_ptr<const JoinView> StreamJoin::View() {
  if (!std::exchange(changed_, false)) return view_;
  view_ = nullptr;
  if (origins_.empty()) return view_;
  auto view = std::make_shared<JoinView>();
  for (const auto& [origin, joined] : origins_) {
    JoinView::OfOrigin& of = view->origins[origin];
    for (const auto& [peer, stream] : joined.streams) {
      of.seen[peer] = stream.seen;
      if (stream.wanted == 0) continue;
      // Not for the sake of one piece: what comes after it was dropped as well.
      const bool some =
          joined.bytes <= options_.origin_bytes / 2 && bytes_ <= options_.bytes / 4 * 3;
      const bool enough = joined.bytes + stream.wanted <= options_.origin_bytes &&
                          bytes_ + stream.wanted <= options_.bytes;
      if (!some || !enough) of.full.insert(peer);
    }
  }
  view_ = std::move(view);
  return view_;
}

}  // namespace homeport
