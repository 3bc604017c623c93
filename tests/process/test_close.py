"""How tunnels end: half-closes, truncations, resets, alerts and deadlines, each with
both versions of TLS, as server and as client, with abort = strict and compat.

A Gate is a sluss whose two sides are both in the test's hands: a TLS peer (OpenSSL's,
or a record layer of our own) and a plain peer.
"""

import errno
import functools
import hashlib
import hmac
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import traceback

try:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:
    AESGCM = None

import harness
from harness import PATIENCE, SANITIZER, VERSIONS, TlsWire, outcome, recv_all, recv_exactly

KIB = 1024
MIB = 1024 * 1024
STRICT, COMPAT = "strict", "compat"
ABORTS = (STRICT, COMPAT)
SEED = int(os.environ.get("SLUSS_SEED", "1"))

# Sockets that hold little, so that what is sent waits inside the tunnel.
SMALL = 16 * KIB


def noise(n, seed=0):
    return random.Random(seed).randbytes(n)


def fin(sock):
    """Ends our direction of the transport, with nothing said in TLS."""
    sock.shutdown(socket.SHUT_WR)


def cpu_seconds(program):
    """CPU time that a program has used."""
    with open("/proc/%d/stat" % program.pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read_slowly(read, chunk=64 * KIB, pause=0.02):
    """Everything until the end, a chunk at a time with pauses; read(n) gives b"" at the
    end.  Returns (bytes, the exception that ended it or None)."""
    parts = []
    while True:
        try:
            data = read(chunk)
        except OSError as e:
            return b"".join(parts), e
        if not data:
            return b"".join(parts), None
        parts.append(data)
        time.sleep(pause)


class Gate:
    """A sluss, server or client, between a TLS peer and a plain peer of ours.  unix: all
    its sockets are unix sockets."""

    def __init__(self, case, client, *args, unix=False, rcvbuf=None):
        self.case, self.client, self.rcvbuf = case, client, rcvbuf
        self.family = socket.AF_UNIX if unix else socket.AF_INET
        self.listener = case.own(socket.socket(self.family))
        self.hold_little(self.listener)
        name = "%d" % id(self)
        self.listener.bind(case.path(name + ".up") if unix else ("127.0.0.1", 0))
        self.listener.listen(128)
        self.listener.settimeout(PATIENCE)
        bound = self.listener.getsockname()
        target = bound if unix else "127.0.0.1:%d" % bound[1]
        accept = case.path(name + ".down") if unix else "127.0.0.1:0"
        start = case.client if client else case.server
        self.sluss = start(target, *args, accept=accept)
        self.address = accept if unix else ("127.0.0.1", self.sluss.port)
        self.base = None
        self.seen = {}  # lines of the log that ends() waited for

    def connect(self):
        """A connection to where it accepts."""
        sock = self.case.own(socket.socket(self.family))
        self.hold_little(sock)
        sock.settimeout(PATIENCE)
        sock.connect(self.address)
        return self.prepare(sock)

    def hold_little(self, sock):
        """Small buffers, on our side and, since they follow the segments, on the other."""
        if self.rcvbuf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.rcvbuf)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1024)

    def taken(self):
        """The connection that it made to its target."""
        sock = self.case.own(self.listener.accept()[0])
        sock.settimeout(PATIENCE)
        return self.prepare(sock)

    def prepare(self, sock):
        if self.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def context(self, version=None, **kw):
        """The TLS peer's context."""
        if self.client:
            kw = {"identity": "server", "trust": "client", "server_side": True, **kw}
        return self.case.context(version=version, **kw)

    def raw(self):
        """An open tunnel's two sides, TLS not begun: (TLS side, plain side or None)."""
        if self.client:
            plain = self.connect()
            return self.taken(), plain
        return self.connect(), None

    def open(self, version=None, context=None):
        """An open tunnel: (TLS peer, plain peer)."""
        sock, plain = self.raw()
        wire = TlsWire(sock, context or self.context(version), server_side=self.client,
                       server_hostname=None if self.client else "localhost").handshake()
        return wire, plain if self.client else self.taken()

    def remember(self):
        """Notes descriptors and threads, for check()."""
        self.base = self.case.baseline(self.sluss)
        return self

    def check(self):
        """Nothing is left behind, once all tunnels ended."""
        self.case.back_to(self.sluss, self.base)

    def end(self):
        """It still lives, and ends in order: two signals also cut what a test left open."""
        self.case.assertTrue(self.sluss.alive(), self.sluss.log)
        self.sluss.process.send_signal(signal.SIGTERM)
        self.case.assertEqual(self.sluss.stop(signal.SIGINT), 0, self.sluss.log)
        self.case.assertNotRegex(self.sluss.log, "Sanitizer|runtime error")

    def ends(self, pattern, count=1, patience=PATIENCE):
        """Waits for so many more lines of a tunnel's end; returns the last one's match."""
        self.seen[pattern] = self.seen.get(pattern, 0) + count
        return self.sluss.wait_log(r"LOG6\[\d+\]: Service .*" + pattern, patience,
                                   self.seen[pattern])


def each_gate(*args, aborts=ABORTS, **kw):
    """Runs a test with a Gate for each mode and abort, all at once since most of it is
    waiting: test(self, gate, abort)."""
    def decorate(body):
        @functools.wraps(body)
        def test(self):
            failures = []

            def run(client, abort):
                try:
                    gate = Gate(self, client, "--abort", abort, *args, **kw).remember()
                    body(self, gate, abort)
                    gate.end()
                except Exception:
                    failures.append("%s, abort = %s: %s" % (
                        "client" if client else "server", abort, traceback.format_exc()))
            threads = [threading.Thread(target=run, args=(client, abort))
                       for client in (False, True) for abort in aborts]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            if failures:
                self.fail("\n".join(failures))
        return test
    return decorate


def each_tunnel(*args, **kw):
    """Runs a test with an open tunnel for each mode, abort and TLS version: test(self,
    gate, abort, wire, plain).  Then nothing may be left behind."""
    def decorate(body):
        @each_gate(*args, **kw)
        @functools.wraps(body)
        def test(self, gate, abort):
            for name, version in VERSIONS:
                wire, plain = gate.open(version)
                try:
                    body(self, gate, abort, wire, plain)
                except Exception as e:
                    raise AssertionError(name + ": " + str(e)) from e
                wire.close()
                plain.close()
            gate.check()
        return test
    return decorate


class CloseCase(harness.Case):
    def echo_works(self, gate):
        """A new tunnel through the gate carries bytes both ways."""
        wire, plain = gate.open()
        self.pass_through(wire, plain)
        wire.close_notify()
        plain.close()
        wire.close()

    def pass_through(self, wire, plain, n=1000):
        there, back = noise(n, 1), noise(n, 2)
        wire.sendall(there)
        self.assertEqual(recv_exactly(plain, n), there)
        plain.sendall(back)
        self.assertEqual(wire.read_exactly(n), back)

    def fill(self, sock, wire=None):
        """Sends until nothing more is taken."""
        chunk = noise(16 * KIB)
        sock.settimeout(0.2)
        try:
            while True:
                if wire:
                    wire.tls.write(chunk)
                    wire.flush()
                else:
                    sock.sendall(chunk)
        except socket.timeout:
            pass
        sock.settimeout(PATIENCE)

    def say(self, sock, text):
        """Sends to somebody who may be gone; whether a reset was met is in said_reset."""
        self.said_reset = False
        try:
            sock.sendall(text)
        except OSError:
            self.said_reset = True

    def is_idle(self, gate):
        """It comes to rest: there is a second in which it uses hardly any CPU."""
        def rests():
            before = cpu_seconds(gate.sluss)
            time.sleep(1)
            return cpu_seconds(gate.sluss) - before < 0.1
        harness.wait_for(rests, "rest", patience=10)

    def told(self, abort, end):
        """The plain peer was told of an abort as the option says."""
        self.assertEqual(end, "reset" if abort == STRICT else "eof")

    def told_tls(self, abort, end):
        """… and so was the TLS peer: strict never gives it a close_notify."""
        self.assertEqual(end, "reset" if abort == STRICT else "close_notify")


class HalfClose(CloseCase):
    def open_both(self, gate):
        """Open tunnels with either version: [(wire, plain)]."""
        return [gate.open(version) for _, version in VERSIONS]

    def close_and_answer(self, gate, answer):
        """The TLS peer says close_notify, with FIN or without; a second later the plain
        peer answers, and closes."""
        tunnels = [(gate.open(version), with_fin) for _, version in VERSIONS
                   for with_fin in (False, True)]
        for (wire, plain), with_fin in tunnels:
            wire.sendall(b"question")
            wire.close_notify()
            if with_fin:
                fin(wire.sock)
            self.assertEqual(recv_all(plain), b"question")
        time.sleep(1)
        for (wire, plain), with_fin in tunnels:
            sender = threading.Thread(target=lambda p=plain: (p.sendall(answer), p.close()))
            sender.start()
            data, end = wire.outcome()
            sender.join()
            self.assertEqual(end, "close_notify", "with FIN" if with_fin else "without FIN")
            self.assertEqual(len(data), len(answer))
            self.assertEqual(data, answer)
            wire.close()
        gate.ends(r": closed; .*; \d+ bytes to TLS", count=len(tunnels))
        gate.check()

    def question_after_fin(self, gate, text):
        """The plain peer ends its direction; a second later the TLS peer still sends."""
        tunnels = self.open_both(gate)
        for wire, plain in tunnels:
            plain.sendall(b"that is all")
            fin(plain)
            self.assertEqual(wire.outcome(), (b"that is all", "close_notify"))
        time.sleep(1)
        for wire, plain in tunnels:
            sender = threading.Thread(
                target=lambda w=wire: (w.sendall(text), w.close_notify()))
            sender.start()
            data, end = outcome(plain)
            sender.join()
            self.assertEqual(end, "eof")
            self.assertEqual(data, text)
            wire.close()
            plain.close()
        gate.ends(r": closed; ", count=len(tunnels))
        gate.check()

    @each_gate()
    def test_half_close_c2b(self, gate, abort):
        """After a close_notify the answer arrives whole and ends with close_notify."""
        self.close_and_answer(gate, noise(MIB))

    @each_gate()
    def test_half_close_b2c(self, gate, abort):
        """After the plain side's FIN what the TLS side sends is delivered."""
        self.question_after_fin(gate, noise(MIB))

    @each_gate(aborts=(STRICT,), unix=True)
    def test_half_close_unix(self, gate, abort):
        """The same over unix sockets on both sides."""
        self.close_and_answer(gate, noise(MIB))
        self.question_after_fin(gate, noise(MIB))
        self.reaped(Gate(self, gate.client, "--timeoutclose", "1", unix=True).remember())

    def reaped(self, gate):
        """Half-closed and silent: TIMEOUTclose 1 ends it, either side first."""
        (wire, plain), (wire2, plain2) = self.open_both(gate)
        wire.close_notify()
        self.assertEqual(recv_all(plain), b"")
        fin(plain2)
        self.assertEqual(wire2.outcome(), (b"", "close_notify"))
        gate.ends(r": TIMEOUTclose exceeded; ", count=2)
        gate.check()
        return [x for w, p in ((wire, plain), (wire2, plain2)) for x in (w.sock, p)]

    @each_gate("--timeoutclose", "1")
    def test_half_close_idle_reap(self, gate, abort):
        """A half-closed and silent tunnel is reaped, and both sides learn of it."""
        for sock in self.reaped(gate):
            self.is_reset(sock)

    @each_gate("--timeoutclose", "1", aborts=(STRICT,))
    def test_half_close_trickle(self, gate, abort):
        """Trickling data keeps a half-closed tunnel, in either direction."""
        (wire, plain), (wire2, plain2) = self.open_both(gate)
        wire.close_notify()
        self.assertEqual(recv_all(plain), b"")
        fin(plain2)
        self.assertEqual(wire2.outcome(), (b"", "close_notify"))
        for _ in range(30):
            time.sleep(0.1)
            plain.sendall(b"x")
            wire2.write(b"y")
        plain.close()
        wire2.close_notify()
        self.assertEqual(wire.outcome(), (b"x" * 30, "close_notify"))
        self.assertEqual(outcome(plain2), (b"y" * 30, "eof"))
        plain2.close()
        gate.ends(": closed;", count=2)
        gate.check()

    @each_gate("--timeoutclose", "1", aborts=(STRICT,), rcvbuf=SMALL)
    def test_half_close_slow_reader(self, gate, abort):
        """Half-closed with the rest on its way: who goes on reading is not cut, though
        nothing new comes for longer than TIMEOUTclose."""
        rest = noise(MIB)
        (wire, plain), (wire2, plain2) = self.open_both(gate)
        wire.close_notify()
        self.assertEqual(recv_all(plain), b"")
        fin(plain2)
        self.assertEqual(wire2.outcome(), (b"", "close_notify"))
        results = {}

        def read(name, action):
            results[name] = read_slowly(action, 16 * KIB, 0.1)
        threads = [threading.Thread(target=target, args=args) for target, *args in (
            (lambda: (plain.sendall(rest), plain.close()),),
            (lambda: (wire2.sendall(rest), wire2.close_notify()),),
            (read, "tls", wire.read),
            (read, "plain", plain2.recv))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for name in ("tls", "plain"):
            data, error = results[name]
            self.assertIsNone(error, name)
            self.assertEqual(len(data), len(rest), name)
            self.assertTrue(data == rest, name)
        gate.ends(": closed;", count=2)
        plain2.close()
        gate.check()

    @each_gate("--timeoutclose", "0", aborts=(STRICT,))
    def test_timeoutclose_0_cuts_no_data(self, gate, abort):
        """With TIMEOUTclose 0 a half-closed tunnel lives on and delivers everything."""
        self.close_and_answer(gate, noise(MIB))
        self.question_after_fin(gate, noise(MIB))

    @each_gate("--timeoutclose", "0")
    def test_timeoutclose_0_and_close_notify(self, gate, abort):
        """With TIMEOUTclose 0 and abort compat a TLS peer that answers our close_notify
        with a bare FIN has ended properly.  In strict it has truncated, as ever: what it
        sent before must not pass as complete."""
        for _, version in VERSIONS:
            wire, plain = gate.open(version)
            fin(plain)
            self.assertEqual(wire.outcome(), (b"", "close_notify"))
            wire.sendall(b"the last word")
            fin(wire.sock)
            got, end = outcome(plain)
            self.assertEqual(got, b"the last word")
            self.told(abort, end)
        gate.ends(": truncated by the TLS peer" if abort == STRICT else ": closed;", count=2)

    @each_tunnel()
    def test_tls_reset_after_half_close(self, gate, abort, wire, plain):
        """A TLS peer that said close_notify and is then reset is noticed at once, though
        nobody reads from it or writes to it any more."""
        wire.close_notify()
        self.assertEqual(recv_all(plain), b"")
        harness.reset(wire.sock)
        gate.ends(": reset by the TLS peer;", patience=15)
        if abort == STRICT:
            self.is_reset(plain)

    def is_reset(self, sock):
        """A reset arrives, on a socket that may have seen the end of data already."""
        def told():
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            return error in (errno.ECONNRESET, errno.EPIPE)
        harness.wait_for(told, "a reset")

    @each_tunnel()
    def test_close_notify_then_close(self, gate, abort, wire, plain):
        """A TLS peer that says close_notify and closes its socket without waiting for
        ours, as many do, has ended properly: the plain side is not reset."""
        wire.sendall(b"all that there is")
        wire.close_notify()
        wire.close()
        self.assertEqual(recv_all(plain), b"all that there is")
        time.sleep(0.1)
        fin(plain)
        gate.ends(": closed;")
        self.assertEqual(plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)

    @each_tunnel()
    def test_plain_reset_after_half_close(self, gate, abort, wire, plain):
        """The same the other way round."""
        fin(plain)
        self.assertEqual(wire.outcome(), (b"", "close_notify"))
        harness.reset(plain)
        gate.ends(": reset by the plain side;", patience=15)
        if abort == STRICT:
            self.is_reset(wire.sock)

    @each_gate(rcvbuf=SMALL)
    def test_half_closed_does_not_spin(self, gate, abort):
        """Tunnels that are half-closed, cut off or blocked in every way cost no CPU."""
        wire, plain = gate.open()
        wire.close_notify()
        wire, plain = gate.open()
        wire.close_notify()
        fin(wire.sock)
        wire, plain = gate.open()
        fin(plain)
        wire, plain = gate.open()
        self.fill(wire.sock, wire)
        wire, plain = gate.open()
        self.fill(plain)
        wire, plain = gate.open()
        self.fill(wire.sock, wire)
        self.fill(plain)
        fin(plain)
        wire, plain = gate.open()
        self.fill(wire.sock, wire)
        fin(wire.sock)
        wire, plain = gate.open()
        self.fill(plain)
        harness.reset(plain)
        time.sleep(0.2)
        self.is_idle(gate)


class Aborts(CloseCase):
    def truncates(self, gate, abort, wire, plain, how):
        data = noise(200 * KIB)
        wire.sendall(data)
        how(wire.sock)
        got, end = outcome(plain)
        self.assertEqual(got, data)
        self.told(abort, end)
        plain.close()
        if abort == STRICT:
            gate.ends(r": truncated by the TLS peer \(no close_notify\);")
        else:
            gate.ends(r": closed \(the TLS peer truncated\);")

    @each_tunnel()
    def test_truncation_fin(self, gate, abort, wire, plain):
        """FIN without close_notify: the plain side gets all that was received, then a
        reset; with compat a clean end, and the log says that it was none."""
        self.truncates(gate, abort, wire, plain, fin)

    @each_tunnel()
    def test_truncation_close(self, gate, abort, wire, plain):
        """The same of a TLS peer that closes both directions."""
        self.truncates(gate, abort, wire, plain, socket.socket.close)

    @each_tunnel()
    def test_truncation_in_record(self, gate, abort, wire, plain):
        """FIN within a record: the whole records before it are delivered, no byte of the
        broken one is."""
        wire.sendall(b"whole")
        wire.tls.write(b"broken")
        wire.sock.sendall(wire.pending_out()[:-1])
        fin(wire.sock)
        got, end = outcome(plain)
        self.assertEqual(got, b"whole")
        self.told(abort, end)
        plain.close()
        gate.ends("truncated")

    @each_tunnel(aborts=(COMPAT,))
    def test_truncation_half_closed(self, gate, abort, wire, plain):
        """compat: after a truncation the other direction still works."""
        answer = noise(MIB)
        fin(wire.sock)
        self.assertEqual(recv_all(plain), b"")
        sender = threading.Thread(target=lambda p=plain: (p.sendall(answer), p.close()))
        sender.start()
        self.assertEqual(wire.outcome(), (answer, "close_notify"))
        sender.join()

    @each_tunnel()
    def test_backend_rst_mid(self, gate, abort, wire, plain):
        """A reset of the plain side after 64 KiB: the TLS peer gets these, then a reset
        and never a close_notify."""
        data = noise(64 * KIB)
        plain.sendall(data)
        got = wire.read_exactly(len(data))
        harness.reset(plain)
        rest, end = wire.outcome()
        self.assertEqual(got + rest, data)
        self.told_tls(abort, end)
        gate.ends(": reset by the plain side;")

    @each_tunnel()
    def test_backend_rst_without_reading(self, gate, abort, wire, plain):
        """The same when the plain side closes with bytes of ours unread."""
        plain.sendall(b"answer")
        wire.sendall(b"never read")
        self.assertEqual(plain.recv(5), b"never")
        plain.close()
        data, end = wire.outcome()
        self.assertEqual(data, b"answer")
        self.told_tls(abort, end)
        gate.ends(": reset by the plain side;")

    @each_gate()
    def test_client_rst_mid(self, gate, abort):
        """A reset by the TLS peer, 40 times: the plain side gets what came before, then
        a reset; nothing leaks."""
        for i in range(40):
            wire, plain = gate.open(VERSIONS[i % 2][1])
            wire.sendall(noise(10 * KIB))
            head = recv_exactly(plain, 4 * KIB)
            harness.reset(wire.sock)
            rest, end = outcome(plain)
            self.assertEqual(head + rest, noise(10 * KIB))
            self.told(abort, end)
            plain.close()
        gate.ends(": reset by the TLS peer;", count=40)
        gate.check()

    @each_gate()
    def test_plain_rst_mid(self, gate, abort):
        """And by the plain peer, 40 times."""
        for i in range(40):
            wire, plain = gate.open(VERSIONS[i % 2][1])
            plain.sendall(noise(10 * KIB))
            head = wire.read_exactly(4 * KIB)
            harness.reset(plain)
            rest, end = wire.outcome()
            self.assertEqual(head + rest, noise(10 * KIB))
            self.told_tls(abort, end)
            wire.close()
        gate.ends(": reset by the plain side;", count=40)
        gate.check()

    def race(self, gate, rng):
        """One tunnel whose sides end at the same time, each in some way."""
        wire, plain = gate.open(rng.choice(VERSIONS)[1])
        wire.sendall(noise(rng.choice((0, 1, 5000, 60000))))
        plain.sendall(noise(rng.choice((0, 1, 5000, 60000))))
        sides = [
            (rng.choice((lambda: harness.reset(wire.sock), lambda: fin(wire.sock),
                         wire.close, wire.close_notify,
                         lambda: (wire.close_notify(), wire.close()))),
             rng.random() * 0.001),
            (rng.choice((lambda: harness.reset(plain), lambda: fin(plain), plain.close)),
             rng.random() * 0.001),
        ]
        start = threading.Barrier(2)

        def end(action, pause):
            start.wait()
            time.sleep(pause)
            try:
                action()
            except OSError:
                pass  # the other side was faster
        threads = [threading.Thread(target=end, args=side) for side in sides]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        wire.close()
        plain.close()

    @each_gate()
    def test_rst_vs_fin_race(self, gate, abort):
        """RST from one side and FIN from the other in the same tick, in many seeded runs:
        it survives, every tunnel ends once, and nothing leaks."""
        runs = 40 if SANITIZER else 120
        for i in range(runs):
            seed = SEED + i
            try:
                self.race(gate, random.Random(seed))
            except Exception as e:
                raise AssertionError("SLUSS_SEED=%d: %r\n%s" % (
                    seed, e, gate.sluss.log)) from e
        # The target's reset may come before it is known that it took the connection.
        end = r"(?:bytes from TLS|connect failed .*: Connection reset by peer); \d"
        gate.ends(end, count=runs)
        gate.check()
        self.assertEqual(len(re.findall(end, gate.sluss.log)), runs)
        self.echo_works(gate)

    @each_tunnel()
    def test_fatal_alert_midstream(self, gate, abort, wire, plain):
        """A fatal alert of the TLS peer (whose OpenSSL was fed a corrupt record) is logged
        by name and direction; the plain side is aborted."""
        self.pass_through(wire, plain)
        plain.sendall(b"to be corrupted")
        record = bytearray(wire.sock.recv(4096))
        record[-1] ^= 1
        wire.incoming.write(bytes(record))
        with self.assertRaises(ssl.SSLError):
            wire.tls.read()
        alert = wire.pending_out()
        self.assertTrue(alert)
        wire.sock.sendall(alert)
        got, end = outcome(plain)
        self.assertEqual(got, b"")
        self.told(abort, end)
        gate.ends(": fatal alert from the TLS peer.*alert received: bad_record_mac")

    def bad_mac(self, gate, abort, wire, plain, behind):
        other = gate.open()
        data = noise(100 * KIB)
        wire.sendall(data)
        wire.tls.write(b"to be corrupted")
        record = bytearray(wire.pending_out())
        record[-1] ^= 1
        wire.sock.sendall(bytes(record))
        self.say(wire.sock, behind)
        got, end = outcome(plain)
        self.assertEqual(got, data)
        self.told(abort, end)
        _, end = wire.outcome()
        self.assertTrue(end.startswith("alert: "), end)
        self.assertIn("BAD_RECORD_MAC", end)
        if not behind:
            self.assertEqual(outcome(wire.sock), (b"", "eof"))
        gate.ends(": TLS protocol error.*alert sent: bad_record_mac")
        self.pass_through(*other)
        other[0].close_notify()
        other[0].close()
        other[1].close()

    @each_tunnel()
    def test_bad_mac_record(self, gate, abort, wire, plain):
        """A corrupt record: the TLS peer gets the alert bad_record_mac, the plain side what
        came before and then a reset; other tunnels go on."""
        self.bad_mac(gate, abort, wire, plain, b"")

    @each_tunnel()
    def test_bad_mac_record_and_more(self, gate, abort, wire, plain):
        """The alert arrives though more on its way makes our close a reset."""
        self.bad_mac(gate, abort, wire, plain, bytes(MIB))

    @each_gate(aborts=(STRICT,), rcvbuf=SMALL)
    def test_data_after_close_notify(self, gate, abort):
        """Bytes behind a close_notify are ignored, and the answer that is still on its
        way to such a peer does not suffer from them."""
        answer = noise(MIB)
        for _, version in VERSIONS:
            wire, plain = gate.open(version)
            wire.tls.write(b"question")
            try:
                wire.tls.unwrap()
            except ssl.SSLWantReadError:
                pass
            wire.sock.sendall(wire.pending_out() + noise(1000))
            self.assertEqual(recv_all(plain), b"question")
            sender = threading.Thread(
                target=lambda p=plain: (p.sendall(answer), p.close()))
            sender.start()

            def read(n, wire=wire):
                data = wire.read(n)
                self.say(wire.sock, b"too late")
                return data
            data, error = read_slowly(read, chunk=16 * KIB, pause=0.002)
            sender.join()
            self.assertIsNone(error)
            self.assertEqual(len(data), len(answer))
            self.assertEqual(data, answer)
            wire.close()
        gate.check()
        self.echo_works(gate)

    def test_steady_slow_reader(self):
        """A reader that is not done within several times TIMEOUTclose, but takes bytes all
        the while, is slow and not silent: it gets everything."""
        answer = noise(6 * MIB)

        def handler(c):
            recv_all(c)
            c.sendall(answer)
        args = ("--timeoutclose", "1")
        _, client = self.pair(self.backend(handler).target, args, args)
        c = self.own(socket.socket())
        # Our kernel must hold little: what is late must be late in sluss's.
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * KIB)
        c.settimeout(PATIENCE)
        c.connect(("127.0.0.1", client.port))
        c.shutdown(socket.SHUT_WR)
        data, error = read_slowly(c.recv, chunk=8 * KIB, pause=0.03)
        self.assertIsNone(error)
        self.assertEqual(data, answer)

    @each_gate(aborts=(STRICT,), rcvbuf=SMALL)
    def test_slow_reader_gets_the_answer(self, gate, abort):
        """Both sides ended and the last bytes are still on their way to a TLS peer which
        first sends nothing, then something that it should not."""
        answer = noise(300 * KIB)
        for _, version in VERSIONS:
            wire, plain = gate.open(version)
            wire.close_notify()
            self.assertEqual(recv_all(plain), b"")
            plain.sendall(answer)
            plain.close()
            time.sleep(0.3)
            head = wire.read_exactly(100 * KIB)
            wire.sock.sendall(b"too late")
            time.sleep(0.3)
            rest, end = wire.outcome()
            self.assertEqual(end, "close_notify")
            self.assertEqual(head + rest, answer)
            wire.close()
        gate.check()

    def write_on(self, write):
        """Writes until it fails."""
        with self.assertRaises(OSError):
            for _ in range(10000):
                write(noise(KIB))
                time.sleep(0.001)

    @each_tunnel()
    def test_epipe_no_sigpipe_plain(self, gate, abort, wire, plain):
        """A TLS peer that goes on writing though the plain side is gone learns of it; the
        process survives."""
        plain.close()
        self.write_on(wire.sendall)
        gate.ends(": reset by the plain side;")

    @each_tunnel()
    def test_epipe_no_sigpipe_tls(self, gate, abort, wire, plain):
        """The same the other way round."""
        wire.close_notify()
        wire.close()
        self.write_on(plain.sendall)
        gate.ends(": reset by the TLS peer;")

    @each_gate(rcvbuf=SMALL)
    def test_delivery_before_abort(self, gate, abort):
        """1 MiB and then a reset: whoever reads slowly still gets all that was delivered,
        and only then the reset, in both directions."""
        data = noise(MIB)
        for _, version in VERSIONS:
            self.slow_delivery(gate, abort, version, data)
        gate.check()

    @each_gate("--timeoutclose", "1", rcvbuf=SMALL)
    def test_delivery_outlasts_timeoutclose(self, gate, abort):
        """The same with a delivery that takes longer than TIMEOUTclose: it is inactivity
        that this limits."""
        self.slow_delivery(gate, abort, None, noise(MIB), pause=0.05)
        gate.check()

    def slow_delivery(self, gate, abort, version, data, pause=0.002):
        # Reset while it still connects, there would be no tunnel: bytes pass first.
        passed = 100
        # Sent in full means that all of it is in sluss or in the kernel, before the reset.
        wire, plain = gate.open(version)
        self.pass_through(wire, plain, passed)
        head = b"".join(self.while_sending(
            lambda: plain.sendall(data), lambda: wire.read(16 * KIB)))
        harness.reset(plain)
        rest, error = read_slowly(wire.read, 16 * KIB, pause)
        # What the kernel of the resetting side had not sent is gone with it.
        self.assertEqual(head + rest, data[:len(head) + len(rest)])
        self.told_tls(abort, "reset" if isinstance(error, ConnectionResetError) else
                      "close_notify" if error is None else repr(error))
        self.assertEqual(self.counted(gate), (passed + len(head) + len(rest), passed))
        wire.close()

        wire, plain = gate.open(version)
        self.pass_through(wire, plain, passed)
        head = b"".join(self.while_sending(
            lambda: wire.sendall(data), lambda: plain.recv(16 * KIB)))
        harness.reset(wire.sock)
        rest, error = read_slowly(plain.recv, 16 * KIB, pause)
        self.assertEqual(head + rest, data[:len(head) + len(rest)])
        self.told(abort, "reset" if isinstance(error, ConnectionResetError) else
                  "eof" if error is None else repr(error))
        self.assertEqual(self.counted(gate), (passed, passed + len(head) + len(rest)))
        plain.close()

    def while_sending(self, send, read):
        """Reads what must be read for send() to end."""
        parts = []
        sender = threading.Thread(target=send)
        sender.start()
        while True:
            sender.join(0.05)
            if not sender.is_alive():
                return parts
            parts.append(read())

    def counted(self, gate):
        """What the next line says: (bytes to TLS, bytes from TLS)."""
        line = gate.ends(r"; (\d+) bytes to TLS, (\d+) bytes from TLS; ")
        return int(line.group(1)), int(line.group(2))

    @each_gate(rcvbuf=SMALL)
    def test_delivery_to_who_answers_first(self, gate, abort):
        """Both sides send until nothing goes on, since neither reads; then one resets.  The
        other one reads again only when it is rid of its answer: it gets everything."""
        for _, version in VERSIONS:
            for resets in "TLS peer", "plain side":
                wire, plain = gate.open(version)
                self.pass_through(wire, plain)
                self.fill(plain)
                self.fill(wire.sock, wire)
                gone, stays = wire.sock, plain
                if resets == "plain side":
                    gone, stays = stays, gone
                harness.reset(gone)
                stays.sendall(bytes(MIB))
                if stays is plain:
                    # 16 KiB were decrypted at least, and went on before the reset.
                    data, end = outcome(plain)
                    self.assertGreater(len(data), 16 * KIB)
                    self.assertEqual(data[:16 * KIB], noise(16 * KIB))
                    self.told(abort, end)
                else:
                    data, end = wire.outcome()
                    self.assertGreater(len(data), 16 * KIB)
                    self.assertEqual(data[:16 * KIB], noise(16 * KIB))
                    self.told_tls(abort, end)
                gate.ends(": reset by the %s;" % resets)
                wire.close()
                plain.close()
        gate.check()

    def test_echo_cut_off(self):
        """The built-in echo is full when its peer resets: the tunnel ends at once."""
        server = self.server("echo:", "--timeoutclose", "600")
        wire = self.tls(server.port)
        self.fill(wire.sock, wire)
        harness.reset(wire.sock)
        server.ends(": reset by the TLS peer;")

    @each_gate("--timeoutclose", "1", aborts=(STRICT,), rcvbuf=SMALL)
    def test_stuck_reader_is_reaped(self, gate, abort):
        """A survivor of an abort that never reads does not hold a tunnel for ever."""
        self.stuck(gate)

    @each_gate("--timeoutclose", "0", "--timeoutidle", "1", aborts=(STRICT,), rcvbuf=SMALL)
    def test_stuck_reader_is_reaped_idle(self, gate, abort):
        """Where TIMEOUTclose is 0 it is TIMEOUTidle that ends it."""
        self.stuck(gate)

    def stuck(self, gate):
        wire, plain = gate.open()
        self.fill(plain)
        harness.reset(plain)
        gate.ends(": reset by the plain side;")
        wire, plain = gate.open()
        self.fill(wire.sock, wire)
        harness.reset(wire.sock)
        gate.ends(": reset by the TLS peer;")
        gate.check()

    def test_abort_through_pair(self):
        """Through two tunnels in a row: half-closes arrive, and resets as resets."""
        self.plain_ends = []
        backend = self.own(socket.create_server(("127.0.0.1", 0)))
        backend.settimeout(PATIENCE)
        server, client = self.pair("127.0.0.1:%d" % backend.getsockname()[1])
        bases = [(p, self.baseline(p)) for p in (server, client)]

        def tunnel():
            near = self.own(harness.connect(client.port))
            far = self.own(backend.accept()[0])
            far.settimeout(PATIENCE)
            near.sendall(b"hello")
            self.assertEqual(recv_exactly(far, 5), b"hello")
            return near, far
        near, far = tunnel()
        fin(near)
        self.assertEqual(recv_all(far), b"")
        far.sendall(b"answer")
        far.close()
        self.assertEqual(outcome(near), (b"answer", "eof"))
        near.close()
        near, far = tunnel()
        far.sendall(b"half an ans")
        self.assertEqual(recv_exactly(near, 11), b"half an ans")
        harness.reset(far)
        self.assertEqual(outcome(near), (b"", "reset"))
        near.close()
        near, far = tunnel()
        harness.reset(near)
        self.assertEqual(outcome(far), (b"", "reset"))
        far.close()
        for program in (server, client):
            program.ends(": closed;")
        server.ends(": reset by the plain side;")
        client.ends(": reset by the TLS peer;")
        for program, base in bases:
            self.back_to(program, base)

    def refuse(self, gate, version, say=b""):
        """The TLS peer, a server, does not know our certificate.  Returns the plain side."""
        sock, plain = gate.raw()
        sender = threading.Thread(target=self.say, args=(plain, say))
        sender.start()
        wire = TlsWire(sock, gate.context(version, trust="stranger"), server_side=True)
        with self.assertRaises(ssl.SSLError):
            wire.handshake()
        wire.close()
        sender.join()
        return plain

    def test_refused_by_peer(self):
        """A server that rejects our certificate: the local client sees a reset, and the
        log names the refusal, though in TLS 1.3 the handshake was over by then."""
        for abort in ABORTS:
            gate = Gate(self, True, "--abort", abort).remember()
            for name, version in VERSIONS:
                with self.subTest(tls=name, abort=abort):
                    plain = self.refuse(gate, version)
                    self.assertEqual(outcome(plain)[0], b"")
                    plain.close()
            gate.ends(r": refused by peer.*alert received: unknown_ca", count=2)
            gate.check()
            self.echo_works(gate)

    def test_refused_by_peer_reset(self):
        """The reset that the local client sees, with strict."""
        gate = Gate(self, True)
        for name, version in VERSIONS:
            with self.subTest(tls=name):
                self.assertEqual(outcome(self.refuse(gate, version)), (b"", "reset"))

    def test_refused_by_peer_while_sending(self):
        """The same with a client that sends at once, so that the server's reset races its
        alert: the reason is the refusal."""
        gate = Gate(self, True).remember()
        for _ in range(20):
            plain = self.refuse(gate, ssl.TLSVersion.TLSv1_3, noise(MIB))
            # The kernel tells of a reset once: to who sent, if that was still going on.
            end = "reset" if self.said_reset else outcome(plain)[1]
            self.assertEqual(end, "reset")
            plain.close()
        gate.check()
        gate.sluss.wait_log(r"LOG6\[\d+\]: ", count=20)
        self.assertEqual(gate.sluss.log.count(": refused by peer"), 20, gate.sluss.log)

    def test_backend_refused(self):
        """A target that refuses: the accepted side sees a reset, never a clean end."""
        closed = self.own(socket.socket())
        closed.bind(("127.0.0.1", 0))
        target = "127.0.0.1:%d" % closed.getsockname()[1]
        for abort in ABORTS:
            server = self.server(target, "--abort", abort)
            client = self.client(target, "--abort", abort)
            bases = [(p, self.baseline(p)) for p in (server, client)]
            for name, version in VERSIONS:
                with self.subTest(tls=name, abort=abort):
                    wire = self.tls(server.port, version=version)
                    self.assertEqual(wire.outcome(), (b"", "reset"))
                    wire.close()
            self.assertEqual(self.connect_outcome(client.port), (b"", "reset"))
            server.ends("connect failed while connecting: .*Connection refused", count=2)
            client.ends("connect failed while connecting: .*Connection refused")
            for program, base in bases:
                self.back_to(program, base)

    def connect_outcome(self, port):
        """How a plain connection ends, be it while it is made."""
        try:
            plain = self.own(harness.connect(port))
        except ConnectionResetError:
            return b"", "reset"
        end = outcome(plain)
        plain.close()
        return end

    @each_gate("--timeoutidle", "1")
    def test_idle_timeout(self, gate, abort):
        """TIMEOUTidle 1 ends a silent tunnel with a reset on both sides; one with a
        trickle, or with a slow reader, stays."""
        wire, plain = gate.open(ssl.TLSVersion.TLSv1_2)
        self.assertEqual(wire.outcome(), (b"", "reset"))
        self.assertEqual(outcome(plain), (b"", "reset"))
        gate.ends(": TIMEOUTidle exceeded;")
        wire, plain = gate.open(ssl.TLSVersion.TLSv1_3)
        for i in range(30):
            if i % 2:
                wire.write(b"x")
                self.assertEqual(plain.recv(1), b"x")
            else:
                plain.sendall(b"y")
                self.assertEqual(wire.read(1), b"y")
            time.sleep(0.1)
        wire.close_notify()
        plain.close()
        gate.ends(": closed;")
        wire.close()
        gate.check()


class Data(CloseCase):
    def test_full_duplex(self):
        """8 MB each way at once through a pair, 16 tunnels: every byte arrives in order."""
        n = MIB if SANITIZER else 8 * 1000 * 1000
        count = 4 if SANITIZER else 16

        def exchange(c, mine, theirs, verdicts):
            sender = threading.Thread(target=lambda: (c.sendall(mine), fin(c)))
            sender.start()
            digest = hashlib.sha256(recv_all(c)).digest()
            sender.join()
            verdicts.append(digest == hashlib.sha256(theirs).digest())
        up, down = noise(n, 3), noise(n, 4)
        far, near = [], []
        backend = self.backend(lambda c: exchange(c, down, up, far))
        server, client = self.pair(backend.target)
        bases = [(p, self.baseline(p)) for p in (server, client)]
        socks = [self.own(harness.connect(client.port)) for _ in range(count)]
        threads = [threading.Thread(target=exchange, args=(c, up, down, near)) for c in socks]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for c in socks:
            c.close()
        harness.wait_for(lambda: len(far) == count, "the far ends")
        self.assertEqual((near, far), ([True] * count, [True] * count))
        for program, base in bases:
            program.ends(": closed; .*; %d bytes to TLS, %d bytes from TLS" % (n, n),
                         count=count)
            self.back_to(program, base)

    @each_tunnel(aborts=(STRICT,))
    def test_tiny_writes(self, gate, abort, wire, plain):
        """Writes of 1 to 17 bytes, both ways, keep their order."""
        count = 300 if SANITIZER else 1500
        sizes = [i % 17 + 1 for i in range(count)]
        text = noise(sum(sizes))

        def send(write):
            at = 0
            for n in sizes:
                write(text[at:at + n])
                at += n
        sender = threading.Thread(target=send, args=(wire.write,))
        sender.start()
        self.assertEqual(recv_exactly(plain, len(text)), text)
        sender.join()
        sender = threading.Thread(target=send, args=(plain.sendall,))
        sender.start()
        self.assertEqual(wire.read_exactly(len(text)), text)
        sender.join()

    def test_echo_without_reading(self):
        """A client that writes to echo: and reads only when nobody takes more: the tunnels
        hold little, do not deadlock, and all comes back."""
        n = (8 if SANITIZER else 32) * MIB
        text = noise(n)
        for version in ("TLSv1.2", "TLSv1.3"):
            with self.subTest(tls=version):
                server, client = self.pair("echo:", client_args=("--sslversion", version))
                before = [p.status_kib("VmRSS") for p in (server, client)]
                c = self.own(harness.connect(client.port))
                sender = threading.Thread(target=lambda c=c: (c.sendall(text), fin(c)))
                sender.start()
                # Nobody reads: what comes back fills the kernel's buffers, then ours.
                sender.join(1)
                if not SANITIZER:
                    for program, kib in zip((server, client), before):
                        self.assertLess(program.status_kib("VmRSS") - kib, 8 * KIB)
                data = recv_all(c)
                sender.join()
                self.assertEqual(len(data), n)
                self.assertTrue(data == text)
                c.close()
                for program in (server, client):
                    program.ends(": closed; ")
                    program.kill()


class Records:
    """A TLS 1.3 record layer of our own, which takes over from OpenSSL behind the
    handshake: KeyUpdates when and as often as a test wants."""

    ALERT, HANDSHAKE, DATA = 21, 22, 23

    def __init__(self, case, gate):
        context = gate.context(ssl.TLSVersion.TLSv1_3)
        log = case.path("keylog-%d" % id(self))
        context.keylog_filename = log
        if gate.client:
            context.num_tickets = 0
        self.wire, self.plain = gate.open(context=context)
        self.sock = self.wire.sock
        suite = self.wire.tls.cipher()[0]
        self.hash, self.key_bytes = {"TLS_AES_128_GCM_SHA256": ("sha256", 16),
                                     "TLS_AES_256_GCM_SHA384": ("sha384", 32)}[suite]
        with open(log) as f:
            words = [line.split() for line in f if not line.startswith("#")]
        secrets = {w[0]: bytes.fromhex(w[2]) for w in words}
        ours, theirs = ("SERVER", "CLIENT") if gate.client else ("CLIENT", "SERVER")
        self.out_secret = secrets[ours + "_TRAFFIC_SECRET_0"]
        self.in_secret = secrets[theirs + "_TRAFFIC_SECRET_0"]
        self.rekey_out()
        self.rekey_in()
        self.buffer = self.wire.incoming.read()
        self.updates = 0  # that the peer sent
        self.storm = 0  # how far storm() has got

    def expand(self, secret, label, n):
        """HKDF-Expand-Label with an empty context, for n within one hash."""
        label = b"tls13 " + label
        info = n.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
        return hmac.new(secret, info + b"\1", self.hash).digest()[:n]

    def keys(self, secret):
        return (AESGCM(self.expand(secret, b"key", self.key_bytes)),
                int.from_bytes(self.expand(secret, b"iv", 12), "big"))

    def next_secret(self, secret):
        return self.expand(secret, b"traffic upd", hashlib.new(self.hash).digest_size)

    def rekey_out(self):
        self.out_key, self.out_iv = self.keys(self.out_secret)
        self.out_seq = 0

    def rekey_in(self):
        self.in_key, self.in_iv = self.keys(self.in_secret)
        self.in_seq = 0

    def record(self, kind, text):
        """A record as it goes over the wire."""
        head = bytes([23, 3, 3]) + (len(text) + 17).to_bytes(2, "big")
        nonce = (self.out_iv ^ self.out_seq).to_bytes(12, "big")
        self.out_seq += 1
        return head + self.out_key.encrypt(nonce, text + bytes([kind]), head)

    def key_update(self, requested):
        """A KeyUpdate; what comes behind it is under the next key."""
        text = self.record(self.HANDSHAKE, bytes([24, 0, 0, 1, requested]))
        self.out_secret = self.next_secret(self.out_secret)
        self.rekey_out()
        return text

    def data(self, text):
        return b"".join(self.record(self.DATA, text[i:i + 16384])
                        for i in range(0, len(text), 16384))

    def receive(self):
        """The next record: (kind, text); KeyUpdates are followed."""
        def take(n):
            while len(self.buffer) < n:
                more = self.sock.recv(MIB)
                if not more:
                    raise AssertionError("ended within a record")
                self.buffer += more
            text, self.buffer = self.buffer[:n], self.buffer[n:]
            return text
        head = take(5)
        nonce = (self.in_iv ^ self.in_seq).to_bytes(12, "big")
        self.in_seq += 1
        text = self.in_key.decrypt(nonce, take(int.from_bytes(head[3:], "big")), head)
        text = text.rstrip(b"\0")
        if text[-1] == self.HANDSHAKE and text[0] == 24:
            self.updates += 1
            self.in_secret = self.next_secret(self.in_secret)
            self.rekey_in()
        return text[-1], text[:-1]

    def receive_data(self, n):
        """n bytes of data, whatever comes between."""
        parts = []
        while n > 0:
            kind, text = self.receive()
            if kind == self.ALERT:
                raise AssertionError("alert %r" % text)
            if kind == self.DATA:
                parts.append(text)
                n -= len(text)
        return b"".join(parts)


class KeyUpdate(CloseCase):
    def type(self, program, text):
        program.process.stdin.write(text)
        program.process.stdin.flush()

    def talk(self, peer, out, plain):
        """Lines both ways between openssl and the plain side, with KeyUpdates of both
        kinds between; the one that was asked for is answered."""
        for i, key in enumerate((b"", b"K", b"k", b"K", b"k")):
            if key:
                self.type(peer, key + b"\n")
                harness.wait_for(lambda n=i: self.updates(out)[0] == n, "KeyUpdate %d" % i)
            line = b"line %d from openssl\n" % i
            self.type(peer, line)
            self.assertEqual(recv_exactly(plain, len(line)), line)
            line = b"line %d from the plain side\n" % i
            plain.sendall(line)
            harness.wait_for(lambda l=line: l in self.output(out), "openssl's %r" % line)

    def output(self, name):
        with open(name, "rb") as f:
            return f.read()

    def updates(self, out):
        """(KeyUpdates that openssl sent, that it received), of its -msg output."""
        lines = [line for line in self.output(out).split(b"\n") if b", KeyUpdate" in line]
        return (sum(line.startswith(b">>>") for line in lines),
                sum(line.startswith(b"<<<") for line in lines))

    def openssl(self, out, *args):
        """OpenSSL's command, which logs its messages to a file."""
        with open(out, "wb") as f:
            return self.own(harness.Program([harness.need("openssl"), *args, "-tls1_3", "-msg"],
                                            stdin=subprocess.PIPE, stdout=f))

    def talk_and_end(self, peer, out, plain, program):
        self.talk(peer, out, plain)
        self.assertEqual(self.updates(out), (4, 2))
        fin(plain)
        self.assertEqual(outcome(plain), (b"", "eof"))
        plain.close()
        program.ends(": closed;")

    def test_keyupdate_each_side_client(self):
        """OpenSSL's KeyUpdates as a client, asking for one in return and not, with lines
        both ways between them."""
        gate = Gate(self, False)
        out = self.path("s_client")
        peer = self.openssl(
            out, "s_client", "-connect", "127.0.0.1:%d" % gate.sluss.port,
            "-cert", self.pem("client"), "-key", self.pem("client"),
            "-CAfile", self.crt("server"))
        self.talk_and_end(peer, out, gate.taken(), gate)

    def test_keyupdate_each_side_server(self):
        """The same as a server."""
        out = self.path("s_server")
        peer = self.openssl(
            out, "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-Verify", "1",
            "-cert", self.pem("server"), "-key", self.pem("server"),
            "-CAfile", self.crt("client"))

        def port():
            found = re.search(rb"^ACCEPT .*:(\d+)$", self.output(out), re.M)
            return found and int(found.group(1))
        client = self.client("127.0.0.1:%d" % harness.wait_for(port, "openssl's port"))
        plain = self.own(harness.connect(client.port))
        self.talk_and_end(peer, out, plain, client)


class KeyUpdateRecords(CloseCase):
    def setUp(self):
        super().setUp()
        if AESGCM is None:
            harness.skip("python3-cryptography is not installed")

    @each_gate(aborts=(STRICT,))
    def test_keyupdate_with_data_in_flight(self, gate, abort):
        """Bulk both ways with a KeyUpdate every few records, requested and not: every byte
        arrives, and every request is answered."""
        text = noise((1 if SANITIZER else 4) * MIB)
        records = Records(self, gate)
        plain = records.plain
        echo = threading.Thread(target=harness.echo, args=(plain,))
        echo.start()

        def send():
            for i in range(0, len(text), 16384):
                records.sock.sendall(records.data(text[i:i + 16384]))
                if i % 65536 == 0:
                    records.sock.sendall(records.key_update(i // 65536 % 2))
        sender = threading.Thread(target=send)
        sender.start()
        self.assertTrue(records.receive_data(len(text)) == text)
        sender.join()
        # A reply may still be on its way: it comes before what is echoed later.
        records.sock.sendall(records.data(b"end"))
        self.assertEqual(records.receive_data(3), b"end")
        self.assertEqual(records.updates, len(text) // 65536 // 2)
        records.sock.sendall(records.record(records.ALERT, b"\1\0"))
        echo.join()
        plain.close()
        gate.ends(": closed;")
        records.sock.close()
        gate.check()

    @each_gate(aborts=(STRICT,))
    def test_keyupdate_burst(self, gate, abort):
        """400 KeyUpdates without data between are no attack: the tunnel works after."""
        for requested in (0, 1):
            records = Records(self, gate)
            records.sock.sendall(b"".join(records.key_update(requested) for _ in range(400)))
            records.sock.sendall(records.data(b"after"))
            self.assertEqual(recv_exactly(records.plain, 5), b"after")
            records.plain.sendall(b"back")
            self.assertEqual(records.receive_data(4), b"back")
            self.assertEqual(records.updates, 400 * requested)

    @each_gate(aborts=(STRICT,), rcvbuf=SMALL)
    def test_keyupdate_storm(self, gate, abort):
        """Thousands of KeyUpdates without data: the process lives and serves another
        tunnel."""
        self.weather(gate, 0)

    @each_gate(aborts=(STRICT,), rcvbuf=SMALL)
    def test_keyupdate_storm_requested(self, gate, abort):
        """The same from a peer that asks for replies and never reads them: what waits for
        it is bounded."""
        self.weather(gate, 1)

    def weather(self, gate, requested):
        other = gate.open()
        self.pass_through(*other)
        records = Records(self, gate)
        before = gate.sluss.status_kib("VmRSS")
        storm = threading.Thread(target=self.storm, args=(records, requested), daemon=True)
        storm.start()
        sent = -1
        while storm.is_alive() and sent != records.storm:
            sent = records.storm
            for _ in range(10):
                self.pass_through(*other)
                storm.join(0.05)
        if not SANITIZER:
            self.assertLess(gate.sluss.status_kib("VmRSS") - before, KIB)
        self.is_idle(gate)
        self.pass_through(*other)
        try:
            self.calm(records, storm)
        except (OSError, AssertionError):
            # It may also be cut off, for this reason and for no other.
            gate.ends(": out of memory or past a bound;")
        harness.reset(records.sock)
        records.plain.close()
        gate.ends(r"bytes from TLS; \d")

    def storm(self, records, requested):
        """Sends KeyUpdates; whoever asks for replies and reads none is held back."""
        count = 3000 if SANITIZER else 60000 if requested else 30000
        try:
            for _ in range(0, count, 100):
                records.sock.sendall(b"".join(
                    records.key_update(requested) for _ in range(100)))
                records.storm += 1
        except OSError:
            pass  # cut off

    def calm(self, records, storm):
        """Once the replies are read all goes on in the storming tunnel, too."""
        got = []

        def read():
            try:
                got.append(records.receive_data(4))
            except (OSError, AssertionError):
                pass  # cut off
        reader = threading.Thread(target=read)
        reader.start()
        storm.join(PATIENCE)
        records.sock.sendall(records.data(b"after"))
        self.assertEqual(recv_exactly(records.plain, 5), b"after")
        records.plain.sendall(b"back")
        reader.join()
        self.assertEqual(got, [b"back"])


if __name__ == "__main__":
    harness.main()
