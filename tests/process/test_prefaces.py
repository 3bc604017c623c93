#!/usr/bin/env python3
"""What is said in clear before TLS begins, and right behind it: each protocol in both
roles against scripted peers, honest ones and ones that refuse, inject, dribble or fall silent."""

import os
import re
import ssl
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
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
        c = self.own(connect(client.port))
        got, _ = outcome(c)
        self.assertEqual(got, first)
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


if __name__ == "__main__":
    harness.main()
