#include "client/node/library_logs.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/log/log.h"

namespace homeport {
namespace {

void Forward(LogLevel level, absl::string_view library, absl::string_view file, int line,
             absl::string_view message) {
  Log(level, "library message",
      {{"library", library}, {"source", absl::StrCat(file, ":", line)}, {"message", message}});
}

void FromGrpc(gpr_log_func_args* args) {
  if (args->severity != GPR_LOG_SEVERITY_ERROR) return;
  Forward(LogLevel::kWarning, "grpc", args->file, args->line, args->message);
}

void FromProtobuf(google::protobuf::LogLevel level, const char* file, int line,
                  const std::string& message) {
  if (level == google::protobuf::LOGLEVEL_INFO) return;
  // After a fatal message the library ends the process.
  const bool fatal = level == google::protobuf::LOGLEVEL_FATAL;
  Forward(fatal ? LogLevel::kError : LogLevel::kWarning, "protobuf", file, line, message);
}

}  // namespace

void RouteLibraryLogs() {
  gpr_set_log_function(&FromGrpc);
  google::protobuf::SetLogHandler(&FromProtobuf);
}

}  // namespace homeport
