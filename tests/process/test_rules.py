#!/usr/bin/env python3
"""Rules: allow and deny lines of a server and a client, what the log names, report-only
lines, mistakes with file and line, and what a reload does to live tunnels."""

import hashlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certs
import harness
import test_verify
from certs import bundle, make
from harness import TlsWire, connect
from test_revocation import crl
from cryptography import x509
from cryptography.hazmat.primitives import serialization

OPEN = "open"
BAD_CERTIFICATE = test_verify.BAD_CERTIFICATE


def uris(*values):
    names = [x509.UniformResourceIdentifier(v) for v in values]
    return [(x509.SubjectAlternativeName(names), False)]


def spki(identity):
    return hashlib.sha256(identity.cert.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()


class Rules(test_verify.VerifyCase):

    CHAIN = "verifyChain = yes; CAfile = {CA}; "

    def visits(self, options, *cases, **kw):
        server = self.file_server(options, **kw)
        for identity, result in cases:
            with self.subTest(options=options, cn=identity.cert.subject.rfc4514_string()):
                self.assertEqual(self.visit(server.port, identity, None), result, server.log)
        return server

    def test_wrong_name(self):
        server = self.visits(self.CHAIN + "allow = cn=leaf", (self.leaf, OPEN),
                             (self.sibling, BAD_CERTIFICATE))
        server.wait_log("denied by the rules: .*CN=sibling.*the only allow rule does not match")

    def test_and_or_deny(self):
        options = (self.CHAIN + "allow = cn=nobody; allow = cn=leaf dns=leaf.test; "
                   "allow = dns=*.test; deny = cn=sib*")
        server = self.visits(options, (self.leaf, OPEN), (self.sibling, BAD_CERTIFICATE))
        server.wait_log('the rule "deny = cn=sib\\*" refuses it')
        self.visits(self.CHAIN + "allow = cn=leaf dns=other.test", (self.leaf, BAD_CERTIFICATE))
        self.visits(self.CHAIN + "deny = cn=leaf", (self.leaf, BAD_CERTIFICATE),
                    (self.sibling, OPEN))

    def test_uri_glob(self):
        one = make("one", issuer=self.ca, more=uris("spiffe://test/db/one"))
        deep = make("deep", issuer=self.ca, more=uris("spiffe://test/db/one/two"))
        both = make("both", issuer=self.ca, more=uris("spiffe://test/db/one", "spiffe://test/x"))
        self.visits(self.CHAIN + "allow = uri=spiffe://test/db/*", (one, OPEN),
                    (deep, BAD_CERTIFICATE), (both, BAD_CERTIFICATE), (self.leaf, BAD_CERTIFICATE))
        self.visits(self.CHAIN + "allow = uri=spiffe://test/db/**", (one, OPEN), (deep, OPEN))

    def test_spki_pin_only(self):
        """Without a CA: the right key, the key in reserve, and no other, CA or not."""
        reserve = make("reserve", dns=["r.test"])
        self.visits("allow = spki-sha256=%s; allow = spki-sha256=%s" %
                    (spki(self.stranger), spki(reserve)), (self.stranger, OPEN), (reserve, OPEN),
                    (self.leaf, BAD_CERTIFICATE), (certs.forge(self.stranger), BAD_CERTIFICATE))
        self.visits(self.CHAIN + "allow = spki-sha256=" + spki(self.sibling),
                    (self.leaf, BAD_CERTIFICATE), (self.sibling, OPEN),
                    (self.stranger, test_verify.UNKNOWN_CA))

    def test_subject_odd(self):
        nobody = make(issuer=self.ca, subject=x509.Name([]), more=uris("a:b"))
        two = make(issuer=self.ca, subject=certs.name(("CN", "leaf"), ("CN", "other")))
        self.visits(self.CHAIN + "allow = cn=leaf", (nobody, BAD_CERTIFICATE),
                    (two, BAD_CERTIFICATE), (self.leaf, OPEN))

    def test_issuer(self):
        """The CA that has verified the peer counts, though it is not sent; one that the peer
        merely sends along does not."""
        other = make("ca two", ca=True)
        of_other = make("leaf", issuer=other, dns=["leaf.test"])
        cas = bundle(self.path("two.crt"), self.ca, other)
        options = "verifyChain = yes; CAfile = %s; allow = issuer-spki-sha256=%s" % (
            cas, spki(self.ca))
        self.visits(options, (self.leaf, OPEN), (of_other, BAD_CERTIFICATE),
                    (of_other.with_chain(other, self.ca), BAD_CERTIFICATE))

    def test_report(self):
        server = self.visits(self.CHAIN + "allow = report cn=leaf; debug = notice",
                             (self.leaf, OPEN), (self.sibling, OPEN))
        server.wait_log(r"would refuse .*\(1 so far\): .*CN=sibling.*the only report-only allow")
        self.assertNotIn("CN=leaf", server.log)

    def test_redirect(self):
        elsewhere = self.backend(lambda c: c.sendall(b"else"))
        server = self.file_server(self.CHAIN + "allow = cn=leaf; redirect = " + elsewhere.target)
        wire = TlsWire(connect(server.port), certs.context(self.dir, self.sibling))
        wire.handshake()
        self.assertEqual(wire.read_exactly(4), b"else")
        wire.close()

    def test_client(self):
        self.assertEqual(self.receive(self.leaf, None, self.CHAIN + "allow = dns=leaf.test"), OPEN)
        self.assertEqual(self.receive(self.sibling, None, self.CHAIN + "allow = dns=leaf.test"),
                         BAD_CERTIFICATE)

    def test_reload(self):
        """A rule that now denies a live peer ends its tunnel; the others stay."""
        server = self.file_server(self.CHAIN + "deny = cn=nobody")
        wires = {}
        for who in self.leaf, self.sibling:
            wires[who] = wire = TlsWire(connect(server.port), certs.context(self.dir, who))
            wire.handshake()
            wire.write(b"ping")
            self.assertEqual(wire.read_exactly(4), b"ping")
        path = next(self.path(n) for n in os.listdir(self.dir) if n.startswith("conf-"))
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace("cn=nobody", "cn=sibling"))
        server.process.send_signal(1)
        server.wait_log("denied.*the rule .deny = cn=sibling. refuses it")
        wires[self.leaf].write(b"pong")
        self.assertEqual(wires[self.leaf].read_exactly(4), b"pong")
        for wire in wires.values():
            wire.close()

    def test_mistakes(self):
        for options, says in (
                (self.CHAIN + "allow = cm=x", 'no key "cm" .did you mean cn'),
                (self.CHAIN + "deny = dns=a***", '"deny = dns=a\\*\\*\\*"'),
                (self.CHAIN + "allow = uri=spiffe://Up/x", "can never match"),
                (self.CHAIN + "allow = cn=x; allow = cn=y; deny = cn=x",
                 r':1[0-9]: "allow = cn=x": this can never let anybody pass: line 1[0-9] denies'),
                ("allow = cn=x", '"allow = cn=x": nobody.s certificate is verified'),
                ("allow = spki-sha256=%s issuer-spki-sha256=%s" % ("0" * 64, "0" * 64),
                 "can never match, since there is no CA")):
            with self.subTest(options=options):
                server = self.file_server(options, ready=False)
                self.assertEqual(server.wait(), 1)
                self.assertRegex(server.log, r"conf-[0-9]+:[0-9]+: ")
                self.assertRegex(server.log, says)

    def test_chain_depth(self):
        sub = make("sub", issuer=self.ca, ca=True)
        leaf = make("deep", issuer=sub)
        self.visits(self.CHAIN + "chainDepth = 1", (leaf, OPEN))
        server = self.visits(self.CHAIN + "chainDepth = 0", (leaf, BAD_CERTIFICATE),
                             (self.leaf, OPEN))
        server.wait_log("more than 0 CAs between")

    def test_system(self):
        if not os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
            harness.skip("no CAs of the system")
        self.visits("verifyChain = yes; CAfile = system", (self.leaf, test_verify.UNKNOWN_CA))


class Explain(test_verify.VerifyCase):

    def explain(self, status, options, identity, *args):
        self.last = len(os.listdir(self.dir))
        path = self.path("explain-%d.conf" % self.last)
        with open(path, "w") as f:
            f.write("foreground = yes\npid =\nsyslog = no\n[s]\naccept = 1\nconnect = 2\n"
                    "cert = %s\n%s\n" % (self.pem("server"), self.options(options)))
        crt = bundle(self.path("peer.crt"), identity)
        done = harness.run(harness.SLUSS, "explain", path, "--service", "s", "--peer", crt, *args,
                           check=False)
        self.assertEqual(done.returncode, status, done)
        return done.out if status != 1 else done.err

    def test_admitted(self):
        out = self.explain(0, Rules.CHAIN + "allow = cn=no; allow = cn=leaf", self.leaf)
        self.assertIn('admitted by the rule "allow = cn=leaf"', out)
        self.assertRegex(out, "from %s [0-9:]+ UTC on: denied: certificate has expired" %
                         self.leaf.dates()[1][:10])

    def test_place(self):
        """Of the rule that decided: file and line."""
        for status, lines, text in (
                (0, "allow = cn=no; allow = cn=leaf", r'admitted by the rule "allow = cn=leaf" '
                 r"\(.*conf:%d\)\n"),
                (2, "allow = cn=leaf; deny = cn=x; deny = cn=l*", r'"deny = cn=l\*" refuses it '
                 r"\(.*conf:%d\)\n")):
            out = self.explain(status, Rules.CHAIN + lines, self.leaf)
            with open(self.path("explain-%d.conf" % self.last)) as f:
                number = f.read().split("\n").index(lines.split("; ")[-1]) + 1
            self.assertRegex(out, text % number)

    def test_basis(self):
        """Names are rules like others; pins, CRLs, responders, and the date that is next."""
        named = make("named", issuer=self.ca, dns=["localhost"], ends=certs.now(3))
        with open(self.path("crl.pem"), "wb") as f:
            f.write(crl(self.ca, ends=2))
        out = self.explain(0, Rules.CHAIN + "checkHost = no.test; checkHost = localhost; CRLfile = " +
                           self.path("crl.pem"), named)
        self.assertIn("name: the rule checkHost = no.test is not met\n", out)
        self.assertIn("name: the rule checkHost = localhost is met\n", out)
        self.assertRegex(out, r"CRLs: it is not revoked; the next of the 1 lists is to be renewed "
                         r"by \d{4}-\d\d-\d\d")
        self.assertIn("OCSP: not asked here", out)
        self.assertRegex(out, 'dates: "CN=named" is the first to expire, after %s' %
                         named.dates()[1])
        self.assertRegex(out, "UTC on: denied: list of revoked certificates is out of date")
        with open(self.path("crl.pem"), "wb") as f:
            f.write(crl(self.ca, named, number=2))
        out = self.explain(2, Rules.CHAIN + "CRLfile = " + self.path("crl.pem"), named)
        self.assertRegex(out, "denied: certificate is revoked: .*\nCRLs: it is revoked; ")
        crt = bundle(self.path("pin.crt"), self.leaf)
        self.assertIn("pin: it is the certificate of peer = %s\nCRLs: none are configured\n" % crt,
                      self.explain(0, "peer = " + crt, self.leaf))
        self.assertIn("pin: it is none of the 1 files of peer\n",
                      self.explain(2, "peer = " + crt, self.stranger))

    def test_denied(self):
        out = self.explain(2, Rules.CHAIN + "deny = cn=l*", self.leaf)
        self.assertIn('denied by the rules', out)
        self.assertIn('the rule "deny = cn=l*" refuses it', out)
        self.assertIn("issued by no trusted CA", self.explain(2, Rules.CHAIN, self.stranger))

    def test_at(self):
        out = self.explain(2, Rules.CHAIN, self.leaf, "--at", "2099-01-01")
        self.assertIn("at 2099-01-01 00:00:00 UTC: denied: certificate has expired", out)
        self.assertIn("no date changes that", out)
        out = self.explain(2, Rules.CHAIN, self.leaf, "--at", "2001-01-01T10:00:00")
        self.assertRegex(out, "denied: certificate is not valid yet")
        self.assertRegex(out, "UTC on: admitted")

    def test_chain(self):
        sub = make("sub", issuer=self.ca, ca=True)
        deep = make("deep", issuer=sub)
        deep.chain = []
        self.explain(2, Rules.CHAIN, deep)
        self.explain(0, Rules.CHAIN, deep, "--chain", bundle(self.path("sub.crt"), sub))

    def test_errors(self):
        self.assertIn("no date", self.explain(1, Rules.CHAIN, self.leaf, "--at", "soon"))
        self.assertIn("no section", self.explain(1, Rules.CHAIN, self.leaf, "--service", "x"))
        self.assertIn("no such option", self.explain(1, Rules.CHAIN, self.leaf, "--when", "x"))
        self.assertIn("allow = cm=x", self.explain(1, Rules.CHAIN + "allow = cm=x", self.leaf))
        self.assertIn("Usage: sluss explain", harness.run(harness.SLUSS, "explain", "--help").out)


if __name__ == "__main__":
    harness.main()
