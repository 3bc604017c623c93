"""What is asked of sluss beyond the works that all tunnels do in rounds: many tunnels at
rest, a storm of handshakes, more threads, and whether the cost grows with the work. Each
experiment compares variants, whose names stand where a row has the tunnels' names."""

import os
import time

import harness
import measure
import report
import tunnels
import works
from tunnels import MAX_TUNNELS
from works import MIB, Load, Session

NEW_TUNNELS = 40  # room for those that open beside the idle ones


class Kind:
    """What an experiment takes down, as report.Row has to know it."""

    target = stretch = None
    absolute = False

    def __init__(self, name, title, unit, scale=1, digits=2, axis=None):
        self.name, self.title, self.unit = name, title, unit
        self.scale, self.digits = scale, digits
        self.axis = axis  # what the variants are, when they are numbers


class Experiment:
    name = title = None

    def __init__(self, run, sluss):
        self.run, self.sluss = run, sluss
        self.open = []

    def session(self, tunnel=None, **options):
        s = Session(self.run, tunnel or self.sluss, "server", **options)
        self.open.append(s)
        return s

    def rounds(self, kind, variants):
        """Samples of each variant in turn; {label: a function that takes one}."""
        samples = {label: [] for label in variants}
        for i in range(self.run.rounds):
            self.run.say("%s, round %d of %d" % (kind.title, i + 1, self.run.rounds))
            for label, take in variants.items():
                samples[label].append(take())
        return report.Row(kind, samples)

    def results(self):
        """(rows, findings, curves)."""
        try:
            return self.measure()
        finally:
            for s in self.open:
                s.end()

    def measure(self):
        raise NotImplementedError

    def amount(self, full, least=1):
        return max(least, int(full * self.run.size))


def compared(row, a, b, title, limit, better=None, key="value"):
    """A finding: what a costs, as a ratio to what b costs."""
    x, y = (report.summary(row.samples[k], key)["median"] for k in (a, b))
    scale = row.work.scale if key == "value" else 1
    return report.Finding(title, "%.*f" % (row.work.digits, x * scale),
                          "%.*f" % (row.work.digits, y * scale), row.work.unit, x / y, limit, better)


class Idle(Experiment):
    """Tunnels at rest cost no CPU and do not delay new ones."""

    name, title = "idle", "idle tunnels"

    def measure(self):
        count = self.amount(MAX_TUNNELS, 2 * NEW_TUNNELS)
        beside = count - NEW_TUNNELS
        none, many = self.session(), self.session()
        self.run.say("%s: opening %d" % (self.title, count))
        many.load.ask("open", beside)
        each = self.amount(100)
        kind = Kind("idle-open", "a new tunnel opens, beside idle ones", "µs", 1, 0)
        row = self.rounds(kind, {"none": lambda: self.opens(none, each),
                                 str(beside): lambda: self.opens(many, each)})
        many.load.ask("open", NEW_TUNNELS)
        time.sleep(1)
        use = self.at_rest(many.pid)
        held = report.Finding("idle tunnels held in one process", "%d" % count,
                              "%d" % MAX_TUNNELS, "tunnels", count / MAX_TUNNELS, None)
        held.verdict = "met" if count == MAX_TUNNELS else "-"
        cpu = report.Finding("CPU use with %d idle tunnels" % count, "%.3f" % use, "0", "%",
                             None, None)
        cpu.verdict = "met" if use < 0.05 else "MISSED"
        opens = compared(row, str(beside), "none",
                         "a new tunnel opens, beside %d and none" % beside, 1.10)
        return [row], [held, cpu, opens], []

    def at_rest(self, pid):
        """CPU use of the process in percent, over some seconds."""
        seconds = max(0.5, 5 * self.run.size)
        before, begin = measure.cpu(pid), time.monotonic()
        time.sleep(seconds)
        return (measure.cpu(pid) - before) / (time.monotonic() - begin) / 1e7

    @staticmethod
    def opens(session, count):
        sample = session.load.ask("shake", 1, count, "full")
        sample["value"] = sample["p50"]
        return sample


class Cores(Experiment):
    """Threads do not stand in each other's way: one process of 2+2 threads does what two
    processes of 1+1 threads do, on the same CPUs with the same two loads."""

    name, title = "cores", "2+2 threads on both CPUs"

    def measure(self):
        a, b = self.run.load_cpus, self.run.tunnel_cpus
        apart = [self.session(cpus=a | b, load_cpus=cpus) for cpus in (a, b)]
        second = Load(self.run, "server", True, a)
        self.open.append(second)
        port = harness.free_port()
        one = self.session(threads=2, cpus=a | b, load_cpus=b, second=(port, second.backend))
        second.ask("port", port)
        ways = {"2 x 1+1": (apart, [s.load for s in apart]),
                "2+2": ([one], [one.load, second])}
        found = [self.compare(kind(self.run.size), ways)
                 for kind in (works.BulkServer, works.Handshake, works.Exchange)]
        return [r for r, _ in found], [f for _, f in found], []

    def compare(self, work, ways):
        for _, loads in ways.values():
            for load in loads:
                load.ask("close")
                work.begin(load)
        kind = Kind("cores-" + work.name, work.title + ", threads", work.unit, work.scale,
                    work.digits)
        row = self.rounds(kind, {label: lambda way=way: self.take(work, *way)
                                 for label, way in ways.items()})
        return row, compared(row, "2+2", "2 x 1+1", work.title + ": 2+2 and twice 1+1 threads",
                             1.05)

    @staticmethod
    def take(work, sessions, loads):
        """All loads at the same time."""
        units, words = work.task()
        before = sum(measure.cpu(s.pid) for s in sessions)
        for load in loads:
            load.tell(*words)
        for load in loads:
            load.answer()
        spent = sum(measure.cpu(s.pid) for s in sessions) - before
        return {"value": spent / units / len(loads)}


AXIS = "open tunnels"


class Growth(Experiment):
    """What a tunnel, an exchange and a byte cost, beside ever more tunnels."""

    name, title = "growth", "cost with more tunnels"

    def counts(self):
        top = self.amount(MAX_TUNNELS, 2 * NEW_TUNNELS) - NEW_TUNNELS
        return [n for n in (10, 100, 1000, 4000) if n < top] + [top]

    def measure(self):
        ours = self.sessions(self.sluss)
        shakes, asks, bulks = self.amount(300), self.amount(20000), self.amount(256)
        exchange = (asks, "exchange", 16, 1024, 1024, asks)
        megabyte = (bulks * MIB, "exchange", 4, MIB, 1, bulks)
        found = [
            self.curve(ours, Kind("growth-tunnel", "one more tunnel opens and closes", "µs", 1e-3,
                                  1, AXIS), shakes, "shake", 8, shakes, "full"),
            self.curve(ours, Kind("growth-exchange", "1 KiB exchange over all tunnels in turn",
                                  "µs", 1e-3, 2, AXIS), *exchange),
            self.curve(ours, Kind("growth-byte", "1 MiB over all tunnels in turn", "ns/B", 1, 3,
                                  AXIS), *megabyte)]
        drawn = [r for r, _ in found]
        for s in ours.values():
            s.end()
        floor = self.sessions(tunnels.Floor(self.run.places))
        # How much of it is the system's share: the same without TLS.
        found += [
            self.curve(floor, Kind("growth-exchange-floor", "the same, the plain forwarder's "
                                   "1 KiB exchange", "µs", 1e-3, 2, AXIS), *exchange),
            self.curve(floor, Kind("growth-byte-floor", "the same, the plain forwarder's 1 MiB",
                                   "ns/B", 1, 3, AXIS), *megabyte)]
        for _, f in found[3:]:
            f.target, f.verdict = None, "-"
        return [r for r, _ in found], [f for _, f in found], drawn

    def sessions(self, tunnel):
        """{n: a session with n tunnels}; each has been used before what is measured, and so
        have all of the kernel's parts."""
        sessions = {}
        for n in self.counts():
            self.run.say("%s: %s opens %d" % (self.title, tunnel.name, n))
            sessions[n] = self.session(tunnel)
            sessions[n].load.ask("open", n)
            sessions[n].load.ask("exchange", 16, 1024, 1024, 2 * n)
        return sessions

    def curve(self, sessions, kind, units, *words):
        row = self.rounds(kind, {str(n): lambda s=s: s.measured(units, *words)
                                 for n, s in sessions.items()})
        return row, flat(row, "%s to %s tunnels" % (min(sessions), max(sessions)))


class Sizes(Experiment):
    """What a byte costs in new tunnels, when each carries more."""

    name, title = "sizes", "cost with more bytes per tunnel"

    def measure(self):
        s = self.session()
        sizes = [n for n in (1, 4, 16, 64, 256, 1024) if n <= 1024 * self.run.size] or [1]
        kind = Kind("sizes", "so many MiB in each new tunnel", "ns/B", 1, 3, "MiB per tunnel")
        row = self.rounds(kind, {str(n): lambda n=n: self.take(s, n) for n in sizes})
        return [row], [flat(row, "%d to %d MiB per tunnel" % (sizes[0], sizes[-1]))], [row]

    def take(self, session, size):
        tunnels = max(4, self.amount(256) // size)
        session.load.ask("open", tunnels)
        sample = session.measured(tunnels * size * MIB, "exchange", 4, size * MIB, 1, tunnels)
        session.load.ask("close")
        return sample


def flat(row, title):
    """A finding: how far the dearest variant is from the cheapest; ±10 % is 1.22."""
    medians = [s["median"] * row.work.scale for s in row.sums.values()]
    return report.Finding("%s: dearest and cheapest, %s" % (row.work.title, title),
                          "%.*f" % (row.work.digits, max(medians)),
                          "%.*f" % (row.work.digits, min(medians)), row.work.unit,
                          max(medians) / min(medians), 1.1 / 0.9)


class Storm(Experiment):
    """Live tunnels answer as fast while others shake hands as hard as they can."""

    name, title = "storm", "1 KiB exchange, quiet and in a storm of handshakes"
    RATE = 2000  # exchanges a second, over 16 tunnels

    def measure(self):
        s = self.session()
        # The clients of the live tunnels come first, so that it is the tunnel that delays.
        try:
            os.sched_setscheduler(s.load.process.pid, os.SCHED_FIFO, os.sched_param(1))
        except OSError as e:
            self.run.note("the live tunnels' client competes with the storm for its CPU "
                          "(SCHED_FIFO: %s)" % e.strerror)
        s.load.ask("open", 16)
        storm = Load(self.run, "server", True, self.run.load_cpus)
        self.open.append(storm)
        storm.ask("port", s.port)
        kind = Kind("storm", self.title, "µs", 1, 0)
        row = self.rounds(kind, {"quiet": lambda: self.paced(s),
                                 "storm": lambda: self.stormy(s, storm)})
        rate = report.summary(row.samples["storm"], "handshakes")["median"]
        return [row], [compared(row, "storm", "quiet",
                                "p99 of 1 KiB exchange in a storm of %.0f handshakes/s, and "
                                "quiet" % rate, 1.5, 1.2)], []

    def paced(self, s):
        sample = s.load.ask("paced", self.RATE, 1024, 1024, self.amount(1000, 100))
        sample["value"] = sample["p99"]
        return sample

    def stormy(self, s, storm):
        """The storm lasts somewhat longer than the exchanges do."""
        storm.tell("storm", 32)
        time.sleep(0.05)
        sample = self.paced(s)
        storm.tell("calm")
        sample["handshakes"] = storm.answer()["rate"]
        return sample


ALL = (Idle, Storm, Cores, Growth, Sizes)
