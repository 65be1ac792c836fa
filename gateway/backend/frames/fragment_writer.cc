#include "gateway/backend/frames/fragment_writer.h"

#include <algorithm>
#include <utility>

namespace homeport {

using internal::v1::Fragment;

FragmentWriter::FragmentWriter(size_t fragment_bytes, size_t message_bytes)
    : fragment_bytes_(std::max<size_t>(fragment_bytes, 1)), message_bytes_(message_bytes) {}

void FragmentWriter::Add(uint64_t call, std::string data) {
  bytes_ += data.size();
  const bool is_small = data.size() <= fragment_bytes_;
  std::deque<Outgoing>& queue =
      is_small ? small_ : (large_.size() < kLargeInTurnMax ? large_ : waiting_);
  queue.push_back({call, 0, std::move(data)});
}

void FragmentWriter::DropLarge(uint64_t call) {
  for (std::deque<Outgoing>* queue : {&large_, &waiting_}) {
    auto it = std::find_if(queue->begin(), queue->end(),
                           [call](const Outgoing& outgoing) { return outgoing.call == call; });
    if (it == queue->end()) continue;
    bytes_ -= it->data.size() - it->sent;
    queue->erase(it);
  }
  while (large_.size() < kLargeInTurnMax && !waiting_.empty()) {
    large_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

void FragmentWriter::Fill(size_t used, Fragments* fragments, Keep keep) {
  while (!small_.empty() && used < message_bytes_ && fragments->size() < kFragmentsPerMessageMax) {
    Outgoing outgoing = std::move(small_.front());
    small_.pop_front();
    bytes_ -= outgoing.data.size();
    Fragment* fragment = fragments->Add();
    fragment->set_call(outgoing.call);
    if (!keep(fragment, true, true)) {
      fragments->RemoveLast();
      continue;
    }
    used += outgoing.data.size() + kFragmentOverheadBytes;
    fragment->set_data(std::move(outgoing.data));
  }
  // One large fragment goes out even when the small ones have used the budget up.
  bool took_large = false;
  while (!large_.empty() && (used < message_bytes_ || !took_large)) {
    const size_t bytes = TakeLarge(fragments, keep);
    used += bytes;
    took_large |= bytes > 0;
  }
}

size_t FragmentWriter::TakeLarge(Fragments* fragments, Keep keep) {
  Outgoing outgoing = std::move(large_.front());
  large_.pop_front();
  const size_t left = outgoing.data.size() - outgoing.sent;
  const size_t piece = std::min(left, fragment_bytes_);
  const bool first = outgoing.sent == 0;
  const bool last = piece == left;
  size_t taken = 0;
  Fragment* fragment = fragments->Add();
  fragment->set_call(outgoing.call);
  if (!keep(fragment, first, last)) {
    fragments->RemoveLast();
    bytes_ -= left;
  } else {
    fragment->set_data(outgoing.data.data() + outgoing.sent, piece);
    fragment->set_more(!last);
    outgoing.sent += piece;
    bytes_ -= piece;
    taken = piece + kFragmentOverheadBytes;
    if (!last) {
      large_.push_back(std::move(outgoing));
      return taken;
    }
  }
  if (!waiting_.empty()) {
    large_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return taken;
}

void FragmentWriter::Clear() {
  small_.clear();
  large_.clear();
  waiting_.clear();
  bytes_ = 0;
}

}  // namespace homeport
