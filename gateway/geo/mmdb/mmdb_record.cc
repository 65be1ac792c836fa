#include "gateway/geo/mmdb/mmdb_record.h"

#include <cmath>
#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/geo/countries.h"

namespace homeport {
namespace {

constexpr double kLatitudeMax = 90;
constexpr double kLongitudeMax = 180;
constexpr size_t kSubdivisionBytesMax = 3;  // ISO 3166-2

using Path = absl::Span<const MmdbStep>;

bool Is(Path path, absl::string_view key) { return path.size() == 1 && path[0].key == key; }
bool Is(Path path, absl::string_view outer, absl::string_view inner) {
  return path.size() == 2 && path[1].key == inner && path[0].key == outer;
}

absl::Status FieldDamaged(absl::string_view field, absl::string_view problem) {
  return absl::DataLossError(absl::StrCat(field, ": ", problem));
}

bool IsContinent(absl::string_view code) {
  for (absl::string_view known : {"AF", "AN", "AS", "EU", "NA", "OC", "SA"}) {
    if (code == known) return true;
  }
  return false;
}

bool IsSubdivision(absl::string_view code) {
  if (code.empty() || code.size() > kSubdivisionBytesMax) return false;
  for (char c : code) {
    const auto byte = static_cast<unsigned char>(c);
    if (!absl::ascii_isupper(byte) && !absl::ascii_isdigit(byte)) return false;
  }
  return true;
}

class PlaceReader : public MmdbVisitor {
 public:
  explicit PlaceReader(Place& place) : place_(place) {}

  absl::Status OnScalar(Path path, const MmdbScalar& scalar) override {
    switch (scalar.type) {
      case MmdbScalar::Type::kText:
        return OnText(path, scalar.text);
      case MmdbScalar::Type::kNumber:
        return OnNumber(path, scalar.number);
      case MmdbScalar::Type::kUnsigned:
        OnUnsigned(path, scalar.unsigned_value);
        return absl::OkStatus();
      default:
        return absl::OkStatus();
    }
  }

  absl::Status Finish() {
    if (place_.country.empty()) place_.country = registered_country_;
    const bool coarse = radius_km_ >= kCoarseRadiusKm && place_.city.empty();
    if (latitude_.has_value() != longitude_.has_value()) {
      return FieldDamaged("coordinates", "latitude or longitude alone");
    }
    if (latitude_ && !coarse) place_.point = GeoPoint{*latitude_, *longitude_};
    return absl::OkStatus();
  }

 private:
  absl::Status OnText(Path path, absl::string_view text) {
    if (Is(path, "country", "iso_code") || Is(path, "country_code") || Is(path, "country")) {
      SetCountry(text, place_.country);
    } else if (Is(path, "registered_country", "iso_code")) {
      SetCountry(text, registered_country_);
    } else if (Is(path, "continent", "code") || Is(path, "continent_code") ||
               Is(path, "continent")) {
      if (IsContinent(text)) place_.continent = std::string(text);
    } else if (Is(path, "state1") || (path.size() == 3 && path[0].key == "subdivisions" &&
                                      path[1].index == 0 && path[2].key == "iso_code")) {
      if (IsSubdivision(text)) place_.subdivision = std::string(text);
    } else if (Is(path, "city") || (path.size() == 3 && path[0].key == "city" &&
                                    path[1].key == "names" && path[2].key == "en")) {
      if (!IsUtf8(text)) return FieldDamaged("city", "not UTF-8");
      if (text.size() <= kNameBytesMax) place_.city = std::string(text);
    }
    return absl::OkStatus();
  }

  absl::Status OnNumber(Path path, double number) {
    if (Is(path, "latitude") || Is(path, "location", "latitude")) {
      if (!(std::abs(number) <= kLatitudeMax)) return FieldDamaged("latitude", "not -90 to 90");
      latitude_ = number;
    } else if (Is(path, "longitude") || Is(path, "location", "longitude")) {
      if (!(std::abs(number) <= kLongitudeMax)) {
        return FieldDamaged("longitude", "not -180 to 180");
      }
      longitude_ = number;
    }
    return absl::OkStatus();
  }

  void OnUnsigned(Path path, uint64_t number) {
    if (Is(path, "autonomous_system_number") || Is(path, "traits", "autonomous_system_number")) {
      if (number <= std::numeric_limits<uint32_t>::max()) {
        place_.asn = static_cast<uint32_t>(number);
      }
    } else if (Is(path, "location", "accuracy_radius")) {
      radius_km_ = number;
    }
  }

  static void SetCountry(absl::string_view code, std::string& to) {
    if (const Country* country = FindCountry(code)) to.assign(country->code, 2);
  }

  Place& place_;
  std::string registered_country_;
  std::optional<double> latitude_, longitude_;
  uint64_t radius_km_ = 0;
};

}  // namespace

absl::Status DecodePlace(const MmdbDecoder& data, size_t offset, Place& place, uint64_t* elements) {
  absl::Status status;
  if (!data.IsMap(offset)) {
    status = absl::DataLossError("not a map");
  } else {
    PlaceReader reader(place);
    status = data.Decode(offset, reader, elements);
    if (status.ok()) status = reader.Finish();
  }
  if (status.ok()) return status;
  return absl::DataLossError(absl::StrCat("the record at ", offset, ": ", status.message()));
}

bool KnowsAnything(const Place& place) {
  return !place.country.empty() || !place.continent.empty() || !place.subdivision.empty() ||
         !place.city.empty() || place.point || place.asn != 0;
}

void AddKnown(const Place& known, Place& place) {
  if (place.asn == 0) place.asn = known.asn;
  if (!place.country.empty() && !known.country.empty() && place.country != known.country) return;
  if (place.country.empty()) place.country = known.country;
  if (place.continent.empty()) place.continent = known.continent;
  if (place.subdivision.empty()) place.subdivision = known.subdivision;
  if (place.city.empty()) place.city = known.city;
  if (!place.point) place.point = known.point;
}

}  // namespace homeport
