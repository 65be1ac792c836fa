#include "tests/sim/coverage.h"

namespace homeport::sim {
namespace {

constexpr const char* kNames[] = {
#define HOMEPORT_SIM_PATH(name, what) #name,
    HOMEPORT_SIM_PATHS(HOMEPORT_SIM_PATH)
#undef HOMEPORT_SIM_PATH
};
constexpr const char* kTexts[] = {
#define HOMEPORT_SIM_PATH(name, what) what,
    HOMEPORT_SIM_PATHS(HOMEPORT_SIM_PATH)
#undef HOMEPORT_SIM_PATH
};

}  // namespace

const char* PathName(int path) { return kNames[path]; }
const char* PathText(int path) { return kTexts[path]; }

}  // namespace homeport::sim
