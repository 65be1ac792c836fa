#include "storage/replication/item_types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "homeport/internal/v1/stored.pb.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<const Topology> WithType(internal::v1::ItemType type) {
  internal::v1::Topology proto;
  proto.set_cluster("test");
  internal::v1::Region* region = proto.add_regions();
  region->set_name("r0");
  region->set_country("DE");
  region->set_latitude(1);
  region->set_longitude(1);
  region->add_gateways("127.0.0.1:1000");
  region->add_replicas()->set_name("a");
  region->mutable_replicas(0)->set_address("127.0.0.1:2000");
  proto.add_namespaces()->set_name("n");
  proto.mutable_namespaces(0)->set_item_type(type);
  return *Topology::Create(proto);
}

TEST(CheckItemTypesTest, TheTypeOfANamespaceWithDataCanNotChange) {
  internal::v1::ItemChange put, add, set;
  put.set_value("v");
  add.mutable_share()->set_total(1);
  set.add_elements()->set_element("e");
  set.mutable_elements(0)->add_added();
  using internal::v1::ItemType;
  const std::vector<std::pair<ItemType, const internal::v1::ItemChange*>> types = {
      {internal::v1::ITEM_TYPE_REGISTER, &put},
      {internal::v1::ITEM_TYPE_COUNTER, &add},
      {internal::v1::ITEM_TYPE_SET, &set}};
  const Stamp stamp{{HybridTime(10), Origin(1)}, Sequence(1)};
  for (const auto& [stored, change] : types) {
    auto engine = *MemoryEngine::Open(std::make_shared<MemoryDisk>());
    WriteBatch batch;
    batch.Put(Table::kItems, ItemKey("n", "deleted", ""),
              ItemOf(internal::v1::ItemChange(), stamp).SerializeAsString());
    ASSERT_TRUE(engine->Write(batch, KvEngine::Durability::kSynced).ok());
    for (const auto& [type, ignored] : types) {
      EXPECT_TRUE(CheckItemTypes(engine.get(), *WithType(type)).ok()) << "of an empty namespace";
    }
    batch.Put(Table::kItems, ItemKey("n", "there", ""), ItemOf(*change, stamp).SerializeAsString());
    ASSERT_TRUE(engine->Write(batch, KvEngine::Durability::kSynced).ok());
    for (const auto& [type, ignored] : types) {
      const absl::Status status = CheckItemTypes(engine.get(), *WithType(type));
      if (type == stored) {
        EXPECT_TRUE(status.ok()) << status;
        continue;
      }
      EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("namespace 'n' has the item_type"));
    }
  }
}

}  // namespace
}  // namespace homeport
