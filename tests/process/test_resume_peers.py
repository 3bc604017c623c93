#!/usr/bin/env python3
"""Our client resumes sessions with other people's servers, and what they make of it; when the
server starts anew it does not remember, and nothing is lost."""

import subprocess

import harness
from certs import make
from harness import Program, Sluss, connect, free_port, main, need, recv_exactly, wait_for
from test_resume_client import NEW, REUSED
from test_revocation import Revocation


class Peers(Revocation):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = make("server", issuer=cls.ca, dns=["localhost"], ip=["127.0.0.1"])

    def setUp(self):
        if harness.not_under_sanitizer():
            return
        super().setUp()
        self.shown, self.shown_crt = self.host.write(self.dir, "shown")
        self.place = free_port()

    def client_of(self):
        self.put("client", "\n".join([
            "foreground = yes", "syslog = no", "debug = debug", "[s]", "client = yes",
            "accept = 127.0.0.1:0", "connect = 127.0.0.1:%d" % self.place, "verifyChain = yes",
            "CAfile = " + self.path("ca.crt"), "checkHost = localhost",
            "cert = " + self.alice.write(self.dir, "alice")[0],
            "sessionResume = yes"]).encode() + b"\n")
        return self.own(Sluss(self.path("client")))

    def listen(self, argv):
        """Runs a server that says things on stdout and stderr alike."""
        peer = self.own(Program(["sh", "-c", 'exec stdbuf -oL "$@" 1>&2', "sh"] + argv,
                                stdin=subprocess.PIPE))
        wait_for(lambda: self.answers() or not peer.alive(), "the server\n" + peer.log)
        self.assertTrue(peer.alive(), peer.log)
        return peer

    def answers(self):
        try:
            connect(self.place).close()
            return True
        except OSError:
            return False

    def visit(self, sluss):
        with connect(sluss.port) as c:
            c.sendall(b"hello\n")
            self.assertEqual(recv_exactly(c, 6), b"hello\n")

    def restarted(self, argv, sees, visit=None):
        """Three visits, the server anew, three visits: of each three the first is a new session,
        in TLS 1.2 after a restart perhaps two.  sees: how the server calls a resumed one."""
        peer = self.listen(argv)
        sluss = self.client_of()
        for i in (1, 2):
            before = sluss.log.count(REUSED)
            for _ in range(3):
                (visit or self.visit)(sluss)
            wait_for(lambda: sluss.log.count(REUSED) - before >= (2 if i == 1 else 1),
                     REUSED + " in\n" + sluss.log)
            if sees:
                peer.wait_log(sees)
            if i == 1:
                peer.kill()
                peer = self.listen(argv)
        wait_for(lambda: sluss.log.count(REUSED) + sluss.log.count(NEW) == 6, "six handshakes")
        self.assertNotRegex(sluss.log, r"LOG[0-4]\[\d")
        peer.kill()
        sluss.stop()

    def test_openssl(self):
        if harness.not_under_sanitizer():
            return
        for version in ("-tls1_2", "-tls1_3"):
            pages = []

            def visit(sluss):
                with connect(sluss.port) as c:
                    c.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    pages.append(harness.recv_all(c))
            self.restarted([need("openssl"), "s_server", "-accept",
                            "127.0.0.1:%d" % self.place, "-cert", self.shown_crt, "-key",
                            self.shown, version, "-www"], None, visit)
            self.assertEqual([b"\nReused, TLSv1" in p for p in pages[:3]], [False, True, True])
            self.assertEqual([b"\nReused, TLSv1" in p for p in pages[3:]][::2], [False, True])

    def test_gnutls(self):
        """In TLS 1.2 it gives a number beside a ticket, and another when it begins anew, which
        the library takes for a breach."""
        if harness.not_under_sanitizer():
            return
        for version in ("1.2", "1.3"):
            self.restarted([need("gnutls-serv"), "--echo", "--port", str(self.place),
                            "--x509certfile", self.shown_crt, "--x509keyfile", self.shown,
                            "--priority", "NORMAL:-VERS-ALL:+VERS-TLS" + version],
                           "This is a resumed session")

    def test_stunnel(self):
        if harness.not_under_sanitizer():
            return
        for version in ("TLSv1.2", "TLSv1.3"):
            self.put("stunnel", "\n".join([
                "foreground = yes", "debug = debug", "pid =", "[s]",
                "accept = 127.0.0.1:%d" % self.place, "connect = " + self.target.target,
                "cert = " + self.shown, "sslVersion = " + version]).encode() + b"\n")
            self.restarted([need("stunnel4"), self.path("stunnel")],
                           "previous session reused")

    def test_sluss(self):
        """Ours, which wants a certificate of the client."""
        if harness.not_under_sanitizer():
            return
        for version in ("TLSv1.2", "TLSv1.3"):
            self.put("server", "\n".join([
                "foreground = yes", "syslog = no", "debug = debug", "[s]",
                "accept = 127.0.0.1:%d" % self.place, "connect = " + self.target.target,
                "cert = " + self.shown, "sslVersion = " + version, "verifyChain = yes",
                "CAfile = " + self.path("ca.crt"), "sessionResume = yes"]).encode() + b"\n")
            self.restarted([harness.SLUSS, self.path("server")],
                           "TLS accepted: previous session reused")


if __name__ == "__main__":
    main()
