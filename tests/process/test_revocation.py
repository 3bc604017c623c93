#!/usr/bin/env python3
"""Revoked certificates: CRLs in files and folders, what is refused when one is missing, out of
date or not the CA's, new ones while sluss runs, and what becomes of open tunnels."""

import datetime
import os
import re
import signal
import socket
import ssl

from cryptography import x509 as cx509
from cryptography.hazmat.primitives import hashes

from certs import CheckedCase, PEM, context, make, now
from harness import VERSIONS, Sluss, TlsWire, connect, echo, main, run, wait_for

DONE = r"LOG5\[main\]: Configuration reloaded"
FAILED = r"LOG3\[main\]: Reload failed, the old configuration stays: "
TLS13 = ssl.TLSVersion.TLSv1_3

CAN_SIGN = (cx509.KeyUsage(True, False, False, False, False, True, True, False, False), True)
CANNOT = (cx509.KeyUsage(True, False, False, False, False, True, False, False, False), True)


def crl(issuer, *revoked, number=1, begins=-1, ends=5, key=None, reason=None):
    """A CRL in PEM; dates in days from now."""
    b = (cx509.CertificateRevocationListBuilder().issuer_name(issuer.cert.subject)
         .last_update(now(days=begins)).next_update(now(days=ends))
         .add_extension(cx509.CRLNumber(number), False))
    for identity in revoked:
        entry = (cx509.RevokedCertificateBuilder().revocation_date(now(days=-1))
                 .serial_number(identity.cert.serial_number))
        if reason:
            entry = entry.add_extension(cx509.CRLReason(reason), False)
        b = b.add_revoked_certificate(entry.build())
    return b.sign(key or issuer.key, hashes.SHA256()).public_bytes(PEM)


class Revocation(CheckedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ca = make("Root", ca=True, more=[CAN_SIGN])
        cls.mute = make("Mute", ca=True, more=[CANNOT])
        cls.sub = make("Sub", issuer=cls.ca, ca=True, more=[CAN_SIGN])
        cls.alice = make("alice", issuer=cls.ca)
        cls.bob = make("bob", issuer=cls.ca)
        cls.carol = make("carol", issuer=cls.sub)
        cls.imposter = make("Root", ca=True)

    def setUp(self):
        super().setUp()
        self.target = self.backend(echo)
        self.put("ca.crt", self.ca.cert_pem())

    def put(self, name, data):
        """Writes a file by an atomic rename; its path."""
        with open(self.path(name + ".new"), "wb") as f:
            f.write(data)
        os.rename(self.path(name + ".new"), self.path(name))
        return self.path(name)

    def write(self, *options, reload_on_change="no", verify="verifyChain = yes"):
        lines = ["foreground = yes", "syslog = no", "debug = info",
                 "reloadOnChange = " + reload_on_change, "[s]", "accept = 127.0.0.1:0",
                 "connect = " + self.target.target, "cert = " + self.pem("server"),
                 verify, "CAfile = " + self.path("ca.crt")]
        lines += [o.replace("@", self.dir + "/") for o in options]
        self.put("conf", "\n".join(lines).encode() + b"\n")

    def serve(self, *options, **kw):
        self.write(*options, **kw)
        return self.own(Sluss(self.path("conf")))

    def reload(self, sluss, outcome=DONE):
        count = sluss.log.count("Configuration reloaded") + sluss.log.count("Reload failed")
        sluss.process.send_signal(signal.SIGHUP)
        wait_for(lambda: sluss.log.count("Configuration reloaded") +
                 sluss.log.count("Reload failed") > count, "a reload in\n" + sluss.log)
        self.assertRegex(sluss.log, outcome)

    def open(self, port, who, version=TLS13):
        """A tunnel that works."""
        wire = TlsWire(self.own(connect(port)), context(self.dir, who, version=version))
        try:
            wire.handshake()
            self.talk(wire)
        except (ssl.SSLError, ConnectionError):
            wire.close()
            raise
        return wire

    def talk(self, wire):
        wire.write(b"hello")
        self.assertEqual(wire.read_exactly(5), b"hello")

    def assert_open(self, sluss, who, version=TLS13):
        self.open(sluss.port, who, version).close()

    def assert_refused(self, sluss, who, why, version=TLS13):
        before = self.target.count
        lines = len(sluss.lines)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.open(sluss.port, who, version)
        wait_for(lambda: why in "\n".join(sluss.lines[lines:]), why + " in\n" + sluss.log)
        self.assertEqual(self.target.count, before)


class Handshakes(Revocation):

    def test_crl_revoked(self):
        self.put("crl", crl(self.ca, self.alice))
        sluss = self.serve("CRLfile = @crl")
        for _, version in VERSIONS:
            self.assert_refused(sluss, self.alice, 'certificate is revoked: "CN=alice" is '
                                'revoked by "CN=Root" in its CRL of', version)
            self.assert_open(sluss, self.bob, version)

    def test_alert(self):
        """Both sides learn that it is revoked, and nothing else."""
        self.put("crl", crl(self.ca, self.alice))
        sluss = self.serve("CRLfile = @crl")
        for _, version in VERSIONS:
            wire = TlsWire(self.own(connect(sluss.port)),
                           context(self.dir, self.alice, version=version))
            with self.assertRaisesRegex(ssl.SSLError, "CERTIFICATE_REVOKED"):
                wire.handshake()
                wire.read()
            sluss.wait_log(r"VERIFY ERROR: .*; alert sent: certificate_revoked \(44\)")
            # The end comes behind it, not another alert.
            wire.sock.shutdown(socket.SHUT_WR)
            self.assertEqual(wire.sock.recv(1), b"")
            self.assertEqual(wire.incoming.pending, 0)
            wire.close()

    def test_crl_of_a_client(self):
        """The server's certificate is revoked, and a client asks."""
        server_id = make("server", issuer=self.ca, dns=["localhost"], ip=["127.0.0.1"])
        pem = server_id.write(self.dir, "shown")[0]
        self.put("crl", crl(self.ca, server_id))
        server = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect",
                                self.target.target, "--cert", pem, "--peer",
                                self.crt("client")))
        client = self.own(Sluss("client", "--accept", "127.0.0.1:0", "--connect",
                                "127.0.0.1:%d" % server.port, "--cert", self.pem("client"),
                                "--cafile", self.path("ca.crt"), "--crlfile", self.path("crl")))
        # On a busy machine the reset is there before connect() returns.
        try:
            with connect(client.port) as c:
                self.assertEqual(c.recv(1), b"")
        except ConnectionResetError:
            pass
        client.wait_log('certificate is revoked: "CN=server".*; alert sent: certificate_revoked')
        server.wait_log("refused by peer.*alert received: certificate_revoked")

    def test_crl_expired(self):
        """Closed, and who is on the old list is on it.  (crl_judge.c consult(): next_update.)"""
        self.put("crl", crl(self.ca, self.alice, begins=-9, ends=-1))
        sluss = self.serve("CRLfile = @crl")
        sluss.wait_log(r"LOG4\[main\]: Service \[s\] .*crl: line 1: the CRL is out of date")
        self.assert_refused(sluss, self.bob, "list of revoked certificates is out of date")
        self.assert_refused(sluss, self.alice, "certificate is revoked")

    def test_crl_missing(self):
        """Closed.  (crl_judge.c consult(): the verdict begins as TRUST_CRL_MISSING.)"""
        os.mkdir(self.path("crls"))
        sluss = self.serve("CRLpath = @crls")
        sluss.wait_log("there is no CRL in this folder")
        self.assert_refused(sluss, self.bob, 'no list of revoked certificates: there is no CRL '
                            'of "CN=Root"')
        self.put("crls/a.r0", crl(self.ca))
        self.reload(sluss)
        self.assert_open(sluss, self.bob)

    def test_soft(self):
        self.put("crl", crl(self.ca, self.alice, begins=-9, ends=-1))
        sluss = self.serve("CRLfile = @crl", "crlPolicy = soft")
        self.assert_open(sluss, self.bob)
        sluss.wait_log(r"LOG4\[main\]: Service \[s\] crlPolicy = soft lets a certificate pass, "
                       r"1 so far: list of revoked certificates is out of date")
        self.assert_refused(sluss, self.alice, "certificate is revoked")

    def test_crl_bad_sig(self):
        """A CRL by another key: no start, and a reload changes nothing.  (crl_set.c find_issuer():
        crl_proven_by().)"""
        self.put("crl", crl(self.ca, self.alice, key=self.imposter.key))
        self.write("CRLfile = @crl")
        done = run(os.environ.get("SLUSS", "./sluss"), self.path("conf"), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.err, r"crl: line 1: the CRL is of no use: its signature is not by "
                         r'the key of "CN=Root" in the CA file')
        self.put("crl", crl(self.ca, self.alice))
        sluss = self.serve("CRLfile = @crl")
        self.put("crl", crl(self.ca, number=2, key=self.imposter.key))
        self.reload(sluss, FAILED + r".*its signature is not by the key")
        self.put("crl", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
        self.reload(sluss, FAILED + r".*the CRL is of no use")
        self.assert_refused(sluss, self.alice, "certificate is revoked")
        self.assert_open(sluss, self.bob)

    def test_chain(self):
        """A CA between is revoked: that counts with CRLcheckChain = yes."""
        self.put("crl", crl(self.ca, self.sub) + crl(self.sub))
        sluss = self.serve("CRLfile = @crl")
        sluss.wait_log(r"LOG4\[main\]: Service \[s\] .*crl: line \d+: the CRL belongs to no CA in")
        self.assert_open(sluss, self.carol)
        sluss = self.serve("CRLfile = @crl", "CRLcheckChain = yes")
        self.assert_refused(sluss, self.carol, '"CN=Sub" is revoked by "CN=Root"')
        self.assert_open(sluss, self.alice)

    def test_ca_that_signs_no_crls(self):
        self.put("ca.crt", self.mute.cert_pem())
        self.put("crl", crl(self.mute))
        self.write("CRLfile = @crl")
        done = run(os.environ.get("SLUSS", "./sluss"), self.path("conf"), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('the keyUsage of "CN=Mute" lacks cRLSign', done.err)

    def test_configuration(self):
        """What could be meant, and would not work, is said."""
        self.put("crl", crl(self.ca))
        self.put("bob.crt", self.bob.cert_pem())
        base = ["foreground = yes", "[s]", "accept = 127.0.0.1:0", "connect = 1",
                "cert = " + self.pem("server")]
        ca = "CAfile = " + self.path("ca.crt")
        for options, why in (
                (["CRLfile = @crl"], "nobody's certificate is verified"),
                (["CRLpath = @"], "nobody's certificate is verified"),
                (["CRLfile = @crl", "peer = @bob.crt"], "no CA is there that could"),
                (["verifyChain = yes", ca, "CRLcheckChain = yes"],
                 "CRLfile and CRLpath are both missing"),
                (["verifyPeer = yes", ca, "CRLfile = @crl"], "CRLs prove nothing here"),
                (["verifyChain = yes", ca, "CRLfile = @none"], "none: cannot be read"),
                (["verifyChain = yes", ca, "CRLfile = @bob.crt"], "there is no CRL in this file")):
            lines = base + [o.replace("@", self.dir + "/") for o in options]
            self.put("conf", "\n".join(lines).encode() + b"\n")
            done = run(os.environ.get("SLUSS", "./sluss"), self.path("conf"), check=False)
            with self.subTest(options=options):
                self.assertEqual(done.returncode, 1)
                self.assertIn(why, done.err)

    def openssl_passes(self, who, *options):
        """The verdict of openssl verify on the same files."""
        self.put("who.crt", who.cert_pem())
        self.put("sub.crt", self.sub.cert_pem())
        done = run("openssl", "verify", "-x509_strict", "-CAfile", self.path("ca.crt"),
                   "-untrusted", self.path("sub.crt"), "-CRLfile", self.path("crl"), *options,
                   self.path("who.crt"), check=False)
        return done.returncode == 0

    def passes(self, sluss, who):
        try:
            self.open(sluss.port, who).close()
            return True
        except (ssl.SSLError, ConnectionError):
            return False

    def test_openssl_agrees(self):
        """What openssl verify says of the same certificates and lists."""
        leaf, chain = ("-crl_check",), ("-crl_check", "-crl_check_all")
        freed, held = cx509.ReasonFlags.remove_from_crl, cx509.ReasonFlags.certificate_hold
        both = crl(self.ca) + crl(self.sub)
        for name, data, options, who, passes in (
                ("none", crl(self.ca), leaf, self.alice, True),
                ("revoked", crl(self.ca, self.alice), leaf, self.alice, False),
                ("another", crl(self.ca, self.alice), leaf, self.bob, True),
                ("held", crl(self.ca, self.alice, reason=held), leaf, self.alice, False),
                ("freed", crl(self.ca, self.alice, reason=freed), leaf, self.alice, True),
                ("old", crl(self.ca, begins=-9, ends=-1), leaf, self.alice, False),
                ("early", crl(self.ca, begins=1), leaf, self.alice, False),
                ("missing", crl(self.sub), leaf, self.alice, False),
                ("newer", crl(self.ca, self.alice) + crl(self.ca, number=2, begins=0), leaf,
                 self.alice, True),
                ("between", both, leaf, self.carol, True),
                ("between, all", both, chain, self.carol, True),
                ("sub only", crl(self.sub), leaf, self.carol, True),
                ("sub only, all", crl(self.sub), chain, self.carol, False),
                ("below", crl(self.ca) + crl(self.sub, self.carol), leaf, self.carol, False),
                ("sub revoked", crl(self.ca, self.sub) + crl(self.sub), leaf, self.carol, True),
                ("sub revoked, all", crl(self.ca, self.sub) + crl(self.sub), chain, self.carol,
                 False),
                ("forged", crl(self.ca) + crl(self.sub, key=self.imposter.key), leaf,
                 self.carol, False)):
            with self.subTest(name):
                self.put("crl", data)
                sluss = self.serve("CRLfile = @crl", *(["CRLcheckChain = yes"]
                                                      if options == chain else []))
                self.assertEqual(self.openssl_passes(who, *options), passes)
                self.assertEqual(self.passes(sluss, who), passes, sluss.log)
                sluss.stop()

    def test_der(self):
        """A CRL that openssl has written, in DER."""
        self.put("crl.pem", crl(self.ca, self.alice))
        run("openssl", "crl", "-in", self.path("crl.pem"), "-outform", "DER", "-out",
            self.path("crl"))
        run("openssl", "crl", "-in", self.path("crl.pem"), "-CAfile", self.path("ca.crt"),
            "-noout")
        sluss = self.serve("CRLfile = @crl")
        self.assert_refused(sluss, self.alice, "certificate is revoked")
        self.assert_open(sluss, self.bob)


    def test_check(self):
        """sluss check reads the lists, too."""
        self.put("crl", crl(self.ca, key=self.imposter.key))
        self.write("CRLfile = @crl")
        done = run(os.environ.get("SLUSS", "./sluss"), "check", self.path("conf"), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("the CRL is of no use", done.out + done.err)


class Live(Revocation):
    """Open tunnels, when what decides about their peers changes."""

    def assert_ended(self, sluss, wire, reason):
        self.assertEqual(wire.outcome(), (b"", "reset"))
        sluss.wait_log(r"LOG5\[\d+\]: Service \[s\] .*: " + reason)

    def test_crl_update_live(self):
        self.put("crl", crl(self.ca))
        sluss = self.serve("CRLfile = @crl", reload_on_change="yes")
        for number, (_, version) in enumerate(VERSIONS):
            alice = self.open(sluss.port, self.alice, version)
            bob = self.open(sluss.port, self.bob, version)
            self.put("crl", crl(self.ca, self.alice, number=2 * number + 2))
            self.assert_ended(sluss, alice, 'revoked: "CN=alice" is revoked by "CN=Root" in '
                              'its CRL of .*; peer "CN=alice"')
            self.talk(bob)
            self.assert_refused(sluss, self.alice, "certificate is revoked", version)
            self.assert_open(sluss, self.bob, version)
            count = sluss.log.count("Configuration reloaded")
            self.put("crl", crl(self.ca, number=2 * number + 3))
            sluss.wait_log("Configuration reloaded", count=count + 1)
            self.talk(bob)
            bob.close()
        self.assertEqual(len(re.findall(r"LOG5.*Service \[s\] .*: revoked: ", sluss.log)), 2)

    def test_folder(self):
        os.mkdir(self.path("crls"))
        self.put("crls/a", crl(self.ca))
        sluss = self.serve("CRLpath = @crls", reload_on_change="yes")
        alice, bob = self.open(sluss.port, self.alice), self.open(sluss.port, self.bob)
        self.put("crls/b", crl(self.ca, self.alice, number=2))
        self.assert_ended(sluss, alice, "revoked: .*crls/b: line 1")
        self.talk(bob)

    def test_chain(self):
        """A CA between; its certificate came with the peer and is remembered."""
        self.put("crl", crl(self.ca) + crl(self.sub))
        sluss = self.serve("CRLfile = @crl", "CRLcheckChain = yes")
        carol, bob = self.open(sluss.port, self.carol), self.open(sluss.port, self.bob)
        self.put("crl", crl(self.ca, self.sub, number=2) + crl(self.sub))
        self.reload(sluss)
        self.assert_ended(sluss, carol, 'revoked: "CN=Sub" is revoked')
        self.talk(bob)

    def test_without_a_list(self):
        """A CRL that is missing or out of date keeps out who comes; who is in stays."""
        self.put("crl", crl(self.ca))
        sluss = self.serve("CRLfile = @crl")
        bob = self.open(sluss.port, self.bob)
        self.put("crl", crl(self.ca, number=2, begins=-9, ends=-1))
        self.reload(sluss)
        self.assert_refused(sluss, self.bob, "is out of date")
        self.talk(bob)
        self.put("crl", crl(self.ca, self.bob, number=3, begins=-9, ends=-1))
        self.reload(sluss)
        self.assert_ended(sluss, bob, "revoked: ")

    def test_ca_is_gone(self):
        other = make("Other", ca=True)
        dave = make("dave", issuer=other)
        self.put("ca.crt", self.ca.cert_pem() + other.cert_pem())
        sluss = self.serve()
        alice, dave_wire = self.open(sluss.port, self.alice), self.open(sluss.port, dave)
        self.put("ca.crt", other.cert_pem())
        self.reload(sluss)
        self.assert_ended(sluss, alice, 'denied: "CN=alice" was issued by "CN=Root"')
        self.talk(dave_wire)
        # Nothing has changed: nothing happens.
        self.reload(sluss)
        self.talk(dave_wire)

    def test_name_rule(self):
        a = make("a", issuer=self.ca, dns=["a.test"])
        b = make("b", issuer=self.ca, dns=["a.test", "b.test"])
        sluss = self.serve("checkHost = a.test")
        first, second = self.open(sluss.port, a), self.open(sluss.port, b)
        self.write("checkHost = b.test")
        self.reload(sluss)
        self.assert_ended(sluss, first, 'denied: expected the name "b.test"')
        self.talk(second)

    def test_outcast(self):
        """Who was redirected is where such belong, whatever comes."""
        elsewhere = self.backend(echo)
        self.put("crl", crl(self.ca, self.alice))
        options = ("CRLfile = @crl", "redirect = " + elsewhere.target)
        sluss = self.serve(*options)
        alice, bob = self.open(sluss.port, self.alice), self.open(sluss.port, self.bob)
        self.assertEqual((elsewhere.count, self.target.count), (1, 1))
        self.put("crl", crl(self.ca, self.alice, self.bob, number=2))
        self.reload(sluss)
        self.assert_ended(sluss, bob, "revoked: ")
        self.talk(alice)

    def test_section_is_gone(self):
        self.put("crl", crl(self.ca))
        sluss = self.serve("CRLfile = @crl")
        alice = self.open(sluss.port, self.alice)
        self.put("crl", crl(self.ca, self.alice))
        self.write("CRLfile = @crl")
        with open(self.path("conf")) as f:
            text = f.read()
        self.put("conf", text.replace("[s]", "[t]").encode())
        self.reload(sluss)
        self.talk(alice)

    def test_certificate_wanted(self):
        """Who was let in without one, where one is wanted now."""
        sluss = self.serve(verify="verify = 1")
        wire = TlsWire(self.own(connect(sluss.port)), context(self.dir)).handshake()
        self.talk(wire)
        self.write()
        self.reload(sluss)
        self.assert_ended(sluss, wire, "denied: a certificate is asked for now")

    def test_reload_during_handshake(self):
        """Accepted under the old list, authorised by it, and looked at once more."""
        self.put("crl", crl(self.ca))
        sluss = self.serve("CRLfile = @crl")
        sock = self.own(connect(sluss.port))
        sluss.wait_log("accepted connection")
        self.put("crl", crl(self.ca, self.alice, number=2))
        self.reload(sluss)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            wire = TlsWire(sock, context(self.dir, self.alice)).handshake()
            sluss.wait_log(r"Service \[s\] .*: revoked: ")
            wire.read()
        sluss.wait_log(r"Service \[s\] .*: revoked: ")

    def test_many(self):
        self.put("crl", crl(self.ca))
        sluss = self.serve("CRLfile = @crl")
        base = self.baseline(sluss)
        alices = [self.open(sluss.port, self.alice) for _ in range(40)]
        bobs = [self.open(sluss.port, self.bob) for _ in range(40)]
        self.put("crl", crl(self.ca, self.alice, number=2))
        self.reload(sluss)
        for wire in alices:
            self.assertEqual(wire.outcome(), (b"", "reset"))
        for wire in bobs:
            self.talk(wire)
        for wire in alices + bobs:
            wire.close()
        self.back_to(sluss, base)
        self.assertEqual(len(re.findall(r"LOG5.*Service \[s\] .*: revoked: ", sluss.log)), 40)

    def test_client(self):
        """A client ends its tunnel when the server's certificate is revoked."""
        identity = make("server", issuer=self.ca, dns=["localhost"], ip=["127.0.0.1"])
        pem = identity.write(self.dir, "shown")[0]
        server = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect",
                                self.target.target, "--cert", pem, "--peer",
                                self.crt("client")))
        self.put("crl", crl(self.ca))
        client = self.own(Sluss("client", "--accept", "127.0.0.1:0", "--connect",
                                "127.0.0.1:%d" % server.port, "--cert", self.pem("client"),
                                "--cafile", self.path("ca.crt"), "--crlfile",
                                self.path("crl")))
        c = self.own(connect(client.port))
        c.sendall(b"x")
        self.assertEqual(c.recv(1), b"x")
        self.put("crl", crl(self.ca, identity, number=2))
        self.reload(client)
        with self.assertRaises(ConnectionResetError):
            self.assertNotEqual(c.recv(1), b"")
        client.wait_log('revoked: "CN=server" is revoked')

    def test_expires(self):
        """The peer's certificate ends while the tunnel is open."""
        sluss = self.serve()
        kept = self.serve("expiredPeers = keep")
        bob = self.open(sluss.port, self.bob)
        short = make("short", issuer=self.ca, ends=now() + datetime.timedelta(seconds=5))
        wire, other = self.open(sluss.port, short), self.open(kept.port, short)
        self.assert_ended(sluss, wire, "expired: the peer's certificate was valid until ")
        self.talk(bob)
        self.talk(other)
        self.assert_refused(kept, short, "certificate has expired")


if __name__ == "__main__":
    main()
