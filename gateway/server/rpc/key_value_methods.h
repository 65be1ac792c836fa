// The methods of the KeyValue service.
#pragma once

#include <memory>
#include <vector>

#include "gateway/server/rpc/services.h"
#include "gateway/server/rpc/unary_call.h"

namespace homeport {

// A method, and how many of its calls wait for a request on each queue.
struct PostedMethod {
  std::unique_ptr<UnaryMethod> method;
  int posted;
};

// `service` and `shared` must outlive the methods.
std::vector<PostedMethod> MakeKeyValueMethods(KeyValueService* service, ServerShared* shared);

}  // namespace homeport
