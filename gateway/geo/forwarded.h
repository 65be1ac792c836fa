// Hops in the headers that proxies add.
#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "common/net/ip_address.h"

namespace homeport {

// The elements of a comma-separated header value, from the last one to the first.
//
// From the right, because proxies append: the right-most elements are theirs and well-formed, and
// what a client forged, such as a quote that never ends, stands to their left and can not reach
// them. For a well-formed value the elements are those that reading from the left gives.
class ElementsFromRight {
 public:
  explicit ElementsFromRight(absl::string_view value) : rest_(value) {}
  // The next element to the left without surrounding blanks, maybe empty; nullopt after the
  // left-most one, and for a value that is empty or blank.
  std::optional<absl::string_view> Next();

 private:
  std::optional<absl::string_view> rest_;
};

// The address of an x-forwarded-for element: "192.0.2.1", "192.0.2.1:80", "2001:db8::1",
// "[2001:db8::1]" or "[2001:db8::1]:80". nullopt for all else.
std::optional<IpAddress> ParseForwardedForElement(absl::string_view element);

// The address of the one `for` of a `forwarded` element (RFC 7239), `for="[2001:db8::1]:4711";
// proto=http`. Names in any case; quoted strings with escapes; unquoted addresses with colons and
// brackets are taken too, as many proxies write them. nullopt if there is no `for` or more than
// one, if it is "unknown" or obfuscated ("_x"), and for a malformed element.
std::optional<IpAddress> ParseForwardedElement(absl::string_view element);

}  // namespace homeport
