#include "common/topology/country_codes.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace homeport {
namespace {

// Two letters each, in order.
constexpr absl::string_view kCountries =
    "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCM"
    "CNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGY"
    "HKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMF"
    "MGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARE"
    "RORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZ"
    "VAVCVEVGVIVNVUWFWSXKYEYTZAZMZW";
constexpr absl::string_view kContinents = "AFANASEUNAOCSA";

bool HasCode(absl::string_view codes, absl::string_view code) {
  if (code.size() != 2) return false;
  for (size_t at = 0; at < codes.size(); at += 2) {
    if (codes.substr(at, 2) == code) return true;
  }
  return false;
}

}  // namespace

bool IsCountryCode(absl::string_view code) { return HasCode(kCountries, code); }

bool IsContinentCode(absl::string_view code) { return HasCode(kContinents, code); }

bool IsSubdivisionCode(absl::string_view code) {
  if (code.size() < 4 || code.size() > 6 || code[2] != '-') return false;
  const absl::string_view part = code.substr(3);
  return IsCountryCode(code.substr(0, 2)) && std::all_of(part.begin(), part.end(), [](char c) {
           return absl::ascii_isupper(c) || absl::ascii_isdigit(c);
         });
}

}  // namespace homeport
