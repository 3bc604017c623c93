"""Our own key under a passphrase: in PEM, and in PKCS#12 files with certificate and chain."""

import os
import re

import harness
from harness import Case, connect

PASS = "correct horse"


class KeyCase(Case):
    def setUp(self):
        super().setUp()
        self.openssl = harness.need("openssl")
        self.words = self.write("words", PASS + "\n")
        self.target = self.backend(harness.echo).target
        self.cert = self.crt("server")

    def write(self, name, text):
        path = self.path(name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(text)
        return path

    def ssl(self, *argv, **kw):
        return harness.run(self.openssl, *argv, **kw)

    def locked(self, *how, source=None, name="locked.key"):
        """The server's key (or another's), encrypted in some way."""
        path = self.write(name, "")
        self.ssl("pkey", "-in", source or self.pem("server"), "-passout", "pass:" + PASS,
                 "-out", path, *how)
        return path

    def p12(self, *how, name="own.p12", key=None, cert=None, password=PASS):
        path = self.write(name, "")
        self.ssl("pkcs12", "-export", "-in", cert or self.cert, "-inkey",
                 key or self.pem("server"), "-passout", "pass:" + password, "-out", path, *how)
        return path

    def args(self, cert, *more):
        return ["server", "--accept", "127.0.0.1:0", "--connect", self.target, "--cert", cert,
                "--peer", self.crt("client"), *more]

    def works(self, *args):
        server = self.own(harness.Sluss(*self.args(*args)))
        wire = self.tls(server.port)
        wire.write(b"hello")
        self.assertEqual(wire.read_exactly(5), b"hello")
        wire.close()
        self.assertNotIn(PASS, server.log)
        return server

    def refused(self, *args, says):
        done = harness.run(harness.SLUSS, *self.args(*args), check=False)
        self.assertEqual(done.returncode, 1, done.err)
        for part in says if isinstance(says, tuple) else (says,):
            self.assertIn(part, done.err)
        self.assertNotIn(PASS, done.err)
        return done.err


class Keys(KeyCase):
    def test_pem(self):
        """PBES2 with AES; the passphrase comes from a file."""
        for how in ("-aes256",), ("-aes128",):
            self.works(self.cert, "--key", self.locked(*how), "--keypass", self.words)

    def test_key_kinds(self):
        """RSA and Ed25519 under a passphrase; certificate and key in one file."""
        for kind in "rsa:2048", "ed25519":
            key, crt = self.path("k.key"), self.path("k.crt")
            self.ssl("req", "-x509", "-newkey", kind, "-keyout", key, "-out", crt, "-nodes",
                     "-subj", "/CN=k", "-days", "9")
            with open(crt) as f:
                both = f.read()
            with open(self.locked("-aes256", source=key)) as f:
                both += f.read()
            server = self.own(harness.Sluss(*self.args(self.write("both.pem", both),
                                                       "--keypass", self.words)))
            ctx = self.context()
            ctx.load_verify_locations(crt)
            wire = harness.TlsWire(self.own(connect(server.port)), ctx)
            wire.handshake()
            wire.close()

    def test_pass_file(self):
        """What is no passphrase, a wrong one, none, and one that others may read."""
        key = self.locked("-aes256")
        for text, says in (("wrong\n", "another passphrase"), ("\n", "its first line is empty"),
                           (PASS + "\nmore\n", "more than one line"),
                           ("x" * 1025, "more than 1024 bytes")):
            self.refused(self.cert, "--key", key, "--keypass", self.write("bad", text), says=says)
        self.refused(self.cert, "--key", key, "--keypass", self.path("nowhere"),
                     says="there is no such file")
        self.refused(self.cert, "--key", key, says=("is encrypted", "keyPass", "openssl pkey -in"))
        self.works(self.cert, "--key", key, "--keypass", self.write("crlf", PASS + "\r\n"))
        os.chmod(self.words, 0o644)
        server = self.works(self.cert, "--key", key, "--keypass", self.words)
        server.wait_log("the passphrase in .*words can be read by others; run: chmod 600")

    def test_old_formats(self):
        """What this build cannot read is named, and the command that is named helps."""
        for how, name in ((("-traditional", "-aes128"), "DEK-Info"), (("-des3",), "3DES")):
            old = self.locked(*how)
            said = self.refused(self.cert, "--key", old, "--keypass", self.words, says=name)
            new = self.write("new.key", "")
            words = re.search(r'"openssl (pkey [^"]*)"', said).group(1).replace("NEW", new)
            self.ssl(*words.split(), "-passin", "pass:" + PASS, "-passout", "pass:" + PASS)
            self.works(self.cert, "--key", new, "--keypass", self.words)

    def test_pkcs12(self):
        self.works(self.p12(), "--keypass", self.words)
        self.works(self.p12(name="same.p12"), "--key", self.path("same.p12"),
                   "--keypass", self.words)

    def test_pkcs12_chain(self):
        """The CAs between go to the peer in their order, whatever that in the file."""
        conf = self.write("x.cnf", "[ca]\nbasicConstraints=critical,CA:TRUE\n"
                          "keyUsage=critical,keyCertSign\n[leaf]\nsubjectAltName=DNS:leaf.test\n")
        last = None
        for name, ext in (("root", "ca"), ("one", "ca"), ("two", "ca"), ("leaf", "leaf")):
            self.ssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-keyout", self.path(name + ".key"), "-out",
                     self.path(name + ".csr"), "-subj", "/CN=" + name)
            by = ["-CA", self.path(last + ".crt"), "-CAkey", self.path(last + ".key"),
                  "-CAcreateserial"] if last else ["-signkey", self.path(name + ".key")]
            self.ssl("x509", "-req", "-in", self.path(name + ".csr"), "-days", "9", "-extfile",
                     conf, "-extensions", ext, "-out", self.path(name + ".crt"), *by)
            last = name
        more = ""
        for name in "root", "two", "one":
            with open(self.path(name + ".crt")) as f:
                more += f.read()
        more = self.write("more.pem", more)
        own = self.p12("-certfile", more, key=self.path("leaf.key"), cert=self.path("leaf.crt"))
        server = self.own(harness.Sluss(*self.args(own, "--keypass", self.words)))
        for version in "-tls1_2", "-tls1_3":
            said = self.ssl("s_client", "-connect", "127.0.0.1:%d" % server.port, version,
                            "-CAfile", self.path("root.crt"), "-cert", self.pem("client"),
                            "-key", self.pem("client"), "-verify_return_error", "-showcerts",
                            input=b"", check=False).out
            self.assertIn("Verify return code: 0 (ok)", said)
            self.assertEqual(re.findall(r"^ *\d s:CN ?= ?(\w+)", said, re.M),
                             ["leaf", "two", "one", "root"])

    def test_pkcs12_refused(self):
        own = self.p12()
        self.refused(own, says=("has a passphrase", "keyPass"))
        self.refused(own, "--keypass", self.write("bad", "wrong"), says="another passphrase")
        self.refused(own, "--key", self.pem("server"), "--keypass", self.words,
                     says="has its key in it: leave key")
        half = self.path("half.p12")
        with open(own, "rb") as f, open(half, "wb") as g:
            g.write(f.read()[:-40])
        self.refused(half, "--keypass", self.words, says=half)
        bare = self.write("bare.p12", "")
        self.ssl("pkcs12", "-export", "-nokeys", "-in", self.cert, "-passout", "pass:" + PASS,
                 "-out", bare)
        self.refused(bare, "--keypass", self.words, says=bare)

    def test_pkcs12_old(self):
        """Files of 3DES and RC2 are refused by name; the command that is named helps."""
        for how, name in ((("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"), "3DES"),
                          (("-legacy", "-keypbe", "PBE-SHA1-RC2-40", "-certpbe",
                            "PBE-SHA1-RC2-40"), "RC2")):
            old = self.p12(*how, name="old.p12")
            said = self.refused(old, "--keypass", self.words, says="encrypted with " + name)
            new = self.write("new.pem", "")
            words = re.search(r'"openssl (pkcs12 [^"]*)"', said).group(1).replace("NEW", new)
            self.ssl(*words.split(), "-passin", "pass:" + PASS)
            self.works(new)

    def test_check_and_reload(self):
        """A configuration file; a key under another passphrase comes with a reload."""
        conf = self.write("sluss.conf", "\n".join((
            "foreground = yes", "syslog = no", "profile = strict", "[one]",
            "accept = 127.0.0.1:0", "connect = " + self.target, "cert = " + self.p12(),
            "keyPass = " + self.words, "peer = " + self.crt("client"), "")))
        harness.run(harness.SLUSS, "check", conf)
        server = self.own(harness.Sluss(conf))
        self.tls(server.port).close()
        new = self.p12(name="new.p12", password="another", key=self.pem("stranger"),
                       cert=self.crt("stranger"))
        os.rename(self.write("words2", "another"), self.words)
        os.rename(new, self.path("own.p12"))

        def renewed():
            ctx = self.context(trust="stranger")
            wire = harness.TlsWire(self.own(connect(server.port)), ctx)
            try:
                wire.handshake()
            except OSError:
                return False
            finally:
                wire.close()
            return True
        harness.wait_for(renewed, "the new certificate")


if __name__ == "__main__":
    harness.main()
