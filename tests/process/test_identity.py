#!/usr/bin/env python3
"""Who may pass: forged, borrowed, expired and misused certificates are refused over the
wire, in both modes and both versions, each with one line in the log that says who it was
and which rule refused, before any backend is contacted; good ones pass."""

import glob
import os
import re
import socket
import ssl
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certs
import harness
from certs import BOTH, CLIENT_AUTH, CODE_SIGNING, SERVER_AUTH, TlsServer, bundle, make, name, now
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from harness import (VERSIONS, Sluss, TlsWire, connect, echo, outcome, run, wait_for)

END = r"LOG6\[\d+\]: Service \["  # begins the line of a tunnel's end
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3

UNKNOWN_CA, BAD_CERTIFICATE = "unknown_ca (48)", "bad_certificate (42)"
# As Python names them.
ALERTS = {"unknown_ca (48)": "TLSV1_ALERT_UNKNOWN_CA",
          "bad_certificate (42)": "SSLV3_ALERT_BAD_CERTIFICATE",
          "certificate_required (116)": "TLSV13_ALERT_CERTIFICATE_REQUIRED",
          "handshake_failure (40)": "SSLV3_ALERT_HANDSHAKE_FAILURE"}


class IdentityCase(certs.CheckedCase):

    def ends(self, program):
        return [l for l in list(program.lines) if re.search(END, l)]

    def one_end(self, program, before, *patterns):
        """One more tunnel has ended; its line matches all patterns.  Returns the line."""
        wait_for(lambda: len(self.ends(program)) > before, "an end of:\n" + program.log)
        time.sleep(0.02)  # a second line would come at once
        lines = self.ends(program)[before:]
        self.assertEqual(len(lines), 1, lines)
        for p in patterns:
            self.assertRegex(lines[0], p)
        return lines[0]

    def shown(self, line, identity):
        """The line tells what was presented: fingerprint and both dates; and from where."""
        self.assertRegex(line, r"127\.0\.0\.1:\d+ -> ")
        self.assertIn("presented subject \"", line)
        self.assertIn("issuer \"", line)
        self.assertIn(identity.fingerprint(), line)
        begins, ends = identity.dates()
        self.assertIn("valid %s to %s" % (begins, ends), line)

    def cafile(self, *cas):
        return bundle(self.path("ca-%d.crt" % len(os.listdir(self.dir))), *cas)

    def gate(self, *trust, **kw):
        """sluss server that trusts so, and what is behind it."""
        backend = self.backend(echo)
        server = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect", backend.target,
                                "--cert", kw.pop("cert", self.pem("server")), *trust))
        server.behind = backend
        return server

    def attack_server(self, server, identity, version, chain=None):
        """Shows an identity to the server: "open", or the alert that came."""
        if chain is not None:
            identity = identity.with_chain(*chain)
        wire = TlsWire(connect(server.port), certs.context(self.dir, identity, version=version))
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

    def showing(self, identity, version):
        """A context for a server that shows the identity, and asks for our client's."""
        return certs.context(self.dir, identity, True, version, asks=self.crt("client"))

    def attack_client(self, identity, version, *trust, chain=None, target=None, client=None):
        """Our client meets a server with the identity: ("open" or the alert, the client)."""
        if chain is not None:
            identity = identity.with_chain(*chain)
        server = self.own(TlsServer(self.showing(identity, version)))
        client = self.own(Sluss("client", "--accept", "127.0.0.1:0", "--connect",
                                (target or "127.0.0.1:%d") % server.port,
                                "--cert", self.pem("client"), *trust))
        return self.local_ping(client, server), client

    def local_ping(self, client, server):
        """A local program asks our client for an echo: "open", or the alert that the server
        got, with not a byte of the program's."""
        before = len(server.outcomes)
        got, end = certs.ask(client.port, b"ping", 4)
        # Of a tunnel that opened, too: its end comes before the next begins.
        wait_for(lambda: len(server.outcomes) > before, "the server's end")
        if end == "open":
            self.assertEqual(got, b"ping")
            return "open"
        self.assertEqual((got, end), (b"", "reset"), client.log)
        data, how = server.outcomes[-1]
        self.assertEqual(data, b"")
        return how.replace("alert: ", "")

    def refused_by_server(self, server, identity, says, alert, chain=None):
        """In both versions: the alert, one line, no backend."""
        for label, version in VERSIONS:
            with self.subTest("server mode, " + label):
                before = len(self.ends(server))
                contacted = server.behind.count
                self.assertEqual(self.attack_server(server, identity, version, chain),
                                 ALERTS[alert])
                line = self.one_end(server, before, "peer refused while in the TLS handshake: ",
                                    says, re.escape("alert sent: " + alert))
                self.shown(line, identity)
                self.assertIn("(not connected)", line)
                self.assertEqual(server.behind.count, contacted)

    def refused_by_client(self, identity, says, alert, *trust, chain=None, target=None):
        for label, version in VERSIONS:
            with self.subTest("client mode, " + label):
                got, client = self.attack_client(identity, version, *trust, chain=chain,
                                                 target=target)
                self.assertEqual(got, ALERTS[alert])
                line = self.one_end(client, 0, "peer refused while in the TLS handshake: ", says,
                                    re.escape("alert sent: " + alert))
                self.shown(line, identity)

    def refused(self, identity, says, alert, *trust, chain=None):
        """On both ends."""
        self.refused_by_server(self.gate(*trust), identity, says, alert, chain)
        self.refused_by_client(identity, says, alert, *trust, chain=chain)

    def passes(self, identity, *trust, chain=None):
        """On both ends, in both versions."""
        server = self.gate(*trust)
        for label, version in VERSIONS:
            with self.subTest("server mode, " + label):
                before = len(self.ends(server))
                self.assertEqual(self.attack_server(server, identity, version, chain), "open",
                                 server.log)
                line = self.one_end(server, before, "closed; " + label)
                self.assertIn(identity.fingerprint(), line)
            with self.subTest("client mode, " + label):
                got, client = self.attack_client(identity, version, *trust, chain=chain)
                self.assertEqual(got, "open", client.log)
                line = self.one_end(client, 0, "; %s " % label)
                self.assertIn(identity.fingerprint(), line)


class Attacks(IdentityCase):
    """wolfssl.md, section 0."""

    def test_forged_pin(self):
        """0.1: a clone of a pinned certificate, with all of its names, identifiers and
        signature bytes, but with a key of the attacker's.  (trust.c judge(): judge_pin().)"""
        victim = make("victim", dns=["localhost"])
        pin = victim.write(self.dir, "victim")[1]
        forged = certs.forge(victim)
        self.assertEqual(forged.cert.signature, victim.cert.signature)
        self.assertEqual(forged.cert.subject, victim.cert.subject)
        self.refused(forged, "none of the peer certificates", BAD_CERTIFICATE, "--peer", pin)
        self.passes(victim, "--peer", pin)

    def test_forged_pin_ca_file(self):
        """0.1, 0.2: the same where the victim stands in the CA file."""
        victim = make("victim", dns=["localhost"], ca=True)
        pin = victim.write(self.dir, "victim")[1]
        self.refused(certs.forge(victim), "issued by no trusted CA", UNKNOWN_CA, "--cafile", pin,
                     "--checkhost", "localhost")

    def test_forged_leaf(self):
        """0.1: a clone of a certificate that the CA issued.  (path.c links_hold(): link_holds().)"""
        ca = make("ca", ca=True)
        victim = make("victim", issuer=ca, dns=["localhost"])
        self.refused(certs.forge(victim), "the signature is not by the key of that CA",
                     UNKNOWN_CA, "--cafile", self.cafile(ca), "--checkhost", "localhost")

    def test_forged_root(self):
        """0.2: a clone of the root, shown itself and as the issuer of another.  (Likewise.)"""
        ca = make("ca", ca=True, dns=["localhost"])
        trust = ("--cafile", self.cafile(ca), "--checkhost", "localhost")
        forged = certs.forge(ca)
        self.refused(forged, "issued by no trusted CA", UNKNOWN_CA, *trust)
        leaf = make("leaf", issuer=forged, dns=["localhost"])
        self.refused(leaf, "issued by no trusted CA", UNKNOWN_CA, *trust, chain=[forged])
        self.refused(leaf, "issued by no trusted CA", UNKNOWN_CA, *trust, chain=[ca, forged])
        self.refused(leaf, "issued by no trusted CA", UNKNOWN_CA, *trust, chain=[forged, ca])

    def no_proof(self, identity, version, server):
        """Shows a certificate and leaves before it would have to prove that it has the key."""
        wire = TlsWire(connect(server.port), certs.context(self.dir, identity, version=version))

        def flush():
            data = wire.pending_out()
            while data:
                n = 5 + int.from_bytes(data[3:5], "big")
                wire.sock.sendall(data[:n])
                if n > 700 and data[0] in (22, 23):  # the certificates
                    wire.sock.shutdown(socket.SHUT_WR)
                    raise ConnectionAbortedError
                data = data[n:]

        wire.flush = flush
        with self.assertRaises(ConnectionAbortedError):
            wire.handshake()
        outcome(wire.sock)
        wire.close()

    def test_poison_by_pinned_leaf(self):
        """0.3: the public pinned certificate along with a CA of the attacker's, on a first
        connection; on the second, a certificate of that CA."""
        victim = make("victim", dns=["localhost"])
        pin = victim.write(self.dir, "victim")[1]
        evil = make("evil ca", ca=True)
        leaf = make("leaf", issuer=evil, dns=["localhost"])
        for label, version in VERSIONS:
            with self.subTest(label):
                server = self.gate("--peer", pin)
                # With the key, that first connection passes: the worst case.
                self.assertEqual(self.attack_server(server, victim, version, [evil]), "open")
                self.one_end(server, 0, "closed; ")
                self.no_proof(victim.with_chain(evil), version, server)
                self.one_end(server, 1, "the peer closed the connection during the handshake")
                contacted = server.behind.count
                for chain in ([], [evil]):
                    self.assertEqual(self.attack_server(server, leaf, version, chain),
                                     ALERTS[BAD_CERTIFICATE])
                self.assertEqual(server.behind.count, contacted)

    def test_poison_of_cafile(self):
        """0.3: the same against a CA file: what a good peer, or a refused one, sent along
        is no issuer later on."""
        ca, evil = make("ca", ca=True), make("evil ca", ca=True)
        good = make("good", issuer=ca)
        leaf = make("leaf", issuer=evil)
        server = self.gate("--cafile", self.cafile(ca))
        for label, version in VERSIONS:
            with self.subTest(label):
                before = len(self.ends(server))
                self.assertEqual(self.attack_server(server, good, version, [evil]), "open")
                for chain in ([], [evil], []):
                    self.assertEqual(self.attack_server(server, leaf, version, chain),
                                     ALERTS[UNKNOWN_CA])
                wait_for(lambda: len(self.ends(server)) == before + 4, "all ends")
        self.assertEqual(server.behind.count, len(VERSIONS))

    def test_poison_between_connections_of_a_client(self):
        """0.3 and 0.8 in client mode: one client, whose server changes between its
        connections."""
        ca, evil = make("ca", ca=True), make("evil ca", ca=True)
        signer = make("signer", issuer=ca, ca=True, eku=[CODE_SIGNING])
        good = make("good", issuer=ca, dns=["localhost"])
        shows = [(good.with_chain(evil), "open"),
                 (make("leaf", issuer=evil, dns=["localhost"]).with_chain(), UNKNOWN_CA),
                 (make("bad", issuer=signer, dns=["localhost"]), BAD_CERTIFICATE),
                 (make("bad", issuer=signer, dns=["localhost"]).with_chain(), UNKNOWN_CA)]
        for label, version in VERSIONS:
            with self.subTest(label):
                server = self.own(TlsServer(None))
                client = self.own(Sluss("client", "--accept", "127.0.0.1:0", "--connect",
                                        server.target, "--cert", self.pem("client"), "--cafile",
                                        self.cafile(ca), "--checkhost", "localhost"))
                for identity, verdict in shows:
                    server.ctx = self.showing(identity, version)
                    self.assertEqual(self.local_ping(client, server),
                                     ALERTS.get(verdict, verdict))

    def test_sub_ca_for_code(self):
        """0.8: a CA below ours that may only sign code issues nobody here, and the bare
        certificate is not accepted on a second connection either.  (rules.c judge_ca():
        judge_use().)"""
        ca = make("ca", ca=True)
        signer = make("signer", issuer=ca, ca=True, eku=[CODE_SIGNING])
        leaf = make("leaf", issuer=signer, dns=["localhost"], eku=BOTH)
        trust = ("--cafile", self.cafile(ca), "--checkhost", "localhost")
        server = self.gate(*trust)
        self.refused_by_server(server, leaf, "not meant for this use: \"CN=signer\"",
                               BAD_CERTIFICATE)
        self.refused_by_server(server, leaf, "issued by no trusted CA", UNKNOWN_CA, chain=[])
        self.assertEqual(server.behind.count, 0)
        self.refused_by_client(leaf, "not meant for this use: \"CN=signer\"", BAD_CERTIFICATE,
                               *trust)

    def test_sub_ca_weak(self):
        """0.8: a CA between that is signed with SHA-1, or has a short key, on both
        connections.  (rules.c rules_link(): sigalg_judge() and pubkey_judge().)"""
        ca = make("ca", ca=True)
        trust = ("--cafile", self.cafile(ca))
        for sub, says in ((make("sub", issuer=ca, ca=True, signed=hashes.SHA1()), "SHA-1"),
                          (make("sub", issuer=ca, ca=True, kind="rsa1024"), "1024 bits")):
            with self.subTest(says):
                leaf = make("leaf", issuer=sub)
                server = self.gate(*trust)
                self.refused_by_server(server, leaf, "too weak: \"CN=sub\".*" + says,
                                       BAD_CERTIFICATE)
                self.refused_by_server(server, leaf, "issued by no trusted CA", UNKNOWN_CA,
                                       chain=[])

    def test_intermediates_forgotten(self):
        """What a good peer sent along helps no later peer that should send it, too."""
        ca = make("ca", ca=True)
        sub = make("sub", issuer=ca, ca=True)
        leaf = make("leaf", issuer=sub)
        server = self.gate("--cafile", self.cafile(ca))
        self.assertEqual(self.attack_server(server, leaf, V13), "open")
        self.assertEqual(self.attack_server(server, leaf, V13, []), ALERTS[UNKNOWN_CA])

    def test_cafile_leaf_issues_nobody(self):
        """1 (b): a certificate in the CA file that is no CA stands for itself, and issues
        nobody.  (trust_load.c add_anchor(): is_ca; rules.c judge_is_ca().)"""
        pinned = make("pinned", dns=["localhost"])
        leaf = make("leaf", issuer=pinned, dns=["localhost"])
        trust = ("--cafile", self.cafile(pinned), "--checkhost", "localhost")
        self.passes(pinned, *trust)
        for chain in ([], [pinned]):
            self.refused(leaf, "issued by no trusted CA", UNKNOWN_CA, *trust, chain=chain)

    def test_truncated_stream(self):
        """0.7: an end of the transport without close_notify is no clean end: the other side
        sees a reset, and the log says so.  (endpoint.c tls_fetch(): IO_TRUNCATED.)"""
        for label, version in VERSIONS:
            with self.subTest(label):
                ended = []

                def handler(c):
                    ended.append(outcome(c))

                server = self.server(self.backend(handler).target)
                wire = self.tls(server.port, version=version)
                wire.write(b"half a mes")
                server_sees = self.own(wire).sock
                server_sees.shutdown(socket.SHUT_WR)
                self.one_end(server, 0, r"truncated by the TLS peer \(no close_notify\)")
                wait_for(lambda: ended, "the backend's end")
                self.assertEqual(ended, [(b"half a mes", "reset")])

    def test_truncated_stream_client(self):
        """The same of a server that our client talks to."""
        for label, version in VERSIONS:
            with self.subTest(label):
                def handler(c):
                    wire = TlsWire(c, self.context("server", version=version, server_side=True,
                                                   trust="client"), server_side=True).handshake()
                    wire.write(b"half a mes")

                client = self.client(self.backend(handler).target)
                self.assertEqual(certs.ask(client.port), (b"half a mes", "reset"))
                self.one_end(client, 0, r"truncated by the TLS peer \(no close_notify\)")


class Refusals(IdentityCase):

    def test_no_client_cert(self):
        """The alert says that a certificate is required; the backend is never contacted."""
        trusts = (("--peer", self.crt("client")), ("--cafile", self.cafile(make("ca", ca=True))))
        for trust in trusts:
            server = self.gate(*trust)
            for (label, version), alert in zip(VERSIONS, ("handshake_failure (40)",
                                                          "certificate_required (116)")):
                with self.subTest("%s %s" % (label, trust[0])):
                    before = len(self.ends(server))
                    self.assertEqual(self.attack_server(server, None, version), ALERTS[alert])
                    self.one_end(server, before, "no certificate presented",
                                 re.escape("alert sent: " + alert))
            self.assertEqual(server.behind.count, 0)

    def test_refused_by_peer(self):
        """Our client without a welcome: its log says that the peer refused and names the
        alert, though 1.3 tells only after the handshake; the local program sees a reset."""
        other = self.cafile(make("ca", ca=True))
        for label, _ in VERSIONS:
            for trust, alert in ((("--peer", self.crt("stranger")), BAD_CERTIFICATE),
                                 (("--cafile", other), UNKNOWN_CA)):
                with self.subTest("%s %s" % (label, trust[0])):
                    server = self.gate(*trust, "--sslversion", label)
                    client = self.client("127.0.0.1:%d" % server.port)
                    self.assertEqual(certs.ask(client.port), (b"", "reset"))
                    self.one_end(server, 0, "peer refused", re.escape("alert sent: " + alert))
                    self.one_end(client, 0, "refused by peer",
                                 re.escape("alert received: " + alert))
                    self.assertEqual(server.behind.count, 0)

    def test_wrong_ca(self):
        """A certificate of another CA, which has the same name or another."""
        trust = ("--cafile", self.cafile(make("ca", ca=True)), "--checkhost", "localhost")
        for cn in ("ca", "other ca"):
            with self.subTest(cn):
                other = make(cn, ca=True)
                leaf = make("leaf", issuer=other, dns=["localhost"])
                self.refused(leaf, "issued by no trusted CA", UNKNOWN_CA, *trust)
                self.refused(leaf, "issued by no trusted CA", UNKNOWN_CA, *trust, chain=[other])

    def test_self_signed_stranger(self):
        """A self-signed certificate that nobody named."""
        stranger = make("stranger", dns=["localhost"])
        self.refused(stranger, "self-signed and not in the CA file", UNKNOWN_CA, "--cafile",
                     self.cafile(make("ca", ca=True)), "--checkhost", "localhost")
        self.refused(stranger, "none of the peer certificates", BAD_CERTIFICATE, "--peer",
                     self.crt("server"))

    def test_wrong_name(self):
        """A certificate of the right CA that names another host."""
        ca = make("ca", ca=True)
        for names in (dict(dns=["other.test"]), dict(dns=["sub.good.test", "*.sub.good.test"]),
                      dict(ip=["127.0.0.2"]), dict()):
            with self.subTest(names):
                self.refused(make("leaf", issuer=ca, **names),
                             "names another host: expected the name \"good.test\"",
                             BAD_CERTIFICATE, "--cafile", self.cafile(ca), "--checkhost",
                             "good.test")

    def test_wrong_name_is_told(self):
        """The line has the names that were found."""
        ca = make("ca", ca=True)
        server = self.gate("--cafile", self.cafile(ca), "--checkhost", "good.test")
        self.attack_server(server, make("leaf", issuer=ca, dns=["a.test"], ip=["192.0.2.7"]), V13)
        self.one_end(server, 0, r'issuer "CN=ca", names "DNS:a\.test, IP:192\.0\.2\.7"')

    def test_wrong_name_kinds(self):
        """0.6: names without a dot, with a label of digits, and addresses are compared, too."""
        ca = make("ca", ca=True)
        other = make("leaf", issuer=ca, dns=["other.test"], ip=["192.0.2.9"])
        for host, right in (("db01", dict(dns=["db01"])), ("foo.123", dict(dns=["foo.123"])),
                            ("192.0.2.1", dict(ip=["192.0.2.1"])),
                            ("2001:db8::1", dict(ip=["2001:db8::1"])),
                            ("2001:0db8:0:0::1", dict(ip=["2001:db8::1"]))):
            with self.subTest(host):
                trust = ("--cafile", self.cafile(ca), "--checkhost", host)
                self.refused(other, "names another host", BAD_CERTIFICATE, *trust)
                self.assertEqual(self.attack_client(make("leaf", issuer=ca, **right), V13,
                                                    *trust)[0], "open")

    def test_wrong_eku(self):
        """A certificate for servers, used by a client, and the other way about."""
        ca = make("ca", ca=True)
        trust = ("--cafile", self.cafile(ca), "--checkhost", "localhost")
        for_server = make("s", issuer=ca, dns=["localhost"], eku=[SERVER_AUTH])
        for_client = make("c", issuer=ca, dns=["localhost"], eku=[CLIENT_AUTH])
        self.refused_by_server(self.gate(*trust), for_server, "not meant for this use.*clientAuth",
                               BAD_CERTIFICATE)
        self.refused_by_client(for_client, "not meant for this use.*serverAuth", BAD_CERTIFICATE,
                               *trust)
        self.assertEqual(self.attack_server(self.gate(*trust), for_client, V13), "open")
        self.assertEqual(self.attack_client(for_server, V13, *trust)[0], "open")

    def test_wrong_key_usage(self):
        """A certificate that may not sign is of no use in TLS."""
        ca = make("ca", ca=True)
        usage = x509.KeyUsage(False, False, True, False, True, False, False, False, False)
        leaf = make("leaf", issuer=ca, dns=["localhost"], more=[(usage, True)])
        trust = ("--cafile", self.cafile(ca), "--checkhost", "localhost")
        self.refused_by_server(self.gate(*trust), leaf, "not meant for this use.*digitalSignature",
                               BAD_CERTIFICATE)
        # OpenSSL shows it as a server in 1.3 only.
        got, client = self.attack_client(leaf, V13, *trust)
        self.assertEqual(got, ALERTS[BAD_CERTIFICATE])
        self.one_end(client, 0, "not meant for this use.*digitalSignature")

    def test_expired(self):
        """An expired certificate is refused with its date, pinned or issued."""
        ca = make("ca", ca=True)
        leaf = make("leaf", issuer=ca, dns=["localhost"], ends=now(hours=-1))
        alone = make("alone", dns=["localhost"], ends=now(hours=-1))
        for identity, trust in ((leaf, ("--cafile", self.cafile(ca), "--checkhost", "localhost")),
                                (alone, ("--peer", alone.write(self.dir, "alone")[1])),
                                (leaf, ("--peer", leaf.write(self.dir, "leaf")[1]))):
            with self.subTest(trust[0]):
                self.refused(identity, "has expired: .*it expired on " + identity.dates()[1],
                             BAD_CERTIFICATE, *trust)

    def test_not_yet_valid(self):
        ca = make("ca", ca=True)
        leaf = make("leaf", issuer=ca, dns=["localhost"], begins=now(hours=1))
        for trust in (("--cafile", self.cafile(ca), "--checkhost", "localhost"),
                      ("--peer", leaf.write(self.dir, "leaf")[1])):
            with self.subTest(trust[0]):
                self.refused(leaf, "not valid yet: .*it is valid from %s on" % leaf.dates()[0],
                             BAD_CERTIFICATE, *trust)

    def test_expired_ca(self):
        """What an expired CA issued, be it the anchor or between."""
        old = make("ca", ca=True, ends=now(hours=-1))
        leaf = make("leaf", issuer=old, dns=["localhost"])
        cafile = self.cafile(old)
        server = self.gate("--cafile", cafile)
        # The operator hears of it at the start.
        server.wait_log("LOG4.*%s.*expired on %s" % (re.escape(cafile), old.dates()[1]))
        self.refused_by_server(server, leaf, "has expired: \"CN=ca\"", BAD_CERTIFICATE)
        ca = make("ca", ca=True)
        sub = make("sub", issuer=ca, ca=True, ends=now(hours=-1))
        self.refused(make("leaf", issuer=sub, dns=["localhost"]), "has expired: \"CN=sub\"",
                     BAD_CERTIFICATE, "--cafile", self.cafile(ca), "--checkhost", "localhost")

    def test_both_must_hold(self):
        """--peer and --cafile together: the right certificate of the right CA, no other."""
        ca, other = make("ca", ca=True), make("other", ca=True)
        right = make("right", issuer=ca, dns=["localhost"])
        pinned_only = make("pinned", issuer=other, dns=["localhost"])
        issued_only = make("issued", issuer=ca, dns=["localhost"])
        pins = self.cafile(right, pinned_only)
        trust = ("--peer", pins, "--cafile", self.cafile(ca), "--checkhost", "localhost")
        self.passes(right, *trust)
        self.refused(pinned_only, "issued by no trusted CA", UNKNOWN_CA, *trust)
        self.refused(issued_only, "none of the peer certificates", BAD_CERTIFICATE, *trust)

    def test_several_peers(self):
        """Several certificates in a file, and several files."""
        one, two, three = (make(n) for n in ("one", "two", "three"))
        trust = ("--peer", self.cafile(one, two), "--peer", self.cafile(three))
        for identity in (one, two, three):
            self.passes(identity, *trust)
        self.refused(make("one"), "none of the 3 peer certificates", BAD_CERTIFICATE, *trust)

    def test_weak_keys(self):
        """RSA-1024 and SHA-1, issued by a CA that is trusted: refused, and the line says
        why."""
        ca = make("ca", ca=True)
        trust = ("--cafile", self.cafile(ca), "--checkhost", "localhost")
        for options, says in ((dict(kind="rsa1024"), "RSA key has 1024 bits"),
                              (dict(signed=hashes.SHA1()), "ECDSA with SHA-1")):
            with self.subTest(says):
                self.refused(make("weak", issuer=ca, dns=["localhost"], **options),
                             "too weak: .*" + says, BAD_CERTIFICATE, *trust)
        rsa_ca = make("ca", ca=True, kind="rsa2048")
        self.refused(make("weak", issuer=rsa_ca, dns=["localhost"], signed=hashes.SHA1()),
                     "too weak: .*RSA with SHA-1", BAD_CERTIFICATE, "--cafile",
                     self.cafile(rsa_ca), "--checkhost", "localhost")

    def test_weak_keys_of_files(self):
        """In our own files they are an error at the start that says why, and what to run
        instead."""
        for label, options, says in (("rsa1024", dict(kind="rsa1024"), "1024"),
                                     ("sha1", dict(kind="rsa2048", signed=hashes.SHA1()),
                                      "SHA-1")):
            pem, crt = make("weak", **options).write(self.dir, label)
            for mode in ("server", "client"):
                for files in (("--cert", pem, "--peer", self.crt("server")),
                              ("--cert", self.pem("server"), "--peer", crt)):
                    with self.subTest("%s %s %s" % (label, mode, files[0])):
                        done = run(harness.SLUSS, mode, "--accept", "127.0.0.1:0", "--connect",
                                   "127.0.0.1:9", *files, check=False)
                        self.assertEqual(done.returncode, 1, done.err)
                        self.assertIn(label, done.err)
                        self.assertIn(says, done.err)
                        self.assertRegex(done.err, "sluss keygen")

    def test_chain_rules(self):
        """A leaf that issued, too long a path, constraints on names, an extension that must
        be understood and is not."""
        ca = make("ca", ca=True)
        short = make("short", issuer=ca, ca=True, pathlen=0)
        leaf = make("leaf", issuer=ca)
        only = make("only", issuer=ca, ca=True, more=[
            (x509.NameConstraints([x509.DNSName("good.test")], None), True)])
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.7"), b"\5\0")
        trust = ("--cafile", self.cafile(ca), "--checkhost", "localhost")
        for label, identity, says in (
                ("no CA", make("x", issuer=leaf, dns=["localhost"]).with_chain(leaf), "not a CA"),
                ("pathlen", make("x", issuer=make("below", issuer=short, ca=True),
                                 dns=["localhost"]), "pathlen"),
                ("names", make("x", issuer=only, dns=["localhost"]), "localhost"),
                ("critical", make("x", issuer=ca, dns=["localhost"], more=[(unknown, True)]),
                 "1.3.6.1.4.1.99999.7")):
            with self.subTest(label):
                self.refused(identity, "breaks a rule: .*" + says, BAD_CERTIFICATE, *trust)


class Names(IdentityCase):

    def setUp(self):
        super().setUp()
        self.ca = make("ca", ca=True)
        self.trust = ("--cafile", self.cafile(self.ca))

    def issue(self, **names):
        return make("leaf", issuer=self.ca, **names)

    def verdict(self, target, *more, **names):
        got, client = self.attack_client(self.issue(**names), V13, *self.trust, *more,
                                         target=target)
        if got != "open":
            self.one_end(client, 0, "names another host")
        return got == "open"

    def test_client_host(self):
        """With a CA our client wants the name of the host that it connects to."""
        for label, version in VERSIONS:
            with self.subTest(label):
                got, client = self.attack_client(self.issue(dns=["localhost"]), version,
                                                 *self.trust, target="localhost:%d")
                self.assertEqual(got, "open", client.log)
        self.assertTrue(self.verdict("LocalHost:%d", dns=["LOCALHOST"]))
        self.assertTrue(self.verdict("localhost:%d", dns=["a.test", "localhost"]))
        self.assertFalse(self.verdict("localhost:%d", dns=["a.test"]))
        self.assertFalse(self.verdict("localhost:%d", ip=["127.0.0.1"]))
        # A bare port is one of this machine.
        self.assertTrue(self.verdict("%d", dns=["localhost"]))

    def test_client_ip(self):
        """An address must be named as an address."""
        self.assertTrue(self.verdict("127.0.0.1:%d", ip=["127.0.0.1"]))
        self.assertFalse(self.verdict("127.0.0.1:%d", ip=["127.0.0.2"]))
        self.assertFalse(self.verdict("127.0.0.1:%d", dns=["127.0.0.1"]))
        self.assertFalse(self.verdict("127.0.0.1:%d", dns=["localhost"]))

    def test_client_checkhost(self):
        """--checkhost names another, or several."""
        self.assertTrue(self.verdict("127.0.0.1:%d", "--checkhost", "db.test", dns=["db.test"]))
        self.assertFalse(self.verdict("localhost:%d", "--checkhost", "db.test",
                                      dns=["localhost"]))
        both = ("--checkhost", "a.test", "--checkhost", "b.test")
        self.assertTrue(self.verdict("127.0.0.1:%d", *both, dns=["b.test"]))
        self.assertFalse(self.verdict("127.0.0.1:%d", *both, dns=["c.test"]))
        self.assertTrue(self.verdict("localhost:%d", "--checkhost", "192.0.2.1",
                                     ip=["192.0.2.1"]))

    def test_client_wildcard(self):
        """A star stands for one label, the leftmost, of a name that is long enough."""
        for san, host, fine in (("*.db.test", "one.db.test", True),
                                ("*.db.test", "ONE.DB.TEST", True),
                                ("*.db.test", "one.two.db.test", False),
                                ("*.db.test", "db.test", False),
                                ("o*.db.test", "one.db.test", False),
                                ("one.*.test", "one.db.test", False),
                                ("*.test", "db.test", False), ("*", "localhost", False)):
            with self.subTest("%s %s" % (san, host)):
                self.assertEqual(self.verdict("127.0.0.1:%d", "--checkhost", host, dns=[san]),
                                 fine)

    def test_client_common_name(self):
        """The CN counts only where there is no SAN."""
        for names, fine in ((dict(), True), (dict(dns=["x.test"]), False)):
            got, _ = self.attack_client(make("db.test", issuer=self.ca, **names), V13,
                                        *self.trust, "--checkhost", "db.test")
            self.assertEqual(got == "open", fine, names)

    def test_client_pin_needs_no_name(self):
        """A pinned certificate is the very one, whatever it names."""
        pinned = make("pinned", dns=["elsewhere.test"])
        got, client = self.attack_client(pinned, V13, "--peer",
                                         pinned.write(self.dir, "pinned")[1])
        self.assertEqual(got, "open", client.log)

    def test_unix_target(self):
        """A unix socket has no name: with a CA --checkhost is required, and then holds."""
        for label, version in VERSIONS:
            with self.subTest(label):
                path = self.path("tls-%s.sock" % label)
                identity = self.issue(dns=["db.test"])
                ctx = self.showing(identity, version)

                def handler(c):
                    wire = TlsWire(c, ctx, server_side=True).handshake()
                    wire.write(wire.read())
                    wire.outcome()

                self.backend(handler, family=socket.AF_UNIX, address=path)
                base = ["client", "--accept", "127.0.0.1:0", "--connect", path, "--cert",
                        self.pem("client"), *self.trust]
                done = run(harness.SLUSS, *base, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn("--checkhost", done.err)
                for host, fine in (("db.test", True), ("other.test", False)):
                    client = self.own(Sluss(*base, "--checkhost", host))
                    self.assertEqual(certs.ask(client.port, b"ping", 4),
                                     (b"ping", "open") if fine else (b"", "reset"))
                    if not fine:
                        self.one_end(client, 0, "names another host")

    def test_unix_target_pin_and_ca(self):
        """With a pin and a CA for a unix socket, no name of a host that nobody gave is
        asked for: the start is refused, or the certificate passes."""
        path = self.path("tls.sock")
        identity = self.issue(dns=["db.test"])
        ctx = self.showing(identity, V13)

        def handler(c):
            wire = TlsWire(c, ctx, server_side=True).handshake()
            wire.write(wire.read())
            wire.outcome()

        self.backend(handler, family=socket.AF_UNIX, address=path)
        client = self.own(Sluss("client", "--accept", "127.0.0.1:0", "--connect", path, "--cert",
                                self.pem("client"), *self.trust, "--peer",
                                identity.write(self.dir, "leaf")[1], ready=False))
        wait_for(lambda: client.bound() or not client.alive(), "the start")
        if not client.alive():
            self.assertEqual(client.wait(), 1)
            self.assertIn("--checkhost", client.log)
            return
        self.assertEqual(certs.ask(client.port, b"ping", 4), (b"ping", "open"), client.log)

    def test_server_checkhost(self):
        """A server may ask for names of its clients, too."""
        server = self.gate(*self.trust, "--checkhost", "client.test")
        self.assertEqual(self.attack_server(server, self.issue(dns=["client.test"]), V13), "open")
        self.assertEqual(self.attack_server(server, self.issue(dns=["x.test"]), V13),
                         ALERTS[BAD_CERTIFICATE])


class Shapes(IdentityCase):

    def test_chain_shapes(self):
        """However a chain is sent, a way to the anchor is found when there is one."""
        root = make("root", ca=True)
        one = make("one", issuer=root, ca=True)
        two = make("two", issuer=one, ca=True)
        leaf = make("leaf", issuer=two, dns=["localhost"])
        stray = make("stray", ca=True)
        trust = ("--cafile", self.cafile(root), "--checkhost", "localhost")
        for label, chain in (("in order", [two, one]), ("unordered", [one, two]),
                             ("with the root", [two, one, root]), ("root first", [root, one, two]),
                             ("extra", [stray, two, stray, one]), ("twice", [two, two, one, one]),
                             ("itself", [leaf, two, one])):
            with self.subTest(label):
                self.passes(leaf, *trust, chain=chain)
        for label, chain in (("none", []), ("upper missing", [two]), ("lower missing", [one])):
            with self.subTest(label):
                self.refused(leaf, "issued by no trusted CA", UNKNOWN_CA, *trust, chain=chain)

    def test_chain_anchor_between(self):
        """An anchor need not be a root; what is above it does not matter."""
        root = make("root", ca=True, ends=now(hours=-1))
        sub = make("sub", issuer=root, ca=True)
        leaf = make("leaf", issuer=sub, dns=["localhost"])
        trust = ("--cafile", self.cafile(sub), "--checkhost", "localhost")
        self.passes(leaf, *trust, chain=[])
        self.passes(leaf, *trust, chain=[sub, root])

    def test_chain_expired_root_sent(self):
        """The old root, sent along, does not spoil the new one of the same key."""
        new = make("root", ca=True)
        old = make("root", ca=True, key=new.key, ends=now(hours=-1))
        leaf = make("leaf", issuer=new, dns=["localhost"])
        trust = ("--cafile", self.cafile(new), "--checkhost", "localhost")
        self.passes(leaf, *trust, chain=[old])
        both = ("--cafile", self.cafile(old, new), "--checkhost", "localhost")
        self.passes(leaf, *both, chain=[])

    def test_chain_cross_signed(self):
        """A CA that two roots signed leads to the one that is known, whichever comes first."""
        known, unknown = make("known", ca=True), make("unknown", ca=True)
        here = make("mid", issuer=known, ca=True)
        there = make("mid", issuer=unknown, ca=True, key=here.key)
        expired = make("mid", issuer=known, ca=True, key=here.key, ends=now(hours=-1))
        leaf = make("leaf", issuer=here, dns=["localhost"])
        trust = ("--cafile", self.cafile(known), "--checkhost", "localhost")
        for chain in ([here, there], [there, here], [there, unknown, here], [expired, here],
                      [here, expired]):
            self.passes(leaf, *trust, chain=chain)
        self.refused(leaf, "issued by no trusted CA", UNKNOWN_CA, *trust, chain=[there, unknown])

    def test_subject_odd(self):
        """Whatever the subject is, it is one line of printable text in the log, of bounded
        length, and forges nothing."""
        ca = make("ca", ca=True)
        trust = ("--cafile", self.cafile(ca))
        stranger = make("other", ca=True)
        newline = "x\n2026.01.01 00:00:00 LOG6[9]: Service [server] forged"
        for label, subject, shown in (
                ("empty", name(), r'(subject|peer) "\(no subject\)"'),
                ("two", name(("CN", "one"), ("CN", "two")), "CN=one, CN=two"),
                ("utf8", name(("CN", "Bj\u00f6rn \u6f22")), "CN=Bj\u00f6rn \u6f22"),
                ("newline", name(("CN", newline)), r"CN=x\\x0A2026"),
                ("control", name(("CN", "a\r\x1b[31m\x07\x00b\x7f\x85")),
                 r"CN=a\\x0D\\x1B\[31m\\x07\\x00b\\x7F"),
                ("rtl", name(("CN", "a\u202eb")), r"CN=a\\xE2\\x80\\xAEb"),
                ("quotes", name(("CN", 'a", issuer "CN=root')), r'CN=a\\"\\, issuer \\"CN=root'),
                ("long", name(*[("OU", "%02d" % i + "u" * 62) for i in range(64)]),
                 "OU=00u+")):
            with self.subTest(label):
                server = self.gate(*trust)
                good = make(issuer=ca, subject=subject)
                self.assertEqual(self.attack_server(server, good, V13), "open")
                lines = [self.one_end(server, 0, "closed; ", shown)]
                bad = make(issuer=stranger, subject=subject)
                self.assertEqual(self.attack_server(server, bad, V13), ALERTS[UNKNOWN_CA])
                lines.append(self.one_end(server, 1, "issued by no trusted CA", shown,
                                          re.escape(UNKNOWN_CA)))
                self.shown(lines[1], bad)
                self.assertIn(good.fingerprint(), lines[0])
                for line in lines:
                    self.assertLess(len(line), 2048)
                    self.assertNotRegex(line, "[\x00-\x1f\x7f-\x9f]")
                for line in server.lines:
                    self.assertRegex(line, r"^\d{4}\.\d\d\.\d\d \d\d:\d\d:\d\d LOG\d\[\w+\]: ")

    def test_refusal_line_whole(self):
        """With names as long as real ones, the line of a refusal still has all of it:
        subject, issuer, SANs, fingerprint, dates, rule and alert."""
        parts = [("C", "SE"), ("O", "The Example Organisation of Northern Europe"),
                 ("OU", "Department of Databases and Their Upkeep")]
        ca = make(ca=True, subject=name(*parts, ("CN", "Example Issuing Authority G2")))
        subject = name(*parts, ("CN", "db-replica-17.production.example.org"))
        names = ["db-replica-17.production.example.org", "db-replica-17.example.org",
                 "db.example.org"]
        plain = make(issuer=ca, subject=subject, dns=names)
        expired = make(issuer=ca, subject=subject, dns=names, ends=now(hours=-1))
        alone = make(subject=subject, dns=names)
        cases = ((plain, "wrong name", ("--cafile", self.cafile(ca), "--checkhost", "x.test")),
                 (plain, "unknown CA", ("--cafile", self.cafile(make("ca", ca=True)))),
                 (expired, "expired", ("--cafile", self.cafile(ca))),
                 (alone, "pin", ("--peer", self.crt("client"))))
        for identity, label, trust in cases:
            with self.subTest(label):
                server = self.gate(*trust)
                self.attack_server(server, identity, V13, [])
                line = self.one_end(server, 0, "peer refused", r"alert sent: \w+ \(\d+\)")
                self.assertIn("CN=db-replica-17.production.example.org", line)
                self.assertIn("DNS:db.example.org", line)
                if identity is not alone:
                    self.assertIn("CN=Example Issuing Authority G2", line)
                self.shown(line, identity)


class Kinds(IdentityCase):

    def test_kinds_of_keys(self):
        """ECDSA P-256, P-384, Ed25519, RSA-2048 and 3072, as ours and as the peer's, in both
        modes and both versions."""
        for kind in ("p256", "p384", "ed25519", "rsa2048", "rsa3072"):
            with self.subTest(kind):
                ours = make("ours", kind=kind, dns=["localhost"])
                theirs = make("theirs", kind=kind)
                pem, crt = ours.write(self.dir, kind)
                their_pem, their_crt = theirs.write(self.dir, kind + "-peer")
                server = self.gate("--peer", their_crt, cert=pem)
                for label, version in VERSIONS:
                    before = len(self.ends(server))
                    self.assertEqual(self.attack_server(server, theirs, version), "open",
                                     server.log)
                    self.one_end(server, before, "; %s " % label, theirs.fingerprint())
                    client = self.own(Sluss("client", "--accept", "127.0.0.1:0", "--connect",
                                            "127.0.0.1:%d" % server.port, "--cert", their_pem,
                                            "--peer", crt, "--sslversion", label))
                    self.assertEqual(certs.ask(client.port, b"ping", 4), (b"ping", "open"))
                    self.one_end(client, 0, "; %s " % label, ours.fingerprint())
                    self.one_end(server, before + 1, "; %s " % label)
                    got, client = self.attack_client(ours, version, "--peer", crt)
                    self.assertEqual(got, "open", client.log)

    def test_kinds_of_cas(self):
        """CAs of each kind issue leaves of another."""
        for kind in ("p256", "p384", "ed25519", "rsa2048", "rsa3072"):
            with self.subTest(kind):
                ca = make("ca", ca=True, kind=kind)
                self.passes(make("leaf", issuer=ca, dns=["localhost"]), "--cafile",
                            self.cafile(ca), "--checkhost", "localhost")

    def test_insecure(self):
        """--insecure lets everybody pass, and says so at each start and in each line."""
        for label, version in VERSIONS:
            for identity, shown in (
                    (make("anyone"), r'peer "CN=anyone".*\(not verified\)'),
                    (make("anyone", ends=now(hours=-1)), r'peer "CN=anyone".*\(not verified\)'),
                    (None, "peer without certificate")):
                with self.subTest("%s, %s" % (label, shown)):
                    server = self.gate("--insecure")
                    server.wait_log("LOG4.*INSECURE")
                    self.assertEqual(self.attack_server(server, identity, version), "open",
                                     server.log)
                    self.one_end(server, 0, "; %s .*%s" % (label, shown))
                    self.assertTrue(server.alive())

    def test_insecure_client(self):
        """The same in client mode."""
        for label, version in VERSIONS:
            with self.subTest(label):
                got, client = self.attack_client(make("anyone"), version, "--insecure")
                self.assertEqual(got, "open", client.log)
                client.wait_log("LOG4.*INSECURE")
                self.one_end(client, 0, r'"CN=anyone".*\(not verified\)')

    def test_insecure_no_forged_proof(self):
        """Even so, a handshake that does not hold together fails: the server's proof of its
        key is spoilt on its way."""
        identity = make("anyone")
        for label, version in VERSIONS:
            with self.subTest(label):
                def handler(c):
                    wire = TlsWire(c, certs.context(self.dir, identity, True, version),
                                   server_side=True)
                    try:
                        wire.tls.do_handshake()
                    except ssl.SSLWantReadError:
                        wire.feed()
                    try:
                        wire.tls.do_handshake()
                    except ssl.SSLWantReadError:
                        pass
                    flight = bytearray(wire.pending_out())
                    flight[-20] ^= 1
                    c.sendall(flight)
                    outcome(c)

                client = self.own(Sluss("client", "--accept", "127.0.0.1:0", "--connect",
                                        self.backend(handler).target, "--insecure",
                                        "--timeoutbusy", "2"))
                self.assertEqual(certs.ask(client.port), (b"", "reset"))
                self.one_end(client, 0, "TLS handshake failed")

    def test_own_expired(self):
        """Our own certificate has expired: a loud warning with the date, but we start; the
        peer is the one to refuse."""
        old = make("ours", dns=["localhost"], ends=now(hours=-1))
        pem, crt = old.write(self.dir, "old")
        server = self.gate("--peer", self.crt("client"), cert=pem)
        server.wait_log("LOG4.*EXPIRED.*%s.*%s" % (re.escape(pem), old.dates()[1]))
        client = self.own(Sluss("client", "--accept", "127.0.0.1:0", "--connect",
                                "127.0.0.1:%d" % server.port, "--cert", self.pem("client"),
                                "--peer", crt))
        self.assertEqual(certs.ask(client.port), (b"", "reset"))
        self.one_end(client, 0, "has expired.*" + old.dates()[1])
        self.one_end(server, 0, "refused by peer.*alert received: ")
        self.assertEqual(server.behind.count, 0)

    def test_own_not_yet(self):
        """The same before it begins."""
        early = make("ours", begins=now(hours=1))
        pem = early.write(self.dir, "early")[0]
        server = self.gate("--peer", self.crt("client"), cert=pem)
        server.wait_log("LOG4.*not valid yet.*" + early.dates()[0])


class Clock(IdentityCase):

    def under(self, offset, *trust):
        """sluss server in front of an echo, whose wall clock is set by the function that
        comes back with it; the clock that timers go by is left alone."""
        found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not found:
            harness.skip("libfaketime is not installed")
        path = self.path("clock")

        def set_clock(offset):
            with open(path + ".new", "w") as f:
                f.write(offset + "\n")
            os.rename(path + ".new", path)

        set_clock(offset)
        env = dict(os.environ, LD_PRELOAD=found[0], FAKETIME_TIMESTAMP_FILE=path,
                   FAKETIME_NO_CACHE="1", DONT_FAKE_MONOTONIC="1",
                   FAKETIME_DONT_FAKE_MONOTONIC="1", NO_FAKE_STAT="1")
        server = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect", "echo:",
                                "--cert", self.pem("server"), *trust, env=env))
        return server, set_clock

    def opened(self, server, identity):
        """A tunnel, known to work."""
        wire = TlsWire(self.own(connect(server.port)), certs.context(self.dir, identity))
        wire.handshake()
        self.echoes(wire)
        return wire

    def echoes(self, wire):
        wire.write(b"ping")
        self.assertEqual(wire.read_exactly(4), b"ping")

    def test_clock_jump(self):
        """The wall clock jumps by hours: each handshake is judged by what it shows then, also
        one that had begun before; open tunnels and those in the handshake stay."""
        if harness.not_under_sanitizer():
            return  # its library must be the first that is loaded
        peer = make("peer", begins=now(hours=-2), ends=now(hours=2))
        server, set_clock = self.under("+0", "--peer", peer.write(self.dir, "peer")[1],
                                       "--timeoutidle", "900", "--timeoutbusy", "900")
        opened = self.opened(server, peer)
        for offset, says in (("+1h", None),
                             ("+3h", "has expired: .*it expired on " + peer.dates()[1]),
                             ("-1h", None),
                             ("-3h", "not valid yet: .*it is valid from %s on" % peer.dates()[0]),
                             ("+0", None)):
            for label, version in VERSIONS:
                with self.subTest("%s, %s" % (offset, label)):
                    before = len(self.ends(server))
                    begun = TlsWire(self.own(connect(server.port)),
                                    certs.context(self.dir, peer, version=version))
                    set_clock(offset)
                    self.echoes(opened)
                    got = self.attack_server(server, peer, version)
                    line = self.one_end(server, before, says or ": closed; " + label)
                    self.assertEqual(got, "open" if says is None else ALERTS[BAD_CERTIFICATE],
                                     line)
                    if says is None:
                        begun.handshake()
                        self.echoes(begun)
                        begun.close_notify()
                        begun.outcome()
                        self.one_end(server, before + 1, ": closed; " + label)
                    begun.close()
                    wait_for(lambda: len(self.ends(server)) == before + 1 + (says is None),
                             "the end of the one begun")
        opened.close_notify()
        opened.outcome()
        self.assertEqual(server.stop(), 0)

    def test_clock_set_back(self):
        """The wall clock is set back by an hour: timers run out as before."""
        if harness.not_under_sanitizer():
            return
        peer = make("peer")
        server, set_clock = self.under("+1h", "--peer", peer.write(self.dir, "peer")[1],
                                       "--timeoutidle", "2", "--timeoutbusy", "2",
                                       "--timeoutdrain", "1")
        silent = self.own(connect(server.port))
        opened = self.opened(server, peer)
        set_clock("+0")
        self.assertEqual(opened.outcome()[0], b"")
        self.assertEqual(outcome(silent)[0], b"")
        server.ends(": TIMEOUTidle exceeded")
        server.ends(": TIMEOUTbusy exceeded")
        set_clock("+1h")
        self.opened(server, peer)
        set_clock("+0")
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    harness.main()
