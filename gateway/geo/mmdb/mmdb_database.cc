#include "gateway/geo/mmdb/mmdb_database.h"

#include <maxminddb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/status/error.h"
#include "gateway/geo/mmdb/mmdb_decoder.h"
#include "gateway/geo/mmdb/mmdb_metadata.h"
#include "gateway/geo/mmdb/mmdb_record.h"
#include "gateway/geo/mmdb/mmdb_tree.h"

namespace homeport {
namespace {

absl::Status Refused(const std::string& path, const absl::Status& status) {
  absl::string_view what = status.message();
  const std::string prefix = path + ": ";
  if (what.substr(0, prefix.size()) == prefix) what.remove_prefix(prefix.size());
  return MakeError(status.code(), reason::kGeoDatabaseInvalid, absl::StrCat(prefix, what),
                   {{"path", path}});
}

}  // namespace

// The library's view of the copy, and what is looked up in advance.
struct MmdbDatabase::Handle {
  // IPv4 look-ups start this many bits down: most of the time of a search that starts at the root
  // goes into these levels, which have only 2^16 ends.
  static constexpr int kV4HeadBits = 16;

  explicit Handle(absl::Span<const uint8_t> data) : data_section(data) {}
  ~Handle() {
    if (open) MMDB_close(&mmdb);
  }

  // A record of the checked tree.
  uint64_t Record(uint64_t node, bool right) const {
    MMDB_search_node_s records;
    HP_CHECK(MMDB_read_node(&mmdb, static_cast<uint32_t>(node), &records) == MMDB_SUCCESS);
    return right ? records.right_record : records.left_record;
  }

  void FillV4Heads() {
    v4_heads.resize(size_t{1} << kV4HeadBits);
    uint64_t root = 0;
    if (mmdb.metadata.ip_version == 6) {
      for (int bit = 0; bit < 96 && root < mmdb.metadata.node_count; ++bit) {
        root = Record(root, false);
      }
    }
    FillV4Heads(root, 0, 0);
  }
  void FillV4Heads(uint64_t node, int depth, size_t prefix) {
    if (depth < kV4HeadBits && node < mmdb.metadata.node_count) {
      FillV4Heads(Record(node, false), depth + 1, prefix << 1);
      FillV4Heads(Record(node, true), depth + 1, prefix << 1 | 1);
      return;
    }
    const int below = kV4HeadBits - depth;
    std::fill_n(v4_heads.begin() + static_cast<ptrdiff_t>(prefix << below), size_t{1} << below,
                static_cast<uint32_t>(node));
  }

  // The offset of an address' record in the data section.
  std::optional<uint32_t> FindV4(uint32_t number) const {
    const uint64_t nodes = mmdb.metadata.node_count;
    uint64_t node = v4_heads[number >> (32 - kV4HeadBits)];
    for (int bit = 31 - kV4HeadBits; bit >= 0 && node < nodes; --bit) {
      node = Record(node, number >> bit & 1);
    }
    if (node <= nodes) return std::nullopt;
    return static_cast<uint32_t>(node - nodes - kMmdbSeparatorBytes);
  }
  std::optional<uint32_t> FindV6(const IpAddress& address) const {
    struct sockaddr_in6 socket_address = {};
    socket_address.sin6_family = AF_INET6;
    std::memcpy(&socket_address.sin6_addr, address.bytes().data(), 16);
    int error = MMDB_SUCCESS;
    const MMDB_lookup_result_s result = MMDB_lookup_sockaddr(
        &mmdb, reinterpret_cast<const struct sockaddr*>(&socket_address), &error);
    // The only error that is left after the check is an IPv6 address in a file of IPv4.
    if (error != MMDB_SUCCESS || !result.found_entry) return std::nullopt;
    return result.entry.offset;
  }

  MMDB_s mmdb;
  bool open = false;
  MmdbDecoder data_section;
  absl::flat_hash_map<uint32_t, Place> prepared;  // by offset in the data section
  std::vector<uint32_t> v4_heads;                 // records of the tree by an address' first bits
};

MmdbDatabase::MmdbDatabase(SealedFile file) : file_(std::move(file)) {}
MmdbDatabase::~MmdbDatabase() = default;

absl::StatusOr<std::shared_ptr<const MmdbDatabase>> MmdbDatabase::Open(const std::string& path,
                                                                       const std::string& credit) {
  auto file = SealedFile::Copy(path);
  if (!file.ok()) return Refused(path, file.status());
  const auto metadata = ReadMmdbMetadata(file->content());
  if (!metadata.ok()) return Refused(path, metadata.status());
  const auto offsets = WalkMmdbTree(file->content(), *metadata);
  if (!offsets.ok()) return Refused(path, offsets.status());

  std::shared_ptr<MmdbDatabase> database(new MmdbDatabase(*std::move(file)));
  auto handle = std::make_unique<Handle>(database->file_.content().subspan(
      metadata->data_start, metadata->data_end - metadata->data_start));
  uint64_t elements = 0;
  bool useful = false;
  for (const uint32_t offset : *offsets) {
    Place place;
    absl::Status status = DecodePlace(handle->data_section, offset, place, &elements);
    if (!status.ok()) return Refused(path, status);
    if (elements > kElementsTotalMax) {
      return Refused(path, absl::DataLossError(absl::StrCat("its records stand for more than ",
                                                            kElementsTotalMax, " values")));
    }
    useful = useful || KnowsAnything(place);
    if (handle->prepared.size() < kPreparedRecordsMax) {
      handle->prepared.emplace(offset, std::move(place));
    }
  }
  if (!useful) {
    return Refused(
        path, absl::DataLossError(absl::StrCat("no record of its ", offsets->size(),
                                               " has a country, coordinates or a network (type \"",
                                               metadata->database_type, "\")")));
  }
  const int error = MMDB_open(database->file_.ProcPath().c_str(), MMDB_MODE_MMAP, &handle->mmdb);
  if (error != MMDB_SUCCESS) {
    return Refused(path, absl::DataLossError(MMDB_strerror(error)));
  }
  handle->open = true;
  if (handle->mmdb.metadata.node_count != metadata->node_count ||
      handle->mmdb.metadata.record_size != metadata->record_bits ||
      handle->mmdb.metadata.ip_version != metadata->ip_version) {
    return Refused(path, absl::DataLossError("metadata: read in two ways"));
  }
  handle->FillV4Heads();
  database->handle_ = std::move(handle);
  database->info_ = std::make_shared<const GeoDatabaseInfo>(
      GeoDatabaseInfo{path, metadata->database_type, credit,
                      absl::FromUnixSeconds(static_cast<int64_t>(metadata->build_epoch))});
  return database;
}

bool MmdbDatabase::Lookup(const IpAddress& address, Place& place) const {
  const std::optional<uint32_t> offset =
      address.is_v4() ? handle_->FindV4(address.v4_number()) : handle_->FindV6(address);
  if (!offset) return false;
  const auto prepared = handle_->prepared.find(*offset);
  if (prepared != handle_->prepared.end()) {
    if (!KnowsAnything(prepared->second)) return false;
    AddKnown(prepared->second, place);
    return true;
  }
  Place known;
  if (!DecodePlace(handle_->data_section, *offset, known).ok()) {
    HP_BUG("a record that was checked can not be decoded");
    return false;
  }
  if (!KnowsAnything(known)) return false;
  AddKnown(known, place);
  return true;
}

bool MmdbDatabase::SameContent(const MmdbDatabase& other) const {
  const auto a = file_.content();
  const auto b = other.file_.content();
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace homeport
