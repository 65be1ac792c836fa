// RocksDB's warnings and errors, as lines of the process' own log.
#pragma once

#include <cstdarg>
#include <string>

#include "rocksdb/env.h"

namespace homeport {

// Takes the place of RocksDB's LOG file, which goes on with a file whose append has failed, as on a
// full disk: an assertion of its own ends the process there. Thread-safe.
class RocksdbLog final : public rocksdb::Logger {
 public:
  // `path`: the store's, to be told in each line.
  explicit RocksdbLog(std::string path);
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override;
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override;

 private:
  const std::string path_;
};

}  // namespace homeport
