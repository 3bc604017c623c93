"""The log: stunnel's lines in stunnel's words, each sink, JSON, ids, levels of sections,
and that a sink in trouble is nothing to the data."""

import json
import os
import re
import socket
import ssl
import subprocess

import harness
from harness import Sluss, connect, echo, recv_all, run, skip, wait_for

STAMP = r"\d{4}\.\d\d\.\d\d \d\d:\d\d:\d\d "


class LogCase(harness.Case):
    def config(self, *sections, head="", name="sluss.conf", foreground="yes"):
        """A file: a head, and sections of (name, text)."""
        path = self.path(name)
        with open(path, "w") as f:
            f.write("foreground = %s\npid =\nsyslog = no\n%s\n" % (foreground, head))
            for section, text in sections:
                f.write("[%s]\n%s\n" % (section, text))
        return path

    def section(self, target, more="", name="s"):
        return (name, "accept = 127.0.0.1:0\nconnect = %s\ncert = %s\n%s"
                % (target, self.pem("server"), more))

    def file_server(self, target, more="", head="", **kw):
        """sluss CONFIG: a server that asks nobody for a certificate."""
        return self.own(Sluss(self.config(self.section(target, more + "\ninsecure = yes"),
                                          head=head), **kw))

    def file_client(self, target, more="", head="", **kw):
        return self.own(Sluss(self.config(("c", "client = yes\naccept = 127.0.0.1:0\n"
                                           "connect = %s\n%s" % (target, more)),
                                          head=head, name="client.conf"), **kw))

    def talk(self, port, data=b"hello"):
        """One TLS connection that echoes; returns its own address as the log has it."""
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_NONE
        ctx.load_cert_chain(self.pem("client"))
        wire = harness.TlsWire(self.own(connect(port)), ctx).handshake()
        name = "%s:%d" % wire.sock.getsockname()
        wire.sendall(data)
        self.assertEqual(wire.read_exactly(len(data)), data)
        wire.close_notify()
        self.assertEqual(wire.outcome(), (b"", "close_notify"))
        wire.close()
        return name

    def in_vain(self, port):
        """A connection that comes to nothing, maybe before we know that we have it."""
        try:
            c = self.own(connect(port))
        except ConnectionResetError:
            return
        self.assertEqual(harness.outcome(c)[0], b"")

    def text_of(self, path):
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as f:
            return f.read()

    def lines_of(self, path):
        return self.text_of(path).splitlines()

    def bound_in(self, path, program):
        """The port, when the log is a file."""
        def bound():
            self.assertTrue(program.alive(), program.log)
            return re.search(r"bound to 127\.0\.0\.1:(\d+)", self.text_of(path))
        return int(wait_for(bound, "the line of the listener in " + path).group(1))

    def wait_file(self, path, pattern):
        return wait_for(lambda: re.search(pattern, self.text_of(path)),
                        "/%s/ in %s" % (pattern, path))


class Lines(LogCase):
    def test_a_tunnel_in_stunnels_words(self):
        backend = self.backend(echo)
        server = self.file_server(backend.target, head="debug = info")
        name = self.talk(server.port)
        server.wait_log("Connection closed")
        server.wait_log(r"LOG6\[0\]: Service \[s\] %s -> .* closed; " % name)
        steps = [line for line in server.lines if "[0]: " in line]
        expected = [
            r"LOG5\[0\]: Service \[s\] accepted connection from %s$" % name,
            r"LOG6\[0\]: TLS accepted: new session negotiated$",
            r"LOG5\[0\]: s_connect: connected %s$" % backend.target,
            r"LOG5\[0\]: Service \[s\] connected remote server from 127\.0\.0\.1:\d+$",
            r"LOG5\[0\]: Connection closed: 5 byte\(s\) sent to TLS, 5 byte\(s\) sent to socket$",
            r"LOG6\[0\]: Service \[s\] %s -> .* closed; " % name,
        ]
        self.assertEqual(len(steps), len(expected), server.log)
        for line, pattern in zip(steps, expected):
            self.assertRegex(line, "^" + STAMP + pattern)

    def test_a_client_in_stunnels_words(self):
        backend = self.backend(echo)
        server = self.server(backend.target)
        client = self.file_client("127.0.0.1:%d" % server.port,
                                  "cert = %s\nverifyPeer = yes\nCAfile = %s"
                                  % (self.pem("client"), self.crt("server")))
        c = self.own(connect(client.port))
        c.sendall(b"abc")
        c.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(c), b"abc")
        client.wait_log(r"LOG5\[0\]: Connection closed: 3 byte\(s\) sent to TLS, "
                        r"3 byte\(s\) sent to socket$")
        client.wait_log(r"LOG5\[0\]: Service \[c\] accepted connection from 127\.0\.0\.1:\d+$")
        client.wait_log(r"LOG5\[0\]: s_connect: connected 127\.0\.0\.1:%d$" % server.port)
        client.wait_log(r"LOG5\[0\]: Service \[c\] connected remote server from 127")
        # Of the default level, notice, there is no line of ours.
        self.assertNotIn("LOG6", client.log)

    def test_strict_says_it_once(self):
        """Ours: one line a tunnel, however much is asked for."""
        backend = self.backend(echo)
        server = self.server(backend.target, "--debug", "debug")
        self.talk(server.port)
        server.ends("closed; ")
        self.assertEqual(len([l for l in server.lines if "[0]: " in l]), 1, server.log)

    def test_strict_profile_in_a_file(self):
        backend = self.backend(echo)
        server = self.file_server(backend.target, "profile = strict", head="debug = info")
        self.talk(server.port)
        server.ends("closed; ")
        self.assertEqual(len([l for l in server.lines if "[0]: " in l]), 1, server.log)

    def test_target_that_refuses(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            nobody = "127.0.0.1:%d" % s.getsockname()[1]
        client = self.file_client(nobody)
        self.in_vain(client.port)
        client.wait_log(r"LOG3\[0\]: s_connect: connect %s: Connection refused \(111\)$" % nobody)
        client.wait_log(r"LOG3\[0\]: No more addresses to connect$")
        client.wait_log(r"LOG5\[0\]: Connection reset: 0 byte\(s\) sent to TLS, "
                        r"0 byte\(s\) sent to socket$")

    def test_target_without_address(self):
        client = self.file_client("no-such-host.invalid:1")
        self.in_vain(client.port)
        client.wait_log(r"LOG3\[0\]: Error resolving \"no-such-host\.invalid:1\": .")
        client.wait_log(r"LOG3\[0\]: No host resolved$")

    def test_peer_that_is_refused(self):
        """What xapi looks for."""
        server = self.server("echo:")
        client = self.file_client("127.0.0.1:%d" % server.port,
                                  "verifyPeer = yes\nCAfile = %s" % self.crt("stranger"))
        self.in_vain(client.port)
        client.wait_log(r"LOG4\[0\]: VERIFY ERROR: depth=0, error=.*alert sent")
        client.wait_log(r"LOG3\[0\]: SSL_connect: certificate verify failed$")
        client.wait_log(r"LOG5\[0\]: Connection reset: 0 byte")

    def test_refused_by_the_server(self):
        """With TLS 1.3 the server's verdict on us comes when our handshake is done."""
        server = self.server("echo:")
        client = self.file_client("127.0.0.1:%d" % server.port,
                                  "verifyPeer = yes\nCAfile = %s\ncert = %s"
                                  % (self.crt("server"), self.pem("stranger")))
        self.in_vain(client.port)
        client.wait_log(r"LOG3\[0\]: SSL_connect: .*alert received: ")
        client.wait_log(r"LOG5\[0\]: Connection reset: 0 byte")

    def test_alert_in_the_midst(self):
        server = self.file_server("echo:")
        sock = self.own(connect(server.port))
        wire = harness.TlsWire(sock, self.context(version=ssl.TLSVersion.TLSv1_2),
                               server_hostname="localhost").handshake()
        wire.sendall(b"x" * 100)
        wire.read_exactly(100)
        wire.tls.write(b"y" * 100)
        record = bytearray(wire.pending_out())
        record[-1] ^= 1
        sock.sendall(record)
        server.wait_log(r"LOG3\[0\]: SSL_read: .*alert sent: bad_record_mac")
        server.wait_log(r"LOG5\[0\]: Connection reset: 100 byte")

    def test_handshake_that_fails(self):
        server = self.file_server("echo:")
        c = self.own(connect(server.port))
        c.sendall(b"GET / HTTP/1.0\r\n\r\n")
        harness.outcome(c)
        server.wait_log(r"LOG3\[0\]: SSL_accept: the peer speaks plain HTTP")
        server.wait_log(r"LOG5\[0\]: Connection reset: 0 byte")

    def test_probe_is_no_error(self):
        server = self.file_server("echo:", head="debug = debug")
        connect(server.port).close()
        server.wait_log(r"LOG7\[0\]: Service \[s\] started$")
        server.wait_log(r"LOG5\[0\]: Connection closed: 0 byte")
        server.wait_log(r"LOG7\[0\]: Service \[s\] .* peer left before the TLS handshake")
        self.assertNotRegex(server.log, r"LOG[0-4]\[0\]")

    def test_start(self):
        server = self.file_server("echo:", head="debug = info")
        server.wait_log("Accepting new connections")
        order = ["Configuration successful", r"Service [s] (FD=", "Accepting new connections"]
        at = [next(i for i, l in enumerate(server.lines) if word in l) for word in order]
        self.assertEqual(at, sorted(at))
        self.assertRegex(server.log, r"LOG5\[.*Configuration successful")
        self.assertRegex(server.log, r"LOG6\[.*Accepting new connections")

    def test_start_that_fails(self):
        """Lines without a stamp, for who waits at the terminal."""
        taken = self.own(socket.create_server(("127.0.0.1", 0)))
        port = taken.getsockname()[1]
        config = self.config(("s", "accept = 127.0.0.1:%d\nconnect = 127.0.0.1:1\ncert = %s\n"
                              % (port, self.pem("server"))))
        done = run(harness.SLUSS, config, check=False)
        self.assertEqual((done.returncode, done.out), (1, ""))
        self.assertRegex(done.err, r"(?m)^\[!\] .*127\.0\.0\.1:%d: Address already in use" % port)
        self.assertRegex(done.err, r"(?m)^\[!\] Binding service \[s\] failed$")
        self.assertRegex(done.err, r"(?m)^\[\.\] Configuration successful$")
        self.assertRegex(done.err, r"(?m)^\[:\] .*abort = strict")
        for line in done.err.splitlines():
            self.assertRegex(line, r"^\[[*!:. ]\] ")
        with open(config, "a") as f:
            f.write("nonsense = 1\n")
        done = run(harness.SLUSS, config, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.err, r"(?m)^\[!\] .*:\d+: \"nonsense = 1\": ")
        self.assertRegex(done.err, r"(?m)^\[!\] Configuration failed$")


class Ids(LogCase):
    def ids(self, kind):
        """The ids of two tunnels."""
        server = self.file_server("echo:", "logId = " + kind)
        for i in range(2):
            self.talk(server.port)
            server.wait_log("Connection closed", count=i + 1)
        found = re.findall(r"LOG5\[([^]]*)\]: (?:Service \[s\] accepted|Connection closed)",
                           server.log)
        self.assertEqual(len(found), 4, server.log)
        self.assertEqual(found[:2], [found[0]] * 2)
        self.assertEqual(found[2:], [found[2]] * 2)
        return server, found[0], found[2]

    def test_sequential(self):
        self.assertEqual(self.ids("sequential")[1:], ("0", "1"))

    def test_unique(self):
        _, a, b = self.ids("unique")
        self.assertRegex(a, r"^[A-Za-z0-9+/]{22}$")
        self.assertRegex(b, r"^[A-Za-z0-9+/]{22}$")
        self.assertNotEqual(a, b)

    def test_process(self):
        server, a, b = self.ids("process")
        self.assertEqual((a, b), (str(server.pid),) * 2)

    def test_thread(self):
        server, a, b = self.ids("thread")
        tasks = os.listdir("/proc/%d/task" % server.pid)
        self.assertIn(a, tasks)
        self.assertIn(b, tasks)


class Levels(LogCase):
    def test_sections_have_their_own(self):
        quiet = self.section("echo:", "insecure = yes\ndebug = err", "quiet")
        chatty = self.section("echo:", "insecure = yes\ndebug = 7", "chatty")
        usual = self.section("echo:", "insecure = yes", "usual")
        server = self.own(Sluss(self.config(quiet, chatty, usual)))
        wait_for(lambda: len(server.bound()) == 3, "three listeners")
        for at in server.bound():
            self.talk(int(at.rsplit(":", 1)[1]))
        server.wait_log(r"LOG5\[2\]: Connection closed")
        server.wait_log(r"LOG6\[1\]: Service \[chatty\] .* closed; ")
        self.assertNotIn("[0]: ", server.log)
        self.assertNotIn("LOG6[2]", server.log)


class Sinks(LogCase):
    def test_file_and_quiet(self):
        log = self.path("log")
        config = self.config(self.section("echo:", "insecure = yes"), head="output = " + log,
                             foreground="quiet")
        server = self.own(Sluss(config, ready=False))
        self.talk(self.bound_in(log, server))
        self.wait_file(log, "Connection closed")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.log, "")
        self.assertRegex(self.lines_of(log)[-1], r"^%sLOG5\[main\]: Terminated" % STAMP)
        # The lines of the start are there as well.
        self.assertRegex("\n".join(self.lines_of(log)), "LOG4.*abort = strict")

    def test_file_and_stderr_are_the_same(self):
        log = self.path("log")
        server = self.file_server("echo:", head="output = " + log)
        self.talk(server.port)
        server.wait_log("Connection closed")
        server.stop()
        self.assertEqual(self.lines_of(log), server.lines)

    def test_append_and_overwrite(self):
        log = self.path("log")
        for mode, before in (("append", True), ("overwrite", False)):
            with open(log, "w") as f:
                f.write("what was\n")
            server = self.file_server("echo:", head="output = %s\nlog = %s" % (log, mode))
            server.stop()
            self.assertEqual("what was" in self.lines_of(log), before)
            self.assertIn("Terminated", self.lines_of(log)[-1])

    def test_standard_output(self):
        config = self.config(self.section("echo:", "insecure = yes"),
                             head="output = /dev/stdout", foreground="quiet")
        with open(self.path("out"), "w") as out:
            server = self.own(Sluss(config, ready=False, stdout=out))
        self.bound_in(self.path("out"), server)

    def test_file_that_cannot_be(self):
        done = run(harness.SLUSS, self.config(self.section("echo:", "insecure = yes"),
                                              head="output = %s/none/log" % self.dir),
                   check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.err, r"(?m)^\[!\] output = .*/none/log: No such file or directory$")

    def test_commands_have_it_too(self):
        log = self.path("log")
        server = self.server("echo:", "--output", log, "--logformat", "json", ready=False)
        wait_for(lambda: self.lines_of(log), "the first line")
        for line in self.lines_of(log):
            json.loads(line)

    def test_trouble_is_nothing_to_the_data(self):
        """A full disk; a pipe that nobody reads; one whose reader is gone."""
        backend = self.backend(echo)
        section = self.section(backend.target, "insecure = yes\ndebug = debug")

        def start(out, name, output):
            config = self.config(section, head="output = " + output, name=name,
                                 foreground="quiet")
            return self.own(Sluss(config, ready=False, stdout=out))

        def port_of(program):
            """There is no line to read: the kernel knows."""
            def listening():
                self.assertTrue(program.alive(), "%s: %s\n%s" % (
                    program.argv, program.process.poll(), program.log))
                for row in self.lines_of("/proc/net/tcp")[1:]:
                    words = row.split()
                    if words[3] == "0A" and words[9] in inodes():
                        return int(words[1].split(":")[1], 16)
            def inodes():
                found = set()
                for fd in os.listdir("/proc/%d/fd" % program.pid):
                    try:
                        name = os.readlink("/proc/%d/fd/%s" % (program.pid, fd))
                    except OSError:
                        continue
                    if name.startswith("socket:["):
                        found.add(name[8:-1])
                return found
            return wait_for(listening, "a listener")

        full = start(subprocess.DEVNULL, "full.conf", "/dev/full")
        r, w = os.pipe()
        stuck = start(w, "stuck.conf", "/dev/stdout")
        os.close(w)
        gone_r, gone_w = os.pipe()
        gone = start(gone_w, "gone.conf", "/dev/stdout")
        os.close(gone_w)
        os.close(gone_r)
        for server in (full, stuck, gone):
            port = port_of(server)
            for _ in range(300 if server is stuck else 5):
                self.talk(port, b"x" * 100)
            self.assertTrue(server.alive())
        for server in (full, gone, stuck):
            self.assertEqual(server.stop(), 0)
        os.close(r)

    def test_syslog(self):
        """In a mount namespace of its own /dev/log is ours."""
        if os.geteuid() != 0 or run("unshare", "-m", "true", check=False).returncode != 0:
            skip("no right to make a mount namespace")
        daemon = self.own(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        daemon.bind(self.path("syslog"))
        daemon.settimeout(harness.PATIENCE)
        config = self.config(self.section("echo:", "insecure = yes"),
                             head="syslog = yes\ndebug = local3.notice\nservice = my-tunnel")
        script = """set -e
            mount -t tmpfs none /dev
            mknod /dev/null c 1 3; mknod /dev/urandom c 1 9
            ln -s "$1" /dev/log
            exec "$2" "$3" """
        server = self.own(harness.Program(
            ["unshare", "-m", "sh", "-c", script, "sh", self.path("syslog"),
             os.path.abspath(harness.SLUSS), config]))
        seen = []
        while not seen or "bound to" not in seen[-1]:
            seen.append(daemon.recv(8192).decode())
        port = int(seen[-1].rsplit(":", 1)[1])
        self.talk(port)
        while "Connection closed" not in seen[-1]:
            seen.append(daemon.recv(8192).decode())
        for line in seen:
            # local3 is 19: 19 * 8 + the level.
            self.assertRegex(line, r"^<15[2-7]>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d my-tunnel: "
                                   r"LOG\d\[\w+\]: ")
        self.assertRegex(seen[-1], r"^<157>.* LOG5\[0\]: Connection closed: 5 byte")
        server.stop()


class Json(LogCase):
    def test_every_line(self):
        """Also with names that want to break out."""
        server = self.own(Sluss(
            self.config(self.section("echo:", "insecure = yes", "we\"b\\ \xe4 \x7f"),
                        head="logFormat = json\ndebug = debug"), ready=False))
        bound = server.wait_log(r"bound to 127\.0\.0\.1:(\d+)")
        self.talk(int(bound.group(1)))
        c = self.own(connect(int(bound.group(1))))
        c.sendall(b"GET / \x00\xff\x1b")
        harness.outcome(c)
        server.wait_log("Connection reset")
        connect(int(bound.group(1))).close()
        server.wait_log("peer left before the TLS handshake")
        server.stop()
        levels = set()
        for line in server.lines:
            if line.startswith("["):
                continue
            o = json.loads(line)
            self.assertRegex(o["time"],
                             r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$")
            levels.add(o["level"])
            self.assertEqual(o.get("service"), "we\"b\\ \xe4 \x7f" if o["id"].isdigit() else None)
            self.assertIn("text", o)
        self.assertLessEqual({"notice", "info", "err", "debug"}, levels)


if __name__ == "__main__":
    harness.main()
