#!/usr/bin/env python3
"""Programs as the plain end of a tunnel: exec, with and without a terminal, in server
mode (accept and exec) and in client mode (exec and connect)."""

import os
import pwd
import re
import resource
import shutil
import signal
import socket
import threading

import certs
import harness
from harness import Sluss, wait_for

SH = "/bin/sh"


class Exec(harness.Case):
    def conf(self, *lines, head=()):
        """Writes a configuration with one section; lines of a list are its options."""
        path = self.path("sluss.conf")
        with open(path, "w") as f:
            f.write("\n".join(["foreground = yes", "debug = info", *head, "[prog]", *lines]) + "\n")
        return path

    def script(self, text, file="script"):
        """A program of the shell's, as execArgs cannot hold a script: blanks divide it."""
        path = self.path(file)
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + text + "\n")
        os.chmod(path, 0o755)
        return path

    def serve(self, program, *lines, args=None, **kw):
        """sluss in server mode with a program behind it."""
        more = ["execArgs = " + args] if args else []
        path = self.conf("accept = 127.0.0.1:0", "cert = " + self.pem("server"),
                         "peer = " + self.crt("client"), "exec = " + program, *more, *lines, **kw)
        return self.own(Sluss(path))

    def ask(self, sluss, data=b"", **kw):
        """Everything that the program says to a client that says data and then the end."""
        wire = self.tls(sluss.port, **kw)
        if data:
            wire.sendall(data)
        wire.close_notify()
        return wire.outcome()

    def refused(self, sluss):
        """A client learns that there is no program: it sees no clean end."""
        try:
            self.assertNotEqual(self.ask(sluss)[1], "close_notify")
        except (ConnectionResetError, BrokenPipeError):
            pass

    def helper(self, sluss):
        """The pid of the helper process."""
        return wait_for(lambda: next(iter(self.helpers(sluss)), None), "the helper process")

    @staticmethod
    def helpers(sluss):
        return [p for p in children(sluss.pid) if comm(p) == "sluss-helper"]

    @staticmethod
    def read(path):
        with open(path) as f:
            return f.read()

    def gone(self, pid):
        wait_for(lambda: state(pid) in ("", "Z"), "the end of %d" % pid)


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(p) for p in f.read().split()]


def comm(pid):
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    except OSError:
        return ""


def state(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


class Server(Exec):
    def test_echo(self):
        """A megabyte through cat, whose end comes when ours did."""
        sluss = self.serve("/bin/cat")
        data = os.urandom(1 << 20)
        wire = self.tls(sluss.port)
        for i in range(0, len(data), 65536):
            wire.sendall(data[i:i + 65536])
            self.assertEqual(wire.read_exactly(len(data[i:i + 65536])), data[i:i + 65536])
        wire.close_notify()
        self.assertEqual(wire.outcome(), (b"", "close_notify"))
        sluss.ends(r"-> /bin/cat: closed; .*; 1048576 bytes to TLS, 1048576 bytes from TLS")
        sluss.wait_log(r"Service \[prog\] /bin/cat \(PID=\d+\) exited with status 0$")
        self.assertEqual(sluss.stop(), 0)

    def test_arguments(self):
        """execArgs has argv[0]; without it that is the path."""
        self.assertEqual(self.ask(self.serve(SH, args="own -c echo$IFS$0.$1 zero one")),
                         (b"zero.one\n", "close_notify"))
        path = self.script("tr '\\0' '|' < /proc/$$/cmdline; echo")
        self.assertEqual(self.ask(self.serve(path)),
                         (b"/bin/sh|%s|\n" % path.encode(), "close_notify"))

    def test_half_close(self):
        """The program sees the end of its input, and its late answer arrives whole."""
        path = self.script("n=$(wc -c); sleep 0.3; head -c 100000 /dev/zero; echo $n")
        got, end = self.ask(self.serve(path), b"x" * 70000)
        self.assertEqual((got, end), (b"\0" * 100000 + b"70000\n", "close_notify"))

    def test_exit_before_read(self):
        """What a program said before it left is whole, though it left input unread: no
        reset; and the tunnel ends although the client goes on."""
        path = self.script("head -c 300000 /dev/zero; echo end")
        sluss = self.serve(path)
        wire = self.tls(sluss.port)
        wire.sendall(b"y" * 200000)
        self.assertEqual(wire.outcome(), (b"\0" * 300000 + b"end\n", "close_notify"))
        sluss.ends(r"-> %s: closed;" % path)

    def test_exit_status(self):
        """How it ended is in the log."""
        sluss = self.serve(self.script("read x; $x"))
        self.ask(sluss, b"exit 7\n")
        sluss.wait_log(r"LOG6\[0\]: Service \[prog\] \S+ \(PID=\d+\) exited with status 7$")
        self.ask(sluss, b"kill -9 0\n")
        sluss.wait_log(r"LOG6\[1\]: .* \(PID=\d+\) was ended by signal 9 \(Killed\)$")
        sluss.ends(r"-> \S+: closed;", count=2)

    def test_many_children(self):
        """200 programs, each with a client of its own kind: no zombie, no descriptor and no
        process is left."""
        sluss = self.serve(self.script("read x; case $x in 0) kill -9 $$;; 1) exec cat;; "
                                       "2) exit 3;; 3) exec sleep 1000;; esac"),
                           "abort = strict")
        helper = self.helper(sluss)
        base = self.baseline(sluss)
        fds = len(os.listdir("/proc/%d/fd" % helper))
        for i in range(200):
            wire = self.tls(sluss.port)
            wire.sendall(b"%d\n" % (i % 4))
            if i % 4 == 3:
                harness.reset(wire.sock)
            else:
                wire.close_notify()
                self.assertEqual(wire.outcome(), (b"", "close_notify"))
            wire.close()
        self.back_to(sluss, base)
        wait_for(lambda: children(helper) == [], "no children of the helper")
        wait_for(lambda: len(os.listdir("/proc/%d/fd" % helper)) == fds, "its descriptors")
        self.assertEqual(sluss.stop(), 0)
        self.gone(helper)

    def test_limit(self):
        """A tunnel with a program takes three descriptors of the limit."""
        limits = (resource.RLIMIT_NOFILE, (260, 260))
        path = self.conf("accept = 127.0.0.1:0", "cert = " + self.pem("server"),
                         "peer = " + self.crt("client"), "exec = /bin/cat")
        sluss = self.own(Sluss(path, preexec_fn=lambda: resource.setrlimit(*limits)))
        wires = [self.tls(sluss.port) for _ in range(20)]
        # What does not fit waits in the backlog and is served later.
        late = self.own(harness.connect(sluss.port))
        sluss.wait_log(r"/bin/cat \(PID=\d+\) started", count=20)
        wire = wires.pop()
        wire.close_notify()
        self.assertEqual(wire.outcome(), (b"", "close_notify"))
        wire.close()
        wire = harness.TlsWire(late, self.context(), server_hostname="localhost").handshake()
        wire.write(b"x")
        self.assertEqual(wire.read_exactly(1), b"x")
        self.assertNotIn("cannot accept", sluss.log)

    def test_hangup(self):
        """A program that lives on when the tunnel ended in an error is hung up on."""
        sluss = self.serve(self.script("trap 'echo gone > %s; exit' HUP\necho up\n"
                                       "while :; do sleep 0.1; done" % self.path("trace")),
                           "abort = strict")
        wire = self.tls(sluss.port)
        self.assertEqual(wire.read_exactly(3), b"up\n")
        harness.reset(wire.sock)
        wait_for(lambda: os.path.exists(self.path("trace")), "the hangup")
        sluss.ends(r": reset by the TLS peer;")

    def test_cut_off(self):
        """With abort = strict no program takes what was cut off for an end: the hangup is
        there before the end of its input is."""
        path = self.script("trap 'hup=1' HUP; echo up\nwhile read x; do :; done\n"
                           "echo ${hup:-end} >> %s" % self.path("trace"))
        sluss = self.serve(path, "abort = strict")
        for i in range(40):
            wire = self.tls(sluss.port)
            self.assertEqual(wire.read_exactly(3), b"up\n")
            if i % 2:
                harness.reset(wire.sock)
            else:
                wire.sock.close()
        wait_for(lambda: os.path.exists(self.path("trace")) and
                 self.read(self.path("trace")).count("\n") == 40, "40 ends")
        self.assertEqual(set(self.read(self.path("trace")).split()), {"1"})

    def test_compat(self):
        """With abort = compat it sees an end, and has TIMEOUTclose to end, too."""
        path = self.script("trap 'hup=1' HUP; echo up\nwhile read x; do :; done\n"
                           "echo ${hup:-end} > %s; exec sleep 1000" % self.path("trace"))
        sluss = self.serve(path, "TIMEOUTclose = 1")
        wire = self.tls(sluss.port)
        self.assertEqual(wire.read_exactly(3), b"up\n")
        harness.reset(wire.sock)
        wait_for(lambda: os.path.exists(self.path("trace")) and
                 self.read(self.path("trace")) == "end\n", "the end")
        sluss.wait_log(r"\(PID=\d+\) was ended by signal 1 \(Hangup\)")
        sluss.ends(r": reset by the TLS peer;")

    def test_left_behind(self):
        """A child of the program that holds the connection is waited for as long as
        TIMEOUTclose says."""
        path = self.script("(exec sleep 20 2>/dev/null) &\n"
                           "echo up")
        sluss = self.serve(path, "TIMEOUTclose = 1")
        wire = self.tls(sluss.port)
        self.assertEqual(wire.read_exactly(3), b"up\n")
        sluss.ends(r"TIMEOUTclose exceeded")
        sluss.wait_log(r"exited with status 0")

    def test_close_timeout(self):
        """One that neither reads nor ends is cut, and hung up on, after TIMEOUTclose."""
        sluss = self.serve(self.script("echo up; exec sleep 1000"), "TIMEOUTclose = 1")
        wire = self.tls(sluss.port)
        self.assertEqual(wire.read_exactly(3), b"up\n")
        wire.close_notify()
        sluss.wait_log(r"\(PID=\d+\) was ended by signal 1 \(Hangup\)")
        sluss.ends(r"TIMEOUTclose exceeded")

    def test_missing(self):
        """A program that is not there: one line, and the client sees no clean end."""
        sluss = self.serve("/nonexistent/program")
        base = self.baseline(sluss)
        self.refused(sluss)
        sluss.wait_log(r"LOG3\[0\]: Service \[prog\] 127\.0\.0\.1:\d+ -> \(not connected\): program not "
                       r"started while connecting: /nonexistent/program: No such file or "
                       r"directory; ")
        self.back_to(sluss, base)
        self.assertEqual(len([l for l in sluss.lines if "/nonexistent" in l]), 1)

    def test_helper_killed(self):
        """Without the helper no program starts, which a line says; the process and the
        tunnels that are open live on."""
        sluss = self.serve("/bin/cat")
        wire = self.tls(sluss.port)
        wire.sendall(b"one")
        self.assertEqual(wire.read_exactly(3), b"one")
        helper = self.helper(sluss)
        os.kill(helper, signal.SIGKILL)
        sluss.wait_log(r"LOG3\[main\]: The helper process has died: ")
        wait_for(lambda: state(helper) == "", "the reaping of the helper")
        wire.sendall(b"two")
        self.assertEqual(wire.read_exactly(3), b"two")
        self.refused(sluss)
        sluss.wait_log(r"program not started while connecting: /bin/cat: the helper process "
                       r"has died; restart sluss; ")
        wire.close_notify()
        self.assertEqual(wire.outcome(), (b"", "close_notify"))
        self.assertEqual(sluss.stop(), 0)
        self.assertEqual(sluss.log.count("The helper process has died"), 1)

    def test_busy_helper(self):
        """More requests than wait in its queue: all are served once it gets its turn, and
        tunnels that are open do not wait."""
        big = ["setEnv = BIG%d=%s" % (i, "x" * 12000) for i in range(8)]
        sluss = self.serve("/bin/cat", head=big)
        helper = self.helper(sluss)
        first = self.tls(sluss.port)
        first.write(b"first")
        self.assertEqual(first.read_exactly(5), b"first")
        os.kill(helper, signal.SIGSTOP)
        self.addCleanup(self.go_on, helper)
        wires = [self.tls(sluss.port) for _ in range(20)]
        for i, wire in enumerate(wires):
            wire.write(b"%05d" % i)
        first.write(b"still")
        self.assertEqual(first.read_exactly(5), b"still")
        os.kill(helper, signal.SIGCONT)
        for i, wire in enumerate(wires):
            self.assertEqual(wire.read_exactly(5), b"%05d" % i)

    def test_silent_helper(self):
        """TIMEOUTbusy bounds the wait for it; what it starts too late ends at once."""
        sluss = self.serve(self.script("echo ran > %s; exec sleep 1000" % self.path("trace")),
                           "TIMEOUTbusy = 1")
        helper = self.helper(sluss)
        os.kill(helper, signal.SIGSTOP)
        self.addCleanup(self.go_on, helper)
        self.refused(sluss)
        sluss.wait_log(r"TIMEOUTbusy exceeded while connecting: \S+: no answer from the helper "
                       r"process")
        os.kill(helper, signal.SIGCONT)
        sluss.wait_log(r"\(PID=\d+\) was ended by signal 1 \(Hangup\)")
        wait_for(lambda: children(helper) == [], "no children of the helper")

    @staticmethod
    def go_on(pid):
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    def test_no_helper_without_need(self):
        """A configuration without exec has no helper process."""
        target = self.backend(harness.echo)
        sluss = self.own(Sluss(self.conf(
            "accept = 127.0.0.1:0", "cert = " + self.pem("server"),
            "peer = " + self.crt("client"), "connect = " + target.target)))
        self.assertEqual(self.ask(sluss, b"x"), (b"x", "close_notify"))
        self.assertEqual(children(sluss.pid), [])

    def test_helper_dies_with_its_parent(self):
        """However sluss ends, the helper does, too."""
        sluss = self.serve("/bin/cat")
        helper = self.helper(sluss)
        sluss.process.kill()
        self.gone(helper)


    def test_redirect(self):
        """Who may not pass gets the target of redirect, and no program."""
        elsewhere = self.backend(lambda c: c.sendall(b"elsewhere"))
        path = self.conf("accept = 127.0.0.1:0", "cert = " + self.pem("server"),
                         "verifyPeer = yes", "CAfile = " + self.crt("client"),
                         "redirect = " + elsewhere.target,
                         "exec = " + self.script("echo program"))
        sluss = self.own(Sluss(path))
        self.assertEqual(self.ask(sluss), (b"program\n", "close_notify"))
        self.assertEqual(self.ask(sluss, identity="stranger")[0], b"elsewhere")
        self.assertEqual(len(re.findall(r"\(PID=\d+\) started", sluss.log)), 1)

    def test_talk_in_clear(self):
        """A program behind a protocol: its greeting comes before TLS, and what it says
        right behind that is not lost."""
        path = self.script("printf '220 prog ESMTP\\r\\n250 too early\\r\\n'\n"
                           "while read line; do printf '<%s>\\r\\n' \"$line\"; done")
        sluss = self.serve(path, "protocol = smtp")
        c = self.own(harness.connect(sluss.port))
        f = c.makefile("rb", 0)
        self.assertRegex(f.readline(), rb"^220 prog ESMTP")
        c.sendall(b"EHLO test\r\n")
        while not f.readline().startswith(b"250 "):
            pass
        c.sendall(b"STARTTLS\r\n")
        self.assertRegex(f.readline(), rb"^220 ")
        wire = harness.TlsWire(c, self.context(), server_hostname="localhost").handshake()
        wire.write(b"NOOP\r\n")
        wire.close_notify()
        self.assertEqual(wire.outcome(), (b"250 too early\r\n<NOOP\r>\r\n", "close_notify"))


class Inside(Exec):
    """What a program finds."""

    def test_process(self):
        """Signals, mask, limits, descriptors and session are as a login gives them."""
        with open("/proc/self/limits") as f:
            limit = re.search(r"^Max open files +(\d+)", f.read(), re.M).group(1)
        path = self.script("cat /proc/self/status; ulimit -Sn; cut -d' ' -f6 /proc/$$/stat; "
                           "echo $$; ls /proc/$$/fd")
        got = self.ask(self.serve(path))[0].decode()
        for key in "SigBlk", "SigIgn", "SigPnd":
            self.assertRegex(got, r"%s:\t0{16}\n" % key)
        tail = got.rsplit("\n", 8)
        # The shell reads its script by a descriptor of its own, 10.
        self.assertEqual(tail[-5:], ["0", "1", "10", "2", ""])
        self.assertEqual(tail[-8], limit)
        self.assertEqual(tail[-7], tail[-6])

    def test_descriptors(self):
        """0 and 1 are one socket, 2 is the log's stderr; or, without one, the peer."""
        args = "sh -c ls$IFS-l$IFS/proc/$$/fd;echo$IFS@err>&2"
        sluss = self.serve(SH, args=args)
        got = self.ask(sluss)[0].decode()
        found = dict(re.findall(r" (\d+) -> (\S+)$", got, re.M))
        self.assertEqual(sorted(found), ["0", "1", "2"])
        self.assertTrue(found["0"].startswith("socket:"))
        self.assertEqual(found["0"], found["1"])
        self.assertNotEqual(found["2"], found["1"])
        sluss.wait_log("^@err")
        self.assertNotIn("@err", got)

    def test_background(self):
        """Without our stderr the program's is the peer's; a daemon's programs begin in the
        root folder."""
        args = "sh -c pwd;echo$IFS@err>&2"
        for foreground, folder in ("quiet", os.getcwd()), ("no", "/"):
            log, pid = self.path("log-" + foreground), self.path("pid-" + foreground)
            path = self.conf("accept = 127.0.0.1:0", "cert = " + self.pem("server"),
                             "peer = " + self.crt("client"), "exec = /bin/sh",
                             "execArgs = " + args, head=["output = " + log, "syslog = no",
                                                         "pid = " + pid])
            with open(path) as f:
                text = f.read().replace("foreground = yes", "foreground = " + foreground)
            with open(path, "w") as f:
                f.write(text)
            sluss = self.own(harness.Program([harness.SLUSS, path]))
            wait_for(lambda: os.path.exists(pid), "the pid file: " + sluss.log)
            daemon = int(self.read(pid))
            self.addCleanup(self.end, daemon)
            port = int(wait_for(lambda: re.search(r"bound to .*:(\d+)\n", self.read(log)),
                                "a listener").group(1))
            wire = self.tls(port)
            got = wire.outcome()[0].decode().split("\n")
            self.assertEqual(sorted(got), sorted(["", folder, "@err"]))
            self.end(daemon)
            self.gone(daemon)

    @staticmethod
    def end(pid):
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass

    def test_environment(self):
        """The peer's address and the names of its certificate, setEnv, and what sluss has
        itself; what would be false is taken away."""
        path = self.script("env")
        os.environ["INHERITED"] = "yes"
        os.environ["NOTIFY_SOCKET"] = "/run/nobody"
        self.addCleanup(os.environ.pop, "INHERITED")
        self.addCleanup(os.environ.pop, "NOTIFY_SOCKET")
        sluss = self.serve(path, head=["setEnv = ONE=1", "setEnv = TWO=a=b c",
                                       "setEnv = REMOTE_HOST=forged",
                                       "setEnv = SSL_CLIENT_DN=forged"])
        wire = self.tls(sluss.port)
        port = wire.sock.getsockname()[1]
        env = wire.outcome()[0].decode().split("\n")
        for line in ("ONE=1", "TWO=a=b c", "INHERITED=yes", "REMOTE_HOST=127.0.0.1",
                     "REMOTE_PORT=%d" % port, "SSL_CLIENT_DN=CN=client",
                     "SSL_CLIENT_I_DN=CN=client"):
            self.assertEqual(env.count(line), 1, line)
        self.assertEqual([l for l in env if "forged" in l or "NOTIFY" in l], [])

    def test_unverified(self):
        """A name that nobody has verified is not there, not even an inherited one."""
        os.environ["SSL_CLIENT_DN"] = "CN=inherited"
        self.addCleanup(os.environ.pop, "SSL_CLIENT_DN")
        for option in "insecure = yes", "requireCert = yes":
            path = self.conf("accept = 127.0.0.1:0", "cert = " + self.pem("server"), option,
                             "exec = " + self.script("env"))
            got = self.ask(self.own(Sluss(path)), identity="stranger")[0].decode()
            self.assertIn("REMOTE_HOST=127.0.0.1\n", got)
            self.assertNotIn("SSL_CLIENT", got)

    def test_hostile_name(self):
        """Control characters of a certificate cannot make a second line or variable."""
        hostile = "evil\nREMOTE_HOST=10.0.0.1\r\x1b[2J=x,\\\u202e\0tail"
        made = certs.make(subject=certs.name(("CN", hostile), ("O", "A=B")))
        pem, crt = made.write(self.dir, "hostile")
        path = self.conf("accept = 127.0.0.1:0", "cert = " + self.pem("server"),
                         "peer = " + crt,
                         "exec = " + self.script("env"))
        sluss = self.own(Sluss(path))
        context = self.context(identity=None)
        context.load_cert_chain(pem)
        wire = harness.TlsWire(self.own(harness.connect(sluss.port)), context,
                               server_hostname="localhost").handshake()
        env = wire.outcome()[0].decode().split("\n")
        dn = [l for l in env if l.startswith("SSL_CLIENT_DN=")]
        self.assertEqual(len(dn), 1)
        self.assertTrue(dn[0].startswith("SSL_CLIENT_DN=CN=evil\\"), dn)
        self.assertIn("REMOTE_HOST=10.0.0.1", dn[0])
        self.assertTrue(dn[0].endswith("tail, O=A=B"), dn)
        self.assertTrue(all(c.isprintable() for c in dn[0]), dn)
        self.assertEqual([l for l in env if l.startswith("REMOTE_HOST=")],
                         ["REMOTE_HOST=127.0.0.1"])


class Privileges(Exec):
    """A program has no more of them than sluss itself, whatever the helper keeps."""

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            harness.skip("needs root")
        self.nobody = pwd.getpwnam("nobody")
        os.chmod(self.dir, 0o755)

    def test_user(self):
        """User, groups and capabilities; the terminal is the program's own."""
        for pty in "no", "yes":
            path = self.script("grep -E '^(Uid|Gid|Groups|Cap)' /proc/self/status\n"
                               "tty > /dev/null && ls -ln $(tty) && : > $(tty)\necho $?")
            sluss = self.serve(path, "pty = " + pty, head=["setuid = nobody"])
            got = self.ask(sluss)[0].decode()
            ids = {k: v.split() for k, v in re.findall(r"^(\w+):(.*?)\r?$", got, re.M)}
            self.assertEqual(ids["Uid"], [str(self.nobody.pw_uid)] * 4)
            self.assertEqual(ids["Gid"], [str(self.nobody.pw_gid)] * 4)
            self.assertEqual(ids["Groups"], [str(self.nobody.pw_gid)])
            self.assertEqual(ids["CapEff"] + ids["CapPrm"] + ids["CapAmb"], ["0" * 16] * 3)
            if pty == "yes":
                self.assertRegex(got, r"crw\S+ 1 %d .*\r\n0\r\n$" % self.nobody.pw_uid)

    def test_root_folder(self):
        """With chroot the path is one of the new root, and the program sees no other."""
        root = self.path("root")
        for program in "/bin/ls", "/bin/sh":
            needed = harness.run("ldd", program).out
            for file in [program] + re.findall(r"(/\S+) \(0x", needed):
                os.makedirs(root + os.path.dirname(file), exist_ok=True)
                shutil.copy(file, root + file)
        os.mkdir(root + "/marker")
        sluss = self.serve("/bin/sh", args="sh -c ls$IFS/", head=["chroot = " + root])
        self.assertEqual(sorted(self.ask(sluss)[0].split()), sorted(
            n.encode() for n in os.listdir(root)))


class Terminal(Exec):
    def test_terminal(self):
        """It is the controlling terminal of a session, with a window and line editing."""
        path = self.script("tty; stty size; stty -a; echo ready; read x < /dev/tty; echo \"got $x\"; "
                           "ps -o sid= -o tty= -p $$; echo $$; echo err >&2; "
                           "ls /proc/$$/fd")
        wire = self.tls(self.serve(path, "pty = yes").port)
        got = b""
        while not got.endswith(b"ready\r\n"):
            got += wire.read()
        wire.write(b"word\n")
        rest, end = wire.outcome()
        self.assertEqual(end, "close_notify")
        got = (got + rest).decode()
        self.assertRegex(got, r"/dev/pts/\d+\r\n24 80\r\n")
        self.assertRegex(got, r"[^-]icanon")
        self.assertIn("got word\r\n", got)
        self.assertRegex(got, r" *(\d+) pts/\d+\r\n\1\r\nerr\r\n0\s+1\s+10\s+2\r\n$")

    def test_end_of_input(self):
        """Our end is the end of what it reads, behind a whole line and behind a begun one."""
        for i, data in enumerate((b"", b"whole\n", b"whole\nbegun")):
            path = self.script("stty -echo; echo up; x=$(cat | tr '\\n' '.'); echo \"<$x>\"",
                               "script%d" % i)
            sluss = self.serve(path, "pty = yes")
            wire = self.tls(sluss.port)
            self.assertEqual(wire.read_exactly(4), b"up\r\n")
            if data:
                wire.sendall(data)
            wire.close_notify()
            want = b"<%s>\r\n" % data.replace(b"\n", b".")
            self.assertEqual(wire.outcome(), (want, "close_notify"))
            sluss.ends(r"-> %s: closed;" % path)

    def test_raw_mode(self):
        """Where no lines are read nothing says the end: TIMEOUTclose hangs up.  What is
        binary passes."""
        path = self.script("stty raw -echo; echo up; head -c 4 | od -An -tx1; "
                           "trap 'echo gone > %s; exit' HUP; while :; do sleep 0.1; done"
                           % self.path("trace"))
        sluss = self.serve(path, "pty = yes", "TIMEOUTclose = 1")
        wire = self.tls(sluss.port)
        self.assertEqual(wire.read_exactly(3), b"up\n")
        wire.sendall(b"\x04\x03\0\xff")
        self.assertEqual(wire.read_exactly(13), b" 04 03 00 ff\n")
        wire.close_notify()
        sluss.ends(r"TIMEOUTclose exceeded")
        wait_for(lambda: os.path.exists(self.path("trace")), "the hangup")

    def test_last_output(self):
        """Much that is said right before the exit arrives whole."""
        path = self.script("stty -opost; head -c 200000 /dev/zero; exit 5")
        sluss = self.serve(path, "pty = yes")
        got, end = self.tls(sluss.port).outcome()
        self.assertEqual((len(got), end), (200000, "close_notify"))
        sluss.wait_log(r"exited with status 5$")

    def test_nothing_left(self):
        """Terminals come back, however the tunnel ends."""
        sluss = self.serve(self.script("read x; [ $x = 0 ] || exec sleep 1000"), "pty = yes",
                           "abort = strict")
        helper = self.helper(sluss)
        base = self.baseline(sluss)
        for i in range(40):
            wire = self.tls(sluss.port)
            wire.sendall(b"%d\n" % (i % 2))
            if i % 2:
                harness.reset(wire.sock)
            else:
                self.assertEqual(wire.outcome(), (b"0\r\n", "close_notify"))
            wire.close()
        self.back_to(sluss, base)
        wait_for(lambda: children(helper) == [], "no children of the helper")


class Client(Exec):
    """exec and connect: the program begins the tunnel, and nobody is accepted."""

    def begin(self, program, port, *lines, **kw):
        path = self.conf("client = yes", "connect = 127.0.0.1:%d" % port,
                         "cert = " + self.pem("client"), "peer = " + self.crt("server"),
                         "exec = " + program, *lines, **kw)
        sluss = self.own(Sluss(path, ready=False))
        sluss.wait_log("Starting exec.connect")
        return sluss

    def peer(self, handler=None):
        """A TLS server in front of a handler; the port."""
        backend = self.backend(handler or harness.echo)
        return self.server(backend.target).port, backend

    def test_once(self):
        """Without retry there is one tunnel, begun at the start; then sluss waits on."""
        port, backend = self.peer()
        path = self.script("echo question; read answer; echo \"$answer\" > %s"
                           % self.path("answer"))
        sluss = self.begin(path, port)
        sluss.wait_log(r"LOG5\[\d+\]: Service \[prog\] Starting exec\+connect$")
        sluss.wait_log(r"%s \(PID=\d+\) exited with status 0" % path)
        sluss.ends(r"\[prog\] %s -> 127.0.0.1:%d: closed; .*; 9 bytes to TLS, 9 bytes from TLS"
                   % (path, port))
        with open(self.path("answer")) as f:
            self.assertEqual(f.read(), "question\n")
        self.assertTrue(sluss.alive())
        self.assertEqual(backend.count, 1)
        self.assertEqual(sluss.stop(), 0)
        self.assertEqual(sluss.log.count("Starting exec+connect"), 1)

    def test_retry(self):
        """With it the next begins so long after the end of the last."""
        said = []
        port, backend = self.peer(lambda c: said.append(harness.recv_exactly(c, 6)))
        path = self.script("echo hello; cat")
        sluss = self.begin(path, port, "retry = 1", head=["TIMEOUTdrain = 0"])
        # The peer's end is the end of the program's input, and then of the tunnel.
        sluss.ends(r"\[prog\] %s -> 127.0.0.1:%d: closed; .*; 6 bytes to TLS, 0 bytes"
                   % (path, port), count=6)
        self.assertEqual(sluss.stop(), 0)
        self.assertEqual(set(said), {b"hello\n"})
        began = sluss.log.count("Starting exec+connect")
        self.assertLessEqual(sluss.log.count("exited with status 0"), began)
        self.assertLessEqual(backend.count, began)

    def test_retry_until_there(self):
        """A server that is not there yet: the program waits for it."""
        port = harness.free_port()
        sluss = self.begin(self.script("echo > %s" % self.path("ran")), port, "retry = 10")
        sluss.ends(r"connect failed while connecting", count=3)
        self.assertFalse(os.path.exists(self.path("ran")))
        self.server(self.backend(harness.echo).target, accept="127.0.0.1:%d" % port)
        wait_for(lambda: os.path.exists(self.path("ran")), "the program")
        self.assertEqual(sluss.stop(), 0)

    def test_environment(self):
        """REMOTE_HOST and its kin are the server's."""
        port, _ = self.peer()
        path = self.script("env > %s; mv %s %s" % ((self.path("tmp"),) * 2 + (self.path("env"),)))
        self.begin(path, port, head=["setEnv = MORE=1"])
        wait_for(lambda: os.path.exists(self.path("env")), "the environment")
        with open(self.path("env")) as f:
            env = f.read().split("\n")
        for line in ("MORE=1", "REMOTE_HOST=127.0.0.1", "REMOTE_PORT=%d" % port,
                     "SSL_CLIENT_DN=CN=server", "SSL_CLIENT_I_DN=CN=server"):
            self.assertIn(line, env)

    def test_through_proxy(self):
        """Where there is a talk in clear the program begins first, and takes part."""
        port, _ = self.peer()
        asked = []

        def proxy(c):
            asked.append(b"")
            while not asked[-1].endswith(b"\r\n\r\n"):
                asked[-1] += c.recv(1)
            c.sendall(b"HTTP/1.0 200 yes\r\n\r\n")
            with socket.create_connection(("127.0.0.1", port)) as up:
                back = threading.Thread(target=self.copy, args=(up, c))
                back.start()
                self.copy(c, up)
                back.join(harness.PATIENCE)
        path = self.script("echo question; read answer; echo \"$answer\" > %s"
                           % self.path("answer"))
        sluss = self.begin(path, self.backend(proxy).port, "protocol = connect",
                           "protocolHost = db.test:1234")
        sluss.wait_log(r"exited with status 0")
        self.assertEqual(self.read(self.path("answer")), "question\n")
        self.assertTrue(asked[0].startswith(b"CONNECT db.test:1234 HTTP/1."), asked)
        log = sluss.log
        self.assertLess(log.index("started"), log.index("TLS connected"))

    @staticmethod
    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def test_terminal(self):
        """On a terminal: the peer's end is the program's."""
        port, backend = self.peer(lambda c: (c.sendall(b"line\n"), c.shutdown(socket.SHUT_WR),
                                             harness.recv_all(c)))
        sluss = self.begin(self.script("cat > %s" % self.path("got")), port, "pty = yes")
        sluss.wait_log(r"exited with status 0")
        with open(self.path("got")) as f:
            self.assertEqual(f.read(), "line\n")

    def test_not_started(self):
        """A program that is not there, again and again: a line each, and nothing is left."""
        port, _ = self.peer()
        sluss = self.begin("/nonexistent/program", port, "retry = 1")
        sluss.wait_log(r"LOG3\[0\]: .*: program not started while starting the program: "
                       r"/nonexistent/program: No such file or directory")
        sluss.wait_log(r"program not started", count=3)
        fds = sluss.fds()
        sluss.wait_log(r"program not started", count=20)
        # One tunnel has some while it begins; twenty would have left more.
        self.assertLessEqual(sluss.fds(), fds + 8)
        self.assertEqual(sluss.stop(), 0)

    def test_refused(self):
        """A server that may not be trusted gets no word of the program, which is not run."""
        port, _ = self.peer()
        path = self.conf("client = yes", "connect = 127.0.0.1:%d" % port,
                         "cert = " + self.pem("client"), "peer = " + self.crt("stranger"),
                         "exec = " + self.script("echo > %s" % self.path("ran")))
        sluss = self.own(Sluss(path, ready=False))
        sluss.ends(r"peer refused")
        self.assertFalse(os.path.exists(self.path("ran")))

    def test_signal(self):
        """Told to end, sluss begins no more, and cuts what does not end in time."""
        port, backend = self.peer()
        sluss = self.begin(self.script("trap 'echo > %s; exit' HUP; while :; do sleep 0.1; "
                                       "done" % self.path("trace")), port, "retry = 1",
                           head=["TIMEOUTdrain = 0"])
        sluss.wait_log(r"\(PID=\d+\) started$")
        self.assertEqual(sluss.stop(), 0)
        wait_for(lambda: os.path.exists(self.path("trace")), "the hangup")
        self.assertIn("Terminated: 0 tunnels ended, 1 cut", sluss.log)

    def test_reload(self):
        """A reload leaves a tunnel alone, begins one that had ended, begins a new section's,
        and ends the repetition of one that is gone."""
        port, backend = self.peer()
        def section(name, script, *more):
            return ["[%s]" % name, "client = yes", "connect = 127.0.0.1:%d" % port,
                    "cert = " + self.pem("client"), "peer = " + self.crt("server"),
                    "exec = " + self.script(script, name), *more]
        path = self.path("sluss.conf")
        def write(*lines):
            with open(path + ".new", "w") as f:
                f.write("\n".join(["foreground = yes", "debug = info",
                                   "reloadOnChange = no", *lines]) + "\n")
            os.rename(path + ".new", path)
        long = section("long", "exec cat")
        short = section("short", ":")
        again = section("again", ":", "retry = 1")
        write(*long, *short, *again)
        sluss = self.own(Sluss(path, ready=False))
        sluss.wait_log(r"/long \(PID=\d+\) started")
        sluss.ends(r"\[short\]")
        sluss.ends(r"\[again\]", count=5)
        write(*long, *short, *section("new", ":"))
        sluss.process.send_signal(signal.SIGHUP)
        sluss.wait_log("Configuration reloaded")
        sluss.ends(r"\[short\]", count=2)
        sluss.ends(r"\[new\]")
        wait_for(lambda: len(re.findall(r"/again \(PID=\d+\) started", sluss.log)) == len(
            re.findall(r"/again \(PID=\d+\) exited", sluss.log)), "the last of again")
        count = len(re.findall(r"/again \(PID=\d+\) started", sluss.log))
        self.assertEqual(len(re.findall(r"/long \(PID=\d+\) started", sluss.log)), 1)
        sluss.process.send_signal(signal.SIGHUP)
        sluss.ends(r"\[short\]", count=3)
        self.assertEqual(len(re.findall(r"/again \(PID=\d+\) started", sluss.log)), count)
        self.assertEqual(len(re.findall(r"/long \(PID=\d+\) started", sluss.log)), 1)
        self.assertEqual(sluss.process.poll(), None)

    def test_accepted(self):
        """accept and exec in client mode: TLS is spoken to the program."""
        path = self.conf("client = yes", "accept = 127.0.0.1:0",
                         "cert = " + self.pem("client"), "peer = " + self.crt("server"),
                         "exec = " + harness.SLUSS,
                         "execArgs = sluss " + self.inner())
        sluss = self.own(Sluss(path))
        c = self.own(harness.connect(sluss.port))
        c.sendall(b"through")
        c.shutdown(socket.SHUT_WR)
        self.assertEqual(harness.outcome(c), (b"through", "eof"))

    def inner(self):
        """A sluss for TLS on its descriptors 0 and 1."""
        path = self.path("inner.conf")
        with open(path, "w") as f:
            f.write("\n".join(["foreground = quiet", "syslog = no",
                               "cert = " + self.pem("server"), "peer = " + self.crt("client"),
                               "exec = /bin/cat"]) + "\n")
        return path


if __name__ == "__main__":
    harness.main()
