#include "storage/replication/record_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "common/base/mutants.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/hybrid_time.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"
#include "storage/replication/page_token.h"

namespace homeport {
namespace {

using internal::v1::StoredItem;

absl::StatusOr<StoredItem> ParseItem(absl::string_view bytes) {
  StoredItem item;
  if (!item.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("stored item does not parse");
  }
  return item;
}

void SetVersion(const StoredItem& item, v1::Version* version) {
  version->set_hybrid_time(item.timestamp());
  version->set_origin(item.origin());
}

void RaiseVersion(const StoredItem& item, v1::Version* version) {
  const Version known{HybridTime(version->hybrid_time()), Origin(version->origin())};
  const Version found{HybridTime(item.timestamp()), Origin(item.origin())};
  if (found > known) SetVersion(item, version);
}

void See(const StoredItem& item, SessionToken& seen) {
  if (HP_MUTANT(kReadForgetsDependency)) return;
  if (HP_MUTANT(kReadForgetsDependency)) return;
  ForEachPosition(item,
                  [&seen](Origin origin, Sequence sequence) { seen.Advance(origin, sequence); });
}

void SetItem(absl::string_view key, StoredItem& stored, v1::Item* item) {
  item->set_key(std::string(key));
  SetVersion(stored, item->mutable_version());
  if (!stored.shares().empty()) {
    item->set_counter(CounterValue(stored));
  } else if (!stored.elements().empty()) {
    for (absl::string_view element : SetElements(stored)) {
      item->add_elements(element.data(), element.size());
    }
  } else {
    item->set_value(std::move(*stored.mutable_value()));
  }
  if (stored.expires() == 0) return;
  const absl::Time expires = ToWallTime(HybridTime(stored.expires()));
  const absl::Time second = absl::FromUnixSeconds(absl::ToUnixSeconds(expires));
  item->mutable_expires()->set_seconds(absl::ToUnixSeconds(expires));
  item->mutable_expires()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(expires - second)));
}

int PageSize(int asked, const ReadLimits& limits) {
  return asked == 0 ? limits.page_size_default : asked;
}

}  // namespace

absl::Status ReadItem(KvEngine* engine, const v1::GetRequest& request, HybridTime now,
                      SessionToken& seen, v1::GetResponse& response) {
  auto bytes =
      engine->Get(Table::kItems, ItemKey(request.namespace_(), request.id(), request.key()));
  if (!bytes.ok()) return bytes.status();
  response.mutable_version();
  if (!bytes->has_value()) return absl::OkStatus();
  auto stored = ParseItem(**bytes);
  if (!stored.ok()) return stored.status();
  See(*stored, seen);
  SetVersion(*stored, response.mutable_version());
  if (IsPresent(*stored, now)) SetItem(request.key(), *stored, response.mutable_item());
  return absl::OkStatus();
}

absl::Status ReadItems(KvEngine* engine, const v1::BatchGetRequest& request, HybridTime now,
                       const ReadLimits& limits, SessionToken& seen,
                       v1::BatchGetResponse& response) {
  // In pieces, so that the values of a long request are never all in memory at once.
  constexpr int kPiece = 64;
  response.mutable_version();
  size_t bytes = 0;
  for (int begin = 0; begin < request.names_size(); begin += kPiece) {
    std::vector<std::string> keys;
    for (int i = begin; i < std::min(begin + kPiece, request.names_size()); ++i) {
      keys.push_back(ItemKey(request.namespace_(), request.names(i).id(), request.names(i).key()));
    }
    auto found = engine->MultiGet(Table::kItems, keys);
    if (!found.ok()) return found.status();
    for (size_t i = 0; i < keys.size(); ++i) {
      const auto& value = (*found)[i];
      bytes += value ? value->size() : 0;
      if (response.results_size() > 0 && bytes > limits.page_bytes) return absl::OkStatus();
      v1::BatchGetResult* result = response.add_results();
      result->mutable_version();
      if (!value) continue;
      auto stored = ParseItem(*value);
      if (!stored.ok()) return stored.status();
      See(*stored, seen);
      SetVersion(*stored, result->mutable_version());
      RaiseVersion(*stored, response.mutable_version());
      if (IsPresent(*stored, now)) {
        SetItem(request.names(begin + static_cast<int>(i)).key(), *stored, result->mutable_item());
      }
    }
  }
  return absl::OkStatus();
}

absl::Status ListItems(KvEngine* engine, const v1::ListItemsRequest& request, HybridTime now,
                       const ReadLimits& limits, SessionToken& seen,
                       v1::ListItemsResponse& response) {
  const uint64_t hash = PageRequestHash({"items", request.namespace_(), request.id(),
                                         request.prefix(), request.start_key(), request.end_key()});
  std::string first = std::max(request.start_key(), request.prefix());
  if (!request.page_token().empty()) {
    auto position = ParsePageToken(request.page_token(), hash);
    if (!position.ok()) return position.status();
    first = std::max(first, *position);
  }
  const std::string record = RecordPrefix(request.namespace_(), request.id());
  std::string end = PrefixEnd(record + request.prefix());
  if (!request.end_key().empty()) end = std::min(end, record + request.end_key());
  response.mutable_version();

  int room = PageSize(request.page_size(), limits);
  int scans_left = limits.scanned_max;
  size_t bytes = 0;
  std::unique_ptr<KvIterator> it = engine->Iterate(Table::kItems, end);
  for (it->Seek(record + first); it->Valid(); it->Next()) {
    const absl::string_view key = it->key().substr(record.size());
    const bool full = room == 0 || scans_left-- == 0 ||
                      (response.items_size() > 0 && bytes + it->value().size() > limits.page_bytes);
    if (full) {
      response.set_next_page_token(MakePageToken(hash, key));
      return absl::OkStatus();
    }
    auto stored = ParseItem(it->value());
    if (!stored.ok()) return stored.status();
    See(*stored, seen);
    RaiseVersion(*stored, response.mutable_version());
    if (!IsPresent(*stored, now)) continue;
    bytes += it->value().size();
    SetItem(key, *stored, response.add_items());
    --room;
  }
  return it->status();
}

absl::Status ListRecords(KvEngine* engine, const v1::ListRecordsRequest& request, HybridTime now,
                         const ReadLimits& limits, SessionToken& seen,
                         v1::ListRecordsResponse& response) {
  const uint64_t hash = PageRequestHash({"records", request.namespace_(), request.prefix()});
  const std::string name_space = NamespacePrefix(request.namespace_());
  // The escaped id without its end, so that ids that begin with it follow.
  auto id_prefix = [&request](absl::string_view id) {
    std::string prefix = RecordPrefix(request.namespace_(), id);
    prefix.resize(prefix.size() - 2);
    return prefix;
  };
  std::string first = id_prefix(request.prefix());
  const std::string end = PrefixEnd(first);
  if (!request.page_token().empty()) {
    auto position = ParsePageToken(request.page_token(), hash);
    if (!position.ok()) return position.status();
    if (!absl::StartsWith(*position, name_space)) {
      return ParsePageToken("", hash).status();
    }
    first = std::max(first, *position);
  }
  response.mutable_version();

  int room = PageSize(request.page_size(), limits);
  int scans_left = limits.scanned_max;
  std::unique_ptr<KvIterator> it = engine->Iterate(Table::kItems, end);
  it->Seek(first);
  while (it->Valid()) {
    if (room == 0 || scans_left-- == 0) {
      response.set_next_page_token(MakePageToken(hash, it->key()));
      return absl::OkStatus();
    }
    auto parts = ParseItemKey(it->key());
    if (!parts) return absl::DataLossError("stored item's key does not parse");
    auto stored = ParseItem(it->value());
    if (!stored.ok()) return stored.status();
    See(*stored, seen);
    RaiseVersion(*stored, response.mutable_version());
    if (!IsPresent(*stored, now)) {
      it->Next();
      continue;
    }
    // A page may begin inside a record whose first items were deletes.
    if (response.ids().empty() || response.ids(response.ids_size() - 1) != parts->record_id) {
      response.add_ids(parts->record_id);
      --room;
    }
    it->Seek(PrefixEnd(parts->record_prefix));
  }
  return it->status();
}

}  // namespace homeport
