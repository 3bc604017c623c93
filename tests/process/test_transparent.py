"""transparent = source, destination, both: in a network namespace of the test's own."""

import ctypes
import os
import socket
import subprocess

import harness
from harness import Case, connect, run, wait_for

CLONE_NEWNET = 0x40000000


def setUpModule():
    """From here on this process and its children have a network of their own."""
    if os.geteuid() != 0 or ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        harness.skip("no network namespace of our own")
    run(harness.need("ip"), "link", "set", "lo", "up")
    harness.need("nft")


class Transparent(Case):
    def server(self, *lines):
        """A server from a configuration file with these lines in its section."""
        config = self.path("sluss.conf")
        with open(config, "w") as f:
            f.write("\n".join(["foreground = yes", "debug = info", "syslog = no", "[t]",
                               "profile = strict", "cert = " + self.pem("server"),
                               "peer = " + self.crt("client")] + list(lines)) + "\n")
        return self.own(harness.Sluss(config))

    def naming(self, address=("127.0.0.1", 0)):
        """A backend that says where a connection comes from."""
        return self.backend(lambda c: c.sendall(c.getpeername()[0].encode()), address=address)

    def ask(self, target, source="127.0.0.5"):
        """What the service says through TLS to a client at the source's address."""
        sock = self.own(socket.create_connection(target, harness.PATIENCE, (source, 0)))
        wire = harness.TlsWire(sock, self.context(), server_hostname="localhost").handshake()
        name = wire.outcome()[0].decode()
        wire.close()
        return name

    def nft(self, *rules):
        """Rules of the firewall, until the test ends."""
        text = "table ip sluss {\n%s\n}\n" % "\n".join(rules)
        subprocess.run(["nft", "-f", "-"], input=text.encode(), check=True)
        self.addCleanup(run, "nft", "delete", "table", "ip", "sluss")

    def test_source(self):
        """The service sees the client's address."""
        backend = self.naming()
        server = self.server("accept = 127.0.0.1:0", "connect = " + backend.target,
                             "transparent = source")
        self.assertEqual(self.ask(("127.0.0.1", server.port)), "127.0.0.5")
        self.assertEqual(self.ask(("127.0.0.1", server.port), "127.0.0.77"), "127.0.0.77")

    def test_source_of_another_machine(self):
        """The address is none of this machine's: another host's, whose answers are routed
        back to us, as the manual page says."""
        other = subprocess.Popen(["unshare", "-n", "sleep", "100"])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        ours = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink("/proc/%d/ns/net" % other.pid) != ours, "another host")
        there = ["nsenter", "-t", other.pid, "-n"]
        run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1", "netns", other.pid)
        self.addCleanup(run, "ip", "link", "delete", "v0", check=False)
        run("ip", "addr", "add", "198.51.100.1/24", "dev", "v0")
        run("ip", "link", "set", "v0", "up")
        run(*there, "ip", "addr", "add", "198.51.100.2/24", "dev", "v1")
        run(*there, "ip", "link", "set", "v1", "up")
        for name in ("all", "lo", "v0"):
            with open("/proc/sys/net/ipv4/conf/%s/rp_filter" % name, "w") as f:
                f.write("0")
        backend = self.naming(("198.51.100.1", 0))
        server = self.server("accept = 198.51.100.1:0", "connect = 198.51.100.1:%d" % backend.port,
                             "transparent = source")
        self.nft("chain out { type route hook output priority 0;",
                 "tcp sport %d meta mark set 1;" % backend.port, "}")
        run("ip", "rule", "add", "fwmark", "1", "lookup", "100")
        self.addCleanup(run, "ip", "rule", "delete", "fwmark", "1")
        run("ip", "route", "add", "local", "default", "dev", "lo", "table", "100")
        self.addCleanup(run, "ip", "route", "flush", "table", "100")
        done = run(*there, harness.SLUSS, "client", "--accept", "-", "--connect",
                   "198.51.100.1:%d" % server.port, "--cert", self.pem("client"), "--peer",
                   self.crt("server"), stdin=subprocess.DEVNULL)
        self.assertEqual(done.out, "198.51.100.2", server.log)

    def redirect(self, server):
        """What the client's address sends to 127.0.0.66 goes to the server instead."""
        self.nft("chain out { type nat hook output priority -100;",
                 "ip saddr 127.0.0.5 ip daddr 127.0.0.66 tcp dport 7777 redirect to :%d;"
                 % server.port, "}")

    def test_destination(self):
        """The client comes to where it wanted to go, and each to its own."""
        self.naming(("127.0.0.66", 7777))
        server = self.server("accept = 0.0.0.0:0", "transparent = destination")
        self.redirect(server)
        self.assertEqual(self.ask(("127.0.0.66", 7777)), "127.0.0.1")
        server.ends("-> 127.0.0.66:7777: ")

    def test_both(self):
        """Neither end sees us."""
        self.naming(("127.0.0.66", 7777))
        server = self.server("accept = 0.0.0.0:0", "transparent = both")
        # Our own connection has the client's address: only those on their way in count.
        self.nft("chain out { type nat hook output priority -100;",
                 "ip saddr 127.0.0.5 ip daddr 127.0.0.66 tcp sport 5555 tcp dport 7777 "
                 "redirect to :%d;" % server.port, "}")
        sock = self.own(socket.create_connection(("127.0.0.66", 7777), harness.PATIENCE,
                                                 ("127.0.0.5", 5555)))
        wire = harness.TlsWire(sock, self.context(), server_hostname="localhost").handshake()
        self.assertEqual(wire.outcome()[0], b"127.0.0.5")

    def test_destination_is_the_port_itself(self):
        """Who connects to the port directly is not sent round in circles."""
        server = self.server("accept = 127.0.0.1:0", "transparent = destination")
        sock = self.own(connect(server.port))
        harness.TlsWire(sock, self.context(), server_hostname="localhost").handshake()
        server.ends("connect failed while connecting: the client's destination: this very port")

    def test_destination_unix(self):
        """A connection through a unix socket has no destination."""
        server = self.server("accept = " + self.path("s"), "transparent = destination")
        sock = self.own(socket.socket(socket.AF_UNIX))
        sock.settimeout(harness.PATIENCE)
        sock.connect(self.path("s"))
        harness.TlsWire(sock, self.context(), server_hostname="localhost").handshake()
        server.ends("connect failed while connecting: the client's destination: ")


if __name__ == "__main__":
    harness.main()
