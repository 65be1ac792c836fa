#include "storage/replication/entry_fields.h"

#include "absl/strings/str_cat.h"
#include "storage/model/entry_codec.h"
#include "storage/replication/wire_reader.h"

namespace homeport {
namespace {

// Tags of the serialized messages: field number and wire type (homeport/internal/v1/entry.proto).
constexpr uint8_t kOriginTag = 0x09;
constexpr uint8_t kSequenceTag = 0x10;
constexpr uint8_t kTimestampTag = 0x19;
constexpr uint8_t kDependencyTag = 0x22;
constexpr uint8_t kRequestIdTag = 0x2a;
constexpr uint8_t kPartTag = 0x32;
constexpr uint8_t kPartChecksumsTag = 0x3a;
constexpr uint8_t kMutationHashTag = 0x51;
constexpr uint8_t kClassTag = 0x0a;
constexpr uint8_t kRecordIdTag = 0x12;
constexpr uint8_t kChangeTag = 0x1a;
constexpr uint8_t kKeyTag = 0x0a;
constexpr uint8_t kValueTag = 0x12;

size_t VarintSize(uint64_t value) {
  size_t size = 1;
  for (; value >= 128; value >>= 7) ++size;
  return size;
}
// Of a field with a tag of one byte.
size_t BytesFieldSize(size_t size) { return 1 + VarintSize(size) + size; }

void AppendTaggedBytes(std::string& out, uint8_t tag, absl::string_view bytes) {
  out.push_back(static_cast<char>(tag));
  AppendBytes(out, bytes);
}
// A field that is not serialized when it is empty.
void AppendField(std::string& out, uint8_t tag, absl::string_view bytes) {
  if (!bytes.empty()) AppendTaggedBytes(out, tag, bytes);
}

void AppendPosition(std::string& out, const EntryFields::Dependency& dependency) {
  std::string position;
  position.push_back(static_cast<char>(kOriginTag));
  AppendFixed64(position, dependency.origin);
  position.push_back(static_cast<char>(kSequenceTag));
  AppendVarint(position, dependency.sequence);
  AppendTaggedBytes(out, kDependencyTag, position);
}

bool TakePlainChange(absl::string_view changes, EntryFields& fields) {
  WireReader outer(changes);
  if (!outer.Tag(kChangeTag)) return false;
  WireReader inner(outer.Bytes());
  if (!outer.ok() || !outer.empty()) return false;
  if (inner.Tag(kKeyTag)) {
    fields.key = inner.Bytes();
    if (fields.key.empty()) return false;
  }
  if (!inner.Tag(kValueTag)) return false;
  fields.value = inner.Bytes();
  return inner.ok() && inner.empty();
}

bool TakePart(absl::string_view part, EntryFields& fields) {
  WireReader reader(part);
  if (!reader.Tag(kClassTag)) return false;
  fields.change_class = reader.Bytes();
  if (reader.Tag(kRecordIdTag)) {
    fields.record_id = reader.Bytes();
    if (fields.record_id.empty()) return false;
  }
  if (!reader.ok()) return false;
  fields.changes = reader.rest();
  EntryFields plain;
  if (TakePlainChange(fields.changes, plain)) {
    fields.plain = true;
    fields.key = plain.key;
    fields.value = plain.value;
  }
  return true;
}

}  // namespace

std::string SerializeFields(const EntryFields& fields) {
  const size_t key_bytes = fields.key.empty() ? 0 : BytesFieldSize(fields.key.size());
  const size_t change_bytes = key_bytes + BytesFieldSize(fields.value.size());
  const size_t part_bytes =
      BytesFieldSize(fields.change_class.size()) +
      (fields.record_id.empty() ? 0 : BytesFieldSize(fields.record_id.size())) +
      (fields.plain ? BytesFieldSize(change_bytes) : fields.changes.size());
  std::string out;
  out.reserve(part_bytes + fields.request_id.size() + fields.dependencies.size() * 24 + 64);
  out.push_back(static_cast<char>(kOriginTag));
  AppendFixed64(out, fields.origin);
  out.push_back(static_cast<char>(kSequenceTag));
  AppendVarint(out, fields.sequence);
  out.push_back(static_cast<char>(kTimestampTag));
  AppendFixed64(out, fields.timestamp);
  for (const EntryFields::Dependency& dependency : fields.dependencies)
    AppendPosition(out, dependency);
  AppendField(out, kRequestIdTag, fields.request_id);
  out.push_back(static_cast<char>(kPartTag));
  AppendVarint(out, part_bytes);
  const size_t part_begin = out.size();
  AppendTaggedBytes(out, kClassTag, fields.change_class);
  AppendField(out, kRecordIdTag, fields.record_id);
  if (fields.plain) {
    out.push_back(static_cast<char>(kChangeTag));
    AppendVarint(out, change_bytes);
    AppendField(out, kKeyTag, fields.key);
    AppendTaggedBytes(out, kValueTag, fields.value);
  } else {
    absl::StrAppend(&out, fields.changes);
  }
  const uint32_t checksum = Checksum(absl::string_view(out).substr(part_begin));
  out.push_back(static_cast<char>(kPartChecksumsTag));
  out.push_back(static_cast<char>(sizeof(checksum)));
  AppendFixed32(out, checksum);
  if (fields.mutation_hash != 0) {
    out.push_back(static_cast<char>(kMutationHashTag));
    AppendFixed64(out, fields.mutation_hash);
  }
  return out;
}

bool ParseFields(absl::string_view bytes, EntryFields& fields) {
  WireReader reader(bytes);
  if (!reader.Tag(kOriginTag)) return false;
  fields.origin = reader.Fixed64();
  if (!reader.Tag(kSequenceTag)) return false;
  fields.sequence = reader.Varint();
  if (!reader.Tag(kTimestampTag)) return false;
  fields.timestamp = reader.Fixed64();
  fields.dependencies.clear();
  while (reader.Tag(kDependencyTag)) {
    WireReader position(reader.Bytes());
    EntryFields::Dependency dependency;
    if (!position.Tag(kOriginTag)) return false;
    dependency.origin = position.Fixed64();
    if (!position.Tag(kSequenceTag)) return false;
    dependency.sequence = position.Varint();
    if (!position.ok() || !position.empty()) return false;
    fields.dependencies.push_back(dependency);
  }
  if (reader.Tag(kRequestIdTag)) {
    fields.request_id = reader.Bytes();
    if (fields.request_id.empty()) return false;
  }
  if (!reader.Tag(kPartTag)) return false;
  const absl::string_view part = reader.Bytes();
  if (!reader.Tag(kPartChecksumsTag)) return false;
  if (reader.Varint() != sizeof(uint32_t) || reader.Fixed32() != Checksum(part)) return false;
  if (reader.Tag(kMutationHashTag)) {
    fields.mutation_hash = reader.Fixed64();
    if (fields.mutation_hash == 0) return false;
  }
  return reader.ok() && reader.empty() && fields.origin != 0 && TakePart(part, fields);
}

}  // namespace homeport
