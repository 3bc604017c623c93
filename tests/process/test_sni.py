"""Sections that are chosen by the name that a client asks for."""

import socket
import ssl
import struct
import threading
import time

import harness
from harness import Case, TlsWire, VERSIONS, connect
from test_handshake import client_hello, extension, messages, records

CERTIFICATE = 11


class Sni(Case):
    def setUp(self):
        super().setUp()
        names = ("primary", "one", "wild", "friend")
        for name in names:
            harness.run(harness.SLUSS, "keygen", self.path(name), "--dns", name + ".test")
        self.backends = {n: self.backend(lambda c, n=n: c.sendall(n.encode()))
                         for n in ("primary", "one", "wild")}

    def conf(self, *more, primary=()):
        """[main] and what else is given; each section has its own certificate and target."""
        path = self.path("sluss.conf")
        lines = ["foreground = yes", "debug = debug", "syslog = no", "profile = strict",
                 "peer = " + self.crt("client"), "[main]", "accept = 127.0.0.1:0",
                 "cert = " + self.path("primary.pem"),
                 "connect = " + self.backends["primary"].target] + list(primary) + list(more)
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n")
        return path

    def section(self, name, pattern, *more, cert=None):
        return ["[%s]" % name, "sni = main:" + pattern, "cert = " + self.path(cert or name) + ".pem",
                "connect = " + self.backends[cert or name].target] + list(more)

    def serve(self, *more, **kw):
        return self.own(harness.Sluss(self.conf(*more, **kw)))

    def usual(self):
        return self.serve(*self.section("wild", "*.example.org"),
                          *self.section("one", "one.example.org"))

    def context_for(self, identity="client", **kw):
        ctx = self.context(identity=None, **kw)
        ctx.load_cert_chain(self.pem(identity) if identity in ("client", "stranger")
                            else self.path(identity + ".pem"))
        for name in ("primary", "one", "wild"):
            ctx.load_verify_locations(self.path(name + ".crt"))
        return ctx

    def ask(self, port, name, send=None, **kw):
        """(what the certificate names, what the target says) of a client that asks for a name."""
        wire = TlsWire(self.own(connect(port)), self.context_for(**kw), server_hostname=name)
        if send:
            wire.flush = lambda: send(wire)
        wire.handshake()
        cert = wire.tls.getpeercert()
        said = wire.outcome()[0].decode()
        wire.close()
        return dict(cert["subject"][0])["commonName"], said

    def test_sections(self):
        """Exact before wildcard whatever their order; any case; who is unknown stays."""
        server = self.usual()
        for version in (v for _, v in VERSIONS):
            for name, section in (("one.example.org", "one"), ("ONE.Example.ORG", "one"),
                                  ("two.example.org", "wild"), ("a.b.example.org", "wild"),
                                  ("example.org", "primary"), ("notexample.org", "primary"),
                                  ("one.example.org.evil.test", "primary"),
                                  ("elsewhere.test", "primary"), (None, "primary")):
                self.assertEqual(self.ask(server.port, name, version=version),
                                 (section, section), name)

    def test_star(self):
        """* takes whoever asks for a name, but not who asks for none."""
        server = self.serve(*self.section("one", "*"))
        self.assertEqual(self.ask(server.port, "anything.test"), ("one", "one"))
        self.assertEqual(self.ask(server.port, None), ("primary", "primary"))

    def test_however_it_arrives(self):
        """A hello in bytes, and one in records of 20 bytes each, are put together, so that nobody
        comes to another section by the way he asks.  (hello.c hello_read(): its loop.)"""
        server = self.usual()

        def dribble(wire):
            for b in wire.pending_out():
                wire.sock.sendall(bytes([b]))

        def shred(wire):
            data = wire.pending_out()
            if data[:1] == b"\x16" and data[5:6] == b"\x01":
                body = data[5:5 + struct.unpack(">H", data[3:5])[0]]
                data = b"".join(data[:3] + struct.pack(">H", len(body[i:i + 20])) + body[i:i + 20]
                                for i in range(0, len(body), 20))
            wire.sock.sendall(data)
        self.assertEqual(self.ask(server.port, "one.example.org", send=dribble), ("one", "one"))
        self.assertEqual(self.ask(server.port, "one.example.org", send=shred), ("one", "one"))

    def test_trust_is_the_sections_own(self):
        """Who may pass at one section may not at another, whatever port both share.  (hello_step.c
        choose(): move_to().)"""
        server = self.serve(*self.section("one", "one.example.org",
                                          "peer = " + self.path("friend.crt")))
        self.assertEqual(self.ask(server.port, "one.example.org", identity="friend"),
                         ("one", "one"))
        for name, identity in (("one.example.org", "client"), ("elsewhere.test", "friend")):
            wire = TlsWire(self.own(connect(server.port)),
                           self.context_for(identity=identity, version=ssl.TLSVersion.TLSv1_2),
                           server_hostname=name)
            with self.assertRaises(ssl.SSLError):
                wire.handshake()
        self.assertEqual(self.backends["one"].count, 1)
        self.assertEqual(self.backends["primary"].count, 0)
        server.wait_log(r"Service \[one\] .*: peer refused")
        server.wait_log(r"Service \[main\] .*: peer refused")

    def hello(self, name):
        """A ClientHello that asks for these bytes."""
        ext = struct.pack(">HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
        ext += bytes.fromhex("002b0003020304" "000d0004000204 03".replace(" ", "")
                             + "000a00040002001d") + bytes.fromhex("003300260024001d0020") + \
            b"\x09" * 32
        body = b"\3\3" + 32 * b"\1" + b"\0" + b"\0\2\x13\1" + b"\1\0" + \
            struct.pack(">H", len(ext)) + ext
        msg = b"\1" + struct.pack(">I", len(body))[1:] + body
        return b"\x16\3\1" + struct.pack(">H", len(msg)) + msg

    def test_odd_names(self):
        """What is no host name chooses nothing: the section that listens answers, and lives."""
        server = self.usual()
        for name in (b"one.example.org\0", b"a\0b.example.org", 300 * b"a",
                     b"a/../x.example.org", b"\xff.example.org", b" .example.org"):
            c = self.own(connect(server.port))
            c.sendall(self.hello(name))
            c.recv(1)
        self.assertNotIn("Service [wild]", "\n".join(l for l in server.lines if "SNI" in l))
        self.assertNotIn("is for section [wild]", server.log)
        c = self.own(connect(server.port))
        c.sendall(self.hello(b"x.example.org."))
        server.wait_log(r'SNI: "x.example.org" is for section \[wild\]')
        self.assertEqual(self.ask(server.port, "one.example.org"), ("one", "one"))

    def answered_by(self, server, sni, **kw):
        """The section whose certificate a raw hello of TLS 1.2, where it is in clear, is shown."""
        c = self.own(connect(server.port))
        c.sendall(records(client_hello(versions=(), sni=sni, **kw)))
        data = b""
        while not any(kind == CERTIFICATE for kind, _ in messages(data)):
            more = c.recv(65536)
            if not more:
                return None
            data += more
        body = dict(messages(data))[CERTIFICATE]
        c.close()
        found = [n for n in ("primary", "one", "wild") if n.encode() + b".test" in body]
        self.assertEqual(len(found), 1)
        return found[0]

    def test_sni_odd(self):
        """None, unknown, as long as can be, dotted, in capitals, with a NUL: what is the name of a
        section's leads there, anything else to the section that listens, and nobody falls."""
        server = self.usual()
        tail = b".example.org"
        long = b".".join([63 * b"a"] * 3 + [(253 - 3 * 64 - len(tail)) * b"b"]) + tail
        self.assertEqual(len(long), 253)
        for name, section in ((None, "primary"), (b"unknown.test", "primary"),
                              (b"one.example.org.", "one"), (b"ONE.EXAMPLE.ORG", "one"),
                              (b"Two.Example.Org.", "wild"), (long, "wild"), (long + b".", "wild"),
                              (b"aa" + long, "primary"), (b"a" + long + b".", "primary"),
                              (b"one.example.org\0", "primary"), (b"\0one.example.org", "primary"),
                              (b"x\0.example.org", "primary"), (b"one.example.org..", "primary"),
                              (b".example.org", "primary"), (b".", "primary"),
                              (b"*.example.org", "primary"), (b"192.0.2.1", "primary")):
            self.assertEqual(self.answered_by(server, name), section, name)

    def test_huge_hello(self):
        """One of 64 KiB is refused or answered by the section that listens: no other is chosen by a
        hello that was not read."""
        server = self.usual()
        for size in (16000, 17000, 60000):
            more = extension(0x6a6a, b"x" * size)
            try:
                self.assertIn(self.answered_by(server, b"one.example.org", more=more),
                              ("one",) if size == 16000 else (None, "primary"))
            except ConnectionResetError:
                pass
        self.assertEqual(self.ask(server.port, "one.example.org"), ("one", "one"))

    def test_hybrid_hello(self):
        """The long hello of a client with X25519MLKEM768, in three segments."""
        server = self.usual()
        sizes = []

        def in_three(c):
            up = self.own(connect(server.port))
            data = c.recv(65536)
            while len(data) < 5 + struct.unpack(">H", data[3:5])[0]:
                data += c.recv(65536)
            sizes.append(len(data))
            for part in (data[:500], data[500:1000], data[1000:]):
                up.sendall(part)
                time.sleep(0.05)
            back = threading.Thread(target=self.pour, args=(up, c))
            back.start()
            self.pour(c, up)
            back.join()
        relay = self.backend(in_three)
        client = self.own(harness.Sluss(
            "client", "--accept", "127.0.0.1:0", "--connect", relay.target, "--cert",
            self.pem("client"), "--peer", self.path("one.crt"), "--sni", "one.example.org"))
        with connect(client.port) as c:
            self.assertEqual(harness.recv_exactly(c, 3), b"one")
        client.wait_log("X25519MLKEM768")
        self.assertGreater(sizes[0], 1200)

    @staticmethod
    def pour(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def test_dribbled_hello(self):
        """The time of a handshake begins with the hello and is a total: bytes do not prolong it."""
        server = self.serve(*self.section("one", "*"), primary=["TIMEOUTbusy = 2"])
        c = self.own(connect(server.port))
        with self.assertRaises(OSError):
            for b in self.hello(b"one.example.org") * 100:
                c.sendall(bytes([b]))
                if server.log.count("TIMEOUTbusy exceeded"):
                    c.recv(65536)
                    raise OSError
                time.sleep(0.05)
        server.wait_log("TIMEOUTbusy exceeded while waiting for the ClientHello: not finished "
                        "within 2 seconds; the peer began it")

    def test_reset_in_the_hello(self):
        """Who resets while its hello is read leaves nothing behind."""
        server = self.serve(*self.section("one", "*"))
        base = self.baseline(server)
        whole = self.hello(b"one.example.org")
        for n in (1, 5, 40, len(whole) - 1):
            c = connect(server.port)
            c.sendall(whole[:n])
            harness.reset(c)
        server.wait_log("while waiting for the ClientHello: the peer reset", count=4)
        self.back_to(server, base)

    def test_no_hello(self):
        """Garbage is refused as ever, with one line; who says nothing is cut off in time."""
        server = self.serve(*self.section("one", "*"), primary=["TIMEOUTbusy = 2"])
        base = self.baseline(server)
        for garbage in (b"GET / HTTP/1.0\r\n\r\n", b"\x80\x2e\1\0\2" + 41 * b"a",
                        b"\x16\3\1\0\0"):
            c = self.own(connect(server.port))
            c.sendall(garbage)
            harness.outcome(c)
        server.wait_log(r"Service \[main\] .*: TLS handshake failed", count=3)
        silent, slow = self.own(connect(server.port)), self.own(connect(server.port))
        slow.sendall(self.hello(b"one.example.org")[:20])
        server.wait_log("TIMEOUTbusy exceeded while waiting for the ClientHello: not finished "
                        "within 2 seconds; the peer said nothing")
        server.wait_log("not finished within 2 seconds; the peer began it")
        for c in (silent, slow):
            c.close()
        gone = connect(server.port)
        gone.sendall(b"\x16\3\1")
        gone.close()
        server.wait_log("TLS handshake failed while waiting for the ClientHello: the peer closed")
        self.back_to(server, base)

    def refused(self, *more, primary=()):
        done = harness.run(harness.SLUSS, "check", self.conf(*more, primary=primary), check=False)
        self.assertEqual(done.returncode, 1, done.out)
        return done.err

    def test_bad_sections(self):
        one = self.section
        for lines, message in (
                (one("one", "bad pattern"), '"bad pattern" is no pattern'),
                (one("one", "a.*.org"), "is no pattern"),
                (one("one", ""), "is no pattern"),
                (["[one]", "sni = nowhere:a", "connect = 1", "cert = " + self.path("one.pem")],
                 "there is no section [nowhere] that accepts as a TLS server"),
                (["[one]", "sni = a", "connect = 1", "cert = " + self.path("one.pem")],
                 "write SECTION:PATTERN"),
                (one("one", "a.test") + one("wild", "A.test"),
                 "it can never match: section [one] has the same pattern"),
                (one("one", "a.test", "accept = 1"), "must define two endpoints"),
                (one("one", "a.test", "protocol = smtp"), "is said before any name"),
                # No talk in clear would be held, so there would be no target.
                (["[one]", "sni = main:a.test", "protocol = connect",
                  "cert = " + self.path("one.pem")], "is said before any name")):
            self.assertIn(message, self.refused(*lines))
        for lines, never in (
                (one("one", "*") + one("wild", "*.example.org"), True),
                (one("one", "*.example.org") + one("wild", "*.a.EXAMPLE.org"), True),
                (one("one", "*") + one("wild", "a.example.org"), False),
                (one("one", "*.a.example.org") + one("wild", "*.example.org"), False),
                (one("one", "*.ample.org") + one("wild", "*.example.org"), False)):
            said = harness.run(harness.SLUSS, "check", self.conf(*lines)).err
            self.assertEqual("it can never match: section [one] in front of it takes all these "
                             "names" in said, never, said)
        self.assertIn("no name can choose another target",
                      self.refused(*one("one", "a.test"), primary=["protocol = smtp"]))

        # … nor may who asks the one section for a target go there by the other.
        self.assertIn("is said before any name",
                      self.refused(*one("one", "a.test"), primary=["protocol = connect"]))

    def test_source(self):
        """A section's allowFrom and denyFrom hold for those who come by its name, too."""
        server = self.serve(*self.section("one", "one.example.org", "allowFrom = 192.0.2.0/24"),
                            *self.section("wild", "*.example.org", "denyFrom = 127.0.0.0/8"))
        for name, section in (("one.example.org", "one"), ("a.example.org", "wild")):
            with self.assertRaises(OSError):
                self.ask(server.port, name)
            server.wait_log(r"\[%s\].* 127\.0\.0\.1.*denied by denyFrom or allowFrom" % section)
        self.assertEqual(self.ask(server.port, "other.test"), ("primary", "primary"))

    def test_reload(self):
        """Names come and go with the configuration."""
        server = self.usual()
        self.assertEqual(self.ask(server.port, "one.example.org"), ("one", "one"))
        self.conf(*self.section("one", "other.example.org"))
        harness.wait_for(lambda: self.ask(server.port, "one.example.org")[0] == "primary",
                         "the new configuration")
        self.assertEqual(self.ask(server.port, "other.example.org"), ("one", "one"))


if __name__ == "__main__":
    harness.main()
