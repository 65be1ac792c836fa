// Makes MMDB files for tests, sound ones and others.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace homeport::testing {

// The encoding of one value of a data section.
using MmdbBytes = std::string;

MmdbBytes MmdbText(absl::string_view text);
MmdbBytes MmdbDouble(double number);
MmdbBytes MmdbFloat(float number);
MmdbBytes MmdbUint16(uint16_t number);
MmdbBytes MmdbUint32(uint32_t number);
MmdbBytes MmdbUint64(uint64_t number);
MmdbBytes MmdbBool(bool value);
MmdbBytes MmdbMap(const std::vector<std::pair<std::string, MmdbBytes>>& members);
MmdbBytes MmdbArray(const std::vector<MmdbBytes>& members);
// A pointer to an offset in the data section; at most 0x7ffff + 2048.
MmdbBytes MmdbPointer(uint32_t offset);

// Records as the two schemas have them.
MmdbBytes FlatCountry(absl::string_view country);
MmdbBytes NestedCity(absl::string_view country, absl::string_view continent,
                     absl::string_view subdivision, absl::string_view city, double latitude,
                     double longitude);

// Collects ranges and builds a file. Not thread-safe.
class MmdbWriter {
 public:
  explicit MmdbWriter(int ip_version = 6, int record_bits = 24);

  // Adds bytes to the data section, for pointers to lead to; returns their offset.
  uint32_t AddData(const MmdbBytes& value);
  // Wider ranges first: a later range overwrites an earlier one.
  void Insert(absl::string_view range, const MmdbBytes& record);
  // Replaces a value of the metadata; an empty one leaves it out.
  void SetMetadata(const std::string& key, const MmdbBytes& value);
  // Overwrites a record of the tree as it will be written.
  void SetTreeRecord(uint32_t node, int side, uint32_t value);
  uint32_t node_count() const { return static_cast<uint32_t>(nodes_.size()); }

  std::string Build() const;

 private:
  // A record: kEmpty, a node's index, or kData plus an offset in the data section.
  static constexpr uint64_t kEmpty = uint64_t{1} << 40;
  static constexpr uint64_t kData = uint64_t{1} << 41;

  int ip_version_, record_bits_;
  std::vector<std::array<uint64_t, 2>> nodes_;
  std::string data_;
  std::map<MmdbBytes, uint32_t> offsets_;
  std::map<std::string, MmdbBytes> metadata_;
  std::map<std::pair<uint32_t, int>, uint32_t> overwritten_;
};

// A directory of its own, removed with all that is in it.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  std::string Path(absl::string_view name) const;

 private:
  std::string path_;
};

// Writes a file from its start, the same inode if it exists, and gives it a modification time that
// no earlier call gave.
void WriteFile(const std::string& path, absl::string_view content);
std::string ReadFile(const std::string& path);

}  // namespace homeport::testing
