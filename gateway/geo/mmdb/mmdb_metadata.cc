#include "gateway/geo/mmdb/mmdb_metadata.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "gateway/geo/mmdb/mmdb_decoder.h"

namespace homeport {
namespace {

// The format's own numbers: what stands before the metadata, how far from the end that is at most,
// and the version.
constexpr absl::string_view kMarker = "\xab\xcd\xefMaxMind.com";
constexpr size_t kMetadataBytesMax = 128 * 1024;
constexpr uint64_t kMajorVersion = 2;
// 9999-12-31T23:59:59Z, the last second that a protobuf timestamp can hold.
constexpr uint64_t kEpochMax = 253402300799;

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("metadata: ", what));
}

class MetadataReader : public MmdbVisitor {
 public:
  absl::Status OnScalar(absl::Span<const MmdbStep> path, const MmdbScalar& scalar) override {
    const absl::string_view key = path.empty() ? absl::string_view() : path[0].key;
    // libmaxminddb reads these too, and leaks memory when they are not what it expects.
    if (key == "languages" || key == "description") {
      const bool sound = path.size() == 2 && path[1].key.empty() == (key == "languages") &&
                         scalar.type == MmdbScalar::Type::kText;
      return sound ? absl::OkStatus() : Damaged(absl::StrCat(key, " is not a list of texts"));
    }
    if (path.size() != 1) return absl::OkStatus();
    if (key == "database_type") {
      if (scalar.type != MmdbScalar::Type::kText || !IsUtf8(scalar.text) ||
          scalar.text.size() > kTypeBytesMax) {
        return Damaged("database_type is not a short text");
      }
      type = std::string(scalar.text);
      return absl::OkStatus();
    }
    for (auto& [name, value] : numbers) {
      if (key != name) continue;
      if (scalar.type != MmdbScalar::Type::kUnsigned) {
        return Damaged(absl::StrCat(name, " is not a number"));
      }
      value = scalar.unsigned_value;
    }
    return absl::OkStatus();
  }

  // The number of that name, or the first error.
  uint64_t Take(absl::string_view name, uint64_t least, uint64_t most, absl::Status& status) const {
    for (const auto& [known, value] : numbers) {
      if (known != name || !status.ok()) continue;
      if (!value) {
        status = Damaged(absl::StrCat(name, " is missing"));
      } else if (*value < least || *value > most) {
        status = Damaged(absl::StrCat(name, " is ", *value, ", not ", least, " to ", most));
      } else {
        return *value;
      }
    }
    return 0;
  }

  std::optional<std::string> type;
  std::pair<absl::string_view, std::optional<uint64_t>> numbers[5] = {
      {"binary_format_major_version", {}},
      {"node_count", {}},
      {"record_size", {}},
      {"ip_version", {}},
      {"build_epoch", {}}};
};

}  // namespace

absl::StatusOr<MmdbMetadata> ReadMmdbMetadata(absl::Span<const uint8_t> file) {
  const absl::string_view bytes(reinterpret_cast<const char*>(file.data()), file.size());
  const size_t tail = file.size() - std::min(file.size(), kMetadataBytesMax);
  const size_t marker = bytes.rfind(kMarker);
  if (marker == absl::string_view::npos || marker < tail) {
    return absl::DataLossError("not a MaxMind DB file, or cut off: no metadata at its end");
  }
  const MmdbDecoder decoder(file.subspan(marker + kMarker.size()));
  if (!decoder.IsMap(0)) return Damaged("not a map");
  MetadataReader reader;
  if (absl::Status status = decoder.Decode(0, reader); !status.ok()) {
    return Damaged(status.message());
  }
  absl::Status status;
  MmdbMetadata metadata;
  reader.Take("binary_format_major_version", kMajorVersion, kMajorVersion, status);
  metadata.node_count = reader.Take("node_count", 1, UINT32_MAX - kMmdbSeparatorBytes, status);
  metadata.record_bits = reader.Take("record_size", 24, 32, status);
  metadata.ip_version = reader.Take("ip_version", 4, 6, status);
  metadata.build_epoch = reader.Take("build_epoch", 0, kEpochMax, status);
  if (!status.ok()) return status;
  if (metadata.record_bits % 4 != 0) {
    return Damaged(absl::StrCat("record_size is ", metadata.record_bits, ", not 24, 28 or 32"));
  }
  if (metadata.ip_version == 5) return Damaged("ip_version is 5, not 4 or 6");
  if (!reader.type) return Damaged("database_type is missing");
  metadata.database_type = *reader.type;
  metadata.tree_bytes = static_cast<size_t>(metadata.node_count * metadata.record_bits / 4);
  metadata.data_start = metadata.tree_bytes + kMmdbSeparatorBytes;
  metadata.data_end = marker;
  if (metadata.data_start >= metadata.data_end) {
    return absl::DataLossError(absl::StrCat("cut off: a search tree of ", metadata.node_count,
                                            " nodes leaves no room for data"));
  }
  const auto separator = file.subspan(metadata.tree_bytes, kMmdbSeparatorBytes);
  if (std::any_of(separator.begin(), separator.end(), [](uint8_t byte) { return byte != 0; })) {
    return absl::DataLossError("no zeros between search tree and data");
  }
  return metadata;
}

}  // namespace homeport
