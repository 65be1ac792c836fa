// Aligned columns for a terminal.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace homeport {

enum class TextStyle { kPlain, kBold, kDim, kGreen, kYellow, kRed };

// `text` in the style's escape codes if `colours`, as it is otherwise.
std::string Styled(absl::string_view text, TextStyle style, bool colours);

// True if the descriptor is a terminal that shows colours and NO_COLOR is not set.
bool TerminalHasColours(int fd);

// Rows of cells under a header; every column as wide as its widest cell. Numbers stand right.
class TextTable {
 public:
  struct Cell {
    // Implicit, so that a row reads as a list of texts.
    Cell(std::string t, TextStyle s = TextStyle::kPlain)  // NOLINT
        : text(std::move(t)), style(s) {}
    Cell(const char* t) : text(t) {}  // NOLINT
    std::string text;
    TextStyle style = TextStyle::kPlain;
  };

  // A column whose title begins with '>' has its cells at the right; the '>' is not shown.
  explicit TextTable(std::vector<std::string> titles);

  // As many cells as columns.
  void Add(std::vector<Cell> row);
  bool empty() const { return rows_.empty(); }
  // Lines with a line feed each, two spaces between columns, `indent` before the first.
  std::string ToString(bool colours = false, int indent = 0) const;

 private:
  std::vector<std::string> titles_;
  std::vector<bool> right_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace homeport
