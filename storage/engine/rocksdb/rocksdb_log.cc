#include "storage/engine/rocksdb/rocksdb_log.h"

#include <cstdio>
#include <utility>

#include "common/log/log.h"

namespace homeport {
namespace {

// What is longer is cut off.
constexpr size_t kTextBytesMax = 1024;

}  // namespace

RocksdbLog::RocksdbLog(std::string path)
    : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL), path_(std::move(path)) {}

void RocksdbLog::Logv(const char* format, va_list arguments) {
  Logv(rocksdb::InfoLogLevel::WARN_LEVEL, format, arguments);
}

void RocksdbLog::Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) {
  // A header tells the options, at each opening.
  if (level < GetInfoLogLevel() || level == rocksdb::InfoLogLevel::HEADER_LEVEL) return;
  char text[kTextBytesMax];
  if (std::vsnprintf(text, sizeof(text), format, arguments) < 0) return;
  const bool error = level >= rocksdb::InfoLogLevel::ERROR_LEVEL;
  Log(error ? LogLevel::kError : LogLevel::kWarning, "the storage engine says",
      {{"path", path_}, {"text", text}});
}

}  // namespace homeport
