#include "common/store/validate.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "common/store/utf8.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using internal::v1::StoreRequest;

StoreRequest Get() {
  StoreRequest request;
  v1::GetRequest* get = request.mutable_get();
  get->set_namespace_("orders");
  get->set_id("o-1");
  get->set_key("total");
  return request;
}

StoreRequest BatchGet(int names) {
  StoreRequest request;
  v1::BatchGetRequest* batch = request.mutable_batch_get();
  batch->set_namespace_("orders");
  for (int i = 0; i < names; ++i) batch->add_names()->set_id(absl::StrCat("o-", i));
  return request;
}

StoreRequest Mutate(int changes) {
  StoreRequest request;
  v1::MutateRequest* mutate = request.mutable_mutate();
  mutate->set_namespace_("orders");
  mutate->set_id("o-1");
  for (int i = 0; i < changes; ++i) {
    v1::Change* change = mutate->add_changes();
    change->set_key(absl::StrCat("k", i));
    change->set_put("v");
  }
  return request;
}

StoreRequest ListItems() {
  StoreRequest request;
  request.mutable_list_items()->set_namespace_("orders");
  request.mutable_list_items()->set_id("o-1");
  return request;
}

StoreRequest ListRecords() {
  StoreRequest request;
  request.mutable_list_records()->set_namespace_("orders");
  return request;
}

std::string Bytes(size_t count) { return std::string(count, 'x'); }

void ExpectError(const absl::Status& status, absl::string_view reason, absl::string_view field) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(ReasonOf(status), reason) << status;
  EXPECT_EQ(ErrorMetadataOf(status, "field").value_or(""), field) << status;
}

void ExpectLimit(const absl::Status& status, absl::string_view field, uint64_t limit,
                 uint64_t actual) {
  ExpectError(status, reason::kLimitExceeded, field);
  EXPECT_EQ(ErrorMetadataOf(status, "limit").value_or(""), absl::StrCat(limit));
  EXPECT_EQ(ErrorMetadataOf(status, "actual").value_or(""), absl::StrCat(actual));
}

TEST(ValidateTest, PlainRequestsAreSound) {
  EXPECT_TRUE(ValidateRequest(Get()).ok());
  EXPECT_TRUE(ValidateRequest(BatchGet(1)).ok());
  EXPECT_TRUE(ValidateRequest(Mutate(1)).ok());
  EXPECT_TRUE(ValidateRequest(ListItems()).ok());
  EXPECT_TRUE(ValidateRequest(ListRecords()).ok());
}

TEST(ValidateTest, ARequestWithoutOperationIsRefused) {
  ExpectError(ValidateRequest(StoreRequest()), reason::kFieldInvalid, "operation");
}

TEST(ValidateTest, TheNamespaceIsNamedInEveryOperation) {
  for (StoreRequest request : {Get(), BatchGet(1), Mutate(1), ListItems(), ListRecords()}) {
    const auto set = [&request](const std::string& name) {
      switch (request.operation_case()) {
        case StoreRequest::kGet:
          request.mutable_get()->set_namespace_(name);
          break;
        case StoreRequest::kBatchGet:
          request.mutable_batch_get()->set_namespace_(name);
          break;
        case StoreRequest::kMutate:
          request.mutable_mutate()->set_namespace_(name);
          break;
        case StoreRequest::kListItems:
          request.mutable_list_items()->set_namespace_(name);
          break;
        default:
          request.mutable_list_records()->set_namespace_(name);
          break;
      }
    };
    set("");
    ExpectError(ValidateRequest(request), reason::kFieldInvalid, "namespace");
    set(Bytes(63));
    EXPECT_TRUE(ValidateRequest(request).ok());
    set(Bytes(64));
    ExpectLimit(ValidateRequest(request), "namespace", 63, 64);
    set("\xff");
    ExpectError(ValidateRequest(request), reason::kFieldInvalid, "namespace");
  }
}

TEST(ValidateTest, IdsHave512BytesAndAreNotEmpty) {
  const struct {
    StoreRequest request;
    std::function<void(StoreRequest&, std::string)> set;
    std::string field;
  } cases[] = {
      {Get(), [](auto& r, auto id) { r.mutable_get()->set_id(id); }, "id"},
      {BatchGet(3), [](auto& r, auto id) { r.mutable_batch_get()->mutable_names(2)->set_id(id); },
       "names[2].id"},
      {Mutate(1), [](auto& r, auto id) { r.mutable_mutate()->set_id(id); }, "id"},
      {ListItems(), [](auto& r, auto id) { r.mutable_list_items()->set_id(id); }, "id"},
  };
  for (const auto& c : cases) {
    StoreRequest request = c.request;
    c.set(request, Bytes(512));
    EXPECT_TRUE(ValidateRequest(request).ok());
    c.set(request, Bytes(513));
    ExpectLimit(ValidateRequest(request), c.field, 512, 513);
    c.set(request, "");
    ExpectError(ValidateRequest(request), reason::kFieldInvalid, c.field);
    c.set(request, "a\xc3");
    ExpectError(ValidateRequest(request), reason::kFieldInvalid, c.field);
  }
}

TEST(ValidateTest, KeysHaveOneKibibyteAndMayBeEmpty) {
  const struct {
    StoreRequest request;
    std::function<void(StoreRequest&, std::string)> set;
    std::string field;
  } cases[] = {
      {Get(), [](auto& r, auto key) { r.mutable_get()->set_key(key); }, "key"},
      {BatchGet(2),
       [](auto& r, auto key) { r.mutable_batch_get()->mutable_names(1)->set_key(key); },
       "names[1].key"},
      {Mutate(2), [](auto& r, auto key) { r.mutable_mutate()->mutable_changes(1)->set_key(key); },
       "changes[1].key"},
      {ListItems(), [](auto& r, auto key) { r.mutable_list_items()->set_prefix(key); }, "prefix"},
      {ListItems(), [](auto& r, auto key) { r.mutable_list_items()->set_start_key(key); },
       "start_key"},
      {ListItems(), [](auto& r, auto key) { r.mutable_list_items()->set_end_key(key); }, "end_key"},
  };
  for (const auto& c : cases) {
    StoreRequest request = c.request;
    c.set(request, "");
    EXPECT_TRUE(ValidateRequest(request).ok());
    c.set(request, Bytes(1024));
    EXPECT_TRUE(ValidateRequest(request).ok());
    c.set(request, Bytes(1025));
    ExpectLimit(ValidateRequest(request), c.field, 1024, 1025);
    c.set(request, "\xed\xa0\x80");
    ExpectError(ValidateRequest(request), reason::kFieldInvalid, c.field);
  }
}

TEST(ValidateTest, ARecordPrefixIsBoundedLikeAnId) {
  StoreRequest request = ListRecords();
  request.mutable_list_records()->set_prefix(Bytes(512));
  EXPECT_TRUE(ValidateRequest(request).ok());
  request.mutable_list_records()->set_prefix(Bytes(513));
  ExpectLimit(ValidateRequest(request), "prefix", 512, 513);
}

TEST(ValidateTest, ValuesHaveOneMebibyte) {
  StoreRequest request = Mutate(2);
  request.mutable_mutate()->mutable_changes(1)->set_put(Bytes(1 << 20));
  EXPECT_TRUE(ValidateRequest(request).ok());
  request.mutable_mutate()->mutable_changes(1)->set_put(Bytes((1 << 20) + 1));
  ExpectLimit(ValidateRequest(request), "changes[1].put", 1 << 20, (1 << 20) + 1);
}

TEST(ValidateTest, AMutationHas1000Changes) {
  EXPECT_TRUE(ValidateRequest(Mutate(1000)).ok());
  ExpectLimit(ValidateRequest(Mutate(1001)), "changes", 1000, 1001);
  ExpectError(ValidateRequest(Mutate(0)), reason::kFieldInvalid, "changes");
}

TEST(ValidateTest, AMutationHasFourMebibytesOfKeysAndValues) {
  StoreRequest request = Mutate(5);
  v1::MutateRequest* mutate = request.mutable_mutate();
  for (int i = 0; i < 4; ++i) mutate->mutable_changes(i)->set_put(Bytes((1 << 20) - 2));
  // Five keys of two bytes; the four large values lack two bytes each.
  mutate->mutable_changes(4)->clear_action();
  mutate->mutable_changes(4)->set_delete_(true);
  mutate->mutable_changes(4)->set_key("");
  EXPECT_TRUE(ValidateRequest(request).ok());
  mutate->mutable_changes(4)->set_key("x");
  ExpectLimit(ValidateRequest(request), "changes", 4 << 20, (4 << 20) + 1);
}

TEST(ValidateTest, AKeyMayOccurOnceInAMutation) {
  for (int changes : {2, 8, 9, 1000}) {
    StoreRequest request = Mutate(changes);
    request.mutable_mutate()->mutable_changes(changes - 1)->set_key("k0");
    ExpectError(ValidateRequest(request), reason::kFieldInvalid,
                absl::StrCat("changes[", changes - 1, "].key"));
  }
}

TEST(ValidateTest, AChangeMustSayWhatToDo) {
  StoreRequest request = Mutate(1);
  request.mutable_mutate()->mutable_changes(0)->clear_action();
  ExpectError(ValidateRequest(request), reason::kFieldInvalid, "changes[0].action");
  request.mutable_mutate()->mutable_changes(0)->set_delete_(false);
  ExpectError(ValidateRequest(request), reason::kFieldInvalid, "changes[0].delete");
  request.mutable_mutate()->mutable_changes(0)->set_delete_(true);
  EXPECT_TRUE(ValidateRequest(request).ok());
}

TEST(ValidateTest, ErrorsOfAPutNameThePutsFields) {
  StoreRequest request = Mutate(1);
  request.mutable_mutate()->mutable_changes(0)->set_put(Bytes((1 << 20) + 1));
  ExpectLimit(ValidateRequest(request, MutationForm::kPut), "value", 1 << 20, (1 << 20) + 1);
  request.mutable_mutate()->mutable_changes(0)->set_key(Bytes(1025));
  ExpectLimit(ValidateRequest(request, MutationForm::kPut), "key", 1024, 1025);
  ExpectLimit(ValidateRequest(request, MutationForm::kDelete), "key", 1024, 1025);
}

v1::SetChange* SetOf(StoreRequest& request) {
  return request.mutable_mutate()->mutable_changes(0)->mutable_set();
}

TEST(ValidateTest, ASetsElementHasOneKibibyte) {
  StoreRequest request = Mutate(1);
  SetOf(request)->add_add(Bytes(1024));
  SetOf(request)->add_remove(Bytes(1023));
  EXPECT_TRUE(ValidateRequest(request).ok());
  SetOf(request)->add_add(Bytes(1025));
  ExpectLimit(ValidateRequest(request), "changes[0].set.add[1]", 1024, 1025);
  SetOf(request)->mutable_add()->RemoveLast();
  SetOf(request)->add_remove(Bytes(1025));
  ExpectLimit(ValidateRequest(request), "changes[0].set.remove[1]", 1024, 1025);
}

TEST(ValidateTest, AChangeOfASetHas1000ElementsAndNoneTwice) {
  StoreRequest request = Mutate(1);
  ExpectError(
      [&] {
        SetOf(request);
        return ValidateRequest(request);
      }(),
      reason::kFieldInvalid, "changes[0].set");
  for (int i = 0; i < 600; ++i) SetOf(request)->add_add(absl::StrCat("a", i));
  for (int i = 0; i < 400; ++i) SetOf(request)->add_remove(absl::StrCat("r", i));
  EXPECT_TRUE(ValidateRequest(request).ok());
  SetOf(request)->add_remove("one more");
  ExpectLimit(ValidateRequest(request), "changes[0].set", 1000, 1001);
  SetOf(request)->mutable_remove()->RemoveLast();
  SetOf(request)->set_remove(399, "a7");
  ExpectError(ValidateRequest(request), reason::kFieldInvalid, "changes[0].set.remove[399]");
}

TEST(ValidateTest, ElementsCountAsBytesOfTheMutation) {
  StoreRequest request = Mutate(5);
  v1::MutateRequest* mutate = request.mutable_mutate();
  // Five keys of two bytes, and elements for the rest of 4 MiB.
  size_t left = (4 << 20) - 10;
  for (int i = 0; i < 5; ++i) {
    v1::SetChange* set = mutate->mutable_changes(i)->mutable_set();
    for (int j = 0; j < 1000 && left > 0; ++j) {
      std::string element = Bytes(std::min<size_t>(1024, left));
      const std::string number = absl::StrCat(j);
      element.replace(0, std::min(number.size(), element.size()), number);
      left -= element.size();
      set->add_add(element);
    }
  }
  ASSERT_EQ(left, 0u);
  EXPECT_TRUE(ValidateRequest(request).ok());
  mutate->mutable_changes(0)->set_key("k00");
  ExpectLimit(ValidateRequest(request), "changes", 4 << 20, (4 << 20) + 1);
}

TEST(ValidateTest, ATimeToLiveIsInItsRangeAndGoesWithAPut) {
  StoreRequest request = Mutate(1);
  v1::Change* change = request.mutable_mutate()->mutable_changes(0);
  const auto with = [&](int64_t seconds, int32_t nanos) {
    change->mutable_ttl()->set_seconds(seconds);
    change->mutable_ttl()->set_nanos(nanos);
    return ValidateRequest(request);
  };
  constexpr int64_t kMost = int64_t{3650} * 24 * 3600;
  EXPECT_TRUE(with(0, 1'000'000).ok());
  EXPECT_TRUE(with(kMost, 0).ok());
  for (const auto& [seconds, nanos] :
       std::vector<std::pair<int64_t, int32_t>>{{0, 999'999},
                                                {0, 0},
                                                {-1, 0},
                                                {1, -1},
                                                {1, 1'000'000'000},
                                                {kMost, 1},
                                                {kMost + 1, 0},
                                                {std::numeric_limits<int64_t>::max(), 0}}) {
    ExpectError(with(seconds, nanos), reason::kFieldInvalid, "changes[0].ttl");
  }
  EXPECT_EQ(ErrorMetadataOf(ValidateRequest(request, MutationForm::kPut), "field").value_or(""),
            "ttl");
  EXPECT_TRUE(with(1, 0).ok());
  change->set_delete_(true);
  ExpectError(ValidateRequest(request), reason::kFieldInvalid, "changes[0].ttl");
}

TEST(ValidateItemTypesTest, EachTypeHasItsChangesAndEachADelete) {
  v1::MutateRequest put, add, set, erase;
  put.add_changes()->set_put("v");
  add.add_changes()->set_add(1);
  set.add_changes()->mutable_set()->add_add("e");
  erase.add_changes()->set_delete_(true);
  using internal::v1::ItemType;
  const std::vector<std::pair<ItemType, const v1::MutateRequest*>> fits = {
      {internal::v1::ITEM_TYPE_UNSPECIFIED, &put},
      {internal::v1::ITEM_TYPE_REGISTER, &put},
      {internal::v1::ITEM_TYPE_COUNTER, &add},
      {internal::v1::ITEM_TYPE_SET, &set}};
  for (const auto& [type, fitting] : fits) {
    EXPECT_TRUE(ValidateItemTypes(erase, type).ok());
    for (const v1::MutateRequest* mutation : {&put, &add, &set}) {
      const absl::Status status = ValidateItemTypes(*mutation, type);
      if (mutation == fitting) {
        EXPECT_TRUE(status.ok()) << status;
        continue;
      }
      ExpectError(status, reason::kItemTypeWrong,
                  mutation == &put   ? "changes[0].put"
                  : mutation == &add ? "changes[0].add"
                                     : "changes[0].set");
      EXPECT_EQ(ErrorMetadataOf(status, "type").value_or(""), ItemTypeName(type));
    }
  }
  ExpectError(ValidateItemTypes(put, internal::v1::ITEM_TYPE_SET, MutationForm::kPut),
              reason::kItemTypeWrong, "value");
}

TEST(ValidateTest, ABatchHas1000Names) {
  EXPECT_TRUE(ValidateRequest(BatchGet(1000)).ok());
  ExpectLimit(ValidateRequest(BatchGet(1001)), "names", 1000, 1001);
  ExpectError(ValidateRequest(BatchGet(0)), reason::kFieldInvalid, "names");
}

TEST(ValidateTest, APageHas1000Entries) {
  StoreRequest items = ListItems();
  StoreRequest records = ListRecords();
  const auto check = [&](int size) {
    items.mutable_list_items()->set_page_size(size);
    records.mutable_list_records()->set_page_size(size);
    const absl::Status status = ValidateRequest(items);
    EXPECT_EQ(status.message(), ValidateRequest(records).message());
    return status;
  };
  EXPECT_TRUE(check(0).ok());
  EXPECT_TRUE(check(1000).ok());
  ExpectLimit(check(1001), "page_size", 1000, 1001);
  ExpectError(check(-1), reason::kFieldInvalid, "page_size");
}

TEST(ValidateTest, AnOverlongPageTokenIsInvalid) {
  StoreRequest request = ListItems();
  request.mutable_list_items()->set_page_token(Bytes(4096));
  EXPECT_TRUE(ValidateRequest(request).ok());
  request.mutable_list_items()->set_page_token(Bytes(4097));
  ExpectError(ValidateRequest(request), reason::kPageTokenInvalid, "page_token");
}

TEST(ValidateTest, ARequestIdHas64Bytes) {
  StoreRequest request = Mutate(1);
  v1::WriteOptions* options = request.mutable_mutate()->mutable_options();
  options->set_request_id(Bytes(64));
  EXPECT_TRUE(ValidateRequest(request).ok());
  options->set_request_id(Bytes(65));
  ExpectLimit(ValidateRequest(request), "options.request_id", 64, 65);
  options->set_request_id("\xc0\x80");
  ExpectError(ValidateRequest(request), reason::kFieldInvalid, "options.request_id");
}

TEST(ValidateTest, AnOverlongSessionTokenIsInvalid) {
  StoreRequest request = Get();
  request.mutable_get()->mutable_options()->set_session_token(Bytes(16400));
  EXPECT_TRUE(ValidateRequest(request).ok());
  request.mutable_get()->mutable_options()->set_session_token(Bytes(16401));
  ExpectError(ValidateRequest(request), reason::kTokenInvalid, "options.session_token");
  StoreRequest write = Mutate(1);
  write.mutable_mutate()->mutable_options()->set_session_token(Bytes(16401));
  ExpectError(ValidateRequest(write), reason::kTokenInvalid, "options.session_token");
}

TEST(ValidateTest, LatestIsAFailedPrecondition) {
  StoreRequest request = Get();
  request.mutable_get()->mutable_options()->set_consistency(v1::CONSISTENCY_LEVEL_LATEST);
  const absl::Status status = ValidateRequest(request);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), reason::kLevelUnavailable);
  EXPECT_EQ(ErrorMetadataOf(status, "level").value_or(""), "LATEST");
}

TEST(ValidateTest, BoundedNeedsABoundFromAMillisecondToADay) {
  StoreRequest request = Get();
  v1::ReadOptions* options = request.mutable_get()->mutable_options();
  options->set_consistency(v1::CONSISTENCY_LEVEL_BOUNDED);
  ExpectError(ValidateRequest(request), reason::kFieldInvalid, "options.max_staleness");
  const auto check = [&](int64_t seconds, int32_t nanos) {
    options->mutable_max_staleness()->set_seconds(seconds);
    options->mutable_max_staleness()->set_nanos(nanos);
    return ValidateRequest(request);
  };
  const std::pair<int64_t, int32_t> good[] = {
      {0, 1'000'000}, {5, 0}, {86399, 999'999'999}, {86400, 0}};
  for (const auto& [seconds, nanos] : good) EXPECT_TRUE(check(seconds, nanos).ok()) << seconds;
  const std::pair<int64_t, int32_t> bad[] = {
      {0, 0},     {0, 999'999}, {-1, 0},
      {0, -1},    {1, -1},      {1, 1'000'000'000},
      {86400, 1}, {86401, 0},   {std::numeric_limits<int64_t>::max(), 0}};
  for (const auto& [seconds, nanos] : bad) {
    ExpectError(check(seconds, nanos), reason::kFieldInvalid, "options.max_staleness");
  }
}

TEST(ValidateTest, MaxStalenessGoesWithBoundedOnly) {
  StoreRequest request = Get();
  v1::ReadOptions* options = request.mutable_get()->mutable_options();
  options->mutable_max_staleness()->set_seconds(1);
  for (v1::ConsistencyLevel level :
       {v1::CONSISTENCY_LEVEL_UNSPECIFIED, v1::CONSISTENCY_LEVEL_EVENTUAL,
        v1::CONSISTENCY_LEVEL_SESSION, v1::CONSISTENCY_LEVEL_LATEST}) {
    options->set_consistency(level);
    ExpectError(ValidateRequest(request), reason::kFieldInvalid, "options.max_staleness");
  }
}

// Adds a target; 0: not set.
void AddTarget(StoreRequest& request, v1::ConsistencyLevel level, int latency_ms,
               int max_staleness_s = 0) {
  v1::ReadTarget* target = request.mutable_get()->mutable_options()->add_targets();
  target->set_consistency(level);
  if (latency_ms > 0) target->mutable_latency()->set_nanos(latency_ms * 1'000'000);
  if (max_staleness_s > 0) target->mutable_max_staleness()->set_seconds(max_staleness_s);
}

TEST(ValidateTest, ABadTargetIsNamedByItsPlace) {
  constexpr auto kEventual = v1::CONSISTENCY_LEVEL_EVENTUAL;
  constexpr auto kSession = v1::CONSISTENCY_LEVEL_SESSION;
  constexpr auto kBounded = v1::CONSISTENCY_LEVEL_BOUNDED;
  StoreRequest good = Get();
  AddTarget(good, kBounded, 50, 1);
  AddTarget(good, kSession, 50);
  EXPECT_TRUE(ValidateRequest(good).ok());

  const auto expect = [&good](const std::string& field, v1::ConsistencyLevel level, int latency_ms,
                              int max_staleness_s = 0) {
    StoreRequest request = good;
    AddTarget(request, level, latency_ms, max_staleness_s);
    ExpectError(ValidateRequest(request), reason::kFieldInvalid, field);
  };
  expect("options.targets[2].latency", kEventual, 0);
  expect("options.targets[2].consistency", v1::CONSISTENCY_LEVEL_UNSPECIFIED, 100);
  expect("options.targets[2].consistency", static_cast<v1::ConsistencyLevel>(99), 100);
  expect("options.targets[2].max_staleness", kBounded, 100);
  expect("options.targets[2].max_staleness", kEventual, 100, 1);
  // Met only when an earlier one is.
  expect("options.targets[2]", kSession, 50);
  expect("options.targets[2]", kBounded, 50, 1);
  expect("options.targets[2]", kBounded, 40, 1);

  StoreRequest request = good;
  AddTarget(request, kBounded, 50, 2);
  AddTarget(request, kBounded, 60, 1);
  AddTarget(request, kEventual, 50);
  EXPECT_TRUE(ValidateRequest(request).ok());
  AddTarget(request, kBounded, 40, 3);
  ExpectError(ValidateRequest(request), reason::kFieldInvalid, "options.targets[5]");

  request = good;
  AddTarget(request, v1::CONSISTENCY_LEVEL_LATEST, 100);
  EXPECT_EQ(ReasonOf(ValidateRequest(request)), reason::kLevelUnavailable);
  request = good;
  request.mutable_get()->mutable_options()->mutable_targets(1)->mutable_latency()->set_seconds(
      3601);
  ExpectError(ValidateRequest(request), reason::kFieldInvalid, "options.targets[1].latency");
}

TEST(ValidateTest, TargetsAreLimitedAndGoWithoutALevel) {
  StoreRequest request = Get();
  for (int i = 1; i <= 8; ++i) AddTarget(request, v1::CONSISTENCY_LEVEL_SESSION, i);
  EXPECT_TRUE(ValidateRequest(request).ok());
  AddTarget(request, v1::CONSISTENCY_LEVEL_SESSION, 9);
  ExpectError(ValidateRequest(request), reason::kLimitExceeded, "options.targets");
  request = Get();
  AddTarget(request, v1::CONSISTENCY_LEVEL_SESSION, 50);
  request.mutable_get()->mutable_options()->set_consistency(v1::CONSISTENCY_LEVEL_SESSION);
  ExpectError(ValidateRequest(request), reason::kFieldInvalid, "options.consistency");
}

TEST(ValidateTest, UnknownEnumValuesAreRefused) {
  StoreRequest read = Get();
  read.mutable_get()->mutable_options()->set_consistency(static_cast<v1::ConsistencyLevel>(99));
  ExpectError(ValidateRequest(read), reason::kFieldInvalid, "options.consistency");
  read = Get();
  read.mutable_get()->mutable_options()->set_region_choice(static_cast<v1::RegionChoice>(99));
  ExpectError(ValidateRequest(read), reason::kFieldInvalid, "options.region_choice");
  StoreRequest write = Mutate(1);
  write.mutable_mutate()->mutable_options()->set_region_choice(static_cast<v1::RegionChoice>(99));
  ExpectError(ValidateRequest(write), reason::kFieldInvalid, "options.region_choice");
}

TEST(ValidateTest, ReadOptionsAreCheckedInEveryRead) {
  v1::ReadOptions bad;
  bad.set_consistency(v1::CONSISTENCY_LEVEL_LATEST);
  StoreRequest batch = BatchGet(1), items = ListItems(), records = ListRecords();
  *batch.mutable_batch_get()->mutable_options() = bad;
  *items.mutable_list_items()->mutable_options() = bad;
  *records.mutable_list_records()->mutable_options() = bad;
  for (const StoreRequest& request : {batch, items, records}) {
    EXPECT_EQ(ReasonOf(ValidateRequest(request)), reason::kLevelUnavailable);
  }
}

TEST(Utf8Test, WellFormedTextIsValid) {
  for (absl::string_view text :
       {"", "a", "eight by", "nine byte", "gr\xc3\xbc\xc3\x9f", "\xe6\x97\xa5\xe6\x9c\xac",
        "seven..\xf0\x9f\x9a\xa2", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsValidUtf8(text)) << text;
  }
  EXPECT_TRUE(IsValidUtf8(absl::string_view("\0", 1)));
}

TEST(Utf8Test, IllFormedTextIsNot) {
  for (absl::string_view text :
       {"\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe6\x97",
        "\xf0\x9f\x9a", "12345678\xff", "1234567\xc3", "\xc3x"}) {
    EXPECT_FALSE(IsValidUtf8(text));
  }
}

}  // namespace
}  // namespace homeport
