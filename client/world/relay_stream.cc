#include "client/world/relay_stream.h"

#include <algorithm>

#include "common/base/check.h"

namespace homeport {

RelayNanos RelayStream::ArrivalOf(size_t bytes, RelayNanos now, RelayNanos delay) {
  RelayNanos sent = now;
  if (bytes_per_second_ > 0) {
    line_free_ =
        std::max(line_free_, now) + static_cast<RelayNanos>(1e9 * static_cast<double>(bytes) /
                                                            static_cast<double>(bytes_per_second_));
    sent = line_free_;
  }
  // Not a std:: distribution: those may draw differently with each standard library.
  const RelayNanos late =
      jitter_ > 0 ? static_cast<RelayNanos>(random_() % static_cast<uint64_t>(jitter_ + 1)) : 0;
  last_arrival_ = std::max(last_arrival_, sent + delay + late);
  return last_arrival_;
}

void RelayStream::Send(absl::string_view bytes, RelayNanos now, RelayNanos delay) {
  HP_CHECK(!bytes.empty());
  pieces_.push_back({ArrivalOf(bytes.size(), now, delay), std::string(bytes)});
  in_flight_bytes_ += bytes.size();
}

void RelayStream::SendEnd(RelayNanos now, RelayNanos delay) {
  pieces_.push_back({ArrivalOf(0, now, delay), ""});
}

std::optional<RelayNanos> RelayStream::NextArrival() const {
  if (pieces_.empty()) return std::nullopt;
  return pieces_.front().arrival;
}

int RelayStream::Arrived(RelayNanos now, iovec* buffers, int count) const {
  int filled = 0;
  size_t skip = delivered_of_first_;
  for (const Piece& piece : pieces_) {
    if (filled == count || piece.arrival > now || piece.bytes.empty()) break;
    buffers[filled].iov_base = const_cast<char*>(piece.bytes.data()) + skip;
    buffers[filled].iov_len = piece.bytes.size() - skip;
    skip = 0;
    ++filled;
  }
  return filled;
}

void RelayStream::Delivered(size_t bytes) {
  HP_CHECK(bytes <= in_flight_bytes_);
  in_flight_bytes_ -= bytes;
  while (bytes > 0) {
    const size_t left = pieces_.front().bytes.size() - delivered_of_first_;
    if (bytes < left) {
      delivered_of_first_ += bytes;
      return;
    }
    bytes -= left;
    pieces_.pop_front();
    delivered_of_first_ = 0;
  }
}

bool RelayStream::EndArrived(RelayNanos now) const {
  return !pieces_.empty() && pieces_.front().bytes.empty() && pieces_.front().arrival <= now;
}

void RelayStream::DeliveredEnd() { pieces_.pop_front(); }

}  // namespace homeport
