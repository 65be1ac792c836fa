// Of each namespace that an origin's entries changed, the last that did.
//
// Every replica knows it of what it has applied, also of namespaces that it may not hold, as what
// is left out names its classes. So whoever takes over a position can tell whether entries before
// it changed a namespace of which it has less.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "google/protobuf/repeated_field.h"
#include "homeport/internal/v1/entry.pb.h"

namespace homeport {

// A value. Bounded: of an origin that changes more namespaces nothing is known any more.
class LastChanges {
 public:
  static constexpr size_t kNamespacesMax = 64;
  using Proto = google::protobuf::RepeatedPtrField<internal::v1::LastChange>;

  // Of an origin of which nothing was applied yet: everything is known.
  LastChanges() = default;
  // Of entries that were applied by a program that did not look.
  static LastChanges Unknown();
  // `known`: false if nothing is known.
  static LastChanges Parse(bool known, const Proto& changes);

  // An entry up to `sequence` has changed the namespace. Later entries come later.
  void Note(absl::string_view name_space, Sequence sequence);
  // Another replica has applied more entries of the origin, and says this of them.
  void Take(const LastChanges& later);

  bool known() const { return known_; }
  // The last entry that changed the namespace, or one after it; 0: none did; nullopt: not known.
  std::optional<Sequence> Of(absl::string_view name_space) const;
  void AddTo(Proto& out) const;

 private:
  void Forget();

  bool known_ = true;
  std::map<std::string, Sequence, std::less<>> last_;
};

}  // namespace homeport
