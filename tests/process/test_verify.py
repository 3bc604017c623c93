#!/usr/bin/env python3
"""Verification as stunnel has it, in files: each option and level in both roles and both
versions, with the alerts that peers see; names; CApath; securityLevel; redirect; and the name
that a client asks for."""

import os
import ssl
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certs
import harness
from certs import TlsServer, bundle, make
from harness import VERSIONS, Sluss, TlsWire, connect, echo, outcome, wait_for
from cryptography import x509
from cryptography.x509.oid import NameOID

UNKNOWN_CA = "TLSV1_ALERT_UNKNOWN_CA"
BAD_CERTIFICATE = "SSLV3_ALERT_BAD_CERTIFICATE"
NO_CERTIFICATE = {"TLSv1.3": "TLSV13_ALERT_CERTIFICATE_REQUIRED",
                  "TLSv1.2": "SSLV3_ALERT_HANDSHAKE_FAILURE"}
NONE = "none"


class VerifyCase(certs.CheckedCase):

    def setUp(self):
        super().setUp()
        self.ca = make("ca", ca=True)
        self.leaf = make("leaf", issuer=self.ca, dns=["leaf.test", "localhost"], ip=["127.0.0.1"])
        self.sibling = make("sibling", issuer=self.ca, dns=["sibling.test"])
        self.stranger = make("stranger", dns=["leaf.test", "localhost"])
        self.expired = make("old", issuer=self.ca, begins=certs.now(days=-9),
                            ends=certs.now(days=-1), dns=["leaf.test"])
        self.peers = {"leaf": self.leaf, "sibling": self.sibling, "stranger": self.stranger,
                      "expired": self.expired, NONE: None}
        self.files = {
            "CA": bundle(self.path("ca.crt"), self.ca),
            "LEAF": bundle(self.path("leaf.crt"), self.leaf),
            "BOTH": bundle(self.path("both.crt"), self.ca, self.leaf),
            "SELF": bundle(self.path("self.crt"), self.stranger),
            "FOLDER": self.folder("folder", ca=self.ca, leaf=self.leaf),
            "EMPTY": self.folder("empty"),
            "P384": make("p384", kind="p384", dns=["localhost"]).write(self.dir, "p384")[0],
        }

    def folder(self, name, **identities):
        path = self.path(name)
        os.mkdir(path)
        for label, identity in identities.items():
            bundle(os.path.join(path, label + ".0"), identity)
        os.mkdir(os.path.join(path, "sub"))
        with open(os.path.join(path, "README"), "w") as f:
            f.write("no certificate\n")
        return path

    def options(self, text):
        """One line with "; " between, and names of files in {}."""
        return text.format(**self.files).replace("; ", "\n")

    def start(self, section, head="", **kw):
        path = self.path("conf-%d" % len(os.listdir(self.dir)))
        with open(path, "w") as f:
            f.write("foreground = yes\npid =\nsyslog = no\ndebug = info\n%s\n[s]\n%s\n"
                    % (head, section))
        return self.own(Sluss(path, **kw))

    def file_server(self, options, target=None, **kw):
        self.behind = self.backend(echo)
        return self.start("accept = 127.0.0.1:0\nconnect = %s\ncert = %s\n%s\n" %
                          (target or self.behind.target, self.pem("server"),
                           self.options(options)), **kw)

    def file_client(self, options, port, **kw):
        return self.start("client = yes\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:%d\n%s\n" %
                          (port, self.options(options)), **kw)

    def visit(self, port, identity, version):
        """A client with the identity: "open", or the alert that it got."""
        wire = TlsWire(connect(port), certs.context(self.dir, identity, version=version))
        try:
            wire.handshake()
            wire.write(b"ping")
            self.assertEqual(wire.read_exactly(4), b"ping")
            wire.close_notify()
            wire.outcome()
            return "open"
        except ssl.SSLError as e:
            return e.reason or str(e)
        finally:
            wire.close()

    def receive(self, identity, version, options):
        """Our client meets a server with the identity."""
        server = self.own(TlsServer(certs.context(self.dir, identity, True, version)))
        client = self.file_client(options, server.port)
        got, end = certs.ask(client.port, b"ping", 4)
        wait_for(lambda: server.outcomes, "the server's end")
        if end == "open":
            self.assertEqual(got, b"ping")
            return "open"
        self.assertEqual(got, b"")
        return server.outcomes[-1][1].replace("alert: ", "")


# What is said, and who may pass of leaf, sibling, stranger, expired and nobody.  None: whoever
# it is; a client is not even asked.
OPEN = "open"
MODES = (
    ("", (OPEN, OPEN, OPEN, OPEN, OPEN)),
    ("verify = 0", (OPEN, OPEN, OPEN, OPEN, OPEN)),
    ("requireCert = yes", (OPEN, OPEN, OPEN, OPEN, NONE)),
    ("CAfile = {CA}", (OPEN, OPEN, OPEN, OPEN, OPEN)),
    ("verifyChain = yes; CAfile = {CA}", (OPEN, OPEN, UNKNOWN_CA, BAD_CERTIFICATE, NONE)),
    ("verify = 1; CAfile = {CA}", (OPEN, OPEN, UNKNOWN_CA, BAD_CERTIFICATE, OPEN)),
    ("verify = 2; CAfile = {CA}", (OPEN, OPEN, UNKNOWN_CA, BAD_CERTIFICATE, NONE)),
    ("verify = 3; CAfile = {BOTH}", (OPEN, UNKNOWN_CA, UNKNOWN_CA, UNKNOWN_CA, NONE)),
    ("verify = 4; CAfile = {LEAF}", (OPEN, UNKNOWN_CA, UNKNOWN_CA, UNKNOWN_CA, NONE)),
    ("verifyPeer = yes; CAfile = {LEAF}", (OPEN, UNKNOWN_CA, UNKNOWN_CA, UNKNOWN_CA, NONE)),
    ("verifyPeer = yes; CAfile = {SELF}", (UNKNOWN_CA, UNKNOWN_CA, OPEN, UNKNOWN_CA, NONE)),
    # Without the CA a certificate that it has issued is no chain.
    ("verifyChain = yes; CAfile = {LEAF}", (UNKNOWN_CA, UNKNOWN_CA, UNKNOWN_CA, BAD_CERTIFICATE, NONE)),
    ("verifyPeer = yes; verifyChain = yes; CAfile = {LEAF}",
     (UNKNOWN_CA, UNKNOWN_CA, UNKNOWN_CA, UNKNOWN_CA, NONE)),
    ("verifyChain = yes; CApath = {FOLDER}", (OPEN, OPEN, UNKNOWN_CA, BAD_CERTIFICATE, NONE)),
    ("verifyPeer = yes; CApath = {FOLDER}", (OPEN, UNKNOWN_CA, UNKNOWN_CA, UNKNOWN_CA, NONE)),
    ("verifyChain = yes; CApath = {EMPTY}", (UNKNOWN_CA,) * 4 + (NONE,)),
    ("verifyPeer = yes; CApath = {EMPTY}", (UNKNOWN_CA,) * 4 + (NONE,)),
    ("verifyChain = yes; CAfile = {SELF}; CApath = {FOLDER}",
     (OPEN, OPEN, OPEN, BAD_CERTIFICATE, NONE)),
)
WHO = ("leaf", "sibling", "stranger", "expired", NONE)


class Modes(VerifyCase):

    def expected(self, what, label):
        return NO_CERTIFICATE[label] if what == NONE else what

    def test_server(self):
        for options, results in MODES:
            server = self.file_server(options)
            for label, version in VERSIONS:
                for who, what in zip(WHO, results):
                    with self.subTest(options=options, version=label, who=who):
                        before = self.behind.count
                        got = self.visit(server.port, self.peers[who], version)
                        self.assertEqual(got, self.expected(what, label), server.log)
                        self.assertEqual(self.behind.count - before, got == "open")

    def test_client(self):
        """A server always shows a certificate."""
        for options, results in MODES:
            for (label, version), who in zip(VERSIONS * 2, ("leaf", "stranger", "sibling", "expired")):
                what = results[WHO.index(who)]
                with self.subTest(options=options, version=label, who=who):
                    self.assertEqual(self.receive(self.peers[who], version, options), what)

    def test_not_asked(self):
        """Without verification a client is asked for nothing, as stunnel does it; with verify = 0
        it is, and whatever comes is shown as not verified."""
        for options, asked in (("", False), ("verify = 0", True), ("requireCert = yes", True)):
            server = self.file_server(options)
            self.assertEqual(self.visit(server.port, self.stranger, ssl.TLSVersion.TLSv1_3), "open")
            line = server.wait_log(r"LOG6\[\d+\]: Service \[s\] .*; peer (.*)$").group(1)
            if asked:
                self.assertRegex(line, r'"CN=stranger".*\(not verified\)')
            else:
                self.assertRegex(line, "without certificate")

    def test_verified_is_said(self):
        server = self.file_server("verifyChain = yes; CAfile = {CA}")
        self.assertEqual(self.visit(server.port, self.leaf, ssl.TLSVersion.TLSv1_3), "open")
        line = server.wait_log(r"LOG6\[\d+\]: Service \[s\] .*; peer (.*)$").group(1)
        self.assertRegex(line, '"CN=leaf"')
        self.assertNotIn("not verified", line)

    def test_empty_folder_is_a_warning(self):
        server = self.file_server("verifyChain = yes; CApath = {EMPTY}")
        server.wait_log(r"LOG4.*there is no file with a certificate in this folder")

    def test_strict_profile(self):
        """As the commands: CAfile alone verifies, exact certificates in it included; a client wants
        the name of the host."""
        pem = self.leaf.write(self.dir, "own")[0]
        server = self.file_server("profile = strict; CAfile = {LEAF}")
        self.assertEqual(self.visit(server.port, self.leaf, ssl.TLSVersion.TLSv1_3), "open")
        self.assertEqual(self.visit(server.port, self.sibling, ssl.TLSVersion.TLSv1_3), UNKNOWN_CA)
        self.assertEqual(self.visit(server.port, None, ssl.TLSVersion.TLSv1_3),
                         NO_CERTIFICATE["TLSv1.3"])
        for who, what in (("leaf", "open"), ("sibling", BAD_CERTIFICATE)):
            for trust in ("CAfile = {CA}", "CApath = {FOLDER}"):
                self.assertEqual(self.receive(self.peers[who], ssl.TLSVersion.TLSv1_3,
                                              "profile = strict; cert = %s; %s" % (pem, trust)), what)


# What is asked for, and whether the leaf has it: DNS:leaf.test, DNS:localhost, IP:127.0.0.1.
NAMES = (
    ("checkHost = leaf.test", True),
    ("checkHost = LEAF.test", True),
    ("checkHost = other.test", False),
    ("checkHost = other.test; checkHost = leaf.test", True),
    ("checkIP = 127.0.0.1", True),
    ("checkIP = 127.0.0.2", False),
    ("checkIP = ::1", False),
    ("checkHost = other.test; checkIP = 127.0.0.1", True),
    ("checkEmail = a@leaf.test", False),
    ("checkEmail = a@leaf.test; checkIP = 127.0.0.1", True),
)


class Names(VerifyCase):

    def test_server(self):
        for options, good in NAMES:
            server = self.file_server("verifyChain = yes; CAfile = {CA}; " + options)
            for label, version in VERSIONS:
                with self.subTest(options=options, version=label):
                    self.assertEqual(self.visit(server.port, self.leaf, version),
                                     "open" if good else BAD_CERTIFICATE, server.log)

    def test_client(self):
        for options, good in NAMES:
            for trust in ("verifyChain = yes; CAfile = {CA}; ", "verifyPeer = yes; CAfile = {LEAF}; "):
                with self.subTest(options=options, trust=trust):
                    self.assertEqual(self.receive(self.leaf, None, trust + options),
                                     "open" if good else BAD_CERTIFICATE)

    def test_email(self):
        san = x509.SubjectAlternativeName([x509.RFC822Name("Ann@Example.org")])
        modern = make("ann", issuer=self.ca, more=[(san, False)])
        old = make("ann", issuer=self.ca, subject=x509.Name([
            x509.NameAttribute(NameOID.EMAIL_ADDRESS, "Ann@example.org")]))
        for email, good in (("Ann@example.ORG", True), ("ann@example.org", False),
                            ("Ann@example.com", False)):
            server = self.file_server("verifyChain = yes; CAfile = {CA}; checkEmail = " + email)
            for identity in (modern, old):
                self.assertEqual(self.visit(server.port, identity, None),
                                 "open" if good else BAD_CERTIFICATE, email)

    def test_no_email(self):
        server = self.file_server("verifyChain = yes; CAfile = {CA}; checkEmail = example.org",
                                  ready=False)
        self.assertEqual(server.wait(), 1)
        self.assertIn("is no email address", server.log)

    def test_no_name_unless_asked(self):
        self.assertEqual(self.receive(self.sibling, None, "verifyChain = yes; CAfile = {CA}"), "open")


class Levels(VerifyCase):

    def test_least_sizes(self):
        weak = make("rsa2048", kind="rsa2048", issuer=self.ca)
        strong = make("rsa3072", kind="rsa3072", issuer=self.ca)
        for level, good in (("2", True), ("3", False)):
            server = self.file_server("verifyChain = yes; CAfile = {CA}; securityLevel = " + level)
            self.assertEqual(self.visit(server.port, weak, None),
                             "open" if good else BAD_CERTIFICATE)
            self.assertEqual(self.visit(server.port, strong, None), "open")

    def test_levels_that_cannot_be(self):
        self.file_server("securityLevel = 1").wait_log(
            'LOG4.*securityLevel = 1": keys that are too small for level 2')
        self.file_server("securityLevel = 4; cert = {P384}").wait_log(
            'LOG4.*securityLevel = 4": no RSA key will do')

    def test_own_certificate(self):
        server = self.file_server("securityLevel = 4", ready=False)
        self.assertEqual(server.wait(), 1)
        self.assertRegex(server.log, "256 bits, less than the 384 of securityLevel 4")


def named(name):
    """A handler that says who it is, then echoes."""
    def handler(c):
        c.sendall(name)
        echo(c)
    return handler


class Redirect(VerifyCase):

    def gate(self, options, redirect=None):
        self.inside = self.backend(named(b"inside "))
        self.outside = self.backend(named(b"outside"))
        return self.start("accept = 127.0.0.1:0\nconnect = %s\ncert = %s\nredirect = %s\n%s\n" %
                          (self.inside.target, self.pem("server"),
                           redirect or self.outside.target, self.options(options)))

    def greeting(self, port, identity, version):
        """What a client is told, after an echo."""
        wire = TlsWire(connect(port), certs.context(self.dir, identity, version=version))
        try:
            wire.handshake()
            wire.write(b"ping")
            got = wire.read_exactly(11)
            self.assertEqual(got[7:], b"ping")
            wire.close_notify()
            self.assertEqual(wire.outcome(), (b"", "close_notify"))
            return got[:7]
        finally:
            wire.close()

    def test_who_goes_where(self):
        for options, inside in (
                ("verifyChain = yes; CAfile = {CA}", ("leaf", "sibling")),
                ("verifyPeer = yes; CAfile = {LEAF}", ("leaf",)),
                ("verify = 3; CAfile = {BOTH}", ("leaf",)),
                ("verify = 1; CAfile = {CA}", ("leaf", "sibling", NONE)),
                ("verifyChain = yes; CAfile = {CA}; checkHost = leaf.test", ("leaf",))):
            server = self.gate(options)
            for label, version in VERSIONS:
                for who in WHO:
                    with self.subTest(options=options, version=label, who=who):
                        want = b"inside " if who in inside else b"outside"
                        before = self.inside.count
                        self.assertEqual(self.greeting(server.port, self.peers[who], version),
                                         want, server.log)
                        self.assertEqual(self.inside.count - before, want == b"inside ")
            outside = 2 * (len(WHO) - len(inside))
            server.wait_log("LOG5.*Redirecting connection", count=outside)
            self.assertEqual(server.log.count("Redirecting connection"), outside)

    def test_keys_that_are_too_small(self):
        """Of those the library reads, and those it does not: never inside."""
        weak = make("weak", kind="rsa1024", issuer=self.ca)
        server = self.gate("verifyChain = yes; CAfile = {CA}")
        for _, version in VERSIONS:
            try:
                self.assertEqual(self.greeting(server.port, weak, version), b"outside")
            except ssl.SSLError:
                pass
        self.assertEqual(self.inside.count, 0)
        self.assertEqual(self.greeting(server.port, self.leaf, None), b"inside ")

    def test_chains(self):
        """With CAs between: of ours inside, of others outside; an expired one between makes the
        library refuse the handshake, or not, but lets nobody inside."""
        server = self.gate("verifyChain = yes; CAfile = {CA}")
        other = make("other", ca=True)
        for root, where in ((self.ca, b"inside "), (other, b"outside")):
            sub = make("sub", issuer=root, ca=True)
            below = make("below", issuer=sub)
            for chain in ([sub], [sub, root], [root, sub]):
                for _, version in VERSIONS:
                    self.assertEqual(self.greeting(server.port, below.with_chain(*chain), version),
                                     where, server.log[-2000:])
            self.assertEqual(self.greeting(server.port, below.with_chain(), None), b"outside")
        before = self.inside.count
        old = make("old sub", issuer=self.ca, ca=True, begins=certs.now(days=-9),
                   ends=certs.now(days=-1))
        for _, version in VERSIONS:
            try:
                self.assertEqual(self.greeting(server.port, make("below", issuer=old), version),
                                 b"outside")
            except ssl.SSLError:
                pass
        self.assertEqual(self.inside.count, before)

    def test_says_why(self):
        server = self.gate("verifyChain = yes; CAfile = {CA}")
        self.assertEqual(self.greeting(server.port, self.stranger, None), b"outside")
        server.wait_log(r"LOG6.*redirects .* to .*: issued by no trusted CA: .*\"CN=stranger\"")
        server.wait_log(r'LOG6\[0\]: Service \[s\] .*closed; .*"CN=stranger".*\(not verified\)')

    def test_several(self):
        """One after another and at once: who was let in does not take others along."""
        server = self.gate("verifyChain = yes; CAfile = {CA}")
        wires = []
        for who in ("leaf", "stranger", NONE) * 4:
            wire = TlsWire(self.own(connect(server.port)),
                           certs.context(self.dir, self.peers[who])).handshake()
            wires.append((who, wire))
        for who, wire in wires:
            self.assertEqual(wire.read_exactly(7), b"inside " if who == "leaf" else b"outside")

    def test_no_tls(self):
        """A fault of the protocol redirects nobody."""
        server = self.gate("verifyChain = yes; CAfile = {CA}")
        c = self.own(connect(server.port))
        c.sendall(b"GET / HTTP/1.0\r\n\r\n")
        outcome(c)
        server.wait_log("SSL_accept: the peer speaks plain HTTP")
        self.assertEqual((self.inside.count, self.outside.count), (0, 0))

    def test_target_that_refuses(self):
        """The redirection's target is the only one."""
        with harness.socket.create_server(("127.0.0.1", 0)) as s:
            nobody = "127.0.0.1:%d" % s.getsockname()[1]
        server = self.gate("verifyChain = yes; CAfile = {CA}", redirect=nobody)
        wire = TlsWire(self.own(connect(server.port)), certs.context(self.dir)).handshake()
        self.assertIn(wire.outcome()[1], ("reset", "truncated"))
        self.assertEqual(self.inside.count, 0)
        self.assertEqual(self.greeting(server.port, self.leaf, None), b"inside ")

    def test_choosing_is_for_others(self):
        """Who may not pass has no say about where it goes, though the service's clients do."""
        outside = self.backend(named(b"outside"))
        server = self.start("accept = 127.0.0.1:0\nprotocol = socks\ncert = %s\nredirect = %s\n%s\n" %
                            (self.pem("server"), outside.target,
                             self.options("verifyChain = yes; CAfile = {CA}")))
        inside = self.backend(named(b"inside "))
        wish = b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + inside.port.to_bytes(2, "big")
        for who in ("stranger", NONE):
            wire = TlsWire(self.own(connect(server.port)),
                           certs.context(self.dir, self.peers[who])).handshake()
            wire.write(wish)
            self.assertEqual(wire.read_exactly(7 + len(wish)), b"outside" + wish)
        self.assertEqual(inside.count, 0)

    def test_target_by_name(self):
        server = self.gate("verifyChain = yes; CAfile = {CA}",
                           redirect="localhost:%d" % self.backend(named(b"outside")).port)
        self.assertEqual(self.greeting(server.port, None, None), b"outside")
        self.assertEqual(self.inside.count, 0)


class Commands(VerifyCase):

    def test_suites_and_curves(self):
        """The options about TLS are the commands', too."""
        backend = self.backend(echo)
        server = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect", backend.target,
                                "--cert", self.pem("server"), "--capath", self.files["FOLDER"],
                                "--checkip", "127.0.0.1", "--sslversion", "TLSv1.2",
                                "--ciphers", "ECDHE+CHACHA20", "--curves", "P-384"))
        wire = TlsWire(self.own(connect(server.port)), certs.context(self.dir, self.leaf))
        wire.handshake()
        self.assertEqual(wire.tls.cipher()[:2], ("ECDHE-ECDSA-CHACHA20-POLY1305", "TLSv1.2"))
        wire.close_notify()
        wire.outcome()
        server.ends("SECP384R1")
        self.assertEqual(self.visit(server.port, self.sibling, None), BAD_CERTIFICATE)
        self.assertEqual(self.visit(server.port, self.stranger, None), UNKNOWN_CA)

    def test_redirect(self):
        outside = self.backend(named(b"outside"))
        trust = ("--cert", self.pem("server"), "--peer", self.files["LEAF"],
                 "--redirect", outside.target)
        server = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect",
                                self.backend(named(b"inside ")).target, *trust))
        for who, where in (("leaf", b"inside "), ("sibling", b"outside"), (NONE, b"outside")):
            wire = TlsWire(self.own(connect(server.port)),
                           certs.context(self.dir, self.peers[who])).handshake()
            self.assertEqual(wire.read_exactly(7), where)
        server.wait_log("LOG5.*Redirecting connection", count=2)
        refused = harness.run(harness.SLUSS, "server", "--accept", "0", "--connect", "25",
                              "--protocol", "smtp", *trust, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--redirect does not go with --protocol smtp", refused.err)

    def test_own_order(self):
        """Ours, not the client's, unlike in files."""
        server = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect", "echo:",
                                "--cert", self.pem("server"), "--cafile", self.files["CA"]))
        wire = TlsWire(self.own(connect(server.port)), certs.context(self.dir, self.leaf))
        self.assertEqual(wire.handshake().tls.cipher()[0], "TLS_AES_128_GCM_SHA256")
        server = self.file_server("")
        wire = TlsWire(self.own(connect(server.port)), certs.context(self.dir, self.leaf))
        self.assertEqual(wire.handshake().tls.cipher()[0], "TLS_AES_256_GCM_SHA384")


class Reset(VerifyCase):
    """What the plain side sees of an error of TLS."""

    def backend_end(self, options):
        """The backend's end of a tunnel whose client was cut off within a record."""
        ends = []
        backend = self.backend(lambda c: ends.append(outcome(c)))
        server = self.file_server(options, backend.target)
        wire = TlsWire(self.own(connect(server.port)), certs.context(self.dir)).handshake()
        wire.write(b"ping")
        wait_for(lambda: backend.count, "the backend's connection")
        wire.sock.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
        wait_for(lambda: ends, "the backend's end")
        server.wait_log("LOG6.*TLS protocol error|LOG6.*bad_record_mac")
        return ends[0]

    def test_reset(self):
        self.assertEqual(self.backend_end(""), (b"ping", "reset"))
        self.assertEqual(self.backend_end("reset = yes"), (b"ping", "reset"))
        self.assertEqual(self.backend_end("reset = no"), (b"ping", "eof"))

    def test_local_program(self):
        """A handshake that fails."""
        server = self.own(TlsServer(certs.context(self.dir, self.stranger, True)))
        for options, end in (("", "reset"), ("reset = no", "eof")):
            client = self.file_client("verifyChain = yes; CAfile = {CA}; " + options, server.port)
            self.assertEqual(certs.ask(client.port), (b"", end))


class Refused(VerifyCase):
    """What would let strangers in, or cannot be, is refused at the start."""

    def refused(self, options, why, client=False):
        if client:
            program = self.file_client(options, 1, ready=False)
        else:
            program = self.file_server(options, ready=False)
        self.assertEqual(program.wait(), 1, program.log)
        self.assertRegex(program.log, why)

    def test_nothing_to_verify_by(self):
        self.refused("verifyChain = yes", "CAfile and CApath are both missing")
        self.refused("verify = 2", "CAfile and CApath are both missing", client=True)
        self.refused("checkHost = a.test", "a name proves nothing by itself", client=True)
        self.refused("requireCert = yes; checkHost = a.test", "a name proves nothing by itself")
        self.refused("verify = 0; checkIP = 127.0.0.1", "a name proves nothing by itself")
        self.refused("redirect = 1", "nobody is ever redirected")
        self.refused("requireCert = yes; redirect = 1", "nobody is ever redirected")
        self.refused("verifyChain = yes; CAfile = {CA}; redirect = 1; protocol = smtp",
                     "connected before anybody is verified")

    def test_files(self):
        self.refused("verifyChain = yes; CAfile = /no/such/file", "/no/such/file: there is no such file")
        self.refused("verifyPeer = yes; CApath = /no/such/folder", "/no/such/folder: the folder cannot")
        self.refused("profile = strict; CApath = {EMPTY}", "nobody could pass")


class AskedName(VerifyCase):
    """What name a client asks the server for."""

    def asked(self, options, connect_to="127.0.0.1"):
        names = []
        ctx = certs.context(self.dir, self.leaf, True)
        ctx.sni_callback = lambda tls, name, ctx: names.append(name)
        server = self.own(TlsServer(ctx))
        client = self.start("client = yes\naccept = 127.0.0.1:0\nconnect = %s:%d\n%s\n" %
                            (connect_to, server.port, self.options(options)))
        self.assertEqual(certs.ask(client.port, b"ping", 4), (b"ping", "open"))
        self.assertEqual(len(names), 1)
        return names[0]

    def test_names(self):
        self.assertIsNone(self.asked(""))
        self.assertEqual(self.asked("", "localhost"), "localhost")
        self.assertEqual(self.asked("sni = other.test"), "other.test")
        self.assertEqual(self.asked("sni = other.test", "localhost"), "other.test")
        self.assertIsNone(self.asked("sni =", "localhost"))


if __name__ == "__main__":
    harness.main()
