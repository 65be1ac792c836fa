// The countries that a topology may name.
#pragma once

#include "absl/strings/string_view.h"

namespace homeport {

// True for an officially assigned ISO 3166-1 alpha-2 code, in upper case, and for XK (Kosovo),
// which geolocation databases use.
bool IsCountryCode(absl::string_view code);

// True for AF, AN, AS, EU, NA, OC and SA, as geolocation databases write continents.
bool IsContinentCode(absl::string_view code);

// True for the form of ISO 3166-2: a country code, '-', and one to three of [A-Z0-9].
bool IsSubdivisionCode(absl::string_view code);

}  // namespace homeport
