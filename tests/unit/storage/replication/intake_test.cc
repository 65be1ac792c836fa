#include "storage/replication/intake.h"

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/topology/topology.h"
#include "gtest/gtest.h"
#include "storage/model/entry_codec.h"
#include "storage/replication/block_codec.h"
#include "storage/replication/paused_origins.h"
#include "tests/unit/storage/replication/core_fixture.h"

namespace homeport {
namespace {

using internal::v1::PullRequest;
using internal::v1::PullResponse;

// Of CoreFixture.
const Origin kSelf{1};
const Origin kOne{2};
const Origin kTwo{3};
const ReplicaName kPeer("r1/a");

class IntakeTest : public CoreFixture {
 protected:
  // As they are sent.
  std::string Chain(Origin origin, const std::string& replica) {
    return CoreFixture::Chain(origin, replica).SerializeAsString();
  }
  std::string Write(Origin origin, uint64_t sequence, const std::string& name_space) {
    return CoreFixture::Write(origin, sequence, "value", name_space).SerializeAsString();
  }
  static PullResponse MessageOf(const std::vector<std::string>& entries) {
    internal::v1::EntryBlock block;
    for (const std::string& entry : entries) block.add_entries(entry);
    PullResponse response;
    *response.mutable_batch() = PackBlock(block);
    return response;
  }
  Taken Take(const PullResponse& response) {
    auto batch = UnpackResponse(kPeer, response);
    EXPECT_TRUE(batch.ok()) << batch.status();
    Taken taken = TakeIn(*batch, *core_, now_);
    EXPECT_TRUE(core_->Commit(now_).ok());
    return taken;
  }
  Sequence Received(Origin origin) { return core_->view()->ReceivedOf(origin); }
};

TEST_F(IntakeTest, AMessageIsUnpackedWholeWithWhatItCosts) {
  PullResponse response = MessageOf({Chain(kOne, "r1/a")});
  response.add_skips()->set_origin(kTwo.value());
  response.mutable_hello()->set_replica("r1/a");
  response.mutable_hello()->add_origins()->set_origin(kOne.value());
  response.mutable_hello()->mutable_origins(0)->set_replica("r1/a");
  response.mutable_heartbeat()->add_origins()->set_origin(kTwo.value());  // of nobody knows whom
  response.mutable_heartbeat()->set_wall_micros(7);
  auto batch = UnpackResponse(kPeer, response);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->peer, kPeer);
  ASSERT_TRUE(batch->hello.has_value());
  EXPECT_EQ(batch->block.entries_size(), 1);
  EXPECT_EQ(batch->skips.size(), 1u);
  EXPECT_EQ(batch->heartbeat.wall_micros(), 7u);
  EXPECT_EQ(batch->credit_bytes, response.batch().block().size());
  ASSERT_EQ(batch->names.size(), 1u);
  EXPECT_EQ(batch->names[0].first, kOne);
}

TEST_F(IntakeTest, ADamagedMessageIsNotUnpacked) {
  PullResponse response = MessageOf({Chain(kOne, "r1/a")});
  response.mutable_batch()->mutable_block()->back() ^= 1;
  EXPECT_EQ(UnpackResponse(kPeer, response).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(IntakeTest, ARefusedEntryStopsItsOriginAndNoOther) {
  const Taken taken =
      Take(MessageOf({Chain(kOne, "r1/a"), Write(kOne, 2, "elsewhere"), Write(kOne, 3, "all"),
                      Chain(kTwo, "r2/a"), Write(kTwo, 2, "all")}));
  EXPECT_TRUE(taken.status.ok()) << taken.status;
  ASSERT_EQ(taken.refused.size(), 1u);
  EXPECT_EQ(taken.refused[0].origin, kOne);
  EXPECT_EQ(taken.refused[0].why.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(absl::StrContains(taken.refused[0].why.message(), "'elsewhere'"));
  EXPECT_EQ(taken.entries, 3u);
  EXPECT_EQ(Received(kOne), Sequence(1));
  EXPECT_EQ(Received(kTwo), Sequence(2));
}

TEST_F(IntakeTest, ARefusedSkipStopsItsOriginAndNoOther) {
  ASSERT_TRUE(Take(MessageOf({Chain(kOne, "r1/a"), Chain(kTwo, "r2/a")})).refused.empty());
  PullResponse response;
  for (const auto& [origin, name_space] :
       {std::pair<Origin, std::string>(kOne, "all"), {kTwo, "elsewhere"}}) {
    internal::v1::Skip* skip = response.add_skips();
    skip->set_origin(origin.value());
    skip->set_first(2);
    skip->set_last(5);
    skip->set_timestamp(FromWallTime(now_.wall).value() + 5);
    skip->add_classes()->set_namespace_(name_space);
    skip->mutable_classes(0)->set_kind(internal::v1::CLASS_KIND_GENERAL);
  }
  const Taken taken = Take(response);
  EXPECT_TRUE(taken.status.ok()) << taken.status;
  ASSERT_EQ(taken.refused.size(), 1u);
  EXPECT_EQ(taken.refused[0].origin, kOne);
  EXPECT_EQ(taken.refused[0].why.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Received(kOne), Sequence(1));
  EXPECT_EQ(Received(kTwo), Sequence(5));
}

TEST_F(IntakeTest, OfAPeerWithAnotherTopologyWhatMayNotBeHeldIsLeftOutAndNotStored) {
  PullResponse response =
      MessageOf({Chain(kOne, "r1/a"), Write(kOne, 2, "elsewhere"), Write(kOne, 3, "all")});
  response.set_topologies_differ(true);
  const Taken taken = Take(response);
  EXPECT_TRUE(taken.status.ok()) << taken.status;
  EXPECT_TRUE(taken.refused.empty());
  EXPECT_EQ(Received(kOne), Sequence(3));
  EXPECT_TRUE(core_->left_out().contains("elsewhere"));
  EXPECT_EQ(core_->counters().entries_owed, 1u);
  std::unique_ptr<KvIterator> items = engine_->Iterate(Table::kItems);
  for (items->Seek({}); items->Valid(); items->Next()) {
    EXPECT_FALSE(absl::StartsWith(items->key(), "elsewhere")) << items->key();
  }
}

TEST_F(IntakeTest, ASkipOfAPeerWithAnotherTopologyMakesTheNamespacePartial) {
  ASSERT_TRUE(Take(MessageOf({Chain(kOne, "r1/a")})).refused.empty());
  PullResponse response;
  response.set_topologies_differ(true);
  internal::v1::Skip* skip = response.add_skips();
  skip->set_origin(kOne.value());
  skip->set_first(2);
  skip->set_last(5);
  skip->set_timestamp(FromWallTime(now_.wall).value() + 5);
  skip->add_classes()->set_namespace_("all");
  skip->mutable_classes(0)->set_kind(internal::v1::CLASS_KIND_GENERAL);
  EXPECT_TRUE(Take(response).refused.empty());
  EXPECT_EQ(Received(kOne), Sequence(5));
  EXPECT_FALSE(core_->view()->HoldsWhole("all"));
  const NamespaceSeeding* owed = core_->view()->seeding->Find("all");
  ASSERT_NE(owed, nullptr);
  EXPECT_EQ(owed->owed, 4u);
  ASSERT_EQ(owed->at_least.size(), 1u);
  EXPECT_EQ(owed->at_least[0].first, kOne);
  EXPECT_EQ(owed->at_least[0].second, Sequence(5));
  // It is on the disk with the position.
  Open(Origin(77));
  EXPECT_EQ(Received(kOne), Sequence(5));
  EXPECT_FALSE(core_->view()->HoldsWhole("all"));
}

TEST_F(IntakeTest, WhatAPeerHasBeyondAGapWaitsForWhoBringsTheRest) {
  ASSERT_TRUE(Take(MessageOf({Chain(kOne, "r1/a")})).refused.empty());
  PullResponse response = MessageOf({Write(kOne, 3, "all"), Write(kOne, 5, "all")});
  for (const uint64_t at : {2, 4}) {
    internal::v1::Gap* gap = response.add_gaps();
    gap->set_origin(kOne.value());
    gap->set_first(at);
    gap->set_last(at);
  }
  Taken taken = Take(response);
  EXPECT_TRUE(taken.refused.empty());
  EXPECT_EQ(Received(kOne), Sequence(1));
  EXPECT_EQ(core_->view()->SeenOf(kPeer, kOne), Sequence(5));
  // What may not be held is refused at once, however early it comes.
  taken = Take(MessageOf({Write(kOne, 6, "elsewhere")}));
  ASSERT_EQ(taken.refused.size(), 1u);
  EXPECT_EQ(taken.refused[0].why.code(), absl::StatusCode::kPermissionDenied);
  // A jump that was not announced is refused as ever.
  taken = Take(MessageOf({Write(kOne, 7, "all")}));
  ASSERT_EQ(taken.refused.size(), 1u);
  EXPECT_EQ(taken.refused[0].why.code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(Take(MessageOf({Write(kOne, 2, "all")})).refused.empty());
  EXPECT_EQ(Received(kOne), Sequence(3));
  ASSERT_TRUE(Take(MessageOf({Write(kOne, 4, "all")})).refused.empty());
  EXPECT_EQ(Received(kOne), Sequence(5));
  EXPECT_EQ(core_->view()->joins, nullptr);
  EXPECT_EQ(core_->counters().entries_duplicate, 0u);
}

TEST_F(IntakeTest, AnEntryThatMakesNoSenseEndsTheLinkAndKeepsWhatCameBefore) {
  const Taken taken = Take(MessageOf({Chain(kOne, "r1/a"), "no entry", Chain(kTwo, "r2/a")}));
  EXPECT_EQ(taken.status.code(), absl::StatusCode::kDataLoss) << taken.status;
  EXPECT_EQ(Received(kOne), Sequence(1));
  EXPECT_EQ(Received(kTwo), Sequence(0));
}

TEST_F(IntakeTest, AWatermarkFromTooFarAheadIsNotBelieved) {
  ASSERT_TRUE(Take(MessageOf({Chain(kOne, "r1/a")})).status.ok());
  const HybridTime before = core_->view()->Find(kOne)->watermark;
  PullResponse response;
  internal::v1::Watermark* mark = response.mutable_heartbeat()->add_watermarks();
  mark->set_origin(kOne.value());
  mark->set_sequence(1);
  mark->set_timestamp(FromWallTime(now_.wall + absl::Hours(1)).value());
  Take(response);
  EXPECT_EQ(core_->view()->Find(kOne)->watermark, before);
  mark->set_timestamp(FromWallTime(now_.wall + absl::Milliseconds(100)).value());
  Take(response);
  EXPECT_EQ(core_->view()->Find(kOne)->watermark, HybridTime(mark->timestamp()));
}

class PausedOriginsTest : public testing::Test {
 protected:
  PausedOriginsTest() {
    view_.self = kSelf;
    view_.origins.resize(1);
    view_.origins[0].origin = kOne;
    view_.origins[0].received = Sequence(4);
    view_.origins[0].replica = std::make_shared<const ReplicaName>("r1/a");
  }
  PullRequest Say(absl::Duration at) {
    PullRequest request;
    paused_.AddTo(request, view_, at);
    return request;
  }
  bool Refuse(const std::string& why) {
    auto news = paused_.OnRefused(kOne, absl::PermissionDeniedError(why));
    EXPECT_TRUE(news.ok()) << news.status();
    return news.ok() && *news;
  }

  ReplicaView view_;
  PausedOrigins paused_;
};

TEST_F(PausedOriginsTest, TheOriginIsHeldOnceAndAskedForAgainAfterAWhile) {
  EXPECT_TRUE(Refuse("first"));
  const PullRequest hold = Say(absl::ZeroDuration());
  ASSERT_EQ(hold.hold_size(), 1);
  EXPECT_EQ(hold.hold(0), kOne.value());
  EXPECT_EQ(hold.resume_size(), 0);
  EXPECT_EQ(Say(PausedOrigins::kRetryMin - absl::Milliseconds(1)).ByteSizeLong(), 0u);
  const PullRequest resume = Say(PausedOrigins::kRetryMin);
  ASSERT_EQ(resume.resume_size(), 1);
  EXPECT_EQ(resume.resume(0).origin(), kOne.value());
  EXPECT_EQ(resume.resume(0).sequence(), 4u);
  EXPECT_EQ(resume.hold_size(), 0);
  EXPECT_FALSE(paused_.empty());  // whether it goes on is not known yet
  view_.origins[0].received = Sequence(5);
  EXPECT_EQ(Say(PausedOrigins::kRetryMin).ByteSizeLong(), 0u);
  EXPECT_TRUE(paused_.empty());
}

TEST_F(PausedOriginsTest, TheFirstReasonIsTheOneThatIsTold) {
  EXPECT_TRUE(Refuse("may not hold it"));
  Say(absl::ZeroDuration());
  EXPECT_FALSE(Refuse("came after a gap"));
  EXPECT_EQ(paused_.Describe(view_),
            "origin 0000000000000002 of r1/a is not taken: may not hold it");
}

TEST_F(PausedOriginsTest, ThatIsRefusedAgainWaitsTwiceAsLong) {
  EXPECT_TRUE(Refuse("no"));
  Say(absl::ZeroDuration());
  EXPECT_EQ(Say(PausedOrigins::kRetryMin).resume_size(), 1);
  EXPECT_TRUE(Refuse("no, still"));
  EXPECT_EQ(Say(PausedOrigins::kRetryMin).hold_size(), 1);
  EXPECT_EQ(Say(PausedOrigins::kRetryMin * 2).ByteSizeLong(), 0u);
  EXPECT_EQ(Say(PausedOrigins::kRetryMin * 3).resume_size(), 1);
}

TEST_F(PausedOriginsTest, AnOriginThatAnotherLinkBroughtOnIsAskedForAtOnce) {
  EXPECT_TRUE(Refuse("no"));
  Say(absl::ZeroDuration());
  view_.origins[0].received = Sequence(9);
  const PullRequest resume = Say(absl::Milliseconds(1));
  ASSERT_EQ(resume.resume_size(), 1);
  EXPECT_EQ(resume.resume(0).sequence(), 9u);
  EXPECT_TRUE(paused_.empty());
}

TEST_F(PausedOriginsTest, APeerOfWhichEverythingIsRefusedIsNoPeer) {
  for (uint64_t i = 0; i < PausedOrigins::kMax; ++i) {
    ASSERT_TRUE(paused_.OnRefused(Origin(100 + i), absl::ResourceExhaustedError("full")).ok());
  }
  EXPECT_EQ(paused_.OnRefused(kOne, absl::ResourceExhaustedError("full")).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace homeport
