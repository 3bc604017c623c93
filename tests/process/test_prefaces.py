#!/usr/bin/env python3
"""What is said in clear before TLS begins, and right behind it: each protocol in both
roles against scripted peers, honest ones and ones that refuse, inject, dribble or fall silent."""

import os
import socket
import ssl
import struct
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certs
import harness
from harness import Case, TlsWire, connect, echo, outcome, recv_exactly, wait_for

SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"
GSS_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x30"


def recv_line(c):
    """A line with its end, and not a byte more."""
    line = b""
    while not line.endswith(b"\n"):
        byte = c.recv(1)
        if not byte:
            raise AssertionError("ended within the line %r" % line)
        line += byte
    return line


class Prefaces(Case):
    def tls_on(self, sock, **kw):
        """The TLS server's side of a connection to sluss client."""
        return TlsWire(sock, self.context(identity="server", server_side=True, trust="client",
                                          **kw), server_side=True).handshake()

    def tls_from(self, sock):
        """The TLS client's side of a connection to sluss server."""
        return TlsWire(sock, self.context(), server_hostname="localhost").handshake()

    def remote(self, talk):
        """A TLS server for a client: talk(c) in clear, then TLS that echoes."""
        def handler(c):
            if talk(c) is False:
                return
            wire = self.tls_on(c)
            while True:
                data = wire.read()
                if not data:
                    wire.close_notify()
                    return
                wire.sendall(data)
        return self.backend(handler)

    def says(self, *script):
        """A talk: what is expected (bytes), what is sent (in a list)."""
        def talk(c):
            for part in script:
                if isinstance(part, list):
                    c.sendall(part[0])
                else:
                    got = recv_exactly(c, len(part))
                    if got != part:
                        raise AssertionError("%r instead of %r" % (got, part))
        return talk

    def through(self, client, first=b"", words=b"hello"):
        """A connection of the local program: what it is told first, then an echo."""
        c = self.own(connect(client.port))
        self.assertEqual(recv_exactly(c, len(first)), first)
        c.sendall(words)
        self.assertEqual(recv_exactly(c, len(words)), words)
        c.close()
        client.ends(": closed; ")

    def refused(self, client, why, first=b""):
        """A connection of the local program that comes to nothing."""
        try:
            self.assertEqual(outcome(self.own(connect(client.port)))[0], first)
        except ConnectionResetError:  # before connect() came back
            self.assertEqual(first, b"")
        return client.ends(why)

    def echoed(self, wire, words=b"hello"):
        wire.sendall(words)
        self.assertEqual(wire.read_exactly(len(words)), words)
        wire.close_notify()
        self.assertEqual(wire.outcome(), (b"", "close_notify"))


class Pgsql(Prefaces):
    def test_client(self):
        remote = self.remote(self.says(SSL_REQUEST, [b"S"]))
        client = self.client(remote.target, "--protocol", "pgsql")
        self.through(client)

    def test_client_without_tls(self):
        remote = self.remote(lambda c: self.says(SSL_REQUEST, [b"N"])(c) or False)
        client = self.client(remote.target, "--protocol", "pgsql")
        self.refused(client, "no agreement with the peer while negotiating in clear: "
                     "the PostgreSQL server has TLS turned off")

    def test_client_injection(self):
        """What a man in the middle puts behind the answer never reaches the program."""
        remote = self.remote(self.says(SSL_REQUEST, [b"SINJECTED"]))
        client = self.client(remote.target, "--protocol", "pgsql")
        self.through(client)
        client.wait_log(r"LOG5\[\d+\]: Service \[client\] 8 bytes that the server sent in clear "
                        "behind the request for TLS are dropped")

    def test_client_silent_server(self):
        done = threading.Event()
        self.addCleanup(done.set)
        remote = self.backend(lambda c: done.wait(harness.PATIENCE))
        client = self.client(remote.target, "--protocol", "pgsql", "--timeoutbusy", "1")
        self.refused(client, "TIMEOUTbusy exceeded while negotiating in clear: not finished "
                     "within 1 seconds; the server owes an answer")

    def test_client_server_leaves(self):
        remote = self.backend(lambda c: recv_exactly(c, 8))
        client = self.client(remote.target, "--protocol", "pgsql")
        self.refused(client, "negotiating in clear: the server closed the connection")

    def test_server(self):
        server = self.server(self.backend(echo).target, "--protocol", "pgsql")
        c = self.own(connect(server.port))
        c.sendall(GSS_REQUEST)
        self.assertEqual(recv_exactly(c, 1), b"N")
        c.sendall(SSL_REQUEST)
        self.assertEqual(recv_exactly(c, 1), b"S")
        self.echoed(self.tls_from(c))

    def test_server_dribble(self):
        """A request a byte at a time; TIMEOUTbusy is for all of it."""
        server = self.server(self.backend(echo).target, "--protocol", "pgsql")
        c = self.own(connect(server.port))
        for i in range(8):
            c.sendall(SSL_REQUEST[i:i + 1])
        self.assertEqual(recv_exactly(c, 1), b"S")
        self.echoed(self.tls_from(c))

    def test_server_in_clear(self):
        """A client that wants no TLS is told so, and the target is left alone."""
        backend = self.backend(echo)
        server = self.server(backend.target, "--protocol", "pgsql")
        base = self.baseline(server)
        c = self.own(connect(server.port))
        c.sendall(b"\0\0\0\x14\0\3\0\0user\0abcd\0\0")
        got, _ = outcome(c)
        self.assertTrue(got.startswith(b"E\0\0\0"), got)
        self.assertIn(b"TLS is required", got)
        server.ends("no agreement with the peer while negotiating in clear: the client asks for "
                    "no TLS")
        self.assertEqual(backend.count, 0)
        self.back_to(server, base)

    def test_server_pipelined(self):
        """Bytes behind the request are dropped: TLS comes through all the same."""
        server = self.server(self.backend(echo).target, "--protocol", "pgsql")
        c = self.own(connect(server.port))
        c.sendall(SSL_REQUEST + b"Q\0\0\0\x05x")
        self.assertEqual(recv_exactly(c, 1), b"S")
        self.echoed(self.tls_from(c))
        server.wait_log(r"LOG5\[\d+\]: .* 6 bytes that the client sent in clear behind the "
                        "request for TLS are dropped")

    def test_server_probe(self):
        """Connect and close is no error line."""
        server = self.server(self.backend(echo).target, "--protocol", "pgsql", "--debug", "debug")
        self.own(connect(server.port)).close()
        line = server.wait_log("peer left before the TLS handshake").string
        self.assertIn(" LOG7[", line)


class Smtp(Prefaces):
    HELLO = ([b"220-mx.test\r\n220 ESMTP\r\n"], b"EHLO localhost\r\n",
             [b"250-mx.test\r\n250 STARTTLS\r\n"], b"STARTTLS\r\n")

    def test_client(self):
        """The local program gets the greeting, then speaks inside TLS."""
        remote = self.remote(self.says(*self.HELLO, [b"220 go\r\n"]))
        client = self.client(remote.target, "--protocol", "smtp")
        self.through(client, b"220-mx.test\r\n220 ESMTP\r\n")

    def test_client_refused(self):
        remote = self.remote(lambda c: self.says(*self.HELLO, [b"454 not now\r\n"])(c) or False)
        client = self.client(remote.target, "--protocol", "smtp")
        self.refused(client, 'negotiating in clear: the SMTP server answers STARTTLS with '
                     '"454 not now"', b"220-mx.test\r\n220 ESMTP\r\n")

    def test_client_injection(self):
        remote = self.remote(self.says(*self.HELLO, [b"220 go\r\n250 injected\r\n"]))
        client = self.client(remote.target, "--protocol", "smtp")
        self.through(client, b"220-mx.test\r\n220 ESMTP\r\n")
        client.wait_log("14 bytes that the server sent in clear")

    def login(self, *script, more=()):
        def handler(c):
            self.says(*self.HELLO, [b"220 go\r\n"])(c)
            wire = self.tls_on(c)
            for part in script:
                if isinstance(part, list):
                    wire.sendall(part[0])
                else:
                    got = wire.read_exactly(len(part))
                    if got != part:
                        raise AssertionError("%r instead of %r" % (got, part))
            while data := wire.read():
                wire.sendall(data)
            wire.close_notify()
        path = self.path("options")
        with open(path, "w") as f:
            f.write("client = yes\nforeground = yes\ndebug = info\nsyslog = no\n[client]\n"
                    "accept = 127.0.0.1:0\nconnect = %s\nprotocol = smtp\n"
                    "protocolUsername = user\nprotocolPassword = secret\n%s"
                    "cert = %s\nCAfile = %s\nverifyPeer = yes\n" %
                    (self.backend(handler).target, "".join(m + "\n" for m in more),
                     self.pem("client"), self.crt("server")))
        return self.own(harness.Sluss(path))

    def test_client_login_plain(self):
        """The login is inside TLS, and nobody sees the password in the log."""
        client = self.login(b"EHLO localhost\r\n", [b"250-mx\r\n250 AUTH PLAIN\r\n"],
                            b"AUTH PLAIN AHVzZXIAc2VjcmV0\r\n", [b"235 in\r\n"])
        self.through(client, b"220-mx.test\r\n220 ESMTP\r\n")
        self.assertNotIn("secret", client.log)
        self.assertNotIn("c2VjcmV0", client.log)

    def test_client_login_login(self):
        client = self.login(b"EHLO localhost\r\n", [b"250 AUTH LOGIN\r\n"], b"AUTH LOGIN\r\n",
                            [b"334 VXNlcm5hbWU6\r\n"], b"dXNlcg==\r\n",
                            [b"334 UGFzc3dvcmQ6\r\n"], b"c2VjcmV0\r\n", [b"235 in\r\n"],
                            more=("protocolAuthentication = login",))
        self.through(client, b"220-mx.test\r\n220 ESMTP\r\n")

    def test_client_login_refused(self):
        client = self.login(b"EHLO localhost\r\n", [b"250 AUTH PLAIN\r\n"],
                            b"AUTH PLAIN AHVzZXIAc2VjcmV0\r\n", [b"535 who?\r\n"])
        self.refused(client, 'while negotiating inside TLS: the SMTP server answers '
                     'protocolUsername and protocolPassword with "535 who\\?"',
                     b"220-mx.test\r\n220 ESMTP\r\n")
        self.assertNotIn("c2VjcmV0", client.log)

    def target(self, greeting):
        def handler(c):
            c.sendall(greeting)
            echo(c)
        return self.backend(handler)

    def test_server(self):
        server = self.server(self.target(b"220 mx.test hi\r\n").target, "--protocol", "smtp")
        c = self.own(connect(server.port))
        self.assertEqual(recv_line(c), b"220 mx.test hi\r\n")
        c.sendall(b"EHLO me\r\n")
        self.assertEqual(recv_line(c) + recv_line(c), b"250-mx.test\r\n250 STARTTLS\r\n")
        c.sendall(b"MAIL FROM:<a@b>\r\n")
        self.assertEqual(recv_line(c)[:4], b"530 ")
        c.sendall(b"STARTTLS\r\nMAIL FROM:<injected@b>\r\n")
        self.assertEqual(recv_line(c)[:4], b"220 ")
        self.echoed(self.tls_from(c), b"EHLO again\r\n")
        server.wait_log("24 bytes that the client sent in clear")

    def test_server_quit(self):
        """A client that leaves in clear gets its answer, and the target's end is proper."""
        server = self.server(self.target(b"220 mx.test hi\r\n").target, "--protocol", "smtp")
        base = self.baseline(server)
        c = self.own(connect(server.port))
        c.sendall(b"QUIT\r\n")
        self.assertEqual(outcome(c), (b"220 mx.test hi\r\n221 Bye\r\n", "eof"))
        server.ends("negotiating in clear: the client said QUIT")
        self.back_to(server, base)

    def test_server_target_busy(self):
        server = self.server(self.target(b"421 later\r\n").target, "--protocol", "smtp")
        c = self.own(connect(server.port))
        self.assertEqual(outcome(c), (b"421 later\r\n", "eof"))
        server.ends('answers the connection with "421 later"')

    def test_server_client_leaves(self):
        """A client that leaves before the target has greeted is not waited for."""
        silence = threading.Event()
        self.addCleanup(silence.set)
        server = self.server(self.backend(lambda c: silence.wait(harness.PATIENCE)).target,
                             "--protocol", "smtp", "--timeoutbusy", "600", "--debug", "debug")
        base = self.baseline(server)
        self.own(connect(server.port)).close()
        server.wait_log(r"LOG7\[\d+\]: .*peer left before the TLS handshake")
        self.back_to(server, base)

    def test_client_program_leaves(self):
        """So with a local program that is reset while the server says nothing."""
        silence = threading.Event()
        self.addCleanup(silence.set)
        remote = self.backend(lambda c: silence.wait(harness.PATIENCE))
        client = self.client(remote.target, "--protocol", "smtp", "--timeoutbusy", "600",
                             "--debug", "debug")
        base = self.baseline(client)
        c = connect(client.port)
        wait_for(lambda: remote.count == 1, "the server's side")
        harness.reset(c)
        client.wait_log("peer left before the TLS handshake")
        self.back_to(client, base)

    def test_server_flood(self):
        """A client that never reads and talks on and on ends, and costs little."""
        server = self.server(self.target(b"220 mx.test hi\r\n").target, "--protocol", "smtp")
        c = self.own(connect(server.port))
        try:
            for _ in range(64):
                c.sendall(b"NOOP\r\n" * 1000)
        except OSError:
            pass
        server.ends("negotiating in clear: more than 100 lines")


class Imap(Prefaces):
    GREETING = b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi\r\n"

    def test_client(self):
        remote = self.remote(self.says([self.GREETING], b"sluss STARTTLS\r\n",
                                       [b"sluss OK go\r\n"]))
        client = self.client(remote.target, "--protocol", "imap")
        self.through(client, b"* OK hi\r\n")

    def test_client_refused(self):
        remote = self.remote(lambda c: self.says([self.GREETING], b"sluss STARTTLS\r\n",
                                                 [b"sluss BAD what\r\n"])(c) or False)
        client = self.client(remote.target, "--protocol", "imap")
        self.refused(client, 'the IMAP server answers STARTTLS with "sluss BAD what"',
                     b"* OK hi\r\n")

    def test_server(self):
        def handler(c):
            c.sendall(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n")
            echo(c)
        server = self.server(self.backend(handler).target, "--protocol", "imap")
        c = self.own(connect(server.port))
        self.assertEqual(recv_line(c), self.GREETING)
        c.sendall(b"a LOGIN x y\r\n")
        self.assertEqual(recv_line(c)[:5], b"a NO ")
        c.sendall(b"b STARTTLS\r\nc LOGIN x y\r\n")
        self.assertEqual(recv_line(c)[:5], b"b OK ")
        self.echoed(self.tls_from(c), b"d CAPABILITY\r\n")
        server.wait_log("13 bytes that the client sent in clear")


class Pop3(Prefaces):
    def test_client(self):
        remote = self.remote(self.says([b"+OK hi\r\n"], b"STLS\r\n", [b"+OK\r\n"]))
        client = self.client(remote.target, "--protocol", "pop3")
        self.through(client, b"+OK hi\r\n")

    def test_client_refused(self):
        remote = self.remote(lambda c: self.says([b"+OK hi\r\n"], b"STLS\r\n",
                                                 [b"-ERR no\r\n"])(c) or False)
        client = self.client(remote.target, "--protocol", "pop3")
        self.refused(client, 'the POP3 server answers STLS with "-ERR no"', b"+OK hi\r\n")

    def test_server(self):
        def handler(c):
            c.sendall(b"+OK hi\r\n")
            echo(c)
        server = self.server(self.backend(handler).target, "--protocol", "pop3")
        c = self.own(connect(server.port))
        self.assertEqual(recv_line(c), b"+OK hi\r\n")
        c.sendall(b"CAPA\r\n")
        self.assertEqual([recv_line(c) for _ in range(3)][1], b"STLS\r\n")
        c.sendall(b"STLS\r\nUSER x\r\n")
        self.assertEqual(recv_line(c)[:3], b"+OK")
        self.echoed(self.tls_from(c), b"USER y\r\n")
        server.wait_log("8 bytes that the client sent in clear")


class Others(Prefaces):
    LDAP_ASKS = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"

    def test_nntp(self):
        remote = self.remote(self.says([b"200 hi\r\n"], b"STARTTLS\r\n", [b"382 go\r\n"]))
        client = self.client(remote.target, "--protocol", "nntp")
        self.through(client, b"200 hi\r\n")

    def test_nntp_refused(self):
        remote = self.remote(lambda c: self.says([b"200 hi\r\n"], b"STARTTLS\r\n",
                                                 [b"580 no\r\n"])(c) or False)
        client = self.client(remote.target, "--protocol", "nntp")
        self.refused(client, 'the NNTP server answers STARTTLS with "580 no"', b"200 hi\r\n")

    def test_ldap(self):
        remote = self.remote(self.says(
            self.LDAP_ASKS, [b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0"]))
        client = self.client(remote.target, "--protocol", "ldap")
        self.through(client)

    def test_ldap_refused(self):
        remote = self.remote(lambda c: self.says(
            self.LDAP_ASKS, [b"\x30\x0e\x02\x01\x01\x78\x09\x0a\x01\x02\x04\0\x04\x02no"])(c)
            or False)
        client = self.client(remote.target, "--protocol", "ldap")
        self.refused(client, 'the LDAP server refuses StartTLS: result 2 "no"')

    def test_wrong_mode(self):
        """What a mode does not have is said at the start."""
        for protocol in ("nntp", "ldap"):
            done = harness.run(harness.SLUSS, "server", "--accept", "127.0.0.1:0", "--connect",
                               "127.0.0.1:9", "--cert", self.pem("server"), "--insecure",
                               "--protocol", protocol, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("it is for client = yes only", done.err)


V2 = b"\r\n\r\n\0\r\nQUIT\n"


def tlvs(data):
    """The fields of a PROXY header, by type."""
    found = {}
    while data:
        kind, n = struct.unpack("!BH", data[:3])
        assert kind not in found and len(data) >= 3 + n, data
        found[kind] = data[3:3 + n]
        data = data[3 + n:]
    return found


def recv_proxy2(c):
    """A PROXY header of version 2: command, family, and all that follows."""
    fixed = recv_exactly(c, 16)
    assert fixed[:12] == V2, fixed
    return fixed[12], fixed[13], recv_exactly(c, int.from_bytes(fixed[14:], "big"))


def outside():
    """An address of this machine that is not loopback."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.connect(("192.0.2.1", 9))  # sends nothing
        address = s.getsockname()[0]
    except OSError:
        address = "127."
    finally:
        s.close()
    if address.startswith("127."):
        harness.skip("this machine has no address but loopback")
    return address


class Connect(Prefaces):
    ASKED = b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n"

    def file(self, *lines):
        path = self.path("conf")
        with open(path, "w") as f:
            f.write("foreground = yes\ndebug = info\nsyslog = no\n[test]\n" +
                    "".join(l + "\n" for l in lines))
        return self.own(harness.Sluss(path))

    def test_client(self):
        """Through a proxy: asked for with a login and a header, TLS to the far server, whose
        name is protocolHost's."""
        remote = self.remote(self.says(
            self.ASKED + b"Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\nX-A: b\r\n\r\n",
            [b"HTTP/1.1 200 Fine\r\nVia: test\r\n\r\n"]))
        client = self.file("client = yes", "accept = 127.0.0.1:0", "connect = " + remote.target,
                           "protocol = connect", "protocolHost = localhost:443",
                           "protocolUsername = user", "protocolPassword = secret",
                           "protocolHeader = X-A: b", "cert = " + self.pem("client"),
                           "CAfile = " + self.crt("server"), "verifyPeer = yes")
        self.through(client)
        self.assertNotIn("secret", client.log)
        self.assertNotIn("dXNlcjpzZWNyZXQ", client.log)

    def test_client_server_name(self):
        """The certificate must name the server behind the proxy, not the proxy."""
        ca = certs.make("ca", ca=True)
        ca_crt = ca.write(self.dir, "ca")[1]
        pem = certs.make("far", issuer=ca, dns=["far.test"]).write(self.dir, "far")[0]
        names = []

        def handler(c):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += recv_line(c)
            c.sendall(b"HTTP/1.1 200 Fine\r\n\r\n")
            ctx = self.context(identity=None, server_side=True, trust="client")
            ctx.load_cert_chain(pem)
            ctx.sni_callback = lambda sock, name, ctx: names.append(name)
            wire = TlsWire(c, ctx, server_side=True).handshake()
            while data := wire.read():
                wire.sendall(data)
            wire.close_notify()
        proxy = self.backend(handler)
        for name, good in (("far.test:443", True), ("near.test:443", False)):
            client = self.own(harness.Sluss(
                "client", "--accept", "127.0.0.1:0", "--connect", proxy.target, "--protocol",
                "connect", "--protocolhost", name, "--cert", self.pem("client"), "--cafile",
                ca_crt))
            if good:
                self.through(client)
            else:
                c = self.own(connect(client.port))
                self.assertEqual(outcome(c)[0], b"")
                client.ends("peer refused")
        self.assertEqual(names, ["far.test", "near.test"])

    def test_client_refused(self):
        remote = self.remote(lambda c: self.says(self.ASKED + b"\r\n",
                                                 [b"HTTP/1.1 403 Forbidden\r\n\r\n"])(c) or False)
        client = self.client(remote.target, "--protocol", "connect", "--protocolhost",
                             "localhost:443")
        self.refused(client, 'the proxy answers CONNECT with "HTTP/1.1 403 Forbidden"')

    def test_client_without_host(self):
        done = harness.run(harness.SLUSS, "client", "--accept", "127.0.0.1:0", "--connect",
                           "127.0.0.1:9", "--insecure", "--protocol", "connect", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("protocolHost is missing", done.err)

    def asks(self, port, target):
        c = self.own(connect(port))
        c.sendall(b"CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n" % target.encode())
        self.assertEqual(recv_line(c), b"HTTP/1.0 200 OK\r\n")
        while recv_line(c) != b"\r\n":
            pass
        return c

    def test_server(self):
        """The client says where to go; it is gone there once TLS has shown who it is."""
        backend, other = self.backend(echo), self.backend(echo)
        server = self.server(backend.target, "--protocol", "connect")
        c = self.asks(server.port, backend.target)
        self.assertEqual(backend.count, 0)
        self.echoed(self.tls_from(c))
        self.assertEqual((backend.count, other.count), (1, 0))

    def test_server_loopback(self):
        """What no connect line names is not reached on this machine."""
        backend, other = self.backend(echo), self.backend(echo)
        server = self.server(backend.target, "--protocol", "connect")
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"):
            c = self.asks(server.port, "%s:%d" % (host, other.port))
            try:  # it ends with a reset, which may come early
                self.assertEqual(self.tls_from(c).outcome()[0], b"")
            except (ConnectionResetError, BrokenPipeError):
                pass
        server.ends("target refused while connecting: ", count=4)
        self.assertEqual((backend.count, other.count), (0, 0))

    def test_server_own_address(self):
        """The same of its other addresses, and of what is on its link alone."""
        other = self.backend(echo, address=(outside(), 0))
        server = self.server(self.backend(echo).target, "--protocol", "connect")
        for target in ("%s:%d" % other.address, "169.254.169.254:80", "[fe80::1]:80"):
            c = self.asks(server.port, target)
            try:
                self.assertEqual(self.tls_from(c).outcome()[0], b"")
            except (ConnectionResetError, BrokenPipeError):
                pass
        server.ends("target refused while connecting: ", count=3)
        self.assertEqual(other.count, 0)
        self.echoed(self.tls_from(self.asks(self.server(
            "%s:%d" % other.address, "--protocol", "connect").port, "%s:%d" % other.address)))

    def test_server_refused(self):
        server = self.server(self.backend(echo).target, "--protocol", "connect")
        for line in (b"GET / HTTP/1.1", b"CONNECT /etc/passwd HTTP/1.1", b"CONNECT echo: HTTP/1.1",
                     b"CONNECT 127.1:80 HTTP/1.1"):
            c = self.own(connect(server.port))
            c.sendall(line + b"\r\n\r\n")
            self.assertEqual(outcome(c)[0], b"HTTP/1.0 400 Bad Request\r\n\r\n")
        server.ends("the client asks for no host and port with CONNECT", count=4)


class Socks(Prefaces):
    def socks(self, *more):
        return self.own(harness.Sluss(
            "server", "--accept", "127.0.0.1:0", "--cert", self.pem("server"), "--peer",
            self.crt("client"), "--protocol", "socks", *more))

    def reached(self):
        """An echo, and a server with a connect line for it: all else on this machine is closed."""
        target = self.backend(echo)
        return target, self.socks("--connect", target.target)

    @staticmethod
    def v5(host, port):
        try:
            where = b"\1" + socket.inet_aton(host) if host.count(".") == 3 else None
        except OSError:
            where = None
        if where is None and ":" in host:
            where = b"\4" + socket.inet_pton(socket.AF_INET6, host)
        elif where is None:
            where = b"\3" + bytes([len(host)]) + host.encode()
        return b"\5\1\0" + where + struct.pack("!H", port)

    def greeted(self, server):
        wire = self.tls(server.port)
        wire.sendall(b"\5\1\0")
        self.assertEqual(wire.read_exactly(2), b"\5\0")
        return wire

    def test_server_v5(self):
        target, server = self.reached()
        wire = self.greeted(server)
        self.assertEqual(target.count, 0)
        wire.sendall(self.v5(target.address[0], target.port) + b"early")
        self.assertEqual(wire.read_exactly(10), b"\5\0\0\1\0\0\0\0\0\0")
        self.assertEqual(wire.read_exactly(5), b"early")
        self.echoed(wire)
        server.ends(r"-> %s:%d: closed; .* 10 bytes from TLS" % target.address)

    def test_server_v4(self):
        target, server = self.reached()
        wire = self.tls(server.port)
        wire.sendall(b"\4\1" + struct.pack("!H", target.port) +
                     socket.inet_aton(target.address[0]) + b"user\0")
        self.assertEqual(wire.read_exactly(8), b"\0\x5a\0\0\0\0\0\0")
        self.echoed(wire)

    def test_server_name(self):
        """4a and 5 with a name, which is for us to look up."""
        target, server = self.reached()
        name = target.address[0]  # to SOCKS a name
        wire = self.greeted(server)
        wire.sendall(b"\5\1\0\3" + bytes([len(name)]) + name.encode() +
                     struct.pack("!H", target.port))
        self.assertEqual(wire.read_exactly(2), b"\5\0")
        wire.read_exactly(8)
        self.echoed(wire)
        wire = self.tls(server.port)
        wire.sendall(b"\4\1" + struct.pack("!H", target.port) + b"\0\0\0\1\0" +
                     name.encode() + b"\0")
        self.assertEqual(wire.read_exactly(8), b"\0\x5a\0\0\0\0\0\0")
        self.echoed(wire)

    def test_server_loopback(self):
        """No way of writing it leads to this machine's own services, by name or number."""
        backend = self.backend(echo)
        server = self.socks()
        base = self.baseline(server)
        hosts = ("127.0.0.1", "127.1.2.3", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1",
                 "::127.0.0.1", "localhost", "LOCALHOST.", "127.1", "2130706433", "0x7f000001")
        for host in hosts:
            wire = self.greeted(server)
            wire.sendall(self.v5(host, backend.port))
            got, end = wire.outcome()
            self.assertEqual(got[:1], b"\5", host)
            self.assertIn(got[1], (1, 2, 4), host)  # no address, refused, or no such name here
            self.assertEqual(end, "close_notify", host)
        server.wait_log("target refused while connecting: 127.0.0.1:%d is this machine itself" %
                        backend.port)
        server.wait_log("target refused while connecting: localhost:%d is this machine" %
                        backend.port)
        wait_for(lambda: len([l for l in server.lines if "LOG6[" in l]) >= len(hosts), "ends")
        self.assertEqual(backend.count, 0)
        self.back_to(server, base)

    def test_server_own_address(self):
        """Nor do the addresses that the machine has on other networks, but where a connect line
        names them."""
        backend = self.backend(echo, address=(outside(), 0))
        host = backend.address[0]
        server = self.socks()
        for name in (host, "::ffff:" + host):
            wire = self.greeted(server)
            wire.sendall(self.v5(name, backend.port))
            self.assertEqual(wire.outcome(), (b"\5\2\0\1\0\0\0\0\0\0", "close_notify"), name)
        wire = self.tls(server.port)
        wire.sendall(b"\4\1" + struct.pack("!H", backend.port) + socket.inet_aton(host) + b"\0")
        self.assertEqual(wire.outcome()[0][:2], b"\0\x5b")
        server.wait_log("target refused while connecting: .*%s.*:%d is this machine itself" %
                        (host, backend.port), count=3)
        self.assertEqual(backend.count, 0)
        with open(self.path("conf"), "w") as f:
            f.write("foreground = yes\nsyslog = no\n[s]\naccept = 127.0.0.1:0\nprotocol = socks\n"
                    "cert = %s\nconnect = %s:%d\n" % (self.pem("server"), host, backend.port))
        wire = self.greeted(self.own(harness.Sluss(self.path("conf"))))
        wire.sendall(self.v5(host, backend.port))
        self.assertEqual(wire.read_exactly(2), b"\5\0")
        wire.read_exactly(8)
        self.echoed(wire)

    def test_server_link(self):
        """Nor what is on the machine's link alone, where clouds answer who asks."""
        server = self.socks()
        for host in ("169.254.169.254", "169.254.0.1", "fe80::1", "::ffff:169.254.169.254"):
            wire = self.greeted(server)
            wire.sendall(self.v5(host, 80))
            self.assertEqual(wire.outcome(), (b"\5\2\0\1\0\0\0\0\0\0", "close_notify"), host)
        server.wait_log("169.254.169.254:80 is this machine itself or on its link alone")

    def test_server_unreachable(self):
        closed = self.own(socket.socket())
        closed.bind(("127.0.0.1", 0))  # and does not listen
        address = closed.getsockname()
        server = self.socks("--connect", "%s:%d" % address)
        wire = self.greeted(server)
        wire.sendall(self.v5(*address))
        self.assertEqual(wire.outcome(), (b"\5\4\0\1\0\0\0\0\0\0", "close_notify"))
        server.ends("connect failed while connecting: %s:%d: Connection refused" % address)
        wire = self.greeted(server)
        wire.sendall(self.v5("no-such-name.invalid", 1))
        self.assertEqual(wire.outcome(), (b"\5\4\0\1\0\0\0\0\0\0", "close_notify"))

    def test_server_bind(self):
        server = self.socks()
        wire = self.greeted(server)
        wire.sendall(b"\5\2\0\1\xc0\0\2\1\0\x50")
        self.assertEqual(wire.outcome(), (b"\5\7\0\1\0\0\0\0\0\0", "close_notify"))
        server.ends("negotiating inside TLS: a SOCKS5 command that is not CONNECT")

    def test_pair(self):
        """Our client asks our server for protocolHost, inside TLS."""
        target, server = self.reached()
        client = self.client("127.0.0.1:%d" % server.port, "--protocol", "socks",
                             "--protocolhost", "%s:%d" % target.address)
        self.through(client)
        self.assertEqual(target.count, 1)

    def test_client_refused(self):
        server = self.socks()
        client = self.client("127.0.0.1:%d" % server.port, "--protocol", "socks",
                             "--protocolhost", "127.0.0.1:9")
        self.refused(client, "negotiating inside TLS: the SOCKS server refuses: its rules forbid")

    def test_stunnel(self):
        """stunnel's client asks ours: its socks is inside TLS, too."""
        if harness.not_under_sanitizer():
            return
        target, server = self.reached()
        with open(self.path("stunnel.conf"), "w") as f:
            f.write("foreground = yes\npid =\ndebug = info\nsyslog = no\n[x]\nclient = yes\n"
                    "accept = 127.0.0.1:0\nconnect = 127.0.0.1:%d\ncert = %s\n" %
                    (server.port, self.pem("client")))
        stunnel = self.own(harness.Program([harness.need("stunnel"), self.path("stunnel.conf")]))
        port = int(stunnel.wait_log(r"bound to 127.0.0.1:(\d+)").group(1))
        c = self.own(connect(port))
        c.sendall(b"\5\1\0")
        self.assertEqual(recv_exactly(c, 2), b"\5\0")
        c.sendall(self.v5(*target.address))
        self.assertEqual(recv_exactly(c, 10), b"\5\0\0\1\0\0\0\0\0\0")
        c.sendall(b"hello")
        self.assertEqual(recv_exactly(c, 5), b"hello")


class Stunnel(Prefaces):
    """Each protocol between stunnel on one side and sluss on the other."""

    def stunnel(self, *lines):
        """stunnel with one service; where it listens."""
        with open(self.path("stunnel.conf"), "w") as f:
            f.write("foreground = yes\npid =\ndebug = info\nsyslog = no\n[x]\n"
                    "accept = 127.0.0.1:0\n" + "".join(l + "\n" for l in lines))
        stunnel = self.own(harness.Program([harness.need("stunnel"), self.path("stunnel.conf")]))
        return int(stunnel.wait_log(r"bound to 127.0.0.1:(\d+)").group(1))

    def their_server(self, protocol, connect_to):
        return "127.0.0.1:%d" % self.stunnel("connect = " + connect_to, "protocol = " + protocol,
                                             "cert = " + self.pem("server"))

    def their_client(self, protocol, server, *more):
        return self.stunnel("client = yes", "connect = 127.0.0.1:%d" % server.port, "cert = " +
                            self.pem("client"), "protocol = " + protocol, *more)

    def greets(self, greeting):
        def handler(c):
            c.sendall(greeting)
            echo(c)
        return self.backend(handler).target

    def talk(self, port, first, words=b"hello\r\n"):
        c = self.own(connect(port))
        if first:
            self.assertIn(first, recv_line(c))
        c.sendall(words)
        self.assertEqual(recv_exactly(c, len(words)), words)

    GREETINGS = (("pgsql", b"", b""), ("smtp", b"220 mx.test hi\r\n", b"220 mx.test"),
                 ("pop3", b"+OK hi\r\n", b"+OK hi"))

    def test_our_client(self):
        if harness.not_under_sanitizer():
            return
        for protocol, greeting, first in self.GREETINGS:
            server = self.their_server(protocol, self.greets(greeting))
            client = self.client(server, "--protocol", protocol)
            self.talk(client.port, first)

    def test_our_server(self):
        if harness.not_under_sanitizer():
            return
        for protocol, greeting, first in self.GREETINGS + (("imap", b"* OK hi\r\n", b"* OK"),):
            server = self.server(self.greets(greeting), "--protocol", protocol)
            self.talk(self.their_client(protocol, server), first)

    def test_connect(self):
        """Our client asks their server, and theirs ours."""
        if harness.not_under_sanitizer():
            return
        target = self.backend(echo).target
        client = self.client(self.their_server("connect", target), "--protocol", "connect",
                             "--protocolhost", target)
        self.talk(client.port, b"")
        server = self.server(target, "--protocol", "connect")
        self.talk(self.their_client("connect", server, "protocolHost = " + target), b"")

    def test_proxy(self):
        """The header of their server, taken by our client."""
        if harness.not_under_sanitizer():
            return
        far = self.server(self.backend(echo).target)
        client = self.client("127.0.0.1:%d" % far.port, "--proxyin", "--proxyfrom", "127.0.0.1")
        port = self.stunnel("connect = 127.0.0.1:%d" % client.port, "protocol = proxy",
                            "cert = " + self.pem("server"))
        c = self.own(connect(port))
        self.echoed(self.tls_from(c))
        client.ends(r"\] 127.0.0.1:%d -> " % c.getsockname()[1])


class ProxyOut(Prefaces):
    def headers(self, read):
        """A target that notes each header, then echoes."""
        self.seen = []

        def handler(c):
            self.seen.append(read(c))
            echo(c)
        return self.backend(handler)

    def test_v1_server(self):
        server = self.server(self.headers(recv_line).target, "--protocol", "proxy")
        c = self.own(connect(server.port))
        self.echoed(self.tls_from(c))
        self.assertEqual(self.seen, [b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n" %
                                     (c.getsockname()[1], server.port)])

    def test_v1_server_both_families(self):
        """A client of IPv4 on a port of both families is one of IPv4."""
        server = self.server(self.headers(recv_line).target, "--protocol", "proxy",
                             accept="0")
        c = self.own(connect(server.port))
        self.echoed(self.tls_from(c))
        self.assertEqual(self.seen, [b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n" %
                                     (c.getsockname()[1], server.port)])

    def test_ipv6(self):
        """Both versions on IPv6."""
        if not socket.has_ipv6:
            harness.skip("no IPv6")
        for protocol, read in (("proxy", recv_line), ("proxy2", recv_proxy2)):
            server = self.server(self.headers(read).target, "--protocol", protocol,
                                 accept="[::1]:0")
            c = self.own(connect(server.port, "::1"))
            self.echoed(self.tls_from(c))
            port = c.getsockname()[1]
            if protocol == "proxy":
                self.assertEqual(self.seen, [b"PROXY TCP6 ::1 ::1 %d %d\r\n" %
                                             (port, server.port)])
            else:
                self.assertEqual(self.seen[0][:2], (0x21, 0x21))
                self.assertEqual(self.seen[0][2][:36], socket.inet_pton(
                    socket.AF_INET6, "::1") * 2 + struct.pack("!HH", port, server.port))

    def test_v1_unix(self):
        server = self.server(self.headers(recv_line).target, "--protocol", "proxy",
                             accept=self.path("socket"))
        c = self.own(socket.socket(socket.AF_UNIX))
        c.settimeout(harness.PATIENCE)
        c.connect(self.path("socket"))
        self.echoed(self.tls_from(c))
        self.assertEqual(self.seen, [b"PROXY UNKNOWN\r\n"])
        del server

    def test_v1_client(self):
        """In client mode the header goes ahead of TLS, to the server."""
        seen = []
        remote = self.remote(lambda c: seen.append(recv_line(c)))
        client = self.client(remote.target, "--protocol", "proxy")
        c = self.own(connect(client.port))
        c.sendall(b"hello")
        self.assertEqual(recv_exactly(c, 5), b"hello")
        self.assertEqual(seen, [b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n" %
                                (c.getsockname()[1], client.port)])

    def test_v2_server(self):
        """The target learns who the client is: addresses, name, TLS, certificate."""
        for version, text in (("TLSv1.2", ssl.TLSVersion.TLSv1_2), ("TLSv1.3",
                                                                    ssl.TLSVersion.TLSv1_3)):
            server = self.server(self.headers(recv_proxy2).target, "--protocol", "proxy2")
            c = self.own(connect(server.port))
            wire = TlsWire(c, self.context(version=text), server_hostname="Some.test").handshake()
            self.echoed(wire)
            command, family, rest = self.seen.pop()
            self.assertEqual((command, family), (0x21, 0x11))
            self.assertEqual(rest[:12], socket.inet_aton("127.0.0.1") * 2 + struct.pack(
                "!HH", c.getsockname()[1], server.port))
            fields = tlvs(rest[12:])
            self.assertEqual(sorted(fields), [0x02, 0x20, 0xe0, 0xe1, 0xe2])
            self.assertEqual(fields[0x02], b"Some.test")
            self.assertEqual(fields[0x20][:5], b"\x07\0\0\0\0")
            inner = tlvs(fields[0x20][5:])
            self.assertEqual(sorted(inner), [0x21, 0x22, 0x23, 0x24, 0x25, 0x28])
            self.assertEqual(inner[0x21], version.encode())
            self.assertEqual(inner[0x22], b"client")
            self.assertIn(b"AES_128_GCM_SHA256",
                          inner[0x23])
            with open(self.crt("client")) as f:
                self.assertEqual(inner[0x28], ssl.PEM_cert_to_DER_cert(f.read()))

    def test_v2_server_big(self):
        """A certificate of more than 4 KiB goes along whole."""
        big = certs.make("big", dns=["host%04d.example.test" % i for i in range(400)])
        pem, crt = big.write(self.dir, "big")
        self.assertGreater(len(big.der), 8000)
        server = self.server(self.headers(recv_proxy2).target, "--protocol", "proxy2",
                             "--peer", crt)
        ctx = self.context(identity=None)
        ctx.load_cert_chain(pem)
        c = self.own(connect(server.port))
        self.echoed(TlsWire(c, ctx).handshake())
        fields = tlvs(self.seen[0][2][12:])
        self.assertEqual(sorted(fields), [0x20, 0xe0, 0xe2])  # asked for no name; see test_handed.py
        self.assertEqual(tlvs(fields[0x20][5:])[0x28], big.der)

    def test_v2_server_unverified(self):
        """What was not verified is not said to be; without a certificate none is told of."""
        server = self.own(harness.Sluss(
            "server", "--accept", "127.0.0.1:0", "--connect", self.headers(recv_proxy2).target,
            "--cert", self.pem("server"), "--insecure", "--protocol", "proxy2"))
        for identity, bits, kinds in (("client", 7, [0x21, 0x23, 0x24, 0x25, 0x28]),
                                      (None, 1, [0x21, 0x23, 0x24, 0x25])):
            c = self.own(connect(server.port))
            wire = TlsWire(c, self.context(identity=identity)).handshake()
            self.echoed(wire)
            ssl_value = tlvs(self.seen.pop()[2][12:])[0x20]
            self.assertEqual(ssl_value[:5], bytes([bits, 0, 0, 0, 1]))
            self.assertEqual(sorted(tlvs(ssl_value[5:])), kinds)

    def test_v2_unix_and_client(self):
        seen = []
        remote = self.remote(lambda c: seen.append(recv_proxy2(c)))
        client = self.client(remote.target, "--protocol", "proxy2", accept=self.path("socket"))
        c = self.own(socket.socket(socket.AF_UNIX))
        c.settimeout(harness.PATIENCE)
        c.connect(self.path("socket"))
        c.sendall(b"hello")
        self.assertEqual(recv_exactly(c, 5), b"hello")
        command, family, rest = seen[0]
        self.assertEqual((command, family, len(rest)), (0x21, 0x31, 216))
        self.assertEqual(rest[108:].rstrip(b"\0"), self.path("socket").encode())
        del client


class ProxyIn(Prefaces):
    V1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n"

    def hello(self, port, header, pieces=1 << 20):
        """A TLS client behind a proxy: the header and the ClientHello in one go."""
        c = self.own(connect(port))
        wire = TlsWire(c, self.context(), server_hostname="localhost")
        try:
            wire.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        data = header + wire.pending_out()
        for i in range(0, len(data), pieces):
            c.sendall(data[i:i + pieces])
        return wire.handshake()

    def proxied(self, *more):
        return self.server(self.backend(echo).target, "--proxyin", "--proxyfrom", "127.0.0.0/8",
                           *more)

    def test_v1(self):
        server = self.proxied()
        self.echoed(self.hello(server.port, self.V1))
        server.ends(r"\] 192.0.2.1:4711 -> .*: closed; ")

    def test_dribble(self):
        server = self.proxied()
        self.echoed(self.hello(server.port, self.V1, pieces=1))
        server.ends(r"\] 192.0.2.1:4711 -> .*: closed; ")

    def test_v2(self):
        """IPv6, and fields of 60000 bytes."""
        server = self.proxied()
        rest = (socket.inet_pton(socket.AF_INET6, "2001:db8::7") * 2 +
                struct.pack("!HH", 4711, 443) + b"\x04" + struct.pack("!H", 60000) + bytes(60000))
        self.echoed(self.hello(server.port, V2 + b"\x21\x21" + struct.pack("!H", len(rest)) + rest))
        server.ends(r"\] \[2001:db8::7\]:4711 -> .*: closed; ")

    def test_local(self):
        """The proxy's own connection comes from the proxy."""
        server = self.proxied()
        self.echoed(self.hello(server.port, V2 + b"\x20\0\0\0"))
        self.echoed(self.hello(server.port, b"PROXY UNKNOWN\r\n"))
        server.ends(r"\] 127.0.0.1:\d+ -> .*: closed; ", count=2)

    def test_client(self):
        """In client mode what follows the header is the local program's."""
        remote = self.remote(lambda c: None)
        client = self.client(remote.target, "--proxyin", "--proxyfrom", "127.0.0.1")
        c = self.own(connect(client.port))
        c.sendall(self.V1 + b"hello")
        self.assertEqual(recv_exactly(c, 5), b"hello")
        c.close()
        client.ends(r"\] 192.0.2.1:4711 -> .*: closed; ")

    def test_chain(self):
        """In and out: the first one's source is what the last one learns."""
        seen = []

        def handler(c):
            seen.append(recv_line(c))
            echo(c)
        server = self.server(self.backend(handler).target, "--proxyin", "--proxyfrom",
                             "127.0.0.1", "--protocol", "proxy")
        self.echoed(self.hello(server.port, self.V1))
        self.assertEqual(seen, [self.V1])

    def refused(self, server, header, why):
        backend_before = self.backends[0].count
        try:  # who is not believed may be reset before it has said anything
            c = self.own(connect(server.port))
            c.sendall(header)
            self.assertEqual(outcome(c)[0], b"")
        except (ConnectionResetError, BrokenPipeError):
            pass
        server.ends("PROXY header refused while waiting for a PROXY header: " + why)
        self.assertEqual(self.backends[0].count, backend_before)

    def backend(self, handler, **kw):
        backend = super().backend(handler, **kw)
        self.backends = getattr(self, "backends", []) + [backend]
        return backend

    def test_refused(self):
        """Each costs one line, and the target is left alone."""
        server = self.proxied()
        base = self.baseline(server)
        cases = ((b"\x16\x03\x01\x02\0\x01\0\x01", "the connection does not begin with"),
                 (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n", "malformed addresses or ports"),
                 (b"PROXY TCP4 " + b"1" * 100, "a line of more than 107 bytes"),
                 (V2 + b"\x21\x11\0\x0b" + bytes(11), "too short for its addresses"),
                 (V2 + b"\x11\x11\0\x0c", "a version that is neither 1 nor 2"))
        for header, why in cases:
            self.refused(server, header, why)
        self.assertEqual(len([l for l in server.lines if "PROXY header refused" in l]),
                         len(cases))
        self.back_to(server, base)
        self.echoed(self.hello(server.port, self.V1))

    def test_from_elsewhere(self):
        """A client that is no proxy cannot say that it comes from elsewhere."""
        server = self.server(self.backend(echo).target, "--proxyin", "--proxyfrom",
                             "192.0.2.0/24")
        self.refused(server, self.V1, r"127\.0\.0\.1:\d+ is not in proxyFrom")

    def test_late(self):
        server = self.proxied("--timeoutbusy", "1")
        c = self.own(connect(server.port))
        c.sendall(self.V1[:10])
        self.assertEqual(outcome(c)[0], b"")
        server.ends("TIMEOUTbusy exceeded while waiting for a PROXY header: not finished within "
                    "1 seconds; the client owes an answer")

    def test_late_dribble(self):
        """TIMEOUTbusy is for all of the header: bytes that come in time do not prolong it."""
        server = self.proxied("--timeoutbusy", "1")
        c = self.own(connect(server.port))
        stop = threading.Event()
        self.addCleanup(stop.set)

        def dribble():
            try:
                for i in range(len(self.V1)):
                    c.sendall(self.V1[i:i + 1])
                    if stop.wait(0.4):
                        return
            except OSError:
                pass
        threading.Thread(target=dribble, daemon=True).start()
        server.ends("TIMEOUTbusy exceeded while waiting for a PROXY header")

    def test_probe(self):
        """A balancer that only tries the port, or says LOCAL and leaves, is no failure."""
        server = self.proxied("--debug", "debug")
        for header in (b"", V2 + b"\x20\0\0\0"):
            c = self.own(connect(server.port))
            c.sendall(header)
            c.close()
        server.wait_log(r"LOG7\[\d+\]: .*peer left before the TLS handshake", count=2)

    def test_environment(self):
        """A program learns the real source."""
        program = self.path("program")
        with open(program, "w") as f:
            f.write("#!/bin/sh\necho $REMOTE_HOST $REMOTE_PORT\n")
        os.chmod(program, 0o755)
        with open(self.path("conf"), "w") as f:
            f.write("foreground = yes\nsyslog = no\ndebug = info\n[x]\naccept = 127.0.0.1:0\n"
                    "cert = %s\nexec = %s\nproxyIn = yes\nproxyFrom = 127.0.0.1\n" %
                    (self.pem("server"), program))
        server = self.own(harness.Sluss(self.path("conf")))
        wire = self.hello(server.port, self.V1)
        self.assertEqual(wire.outcome()[0], b"192.0.2.1 4711\n")

    def test_stunnels_words(self):
        """In files a refusal is an error, whatever the level of our own line."""
        with open(self.path("conf"), "w") as f:
            f.write("foreground = yes\nsyslog = no\n[x]\naccept = 127.0.0.1:0\nconnect = echo:\n"
                    "cert = %s\nproxyIn = yes\nproxyFrom = 127.0.0.1\n" % self.pem("server"))
        server = self.own(harness.Sluss(self.path("conf")))
        c = self.own(connect(server.port))
        c.sendall(b"GET / HTTP/1.0\r\n\r\n")
        self.assertEqual(outcome(c)[0], b"")
        server.wait_log(r"LOG3\[\d+\]: PROXY header refused: the connection does not begin with")

    def test_missing_proxy_from(self):
        done = harness.run(harness.SLUSS, "server", "--accept", "127.0.0.1:0", "--connect",
                           "127.0.0.1:9", "--cert", self.pem("server"), "--insecure",
                           "--proxyin", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("proxyFrom is missing", done.err)


if __name__ == "__main__":
    harness.main()
