// A folder for one test's files.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace homeport {

// Made at construction, removed with its content at destruction.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = testing::TempDir() + "/homeport-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  // Writes in place. Returns the path.
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(*this / name, std::ios::trunc | std::ios::binary) << text;
    return *this / name;
  }

 private:
  std::string path_;
};

// A sound file. Line 1 is the cluster.
inline constexpr char kSoundYaml[] =
    "cluster: world\n"
    "regions:\n"
    "  - name: eu\n"
    "    country: DE\n"
    "    latitude: 50\n"
    "    longitude: 8\n"
    "    gateways: [\"127.0.0.1:7011\"]\n"
    "    replicas: [{name: a, address: \"127.0.0.1:7012\"}]\n"
    "namespaces:\n"
    "  - name: users\n";

}  // namespace homeport
