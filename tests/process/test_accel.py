"""AES-GCM by libipsec-mb: both roles against OpenSSL with every suite of AES-GCM and the one
that is none, with the option accel as it is and off; what is tampered with is refused."""

import random
import socket

import harness
from harness import SLUSS, VERSIONS, Case, connect, run

SUITES = (
    ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ("TLSv1.3", "TLS_AES_128_GCM_SHA256"),
    ("TLSv1.3", "TLS_AES_256_GCM_SHA384"),
    ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"),
)
EACH = [(accel, suite) for accel in ("auto", "off") for suite in SUITES]

# Around what is large enough for the other library, around a record, and much.
SIZES = (1, 2047, 2048, 2049, 16383, 16384, 16385, 1 << 20)
TEXT = random.Random(5).randbytes(SIZES[-1])


def by_wolfssl():
    """Whether this machine, or this build, leaves all to wolfSSL."""
    return "AES-GCM by libipsec-mb" not in run(SLUSS, "--version").out


def accel_args(accel, suite):
    version, name = suite
    return ["--timeoutdrain", "0", "--accel", accel, "--sslversion", version,
            "--ciphersuites" if version == "TLSv1.3" else "--ciphers", name]


class Accel(Case):
    def says(self, sluss, accel):
        """What its log says about who encrypts."""
        line = sluss.wait_log(r"AES-GCM by (\S+)(.*)$")
        if by_wolfssl():
            self.assertEqual(line.group(1), "wolfSSL")
        elif accel == "off":
            self.assertEqual(line.group(1, 2), ("wolfSSL", " (accel = off)"))
        else:
            self.assertEqual(line.group(1), "libipsec-mb")

    def through(self, c, send, receive):
        """Sends each size and gets it back, no more at once than an echo can hold."""
        for n in SIZES:
            for i in range(0, n, 65536):
                part = TEXT[i:min(n, i + 65536)]
                send(part)
                self.assertEqual(receive(len(part)), part)
        c.close()

    def test_server(self):
        back = self.backend(harness.echo)
        for accel, suite in EACH:
            server = self.server(back.target, *accel_args(accel, suite))
            self.says(server, accel)
            wire = self.tls(server.port)
            self.assertEqual(wire.tls.cipher()[0], suite[1])
            self.through(wire, wire.sendall, wire.read_exactly)
            self.assertEqual(server.stop(), 0)

    def test_client(self):
        context = self.context("server", server_side=True, trust="client")

        def tls_echo(c):
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(c, server_side=True) as tls:
                while True:
                    data = tls.recv(1 << 16)
                    if not data:
                        return
                    tls.sendall(data)

        back = self.backend(tls_echo)
        for accel, suite in EACH:
            client = self.client(back.target, *accel_args(accel, suite))
            self.says(client, accel)
            c = self.own(connect(client.port))
            self.through(c, c.sendall, lambda n: harness.recv_exactly(c, n))
            self.assertEqual(client.stop(), 0)

    def test_tampered(self):
        """A record with one bit changed, in its text or in its tag, ends the tunnel, and the
        backend gets only what came before."""
        got = []

        def collect(c):
            got.append(harness.outcome(c))

        back = self.backend(collect)
        for accel in ("auto", "off"):
            for name, version in VERSIONS:
                for at in (2000, -1):
                    with self.subTest(accel=accel, version=name, at=at):
                        got.clear()
                        server = self.server(back.target, "--accel", accel)
                        wire = self.tls(server.port, version=version)
                        wire.sendall(TEXT[:16384])
                        wire.tls.write(TEXT[:16384])
                        record = bytearray(wire.pending_out())
                        record[at] ^= 1
                        wire.sock.sendall(record)
                        self.assertRegex(wire.outcome()[1], "alert.*BAD_RECORD_MAC|alert.*bad record")
                        server.ends("TLS protocol error")
                        harness.wait_for(lambda: got, "the backend's end")
                        self.assertEqual(got[0][0], TEXT[:16384])
                        self.assertEqual(server.stop(), 0)

    def test_option(self):
        self.assertRegex(run(SLUSS, "--version").out, r"\nAES-GCM by (wolfSSL|libipsec-mb) ")
        done = run(SLUSS, "server", "--accel", "maybe", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("accel", done.err)

    def test_reload(self):
        """It is decided at the start."""
        back = self.backend(harness.echo)
        path = self.path("sluss.conf")

        def write(accel):
            with open(path, "w") as f:
                f.write("foreground = yes\ndebug = info\naccel = %s\n[s]\naccept = 127.0.0.1:0\n"
                        "connect = %s\ncert = %s\n" % (accel, back.target, self.pem("server")))

        write("off")
        sluss = self.own(harness.Sluss(path))
        self.says(sluss, "off")
        write("auto")
        sluss.wait_log("accel has changed: that takes effect at the next start")
        sluss.wait_log("Configuration reloaded")
        self.assertEqual(sluss.stop(), 0)


if __name__ == "__main__":
    harness.main()
