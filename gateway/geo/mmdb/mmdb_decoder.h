// Decoding the values of MaxMind DB files, version 2.0 of the format
// (https://maxmind.github.io/MaxMind-DB/).
//
// libmaxminddb finds the records; their values are decoded here, because its own decoder follows as
// many pointers as a damaged or made-up file has (a few hundred bytes can stand for 2^100 values)
// and its look-up by path costs more than a whole request may.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace homeport {

// A scalar value. Text points into the section.
struct MmdbScalar {
  enum class Type { kText, kNumber, kUnsigned, kSigned, kBool, kBytes };
  Type type = Type::kText;
  absl::string_view text;       // kText, kBytes
  double number = 0;            // kNumber: float or double
  uint64_t unsigned_value = 0;  // kUnsigned (128-bit numbers give their low half), kBool
  int32_t signed_value = 0;     // kSigned
};

// One step of a path: a key of a map, or for an array's element an empty key and its index.
struct MmdbStep {
  absl::string_view key;
  uint32_t index = 0;
};

// Receives the scalars of a value in the order they are stored.
class MmdbVisitor {
 public:
  virtual ~MmdbVisitor() = default;
  // `path` leads from the value that is decoded to the scalar; empty if it is a scalar itself.
  // An error ends the decoding and becomes its result.
  virtual absl::Status OnScalar(absl::Span<const MmdbStep> path, const MmdbScalar& scalar) = 0;
};

// Decodes values of one section: the data or the metadata of a file. A view; thread-safe.
class MmdbDecoder {
 public:
  // Maps and arrays inside each other. Real records have four.
  static constexpr size_t kDepthMax = 16;
  // Values, keys included, in one record. Real records have under two hundred.
  static constexpr uint32_t kElementsMax = 8192;

  explicit MmdbDecoder(absl::Span<const uint8_t> section) : section_(section) {}

  // Gives the scalars of the value at `offset` to `visitor`, maps and arrays being entered and
  // pointers followed. DATA_LOSS with the offset and what is wrong there: a value that ends beyond
  // the section, a pointer to a pointer, a size that its type can not have, a type that does not
  // exist, a key that is not text, or a limit from above. Adds the number of values decoded to
  // `*elements`, if given.
  absl::Status Decode(size_t offset, MmdbVisitor& visitor, uint64_t* elements = nullptr) const;

  // True if a map starts at `offset` (directly).
  bool IsMap(size_t offset) const;

 private:
  struct Header;
  class Walk;

  absl::Span<const uint8_t> section_;
};

// True if `text` is UTF-8 as RFC 3629 has it.
bool IsUtf8(absl::string_view text);

}  // namespace homeport
