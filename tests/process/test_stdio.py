"""Tunnels whose one end is standard input and output: client --accept - and server
--connect -, on everything that a shell, inetd or a terminal may put there.

The other end is a plain socket in the test's hands, behind a second sluss.
"""

import fcntl
import functools
import hashlib
import os
import pty
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import threading
import time
from unittest import mock

import harness
from harness import PATIENCE, SANITIZER, TlsWire, outcome, recv_all, recv_exactly

KIB = 1024
MIB = 1024 * 1024
NOBODY = 65534


def noise(n, seed=0):
    return random.Random(seed).randbytes(n)


def fin(sock):
    sock.shutdown(socket.SHUT_WR)


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def read_all(fd):
    parts = []
    while True:
        data = os.read(fd, MIB)
        if not data:
            return b"".join(parts)
        parts.append(data)


def read_exactly(fd, n):
    parts = []
    while n > 0:
        data = os.read(fd, n)
        if not data:
            raise AssertionError("ended %d bytes early" % n)
        parts.append(data)
        n -= len(data)
    return b"".join(parts)


def in_background(action, *args):
    thread = threading.Thread(target=action, args=args, daemon=True)
    thread.start()
    return thread


def both_roles(test):
    """Runs a test as client and as server: test(self, role)."""
    @functools.wraps(test)
    def run(self):
        for role in ("client", "server"):
            with self.subTest(role=role):
                test(self, role)
    return run


class StdioCase(harness.Case):
    nobody = None  # where the program and the identities are that another user may run

    def as_nobody(self):
        """From here on start() runs sluss as a user who may not open root's pipes anew:
        threads have to relay."""
        if os.geteuid() != 0:
            harness.skip("only root can become another user")
        self.nobody = tempfile.mkdtemp(prefix="sluss-test-")
        self.addCleanup(shutil.rmtree, self.nobody, True)
        os.chmod(self.nobody, 0o755)
        shutil.copy(harness.SLUSS, self.nobody)
        for name in ("server.pem", "server.crt", "client.pem", "client.crt"):
            shutil.copy(self.shared_path(name), self.nobody)
            os.chown(os.path.join(self.nobody, name), NOBODY, NOBODY)

    def on_stdio(self, role, target, *args, **kw):
        """The sluss whose one end is stdio; target: of the client."""
        accept = "127.0.0.1:0" if role == "server" else "-"
        if self.nobody is None:
            make = self.server if role == "server" else self.client
            return make(target, *args, accept=accept, **kw)
        other = "client" if role == "server" else "server"
        program = os.path.join(self.nobody, os.path.basename(harness.SLUSS))
        with mock.patch.object(harness, "SLUSS", program):
            return self.own(harness.Sluss(
                role, "--accept", accept, "--connect", target,
                "--cert", os.path.join(self.nobody, role + ".pem"),
                "--peer", os.path.join(self.nobody, other + ".crt"), *args,
                ready=role == "server", user=NOBODY, group=NOBODY, extra_groups=[], **kw))

    def opened(self, *fds):
        """Descriptors of the test that are to be closed after it."""
        for fd in fds:
            self.addCleanup(self.close, fd)
        return fds if len(fds) > 1 else fds[0]

    def close(self, fd):
        try:
            os.close(fd)
        except OSError:
            pass

    def pipe(self):
        return self.opened(*os.pipe())

    def start(self, role, stdin, stdout, *args, **kw):
        """sluss on these descriptors, and the socket at the tunnel's other end; its
        program is self.far_program."""
        if role == "client":
            listener = self.own(socket.create_server(("127.0.0.1", 0)))
            listener.settimeout(PATIENCE)
            self.far_program = self.server("127.0.0.1:%d" % listener.getsockname()[1])
            program = self.on_stdio(role, "127.0.0.1:%d" % self.far_program.port, *args,
                                    stdin=stdin, stdout=stdout, **kw)
            try:
                far = self.own(listener.accept()[0])
            except socket.timeout:
                raise AssertionError("no connection:\n" + program.log) from None
        else:
            program = self.on_stdio(role, "-", *args, stdin=stdin, stdout=stdout, **kw)
            self.far_program = self.client("127.0.0.1:%d" % program.port)
            far = self.own(harness.connect(self.far_program.port))
        far.settimeout(PATIENCE)
        return program, far

    def on_pipes(self, role, *args, **kw):
        """The same on two pipes: (program, other end, to its stdin, from its stdout)."""
        rfd, to = self.pipe()
        out, wfd = self.pipe()
        program, far = self.start(role, rfd, wfd, *args, **kw)
        os.close(rfd)
        os.close(wfd)
        return program, far, to, out

    def hello(self, to, far, out):
        """A few bytes each way: the tunnel is open."""
        os.write(to, b"hello")
        self.assertEqual(recv_exactly(far, 5), b"hello")
        far.sendall(b"welcome")
        self.assertEqual(read_exactly(out, 7), b"welcome")

    def ended(self, program, status, pattern):
        self.assertEqual(program.wait(), status, program.log)
        self.assertRegex(program.log, pattern)

    def half_close_out(self, program, far, to, out, close=os.close):
        """Our end of input, then the whole answer, then exit 0."""
        question, answer = noise(300 * KIB, 1), noise(2 * MIB, 2)
        sender = in_background(lambda: (write_all(to, question), close(to)))
        self.assertEqual(recv_all(far), question)
        sender.join()
        time.sleep(0.3)
        in_background(lambda: (far.sendall(answer), far.close()))
        self.assertEqual(read_all(out), answer)
        self.ended(program, 0, ": closed; ")

    def half_close_in(self, program, far, to, out, close=os.close):
        """The other side ends first; what we still have to say arrives."""
        far.sendall(b"that is all")
        fin(far)
        self.assertEqual(read_all(out), b"that is all")
        time.sleep(0.3)
        self.assertTrue(program.alive(), program.log)
        rest = noise(2 * MIB, 3)
        in_background(lambda: (write_all(to, rest), close(to)))
        self.assertEqual(outcome(far), (rest, "eof"))
        self.ended(program, 0, ": closed; ")

    def check_flags(self, role, stdin, stdout, to, out):
        """The inherited descriptors are shared with others: their flags are the same while
        the tunnel is open and after it."""
        before = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (stdin, stdout)]
        self.assertFalse([f for f in before if f & os.O_NONBLOCK])
        program, far = self.start(role, stdin, stdout)
        os.write(to, b"hello")
        self.assertEqual(recv_exactly(far, 5), b"hello")
        # More than the other end takes at once, so that it has to wait.
        sender = in_background(far.sendall, noise(MIB))
        time.sleep(0.2)
        self.assertEqual([fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (stdin, stdout)], before)
        read_exactly(out, MIB)
        sender.join()
        far.close()
        program.kill()
        self.assertEqual([fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (stdin, stdout)], before)


class Kinds(StdioCase):
    """What may stand at 0 and 1."""

    @both_roles
    def test_pipes(self, role):
        """Pipes: the end of input arrives as such, the answer after it arrives whole."""
        program, far, to, out = self.on_pipes(role)
        self.hello(to, far, out)
        self.half_close_out(program, far, to, out)

    @both_roles
    def test_pipes_other_side_first(self, role):
        """Pipes: the other side's end closes our output, and input goes on."""
        self.half_close_in(*self.on_pipes(role))

    @both_roles
    def test_regular_files(self, role):
        """Files, read from where they stand and appended to."""
        text = noise(5 * MIB)
        with open(self.path("in"), "wb") as f:
            f.write(text)
        with open(self.path("out"), "wb") as f:
            f.write(b"before")
        with open(self.path("in"), "rb", buffering=0) as stdin, \
                open(self.path("out"), "ab", buffering=0) as stdout:
            stdin.seek(1000)
            program, far = self.start(role, stdin, stdout)
            harness.echo(far)
            self.ended(program, 0, ": closed; ")
        with open(self.path("out"), "rb") as f:
            self.assertTrue(f.read() == b"before" + text[1000:])

    @both_roles
    def test_empty_file(self, role):
        """Nothing in, nothing out, exit 0."""
        open(self.path("in"), "wb").close()
        with open(self.path("in"), "rb") as stdin, open(self.path("out"), "wb") as stdout:
            program, far = self.start(role, stdin, stdout)
            harness.echo(far)
            self.ended(program, 0, ": closed; ")
        self.assertEqual(os.path.getsize(self.path("out")), 0)

    @both_roles
    def test_one_socket(self, role):
        """One socket on both, as inetd does; its two directions end one by one."""
        for family in (socket.AF_UNIX, socket.AF_INET):
            for case in (self.half_close_out, self.half_close_in):
                ours, theirs = self.sockets(family)
                program, far = self.start(role, theirs, theirs)
                theirs.close()
                fd = ours.fileno()
                self.hello(fd, far, fd)
                case(program, far, fd, fd, close=lambda _, s=ours: fin(s))
                ours.close()

    def sockets(self, family):
        """Two connected sockets."""
        if family == socket.AF_UNIX:
            pair = socket.socketpair()
        else:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                pair = (socket.create_connection(listener.getsockname()),
                        listener.accept()[0])
        return [self.own(s) for s in pair]

    @both_roles
    def test_two_sockets(self, role):
        """Two sockets, one for each direction."""
        for case in (self.half_close_out, self.half_close_in):
            to, stdin = self.sockets(socket.AF_UNIX)
            out, stdout = self.sockets(socket.AF_UNIX)
            program, far = self.start(role, stdin, stdout)
            stdin.close()
            stdout.close()
            case(program, far, to.fileno(), out.fileno(), close=lambda _, s=to: fin(s))

    def terminal(self):
        """A terminal: (our end, its end), line by line, without echo."""
        ours, theirs = self.opened(*pty.openpty())
        mode = termios.tcgetattr(theirs)
        mode[1] &= ~termios.OPOST
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, mode)
        return ours, theirs

    @both_roles
    def test_terminal(self, role):
        """A terminal: lines go out when they are complete, ^D ends the input, and the
        terminal's modes stay as they are."""
        ours, theirs = self.terminal()
        mode, flags = termios.tcgetattr(theirs), fcntl.fcntl(theirs, fcntl.F_GETFL)
        program, far = self.start(role, theirs, theirs)
        os.write(ours, b"a line\n")
        self.assertEqual(recv_exactly(far, 7), b"a line\n")
        far.sendall(b"an answer\n")
        self.assertEqual(read_exactly(ours, 10), b"an answer\n")
        self.assertEqual(termios.tcgetattr(theirs), mode)
        self.assertEqual(fcntl.fcntl(theirs, fcntl.F_GETFL), flags)
        os.write(ours, b"\x04")
        self.assertEqual(recv_all(far), b"")
        far.sendall(b"the last line\n")
        far.close()
        self.assertEqual(read_exactly(ours, 14), b"the last line\n")
        self.ended(program, 0, ": closed; ")
        self.assertEqual(termios.tcgetattr(theirs), mode)
        self.assertEqual(fcntl.fcntl(theirs, fcntl.F_GETFL), flags)

    @both_roles
    def test_terminal_hangs_up(self, role):
        """A terminal that goes away ends the tunnel, and the process with it."""
        ours, theirs = self.terminal()
        program, far = self.start(role, theirs, theirs)
        os.close(theirs)
        os.write(ours, b"a line\n")
        self.assertEqual(recv_exactly(far, 7), b"a line\n")
        os.close(ours)
        far.close()
        self.assertIn(program.wait(), (0, 2), program.log)

    @both_roles
    def test_dev_null(self, role):
        """/dev/null: input ends at once, output is thrown away, exit 0."""
        with open("/dev/null", "r+b", buffering=0) as null:
            program, far = self.start(role, null, null)
            self.assertEqual(recv_all(far), b"")
            far.sendall(noise(MIB))
            far.close()
            self.ended(program, 0, ": closed; .*%d bytes" % MIB)

    @both_roles
    def test_dev_full(self, role):
        """Output that cannot be written is no clean end."""
        with open("/dev/full", "wb", buffering=0) as full:
            rfd, to = self.pipe()
            program, far = self.start(role, rfd, full)
            os.close(rfd)
            far.sendall(b"lost")
            try:
                fin(far)
            except OSError:
                pass  # reset by then, and rightly
            os.close(to)
            self.assertEqual(program.wait(), 2, program.log)

    @both_roles
    def test_unreadable_input(self, role):
        """Input that cannot be read, here a folder, is no clean end."""
        folder = self.opened(os.open("/", os.O_RDONLY))
        with open("/dev/null", "wb") as null:
            program, far = self.start(role, folder, null)
        self.assertEqual(outcome(far), (b"", "reset"))
        self.assertEqual(program.wait(), 2, program.log)

    def test_both_ends(self):
        """64 MiB each way through client --accept - to server --connect -, byte-exact."""
        n = (8 if SANITIZER else 64) * MIB
        texts = noise(n, 1), noise(n, 2)
        ends = [(self.pipe(), self.pipe()) for _ in texts]
        server = self.server("-", stdin=ends[0][0][0], stdout=ends[0][1][1])
        client = self.client("127.0.0.1:%d" % server.port, accept="-",
                             stdin=ends[1][0][0], stdout=ends[1][1][1])
        for (rfd, _), (_, wfd) in ends:
            os.close(rfd)
            os.close(wfd)
        digests = [hashlib.sha256(), hashlib.sha256()]

        def write(fd, text):
            write_all(fd, text)
            os.close(fd)

        def read(fd, digest):
            for data in iter(lambda: os.read(fd, MIB), b""):
                digest.update(data)
        threads = [in_background(write, to[1], text) for (to, _), text in zip(ends, texts)]
        threads += [in_background(read, out[0], d) for (_, out), d in zip(ends, digests)]
        for program in (server, client):
            self.ended(program, 0, ": closed; .*; %d bytes to TLS, %d bytes from TLS" % (n, n))
        for t in threads:
            t.join(PATIENCE)
        self.assertEqual([d.digest() for d in digests],
                         [hashlib.sha256(t).digest() for t in reversed(texts)])


class Flags(StdioCase):
    @both_roles
    def test_flags_of_pipes(self, role):
        """O_NONBLOCK is set on neither pipe."""
        rfd, to = self.pipe()
        out, wfd = self.pipe()
        self.check_flags(role, rfd, wfd, to, out)

    @both_roles
    def test_flags_of_socket(self, role):
        """… nor on a socket."""
        ours, theirs = [self.own(s) for s in socket.socketpair()]
        self.check_flags(role, theirs.fileno(), theirs.fileno(), ours.fileno(), ours.fileno())


class ExitCodes(StdioCase):
    """0 after a clean close, 2 when the tunnel ended in an error."""

    def tls_server(self, trust="client"):
        """A listening socket, and what takes a TLS connection from it."""
        listener = self.own(socket.create_server(("127.0.0.1", 0)))
        listener.settimeout(PATIENCE)

        def accept():
            sock = self.own(listener.accept()[0])
            sock.settimeout(PATIENCE)
            context = self.context("server", server_side=True, trust=trust)
            return TlsWire(sock, context, server_side=True)
        return listener.getsockname()[1], accept

    def with_tls_peer(self, role, *args):
        """On pipes, with a TLS peer of ours: (program, its peer, to stdin, from stdout)."""
        rfd, to = self.pipe()
        out, wfd = self.pipe()
        if role == "client":
            port, accept = self.tls_server()
            program = self.client("127.0.0.1:%d" % port, *args, accept="-", stdin=rfd,
                                  stdout=wfd)
            wire = accept().handshake()
        else:
            program = self.server("-", *args, stdin=rfd, stdout=wfd)
            wire = self.tls(program.port)
        os.close(rfd)
        os.close(wfd)
        os.write(to, b"hello")
        self.assertEqual(wire.read_exactly(5), b"hello")
        return program, wire, to, out

    @both_roles
    def test_clean(self, role):
        """close_notify both ways: 0."""
        program, wire, to, out = self.with_tls_peer(role)
        wire.sendall(b"answer")
        wire.close_notify()
        os.close(to)
        self.assertEqual(wire.outcome(), (b"", "close_notify"))
        self.assertEqual(read_all(out), b"answer")
        self.ended(program, 0, ": closed; ")

    @both_roles
    def test_truncated(self, role):
        """FIN without close_notify: 2, after all that was received; with compat 0, and the
        log says what happened."""
        for abort in ("strict", "compat"):
            program, wire, to, out = self.with_tls_peer(role, "--abort", abort)
            wire.sendall(noise(200 * KIB))
            fin(wire.sock)
            self.assertEqual(read_all(out), noise(200 * KIB))
            os.close(to)
            if abort == "strict":
                self.ended(program, 2, ": truncated by the TLS peer")
            else:
                self.ended(program, 0, r": closed \(the TLS peer truncated\)")

    @both_roles
    def test_reset(self, role):
        """A reset: 2, after all that was received."""
        program, wire, to, out = self.with_tls_peer(role)
        wire.sendall(noise(100 * KIB))
        self.assertEqual(read_exactly(out, 50 * KIB), noise(100 * KIB)[:50 * KIB])
        harness.reset(wire.sock)
        self.assertEqual(read_all(out), noise(100 * KIB)[50 * KIB:])
        self.ended(program, 2, ": reset by the TLS peer;")

    @both_roles
    def test_idle_timeout(self, role):
        """TIMEOUTidle: 2."""
        program, _, _, _ = self.with_tls_peer(role, "--timeoutidle", "1")
        self.ended(program, 2, ": TIMEOUTidle exceeded;")

    def test_refused_by_server(self):
        """A server that does not know our certificate: 2."""
        port, accept = self.tls_server(trust="stranger")
        program = self.client("127.0.0.1:%d" % port, accept="-")
        try:
            accept().handshake()
            self.fail("the server took the certificate")
        except OSError:
            pass
        self.ended(program, 2, ": refused by peer.*unknown_ca")

    def test_server_refused(self):
        """A server that we do not know: 2, and it gets no byte of our input."""
        server = self.server("echo:")
        program = self.own(harness.Sluss(
            "client", "--accept", "-", "--connect", "127.0.0.1:%d" % server.port,
            "--cert", self.pem("client"), "--peer", self.crt("stranger"), ready=False))
        self.ended(program, 2, ": peer refused while in the TLS handshake: ")

    def test_unreachable(self):
        """A target where nobody listens: 2."""
        closed = self.own(socket.socket())
        closed.bind(("127.0.0.1", 0))
        program = self.client("127.0.0.1:%d" % closed.getsockname()[1], accept="-")
        self.ended(program, 2, ": connect failed while connecting: .*Connection refused")

    def test_target_leaves(self):
        """A target that closes instead of shaking hands: 2."""
        backend = self.backend(lambda c: None)
        program = self.client(backend.target, accept="-")
        self.assertEqual(program.wait(), 2, program.log)

    def flood(self, sock):
        try:
            while True:
                sock.sendall(bytes(64 * KIB))
        except OSError:
            pass

    @both_roles
    def test_reader_leaves(self, role):
        """A reader that has read enough, as head does: no death by SIGPIPE but 2 and a
        line that says so; the other side is reset."""
        rfd, to = self.pipe()
        head = subprocess.Popen([harness.need("head"), "-c", "10"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
        program, far = self.start(role, rfd, head.stdin)
        head.stdin.close()
        far.sendall(b"0123456789")
        flood = in_background(self.flood, far)
        self.assertEqual(head.stdout.read(), b"0123456789")
        head.stdout.close()
        self.assertEqual(head.wait(), 0)
        self.ended(program, 2, ": reset by the plain side;")
        flood.join(PATIENCE)
        self.assertFalse(flood.is_alive())


class OneConnection(StdioCase):
    """server --connect - serves exactly one authorised connection."""

    def refused(self, port):
        try:
            harness.connect(port).close()
        except ConnectionRefusedError:
            return True
        return False

    def test_one_connection(self):
        """Unauthorised ones before it change nothing, one at the same time is refused,
        the port is closed from then on, and the end of it is the end of the process."""
        rfd, to = self.pipe()
        out, wfd = self.pipe()
        server = self.server("-", stdin=rfd, stdout=wfd)
        port = server.port
        os.close(rfd)
        os.close(wfd)
        garbage = self.own(harness.connect(port))
        garbage.sendall(b"GET / HTTP/1.0\r\n\r\n")
        server.ends(": TLS handshake failed")
        wire = self.stranger(port)
        self.assertNotEqual(wire.outcome()[1], "close_notify")
        server.ends(": peer refused")
        self.assertTrue(server.alive(), server.log)

        wire = self.tls(port)
        os.write(to, b"hello")
        self.assertEqual(wire.read_exactly(5), b"hello")
        harness.wait_for(lambda: self.refused(port), "a closed port")
        wire.sendall(b"welcome")
        self.assertEqual(read_exactly(out, 7), b"welcome")
        wire.close_notify()
        self.assertEqual(read_all(out), b"")
        os.close(to)
        self.ended(server, 0, ": closed; ")
        self.assertTrue(self.refused(port))

    def stranger(self, port):
        """A connection with a certificate that the server does not know; in TLS 1.3 it
        learns that when it reads."""
        sock = self.own(harness.connect(port))
        return TlsWire(sock, self.context("stranger"), server_hostname="localhost").handshake()

    def test_second_in_handshake(self):
        """Two that shake hands at the same time: the first that is authorised has it, the
        other one is reset, and the first does not notice."""
        rfd, to = self.pipe()
        out, wfd = self.pipe()
        server = self.server("-", stdin=rfd, stdout=wfd)
        os.close(rfd)
        os.close(wfd)
        second = TlsWire(self.own(harness.connect(server.port)), self.context(),
                         server_hostname="localhost")
        try:
            second.tls.do_handshake()
        except OSError:
            pass  # wants to read: its hello is to be sent
        second.flush()
        # The server's answer is there: it is in the middle of the handshake.
        second.feed()
        first = self.tls(server.port)
        os.write(to, b"hello")
        self.assertEqual(first.read_exactly(5), b"hello")
        try:
            second.handshake()
            end = second.outcome()
        except ConnectionResetError:
            end = (b"", "reset")
        self.assertEqual(end, (b"", "reset"))
        server.ends(": stdio serves another tunnel while connecting")
        first.sendall(b"welcome")
        self.assertEqual(read_exactly(out, 7), b"welcome")
        first.close_notify()
        os.close(to)
        self.ended(server, 0, ": closed; ")

    def test_silent_one_does_not_hold_it(self):
        """One that never says a word does not keep the process when the tunnel ended."""
        rfd, to = self.pipe()
        server = self.server("-", "--timeoutbusy", "3600", stdin=rfd)
        os.close(rfd)
        silent = self.own(harness.connect(server.port))
        wire = self.tls(server.port)
        os.close(to)
        self.assertEqual(wire.read(), b"")
        wire.close_notify()
        self.ended(server, 0, ": closed; ")
        self.assertEqual(outcome(silent)[0], b"")


class OtherUser(StdioCase):
    """Pipes that may not be opened anew: threads relay."""

    def setUp(self):
        super().setUp()
        self.as_nobody()

    @both_roles
    def test_relay(self, role):
        """Both half-closes, whole and in order, and exit 0; threads of its own do it."""
        program, far, to, out = self.on_pipes(role)
        self.hello(to, far, out)
        with open("/proc/%d/status" % program.pid) as f:
            self.assertIn("\nUid:\t%d\t" % NOBODY, f.read())
        self.assertEqual(program.threads(), self.far_program.threads() + 2)
        self.half_close_out(program, far, to, out)
        self.half_close_in(*self.on_pipes(role))

    @both_roles
    def test_flags_of_relayed_pipes(self, role):
        """O_NONBLOCK is not set on these either."""
        rfd, to = self.pipe()
        out, wfd = self.pipe()
        self.check_flags(role, rfd, wfd, to, out)

    @both_roles
    def test_relay_slow_reader(self, role):
        """The process does not end before a slow reader has it all."""
        program, far, to, out = self.on_pipes(role)
        os.close(to)
        text = noise(400 * KIB)
        far.sendall(text)
        far.close()
        time.sleep(1)
        self.assertTrue(program.alive(), program.log)
        self.assertEqual(read_all(out), text)
        self.ended(program, 0, ": closed; ")

    @both_roles
    def test_relay_reader_leaves(self, role):
        """A reader that leaves: 2, not SIGPIPE."""
        program, far, to, out = self.on_pipes(role)
        self.hello(to, far, out)
        os.close(out)
        try:
            for _ in range(1000):
                far.sendall(bytes(KIB))
                time.sleep(0.001)
        except OSError:
            pass
        self.assertEqual(program.wait(), 2, program.log)

    @both_roles
    def test_relay_reader_left_before_the_end(self, role):
        """The same when only the last bytes are lost."""
        program, far, to, out = self.on_pipes(role)
        self.hello(to, far, out)
        os.close(out)
        far.sendall(b"lost")
        fin(far)
        os.close(to)
        self.assertEqual(program.wait(), 2, program.log)

    @both_roles
    def test_relay_stuck(self, role):
        """A reader that never reads, and input that never ends: two signals end it."""
        program, far, to, out = self.on_pipes(role)
        self.hello(to, far, out)
        in_background(self.flood, far)
        time.sleep(0.3)
        program.process.send_signal(signal.SIGTERM)
        program.wait_log("Stopping")
        program.process.send_signal(signal.SIGTERM)
        self.ended(program, 2, ": cut at shutdown;")

    @both_roles
    def test_relay_stuck_after_the_end(self, role):
        """The same when the tunnel has ended and only its last bytes are not read."""
        program, far, to, out = self.on_pipes(role)
        os.close(to)
        far.sendall(noise(200 * KIB))
        far.close()
        program.wait_log(": closed; ")
        program.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        program.process.send_signal(signal.SIGTERM)
        self.assertEqual(program.wait(), 2, program.log)

    def flood(self, sock):
        try:
            sock.sendall(bytes(64 * MIB))
        except OSError:
            pass


class Closed(StdioCase):
    """No standard input or output: said at once, exit 1."""

    def starts_not(self, role, what, **kw):
        """It says that it cannot use a descriptor, and ends."""
        target = "127.0.0.1:1" if role == "client" else "-"
        make = self.client if role == "client" else self.server
        program = make(target, accept="-" if role == "client" else "127.0.0.1:0", ready=False,
                       **kw)
        self.assertEqual(program.wait(), 1, program.log)
        self.assertIn("sluss: standard %s is closed" % what, program.log)

    @both_roles
    def test_stdin_closed(self, role):
        self.starts_not(role, "input", preexec_fn=lambda: os.close(0))

    @both_roles
    def test_stdout_closed(self, role):
        self.starts_not(role, "output", preexec_fn=lambda: os.close(1))

    @both_roles
    def test_wrong_direction(self, role):
        """Input that is only for writing and output that is only for reading are none."""
        rfd, wfd = self.pipe()
        self.starts_not(role, "input", stdin=wfd)
        self.starts_not(role, "output", stdout=rfd)

    def test_closed_without_stdio(self):
        """Tunnels that have nothing to do with 0, 1 and 2 work without them."""
        def close_all():
            for fd in (0, 1):
                os.close(fd)
        server = self.server("echo:", preexec_fn=close_all)
        wire = self.tls(server.port)
        wire.sendall(b"hello")
        self.assertEqual(wire.read_exactly(5), b"hello")
        wire.close_notify()
        self.assertEqual(wire.outcome(), (b"", "close_notify"))
        self.assertEqual(server.stop(), 0)


class Signals(StdioCase):
    @both_roles
    def test_term_lets_it_finish(self, role):
        """SIGTERM: the tunnel may finish, then 0."""
        program, far, to, out = self.on_pipes(role)
        self.hello(to, far, out)
        program.process.send_signal(signal.SIGTERM)
        program.wait_log("Stopping")
        self.hello(to, far, out)
        self.half_close_out(program, far, to, out)

    @both_roles
    def test_term_cuts(self, role):
        """TIMEOUTdrain over: the tunnel is cut, that is counted, and the exit code is 2
        since it ended in an error."""
        program, far, to, out = self.on_pipes(role, "--timeoutdrain", "1")
        self.hello(to, far, out)
        program.process.send_signal(signal.SIGTERM)
        self.ended(program, 2, ": cut at shutdown;")
        self.assertIn("Terminated: 0 tunnels ended, 1 cut", program.log)
        self.assertEqual(outcome(far), (b"", "reset"))

    @both_roles
    def test_second_signal(self, role):
        """A second signal ends it at once."""
        program, far, to, out = self.on_pipes(role, "--timeoutdrain", "3600")
        self.hello(to, far, out)
        program.process.send_signal(signal.SIGINT)
        program.wait_log("Stopping")
        program.process.send_signal(signal.SIGTERM)
        self.ended(program, 2, ": cut at shutdown;")

    def test_term_before_the_tunnel(self):
        """A server that still waits for its one connection ends with 0."""
        server = self.server("-")
        self.assertEqual(server.stop(), 0, server.log)

    def test_term_while_connecting(self):
        """A client whose server never answers: two signals end it, with 2."""
        listener = self.own(socket.create_server(("127.0.0.1", 0)))
        program = self.client("127.0.0.1:%d" % listener.getsockname()[1], "--timeoutbusy",
                              "3600", "--timeoutdrain", "3600", accept="-")
        listener.settimeout(PATIENCE)
        sock = self.own(listener.accept()[0])
        self.assertTrue(sock.recv(1))
        program.process.send_signal(signal.SIGTERM)
        program.wait_log("Stopping")
        program.process.send_signal(signal.SIGTERM)
        self.ended(program, 2, ": cut at shutdown while in the TLS handshake")


if __name__ == "__main__":
    harness.main()
