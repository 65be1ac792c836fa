#include "client/command/flags.h"

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/command/exit_codes.h"

namespace homeport {
namespace {

// CLI11 speaks std::string.
std::string Text(absl::string_view text) { return std::string(text); }

}  // namespace

struct Flags::Parser {
  explicit Parser(absl::string_view usage, absl::string_view summary)
      : app(Text(summary), absl::StrCat("homeport ", usage)) {}
  CLI::App app;
};

Flags::Flags(absl::string_view usage, absl::string_view summary,
             const std::vector<std::string>& examples)
    : parser_(std::make_unique<Parser>(usage, summary)) {
  std::string footer = examples.empty() ? "" : "Examples:";
  for (const std::string& example : examples) absl::StrAppend(&footer, "\n  ", example);
  parser_->app.footer(footer);
  parser_->app.set_help_flag("--help,-h", "Show this help");
}

Flags::~Flags() = default;

void Flags::String(absl::string_view name, std::string* value, absl::string_view help,
                   absl::string_view environment) {
  CLI::Option* option = parser_->app.add_option(Text(name), *value, Text(help));
  option->capture_default_str()->type_name("TEXT");
  if (!environment.empty()) option->envname(Text(environment));
}

void Flags::Strings(absl::string_view name, std::vector<std::string>* values,
                    absl::string_view help) {
  parser_->app.add_option(Text(name), *values, Text(help))
      ->allow_extra_args(false)
      ->type_name("TEXT");
}

void Flags::Choice(absl::string_view name, std::string* value, std::vector<std::string> choices,
                   absl::string_view help) {
  parser_->app.add_option(Text(name), *value, Text(help))
      ->capture_default_str()
      ->check(CLI::IsMember(std::move(choices)))
      ->type_name("");
}

void Flags::Switch(absl::string_view name, bool* value, absl::string_view help) {
  parser_->app.add_flag(Text(name), *value, Text(help));
}

void Flags::Integer(absl::string_view name, int* value, int min, int max, absl::string_view help) {
  parser_->app.add_option(Text(name), *value, Text(help))
      ->capture_default_str()
      ->check(CLI::Range(min, max))
      ->type_name("NUMBER");
}

void Flags::Duration(absl::string_view name, absl::Duration* value, absl::string_view help) {
  CLI::callback_t parse = [value](const CLI::results_t& texts) {
    absl::Duration parsed;
    if (!absl::ParseDuration(texts.back(), &parsed) || parsed <= absl::ZeroDuration()) return false;
    *value = parsed;
    return true;
  };
  parser_->app.add_option(Text(name), parse, Text(help))
      ->default_str(absl::FormatDuration(*value))
      ->run_callback_for_default(false)
      ->type_name("DURATION");
}

void Flags::Argument(absl::string_view name, std::string* value, bool required,
                     absl::string_view help) {
  parser_->app.add_option(Text(name), *value, Text(help))->required(required)->type_name("");
}

void Flags::Argument(absl::string_view name, std::optional<std::string>* value,
                     absl::string_view help) {
  CLI::callback_t take = [value](const CLI::results_t& texts) {
    *value = texts.back();
    return true;
  };
  parser_->app.add_option(Text(name), take, Text(help))->type_name("");
}

absl::Status Flags::Parse(const std::vector<std::string>& arguments) {
  try {
    // CLI11 takes them from the end.
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    parser_->app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    return absl::CancelledError(Help());
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }
  return absl::OkStatus();
}

std::optional<int> Flags::ParseOrExit(const std::vector<std::string>& arguments) {
  const absl::Status parsed = Parse(arguments);
  if (parsed.ok()) return std::nullopt;
  const std::string message(parsed.message());
  if (parsed.code() == absl::StatusCode::kCancelled) {
    fputs(message.c_str(), stdout);
    return kExitOk;
  }
  fprintf(stderr, "%s: %s\nTry '%s --help'.\n", parser_->app.get_name().c_str(), message.c_str(),
          parser_->app.get_name().c_str());
  return kExitUsage;
}

std::string Flags::Help() const { return parser_->app.help(); }

}  // namespace homeport
