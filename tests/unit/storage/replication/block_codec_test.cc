#include "storage/replication/block_codec.h"

#include <random>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/model/entry_codec.h"

namespace homeport {
namespace {

using internal::v1::Batch;
using internal::v1::EntryBlock;

EntryBlock BlockOf(const std::vector<std::string>& entries) {
  EntryBlock block;
  for (const std::string& entry : entries) block.add_entries(entry);
  return block;
}

std::string Noise(size_t size) {
  std::mt19937_64 random(7);
  std::string bytes;
  while (bytes.size() < size) bytes.push_back(static_cast<char>(random()));
  return bytes;
}

void ExpectRefused(const Batch& batch, absl::StatusCode code, absl::string_view message) {
  auto block = UnpackBlock(batch);
  EXPECT_EQ(block.status().code(), code) << block.status();
  EXPECT_TRUE(absl::StrContains(block.status().message(), message)) << block.status();
}

TEST(BlockCodecTest, BlocksOfEverySizeComeBack) {
  for (const EntryBlock& block :
       {BlockOf({}), BlockOf({""}), BlockOf({"small"}), BlockOf({"a", "", std::string(4, '\0')}),
        BlockOf({std::string(100'000, 'x'), "y"}), BlockOf({Noise(100'000)}),
        BlockOf({std::string(15 * 1024 * 1024, 'x')})}) {
    for (const uint32_t version : {1u, 2u}) {
      auto back = UnpackBlock(PackBlock(block, version));
      ASSERT_TRUE(back.ok()) << back.status();
      EXPECT_EQ(back->SerializeAsString(), block.SerializeAsString());
    }
  }
}

TEST(BlockCodecTest, WhatCompressionDoesNotHelpIsSentAsItIs) {
  EXPECT_EQ(PackBlock(BlockOf({"small"})).uncompressed_bytes(), 0u);
  EXPECT_EQ(PackBlock(BlockOf({Noise(100'000)})).uncompressed_bytes(), 0u);
  const Batch packed = PackBlock(BlockOf({std::string(100'000, 'x')}));
  EXPECT_GT(packed.uncompressed_bytes(), 100'000u);
  EXPECT_LT(packed.block().size(), 1000u);
}

TEST(BlockCodecTest, ABatchThatClaimsToBeHugeIsRefusedBeforeRoomIsMade) {
  Batch batch = PackBlock(BlockOf({std::string(100'000, 'x')}));
  batch.set_uncompressed_bytes(kBlockBytesMax + 1);
  ExpectRefused(batch, absl::StatusCode::kInvalidArgument, absl::StrCat(kBlockBytesMax + 1));
  batch.set_uncompressed_bytes(~uint32_t{0});
  ExpectRefused(batch, absl::StatusCode::kInvalidArgument, absl::StrCat(kBlockBytesMax));
  batch.set_uncompressed_bytes(0);
  batch.set_block(std::string(kBlockBytesMax + 1, 'x'));
  ExpectRefused(batch, absl::StatusCode::kInvalidArgument, absl::StrCat(kBlockBytesMax + 1));
}

TEST(BlockCodecTest, ABatchThatLiesAboutItsSizeIsRefused) {
  const Batch good = PackBlock(BlockOf({std::string(100'000, 'x')}));
  for (uint32_t size : {uint32_t{1}, good.uncompressed_bytes() - 1, good.uncompressed_bytes() + 1,
                        kBlockBytesMax}) {
    Batch batch = good;
    batch.set_uncompressed_bytes(size);
    ExpectRefused(batch, absl::StatusCode::kDataLoss, "does not decompress");
  }
}

TEST(BlockCodecTest, CutAndLengthenedBatchesAreRefused) {
  const Batch good = PackBlock(BlockOf({std::string(100'000, 'x')}));
  for (size_t size = 0; size < good.block().size(); ++size) {
    Batch batch = good;
    batch.mutable_block()->resize(size);
    ExpectRefused(batch, absl::StatusCode::kDataLoss, "does not decompress");
  }
  Batch batch = good;
  batch.mutable_block()->append("garbage");
  ExpectRefused(batch, absl::StatusCode::kDataLoss, "does not decompress");
  batch = PackBlock(BlockOf({"small"}), 1);
  batch.mutable_block()->append("garbage");
  ExpectRefused(batch, absl::StatusCode::kDataLoss, "does not parse");
  batch = PackBlock(BlockOf({"small"}));
  for (const absl::string_view tail : {"garbage", "\x01\x01x"}) {
    Batch longer = batch;
    absl::StrAppend(longer.mutable_block(), tail);
    EXPECT_EQ(UnpackBlock(longer).status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(BlockCodecTest, AnEntryThatItsChecksumDoesNotMatchIsNamed) {
  EntryBlock block = BlockOf({"first", "second"});
  Batch batch;
  for (const std::string& entry : block.entries()) block.add_entry_checksums(Checksum(entry));
  batch.set_block(block.SerializeAsString());
  EXPECT_TRUE(UnpackBlock(batch).ok());
  block.set_entry_checksums(1, block.entry_checksums(1) ^ 1);
  batch.set_block(block.SerializeAsString());
  ExpectRefused(batch, absl::StatusCode::kDataLoss, "entry 1");
  block.mutable_entry_checksums()->RemoveLast();
  batch.set_block(block.SerializeAsString());
  ExpectRefused(batch, absl::StatusCode::kDataLoss, "does not parse");
}

TEST(BlockCodecTest, APeerOfAnEarlierFrameVersionGetsThePlainForm) {
  EXPECT_FALSE(PackBlock(BlockOf({"entry"}), 1).packed());
  EXPECT_TRUE(PackBlock(BlockOf({"entry"}), 2).packed());
  EXPECT_TRUE(PackBlock(BlockOf({"entry"}), 3).packed());
}

TEST(BlockCodecTest, OneFormIsNotTakenForTheOther) {
  for (const uint32_t version : {1u, 2u}) {
    Batch batch = PackBlock(BlockOf({"first", "second"}), version);
    batch.set_packed(!batch.packed());
    EXPECT_EQ(UnpackBlock(batch).status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(BlockCodecTest, AFlippedBitIsNeverTakenForAnEntry) {
  const EntryBlock large = BlockOf({std::string(400, 'x'), std::string(400, 'y')});
  for (const Batch& good :
       {PackBlock(BlockOf({"one", "two", "three"}), 1), PackBlock(BlockOf({"one", "two", "three"})),
        PackBlock(large, 1), PackBlock(large)}) {
    const std::string content = UnpackBlock(good)->SerializeAsString();
    for (size_t bit = 0; bit < good.block().size() * 8; ++bit) {
      Batch batch = good;
      char& byte = (*batch.mutable_block())[bit / 8];
      byte = static_cast<char>(byte ^ 1 << bit % 8);
      auto block = UnpackBlock(batch);
      // A bit of a frame's header may mean nothing; what comes out is then what went in.
      if (!block.ok()) {
        EXPECT_EQ(block.status().code(), absl::StatusCode::kDataLoss) << block.status();
        continue;
      }
      for (int i = 0; i < block->entries_size(); ++i) {
        EXPECT_TRUE(absl::StrContains(content, block->entries(i))) << bit;
      }
    }
  }
}

}  // namespace
}  // namespace homeport
