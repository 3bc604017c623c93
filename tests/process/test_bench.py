#!/usr/bin/env python3
"""make bench works: it measures sluss and the plain forwarder in every work, and writes
what it says it writes.  How good the figures are is no matter here."""

import csv
import json
import os
import sys

import harness

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench")
TOOLS = os.path.join(os.environ.get("top_builddir", "."), "tests", "bench")


class Bench(harness.Case):
    def bench(self, *more, **kw):
        if not os.path.exists(os.path.join(TOOLS, "load")):
            harness.skip("the load generator needs libssl-dev")
        return harness.run(sys.executable, os.path.join(BENCH, "bench.py"), "--size", "smoke",
                           "--tools", TOOLS, "--results", self.path("results"),
                           "--tunnels", "sluss", "floor", *more, **kw)

    def result(self, name):
        return os.path.join(self.path("results"), name)

    def works(self):
        sys.path.insert(0, BENCH)
        import works
        return works.ROUNDS

    def test_every_work(self):
        if harness.not_under_sanitizer():
            return
        out = self.bench().out
        with open(self.result("samples.csv"), newline="") as f:
            samples = list(csv.DictReader(f))
        with open(self.result("results.json")) as f:
            results = json.load(f)
        with open(self.result("table.txt")) as f:
            self.assertTrue(out.endswith(f.read() + "\n"), out)
        for work in self.works():
            self.assertIn(work.title, out)
            self.assertNotIn("note: %s," % work.name, out)
            ours = [float(s["value"]) for s in samples
                    if (s["work"], s["tunnel"]) == (work.name, "sluss")]
            self.assertEqual(len(ours), 1, work.name)
            self.assertGreater(ours[0], 0)
            self.assertEqual(len(results["works"][work.name]["samples"]["sluss"]), 1)

    def test_tunnel_that_cannot(self):
        """One that does not start is named, with why, and the others are measured."""
        if harness.not_under_sanitizer():
            return
        out = self.bench("--works", "exchange", env=dict(os.environ, SLUSS="/bin/false")).out
        self.assertIn("note: exchange, sluss: does not start", out)
        with open(self.result("samples.csv"), newline="") as f:
            self.assertEqual({s["tunnel"] for s in csv.DictReader(f)}, {"floor"})


if __name__ == "__main__":
    harness.main()
