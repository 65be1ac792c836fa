#include "gateway/geo/countries.h"

#include <array>
#include <cstdint>
#include <vector>

#include "common/base/check.h"

namespace homeport {
namespace {

struct CodeAndPoint {
  const char* code;
  double latitude, longitude;
};

constexpr CodeAndPoint kPoints[] = {
// Made from country_points.csv by the build: {"AW", 12.51, -69.99}, and so on.
#include "country_points.inc"
};

// The continents' countries, as GeoNames assigns them.
struct ContinentAndCountries {
  const char* continent;
  absl::string_view countries;
};

constexpr ContinentAndCountries kContinents[] = {
    {"AF",
     "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW KE KM LR LS LY MA MG ML "
     "MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW"},
    {"AN", "AQ BV GS HM TF"},
    {"AS",
     "AE AF AM AZ BD BH BN BT CC CN GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN "
     "MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TM TR TW UZ VN YE"},
    {"EU",
     "AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT "
     "LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK"},
    {"NA",
     "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI PA "
     "PM PR SV SX TC TT US VC VG VI"},
    {"OC", "AS AU CK CX FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TL TO TV UM VU WF WS"},
    {"SA", "AR BO BR CL CO EC FK GF GY PE PY SR UY VE"},
};

constexpr int kLetters = 26;

// The place of a code in the table, or -1 if it is not two letters.
int Slot(absl::string_view code) {
  if (code.size() != 2) return -1;
  int slot = 0;
  for (char c : code) {
    const int letter = (c | 0x20) - 'a';
    if (letter < 0 || letter >= kLetters) return -1;
    slot = slot * kLetters + letter;
  }
  return slot;
}

struct CountryTable {
  std::array<int16_t, kLetters * kLetters> index;
  std::vector<Country> countries;

  CountryTable() {
    index.fill(-1);
    for (const CodeAndPoint& from : kPoints) {
      const int slot = Slot(from.code);
      HP_CHECK(slot >= 0 && index[static_cast<size_t>(slot)] < 0);
      index[static_cast<size_t>(slot)] = static_cast<int16_t>(countries.size());
      countries.push_back({{from.code[0], from.code[1], 0}, {}, {from.latitude, from.longitude}});
    }
    for (const ContinentAndCountries& continent : kContinents) {
      for (size_t at = 0; at < continent.countries.size(); at += 3) {
        const int slot = Slot(continent.countries.substr(at, 2));
        HP_CHECK(slot >= 0 && index[static_cast<size_t>(slot)] >= 0);
        Country& country = countries[static_cast<size_t>(index[static_cast<size_t>(slot)])];
        HP_CHECK(country.continent[0] == 0);
        country.continent[0] = continent.continent[0];
        country.continent[1] = continent.continent[1];
      }
    }
    for (const Country& country : countries) HP_CHECK(country.continent[0] != 0);
  }
};

}  // namespace

const Country* FindCountry(absl::string_view code) {
  static const CountryTable* const table = new CountryTable;
  const int slot = Slot(code);
  if (slot < 0) return nullptr;
  const int16_t at = table->index[static_cast<size_t>(slot)];
  return at < 0 ? nullptr : &table->countries[static_cast<size_t>(at)];
}

}  // namespace homeport
