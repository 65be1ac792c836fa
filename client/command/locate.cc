#include <stdio.h>

#include <optional>

#include "client/command/client_flags.h"
#include "client/command/commands.h"
#include "client/text/describe.h"
#include "client/text/report.h"

namespace homeport {

int RunLocate(const Arguments& arguments) {
  Flags flags("locate", "Tells where an address is, what says so, and which region it prefers.",
              {"homeport locate 8.8.8.8", "homeport locate 2001:4860:4860::8888 --json",
               "homeport locate   # where the gateway thinks that you are"});
  GatewayFlags options;
  std::optional<std::string> address;
  flags.Argument("ADDRESS", &address, "An IP address; your own if not given");
  options.Declare(flags);
  if (auto code = flags.ParseOrExit(arguments)) return *code;

  auto client = options.Connect();
  if (!client.ok()) return Fail(client.status(), CallKind::kRead);
  v1::LocateRequest request;
  request.set_address(address.value_or(""));
  auto response = (*client)->Locate(request);
  if (!response.ok()) return Fail(response.status(), CallKind::kRead);
  fputs((options.json ? ToJson(*response) : DescribeLocation(*response)).c_str(), stdout);
  return kExitOk;
}

}  // namespace homeport
