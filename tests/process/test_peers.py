#!/usr/bin/env python3
"""Other programs that speak TLS, each on either side of ours: openssl, socat, stunnel
and GnuTLS, over IPv4 and IPv6, with TLS 1.2 and 1.3, and the socat recipe that sluss
replaces.

Each transfer must be byte-exact, both sides must see its end as an end, and our log
must call it closed.  Both sides verify each other's certificate.
"""

import functools
import os
import random
import socket
import subprocess
import threading

import harness
from harness import Case, Program, SANITIZER, echo, need, outcome, recv_exactly, run, wait_for

SIZE = (1 if SANITIZER else 3) << 20
HOSTS = ("127.0.0.1", "[::1]")
VERSIONS = ("TLSv1.2", "TLSv1.3")

# What the log says when both sides ended properly, by TLS version.
CLOSED = {"TLSv1.2": r': closed; TLSv1\.2 TLS_ECDHE_\w+ \w+; peer "',
          "TLSv1.3": r': closed; TLSv1\.3 TLS_\w+ \w+; peer "'}


def some_bytes(n, seed=1):
    return random.Random(seed).randbytes(n)


def bare(host):
    """The host without the brackets of an IPv6 address."""
    return host.strip("[]")


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def hosts():
    """The loopback addresses to test on."""
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
    except OSError:
        harness.skip("this machine has no IPv6")
    return HOSTS


def listening_port(program, host):
    """The port of a program that was told to listen on port 0, once it listens."""
    table = "/proc/net/tcp6" if family(host) == socket.AF_INET6 else "/proc/net/tcp"

    def find():
        if not program.alive():
            raise AssertionError("%s ended:\n%s" % (program.argv, program.log))
        mine = set()
        for fd in os.listdir("/proc/%d/fd" % program.pid):
            try:
                mine.add(os.readlink("/proc/%d/fd/%s" % (program.pid, fd)))
            except FileNotFoundError:
                pass  # closed meanwhile
        with open(table) as f:
            for row in list(f)[1:]:
                column = row.split()
                if column[3] == "0A" and "socket:[%s]" % column[9] in mine:
                    return int(column[1].rsplit(":", 1)[1], 16)
        return None
    return wait_for(find, "%s to listen" % program.argv)


class Ends:
    """Handlers for a Backend that keep what arrived and how it ended."""

    def __init__(self):
        self.seen = []

    def keep(self, c):
        self.seen.append(outcome(c))

    def first(self):
        wait_for(lambda: self.seen, "the end at the service")
        return self.seen[0]

    def echo_exactly(self, n):
        """Sends back n bytes, then is the first to end."""
        def handler(c):
            for _ in range(0, n, 65536):
                c.sendall(recv_exactly(c, min(n, 65536)))
            c.shutdown(socket.SHUT_WR)
            self.seen.append(outcome(c))
        return handler


def everywhere(test):
    """Makes a test one of subtests, for each loopback address and TLS version."""
    @functools.wraps(test)
    def wrapped(self):
        for host in hosts():
            for version in VERSIONS:
                with self.subTest(host=host, version=version):
                    test(self, host, version)
    return wrapped


class PeerCase(Case):
    def ended(self, program, version, to_tls, from_tls):
        """Our log says "closed", with the right version and byte counts."""
        line = program.ends(CLOSED[version] + r".*bytes from TLS").string
        self.assertIn("; %d bytes to TLS, %d bytes from TLS; " % (to_tls, from_tls), line)

    def exchange(self, port, data, expected):
        """As a plain client: sends data and an end, and must get what is expected and
        an end."""
        c = self.own(harness.connect(port))

        def send():
            c.sendall(data)
            c.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        got, how = outcome(c)
        sender.join(harness.PATIENCE)
        self.assertEqual(how, "eof")
        self.same(got, expected)

    def same(self, got, expected):
        """Equal bytes; megabytes of difference would help nobody."""
        self.assertEqual(len(got), len(expected))
        self.assertTrue(got == expected, "same length, other bytes")

    def program(self, *argv, **kw):
        return self.own(Program(argv, **kw))

    def succeeds(self, program):
        self.assertEqual(program.wait(), 0, program.log)


class OpenSSL(PeerCase):
    VERSION = {"TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}

    def s_client(self, port, host, version, data, *more):
        return run(need("openssl"), "s_client", "-quiet", "-nocommands", self.VERSION[version],
                   "-connect", "%s:%d" % (host, port), "-cert", self.pem("client"),
                   "-CAfile", self.crt("server"), "-verify_return_error", *more, input=data)

    def s_server(self, host, version, *more, **kw):
        return self.program(need("openssl"), "s_server", self.VERSION[version], "-naccept", "1",
                            "-accept", host + ":0", "-cert", self.pem("server"),
                            "-CAfile", self.crt("client"), "-Verify", "1",
                            "-verify_return_error", *more, **kw)

    @everywhere
    def test_s_client_service_ends(self, host, version):
        """s_client gets all it sent back, then the end from the service behind us."""
        data = some_bytes(SIZE)
        ends = Ends()
        server = self.server(self.backend(ends.echo_exactly(SIZE)).target,
                             accept=host + ":0")
        self.same(self.s_client(server.port, host, version, data).stdout, data)
        self.ended(server, version, SIZE, SIZE)
        self.assertEqual(ends.first(), (b"", "eof"))

    @everywhere
    def test_s_client_ends(self, host, version):
        """s_client sends, then ends: the service sees every byte and the end."""
        data = some_bytes(SIZE)
        ends = Ends()
        server = self.server(self.backend(ends.keep).target, accept=host + ":0")
        self.s_client(server.port, host, version, data, "-no_ign_eof")
        self.ended(server, version, 0, SIZE)
        got, how = ends.first()
        self.assertEqual(how, "eof")
        self.same(got, data)

    @everywhere
    def test_s_server_client_ends(self, host, version):
        """Our plain client sends, then ends: s_server prints every byte and ends too."""
        data = some_bytes(SIZE)
        with open(self.path("printed"), "wb") as printed:
            peer = self.s_server(host, version, "-quiet", stdin=subprocess.PIPE,
                                 stdout=printed)
        client = self.client("%s:%d" % (host, listening_port(peer, host)))
        self.exchange(client.port, data, b"")
        self.succeeds(peer)
        self.ended(client, version, SIZE, 0)
        with open(self.path("printed"), "rb") as printed:
            self.same(printed.read(), data)

    @everywhere
    def test_s_server_ends(self, host, version):
        """s_server sends a file, then ends: our plain client gets it and the end."""
        data = some_bytes(SIZE)
        with open(self.path("file"), "wb") as f:
            f.write(data)
        request = b"GET /file HTTP/1.0\r\n\r\n"
        peer = self.s_server(host, version, "-HTTP", cwd=self.dir)
        client = self.client("%s:%d" % (host, listening_port(peer, host)))
        self.exchange(client.port, request, data)
        self.succeeds(peer)
        self.ended(client, version, len(request), SIZE)

    def test_s_client_stranger(self):
        """s_client with a certificate that is not the peer's is refused by name."""
        backend = self.backend(echo)
        server = self.server(backend.target)
        for version in VERSIONS:
            with self.subTest(version=version):
                done = run(need("openssl"), "s_client", "-quiet", self.VERSION[version],
                           "-connect", "127.0.0.1:%d" % server.port,
                           "-cert", self.pem("stranger"), check=False, input=b"")
                self.assertIn("alert", done.err)
        server.ends(r"peer refused.*CN=stranger", count=2)
        self.assertEqual(backend.count, 0)


class Socat(PeerCase):
    VERSION = {"TLSv1.2": "TLS1.2", "TLSv1.3": "TLS1.3"}

    def options(self, version, identity, trust):
        return ("cert=%s,cafile=%s,verify=1,openssl-min-proto-version=%s,"
                "openssl-max-proto-version=%s" % (self.pem(identity), self.crt(trust),
                                                  self.VERSION[version], self.VERSION[version]))

    @everywhere
    def test_socat_connects(self, host, version):
        """socat sends and ends, and still gets back all it sent."""
        data = some_bytes(SIZE)
        server = self.server(self.backend(echo).target, accept=host + ":0")
        done = run(need("socat"), "-t", "30", "STDIO", "OPENSSL-CONNECT:%s:%d,%s,cn=localhost" % (
            host, server.port, self.options(version, "client", "server")), input=data)
        self.same(done.stdout, data)
        self.ended(server, version, SIZE, SIZE)

    @everywhere
    def test_socat_listens(self, host, version):
        """Our plain client sends and ends, and gets back all it sent from socat."""
        data = some_bytes(SIZE)
        backend = self.backend(echo)
        peer = self.program(need("socat"), "-t", "30", "OPENSSL-LISTEN:0,pf=%s,bind=%s,%s" % (
            "ip6" if ":" in host else "ip4", host,
            self.options(version, "server", "client")), "TCP:" + backend.target)
        client = self.client("%s:%d" % (host, listening_port(peer, host)))
        self.exchange(client.port, data, data)
        self.succeeds(peer)
        self.ended(client, version, SIZE, SIZE)


class Stunnel(PeerCase):
    # How stunnel is told to trust the CAfile.
    VERIFY = ("verifyChain", "verifyPeer")

    def stunnel(self, host, **options):
        """stunnel with one service; yields it and the port where it listens."""
        text = "foreground = yes\npid =\nsyslog = no\ndebug = info\n[test]\n"
        text += "".join("%s = %s\n" % o for o in options.items())
        with open(self.path("stunnel.conf"), "w") as f:
            f.write(text)
        peer = self.program(need("stunnel4"), self.path("stunnel.conf"))
        return peer, listening_port(peer, host)

    @everywhere
    def test_stunnel_client(self, host, version):
        """A plain client behind stunnel ends first, and gets everything from ours."""
        data = some_bytes(SIZE)
        for verify in self.VERIFY:
            server = self.server(self.backend(echo).target, accept=host + ":0")
            peer, port = self.stunnel(
                "127.0.0.1", client="yes", accept="127.0.0.1:0",
                connect="%s:%d" % (bare(host), server.port), cert=self.pem("client"),
                CAfile=self.crt("server"), sslVersion=version, **{verify: "yes"})
            self.exchange(port, data, data)
            self.ended(server, version, SIZE, SIZE)
            peer.wait_log(r"Connection closed: %d byte\(s\) sent to TLS" % SIZE)
            peer.stop()

    @everywhere
    def test_stunnel_server(self, host, version):
        """Our plain client ends first, and gets everything from behind stunnel."""
        data = some_bytes(SIZE)
        backend = self.backend(echo)
        for verify in self.VERIFY:
            peer, port = self.stunnel(
                host, accept="%s:0" % bare(host), connect=backend.target,
                cert=self.pem("server"), CAfile=self.crt("client"), sslVersion=version,
                **{verify: "yes"})
            client = self.client("%s:%d" % (host, port))
            self.exchange(client.port, data, data)
            self.ended(client, version, SIZE, SIZE)
            peer.wait_log(r"Connection closed: %d byte\(s\) sent to TLS" % SIZE)
            peer.stop()

    def test_stunnel_service_ends(self):
        """The service ends first: the end passes ours, then stunnel, both ways round."""
        data = some_bytes(SIZE)
        for version in VERSIONS:
            with self.subTest(version=version):
                ends = Ends()
                backend = self.backend(ends.echo_exactly(SIZE))
                server = self.server(backend.target)
                far, port = self.stunnel(
                    "127.0.0.1", client="yes", accept="127.0.0.1:0",
                    connect="127.0.0.1:%d" % server.port, cert=self.pem("client"),
                    CAfile=self.crt("server"), sslVersion=version, verifyPeer="yes")
                near, behind = self.stunnel(
                    "127.0.0.1", accept="127.0.0.1:0", connect="127.0.0.1:%d" % port,
                    cert=self.pem("server"), CAfile=self.crt("client"), sslVersion=version,
                    verifyPeer="yes")
                client = self.client("127.0.0.1:%d" % behind)
                c = self.own(harness.connect(client.port))
                threading.Thread(target=c.sendall, args=(data,), daemon=True).start()
                got, how = outcome(c)
                c.shutdown(socket.SHUT_WR)
                self.assertEqual(how, "eof")
                self.same(got, data)
                self.ended(server, version, SIZE, SIZE)
                self.ended(client, version, SIZE, SIZE)
                self.assertEqual(ends.first(), (b"", "eof"))
                far.stop()
                near.stop()

    def test_stunnel_refuses_stranger(self):
        """stunnel refuses us: our log has its alert, the plain client no clean end."""
        for version in VERSIONS:
            with self.subTest(version=version):
                backend = self.backend(echo)
                peer, port = self.stunnel(
                    "127.0.0.1", accept="127.0.0.1:0", connect=backend.target,
                    cert=self.pem("server"), CAfile=self.crt("stranger"), sslVersion=version,
                    verifyPeer="yes")
                client = self.client("127.0.0.1:%d" % port)
                c = self.own(harness.connect(client.port))
                self.assertEqual(outcome(c), (b"", "reset"))
                client.ends(r"(refused by peer|handshake failed).*alert received")
                self.assertEqual(backend.count, 0)
                peer.stop()


class GnuTLS(PeerCase):
    # GnuTLS's tools are made for lines that a human types.
    SIZE = 256 << 10
    PRIORITY = {"TLSv1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2",
                "TLSv1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3"}

    def lines(self):
        return some_bytes(self.SIZE // 2).hex("\n", 32).encode() + b"\n"

    @everywhere
    def test_gnutls_cli(self, host, version):
        """gnutls-cli sends and ends, and still gets back all it sent."""
        data = self.lines()
        server = self.server(self.backend(echo).target, accept=host + ":0")
        done = run(need("gnutls-cli"), "--x509certfile", self.pem("client"),
                   "--x509keyfile", self.pem("client"), "--x509cafile", self.crt("server"),
                   "--verify-hostname", "localhost", "--priority", self.PRIORITY[version],
                   "--logfile", self.path("gnutls.log"), "--port", str(server.port),
                   bare(host), input=data)
        self.same(done.stdout, data)
        self.ended(server, version, len(data), len(data))

    @everywhere
    def test_gnutls_serv(self, host, version):
        """Our plain client sends and ends, and gets back all it sent from gnutls-serv."""
        data = self.lines()
        peer = self.program(need("gnutls-serv"), "--echo", "--port", "0", "--quiet",
                            "--x509certfile", self.pem("server"),
                            "--x509keyfile", self.pem("server"),
                            "--x509cafile", self.crt("client"), "--require-client-cert",
                            "--verify-client-cert", "--priority", self.PRIORITY[version])
        client = self.client("%s:%d" % (host, listening_port(peer, host)))
        self.exchange(client.port, data, data)
        self.ended(client, version, len(data), len(data))
        peer.kill()


class OldRecipe(PeerCase):
    """Certificates of "openssl req -x509" and two socat commands, one of which is ours."""

    KEYS = {"RSA-2048": ["-newkey", "rsa:2048"],
            "EC": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}
    USES = {"CA:TRUE": [], "CA:FALSE": ["-addext", "basicConstraints=critical,CA:FALSE"]}
    TEXT = b"the old recipe\n" * 100

    def recipe(self, name, *options, key_first=True):
        """NAME.pem with key and certificate, NAME.crt with the certificate."""
        key, crt, pem = (self.path(name + end) for end in (".key", ".crt", ".pem"))
        run(need("openssl"), "req", "-x509", "-nodes", "-keyout", key, "-out", crt,
            "-days", "30", "-subj", "/CN=localhost", *options)
        with open(pem, "wb") as out:
            os.chmod(pem, 0o600)
            for part in (key, crt) if key_first else (crt, key):
                with open(part, "rb") as f:
                    out.write(f.read())

    def each_recipe(self, test):
        """Runs test(host) as subtests: with each kind of certificate, both orders in the
        PEM file, and each loopback address."""
        for kind, key in self.KEYS.items():
            for use, extension in self.USES.items():
                for key_first in (True, False):
                    for name in ("server", "client"):
                        self.recipe(name, *key, *extension, key_first=key_first)
                    for host in hosts():
                        with self.subTest(kind=kind, use=use, key_first=key_first, host=host):
                            test(host)

    def socat_options(self, identity, trust):
        return "cert=%s,cafile=%s,verify=1" % (self.path(identity + ".pem"),
                                               self.path(trust + ".crt"))

    def trusting(self, name):
        """The two ways to trust a recipe's certificate, as our options."""
        return (["--peer", self.path(name + ".crt")],
                ["--cafile", self.path(name + ".crt"), "--checkhost", "localhost"])

    def test_recipe_socat_listens(self):
        """socat OPENSSL-LISTEN … PIPE, our client on stdio."""
        def test(host):
            for trust in self.trusting("server"):
                peer = self.program(need("socat"), "OPENSSL-LISTEN:0,pf=%s,%s" % (
                    "ip6" if ":" in host else "ip4", self.socat_options("server", "client")),
                    "PIPE")
                done = run(harness.SLUSS, "client", "--accept", "-",
                           "--connect", "%s:%d" % (host, listening_port(peer, host)),
                           "--cert", self.path("client.pem"), *trust, input=self.TEXT)
                self.assertEqual(done.stdout, self.TEXT)
                self.assertRegex(done.err, CLOSED["TLSv1.3"])
                self.succeeds(peer)
        self.each_recipe(test)

    def test_recipe_socat_connects(self):
        """socat STDIO OPENSSL-CONNECT …, our server with an echo."""
        def test(host):
            for trust in self.trusting("client"):
                server = self.own(harness.Sluss(
                    "server", "--accept", host + ":0", "--connect", "echo:",
                    "--cert", self.path("server.pem"), *trust))
                done = run(need("socat"), "STDIO", "OPENSSL-CONNECT:%s:%d,%s,cn=localhost" % (
                    host, server.port, self.socat_options("client", "server")),
                    input=self.TEXT)
                self.assertEqual(done.stdout, self.TEXT)
                self.ended(server, "TLSv1.3", len(self.TEXT), len(self.TEXT))
                self.assertEqual(server.stop(), 0, server.log)
        self.each_recipe(test)

    def test_recipe_host_name(self):
        """With --cafile alone our client expects the name of the host it connects to,
        which the recipe puts into the CN."""
        self.recipe("server", *self.KEYS["EC"])
        self.recipe("client", *self.KEYS["EC"])
        for host, status in (("localhost", 0), ("127.0.0.1", 2)):
            with self.subTest(host=host):
                peer = self.program(need("socat"), "OPENSSL-LISTEN:0,pf=ip4,bind=127.0.0.1,%s" %
                                    self.socat_options("server", "client"), "PIPE")
                done = run(harness.SLUSS, "client", "--accept", "-", "--connect",
                           "%s:%d" % (host, listening_port(peer, "127.0.0.1")),
                           "--cert", self.path("client.pem"),
                           "--cafile", self.path("server.crt"), input=self.TEXT, check=False)
                self.assertEqual(done.returncode, status, done.err)
                if status == 0:
                    self.assertEqual(done.stdout, self.TEXT)
                else:
                    self.assertEqual(done.stdout, b"")
                    self.assertRegex(done.err, r"names another host.*127\.0\.0\.1")

    # The recipe of old web pages, and what the message must say about it.
    WEAK = {"RSA-1024": (["-newkey", "rsa:1024"], r"RSA key has 1024 bits"),
            "SHA-1": (["-newkey", "rsa:2048", "-sha1"], r"signed with RSA with SHA-1")}

    def test_recipe_weak_refused(self):
        """A weak certificate, ours or the peer's, is refused at start: the message names
        the file, says why and what to run instead; the exit status is 1."""
        for name, (options, why) in self.WEAK.items():
            self.recipe("weak", *options)
            weak = {end: self.path("weak" + end) for end in (".pem", ".crt")}
            for command, target in (("server", "echo:"), ("client", "127.0.0.1:1")):
                for cert, peer in ((weak[".pem"], self.crt("client")),
                                   (self.pem("server"), weak[".crt"])):
                    with self.subTest(weak=name, command=command, cert=cert, peer=peer):
                        done = run(harness.SLUSS, command, "--accept", "127.0.0.1:0",
                                   "--connect", target, "--cert", cert, "--peer", peer,
                                   check=False)
                        self.assertEqual(done.returncode, 1, done.err)
                        self.assertRegex(done.err, r"weak\.(pem|crt): .*%s.*\"sluss keygen\""
                                         % why)
                        self.assertNotIn("bound to", done.err)

    def test_recipe_weak_peer_refused(self):
        """The same where the weak certificate was named with --cafile, as the recipe names
        it: who shows it is refused, and the log says why and what to run instead."""
        backend = self.backend(echo)
        for name, (options, why) in self.WEAK.items():
            self.recipe("weak", *options)
            server = self.own(harness.Sluss(
                "server", "--accept", "127.0.0.1:0", "--connect", backend.target,
                "--cert", self.pem("server"), "--cafile", self.path("weak.crt")))
            for version, flag in OpenSSL.VERSION.items():
                with self.subTest(weak=name, version=version):
                    done = run(need("openssl"), "s_client", "-quiet", flag, "-connect",
                               "127.0.0.1:%d" % server.port, "-cert", self.path("weak.pem"),
                               "-cipher", "DEFAULT@SECLEVEL=0", input=b"", check=False)
                    self.assertIn("alert", done.err)
            with self.subTest(weak=name, message=why):
                for n in (1, 2):
                    line = server.ends(r"peer refused.*" + why, count=n).string
                    self.assertIn('"sluss keygen"', line)
        self.assertEqual(backend.count, 0)


if __name__ == "__main__":
    harness.main()
