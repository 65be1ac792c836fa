#!/usr/bin/env python3
"""The sessions of docs/clients.md, run as they stand there: Python, Node and the shell."""

import os
import re
import subprocess
import sys
import unittest

REPOSITORY = os.environ["HOMEPORT_REPOSITORY"]
sys.path.insert(0, os.path.join(REPOSITORY, "tests", "integration"))

from harness import DE, PROGRAM, Server, new_folder, topology, write_topology
from node_modules import node_modules

HERE = os.path.join(REPOSITORY, "tests", "client")
NAMESPACES = ["demo", "default", {"name": "views", "item_type": "counter"}, {"name": "tags", "item_type": "set"}]
PYTHON_PATH = os.pathsep.join((os.environ["HOMEPORT_STUBS"],
                               os.path.join(REPOSITORY, "client", "python")))


def document_blocks(language, page="docs/clients.md"):
    with open(os.path.join(REPOSITORY, page), encoding="utf-8") as file:
        return re.findall(f"```{language}\n(.*?)```", file.read(), re.DOTALL)


def document_block(language, index=0):
    return document_blocks(language)[index]


def text_of(*path):
    with open(os.path.join(HERE, *path), encoding="utf-8") as file:
        return file.read()


class SessionTest(unittest.TestCase):

    def setUp(self):
        self.server = Server(write_topology(os.path.join(new_folder(), "topology.yaml"),
                                            topology([DE], NAMESPACES)), DE).start()
        self.addCleanup(self.server.kill)

    def output_of(self, *command, **environment):
        ended = subprocess.run(command, env=dict(os.environ, **environment), capture_output=True,
                               text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        return ended.stdout


class PythonTest(SessionTest):

    def test_a_session_from_python_is_as_documented(self):
        self.assertEqual(document_block("python"), text_of("python", "session.py"))
        said = self.output_of(sys.executable, "-B", os.path.join(HERE, "python", "session.py"),
                              self.server.public, "demo", PYTHONPATH=PYTHON_PATH)
        self.assertEqual(said, "written at eu-central-1/a\nread Ada\nitem name Ada\nfriend reads Ada\n"
                               "error NOT_FOUND NAMESPACE_UNKNOWN no-such\n")


    def test_counters_and_sets_from_python_are_as_documented(self):
        self.assertEqual(document_block("python", 1), text_of("python", "counters_and_sets.py"))
        said = self.output_of(sys.executable, "-B",
                              os.path.join(HERE, "python", "counters_and_sets.py"),
                              self.server.public, "views", "tags", "demo",
                              PYTHONPATH=PYTHON_PATH)
        self.assertEqual(said, "counter 3\nset blue red\nexpires True\n"
                               "error INVALID_ARGUMENT value: namespace 'views' has counters, "
                               "which are changed by add and delete\n")


    def test_what_the_readme_shows_of_python_works(self):
        program = "".join(document_blocks("python", "README.md"))
        said = self.output_of(sys.executable, "-B", "-c",
                              program.replace("127.0.0.1:7011", self.server.public),
                              PYTHONPATH=PYTHON_PATH)
        self.assertRegex(said, r"^b'Ada' from eu-central-1/a\nINVALID_ARGUMENT LIMIT_EXCEEDED "
                               r"\{.*'actual': '513'.*\}\n[12]\n$")


class NodeTest(SessionTest):

    def test_a_session_from_node_is_as_documented(self):
        modules = node_modules(self)
        self.assertEqual(document_block("js"), text_of("node", "session.js"))
        said = self.output_of("node", os.path.join(HERE, "node", "session.js"), self.server.public,
                              "demo", os.path.join(REPOSITORY, "proto"), NODE_PATH=modules)
        self.assertEqual(said, "written at eu-central-1/a\nread Grace\nitem name Grace\nfriend reads Grace\n"
                               "error NOT_FOUND NAMESPACE_UNKNOWN no-such\n")


    def test_what_the_readme_shows_of_node_works(self):
        modules = node_modules(self)
        program, = document_blocks("js", "README.md")
        client = self.server.client()
        client.put("user/7", b"Ada", namespace="default", key="name")
        client.close()
        # It keeps its connection; what it prints is what counts.
        program = program.replace("127.0.0.1:7011", self.server.public).replace(
            "./client/node_js", os.path.join(REPOSITORY, "client", "node_js")).replace(
            "protos: 'proto'", f"protos: '{REPOSITORY}/proto'")
        said = self.output_of("node", "-e", program.rstrip().removesuffix(";") +
                              ".then(() => process.exit(0));", NODE_PATH=modules)
        self.assertEqual(said, "Ada from eu-central-1/a\n")


class ShellTest(SessionTest):

    def test_a_session_from_the_shell_is_as_documented(self):
        lines = document_block("console").splitlines()
        folder = new_folder()
        environment = dict(os.environ, HOMEPORT_GATEWAY=self.server.public, TMPDIR=folder,
                           PATH=os.path.dirname(PROGRAM) + ":" + os.environ["PATH"])
        wanted = None
        for line in lines + ["$ true"]:
            if not line.startswith("$ "):
                wanted.append(line)
                continue
            if wanted is not None:
                said = (ended.stdout + ended.stderr).rstrip("\n").splitlines()
                self.assertEqual(len(said), len(wanted), (ended.args, said))
                for is_said, is_wanted in zip(said, wanted):
                    # "..." stands for what differs from run to run.
                    pattern = re.escape(is_wanted).replace(r"\.\.\.", ".+")
                    self.assertRegex(is_said, "^" + pattern + "$", ended.args)
            ended = subprocess.run(["sh", "-c", line[2:]], env=environment, text=True, timeout=60,
                                   capture_output=True, check=False, stdin=subprocess.DEVNULL)
            wanted = []


if __name__ == "__main__":
    unittest.main()
