#!/usr/bin/env python3
"""make bench works: it measures sluss and the plain forwarder in every work, and writes
what it says it writes.  How good the figures are is no matter here."""

import csv
import json
import os
import signal
import subprocess
import sys

import harness

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench")
TOOLS = os.path.join(os.environ.get("top_builddir", "."), "tests", "bench")

sys.path.append(BENCH)
import measure  # noqa: E402

WORKS = ("bulk-server", "bulk-client", "handshake", "resumed", "exchange", "memory")
EXPERIMENTS = ("idle-open", "storm", "cores-bulk-server", "cores-handshake", "cores-exchange",
               "growth-tunnel", "growth-exchange", "growth-byte", "growth-exchange-floor",
               "growth-byte-floor", "sizes")
ALL = WORKS + EXPERIMENTS


class Bench(harness.Case):
    def setUp(self):
        super().setUp()
        if not os.path.exists(os.path.join(TOOLS, "load")):
            harness.skip("the load generator needs libssl-dev")

    def bench(self, *more, **kw):
        return harness.run(*self.argv(*more), **kw)

    def argv(self, *more):
        return [sys.executable, os.path.join(BENCH, "bench.py"), "--size", "smoke", "--tools",
                TOOLS, "--results", self.path("results"), "--tunnels", "sluss", "floor", *more]

    def result(self, name):
        return os.path.join(self.path("results"), name)

    def test_every_work(self):
        harness.need("gnuplot")
        if harness.not_under_sanitizer():
            return
        out = self.bench().out
        with open(self.result("samples.csv"), newline="") as f:
            samples = list(csv.DictReader(f))
        with open(self.result("results.json")) as f:
            results = json.load(f)
        with open(self.result("table.txt")) as f:
            self.assertTrue(out.endswith(f.read() + "\n"), out)
        self.assertEqual({s["work"] for s in samples}, set(ALL), out)
        self.assertEqual(set(results["works"]), set(ALL))
        for name in ALL:
            self.assertIn(results["works"][name]["title"], out)
            self.assertNotRegex(out, "note: %s[,:]" % name.partition("-")[0])
        for name in WORKS:
            ours = [s for s in samples if (s["work"], s["variant"]) == (name, "sluss")]
            self.assertEqual(len(ours), 1, name)
            self.assertNotEqual(float(ours[0]["value"]), 0)
        for picture in ("works.svg", "works.png", "growth.svg", "growth.png"):
            self.assertGreater(os.path.getsize(self.result(picture)), 1000)

    def test_tunnel_that_cannot(self):
        """A tunnel that does not start is named, with why, and the others are measured."""
        if harness.not_under_sanitizer():
            return
        out = self.bench("--works", "exchange", env=dict(os.environ, SLUSS="/bin/false")).out
        self.assertIn("note: exchange, sluss: does not start", out)
        with open(self.result("samples.csv"), newline="") as f:
            self.assertEqual({s["variant"] for s in csv.DictReader(f)}, {"floor"})

    def test_interrupted(self):
        """Nothing that it started outlives it."""
        if harness.not_under_sanitizer():
            return
        env = dict(os.environ, TMPDIR=self.dir)
        bench = self.own(harness.Program(self.argv("--works", "exchange", "--rounds", "100000"),
                                         stdout=subprocess.PIPE, env=env))
        while b"round 2 " not in bench.process.stdout.readline():
            self.assertTrue(bench.alive(), bench.log)
        started = measure.family(bench.pid)[1:]
        self.assertGreaterEqual(len(started), 4)
        self.assertEqual(bench.stop(signal.SIGINT), 130)
        harness.wait_for(lambda: not any(os.path.exists("/proc/%d" % p) for p in started),
                         "the end of all processes")
        self.assertEqual(os.listdir(self.dir), ["results"])


if __name__ == "__main__":
    harness.main()
