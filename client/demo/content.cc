#include "client/demo/content.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/check.h"

namespace homeport {
namespace {

constexpr int kPageSize = 1000;
constexpr size_t kExamplesMax = 5;

v1::ReadOptions LocalRead() {
  v1::ReadOptions options;
  options.set_local_only(true);
  options.set_consistency(v1::CONSISTENCY_LEVEL_EVENTUAL);
  return options;
}

void Add(Differences& differences, std::string what) {
  ++differences.count;
  if (differences.examples.size() < kExamplesMax) differences.examples.push_back(std::move(what));
}

std::string Name(const ItemAddress& address) {
  return absl::StrCat(address.name_space, "/", address.id, "[", address.key, "]");
}

std::string Text(const ItemContent& content) {
  return absl::StrFormat("%d bytes of version %d by %016x", content.value.size(),
                         content.hybrid_time, content.origin);
}

absl::Status ReadRecord(GatewayClient& gateway, const std::string& name_space,
                        const std::string& id, RegionContent& content) {
  v1::ListItemsRequest request;
  request.set_namespace_(name_space);
  request.set_id(id);
  request.set_page_size(kPageSize);
  *request.mutable_options() = LocalRead();
  do {
    auto page = gateway.ListItems(request);
    if (!page.ok()) return page.status();
    content.replicas.insert(page->provenance().replica());
    for (v1::Item& item : *page->mutable_items()) {
      content.items[{name_space, id, item.key()}] = {
          std::move(*item.mutable_value()), item.version().hybrid_time(), item.version().origin()};
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return absl::OkStatus();
}

absl::Status ReadNamespace(GatewayClient& gateway, const std::string& name_space,
                           absl::FunctionRef<bool()> go_on, RegionContent& content) {
  v1::ListRecordsRequest request;
  request.set_namespace_(name_space);
  request.set_page_size(kPageSize);
  *request.mutable_options() = LocalRead();
  do {
    auto page = gateway.ListRecords(request);
    if (!page.ok()) return page.status();
    content.replicas.insert(page->provenance().replica());
    for (const std::string& id : page->ids()) {
      if (!go_on()) return absl::CancelledError("interrupted");
      if (absl::Status read = ReadRecord(gateway, name_space, id, content); !read.ok()) {
        return read;
      }
      ++content.records;
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RegionContent> ReadRegion(GatewayClient& gateway, absl::FunctionRef<bool()> go_on) {
  RegionContent content;
  v1::ListNamespacesRequest request;
  do {
    auto page = gateway.ListNamespaces(request);
    if (!page.ok()) return page.status();
    for (const v1::NamespacePolicy& policy : page->namespaces()) {
      absl::Status read = ReadNamespace(gateway, policy.name(), go_on, content);
      if (!read.ok()) return read;
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return content;
}

Differences Compare(const std::vector<std::string>& regions,
                    const std::vector<RegionContent>& contents) {
  HP_CHECK(regions.size() == contents.size());
  std::set<ItemAddress> addresses;
  for (const RegionContent& content : contents) {
    for (const auto& [address, item] : content.items) addresses.insert(address);
  }
  Differences differences;
  for (const ItemAddress& address : addresses) {
    // Against the first region that has it.
    const ItemContent* reference = nullptr;
    size_t reference_region = 0;
    for (size_t i = 0; i < contents.size() && reference == nullptr; ++i) {
      auto it = contents[i].items.find(address);
      if (it == contents[i].items.end()) continue;
      reference = &it->second;
      reference_region = i;
    }
    for (size_t i = 0; i < contents.size(); ++i) {
      auto it = contents[i].items.find(address);
      if (it == contents[i].items.end()) {
        Add(differences, absl::StrCat(Name(address), " is missing in ", regions[i]));
        break;
      }
      if (!(it->second == *reference)) {
        Add(differences,
            absl::StrCat(Name(address), " has ", Text(*reference), " in ",
                         regions[reference_region], " and ", Text(it->second), " in ", regions[i]));
        break;
      }
    }
  }
  return differences;
}

Differences Missing(const std::map<ItemAddress, ItemContent>& wanted, const std::string& region,
                    const RegionContent& content) {
  Differences differences;
  for (const auto& [address, item] : wanted) {
    auto it = content.items.find(address);
    if (it == content.items.end()) {
      Add(differences, absl::StrCat(Name(address), " is missing in ", region));
    } else if (!(it->second == item)) {
      Add(differences, absl::StrCat(Name(address), " has ", Text(it->second), " in ", region,
                                    ", written was ", Text(item)));
    }
  }
  return differences;
}

}  // namespace homeport
