#include "gateway/geo/mmdb/mmdb_decoder.h"

#include <array>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"

namespace homeport {
namespace {

// Types as the format numbers them.
enum : uint8_t {
  kExtended = 0,
  kPointer = 1,
  kText = 2,
  kDouble = 3,
  kBytes = 4,
  kUint16 = 5,
  kUint32 = 6,
  kMap = 7,
  kInt32 = 8,
  kUint64 = 9,
  kUint128 = 10,
  kArray = 11,
  kBoolean = 14,
  kFloat = 15,
};

absl::Status Damaged(size_t offset, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("at ", offset, " of the section: ", what));
}

uint64_t BigEndian(const uint8_t* bytes, size_t size) {
  uint64_t number = 0;
  for (size_t i = 0; i < size; ++i) number = number << 8 | bytes[i];
  return number;
}

bool IsContinuation(uint8_t byte) { return (byte & 0xc0) == 0x80; }

}  // namespace

// What stands before a value's bytes.
struct MmdbDecoder::Header {
  uint8_t type = 0;
  uint32_t size = 0;   // bytes, or members of a map or array; a pointer's target
  size_t payload = 0;  // where the bytes or members start
};

// One decoding, with its limits.
class MmdbDecoder::Walk {
 public:
  Walk(absl::Span<const uint8_t> section, MmdbVisitor& visitor)
      : section_(section), visitor_(visitor) {}

  uint32_t elements() const { return elements_; }

  // Reads a header. A pointer is a header too; it is not followed.
  static absl::Status ReadHeader(absl::Span<const uint8_t> section, size_t at, Header& header);

  // Decodes the value at `at` and moves `at` behind it (behind the pointer, if it is one).
  absl::Status Value(size_t& at) {
    if (++elements_ > kElementsMax) return Damaged(at, "the record has too many values");
    Header header;
    std::optional<size_t> after_pointer;
    if (absl::Status status = Follow(at, header, after_pointer); !status.ok()) return status;
    size_t end = header.payload;
    absl::Status status;
    if (header.type == kMap || header.type == kArray) {
      status = Members(header, end);
    } else {
      status = Scalar(header);
      end += header.type == kBoolean ? 0 : header.size;
    }
    at = after_pointer.value_or(end);
    return status;
  }

 private:
  // Reads the header at `at`, or if a pointer stands there, that of its target and where the
  // pointer ends.
  absl::Status Follow(size_t at, Header& header, std::optional<size_t>& after_pointer) {
    if (absl::Status status = ReadHeader(section_, at, header); !status.ok()) return status;
    if (header.type != kPointer) return absl::OkStatus();
    after_pointer = header.payload;
    const size_t target = header.size;
    if (absl::Status status = ReadHeader(section_, target, header); !status.ok()) return status;
    if (header.type == kPointer) return Damaged(at, "a pointer to a pointer");
    return absl::OkStatus();
  }

  absl::Status Members(const Header& header, size_t& at) {
    if (depth_ == kDepthMax) return Damaged(at, "maps and arrays are nested too deeply");
    MmdbStep& step = path_[depth_++];
    for (uint32_t i = 0; i < header.size; ++i) {
      step = MmdbStep{{}, i};
      if (header.type == kMap) {
        if (absl::Status status = Key(at, step); !status.ok()) return status;
      }
      if (absl::Status status = Value(at); !status.ok()) return status;
    }
    --depth_;
    return absl::OkStatus();
  }

  absl::Status Key(size_t& at, MmdbStep& step) {
    if (++elements_ > kElementsMax) return Damaged(at, "the record has too many values");
    Header header;
    std::optional<size_t> after_pointer;
    if (absl::Status status = Follow(at, header, after_pointer); !status.ok()) return status;
    if (header.type != kText) return Damaged(at, "a map's key is not text");
    at = after_pointer.value_or(header.payload + header.size);
    step.key = Text(header);
    return absl::OkStatus();
  }

  absl::Status Scalar(const Header& header) {
    MmdbScalar scalar;
    const uint8_t* bytes = section_.data() + header.payload;
    switch (header.type) {
      case kText:
        scalar.text = Text(header);
        break;
      case kBytes:
        scalar.type = MmdbScalar::Type::kBytes;
        scalar.text = Text(header);
        break;
      case kDouble: {
        scalar.type = MmdbScalar::Type::kNumber;
        const uint64_t bits = BigEndian(bytes, 8);
        std::memcpy(&scalar.number, &bits, sizeof bits);
        break;
      }
      case kFloat: {
        scalar.type = MmdbScalar::Type::kNumber;
        const uint32_t bits = static_cast<uint32_t>(BigEndian(bytes, 4));
        float number;
        std::memcpy(&number, &bits, sizeof bits);
        scalar.number = number;
        break;
      }
      case kInt32:
        scalar.type = MmdbScalar::Type::kSigned;
        scalar.signed_value = static_cast<int32_t>(BigEndian(bytes, header.size));
        break;
      case kBoolean:
        scalar.type = MmdbScalar::Type::kBool;
        scalar.unsigned_value = header.size;
        break;
      default:  // the unsigned ones; ReadHeader() lets no other type pass
        scalar.type = MmdbScalar::Type::kUnsigned;
        scalar.unsigned_value = BigEndian(bytes, header.size);
        break;
    }
    return visitor_.OnScalar(absl::MakeConstSpan(path_.data(), depth_), scalar);
  }

  absl::string_view Text(const Header& header) const {
    return {reinterpret_cast<const char*>(section_.data()) + header.payload, header.size};
  }

  absl::Span<const uint8_t> section_;
  MmdbVisitor& visitor_;
  std::array<MmdbStep, kDepthMax> path_;
  size_t depth_ = 0;
  uint32_t elements_ = 0;
};

absl::Status MmdbDecoder::Walk::ReadHeader(absl::Span<const uint8_t> section, size_t at,
                                           Header& header) {
  const size_t start = at;
  const auto left = [&section, &at] { return section.size() - at; };
  if (at >= section.size()) return Damaged(start, "a value beyond the end");
  const uint8_t control = section[at++];
  header.type = control >> 5;
  if (header.type == kPointer) {
    // The pointer's size picks how many bytes follow and what is added to them.
    const size_t bytes = (control >> 3 & 3) + size_t{1};
    if (left() < bytes) return Damaged(start, "a pointer is cut off");
    const uint64_t number = BigEndian(section.data() + at, bytes);
    const uint64_t high = control & 7;
    switch (bytes) {
      case 1:
        header.size = static_cast<uint32_t>(high << 8 | number);
        break;
      case 2:
        header.size = static_cast<uint32_t>((high << 16 | number) + 2048);
        break;
      case 3:
        header.size = static_cast<uint32_t>((high << 24 | number) + 526336);
        break;
      default:
        header.size = static_cast<uint32_t>(number);
        break;
    }
    header.payload = at + bytes;
    return absl::OkStatus();
  }
  if (header.type == kExtended) {
    if (left() == 0) return Damaged(start, "a type is cut off");
    header.type = static_cast<uint8_t>(section[at++] + 7);
    if (header.type < kInt32) return Damaged(start, "a type that does not exist");
  }
  header.size = control & 31;
  if (header.size >= 29) {
    const size_t bytes = header.size - 28;
    if (left() < bytes) return Damaged(start, "a size is cut off");
    static constexpr std::array<uint32_t, 4> kBase = {0, 29, 285, 65821};
    header.size = kBase[bytes] + static_cast<uint32_t>(BigEndian(section.data() + at, bytes));
    at += bytes;
  }
  header.payload = at;
  // The sizes that the type can have; a map's or array's members are checked one by one.
  switch (header.type) {
    case kText:
    case kBytes:
      break;
    case kDouble:
      if (header.size != 8) return Damaged(start, "a double of another size than 8");
      break;
    case kFloat:
      if (header.size != 4) return Damaged(start, "a float of another size than 4");
      break;
    case kUint16:
      if (header.size > 2) return Damaged(start, "a 16-bit number of more than 2 bytes");
      break;
    case kUint32:
    case kInt32:
      if (header.size > 4) return Damaged(start, "a 32-bit number of more than 4 bytes");
      break;
    case kUint64:
      if (header.size > 8) return Damaged(start, "a 64-bit number of more than 8 bytes");
      break;
    case kUint128:
      if (header.size > 16) return Damaged(start, "a 128-bit number of more than 16 bytes");
      break;
    case kBoolean:
      if (header.size > 1) return Damaged(start, "a truth value that is neither 0 nor 1");
      return absl::OkStatus();
    case kMap:
    case kArray:
      return absl::OkStatus();
    default:
      return Damaged(start, "a type that does not exist");
  }
  if (left() < header.size) return Damaged(start, "a value is cut off");
  return absl::OkStatus();
}

absl::Status MmdbDecoder::Decode(size_t offset, MmdbVisitor& visitor, uint64_t* elements) const {
  Walk walk(section_, visitor);
  absl::Status status = walk.Value(offset);
  if (elements != nullptr) *elements += walk.elements();
  return status;
}

bool MmdbDecoder::IsMap(size_t offset) const {
  Header header;
  return Walk::ReadHeader(section_, offset, header).ok() && header.type == kMap;
}

bool IsUtf8(absl::string_view text) {
  const auto* at = reinterpret_cast<const uint8_t*>(text.data());
  const uint8_t* const end = at + text.size();
  while (at < end) {
    const uint8_t lead = *at;
    const size_t size = lead < 0x80   ? 1
                        : lead < 0xc2 ? 0
                        : lead < 0xe0 ? 2
                        : lead < 0xf0 ? 3
                        : lead < 0xf5 ? 4
                                      : 0;
    if (size == 0 || static_cast<size_t>(end - at) < size) return false;
    for (size_t i = 1; i < size; ++i) {
      if (!IsContinuation(at[i])) return false;
    }
    // Overlong forms, surrogates, and numbers above U+10FFFF.
    if ((lead == 0xe0 && at[1] < 0xa0) || (lead == 0xed && at[1] > 0x9f) ||
        (lead == 0xf0 && at[1] < 0x90) || (lead == 0xf4 && at[1] > 0x8f)) {
      return false;
    }
    at += size;
  }
  return true;
}

}  // namespace homeport
