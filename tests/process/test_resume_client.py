#!/usr/bin/env python3
"""Sessions that our client resumes: with which servers it does, and that no session opens what a
full handshake would not.  Each attack says the line that stops it."""

import datetime
import os
import socket
import ssl
import threading

from certs import OP_IGNORE_UNEXPECTED_EOF, TlsServer, make, now
from harness import VERSIONS, Sluss, connect, main, recv_exactly, wait_for
from test_handshake import CLIENT_HELLO, Relay, hellos
from test_revocation import TLS13, Revocation, crl

TLS12 = ssl.TLSVersion.TLSv1_2
REUSED = "TLS connected: previous session reused"
NEW = "TLS connected: new session negotiated"


class Server(TlsServer):
    """Notes of each connection whether it was resumed, and the client's certificate."""

    def __init__(self, ctx):
        self.reused, self.clients = [], []
        super().__init__(ctx)

    def _talk(self, wire):
        self.reused.append(wire.tls.session_reused)
        self.clients.append(wire.tls.getpeercert(True))
        return super()._talk(wire)


class Forgetful(Server):
    """From a time on it leaves whoever offers a session, without a word."""

    def __init__(self, ctx):
        self.left, self.forgets = 0, False
        super().__init__(ctx)

    def _serve(self, c):
        data = b""
        while not data or len(data) < 5 + int.from_bytes(data[3:5], "big"):
            data = c.recv(65536, socket.MSG_PEEK)
        hello = hellos(data, CLIENT_HELLO)[0]
        if self.forgets and (hello.extensions.get(35) or 41 in hello.extensions):
            self.left += 1
            c.recv(len(data))
        else:
            super()._serve(c)


class ClientCase(Revocation):
    """A section of a client in front of a server in Python."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = make("server", issuer=cls.ca, dns=["localhost"], ip=["127.0.0.1"])

    def context(self, version, who=None, tickets=2):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.options &= ~OP_IGNORE_UNEXPECTED_EOF
        if version is not None:
            ctx.minimum_version = ctx.maximum_version = version
        ctx.load_cert_chain((who or self.host).write(self.dir, "shown-%d" %
                                                     len(os.listdir(self.dir)))[0])
        ctx.num_tickets = tickets
        # Clients may show what they like.
        ctx.load_verify_locations(self.path("ca.crt"))
        ctx.verify_mode = ssl.CERT_OPTIONAL
        return ctx

    def upstream(self, version, **kw):
        return self.own(Server(self.context(version, **kw)))

    def write_client(self, *options, targets, names=("checkHost = localhost",)):
        lines = ["foreground = yes", "syslog = no", "debug = debug",
                 "reloadOnChange = no", "[s]", "client = yes",
                 "accept = 127.0.0.1:0", "verifyChain = yes", "CAfile = @ca.crt"]
        lines += ["connect = " + t for t in targets] + list(names)
        lines += options
        self.put("conf", "\n".join(lines).replace("@", self.dir + "/").encode() + b"\n")

    def client_of(self, *options, targets, **kw):
        self.write_client("sessionResume = yes", *options, targets=targets, **kw)
        return self.own(Sluss(self.path("conf")))

    def visit(self, sluss):
        """A tunnel that works, from its begin to its end.  The answer stands behind the tickets
        that came before it."""
        with connect(sluss.port) as c:
            c.sendall(b"hello")
            self.assertEqual(recv_exactly(c, 5), b"hello")

    def visits(self, sluss, server, n=1):
        """Whether they were resumed, as both sides see it."""
        before = len(server.reused)
        for _ in range(n):
            self.visit(sluss)
        seen = wait_for(lambda: len(server.reused) == before + n and server.reused[before:],
                        "%d connections" % n)
        resumed = server.reused.count(True)
        if resumed:
            sluss.wait_log(REUSED, count=resumed)
            sluss.wait_log(r"closed; TLSv1\.\d \S+ \S+ resumed; peer ", count=resumed)
        return seen

    def assert_refused(self, sluss, why):
        lines = len(sluss.lines)
        with self.assertRaises((ConnectionError, AssertionError)):
            self.visit(sluss)
        wait_for(lambda: why in "\n".join(sluss.lines[lines:]), why + " in\n" + sluss.log)
        self.assertNotIn(REUSED, "\n".join(sluss.lines[lines:]))


class Works(ClientCase):
    def test_resume_matrix(self):
        """By ticket and by number, TLS 1.2 and 1.3, over and over."""
        for _, version in VERSIONS:
            for more in (0, ssl.OP_NO_TICKET):
                ctx = self.context(version)
                ctx.options |= more
                server = self.own(Server(ctx))
                sluss = self.client_of(targets=[server.target])
                self.assertEqual(self.visits(sluss, server, 20), [False] + 19 * [True])
                self.assertEqual(sluss.log.count(NEW), 1)
                sluss.stop()

    def test_off(self):
        """Unless it is said, there is none, whatever else is said about sessions."""
        for _, version in VERSIONS:
            server = self.upstream(version)
            self.write_client("sessionCacheSize = 100", "ticketKeySecret = " + 32 * "a",
                              "ticketMacSecret = " + 32 * "b", targets=[server.target])
            sluss = self.own(Sluss(self.path("conf")))
            sluss.wait_log("sessionCacheSize.*ignored without sessionResume = yes")
            sluss.wait_log("ticketKeySecret.*ignored: it is for client = no")
            self.assertEqual(self.visits(sluss, server, 3), 3 * [False])
            sluss.stop()

    def test_tickets(self):
        """A server that gives none, one, or many: each is used once."""
        for tickets in (0, 1, 20):
            server = self.upstream(TLS13, tickets=tickets)
            sluss = self.client_of(targets=[server.target])
            self.assertEqual(self.visits(sluss, server, 4), [False] + 3 * [tickets > 0])
            sluss.stop()

    def test_many_at_once(self):
        """32 clients of one upstream share what there is, and each gets all its bytes."""
        for name, version in VERSIONS:
            server = self.upstream(version)
            sluss = self.client_of(targets=[server.target])
            self.visit(sluss)
            failed = []

            def some():
                try:
                    for _ in range(3):
                        self.visit(sluss)
                except Exception as e:
                    failed.append(e)

            threads = [threading.Thread(target=some) for _ in range(32)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(failed, [])
            wait_for(lambda: len(server.reused) == 97, "all of them")
            if name == "TLSv1.2":
                self.assertEqual(server.reused, [False] + 96 * [True])
            else:
                self.assertIn(True, server.reused)
            sluss.stop()

    def test_restart(self):
        """A server with other keys: a full handshake and no word about it."""
        for _, version in VERSIONS:
            server = self.upstream(version)
            sluss = self.client_of(targets=[server.target])
            self.assertEqual(self.visits(sluss, server, 2), [False, True])
            # Another context has other keys.
            server.ctx = self.context(version)
            self.assertEqual(self.visits(sluss, server, 1), [False])
            self.assertIn(True, self.visits(sluss, server, 3))
            self.assertNotRegex(sluss.log, r"LOG[0-4]\[\d")
            sluss.stop()

    def test_newer_server(self):
        """One of TLS 1.2 that learns 1.3: the old session, with a ticket or a number, is no
        reason to stay, and the sign of 1.3 in the answer is none of an attack."""
        for more in (0, ssl.OP_NO_TICKET):
            ctx = self.context(TLS12)
            ctx.options |= more
            server = self.own(Server(ctx))
            sluss = self.client_of(targets=[server.target])
            self.assertEqual(self.visits(sluss, server, 2), [False, True])
            server.ctx = self.context(None)
            self.assertEqual(self.visits(sluss, server, 1), [False])
            self.assertEqual(self.visits(sluss, server, 2), [False, True])
            sluss.wait_log("TLSv1.3")
            self.assertNotRegex(sluss.log, r"LOG[0-4]\[\d|connecting again")
            sluss.stop()

    def test_server_leaves(self):
        """A server that ends the connection for an old session gets no more of them."""
        for name, version in VERSIONS:
            with self.subTest(name):
                server = self.own(Forgetful(self.context(version, tickets=6)))
                sluss = self.client_of(targets=[server.target])
                self.visit(sluss)
                server.forgets = True
                self.assertEqual(self.visits(sluss, server, 1), [False])
                self.assertEqual(server.left, 1)
                sluss.wait_log("connecting again without it")
                sluss.stop()

    def test_huge_ticket(self):
        """A ticket holds our own certificate: one that is too long is not kept, and does no harm."""
        from cryptography import x509
        for size, version, outcome in ((2000, TLS12, True), (2000, TLS13, True),
                                       (9000, TLS12, False), (9000, TLS13, False)):
            comment = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.16.840.1.113730.1.13"),
                                                 b"\x16\x82" + size.to_bytes(2, "big") + size * b"x")
            who = make("client", issuer=self.ca, more=[(comment, False)])
            server = self.upstream(version)
            sluss = self.client_of("cert = " + who.write(self.dir, "who")[0],
                                   targets=[server.target])
            self.assertEqual(self.visits(sluss, server, 3), [False] + 2 * [outcome])
            sluss.stop()

    def test_reload(self):
        """One that changes nothing forgets nothing."""
        server = self.upstream(TLS13)
        sluss = self.client_of(targets=[server.target])
        self.visit(sluss)
        self.reload(sluss)
        self.assertEqual(self.visits(sluss, server, 1), [True])

    def test_live_tunnel(self):
        """A tunnel that was resumed knows whose it is: a reload that denies the server ends it."""
        self.put("crl", crl(self.ca, number=1))
        for _, version in VERSIONS:
            self.put("crl", crl(self.ca, number=1))
            server = self.upstream(version)
            sluss = self.client_of("CRLfile = @crl", targets=[server.target])
            self.visit(sluss)
            with connect(sluss.port) as c:
                c.sendall(b"hello")
                recv_exactly(c, 5)
                sluss.wait_log(REUSED)
                self.put("crl", crl(self.ca, self.host, number=2))
                self.reload(sluss)
                sluss.wait_log("The peer may not stay, revoked")
            sluss.stop()


class Attacks(ClientCase):
    def test_expiry(self):
        """The server's certificate ends, its ticket does not; or the CRL by which the server
        passed is out of date.  (resume.c tls_session_resume(): ticket_admits().)"""
        for seconds in (6, 20, 60):
            end = now() + datetime.timedelta(seconds=seconds)
            soon = make("server", issuer=self.ca, dns=["localhost"], ends=end)
            self.put("crl", crl(self.ca, number=1, ends=seconds / 86400))
            rows = [(self.upstream(TLS12, who=soon), (), "has expired"),
                    (self.upstream(TLS13, who=soon), (), "has expired"),
                    (self.upstream(TLS13), ("CRLfile = @crl",), "out of date")]
            clients = [self.client_of(*more, targets=[s.target]) for s, more, _ in rows]
            if self.all_resume(clients, [s for s, _, _ in rows], end):
                break
        # A second more: the clock that is asked for the time of day runs late by a tick.
        wait_for(lambda: now() > end + datetime.timedelta(seconds=1), "their end")
        for sluss, (_, _, why) in zip(clients, rows):
            self.assert_refused(sluss, why)

    def all_resume(self, clients, servers, end):
        """On a machine that is too busy, their time is over before they do."""
        try:
            for sluss, server in zip(clients, servers):
                self.assertEqual(self.visits(sluss, server, 2), [False, True])
            return True
        except (ConnectionError, AssertionError):
            if now() < end:
                raise
            return False

    def test_ticket_after_revocation(self):
        """(service.c find_sessions(): service_same_rules(); resume.c ticket_admits(): either alone stops
        it.)"""
        for _, version in VERSIONS:
            self.put("crl", crl(self.ca, number=1))
            server = self.upstream(version)
            sluss = self.client_of("CRLfile = @crl", targets=[server.target])
            self.assertEqual(self.visits(sluss, server, 2), [False, True])
            self.put("crl", crl(self.ca, self.host, number=2))
            self.reload(sluss)
            self.assert_refused(sluss, "is revoked")
            sluss.stop()

    def test_denied(self):
        """(As above.)"""
        server = self.upstream(TLS13)
        sluss = self.client_of(targets=[server.target])
        self.assertEqual(self.visits(sluss, server, 2), [False, True])
        self.write_client("sessionResume = yes", "deny = cn=server", targets=[server.target])
        self.reload(sluss)
        self.assert_refused(sluss, "denied by the rules")

    def test_ca_change(self):
        """(As above.)"""
        for _, version in VERSIONS:
            self.put("ca.crt", self.ca.cert_pem())
            server = self.upstream(version)
            sluss = self.client_of(targets=[server.target])
            self.assertEqual(self.visits(sluss, server, 2), [False, True])
            self.put("ca.crt", self.imposter.cert_pem())
            self.reload(sluss)
            self.assert_refused(sluss, "certificate verify failed")
            sluss.stop()

    def test_name_change(self):
        """(As above, and make_key(): names; each alone stops it.)"""
        server = self.upstream(TLS13)
        sluss = self.client_of(targets=[server.target])
        self.assertEqual(self.visits(sluss, server, 2), [False, True])
        self.write_client("sessionResume = yes", targets=[server.target],
                          names=["checkHost = other.test"])
        self.reload(sluss)
        self.assert_refused(sluss, "names another host")

    def test_own_certificate_change(self):
        """A session in which we were alice is not resumed as bob.  (service.c find_sessions():
        service_same_rules().)"""
        for _, version in VERSIONS:
            who = self.alice.write(self.dir, "who")[0]
            server = self.upstream(version)
            sluss = self.client_of("cert = " + who, targets=[server.target])
            self.assertEqual(self.visits(sluss, server, 2), [False, True])
            self.bob.write(self.dir, "who")
            self.reload(sluss)
            self.assertEqual(self.visits(sluss, server, 1), [False])
            self.assertEqual(server.clients[-1], self.bob.der)
            sluss.stop()

    def test_another_upstream(self):
        """Two servers that open each other's tickets, one section: a ticket goes back where it
        came from.  (resume.c make_key(): where.)"""
        for _, version in VERSIONS:
            ctx = self.context(version)
            one, two = self.own(Server(ctx)), self.own(Server(ctx))
            sluss = self.client_of("failover = rr", targets=[one.target, two.target])
            for _ in range(4):
                self.visit(sluss)
            wait_for(lambda: len(one.reused) == len(two.reused) == 2, "two each")
            self.assertEqual(one.reused + two.reused, [False, True, False, True])
            sluss.stop()

    def test_another_section(self):
        """Two sections, one server: each has sessions of its own.  (service.c find_sessions().)"""
        for _, version in VERSIONS:
            server = self.upstream(version)
            self.write_client("sessionResume = yes", targets=[server.target])
            with open(self.path("conf")) as f:
                text = f.read()
            self.put("conf", (text + text[text.index("[s]"):].replace("[s]", "[other]")).encode())
            sluss = self.own(Sluss(self.path("conf")))
            self.assertEqual(self.visits(sluss, server, 2), [False, True])
            port = int(wait_for(lambda: len(sluss.bound()) == 2 and sluss.bound()[1],
                                "the other").rsplit(":", 1)[1])
            with connect(port) as c:
                c.sendall(b"hello")
                recv_exactly(c, 5)
            wait_for(lambda: len(server.reused) == 3, "it")
            self.assertEqual(server.reused, [False, True, False])
            sluss.stop()

    def test_lifetime(self):
        """sessionCacheTimeout counts from the full handshake, however often it was resumed since.
        (session_pool.c is_over().)"""
        servers = [self.upstream(version) for _, version in VERSIONS]
        clients = [self.client_of("sessionCacheTimeout = 2", targets=[s.target]) for s in servers]

        def full():
            for sluss in clients:
                self.visit(sluss)
            return all(s.reused[1:].count(False) for s in servers)
        wait_for(full, "the end of the first")

    def test_other_certificate(self):
        """A server that has another certificate now, but the keys of tickets of before, is the one
        of before to us; once it does not resume, what it shows is judged.  (The library, and
        behind it ticket.c ticket_adopt(): judged.)"""
        server = self.upstream(TLS13)
        sluss = self.client_of(targets=[server.target])
        self.assertEqual(self.visits(sluss, server, 2), [False, True])
        stranger = make("server", issuer=self.imposter, dns=["localhost"])
        server.ctx.load_cert_chain(stranger.write(self.dir, "stranger")[0])
        self.assertEqual(self.visits(sluss, server, 1), [True])
        server.ctx = self.context(TLS13, who=stranger)
        self.assert_refused(sluss, "certificate verify failed")

    def test_no_early_data(self):
        """Whatever a server allows, and only with a key exchange.  (resume.c resume_set_up():
        only_dhe_psk.)"""
        server = self.upstream(TLS13)
        relay = self.own(Relay(server.port))
        sluss = self.client_of(targets=[relay.target])
        self.assertEqual(self.visits(sluss, server, 1), [False])
        self.assert_hello(relay.sent, False)
        wait_for(lambda: len(server.outcomes) == 1, "the end of the first")
        relay.sent = b""
        self.assertEqual(self.visits(sluss, server, 1), [True])
        self.assert_hello(relay.sent, True)

    def assert_hello(self, data, resumes):
        hello = hellos(data, CLIENT_HELLO)[0]
        self.assertEqual(hello.extensions[45], b"\x01\x01")
        self.assertNotIn(42, hello.extensions)
        self.assertEqual(41 in hello.extensions, resumes)


if __name__ == "__main__":
    main()
