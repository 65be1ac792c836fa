// The flags and arguments of one command.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace homeport {

// Declared first, parsed once. Variables keep their value when the flag is not given, must outlive
// the object, and are shown in the help as the default. Thread-compatible.
class Flags {
 public:
  // `usage` as in "get ID", `summary` in one sentence; `examples` a line each.
  Flags(absl::string_view usage, absl::string_view summary,
        const std::vector<std::string>& examples);
  ~Flags();
  Flags(const Flags&) = delete;
  Flags& operator=(const Flags&) = delete;

  // `name` as in "--gateway". With `environment`, that variable is taken where the flag is missing.
  void String(absl::string_view name, std::string* value, absl::string_view help,
              absl::string_view environment = "");
  // May be given several times; each has one value.
  void Strings(absl::string_view name, std::vector<std::string>* values, absl::string_view help);
  // One of `choices`.
  void Choice(absl::string_view name, std::string* value, std::vector<std::string> choices,
              absl::string_view help);
  void Switch(absl::string_view name, bool* value, absl::string_view help);
  void Integer(absl::string_view name, int* value, int min, int max, absl::string_view help);
  // "150ms", "2s"; must be above 0.
  void Duration(absl::string_view name, absl::Duration* value, absl::string_view help);
  // An argument without a name; they are taken in the order of their declaration.
  void Argument(absl::string_view name, std::string* value, bool required, absl::string_view help);
  void Argument(absl::string_view name, std::optional<std::string>* value, absl::string_view help);

  // OK: go on. CANCELLED: help was asked for, and is the message. INVALID_ARGUMENT: what is wrong.
  absl::Status Parse(const std::vector<std::string>& arguments);
  // Parses, and prints help to stdout or the problem to stderr. Returns the exit code to end with;
  // nullopt: go on.
  std::optional<int> ParseOrExit(const std::vector<std::string>& arguments);
  std::string Help() const;

 private:
  struct Parser;
  const std::unique_ptr<Parser> parser_;
};

}  // namespace homeport
