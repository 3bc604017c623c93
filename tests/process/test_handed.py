#!/usr/bin/env python3
"""What the plain end of a tunnel is told of the peer: in a PROXY header, and in the environment
of a program.  The channel binding is that which openssl makes of the same connection."""

import ipaddress
import os
import re
import ssl
import struct
import subprocess

import certs
import harness
from harness import TlsWire, connect, main, wait_for
from cryptography import x509
from rawtls import RawClient, extension, vector
from test_prefaces import recv_proxy2, tlvs

LABEL = "EXPORTER-Channel-Binding"
OP_NO_EXTENDED_MASTER_SECRET = 1
FINGERPRINT, NAMES, BINDING = 0xe0, 0xe1, 0xe2

URIS = ("spiffe://example.org/db/1", "https://example.org/?a=b%20c")
OURS = ("SLUSS_PEER_CN", "SLUSS_PEER_DNS", "SLUSS_PEER_URI", "SLUSS_PEER_IP",
        "SLUSS_PEER_EMAIL", "SLUSS_PEER_SHA256", "SLUSS_TLS_EXPORTER")


def san(*names):
    return [(x509.SubjectAlternativeName(names), False)]


def all_kinds():
    return san(x509.DNSName("a.example.org"), x509.UniformResourceIdentifier(URIS[0]),
               x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
               x509.RFC822Name("me@example.org"), x509.DNSName("*.b.example.org"),
               x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
               x509.UniformResourceIdentifier(URIS[1]))


def entry(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


class Handed(certs.CheckedCase):
    def setUp(self):
        super().setUp()
        self.ca = certs.make("ca", ca=True)
        self.cafile = certs.bundle(self.path("ca.crt"), self.ca)
        self.server_id = certs.make("server", self.ca, dns=["localhost"])
        self.server_pem, _ = self.server_id.write(self.dir, "server")
        self.alice = certs.make("Älice Smith", self.ca, more=all_kinds())
        self.alice_pem, _ = self.alice.write(self.dir, "alice")
        self.seen = []

    def serve(self, *lines, trust=True, head=()):
        """A service of certificates of a CA."""
        path = self.path("sluss.conf")
        rules = ["CAfile = " + self.cafile, "verifyChain = yes"] if trust else []
        with open(path, "w") as f:
            f.write("\n".join(["foreground = yes", "debug = info", *head, "[svc]",
                               "accept = 127.0.0.1:0", "cert = " + self.server_pem, *rules,
                               *lines]) + "\n")
        return self.own(harness.Sluss(path))

    def with_header(self, *lines, **kw):
        def handler(c):
            self.seen.append(recv_proxy2(c))
            harness.echo(c)
        return self.serve("protocol = proxy2", "connect = " + self.backend(handler).target,
                          *lines, **kw)

    def with_program(self, *lines, **kw):
        script = self.path("script")
        with open(script, "w") as f:
            f.write("#!/bin/sh\nenv -0\n")
        os.chmod(script, 0o755)
        return self.serve("exec = " + script, *lines, **kw)

    def visit(self, sluss, who, version=None, options=0, alpn=()):
        ctx = certs.context(self.dir, who, version=version)
        if alpn:
            ctx.set_alpn_protocols(alpn)
        ctx.options |= options
        return TlsWire(self.own(connect(sluss.port)), ctx).handshake()

    def header(self, sluss, who, **kw):
        """The fields of the header about a client."""
        wire = self.visit(sluss, who, **kw)
        wire.write(b"x")
        self.assertEqual(wire.read_exactly(1), b"x")
        return tlvs(self.seen.pop()[2][12:])

    def environment(self, sluss, who, **kw):
        return env_of(self.visit(sluss, who, **kw).outcome()[0])

    def openssl(self, sluss, version, *more, who=None, talk=b"come-back"):
        """(what openssl's client exports, what it was answered)."""
        pem = who or self.alice_pem
        with subprocess.Popen(
                [harness.need("openssl"), "s_client", "-connect", "127.0.0.1:%d" % sluss.port,
                 "-cert", pem, "-key", pem, "-" + version, "-keymatexport", LABEL,
                 "-keymatexportlen", "32", *more], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
            try:
                out = b""
                p.stdin.write(talk)
                p.stdin.flush()
                # The ticket of TLS 1.3 comes ahead of the first answer.
                answer = rb"SLUSS_TLS_EXPORTER=[0-9a-f]{64}|" + talk
                while not re.search(rb"Keying material: [0-9A-F]{64}(.|\n)*(%s)" % answer, out):
                    more = os.read(p.stdout.fileno(), 65536)
                    self.assertTrue(more, out)
                    out += more
            finally:
                p.kill()
        return bytes.fromhex(re.search(rb"Keying material: ([0-9A-F]+)", out).group(1).decode()), out


def env_of(data):
    return dict(v.split("=", 1) for v in data.decode().split("\0") if "=" in v)


class Header(Handed):
    def test_identity(self):
        """Byte for byte: standard fields, fingerprint, every alternative name, binding."""
        sluss = self.with_header()
        for version, number in harness.VERSIONS:
            with self.subTest(version):
                fields = self.header(sluss, self.alice, version=number)
                self.assertEqual(sorted(fields), [0x20, FINGERPRINT, NAMES, BINDING])
                inner = tlvs(fields[0x20][5:])
                self.assertEqual(fields[0x20][:5], b"\x07\0\0\0\0")
                self.assertEqual(sorted(inner), [0x21, 0x22, 0x23, 0x24, 0x25, 0x28])
                self.assertEqual(inner[0x22], "Älice Smith".encode())
                self.assertEqual((inner[0x24], inner[0x25]), (b"SHA256", b"EC256"))
                self.assertEqual(inner[0x28], self.alice.der)
                self.assertEqual(fields[FINGERPRINT].hex(":").upper(), self.alice.fingerprint())
                self.assertEqual(fields[NAMES], b"".join((
                    entry(2, b"a.example.org"), entry(6, URIS[0].encode()),
                    entry(7, b"\xc0\0\2\7"), entry(1, b"me@example.org"),
                    entry(2, b"*.b.example.org"),
                    entry(7, ipaddress.ip_address("2001:db8::1").packed),
                    entry(6, URIS[1].encode()))))
                self.assertEqual(len(fields[BINDING]), 32)
        self.assertNotIn("is not told", sluss.log)

    def test_own_algorithms(self):
        for kind, key in (("rsa2048", b"RSA2048"), ("ed25519", b"ED25519"), ("p384", b"EC384")):
            with self.subTest(kind):
                self.server_pem, _ = certs.make("s", kind=kind).write(self.dir, kind)
                inner = tlvs(self.header(self.with_header(), self.alice)[0x20][5:])
                self.assertEqual(inner[0x25], key)
                self.assertEqual(inner[0x24], b"ED25519" if kind == "ed25519" else b"SHA256")

    def test_protocol(self):
        fields = self.header(self.with_header("alpn = h2,http/1.1"), self.alice,
                             alpn=["http/1.1"])
        self.assertEqual(fields[0x01], b"http/1.1")

    def test_binding(self):
        """It is what the client makes of it."""
        sluss = self.with_header()
        for version in ("tls1_2", "tls1_3"):
            theirs, _ = self.openssl(sluss, version)
            self.assertEqual(tlvs(self.seen.pop()[2][12:])[BINDING], theirs, version)

    def test_resumed(self):
        """A resumed connection is the same client's, and has a binding of its own."""
        sluss = self.with_header("sessionResume = yes")
        for version in ("tls1_2", "tls1_3"):
            with self.subTest(version):
                kept = self.path(version)
                first, _ = self.openssl(sluss, version, "-sess_out", kept)
                self.assertTrue(os.path.getsize(kept) > 0)
                second, out = self.openssl(sluss, version, "-sess_in", kept)
                self.assertIn(b"Reused, TLS", out)
                b, a = (tlvs(self.seen.pop()[2][12:]) for _ in range(2))
                self.assertEqual((a[BINDING], b[BINDING]), (first, second))
                self.assertNotEqual(first, second)
                for kind in (FINGERPRINT, NAMES):
                    self.assertEqual(a[kind], b[kind])
                # Shown in the session, not on this connection.
                self.assertEqual((a[0x20][0], b[0x20][0]), (7, 5))
                self.assertEqual(tlvs(a[0x20][5:])[0x28], tlvs(b[0x20][5:])[0x28])

    def test_without_extended_master_secret(self):
        """In TLS 1.2 without it there is no binding, and the log says so."""
        sluss = self.with_header()
        fields = self.header(sluss, self.alice, version=ssl.TLSVersion.TLSv1_2,
                             options=OP_NO_EXTENDED_MASTER_SECRET)
        self.assertEqual(sorted(fields), [0x20, FINGERPRINT, NAMES])
        sluss.wait_log(r"not told the channel binding of 127\.0\.0\.1:\d+: TLS 1.2 without the "
                       "extended master secret")

    def test_unverified(self):
        """A certificate that nobody has verified is told as such, and says nothing; the channel
        is bound all the same."""
        for lines in ((), ("requireCert = yes",)):
            fields = self.header(self.with_header(*lines, trust=False), self.alice)
            if lines:
                self.assertEqual(fields[0x20][4], 1)
            self.assertEqual(sorted(fields), [0x20, BINDING])
            self.assertNotIn(0x22, tlvs(fields[0x20][5:]))

    def test_without_certificate(self):
        fields = self.header(self.with_header(trust=False), None)
        self.assertEqual(sorted(fields), [0x20, BINDING])
        self.assertEqual(fields[0x20][:5], b"\1\0\0\0\1")

    def test_many_names(self):
        """More names than a target could take are left out, all of them; the log says so once."""
        many = certs.make("many", self.ca, dns=["host%04d.example.test" % i for i in range(200)])
        sluss = self.with_header()
        fields = self.header(sluss, many)
        self.assertEqual(sorted(fields), [0x20, FINGERPRINT, BINDING])
        self.assertEqual(tlvs(fields[0x20][5:])[0x28], many.der)
        line = "is not told the alternative names of 127.0.0.1:"
        sluss.wait_log(re.escape(line))
        self.assertEqual(sluss.log.count(line), 1)

    def test_authority(self):
        """A name that is for another section, though only for those who read it in another way,
        is not told by the one that was taken for it."""
        sluss = self.with_header("[other]", "sni = svc:other.test", "cert = " + self.server_pem,
                                 "connect = 127.0.0.1:1", trust=False)
        for name, told in ((b"free.test", b"free.test"), (b"Free.Test.", b"Free.Test."),
                           (None, None), (b"other.test\0x", None), (b"other.test\0", None),
                           (b"free.test\0other.test", None)):
            with self.subTest(name):
                more = b"" if name is None else extension(0, vector(2, b"\0" + vector(2, name)))
                raw = RawClient(self.own(connect(sluss.port)), [], more=more)
                raw.server_hello()
                raw.finish()
                self.assertEqual(raw.talk(b"x"), b"x")
                self.assertEqual(tlvs(self.seen.pop()[2][12:]).get(0x02), told)

    def test_odd_names(self):
        """A name that ends early for some readers is told to none; a subject with two common
        names has none."""
        odd = certs.make(issuer=self.ca, subject=certs.name(("CN", "a"), ("CN", "b")), more=san(
            x509.DNSName._init_without_validation("good.test\1.evil.test"),
            x509.UniformResourceIdentifier._init_without_validation("x:a b"),
            x509.DNSName("fine.test"), x509.RFC822Name._init_without_validation("x\n@y")))
        fields = self.header(self.with_header(), odd)
        self.assertEqual(fields[NAMES], entry(2, b"fine.test"))
        self.assertNotIn(0x22, tlvs(fields[0x20][5:]))
        hidden = certs.make("good\0evil", self.ca)
        self.assertNotIn(0x22, tlvs(self.header(self.with_header(), hidden)[0x20][5:]))


class Environment(Handed):
    def test_identity(self):
        env = self.environment(self.with_program(), self.alice)
        expected = {
            "SLUSS_PEER_CN": "Älice Smith",
            "SLUSS_PEER_DNS": "a.example.org *.b.example.org",
            "SLUSS_PEER_URI": " ".join(URIS),
            "SLUSS_PEER_IP": "192.0.2.7 2001:db8::1",
            "SLUSS_PEER_EMAIL": "me@example.org",
            "SLUSS_PEER_SHA256": self.alice.fingerprint().replace(":", "").lower(),
        }
        self.assertEqual({k: env.get(k) for k in expected}, expected)
        self.assertRegex(env["SLUSS_TLS_EXPORTER"], "^[0-9a-f]{64}$")

    def test_binding(self):
        sluss = self.with_program()
        for version in ("tls1_2", "tls1_3"):
            theirs, out = self.openssl(sluss, version)
            self.assertIn(b"SLUSS_TLS_EXPORTER=" + theirs.hex().encode(), out)

    def test_unverified(self):
        """Nothing is said of who was not verified, not even what was inherited."""
        for name in OURS:
            os.environ[name] = "inherited"
            self.addCleanup(os.environ.pop, name)
        for lines in ((), ("requireCert = yes",)):
            env = self.environment(self.with_program(*lines, trust=False), self.alice)
            self.assertEqual([k for k in OURS if k in env], ["SLUSS_TLS_EXPORTER"])
            self.assertNotEqual(env["SLUSS_TLS_EXPORTER"], "inherited")

    def test_odd_names(self):
        """What could pass for two names, or for another variable, is not there; a list that is
        too long is not cut."""
        odd = certs.make(issuer=self.ca, subject=certs.name(("CN", "a\nPATH=/evil")), more=san(
            x509.DNSName._init_without_validation("a.test b.test"),
            x509.DNSName("fine.test"),
            x509.UniformResourceIdentifier._init_without_validation("x:\nPATH=/evil"),
            x509.RFC822Name._init_without_validation("a\rb@c")))
        env = self.environment(self.with_program(), odd)
        self.assertEqual(env["SLUSS_PEER_DNS"], "fine.test")
        self.assertEqual([k for k in ("SLUSS_PEER_URI", "SLUSS_PEER_EMAIL", "SLUSS_PEER_CN")
                          if k in env], [])
        self.assertNotIn("evil", env["PATH"])
        many = certs.make("many", self.ca, dns=["host%04d.example.test" % i for i in range(200)],
                          ip=["192.0.2.1"])
        sluss = self.with_program()
        env = self.environment(sluss, many)
        self.assertNotIn("SLUSS_PEER_DNS", env)
        self.assertEqual((env["SLUSS_PEER_IP"], env["SLUSS_PEER_CN"]), ("192.0.2.1", "many"))
        sluss.wait_log("is not told SLUSS_PEER_DNS: the names are more than 4095 bytes")
        longest = "x:" + 4093 * "a"
        env = self.environment(sluss, certs.make("long", self.ca, more=san(
            x509.UniformResourceIdentifier(longest))))
        self.assertEqual(env["SLUSS_PEER_URI"], longest)

    def client_environment(self, address, *lines):
        """What a program is told of the server that sluss speaks TLS with."""
        script = self.path("script")
        with open(script, "w") as f:
            f.write("#!/bin/sh\nenv -0 > %s; mv %s %s\ncat\n" % (
                self.path("tmp"), self.path("tmp"), self.path("env")))
        os.chmod(script, 0o755)
        if os.path.exists(self.path("env")):
            os.unlink(self.path("env"))
        path = self.path("client.conf")
        with open(path, "w") as f:
            f.write("\n".join(["foreground = yes", "debug = info", "[prog]", "client = yes",
                               "connect = " + address, "cert = " + self.alice_pem,
                               "CAfile = " + self.cafile, "verifyChain = yes",
                               "checkHost = localhost", "exec = " + script, *lines]) + "\n")
        client = self.own(harness.Sluss(path, ready=False))
        wait_for(lambda: os.path.exists(self.path("env")) or not client.alive(), "the program")
        with open(self.path("env"), "rb") as f:
            env = env_of(f.read())
        return env

    def test_client(self):
        """In client mode it is the server's identity, and the same binding as the server's."""
        for version in ("TLSv1.2", "TLSv1.3"):
            with self.subTest(version), subprocess.Popen(
                    [harness.need("openssl"), "s_server", "-accept", "127.0.0.1:0", "-naccept", "1",
                     "-cert", self.server_pem, "-key", self.server_pem, "-keymatexport", LABEL,
                     "-keymatexportlen", "32"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT) as p:
                self.addCleanup(p.kill)
                out = b""

                def until(pattern):
                    nonlocal out
                    while not re.search(pattern, out):
                        more = os.read(p.stdout.fileno(), 65536)
                        self.assertTrue(more, out)
                        out += more
                    return re.search(pattern, out).group(1).decode()
                port = until(rb"ACCEPT 127\.0\.0\.1:(\d+)\n")
                env = self.client_environment("127.0.0.1:" + port, "sslVersion = " + version)
                theirs = until(rb"Keying material: ([0-9A-F]+)\n")
                p.kill()
                self.assertEqual(env["SLUSS_TLS_EXPORTER"], theirs.lower())
                self.assertEqual(env["SLUSS_PEER_DNS"], "localhost")
                self.assertEqual(env["SLUSS_PEER_CN"], "server")

    def test_client_without_extended_master_secret(self):
        """As a client we look into the server's hello, however it comes."""
        ctx = certs.context(self.dir, self.server_id, server_side=True,
                            version=ssl.TLSVersion.TLSv1_2)
        ctx.options |= OP_NO_EXTENDED_MASTER_SECRET
        peer = self.own(certs.TlsServer(ctx))
        env = self.client_environment(peer.target)
        self.assertEqual(env["SLUSS_PEER_DNS"], "localhost")
        self.assertNotIn("SLUSS_TLS_EXPORTER", env)


if __name__ == "__main__":
    main()
