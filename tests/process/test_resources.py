"""Back ends that fail or stall, limits of the machine, and what tunnels cost.

The bounds on memory and CPU time are stated beside each test; memory is not measured
under the sanitizers, which keep their own books.
"""

import contextlib
import ctypes
import errno
import hashlib
import os
import re
import resource
import shutil
import socket
import subprocess
import threading
import time
import unittest

import harness
from harness import SANITIZER, SLUSS, VERSIONS, Case, Program, connect, echo, wait_for

TICK = os.sysconf("SC_CLK_TCK")
MIB = 1024  # in KiB
# A user that exists nowhere: nothing else of it runs.
STRANGER_UID = 54322

HAVE_IPV6 = socket.has_ipv6 and os.path.exists("/proc/net/if_inet6")
needs_ipv6 = unittest.skipUnless(HAVE_IPV6 or os.environ.get("SLUSS_NO_SKIP"), "no IPv6 here")


def cpu_ticks(program):
    """User and system time used so far."""
    with open("/proc/%d/stat" % program.pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def fd_top(program):
    """One more than its highest descriptor."""
    return max(int(fd) for fd in os.listdir("/proc/%d/fd" % program.pid)) + 1


class Resources(Case):
    def unused(self, family=socket.AF_INET):
        """A port where nobody listens, and nobody will: it is held."""
        s = self.own(socket.socket(family))
        s.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return s.getsockname()[1]

    def blackhole(self, family=socket.AF_INET, port=0):
        """A port that answers no SYN: its backlog is full.  Returns the listener."""
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        listener = self.own(socket.socket(family))
        listener.bind((host, port))
        listener.listen(0)
        while True:
            c = self.own(socket.socket(family))
            c.settimeout(0.3)
            try:
                c.connect(listener.getsockname())
            except TimeoutError:
                return listener

    def open_tunnel(self, port):
        """A plain connection through a pair in front of an echo, known to work."""
        c = self.own(connect(port))
        c.sendall(b"x")
        self.assertEqual(harness.recv_exactly(c, 1), b"x")
        return c

    def echoes(self, c, data=b"there and back"):
        c.sendall(data)
        self.assertEqual(harness.recv_exactly(c, len(data)), data)

    def fails(self, port):
        """A connection that is let in at first and then learns that it failed, perhaps
        before its own program knows that it was let in."""
        try:
            c = self.own(connect(port))
        except ConnectionResetError:
            return
        self.assertEqual(harness.outcome(c), (b"", "reset"))

    def fill(self, connections):
        """Sends as much as goes; returns how much that was."""
        block = b"f" * 65536
        sent, last = 0, time.monotonic()
        for c in connections:
            c.setblocking(False)
        while time.monotonic() - last < 0.3:
            for c in connections:
                with contextlib.suppress(BlockingIOError):
                    sent += c.send(block)
                    last = time.monotonic()
            if time.monotonic() - last > 0.02:
                time.sleep(0.005)
        for c in connections:
            c.settimeout(harness.PATIENCE)
        return sent

    def seconds(self, match):
        """The duration at the end of a tunnel's line."""
        return float(re.search(r"(\d+\.\d+) s$", match.string).group(1))


class Backends(Resources):
    def test_backend_down(self):
        """Fast, logged with the address and the error, and no clean end for the client."""
        target = "127.0.0.1:%d" % self.unused()
        server, client = self.pair(target, ["--timeoutconnect", "600"])
        base = self.baseline(server), self.baseline(client)
        self.fails(client.port)
        line = server.ends(r"-> \(not connected\): connect failed while connecting: "
                           r"%s: Connection refused; " % target)
        self.assertLess(self.seconds(line), 5)
        for name, version in VERSIONS:
            with self.subTest(version=name):
                wire = self.tls(server.port, version=version)
                data, end = wire.outcome()
                self.assertEqual(data, b"")
                self.assertNotEqual(end, "close_notify")
                wire.close()
        self.back_to(server, base[0])
        self.back_to(client, base[1])

    def test_backend_down_unix(self):
        path = self.path("nobody")
        server, client = self.pair(path)
        self.fails(client.port)
        server.ends(r"connect failed while connecting: %s: No such file or directory"
                    % re.escape(path))

    def test_server_down(self):
        """The same on the client's side: the plain client sees a reset."""
        target = "127.0.0.1:%d" % self.unused()
        client = self.client(target, "--timeoutconnect", "600")
        self.fails(client.port)
        client.ends(r"-> \(not connected\): connect failed while connecting: "
                    r"%s: Connection refused; " % target)

    def test_backend_blackhole(self):
        """Nobody answers: the end comes with TIMEOUTconnect, not before and not much later."""
        port = self.blackhole().getsockname()[1]
        server, client = self.pair("127.0.0.1:%d" % port, ["--timeoutconnect", "1"])
        base = self.baseline(server)
        self.fails(client.port)
        line = server.ends(r"connect failed while connecting: 127\.0\.0\.1:%d: Connection timed "
                           "out; " % port)
        self.assertGreaterEqual(self.seconds(line), 1)
        self.assertLess(self.seconds(line), 10)
        self.back_to(server, base)

    def test_client_leaves_during_blackhole(self):
        """Who left is not waited for: the local program's reset ends the attempt."""
        port = self.blackhole().getsockname()[1]
        client = self.client("127.0.0.1:%d" % port, "--timeoutconnect", "600")
        base = self.baseline(client)
        c = connect(client.port)
        wait_for(lambda: client.fds() > base[0] + 1, "the attempt")
        harness.reset(c)
        client.ends("reset by the plain side while connecting")
        self.back_to(client, base)

    def test_backend_unix_full(self):
        """A unix socket with a full backlog is asked again until TIMEOUTconnect."""
        path = self.path("full")
        listener = self.own(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen(0)
        filler = self.own(socket.socket(socket.AF_UNIX))
        filler.connect(path)
        server, client = self.pair(path, ["--timeoutconnect", "1"])
        self.fails(client.port)
        line = server.ends("connect failed while connecting: %s: " % re.escape(path))
        self.assertGreaterEqual(self.seconds(line), 1)
        self.assertLess(self.seconds(line), 10)
        patient, client = self.pair(path, ["--timeoutconnect", "600"])
        c = self.own(connect(client.port))
        c.sendall(b"patience")
        time.sleep(0.2)
        self.own(listener.accept()[0])
        b = self.own(listener.accept()[0])
        self.assertEqual(harness.recv_exactly(b, 8), b"patience")
        self.assertTrue(patient.alive())

    def test_failover(self):
        """The targets are tried in their order, for each connection from the first."""
        def names(name):
            def handler(c):
                c.recv(1)
                c.sendall(name)
            return handler
        first = self.unused()
        second, third = self.backend(names(b"second")), self.backend(names(b"third"))
        server, client = self.pair(
            "127.0.0.1:%d" % first, ["--connect", self.path("nobody"), "--connect",
                                     second.target, "--connect", third.target])

        def answer():
            with connect(client.port) as c:
                c.sendall(b"?")
                return harness.recv_all(c)
        self.assertEqual([answer(), answer()], [b"second", b"second"])
        server.ends("-> %s: closed" % re.escape(second.target), count=2)
        port = second.port
        second.close()
        self.assertEqual(answer(), b"third")
        self.backend(names(b"second again"), address=("127.0.0.1", port))
        self.assertEqual(answer(), b"second again")
        self.assertEqual(third.count, 1)

    def test_failover_past_a_blackhole(self):
        port = self.blackhole().getsockname()[1]
        backend = self.backend(echo)
        server, client = self.pair("127.0.0.1:%d" % port, [
            "--connect", backend.target, "--timeoutconnect", "1"])
        self.open_tunnel(client.port).close()
        line = server.ends("-> %s: closed" % re.escape(backend.target))
        self.assertGreaterEqual(self.seconds(line), 1)

    def test_failover_to_nobody(self):
        """All down: one line, with the last one's error."""
        ports = [self.unused() for _ in range(3)]
        server, client = self.pair("127.0.0.1:%d" % ports[0], [
            "--connect", "127.0.0.1:%d" % ports[1], "--connect", "127.0.0.1:%d" % ports[2]])
        self.fails(client.port)
        server.ends("connect failed while connecting: 127.0.0.1:%d: Connection refused" % ports[2])
        self.assertEqual(len(re.findall(r"LOG6\[\d+\]", server.log)), 1)

    def test_failover_of_the_client(self):
        """In client mode between servers: what counts is who accepts."""
        server = self.server("echo:")
        client = self.client("127.0.0.1:%d" % self.unused(), "--connect",
                             "127.0.0.1:%d" % server.port)
        self.open_tunnel(client.port)

    def test_backend_speaks_first(self):
        """A greeting arrives although the client said nothing."""
        def greets(c):
            c.sendall(b"220 ready\r\n")
            echo(c)
        backend = self.backend(greets)
        server, client = self.pair(backend.target)
        c = self.own(connect(client.port))
        self.assertEqual(harness.recv_exactly(c, 11), b"220 ready\r\n")
        self.echoes(c)
        for name, version in VERSIONS:
            with self.subTest(version=name):
                wire = self.tls(server.port, version=version)
                self.assertEqual(wire.read_exactly(11), b"220 ready\r\n")

    def test_backend_greets_and_closes(self):
        """A whole answer without a question, then the end."""
        data = os.urandom(300000)

        def handler(c):
            c.sendall(data)
        _, client = self.pair(self.backend(handler).target)
        for _ in range(10):
            with connect(client.port) as c:
                self.assertEqual(harness.recv_all(c), data)

    def test_backend_flapping(self):
        """50 times up and down again: each connection gets what is true at its time."""
        port = harness.free_port()
        server, client = self.pair("127.0.0.1:%d" % port)
        base = self.baseline(server), self.baseline(client)
        for i in range(10 if SANITIZER else 50):
            backend = self.backend(echo, address=("127.0.0.1", port))
            with connect(client.port) as c:
                self.echoes(c, b"cycle %d" % i)
            backend.close()
            self.fails(client.port)
        self.back_to(server, base[0])
        self.back_to(client, base[1])


class Boxed(harness.Sluss):
    """sluss with files of /etc replaced, for itself alone."""

    def __init__(self, box, *args):
        Program.__init__(self, box + [SLUSS] + list(args))
        wait_for(lambda: self.bound() or not self.alive(), "readiness")
        if not self.bound():
            raise AssertionError("ended with %d:\n%s" % (self.wait(), self.log))


class Names(Resources):
    """The name service is the test's: files of its own over those in /etc, in a mount
    namespace.  Nothing asks a name server outside of this machine."""

    def setUp(self):
        super().setUp()
        unshare = shutil.which("unshare", path="/bin:/usr/bin") or harness.need("unshare")
        self.box = None
        for flags in ["-m"], ["-rm"]:
            if subprocess.run([unshare] + flags + ["true"], stderr=subprocess.DEVNULL
                              ).returncode == 0:
                self.box = [unshare] + flags
                break
        if self.box is None:
            harness.skip("no mount namespace can be made here")
        self.etc("hosts", "")
        self.etc("nsswitch.conf", "hosts: files\n")
        self.etc("resolv.conf", "nameserver 127.0.0.1\n")

    def etc(self, name, text):
        """Sets the content; the same file, so that a running program sees it."""
        with open(self.path(name), "w") as f:
            f.write(text)

    def boxed_server(self, target, *more):
        mounts = "".join('[ ! -e /etc/%s ] || mount --bind "$0/%s" /etc/%s && ' % (n, n, n)
                         for n in ("hosts", "nsswitch.conf", "resolv.conf"))
        return self.own(Boxed(
            self.box + ["sh", "-c", mounts + 'exec "$@"', self.dir], "server", "--accept",
            "127.0.0.1:0", "--connect", target, "--cert", self.pem("server"), "--peer",
            self.crt("client"), *more))

    def boxed_pair(self, target, *more):
        server = self.boxed_server(target, *more)
        return server, self.client("127.0.0.1:%d" % server.port)

    def two_backends(self):
        """The same port on 127.0.0.2 and 127.0.0.3, each saying who it is."""
        def says(name):
            def handler(c):
                c.sendall(name)
                echo(c)
            return handler
        a = self.backend(says(b"A"), address=("127.0.0.2", 0))
        b = self.backend(says(b"B"), address=("127.0.0.3", a.port))
        return a, b

    def test_names_resolved_anew(self):
        """Each connection sees what the name means at its time; open ones stay."""
        a, b = self.two_backends()
        self.etc("hosts", "127.0.0.2 db.test\n")
        server, client = self.boxed_pair("db.test:%d" % a.port)
        old = self.own(connect(client.port))
        self.assertEqual(harness.recv_exactly(old, 1), b"A")
        self.etc("hosts", "127.0.0.3 db.test\n")
        with connect(client.port) as new:
            self.assertEqual(harness.recv_exactly(new, 1), b"B")
        self.echoes(old)
        server.ends(r"-> 127\.0\.0\.3:%d: closed" % b.port)

    def test_dns_failure(self):
        """A name that does not exist: logged with it, a reset, and no harm for later."""
        backend = self.backend(echo)
        target = "gone.test:%d" % backend.port
        server, client = self.boxed_pair(target)
        self.fails(client.port)
        server.ends(r"-> \(not connected\): name not resolved while connecting: .*%s" % target)
        self.etc("hosts", "127.0.0.1 gone.test\n")
        self.open_tunnel(client.port)

    def test_dns_failure_of_the_client(self):
        self.etc("hosts", "127.0.0.1 other.test\n")
        mounts = "".join('mount --bind "$0/%s" /etc/%s && ' % (n, n)
                         for n in ("hosts", "nsswitch.conf"))
        client = self.own(Boxed(
            self.box + ["sh", "-c", mounts + 'exec "$@"', self.dir], "client", "--accept",
            "127.0.0.1:0", "--connect", "gone.test:1", "--cert", self.pem("client"), "--peer",
            self.crt("server")))
        self.fails(client.port)
        client.ends("name not resolved while connecting: .*gone.test:1")

    def test_failover_past_a_name(self):
        backend = self.backend(echo)
        _, client = self.boxed_pair("gone.test:1", "--connect", backend.target)
        self.open_tunnel(client.port)

    def test_several_addresses(self):
        """All addresses of a name are tried."""
        a, b = self.two_backends()
        a.close()
        self.etc("hosts", "127.0.0.2 db.test\n127.0.0.3 db.test\n")
        _, client = self.boxed_pair("db.test:%d" % b.port)
        with connect(client.port) as c:
            self.assertEqual(harness.recv_exactly(c, 1), b"B")

    @needs_ipv6
    def test_ipv6_refused(self):
        """Nobody on IPv6: IPv4 is taken, and the other way round."""
        self.etc("hosts", "::1 dual.test\n127.0.0.1 dual.test\n")
        for family in socket.AF_INET, socket.AF_INET6:
            backend = self.backend(echo, family=family)
            server, client = self.boxed_pair("dual.test:%d" % backend.port)
            self.open_tunnel(client.port).close()
            line = server.ends(r"-> \S+:%d: closed" % backend.port)
            self.assertLess(self.seconds(line), 2.5)

    @needs_ipv6
    def test_ipv6_dead(self):
        """IPv6 that swallows everything costs a quarter of a second, not TIMEOUTconnect."""
        self.etc("hosts", "::1 dual.test\n127.0.0.1 dual.test\n")
        backend = self.backend_beside_blackhole()
        server, client = self.boxed_pair("dual.test:%d" % backend.port,
                                         "--timeoutconnect", "600")
        base = self.baseline(server)
        self.open_tunnel(client.port).close()
        line = server.ends(r"-> 127\.0\.0\.1:%d: closed" % backend.port)
        self.assertGreater(self.seconds(line), 0.2, "IPv6 was not tried first")
        self.assertLess(self.seconds(line), 2.5)
        self.back_to(server, base)

    def backend_beside_blackhole(self):
        """An echo on IPv4 whose port is a blackhole on IPv6."""
        while True:
            backend = self.backend(echo)
            try:
                self.blackhole(socket.AF_INET6, backend.port)
                return backend
            except OSError as e:  # somebody else has that port on IPv6
                self.assertEqual(e.errno, errno.EADDRINUSE)

    def test_resolver_silent(self):
        """A name server that never answers: what is open goes on, what waits ends with
        TIMEOUTbusy, and the program ends although its resolvers are stuck."""
        dns = self.own(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        try:
            dns.bind(("127.0.0.5", 53))
        except PermissionError:
            harness.skip("port 53 is not ours to take")
        self.etc("nsswitch.conf", "hosts: files dns\n")
        self.etc("resolv.conf", "nameserver 127.0.0.5\noptions timeout:30 attempts:5\n")
        self.etc("hosts", "127.0.0.1 db.test\n")
        backend = self.backend(echo)
        server, client = self.boxed_pair("db.test:%d" % backend.port, "--timeoutbusy", "1",
                                         "--timeoutdrain", "0")
        alive = self.open_tunnel(client.port)
        self.etc("hosts", "")
        waiting = [self.own(connect(client.port)) for _ in range(10)]
        for _ in range(20):
            self.echoes(alive)
        for c in waiting:
            self.assertEqual(harness.outcome(c), (b"", "reset"))
        server.ends("TIMEOUTbusy exceeded while connecting: db.test:%d: no answer from the "
                    "resolver" % backend.port, count=10)
        self.echoes(alive)
        self.assertEqual(server.stop(), 0, server.log)


class SlowReaders(Resources):
    """A reader that stopped: what was sent waits with the sender, not in our memory.

    The bound: 16 MiB for the whole program over its size before, with one tunnel that is pushed
    with all the test's bytes and 15 more that are pushed as far as they go.
    """

    SIZE = (64 if SANITIZER else 256) << 20
    BOUND_KIB = 16 * MIB

    def push(self, c, digest, counter):
        """Sends everything; counter[0] is how much went."""
        block = os.urandom(1 << 20)
        for _ in range(self.SIZE >> 20):
            digest.update(block)
            view = memoryview(block)
            while view:
                n = c.send(view)
                counter[0] += n
                view = view[n:]
        c.shutdown(socket.SHUT_WR)

    def stalled(self, counter):
        """Waits until nothing goes any more."""
        def still():
            before = counter[0]
            time.sleep(0.3)
            return before > 0 and counter[0] == before
        wait_for(still, "the sender to be held up")
        self.assertLess(counter[0], self.SIZE, "all went although nobody read")

    def bounded(self, programs, before):
        if SANITIZER:
            return
        for program, size in zip(programs, before):
            grown = program.status_kib("VmHWM") - size
            self.assertLess(grown, self.BOUND_KIB, program.argv[1])

    def test_backend_slow_reader(self):
        go = threading.Event()
        received = []

        def late(c):
            go.wait(harness.PATIENCE * 2)
            digest, n = hashlib.sha256(), 0
            buffer = bytearray(1 << 20)
            while True:
                k = c.recv_into(buffer)
                if k == 0:
                    break
                digest.update(memoryview(buffer)[:k])
                n += k
            received.append((n, digest.hexdigest()))
            c.sendall(b"done")
        backend = self.backend(late)
        programs = self.pair(backend.target)
        before = [p.status_kib("VmRSS") for p in programs]
        self.fill([self.own(connect(programs[1].port)) for _ in range(15)])
        self.push_until_done(programs, before, go, received)

    def push_until_done(self, programs, before, go, received):
        c = self.own(connect(programs[1].port))
        c.settimeout(harness.PATIENCE * 2)
        digest, counter = hashlib.sha256(), [0]
        sender = threading.Thread(target=self.push, args=(c, digest, counter), daemon=True)
        sender.start()
        self.stalled(counter)
        self.bounded(programs, before)
        go.set()
        self.assertEqual(harness.recv_all(c), b"done")
        sender.join()
        self.assertIn((self.SIZE, digest.hexdigest()), received)
        self.bounded(programs, before)

    def test_client_slow_reader(self):
        """The other way: the back end pushes, the client does not read."""
        sent = {}

        def pusher(c):
            kind = c.recv(1)
            if kind == b"f":
                self.fill([c])
                c.recv(1)
                return
            sent["digest"], sent["counter"] = hashlib.sha256(), [0]
            self.push(c, sent["digest"], sent["counter"])
            c.recv(1)
        backend = self.backend(pusher)
        programs = self.pair(backend.target)
        before = [p.status_kib("VmRSS") for p in programs]
        for _ in range(15):
            self.own(connect(programs[1].port)).sendall(b"f")
        c = self.own(connect(programs[1].port))
        c.sendall(b"p")
        wait_for(lambda: "counter" in sent, "the back end")
        self.stalled(sent["counter"])
        self.bounded(programs, before)
        digest, n = hashlib.sha256(), 0
        buffer = bytearray(1 << 20)
        while True:
            k = c.recv_into(buffer)
            if k == 0:
                break
            digest.update(memoryview(buffer)[:k])
            n += k
        self.assertEqual(n, self.SIZE)
        self.assertEqual(digest.hexdigest(), sent["digest"].hexdigest())
        self.bounded(programs, before)

    def test_no_spin_while_held_up(self):
        """Bytes that wait cost no CPU time: at most 5 ticks in 2 s."""
        go = threading.Event()
        programs = self.pair(self.backend(lambda c: go.wait(harness.PATIENCE)).target)
        self.fill([self.own(connect(programs[1].port)) for _ in range(4)])
        time.sleep(0.3)
        before = [cpu_ticks(p) for p in programs]
        time.sleep(2)
        for program, ticks in zip(programs, before):
            self.assertLessEqual(cpu_ticks(program) - ticks, 40 if SANITIZER else 5)
        go.set()


class Idle(Resources):
    def test_nobody_speaks(self):
        """200 idle tunnels use no CPU time: at most one tick in 3 s (of a sanitizer's own
        threads some more), and they work afterwards."""
        programs = self.pair("echo:")
        connections = [self.open_tunnel(programs[1].port) for _ in range(200)]
        time.sleep(0.5)
        before = [cpu_ticks(p) for p in programs]
        time.sleep(3)
        for program, ticks in zip(programs, before):
            self.assertLessEqual(cpu_ticks(program) - ticks, 60 if SANITIZER else 1)
        for c in connections:
            self.echoes(c)

    def test_idle_tunnel_holds_no_buffers(self):
        """500 tunnels that have moved data and are idle now: below 16 KiB each, in either
        program.  Their buffers would be a multiple of that."""
        if SANITIZER:
            return
        programs = self.pair(self.backend(echo, backlog=1000).target)
        base = [self.baseline(p) for p in programs]
        for _ in range(20):  # what the first tunnels cost once
            self.open_tunnel(programs[1].port).close()
        before = [p.status_kib("VmRSS") for p in programs]
        connections = [self.open_tunnel(programs[1].port) for _ in range(500)]
        for c in connections:
            self.echoes(c, b"d" * 40000)
        for program, size in zip(programs, before):
            each = (program.status_kib("VmRSS") - size) / len(connections)
            self.assertLess(each, 16, "KiB for a tunnel of %s" % program.argv[1])
        for c in connections:
            c.close()
        for program, was in zip(programs, base):
            self.back_to(program, was)

    def test_stash_given_back(self):
        """Tunnels that were held up and then drained keep no memory for it: each round
        adds eight such, which stay open.  A stash that stays would be up to 256 KiB for
        each of them; what may come is an eighth of that, for the tunnels themselves and
        for what the allocator has between them."""
        if SANITIZER:
            return
        go = threading.Event()
        arrived = [0]
        lock = threading.Lock()

        def late(c):
            go.wait(harness.PATIENCE)
            while True:
                n = len(c.recv(1 << 20))
                if n == 0:
                    break
                with lock:
                    arrived[0] += n
        # Large blocks that are freed leave the process at once, so that its size tells.
        env = dict(os.environ, MALLOC_MMAP_THRESHOLD_="16384")
        server = self.server(self.backend(late).target, env=env)
        programs = server, self.client("127.0.0.1:%d" % server.port, env=env)
        sizes = lambda: [p.status_kib("VmRSS") for p in programs]
        bound = 3 * 8 * 32
        grown = lambda base: max(now - then for now, then in zip(sizes(), base))
        base, sent = sizes(), 0
        for i in range(4):
            go.clear()
            sent += self.fill([self.own(connect(programs[1].port)) for _ in range(8)])
            if i == 0:
                # The measure can tell: while they are held up there is more.
                self.assertGreater(grown(base), bound)
            go.set()
            wait_for(lambda: arrived[0] == sent, "all that was sent")
            if i == 0:
                base = sizes()
        # The last byte is on its way before its memory is given back.
        wait_for(lambda: grown(base) < bound,
                 "the memory of stashes to come back, to %d KiB beyond %s" % (bound, base))


class Limits(Resources):
    """Limits on descriptors, tunnels and threads."""

    def limit_fds(self, program, soft):
        resource.prlimit(program.pid, resource.RLIMIT_NOFILE,
                         (soft, resource.prlimit(program.pid, resource.RLIMIT_NOFILE)[1]))

    def unlimit_fds(self, program):
        hard = resource.prlimit(program.pid, resource.RLIMIT_NOFILE)[1]
        self.limit_fds(program, hard)

    def test_soft_limit_raised(self):
        """The soft limit on open files is raised to the hard one."""
        server = self.server("echo:", preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (300, 1500)))
        self.assertEqual(resource.prlimit(server.pid, resource.RLIMIT_NOFILE), (1500, 1500))

    def test_huge_hard_limit(self):
        """A limit of a thousand million is clamped, and costs no memory."""
        with open("/proc/sys/fs/nr_open") as f:
            most = int(f.read())

        def huge():
            # Where it may not be raised, what is there must do.
            with contextlib.suppress(ValueError, PermissionError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (1024, most))
        server = self.server("echo:", preexec_fn=huge)
        soft, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        self.assertEqual(soft, min(hard, 1 << 20))
        if not SANITIZER:
            self.assertLess(server.status_kib("VmRSS"), 32 * MIB)

    def test_fd_exhaustion_accept(self):
        """No descriptor for a new connection: it waits, without a spin (at most a quarter
        of a second of CPU time in 2 s); open tunnels are unaffected; it recovers."""
        server = self.server("echo:", "--acceptthreads", "2")
        alive = self.tls(server.port)
        alive.write(b"1")
        self.assertEqual(alive.read_exactly(1), b"1")
        base = self.baseline(server)
        self.limit_fds(server, fd_top(server))
        waiting = [self.own(connect(server.port)) for _ in range(20)]
        wires = [harness.TlsWire(s, self.context(), server_hostname="localhost")
                 for s in waiting]
        server.wait_log("LOG4.* cannot accept: Too many open files; .*raise the limit on open "
                        "files")
        ticks = cpu_ticks(server)
        time.sleep(2)
        self.assertLessEqual(cpu_ticks(server) - ticks, TICK // 4)
        self.assertLess(len(server.lines), 40, "a line for each attempt floods the log")
        alive.write(b"still here")
        self.assertEqual(alive.read_exactly(10), b"still here")
        self.unlimit_fds(server)
        for wire in wires:
            wire.handshake()
            wire.write(b"2")
            self.assertEqual(wire.read_exactly(1), b"2")
            wire.close_notify()
            wire.close()
        self.back_to(server, base)

    def test_fd_exhaustion_connect(self):
        """A descriptor for the client's connection but none for the back end's: it fails
        as a whole, with the reason, and nothing is left of it."""
        backend = self.backend(echo)
        server = self.server(backend.target)
        alive = self.tls(server.port)
        alive.write(b"1")
        self.assertEqual(alive.read_exactly(1), b"1")
        base = self.baseline(server)
        self.limit_fds(server, fd_top(server) + 1)
        for i in range(20):
            wire = self.tls(server.port)
            data, end = wire.outcome()
            self.assertEqual(data, b"")
            self.assertNotEqual(end, "close_notify")
            wire.close()
            server.ends(r"connect failed while connecting: %s: Too many open files"
                        % re.escape(backend.target), count=i + 1)
        alive.write(b"2")
        self.assertEqual(alive.read_exactly(1), b"2")
        self.back_to(server, base)
        self.unlimit_fds(server)
        wire = self.tls(server.port)
        wire.write(b"3")
        self.assertEqual(wire.read_exactly(1), b"3")
        self.assertEqual(backend.count, 2)

    def test_few_descriptors_at_start(self):
        """Whatever the limit, it runs or says in one line that it cannot."""
        ran = failed = 0
        for n in (4, 8, 12, 16, 20, 24, 28, 32, 40, 64):
            def few(n=n):
                resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))
            program = self.own(harness.Sluss(
                "server", "--accept", "127.0.0.1:0", "--connect", "echo:", "--cert",
                self.pem("server"), "--peer", self.crt("client"), "--acceptthreads", "2",
                "--workerthreads", "2", ready=False, preexec_fn=few))
            wait_for(lambda: program.bound() or not program.alive(), "a start or an end")
            if program.bound():
                self.assertEqual(program.stop(), 0, program.log)
                ran += 1
                continue
            self.assertEqual(program.wait(), 1, program.log)
            self.assertRegex(program.lines[-1], r"^sluss: .*(Too many open files|cannot)")
            failed += 1
        self.assertGreater(ran, 0)
        self.assertGreater(failed, 0)

    def test_few_descriptors_while_running(self):
        """With a hard limit of 64 open files the default --maxtunnels keeps below it: what
        is too much waits, and nothing fails."""
        server = self.server(self.backend(echo).target, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (64, 64)))
        client = self.client("127.0.0.1:%d" % server.port)
        done = []

        def talk():
            with connect(client.port) as c:
                self.echoes(c)
                done.append(1)
        threads = [threading.Thread(target=talk, daemon=True) for _ in range(60)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(harness.PATIENCE)
        self.assertEqual(len(done), 60, server.log[-1000:])

    def test_max_conns(self):
        """--maxtunnels 4: the fifth waits in the backlog, unanswered but not refused, and
        costs no CPU time; it is served when one ends."""
        server = self.server("echo:", "--maxtunnels", "4")
        open_ = [self.tls(server.port) for _ in range(4)]
        sock = self.own(connect(server.port))
        wire = harness.TlsWire(sock, self.context(), server_hostname="localhost")
        with self.assertRaises(harness.ssl.SSLWantReadError):
            wire.tls.do_handshake()
        wire.flush()
        ticks = cpu_ticks(server)
        sock.settimeout(1)
        with self.assertRaises(TimeoutError):
            sock.recv(1)
        self.assertLessEqual(cpu_ticks(server) - ticks, 20 if SANITIZER else 2)
        sock.settimeout(harness.PATIENCE)
        for w in open_:
            w.write(b"o")
            self.assertEqual(w.read_exactly(1), b"o")
        open_[2].close_notify()
        wire.handshake()
        wire.write(b"served")
        self.assertEqual(wire.read_exactly(6), b"served")

    def test_max_conns_queue(self):
        """Twenty times more than may be open at once: all are served in the end."""
        server = self.server("echo:", "--maxtunnels", "2", "--acceptthreads", "4")
        client = self.client("127.0.0.1:%d" % server.port)
        done = []

        def talk():
            with connect(client.port) as c:
                self.echoes(c)
                c.shutdown(socket.SHUT_WR)
                harness.recv_all(c)
                done.append(1)
        threads = [threading.Thread(target=talk, daemon=True) for _ in range(40)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(harness.PATIENCE)
        self.assertEqual(len(done), 40, server.log[-1000:])

    def test_max_conns_slots_not_leaked(self):
        """However a connection ends, its slot is free again."""
        backend_port = self.unused()
        server = self.server("127.0.0.1:%d" % backend_port, "--maxtunnels", "3",
                             "--timeoutbusy", "1", "--debug", "7")
        for i in range(6):
            connect(server.port).close()
            harness.reset(connect(server.port))
            c = connect(server.port)
            c.sendall(b"GET / HTTP/1.0\r\n\r\n")
            harness.outcome(c)
            c.close()
            c = connect(server.port)
            wire = harness.TlsWire(c, self.context(), server_hostname="localhost")
            with contextlib.suppress(harness.ssl.SSLWantReadError):
                wire.tls.do_handshake()
            c.sendall(wire.pending_out()[:100])
            if i % 2:
                c.close()
            else:
                harness.reset(c)
            with contextlib.suppress(harness.ssl.SSLError, ConnectionError):
                self.tls(server.port, identity="stranger").outcome()
            self.tls(server.port).outcome()  # the back end is down
        silent = [self.own(connect(server.port)) for _ in range(3)]
        for c in silent:
            harness.outcome(c)  # TIMEOUTbusy
        self.backend_at(backend_port)
        wires = [self.tls(server.port) for _ in range(3)]
        for wire in wires:
            wire.write(b"s")
            self.assertEqual(wire.read_exactly(1), b"s")

    def backend_at(self, port):
        """Listens on a port that unused() holds: its holder takes part."""
        for holder, _, _ in self._cleanups:
            sock = getattr(holder, "__self__", None)
            if isinstance(sock, socket.socket) and sock.fileno() != -1 \
                    and sock.getsockname() == ("127.0.0.1", port):
                sock.close()
        return self.backend(echo, address=("127.0.0.1", port))

    def test_max_conns_beyond_the_limit(self):
        """More than the limit on open files allows is an error that says so."""
        done = harness.run(
            SLUSS, "server", "--accept", "127.0.0.1:0", "--connect", "echo:", "--cert",
            self.pem("server"), "--peer", self.crt("client"), "--maxtunnels", "1000",
            check=False, preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (256, 512)))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.err, r"^sluss: --maxtunnels 1000 needs \d+ open files but the "
                         r"limit is 512; raise it \(ulimit -n\) or ask for at most (\d+)\n$")
        most = re.search(r"at most (\d+)", done.err).group(1)
        server = self.server("echo:", "--maxtunnels", most, preexec_fn=lambda:
                             resource.setrlimit(resource.RLIMIT_NOFILE, (256, 512)))
        self.tls(server.port)

    def test_thread_create_fail(self):
        """No more threads for this user: exit 1 with an error that says so, whichever of
        the threads is the one too many; never a hang or half a program."""
        copy = self.path("sluss")
        shutil.copyfile(SLUSS, copy)
        os.chmod(copy, 0o755)
        os.chmod(self.dir, 0o755)
        files = {}
        for name in ("server.pem", "client.crt"):
            files[name] = self.path(name)
            shutil.copyfile(self.shared_path(name), files[name])
            os.chmod(files[name], 0o600)
        # The search for leaks at the end needs a thread itself.
        asan = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        kw = {"env": dict(os.environ, ASAN_OPTIONS=asan)}
        if os.geteuid() == 0:
            kw.update(user=STRANGER_UID, group=STRANGER_UID, extra_groups=[])
            for path in files.values():
                os.chown(path, STRANGER_UID, STRANGER_UID)
        failed = 0
        for n in range(1, 14):
            def few(n=n):
                resource.setrlimit(resource.RLIMIT_NPROC, (n, n))
            program = self.own(Program(
                [copy, "server", "--accept", "127.0.0.1:0", "--connect", "echo:", "--cert",
                 files["server.pem"], "--peer", files["client.crt"], "--acceptthreads", "2",
                 "--workerthreads", "2"], preexec_fn=few, **kw))
            wait_for(lambda: "bound to" in program.log or not program.alive(),
                     "a start or an end with %d threads" % n)
            if "bound to" in program.log:
                self.assertEqual(program.stop(), 0, program.log)
                continue
            failed += 1
            self.assertEqual(program.wait(), 1, program.log)
            self.assertRegex(program.lines[-1], "^sluss: cannot start a thread: Resource "
                             "temporarily unavailable")
        self.assertGreaterEqual(failed, 1)


class Churn(Resources):
    def test_churn(self):
        """5,000 short tunnels: descriptors, threads and memory are what they were before
        the last 4,500 (at most 4 MiB apart)."""
        total = 500 if SANITIZER else 5000
        server, client = self.pair("echo:", ["--debug", "notice"], ["--debug", "notice"])
        errors = []

        def talk(n):
            try:
                for i in range(n):
                    with connect(client.port) as c:
                        c.sendall(b"%08d" % i)
                        assert harness.recv_exactly(c, 8) == b"%08d" % i
                        if i % 3 == 0:
                            harness.reset(c)
                        elif i % 3 == 1:
                            c.shutdown(socket.SHUT_WR)
                            assert harness.recv_all(c) == b""
            except Exception as e:  # reported below
                errors.append(e)

        def run(n):
            threads = [threading.Thread(target=talk, args=(n // 4,)) for _ in range(4)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(errors, [])
        base = [self.baseline(p) for p in (server, client)]
        run(total // 10)
        for program, was in zip((server, client), base):
            self.back_to(program, was)
        before = [p.status_kib("VmRSS") for p in (server, client)]
        run(total - total // 10)
        for program, was, size in zip((server, client), base, before):
            self.back_to(program, was)
            if not SANITIZER:
                self.assertLess(program.status_kib("VmRSS") - size, 4 * MIB)


class Sockets(Resources):
    PIDFD_GETFD = 438  # the same on every architecture

    def sockets_of(self, program):
        """Copies of the connected TCP sockets of a program."""
        libc = ctypes.CDLL(None, use_errno=True)
        pidfd = os.pidfd_open(program.pid)
        found = []
        for fd in os.listdir("/proc/%d/fd" % program.pid):
            if not os.readlink("/proc/%d/fd/%s" % (program.pid, fd)).startswith("socket:"):
                continue
            copy = libc.syscall(self.PIDFD_GETFD, pidfd, int(fd), 0)
            if copy == -1:
                if ctypes.get_errno() in (errno.EPERM, errno.ENOSYS):
                    harness.skip("descriptors of other processes cannot be looked at")
                self.fail(os.strerror(ctypes.get_errno()))
            s = self.own(socket.socket(fileno=copy))
            with contextlib.suppress(OSError):
                s.getpeername()
                found.append(s)
        os.close(pidfd)
        return found

    def test_keepalive_and_nodelay(self):
        """Both sockets of a tunnel, in both modes, have keepalive on and Nagle off."""
        server, client = self.pair(self.backend(echo).target)
        self.open_tunnel(client.port)
        for program in server, client:
            sockets = self.sockets_of(program)
            self.assertEqual(len(sockets), 2)
            for s in sockets:
                self.assertEqual(s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)
                self.assertEqual(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 1)

    def test_descriptors_close_on_exec(self):
        """Every descriptor of its own is closed in a program that it might start."""
        server, client = self.pair(self.backend(echo).target)
        self.open_tunnel(client.port)
        for program in server, client:
            for fd in os.listdir("/proc/%d/fd" % program.pid):
                if int(fd) <= 2:
                    continue
                with open("/proc/%d/fdinfo/%s" % (program.pid, fd)) as f:
                    flags = int(re.search(r"flags:\s*(\d+)", f.read()).group(1), 8)
                self.assertTrue(flags & os.O_CLOEXEC, "%s: %s" % (fd, os.readlink(
                    "/proc/%d/fd/%s" % (program.pid, fd))))

    def test_urgent_data(self):
        """A byte sent as urgent is carried in its place in the stream, not lost."""
        server, client = self.pair("echo:")
        c = self.open_tunnel(client.port)
        c.send(b"a")
        c.send(b"!", socket.MSG_OOB)
        c.send(b"b")
        self.assertEqual(harness.recv_exactly(c, 3), b"a!b")


if __name__ == "__main__":
    harness.main()
