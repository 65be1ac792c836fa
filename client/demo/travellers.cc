#include "client/demo/travellers.h"

#include "common/topology/topology.h"

namespace homeport {

const std::vector<Traveller>& Travellers() {
  static const auto ms = [](int n) { return absl::Milliseconds(n); };
  static const auto* const travellers = new std::vector<Traveller>{
      {"18.7.22.69", "US", "Cambridge MA", 42.36, -71.09, ms(5), "us-east-1", ""},
      {"142.150.210.13", "CA", "Toronto", 43.66, -79.39, ms(8), "us-east-1", ""},
      {"132.248.10.44", "MX", "Mexico City", 19.33, -99.18, ms(25), "us-east-1", ""},
      {"143.107.254.11", "BR", "Sao Paulo", -23.56, -46.73, ms(6), "sa-east-1", ""},
      {"157.92.4.5", "AR", "Buenos Aires", -34.60, -58.38, ms(40), "sa-east-1", ""},
      {"200.89.76.36", "CL", "Santiago", -33.45, -70.66, ms(20), "sa-east-1", ""},
      {"130.149.7.201", "DE", "Berlin", 52.51, 13.33, ms(4), "eu-central-1", ""},
      {"129.67.242.154", "GB", "Oxford", 51.75, -1.26, ms(6), "eu-central-1", ""},
      {"130.237.28.40", "SE", "Stockholm", 59.35, 18.07, ms(3), "eu-central-1", ""},
      {"197.136.137.1", "KE", "Nairobi", -1.28, 36.82, ms(50), "eu-central-1", ""},
      {"133.11.114.194", "JP", "Tokyo", 35.71, 139.76, ms(3), "ap-northeast-1", ""},
      {"143.248.5.153", "KR", "Daejeon", 36.37, 127.36, ms(3), "ap-northeast-1", ""},
      {"202.28.199.1", "TH", "Bangkok", 13.74, 100.53, ms(30), "ap-northeast-1", ""},
      {"128.250.20.3", "AU", "Melbourne", -37.80, 144.96, ms(9), "ap-southeast-2", ""},
      {"130.216.158.22", "NZ", "Auckland", -36.85, 174.77, ms(10), "ap-southeast-2", ""},
      // Whose way leads through a gateway far from them.
      {"143.107.254.11", "BR", "Sao Paulo", -23.56, -46.73, ms(6), "sa-east-1", "eu-central-1"},
      {"130.149.7.201", "DE", "Berlin", 52.51, 13.33, ms(4), "eu-central-1", "us-east-1"},
      {"133.11.114.194", "JP", "Tokyo", 35.71, 139.76, ms(3), "ap-northeast-1", "us-east-1"},
      {"128.250.20.3", "AU", "Melbourne", -37.80, 144.96, ms(9), "ap-southeast-2", "eu-central-1"},
  };
  return *travellers;
}

absl::Duration RoundTripTo(const Traveller& traveller, double latitude, double longitude) {
  const double km =
      DistanceKm({traveller.latitude, traveller.longitude}, GeoPoint{latitude, longitude});
  return traveller.last_mile + absl::Milliseconds(3.5) + absl::Milliseconds(1.7) * (km / 100);
}

}  // namespace homeport
