#!/usr/bin/env python3
"""Application protocols (ALPN, RFC 7301): what is agreed on, and what becomes of who does not."""

import os
import signal
import socket
import ssl
import subprocess

import harness
from harness import Case, Sluss, TlsWire, VERSIONS, connect, echo, main, need, run
from test_handshake import alerts, client_hello, extension, records, vector

REFUSED = r"TLS handshake failed while .*no application protocol in common: the client offers " \
          r"%s, alpn has h2,http/1\.1; alert sent: no_application_protocol \(120\)"


def tool(*argv):
    """Another program, which is told nothing, to its end."""
    return run(*argv, check=False, stdin=subprocess.DEVNULL)


class Alpn(Case):
    def conf(self, *lines, section=(), connect=None):
        """A server [s] with the lines, and what sections come behind it."""
        head = ["foreground = yes", "syslog = no", "debug = info", "[s]", "accept = 127.0.0.1:0",
                "connect = " + (connect or self.target.target), "cert = " + self.pem("server")]
        with open(self.path("conf"), "w") as f:
            f.write("\n".join(head + list(lines) + list(section)) + "\n")
        return self.path("conf")

    def setUp(self):
        super().setUp()
        self.target = self.backend(echo)

    def serve(self, *lines, **kw):
        return self.own(Sluss(self.conf(*lines, **kw)))

    def context(self, offers=None, version=None, **kw):
        ctx = super().context(identity=None, version=version, **kw)
        if offers is not None:
            ctx.set_alpn_protocols(offers)
        return ctx

    def agree(self, port, offers, version=None, name="localhost", ctx=None, session=None):
        """(what was agreed on, whether a session was resumed, the session for the next time)."""
        wire = TlsWire(self.own(connect(port)), ctx or self.context(offers, version),
                       server_hostname=name)
        if session is not None:
            wire.tls.session = session
        wire.handshake()
        wire.write(b"ping")
        self.assertEqual(wire.read_exactly(4), b"ping")
        wire.close_notify()
        wire.outcome()
        wire.close()
        return wire.tls.selected_alpn_protocol(), wire.tls.session_reused, wire.tls.session

    def refused(self, port, offers, version=None, name="localhost"):
        """The alerts of a handshake that ends so, as the bytes have them."""
        wire = TlsWire(self.own(connect(port)), self.context(offers, version),
                       server_hostname=name)
        got = []
        feed = wire.incoming.write
        wire.incoming = type("Spy", (), {"write": lambda _, d: (got.append(d), feed(d)),
                                         "write_eof": wire.incoming.write_eof})()
        with self.assertRaises(ssl.SSLError):
            wire.handshake()
        wire.close()
        return alerts(b"".join(got))


class Server(Alpn):
    def test_servers_order(self):
        """Ours counts, not the client's; the log names it."""
        sluss = self.serve("alpn = h2,http/1.1")
        for name, version in VERSIONS:
            for offers, agreed in ((["http/1.1", "h2"], "h2"), (["h2"], "h2"),
                                   (["x", "http/1.1"], "http/1.1"), (["http/1.1x", "h2"], "h2")):
                self.assertEqual(self.agree(sluss.port, offers, version)[0], agreed)
                sluss.wait_log(r"; %s \S+ \S+ ALPN %s; peer" % (name, agreed.replace(".", r"\.")))
        sluss.wait_log(" ALPN h2; peer", count=6)
        sluss.wait_log(r" ALPN http/1\.1; peer", count=2)

    def test_lines_add_up(self):
        sluss = self.serve("alpn = imap", "alpn = pop3")
        self.assertEqual(self.agree(sluss.port, ["pop3"])[0], "pop3")

    def test_alpn_no_overlap(self):
        """Alert 120, a line with both lists, and the target hears nothing."""
        sluss = self.serve("alpn = h2,http/1.1")
        for _, version in VERSIONS:
            self.assertEqual(self.refused(sluss.port, ["ftp", "h3", "h"], version), [(2, 120)])
        sluss.wait_log(REFUSED % "ftp,h3,h", count=2)
        self.assertEqual(self.target.count, 0)

    def test_none_offered(self):
        """Who knows nothing of ALPN is let in, unless alpnRequire."""
        sluss = self.serve("alpn = h2")
        for _, version in VERSIONS:
            self.assertIsNone(self.agree(sluss.port, None, version)[0])
        sluss.wait_log("closed", count=2)
        self.assertNotIn(" ALPN ", sluss.log)

    def test_none_offered_required(self):
        sluss = self.serve("alpn = h2", "alpnRequire = yes")
        for _, version in VERSIONS:
            self.assertEqual(self.refused(sluss.port, None, version), [(2, 120)])
            self.assertEqual(self.agree(sluss.port, ["h2"], version)[0], "h2")
        sluss.wait_log(r"the client offers no application protocol, and alpnRequire wants one of "
                       r"h2; alert sent: no_application_protocol \(120\)", count=2)
        self.assertEqual(self.target.count, 2)

    def test_without_alpn(self):
        """Nothing is agreed on where nothing is said, whatever is offered."""
        sluss = self.serve()
        for _, version in VERSIONS:
            self.assertIsNone(self.agree(sluss.port, ["h2"], version)[0])

    def test_malformed(self):
        """A list that is none ends in an alert, with nothing agreed on and nobody let in."""
        sluss = self.serve("alpn = h2")
        for body in (b"", b"\0", b"\0\0", vector(2, b"\0"), vector(2, b"\2h2\0"), b"\0\3\2h",
                     vector(2, b"\2h2") + b"x", vector(2, b"\xffh2")):
            c = self.own(connect(sluss.port))
            c.sendall(records(client_hello(more=extension(16, body))))
            data, _ = harness.outcome(c)
            self.assertTrue(alerts(data), body)
        sluss.wait_log("TLS handshake failed", count=8)
        self.assertEqual(self.agree(sluss.port, ["h2"])[0], "h2")
        self.assertEqual(self.target.count, 1)

    def test_odd_bytes(self):
        """What a stranger writes cannot forge lines of the log."""
        sluss = self.serve("alpn = h2,http/1.1")
        names = vector(1, b"a\nb") + vector(1, b"\x1b[2J") + vector(1, b"h2\0")
        c = self.own(connect(sluss.port))
        c.sendall(records(client_hello(more=extension(16, vector(2, names)))))
        data, _ = harness.outcome(c)
        self.assertEqual(alerts(data), [(2, 120)])
        sluss.wait_log(REFUSED % r"a\?b,\?\[2J,h2\?")

    def test_sections(self):
        """Each section of sni has its own list."""
        run(harness.SLUSS, "keygen", self.path("mail"), "--dns", "mail.test")
        sluss = self.serve("alpn = h2", section=(
            "[mail]", "sni = s:mail.test", "connect = " + self.target.target,
            "cert = " + self.path("mail.pem"), "alpn = imap", "[plain]", "sni = s:plain.test",
            "connect = " + self.target.target, "cert = " + self.path("mail.pem")))
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        ctx.set_alpn_protocols(["h2", "imap"])
        for name, agreed in (("localhost", "h2"), ("mail.test", "imap"), ("plain.test", None),
                             (None, "h2")):
            self.assertEqual(self.agree(sluss.port, None, name=name, ctx=ctx)[0], agreed)
        self.assertEqual(self.refused(sluss.port, ["h2"], name="mail.test"), [(2, 120)])
        sluss.wait_log(r"Service \[mail\] .*the client offers h2, alpn has imap")

    def test_behind_starttls(self):
        """Where the talk in clear comes first."""
        sluss = self.serve("alpn = smtp,x", "protocol = smtp")
        self.target.handler = lambda c: (c.sendall(b"220 hi\r\n"), echo(c))
        for offers, agreed in ((["x", "smtp"], "smtp"), (None, None)):
            c = self.own(connect(sluss.port))
            f = c.makefile("rb")
            self.assertIn(b"220", f.readline())
            c.sendall(b"EHLO me\r\n")
            while not f.readline().startswith(b"250 "):
                pass
            c.sendall(b"STARTTLS\r\n")
            self.assertIn(b"220", f.readline())
            wire = TlsWire(c, self.context(offers), server_hostname="localhost").handshake()
            self.assertEqual(wire.tls.selected_alpn_protocol(), agreed)

    def test_behind_proxy(self):
        """A PROXY header in the same segment as the hello."""
        sluss = self.serve("alpn = h2,x", "proxyIn = yes", "proxyFrom = 127.0.0.0/8")
        for header in (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
                       b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"):
            wire = TlsWire(self.own(connect(sluss.port)), self.context(["x", "h2"]),
                           server_hostname="localhost")
            try:
                wire.tls.do_handshake()
            except ssl.SSLWantReadError:
                wire.sock.sendall(header + wire.pending_out())
            wire.handshake()
            self.assertEqual(wire.tls.selected_alpn_protocol(), "h2")

    def test_inetd(self):
        """On the descriptors 0 and 1."""
        with open(self.path("conf"), "w") as f:
            f.write("foreground = yes\nsyslog = no\nalpn = h2,x\ncert = %s\nconnect = %s\n" %
                    (self.pem("server"), self.target.target))
        for _, version in VERSIONS:
            ours, theirs = socket.socketpair()
            with theirs:
                self.own(harness.Program([harness.SLUSS, self.path("conf")], stdin=theirs,
                                         stdout=theirs))
            self.own(ours).settimeout(harness.PATIENCE)
            wire = TlsWire(ours, self.context(["x", "h2"], version), server_hostname="localhost")
            wire.handshake()
            self.assertEqual(wire.tls.selected_alpn_protocol(), "h2")
            wire.write(b"ping")
            self.assertEqual(wire.read_exactly(4), b"ping")

    def test_program(self):
        """A program is told, and is told nothing that is not so."""
        os.environ["SLUSS_ALPN"] = "inherited"
        self.addCleanup(os.environ.pop, "SLUSS_ALPN")
        with open(self.path("conf"), "w") as f:
            f.write("\n".join(["foreground = yes", "syslog = no", "[s]", "accept = 127.0.0.1:0",
                               "cert = " + self.pem("server"), "alpn = h2,x",
                               "exec = /usr/bin/env"]) + "\n")
        sluss = self.own(Sluss(self.path("conf")))
        for offers, lines in ((["x", "h2"], ["SLUSS_ALPN=h2"]), (None, [])):
            wire = TlsWire(self.own(connect(sluss.port)), self.context(offers),
                           server_hostname="localhost").handshake()
            said = wire.outcome()[0].decode().split("\n")
            self.assertEqual([l for l in said if "SLUSS_ALPN" in l], lines)

    def test_with_shared_keys(self):
        with open(self.path("psk"), "w") as f:
            f.write("me:000102030405060708090a0b0c0d0e0f\n")
        os.chmod(self.path("psk"), 0o600)
        sluss = self.own(Sluss(self.conf(
            "alpn = x", section=("[p]", "accept = 127.0.0.1:0", "PSKsecrets = " + self.path("psk"),
                                 "connect = " + self.target.target, "alpn = a,b"))))
        port = sluss.bound()[1].rsplit(":", 1)[1]
        for version in ("-tls1_2", "-tls1_3"):
            p = tool("openssl", "s_client", "-connect", "127.0.0.1:" + port, version, "-psk_identity",
                    "me", "-psk", "000102030405060708090a0b0c0d0e0f", "-alpn", "b,a")
            self.assertIn("ALPN protocol: a", p.out)


class Resumed(Alpn):
    def test_alpn_anew(self):
        """Each session has its own negotiation: a ticket resumes what was agreed on with it, and
        with another protocol, or none, the handshake is a full one."""
        sluss = self.serve("alpn = h2,http/1.1", "sessionResume = yes")
        for _, version in VERSIONS:
            ctx = self.context(["h2"], version)
            kept = self.agree(sluss.port, None, ctx=ctx)[2]
            agreed, reused, kept = self.agree(sluss.port, None, ctx=ctx, session=kept)
            self.assertEqual((agreed, reused), ("h2", True))
            ctx.set_alpn_protocols(["http/1.1"])
            agreed, reused, kept = self.agree(sluss.port, None, ctx=ctx, session=kept)
            self.assertEqual((agreed, reused), ("http/1.1", False))
            # In TLS 1.2 the library makes no ticket where it has just opened one.
            if version == ssl.TLSVersion.TLSv1_3:
                agreed, reused, kept = self.agree(sluss.port, None, ctx=ctx, session=kept)
                self.assertEqual((agreed, reused), ("http/1.1", True))

    def test_alpn_dropped(self):
        """Who offers nothing any more gets nothing out of the old session."""
        sluss = self.serve("alpn = h2", "sessionResume = yes")
        for _, version in VERSIONS:
            ctx = self.context(["h2"], version)
            kept = self.agree(sluss.port, None, ctx=ctx)[2]
            ctx.set_alpn_protocols([])
            agreed, reused, _ = self.agree(sluss.port, None, ctx=ctx, session=kept)
            self.assertEqual((agreed, reused), (None, False))

    def test_alpn_refused(self):
        """A ticket opens no door that the protocol would not."""
        sluss = self.serve("alpn = h2", "sessionResume = yes")
        for _, version in VERSIONS:
            ctx = self.context(["h2"], version)
            kept = self.agree(sluss.port, None, ctx=ctx)[2]
            ctx.set_alpn_protocols(["ftp"])
            with self.assertRaises(ssl.SSLError):
                self.agree(sluss.port, None, ctx=ctx, session=kept)
        self.assertEqual(self.target.count, 2)


class Client(Alpn):
    def tls_server(self, chooses, version=None):
        """A server in Python; .target of what it is."""
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(self.pem("server"))
        if version:
            ctx.minimum_version = ctx.maximum_version = version
        if chooses is not None:
            ctx.set_alpn_protocols(chooses)
        self.seen = []

        def serve(c):
            wire = TlsWire(c, ctx, server_side=True).handshake()
            self.seen.append(wire.tls.selected_alpn_protocol())
            wire.write(wire.read_exactly(4))
            wire.outcome()
        return self.backend(serve)

    def through(self, port, good=True):
        """Whether a tunnel opens."""
        c = self.own(connect(port))
        try:
            c.sendall(b"ping")
            ended = None
        except (ConnectionResetError, BrokenPipeError):
            ended = b"", "reset"
        if good:
            self.assertEqual(harness.recv_exactly(c, 4), b"ping")
        else:
            self.assertEqual(ended or harness.outcome(c), (b"", "reset"))
        c.close()

    def test_offers(self):
        """All of the list, in its order; the log says what the server chose."""
        for _, version in VERSIONS:
            server = self.tls_server(["x", "http/1.1", "h2"], version)
            client = self.client(server.target, "--alpn", "h2,http/1.1")
            self.through(client.port)
            client.wait_log(r" ALPN http/1\.1; peer")
            self.assertEqual(self.seen, ["http/1.1"])

    def test_server_says_nothing(self):
        for _, version in VERSIONS:
            server = self.tls_server(None, version)
            client = self.client(server.target, "--alpn", "h2")
            self.through(client.port)
            self.assertEqual(self.seen, [None])

    def test_server_says_nothing_required(self):
        for _, version in VERSIONS:
            server = self.tls_server(None, version)
            client = self.client(server.target, "--alpn", "h2", "--alpnrequire")
            self.through(client.port, good=False)
            client.wait_log(r"the peer agrees to no application protocol, and alpnRequire wants one "
                            r"of h2; alert sent: no_application_protocol \(120\)")

    def test_server_says_another(self):
        """A server that chooses what was not offered is refused (RFC 7301, 3.1 leaves it no choice)."""
        server = self.tls_server(["h2"], ssl.TLSVersion.TLSv1_2)

        def twist(c):
            up = connect(server.port)
            up.sendall(c.recv(65536))
            hello = up.recv(65536)
            self.assertIn(b"\0\3\2h2", hello)
            c.sendall(hello.replace(b"\0\3\2h2", b"\0\3\2h3"))
            self.answer = c.recv(65536)
            up.close()
        self.answer = b""
        client = self.client(self.backend(twist).target, "--alpn", "h2")
        self.through(client.port, good=False)
        client.wait_log(r"no application protocol \(ALPN\) in common; alert sent: "
                        r"no_application_protocol \(120\)")
        harness.wait_for(lambda: self.answer, "the alert")
        self.assertEqual(alerts(self.answer), [(2, 120)])

    def test_refused(self):
        """A server that refuses us for it is understood."""
        server = self.server(self.target.target, "--alpn", "imap")
        client = self.client("127.0.0.1:%d" % server.port, "--alpn", "h2")
        self.through(client.port, good=False)
        client.wait_log(r"it wants another application protocol \(ALPN\).*alert received: "
                        r"no_application_protocol \(120\)")
        server.wait_log("the client offers h2, alpn has imap")


class Tools(Alpn):
    def test_openssl(self):
        sluss = self.serve("alpn = h2,http/1.1")
        for version in ("-tls1_2", "-tls1_3"):
            for offer, agreed in (("http/1.1,h2", "ALPN protocol: h2"), ("ftp", "alert")):
                p = tool("openssl", "s_client", "-connect", "127.0.0.1:%d" % sluss.port, version,
                        "-alpn", offer)
                self.assertIn(agreed, p.out + p.err)
        sluss.wait_log(REFUSED % "ftp", count=2)

    def test_gnutls(self):
        cli = need("gnutls-cli")
        sluss = self.serve("alpn = h2,http/1.1")
        for version in ("1.2", "1.3"):
            p = tool(cli, "--insecure", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS" + version, "--alpn",
                    "http/1.1", "--alpn", "h2", "-p", sluss.port, "127.0.0.1")
            self.assertIn("Application protocol: h2", p.out)
        p = tool(cli, "--insecure", "--alpn", "ftp", "-p", sluss.port, "127.0.0.1")
        self.assertIn("Received alert [120]", p.out + p.err)

    def test_http2(self):
        """curl speaks HTTP/2 with nginx, because the tunnel agreed to it."""
        curl, nginx = need("curl"), need("nginx")
        if harness.not_under_sanitizer():
            return
        if "HTTP2" not in run(curl, "--version").out:
            harness.skip("this curl has no HTTP/2")
        with open(self.path("index.html"), "w") as f:
            f.write("it works\n")
        with open(self.path("nginx.conf"), "w") as f:
            f.write("""daemon off; master_process off; pid %(dir)s/pid; error_log stderr notice;
events { worker_connections 64; }
http {
    access_log off; client_body_temp_path %(dir)s/t1; proxy_temp_path %(dir)s/t2;
    fastcgi_temp_path %(dir)s/t3; uwsgi_temp_path %(dir)s/t4; scgi_temp_path %(dir)s/t5;
    server { listen unix:%(dir)s/nginx http2; root %(dir)s; }
}
""" % {"dir": self.dir})
        self.own(harness.Program([nginx, "-p", self.dir, "-c", self.path("nginx.conf"),
                                  "-e", "stderr"]))
        harness.wait_for(lambda: os.path.exists(self.path("nginx")), "nginx")
        sluss = self.serve("alpn = h2", connect=self.path("nginx"))
        p = run(curl, "-sS", "--http2", "--cacert", self.crt("server"), "-w", "%{http_version}",
                "https://localhost:%d/" % sluss.port)
        self.assertEqual(p.out, "it works\n2")
        sluss.wait_log(" ALPN h2;")


class Configuration(Alpn):
    def test_bad(self):
        """Said at load, with file and line."""
        for line, why in (("alpn = ", "a name is empty"), ("alpn = h2,,x", "a name is empty"),
                          ("alpn = h2,", "a name is empty"), ("alpn = h2, h2", "h2 is named twice"),
                          ("alpn = " + 256 * "x", "has 256 characters"),
                          ("alpn = a b", '"a b" is no protocol\'s name'),
                          ("alpn = " + ",".join(map(str, range(65))), "more than 64 protocols"),
                          ("alpnRequire = yes", "alpn is missing: add it")):
            p = run(harness.SLUSS, "check", self.conf(line), check=False)
            self.assertEqual(p.returncode, 1, line)
            self.assertIn("%s:8: " % self.path("conf"), p.err)
            self.assertIn(why, p.err)
        p = run(harness.SLUSS, "check", self.conf("alpn = " + 255 * "x", "alpn = h2 , a"))
        for name in (255 * "x", "h2", "a"):
            self.assertIn("alpn = " + name + "\n", p.out)

    def test_reload(self):
        sluss = self.serve("alpn = h2")
        self.assertEqual(self.agree(sluss.port, ["h2", "x"])[0], "h2")
        self.conf("alpn = x")
        sluss.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: self.agree(sluss.port, ["h2", "x"])[0] == "x",
                         "the new configuration")


if __name__ == "__main__":
    main()
