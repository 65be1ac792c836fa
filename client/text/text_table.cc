#include "client/text/text_table.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/check.h"

namespace homeport {
namespace {

constexpr size_t kGap = 2;

const char* CodeOf(TextStyle style) {
  switch (style) {
    case TextStyle::kBold:
      return "\x1b[1m";
    case TextStyle::kDim:
      return "\x1b[2m";
    case TextStyle::kGreen:
      return "\x1b[32m";
    case TextStyle::kYellow:
      return "\x1b[33m";
    case TextStyle::kRed:
      return "\x1b[31m";
    case TextStyle::kPlain:
      break;
  }
  return "";
}

// Characters, not bytes: continuation bytes of UTF-8 take no place.
size_t WidthOf(absl::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string Styled(absl::string_view text, TextStyle style, bool colours) {
  if (!colours || style == TextStyle::kPlain || text.empty()) return std::string(text);
  return absl::StrCat(CodeOf(style), text, "\x1b[0m");
}

bool TerminalHasColours(int fd) {
  const char* no_color = getenv("NO_COLOR");
  const char* term = getenv("TERM");
  return isatty(fd) == 1 && (no_color == nullptr || *no_color == '\0') && term != nullptr &&
         absl::string_view(term) != "dumb";
}

TextTable::TextTable(std::vector<std::string> titles) : titles_(std::move(titles)) {
  for (std::string& title : titles_) {
    right_.push_back(absl::StartsWith(title, ">"));
    if (right_.back()) title.erase(0, 1);
  }
}

void TextTable::Add(std::vector<Cell> row) {
  HP_CHECK(row.size() == titles_.size());
  rows_.push_back(std::move(row));
}

std::string TextTable::ToString(bool colours, int indent) const {
  std::vector<size_t> widths;
  for (const std::string& title : titles_) widths.push_back(WidthOf(title));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], WidthOf(row[i].text));
    }
  }
  std::string out;
  auto add_line = [&](auto&& text_of, auto&& style_of) {
    std::string line(static_cast<size_t>(indent), ' ');
    for (size_t i = 0; i < titles_.size(); ++i) {
      const std::string& text = text_of(i);
      const std::string pad(widths[i] - WidthOf(text), ' ');
      if (i > 0) line.append(kGap, ' ');
      if (right_[i]) line += pad;
      line += Styled(text, style_of(i), colours);
      if (!right_[i]) line += pad;
    }
    while (absl::EndsWith(line, " ")) line.pop_back();
    absl::StrAppend(&out, line, "\n");
  };
  add_line([&](size_t i) -> const std::string& { return titles_[i]; },
           [](size_t) { return TextStyle::kBold; });
  for (const auto& row : rows_) {
    add_line([&](size_t i) -> const std::string& { return row[i].text; },
             [&](size_t i) { return row[i].style; });
  }
  return out;
}

}  // namespace homeport
