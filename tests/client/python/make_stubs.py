#!/usr/bin/env python3
"""Makes Python's stubs of the published protos with Debian's protoc and grpc_python_plugin.

    make_stubs.py --protos REPOSITORY/proto --out FOLDER

What a Python user of Homeport does once, and what every test here that speaks Python does first.
Debian 12's python3-grpc-tools is of 2018 and does not know `optional`, so it can not read them.
"""

import argparse
import os
import shutil
import subprocess
import sys

# The standard's own files, as Debian's grpc-proto package has them.
STANDARD = "/usr/share/grpc-proto"
PUBLISHED = [
    "google/rpc/status.proto",
    "google/rpc/error_details.proto",
    "homeport/v1/consistency.proto",
    "homeport/v1/key_value.proto",
    "homeport/v1/locator.proto",
    "homeport/v1/admin.proto",
]
STANDARDS = ["grpc/health/v1/health.proto", "grpc/reflection/v1alpha/reflection.proto"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protos", required=True)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    plugin = shutil.which("grpc_python_plugin")
    if plugin is None:
        sys.exit("make_stubs.py: there is no grpc_python_plugin; protobuf-compiler-grpc brings it")
    os.makedirs(arguments.out, exist_ok=True)
    for root, files in ((arguments.protos, PUBLISHED), (STANDARD, STANDARDS)):
        subprocess.run(["protoc", f"-I{root}", f"--plugin=protoc-gen-grpc_python={plugin}",
                        f"--python_out={arguments.out}", f"--grpc_python_out={arguments.out}",
                        *files], check=True)


if __name__ == "__main__":
    main()
