#include "gateway/geo/forwarded.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace homeport {
namespace {

absl::string_view TrimBlanks(absl::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// A port, or an obfuscated one: 1*5DIGIT / "_" 1*(ALPHA / DIGIT / "." / "_" / "-").
bool IsPort(absl::string_view text) {
  if (text.size() >= 2 && text[0] == '_') {
    for (char c : text.substr(1)) {
      if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_' && c != '-') {
        return false;
      }
    }
    return true;
  }
  if (text.empty() || text.size() > 5) return false;
  int port = 0;
  for (char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
    port = port * 10 + (c - '0');
  }
  return port <= 65535;
}

std::optional<IpAddress> ParseAddress(absl::string_view text) {
  const auto address = IpAddress::Parse(text);
  if (!address.ok()) return std::nullopt;
  return *address;
}

bool IsTokenChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::StrContains("!#$%&'*+-.^_`|~", absl::string_view(&c, 1));
}

// Takes a value, quoted or not, from the front of `text`.
std::optional<std::string> TakeValue(absl::string_view& text) {
  std::string value;
  if (text.empty() || text.front() != '"') {
    while (!text.empty() &&
           (IsTokenChar(text.front()) || absl::StrContains(":[]", text.substr(0, 1)))) {
      value += text.front();
      text.remove_prefix(1);
    }
    if (value.empty()) return std::nullopt;
    return value;
  }
  text.remove_prefix(1);
  while (!text.empty() && text.front() != '"') {
    if (text.front() == '\\') text.remove_prefix(1);
    if (text.empty()) return std::nullopt;
    value += text.front();
    text.remove_prefix(1);
  }
  if (text.empty()) return std::nullopt;  // the quote does not end
  text.remove_prefix(1);
  return value;
}

}  // namespace

std::optional<absl::string_view> ElementsFromRight::Next() {
  if (!rest_ || TrimBlanks(*rest_).empty()) return std::nullopt;
  const absl::string_view text = *rest_;
  bool quoted = false;
  for (size_t at = text.size(); at > 0; --at) {
    const char c = text[at - 1];
    if (c == '"') {
      // Inside a quoted string an odd number of backslashes before a quote makes it text.
      size_t backslashes = 0;
      while (backslashes < at - 1 && text[at - 2 - backslashes] == '\\') ++backslashes;
      if (!quoted || backslashes % 2 == 0) quoted = !quoted;
    } else if (c == ',' && !quoted) {
      rest_ = text.substr(0, at - 1);
      return TrimBlanks(text.substr(at));
    }
  }
  rest_.reset();
  return TrimBlanks(text);
}

std::optional<IpAddress> ParseForwardedForElement(absl::string_view element) {
  if (!element.empty() && element.front() == '[') {
    const size_t end = element.find(']');
    if (end == absl::string_view::npos) return std::nullopt;
    const absl::string_view inside = element.substr(1, end - 1);
    const absl::string_view port = element.substr(end + 1);
    if (!port.empty() && (port[0] != ':' || !IsPort(port.substr(1)))) return std::nullopt;
    if (!absl::StrContains(inside, ':')) return std::nullopt;
    return ParseAddress(inside);
  }
  const size_t colon = element.find(':');
  if (colon != absl::string_view::npos && element.find(':', colon + 1) == absl::string_view::npos) {
    if (!IsPort(element.substr(colon + 1))) return std::nullopt;
    return ParseAddress(element.substr(0, colon));
  }
  return ParseAddress(element);
}

std::optional<IpAddress> ParseForwardedElement(absl::string_view element) {
  std::optional<std::string> node;
  while (true) {
    element = TrimBlanks(element);
    size_t name_size = 0;
    while (name_size < element.size() && IsTokenChar(element[name_size])) ++name_size;
    if (name_size == 0 || name_size == element.size() || element[name_size] != '=') {
      return std::nullopt;
    }
    const absl::string_view name = element.substr(0, name_size);
    element.remove_prefix(name_size + 1);
    std::optional<std::string> value = TakeValue(element);
    if (!value) return std::nullopt;
    if (absl::EqualsIgnoreCase(name, "for")) {
      if (node) return std::nullopt;
      node = std::move(value);
    }
    element = TrimBlanks(element);
    if (element.empty()) break;
    if (element.front() != ';') return std::nullopt;
    element.remove_prefix(1);
    if (TrimBlanks(element).empty()) break;  // a semicolon at the end
  }
  if (!node) return std::nullopt;
  return ParseForwardedForElement(*node);
}

}  // namespace homeport
