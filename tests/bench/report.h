// What a run has measured, as a table for people and as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace homeport::bench {

// The middle of several measurements, and how far they lie apart.
struct Spread {
  double median = 0;
  double low = 0;
  double high = 0;
};

// All zero without samples.
Spread SpreadOf(std::vector<double> samples);

// Element by element; as many as the shorter one has. The elements of one index were measured one
// right after the other, so that what disturbs the machine disturbs both.
std::vector<double> Ratios(const std::vector<double>& a, const std::vector<double>& b);

// What a figure must reach.
struct Mark {
  enum class Kind { kAtLeast, kAtMost };
  Kind kind;
  double limit;
};

// Collects figures in the order in which they are to be shown. Thread-compatible.
class Report {
 public:
  // A figure that is compared with a mark, or shown as a ratio without one. Returns false if the
  // median misses the mark.
  bool AddRatio(std::string name, std::vector<double> samples, std::optional<Mark> mark,
                int digits = 2);
  // A figure by itself; `unit` such as "req/s".
  void AddFigure(std::string name, std::vector<double> samples, std::string unit, int digits = 0);
  // Text shown under the tables: the profile behind a missed mark.
  void AddProfile(std::string title, std::string text);
  // A line above the tables: how the run was made.
  void AddNote(std::string note);

  bool all_met() const { return missed_ == 0; }
  std::string ToText() const;
  std::string ToJson() const;

 private:
  struct Row {
    std::string name;
    std::vector<double> samples;
    Spread spread;
    std::string unit;  // empty: a ratio
    std::optional<Mark> mark;
    bool met = true;
    int digits = 2;
  };
  struct Profile {
    std::string title;
    std::string text;
  };

  std::vector<std::string> notes_;
  std::vector<Row> ratios_;
  std::vector<Row> figures_;
  std::vector<Profile> profiles_;
  int missed_ = 0;
};

}  // namespace homeport::bench
