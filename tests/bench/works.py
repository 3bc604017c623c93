"""The works: what each tunnel is made to do, and what is taken down of it. A sample is a
dictionary whose "value" is what the table shows."""

import os
import select
import subprocess
import time

import measure
from tunnels import Process, Unusable

MIB = 1 << 20
PATIENCE = 120


class Load:
    """The load generator: clients of a tunnel, and the backend behind it."""

    def __init__(self, run, mode, tls, cpus):
        places = run.places
        self.process = Process(
            [os.path.join(places.tools, "load"), "--cert", places.pem("client"),
             "--peer-cert", places.pem("server"), "--ca", places.ca,
             "--client", "tls" if tls and mode == "server" else "plain",
             "--backend", "tls" if tls and mode == "client" else "plain"],
            cpus, places.log("load-%d" % next(run.loads)), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.backend = int(self._answer().split()[1])

    def _answer(self):
        out = self.process.process.stdout
        if not select.select([out], [], [], PATIENCE)[0]:
            raise Unusable("no answer in %d s" % PATIENCE)
        line = out.readline().decode()
        if not line:
            raise Unusable(self.process.said())
        return line

    def ask(self, *words):
        """Gives a command and waits for its answer."""
        self.tell(*words)
        return self.answer()

    def tell(self, *words):
        try:
            self.process.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
            self.process.process.stdin.flush()
        except OSError:
            raise Unusable(self.process.said()) from None

    def answer(self):
        """{name: number} of an answer."""
        return {k: float(v) for k, _, v in (w.partition("=") for w in self._answer().split()) if v}

    def end(self):
        self.process.end()


class Session:
    """A tunnel that runs, with its load."""

    def __init__(self, run, tunnel, mode, cpus=None, load_cpus=None, **options):
        self.tunnel = tunnel
        self.cpus = cpus or run.tunnel_cpus
        self.load = Load(run, mode, tunnel.tls, load_cpus or run.load_cpus)
        self.process = None
        try:
            self.process, self.port = tunnel.start(mode, self.load.backend,
                                                   self.cpus, **options)
            self.pid = self.process.pid
            self.load.ask("port", self.port)
        except BaseException:
            self.end()
            raise

    def pin(self):
        """Puts all threads where they belong: some programs choose CPUs by themselves."""
        for pid in measure.family(self.pid):
            for thread in os.listdir("/proc/%d/task" % pid):
                os.sched_setaffinity(int(thread), self.cpus)

    def measured(self, units, *words):
        """Gives the load a command; "value" is the tunnel's CPU time for each unit in ns."""
        before = measure.cpu(self.pid)
        sample = self.load.ask(*words)
        sample["cpu"] = sample["value"] = (measure.cpu(self.pid) - before) / units
        return sample

    def end(self):
        self.load.end()
        if self.process:
            self.process.end()


class Work:
    """A work that all tunnels do in turn, in rounds."""

    name = title = unit = None
    scale = 1  # from value to unit
    mode = "server"
    digits = 2
    target = stretch = None  # of the ratio to the best peer, or of the value in unit
    absolute = False
    latency = False  # whether its p99 has a target: not worse than the best peer's
    rounds = None  # how many, when that is not the run's number
    options = {}

    def __init__(self, size):
        self.size = size  # how much of the full work a sample is, at most 1

    def amount(self, full, least=1):
        return max(least, int(full * self.size))

    def takes(self, tunnel):
        return self.mode in tunnel.modes

    def begin(self, load):
        """What comes before the first sample."""

    def task(self):
        """(units, words): a sample's command to the load, and how many units it is."""
        raise NotImplementedError

    def sample(self, session):
        units, words = self.task()
        return session.measured(units, *words)


class Bulk(Work):
    unit = "ns/B"
    digits = 3
    options = {"bulk": True}

    def begin(self, load):
        load.ask("open", 4)
        load.ask("exchange", 4, 8 * MIB, 1, 4)

    def task(self):
        each = self.amount(64) * MIB
        return 16 * each, ("exchange", 4, each, 1, 16)


class BulkServer(Bulk):
    name, title = "bulk-server", "bulk, TLS to plain, 4 streams"
    target = 0.64


class BulkClient(Bulk):
    name, title = "bulk-client", "bulk, plain to TLS, 4 streams"
    mode = "client"
    target, stretch = 0.60, 0.55


class Handshake(Work):
    name, title = "handshake", "full mTLS handshake, 1 byte, close"
    unit, scale, digits = "µs", 1e-3, 1
    target, stretch = 0.47, 0.40
    kind = "full"

    def takes(self, tunnel):
        return tunnel.tls and super().takes(tunnel)

    def begin(self, load):
        load.ask("shake", 8, 50, "full")

    def task(self):
        count = self.amount(600)
        return count, ("shake", 8, count, self.kind)


class Resumed(Handshake):
    name, title = "resumed", "the same, resumed"
    target, stretch = 0.40, 0.35
    kind = "resume"
    options = {"resume": True}

    def begin(self, load):
        super().begin(load)
        first = load.ask("shake", 8, 50, "resume")
        if first["resumed"] < 0.9 * first["count"]:
            raise Unusable("resumes %d of %d sessions" % (first["resumed"], first["count"]))


class Exchange(Work):
    name, title = "exchange", "1 KiB request and answer, 16 connections"
    unit, scale, digits = "µs", 1e-3, 2
    target, stretch = 0.95, 0.85
    latency = True

    def begin(self, load):
        load.ask("open", 16)
        load.ask("exchange", 16, 1024, 1024, 2000)

    def task(self):
        count = self.amount(30000)
        return count, ("exchange", 16, 1024, 1024, count)


class Memory(Work):
    """Pss of all processes beyond what they take without tunnels."""

    name, title = "memory", "memory per idle tunnel"
    unit, scale, digits = "KiB", 1 / 1024, 1
    target, stretch = 8, 6
    absolute = True
    rounds = 1
    COUNT = 4000
    FORKED = 200  # one process each
    FEWEST = 0.25  # of them, in a quick run: what the first ones take would count too much

    def takes(self, tunnel):
        return tunnel.tls and super().takes(tunnel)

    def sample(self, session):
        count = self.FORKED if session.tunnel.forks else self.COUNT
        count = int(count * max(self.size, self.FEWEST))
        before = measure.pss(session.pid)
        session.load.ask("open", count)
        time.sleep(1)
        return {"value": (measure.pss(session.pid) - before) / count, "count": count}


ROUNDS = (BulkServer, BulkClient, Handshake, Resumed, Exchange, Memory)
