#include "client/text/conflict_text.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/text/describe.h"
#include "client/text/text_table.h"

namespace homeport {
namespace {

// A value in a table has so many bytes at most; the rest is for `conflicts show`.
constexpr size_t kValueShown = 32;

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\"");
}

std::string ItemOf(const v1::Conflict& conflict) {
  std::string text =
      absl::StrCat(conflict.namespace_(), " ", absl::Utf8SafeCEscape(conflict.record_id()));
  if (!conflict.key().empty()) absl::StrAppend(&text, " ", Quoted(conflict.key()));
  return text;
}

std::string ShortValue(const v1::Conflict& conflict) {
  if (conflict.deleted()) return "(deleted)";
  const std::string& value = conflict.value();
  if (value.size() <= kValueShown) return Quoted(value);
  // Not in the middle of a character, should it be text.
  size_t cut = kValueShown;
  while (cut > kValueShown - 4 && (static_cast<unsigned char>(value[cut]) & 0xc0) == 0x80) --cut;
  return absl::StrCat(Quoted(absl::string_view(value).substr(0, cut)), "... ",
                      DescribeBytes(value.size()));
}

}  // namespace

std::string DescribeConflicts(const std::vector<v1::Conflict>& conflicts, bool colours) {
  TextTable table({"CONFLICT", "ITEM", "LOST", "WRITTEN", "OVERTAKEN", "NOTE"});
  for (const v1::Conflict& conflict : conflicts) {
    TextTable::Cell note = "";
    if (conflict.has_restored()) {
      note = {"restored", TextStyle::kGreen};
    } else if (conflict.by_snapshot()) {
      note = {"by a snapshot", TextStyle::kYellow};
    }
    table.Add({conflict.id(), ItemOf(conflict), ShortValue(conflict), Describe(conflict.written()),
               Describe(conflict.overtaken()), note});
  }
  return table.ToString(colours);
}

std::string DescribeConflict(const v1::Conflict& conflict) {
  std::string text = absl::StrCat("conflict ", conflict.id(), "\n");
  absl::StrAppend(&text, "  namespace:  ", conflict.namespace_(), "\n");
  absl::StrAppend(&text, "  record:     ", absl::Utf8SafeCEscape(conflict.record_id()), "\n");
  absl::StrAppend(&text, "  key:        ", Quoted(conflict.key()), "\n");
  absl::StrAppend(&text, "  lost:       ",
                  conflict.deleted() ? "a delete" : absl::Utf8SafeCEscape(conflict.value()), "\n");
  absl::StrAppend(&text, "  written:    ", Describe(conflict.version()), "\n");
  if (conflict.has_expires()) {
    absl::StrAppend(&text, "  expires:    ", Describe(conflict.expires()), "\n");
  }
  absl::StrAppend(&text, "  winner:     ", Describe(conflict.winner()), "\n");
  absl::StrAppend(
      &text, "  overtaken:  ", Describe(conflict.overtaken()),
      conflict.by_snapshot() ? ", by a snapshot, which does not say what the winner had seen" : "",
      "\n");
  absl::StrAppend(&text,
                  "  restored:   ", conflict.has_restored() ? Describe(conflict.restored()) : "no",
                  "\n");
  return text;
}

}  // namespace homeport
