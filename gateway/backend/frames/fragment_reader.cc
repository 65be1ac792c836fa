#include "gateway/backend/frames/fragment_reader.h"

#include <utility>

#include "common/status/error.h"

namespace homeport {

absl::StatusOr<FragmentReader::Assembled> FragmentReader::Add(SteadyTime now,
                                                              internal::v1::Fragment* fragment) {
  if (fragment->call() == 0) return FieldError("fragments.call", "is 0");
  std::string* data = fragment->mutable_data();
  auto it = partial_.empty() ? partial_.end() : partial_.find(fragment->call());
  const size_t before = it == partial_.end() ? 0 : it->second.data.size();
  if (data->size() > limits_.call_bytes_max - before) {
    return LimitError("fragments.data", limits_.call_bytes_max, before + data->size(),
                      "bytes of one call");
  }
  if (it == partial_.end() && !fragment->more()) {
    return Assembled{data, fragment->deadline_micros(), now};
  }
  if (fragment->more()) {
    // Without this a call could be kept in assembly for nothing, for ever.
    if (data->empty()) return FieldError("fragments.data", "is empty though more follows");
    if (data->size() > limits_.bytes_max - bytes_) {
      return LimitError("fragments.data", limits_.bytes_max, bytes_ + data->size(),
                        "bytes in assembly");
    }
    if (it == partial_.end()) {
      if (partial_.size() >= limits_.calls_max) {
        return LimitError("fragments.call", limits_.calls_max, partial_.size() + 1,
                          "calls in assembly");
      }
      it = partial_.try_emplace(fragment->call()).first;
      it->second.deadline_micros = fragment->deadline_micros();
      it->second.began = now;
    }
    it->second.data.append(*data);
    bytes_ += data->size();
    return Assembled{};
  }
  Assembled assembled{&whole_, it->second.deadline_micros, it->second.began};
  whole_ = std::move(it->second.data);
  bytes_ -= whole_.size();
  whole_.append(*data);
  partial_.erase(it);
  return assembled;
}

void FragmentReader::Drop(uint64_t call) {
  if (partial_.empty()) return;
  auto it = partial_.find(call);
  if (it == partial_.end()) return;
  bytes_ -= it->second.data.size();
  partial_.erase(it);
}

void FragmentReader::Clear() {
  partial_.clear();
  bytes_ = 0;
}

}  // namespace homeport
