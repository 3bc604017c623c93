#!/usr/bin/env python3
"""The fuzz targets of tests/fuzz, each for a fixed number of runs from a fixed seed over its
corpus in tests/fuzz/corpus/NAME.  FUZZ_RUNS is that number; `make check-fuzz` takes more."""

import glob
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "process"))
import harness  # noqa: E402

SRC = os.path.abspath(os.environ.get("top_srcdir", os.path.join(HERE, "..", "..")))
BUILD = os.path.abspath(os.environ.get("top_builddir", SRC))
OUT = os.path.join(BUILD, "tests", "fuzz", "build")
RUNS = int(os.environ.get("FUZZ_RUNS", "5000"))
# The longest input; what is longer in the corpus is cut.
LONGEST = {"conf": 1024}
TARGETS = sorted(os.path.basename(f)[5:-2] for f in glob.glob(os.path.join(HERE, "fuzz_*.c")))


class Fuzz(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.need("clang")
        done = subprocess.run(["make", "-s", "-j2", "-f", os.path.join(HERE, "fuzz.mk"),
                               "srcdir=" + SRC, "out=" + OUT],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={k: v for k, v in os.environ.items()
                                   if not k.startswith("MAKE") and k != "MFLAGS"})
        if done.returncode != 0:
            raise AssertionError(done.stdout.decode("utf-8", "replace"))

    def fuzz(self, target):
        corpus = os.path.join(HERE, "corpus", target)
        self.assertTrue(os.listdir(corpus), "no corpus for " + target)
        with tempfile.TemporaryDirectory(prefix="sluss-fuzz-") as new:
            done = subprocess.run([os.path.join(OUT, "fuzz_" + target), "-seed=1",
                                   "-runs=%d" % RUNS, "-timeout=20",
                                   "-max_len=%d" % LONGEST.get(target, 4096),
                                   "-artifact_prefix=" + os.path.join(BUILD, "fuzz-"),
                                   new, corpus],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = done.stdout.decode("utf-8", "replace")
        self.assertEqual(done.returncode, 0, text[-8000:])
        self.assertRegex(text, r"Done %d runs|stat::number_of_executed_units|DONE" % RUNS)


def add(target):
    setattr(Fuzz, "test_" + target, lambda self: self.fuzz(target))


for name in TARGETS:
    add(name)


if __name__ == "__main__":
    if harness.not_under_sanitizer():
        sys.exit(0)
    harness.main()
