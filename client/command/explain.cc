#include <stdio.h>
#include <unistd.h>

#include <optional>

#include "client/command/client_flags.h"
#include "client/command/commands.h"
#include "client/text/describe.h"
#include "client/text/report.h"
#include "client/text/text_table.h"

namespace homeport {

int RunExplain(const Arguments& arguments) {
  Flags flags("explain",
              "Tells where a request would go: every replica with its distance, its round trip, "
              "and why it is taken or not. Nothing is sent to any replica.",
              {"homeport explain 200.160.2.3", "homeport explain 133.11.114.194 --write",
               "homeport explain 8.8.8.8 --region gateway --json"});
  GatewayFlags options;
  std::optional<std::string> address;
  std::string name_space = "demo";
  std::string region;
  bool write = false;
  bool local_only = false;
  flags.Argument("ADDRESS", &address, "The client's IP address; your own if not given");
  flags.String("--namespace", &name_space, "The namespace", "HOMEPORT_NAMESPACE");
  flags.Switch("--write", &write, "A write; a read if not given");
  flags.Switch("--local-only", &local_only, "With the option of this name");
  flags.Choice("--region", &region, {"client", "gateway", "fastest"},
               "Who chooses the region: the client's place, this gateway, or who answers first");
  options.Declare(flags);
  if (auto code = flags.ParseOrExit(arguments)) return *code;

  auto client = options.Connect();
  if (!client.ok()) return Fail(client.status(), CallKind::kRead);
  v1::ExplainRouteRequest request;
  request.set_address(address.value_or(""));
  request.set_namespace_(name_space);
  request.set_operation(write ? v1::OPERATION_WRITE : v1::OPERATION_READ);
  request.set_local_only(local_only);
  if (region == "client") request.set_region_choice(v1::REGION_CHOICE_CLIENT);
  if (region == "gateway") request.set_region_choice(v1::REGION_CHOICE_GATEWAY);
  if (region == "fastest") request.set_region_choice(v1::REGION_CHOICE_FASTEST);
  auto response = (*client)->ExplainRoute(request);
  if (!response.ok()) return Fail(response.status(), CallKind::kRead);
  fputs((options.json ? ToJson(*response)
                      : DescribeRoute(*response, TerminalHasColours(STDOUT_FILENO)))
            .c_str(),
        stdout);
  return kExitOk;
}

}  // namespace homeport
