# One library per folder, and the layers between them.
#
# homeport_library(<folder> RANK <rank> [MUTANTS] [SOURCES ...] [DEPS <folder> ...] [EXTERNAL <name> ...])
#   Declares the library of a folder, named by its path ("gateway/geo" is target homeport_gateway_geo,
#   alias homeport::gateway/geo). DEPS are folders of other libraries, EXTERNAL are short names of
#   HomeportDependencies.cmake. Without SOURCES it is a library of headers. MUTANTS: there is a second
#   build of it, with planted bugs, for programs that are declared with MUTANTS.
# homeport_test(<name> [CONCURRENT] SOURCES ... DEPS ... [EXTERNAL ...] [LABELS ...] [TIMEOUT s])
#   Declares a GoogleTest program and registers it with CTest, as `unit` unless LABELS says else.
#   CONCURRENT: code that threads share runs in it. It has the label `concurrent` and is built by the
#   target homeport_concurrent_tests: what the thread sanitizer is for. Not for code whose threads
#   meet inside gRPC: Debian's is built without the sanitizer, which then sees no order between a
#   call's start and its completion, and takes each for a race. (tests/tsan does it for absl.)
#
# How the layers hold:
# - A folder's headers are found only through the library that has declared it: every library has an
#   include directory of its own in the build tree with nothing but a link to its folder.
# - A library may depend on its own rank and those before it; `gateway` and `storage` never on each
#   other. This fails at configure time.
# - Ranks of the core may not use external libraries that do I/O. This fails at configure time.
# - What a compiler cannot refuse, because it is in /usr/include or in a folder below a declared one,
#   tests/layers/check_layers.py refuses: it reads every include, and runs in every full build.
# - A library links by itself: `<target>_links` is a program of nothing but the whole library and what
#   it declared. A symbol from elsewhere is undefined there.
# - A *_test.cc that no homeport_test lists stops the configure step.
#
# tests/layers shows for each of these that it fails.

set(HOMEPORT_CHECK_LAYERS "${CMAKE_CURRENT_LIST_DIR}/../../tests/layers/check_layers.py")
# Debian's own: whatever else is called python3 on a machine may lack what its packages bring.
find_program(HOMEPORT_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
option(HOMEPORT_LINK_CHECK "Links every library by itself, to find undeclared dependencies" ON)

set(HOMEPORT_UNREGISTERED_TEST FATAL_ERROR CACHE STRING
    "What a *_test.cc in no homeport_test is: FATAL_ERROR, or WARNING while tests are being written")

set(HOMEPORT_RANKS proto common model replication dispatch adapter server client main)
# Ranks that are core: what decides, without I/O.
set(HOMEPORT_CORE_RANKS proto common model replication dispatch)
# What core libraries may use from outside.
set(HOMEPORT_CORE_EXTERNALS protobuf absl xxhash json zstd)

set_property(GLOBAL PROPERTY HOMEPORT_LIBRARIES "")
set_property(GLOBAL PROPERTY HOMEPORT_TEST_SOURCES "")
# Lines for check_layers.py: kind|name|folder|rank|core or edge|dependencies|externals|sources,
# with commas inside a column.
set_property(GLOBAL PROPERTY HOMEPORT_UNITS "")

function(homeport_target_name folder out)
  string(REPLACE "/" "_" name "homeport_${folder}")
  set(${out} "${name}" PARENT_SCOPE)
endfunction()

# Where a program of no code of its own comes from, for the link checks.
set(HOMEPORT_EMPTY_MAIN "${CMAKE_BINARY_DIR}/generated/empty_main.cc")
file(CONFIGURE OUTPUT "${HOMEPORT_EMPTY_MAIN}" CONTENT "int main() { return 0; }\n" @ONLY)

# Notes a target for check_layers.py. `sources` are absolute paths.
function(homeport_unit kind name folder rank deps externals sources)
  if(rank IN_LIST HOMEPORT_CORE_RANKS)
    set(core core)
  else()
    set(core edge)
  endif()
  foreach(column IN ITEMS deps externals sources)
    list(JOIN ${column} "," ${column})
  endforeach()
  set_property(GLOBAL APPEND_STRING PROPERTY HOMEPORT_UNITS
               "${kind}|${name}|${folder}|${rank}|${core}|${deps}|${externals}|${sources}\n")
endfunction()

# Makes `folder`'s headers visible to those that link `target`.
function(homeport_include_tree target folder scope)
  set(tree "${CMAKE_BINARY_DIR}/include/${target}")
  get_filename_component(parent "${tree}/${folder}" DIRECTORY)
  file(MAKE_DIRECTORY "${parent}")
  file(CREATE_LINK "${CMAKE_SOURCE_DIR}/${folder}" "${tree}/${folder}" SYMBOLIC)
  target_include_directories(${target} ${scope} "${tree}")
endfunction()

# With MUTANTS: of a dependency that has such a library, that one.
function(homeport_link target scope deps externals)
  foreach(dep IN LISTS deps)
    homeport_target_name("${dep}" dep_target)
    if("MUTANTS" IN_LIST ARGN AND TARGET ${dep_target}_mutants)
      set(dep_target ${dep_target}_mutants)
    endif()
    target_link_libraries(${target} ${scope} ${dep_target})
  endforeach()
  foreach(external IN LISTS externals)
    if(NOT DEFINED HOMEPORT_EXTERNAL_${external})
      message(FATAL_ERROR "${target}: no external library is called '${external}'")
    endif()
    target_link_libraries(${target} ${scope} ${HOMEPORT_EXTERNAL_${external}})
  endforeach()
endfunction()

# The same library once more, with the planted bugs of common/base/mutants.h. Built only for the
# programs that ask for it; the layers are those of the library itself.
function(homeport_mutant_library target folder sources deps externals)
  add_library(${target}_mutants STATIC EXCLUDE_FROM_ALL ${sources})
  target_compile_options(${target}_mutants PRIVATE ${HOMEPORT_WARNINGS})
  target_compile_definitions(${target}_mutants PUBLIC HOMEPORT_MUTANTS)
  homeport_include_tree(${target}_mutants "${folder}" PUBLIC)
  homeport_link(${target}_mutants PUBLIC "${deps}" "${externals}" MUTANTS)
endfunction()

function(homeport_library folder)
  cmake_parse_arguments(ARG "MUTANTS" "RANK" "SOURCES;DEPS;EXTERNAL" ${ARGN})
  list(FIND HOMEPORT_RANKS "${ARG_RANK}" rank)
  if(rank EQUAL -1)
    message(FATAL_ERROR "${folder}: '${ARG_RANK}' is not a rank; the ranks are ${HOMEPORT_RANKS}")
  endif()
  homeport_target_name("${folder}" target)
  list(TRANSFORM ARG_SOURCES PREPEND "${CMAKE_SOURCE_DIR}/${folder}/")
  if(ARG_SOURCES)
    set(scope PUBLIC)
    add_library(${target} STATIC ${ARG_SOURCES})
    target_compile_options(${target} PRIVATE ${HOMEPORT_WARNINGS})
  else()
    set(scope INTERFACE)
    add_library(${target} INTERFACE)
  endif()
  homeport_include_tree(${target} "${folder}" ${scope})
  if(ARG_RANK IN_LIST HOMEPORT_CORE_RANKS)
    foreach(external IN LISTS ARG_EXTERNAL)
      if(NOT external IN_LIST HOMEPORT_CORE_EXTERNALS)
        message(FATAL_ERROR "layers: ${folder} (rank ${ARG_RANK}) decides and may not use ${external}; "
                            "put what needs it into an adapter")
      endif()
    endforeach()
  endif()
  homeport_link(${target} ${scope} "${ARG_DEPS}" "${ARG_EXTERNAL}")
  homeport_unit(library ${target} "${folder}" "${ARG_RANK}" "${ARG_DEPS}" "${ARG_EXTERNAL}"
                "${ARG_SOURCES}")
  if(ARG_SOURCES AND HOMEPORT_LINK_CHECK)
    add_executable(${target}_links "${HOMEPORT_EMPTY_MAIN}")
    target_link_libraries(${target}_links PRIVATE "$<LINK_LIBRARY:WHOLE_ARCHIVE,${target}>")
    # Nobody runs or debugs it, and there is one for every library.
    target_link_options(${target}_links PRIVATE -Wl,--strip-debug)
  endif()
  if(ARG_MUTANTS)
    homeport_mutant_library(${target} "${folder}" "${ARG_SOURCES}" "${ARG_DEPS}" "${ARG_EXTERNAL}")
  endif()
  set_property(GLOBAL APPEND PROPERTY HOMEPORT_LIBRARIES "${folder}")
  set_property(GLOBAL PROPERTY "HOMEPORT_RANK_${folder}" "${ARG_RANK}")
  set_property(GLOBAL PROPERTY "HOMEPORT_DEPS_${folder}" "${ARG_DEPS}")
endfunction()

# An executable that is shipped or that tests run; it is in bin/ of the build folder.
function(homeport_program name folder)
  cmake_parse_arguments(ARG "MUTANTS" "" "SOURCES;DEPS;EXTERNAL" ${ARGN})
  list(TRANSFORM ARG_SOURCES PREPEND "${CMAKE_SOURCE_DIR}/${folder}/")
  add_executable(${name} ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${HOMEPORT_WARNINGS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
  homeport_include_tree(${name} "${folder}" PRIVATE)
  if(ARG_MUTANTS)
    homeport_link(${name} PRIVATE "${ARG_DEPS}" "${ARG_EXTERNAL}" MUTANTS)
  else()
    homeport_link(${name} PRIVATE "${ARG_DEPS}" "${ARG_EXTERNAL}")
  endif()
  homeport_unit(program ${name} "${folder}" main "${ARG_DEPS}" "${ARG_EXTERNAL}" "${ARG_SOURCES}")
endfunction()

# Every test program, and some of them; neither builds the programs that are shipped.
add_custom_target(homeport_tests)
add_custom_target(homeport_concurrent_tests)

function(homeport_test name)
  cmake_parse_arguments(ARG "CONCURRENT" "TIMEOUT" "SOURCES;DEPS;EXTERNAL;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${HOMEPORT_WARNINGS})
  if(CMAKE_BUILD_TYPE STREQUAL RelWithDebInfo)
    # What is tested is optimized. Its tests are not: that is a quarter to a half of their compile time.
    target_compile_options(${name} PRIVATE -O0)
  endif()
  list(APPEND ARG_EXTERNAL gtest)
  file(RELATIVE_PATH folder "${CMAKE_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  homeport_include_tree(${name} "${folder}" PRIVATE)
  foreach(source IN LISTS ARG_SOURCES)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE)
    list(APPEND sources "${source}")
  endforeach()
  set_property(GLOBAL APPEND PROPERTY HOMEPORT_TEST_SOURCES "${sources}")
  homeport_unit(test ${name} "${folder}" main "${ARG_DEPS}" "${ARG_EXTERNAL}" "${sources}")
  homeport_link(${name} PRIVATE "${ARG_DEPS}" "${ARG_EXTERNAL}")
  target_link_libraries(${name} PRIVATE GTest::gmock_main)
  if(TARGET homeport_tsan)
    target_link_libraries(${name} PRIVATE homeport_tsan)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_dependencies(homeport_tests ${name})
  if(ARG_CONCURRENT)
    list(APPEND ARG_LABELS concurrent)
    add_dependencies(homeport_concurrent_tests ${name})
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()

# Checks the declared dependencies; call once, after every library is declared.
function(homeport_check_layers)
  get_property(folders GLOBAL PROPERTY HOMEPORT_LIBRARIES)
  foreach(folder IN LISTS folders)
    get_property(rank_name GLOBAL PROPERTY "HOMEPORT_RANK_${folder}")
    list(FIND HOMEPORT_RANKS "${rank_name}" rank)
    get_property(deps GLOBAL PROPERTY "HOMEPORT_DEPS_${folder}")
    foreach(dep IN LISTS deps)
      if(NOT dep IN_LIST folders)
        message(FATAL_ERROR "layers: ${folder} depends on '${dep}', which no library declares")
      endif()
      get_property(dep_rank_name GLOBAL PROPERTY "HOMEPORT_RANK_${dep}")
      list(FIND HOMEPORT_RANKS "${dep_rank_name}" dep_rank)
      if(dep_rank GREATER rank)
        message(FATAL_ERROR "layers: ${folder} (rank ${rank_name}) depends on ${dep} (rank ${dep_rank_name}), "
                            "which comes after it")
      endif()
      if((folder MATCHES "^gateway" AND dep MATCHES "^storage") OR
         (folder MATCHES "^storage" AND dep MATCHES "^gateway"))
        message(FATAL_ERROR "layers: ${folder} depends on ${dep}; gateway and storage meet in proto and "
                            "common/store only")
      endif()
    endforeach()
  endforeach()

  # A test that is in the tree and not in the build looks like one that passes.
  get_property(registered GLOBAL PROPERTY HOMEPORT_TEST_SOURCES)
  file(GLOB_RECURSE tests CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/*_test.cc")
  foreach(test IN LISTS tests)
    if(NOT test IN_LIST registered)
      file(RELATIVE_PATH test "${CMAKE_SOURCE_DIR}" "${test}")
      message(${HOMEPORT_UNREGISTERED_TEST} "layers: ${test} is in no homeport_test, so it would never run")
    endif()
  endforeach()

  get_property(units GLOBAL PROPERTY HOMEPORT_UNITS)
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/layers.txt" CONTENT "${units}" @ONLY)
  # Runs in every full build: what it reads is all sources, and it takes a fraction of a second.
  add_custom_target(homeport_check_includes ALL
    COMMAND "${HOMEPORT_PYTHON}" -B "${HOMEPORT_CHECK_LAYERS}"
            --source "${CMAKE_SOURCE_DIR}" --units "${CMAKE_BINARY_DIR}/layers.txt"
    COMMENT "Checking the includes of every source" VERBATIM)
endfunction()
