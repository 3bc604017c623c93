"""What the process tests share: the program as a process, identities, scripted
peers on both sides, and checks that nothing is left behind.

A test is a method of a Case; it runs real processes on loopback with port 0 and
the line "Service [x] (FD=n) bound to HOST:PORT" as readiness.  Nothing
asserts a wall-clock time without a tenfold margin; PATIENCE bounds every wait.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SLUSS = os.environ.get("SLUSS", "./sluss")
SANITIZER = os.environ.get("SLUSS_SANITIZER", "")
PATIENCE = 60 if SANITIZER else 30
BOUND = re.compile(r"Service \[(.*?)\] \(FD=(\d+)\) bound to (.*)$")


def skip(why):
    """A named skip; a run that must not skip fails instead."""
    if os.environ.get("SLUSS_NO_SKIP"):
        raise AssertionError("skipped where nothing may be skipped: " + why)
    raise unittest.SkipTest(why)


def need(program):
    """The path of a program that a test needs, or a skip."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/lib/postgresql/15/bin")
    if path is None:
        skip(program + " is not installed")
    return path


def not_under_sanitizer():
    """For tests with real servers or of load; the sanitizer builds leave them out by
    design, so this is no skip: the test ends at once as done."""
    return bool(SANITIZER)


def wait_for(condition, what, patience=PATIENCE):
    """Polls until condition() gives something true, which is returned."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.01)


def run(*argv, check=True, **kw):
    """Runs a command to its end; output as text."""
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=PATIENCE * 2, **kw)
    done.out = done.stdout.decode("utf-8", "replace")
    done.err = done.stderr.decode("utf-8", "replace")
    if check and done.returncode != 0:
        raise AssertionError("%s: status %d: %s%s" % (argv, done.returncode, done.out, done.err))
    return done


def s_client(port, *options, say="hello"):
    """What openssl s_client prints, which says a line and ends when that has come back, or
    when it fails."""
    with subprocess.Popen([need("openssl"), "s_client", "-connect", "127.0.0.1:%d" % port,
                           *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as p:
        ender = threading.Timer(PATIENCE, p.kill)
        ender.start()
        out = []
        with contextlib.suppress(BrokenPipeError):
            p.stdin.write(say.encode() + b"\n")
            p.stdin.flush()
        for line in p.stdout:
            out.append(line.decode("utf-8", "replace"))
            if out[-1] == say + "\n":
                p.stdin.close()
        ender.cancel()
    return "".join(out)


class Program:
    """A child process whose stderr is collected line by line."""

    def __init__(self, argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **kw):
        self.argv = [str(a) for a in argv]
        self.lines = []
        self.process = subprocess.Popen(self.argv, stdin=stdin, stdout=stdout,
                                        stderr=subprocess.PIPE, **kw)
        self.pid = self.process.pid
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))

    @property
    def log(self):
        return "\n".join(self.lines)

    def wait_log(self, pattern, patience=PATIENCE, count=1):
        """Waits for a line that matches; returns the match (the count-th)."""
        def found():
            hits = [m for m in (re.search(pattern, l) for l in list(self.lines)) if m]
            return hits[count - 1] if len(hits) >= count else None
        try:
            return wait_for(found, "log line /%s/" % pattern, patience)
        except AssertionError as e:
            raise AssertionError("%s in:\n%s" % (e, self.log)) from None

    def alive(self):
        return self.process.poll() is None

    def wait(self, patience=PATIENCE):
        """The exit status, with all of the log read."""
        try:
            status = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s did not end:\n%s" % (self.argv, self.log)) from None
        self.reader.join(PATIENCE)
        return status

    def stop(self, sig=signal.SIGTERM, patience=PATIENCE):
        if self.alive():
            self.process.send_signal(sig)
        return self.wait(patience)

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait()
        self.reader.join(PATIENCE)
        for f in (self.process.stdin, self.process.stdout, self.process.stderr):
            if f:
                f.close()

    def fds(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def threads(self):
        return len(os.listdir("/proc/%d/task" % self.pid))

    def status_kib(self, key):
        with open("/proc/%d/status" % self.pid) as f:
            for line in f:
                if line.startswith(key + ":"):
                    return int(line.split()[1])
        raise KeyError(key)


class Sluss(Program):
    """sluss server or client; .port is where it listens (the first, when several)."""

    def __init__(self, *args, ready=True, **kw):
        super().__init__([SLUSS] + list(args), **kw)
        if ready:
            def bound_or_dead():
                return self.bound() or not self.alive()
            wait_for(bound_or_dead, "readiness of %s\n%s" % (self.argv, self.log))
            if not self.bound():
                raise AssertionError("ended with %d:\n%s" % (self.wait(), self.log))

    def bound(self):
        return [m.group(3) for m in map(BOUND.search, list(self.lines)) if m]

    @property
    def port(self):
        return int(self.bound()[0].rsplit(":", 1)[1])

    def ends(self, pattern, count=1):
        """The line of a tunnel's end that matches."""
        return self.wait_log(r"LOG6\[\d+\]: Service .*" + pattern, count=count)


class Backend:
    """A plain TCP (or unix) service: handler(connection) runs in a thread for each."""

    def __init__(self, handler, family=socket.AF_INET, address=None, backlog=128):
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address is None:
            address = ("::1" if family == socket.AF_INET6 else "127.0.0.1", 0)
        self.socket.bind(address)
        self.socket.listen(backlog)
        self.address = self.socket.getsockname()
        self.port = self.address[1] if family != socket.AF_UNIX else None
        self.handler = handler
        self.count = 0
        self.errors = []
        self.connections = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def target(self):
        return "127.0.0.1:%d" % self.port

    def _serve(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            self.count += 1
            self.connections.append(c)
            threading.Thread(target=self._handle, args=(c,), daemon=True).start()

    def _handle(self, c):
        try:
            self.handler(c)
        except Exception as e:  # what a test checks is on the connection's other end
            self.errors.append(e)
        finally:
            try:
                c.close()
            except OSError:
                pass

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        for c in self.connections:
            try:
                c.close()
            except OSError:
                pass


def echo(c):
    """A handler: sends back what comes, then the end."""
    while True:
        data = c.recv(65536)
        if not data:
            break
        c.sendall(data)
    try:
        c.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def recv_all(c):
    """Everything until the end; a reset is an exception."""
    parts = []
    while True:
        data = c.recv(1 << 20)
        if not data:
            return b"".join(parts)
        parts.append(data)


def recv_exactly(c, n):
    parts = []
    while n > 0:
        data = c.recv(n)
        if not data:
            raise AssertionError("ended %d bytes early" % n)
        parts.append(data)
        n -= len(data)
    return b"".join(parts)


def reset(c):
    """Closes with a reset."""
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def outcome(c, patience=PATIENCE):
    """How a plain connection ends: (bytes, "eof" or "reset")."""
    c.settimeout(patience)
    parts = []
    while True:
        try:
            data = c.recv(1 << 20)
        except (ConnectionResetError, BrokenPipeError):
            return b"".join(parts), "reset"
        if not data:
            return b"".join(parts), "eof"
        parts.append(data)


def free_port():
    """A port for a program that cannot listen on port 0. It lies outside the range from
    which the system takes ports of its own, and no other test gets it meanwhile."""
    while True:
        port = random.randrange(12000, 32000)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind("\0sluss-test-port-%d" % port)
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        claims.append(claim)
        return port


# Sockets whose names claim ports, for as long as this process lives.
claims = []


class Connection(socket.socket):
    """A connection. Whether the reset of a peer that took it and ended it at once comes
    to light in connect() or at the first use is the system's mood; here it is always the
    latter."""

    was_reset = False

    def connect(self, address):
        try:
            super().connect(address)
        except ConnectionResetError:
            self.was_reset = True

    def _first_use(self):
        if self.was_reset:
            self.was_reset = False
            raise ConnectionResetError("Connection reset by peer")

    def recv(self, *args):
        self._first_use()
        return super().recv(*args)

    def send(self, *args):
        self._first_use()
        return super().send(*args)

    def sendall(self, *args):
        self._first_use()
        return super().sendall(*args)


def connect(port, host="127.0.0.1", patience=PATIENCE):
    c = Connection(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        c.settimeout(patience)
        c.connect((host, port))
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        c.close()
        raise
    return c


class TlsWire:
    """A TLS peer (OpenSSL's) with every byte of its transport in our hands: what to
    send, split, corrupt or leave out is the test's to decide."""

    def __init__(self, sock, context, server_side=False, server_hostname=None):
        self.sock = sock
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server_side,
                                    server_hostname=server_hostname)
        self.transport_ended = False

    def pending_out(self):
        """The ciphertext that the peer wants sent, taken out."""
        return self.outgoing.read()

    def flush(self):
        data = self.pending_out()
        if data:
            self.sock.sendall(data)

    def feed(self):
        """Reads ciphertext from the socket; False at the transport's end."""
        data = self.sock.recv(1 << 18)
        if not data:
            self.transport_ended = True
            self.incoming.write_eof()
            return False
        self.incoming.write(data)
        return True

    def _until(self, action):
        while True:
            try:
                result = action()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                if not self.feed():
                    return action()
            except ssl.SSLError:
                self.flush()
                raise

    def handshake(self):
        self._until(self.tls.do_handshake)
        return self

    def write(self, data):
        self.tls.write(data)
        self.flush()

    def sendall(self, data):
        for i in range(0, len(data), 16384):
            self.tls.write(data[i:i + 16384])
        self.flush()

    def read(self, n=1 << 16):
        """Some plaintext; b"" for close_notify.  A truncation is ssl.SSLEOFError (or
        SSLError), a reset ConnectionResetError."""
        try:
            return self._until(lambda: self.tls.read(n))
        except ssl.SSLZeroReturnError:
            return b""

    def read_exactly(self, n):
        parts = []
        while n > 0:
            data = self.read(min(n, 1 << 16))
            if not data:
                raise AssertionError("close_notify %d bytes early" % n)
            parts.append(data)
            n -= len(data)
        return b"".join(parts)

    def close_notify(self):
        """Sends our close_notify; reading goes on."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            pass
        self.flush()

    def outcome(self):
        """How it ends: (bytes, "close_notify", "truncated", "reset" or "alert: …")."""
        parts = []
        while True:
            try:
                data = self.read()
            except (ConnectionResetError, BrokenPipeError):
                return b"".join(parts), "reset"
            except ssl.SSLEOFError:
                return b"".join(parts), "truncated"
            except ssl.SSLError as e:
                if "EOF" in str(e):
                    return b"".join(parts), "truncated"
                return b"".join(parts), "alert: " + (e.reason or str(e))
            if not data:
                return b"".join(parts), "close_notify"
            parts.append(data)

    def close(self):
        self.sock.close()


class Case(unittest.TestCase):
    """A test with a folder of its own; everything started is ended afterwards."""

    shared = None  # identities, made once for all tests of a script

    @classmethod
    def setUpClass(cls):
        if Case.shared is None:
            Case.shared = tempfile.mkdtemp(prefix="sluss-test-")
            for name, more in (("server", ["--dns", "localhost", "--ip", "127.0.0.1"]),
                               ("client", ["--dns", "client.test"]),
                               ("stranger", ["--dns", "localhost"])):
                run(SLUSS, "keygen", os.path.join(Case.shared, name), *more)

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="sluss-test-")
        self.addCleanup(shutil.rmtree, self.dir, True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def shared_path(self, name):
        return os.path.join(Case.shared, name)

    pem = staticmethod(lambda name: os.path.join(Case.shared, name + ".pem"))
    crt = staticmethod(lambda name: os.path.join(Case.shared, name + ".crt"))

    def own(self, thing):
        """Has a program, backend or socket ended after the test."""
        self.addCleanup(thing.kill if isinstance(thing, Program) else thing.close)
        return thing

    def backend(self, handler, **kw):
        return self.own(Backend(handler, **kw))

    def server(self, connect, *more, accept="127.0.0.1:0", **kw):
        """sluss server that takes the client identity."""
        return self.own(Sluss("server", "--accept", accept, "--connect", connect,
                              "--cert", self.pem("server"), "--peer", self.crt("client"),
                              *more, **kw))

    def client(self, connect, *more, accept="127.0.0.1:0", **kw):
        """sluss client that takes the server identity."""
        return self.own(Sluss("client", "--accept", accept, "--connect", connect,
                              "--cert", self.pem("client"), "--peer", self.crt("server"),
                              *more, ready=kw.pop("ready", accept != "-"), **kw))

    def pair(self, connect, server_args=(), client_args=()):
        """Both ends of a tunnel in front of a target."""
        server = self.server(connect, *server_args)
        client = self.client("127.0.0.1:%d" % server.port, *client_args)
        return server, client

    def context(self, identity="client", version=None, server_side=False, trust="server"):
        """An OpenSSL context for a TlsWire that trusts one identity and shows another."""
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_REQUIRED
        # Python hides truncations (SSL_OP_IGNORE_UNEXPECTED_EOF); here they must be seen.
        ctx.options &= ~(1 << 7)
        ctx.load_verify_locations(self.crt(trust))
        ctx.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if identity:
            ctx.load_cert_chain(self.pem(identity))
        if version:
            ctx.minimum_version = ctx.maximum_version = version
        return ctx

    def tls(self, port, **kw):
        """A TlsWire to a sluss server, handshake done."""
        sock = self.own(connect(port))
        return TlsWire(sock, self.context(**kw), server_hostname="localhost").handshake()

    def baseline(self, program):
        """Remembers descriptors and threads, for back_to()."""
        return program.fds(), program.threads()

    def back_to(self, program, base):
        """Descriptors and threads come back to what they were, and it lives."""
        self.assertTrue(program.alive(), program.log)
        wait_for(lambda: (program.fds(), program.threads()) == base,
                 "descriptors and threads %s (now %d, %d)" % (base, program.fds(),
                                                              program.threads()))


VERSIONS = (("TLSv1.2", ssl.TLSVersion.TLSv1_2), ("TLSv1.3", ssl.TLSVersion.TLSv1_3))


def main():
    try:
        program = unittest.main(verbosity=2, exit=False)
    finally:
        if Case.shared:
            shutil.rmtree(Case.shared, True)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.testsRun > 0 and len(result.skipped) == result.testsRun else 0)
