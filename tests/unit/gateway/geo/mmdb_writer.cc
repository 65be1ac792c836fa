#include "tests/unit/gateway/geo/mmdb_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/net/ip_address.h"

namespace homeport::testing {
namespace {

void AppendNumber(std::string& to, uint64_t number, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) to += static_cast<char>(number >> (8 * i) & 0xff);
}

// A control byte and what follows it for a type and a size below 65821.
std::string Control(int type, size_t size) {
  std::string control;
  std::string more;
  size_t low = size;
  if (size >= 285) {
    low = 30;
    AppendNumber(more, size - 285, 2);
  } else if (size >= 29) {
    low = 29;
    AppendNumber(more, size - 29, 1);
  }
  const int direct = type <= 7 ? type : 0;
  control += static_cast<char>(direct << 5 | static_cast<int>(low));
  if (type > 7) control += static_cast<char>(type - 7);
  return control + more;
}

std::string Number(int type, uint64_t number, int bytes_max) {
  int bytes = 0;
  while (bytes < bytes_max && number >> (8 * bytes) != 0) ++bytes;
  std::string value = Control(type, static_cast<size_t>(bytes));
  AppendNumber(value, number, bytes);
  return value;
}

}  // namespace

MmdbBytes MmdbText(absl::string_view text) { return Control(2, text.size()) + std::string(text); }
MmdbBytes MmdbDouble(double number) {
  uint64_t bits;
  std::memcpy(&bits, &number, sizeof bits);
  std::string value = Control(3, 8);
  AppendNumber(value, bits, 8);
  return value;
}
MmdbBytes MmdbFloat(float number) {
  uint32_t bits;
  std::memcpy(&bits, &number, sizeof bits);
  std::string value = Control(15, 4);
  AppendNumber(value, bits, 4);
  return value;
}
MmdbBytes MmdbUint16(uint16_t number) { return Number(5, number, 2); }
MmdbBytes MmdbUint32(uint32_t number) { return Number(6, number, 4); }
MmdbBytes MmdbUint64(uint64_t number) { return Number(9, number, 8); }
MmdbBytes MmdbBool(bool value) { return Control(14, value ? 1 : 0); }

MmdbBytes MmdbMap(const std::vector<std::pair<std::string, MmdbBytes>>& members) {
  std::string value = Control(7, members.size());
  for (const auto& [key, member] : members) value += MmdbText(key) + member;
  return value;
}

MmdbBytes MmdbArray(const std::vector<MmdbBytes>& members) {
  std::string value = Control(11, members.size());
  for (const MmdbBytes& member : members) value += member;
  return value;
}

MmdbBytes MmdbPointer(uint32_t offset) {
  std::string value;
  if (offset < 2048) {
    value += static_cast<char>(1 << 5 | offset >> 8);
    AppendNumber(value, offset & 0xff, 1);
  } else {
    const uint32_t rest = offset - 2048;
    value += static_cast<char>(1 << 5 | 1 << 3 | rest >> 16);
    AppendNumber(value, rest & 0xffff, 2);
  }
  return value;
}

MmdbBytes FlatCountry(absl::string_view country) {
  return MmdbMap({{"country_code", MmdbText(country)}});
}

MmdbBytes NestedCity(absl::string_view country, absl::string_view continent,
                     absl::string_view subdivision, absl::string_view city, double latitude,
                     double longitude) {
  return MmdbMap(
      {{"city", MmdbMap({{"geoname_id", MmdbUint32(5375480)},
                         {"names", MmdbMap({{"de", MmdbText("x")}, {"en", MmdbText(city)}})}})},
       {"continent", MmdbMap({{"code", MmdbText(continent)}})},
       {"country",
        MmdbMap({{"is_in_european_union", MmdbBool(true)}, {"iso_code", MmdbText(country)}})},
       {"location", MmdbMap({{"accuracy_radius", MmdbUint16(20)},
                             {"latitude", MmdbDouble(latitude)},
                             {"longitude", MmdbDouble(longitude)}})},
       {"registered_country", MmdbMap({{"iso_code", MmdbText("FR")}})},
       {"subdivisions", MmdbArray({MmdbMap({{"iso_code", MmdbText(subdivision)}}),
                                   MmdbMap({{"iso_code", MmdbText("ZZZ")}})})}});
}

MmdbWriter::MmdbWriter(int ip_version, int record_bits)
    : ip_version_(ip_version), record_bits_(record_bits), nodes_({{kEmpty, kEmpty}}) {
  metadata_ = {{"binary_format_major_version", MmdbUint16(2)},
               {"binary_format_minor_version", MmdbUint16(0)},
               {"build_epoch", MmdbUint64(1780345978)},
               {"database_type", MmdbText("Test")},
               {"description", MmdbMap({{"en", MmdbText("for tests")}})},
               {"ip_version", MmdbUint16(static_cast<uint16_t>(ip_version))},
               {"languages", MmdbArray({MmdbText("en")})},
               {"record_size", MmdbUint16(static_cast<uint16_t>(record_bits))}};
}

uint32_t MmdbWriter::AddData(const MmdbBytes& value) {
  const auto [at, added] = offsets_.try_emplace(value, static_cast<uint32_t>(data_.size()));
  if (added) data_ += value;
  return at->second;
}

void MmdbWriter::Insert(absl::string_view range_text, const MmdbBytes& record) {
  const auto range = IpRange::Parse(range_text);
  HP_CHECK(range.ok());
  const bool v4 = range->first().is_v4();
  const int skipped = ip_version_ == 4 ? 96 : 0;  // bits of a 128-bit address that the tree lacks
  const int end = range->prefix_length() + (v4 ? 96 : 0);
  const uint64_t leaf = kData + AddData(record);
  size_t node = 0;
  for (int bit = skipped; bit < end; ++bit) {
    const int side = range->first().bytes()[static_cast<size_t>(bit / 8)] >> (7 - bit % 8) & 1;
    if (bit == end - 1) {
      nodes_[node][static_cast<size_t>(side)] = leaf;
      return;
    }
    const uint64_t next = nodes_[node][static_cast<size_t>(side)];
    if (next >= kEmpty) {  // split what was one answer
      nodes_[node][static_cast<size_t>(side)] = nodes_.size();
      nodes_.push_back({next, next});
    }
    node = static_cast<size_t>(nodes_[node][static_cast<size_t>(side)]);
  }
}

void MmdbWriter::SetMetadata(const std::string& key, const MmdbBytes& value) {
  metadata_[key] = value;
}

void MmdbWriter::SetTreeRecord(uint32_t node, int side, uint32_t value) {
  overwritten_[{node, side}] = value;
}

std::string MmdbWriter::Build() const {
  std::string file;
  for (uint32_t node = 0; node < nodes_.size(); ++node) {
    std::array<uint64_t, 2> records;
    for (int side = 0; side < 2; ++side) {
      uint64_t& record = records[static_cast<size_t>(side)];
      record = nodes_[node][static_cast<size_t>(side)];
      if (record >= kData) {
        record = record - kData + nodes_.size() + 16;
      } else if (record == kEmpty) {
        record = nodes_.size();
      }
      const auto other = overwritten_.find({node, side});
      if (other != overwritten_.end()) record = other->second;
    }
    if (record_bits_ == 28) {
      AppendNumber(file, records[0] & 0xffffff, 3);
      AppendNumber(file, (records[0] >> 24) << 4 | records[1] >> 24, 1);
      AppendNumber(file, records[1] & 0xffffff, 3);
    } else {
      for (uint64_t record : records) AppendNumber(file, record, record_bits_ / 8);
    }
  }
  file += std::string(16, '\0') + data_ + "\xab\xcd\xefMaxMind.com";
  std::vector<std::pair<std::string, MmdbBytes>> metadata = {
      {"node_count", MmdbUint32(node_count())}};
  for (const auto& [key, value] : metadata_) {
    if (key == "node_count") metadata.clear();
  }
  for (const auto& [key, value] : metadata_) {
    if (!value.empty()) metadata.emplace_back(key, value);
  }
  return file + MmdbMap(metadata);
}

TempDirectory::TempDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "homeport_geo_XXXXXX").string();
  HP_CHECK(mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}
TempDirectory::~TempDirectory() { std::filesystem::remove_all(path_); }
std::string TempDirectory::Path(absl::string_view name) const {
  return absl::StrCat(path_, "/", name);
}

void WriteFile(const std::string& path, absl::string_view content) {
  {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    HP_CHECK(file.good());
  }
  // Two writes inside one tick of the kernel's clock would have one time.
  static std::atomic<int64_t> seconds{1800000000};
  const struct timespec time = {seconds.fetch_add(1), 0};
  const struct timespec times[2] = {time, time};
  HP_CHECK(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  HP_CHECK(file.good());
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace homeport::testing
