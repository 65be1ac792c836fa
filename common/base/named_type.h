// Strong types for ids: a region's name can not be passed where a replica's is meant.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace homeport {

// A value of type `T` that only mixes with others of the same `Tag`. Comparable, hashable by
// absl::Hash and std::hash, copied like `T`. Thread-compatible.
template <typename T, typename Tag>
class NamedType {
 public:
  NamedType() = default;
  explicit NamedType(T value) : value_(std::move(value)) {}

  const T& value() const { return value_; }
  bool empty() const requires requires(const T& t) { t.empty(); }
  { return value_.empty(); }

  friend bool operator==(const NamedType& a, const NamedType& b) = default;
  friend auto operator<=>(const NamedType& a, const NamedType& b) = default;

  template <typename H>
  friend H AbslHashValue(H h, const NamedType& v) {
    return H::combine(std::move(h), v.value_);
  }

 private:
  T value_{};
};

}  // namespace homeport

template <typename T, typename Tag>
struct std::hash<homeport::NamedType<T, Tag>> {
  size_t operator()(const homeport::NamedType<T, Tag>& v) const {
    return std::hash<T>()(v.value());
  }
};
