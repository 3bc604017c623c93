#!/usr/bin/env python3
"""GnuTLS's client and server as peers in both versions, with certificates of CAs on both sides: who
passes, who is refused and why, and sessions that are resumed.  Pins are in test_peers.py."""

import subprocess

import harness
from certs import CheckedCase, bundle, make, now
from harness import Program, connect, echo, need
from test_peers import listening_port

PRIORITY = {"TLSv1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2", "TLSv1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3"}


class GnuTls(CheckedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ca = make("Root", ca=True)
        cls.sub = make("Sub", issuer=cls.ca, ca=True)
        cls.other_ca = make("Other", ca=True)
        here = dict(dns=["localhost"], ip=["127.0.0.1"])
        cls.identities = {
            "good": make("good", issuer=cls.sub, **here),
            "stranger": make("stranger", issuer=cls.other_ca, **here),
            "expired": make("expired", issuer=cls.ca, begins=now(days=-9), ends=now(days=-1), **here),
            "elsewhere": make("elsewhere", issuer=cls.ca, dns=["elsewhere.test"]),
        }

    def setUp(self):
        super().setUp()
        self.files = {label: i.write(self.dir, label)[0] for label, i in self.identities.items()}
        self.cas = bundle(self.path("ca.crt"), self.ca)
        self.other_cas = bundle(self.path("other.crt"), self.other_ca)
        self.behind = self.backend(echo)

    def start(self, *lines):
        path = self.path("conf")
        with open(path, "w") as f:
            f.write("\n".join(("foreground = yes", "pid =", "syslog = no", "debug = debug", "[s]",
                               "accept = 127.0.0.1:0", "verifyChain = yes", "CAfile = " + self.cas,
                               "cert = " + self.files["good"]) + lines) + "\n")
        return self.own(harness.Sluss(path))

    def our_server(self, *lines):
        return self.start("connect = " + self.behind.target, *lines)

    def gnutls_cli(self, port, version, label, *more, cas=None):
        """It says a line and ends."""
        return harness.run(need("gnutls-cli"), "--x509certfile", self.files[label],
                           "--x509keyfile", self.files[label], "--x509cafile", cas or self.cas,
                           "--priority", PRIORITY[version], "--port", str(port), *more, "localhost",
                           input=b"hello\n", check=False)

    def gnutls_serv(self, version, label, *more, cas=None):
        return self.own(Program([need("gnutls-serv"), "--echo", "--port", "0", "--x509certfile",
                                 self.files[label], "--x509keyfile", self.files[label],
                                 "--x509cafile", cas or self.cas, "--require-client-cert",
                                 "--verify-client-cert", "--priority", PRIORITY[version], *more],
                                stdout=subprocess.DEVNULL))

    def our_client(self, peer, *lines):
        return self.start("client = yes", "connect = 127.0.0.1:%d" % listening_port(peer, "127.0.0.1"),
                          "checkHost = localhost", *lines)

    def echoed(self, port):
        """What comes back of a line, if anything."""
        try:
            with connect(port) as c:
                c.sendall(b"hello\n")
                c.settimeout(harness.PATIENCE)
                return c.recv(6)
        except ConnectionError:
            return b""


class Client(GnuTls):
    """gnutls-cli and our server."""

    def test_passes(self):
        server = self.our_server()
        for version in PRIORITY:
            done = self.gnutls_cli(server.port, version, "good")
            self.assertEqual(done.returncode, 0, done.err)
            self.assertIn("hello", done.out)
            server.wait_log(r'closed; %s.*peer "CN=good"' % version)

    def test_refused(self):
        """Nothing that it says gets through."""
        server = self.our_server()
        for version in PRIORITY:
            for label, why in (("stranger", "issued by no trusted CA"),
                               ("expired", 'has expired.*"CN=expired"')):
                with self.subTest(version + " " + label):
                    count = server.log.count("peer refused")
                    done = self.gnutls_cli(server.port, version, label)
                    self.assertNotIn("hello", done.out.split("Simple Client Mode")[-1])
                    server.wait_log("peer refused", count=count + 1)
                    server.wait_log(why)
        self.assertEqual(self.behind.count, 0)

    def test_refuses_us(self):
        """It does not know our CA: nothing gets through."""
        server = self.our_server()
        for version in PRIORITY:
            done = self.gnutls_cli(server.port, version, "good", cas=self.other_cas)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("certificate", done.out + done.err)
            self.assertEqual(self.behind.count, 0)

    def test_resumes(self):
        server = self.our_server("sessionResume = yes")
        for number, version in enumerate(PRIORITY):
            done = self.gnutls_cli(server.port, version, "good", "--resume", "--waitresumption")
            self.assertEqual(done.returncode, 0, done.out + done.err)
            self.assertIn("This is a resumed session", done.out)
            server.wait_log("TLS accepted: previous session reused", count=number + 1)
            server.wait_log('closed; %s.*peer "CN=good"' % version, count=2)

    def test_does_not_resume(self):
        server = self.our_server()
        done = self.gnutls_cli(server.port, "TLSv1.2", "good", "--resume")
        self.assertNotIn("This is a resumed session", done.out)
        self.assertNotIn("previous session reused", server.log)


class Server(GnuTls):
    """gnutls-serv and our client."""

    def test_passes(self):
        for version in PRIORITY:
            peer = self.gnutls_serv(version, "good")
            client = self.our_client(peer)
            self.assertEqual(self.echoed(client.port), b"hello\n")
            client.wait_log(r'closed; %s.*peer "CN=good"' % version)
            client.stop()
            peer.kill()

    def test_refused(self):
        for version in PRIORITY:
            for label, why in (("stranger", "issued by no trusted CA"),
                               ("expired", 'has expired.*"CN=expired"'),
                               ("elsewhere", 'expected the name "localhost"')):
                with self.subTest(version + " " + label):
                    peer = self.gnutls_serv(version, label)
                    client = self.our_client(peer)
                    self.assertEqual(self.echoed(client.port), b"")
                    client.wait_log("peer refused")
                    client.wait_log(why)
                    client.stop()
                    peer.kill()

    def test_refuses_us(self):
        """It does not know our CA, and its alert is in our log."""
        for version in PRIORITY:
            peer = self.gnutls_serv(version, "good", cas=self.other_cas)
            client = self.our_client(peer)
            self.assertEqual(self.echoed(client.port), b"")
            client.wait_log("alert received: ")
            client.stop()
            peer.kill()

    def test_resumes(self):
        for version in PRIORITY:
            peer = self.gnutls_serv(version, "good")
            client = self.our_client(peer, "sessionResume = yes")
            for number in range(3):
                self.assertEqual(self.echoed(client.port), b"hello\n")
                client.wait_log("closed; " + version, count=number + 1)
            client.wait_log("TLS connected: previous session reused", count=2)
            client.stop()
            peer.kill()


if __name__ == "__main__":
    harness.main()
