#!/usr/bin/env python3
"""Shows that the build refuses what the layers forbid, and builds what they allow.

Each test makes a small project that uses HomeportLibrary.cmake as the tree does, plants one
violation, and asks for the failure and for the message that names it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

REPOSITORY = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
COMPILER = os.environ.get("CXX", "c++")

PROJECT = """\
cmake_minimum_required(VERSION 3.25)
project(planted LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 20)
foreach(external IN ITEMS absl grpc rocksdb zstd)
  add_library(external_${external} INTERFACE)
  set(HOMEPORT_EXTERNAL_${external} external_${external})
endforeach()
add_library(GTest::gmock_main INTERFACE IMPORTED)
add_library(external_gtest INTERFACE)
set(HOMEPORT_EXTERNAL_gtest external_gtest)
list(APPEND CMAKE_MODULE_PATH "%s/common/cmake")
include(HomeportLibrary)
enable_testing()
homeport_library(common/base RANK common SOURCES base.cc check.cc)
homeport_library(gateway/route RANK dispatch SOURCES route.cc DEPS common/base)
homeport_library(storage/engine RANK model SOURCES engine.cc DEPS common/base)
homeport_library(storage/engine/disk RANK adapter SOURCES disk.cc DEPS storage/engine)
add_subdirectory(tests)
homeport_check_layers()
""" % REPOSITORY

# A project that obeys. Headers are found, everything links, the checker is content.
FILES = {
    "CMakeLists.txt": PROJECT,
    "common/base/base.h": "#pragma once\nint Base();\n",
    "common/base/base.cc": '#include "common/base/base.h"\nint Base() { return 1; }\n',
    # One of the checker's few exemptions.
    "common/base/check.cc":
        '#include <cstdio>\nvoid Check() { std::fprintf(stderr, "broken"); }\n',
    "gateway/route/route.h": "#pragma once\nint Route();\n",
    "gateway/route/route.cc":
        '#include "gateway/route/route.h"\n\n#include "common/base/base.h"\n'
        "// Neither absl::Now() nor <thread> in a comment counts, nor in a string.\n"
        'const char* kText = "std::rand() and time(";\n'
        "int Route() { return Base(); }\n",
    "storage/engine/engine.h": "#pragma once\nint Engine();\n",
    "storage/engine/engine.cc":
        '#include "storage/engine/engine.h"\n\n#include "common/base/base.h"\n'
        "int Engine() { return Base(); }\n",
    "storage/engine/disk/disk.h": "#pragma once\nint Disk();\n",
    "storage/engine/disk/disk.cc":
        '#include "storage/engine/disk/disk.h"\n\n#include <thread>\n\n'
        '#include "storage/engine/engine.h"\nint Disk() { return Engine(); }\n',
    "tests/CMakeLists.txt": "homeport_test(route_test SOURCES route_test.cc DEPS gateway/route)\n",
    "tests/route_test.cc": '#include "gateway/route/route.h"\nint main() { return Route() - 1; }\n',
}


class LayersTest(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="homeport-layers-")
        self.addCleanup(shutil.rmtree, self.folder)
        for path, text in FILES.items():
            self.write(path, text)

    def write(self, path, text):
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def replace(self, path, old, new):
        self.assertIn(old, FILES[path])
        self.write(path, FILES[path].replace(old, new))

    def run_tool(self, *command):
        environment = dict(os.environ, CCACHE_DISABLE="1")
        done = subprocess.run(command, cwd=self.folder, env=environment, text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        # CMake wraps its messages.
        return done.returncode, " ".join(done.stdout.split())

    def configure(self):
        # FORCED: the compiler is known to work, so no project is compiled to find out.
        return self.run_tool("cmake", "-S", ".", "-B", "build", "-G", "Ninja",
                             f"-DCMAKE_CXX_COMPILER={COMPILER}", "-DCMAKE_CXX_COMPILER_FORCED=1")

    def build(self, *targets):
        code, output = self.configure()
        self.assertEqual(code, 0, output)
        return self.run_tool("ninja", "-C", "build", *targets)

    def assert_refused(self, result, message):
        code, output = result
        self.assertNotEqual(code, 0, output)
        self.assertIn(message, output)

    def check_includes(self):
        return self.build("homeport_check_includes")

    def test_what_obeys_builds(self):
        code, output = self.build()
        self.assertEqual(code, 0, output)
        self.assertIn("0 problems", output)

    def test_a_dependency_on_a_later_rank_stops_the_configure_step(self):
        self.replace("CMakeLists.txt", "RANK model SOURCES engine.cc DEPS common/base",
                     "RANK model SOURCES engine.cc DEPS gateway/late")
        with open(os.path.join(self.folder, "CMakeLists.txt"), encoding="utf-8") as file:
            text = file.read()
        self.write("CMakeLists.txt", text.replace(
            "add_subdirectory(tests)", "homeport_library(gateway/late RANK server)\nadd_subdirectory(tests)"))
        os.makedirs(os.path.join(self.folder, "gateway/late"))
        self.assert_refused(self.configure(),
                            "layers: storage/engine (rank model) depends on gateway/late (rank server)")

    def test_gateway_and_storage_do_not_depend_on_each_other(self):
        self.replace("CMakeLists.txt", "SOURCES route.cc DEPS common/base",
                     "SOURCES route.cc DEPS common/base storage/engine")
        self.assert_refused(self.configure(),
                            "layers: gateway/route depends on storage/engine; gateway and storage meet")

    def test_the_core_declares_no_library_that_does_io(self):
        for external in ("grpc", "rocksdb"):
            self.replace("CMakeLists.txt", "SOURCES route.cc DEPS common/base",
                         f"SOURCES route.cc DEPS common/base EXTERNAL {external}")
            self.assert_refused(
                self.configure(),
                f"layers: gateway/route (rank dispatch) decides and may not use {external}")

    def test_an_unknown_rank_or_dependency_stops_the_configure_step(self):
        self.replace("CMakeLists.txt", "RANK dispatch", "RANK clever")
        self.assert_refused(self.configure(), "'clever' is not a rank")
        self.replace("CMakeLists.txt", "SOURCES route.cc DEPS common/base",
                     "SOURCES route.cc DEPS common/bass")
        self.assert_refused(self.configure(),
                            "gateway/route depends on 'common/bass', which no library declares")

    def test_a_test_that_nobody_registered_stops_the_configure_step(self):
        self.write("tests/deep/lost_test.cc", "int main() {}\n")
        self.assert_refused(self.configure(),
                            "layers: tests/deep/lost_test.cc is in no homeport_test")

    def test_a_header_of_an_undeclared_library_is_not_found(self):
        self.replace("CMakeLists.txt", "SOURCES route.cc DEPS common/base", "SOURCES route.cc")
        self.assert_refused(self.build("homeport_gateway_route"), "common/base/base.h: No such file"
                            if "clang" not in COMPILER else "'common/base/base.h' file not found")

    def test_a_symbol_of_an_undeclared_library_does_not_link(self):
        self.replace("CMakeLists.txt", "SOURCES route.cc DEPS common/base", "SOURCES route.cc")
        self.replace("gateway/route/route.cc", '#include "common/base/base.h"\n', "int Base();\n")
        code, output = self.build("homeport_gateway_route")
        self.assertEqual(code, 0, output)
        code, output = self.build("homeport_gateway_route_links")
        self.assertNotEqual(code, 0, output)
        self.assertRegex(output, r"undefined (symbol|reference)[^:]*:?.*Base\(\)")

    def test_includes_that_the_compiler_would_find_are_refused(self):
        cases = {
            "gateway/route/route.cc": [
                ("<thread>", "<thread> in a folder that decides: threads"),
                ("<chrono>", "<chrono> in a folder that decides: a real clock"),
                ("<fstream>", "<fstream> in a folder that decides: I/O"),
                ("<sys/socket.h>", "<sys/socket.h> in a folder that decides: the system"),
                ('"absl/time/clock.h"', "<absl/time/clock.h> in a folder that decides: a real clock"),
                ("<grpcpp/grpcpp.h>", "<grpcpp/grpcpp.h> is of grpc, which homeport_gateway_route"),
                ("<rocksdb/db.h>", "<rocksdb/db.h> is of rocksdb, which homeport_gateway_route"),
                ("<maxminddb.h>", "<maxminddb.h> is of maxminddb"),
                ('"absl/strings/str_cat.h"', "<absl/strings/str_cat.h> is of absl"),
                ('"../../common/base/base.h"', "includes are from the root of the repository"),
                ('"route.h"', 'write it from the root of the repository, "gateway/route/route.h"'),
                ('"storage/engine/engine.h"', "gateway and storage meet in proto"),
                ('"tests/helper.h"', "what is shipped does not use test code"),
            ],
            "common/base/base.cc": [
                ('"gateway/route/route.h"', "common is used by all and uses none of them"),
            ],
            # In the folder of a declared library, but a library of its own.
            "tests/route_test.cc": [
                ('"storage/engine/disk/disk.h"', "is of storage/engine/disk, which route_test"),
            ],
        }
        code, output = self.configure()
        self.assertEqual(code, 0, output)
        for path, plants in cases.items():
            for include, message in plants:
                with self.subTest(path=path, include=include):
                    self.write(path, f"#include {include}\n" + FILES[path])
                    result = self.run_tool("ninja", "-C", "build", "homeport_check_includes")
                    self.assert_refused(result, message)
                    self.assertIn(f"{path}:1: ", result[1])
            self.write(path, FILES[path])

    def test_the_core_does_not_ask_clocks_or_chance(self):
        code, output = self.configure()
        self.assertEqual(code, 0, output)
        path = "gateway/route/route.cc"
        for statement, message in (
                ("auto t = absl::Now();", "absl::Now in a folder that decides: a real clock"),
                ("std::random_device d;", "std::random_device in a folder that decides: chance"),
                ("int r = rand();", "rand in a folder that decides: chance"),
                ("long t = time(nullptr);", "time in a folder that decides: the system"),
                ("auto t = std::chrono::steady_clock::now();", "std::chrono in a folder that decides"),
                ('void G() { std::fprintf(out, "x"); }', "printf in a folder that decides: output"),
                ("void F() { absl::SleepFor(x); }", "absl::SleepFor in a folder that decides: waiting"),
        ):
            with self.subTest(statement=statement):
                self.write(path, FILES[path] + statement + "\n")
                self.assert_refused(
                    self.run_tool("ninja", "-C", "build", "homeport_check_includes"), message)

    def test_a_source_that_no_library_lists_is_refused(self):
        self.write("gateway/route/lost.cc", "int Lost() { return 0; }\n")
        self.assert_refused(self.check_includes(), "gateway/route/lost.cc:1: is in no SOURCES")
        os.remove(os.path.join(self.folder, "gateway/route/lost.cc"))
        self.write("client/lost/lost.h", "#pragma once\n")
        self.assert_refused(self.check_includes(),
                            "client/lost/lost.h:1: belongs to no library, program or test")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"] + sys.argv[1:])
