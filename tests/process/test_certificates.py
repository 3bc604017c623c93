#!/usr/bin/env python3
"""Several certificates a service: each client is shown one that it can use, by its signature schemes
and, in TLS 1.2, by its suites and groups."""

import os
import signal
import subprocess

import certs
import harness
from certs import make
from harness import Case, Sluss, connect, echo, main, need, run

EC, ED, RSA = "ECDSA", "Ed25519", "RSA"
KINDS = {EC: "p256", ED: "ed25519", RSA: "rsa2048"}


def tool(*argv):
    """Another program, which is told nothing, to its end."""
    return run(*argv, check=False, stdin=subprocess.DEVNULL)


class Certificates(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = make("Root", ca=True)
        cls.sub = make("Sub", issuer=cls.root, ca=True)
        # Each with a chain of its own: the CAs between differ.
        cls.ids = {EC: make(EC, kind="p256", dns=["localhost"], issuer=cls.root),
                   ED: make(ED, kind="ed25519", dns=["localhost"], issuer=cls.root),
                   RSA: make(RSA, kind="rsa2048", dns=["localhost"], issuer=cls.sub)}

    def setUp(self):
        super().setUp()
        self.target = self.backend(echo)
        for kind, identity in self.ids.items():
            identity.write(self.dir, kind)
        with open(self.path("root.crt"), "wb") as f:
            f.write(self.root.cert_pem())

    def certs(self, *kinds):
        return ["cert = " + self.path(k + ".pem") for k in kinds]

    def conf(self, *lines, section=(), profile="strict"):
        head = ["foreground = yes", "syslog = no", "debug = info", "reloadOnChange = no", "[s]",
                "profile = " + profile, "accept = 127.0.0.1:0", "connect = " + self.target.target]
        head += ["insecure = yes"] if profile == "strict" else []
        with open(self.path("conf"), "w") as f:
            f.write("\n".join(head + list(lines) + list(section)) + "\n")
        return self.path("conf")

    def serve(self, *lines, **kw):
        return self.own(Sluss(self.conf(*lines, **kw)))

    def s_client(self, port, *options):
        """(the CN that was shown, what it said); None: the handshake failed."""
        p = tool("openssl", "s_client", "-connect", "127.0.0.1:%d" % port, "-CAfile",
                self.path("root.crt"), "-servername", "localhost", *options)
        lines = [l for l in p.out.splitlines() if l.startswith("subject=")]
        if "Cipher is (NONE)" in p.out or not lines:
            return None, p.out + p.err
        self.assertIn("Verify return code: 0 (ok)", p.out)  # with its chain
        return lines[0].split("CN = ")[1], p.out + p.err

    def shown(self, port, *options):
        return self.s_client(port, *options)[0]


class Choice(Certificates):
    def test_signatures(self):
        """The first of ours that suits, in both versions."""
        sluss = self.serve(*self.certs(EC, RSA))
        for version in ("-tls1_2", "-tls1_3"):
            for algs, kind in (("ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256", EC),
                               ("rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256", EC),
                               ("rsa_pss_rsae_sha256", RSA), ("ECDSA+SHA256", EC)):
                self.assertEqual(self.shown(sluss.port, version, "-sigalgs", algs), kind, algs)
        # PKCS#1 is for TLS 1.2.
        self.assertEqual(self.shown(sluss.port, "-tls1_2", "-sigalgs", "RSA+SHA256"), RSA)
        self.assertEqual(self.shown(sluss.port, "-tls1_2", "-sigalgs", "RSA+SHA256:ECDSA+SHA256"), EC)

    def test_suites(self):
        """In TLS 1.2 the suites have a say: the client's, and ours."""
        sluss = self.serve(*self.certs(EC, RSA))
        for suite, kind in (("ECDHE-RSA-AES128-GCM-SHA256", RSA),
                            ("ECDHE-ECDSA-AES256-GCM-SHA384", EC),
                            ("ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256", EC)):
            self.assertEqual(self.shown(sluss.port, "-tls1_2", "-cipher", suite), kind, suite)
        ours = self.serve(*self.certs(EC, RSA), "ciphers = ECDHE-RSA-AES128-GCM-SHA256")
        self.assertEqual(self.shown(ours.port, "-tls1_2"), RSA)
        self.assertEqual(self.shown(ours.port, "-tls1_3"), EC)

    def test_groups(self):
        """A client of TLS 1.2 that knows our curve for the exchange only by another."""
        make("ECDSA", kind="p384", dns=["localhost"], issuer=self.root).write(self.dir, EC)
        sluss = self.serve(*self.certs(EC, RSA))
        self.assertEqual(self.shown(sluss.port, "-tls1_2", "-groups", "P-256:P-384"), EC)
        self.assertEqual(self.shown(sluss.port, "-tls1_2", "-groups", "P-256"), RSA)
        # In TLS 1.3 the scheme says the curve.
        self.assertEqual(self.shown(sluss.port, "-tls1_3", "-groups", "P-256"), EC)
        self.assertEqual(self.shown(sluss.port, "-tls1_3", "-sigalgs",
                                    "ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256"), RSA)

    def test_our_order(self):
        for kinds in ((RSA, EC, ED), (ED, RSA, EC), (EC, ED, RSA)):
            sluss = self.serve(*self.certs(*kinds))
            for version in ("-tls1_2", "-tls1_3"):
                self.assertEqual(self.shown(sluss.port, version), kinds[0])
                self.assertEqual(self.shown(sluss.port, version, "-sigalgs", "ed25519"), ED)

    def test_clients_order(self):
        """In stunnel's profile the client's order counts, as that of the suites, until
        CIPHER_SERVER_PREFERENCE."""
        sluss = self.serve(*self.certs(RSA, EC, ED), profile="stunnel")
        ours = self.serve(*self.certs(RSA, EC, ED), "options = CIPHER_SERVER_PREFERENCE",
                          profile="stunnel")
        for version in ("-tls1_2", "-tls1_3"):
            for algs, kind in (("ed448:ed25519:rsa_pss_rsae_sha256", ED),
                               ("ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256", EC),
                               ("rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256", RSA)):
                self.assertEqual(self.shown(sluss.port, version, "-sigalgs", algs), kind, algs)
                self.assertEqual(self.shown(ours.port, version, "-sigalgs", algs), RSA)

    def test_none(self):
        """Who can use none gets handshake_failure, and a line says what there is and what was
        asked for."""
        sluss = self.serve(*self.certs(EC, RSA))
        for version, more in (("-tls1_3", ""), ("-tls1_2", ", and in TLS 1.2 no suite but with ECDSA")):
            cn, said = self.s_client(sluss.port, version, "-sigalgs", "ed25519:ed448")
            self.assertIsNone(cn)
            self.assertIn("alert number 40", said)
            sluss.wait_log(r"the client can use none of our certificates \(ECDSA P-256, RSA\): it "
                           r"takes the signatures ed25519, ed448%s; alert sent: handshake_failure "
                           r"\(40\)" % more)
        self.assertEqual(self.shown(sluss.port), EC)

    def test_no_suite_for_it(self):
        """Signatures that suit, but no suite."""
        sluss = self.serve(*self.certs(EC, ED))
        self.assertIsNone(self.shown(sluss.port, "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"))
        sluss.wait_log(r"certificates \(ECDSA P-256, Ed25519\): it takes the signatures .*, and in TLS "
                       "1.2 no suite but with RSA; alert")
        self.assertEqual(self.target.count, 0)

    def test_other_reasons(self):
        """Where it is not the certificate, it is not blamed."""
        sluss = self.serve(*self.certs(EC, RSA), "sslVersion = TLSv1.3")
        self.assertIsNone(self.shown(sluss.port, "-tls1_2"))
        sluss.wait_log("no protocol version in common")
        self.assertIsNone(self.shown(sluss.port, "-tls1_2", "-sigalgs", "ed25519"))
        sluss.wait_log("no protocol version in common", count=2)
        old = self.serve(*self.certs(EC, RSA))
        self.assertIsNone(self.shown(old.port, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"))
        old.wait_log("no cipher suite in common")
        self.assertNotIn("none of our certificates", old.log)
        self.assertNotIn("none of our certificates", sluss.log)

    def test_gnutls(self):
        cli = need("gnutls-cli")
        sluss = self.serve(*self.certs(EC, RSA, ED))
        for version, ecdsa in (("1.2", "ECDSA-SHA256"), ("1.3", "ECDSA-SECP256R1-SHA256")):
            for sign, kind in (("RSA-PSS-RSAE-SHA256", RSA), (ecdsa, EC), ("EDDSA-ED25519", ED)):
                p = tool(cli, "--insecure", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS%s:-SIGN-ALL:"
                        "+SIGN-%s" % (version, sign), "-p", sluss.port, "127.0.0.1")
                self.assertIn("subject `CN=%s'" % kind, p.out, (version, sign))

    def test_stunnel(self):
        """stunnel in front of it, which takes RSA, then ECDSA."""
        stunnel = need("stunnel4")
        if harness.not_under_sanitizer():
            return
        sluss = self.serve(*self.certs(EC, RSA))
        for i, (algs, kind) in enumerate((("rsa_pss_rsae_sha256", RSA),
                                          ("ecdsa_secp256r1_sha256", EC))):
            port = harness.free_port()
            with open(self.path("stunnel"), "w") as f:
                f.write("foreground = yes\nsyslog = no\npid =\n[c]\nclient = yes\nconfig = "
                        "SignatureAlgorithms:%s\nverifyChain = yes\nCAfile = %s\naccept = "
                        "127.0.0.1:%d\nconnect = 127.0.0.1:%d\ndebug = 7\n" %
                        (algs, self.path("root.crt"), port, sluss.port))
            other = self.own(harness.Program([stunnel, self.path("stunnel")]))
            other.wait_log("Configuration successful")
            with connect(port) as c:
                c.sendall(b"hello")
                self.assertEqual(harness.recv_exactly(c, 5), b"hello")
            other.wait_log(r"Certificate accepted at depth=0: .*CN\s?=\s?%s" % kind)
            other.stop()

    def test_section(self):
        """A section of sni with several, beside one with one."""
        sluss = self.serve(*self.certs(ED), section=(
            "[two]", "insecure = yes", "profile = strict", "sni = s:localhost",
            "connect = " + self.target.target, *self.certs(RSA, EC)))
        for version in ("-tls1_2", "-tls1_3"):
            self.assertEqual(self.shown(sluss.port, version), RSA)
            self.assertEqual(self.shown(sluss.port, version, "-sigalgs", "ECDSA+SHA256"), EC)
            self.assertEqual(self.shown(sluss.port, version, "-servername", "else.test"), ED)

    def test_with_alpn(self):
        """Both are chosen by the same hello."""
        sluss = self.serve(*self.certs(EC, RSA), "alpn = h2,x")
        cn, said = self.s_client(sluss.port, "-sigalgs", "rsa_pss_rsae_sha256", "-alpn", "x,h2")
        self.assertEqual(cn, RSA)
        self.assertIn("ALPN protocol: h2", said)


class Mutual(Certificates):
    """Clients are verified as ever, whichever certificate they are shown."""

    def setUp(self):
        super().setUp()
        self.me = make("me", kind="p256", issuer=self.root)
        self.me.write(self.dir, "me")

    def serve_mutual(self, *lines, **kw):
        return self.own(Sluss(self.conf(
            *self.certs(EC, RSA), "verifyChain = yes", "CAfile = " + self.path("root.crt"), *lines,
            profile="stunnel", **kw)))

    def identity(self, who):
        return ("-cert", self.path(who + ".pem"), "-key", self.path(who + ".pem")) if who else ()

    def test_verified(self):
        make("me", kind="p256").write(self.dir, "stranger")
        sluss = self.serve_mutual()
        for version in ("-tls1_2", "-tls1_3"):
            for algs, kind in (("rsa_pss_rsae_sha256:ECDSA+SHA256", RSA),
                               ("ECDSA+SHA256:rsa_pss_rsae_sha256", EC)):
                said = harness.s_client(sluss.port, version, "-sigalgs", algs, *self.identity("me"))
                self.assertIn("CN = " + kind, said)
                self.assertIn("\nhello\n", said)
                for who in ("stranger", None):
                    said = harness.s_client(sluss.port, version, "-sigalgs", algs, *self.identity(who))
                    self.assertNotIn("\nhello\n", said)
        self.assertEqual(self.target.count, 4)
        sluss.wait_log("while in the TLS handshake: ", count=8)

    def test_resumed(self):
        """A ticket of the one certificate's context is opened by the other's: the key of tickets
        is the service's, and who the client is stands in it."""
        sluss = self.serve_mutual("sessionResume = yes")
        rsa = ("-sigalgs", "rsa_pss_rsae_sha256:ECDSA+SHA256")
        for version in ("-tls1_2", "-tls1_3"):
            me = self.identity("me")
            for options, what in ((("-sess_out", self.path("sess")) + rsa, "New, "),
                                  (("-sess_in", self.path("sess")), "Reused, "),
                                  (("-sess_in", self.path("sess")) + rsa, "Reused, ")):
                said = harness.s_client(sluss.port, version, *me, *options)
                self.assertIn(what, said, (version, options))
                self.assertIn("\nhello\n", said)
        sluss.wait_log("CN=me", count=6)


class Files(Certificates):
    def check(self, *lines, bad=None, **kw):
        p = run(harness.SLUSS, "check", self.conf(*lines, **kw), check=False)
        self.assertEqual(p.returncode, 1 if bad else 0, p.err)
        if bad:
            self.assertIn(bad, p.err)
        return p

    def split(self, kind):
        """KIND.crt has the chain, KIND.key the key."""
        identity = self.ids[kind]
        with open(self.path(kind + ".crt"), "wb") as f:
            f.write(b"".join(c.cert_pem() for c in [identity] + identity.chain))
        with open(self.path(kind + ".key"), "wb") as f:
            os.chmod(f.name, 0o600)
            f.write(identity.key_pem())

    def test_keys_of_their_own(self):
        """Keys are found by what they belong to, in whatever order they are named."""
        for kind in (EC, RSA):
            self.split(kind)
        for keys in ((EC, RSA), (RSA, EC)):
            sluss = self.serve(*["cert = " + self.path(k + ".crt") for k in (EC, RSA)],
                               *["key = " + self.path(k + ".key") for k in keys])
            self.assertEqual(self.shown(sluss.port), EC)
            self.assertEqual(self.shown(sluss.port, "-sigalgs", "rsa_pss_rsae_sha256"), RSA)

    def test_one_key_named(self):
        """One has its key in its own file, the other one elsewhere."""
        self.split(RSA)
        sluss = self.serve("cert = " + self.path(EC + ".pem"), "cert = " + self.path(RSA + ".crt"),
                           "key = " + self.path(RSA + ".key"))
        self.assertEqual(self.shown(sluss.port), EC)
        self.assertEqual(self.shown(sluss.port, "-sigalgs", "rsa_pss_rsae_sha256"), RSA)

    def test_no_key(self):
        for kind in (EC, RSA):
            self.split(kind)
        crts = ["cert = " + self.path(k + ".crt") for k in (EC, RSA)]
        self.check(*crts, "key = " + self.path(EC + ".key"), bad=self.path(RSA + ".crt") +
                   ": none of the private keys that key names belongs to this certificate")
        self.check(*crts, bad="there is no private key in this file")

    def test_same_type(self):
        """Of each type of key the last holds, as it always did, and says so."""
        make("last", kind="p384", dns=["localhost"], issuer=self.root).write(self.dir, "last")
        sluss = self.serve(*self.certs(EC, RSA, "last"))
        sluss.wait_log(r"the certificate in \S+ECDSA.pem counts no more: of each type of key there "
                       r"can be one, the last, which is that in \S+last.pem")
        self.assertEqual(self.shown(sluss.port), "last")
        self.assertEqual(self.shown(sluss.port, "-sigalgs", "rsa_pss_rsae_sha256"), RSA)

    def test_flags(self):
        sluss = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect",
                               self.target.target, "--insecure", "--cert", self.path(EC + ".pem"),
                               "--cert", self.path(RSA + ".pem")))
        self.assertEqual(self.shown(sluss.port), EC)
        self.assertEqual(self.shown(sluss.port, "-sigalgs", "rsa_pss_rsae_sha256"), RSA)

    def test_inherited(self):
        """A section's own certificates stand in place of those of the defaults."""
        with open(self.path("conf"), "w") as f:
            f.write("\n".join(["foreground = yes", "syslog = no", "insecure = yes", "connect = " +
                               self.target.target, *self.certs(EC, RSA), "[a]",
                               "accept = 127.0.0.1:0", "[b]", "accept = 127.0.0.1:0",
                               *self.certs(ED)]) + "\n")
        sluss = self.own(Sluss(self.path("conf")))
        a, b = [int(x.rsplit(":", 1)[1]) for x in sluss.bound()]
        self.assertEqual(self.shown(a, "-sigalgs", "rsa_pss_rsae_sha256"), RSA)
        self.assertEqual(self.shown(b), ED)
        self.assertIsNone(self.shown(b, "-sigalgs", "rsa_pss_rsae_sha256"))

    def test_pkcs12(self):
        """One in a PKCS#12 file, one in encrypted PEM, with the same passphrase."""
        self.split(RSA)
        with open(self.path("pass"), "w") as f:
            f.write("secret\n")
        os.chmod(self.path("pass"), 0o600)
        run("openssl", "pkcs12", "-export", "-in", self.path(RSA + ".crt"), "-inkey",
            self.path(RSA + ".key"), "-passout", "pass:secret", "-out", self.path("rsa.p12"))
        run("openssl", "pkey", "-in", self.path(EC + ".pem"), "-aes256", "-passout", "pass:secret",
            "-out", self.path("ec.key"))
        self.ids[EC].write(self.dir, EC)
        for name in ("rsa.p12", "ec.key"):
            os.chmod(self.path(name), 0o600)
        sluss = self.serve("cert = " + self.path("rsa.p12"), "cert = " + self.path(EC + ".crt"),
                           "key = " + self.path("ec.key"), "keyPass = " + self.path("pass"))
        self.assertEqual(self.shown(sluss.port), RSA)
        self.assertEqual(self.shown(sluss.port, "-sigalgs", "ECDSA+SHA256"), EC)

    def test_check_prints_each(self):
        out = self.check(*self.certs(EC, RSA)).out
        for kind in (EC, RSA):
            self.assertIn("cert = " + self.path(kind + ".pem"), out)
            self.assertRegex(out, r'# cert: "CN=%s" DNS:localhost valid from' % kind)

    def test_each_is_judged(self):
        """What is weak or expired is found in the second, too."""
        make("weak", kind="rsa1024").write(self.dir, "weak")
        self.check(*self.certs(EC, "weak"), bad='weak.pem: "CN=weak": its RSA key has 1024 bits')
        make("old", kind="rsa2048", ends=certs.now(days=-1), begins=certs.now(days=-9)) \
            .write(self.dir, "old")
        self.assertIn("OUR OWN CERTIFICATE HAS EXPIRED: " + self.path("old.pem"),
                      self.check(*self.certs(EC, "old")).err)
        os.chmod(self.path(RSA + ".pem"), 0o644)
        self.assertIn("the private key in %s can be read by others" % self.path(RSA + ".pem"),
                      self.check(*self.certs(EC, RSA)).err)

    def test_client(self):
        """A client shows the first: a warning says so."""
        p = self.check(*self.certs(EC, RSA), "client = yes")
        self.assertIn("as a client it shows the first certificate only, that in " +
                      self.path(EC + ".pem"), p.err)


class Reloaded(Certificates):
    def reload(self, sluss, count=1):
        sluss.process.send_signal(signal.SIGHUP)
        sluss.wait_log("Configuration reloaded", count=count)

    def test_reload(self):
        """A second one comes, is renewed, and goes."""
        sluss = self.serve(*self.certs(EC))
        rsa = ("-sigalgs", "rsa_pss_rsae_sha256")
        self.assertIsNone(self.shown(sluss.port, *rsa))
        self.conf(*self.certs(EC, RSA))
        self.reload(sluss)
        self.assertEqual(self.shown(sluss.port, *rsa), RSA)
        make("renewed", kind="rsa2048", dns=["localhost"], issuer=self.root).write(self.dir, RSA)
        self.reload(sluss, 2)
        self.assertEqual(self.shown(sluss.port, *rsa), "renewed")
        self.assertEqual(self.shown(sluss.port), EC)
        self.conf(*self.certs(EC))
        self.reload(sluss, 3)
        self.assertIsNone(self.shown(sluss.port, *rsa))

    def test_watched(self):
        """The files of all are watched."""
        path = self.conf(*self.certs(EC, RSA))
        with open(path) as f:
            text = f.read().replace("reloadOnChange = no", "reloadOnChange = yes")
        with open(path, "w") as f:
            f.write(text)
        sluss = self.own(Sluss(path))
        pem, _ = make("renewed", kind="rsa2048", dns=["localhost"], issuer=self.root).write(
            self.dir, "new")
        os.rename(pem, self.path(RSA + ".pem"))
        harness.wait_for(lambda: self.shown(sluss.port, "-sigalgs", "rsa_pss_rsae_sha256") ==
                         "renewed", "the new certificate")

    def test_broken(self):
        """A second one that is broken leaves both as they are."""
        sluss = self.serve(*self.certs(EC, RSA))
        with open(self.path(RSA + ".pem"), "w") as f:
            f.write("nothing\n")
        sluss.process.send_signal(signal.SIGHUP)
        sluss.wait_log("Reload failed")
        self.assertEqual(self.shown(sluss.port, "-sigalgs", "rsa_pss_rsae_sha256"), RSA)


if __name__ == "__main__":
    main()
