"""The configuration taken anew: SIGHUP, and files that change."""

import os
import re
import resource
import shutil
import signal
import socket
import ssl
import threading
import time

import certs
import test_revocation as revocation
from harness import (BOUND, PATIENCE, SANITIZER, SLUSS, Case, Sluss, TlsWire, connect, echo, main,
                     need, recv_exactly, run, skip, wait_for)

DONE = r"LOG5\[main\]: Configuration reloaded"
FAILED = r"LOG3\[main\]: Reload failed, the old configuration stays: "


def reload(program):
    """Sends SIGHUP and waits for the outcome; the line."""
    before = len(outcomes(program))
    program.process.send_signal(signal.SIGHUP)
    return wait_for(lambda: outcomes(program)[before:], "a reload in\n" + program.log)[0]


def outcomes(program):
    return [l for l in list(program.lines)
            if "Configuration reloaded" in l or "Reload failed" in l or "Reload ignored" in l]


class Reload(Case):
    def setUp(self):
        super().setUp()
        self.target = self.backend(echo)

    def identity(self, name, *more):
        """Makes an identity NAME.pem, NAME.crt in the test's folder."""
        run(SLUSS, "keygen", self.path(name), "--dns", "localhost", *more)
        return self.path(name + ".pem")

    def place(self, source, name):
        """Puts a copy of a file under the name, by an atomic rename."""
        shutil.copy(source, self.path(name + ".new"))
        os.rename(self.path(name + ".new"), self.path(name))
        return self.path(name)

    def read(self, path):
        with open(path) as f:
            return f.read()

    def assert_reloaded(self, program):
        self.assertRegex(reload(program), DONE)

    def assert_fails(self, program, why):
        self.assertRegex(reload(program), FAILED + why)

    def talk(self, tls, text=b"hello"):
        tls.write(text)
        self.assertEqual(tls.read_exactly(len(text)), text)

    def shown(self, port, **kw):
        """The certificate that a server shows, in DER."""
        tls = self.tls(port, **kw)
        self.talk(tls)
        tls.close()
        return tls.tls.getpeercert(True)

    def der(self, name):
        with open(self.path(name + ".crt")) as f:
            return ssl.PEM_cert_to_DER_cert(f.read())


class Commands(Reload):
    """sluss server and client read the files of their command line again."""

    def context(self, trust="server", **kw):
        ctx = super().context(trust="server", **kw)
        for name in ("one", "two"):
            if os.path.exists(self.path(name + ".crt")):
                ctx.load_verify_locations(self.path(name + ".crt"))
        return ctx

    def test_certificate(self):
        one, two = self.identity("one"), self.identity("two")
        live = self.place(one, "live.pem")
        server = self.server(self.target.target, "--cert", live)
        old = self.tls(server.port)
        self.assertEqual(self.shown(server.port), self.der("one"))
        base = None
        for i in range(4):
            self.place(two if i % 2 == 0 else one, "live.pem")
            self.assert_reloaded(server)
            self.assertEqual(self.shown(server.port), self.der("two" if i % 2 == 0 else "one"))
            self.talk(old)
            base = base or self.baseline(server)
        self.back_to(server, base)

    def test_peers(self):
        self.identity("one")
        trusted = self.place(self.crt("client"), "peers.crt")
        server = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect",
                                self.target.target, "--cert", self.pem("server"),
                                "--peer", trusted, "--debug", "info"))
        old = self.tls(server.port)
        self.talk(old)
        self.place(self.path("one.crt"), "peers.crt")
        self.assert_reloaded(server)
        # Who is in is judged anew, and who comes now.
        server.wait_log(r"denied: .*has the fingerprint")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            old.read()
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.shown(server.port)
        ctx = self.context(identity=None)
        ctx.load_cert_chain(self.path("one.pem"))
        wire = self.own(connect(server.port))
        with ctx.wrap_socket(wire, server_hostname="localhost") as tls:
            tls.sendall(b"x")
            self.assertEqual(tls.recv(1), b"x")

    def test_broken_files(self):
        one, two = self.identity("one"), self.identity("two")
        live = self.place(one, "live.pem")
        server = self.server(self.target.target, "--cert", live)
        base = self.baseline(server)
        text = self.read(one)
        half = text[:len(text) // 2]
        for bad, why in ((None, "live.pem"), ("", "live.pem"), (half, "live.pem"),
                         ("-----BEGIN NONSENSE-----\n", "live.pem")):
            if bad is None:
                os.unlink(live)
            else:
                with open(live, "w") as f:
                    f.write(bad)
            for _ in range(2):
                self.assert_fails(server, ".*" + why)
                self.assertEqual(self.shown(server.port), self.der("one"))
        self.place(two, "live.pem")
        self.assert_reloaded(server)
        self.assertEqual(self.shown(server.port), self.der("two"))
        self.back_to(server, base)

    def test_key_of_another_certificate(self):
        self.identity("one"), self.identity("two")
        cert = self.place(self.path("one.crt"), "live.crt")
        key = self.place(self.path("one.pem"), "live.key")
        server = self.server(self.target.target, "--cert", cert, "--key", key)
        self.place(self.path("two.crt"), "live.crt")
        self.assert_fails(server, ".*live.key.*")
        self.assertEqual(self.shown(server.port), self.der("one"))
        self.place(self.path("two.pem"), "live.key")
        self.assert_reloaded(server)
        self.assertEqual(self.shown(server.port), self.der("two"))

    def test_client_takes_its_files_anew(self):
        one = self.identity("one")
        peer = self.place(self.crt("stranger"), "peer.crt")
        server = self.server(self.target.target, "--cert", one)
        client = self.client("127.0.0.1:%d" % server.port, "--peer", peer, "--debug", "info")
        plain = self.own(connect(client.port))
        client.ends("none of the peer certificates")
        plain.close()
        self.place(self.path("one.crt"), "peer.crt")
        self.assert_reloaded(client)
        plain = self.own(connect(client.port))
        plain.sendall(b"hello")
        self.assertEqual(recv_exactly(plain, 5), b"hello")

    def test_unix_socket(self):
        path = self.path("socket")
        client = self.own(Sluss("client", "--accept", path, "--connect", "127.0.0.1:1",
                                "--cert", self.pem("client"), "--peer", self.crt("server")))
        made = os.stat(path).st_ino
        self.assert_reloaded(client)
        self.assertEqual(os.stat(path).st_ino, made)
        # Somebody removed the file: nobody could come, so a new one is made.
        os.unlink(path)
        self.assert_reloaded(client)
        c = socket.socket(socket.AF_UNIX)
        c.connect(path)
        c.close()
        self.assertEqual(client.stop(), 0)
        self.assertFalse(os.path.exists(path))

    def test_only_tunnel(self):
        """A tunnel on stdio has nothing to take anew; and it lives on."""
        server = self.server(self.target.target)
        client = self.client("127.0.0.1:%d" % server.port, accept="-", stdin=-1, stdout=-1)
        client.process.stdin.write(b"x")
        client.process.stdin.flush()
        self.assertEqual(client.process.stdout.read(1), b"x")
        self.assertIn("Reload ignored", reload(client))
        client.process.stdin.close()
        self.assertEqual(client.wait(), 0)


class Configured(Reload):
    """What tests of sluss CONFIG share."""

    def setUp(self):
        super().setUp()
        self.peer = self.identity("one")
        self.identity("two")

    def section(self, name, accept, connect=None, cert="one"):
        return ["[%s]" % name, "accept = %s" % accept,
                "connect = %s" % (connect or self.target.target),
                "cert = %s" % self.path(cert + ".pem"), "insecure = yes"]

    def write(self, *sections, head=()):
        lines = ["foreground = yes", "syslog = no", "reloadOnChange = no"] + list(head)
        for s in sections:
            lines += s
        with open(self.path("conf.new"), "w") as f:
            f.write("\n".join(lines) + "\n")
        os.rename(self.path("conf.new"), self.path("conf"))

    def serve(self, *sections, **kw):
        self.write(*sections, **kw)
        return self.own(Sluss(self.path("conf")))

    def ports(self, program):
        """Where each service was bound last."""
        return {m.group(1): int(m.group(3).rsplit(":", 1)[1])
                for m in map(BOUND.search, list(program.lines)) if m and "unix" not in m.group(3)}

    def anyone(self):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_NONE
        return ctx

    def visit(self, port):
        """Whom one meets there: the certificate in DER; the tunnel works."""
        with self.anyone().wrap_socket(connect(port)) as tls:
            tls.sendall(b"hello")
            self.assertEqual(tls.recv(5), b"hello")
            return tls.getpeercert(True)

    def refused(self, port):
        try:
            connect(port).close()
        except ConnectionRefusedError:
            return True
        return False


class Files(Configured):
    """sluss CONFIG."""

    def test_listeners_come_and_go(self):
        sluss = self.serve(self.section("a", "127.0.0.1:0"), self.section("b", "127.0.0.1:0"))
        first = self.ports(sluss)
        base = self.baseline(sluss)
        tls = self.anyone().wrap_socket(self.own(connect(first["a"])))
        tls.sendall(b"1")
        self.assertEqual(tls.recv(1), b"1")
        for _ in range(3):
            self.write(self.section("b", "127.0.0.1:0"), self.section("c", "127.0.0.1:0"))
            self.assert_reloaded(sluss)
            ports = self.ports(sluss)
            self.assertEqual(ports["b"], first["b"])
            self.assertTrue(self.refused(ports["a"]))
            self.visit(ports["b"])
            self.visit(ports["c"])
            # The tunnel of a service that is gone goes on.
            tls.sendall(b"2")
            self.assertEqual(tls.recv(1), b"2")
            self.write(self.section("a", "127.0.0.1:0"), self.section("b", "127.0.0.1:0"))
            self.assert_reloaded(sluss)
            self.assertTrue(self.refused(ports["c"]))
            self.visit(self.ports(sluss)["a"])
        tls.close()
        self.back_to(sluss, base)
        self.assertEqual(self.ports(sluss)["b"], first["b"])
        self.assertEqual(sum("[b]" in l and "bound to" in l for l in sluss.lines), 1)

    def test_sections_of_one_name(self):
        """Each one's tunnels are judged by its own rules."""
        def section(peer):
            return ["[a]", "accept = 127.0.0.1:0", "connect = " + self.target.target,
                    "cert = " + self.path("one.pem"), "profile = strict",
                    "peer = " + self.path(peer + ".crt")]

        def client(name, port):
            ctx = self.anyone()
            ctx.load_cert_chain(self.path(name + ".pem"))
            tls = self.own(ctx.wrap_socket(connect(port)))
            tls.sendall(b"1")
            self.assertEqual(tls.recv(1), b"1")
            return tls

        self.identity("three")
        sluss = self.serve(section("one"), section("two"))
        ports = [int(m.group(3).rsplit(":", 1)[1])
                 for m in map(BOUND.search, list(sluss.lines)) if m]
        first, second = client("one", ports[0]), client("two", ports[1])
        self.assert_reloaded(sluss)
        self.write(section("three"), section("two"))
        self.assert_reloaded(sluss)
        sluss.wait_log(r"denied: .*has the fingerprint")
        self.assertEqual(sum("denied:" in l for l in sluss.lines), 1)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            if first.recv(1) == b"":
                raise ConnectionError
        second.sendall(b"2")
        self.assertEqual(second.recv(1), b"2")

    def test_an_address_changes_hands(self):
        """A listener that stays serves what the new file says: another section, by port."""
        sluss = self.serve(self.section("a", "127.0.0.1:0"))
        port = self.ports(sluss)["a"]
        self.assertEqual(self.visit(port), self.der("one"))
        self.write(self.section("b", "127.0.0.1:%d" % port, cert="two"))
        self.assert_reloaded(sluss)
        self.assertEqual(self.visit(port), self.der("two"))

    def test_addresses_that_overlap(self):
        """From every address to one and back, at the same port, under load."""
        sluss = self.serve(self.section("a", "0.0.0.0:0"))
        port = self.ports(sluss)["a"]
        base = self.baseline(sluss)
        knock = Knock(port, self.anyone())
        for accept in ("127.0.0.1", "0.0.0.0", "127.0.0.1", "*", "127.0.0.1"):
            self.write(self.section("a", "%s:%d" % (accept, port)))
            self.assert_reloaded(sluss)
        # An address more must not make room for what a start would refuse.
        self.write(self.section("a", "127.0.0.1:%d" % port), self.section("b", "0.0.0.0:%d" % port))
        self.assert_fails(sluss, "Binding service .b. to .*in use")
        self.write(self.section("b", "0.0.0.0:%d" % port), self.section("a", "127.0.0.1:%d" % port))
        self.assert_fails(sluss, "Binding service .a. to .*in use")
        good, bad = knock.end()
        self.assertEqual(bad, [])
        self.assertGreater(good, 0)
        self.back_to(sluss, base)

    def test_all_or_nothing(self):
        """What cannot be bound, or is wrong, leaves everything as it was."""
        taken = self.own(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        sluss = self.serve(self.section("a", "127.0.0.1:0"))
        port = self.ports(sluss)["a"]
        base = self.baseline(sluss)
        changed = self.section("a", "127.0.0.1:0", cert="two")
        for more, why in (
                (self.section("b", "127.0.0.1:%d" % taken), "Binding service .b. to .*in use"),
                (["[b]", "accept = 1", "connct = 2"], "Configuration failed"),
                (["[b]", "accept = 127.0.0.1:0"], "Configuration failed"),
                (self.section("b", "127.0.0.1:0", cert="nothing"), ".*nothing.pem")):
            self.write(changed, self.section("new", "127.0.0.1:0"), more)
            for _ in range(2):
                self.assert_fails(sluss, why)
                self.assertEqual(self.visit(port), self.der("one"))
        self.assertEqual(list(self.ports(sluss)), ["a"])
        os.unlink(self.path("conf"))
        self.assert_fails(sluss, "Configuration failed")
        self.write(changed)
        self.assert_reloaded(sluss)
        self.assertEqual(self.visit(port), self.der("two"))
        self.back_to(sluss, base)

    def test_from_a_descriptor(self):
        """What came through -fd is not to be had again: it stays."""
        self.write(self.section("a", "127.0.0.1:0"))
        with open(self.path("conf")) as f:
            sluss = self.own(Sluss("-fd", str(f.fileno()), pass_fds=[f.fileno()]))
        for _ in range(2):
            self.assert_fails(sluss, "Configuration failed")
            self.assertEqual(self.visit(self.ports(sluss)["a"]), self.der("one"))

    def test_first_program(self):
        """The process that starts programs is made at a start: where there is none, a reload says so."""
        sluss = self.serve(self.section("a", "127.0.0.1:0"))
        program = self.section("b", "127.0.0.1:0")
        program[2] = "exec = /bin/cat"
        self.write(self.section("a", "127.0.0.1:0"), program)
        self.assert_fails(sluss, "exec has come: .*restart")
        other = self.own(Sluss(self.path("conf")))
        self.visit(self.ports(other)["b"])
        program[0] = "[c]"
        self.write(self.section("a", "127.0.0.1:0"), program)
        self.assert_reloaded(other)
        self.visit(self.ports(other)["c"])

    def test_globals(self):
        """What can change does; what cannot is named."""
        sluss = self.serve(self.section("a", "127.0.0.1:0"), head=["debug = notice"])
        port = self.ports(sluss)["a"]
        self.visit(port)
        self.write(self.section("a", "127.0.0.1:0"),
                   head=["debug = info", "maxTunnels = 1", "pid = " + self.path("pid"),
                         "output = " + self.path("log"), "acceptThreads = 1",
                         "acceptNice = 1", "affinity = yes"])
        self.assert_reloaded(sluss)
        for name in ("pid", "acceptThreads", "acceptNice", "affinity"):
            sluss.wait_log(r"LOG4\[main\]: %s has changed" % name)
        first = self.anyone().wrap_socket(self.own(connect(port)))
        second = self.own(connect(port))
        second.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            self.anyone().wrap_socket(second)
        first.close()
        second.close()
        self.visit(port)
        sluss.ends("closed")
        self.assertIn("LOG6", self.read(self.path("log")))
        # Another limit lets those in that wait; and another time to drain holds at the end.
        first = self.anyone().wrap_socket(self.own(connect(port)))
        second = self.own(connect(port))
        self.write(self.section("a", "127.0.0.1:0"), head=["maxTunnels = 5"])
        self.assert_reloaded(sluss)
        second.settimeout(PATIENCE)
        self.anyone().wrap_socket(second).close()
        self.write(self.section("a", "127.0.0.1:0"), head=["TIMEOUTdrain = 0"])
        self.assert_reloaded(sluss)
        self.assertEqual(sluss.stop(), 0)
        sluss.wait_log("may finish within 0 s")
        first.close()

    def test_unix_sockets(self):
        a, b = self.path("a"), self.path("b")
        client = ["client = yes", "connect = 127.0.0.1:1", "insecure = yes"]
        sluss = self.serve(["[a]", "accept = " + a] + client)
        made = os.stat(a).st_ino
        self.write(["[a]", "accept = " + a] + client, ["[b]", "accept = " + b] + client)
        self.assert_reloaded(sluss)
        self.assertEqual(os.stat(a).st_ino, made)
        self.assertTrue(os.path.exists(b))
        self.write(["[b]", "accept = " + b] + client)
        self.assert_reloaded(sluss)
        self.assertFalse(os.path.exists(a))
        self.assertEqual(sluss.stop(), 0)
        self.assertFalse(os.path.exists(b))


class Changes(Configured):
    """reloadOnChange: files that are replaced are taken without being asked."""

    def write(self, *sections, head=()):
        super().write(*sections, head=["reloadOnChange = yes"] + list(head))

    def wait_shown(self, port, name):
        wait_for(lambda: self.visit(port) == self.der(name), "certificate " + name)

    def live(self, cert):
        section = self.section("a", "127.0.0.1:0")
        section[3] = "cert = " + cert
        return section

    def test_renamed(self):
        live = self.place(self.path("one.pem"), "live.pem")
        sluss = self.serve(self.live(live))
        port = self.ports(sluss)["a"]
        for name in ("two", "one", "two"):
            self.place(self.path(name + ".pem"), "live.pem")
            self.wait_shown(port, name)

    def test_written_in_place(self):
        live = self.place(self.path("one.pem"), "live.pem")
        sluss = self.serve(self.live(live))
        port = self.ports(sluss)["a"]
        text = self.read(self.path("two.pem"))
        with open(live, "w") as f:
            f.write(text[:300])
        sluss.wait_log(FAILED + ".*live.pem")
        self.assertEqual(self.visit(port), self.der("one"))
        with open(live, "a") as f:
            f.write(text[300:])
        self.wait_shown(port, "two")

    def test_links(self):
        """As Kubernetes swaps a folder: live.pem -> ..data/live.pem, ..data -> ..1."""
        top = self.path("secret")
        for i, name in enumerate(("one", "two", "one")):
            os.makedirs(os.path.join(top, "..%d" % i))
            shutil.copy(self.path(name + ".pem"), os.path.join(top, "..%d" % i, "live.pem"))
        data = os.path.join(top, "..data")
        os.symlink("..0", data)
        os.symlink("..data/live.pem", os.path.join(top, "live.pem"))
        sluss = self.serve(self.live(os.path.join(top, "live.pem")))
        port = self.ports(sluss)["a"]
        for i, name in ((1, "two"), (2, "one")):
            os.symlink("..%d" % i, data + ".new")
            os.rename(data + ".new", data)
            self.wait_shown(port, name)
            shutil.rmtree(os.path.join(top, "..%d" % (i - 1)))
        # The file that is there now is watched, too.
        shutil.copy(self.path("two.pem"), os.path.join(top, "..2", "new"))
        os.rename(os.path.join(top, "..2", "new"), os.path.join(top, "..2", "live.pem"))
        self.wait_shown(port, "two")

    def test_folder_moved(self):
        for name in ("one", "two"):
            os.mkdir(self.path("d" + name))
            shutil.copy(self.path(name + ".pem"), os.path.join(self.path("d" + name), "live.pem"))
        os.rename(self.path("done"), self.path("d"))
        sluss = self.serve(self.live(os.path.join(self.path("d"), "live.pem")))
        port = self.ports(sluss)["a"]
        os.rename(self.path("d"), self.path("away"))
        sluss.wait_log(FAILED + ".*live.pem")
        self.assertEqual(self.visit(port), self.der("one"))
        os.rename(self.path("dtwo"), self.path("d"))
        self.wait_shown(port, "two")

    def test_configuration(self):
        sluss = self.serve(self.section("a", "127.0.0.1:0"))
        base = self.baseline(sluss)
        self.write(self.section("a", "127.0.0.1:0"), self.section("b", "127.0.0.1:0"))
        wait_for(lambda: "b" in self.ports(sluss), "the new section")
        self.visit(self.ports(sluss)["b"])
        self.write(["[b]", "nonsense = 1"])
        sluss.wait_log(FAILED)
        self.visit(self.ports(sluss)["b"])
        os.unlink(self.path("conf"))
        sluss.wait_log(FAILED, count=2)
        self.write(self.section("a", "127.0.0.1:0", cert="two"))
        self.wait_shown(self.ports(sluss)["a"], "two")
        self.back_to(sluss, base)

    def passes(self, port, identity):
        """Whether the server takes a client with this identity."""
        try:
            tls = TlsWire(self.own(connect(port)), certs.context(self.dir, identity)).handshake()
            self.talk(tls)
        except (ssl.SSLError, ConnectionError):
            return False
        return True

    def authorities(self):
        """An identity of each of two CAs, and the files of the CAs."""
        cas = [certs.make("ca %d" % i, ca=True) for i in range(2)]
        leaves = [certs.make("leaf %d" % i, issuer=ca, eku=certs.BOTH)
                  for i, ca in enumerate(cas)]
        pems = [certs.bundle(self.path("ca%d.crt" % i), ca) for i, ca in enumerate(cas)]
        return leaves, pems

    def test_authorities(self):
        leaves, pems = self.authorities()
        live = self.place(pems[0], "live.crt")
        sluss = self.serve(self.section("a", "127.0.0.1:0")[:-1] +
                           ["verifyChain = yes", "CAfile = " + live])
        port = self.ports(sluss)["a"]
        self.assertTrue(self.passes(port, leaves[0]))
        self.assertFalse(self.passes(port, leaves[1]))
        self.place(pems[1], "live.crt")
        wait_for(lambda: self.passes(port, leaves[1]), "the new CA")
        self.assertFalse(self.passes(port, leaves[0]))

    def test_folder_of_authorities(self):
        leaves, pems = self.authorities()
        folder = self.path("cas.d")
        os.mkdir(folder)

        def add(pem):
            name = run(need("openssl"), "x509", "-noout", "-hash", "-in", pem).out.strip()
            shutil.copy(pem, os.path.join(folder, name + ".0"))
        add(pems[0])
        sluss = self.serve(self.section("a", "127.0.0.1:0")[:-1] +
                           ["verifyChain = yes", "CApath = " + folder])
        port = self.ports(sluss)["a"]
        self.assertTrue(self.passes(port, leaves[0]))
        self.assertFalse(self.passes(port, leaves[1]))
        add(pems[1])
        wait_for(lambda: self.passes(port, leaves[1]), "the new CA")
        self.assertTrue(self.passes(port, leaves[0]))

    def test_revocations(self):
        """A list of revoked certificates that is replaced."""
        ca = certs.make("ca", ca=True, more=[revocation.CAN_SIGN])
        leaf = certs.make("leaf", issuer=ca, eku=certs.BOTH)

        def revoke(*identities):
            with open(self.path("new"), "wb") as f:
                f.write(revocation.crl(ca, *identities))
            return self.place(self.path("new"), "live.crl")
        sluss = self.serve(self.section("a", "127.0.0.1:0")[:-1] +
                           ["verifyChain = yes", "CAfile = " + certs.bundle(self.path("ca"), ca),
                            "CRLfile = " + revoke()])
        port = self.ports(sluss)["a"]
        self.assertTrue(self.passes(port, leaf))
        revoke(leaf)
        wait_for(lambda: not self.passes(port, leaf), "the new list")
        revoke()
        wait_for(lambda: self.passes(port, leaf), "the list after that")

    def test_included(self):
        more = self.path("more.d")
        os.mkdir(more)
        with open(os.path.join(more, "1"), "w") as f:
            f.write("\n".join(self.section("b", "127.0.0.1:0")))
        sluss = self.serve(self.section("a", "127.0.0.1:0") + ["include = " + more])
        with open(os.path.join(more, "2"), "w") as f:
            f.write("\n".join(self.section("c", "127.0.0.1:0")))
        wait_for(lambda: "c" in self.ports(sluss), "the new file's section")
        os.unlink(os.path.join(more, "1"))
        wait_for(lambda: self.refused(self.ports(sluss)["b"]), "the end of the old file's section")

    def test_off(self):
        """Not unless wanted; and a reload that was asked for is not made twice."""
        live = self.place(self.path("one.pem"), "live.pem")
        sluss = self.serve(self.live(live), head=["reloadOnChange = no"])
        port = self.ports(sluss)["a"]
        self.place(self.path("two.pem"), "live.pem")
        time.sleep(1)
        self.assertEqual(self.visit(port), self.der("one"))
        self.write(self.live(live))
        self.assert_reloaded(sluss)
        self.assertEqual(self.visit(port), self.der("two"))
        self.place(self.path("one.pem"), "live.pem")
        self.wait_shown(port, "one")
        before = len(outcomes(sluss))
        for name in ("other", "live.pem.old"):
            self.place(self.path("two.pem"), name)
        self.place(self.path("two.pem"), "live.pem")
        self.assert_reloaded(sluss)
        time.sleep(1)
        self.assertEqual(len(outcomes(sluss)), before + 1)


class Privileges(Configured):
    """After chroot and setuid: the helper process opens what the configuration names."""

    USER = 65534

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            skip("only root can give up privileges")
        os.mkdir(self.path("jail"))
        os.mkdir(self.path("more.d"))

    def write(self, *sections, head=()):
        super().write(*sections, head=["chroot = " + self.path("jail"), "setuid = %d" % self.USER,
                                       "setgid = %d" % self.USER] + list(head))

    def helper(self, sluss):
        with open("/proc/%d/task/%d/children" % (sluss.pid, sluss.pid)) as f:
            return int(f.read())

    def test_reload(self):
        """Files that nobody else may read, addresses, folders, and what is wrong with them."""
        sluss = self.serve(self.section("a", "127.0.0.1:0"), ["include = " + self.path("more.d")])
        port = self.ports(sluss)["a"]
        self.assertEqual(os.readlink("/proc/%d/root" % sluss.pid), self.path("jail"))
        self.assertEqual(sluss.status_kib("Uid"), self.USER)
        base = self.baseline(sluss)
        path = self.path("socket")
        with open(self.path("more.d/1"), "w") as f:
            f.write("\n".join(self.section("c", "127.0.0.1:0")))
        for _ in range(3):
            self.write(self.section("a", "127.0.0.1:0", cert="two"),
                       self.section("b", path, cert="two"),
                       ["include = " + self.path("more.d")])
            self.assert_reloaded(sluss)
            self.assertEqual(self.ports(sluss)["a"], port)
            self.assertEqual(self.visit(port), self.der("two"))
            self.visit(self.ports(sluss)["c"])
            with socket.socket(socket.AF_UNIX) as c:
                c.connect(path)
                with self.anyone().wrap_socket(c) as tls:
                    self.assertEqual(tls.getpeercert(True), self.der("two"))
            self.write(self.section("a", "127.0.0.1:0") + ["connct = 1"])
            self.assert_fails(sluss, "Configuration failed")
            sluss.wait_log("connct")
            self.write(self.section("a", "127.0.0.1:0", cert="nothing"))
            self.assert_fails(sluss, ".*nothing.pem")
        self.write(self.section("a", "127.0.0.1:0"))
        self.assert_reloaded(sluss)
        self.assertEqual(self.visit(port), self.der("one"))
        self.back_to(sluss, base)

    def test_everywhere_and_low_ports(self):
        sluss = self.serve(self.section("a", "127.0.0.1:0"))
        low = next(p for p in range(1023, 600, -1) if self.refused(p))
        self.write(self.section("a", "127.0.0.1:0"), self.section("b", str(low)))
        self.assert_reloaded(sluss)
        self.visit(low)

    def test_changes(self):
        live = self.place(self.path("one.pem"), "live.pem")
        section = self.section("a", "127.0.0.1:0")
        section[3] = "cert = " + live
        sluss = self.serve(section, head=["reloadOnChange = yes"])
        port = self.ports(sluss)["a"]
        for name in ("two", "one", "two"):
            self.place(self.path(name + ".pem"), "live.pem")
            wait_for(lambda: self.visit(port) == self.der(name), "certificate " + name)

    def test_helper_dies(self):
        sluss = self.serve(self.section("a", "127.0.0.1:0"))
        port = self.ports(sluss)["a"]
        helper = self.helper(sluss)
        os.kill(helper, signal.SIGKILL)
        for _ in range(2):
            self.assert_fails(sluss, "")
            self.assertEqual(self.visit(port), self.der("one"))

    def test_ends_with_its_helper(self):
        sluss = self.serve(self.section("a", "127.0.0.1:0"))
        helper = self.helper(sluss)
        status = sluss.stop()
        # The search for leaks needs /proc, which is not in the jail.
        self.assertEqual(status, 66 if SANITIZER == "address" else 0)
        wait_for(lambda: not os.path.exists("/proc/%d" % helper), "the helper's end")


class Knock(threading.Thread):
    """Connects and talks, over and over; counts what came of it."""

    def __init__(self, port, context):
        super().__init__(daemon=True)
        self.port, self.context = port, context
        self.good = 0
        self.bad = []
        self.stop = False
        self.start()

    def run(self):
        while not self.stop:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as c:
                    with self.context.wrap_socket(c, server_hostname="localhost") as tls:
                        tls.sendall(b"ping")
                        if tls.recv(4) == b"ping":
                            self.good += 1
                        else:
                            self.bad.append("no answer")
            except OSError as e:
                self.bad.append(repr(e))

    def end(self):
        self.stop = True
        self.join(PATIENCE)
        return self.good, self.bad


class Stream(threading.Thread):
    """Sends blocks through one tunnel and checks what comes back, all the time."""

    def __init__(self, tls):
        super().__init__(daemon=True)
        self.tls = tls
        self.count = 0
        self.bad = None
        self.stop = False
        self.start()

    def run(self):
        try:
            while not self.stop:
                block = os.urandom(100000)
                self.tls.sendall(block)
                if self.tls.read_exactly(len(block)) != block:
                    raise AssertionError("other bytes came back")
                self.count += 1
        except Exception as e:
            self.bad = e

    def end(self):
        self.stop = True
        self.join(PATIENCE)
        return self.bad


class Load(Reload):
    def test_no_connection_is_refused(self):
        """100 reloads, certificates changing, while others connect without a pause; and no byte
        of a tunnel that was there before is lost."""
        one, two = self.identity("one"), self.identity("two")
        live = self.place(one, "live.pem")
        server = self.server(self.target.target, "--cert", live)
        ctx = self.context()
        for name in ("one", "two"):
            ctx.load_verify_locations(self.path(name + ".crt"))
        knocks = [Knock(server.port, ctx) for _ in range(2)]
        stream = Stream(TlsWire(self.own(connect(server.port)), ctx).handshake())
        wait_for(lambda: all(k.good for k in knocks) and stream.count, "first connections")
        base = self.baseline(server)
        for i in range(20 if SANITIZER else 100):
            self.place(two if i % 2 == 0 else one, "live.pem")
            self.assert_reloaded(server)
        for k in knocks:
            good, bad = k.end()
            self.assertEqual(bad, [])
            self.assertGreater(good, 5)
        self.assertIsNone(stream.end())
        self.assertGreater(stream.count, 0)
        wait_for(lambda: server.fds() <= base[0], "descriptors given back")
        self.assertEqual(server.threads(), base[1])

    def test_no_slot_is_lost(self):
        """Reloads while acceptors wait for a slot, get one and wait again."""
        server = self.server(self.target.target, "--maxtunnels", "1")
        knocks = [Knock(server.port, self.context()) for _ in range(3)]
        for _ in range(20 if SANITIZER else 60):
            self.assert_reloaded(server)
        for k in knocks:
            wait_for(lambda: k.good, "a turn for everybody")
        for k in knocks:
            self.assertEqual(k.end()[1], [])
        self.shown(server.port)

    def test_memory_is_flat(self):
        """100 reloads that change nothing, with 1,000 tunnels that live through all of them."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        server = self.server(self.target.target)
        tunnels = [self.tls(server.port) for _ in range(50 if SANITIZER else min(1000, hard // 4))]

        def reloads(n):
            for _ in range(n):
                self.assert_reloaded(server)
            return server.status_kib("VmRSS")
        before = reloads(10)
        grown = reloads(20 if SANITIZER else 100) - before
        for t in tunnels[::50]:
            self.talk(t)
        if not SANITIZER:
            self.assertLess(grown, 400)

    def test_what_did_not_change_is_shared(self):
        """Tunnels of many generations, and CAs that are large: all of them hold one copy."""
        ca = certs.make("ca", ca=True)
        others = [certs.make("ca %d" % i, ca=True, key=ca.key) for i in range(300)]
        leaf = certs.make("leaf", issuer=ca, eku=certs.BOTH)
        cas = certs.bundle(self.path("cas.crt"), ca, *others)
        server = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect",
                                self.target.target, "--cert", self.pem("server"),
                                "--cafile", cas))
        ctx = certs.context(self.dir, leaf)

        def tunnel():
            tls = TlsWire(self.own(connect(server.port)), ctx).handshake()
            self.talk(tls)
            return tls

        def reloads(n):
            for _ in range(n):
                self.assert_reloaded(server)
                tunnel()
            return server.status_kib("VmRSS")
        before = reloads(5)
        grown = reloads(30) - before
        if not SANITIZER:
            self.assertLess(grown, 2000)
        # What did change counts.
        certs.bundle(cas, *others)
        self.assert_reloaded(server)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            tunnel()


class Signals(Reload):
    def test_reload_while_draining(self):
        server = self.server(self.target.target)
        tls = self.tls(server.port)
        server.process.send_signal(signal.SIGTERM)
        server.wait_log("may finish within")
        self.assertIn("Reload ignored: stopping", reload(server))
        self.talk(tls)
        tls.close_notify()
        tls.close()
        self.assertEqual(server.wait(), 0)

    def test_reload_and_end_together(self):
        """Whatever comes first, the end is the end, and an orderly one."""
        for _ in range(5):
            server = self.server(self.target.target)
            for sig in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
                server.process.send_signal(sig)
            self.assertEqual(server.wait(), 0)

    def test_hup_ignored_by_the_caller(self):
        """nohup is for the terminal; a reload that is asked for is one all the same."""
        server = self.server(self.target.target,
                             preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.assert_reloaded(server)

    def test_storm(self):
        server = self.server(self.target.target)
        tls = self.tls(server.port)
        for _ in range(300):
            server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: outcomes(server), "a reload")
        self.talk(tls)
        self.shown(server.port)
        self.assert_reloaded(server)

    def test_list(self):
        """SIGUSR2: a line a tunnel, whatever the level."""
        server = self.server(self.target.target, "--debug", "notice")
        tunnels = [self.tls(server.port) for _ in range(70)]
        for i, t in enumerate(tunnels):
            self.talk(t, b"x" * (i + 1))
        fds = server.fds()
        silent = self.own(connect(server.port))
        wait_for(lambda: server.fds() == fds + 1, "a connection that is accepted")
        server.process.send_signal(signal.SIGUSR2)
        server.wait_log(r"LOG0\[main\]: \d+ tunnels")
        line = (r"LOG0\[(\d+)\]: Service \[server\] (\S+) -> (.*): (.*); (\d+) bytes to TLS, "
                r"(\d+) bytes from TLS; \d+\.\d{3} s")
        server.wait_log(line.replace("(.*): (.*)", r"\(not connected\): in the TLS handshake"))

        def found():
            return [m for m in (re.search(line, l) for l in list(server.lines)) if m]
        wait_for(lambda: len(found()) >= 70, "a line a tunnel")
        seen = {m.group(2): m for m in found()}
        for i, t in enumerate(tunnels):
            m = seen["127.0.0.1:%d" % t.sock.getsockname()[1]]
            self.assertEqual(m.groups()[2:], (self.target.target, "open", str(i + 1), str(i + 1)))
        silent.close()

    def test_reopen(self):
        """SIGUSR1: the log goes on in a new file."""
        conf, log = self.path("conf"), self.path("log")
        with open(conf, "w") as f:
            f.write("foreground = yes\nsyslog = no\noutput = %s\n[a]\nclient = yes\n"
                    "accept = 127.0.0.1:0\nconnect = 1\n" % log)
        sluss = self.own(Sluss(conf))
        os.rename(log, log + ".1")
        sluss.process.send_signal(signal.SIGUSR1)
        sluss.wait_log("Log reopened")
        wait_for(lambda: os.path.exists(log) and "Log reopened" in self.read(log), "the new log")
        self.assertNotIn("Log reopened", self.read(log + ".1"))

    def test_storm_of_all(self):
        """HUP, USR1, USR2 and TERM at once, with tunnels and newcomers."""
        for _ in range(3):
            server = self.server(self.target.target, "--timeoutdrain", "0")
            tunnels = [self.tls(server.port) for _ in range(10)]
            for i in range(200):
                for sig in (signal.SIGHUP, signal.SIGUSR2, signal.SIGUSR1):
                    server.process.send_signal(sig)
                if i % 20 == 0:
                    self.talk(tunnels[i // 20])
            self.shown(server.port)
            for sig in (signal.SIGHUP, signal.SIGUSR2, signal.SIGTERM, signal.SIGUSR1):
                server.process.send_signal(sig)
            self.assertEqual(server.wait(), 0)


if __name__ == "__main__":
    main()
