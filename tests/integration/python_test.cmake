# homeport_python_test(<name> SCRIPT <file> [ARGUMENTS ...] [TIMEOUT <seconds>] [LABELS ...])
#   Registers a Python test of the program with CTest. It runs with Debian's python3 and grpcio, the
#   stubs of the published protos, and the quick start's GeoIP database.
function(homeport_python_test name)
  cmake_parse_arguments(ARG "" "SCRIPT;TIMEOUT" "ARGUMENTS;LABELS" ${ARGN})
  add_test(NAME ${name} COMMAND "${HOMEPORT_PYTHON}" -B "${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SCRIPT}"
           ${ARG_ARGUMENTS})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS integration)
  endif()
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}" FIXTURES_REQUIRED python_stubs
    # A part that this machine can not run is shown as skipped, never counted as passed.
    SKIP_REGULAR_EXPRESSION "OK .skipped="
    ENVIRONMENT "HOMEPORT_PROGRAM=$<TARGET_FILE:homeport>;HOMEPORT_STUBS=${CMAKE_BINARY_DIR}/python_stubs;HOMEPORT_GEOIP_DATABASE=${CMAKE_BINARY_DIR}/geoip/dbip-country.mmdb;HOMEPORT_REPOSITORY=${CMAKE_SOURCE_DIR};HOMEPORT_BUILD=${CMAKE_BINARY_DIR}")
endfunction()
