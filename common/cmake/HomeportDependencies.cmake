# What Homeport is built on, all from Debian 12's packages (deploy/packages.txt names them).
# Each external target has one short name here; a library lists the names that it may use, and
# HomeportLibrary.cmake says which ranks may use which.

find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(absl REQUIRED CONFIG)
find_package(gRPC REQUIRED CONFIG)
find_package(RocksDB REQUIRED CONFIG)
find_package(yaml-cpp REQUIRED CONFIG)
find_package(nlohmann_json REQUIRED CONFIG)
find_package(prometheus-cpp REQUIRED CONFIG)
find_package(GTest REQUIRED CONFIG)
find_package(CLI11 REQUIRED CONFIG)
find_package(PkgConfig REQUIRED)
pkg_check_modules(libmaxminddb REQUIRED IMPORTED_TARGET libmaxminddb)
pkg_check_modules(libzstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(libxxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(cpp_httplib REQUIRED IMPORTED_TARGET cpp-httplib)

set(HOMEPORT_EXTERNAL_protobuf protobuf::libprotobuf)
set(HOMEPORT_EXTERNAL_grpc gRPC::grpc++)
set(HOMEPORT_EXTERNAL_grpc_reflection gRPC::grpc++_reflection)
set(HOMEPORT_EXTERNAL_rocksdb RocksDB::rocksdb-shared)
set(HOMEPORT_EXTERNAL_maxminddb PkgConfig::libmaxminddb)
set(HOMEPORT_EXTERNAL_yaml yaml-cpp)
set(HOMEPORT_EXTERNAL_json nlohmann_json::nlohmann_json)
set(HOMEPORT_EXTERNAL_prometheus prometheus-cpp::core)
set(HOMEPORT_EXTERNAL_httplib PkgConfig::cpp_httplib)
set(HOMEPORT_EXTERNAL_cli11 CLI11::CLI11)
set(HOMEPORT_EXTERNAL_zstd PkgConfig::libzstd)
set(HOMEPORT_EXTERNAL_xxhash PkgConfig::libxxhash)
set(HOMEPORT_EXTERNAL_threads Threads::Threads)
set(HOMEPORT_EXTERNAL_gtest GTest::gmock GTest::gtest)
set(HOMEPORT_EXTERNAL_absl
    absl::any_invocable absl::base absl::btree absl::cord absl::core_headers
    absl::flat_hash_map absl::flat_hash_set absl::hash absl::inlined_vector absl::int128
    absl::random_random absl::span absl::status absl::statusor absl::strings absl::str_format
    absl::synchronization absl::time)
