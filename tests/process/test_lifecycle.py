"""Start, signals, draining, the end, and the log, whatever becomes of stderr."""

import datetime
import fcntl
import hashlib
import os
import re
import signal
import socket
import subprocess
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import harness
from harness import SANITIZER, SLUSS, Case, connect, wait_for

STAMP = r"\d{4}\.\d\d\.\d\d \d\d:\d\d:\d\d"
FINGERPRINT = r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}"


class Lifecycle(Case):
    def open_tunnel(self, client):
        """A connection through the pair, known to work."""
        c = self.own(connect(client.port))
        c.sendall(b"x")
        self.assertEqual(harness.recv_exactly(c, 1), b"x")
        return c

    def refuses(self, port):
        """Nobody listens there any more."""
        def gone():
            try:
                connect(port).close()
            except ConnectionRefusedError:
                return True
            return False
        wait_for(gone, "port %d to be closed" % port)

    def terminated(self, program, ended, cut):
        program.wait_log(r"LOG5\[main\]: Terminated: %s tunnels ended, %s cut$" % (ended, cut))


class Drain(Lifecycle):
    def drained(self, sig):
        """A transfer under way finishes, new connections are refused, exit 0."""
        size = 8 << 20
        go = threading.Event()

        def slowly(c):
            c.recv(1)
            c.sendall(b"a" * (size // 2))
            go.wait(harness.PATIENCE)
            c.sendall(b"b" * (size // 2))
            c.shutdown(socket.SHUT_WR)

        server, client = self.pair(self.backend(slowly).target)
        c = self.own(connect(client.port))
        c.sendall(b"?")
        got = harness.recv_exactly(c, 1000)
        for program in client, server:
            port = program.port
            program.process.send_signal(sig)
            program.wait_log(r"LOG5\[main\]: Stopping: 1 tunnels may finish within 30 s")
            self.refuses(port)
        go.set()
        got += harness.recv_exactly(c, size - 1000)
        self.assertEqual(got, b"a" * (size // 2) + b"b" * (size // 2))
        self.assertEqual(c.recv(1), b"")
        c.close()
        for program in client, server:
            self.assertEqual(program.wait(), 0, program.log)
            self.terminated(program, 1, 0)
            self.assertRegex(program.log, ": closed; .*%d bytes" % size)

    def test_drain_term(self):
        self.drained(signal.SIGTERM)

    def test_drain_int(self):
        self.drained(signal.SIGINT)

    def test_drain_waits_for_data_to_come(self):
        """An idle tunnel may go on in both directions while the program drains."""
        server, client = self.pair("echo:")
        c = self.open_tunnel(client)
        client.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGTERM)
        client.wait_log("Stopping: 1 tunnels")
        server.wait_log("Stopping: 1 tunnels")
        for i in range(50):
            c.sendall(b"%04d" % i)
            self.assertEqual(harness.recv_exactly(c, 4), b"%04d" % i)
        c.shutdown(socket.SHUT_WR)
        self.assertEqual(c.recv(1), b"")
        self.assertEqual((client.wait(), server.wait()), (0, 0))

    def test_drain_past_the_limit(self):
        """What is left after --timeoutdrain is cut and counted; the exit is still 0."""
        server, client = self.pair("echo:", client_args=["--timeoutdrain", "1"])
        connections = [self.open_tunnel(client) for _ in range(3)]
        began = time.monotonic()
        self.assertEqual(client.stop(), 0, client.log)
        self.assertGreater(time.monotonic() - began, 0.9, "the time was not given")
        self.terminated(client, 0, 3)
        self.assertEqual(len(re.findall("cut at shutdown", client.log)), 3)
        for c in connections:
            # A cut is no proper end.
            self.assertEqual(harness.outcome(c), (b"", "reset"))
        server.ends(r"reset by the TLS peer|truncated by the TLS peer", count=3)

    def test_drain_limit_of_nothing(self):
        """--timeoutdrain 0 cuts at once."""
        _, client = self.pair("echo:", client_args=["--timeoutdrain", "0"])
        self.open_tunnel(client)
        self.assertEqual(client.stop(), 0)
        self.terminated(client, 0, 1)

    def test_nothing_to_drain(self):
        """Without tunnels it ends at once, both ways of asking, with 0."""
        for sig in signal.SIGTERM, signal.SIGINT:
            server = self.server("echo:", "--timeoutdrain", "600")
            self.assertEqual(server.stop(sig), 0, server.log)
            self.terminated(server, 0, 0)

    def test_second_signal(self):
        """It ends the draining at once, whichever the two signals are."""
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT),
                              (signal.SIGTERM, signal.SIGINT)):
            server, client = self.pair("echo:", client_args=["--timeoutdrain", "600"])
            self.open_tunnel(client)
            client.process.send_signal(first)
            client.wait_log("Stopping: 1 tunnels may finish within 600 s")
            self.assertEqual(client.stop(second), 0, client.log)
            self.terminated(client, 0, 1)
            server.ends("reset by the TLS peer|truncated by the TLS peer")

    def test_signals_storm(self):
        """Many signals at once, in the middle of traffic: a quick end, without a crash."""
        for _ in range(3 if SANITIZER else 10):
            # So long that only the second signal can be what ends it.
            patient = ["--timeoutdrain", "600"]
            server, client = self.pair("echo:", patient, patient)
            connections = [self.open_tunnel(client) for _ in range(4)]
            stop = threading.Event()

            def chatter(c):
                try:
                    while not stop.is_set():
                        c.sendall(b"y" * 10000)
                        c.recv(10000)
                except OSError:
                    pass  # cut, as expected
            threads = [threading.Thread(target=chatter, args=(c,), daemon=True)
                       for c in connections]
            for t in threads:
                t.start()
            for program in client, server:
                for sig in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE,
                            signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
                    if program.alive():
                        program.process.send_signal(sig)
            self.assertEqual((client.wait(), server.wait()), (0, 0),
                             client.log + server.log)
            stop.set()
            for t in threads:
                t.join(harness.PATIENCE)

    def test_term_during_handshakes(self):
        """Connections in every stage of the handshake at the end are cut and counted; none
        keeps the process alive past the limit."""
        server = self.server("echo:", "--timeoutdrain", "1", "--timeoutbusy", "600")
        silent = [self.own(connect(server.port)) for _ in range(5)]
        half = []
        for _ in range(5):
            sock = self.own(connect(server.port))
            wire = harness.TlsWire(sock, self.context(), server_hostname="localhost")
            try:
                wire.tls.do_handshake()
            except harness.ssl.SSLWantReadError:
                sock.sendall(wire.pending_out())
            half.append(sock)
        for sock in half:
            sock.settimeout(harness.PATIENCE)
            self.assertTrue(sock.recv(1), "the server's answer")
        whole = self.tls(server.port)
        self.assertEqual(server.stop(), 0, server.log)
        self.terminated(server, 0, len(silent) + len(half) + 1)
        whole.close()

    def test_handshake_finishes_while_draining(self):
        """Who came before the signal is served: the handshake may end after it."""
        server = self.server("echo:")
        sock = self.own(connect(server.port))
        wire = harness.TlsWire(sock, self.context(), server_hostname="localhost")
        try:
            wire.tls.do_handshake()
        except harness.ssl.SSLWantReadError:
            hello = wire.pending_out()
        sock.sendall(hello[:50])
        wait_for(lambda: self.accepted(server), "the connection")
        server.process.send_signal(signal.SIGTERM)
        server.wait_log("Stopping: 1 tunnels")
        sock.sendall(hello[50:])
        wire.handshake()
        wire.write(b"late")
        self.assertEqual(wire.read_exactly(4), b"late")
        wire.close_notify()
        self.assertEqual(wire.outcome(), (b"", "close_notify"))
        self.assertEqual(server.wait(), 0)
        self.terminated(server, 1, 0)

    @staticmethod
    def accepted(program):
        """Whether the program holds an established connection."""
        inodes = set()
        for fd in os.listdir("/proc/%d/fd" % program.pid):
            try:
                name = os.readlink("/proc/%d/fd/%s" % (program.pid, fd))
            except FileNotFoundError:
                continue
            match = re.match(r"socket:\[(\d+)\]", name)
            if match:
                inodes.add(match.group(1))
        with open("/proc/net/tcp") as f:
            return any(l.split()[9] in inodes and l.split()[3] == "01"
                       for l in f.readlines()[1:])


class Signals(Lifecycle):
    def test_sigpipe(self):
        """Neither the signal itself nor a write to a closed peer kills."""
        def leaves(c):
            c.recv(1)
            harness.reset(c)
        server, client = self.pair(self.backend(leaves).target)
        for program in server, client:
            program.process.send_signal(signal.SIGPIPE)
        for _ in range(20):
            c = connect(client.port)
            try:
                for _ in range(50):
                    c.sendall(b"z" * 65536)
            except OSError:
                pass
            c.close()
        for program in server, client:
            program.process.send_signal(signal.SIGPIPE)
            self.assertTrue(program.alive(), program.log)
        self.assertEqual((client.stop(), server.stop()), (0, 0))

    def test_ignored_signal_stays_ignored(self):
        """As nohup and a shell's "&" want it: SIGINT inherited as ignored does nothing."""
        def ignore():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        server = self.server("echo:", preexec_fn=ignore)
        client = self.client("127.0.0.1:%d" % server.port)
        for _ in range(3):
            server.process.send_signal(signal.SIGINT)
            server.process.send_signal(signal.SIGHUP)
            self.open_tunnel(client).close()
        self.assertNotIn("Stopping", server.log)
        self.assertTrue(server.alive())
        self.assertEqual(server.stop(signal.SIGTERM), 0)

    def test_blocked_signal(self):
        """A parent that left SIGTERM blocked does not make it unstoppable."""
        server = self.server("echo:", preexec_fn=lambda: signal.pthread_sigmask(
            signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT}))
        self.assertEqual(server.stop(), 0)


class Threads(Lifecycle):
    def threads(self, pid):
        """Name: (nice, CPUs) of each thread."""
        found = {}
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/stat" % (pid, task)) as f:
                name, rest = f.read().split("(")[1].split(") ")
            found[name] = int(rest.split()[16]), os.sched_getaffinity(int(task))
        return found

    def settled(self, *more):
        server = self.server("echo:", *more, "--acceptthreads", "2", "--workerthreads", "3")
        names = ["sluss-accept0", "sluss-accept1"] + ["sluss-work%d" % i for i in range(3)]
        wait_for(lambda: set(names) <= set(self.threads(server.pid)), "the threads")
        return server, names

    def test_nice(self):
        """Who does handshakes makes room for who moves data."""
        mine = os.nice(0)
        for more, extra in ((), 5), (("--acceptnice", "0"), 0), (("--acceptnice", "7"), 7):
            want = min(mine + extra, 19)
            server, names = self.settled(*more)
            wait_for(lambda: [self.threads(server.pid)[n][0] for n in names] ==
                     [want] * 2 + [mine] * 3, "nice values in %s" % self.threads(server.pid))
            self.assertEqual(server.stop(), 0)

    def test_affinity(self):
        """Each thread on one CPU, in turn; without the option all may go anywhere."""
        may = sorted(os.sched_getaffinity(0))
        want = [{may[i % len(may)]} for i in (0, 1, 0, 1, 2)]
        server, names = self.settled("--affinity")
        wait_for(lambda: [self.threads(server.pid)[n][1] for n in names] == want,
                 "CPUs in %s" % self.threads(server.pid))
        server, names = self.settled()
        self.assertEqual([self.threads(server.pid)[n][1] for n in names], [set(may)] * 5)


class Log(Lifecycle):
    def through(self, client, data=b"hello"):
        """One whole connection; returns what came back."""
        with connect(client.port) as c:
            port = c.getsockname()[1]
            c.sendall(data)
            c.shutdown(socket.SHUT_WR)
            return harness.recv_all(c), port

    def test_ready_line(self):
        """Port 0 shows the real port, the descriptor is the listener's, names are shown."""
        path = self.path("socket")
        server = self.own(harness.Sluss(
            "server", "--service", "data base", "--accept", "127.0.0.1:0", "--accept", path,
            "--connect", "echo:", "--cert", self.pem("server"), "--peer", self.crt("client")))
        first = server.wait_log(r"^%s LOG5\[main\]: Service \[data base\] \(FD=(\d+)\) bound to "
                                r"127\.0\.0\.1:([1-9]\d*)$" % STAMP)
        second = server.wait_log(r"LOG5\[main\]: Service \[data base\] \(FD=(\d+)\) bound to "
                                 r"(?:unix:)?%s$" % re.escape(path))
        self.assertEqual(server.port, int(first.group(2)))
        for match in first, second:
            link = os.readlink("/proc/%d/fd/%s" % (server.pid, match.group(1)))
            self.assertRegex(link, r"^socket:")
        # Ready means ready.
        self.tls(server.port).close_notify()
        for command in "server", "client":
            program = getattr(self, command)("127.0.0.1:9")
            program.wait_log(r"Service \[%s\] \(FD=\d+\) bound to" % command)

    def test_line_format(self):
        """Every line has the stamp, the level and an id; nothing else is on stderr."""
        server, client = self.pair("echo:", ["--debug", "7"], ["--debug", "7"])
        self.through(client)
        connect(server.port).close()
        garbage = self.own(connect(server.port))
        garbage.sendall(b"GET / HTTP/1.0\r\n\r\n")
        harness.outcome(garbage)
        server.ends("handshake failed")
        for program in client, server:
            self.assertEqual(program.stop(), 0)
            for line in program.lines:
                self.assertRegex(line, r"^%s LOG[0-7]\[(main|\d+)\]: \S" % STAMP)
                self.assertLessEqual(len(line), 1024)

    def test_levels(self):
        """--debug says how much: by number and by name."""
        shown = {}
        for level in ("0", "3", "4", "warning", "5", "notice", "6", "info", "7", "DEBUG"):
            backend = self.path("no-backend")
            path = self.path("s" + level)
            server = self.own(harness.Sluss(
                "server", "--accept", path, "--connect", backend, "--cert",
                self.pem("server"), "--insecure", "--debug", level, ready=False))
            wait_for(lambda: os.path.exists(path) or not server.alive(), "the socket")
            for says in b"", b"no TLS at all\r\n\r\n":
                with socket.socket(socket.AF_UNIX) as c:
                    c.settimeout(harness.PATIENCE)
                    wait_for(lambda: c.connect_ex(path) == 0, "the listener")
                    if says:
                        c.sendall(says)
                        harness.outcome(c)
            self.assertEqual(server.stop(), 0, server.log)
            shown[level] = {int(l) for l in re.findall(r"LOG(\d)\[", server.log)}
        self.assertEqual(shown["0"], set())
        self.assertEqual(shown["3"], set())
        self.assertEqual(shown["4"], {4})
        self.assertEqual(shown["warning"], shown["4"])
        self.assertEqual(shown["5"], {4, 5})
        self.assertEqual(shown["notice"], shown["5"])
        self.assertEqual(shown["6"], {4, 5, 6})
        self.assertEqual(shown["info"], shown["6"])
        self.assertEqual(shown["7"], {4, 5, 6, 7})
        self.assertEqual(shown["DEBUG"], shown["7"])

    def test_one_line_per_tunnel(self):
        """Id, service, both addresses, reason, version, suite, group, peer, exact bytes
        in each direction, duration; each id is a tunnel's own."""
        def answers(c):
            data = harness.recv_all(c)
            c.sendall(data[:123])
            time.sleep(0.25)
            c.shutdown(socket.SHUT_WR)
        backend = self.backend(answers)
        server, client = self.pair(backend.target, ["--service", "inner"],
                                   ["--service", "outer"])
        sizes = [1, 70000, 1234567]
        ports = []
        for size in sizes:
            data, port = self.through(client, b"q" * size)
            self.assertEqual(len(data), min(size, 123))
            ports.append(port)
        fingerprints = {n: self.fingerprint(n) for n in ("client", "server")}
        identity = {"server": r'peer "CN=server" DNS:localhost, IP:127\.0\.0\.1 SHA-256 '
                    + fingerprints["server"],
                    "client": r'peer "CN=client" DNS:client\.test SHA-256 '
                    + fingerprints["client"]}
        line = (r"^%s LOG6\[(\d+)\]: Service \[%s\] 127\.0\.0\.1:%s -> 127\.0\.0\.1:%d: closed; "
                r"TLSv1\.3 TLS_AES_128_GCM_SHA256 X25519MLKEM768; %s; "
                r"%d bytes to TLS, %d bytes from TLS; (\d+\.\d{3}) s$")
        for size, port in zip(sizes, ports):
            out, back = size, min(size, 123)
            found = client.wait_log(line % (STAMP, "outer", port, server.port,
                                            identity["server"], out, back))
            self.assertGreaterEqual(float(found.group(2)), 0.2)
            found = server.wait_log(line % (STAMP, "inner", r"\d+", backend.port,
                                            identity["client"], back, out))
            self.assertGreaterEqual(float(found.group(2)), 0.2)
        for program in server, client:
            ids = re.findall(r"LOG6\[(\d+)\]: Service", program.log)
            self.assertEqual(len(ids), len(sizes))
            self.assertEqual(len(set(ids)), len(sizes))

    def fingerprint(self, name):
        done = harness.run(harness.need("openssl"), "x509", "-in", self.crt(name), "-noout",
                           "-fingerprint", "-sha256")
        return done.out.strip().split("=")[1]

    def test_line_of_tls12(self):
        server = self.server("echo:")
        wire = self.tls(server.port, version=harness.ssl.TLSVersion.TLSv1_2)
        wire.write(b"12345")
        self.assertEqual(wire.read_exactly(5), b"12345")
        wire.close_notify()
        wire.outcome()
        server.ends(r"-> echo:: closed; TLSv1\.2 \S*ECDHE_ECDSA\S+ (X25519|P-256|SECP256R1); "
                    r"peer \"CN=client\".*; 5 bytes to TLS, 5 bytes from TLS; ")

    def test_line_of_a_failed_tunnel(self):
        """What was attempted is in it, and who it was."""
        server = self.server("127.0.0.1:9", "--timeoutbusy", "1")
        sock = self.own(connect(server.port))
        port = sock.getsockname()[1]
        sock.sendall(b"\x16\x03\x01")
        harness.outcome(sock)
        server.wait_log(r"LOG6\[\d+\]: Service \[server\] 127\.0\.0\.1:%d -> \(not connected\): "
                        r"TIMEOUTbusy exceeded while in the TLS handshake: .*1 seconds.*; "
                        r"\d+\.\d{3} s$" % port)

    def test_probe_is_quiet(self):
        """A connection that leaves without a TLS byte is worth a line of level 7 only."""
        server = self.server("echo:", "--debug", "7")
        with connect(server.port) as c:
            port = c.getsockname()[1]
        server.wait_log(r"LOG7\[\d+\]: Service \[server\] 127\.0\.0\.1:%d .*before the TLS "
                        r"handshake" % port)
        self.assertNotRegex(server.log, "LOG6.*127.0.0.1:%d" % port)

    def test_control_characters(self):
        """What a peer presents cannot forge a line or drive a terminal."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME,
                                             "evil\n2026.01.01 00:00:00 LOG5[main]: \x1b[31m")])
        now = datetime.datetime.utcnow()
        cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(1))
                .not_valid_after(now + datetime.timedelta(9)).sign(key, hashes.SHA256()))
        pem = self.path("evil.pem")
        with open(pem, "wb") as f:
            f.write(key.private_bytes(serialization.Encoding.PEM,
                                      serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()))
            f.write(cert.public_bytes(serialization.Encoding.PEM))
        os.chmod(pem, 0o600)
        server = self.server("echo:")
        client = self.own(harness.Sluss(
            "client", "--accept", "127.0.0.1:0", "--connect", "127.0.0.1:%d" % server.port,
            "--cert", pem, "--peer", self.crt("server")))
        harness.outcome(self.own(connect(client.port)))
        server.ends("peer refused.*evil")
        for line in server.lines:
            self.assertRegex(line, r"^%s LOG\d\[(main|\d+)\]: (Service|AES-GCM by) " % STAMP)
            self.assertNotIn("\x1b", line)


class Stderr(Lifecycle):
    """The data path does not depend on who reads the log."""

    def transfer(self, port, size=1 << 20):
        data = os.urandom(1 << 16) * (size >> 16)
        with connect(port) as c:
            sender = threading.Thread(target=lambda: (c.sendall(data),
                                                      c.shutdown(socket.SHUT_WR)))
            sender.start()
            got = harness.recv_all(c)
            sender.join()
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(data).digest())

    def raw_server(self, **kw):
        """A server whose stderr is not ours to read: where it listens is a socket's path."""
        path = self.path("sluss.sock")
        argv = [SLUSS, "server", "--accept", path, "--connect", "echo:", "--cert",
                self.pem("server"), "--peer", self.crt("client"), "--debug", "7"]
        argv = kw.pop("before", []) + argv
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.DEVNULL)
        process = subprocess.Popen(argv, **kw)

        def end():
            if process.poll() is None:
                process.kill()
            process.wait()
        self.addCleanup(end)
        wait_for(lambda: self.listens(path) or process.poll() is not None, "the socket")
        self.assertIsNone(process.poll(), "ended with %s" % process.returncode)
        return process, path

    @staticmethod
    def listens(path):
        """Whether somebody listens on the unix socket, found out without a connection."""
        with open("/proc/net/unix") as f:
            return any(l.split()[-1] == path and l.split()[3] == "00010000" for l in f)

    def serves_and_ends(self, process, path):
        client = self.client(path)
        for _ in range(3):
            self.transfer(client.port)
        self.assertIsNone(process.poll())
        process.terminate()
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        return client

    def test_disk_full_log(self):
        with open("/dev/full", "wb") as full:
            process, path = self.raw_server(stderr=full)
        self.serves_and_ends(process, path)

    def closed(self, *descriptors):
        """Starts a server with these descriptors closed."""
        words = "".join(" %d>&-" % d for d in descriptors)
        return self.raw_server(before=["sh", "-c", 'exec "$@"' + words, "sh"])

    def test_stderr_closed(self):
        """Log lines must not end up in a socket that got descriptor 2."""
        process, path = self.closed(2)
        self.no_low_descriptor_misused(process)
        self.serves_and_ends(process, path)

    def test_all_closed(self):
        """The same without stdin, stdout and stderr."""
        process, path = self.closed(0, 1, 2)
        self.no_low_descriptor_misused(process)
        self.serves_and_ends(process, path)

    def no_low_descriptor_misused(self, process):
        """0, 1 and 2 are what they were at the start or /dev/null, nothing of the program's
        own: lines of the log would be written into it."""
        for fd in 0, 1, 2:
            link = "/proc/%d/fd/%d" % (process.pid, fd)
            self.assertIn(os.readlink(link) if os.path.lexists(link) else "closed",
                          ("closed", "/dev/null"))

    def test_stdio_closed(self):
        """Standard output closed where it is an end of the tunnel: an error, not a
        connection of our own in its place."""
        server = self.server("echo:")
        done = subprocess.run(
            ["sh", "-c", 'exec "$@" >&-', "sh", SLUSS, "client", "--accept", "-", "--connect",
             "127.0.0.1:%d" % server.port, "--cert", self.pem("client"), "--peer",
             self.crt("server")], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"standard output is closed", done.stderr)

    def test_stderr_pipe_nobody_reads(self):
        """The pipe is full: tunnels go on as before, and the exit is not held up."""
        ours, theirs = os.pipe()
        fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
        try:
            process, path = self.raw_server(stderr=theirs)
        finally:
            os.close(theirs)
        client = self.client(path)
        for _ in range(100):  # each leaves a line: more than the pipe takes
            self.transfer(client.port, 1 << 16)
        self.transfer(client.port, 16 << 20)
        began = time.monotonic()
        process.terminate()
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        self.assertLess(time.monotonic() - began, 20, "ten times the two seconds it may wait")
        os.close(ours)

    def test_stderr_pipe_read_late(self):
        """Lines wait for a reader who comes late: none is lost below the bound."""
        ours, theirs = os.pipe()
        fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
        process, path = self.raw_server(stderr=theirs)
        os.close(theirs)
        client = self.client(path)
        for _ in range(100):
            self.transfer(client.port, 1 << 16)
        client.stop()
        parts = []
        reader = threading.Thread(target=lambda: parts.extend(iter(
            lambda: os.read(ours, 65536), b"")))
        process.terminate()
        reader.start()
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        reader.join()
        os.close(ours)
        text = b"".join(parts).decode()
        self.assertEqual(len(re.findall(r"LOG6\[\d+\]: .*: closed; ", text)), 100)
        self.assertTrue(text.endswith("100 tunnels ended, 0 cut\n"), text[-200:])

    def test_dropped_lines_are_counted(self):
        """What the queue could not hold is said, once a reader is there again."""
        ours, theirs = os.pipe()
        fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
        process, path = self.raw_server(stderr=theirs)
        os.close(theirs)
        probes = 0
        while probes < 4000:  # 256 KiB of lines of about 100 bytes, and more
            for _ in range(50):
                with socket.socket(socket.AF_UNIX) as c:
                    c.settimeout(harness.PATIENCE)
                    c.connect(path)
            probes += 50
        self.transfer(self.client(path).port, 1 << 16)  # comes behind them all
        parts = []
        reader = threading.Thread(target=lambda: parts.extend(iter(
            lambda: os.read(ours, 65536), b"")))
        reader.start()
        wait_for(lambda: b"log lines dropped" in b"".join(parts), "the count")
        process.terminate()
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        reader.join()
        os.close(ours)
        text = b"".join(parts).decode()
        dropped = sum(map(int, re.findall(r"LOG4\[main\]: (\d+) log lines dropped", text)))
        shown = len(re.findall(r"LOG7\[\d+\]: .*before the TLS handshake", text))
        ended = int(re.search(r"Terminated: (\d+) tunnels ended", text).group(1))
        self.assertEqual(ended, probes + 1)
        self.assertGreater(dropped, 0)
        shown += len(re.findall(r"LOG6\[\d+\]: .*: closed; ", text))
        self.assertEqual(dropped + shown, ended)

    def test_stderr_reader_leaves(self):
        """A pipe whose reader is gone: no SIGPIPE, no end."""
        ours, theirs = os.pipe()
        process, path = self.raw_server(stderr=theirs)
        os.close(theirs)
        os.close(ours)
        self.serves_and_ends(process, path)

    def test_stderr_not_blocking(self):
        """A stderr that another program made non-blocking loses no line."""
        ours, theirs = os.pipe()
        fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(theirs, False)
        process, path = self.raw_server(stderr=theirs)
        client = self.client(path)
        for _ in range(60):
            self.transfer(client.port, 1 << 16)
        client.stop()
        self.assertFalse(os.get_blocking(theirs), "the flags of the inherited pipe changed")
        os.close(theirs)
        process.terminate()
        text = b"".join(iter(lambda: os.read(ours, 65536), b"")).decode()
        os.close(ours)
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        self.assertEqual(len(re.findall(": closed; ", text)), 60)


if __name__ == "__main__":
    harness.main()
