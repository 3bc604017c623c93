#!/usr/bin/env python3
"""The log line of a failed handshake says how far it had come, which alert went where, whose
certificate it was about, which issuer was wanted and since when it is out of date: a table
of causes, in both roles and both versions of TLS."""

import os
import socket
import ssl
import subprocess

import certs
import harness
from certs import make, now
from harness import VERSIONS, Sluss, TlsWire, connect, main
from cryptography.hazmat.primitives import hashes
from test_revocation import crl

TLS12, TLS13 = (v for _, v in VERSIONS)
SENT = r"; alert sent: %s \(%d\); phase: %s"
# What the library then answers to an alert is its own affair.
GOT = r"; alert received: %s \(%d\)(; alert sent: \w+ \(\d+\))?; phase: %s"

# Certificates of a peer that are refused: what the line says of them, the alert, the phase.
BAD = [
    ("stranger", r'issued by no trusted CA: .*"CN=other root".*presented subject "CN=peer.test", '
     'issuer "CN=other root"', ("unknown_ca", 48), "certificate of the peer"),
    ("self-signed", r'issued by no trusted CA: "CN=peer.test" is self-signed',
     ("unknown_ca", 48), "certificate of the peer"),
    ("no intermediate", r'"CN=peer.test" was issued by "CN=sub", which the peer did not send and '
     "the CA file does not have", ("unknown_ca", 48), "certificate of the peer"),
    ("expired", r'certificate has expired: "CN=peer.test": it expired on .* UTC, 3 days ago; '
     'it is .* now', ("bad_certificate", 42), "certificate of the peer"),
    ("not yet", r"not valid yet: .*it is valid from .* UTC on, in 4 days",
     ("bad_certificate", 42), "certificate of the peer"),
    ("expired CA", r'certificate has expired: "CN=old": it expired on .* UTC, 2 days ago',
     ("bad_certificate", 42), "certificate of the peer"),
    ("wrong use", r"not meant for this use: .*its extendedKeyUsage lacks (serverAuth|clientAuth)",
     ("bad_certificate", 42), "certificate of the peer"),
    ("weak key", r"too weak: .*RSA key has 1024 bits", None, "certificate of the peer"),
    ("SHA-1", r"too weak: .*SHA-1", ("bad_certificate", 42), "certificate of the peer"),
    ("revoked", r"certificate is revoked: .*CN=peer.test", ("certificate_revoked", 44),
     "certificate of the peer"),
    ("denied", r'denied by the rules: "CN=mallory".*"deny = cn=mallory" refuses it',
     ("bad_certificate", 42), "authorisation"),
]


class Failures(certs.CheckedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = make("root", ca=True)
        cls.other = make("other root", ca=True)
        cls.sub = make("sub", cls.root, ca=True)
        cls.old = make("old", cls.root, ca=True, begins=now(-9), ends=now(-2))
        names = {"dns": ["localhost"], "ip": ["127.0.0.1"]}
        leaf = lambda **kw: make(kw.pop("cn", "peer.test"), kw.pop("issuer", cls.root),
                                 **names, **kw)
        cls.good = leaf()
        cls.peers = {
            "stranger": leaf(issuer=cls.other), "self-signed": leaf(issuer=None),
            "no intermediate": leaf(issuer=cls.sub).with_chain(),
            "expired": leaf(begins=now(-9), ends=now(-3, -1)),
            "not yet": leaf(begins=now(4, 1), ends=now(9)),
            "expired CA": leaf(issuer=cls.old), "wrong use": leaf(eku=[certs.CODE_SIGNING]),
            "weak key": leaf(kind="rsa1024"), "SHA-1": leaf(signed=hashes.SHA1()),
            "revoked": leaf(), "denied": leaf(cn="mallory"),
        }

    def setUp(self):
        super().setUp()
        self.cafile = certs.bundle(self.path("ca.crt"), self.root)
        self.crlfile = self.path("crl.pem")
        with open(self.crlfile, "wb") as f:
            f.write(crl(self.root, self.peers["revoked"]))
        self.own_pem, _ = make("own", self.root, dns=["localhost"]).write(self.dir, "own")
        self.target = self.backend(harness.echo)

    def conf(self, *lines):
        path = self.path("%d.conf" % len(os.listdir(self.dir)))
        with open(path, "w") as f:
            f.write("\n".join((
                "foreground = yes", "syslog = no", "debug = debug", "[svc]", "profile = strict",
                "accept = 127.0.0.1:0", "cert = " + self.own_pem, "CAfile = " + self.cafile,
                "CRLfile = " + self.crlfile, "deny = cn=mallory", *lines)) + "\n")
        return self.own(Sluss(path))

    def server(self, *lines):
        return self.conf("connect = " + self.target.target, *lines)

    def client(self, port, *lines):
        return self.conf("client = yes", "connect = 127.0.0.1:%d" % port, *lines)

    def try_client(self, sluss, ctx):
        """A client whose handshake fails, be it only seen at the first use, and who leaves."""
        with connect(sluss.port) as c, self.assertRaises((ssl.SSLError, OSError)):
            TlsWire(c, ctx).handshake().read_exactly(1)

    def failed(self, sluss, reason, says, tail):
        line = sluss.ends(reason + " while in the TLS handshake").string
        self.assertRegex(line, r"%s while in the TLS handshake: .*%s" % (reason, says))
        self.assertRegex(line, tail + r"(; [0-9.]+ s)?$")

    @staticmethod
    def alert(form, alert, phase):
        return form % (alert[0], alert[1], phase) if alert else r"; alert sent: \w+ \(\d+\); " \
            "phase: %s" % phase


class Certificates(Failures):
    def test_clients(self):
        for version, number in VERSIONS:
            for cause, says, alert, phase in BAD:
                with self.subTest(cause, version=version):
                    sluss = self.server()
                    self.try_client(sluss, certs.context(self.dir, self.peers[cause],
                                                         version=number))
                    self.failed(sluss, "(peer refused|TLS handshake failed)", says,
                                self.alert(SENT, alert, phase))

    def test_servers(self):
        for version, number in VERSIONS:
            for cause, says, alert, phase in BAD:
                with self.subTest(cause, version=version):
                    ctx = certs.context(self.dir, self.peers[cause], server_side=True,
                                        version=number)
                    peer = self.own(certs.TlsServer(ctx))
                    sluss = self.client(peer.port)
                    self.own(connect(sluss.port))
                    self.failed(sluss, "(peer refused|TLS handshake failed)", says,
                                self.alert(SENT, alert, phase))

    def test_server_of_another_name(self):
        peer = self.own(certs.TlsServer(certs.context(self.dir, self.good, server_side=True)))
        sluss = self.client(peer.port, "checkHost = db.test")
        self.own(connect(sluss.port))
        self.failed(sluss, "peer refused", r'names another host: expected the name "db.test".*'
                    "DNS:localhost", SENT % ("bad_certificate", 42, "authorisation"))

    def test_not_the_pinned_one(self):
        """In both roles: the very certificate is wanted."""
        other = certs.bundle(self.path("other.crt"), self.peers["stranger"])
        for number in (TLS12, TLS13):
            ctx = certs.context(self.dir, self.good, version=number)
            sluss = self.server("peer = " + other)
            self.try_client(sluss, ctx)
            self.failed(sluss, "peer refused", r"none of the peer certificates: .*fingerprint",
                        SENT % ("bad_certificate", 42, "authorisation"))
            peer = self.own(certs.TlsServer(certs.context(self.dir, self.good, server_side=True,
                                                          version=number)))
            sluss = self.client(peer.port, "peer = " + other)
            self.own(connect(sluss.port))
            self.failed(sluss, "peer refused", r"none of the peer certificates: .*fingerprint",
                        SENT % ("bad_certificate", 42, "authorisation"))

    def test_no_certificate(self):
        for number, alert in ((TLS12, ("handshake_failure", 40)),
                              (TLS13, ("certificate_required", 116))):
            sluss = self.server()
            self.try_client(sluss, certs.context(self.dir, version=number))
            self.failed(sluss, "(peer refused|TLS handshake failed)", "no certificate presented",
                        self.alert(SENT, alert, "certificate of the peer"))


class Refused(Failures):
    def test_by_a_client(self):
        """A client that does not trust our CA: what it says, and what it means."""
        for number in (TLS12, TLS13):
            ctx = certs.context(self.dir, self.good, version=number)
            ctx.verify_mode = ssl.CERT_REQUIRED
            ctx.load_verify_locations(certs.bundle(self.path("b.crt"), self.other))
            sluss = self.server()
            self.try_client(sluss, ctx)
            self.failed(sluss, "refused by peer", "the peer refused: it does not know the CA",
                        GOT % ("unknown_ca", 48, "certificate of the peer"))

    def test_by_a_server(self):
        """One that refuses our certificate: in TLS 1.3 our handshake is done by then."""
        for number in (TLS12, TLS13):
            ctx = certs.context(self.dir, self.good, server_side=True, version=number,
                                asks=certs.bundle(self.path("b.crt"), self.other))
            peer = self.own(certs.TlsServer(ctx))
            sluss = self.client(peer.port)
            self.own(connect(sluss.port))
            line = sluss.ends(": refused by peer").string
            self.assertRegex(line, "the peer refused: it does not know the CA that issued our")
            self.assertRegex(line, GOT % ("unknown_ca", 48, "finished" if number == TLS12 else
                                          "after the handshake"))


class Offers(Failures):
    def test_version(self):
        """No version in common, in both roles."""
        sluss = self.server("sslVersionMin = TLSv1.3")
        self.try_client(sluss, certs.context(self.dir, self.good, version=TLS12))
        self.failed(sluss, "TLS handshake failed", "no protocol version in common",
                    SENT % ("protocol_version", 70, "negotiation"))
        peer = self.own(certs.TlsServer(certs.context(self.dir, self.good, server_side=True,
                                                      version=TLS12)))
        sluss = self.client(peer.port, "sslVersionMin = TLSv1.3")
        self.own(connect(sluss.port))
        self.failed(sluss, "refused by peer", "it does not speak this version of TLS",
                    GOT % ("protocol_version", 70, "negotiation"))

    def test_suite(self):
        ctx = certs.context(self.dir, self.good, version=TLS12)
        ctx.set_ciphers("ECDHE-ECDSA-AES128-SHA")
        sluss = self.server()
        self.try_client(sluss, ctx)
        self.failed(sluss, "TLS handshake failed", "no cipher suite in common",
                    SENT % ("handshake_failure", 40, "negotiation"))
        ctx = certs.context(self.dir, self.good, server_side=True, version=TLS12)
        ctx.set_ciphers("ECDHE-ECDSA-AES128-SHA")
        peer = self.own(certs.TlsServer(ctx))
        sluss = self.client(peer.port)
        self.own(connect(sluss.port))
        self.failed(sluss, "refused by peer", "it finds no cipher suite",
                    GOT % ("handshake_failure", 40, "negotiation"))

    def test_suite_of_tls13(self):
        sluss = self.server("ciphersuites = TLS_CHACHA20_POLY1305_SHA256", "sslVersion = TLSv1.3")
        subprocess.run([harness.need("openssl"), "s_client", "-connect",
                        "127.0.0.1:%d" % sluss.port, "-ciphersuites", "TLS_AES_128_GCM_SHA256",
                        "-tls1_3"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=harness.PATIENCE, check=False)
        self.failed(sluss, "TLS handshake failed", "no cipher suite in common",
                    SENT % ("handshake_failure", 40, "negotiation"))

    def test_protocol(self):
        for number in (TLS12, TLS13):
            ctx = certs.context(self.dir, self.good, version=number)
            ctx.set_alpn_protocols(["x"])
            sluss = self.server("alpn = h2")
            self.try_client(sluss, ctx)
            self.failed(sluss, "TLS handshake failed", "alpn has h2",
                        SENT % ("no_application_protocol", 120, "negotiation"))


class Transport(Failures):
    def test_no_tls(self):
        """Something else than TLS, in both roles."""
        sluss = self.server()
        with connect(sluss.port) as c:
            c.sendall(b"GET / HTTP/1.1\r\n\r\n")
            c.shutdown(socket.SHUT_WR)
            harness.outcome(c)
        self.failed(sluss, "TLS handshake failed", "the peer speaks plain HTTP",
                    r"; alert sent: \w+ \(\d+\); phase: negotiation")
        peer = self.backend(lambda c: (c.sendall(b"220 smtp.test\r\n"), c.recv(65536)))
        sluss = self.client(peer.port)
        self.own(connect(sluss.port))
        self.failed(sluss, "TLS handshake failed", "the peer speaks plain SMTP",
                    r"; alert sent: \w+ \(\d+\); phase: (negotiation|certificate of the peer)")

    def hello(self, version):
        """A client that has its hello ready, and its socket."""
        wire = TlsWire(None, certs.context(self.dir, self.good, version=version))
        with self.assertRaises(ssl.SSLWantReadError):
            wire.tls.do_handshake()
        return wire

    def test_left(self):
        """Peers that leave at each stage."""
        for version in (TLS12, TLS13):
            hello = self.hello(version).pending_out()
            for sent, phase in ((hello[:20], "waiting for the whole hello"),
                                (hello, "certificate of the peer")):
                sluss = self.server()
                c = self.own(connect(sluss.port))
                c.sendall(sent)
                if sent is hello:
                    harness.recv_exactly(c, 5)  # our answer has begun
                c.shutdown(socket.SHUT_WR)
                self.failed(sluss, "TLS handshake failed", "the peer closed the connection",
                            "; phase: " + phase)
        peer = self.backend(lambda c: c.recv(1))
        sluss = self.client(peer.port)
        self.own(connect(sluss.port))
        line = sluss.ends("while in the TLS handshake").string
        self.assertRegex(line, r"the peer (closed|reset) the connection during the handshake; "
                         "phase: waiting for hello")

    def test_slow(self):
        """TIMEOUTbusy, in both roles, with nothing said and with too little."""
        half = self.hello(TLS13).pending_out()[:20]
        for sent, says, phase in ((b"", "the peer said nothing", "waiting for hello"),
                                  (half, "the peer began it", "waiting for the whole hello")):
            sluss = self.server("TIMEOUTbusy = 1")
            c = self.own(connect(sluss.port))
            c.sendall(sent)
            self.failed(sluss, "TIMEOUTbusy exceeded", says, "; phase: " + phase)
        peer = self.backend(lambda c: harness.recv_all(c))
        sluss = self.client(peer.port, "TIMEOUTbusy = 1")
        self.own(connect(sluss.port))
        self.failed(sluss, "TIMEOUTbusy exceeded", "the peer said nothing",
                    "; phase: waiting for hello")


if __name__ == "__main__":
    main()
