#include "storage/replication/entry_packer.h"

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "homeport/internal/v1/entry.pb.h"
#include "storage/model/entry_codec.h"
#include "storage/replication/entry_fields.h"
#include "storage/replication/wire_reader.h"

namespace homeport {
namespace {

using internal::v1::Entry;
using internal::v1::EntryPart;

constexpr size_t kBytesMax = 1 << 20;

SerializedEntries ListOf(const std::vector<std::string>& entries) {
  SerializedEntries list;
  for (const std::string& entry : entries) *list.Add() = entry;
  return list;
}

void ExpectTheSameBack(const std::vector<std::string>& entries) {
  auto back = UnpackEntries(PackEntries(ListOf(entries)), kBytesMax);
  ASSERT_TRUE(back.ok()) << back.status();
  ASSERT_EQ(static_cast<size_t>(back->size()), entries.size());
  for (size_t i = 0; i < entries.size(); ++i) EXPECT_EQ((*back)[static_cast<int>(i)], entries[i]);
}

Entry Put(uint64_t origin, uint64_t sequence, const std::string& value) {
  Entry entry;
  entry.set_origin(origin);
  entry.set_sequence(sequence);
  entry.set_timestamp((uint64_t{1'700'000'000'000'000} + sequence * 200) * 4096);
  EntryPart part;
  part.mutable_change_class()->set_namespace_("users");
  part.mutable_change_class()->set_kind(internal::v1::CLASS_KIND_GENERAL);
  part.set_record_id("id");
  part.add_changes()->set_value(value);
  AddPart(part, entry);
  return entry;
}

std::vector<std::string> RunOf(int count) {
  std::vector<std::string> entries;
  for (int i = 0; i < count; ++i) {
    entries.push_back(
        Put(0xabcdef0123456789, static_cast<uint64_t>(i) + 1000, "value").SerializeAsString());
  }
  return entries;
}

// Entries of every shape that a replica writes, and some that it does not.
class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t bound) { return random_() % bound; }
  std::string Text(uint64_t size_bound) {
    std::string text(Below(size_bound), '\0');
    for (char& c : text) c = static_cast<char>('a' + Below(26));
    return text;
  }
  std::string Next() {
    Entry entry;
    origin_ = Below(4) == 0 ? Below(3) + 7 : origin_;
    sequence_ += Below(8) == 0 ? Below(1000) : 1;
    entry.set_origin(origin_);
    entry.set_sequence(sequence_);
    entry.set_timestamp(Below(10) == 0 ? random_() : sequence_ * 4096);
    for (uint64_t i = Below(4); i > 1; --i) {
      entry.add_dependencies()->set_origin(Below(5));
      entry.mutable_dependencies()->rbegin()->set_sequence(Below(3) == 0 ? random_() : Below(200));
    }
    SetId(entry);
    if (Below(6) == 0) entry.set_mutation_hash(random_());
    const uint64_t parts = Below(12) == 0 ? Below(3) : 1;
    for (uint64_t i = 0; i < parts; ++i) AddPart(Part(), entry);
    if (Below(20) == 0) entry.add_withheld()->set_namespace_("gone");
    if (Below(20) == 0) entry.mutable_chain()->set_replica("eu/a");
    std::string bytes = entry.SerializeAsString();
    Spoil(bytes);
    return bytes;
  }

 private:
  void SetId(Entry& entry) {
    switch (Below(6)) {
      case 0:
        entry.set_request_id(Text(30));
        break;
      case 1:
        entry.set_request_id(absl::StrCat(absl::Hex(random_(), absl::kZeroPad16),
                                          absl::Hex(random_(), absl::kZeroPad16)));
        break;
      case 2: {
        std::string id = absl::StrCat(absl::Hex(random_(), absl::kZeroPad16),
                                      absl::Hex(random_(), absl::kZeroPad16));
        for (const size_t at : {8, 13, 18, 23}) id.insert(at, "-");
        if (Below(4) == 0) id[Below(id.size())] = "-ABgx0"[Below(6)];
        entry.set_request_id(id);
        break;
      }
      default:
        break;
    }
  }
  EntryPart Part() {
    EntryPart part;
    part.mutable_change_class()->set_namespace_(absl::StrCat("n", Below(3)));
    if (Below(3) > 0) part.mutable_change_class()->set_kind(internal::v1::CLASS_KIND_GENERAL);
    if (Below(20) == 0) part.clear_change_class();
    part.set_record_id(Text(12));
    for (uint64_t i = Below(6) == 0 ? Below(4) : 1; i > 0; --i) {
      internal::v1::ItemChange* change = part.add_changes();
      change->set_key(Text(5));
      if (Below(5) > 0) change->set_value(Text(300));
      if (Below(8) == 0) change->set_expires(random_());
      if (Below(8) == 0) change->mutable_share()->set_total(-5);
    }
    return part;
  }
  void Spoil(std::string& bytes) {
    if (Below(10) > 0) return;
    switch (Below(4)) {
      case 0:
        bytes.resize(Below(bytes.size() + 1));
        break;
      case 1:
        bytes[Below(bytes.size())] ^= static_cast<char>(1 << Below(8));
        break;
      case 2:
        bytes.append("\x9a\x06\x01?");  // a field of a later version
        break;
      default:
        bytes.insert(Below(bytes.size()), 1, static_cast<char>(Below(256)));
    }
  }

  std::mt19937_64 random_;
  uint64_t origin_ = 7;
  uint64_t sequence_ = 0;
};

TEST(EntryPackerTest, EntriesOfEveryShapeComeBackToTheByte) {
  ExpectTheSameBack({});
  ExpectTheSameBack({""});
  ExpectTheSameBack({"", "not an entry", std::string(300, '\0')});
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Generator generator(seed);
    std::vector<std::string> entries;
    for (uint64_t i = generator.Below(20); i > 0; --i) entries.push_back(generator.Next());
    ExpectTheSameBack(entries);
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

TEST(EntryPackerTest, EachFieldOfAnOrdinaryEntryIsRead) {
  Entry entry = Put(7, 12, "value");
  entry.add_dependencies()->set_origin(8);
  entry.mutable_dependencies(0)->set_sequence(300);
  entry.set_request_id("retry");
  entry.set_mutation_hash(99);
  const std::string bytes = entry.SerializeAsString();
  EntryFields fields;
  ASSERT_TRUE(ParseFields(bytes, fields));
  EXPECT_EQ(fields.origin, 7u);
  EXPECT_EQ(fields.sequence, 12u);
  EXPECT_EQ(fields.timestamp, entry.timestamp());
  ASSERT_EQ(fields.dependencies.size(), 1u);
  EXPECT_EQ(fields.dependencies[0].origin, 8u);
  EXPECT_EQ(fields.dependencies[0].sequence, 300u);
  EXPECT_EQ(fields.request_id, "retry");
  EXPECT_EQ(fields.mutation_hash, 99u);
  EXPECT_EQ(fields.record_id, "id");
  EXPECT_TRUE(fields.plain);
  EXPECT_EQ(fields.key, "");
  EXPECT_EQ(fields.value, "value");
  EXPECT_EQ(SerializeFields(fields), bytes);
}

TEST(EntryPackerTest, WhatIsNotAnOrdinaryEntryIsNotReadAsOne) {
  const std::vector<std::function<void(Entry&)>> changes = {
      [](Entry& entry) { entry.clear_origin(); },
      [](Entry& entry) { entry.clear_parts(); },
      [](Entry& entry) { entry.add_parts(entry.parts(0)); },
      [](Entry& entry) { entry.set_part_checksums(0, 1); },
      [](Entry& entry) { entry.add_part_checksums(1); },
      [](Entry& entry) { entry.add_withheld()->set_namespace_("n"); },
      [](Entry& entry) { entry.mutable_chain()->set_replica("eu/a"); },
      [](Entry& entry) { entry.add_dependencies(); },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    Entry entry = Put(7, 12, "value");
    changes[i](entry);
    EntryFields fields;
    EXPECT_FALSE(ParseFields(entry.SerializeAsString(), fields)) << i;
  }
}

TEST(EntryPackerTest, AnEntryOfARunCostsAFewBytesBesidesItsContent) {
  const size_t few = PackEntries(ListOf(RunOf(10))).size();
  const size_t more = PackEntries(ListOf(RunOf(110))).size();
  // "id", "value", and one byte each for the flags, the two lengths and the key's; three for the
  // time that has passed.
  EXPECT_EQ((more - few) / 100, 2u + 5u + 4u + 3u);
}

TEST(EntryPackerTest, ARequestIdOf128BitsTakes16Bytes) {
  Entry entry = Put(7, 12, "value");
  const size_t without = PackEntries(ListOf({entry.SerializeAsString()})).size();
  for (const std::string id :
       {"0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"}) {
    entry.set_request_id(id);
    EXPECT_EQ(PackEntries(ListOf({entry.SerializeAsString()})).size(), without + 16) << id;
  }
}

TEST(EntryPackerTest, DependenciesOnTheSameOriginNameItOnce) {
  std::vector<std::string> entries;
  std::vector<size_t> sizes;
  for (uint64_t i = 1; i <= 3; ++i) {
    Entry entry = Put(7, i, "value");
    entry.add_dependencies()->set_origin(0xabcdef0123456789);
    entry.mutable_dependencies(0)->set_sequence(1'000'000 + i);
    entries.push_back(entry.SerializeAsString());
    sizes.push_back(PackEntries(ListOf(entries)).size());
  }
  // How many, which origin, and how much further than the last one.
  EXPECT_EQ(sizes[2] - sizes[1], 2u + 5u + 4u + 3u + 3u);
}

TEST(EntryPackerTest, ADamagedByteIsAlwaysNoticed) {
  std::vector<std::string> entries = RunOf(3);
  entries.push_back("carried as it is");
  const std::string good = PackEntries(ListOf(entries));
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    EXPECT_EQ(UnpackEntries(bad, kBytesMax).status().code(), absl::StatusCode::kDataLoss) << bit;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(UnpackEntries(good.substr(0, size), kBytesMax).status().code(),
              absl::StatusCode::kDataLoss)
        << size;
  }
}

TEST(EntryPackerTest, EntriesInAnotherOrderAreNoticed) {
  const std::string good = PackEntries(ListOf({"one", "two"}));
  std::string swapped = good;
  std::swap_ranges(swapped.begin(), swapped.begin() + 5, swapped.begin() + 5);
  auto back = UnpackEntries(swapped, kBytesMax);
  EXPECT_EQ(back.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(absl::StrContains(back.status().message(), "damaged")) << back.status();
}

TEST(EntryPackerTest, NoiseIsNeverTakenForEntries) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string noise(random() % 200, '\0');
    // Small numbers, so that more than the first byte is looked at.
    for (char& byte : noise) byte = static_cast<char>(random() % 3 == 0 ? random() : random() % 20);
    const auto code = UnpackEntries(noise, kBytesMax).status().code();
    EXPECT_EQ(code, absl::StatusCode::kDataLoss) << i;
  }
}

TEST(EntryPackerTest, AFewBytesThatUnpackToMuchAreRefused) {
  // A class of 10,000 bytes, and 200 entries that name it again.
  std::string packed;
  packed.push_back('\0');
  AppendFixed64(packed, 7);
  AppendVarint(packed, 1);
  AppendFixed64(packed, 1);
  packed.push_back('\0');
  AppendBytes(packed, std::string(10'000, 'c'));
  packed.append(2, '\0');
  const std::string again("\x42\x01\x00\x00", 4);
  for (int i = 0; i < 200; ++i) packed += again;
  packed.append(8, '\0');
  auto refused = UnpackEntries(packed, kBytesMax);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument) << refused.status();
  EXPECT_TRUE(absl::StrContains(refused.status().message(), absl::StrCat(kBytesMax)));
}

TEST(EntryPackerTest, ANumberInMoreBytesThanItNeedsIsNotRead) {
  for (const absl::string_view bytes :
       {absl::string_view("\x80\x00", 2), absl::string_view("\xff\x80\x00", 3),
        absl::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10),
        absl::string_view("\xff", 1), absl::string_view()}) {
    WireReader reader(bytes);
    EXPECT_EQ(reader.Varint(), 0u);
    EXPECT_FALSE(reader.ok());
  }
  for (const uint64_t value : {uint64_t{0}, uint64_t{127}, uint64_t{128}, ~uint64_t{0}}) {
    std::string bytes;
    AppendVarint(bytes, value);
    WireReader reader(bytes);
    EXPECT_EQ(reader.Varint(), value);
    EXPECT_TRUE(reader.ok() && reader.empty());
  }
}

}  // namespace
}  // namespace homeport
