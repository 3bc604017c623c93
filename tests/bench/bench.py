#!/usr/bin/env python3
"""Compares what sluss and its peers cost: make bench, make bench-quick.

Each work runs in rounds; in a round every tunnel has its turn, so that what else the
machine does meets all of them. The tunnel has one CPU, the load another. What counts is
the CPU time, user and system, of the tunnel's processes; figures are medians."""

import argparse
import datetime
import itertools
import os
import resource
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "process"))
import certs
import experiments
import measure
import plots
import report
import works
from tunnels import ALL, Unusable

SIZES = {"full": (7, 1.0), "quick": (5, 0.1), "smoke": (1, 0.02)}  # rounds, size of samples


class Places:
    """Where things are: the load generator, certificates, configuration files, logs."""

    def __init__(self, tools, results):
        self.tools = tools
        self.scratch = tempfile.mkdtemp(prefix="sluss-bench-")
        self.configs = os.path.join(results, "configs")
        os.makedirs(self.configs, exist_ok=True)
        ca = certs.make("bench CA", ca=True)
        self.ca = ca.write(self.scratch, "ca")[1]
        for label in ("server", "client"):
            certs.make(label, issuer=ca, dns=["localhost"], ip=["127.0.0.1"]).write(
                self.scratch, label)

    def pem(self, label):
        return os.path.join(self.scratch, label + ".pem")

    def config(self, label):
        return os.path.join(self.configs, label)

    def log(self, label):
        return os.path.join(self.scratch, label + ".log")

    def remove(self):
        shutil.rmtree(self.scratch, True)


class Run:
    """One run: the tunnels that take part, and what was noted."""

    def __init__(self, args):
        self.rounds, self.size = SIZES[args.size]
        self.rounds = args.rounds or self.rounds
        self.notes = []
        self.loads = itertools.count()  # numbers the load generators
        cpus = sorted(os.sched_getaffinity(0))
        self.load_cpus, self.tunnel_cpus = {cpus[0]}, {cpus[-1]}
        if len(cpus) == 1:
            self.note("there is one CPU only: tunnel and load share it")
        self.places = Places(args.tools, args.results)
        self.begun = time.monotonic()
        self.tunnels = [t for t in (kind(self.places) for kind in ALL)
                        if not args.tunnels or t.name in args.tunnels]
        for t in [t for t in self.tunnels if t.path is None]:
            self.note("%s is not installed" % t.name)
            self.tunnels.remove(t)

    def say(self, what):
        print("[%4d s] %s" % (time.monotonic() - self.begun, what), flush=True)

    def note(self, what):
        self.notes.append("note: " + what)

    def sessions(self, work):
        """Has all tunnels ready for a work."""
        ready = []
        for tunnel in filter(work.takes, self.tunnels):
            session = None
            try:
                session = works.Session(self, tunnel, work.mode, **work.options)
                work.begin(session.load)
                session.pin()
                ready.append(session)
            except Unusable as e:
                self.note("%s, %s: %s" % (work.name, tunnel.name, e))
                if session:
                    session.end()
            except BaseException:
                for s in ready:
                    s.end()
                raise
        return ready

    def work(self, work):
        """Runs a work in rounds; returns its Row."""
        sessions = self.sessions(work)
        samples = {s.tunnel.name: [] for s in sessions}
        rounds = work.rounds or self.rounds
        try:
            for i in range(rounds):
                self.say("%s, round %d of %d" % (work.title, i + 1, rounds))
                for s in list(sessions):
                    try:
                        samples[s.tunnel.name].append(work.sample(s))
                    except Unusable as e:
                        self.note("%s, %s: %s" % (work.name, s.tunnel.name, e))
                        del samples[s.tunnel.name]
                        sessions.remove(s)
                        s.end()
        finally:
            for s in sessions:
                s.end()
        return report.Row(work, samples)


    def experiments(self, kinds):
        """(rows, findings, rows to draw as curves) of experiments with sluss."""
        rows, findings, curves = [], [], []
        sluss = [t for t in self.tunnels if t.name == "sluss"]
        for kind in kinds if sluss else ():
            try:
                r, f, c = kind(self, sluss[0]).results()
            except Unusable as e:
                self.note("%s: %s" % (kind.name, e))
                continue
            rows += r
            findings += f
            curves += c
        return rows, findings, curves


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--size", choices=sorted(SIZES), default="full")
    p.add_argument("--rounds", type=int, help="instead of what the size says")
    p.add_argument("--works", nargs="*", default=[], help="only these: " + " ".join(
        w.name for w in works.ROUNDS + experiments.ALL))
    p.add_argument("--tunnels", nargs="*", default=[], help="only these: " + " ".join(
        t.name for t in ALL))
    p.add_argument("--tools", default=os.path.dirname(os.path.abspath(__file__)),
                   help="where the programs load and floor are")
    p.add_argument("--results", default="bench-results")
    args = p.parse_args()
    args.results = os.path.abspath(args.results)
    return args


def chosen(args, kinds):
    return [k for k in kinds if not args.works or k.name in args.works]


def raise_limits():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main():
    args = arguments()
    raise_limits()
    # An end by a signal is an exception too: what was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    run = Run(args)
    try:
        about = {"date": datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
                 "machine": measure.machine(), "size": args.size, "rounds": run.rounds,
                 "load_before": measure.load_average(),
                 "versions": {t.name: t.version() for t in run.tunnels}}
        rows = [run.work(kind(run.size)) for kind in chosen(args, works.ROUNDS)]
        more, findings, curves = run.experiments(chosen(args, experiments.ALL))
        about["load_after"] = measure.load_average()
        names = [t.name for t in run.tunnels]
        drawing = plots.write(args.results, rows, curves, about)
        if drawing:
            run.note(drawing)
        print("\n" + report.write(args.results, rows, names, about, run.notes, more,
                                  report.tails(rows) + findings))
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        run.places.remove()


if __name__ == "__main__":
    main()
