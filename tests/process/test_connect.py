"""Where a tunnel connects to and from: order of targets, own address, socket options."""

import socket

import harness
from harness import Case, Backend, connect, echo, wait_for


class Connect(Case):
    def naming(self, name):
        """A backend that says its name and hangs up."""
        return self.backend(lambda c: c.sendall(name.encode()))

    def unused(self):
        """A port where nobody listens, and nobody will: it is held."""
        s = self.own(socket.socket())
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]

    def ask(self, port):
        with connect(port) as c:
            return harness.recv_all(c).decode()

    def pair_to(self, targets, *more):
        args = [a for t in targets[1:] for a in ("--connect", t)]
        server = self.server(targets[0], *args, *more)
        return server, self.client("127.0.0.1:%d" % server.port)

    def test_prio(self):
        """In the order given: the first that works takes all."""
        first, second = self.naming("one"), self.naming("two")
        server, client = self.pair_to([first.target, second.target])
        self.assertEqual([self.ask(client.port) for _ in range(4)], ["one"] * 4)
        first.close()
        self.assertEqual(self.ask(client.port), "two")

    def test_rr(self):
        """Each target first in turn; one that is down is passed over, and comes back."""
        backends = [self.naming(n) for n in ("one", "two", "three")]
        server, client = self.pair_to([b.target for b in backends], "--failover", "rr")
        got = [self.ask(client.port) for _ in range(9)]
        self.assertEqual(sorted(got), ["one"] * 3 + ["three"] * 3 + ["two"] * 3)
        self.assertEqual(got[:3] * 3, got)
        port = backends[1].port
        backends[1].close()
        got = [self.ask(client.port) for _ in range(6)]
        self.assertEqual(set(got), {"one", "three"})
        self.own(Backend(lambda c: c.sendall(b"again"), address=("127.0.0.1", port)))
        got = [self.ask(client.port) for _ in range(3)]
        self.assertEqual(sorted(got), ["again", "one", "three"])

    def test_rr_all_down(self):
        """With rr every target is tried once, then it fails, naming the last."""
        ports = [self.unused() for _ in range(3)]
        server = self.server("127.0.0.1:%d" % ports[0], "--connect", "127.0.0.1:%d" % ports[1],
                             "--connect", "127.0.0.1:%d" % ports[2], "--failover", "rr")
        for last in (2, 0, 1):
            self.tls(server.port)
            server.ends("connect failed while connecting: 127.0.0.1:%d: Connection refused"
                        % ports[last])

    def test_local(self):
        """Connections come from the address that local names."""
        seen = []
        backend = self.backend(lambda c: seen.append(c.getpeername()[0]))
        server, client = self.pair_to([backend.target], "--local", "127.0.0.9")
        self.ask(client.port)
        self.assertEqual(seen, ["127.0.0.9"])

    def test_local_of_another_family(self):
        """A target that the address cannot reach fails, and says why."""
        backend = self.backend(echo)
        server = self.server(backend.target, "--local", "::1")
        self.tls(server.port)
        server.ends("connect failed while connecting: .*: Cannot assign requested address")
        self.assertEqual(backend.count, 0)

    def test_local_unknown(self):
        """A name that means nothing ends the start."""
        done = harness.run(harness.SLUSS, "server", "--accept", "0", "--connect", "1", "--cert",
                           self.pem("server"), "--peer", self.crt("client"), "--local",
                           "nowhere.invalid", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("local = nowhere.invalid: ", done.err)

    def test_local_not_ours(self):
        """An address of another machine fails each connection, not the process."""
        backend = self.backend(echo)
        server = self.server(backend.target, "--local", "192.0.2.77")
        self.tls(server.port)
        server.ends("connect failed while connecting: .*: Cannot assign requested address")
        self.assertTrue(server.alive())


class SocketOptions(Case):
    def option(self, pid, local_port, want):
        """What `ss` says of the established connections at a port, once it says that."""
        ss = harness.need("ss")

        def found():
            out = harness.run(ss, "-tnoHiem", "state", "established", "sport", "=",
                              ":%d" % local_port).out
            return want in out and out
        return wait_for(found, "%s at port %d" % (want, local_port))

    def test_accepted_and_connected(self):
        """l: is for accepted sockets, r: for connected ones."""
        held = []
        backend = self.backend(lambda c: held.append(c.getpeername()[1]) or c.recv(1))
        server = self.server(backend.target, "--socket", "l:TCP_KEEPIDLE=1010",
                             "--socket", "r:TCP_KEEPIDLE=3030", "--socket", "l:SO_MARK=0x77",
                             "--socket", "l:SO_KEEPALIVE=yes")
        self.tls(server.port)
        wait_for(lambda: held, "the backend")
        self.option(server.pid, server.port, "timer:(keepalive,16min")
        self.option(server.pid, server.port, "fwmark:0x77")
        self.option(server.pid, held[0], "timer:(keepalive,50min")

    def test_listening(self):
        """a: is for listening sockets: bound to loopback's device, it listens."""
        server = self.server("echo:", "--socket", "a:SO_BINDTODEVICE=lo", "--socket",
                             "a:SO_REUSEADDR=1", accept="0.0.0.0:0")
        ss = harness.need("ss")
        out = harness.run(ss, "-tlnH", "sport", "=", ":%d" % server.port).out
        self.assertIn("%lo:", out)
        wire = self.tls(server.port)
        wire.write(b"x")
        self.assertEqual(wire.read_exactly(1), b"x")

    def test_keepalive_off(self):
        """An option of ours can be turned off."""
        server = self.server("echo:", "--socket", "l:SO_KEEPALIVE=no")
        wire = self.tls(server.port)
        wire.write(b"x")
        wire.read_exactly(1)
        ss = harness.need("ss")
        out = harness.run(ss, "-tnoH", "state", "established", "sport", "=",
                          ":%d" % server.port).out
        self.assertIn("127.0.0.1:%d" % server.port, out)
        self.assertNotIn("keepalive", out)

    def refused(self, *args):
        done = harness.run(harness.SLUSS, "server", "--accept", "127.0.0.1:0", "--connect", "1",
                           "--cert", self.pem("server"), "--peer", self.crt("client"), *args,
                           check=False)
        self.assertEqual(done.returncode, 1, done.err)
        return done.err

    def test_bad_options(self):
        for option, message in (
                ("TCP_NODELAY=1", "is no socket option: give a:NAME=VALUE"),
                ("x:TCP_NODELAY=1", "is no socket option"),
                ("l:TCP_NODELAY", "is no socket option"),
                ("l:tcp_nodelay=1", '"tcp_nodelay" is not known here: "sluss -sockets"'),
                ("l:TCP_NODELAY=maybe", 'TCP_NODELAY: "maybe" will not do: give yes or no'),
                ("l:SO_LINGER=1:x", 'SO_LINGER: "1:x" will not do: give ON:SECONDS'),
                ("l:SO_RCVTIMEO=1:1000000", "SO_RCVTIMEO: "),
                ("l:SO_RCVBUF=-1", "SO_RCVBUF: "),
                ("l:SO_RCVBUF=99999999999", "SO_RCVBUF: "),
                ("a:SO_BINDTODEVICE=", "SO_BINDTODEVICE: "),
                ("a:SO_BINDTODEVICE=" + 16 * "x", "SO_BINDTODEVICE: ")):
            self.assertIn(message, self.refused("--socket", option))

    def test_no_such_device(self):
        """What the kernel refuses when listening ends the start, naming the option."""
        err = self.refused("--socket", "a:SO_BINDTODEVICE=nodevice0")
        self.assertIn("socket = a:SO_BINDTODEVICE: No such device", err)

    def test_unix_sockets_pass_over_tcp_options(self):
        """TCP options say nothing about unix sockets; they work all the same."""
        server = self.server("echo:", "--socket", "l:TCP_NODELAY=1", "--socket",
                             "r:TCP_KEEPIDLE=5", accept=self.path("s"))
        client = self.client(self.path("s"), "--socket", "r:TCP_NODELAY=1")
        with connect(client.port) as c:
            c.sendall(b"unix")
            self.assertEqual(harness.recv_exactly(c, 4), b"unix")


if __name__ == "__main__":
    harness.main()
