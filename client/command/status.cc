#include <stdio.h>
#include <unistd.h>

#include "client/command/client_flags.h"
#include "client/command/commands.h"
#include "client/text/describe.h"
#include "client/text/report.h"
#include "client/text/text_table.h"

namespace homeport {

int RunStatus(const Arguments& arguments) {
  Flags flags("status", "Shows regions, links and lag, as one gateway sees them.",
              {"homeport status", "homeport status --gateway 127.0.0.1:7021 --json"});
  GatewayFlags options;
  options.Declare(flags);
  if (auto code = flags.ParseOrExit(arguments)) return *code;

  auto client = options.Connect();
  if (!client.ok()) return Fail(client.status(), CallKind::kRead);
  auto response = (*client)->GetStatus({});
  if (!response.ok()) return Fail(response.status(), CallKind::kRead);
  fputs((options.json ? ToJson(*response)
                      : DescribeStatus(*response, TerminalHasColours(STDOUT_FILENO)))
            .c_str(),
        stdout);
  return kExitOk;
}

}  // namespace homeport
