#include "gateway/server/requests.h"

#include "google/protobuf/arena.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using google::protobuf::Arena;

TEST(RequestsTest, APutBecomesAMutationOfOneChangeWithoutCopyingItsValue) {
  Arena arena;
  auto* put = Arena::CreateMessage<v1::PutRequest>(&arena);
  put->set_namespace_("orders");
  put->set_id("o-1");
  put->set_key("total");
  put->set_value(std::string(1000, 'v'));
  put->mutable_options()->set_request_id("r-1");
  put->mutable_ttl()->set_seconds(9);
  const char* const value = put->value().data();
  auto* request = Arena::CreateMessage<internal::v1::StoreRequest>(&arena);
  MoveToStoreRequest(put, request);

  const v1::MutateRequest& mutate = request->mutate();
  EXPECT_EQ(mutate.namespace_(), "orders");
  EXPECT_EQ(mutate.id(), "o-1");
  EXPECT_EQ(mutate.options().request_id(), "r-1");
  ASSERT_EQ(mutate.changes_size(), 1);
  EXPECT_EQ(mutate.changes(0).key(), "total");
  EXPECT_EQ(mutate.changes(0).put().data(), value);
  EXPECT_EQ(mutate.changes(0).ttl().seconds(), 9);
}

TEST(RequestsTest, AnEmptyPutIsStillAPut) {
  v1::PutRequest put;
  internal::v1::StoreRequest request;
  MoveToStoreRequest(&put, &request);
  EXPECT_TRUE(request.mutate().changes(0).has_put());
  EXPECT_FALSE(request.mutate().has_options());
  EXPECT_FALSE(request.mutate().changes(0).has_ttl());
}

TEST(RequestsTest, ADeleteBecomesAMutationOfOneChange) {
  v1::DeleteRequest erase;
  erase.set_namespace_("orders");
  erase.set_id("o-1");
  erase.set_key("total");
  erase.mutable_options()->set_local_only(true);
  internal::v1::StoreRequest request;
  MoveToStoreRequest(&erase, &request);
  EXPECT_EQ(request.mutate().id(), "o-1");
  EXPECT_TRUE(request.mutate().options().local_only());
  ASSERT_EQ(request.mutate().changes_size(), 1);
  EXPECT_EQ(request.mutate().changes(0).key(), "total");
  EXPECT_TRUE(request.mutate().changes(0).delete_());
}

TEST(RequestsTest, TheAnswerMovesBackWhole) {
  v1::MutateResponse mutate;
  mutate.mutable_version()->set_hybrid_time(7);
  mutate.set_session_token("token");
  mutate.mutable_provenance()->set_region("eu");
  v1::MutateResponse copy = mutate;
  v1::PutResponse put;
  MoveToResponse(&mutate, &put);
  v1::DeleteResponse erase;
  MoveToResponse(&copy, &erase);
  EXPECT_EQ(put.version().hybrid_time(), 7);
  EXPECT_EQ(put.session_token(), "token");
  EXPECT_EQ(put.provenance().region(), "eu");
  EXPECT_EQ(put.SerializeAsString(), erase.SerializeAsString());
}

}  // namespace
}  // namespace homeport
