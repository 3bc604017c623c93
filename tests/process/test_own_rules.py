#!/usr/bin/env python3
"""What is said at load, with file and line: a certificate of ours that the rules of its own service
would refuse at the other end, rules that can never match, lists of revoked certificates that
belong to nobody."""

import re
import signal

import certs
import harness
from certs import CLIENT_AUTH, CODE_SIGNING, SERVER_AUTH, make, now
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from harness import main
from test_revocation import crl


def usage(*names):
    kinds = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return [(x509.KeyUsage(**{k: k in names for k in kinds}), True)]


class Own(certs.CheckedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = make("root", ca=True)
        cls.other = make("other", ca=True)

    def setUp(self):
        super().setUp()
        self.cafile = certs.bundle(self.path("ca.crt"), self.root)

    def examine(self, *lines, own=None, server=True, status=0):
        """What check says of a section whose certificate stands in line 7."""
        self.pem = own.write(self.dir, "own")[0] if own else self.pem_file("server")
        self.conf = self.path("sluss.conf")
        with open(self.conf, "w") as f:
            f.write("\n".join((
                "foreground = yes", "[one]", "profile = strict", "accept = 127.0.0.1:0",
                "connect = 127.0.0.1:9", "client = " + ("no" if server else "yes"),
                "cert = " + self.pem, *lines)) + "\n")
        done = harness.run(harness.SLUSS, "check", self.conf, check=False)
        self.assertEqual(done.returncode, status, done.err)
        return done.err

    pem_file = staticmethod(harness.Case.pem)

    def assert_said(self, said, level, line, text):
        """One line of that level about that line of the file."""
        mark = {3: "!", 4: ":", 5: "."}[level]
        pattern = r"\[[%s]\] .*%s:%d: .*%s" % (mark, re.escape(self.conf), line, text)
        self.assertEqual(len(re.findall(pattern, said)), 1, "%s in\n%s" % (pattern, said))

    def assert_silent(self, said):
        self.assertNotIn("our own certificate", said.lower())

    def ours(self, *more, **kw):
        return self.examine("CAfile = " + self.cafile, *more, **kw)


class Certificate(Own):
    def check_one(self, own, level, text, *lines, **kw):
        self.assert_said(self.ours(*lines, own=own, **kw), level, 7, text)

    def test_fine(self):
        """No word of what is right: in both roles, with uses, chains, and of one's own."""
        sub = make("sub", self.root, ca=True)
        for own in (make("a", self.root), make("a", self.root, eku=[SERVER_AUTH, CLIENT_AUTH]),
                    make("a", sub), make("alone")):
            for server in (True, False):
                self.assert_silent(self.ours("checkHost = x.test", own=own) if server else
                                   self.ours("checkHost = x.test", own=own, server=False))

    def test_dates(self):
        self.check_one(make("a", self.root, begins=now(-9), ends=now(-1)), 4,
                       "OUR OWN CERTIFICATE HAS EXPIRED: .*own.pem .CN=a. ended at")
        self.check_one(make("a", self.root, begins=now(2), ends=now(9)), 4,
                       "our own certificate is not valid yet: .*own.pem .CN=a. begins at")

    def test_use(self):
        """A certificate for the other role, in both; and one that may not sign."""
        for server, eku, lacks in ((True, CLIENT_AUTH, "serverAuth"),
                                   (False, SERVER_AUTH, "clientAuth"),
                                   (True, CODE_SIGNING, "serverAuth")):
            self.check_one(make("a", self.root, eku=[eku]), 4,
                           "peers will refuse it: certificate is not meant for this use: .*"
                           "lacks " + lacks, "checkHost = x.test", server=server)
        self.check_one(make("a", self.root, more=usage("key_agreement")), 4,
                       "peers will refuse it: .*keyUsage lacks digitalSignature")

    def test_weak(self):
        """What nobody takes is an error."""
        for own, text in ((make("a", self.root, kind="rsa1024"), "RSA key has 1024 bits"),
                          (make("a", self.root, signed=hashes.SHA1()), "SHA-1")):
            said = self.ours(own=own, status=1)
            self.assert_said(said, 3, 2, "own.pem: .*" + text)

    def test_chain(self):
        """What does not lead to the only CA may be meant; what contradicts it is not."""
        sub = make("sub", self.root, ca=True)
        self.check_one(make("a", sub).with_chain(), 5,
                       'does not lead to the CA of this section .*"CN=a" was issued by "CN=sub"')
        self.check_one(make("a", self.other), 5, "does not lead to the CA of this section")
        # With several there is more than one house.
        self.cafile = certs.bundle(self.path("ca.crt"), self.root, self.other)
        self.assert_silent(self.ours(own=make("a", make("third", ca=True))))
        self.cafile = certs.bundle(self.path("ca.crt"), self.root)
        self.check_one(make("a", make("root", ca=True)), 4, "the CA of this section would refuse "
                       "it: issued by no trusted CA: .*has one of that name, but with another key")

    def test_ca_between(self):
        for sub, text in ((make("sub", self.root, ca=True, begins=now(-9), ends=now(-2)),
                           "certificate has expired"),
                          (make("sub", self.root, ca=True, eku=[CODE_SIGNING]),
                           "not meant for this use"),
                          (make("sub", self.root), "breaks a rule")):
            self.check_one(make("a", sub), 4, "this very section would refuse it: .*" + text)

    def test_revoked(self):
        own = make("a", self.root)
        with open(self.path("crl.pem"), "wb") as f:
            f.write(crl(self.root, own))
        self.check_one(own, 4, 'would refuse it: certificate is revoked: "CN=a" is revoked by '
                       '"CN=root"', "CRLfile = " + self.path("crl.pem"))

    def test_denied(self):
        """By a deny line; that allow lines do not name us is as it should be."""
        own = make("a", self.root)
        self.check_one(own, 5, 'would refuse it: denied by the rules: .*"deny = cn=a"',
                       "deny = cn=a")
        self.assert_silent(self.ours("allow = cn=b", own=own))

    def test_reload(self):
        """At a reload, too, where nothing but the list has changed."""
        own = make("a", self.root)
        with open(self.path("crl.pem"), "wb") as f:
            f.write(crl(self.root))
        self.ours("CRLfile = " + self.path("crl.pem"), own=own)
        sluss = self.own(harness.Sluss(self.conf))
        self.assertNotIn("revoked by", sluss.log)
        with open(self.path("crl.pem"), "wb") as f:
            f.write(crl(self.root, own, number=2))
        sluss.process.send_signal(signal.SIGHUP)
        sluss.wait_log("%s:7: our own .*is revoked by" % re.escape(self.conf))


class Rules(Own):
    def wrong(self, line, text, *before, cas=True):
        """A line of rules that is refused where it stands."""
        lines = (["CAfile = " + self.cafile] if cas else ["peer = " + self.crt("client")])
        lines += before
        said = self.examine(*lines, line, status=1)
        self.assert_said(said, 3, 8 + len(lines), re.escape(line[:20]) + ".*" + text)

    def test_never(self):
        """Rules that can never match."""
        self.wrong("allow = cn=a cn=b", "can never match")
        self.wrong("allow = uri=spiffe://x/a uri=https://b", "can never match")
        self.wrong("allow = serial=1 serial=2", "can never match")
        self.wrong("allow = issuer-spki-sha256=" + 64 * "a", "can never match", cas=False)

    def test_denied(self):
        """An allow line that a deny line takes back, whole or in part of what it asks."""
        for deny in ("cn=a", "dns=x.test", "cn=a dns=x.test"):
            lines = ("CAfile = " + self.cafile, "deny = " + deny, "allow = dns=x.test cn=a")
            self.assert_said(self.examine(*lines, status=1), 3, 10,
                             "can never let anybody pass: line 9 denies the same")
        for deny in ("cn=b", "cn=a ou=x", "report cn=a"):
            self.examine("CAfile = " + self.cafile, "deny = " + deny, "allow = dns=x.test cn=a")

    def test_mistakes(self):
        """Globs and values with mistakes."""
        for line in ("allow = dns=*.*.", "allow = dns=a..b", "allow = uri=spiffe://*x*y**z***",
                     "allow = ip=192.0.2.1/33", "allow = ip=192.0.2", "allow = email=x",
                     "allow = cert-sha256=abc", "allow = serial=xyz", "allow = cnn=a",
                     "allow = cn=", "deny = uri=spiffe://ex ample/x"):
            with self.subTest(line):
                self.wrong(line, "")

    def test_crl_of_nobody(self):
        """A list whose issuer is none of the CAs is said, where it is configured."""
        with open(self.path("crl.pem"), "wb") as f:
            f.write(crl(self.other))
        said = self.examine("CAfile = " + self.cafile, "CRLfile = " + self.path("crl.pem"),
                          own=make("a", self.root))
        self.assert_said(said, 4, 9, "crl.pem.*: the CRL belongs to no CA in CAfile or CApath")
        with open(self.path("crl.pem"), "wb") as f:
            f.write(crl(self.root, key=self.other.key))
        said = self.examine("CAfile = " + self.cafile, "CRLfile = " + self.path("crl.pem"),
                          own=make("a", self.root), status=1)
        self.assert_said(said, 3, 2, "crl.pem.*its signature is not by the key of")


if __name__ == "__main__":
    main()
