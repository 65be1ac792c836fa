#include <stdio.h>

#include <algorithm>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/command/client_flags.h"
#include "client/command/commands.h"
#include "client/text/describe.h"

namespace homeport {
namespace {

// As the gateway has it.
constexpr int kPageSizeMax = 1000;

struct ListFlags : RecordFlags {
  std::optional<std::string> id;
  std::string prefix;
  std::string start_key;
  std::string end_key;
  int limit = 1000;
};

// Calls `list_page` for page after page until `limit` things are printed. With --json a page is one
// JSON message.
template <typename Request, typename ListPage, typename Print>
int ListPages(const ListFlags& flags, Request request, ListPage list_page, Print print) {
  int left = flags.limit;
  for (;;) {
    request.set_page_size(std::min(left, kPageSizeMax));
    auto page = list_page(request);
    if (!page.ok()) return Fail(page.status(), CallKind::kRead);
    if (absl::Status kept = flags.Keep(page->session_token()); !kept.ok()) {
      return Fail(kept, CallKind::kRead);
    }
    if (flags.json) fputs(ToJson(*page).c_str(), stdout);
    left -= print(*page);
    if (page->next_page_token().empty()) return kExitOk;
    if (left <= 0) {
      fprintf(stderr, "there is more: raise --limit\n");
      return kExitOk;
    }
    // Pages of one list read on from what the first one saw.
    request.mutable_options()->set_session_token(page->session_token());
    request.set_page_token(page->next_page_token());
  }
}

int ListRecords(const ListFlags& flags, GatewayClient& client, v1::ReadOptions options) {
  v1::ListRecordsRequest request;
  request.set_namespace_(flags.name_space);
  request.set_prefix(flags.prefix);
  *request.mutable_options() = std::move(options);
  return ListPages(
      flags, request, [&](const auto& r) { return client.ListRecords(r); },
      [&](const v1::ListRecordsResponse& page) {
        for (const std::string& id : page.ids()) {
          if (!flags.json) printf("%s\n", absl::Utf8SafeCEscape(id).c_str());
        }
        return page.ids_size();
      });
}

// On one line.
std::string ValueText(const v1::Item& item) {
  std::string text;
  if (item.has_counter()) {
    text = absl::StrCat(item.counter());
  } else if (!item.elements().empty()) {
    text = absl::StrCat("{",
                        absl::StrJoin(item.elements(), ", ",
                                      [](std::string* out, const std::string& element) {
                                        absl::StrAppend(out, "\"", absl::Utf8SafeCEscape(element),
                                                        "\"");
                                      }),
                        "}");
  } else {
    text = absl::Utf8SafeCEscape(item.value());
  }
  if (item.has_expires()) absl::StrAppend(&text, "\texpires ", Describe(item.expires()));
  return text;
}

int ListItems(const ListFlags& flags, GatewayClient& client, v1::ReadOptions options) {
  v1::ListItemsRequest request;
  request.set_namespace_(flags.name_space);
  request.set_id(*flags.id);
  request.set_prefix(flags.prefix);
  request.set_start_key(flags.start_key);
  request.set_end_key(flags.end_key);
  *request.mutable_options() = std::move(options);
  return ListPages(
      flags, request, [&](const auto& r) { return client.ListItems(r); },
      [&](const v1::ListItemsResponse& page) {
        for (const v1::Item& item : page.items()) {
          if (flags.json) continue;
          printf("\"%s\"\t%s\n", absl::Utf8SafeCEscape(item.key()).c_str(),
                 ValueText(item).c_str());
        }
        return page.items_size();
      });
}

}  // namespace

int RunList(const Arguments& arguments) {
  Flags flags("list", "Lists the ids of a namespace's records, or the items of one record.",
              {"homeport list", "homeport list --prefix user/ --limit 20", "homeport list user/7",
               "homeport list user/7 --prefix mail/ --json"});
  ListFlags options;
  flags.Argument("ID", &options.id, "The record whose items are listed");
  flags.String("--prefix", &options.prefix, "Only ids, or keys, that start with this");
  flags.String("--start", &options.start_key, "Only keys at or after this");
  flags.String("--end", &options.end_key, "Only keys before this");
  flags.Integer("--limit", &options.limit, 1, 1'000'000'000, "At most this many");
  options.Declare(flags, CallKind::kRead);
  if (auto code = flags.ParseOrExit(arguments)) return *code;

  if (!options.id.has_value() && !(options.start_key.empty() && options.end_key.empty())) {
    fprintf(stderr, "homeport list: --start and --end need an ID\n");
    return kExitUsage;
  }
  auto read_options = options.ToReadOptions();
  if (!read_options.ok()) return Fail(read_options.status(), CallKind::kRead);
  auto client = options.Connect();
  if (!client.ok()) return Fail(client.status(), CallKind::kRead);
  return options.id.has_value() ? ListItems(options, **client, *std::move(read_options))
                                : ListRecords(options, **client, *std::move(read_options));
}

}  // namespace homeport
