#include "storage/replication/entry_packer.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/replication/entry_fields.h"
#include "storage/replication/wire_reader.h"

namespace homeport {
namespace {

constexpr uint8_t kRaw = 1;
constexpr uint8_t kNext = 2;
constexpr uint8_t kDependencies = 4;
constexpr int kIdShift = 3;
constexpr uint8_t kMutationHash = 32;
constexpr uint8_t kSameClass = 64;
constexpr uint8_t kPlainChange = 128;

enum IdForm : uint8_t { kNoId = 0, kTextId = 1, kHexId = 2, kUuidId = 3 };

constexpr size_t kIdBytes = 16;
constexpr size_t kChecksumBytes = 8;

uint64_t ZigZag(uint64_t difference) {
  return difference << 1 ^ (difference >> 63 == 0 ? 0 : ~uint64_t{0});
}
uint64_t UnZigZag(uint64_t number) { return number >> 1 ^ ((number & 1) == 0 ? 0 : ~uint64_t{0}); }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool IsDashOfUuid(size_t at) { return at == 8 || at == 13 || at == 18 || at == 23; }

// The 16 bytes that `text` spells in lower case, with or without the dashes of a UUID.
std::optional<std::string> SpelledId(absl::string_view text, IdForm* form) {
  const bool dashes = text.size() == 2 * kIdBytes + 4;
  if (!dashes && text.size() != 2 * kIdBytes) return std::nullopt;
  *form = dashes ? kUuidId : kHexId;
  std::string bytes;
  int high = -1;
  for (size_t at = 0; at < text.size(); ++at) {
    if (dashes && IsDashOfUuid(at)) {
      if (text[at] != '-') return std::nullopt;
      continue;
    }
    const int digit = HexDigit(text[at]);
    if (digit < 0) return std::nullopt;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<char>(high << 4 | digit));
      high = -1;
    }
  }
  return bytes;
}

std::string SpellId(absl::string_view bytes, IdForm form) {
  constexpr absl::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    if (form == kUuidId && IsDashOfUuid(text.size())) text.push_back('-');
    text.push_back(kDigits[static_cast<unsigned char>(byte) >> 4]);
    text.push_back(kDigits[static_cast<unsigned char>(byte) & 15]);
  }
  return text;
}

// What the entries of a batch have said so far; both sides keep the same.
struct Tables {
  struct Depended {
    uint64_t origin = 0;
    uint64_t last = 0;
  };
  uint64_t origin = 0;  // 0: no entry yet
  uint64_t sequence = 0;
  uint64_t timestamp = 0;
  size_t last_class = 0;
  std::vector<absl::string_view> classes;
  std::vector<Depended> depended;
};
// Beyond these an entry is carried as it is. Looking for a name in a table is a walk.
constexpr size_t kClassesMax = 64;
constexpr size_t kDependedMax = 256;

// Each entry's checksum begins with that of those before, so that their order counts as well.
uint64_t AddToChecksum(uint64_t checksum, absl::string_view entry) {
  return XXH3_64bits_withSeed(entry.data(), entry.size(), checksum);
}

class Packer {
 public:
  void Add(absl::string_view entry) {
    checksum_ = AddToChecksum(checksum_, entry);
    EntryFields fields;
    if (!ParseFields(entry, fields) || !Fit(fields)) {
      out_.push_back(static_cast<char>(kRaw));
      AppendBytes(out_, entry);
      return;
    }
    Write(fields);
  }
  std::string Finish() && {
    AppendFixed64(out_, checksum_);
    return std::move(out_);
  }

 private:
  size_t ClassIndex(absl::string_view name) const {
    const auto found = std::find(tables_.classes.begin(), tables_.classes.end(), name);
    return static_cast<size_t>(found - tables_.classes.begin());
  }
  size_t DependedIndex(uint64_t origin) const {
    const auto found =
        std::find_if(tables_.depended.begin(), tables_.depended.end(),
                     [origin](const Tables::Depended& one) { return one.origin == origin; });
    return static_cast<size_t>(found - tables_.depended.begin());
  }
  bool Fit(const EntryFields& fields) const {
    return tables_.depended.size() + fields.dependencies.size() <= kDependedMax &&
           (tables_.classes.size() < kClassesMax ||
            ClassIndex(fields.change_class) < tables_.classes.size());
  }

  void Write(const EntryFields& fields) {
    const bool next = tables_.origin == fields.origin && tables_.sequence + 1 == fields.sequence;
    const size_t class_index = ClassIndex(fields.change_class);
    const bool same_class = !tables_.classes.empty() && class_index == tables_.last_class;
    IdForm id_form = kNoId;
    std::optional<std::string> id;
    if (!fields.request_id.empty()) {
      id = SpelledId(fields.request_id, &id_form);
      if (!id) id_form = kTextId;
    }
    out_.push_back(
        static_cast<char>((next ? kNext : 0) | (fields.dependencies.empty() ? 0 : kDependencies) |
                          id_form << kIdShift | (fields.mutation_hash == 0 ? 0 : kMutationHash) |
                          (same_class ? kSameClass : 0) | (fields.plain ? kPlainChange : 0)));
    if (next) {
      AppendVarint(out_, fields.timestamp - tables_.timestamp);
    } else {
      AppendFixed64(out_, fields.origin);
      AppendVarint(out_, fields.sequence);
      AppendFixed64(out_, fields.timestamp);
    }
    tables_.origin = fields.origin;
    tables_.sequence = fields.sequence;
    tables_.timestamp = fields.timestamp;
    WriteDependencies(fields.dependencies);
    if (id_form == kTextId) AppendBytes(out_, fields.request_id);
    if (id) absl::StrAppend(&out_, *id);
    if (fields.mutation_hash != 0) AppendFixed64(out_, fields.mutation_hash);
    if (!same_class) {
      AppendVarint(out_, class_index);
      if (class_index == tables_.classes.size()) {
        AppendBytes(out_, fields.change_class);
        tables_.classes.push_back(fields.change_class);
      }
      tables_.last_class = class_index;
    }
    AppendBytes(out_, fields.record_id);
    if (fields.plain) {
      AppendBytes(out_, fields.key);
      AppendBytes(out_, fields.value);
    } else {
      AppendBytes(out_, fields.changes);
    }
  }

  void WriteDependencies(const std::vector<EntryFields::Dependency>& dependencies) {
    if (dependencies.empty()) return;
    AppendVarint(out_, dependencies.size());
    for (const EntryFields::Dependency& dependency : dependencies) {
      const size_t index = DependedIndex(dependency.origin);
      AppendVarint(out_, index);
      if (index == tables_.depended.size()) {
        AppendFixed64(out_, dependency.origin);
        tables_.depended.push_back({dependency.origin, 0});
      }
      uint64_t& last = tables_.depended[index].last;
      AppendVarint(out_, ZigZag(dependency.sequence - last));
      last = dependency.sequence;
    }
  }

  std::string out_;
  Tables tables_;
  uint64_t checksum_ = 0;
};

class Unpacker {
 public:
  explicit Unpacker(absl::string_view packed) : reader_(packed) {}

  bool empty() const { return reader_.empty(); }
  // The next entry; nullopt if what comes next makes no sense.
  std::optional<std::string> Next() {
    const uint8_t flags = reader_.Byte();
    if (flags == kRaw) {
      const absl::string_view bytes = reader_.Bytes();
      return reader_.ok() ? std::optional<std::string>(bytes) : std::nullopt;
    }
    EntryFields fields;
    if ((flags & kRaw) != 0 || !ReadName((flags & kNext) != 0, fields)) return std::nullopt;
    if ((flags & kDependencies) != 0 && !ReadDependencies(fields.dependencies)) return std::nullopt;
    const auto id_form = static_cast<IdForm>(flags >> kIdShift & 3);
    std::string id;
    if (id_form == kTextId) {
      fields.request_id = reader_.Bytes();
    } else if (id_form != kNoId) {
      id = SpellId(reader_.Take(kIdBytes), id_form);
      fields.request_id = id;
    }
    if ((flags & kMutationHash) != 0) fields.mutation_hash = reader_.Fixed64();
    if (!ReadClass((flags & kSameClass) != 0, fields)) return std::nullopt;
    fields.record_id = reader_.Bytes();
    fields.plain = (flags & kPlainChange) != 0;
    if (fields.plain) fields.key = reader_.Bytes();
    (fields.plain ? fields.value : fields.changes) = reader_.Bytes();
    if (!reader_.ok()) return std::nullopt;
    return SerializeFields(fields);
  }

 private:
  bool ReadName(bool next, EntryFields& fields) {
    if (next && tables_.origin == 0) return false;
    if (next) {
      fields.origin = tables_.origin;
      fields.sequence = tables_.sequence + 1;
      fields.timestamp = tables_.timestamp + reader_.Varint();
    } else {
      fields.origin = reader_.Fixed64();
      fields.sequence = reader_.Varint();
      fields.timestamp = reader_.Fixed64();
    }
    tables_.origin = fields.origin;
    tables_.sequence = fields.sequence;
    tables_.timestamp = fields.timestamp;
    return reader_.ok();
  }

  bool ReadDependencies(std::vector<EntryFields::Dependency>& dependencies) {
    const uint64_t count = reader_.Varint();
    if (count > kDependedMax) return false;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t index = reader_.Varint();
      if (!reader_.ok() || index > tables_.depended.size() || index >= kDependedMax) return false;
      if (index == tables_.depended.size()) tables_.depended.push_back({reader_.Fixed64(), 0});
      Tables::Depended& depended = tables_.depended[index];
      depended.last += UnZigZag(reader_.Varint());
      dependencies.push_back({depended.origin, depended.last});
    }
    return reader_.ok();
  }

  bool ReadClass(bool same, EntryFields& fields) {
    if (!same) {
      const uint64_t index = reader_.Varint();
      if (!reader_.ok() || index > tables_.classes.size() || index >= kClassesMax) return false;
      if (index == tables_.classes.size()) tables_.classes.push_back(reader_.Bytes());
      tables_.last_class = index;
    }
    if (tables_.classes.empty()) return false;
    fields.change_class = tables_.classes[tables_.last_class];
    return true;
  }

  WireReader reader_;
  Tables tables_;
};

}  // namespace

std::string PackEntries(const SerializedEntries& entries) {
  Packer packer;
  for (const std::string& entry : entries) packer.Add(entry);
  return std::move(packer).Finish();
}

absl::StatusOr<SerializedEntries> UnpackEntries(absl::string_view packed, size_t bytes_max) {
  if (packed.size() < kChecksumBytes) return absl::DataLossError("a batch does not parse");
  SerializedEntries entries;
  uint64_t checksum = 0;
  size_t bytes = 0;
  Unpacker unpacker(packed.substr(0, packed.size() - kChecksumBytes));
  while (!unpacker.empty()) {
    std::optional<std::string> entry = unpacker.Next();
    if (!entry) {
      return absl::DataLossError(
          absl::StrCat("a batch does not parse at its entry ", entries.size()));
    }
    bytes += entry->size();
    if (bytes > bytes_max) {
      return absl::InvalidArgumentError(
          absl::StrCat("the entries of a batch are over the limit of ", bytes_max, " bytes"));
    }
    checksum = AddToChecksum(checksum, *entry);
    *entries.Add() = *std::move(entry);
  }
  if (checksum != WireReader(packed.substr(packed.size() - kChecksumBytes)).Fixed64()) {
    return absl::DataLossError("the entries of a batch are damaged");
  }
  return entries;
}

}  // namespace homeport
