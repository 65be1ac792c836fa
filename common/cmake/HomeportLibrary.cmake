# One library per folder, and the layers between them.
#
# homeport_library(<folder> RANK <rank> [SOURCES ...] [DEPS <folder> ...] [EXTERNAL <name> ...])
#   Declares the library of a folder, named by its path ("gateway/geo" is target homeport_gateway_geo,
#   alias homeport::gateway/geo). DEPS are folders of other libraries, EXTERNAL are short names of
#   HomeportDependencies.cmake. Without SOURCES it is a library of headers.
# homeport_test(<name> SOURCES ... DEPS ... [EXTERNAL ...])
#   Declares a GoogleTest program and registers it with CTest.
#
# How the layers hold:
# - A folder's headers are found only through the library that has declared it: every library has an
#   include directory of its own in the build tree with nothing but a link to its folder.
# - A library may depend on its own rank and those before it; `gateway` and `storage` never on each
#   other. This fails at configure time.
# - Ranks of the core may not use external libraries that do I/O, nor include threads and clocks of
#   the system: tests/layers/check_layers.py reads the includes, and is part of the build.

set(HOMEPORT_RANKS proto common model replication dispatch adapter server client main)
# Ranks that are core: what decides, without I/O.
set(HOMEPORT_CORE_RANKS proto common model replication dispatch)
# What core libraries may use from outside.
set(HOMEPORT_CORE_EXTERNALS protobuf absl xxhash json zstd)

set_property(GLOBAL PROPERTY HOMEPORT_LIBRARIES "")
set_property(GLOBAL PROPERTY HOMEPORT_CORE_FOLDERS "")

function(homeport_target_name folder out)
  string(REPLACE "/" "_" name "homeport_${folder}")
  set(${out} "${name}" PARENT_SCOPE)
endfunction()

# Makes `folder`'s headers visible to those that link `target`.
function(homeport_include_tree target folder scope)
  set(tree "${CMAKE_BINARY_DIR}/include/${target}")
  get_filename_component(parent "${tree}/${folder}" DIRECTORY)
  file(MAKE_DIRECTORY "${parent}")
  file(CREATE_LINK "${CMAKE_SOURCE_DIR}/${folder}" "${tree}/${folder}" SYMBOLIC)
  target_include_directories(${target} ${scope} "${tree}")
endfunction()

function(homeport_link target scope deps externals)
  foreach(dep IN LISTS deps)
    homeport_target_name("${dep}" dep_target)
    target_link_libraries(${target} ${scope} ${dep_target})
  endforeach()
  foreach(external IN LISTS externals)
    if(NOT DEFINED HOMEPORT_EXTERNAL_${external})
      message(FATAL_ERROR "${target}: no external library is called '${external}'")
    endif()
    target_link_libraries(${target} ${scope} ${HOMEPORT_EXTERNAL_${external}})
  endforeach()
endfunction()

function(homeport_library folder)
  cmake_parse_arguments(ARG "" "RANK" "SOURCES;DEPS;EXTERNAL" ${ARGN})
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
    set_property(GLOBAL APPEND PROPERTY HOMEPORT_CORE_FOLDERS "${folder}")
  endif()
  homeport_link(${target} ${scope} "${ARG_DEPS}" "${ARG_EXTERNAL}")
  set_property(GLOBAL APPEND PROPERTY HOMEPORT_LIBRARIES "${folder}")
  set_property(GLOBAL PROPERTY "HOMEPORT_RANK_${folder}" "${ARG_RANK}")
  set_property(GLOBAL PROPERTY "HOMEPORT_DEPS_${folder}" "${ARG_DEPS}")
endfunction()

# An executable that is shipped or that tests run.
function(homeport_program name folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;EXTERNAL" ${ARGN})
  list(TRANSFORM ARG_SOURCES PREPEND "${CMAKE_SOURCE_DIR}/${folder}/")
  add_executable(${name} ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${HOMEPORT_WARNINGS})
  homeport_include_tree(${name} "${folder}" PRIVATE)
  homeport_link(${name} PRIVATE "${ARG_DEPS}" "${ARG_EXTERNAL}")
endfunction()

function(homeport_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;EXTERNAL;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${HOMEPORT_WARNINGS})
  list(APPEND ARG_EXTERNAL gtest)
  homeport_link(${name} PRIVATE "${ARG_DEPS}" "${ARG_EXTERNAL}")
  target_link_libraries(${name} PRIVATE GTest::gmock_main)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
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
endfunction()
