"""Keys shared beforehand (PSKsecrets), in TLS 1.2 and 1.3, in both roles."""

import os
import re
import subprocess

import harness
from harness import Case, connect

KEY = "00112233445566778899aabbccddeeff"
OTHER = "ffeeddccbbaa99887766554433221100"


class Psk(Case):
    def setUp(self):
        super().setUp()
        self.target = self.backend(harness.echo).target
        self.keys = self.write("keys", "first:%s\nme:%s\ntext:sixteen bytes and\n" % (OTHER, KEY))

    def write(self, name, text):
        path = self.path(name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(text)
        return path

    def conf(self, name, *lines, target=None, keys=None):
        return self.write(name, "\n".join(
            ("foreground = yes", "syslog = no", "debug = info", "[one]", "accept = 127.0.0.1:0",
             "connect = " + (target or self.target), "PSKsecrets = " + (keys or self.keys))
            + lines) + "\n")

    def start(self, *lines, **kw):
        return self.own(harness.Sluss(self.conf(*lines, **kw)))

    def echoes(self, port):
        c = self.own(connect(port))
        c.sendall(b"hello")
        self.assertEqual(harness.recv_exactly(c, 5), b"hello")
        c.close()

    def fails(self, port):
        c = self.own(connect(port))
        try:
            c.sendall(b"hello")
            self.assertEqual(c.recv(5), b"")
        except OSError:
            pass
        c.close()

    def test_pair(self):
        """Which key was used is in both logs; the first of the file, or the one that is named."""
        server = self.start("server.conf")
        for version in "TLSv1.2", "TLSv1.3":
            for identity, more in (("first", ()), ("me", ("PSKidentity = me",)),
                                   ("text", ("PSKidentity = text",))):
                client = self.start("client.conf", "client = yes", "sslVersion = " + version,
                                    *more, target="127.0.0.1:%d" % server.port)
                self.echoes(client.port)
                for p in client, server:
                    p.wait_log("closed; %s .*; peer with the key of \"%s\"" % (version, identity))
                    p.wait_log("PSK identity: %s$" % identity)
                    self.assertNotIn(KEY, p.log)
                client.stop()

    def test_forward_secrecy(self):
        """In 1.2 only suites with a key exchange.  (psk.c: SUITES12.)"""
        server = self.start("server.conf", "sslVersion = TLSv1.2")
        client = self.start("client.conf", "client = yes", target="127.0.0.1:%d" % server.port)
        self.echoes(client.port)
        server.wait_log(r"TLSv1.2 \S*ECDHE[-_]PSK")
        openssl = harness.need("openssl")
        done = harness.run(openssl, "s_client", "-connect", "127.0.0.1:%d" % server.port, "-tls1_2",
                           "-psk_identity", "me", "-psk", KEY, "-cipher", "PSK-CHACHA20-POLY1305",
                           input=b"", check=False)
        self.assertIn("handshake failure", done.err)

    def test_strangers(self):
        """An identity that nobody knows and a wrong key look the same to the peer; no key at all is
        no way in."""
        server = self.start("server.conf")
        openssl = harness.need("openssl")
        for version in "-tls1_2", "-tls1_3":
            said = []
            for identity in "nobody", "first":
                done = harness.run(openssl, "s_client", "-connect", "127.0.0.1:%d" % server.port,
                                   version, "-psk_identity", identity, "-psk", KEY, input=b"",
                                   check=False)
                self.assertNotEqual(done.returncode, 0)
                said.append(re.findall(r"alert number (\d+)", done.err))
            self.assertEqual(said[0], said[1])
            self.assertEqual(len(said[0]), 1)
        server.wait_log("TLS handshake failed", count=4)
        for version in (v for _, v in harness.VERSIONS):
            wire = harness.TlsWire(self.own(connect(server.port)), self.context(version=version))
            with self.assertRaises(OSError):
                wire.handshake()

    def test_openssl_client(self):
        server = self.start("server.conf")
        openssl = harness.need("openssl")
        for version in "-tls1_2", "-tls1_3":
            p = subprocess.Popen([openssl, "s_client", "-quiet", "-connect",
                                  "127.0.0.1:%d" % server.port, version, "-psk_identity", "me",
                                  "-psk", KEY], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
            try:
                p.stdin.write(b"hello\n")
                p.stdin.flush()
                self.assertEqual(p.stdout.read(6), b"hello\n")
            finally:
                p.kill()
                p.communicate()

    def test_openssl_server(self):
        """As client; and a server with a certificate instead of the key is no server of ours."""
        openssl = harness.need("openssl")
        pem = self.pem("server")
        for version in "-tls1_2", "-tls1_3":
            for auth, good in ((["-nocert", "-psk_identity", "first", "-psk", OTHER], True),
                               (["-cert", pem, "-key", pem], False)):
                p = harness.Program([openssl, "s_server", "-accept", "127.0.0.1:0", "-rev", version,
                                     *auth], stdout=subprocess.PIPE)
                self.own(p)
                line = p.process.stdout.readline().decode()
                while "ACCEPT" not in line:
                    self.assertTrue(line, p.log)
                    line = p.process.stdout.readline().decode()
                client = self.start("client.conf", "client = yes", target="127.0.0.1:%s"
                                    % line.strip().rsplit(":", 1)[1])
                if good:
                    c = self.own(connect(client.port))
                    c.sendall(b"abc\n")
                    self.assertEqual(harness.recv_exactly(c, 4), b"cba\n")
                    c.close()
                else:
                    self.fails(client.port)
                    client.wait_log("TLS handshake failed|peer refused|refused by the peer")
                client.stop()
                p.kill()

    def test_stunnel(self):
        stunnel = harness.need("stunnel4")
        server = self.start("server.conf")
        port = harness.free_port()
        path = self.write("stunnel.conf", "foreground = yes\npid =\nsyslog = no\n[one]\n"
                          "client = yes\naccept = 127.0.0.1:%d\nconnect = 127.0.0.1:%d\n"
                          "PSKsecrets = %s\nPSKidentity = me\n" % (port, server.port, self.keys))
        program = self.own(harness.Program([stunnel, path]))
        program.wait_log("Configuration successful")
        harness.wait_for(lambda: self.listens(port), "stunnel")
        self.echoes(port)

    def listens(self, port):
        try:
            connect(port).close()
            return True
        except OSError:
            return False

    def test_exec(self):
        """A program is told whose key it was."""
        server = self.own(harness.Sluss(self.write(
            "server.conf", "foreground = yes\nsyslog = no\n[one]\naccept = 127.0.0.1:0\n"
            "exec = /usr/bin/env\nexecArgs = env\nPSKsecrets = %s\n" % self.keys)))
        client = self.start("client.conf", "client = yes", "PSKidentity = text",
                            target="127.0.0.1:%d" % server.port)
        got = harness.recv_all(self.own(connect(client.port)))
        self.assertIn(b"SSL_PSK_IDENTITY=text\n", got, server.log + client.log)

    def test_bad_files(self):
        for text, says in (("", "is empty"), ("\n", "there is no key"), ("nocolon\n", "line 1: write"),
                           ("a:short\n", "has 5 bytes"), ("a:%s\n" % KEY[:30], "has 15 bytes"),
                           ("a:%s\na:%s\n" % (KEY, KEY), "is there twice"),
                           (":%s\n" % KEY, "must have 1 to")):
            conf = self.conf("bad.conf", keys=self.write("bad", text))
            done = harness.run(harness.SLUSS, "check", conf, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(says, done.err)
        for line, says in (("PSKidentity = nobody", "no key of the identity nobody"),
                           ("cert = x", "with PSKsecrets there are no certificates"),
                           ("verifyChain = yes", "with PSKsecrets there are no certificates"),
                           ("ciphers = HIGH", "the suites are fixed")):
            done = harness.run(harness.SLUSS, "check", self.conf("bad.conf", "client = yes", line),
                               check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(says, done.err)
        os.chmod(self.keys, 0o604)
        self.start("server.conf").wait_log("the keys in .* can be read by others")

    def test_reload(self):
        """A key that is taken out of the file ends the tunnels that it opened, and only those."""
        server = self.start("server.conf")
        ends = {}
        for who in "me", "first":
            client = self.start("client.conf", "client = yes", "PSKidentity = " + who,
                                keys=self.write("own", "me:%s\nfirst:%s\n" % (KEY, OTHER)),
                                target="127.0.0.1:%d" % server.port)
            ends[who] = self.own(connect(client.port))
            ends[who].sendall(b"1")
            self.assertEqual(ends[who].recv(1), b"1")
        os.rename(self.write("keys2", "first:%s\n" % OTHER), self.keys)
        server.wait_log("is none of those shared")
        ends["first"].sendall(b"2")
        self.assertEqual(ends["first"].recv(1), b"2")


if __name__ == "__main__":
    harness.main()
