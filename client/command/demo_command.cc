#include <stdio.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/command/client_flags.h"
#include "client/command/commands.h"
#include "client/demo/demo.h"
#include "client/text/describe.h"
#include "client/text/text_table.h"

namespace homeport {

int RunDemoCommand(const Arguments& arguments) {
  Flags flags("demo",
              "Runs five regions on this machine with real distances between them, routes requests "
              "of real addresses, cuts links, kills a region, and compares what all of them hold. "
              "Ends with 1 if anything that it claims is not so.",
              {"homeport demo", "homeport demo --keep   # and talk to it from another terminal"});
  DemoOptions options;
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  options.program = program.string();
  options.database = (program.parent_path() / "geoip" / "dbip-country.mmdb").string();
  std::string round_trips_file;
  flags.Switch("--keep", &options.keep, "Leave it running until Ctrl-C, and keep its files");
  flags.String("--database", &options.database, "The GeoIP country database (MMDB)");
  flags.String("--round-trips", &round_trips_file,
               "Other round trips, as deploy/round_trips.csv has them");
  if (auto code = flags.ParseOrExit(arguments)) return *code;

  if (!round_trips_file.empty()) {
    std::stringstream text;
    text << std::ifstream(round_trips_file).rdbuf();
    auto table = RoundTrips::Parse(text.str());
    if (!table.ok()) {
      fprintf(stderr, "homeport demo: %s: %s\n", round_trips_file.c_str(),
              std::string(table.status().message()).c_str());
      return kExitRefused;
    }
    options.round_trips = *std::move(table);
  }
  options.colours = TerminalHasColours(STDOUT_FILENO);
  auto held = RunDemo(options);
  if (held.ok()) return *held ? kExitOk : kExitFalse;
  if (held.status().code() == absl::StatusCode::kCancelled) {
    fputs("\ninterrupted; everything is stopped\n", stderr);
    return kExitInterrupted;
  }
  return Fail(held.status(), CallKind::kRead);
}

}  // namespace homeport
