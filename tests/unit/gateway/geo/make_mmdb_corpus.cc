// Writes the corpus of the fuzz target of MMDB files: small databases of every form, and of each,
// one that is cut off.
#include <cstdio>
#include <string>

#include "tests/unit/gateway/geo/mmdb_writer.h"

int main(int argc, char** argv) {
  using namespace homeport::testing;
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_make_mmdb_corpus DIRECTORY\n");
    return 2;
  }
  for (const int bits : {24, 28, 32}) {
    for (const int version : {4, 6}) {
      MmdbWriter writer(version, bits);
      writer.Insert("81.2.69.0/24", FlatCountry("GB"));
      writer.Insert("128.0.0.0/2", NestedCity("US", "NA", "CA", "San Jose", 37.3, -121.9));
      if (version == 6) writer.Insert("2a02::/16", FlatCountry("DE"));
      const std::string path =
          std::string(argv[1]) + "/v" + std::to_string(version) + "-" + std::to_string(bits);
      const std::string file = writer.Build();
      WriteFile(path, file);
      WriteFile(path + "-cut", file.substr(0, file.size() * 2 / 3));
    }
  }
  return 0;
}
