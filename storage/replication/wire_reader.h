// Reading and writing the pieces that protobuf's wire format is made of.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace homeport {

// Reads on from the front of some bytes. What is not there, and a number that is written in more
// bytes than it needs, makes ok() false for good; what is read then is 0 or empty.
// Thread-compatible.
class WireReader {
 public:
  // The bytes must outlive what is read of them.
  explicit WireReader(absl::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  bool empty() const { return bytes_.empty(); }
  // What was not read yet.
  absl::string_view rest() const { return bytes_; }

  // Reads the byte `tag` if it comes next.
  bool Tag(uint8_t tag) {
    if (bytes_.empty() || static_cast<uint8_t>(bytes_[0]) != tag) return false;
    bytes_.remove_prefix(1);
    return true;
  }
  absl::string_view Take(uint64_t size) {
    if (size > bytes_.size()) {
      Fail();
      return {};
    }
    const absl::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  uint8_t Byte() { return static_cast<uint8_t>(Fixed(1)); }
  uint32_t Fixed32() { return static_cast<uint32_t>(Fixed(4)); }
  uint64_t Fixed64() { return Fixed(8); }
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) break;
      const auto byte = static_cast<uint8_t>(bytes_[0]);
      bytes_.remove_prefix(1);
      // The tenth byte has one bit, and the last of several is never 0.
      if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0)) break;
      value |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
    Fail();
    return 0;
  }
  // A length and so many bytes.
  absl::string_view Bytes() { return Take(Varint()); }

 private:
  void Fail() {
    ok_ = false;
    bytes_ = {};
  }
  uint64_t Fixed(uint64_t size) {
    uint64_t value = 0;
    int shift = 0;
    for (const char byte : Take(size)) {
      value |= static_cast<uint64_t>(static_cast<unsigned char>(byte)) << shift;
      shift += 8;
    }
    return value;
  }

  absl::string_view bytes_;
  bool ok_ = true;
};

inline void AppendVarint(std::string& out, uint64_t value) {
  for (; value >= 128; value >>= 7) out.push_back(static_cast<char>(value | 128));
  out.push_back(static_cast<char>(value));
}
inline void AppendFixed32(std::string& out, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift));
}
// 8 bytes.
inline void StoreFixed64(uint64_t value, char* out) {
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(value >> 8 * i);
}
inline void AppendFixed64(std::string& out, uint64_t value) {
  char bytes[8];
  StoreFixed64(value, bytes);
  out.append(bytes, sizeof(bytes));
}
// A length and the bytes.
inline void AppendBytes(std::string& out, absl::string_view bytes) {
  AppendVarint(out, bytes.size());
  out.append(bytes.data(), bytes.size());
}

}  // namespace homeport
