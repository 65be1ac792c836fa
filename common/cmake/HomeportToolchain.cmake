# Language, warnings, sanitizers, and the tools that make builds quick where a machine has them.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()
# Line tables are what a stack trace needs; full debug information doubles the link.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")

set(HOMEPORT_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, such as address,undefined or thread")
if(HOMEPORT_SANITIZE)
  # -O2 costs the compiler a quarter more, and its inlining blurs what a report says.
  string(REPLACE "-O2" "-O1" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
  add_compile_options(-fsanitize=${HOMEPORT_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${HOMEPORT_SANITIZE})
  if(HOMEPORT_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()

find_program(HOMEPORT_CCACHE ccache)
if(HOMEPORT_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${HOMEPORT_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER "${HOMEPORT_CCACHE}")
endif()
find_program(HOMEPORT_MOLD mold)
if(HOMEPORT_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# For our own code; generated code and other people's headers are not held to it.
set(HOMEPORT_WARNINGS -Wall -Wextra -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 takes the unused inline storage of an absl::InlinedVector that is moved for a use of
  # uninitialized memory, in Abseil's own header. clang's analysis and the sanitizers stay.
  list(APPEND HOMEPORT_WARNINGS -Wno-maybe-uninitialized)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  list(APPEND HOMEPORT_WARNINGS -Wthread-safety)
endif()
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
