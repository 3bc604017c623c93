"""Limits by source: how many, how often, who at all; and that silent strangers keep nobody out."""

import re
import socket
import ssl
import time

import harness
from harness import Sluss, echo, outcome, reset, wait_for


class LimitCase(harness.Case):
    def from_address(self, port, source="127.0.0.1"):
        """A connection from an address of ours."""
        c = self.own(socket.socket())
        c.settimeout(harness.PATIENCE)
        c.bind((source, 0))
        c.connect(("127.0.0.1", port))
        return c

    def knock(self, port, source="127.0.0.1"):
        """A connection that may be refused before we know that we have it."""
        try:
            return self.from_address(port, source)
        except ConnectionResetError:
            return None

    def tunnel(self, port, source="127.0.0.1"):
        """A tunnel that works, or None: it was refused."""
        try:
            sock = self.from_address(port, source)
            wire = harness.TlsWire(sock, self.context(), server_hostname="localhost").handshake()
            wire.sendall(b"ping")
            self.assertEqual(wire.read_exactly(4), b"ping")
            return wire
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            return None

    def ended(self, server, count):
        """So many tunnels have ended."""
        server.wait_log(r"LOG6\[\d+\]: Service ", count=count)


class PerSource(LimitCase):
    def test_max(self):
        server = self.server("echo:", "--maxpersource", 3)
        base = self.baseline(server)
        open_ones = [self.tunnel(server.port) for _ in range(3)]
        self.assertNotIn(None, open_ones)
        self.assertIsNone(self.tunnel(server.port))
        server.wait_log(r"LOG5\[main\]: Service \[server\] refused connection from "
                        r"127\.0\.0\.1:\d+: maxPerSource is reached$")
        other = self.tunnel(server.port, "127.0.0.2")
        self.assertIsNotNone(other)
        open_ones[1].close()
        self.ended(server, 1)
        again = self.tunnel(server.port)
        self.assertIsNotNone(again)
        self.assertIsNone(self.tunnel(server.port))
        for wire in open_ones + [other, again]:
            wire.close()
        self.back_to(server, base)

    def test_prefix(self):
        server = self.server("echo:", "--maxpersource", "2/24")
        self.assertIsNotNone(self.tunnel(server.port, "127.0.0.1"))
        self.assertIsNotNone(self.tunnel(server.port, "127.0.0.2"))
        self.assertIsNone(self.tunnel(server.port, "127.0.0.3"))
        self.assertIsNotNone(self.tunnel(server.port, "127.0.1.3"))

    def test_places_are_given_back(self):
        """However a tunnel ends, its place is free again, once."""
        most = 4
        server = self.server(self.backend(echo).target, "--maxpersource", most,
                             "--debug", "debug")
        base = self.baseline(server)

        def silent():
            reset(self.from_address(server.port))

        def garbage():
            c = self.from_address(server.port)
            c.sendall(b"GET / HTTP/1.0\r\n\r\n")
            outcome(c)
            c.close()

        def half_a_hello():
            c = self.from_address(server.port)
            wire = harness.TlsWire(c, self.context(), server_hostname="localhost")
            try:
                wire.tls.do_handshake()
            except ssl.SSLWantReadError:
                pass
            hello = wire.pending_out()
            c.sendall(hello[:len(hello) // 2])
            reset(c)

        def open_and_reset():
            wire = self.tunnel(server.port)
            self.assertIsNotNone(wire)
            reset(wire.sock)

        def stranger():
            c = self.from_address(server.port)
            wire = harness.TlsWire(c, self.context(identity="stranger"),
                                   server_hostname="localhost")
            try:
                wire.handshake()
                wire.read()
            except (ssl.SSLError, OSError):
                pass
            c.close()

        ways = (silent, garbage, half_a_hello, open_and_reset, stranger)
        for i in range(200):
            ways[i % len(ways)]()
            server.wait_log(r"LOG[67]\[\d+\]: Service ", count=i + 1)
        open_ones = [self.tunnel(server.port) for _ in range(most)]
        self.assertNotIn(None, open_ones)
        self.assertIsNone(self.tunnel(server.port))
        for wire in open_ones:
            wire.close()
        self.back_to(server, base)

    def test_silent_ones_have_only_their_own(self):
        """1000 silent clients of one address: another one's do not notice."""
        server = self.server("echo:", "--maxpersource", 20, "--maxtunnels", 40,
                             "--timeoutbusy", 300)
        silent = [self.knock(server.port) for _ in range(1000)]
        for _ in range(5):
            wire = self.tunnel(server.port, "127.0.0.2")
            self.assertIsNotNone(wire)
            wire.close()
        for c in filter(None, silent):
            c.close()


class Rate(LimitCase):
    def test_rate(self):
        rate = 5
        server = self.server("echo:", "--handshakerate", rate)
        began = time.monotonic()
        got = sum(self.tunnel(server.port) is not None for _ in range(40))
        took = time.monotonic() - began
        self.assertGreaterEqual(got, rate)
        self.assertLessEqual(got, rate + rate * took + 1)
        server.wait_log(r"refused connection from 127\.0\.0\.1:\d+: more than handshakeRate$")
        # Another source has its own, and time brings new ones.
        self.assertIsNotNone(self.tunnel(server.port, "127.0.0.2"))
        wait_for(lambda: self.tunnel(server.port), "another handshake")


class Lists(LimitCase):
    def test_allow(self):
        server = self.server("echo:", "--allowfrom", "127.0.0.2", "--allowfrom", "127.0.1.0/24")
        self.assertIsNone(self.tunnel(server.port))
        server.wait_log(r"refused connection from 127\.0\.0\.1:\d+: denied by denyFrom or "
                        r"allowFrom$")
        self.assertIsNotNone(self.tunnel(server.port, "127.0.0.2"))
        self.assertIsNotNone(self.tunnel(server.port, "127.0.1.7"))

    def test_deny(self):
        server = self.server("echo:", "--allowfrom", "127.0.0.0/8", "--denyfrom", "127.0.0.2")
        self.assertIsNotNone(self.tunnel(server.port))
        self.assertIsNone(self.tunnel(server.port, "127.0.0.2"))

    def test_before_tls(self):
        """The one who is denied gets no byte, and the target hears nothing."""
        backend = self.backend(echo)
        server = self.server(backend.target, "--denyfrom", "127.0.0.0/8")
        c = self.knock(server.port)
        if c is not None:
            self.assertEqual(outcome(c), (b"", "reset"))
        server.wait_log("refused connection from")
        self.assertEqual(backend.count, 0)

    def test_mapped(self):
        """IPv4 that comes in on an IPv6 socket is IPv4."""
        if not socket.has_ipv6:
            harness.skip("no IPv6")
        try:
            socket.create_server(("::", 0), family=socket.AF_INET6).close()
        except OSError:
            harness.skip("no IPv6 here")
        server = self.server("echo:", "--denyfrom", "127.0.0.2", accept=":::0")
        self.assertIsNotNone(self.tunnel(server.port))
        self.assertIsNone(self.tunnel(server.port, "127.0.0.2"))

    def test_in_a_file_by_section(self):
        path = self.path("sluss.conf")
        with open(path, "w") as f:
            f.write("foreground = yes\nsyslog = no\ncert = %s\ninsecure = yes\n"
                    "[open]\naccept = 127.0.0.1:0\nconnect = echo:\n"
                    "[closed]\naccept = 127.0.0.1:0\nconnect = echo:\n"
                    "allowFrom = 10.0.0.0/8\n" % self.pem("server"))
        server = self.own(Sluss(path))
        wait_for(lambda: len(server.bound()) == 2, "both sections")
        ports = [int(b.rsplit(":", 1)[1]) for b in server.bound()]
        self.assertIsNotNone(self.tunnel(ports[0]))
        self.assertIsNone(self.tunnel(ports[1]))
        server.wait_log(r"Service \[closed\] refused connection")


class BehindProxy(LimitCase):
    """The source is the one that the PROXY header names, not the proxy."""

    def through(self, port, source):
        return self.behind(port, b"PROXY TCP4 %s 127.0.0.1 1000 443\r\n" % source.encode())

    def behind(self, port, header):
        sock = self.from_address(port)
        try:
            sock.sendall(header)
            return harness.TlsWire(sock, self.context(), server_hostname="localhost").handshake()
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            return None

    def proxied(self, *more):
        return self.server("echo:", "--proxyin", "--proxyfrom", "127.0.0.1", *more)

    def test_lists(self):
        server = self.proxied("--allowfrom", "192.0.2.0/24", "--denyfrom", "192.0.2.66")
        self.assertIsNotNone(self.through(server.port, "192.0.2.1"))
        self.assertIsNone(self.through(server.port, "192.0.2.66"))
        server.ends("192.0.2.66.*source refused.*: denied by denyFrom or allowFrom;")
        self.assertIsNone(self.through(server.port, "198.51.100.1"))

    def test_unix(self):
        """What comes from a unix socket of the proxy's is in no list of addresses."""
        header = b"\r\n\r\n\0\r\nQUIT\n\x21\x31\0\xd8" + 2 * b"/client".ljust(108, b"\0")
        self.assertIsNotNone(self.behind(self.proxied().port, header))
        server = self.proxied("--allowfrom", "127.0.0.1")
        self.assertIsNone(self.behind(server.port, header))
        server.ends("unix:/client.*source refused.*: denied by denyFrom or allowFrom;")

    def test_max(self):
        server = self.proxied("--maxpersource", "1")
        first = self.through(server.port, "192.0.2.1")
        self.assertIsNotNone(first)
        self.assertIsNone(self.through(server.port, "192.0.2.1"))
        self.assertIsNotNone(self.through(server.port, "192.0.2.2"))
        first.close()
        wait_for(lambda: self.through(server.port, "192.0.2.1"), "the place")


class Lines(LimitCase):
    """Of one source few failures are logged, and the others counted."""

    def test_refused(self):
        server = self.server("echo:", "--denyfrom", "127.0.0.1")
        # One that waits to be accepted when all ends is counted by nobody.
        for _ in range(60):
            c = self.knock(server.port)
            self.assertEqual(outcome(c) if c else (b"", "reset"), (b"", "reset"))
        self.knock(server.port, "127.0.0.2").close()
        server.wait_log(r"refused connection from 127\.0\.0\.1", count=10)
        server.stop()
        said = len(re.findall(r"refused connection from 127\.0\.0\.1:", server.log))
        counted = sum(map(int, re.findall(
            r"LOG5\[main\]: Service \[server\] (\d+) more connections from 127\.0\.0\.1 failed or "
            r"were refused within 10 seconds", server.log)))
        self.assertEqual(said + counted, 60, server.log)
        self.assertGreater(counted, 0)

    def test_failed_handshakes(self):
        server = self.server("echo:")
        for _ in range(60):
            c = self.from_address(server.port)
            c.sendall(b"GET / HTTP/1.0\r\n\r\n")
            outcome(c)
            c.close()
        # One that works has its line, although it is of the same source.
        self.tunnel(server.port).close()
        server.wait_log(r"LOG6\[\d+\]: Service \[server\] .* -> echo:")
        # The count comes by itself.
        server.wait_log(r"\d+ more connections from 127\.0\.0\.1 failed")
        server.stop()
        said = len(re.findall(r"TLS handshake failed while .*plain HTTP", server.log))
        counted = sum(map(int, re.findall(r"(\d+) more connections from 127", server.log)))
        self.assertEqual(said + counted, 60, server.log)


    def test_failed_handshakes_in_stunnels_words(self):
        """Neither are such connections announced, as long as others of the source fail."""
        path = self.path("sluss.conf")
        with open(path, "w") as f:
            f.write("foreground = yes\nsyslog = no\n[s]\ncert = %s\ninsecure = yes\n"
                    "accept = 127.0.0.1:0\nconnect = echo:\n" % self.pem("server"))
        server = self.own(Sluss(path))
        for _ in range(60):
            c = self.from_address(server.port)
            c.sendall(b"GET / HTTP/1.0\r\n\r\n")
            outcome(c)
            c.close()
        good = self.tunnel(server.port)
        name = "127.0.0.1:%d" % good.sock.getsockname()[1]
        good.close()
        server.wait_log(r"LOG5\[60\]: Service \[s\] accepted connection from %s$" % name)
        server.wait_log(r"LOG5\[60\]: Connection ")
        failed = [len(re.findall(word, server.log)) for word in
                  ("LOG3.*SSL_accept: ", "accepted connection from", "Connection reset: 0 byte")]
        for n in failed:
            self.assertGreaterEqual(n, 10, server.log)
            self.assertLess(n, 55, server.log)


class Crowd(LimitCase):
    def test_silent_clients_make_room(self):
        """All tunnels taken by 1000 strangers that say nothing, with stunnel's patience of
        300 seconds: good clients come through, those that are there stay."""
        server = self.server("echo:", "--maxtunnels", 400, "--timeoutbusy", 300)
        base = self.baseline(server)
        early = self.tunnel(server.port)
        silent = [self.from_address(server.port) for _ in range(1000)]
        good = [self.tunnel(server.port) for _ in range(3)]
        self.assertNotIn(None, good)
        server.wait_log("dropped to make room, its handshake unfinished")
        early.sendall(b"still here")
        self.assertEqual(early.read_exactly(10), b"still here")
        for c in silent + good + [early]:
            c.close()
        self.back_to(server, base)

    def test_clients_of_ours_are_no_strangers(self):
        """A client's tunnels wait for their server, however many there are."""
        backend = self.backend(lambda c: c.recv(1 << 16) and c.recv(1))
        client = self.client(backend.target, "--maxtunnels", 5, "--timeoutbusy", 300)
        waiting = [self.from_address(client.port) for _ in range(6)]
        wait_for(lambda: backend.count == 5, "five to have begun")
        time.sleep(3)
        self.assertNotIn("dropped to make room", client.log)
        self.assertEqual(backend.count, 5)
        for c in waiting:
            c.close()


if __name__ == "__main__":
    harness.main()
