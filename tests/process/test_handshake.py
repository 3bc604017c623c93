#!/usr/bin/env python3
"""Handshake abuse: whatever a peer does before it is authorised costs a bounded time and
a bounded memory, ends with one line in the log, reaches no backend and disturbs
nobody else; and what is negotiated is what the issue allows."""

import os
import random
import re
import resource
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certs
import harness
from harness import (PATIENCE, SANITIZER, VERSIONS, Program, Sluss, TlsWire, connect, echo,
                     need, outcome, reset, wait_for)
from cryptography import x509

HRR_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
ALERT, HANDSHAKE, APPLICATION = 21, 22, 23
CLIENT_HELLO, SERVER_HELLO = 1, 2
X25519MLKEM768, X25519, P256, P384 = 4588, 29, 23, 24
END = r"LOG6\[\d+\]: Service \["  # begins the line of a tunnel's end

SUITES_13 = [0x1301, 0x1302, 0x1303]
# ECDHE with AES-GCM or ChaCha20-Poly1305, for ECDSA and RSA certificates.
SUITES_12 = [0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8]


#
# TLS by hand
#

def vector(size, data):
    """A vector with a length of so many bytes in front."""
    return len(data).to_bytes(size, "big") + data


def extension(kind, data):
    return struct.pack("!H", kind) + vector(2, data)


def numbers(*values):
    return b"".join(struct.pack("!H", v) for v in values)


def client_hello(versions=(0x0304, 0x0303), legacy=0x0303, groups=(X25519, P256), shares=(X25519,),
                 suites=tuple(SUITES_13 + SUITES_12), sni=None, more=b""):
    """A ClientHello message.  versions () leaves supported_versions out."""
    exts = b""
    if sni is not None:
        exts += extension(0, vector(2, b"\0" + vector(2, sni)))
    exts += extension(10, vector(2, numbers(*groups)))
    exts += extension(11, b"\x01\x00")
    exts += extension(13, vector(2, numbers(0x0403, 0x0503, 0x0804, 0x0805, 0x0401)))
    if versions:
        exts += extension(43, vector(1, numbers(*versions)))
        exts += extension(51, vector(2, b"".join(
            numbers(g) + vector(2, bytes([9]) * 32) for g in shares)))
    exts += more
    body = (numbers(legacy) + os.urandom(32) + vector(1, os.urandom(32)) +
            vector(2, numbers(*suites)) + b"\x01\x00" + vector(2, exts))
    return bytes([CLIENT_HELLO]) + vector(3, body)


def records(message, size=16384, kind=HANDSHAKE):
    """The message in records of at most so many bytes."""
    return b"".join(bytes([kind]) + b"\x03\x01" + vector(2, message[i:i + size])
                    for i in range(0, len(message), size))


def parse_records(data):
    """(type, body) of each whole record."""
    found = []
    while len(data) >= 5:
        n = 5 + int.from_bytes(data[3:5], "big")
        if len(data) < n:
            break
        found.append((data[0], data[5:n]))
        data = data[n:]
    return found


def messages(data):
    """(type, body) of the plain handshake messages of a TLS 1.3 stream, or of those that
    begin a 1.2 one.  A change_cipher_spec after a first hello means nothing in 1.3."""
    plain = b""
    for kind, body in parse_records(data):
        if kind == APPLICATION:
            break
        if kind == HANDSHAKE:
            plain += body
    found = []
    while len(plain) >= 4 and len(plain) >= 4 + int.from_bytes(plain[1:4], "big"):
        n = 4 + int.from_bytes(plain[1:4], "big")
        found.append((plain[0], plain[4:n]))
        plain = plain[n:]
    return found


def alerts(data):
    """The plain alerts of a stream of records."""
    return [(b[0], b[1]) for kind, b in parse_records(data) if kind == ALERT and len(b) == 2]


class Hello:
    """What a ClientHello or ServerHello says."""

    def __init__(self, kind, body):
        self.random = body[2:34]
        at = 35 + body[34]
        if kind == CLIENT_HELLO:
            self.suites, at = self._list(body, at)
            self.compression = body[at + 1:at + 1 + body[at]]
            at += 1 + body[at]
        else:
            self.suites = [int.from_bytes(body[at:at + 2], "big")]
            self.compression = body[at + 2:at + 3]
            at += 3
        self.extensions = {}
        end = at + 2 + int.from_bytes(body[at:at + 2], "big") if at < len(body) else at
        at += 2
        while at < end:
            kind, n = struct.unpack("!HH", body[at:at + 4])
            self.extensions[kind] = body[at + 4:at + 4 + n]
            at += 4 + n

    @staticmethod
    def _list(body, at):
        n = int.from_bytes(body[at:at + 2], "big")
        return list(struct.unpack("!%dH" % (n // 2), body[at + 2:at + 2 + n])), at + 2 + n

    def numbers(self, kind):
        """The extension that is a list of 16-bit numbers."""
        return self._list(self.extensions[kind], 0)[0]

    def shares(self):
        """The groups of a ClientHello's key shares."""
        data, groups = self.extensions[51][2:], []
        while data:
            group, n = struct.unpack("!HH", data[:4])
            groups.append(group)
            data = data[4 + n:]
        return groups

    def retry(self):
        return self.random == HRR_RANDOM


def hellos(data, kind):
    return [Hello(k, body) for k, body in messages(data) if k == kind]


class Relay:
    """Passes bytes on between a client and a server, and keeps them."""

    def __init__(self, port):
        self.port_behind = port
        self.sent, self.received = b"", b""  # by the client, by the server
        self.backend = harness.Backend(self._serve)
        self.target = self.backend.target
        self.port = self.backend.port
        self.close = self.backend.close

    def _serve(self, c):
        s = connect(self.port_behind)
        back = threading.Thread(target=self._copy, args=(s, c, "received"), daemon=True)
        back.start()
        self._copy(c, s, "sent")
        back.join()
        s.close()

    def _copy(self, a, b, into):
        try:
            while True:
                data = a.recv(65536)
                setattr(self, into, getattr(self, into) + data)
                if not data:
                    b.shutdown(socket.SHUT_WR)
                    return
                b.sendall(data)
        except OSError:
            pass


class OpenSsl(Program):
    """openssl s_client or s_server with a terminal of ours."""

    def __init__(self, *argv):
        super().__init__([need("openssl")] + list(argv), stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
        self.out = b""
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self):
        while True:
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return
            self.out += data

    def say(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def wait_out(self, data):
        wait_for(lambda: data in self.out or not self.alive(), "%r of %s" % (data, self.argv))
        wait_for(lambda: data in self.out, "%r of %s:\n%s\n%s" %
                 (data, self.argv, self.out.decode("utf-8", "replace"), self.log), 2)


class HandshakeCase(certs.CheckedCase):

    def server(self, connect, *more, **kw):
        """At debug each failure has its line; else those of one source are limited."""
        if "--debug" not in more:
            more += ("--debug", "debug")
        return super().server(connect, *more, **kw)

    def context(self, *args, **kw):
        """Of a truncation Python tells as of a close_notify unless asked otherwise."""
        ctx = super().context(*args, **kw)
        ctx.options &= ~certs.OP_IGNORE_UNEXPECTED_EOF
        return ctx

    def count_ends(self, program):
        return len(re.findall(END, program.log))

    def one_end(self, program, before, pattern):
        """One more tunnel has ended, and its line matches."""
        wait_for(lambda: self.count_ends(program) > before, "a line in:\n" + program.log)
        time.sleep(0.02)  # a second line would come at once
        lines = [l for l in program.lines if re.search(END, l)][before:]
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], pattern)
        return lines[0]

    def answers(self, port, **kw):
        """A good client gets its echo."""
        wire = self.tls(port, **kw)
        wire.write(b"ping")
        self.assertEqual(wire.read_exactly(4), b"ping")
        wire.close_notify()
        return wire

    def local_answers(self, port):
        """A local program's bytes go through our client and come back."""
        self.assertEqual(certs.ask(port, b"ping", 4), (b"ping", "open"))

    def raw(self, port, data, patience=PATIENCE):
        """Sends bytes; what comes back until the end, and which end."""
        c = connect(port)
        try:
            c.sendall(data)
            return outcome(c, patience)
        except BrokenPipeError:
            return b"", "reset"
        finally:
            c.close()

    def s_client(self, port, *more, identity="client"):
        who = ["-cert", self.pem(identity), "-key", self.pem(identity)] if identity else []
        return self.own(OpenSsl("s_client", "-connect", "127.0.0.1:%d" % port,
                                "-CAfile", self.crt("server"), *who, *more))

    def s_client_answers(self, port, *more, **kw):
        """openssl s_client with these arguments gets its echo; returns it."""
        c = self.s_client(port, "-quiet", "-no_ign_eof", *more, **kw)
        c.say(b"ping\n")
        c.wait_out(b"ping")
        c.process.stdin.close()
        c.wait()
        return c

    def s_server(self, *more):
        """openssl s_server as the server identity; returns it and its port."""
        s = self.own(OpenSsl("s_server", "-accept", "127.0.0.1:0", "-cert", self.pem("server"),
                             "-key", self.pem("server"), "-CAfile", self.crt("client"),
                             "-Verify", "3", "-partial_chain", *more))
        s.wait_out(b"ACCEPT ")
        port = wait_for(lambda: re.search(rb"ACCEPT 127.0.0.1:(\d+)\s", s.out), "the port")
        return s, int(port.group(1))

    def good_server(self, version=None):
        """A TLS server that echoes, as the server identity."""
        return self.own(certs.TlsServer(self.context("server", version=version,
                                                     server_side=True, trust="client")))


class Slow(HandshakeCase):

    def test_slowloris_silent(self):
        """1000 silent sockets are reaped at TIMEOUTbusy, none of them in the way of a good
        client."""
        n, busy = (200 if SANITIZER else 1000), 5
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < n + 200:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, n + 200), hard))
        backend = self.backend(echo)
        server = self.server(backend.target, "--timeoutbusy", busy)
        base = self.baseline(server)
        started = time.monotonic()
        silent = [self.own(connect(server.port)) for _ in range(n)]
        wait_for(lambda: server.fds() >= base[0] + n, "all to be accepted")
        before = time.monotonic()
        wire = self.answers(server.port)
        took = time.monotonic() - before
        self.assertLess(took, 10 if SANITIZER else 2, "a good client had to wait")
        self.assertEqual(server.fds() >= base[0] + n, True, "reaped before a good client came")
        wire.close()
        for c in silent:
            c.settimeout(max(1, PATIENCE - (time.monotonic() - started)))
            self.assertIn(outcome(c)[1], ("eof", "reset"))
        self.assertGreater(time.monotonic() - started, busy * 0.9, "reaped too early")
        server.wait_log("TIMEOUTbusy exceeded while in the TLS handshake: .*the peer said nothing",
                        count=n)
        self.assertEqual(backend.count, 1)
        self.back_to(server, base)

    def dribble(self, data, sock):
        """Sends a byte each 0.2 s until the other side ends it; the seconds that took and how
        much was sent."""
        started = time.monotonic()
        sent = 0
        for i in range(len(data)):
            try:
                sock.send(data[i:i + 1])
                sent += 1
                sock.settimeout(0.2)
                if not sock.recv(65536):
                    break
            except socket.timeout:
                continue
            except OSError:
                break
        return time.monotonic() - started, sent

    def test_slowloris_dribble(self):
        """A byte each 0.2 s does not extend the deadline of the whole handshake."""
        backend = self.backend(echo)
        server = self.server(backend.target, "--timeoutbusy", 1)
        hello = records(client_hello())
        seconds, sent = self.dribble(hello, self.own(connect(server.port)))
        self.one_end(server, 0, "TIMEOUTbusy exceeded while in the TLS handshake: "
                     "not finished within 1 seconds; the peer began it")
        self.assertLess(seconds, 10)
        self.assertGreater(seconds, 0.9)
        self.assertLess(sent, len(hello))
        self.assertEqual(backend.count, 0)
        self.answers(server.port)

    def test_slowloris_dribble_records(self):
        """The same with whole records that carry but a byte of the hello each."""
        server = self.server("echo:", "--timeoutbusy", 1)
        hello = client_hello()
        parts = records(hello[4:], 1)
        c = self.own(connect(server.port))
        c.sendall(records(hello[:4]))
        started = time.monotonic()
        ended = False
        for i in range(0, len(parts), 6):
            try:
                c.sendall(parts[i:i + 6])
                c.settimeout(0.2)
                ended = not c.recv(65536)
            except socket.timeout:
                continue
            except OSError:
                ended = True
            if ended:
                break
        self.assertTrue(ended, "the whole hello was taken")
        self.assertLess(time.monotonic() - started, 10)
        self.one_end(server, 0, "TIMEOUTbusy exceeded while in the TLS handshake")

    def test_slowloris_server(self):
        """A server that dribbles its answer, or says nothing, holds our client no longer than
        TIMEOUTbusy, and the local program learns it."""
        seen = []

        def dribbler(c):
            c.recv(65536)
            seen.append(self.dribble(b"\x16\x03\x03\x00\x7a\x02" + bytes(200), c))

        def mute(c):
            c.recv(65536)
            outcome(c)

        for handler, says in ((dribbler, "the peer began it"), (mute, "the peer said nothing")):
            with self.subTest(says):
                behind = self.backend(handler)
                client = self.client(behind.target, "--timeoutbusy", 1)
                started = time.monotonic()
                self.assertEqual(certs.ask(client.port, b"secret"), (b"", "reset"))
                self.assertLess(time.monotonic() - started, 10)
                self.one_end(client, 0, "TIMEOUTbusy exceeded while in the TLS handshake: .*" +
                             says)
        self.assertLess(seen[0][1], 200)

    def test_handshake_flood(self):
        """200 garbage handshakes of five kinds: the tunnel that stands answers all the
        while, and nothing is left of them."""
        n = 60 if SANITIZER else 200
        backend = self.backend(echo)
        server = self.server(backend.target, "--timeoutbusy", 2)
        wire = self.tls(server.port)
        wire.write(b"first")
        self.assertEqual(wire.read_exactly(5), b"first")
        base = self.baseline(server)
        hello = records(client_hello())
        kinds = (b"", b"GET / HTTP/1.0\r\n\r\n", hello[:50], hello, hello + bytes(100))
        flood = []

        def attack():
            for i in range(n):
                c = connect(server.port)
                c.sendall(kinds[i % len(kinds)])
                flood.append(c)

        attacker = threading.Thread(target=attack)
        attacker.start()
        slowest, rounds = 0, 0
        while attacker.is_alive() or rounds < 50:
            before = time.monotonic()
            wire.write(b"still here")
            self.assertEqual(wire.read_exactly(10), b"still here")
            slowest = max(slowest, time.monotonic() - before)
            rounds += 1
        attacker.join()
        self.assertEqual(len(flood), n)
        self.assertLess(slowest, 10 if SANITIZER else 2)
        wait_for(lambda: self.count_ends(server) == n, "%d ends" % n)
        self.assertEqual(backend.count, 1)
        for c in flood:
            c.close()
        self.back_to(server, base)
        wire.write(b"after")
        self.assertEqual(wire.read_exactly(5), b"after")


class Garbage(HandshakeCase):

    NOT_TLS = (
        ("http_get", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "speaks plain HTTP"),
        ("http_post", b"POST /x HTTP/1.0\r\n\r\nabc", "speaks plain HTTP"),
        ("http_connect", b"CONNECT x:1 HTTP/1.0\r\n\r\n", "speaks plain HTTP"),
        ("sslv2", bytes.fromhex("802e010002001500000010010080020080030080040080050080060040"
                                "0700c0") + bytes(16), "speaks an SSLv2 hello"),
        ("proxy_v1", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + records(client_hello()),
         "speaks a PROXY header"),
        ("proxy_v2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12) + records(client_hello()),
         "speaks a PROXY v2 header"),
        ("ssh", b"SSH-2.0-OpenSSH_9.2\r\n", "speaks SSH"),
        ("smtp", b"EHLO x\r\n", "speaks plain SMTP"),
        ("zeros", bytes(300), "speaks something that is not TLS"),
        ("postgres", bytes.fromhex("0000000804d2162f"), "speaks something that is not TLS"),
    )

    # Framed as TLS: here an alert is due (RFC 8446, 5.1 and 6.2).
    FRAMED = (
        ("not_a_hello", b"\x16\x03\x01\x00\x05hello"),
        ("finished_first", records(b"\x14" + vector(3, bytes(12)))),
        ("data_first", b"\x17\x03\x03\x00\x05hello"),
        ("hello_of_nothing", records(b"\x01\x00\x00\x00")),
        ("hello_torn", records(bytes([CLIENT_HELLO]) + vector(3, client_hello()[4:60]))),
        ("overlong_record", b"\x16\x03\x01\xff\xff" + bytes(70000)),
    )

    def test_garbage_hello(self):
        """What is not TLS ends at once, with one line that says what it seems to be; nothing
        but at most one alert is answered, no backend is contacted."""
        backend = self.backend(echo)
        server = self.server(backend.target)
        for label, data, says in self.NOT_TLS:
            with self.subTest(label):
                before = self.count_ends(server)
                answer, end = self.raw(server.port, data)
                self.assertIn(end, ("eof", "reset"))
                self.assertLessEqual(len(alerts(answer)), 1)
                self.assertEqual(len(answer), 7 * len(alerts(answer)), answer)
                self.one_end(server, before, says)
        self.assertEqual(backend.count, 0)
        self.answers(server.port)

    def test_garbage_framed(self):
        """What is wrong inside of TLS records is answered with one fatal alert, which the
        log's one line names."""
        backend = self.backend(echo)
        server = self.server(backend.target)
        for label, data in self.FRAMED:
            with self.subTest(label):
                before = self.count_ends(server)
                answer, _ = self.raw(server.port, data)
                line = self.one_end(server, before, "TLS handshake failed")
                self.assertEqual([level for level, _ in alerts(answer)], [2], line)
                self.assertIn("alert sent: ", line)
                self.assertIn("(%d)" % alerts(answer)[0][1], line)
        self.assertEqual(backend.count, 0)
        self.answers(server.port)

    def test_garbage_random(self):
        """Random bytes, by themselves, in a record, and in place of a hello's bytes: always
        an end, one line, no backend, and the server lives."""
        backend = self.backend(echo)
        server = self.server(backend.target, "--timeoutbusy", 1)
        seed = int(os.environ.get("SLUSS_SEED", "20261122"))
        rng = random.Random(seed)
        for i in range(90):
            if i % 3 == 0:
                data = rng.randbytes(rng.randint(5, 2000))
            elif i % 3 == 1:
                data = records(rng.randbytes(rng.randint(5, 2000)))
            else:
                data = bytearray(records(client_hello()))
                for _ in range(rng.randint(1, 8)):
                    data[rng.randrange(5, len(data))] = rng.randrange(256)
            with self.subTest("SLUSS_SEED=%d, the %dth" % (seed, i)):
                before = self.count_ends(server)
                c = connect(server.port)
                c.sendall(bytes(data))
                c.shutdown(socket.SHUT_WR)
                try:
                    outcome(c)
                finally:
                    c.close()
                self.one_end(server, before, "while in the TLS handshake")
        self.assertEqual(backend.count, 0)
        self.answers(server.port)

    def test_garbage_nothing(self):
        """A connection that says nothing and leaves is no event for the log, but for
        whoever debugs."""
        backend = self.backend(echo)
        server = self.server(backend.target, "--debug", "7")
        for leave in (lambda c: c.close(), reset):
            leave(connect(server.port))
        server.wait_log("LOG7.*peer left before the TLS handshake", count=2)
        self.assertEqual(self.count_ends(server), 0)
        self.assertEqual(backend.count, 0)
        self.answers(server.port)

    def test_garbage_server(self):
        """A server that speaks something else gets none of the local program's bytes, and
        the log says what it seems to speak."""
        for label, data, says in (("smtp", b"220 mail ESMTP\r\n", "speaks plain SMTP"),
                                  ("ssh", b"SSH-2.0-x\r\n", "speaks SSH"),
                                  ("http", b"HTTP/1.0 400 Bad Request\r\n\r\n",
                                   "speaks plain HTTP"),
                                  ("echo", None, "TLS handshake failed")):
            with self.subTest(label):
                got = []

                def handler(c):
                    if data is None:
                        hello = c.recv(65536)
                        c.sendall(hello)
                        got.append(outcome(c)[0])
                    else:
                        c.sendall(data)
                        got.append(outcome(c)[0])

                behind = self.backend(handler)
                client = self.client(behind.target, "--timeoutbusy", 2)
                self.assertEqual(certs.ask(client.port, b"secret-of-the-local-program"),
                                 (b"", "reset"))
                self.one_end(client, 0, says)
                wait_for(lambda: got, "the peer's end")
                self.assertNotIn(b"secret", got[0])
                self.assertTrue(client.alive())


class Flights(HandshakeCase):

    def stepwise(self, wire, stop):
        """Handshakes until the stop-th event (a flight sent, a read, the end), then resets.
        Returns how many flights were sent whole; None when the handshake was over before."""
        event = flights = 0
        while True:
            try:
                wire.tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            data = wire.pending_out()
            if data:
                if event == stop:  # half of the flight
                    wire.sock.sendall(data[:len(data) // 2])
                    reset(wire.sock)
                    return flights
                wire.sock.sendall(data)
                flights += 1
                event += 1
            if event == stop:
                reset(wire.sock)
                return flights
            event += 1
            if done:
                return None
            wire.feed()
            if event == stop:
                reset(wire.sock)
                return flights
            event += 1

    def test_rst_at_each_flight_server(self):
        """A client that resets before, within and after each of its flights leaves nothing
        behind in our server, and no backend is contacted before it is authorised."""
        for name, version in VERSIONS:
            with self.subTest(name):
                backend = self.backend(echo)
                server = self.server(backend.target)
                base = self.baseline(server)
                flights = []
                while True:
                    wire = TlsWire(connect(server.port), self.context(version=version))
                    sent = self.stepwise(wire, len(flights))
                    if sent is None:
                        break
                    flights.append(sent)
                wire.close()
                self.assertGreaterEqual(len(flights), 5)
                self.back_to(server, base)
                self.answers(server.port, version=version)
                # The second flight has the certificate and the Finished; with it, the backend
                # may be contacted, as for the two who got through.
                self.assertLessEqual(backend.count, flights.count(2) + 2)
                self.assertEqual(set(flights), {0, 1, 2})

    def test_rst_at_each_flight_client(self):
        """The same of a server against our client, whose local program sees a reset."""
        for name, version in VERSIONS:
            with self.subTest(name):
                stop, over = [0], []

                def handler(c):
                    c.settimeout(PATIENCE)
                    wire = TlsWire(c, self.context("server", version=version, server_side=True,
                                                   trust="client"), server_side=True)
                    if self.stepwise(wire, stop[0]) is None:
                        over.append(True)
                        wire.write(b"done")
                        wire.outcome()

                behind = self.backend(handler)
                client = self.client(behind.target)
                base = self.baseline(client)
                while True:
                    got, end = certs.ask(client.port, n=4)
                    if end == "open":
                        break
                    self.assertEqual((got, end), (b"", "reset"), "stop %d" % stop[0])
                    stop[0] += 1
                self.assertEqual(over, [True])
                self.assertGreaterEqual(stop[0], 4)
                self.back_to(client, base)


class Fragments(HandshakeCase):

    def first_flight(self, version=None, server_hostname="localhost"):
        """A TLS wire on no socket yet, and its hello."""
        wire = TlsWire(None, self.context(version=version), server_hostname=server_hostname)
        try:
            wire.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return wire, wire.pending_out()

    def goes_on(self, wire):
        """The handshake that began goes through, and the echo answers."""
        wire.handshake()
        wire.write(b"ping")
        self.assertEqual(wire.read_exactly(4), b"ping")
        wire.close_notify()

    def test_hello_fragmented_segments(self):
        """A hello in segments of one byte, and in three, is a hello."""
        server = self.server("echo:")
        for name, version in VERSIONS:
            wire, hello = self.first_flight(version)
            for size in (1, len(hello) // 3 + 1):
                with self.subTest("%s, %d bytes" % (name, size)):
                    wire, hello = self.first_flight(version)
                    wire.sock = self.own(connect(server.port))
                    for i in range(0, len(hello), size):
                        wire.sock.sendall(hello[i:i + size])
                        time.sleep(0.0005 if size == 1 else 0.02)
                    self.goes_on(wire)

    def test_hello_fragmented_all(self):
        """Every byte of the client's handshake in a segment of its own, and ours to a client
        whose server does so."""
        server = self.server("echo:")
        for name, version in VERSIONS:
            with self.subTest(name):
                wire = TlsWire(self.own(connect(server.port)), self.context(version=version))

                def flush(w=wire):
                    for b in w.pending_out():
                        w.sock.sendall(bytes([b]))
                wire.flush = flush
                self.goes_on(wire)
        for name, version in VERSIONS:
            with self.subTest(name + ", client mode"):
                def handler(c):
                    w = TlsWire(c, self.context("server", version=version, server_side=True,
                                                trust="client"), server_side=True)

                    def flush():
                        for b in w.pending_out():
                            c.sendall(bytes([b]))
                    w.flush = flush
                    w.handshake()
                    w.write(w.read())
                    w.outcome()
                client = self.client(self.backend(handler).target)
                self.local_answers(client.port)

    def test_hello_fragmented_records(self):
        """A hello spread over records goes through, or is refused with an alert and a line;
        with records of 100 bytes, which real clients send, it must go through."""
        server = self.server("echo:")
        for name, version in VERSIONS:
            for size in (1, 2, 100):
                with self.subTest("%s, records of %d" % (name, size)):
                    before = self.count_ends(server)
                    wire, hello = self.first_flight(version)
                    wire.sock = self.own(connect(server.port))
                    wire.sock.sendall(records(hello[5:], size))
                    try:
                        self.goes_on(wire)
                        self.one_end(server, before, "; %s " % name)
                    except (ssl.SSLError, OSError) as e:
                        wire.close()
                        self.assertLess(size, 100, e)
                        line = self.one_end(server, before, "TLS handshake failed")
                        self.assertIn("alert sent: ", line)
        self.answers(server.port)

    def test_hello_64k(self):
        """A hello of 64 KiB, of as much as its length field can say, and a storm of empty
        records are refused with an alert, at the cost of little memory."""
        backend = self.backend(echo)
        server = self.server(backend.target, "--timeoutbusy", 5)
        self.answers(server.port)
        wait_for(lambda: self.count_ends(server) == 1, "the end")
        before_kib = server.status_kib("VmRSS")
        # 60 KB of an unknown extension keep the extensions' length within two bytes.
        padded = client_hello(more=extension(0x1234, bytes(60000)))
        endless = bytes([CLIENT_HELLO]) + b"\xff\xff\xff" + bytes(400000)
        for label, data in (("64 KiB", records(padded + bytes(5536))),
                            ("16 MiB", records(endless)),
                            ("empty records", b"\x16\x03\x01\x00\x00" * 20000)):
            with self.subTest(label):
                before = self.count_ends(server)
                answer, end = self.raw(server.port, data)
                self.assertIn(end, ("eof", "reset"))
                line = self.one_end(server, before, "TLS handshake failed|TIMEOUTbusy")
                if end == "eof":
                    self.assertEqual([l for l, _ in alerts(answer)][-1:], [2], line)
        if not SANITIZER:
            self.assertLess(server.status_kib("VmRSS") - before_kib, 4096)
        self.assertEqual(backend.count, 1)
        self.answers(server.port)


class Huge(HandshakeCase):

    def chain(self, n):
        """A root and an identity of which n certificates are sent."""
        root = issuer = certs.make("root", ca=True)
        for i in range(n - 1):
            issuer = certs.make("ca%d" % i, issuer=issuer, ca=True)
        return root, certs.make("client.test", issuer=issuer, dns=["localhost"])

    def try_chain(self, root, identity, version):
        """Shows the chain to our server and to our client; each is open, or refused with one
        line and an alert.  Returns the two verdicts."""
        verdicts = []
        ca = certs.bundle(self.path("root.crt"), root)
        backend = self.backend(echo)
        server = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect", backend.target,
                                "--cert", self.pem("server"), "--cafile", ca))
        wire = TlsWire(self.own(connect(server.port)),
                       certs.context(self.dir, identity, version=version))
        try:
            wire.handshake()
            wire.write(b"ping")
            self.assertEqual(wire.read(), b"ping")
            verdicts.append("open")
        except ssl.SSLError as e:
            wire.close()
            line = self.one_end(server, 0, "peer refused|TLS handshake failed")
            self.assertIn("ALERT", e.reason or "", line)
            self.assertIn("alert sent: ", line)
            self.assertEqual(backend.count, 0)
            verdicts.append("refused")
        wire.close()
        behind = self.own(certs.TlsServer(certs.context(self.dir, identity, True, version)))
        client = self.own(Sluss("client", "--accept", "127.0.0.1:0", "--connect", behind.target,
                                "--cert", self.pem("client"), "--cafile", ca,
                                "--checkhost", "localhost"))
        got, end = certs.ask(client.port, b"ping", 4)
        if end == "open":
            self.assertEqual(got, b"ping")
            verdicts.append("open")
        else:
            self.assertEqual((got, end), (b"", "reset"))
            line = self.one_end(client, 0, "peer refused|TLS handshake failed")
            self.assertIn("alert sent: ", line)
            wait_for(lambda: behind.outcomes, "the server's end")
            self.assertEqual(behind.outcomes[0][0], b"")
            self.assertIn("ALERT", behind.outcomes[0][1])
            verdicts.append("refused")
        for sluss in (server, client):
            self.assertTrue(sluss.alive(), sluss.log)
            if not SANITIZER:
                self.assertLess(sluss.status_kib("VmHWM"), 40 << 10)
        return verdicts

    def test_huge_client_chain(self):
        """9 certificates with a way to the root pass; of 10 and 20 the library takes no
        more than 9 and refuses, on both ends, with an alert."""
        for name, version in VERSIONS:
            for n, verdict in ((9, "open"), (10, "refused"), (20, "refused")):
                with self.subTest("%s, %d" % (name, n)):
                    root, identity = self.chain(n)
                    self.assertEqual(len(identity.chain) + 1, n)
                    self.assertEqual(self.try_chain(root, identity, version),
                                     [verdict, verdict])

    def test_huge_certificate(self):
        """One certificate of 100 KB: an alert and a line, or success; bounded memory."""
        root = certs.make("root", ca=True)
        big = certs.make("client.test", issuer=root, dns=["localhost"], more=[
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"),
                                        bytes(100000)), False)])
        for name, version in VERSIONS:
            with self.subTest(name):
                verdicts = self.try_chain(root, big, version)
                self.assertEqual(verdicts[0], verdicts[1])

    def test_huge_ca_list(self):
        """A server that names 500 CAs in its CertificateRequest, 14 and 45 KB of names, is no
        trouble for our client."""
        key = certs.KEYS["p256"]()
        for label, words in (("short", ""), ("long", "One of the many " + "x" * 40)):
            own = self.path(label + ".pem")
            with open(own, "wb") as f:
                for i in range(500):
                    subject = certs.name(("CN", "Authority %d" % i))
                    if words:
                        subject = certs.name(("O", words), ("CN", "Authority %d" % i))
                    f.write(certs.make(subject=subject, ca=True, key=key).cert_pem())
                with open(self.crt("client"), "rb") as crt:
                    f.write(crt.read())
            for name, flag in (("TLSv1.2", "-tls1_2"), ("TLSv1.3", "-tls1_3")):
                with self.subTest("%s, %s" % (name, label)):
                    server, port = self.s_server("-CAfile", own, flag, "-rev")
                    client = self.client("127.0.0.1:%d" % port)
                    self.assertEqual(certs.ask(client.port, b"ping\n", 5), (b"gnip\n", "open"))
                    self.one_end(client, 0, "; %s " % name)


class Negotiation(HandshakeCase):

    def test_renegotiation_tls12(self):
        """A client, or server, that asks for renegotiation is refused without a hang."""
        backend = self.backend(echo)
        server = self.server(backend.target)
        c = self.s_client(server.port, "-tls1_2")
        c.wait_out(b"Verify return code")
        # RFC 5746 is signalled all the same.
        self.assertIn(b"Secure Renegotiation IS supported", c.out)
        c.say(b"R\n")
        c.wait()
        self.one_end(server, 0, "TLSv1.2")
        self.answers(server.port)
        s, port = self.s_server("-tls1_2")
        client = self.client("127.0.0.1:%d" % port)
        local = self.own(connect(client.port))
        local.sendall(b"ping\n")
        s.wait_out(b"ping")
        s.say(b"r\n")
        # s_server tells of the refusal only when it reads again: so it gets something.
        try:
            local.sendall(b"pong\n")
        except OSError:
            pass
        got, end = outcome(local)
        self.assertEqual(got, b"")
        self.one_end(client, 0, "TLSv1.2")
        self.assertTrue(client.alive())

    def relayed(self, port):
        return self.own(Relay(port))

    def test_hrr_groups_clients(self):
        """Our server takes P-256-only and X25519-only clients at once, and brings a client
        whose share is of no use to a group that is, with one HelloRetryRequest."""
        server = self.server("echo:")
        for n, (groups, group, retries) in enumerate((
                ("P-256", "SECP256R1", 0), ("X25519", "X25519", 0), ("P-384", "SECP384R1", 0),
                ("X448:P-256", "SECP256R1", 1), ("P-521:X25519", "X25519", 1))):
            with self.subTest(groups):
                relay = self.relayed(server.port)
                self.s_client_answers(relay.port, "-tls1_3", "-groups", groups)
                self.one_end(server, n, "TLSv1.3 TLS_AES_128_GCM_SHA256 %s;" % group)
                self.assertEqual([h.retry() for h in hellos(relay.received, SERVER_HELLO)]
                                 .count(True), retries)
        # In 1.2 the groups bind the certificate's curve, too: an RSA one has none.
        pem, crt = certs.make("rsa", kind="rsa2048", dns=["localhost"]).write(self.dir, "rsa")
        server = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect", "echo:",
                                "--cert", pem, "--peer", self.crt("client")))
        for n, (groups, group) in enumerate((
                ("P-256", "SECP256R1"), ("X25519", "X25519"), ("P-384", "SECP384R1"),
                ("P-521:P-384:P-256", "SECP(256|384)R1"), ("X448:P-521:X25519", "X25519"))):
            with self.subTest("TLSv1.2 " + groups):
                self.s_client_answers(server.port, "-tls1_2", "-groups", groups)
                self.one_end(server, n, "TLSv1.2 .* %s;" % group)

    def test_hrr_groups_hybrid_first(self):
        """To a client that sends no share at all our server names the hybrid, the first of
        our groups."""
        server = self.server("echo:", "--timeoutbusy", 2)
        c = self.own(connect(server.port))
        c.sendall(records(client_hello(groups=(P384, P256, X25519, X25519MLKEM768), shares=())))
        data = b""
        while not hellos(data, SERVER_HELLO):
            more = c.recv(65536)
            self.assertTrue(more, (data, server.log))
            data += more
        hello = hellos(data, SERVER_HELLO)[0]
        self.assertTrue(hello.retry())
        self.assertEqual(int.from_bytes(hello.extensions[51], "big"), X25519MLKEM768)

    def test_hrr_groups_none(self):
        """A client without any of our groups fails with an alert, and is one line.  (The
        library names its favourite group all the same, so the client sends the alert.)"""
        server = self.server("echo:")
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version):
                before = self.count_ends(server)
                c = self.s_client(server.port, version, "-groups", "P-521:X448")
                c.wait()
                self.one_end(server, before, r"(TLS handshake failed|refused by peer) while in "
                             r"the TLS handshake: .*alert (sent|received): "
                             r"(handshake_failure|illegal_parameter) ")

    def test_hrr_groups_servers(self):
        """Our client opens to P-256-only and X25519-only servers; one that lacks the hybrid
        but has X25519 costs no extra round trip."""
        for groups, group, retries in (("X25519", "X25519", 0), ("P-384:X25519", "X25519", 0),
                                       ("P-256", "SECP256R1", 1), ("P-384", "SECP384R1", 1)):
            with self.subTest(groups):
                server, port = self.s_server("-tls1_3", "-groups", groups, "-rev")
                relay = self.relayed(port)
                client = self.client(relay.target)
                self.assertEqual(certs.ask(client.port, b"ping\n", 5), (b"gnip\n", "open"))
                self.one_end(client, 0, "TLSv1.3 TLS_AES_128_GCM_SHA256 %s;" % group)
                answered = hellos(relay.received, SERVER_HELLO)
                self.assertEqual([h.retry() for h in answered], [True] * retries + [False])

    def test_hybrid_between_us(self):
        """Two of us use the hybrid, without a second hello."""
        server = self.server("echo:")
        relay = self.relayed(server.port)
        client = self.client(relay.target)
        self.local_answers(client.port)
        for end in (client, server):
            self.one_end(end, 0, "TLSv1.3 TLS_AES_128_GCM_SHA256 X25519MLKEM768;")
        self.assertEqual(len(hellos(relay.sent, CLIENT_HELLO)), 1)
        self.assertFalse(hellos(relay.received, SERVER_HELLO)[0].retry())

    def our_hello(self, *more):
        """The ClientHello of our client with these options."""
        got = []

        def handler(c):
            data = b""
            while not hellos(data, CLIENT_HELLO):
                data += c.recv(65536)
            got.append(hellos(data, CLIENT_HELLO)[0])

        client = self.client(self.backend(handler).target, *more)
        certs.ask(client.port)
        wait_for(lambda: got, "the hello")
        return got[0]

    def test_our_hello(self):
        """What our client offers: the groups and suites of the issue in its order, shares of
        the first two groups, no compression, no session, no early data, no SHA-1."""
        hello = self.our_hello()
        self.assertEqual(hello.numbers(10), [X25519MLKEM768, X25519, P256, P384])
        self.assertEqual(sorted(hello.shares()), sorted([X25519MLKEM768, X25519]))
        offered = [s for s in hello.suites if s != 0x00ff]  # 0x00ff signals RFC 5746
        self.assertEqual(offered[0], 0x1301)
        self.assertEqual(sorted(offered), sorted(SUITES_13 + SUITES_12))
        self.assertEqual(hello.compression, b"\0")
        self.assertNotIn(42, hello.extensions, "early_data")
        self.assertNotIn(41, hello.extensions, "pre_shared_key")
        self.assertEqual(hello.extensions.get(35, b""), b"", "a session ticket")
        versions = hello.extensions[43]
        self.assertEqual(versions, vector(1, numbers(0x0304, 0x0303)))
        algorithms = hello.numbers(13)
        self.assertEqual([a for a in algorithms if a >> 8 in (1, 2)], [], "MD5 or SHA-1")
        old = self.our_hello("--sslversionmax", "TLSv1.2")
        self.assertNotIn(0x0304, struct.unpack("!%dH" % (len(old.extensions.get(43, b"\0")) // 2),
                                               old.extensions.get(43, b"\0")[1:]))
        self.assertEqual(sorted(s for s in old.suites if s != 0x00ff), sorted(SUITES_12))
        self.assertNotIn(X25519MLKEM768, old.numbers(10))
        new = self.our_hello("--sslversionmin", "TLSv1.3")
        self.assertEqual(new.extensions[43], vector(1, numbers(0x0304)))
        self.assertEqual(sorted(s for s in new.suites if s != 0x00ff), SUITES_13)

    def test_sni_odd(self):
        """There is one certificate: a name that is missing, unknown, long, dotted, or in
        capitals makes no difference."""
        server = self.server("echo:")
        for name in (None, "unknown.example.org", "a" * 63 + ("." + "b" * 63) * 2 + "." + "c" * 63,
                     "localhost.", "LOCALHOST", "192.0.2.1", "-_-", "\u00e5"):
            for version in ("-tls1_2", "-tls1_3"):
                with self.subTest("%s %s" % (name, version)):
                    sni = ["-noservername"] if name is None else ["-servername", name]
                    self.s_client_answers(server.port, version, *sni)

    def test_sni_crafted(self):
        """Names that no honest client sends (empty, with NULs, of the wrong length, twice,
        not a name): the server answers with a hello or an alert, and lives."""
        server = self.server("echo:", "--timeoutbusy", 2)
        entry = b"\0" + vector(2, b"localhost")
        for n, body in enumerate((
                vector(2, b"\0" + vector(2, b"")), vector(2, b"\0" + vector(2, b"loc\0alhost")),
                vector(2, b"\0" + vector(2, b"\0")), vector(2, entry + entry),
                vector(2, b"\x07" + vector(2, b"xyz")), b"\xff\xff" + entry, b"", b"\0",
                vector(2, b"\0\xff\xff" + b"x"), vector(2, b"\0" + vector(2, b"x" * 10000)))):
            with self.subTest(n):
                c = connect(server.port)
                c.sendall(records(client_hello(more=extension(0, body))))
                data = c.recv(65536)
                c.close()
                self.assertTrue(hellos(data, SERVER_HELLO) or alerts(data), data)
        self.assertTrue(server.alive(), server.log)
        self.answers(server.port)

    def test_alpn_offered(self):
        """ALPN offers are passed over: there is nothing to choose from."""
        server = self.server("echo:")
        for version in ("-tls1_2", "-tls1_3"):
            self.s_client_answers(server.port, version, "-alpn", "h2,http/1.1")

    def test_version_floor_server(self):
        """A hello of 1.0, 1.1 or SSL 3.0 gets protocol_version, and the limits that the
        operator sets hold."""
        cases = [((), dict(versions=(), legacy=v), 70) for v in (0x0300, 0x0301, 0x0302)]
        cases += [((), dict(versions=(0x0302, 0x0301)), 70),
                  (("--sslversionmin", "TLSv1.3"), dict(versions=()), 70),
                  (("--sslversionmin", "TLSv1.3"), dict(versions=(0x0303,)), 70)]
        for options, hello, code in cases:
            with self.subTest("%s %s" % (options, hello)):
                backend = self.backend(echo)
                server = self.server(backend.target, *options)
                answer, _ = self.raw(server.port, records(client_hello(**hello)))
                line = self.one_end(server, 0, "TLS handshake failed")
                # The library may say it twice.
                self.assertEqual(set(alerts(answer)), {(2, code)}, line)
                self.assertIn("alert sent: protocol_version (70)", line)
                self.assertIn("no protocol version in common", line)
                self.assertEqual(backend.count, 0)

    def test_version_limits_server(self):
        """Within the limits the best version is spoken."""
        for options, flags, spoken in ((("--sslversionmax", "TLSv1.2"), (), "TLSv1.2"),
                                       (("--sslversionmin", "TLSv1.3"), (), "TLSv1.3"),
                                       (("--sslversion", "TLSv1.3"), (), "TLSv1.3"),
                                       ((), (), "TLSv1.3"), ((), ("-tls1_2",), "TLSv1.2")):
            with self.subTest("%s %s" % (options, flags)):
                server = self.server("echo:", *options)
                self.s_client_answers(server.port, *flags)
                self.one_end(server, 0, "; %s " % spoken)

    def test_version_limits_server_refuse(self):
        """A client that speaks 1.3 only, and a server told to speak 1.2 only."""
        for option in ("--sslversionmax", "--sslversion"):
            with self.subTest(option):
                backend = self.backend(echo)
                server = self.server(backend.target, option, "TLSv1.2")
                wire = TlsWire(self.own(connect(server.port)),
                               self.context(version=ssl.TLSVersion.TLSv1_3))
                with self.assertRaises(ssl.SSLError):
                    wire.handshake()
                wire.close()
                # To a server of 1.2 it is a hello with none of its suites.
                self.one_end(server, 0, "alert (sent|received): "
                                        "(protocol_version|handshake_failure) ")
                self.assertEqual(backend.count, 0)

    def test_version_limits_client(self):
        """The same of our client, against servers of one version only."""
        for name, version in VERSIONS:
            for options, fits in (((), True),
                                  (("--sslversionmax", "TLSv1.2"), name == "TLSv1.2"),
                                  (("--sslversionmin", "TLSv1.3"), name == "TLSv1.3"),
                                  (("--sslversion", "TLSv1.2"), name == "TLSv1.2")):
                with self.subTest("%s server, %s" % (name, options)):
                    behind = self.good_server(version)
                    client = self.client(behind.target, *options)
                    if fits:
                        self.local_answers(client.port)
                        self.one_end(client, 0, "; %s " % name)
                        continue
                    self.assertEqual(certs.ask(client.port), (b"", "reset"))
                    self.one_end(client, 0, r"alert (sent|received): protocol_version \(70\)")

    def test_version_floor_client(self):
        """A server that answers with 1.1 or 1.0, which was not offered, is refused."""
        for version in (0x0302, 0x0301, 0x0300):
            with self.subTest("%04x" % version):
                got = []

                def handler(c):
                    hello = b""
                    while not messages(hello):
                        hello += c.recv(65536)
                    body = (numbers(version) + os.urandom(32) + vector(1, os.urandom(32)) +
                            numbers(0xc02b) + b"\0")
                    c.sendall(records(bytes([SERVER_HELLO]) + vector(3, body)))
                    got.append(outcome(c)[0])

                client = self.client(self.backend(handler).target)
                self.assertEqual(certs.ask(client.port), (b"", "reset"))
                line = self.one_end(client, 0, "TLS handshake failed")
                wait_for(lambda: got, "the answer")
                self.assertEqual(set(alerts(got[0])), {(2, 70)}, line)

    def test_downgrade_seen(self):
        """Somebody between who makes a 1.3 hello look like 1.2 is found out."""
        server = self.server("echo:")
        relay = self.relayed(server.port)
        copy = relay._copy

        def spoil(a, b, into):
            if into == "sent":
                hello = a.recv(65536)
                # The version list loses 1.3: what remains is a grease value and 1.2.
                b.sendall(hello.replace(b"\x00\x2b\x00\x05\x04\x03\x04\x03\x03",
                                        b"\x00\x2b\x00\x05\x04\x0a\x0a\x03\x03"))
                self.assertIn(b"\x00\x2b\x00\x05\x04\x03\x04\x03\x03", hello)
            copy(a, b, into)

        relay._copy = spoil
        client = self.client(relay.target)
        self.assertEqual(certs.ask(client.port), (b"", "reset"))
        line = self.one_end(client, 0, "TLS handshake failed")
        self.assertIn("alert sent: ", line)

    def test_suites_refused(self):
        """Clients and servers that have only CBC, RSA key exchange or DHE are refused with
        an alert."""
        rsa = certs.make("rsa", kind="rsa2048", dns=["localhost"])
        pem, crt = rsa.write(self.dir, "rsa")
        backend = self.backend(echo)
        server = self.server(backend.target)
        rsa_server = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect",
                                    backend.target, "--cert", pem, "--peer", self.crt("client")))
        for suite, at in (("ECDHE-ECDSA-AES128-SHA256", server), ("ECDHE-ECDSA-AES256-SHA", server),
                          ("ECDHE-RSA-AES128-SHA256", rsa_server),
                          ("AES128-GCM-SHA256", rsa_server), ("AES128-SHA", rsa_server),
                          ("DHE-RSA-AES128-GCM-SHA256", rsa_server),
                          ("ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0", server),
                          ("AECDH-AES128-SHA:@SECLEVEL=0", server),
                          ("ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0", server)):
            with self.subTest(suite):
                before = self.count_ends(at)
                c = self.s_client(at.port, "-tls1_2", "-cipher", suite)
                c.wait()
                self.assertRegex(c.log, "alert handshake failure|alert number 40")
                self.one_end(at, before, r"no cipher suite in common.*alert sent: "
                                         r"handshake_failure \(40\)")
        self.assertEqual(backend.count, 0)
        for suite in ("ECDHE-RSA-AES128-SHA256", "AES128-GCM-SHA256",
                      "DHE-RSA-AES128-GCM-SHA256"):
            with self.subTest("server with " + suite):
                s, port = self.s_server("-tls1_2", "-cipher", suite, "-cert", pem, "-key", pem)
                client = self.own(Sluss("client", "--accept", "127.0.0.1:0", "--connect",
                                        "127.0.0.1:%d" % port, "--cert", self.pem("client"),
                                        "--peer", crt))
                self.assertEqual(certs.ask(client.port), (b"", "reset"))
                self.one_end(client, 0, r"handshake_failure \(40\)")

    def test_suites_preferred(self):
        """AES-128-GCM wins although OpenSSL prefers AES-256; each allowed one works alone."""
        server = self.server("echo:")
        for n, (flags, suite) in enumerate((
                (("-tls1_3",), "TLS_AES_128_GCM_SHA256"),
                (("-tls1_2",), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
                (("-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"), "TLS_AES_256_GCM_SHA384"),
                (("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"),
                 "TLS_CHACHA20_POLY1305_SHA256"),
                (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"),
                 "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
                (("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"),
                 "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"))):
            with self.subTest("%s" % (flags,)):
                self.s_client_answers(server.port, *flags)
                self.one_end(server, n, " %s " % suite)

    def test_compression_off(self):
        """A hello that offers compression gets none; one without the null method is refused."""
        server = self.server("echo:", "--timeoutbusy", 2)
        hello = client_hello(versions=())
        at = hello.index(b"\x01\x00", 4 + 2 + 32 + 33 + 2 + 2 * len(SUITES_13 + SUITES_12))
        for methods, fine in ((b"\x02\x01\x00", True), (b"\x01\x01", False)):
            with self.subTest(methods):
                body = hello[4:at] + methods + hello[at + 2:]
                c = self.own(connect(server.port))
                c.sendall(records(bytes([CLIENT_HELLO]) + vector(3, body)))
                data = c.recv(65536)
                c.close()
                if fine:
                    self.assertEqual(hellos(data, SERVER_HELLO)[0].compression, b"\0")
                else:
                    self.assertEqual([l for l, _ in alerts(data)], [2])


class Resumption(HandshakeCase):

    def full(self, server, ctx, session, before):
        """Connects with a session of before: the handshake is a full one, with the client's
        certificate."""
        wire = TlsWire(self.own(connect(server.port)), ctx, server_hostname="localhost")
        if session is not None:
            wire.tls.session = session
        wire.handshake()
        self.assertFalse(wire.tls.session_reused)
        wire.write(b"ping")
        self.assertEqual(wire.read_exactly(4), b"ping")
        session = wire.tls.session
        wire.close_notify()
        self.one_end(server, before, 'peer "CN=client')
        return session

    def foreign_session(self, ctx, version):
        """A session with a ticket of another server, which has our server's name and key."""
        other = self.good_server(version)
        wire = TlsWire(self.own(connect(other.port)), ctx, server_hostname="localhost").handshake()
        wire.write(b"x")
        wire.read_exactly(1)
        session = wire.tls.session
        self.assertTrue(session.has_ticket)
        # It is a good one: where it was made, it is taken.
        again = TlsWire(self.own(connect(other.port)), ctx, server_hostname="localhost")
        again.tls.session = session
        self.assertTrue(again.handshake().tls.session_reused)
        return session

    def test_no_resumption(self):
        """No ticket and no session is offered, and what a client offers is passed over."""
        for name, version in VERSIONS:
            with self.subTest(name):
                server = self.server("echo:")
                ctx = self.context(version=version)
                session = self.full(server, ctx, None, 0)
                self.assertFalse(session.has_ticket)
                self.full(server, ctx, session, 1)
                self.full(server, ctx, self.foreign_session(ctx, version), 2)

    def test_no_resumption_by_client(self):
        """Our client makes a full handshake each time, whatever tickets the server gives."""
        for name, version in VERSIONS:
            with self.subTest(name):
                reused = []

                def handler(c):
                    wire = TlsWire(c, ctx, server_side=True).handshake()
                    reused.append((wire.tls.session_reused, wire.tls.getpeercert(True)))
                    wire.write(wire.read())
                    wire.outcome()

                ctx = self.context("server", version=version, server_side=True, trust="client")
                client = self.client(self.backend(handler).target)
                for _ in range(3):
                    self.local_answers(client.port)
                self.assertEqual([r for r, _ in reused], [False] * 3)
                self.assertNotIn(None, [c for _, c in reused])

    def test_insecure_session_no_key(self):
        """A session made at a server that lets anyone in opens nothing where a certificate
        is asked for."""
        for name, version in VERSIONS:
            with self.subTest(name):
                backend = self.backend(echo)
                loose = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect", "echo:",
                                       "--cert", self.pem("server"), "--insecure"))
                strict = self.server(backend.target)
                ctx = self.context(None, version=version)
                wire = TlsWire(self.own(connect(loose.port)), ctx,
                               server_hostname="localhost").handshake()
                wire.write(b"ping")
                self.assertEqual(wire.read_exactly(4), b"ping")
                for session in (wire.tls.session, self.foreign_session_anonymous(ctx, version)):
                    before = self.count_ends(strict)
                    again = TlsWire(self.own(connect(strict.port)), ctx,
                                    server_hostname="localhost")
                    again.tls.session = session
                    with self.assertRaises(ssl.SSLError):
                        again.handshake()
                        again.read()
                    again.close()
                    self.one_end(strict, before, "no certificate presented")
                self.assertEqual(backend.count, 0)

    def foreign_session_anonymous(self, ctx, version):
        """A session with a ticket of a server that asks for no certificate."""
        loose = self.context("server", version=version, server_side=True, trust="client")
        loose.verify_mode = ssl.CERT_NONE
        other = self.own(certs.TlsServer(loose))
        wire = TlsWire(self.own(connect(other.port)), ctx, server_hostname="localhost").handshake()
        wire.write(b"x")
        wire.read_exactly(1)
        return wire.tls.session

    def test_early_data_when_off(self):
        """A client that sends early data unasked: none of it reaches the backend, the
        connection ends in an alert, and the server lives."""
        session, early = self.path("session"), self.path("early")
        with open(early, "wb") as f:
            f.write(b"EARLY-DATA" * 100)
        other, port = self.s_server("-tls1_3", "-early_data", "-max_early_data", "16384")
        c = self.s_client(port, "-tls1_3", "-sess_out", session, "-servername", "localhost")
        wait_for(lambda: os.path.exists(session) and os.path.getsize(session) > 0, "the ticket")
        c.process.stdin.close()
        c.wait()
        # The early data is sent indeed, and taken where the session was made.
        c = self.s_client(port, "-tls1_3", "-sess_in", session, "-servername", "localhost",
                          "-early_data", early)
        other.wait_out(b"EARLY-DATA")
        c.kill()
        got = []

        def handler(conn):
            got.append(outcome(conn)[0])

        backend = self.backend(handler)
        server = self.server(backend.target)
        c = self.s_client(server.port, "-tls1_3", "-sess_in", session, "-servername", "localhost",
                          "-early_data", early)
        c.wait()
        self.assertIn("alert", c.log)
        self.one_end(server, 0, "TLS handshake failed.*alert sent: ")
        self.assertEqual(backend.count, 0)
        self.assertEqual(got, [])
        self.answers(self.server("echo:").port)


if __name__ == "__main__":
    harness.main()
