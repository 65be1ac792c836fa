#include "tests/bench/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/text/text_table.h"

namespace homeport::bench {
namespace {

bool Meets(double value, const Mark& mark) {
  return mark.kind == Mark::Kind::kAtLeast ? value >= mark.limit : value <= mark.limit;
}

std::string Number(double value, int digits) { return absl::StrFormat("%.*f", digits, value); }

std::string InWords(const Mark& mark) {
  return absl::StrCat(mark.kind == Mark::Kind::kAtLeast ? ">= " : "<= ", Number(mark.limit, 2));
}

nlohmann::json RowJson(const std::string& name, const std::vector<double>& samples,
                       const Spread& spread) {
  return {{"name", name},
          {"median", spread.median},
          {"min", spread.low},
          {"max", spread.high},
          {"samples", samples}};
}

}  // namespace

Spread SpreadOf(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  const size_t middle = samples.size() / 2;
  const double median =
      samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
  return {median, samples.front(), samples.back()};
}

std::vector<double> Ratios(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    ratios.push_back(b[i] == 0 ? 0 : a[i] / b[i]);
  }
  return ratios;
}

bool Report::AddRatio(std::string name, std::vector<double> samples, std::optional<Mark> mark,
                      int digits) {
  Row row{std::move(name), samples, SpreadOf(samples), "", mark, true, digits};
  row.met = !mark || (!row.samples.empty() && Meets(row.spread.median, *mark));
  if (!row.met) ++missed_;
  ratios_.push_back(std::move(row));
  return ratios_.back().met;
}

void Report::AddFigure(std::string name, std::vector<double> samples, std::string unit,
                       int digits) {
  figures_.push_back(
      {std::move(name), samples, SpreadOf(samples), std::move(unit), std::nullopt, true, digits});
}

void Report::AddProfile(std::string title, std::string text) {
  profiles_.push_back({std::move(title), std::move(text)});
}

void Report::AddNote(std::string note) { notes_.push_back(std::move(note)); }

std::string Report::ToText() const {
  std::string text;
  for (const std::string& note : notes_) absl::StrAppend(&text, note, "\n");
  absl::StrAppend(&text, "\n");
  const auto cell = [](const Row& row, double value) { return Number(value, row.digits); };
  TextTable ratios({"ratio", ">median", ">min", ">max", ">mark", "result"});
  for (const Row& row : ratios_) {
    ratios.Add({row.name, cell(row, row.spread.median), cell(row, row.spread.low),
                cell(row, row.spread.high), row.mark ? InWords(*row.mark) : std::string(),
                !row.mark ? "" : (row.met ? "met" : "NOT MET")});
  }
  absl::StrAppend(&text, ratios.ToString(), "\n");
  TextTable figures({"figure", ">median", ">min", ">max", "unit"});
  for (const Row& row : figures_) {
    figures.Add({row.name, cell(row, row.spread.median), cell(row, row.spread.low),
                 cell(row, row.spread.high), row.unit});
  }
  absl::StrAppend(&text, figures.ToString());
  for (const Profile& profile : profiles_) {
    absl::StrAppend(&text, "\n", profile.title, "\n", profile.text);
  }
  return text;
}

std::string Report::ToJson() const {
  nlohmann::json json = {{"notes", notes_},
                         {"ratios", nlohmann::json::array()},
                         {"figures", nlohmann::json::array()},
                         {"profiles", nlohmann::json::array()},
                         {"all_met", all_met()}};
  for (const Row& row : ratios_) {
    nlohmann::json entry = RowJson(row.name, row.samples, row.spread);
    if (row.mark) {
      entry["mark"] = row.mark->limit;
      entry["mark_is"] = row.mark->kind == Mark::Kind::kAtLeast ? "at_least" : "at_most";
      entry["met"] = row.met;
    }
    json["ratios"].push_back(std::move(entry));
  }
  for (const Row& row : figures_) {
    nlohmann::json entry = RowJson(row.name, row.samples, row.spread);
    entry["unit"] = row.unit;
    json["figures"].push_back(std::move(entry));
  }
  for (const Profile& profile : profiles_) {
    json["profiles"].push_back({{"title", profile.title}, {"text", profile.text}});
  }
  return json.dump(2) + "\n";
}

}  // namespace homeport::bench
