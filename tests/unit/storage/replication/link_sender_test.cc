#include "storage/replication/link_sender.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/topology/topology.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/entry_codec.h"
#include "storage/model/keys.h"
#include "storage/replication/block_codec.h"
#include "tests/unit/storage/replication/core_fixture.h"

namespace homeport {
namespace {

using internal::v1::Entry;
using internal::v1::PullRequest;
using internal::v1::PullResponse;
using internal::v1::Skip;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The sender is r0/a; kOwn is its present start, kOther one of r3/a.
const ReplicaName kSelf("r0/a");
const Origin kOwn{1};
const Origin kOther{2};

// "all" is held everywhere, "some" in r0 and r1 only, `more` (if set) everywhere.
std::shared_ptr<const Topology> MakeTopology(const std::string& more = "") {
  std::map<std::string, std::vector<std::string>> namespaces = {{"all", {}},
                                                                {"some", {"r0", "r1"}}};
  if (!more.empty()) namespaces[more];
  return TopologyOf("prod", 4, namespaces);
}

// Bytes that do not compress, so that sizes on the link are those of the values.
std::string Noise(size_t size, uint64_t seed) {
  std::string bytes;
  for (uint64_t state = seed + 1; bytes.size() < size; state = state * 6364136223846793005u + 1) {
    bytes.push_back(static_cast<char>(state >> 56));
  }
  return bytes;
}

class LinkSenderTest : public testing::Test {
 protected:
  LinkSenderTest() {
    auto engine = MemoryEngine::Open(std::make_shared<MemoryDisk>());
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = std::move(*engine);
    view_.self = kOwn;
    view_.origins.resize(2);
    view_.origins[0].origin = kOwn;
    view_.origins[0].replica = std::make_shared<const ReplicaName>(kSelf);
    view_.origins[1].origin = kOther;
    view_.origins[1].replica = std::make_shared<const ReplicaName>("r3/a");
  }
  OriginView& ViewOf(Origin origin) { return view_.origins[origin == kOwn ? 0 : 1]; }
  void Received(Origin origin, uint64_t sequence) {
    ViewOf(origin).received = ViewOf(origin).applied = Sequence(sequence);
  }
  void Store(Origin origin, uint64_t at, LogRecord::Kind kind, const std::string& body) {
    WriteBatch batch;
    batch.Put(Table::kLog, LogKey(origin, Sequence(at)), MakeLogRecord(kind, body));
    ASSERT_TRUE(engine_->Write(batch, KvEngine::Durability::kSynced).ok());
    Received(origin, at);
  }
  // Appends an entry with a part for each of the namespaces.
  void Append(Origin origin, const std::vector<std::string>& namespaces, size_t bytes = 10) {
    Entry entry;
    entry.set_origin(origin.value());
    entry.set_sequence(ViewOf(origin).received.value() + 1);
    entry.set_timestamp(entry.sequence());
    for (const std::string& name_space : namespaces) {
      internal::v1::EntryPart part;
      part.mutable_change_class()->set_namespace_(name_space);
      part.mutable_change_class()->set_kind(internal::v1::CLASS_KIND_GENERAL);
      part.set_record_id("id");
      part.add_changes()->set_value(Noise(bytes, entry.sequence()));
      AddPart(part, entry);
    }
    Store(origin, entry.sequence(), LogRecord::Kind::kEntry, entry.SerializeAsString());
  }
  // Plants a note that entries of the namespace were left out here.
  void AppendSkip(Origin origin, uint64_t count, const std::string& name_space) {
    Skip skip;
    skip.set_origin(origin.value());
    skip.set_first(ViewOf(origin).received.value() + 1);
    skip.set_last(ViewOf(origin).received.value() + count);
    skip.add_classes()->set_namespace_(name_space);
    skip.mutable_classes(0)->set_kind(internal::v1::CLASS_KIND_GENERAL);
    Store(origin, skip.last(), LogRecord::Kind::kSkip, skip.SerializeAsString());
  }
  internal::v1::Hello HelloOf(const std::string& peer) {
    internal::v1::Hello hello;
    hello.set_cluster("prod");
    hello.set_replica(peer);
    hello.set_topology_fingerprint(topology_->fingerprint());
    return hello;
  }
  void Connect(const std::string& peer, uint64_t credit = 1 << 30) {
    sender_ = std::make_unique<LinkSender>(options_, engine_.get());
    ASSERT_FALSE(sender_->OnHello(HelloOf(peer), topology_, view_).has_value());
    Grant(credit);
  }
  void Grant(uint64_t bytes) {
    PullRequest request;
    request.set_credit_bytes(bytes);
    sender_->OnRequest(request, view_);
  }
  void AskForRelay(Origin origin, uint64_t after) {
    PullRequest request;
    request.mutable_relay()->add_after()->set_origin(origin.value());
    request.mutable_relay()->mutable_after(0)->set_sequence(after);
    sender_->OnRequest(request, view_);
  }
  // The next message; empty if there is none.
  PullResponse Next() {
    auto next = sender_->Next(view_);
    EXPECT_TRUE(next.ok()) << next.status();
    if (!next.ok() || !next->has_value()) return {};
    return **next;
  }
  static std::vector<Entry> EntriesOf(const PullResponse& response) {
    std::vector<Entry> entries;
    auto block = UnpackBlock(response.batch());
    EXPECT_TRUE(block.ok()) << block.status();
    for (const std::string& bytes : block->entries()) {
      auto entry = ParseEntry(bytes);
      EXPECT_TRUE(entry.ok()) << entry.status();
      entries.push_back(*entry);
    }
    return entries;
  }
  static std::vector<uint64_t> SequencesOf(const PullResponse& response) {
    std::vector<uint64_t> sequences;
    for (const Entry& entry : EntriesOf(response)) sequences.push_back(entry.sequence());
    return sequences;
  }
  std::vector<uint64_t> NextSequences() { return SequencesOf(Next()); }

  std::unique_ptr<KvEngine> engine_;
  std::shared_ptr<const Topology> topology_ = MakeTopology();
  LinkSender::Options options_{"prod", kSelf, /*batch_bytes=*/1000, /*skips_max=*/3};
  ReplicaView view_;
  std::unique_ptr<LinkSender> sender_;
};

TEST_F(LinkSenderTest, WhoMayNotPullIsRefusedAndToldWhy) {
  LinkSender sender(options_, engine_.get());
  internal::v1::Hello stranger = HelloOf("r1/a");
  stranger.set_cluster("staging");
  auto refusal = sender.OnHello(stranger, topology_, view_);
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->refusal(), internal::v1::LINK_REFUSAL_OTHER_CLUSTER);
  EXPECT_TRUE(absl::StrContains(refusal->refusal_detail(), "staging"));
  for (const char* peer : {"r9/a", "r1/b", "r0/a", ""}) {
    refusal = sender.OnHello(HelloOf(peer), topology_, view_);
    ASSERT_TRUE(refusal.has_value()) << peer;
    EXPECT_EQ(refusal->refusal(), internal::v1::LINK_REFUSAL_NOT_A_MEMBER);
    EXPECT_TRUE(absl::StrContains(refusal->refusal_detail(), peer));
  }
}

TEST_F(LinkSenderTest, NothingIsSentBeforeAHelloAndNothingWithoutCredit) {
  Append(kOwn, {"all"});
  LinkSender silent(options_, engine_.get());
  auto next = silent.Next(view_);
  ASSERT_TRUE(next.ok());
  EXPECT_FALSE(next->has_value());
  Connect("r1/a", /*credit=*/0);
  EXPECT_THAT(NextSequences(), IsEmpty());
  Grant(1);
  EXPECT_THAT(NextSequences(), ElementsAre(1));
}

TEST_F(LinkSenderTest, ABatchOverTheCreditLeavesADebtThatNewCreditPaysFirst) {
  for (int i = 0; i < 3; ++i) Append(kOwn, {"all"}, 990);
  Connect("r1/a", /*credit=*/1);
  const PullResponse first = Next();
  EXPECT_THAT(SequencesOf(first), ElementsAre(1));
  const uint64_t debt = first.batch().block().size() - 1;
  Grant(debt);
  EXPECT_THAT(NextSequences(), IsEmpty());
  Grant(1);
  EXPECT_THAT(NextSequences(), ElementsAre(2));
  EXPECT_THAT(NextSequences(), IsEmpty());
}

TEST_F(LinkSenderTest, GrantsWithoutEndDoNotOverflow) {
  Append(kOwn, {"all"});
  Connect("r1/a", ~uint64_t{0});
  for (int i = 0; i < 10; ++i) Grant(~uint64_t{0});
  EXPECT_THAT(NextSequences(), ElementsAre(1));
}

TEST_F(LinkSenderTest, ABatchIsClosedAtItsBytes) {
  for (int i = 0; i < 7; ++i) Append(kOwn, {"all"}, 250);
  Connect("r1/a");
  EXPECT_THAT(NextSequences(), ElementsAre(1, 2, 3));
  EXPECT_THAT(NextSequences(), ElementsAre(4, 5, 6));
  EXPECT_THAT(NextSequences(), ElementsAre(7));
  EXPECT_THAT(NextSequences(), IsEmpty());
}

TEST_F(LinkSenderTest, AnEntryLargerThanABatchGoesAlone) {
  Append(kOwn, {"all"}, 100);
  Append(kOwn, {"all"}, 5000);
  Append(kOwn, {"all"}, 100);
  Connect("r1/a");
  EXPECT_THAT(NextSequences(), ElementsAre(1));
  EXPECT_THAT(NextSequences(), ElementsAre(2));
  EXPECT_THAT(NextSequences(), ElementsAre(3));
}

TEST_F(LinkSenderTest, NothingBeyondWhatTheViewHasReceivedIsSent) {
  for (int i = 0; i < 4; ++i) Append(kOwn, {"all"});
  Received(kOwn, 2);
  Connect("r1/a");
  EXPECT_THAT(NextSequences(), ElementsAre(1, 2));
  EXPECT_THAT(NextSequences(), IsEmpty());
  Received(kOwn, 4);
  EXPECT_THAT(NextSequences(), ElementsAre(3, 4));
}

TEST_F(LinkSenderTest, APeerThatComesAgainIsSentFromWhereItSaysItIs) {
  for (int i = 0; i < 4; ++i) Append(kOwn, {"all"});
  Connect("r1/a");
  EXPECT_THAT(NextSequences(), ElementsAre(1, 2, 3, 4));
  internal::v1::Hello hello = HelloOf("r1/a");
  hello.add_origins()->set_origin(kOwn.value());
  hello.mutable_origins(0)->set_received(2);
  sender_ = std::make_unique<LinkSender>(options_, engine_.get());
  ASSERT_FALSE(sender_->OnHello(hello, topology_, view_).has_value());
  Grant(1000);
  EXPECT_THAT(NextSequences(), ElementsAre(3, 4));
  EXPECT_EQ(sender_->PeerReceived(kOwn), Sequence(2));
}

TEST_F(LinkSenderTest, AGapInTheLogIsAnErrorAndNotPassedOver) {
  for (int i = 0; i < 4; ++i) Append(kOwn, {"all"});
  WriteBatch batch;
  batch.Delete(Table::kLog, LogKey(kOwn, Sequence(3)));
  ASSERT_TRUE(engine_->Write(batch, KvEngine::Durability::kSynced).ok());
  Connect("r1/a");
  auto next = sender_->Next(view_);
  EXPECT_EQ(next.status().code(), absl::StatusCode::kDataLoss) << next.status();
  EXPECT_TRUE(absl::StrContains(next.status().message(), "entry 3")) << next.status();
}

TEST_F(LinkSenderTest, ALogThatEndsEarlyIsAnError) {
  for (int i = 0; i < 2; ++i) Append(kOwn, {"all"});
  Append(kOther, {"all"});  // the next origin's entries are no continuation
  Received(kOwn, 5);
  Connect("r1/a");
  EXPECT_EQ(sender_->Next(view_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(LinkSenderTest, ADamagedRecordIsAnErrorAndIsNotSent) {
  Append(kOwn, {"all"});
  WriteBatch batch;
  batch.Put(Table::kLog, LogKey(kOwn, Sequence(1)), "E\1\2\3\4 damaged");
  ASSERT_TRUE(engine_->Write(batch, KvEngine::Durability::kSynced).ok());
  Connect("r1/a");
  EXPECT_EQ(sender_->Next(view_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(LinkSenderTest, WhatThePeerMayNotHoldIsLeftOutAndSaid) {
  Append(kOwn, {"all"});
  Append(kOwn, {"some"});
  Append(kOwn, {"some"});
  Append(kOwn, {"all"});
  Connect("r2/a");
  const PullResponse first = Next();
  EXPECT_THAT(SequencesOf(first), ElementsAre(1));
  ASSERT_EQ(first.skips_size(), 1);
  EXPECT_EQ(first.skips(0).first(), 2u);
  EXPECT_EQ(first.skips(0).last(), 3u);
  ASSERT_EQ(first.skips(0).classes_size(), 1);
  EXPECT_EQ(first.skips(0).classes(0).namespace_(), "some");
  // An entry after a skip begins a new message, because skips stand last in one.
  EXPECT_THAT(NextSequences(), ElementsAre(4));
}

TEST_F(LinkSenderTest, AMessageLeavesOutOnlySoMuch) {
  for (int i = 0; i < 5; ++i) Append(kOwn, {"some"});
  Connect("r2/a");
  EXPECT_EQ(Next().skips(0).last(), 3u);
  EXPECT_EQ(Next().skips(0).last(), 5u);
}

TEST_F(LinkSenderTest, OnlyThePartsThatThePeerMayHoldOfAnEntryAreSent) {
  Append(kOwn, {"some", "all"});
  Connect("r2/a");
  const std::vector<Entry> entries = EntriesOf(Next());
  ASSERT_EQ(entries.size(), 1u);
  ASSERT_EQ(entries[0].parts_size(), 1);
  EXPECT_EQ(ParsePart(entries[0], 0)->change_class().namespace_(), "all");
  ASSERT_EQ(entries[0].withheld_size(), 1);
  EXPECT_EQ(entries[0].withheld(0).namespace_(), "some");
}

TEST_F(LinkSenderTest, WhileTopologiesDifferNothingIsLeftOutForGood) {
  Append(kOwn, {"all"});
  Append(kOwn, {"some"});
  sender_ = std::make_unique<LinkSender>(options_, engine_.get());
  internal::v1::Hello hello = HelloOf("r2/a");
  hello.set_topology_fingerprint("another");
  ASSERT_FALSE(sender_->OnHello(hello, topology_, view_).has_value());
  Grant(1000);
  const PullResponse response = Next();
  EXPECT_THAT(SequencesOf(response), ElementsAre(1));
  EXPECT_THAT(response.skips(), IsEmpty());
  ASSERT_EQ(response.not_from_me_size(), 1);
  EXPECT_EQ(response.not_from_me(0).origin(), kOwn.value());
  EXPECT_EQ(response.not_from_me(0).sequence(), 1u);
  EXPECT_THAT(Next().not_from_me(), IsEmpty());  // said once
}

TEST_F(LinkSenderTest, ANamespaceThatTheTopologyDoesNotKnowIsNotSentUntilItDoes) {
  Append(kOwn, {"new"});
  topology_ = MakeTopology();
  Connect("r2/a");
  EXPECT_EQ(Next().not_from_me_size(), 1);
  topology_ = MakeTopology("new");
  sender_->OnTopology(topology_);
  EXPECT_THAT(NextSequences(), ElementsAre(1));
}

TEST_F(LinkSenderTest, AnotherReplicasEntriesAreSentOnlyToWhoAsksAndFromThere) {
  for (int i = 0; i < 3; ++i) Append(kOther, {"all"});
  Connect("r1/a");
  EXPECT_THAT(NextSequences(), IsEmpty());
  AskForRelay(kOther, 1);
  const std::vector<Entry> entries = EntriesOf(Next());
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].origin(), kOther.value());
  EXPECT_EQ(entries[0].sequence(), 2u);
  Append(kOther, {"all"});
  sender_->OnRequest(
      [] {
        PullRequest request;
        request.mutable_relay();
        return request;
      }(),
      view_);
  EXPECT_THAT(NextSequences(), IsEmpty());
}

TEST_F(LinkSenderTest, ARelayPassesASkipOnlyToWhoseOwnPolicySaysSo) {
  AppendSkip(kOther, 2, "some");
  Append(kOther, {"all"});
  // r1 holds everything: what this side lacks, it must get elsewhere.
  Connect("r1/a");
  AskForRelay(kOther, 0);
  PullResponse response = Next();
  EXPECT_FALSE(response.has_batch());
  EXPECT_THAT(response.skips(), IsEmpty());
  ASSERT_EQ(response.not_from_me_size(), 1);
  EXPECT_EQ(response.not_from_me(0).origin(), kOther.value());
  EXPECT_EQ(response.not_from_me(0).sequence(), 0u);
  EXPECT_THAT(NextSequences(), IsEmpty());
  // r2 may not hold "some" either.
  Connect("r2/a");
  AskForRelay(kOther, 0);
  response = Next();
  EXPECT_THAT(response.not_from_me(), IsEmpty());
  ASSERT_EQ(response.skips_size(), 1);
  EXPECT_EQ(response.skips(0).first(), 1u);
  EXPECT_EQ(response.skips(0).last(), 2u);
  EXPECT_THAT(NextSequences(), ElementsAre(3));
}

TEST_F(LinkSenderTest, ToWhoTakesGapsARelayNamesWhatItWasNotGivenAndGoesOnBehindIt) {
  AppendSkip(kOther, 2, "some");
  Append(kOther, {"all"});
  AppendSkip(kOther, 1, "some");
  Append(kOther, {"all"});
  internal::v1::Hello hello = HelloOf("r1/a");
  hello.set_takes_gaps(true);
  sender_ = std::make_unique<LinkSender>(options_, engine_.get());
  ASSERT_FALSE(sender_->OnHello(hello, topology_, view_).has_value());
  Grant(1000);
  AskForRelay(kOther, 0);
  const PullResponse response = Next();
  EXPECT_THAT(response.skips(), IsEmpty());
  EXPECT_THAT(response.not_from_me(), IsEmpty());
  ASSERT_EQ(response.gaps_size(), 2);
  EXPECT_EQ(response.gaps(0).origin(), kOther.value());
  EXPECT_EQ(response.gaps(0).first(), 1u);
  EXPECT_EQ(response.gaps(0).last(), 2u);
  ASSERT_EQ(response.gaps(0).classes_size(), 1);
  EXPECT_EQ(response.gaps(0).classes(0).namespace_(), "some");
  EXPECT_EQ(response.gaps(1).first(), 4u);
  EXPECT_THAT(SequencesOf(response), ElementsAre(3, 5));
  EXPECT_THAT(NextSequences(), IsEmpty());
}

TEST_F(LinkSenderTest, WhileTopologiesDifferWhatTheReceiverMayNotHoldIsOwed) {
  Append(kOwn, {"all"});
  Append(kOwn, {"some"});
  Append(kOwn, {"new"});
  Append(kOwn, {"all"});
  internal::v1::Hello hello = HelloOf("r2/a");
  hello.set_topology_fingerprint("another");
  hello.set_takes_owed(true);
  sender_ = std::make_unique<LinkSender>(options_, engine_.get());
  ASSERT_FALSE(sender_->OnHello(hello, topology_, view_).has_value());
  Grant(1000);
  PullResponse response = Next();
  EXPECT_TRUE(response.topologies_differ());
  EXPECT_THAT(response.not_from_me(), IsEmpty());
  EXPECT_THAT(SequencesOf(response), ElementsAre(1));
  ASSERT_EQ(response.skips_size(), 1);
  EXPECT_EQ(response.skips(0).first(), 2u);
  EXPECT_EQ(response.skips(0).last(), 3u);
  EXPECT_EQ(response.skips(0).classes_size(), 2);
  EXPECT_THAT(NextSequences(), ElementsAre(4));
}

TEST_F(LinkSenderTest, ARelayOwesNothing) {
  Append(kOther, {"some"});
  internal::v1::Hello hello = HelloOf("r2/a");
  hello.set_topology_fingerprint("another");
  hello.set_takes_owed(true);
  hello.set_takes_gaps(true);
  sender_ = std::make_unique<LinkSender>(options_, engine_.get());
  ASSERT_FALSE(sender_->OnHello(hello, topology_, view_).has_value());
  Grant(1000);
  AskForRelay(kOther, 0);
  const PullResponse response = Next();
  EXPECT_THAT(response.skips(), IsEmpty());
  EXPECT_EQ(response.not_from_me_size(), 1);
}

TEST_F(LinkSenderTest, APeerInTheMiddleOfASkipIsToldItsRestOnly) {
  AppendSkip(kOther, 5, "some");
  Connect("r2/a");
  AskForRelay(kOther, 3);
  const PullResponse response = Next();
  ASSERT_EQ(response.skips_size(), 1);
  EXPECT_EQ(response.skips(0).first(), 4u);
  EXPECT_EQ(response.skips(0).last(), 5u);
}

TEST_F(LinkSenderTest, AHeartbeatReportsOnlyWhatMoved) {
  Append(kOwn, {"all"});
  Append(kOther, {"all"});
  Connect("r1/a");
  internal::v1::Watermark own;
  own.set_origin(kOwn.value());
  own.set_sequence(1);
  own.set_timestamp(77);
  const absl::Time wall = absl::FromUnixSeconds(1'700'000'000);
  PullResponse beat = sender_->MakeHeartbeat(view_, own, wall);
  EXPECT_EQ(beat.heartbeat().origins_size(), 2);
  ASSERT_EQ(beat.heartbeat().watermarks_size(), 2);
  EXPECT_EQ(beat.heartbeat().watermarks(0).timestamp(), 77u);
  EXPECT_EQ(beat.heartbeat().wall_micros(), 1'700'000'000'000'000u);
  Append(kOther, {"all"});
  ViewOf(kOther).applied = Sequence(1);
  beat = sender_->MakeHeartbeat(view_, own, wall);
  ASSERT_EQ(beat.heartbeat().origins_size(), 1);
  EXPECT_EQ(beat.heartbeat().origins(0).origin(), kOther.value());
  EXPECT_EQ(beat.heartbeat().origins(0).received(), 2u);
  EXPECT_EQ(beat.heartbeat().origins(0).applied(), 1u);
  // What is received and not applied may hold back time, so its watermark is not passed on.
  EXPECT_EQ(beat.heartbeat().watermarks_size(), 1);
}

TEST_F(LinkSenderTest, AnOriginThatIsHeldStaysUntilItIsAskedForAgainAndOthersGoOn) {
  Append(kOwn, {"all"});
  Append(kOther, {"all"});
  Append(kOther, {"all"});
  Connect("r1/a");
  AskForRelay(kOther, 0);
  PullRequest hold;
  hold.add_hold(kOther.value());
  hold.add_hold(77);  // which nobody knows
  sender_->OnRequest(hold, view_);
  EXPECT_THAT(NextSequences(), ElementsAre(1));
  Append(kOwn, {"all"});
  EXPECT_THAT(NextSequences(), ElementsAre(2));
  PullRequest resume;
  resume.add_resume()->set_origin(kOther.value());
  resume.mutable_resume(0)->set_sequence(1);
  sender_->OnRequest(resume, view_);
  EXPECT_THAT(NextSequences(), ElementsAre(2));
}

TEST_F(LinkSenderTest, WhatWasSentBeforeIsSentAgainWhenItIsAskedFor) {
  for (int i = 0; i < 3; ++i) Append(kOwn, {"all"});
  Connect("r1/a");
  EXPECT_THAT(NextSequences(), ElementsAre(1, 2, 3));
  PullRequest resume;
  resume.add_resume()->set_origin(kOwn.value());
  resume.mutable_resume(0)->set_sequence(1);
  sender_->OnRequest(resume, view_);
  EXPECT_THAT(NextSequences(), ElementsAre(2, 3));
}

TEST_F(LinkSenderTest, AStandbyGetsHeartbeatsAndNoEntriesUntilItPulls) {
  Append(kOwn, {"all"});
  Connect("r1/a");
  PullRequest standby;
  standby.set_standby(true);
  sender_->OnRequest(standby, view_);
  EXPECT_THAT(NextSequences(), IsEmpty());
  EXPECT_EQ(sender_->MakeHeartbeat(view_, {}, absl::UnixEpoch()).heartbeat().origins_size(), 1);
  Grant(1);  // says nothing of standing by
  EXPECT_THAT(NextSequences(), IsEmpty());
  standby.set_standby(false);
  sender_->OnRequest(standby, view_);
  EXPECT_THAT(NextSequences(), ElementsAre(1));
}

TEST_F(LinkSenderTest, AStandbyThatPullsGetsOnlyWhatItDidNotGetElsewhereMeanwhile) {
  for (int i = 0; i < 3; ++i) Append(kOwn, {"all"});
  Connect("r1/a");
  PullRequest standby;
  standby.set_standby(true);
  sender_->OnRequest(standby, view_);
  standby.set_standby(false);
  internal::v1::OriginReport* report = standby.add_acknowledged();
  report->set_origin(kOwn.value());
  report->set_received(2);
  sender_->OnRequest(standby, view_);
  EXPECT_THAT(NextSequences(), ElementsAre(3));
}

}  // namespace
}  // namespace homeport
