"""A service manager's side: sockets that it opened, notices, the watchdog."""

import ctypes
import os
import re
import signal
import socket
import sys
import time

import harness
from background import BackgroundCase, Orphan, need_root, read
from harness import PATIENCE, SANITIZER, SLUSS, Program, run, wait_for

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000


# Passes sockets on from 3 on, and becomes the program: the variables name its own pid.
LAUNCHER = """
import fcntl, os, sys
fds, pid, argv = sys.argv[1], sys.argv[2], sys.argv[3:]
fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in fds.split(",") if fd]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ["SYSTEMD_EXEC_PID"] = str(os.getpid())
if fds:
    os.environ["LISTEN_PID"] = pid or str(os.getpid())
    os.environ["LISTEN_FDS"] = str(len(fds))
os.execv(argv[0], argv)
"""


class Manager:
    """The socket for notices; messages as dictionaries, in order."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(PATIENCE)

    def next(self):
        return dict(line.split("=", 1) for line in
                    self.socket.recv(4096).decode().rstrip("\n").split("\n"))

    def await_key(self, key):
        """The next message that has it; signs of life between are passed over."""
        while True:
            message = self.next()
            if key in message:
                return message
            if message != {"WATCHDOG": "1"}:
                raise AssertionError("%s instead of %s" % (message, key))

    def silent_for(self, seconds):
        """Whether nothing comes."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(4096)
            return False
        except socket.timeout:
            return True
        finally:
            self.socket.settimeout(PATIENCE)

    def close(self):
        self.socket.close()


class SystemdCase(BackgroundCase):
    def manager(self, path=None):
        return self.own(Manager(path or self.path("notify")))

    def managed(self, argv, sockets=(), pid=None, **env):
        """Starts a program as the manager would; pid: whom the sockets are said to be for."""
        fds = [s.fileno() for s in sockets]
        return self.own(Program([sys.executable, "-c", LAUNCHER, ",".join(map(str, fds)),
                                 pid or "", os.path.abspath(SLUSS)] + argv,
                                env=dict(os.environ, **env), pass_fds=fds))


class Notices(SystemdCase):
    def life(self, address, path):
        manager = self.manager(path)
        conf = self.conf("foreground = yes")
        program = self.managed([conf], NOTIFY_SOCKET=address)
        message = manager.next()
        self.assertEqual((message["READY"], message["MAINPID"]), ("1", str(program.pid)))
        self.assertIn("STATUS", message)
        self.greets(self.port())
        return manager, program, conf

    def test_life(self):
        """READY once it serves, RELOADING and READY around a reload, which may fail, STOPPING."""
        manager, program, conf = self.life(self.path("notify"), self.path("notify"))
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        program.process.send_signal(signal.SIGHUP)
        message = manager.next()
        self.assertEqual(message["RELOADING"], "1")
        self.assertGreaterEqual(int(message["MONOTONIC_USEC"]), before)
        self.assertEqual(manager.next()["READY"], "1")
        with open(conf, "a") as f:
            f.write("nonsense\n")
        program.process.send_signal(signal.SIGHUP)
        self.assertEqual(manager.next()["RELOADING"], "1")
        message = manager.next()
        self.assertEqual(message["READY"], "1")
        self.assertRegex(message["STATUS"], "Reload failed")
        program.process.send_signal(signal.SIGTERM)
        self.assertEqual(manager.next()["STOPPING"], "1")
        self.assertEqual(program.wait(), 0)

    def test_abstract(self):
        name = "sluss-test-%d" % os.getpid()
        _, program, _ = self.life("@" + name, "\0" + name)
        self.assertEqual(program.stop(), 0)

    def test_no_fork(self):
        """A manager that waits for the notice would take the parent's exit for the end."""
        manager = self.manager()
        program = self.managed([self.conf("foreground = no\npid = " + self.path("pid"))],
                               NOTIFY_SOCKET=self.path("notify"))
        self.assertEqual(manager.next()["MAINPID"], str(program.pid))
        self.assertTrue(program.alive())
        self.assertEqual(program.stop(), 0)

    def test_fork_of_a_child(self):
        """Who merely inherited the socket is not waited for, and goes into the background."""
        self.manager()
        conf = self.conf("pid = " + self.path("pid"))
        env = dict(os.environ, NOTIFY_SOCKET=self.path("notify"), SYSTEMD_EXEC_PID="1")
        done = run(SLUSS, conf, check=False, env=env)
        self.assertEqual((done.returncode, done.err), (0, ""))
        daemon = self.own(Orphan(int(read(self.path("pid")))))
        self.assertEqual(daemon.stop(), 0)

    def test_missing_manager(self):
        """Nobody listens there: it runs."""
        program = self.managed([self.conf("foreground = yes")], NOTIFY_SOCKET=self.path("none"))
        self.greets(self.port())
        self.assertEqual(program.stop(), 0)
        self.assertRegex(program.log, "cannot notify the service manager")


class Sockets(SystemdCase):
    def listener(self, family=socket.AF_INET, address=("127.0.0.1", 0)):
        s = self.own(socket.socket(family))
        s.bind(address)
        s.listen()
        return s

    def sections(self, *accepts, head=""):
        """A file of several sections; each shows another certificate's backend."""
        text = "foreground = yes\nsyslog = no\ndebug = info\n" + head
        for i, accept in enumerate(accepts):
            def handler(c, i=i):
                c.sendall(b"%d" % i)
            text += "\n[s%d]\naccept = %s\nconnect = %s\ncert = %s\ninsecure = yes\n" % (
                i, accept, self.backend(handler).target, self.pem("server"))
        with open(self.path("sluss.conf"), "w") as f:
            f.write(text)
        return self.path("sluss.conf")

    def section_at(self, address, family=socket.AF_INET):
        """Which section answers there."""
        s = self.own(socket.socket(family))
        s.settimeout(PATIENCE)
        s.connect(address)
        wire = harness.TlsWire(s, self.context(identity=None), server_hostname="localhost")
        n = int(wire.handshake().read_exactly(1))
        s.close()
        return n

    def test_order(self):
        """The sockets are those of the accept lines in their order, whatever the lines say; a line
        without one is opened as ever."""
        a, b = self.listener(), self.listener()
        program = self.managed([self.sections("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:0")], [a, b])
        bound = [m for m in (program.wait_log(harness.BOUND.pattern, count=i) for i in (1, 2, 3))]
        self.assertEqual([m.group(1) for m in bound], ["s0", "s1", "s2"])
        self.assertEqual([int(m.group(3).rsplit(":", 1)[1]) for m in bound[:2]],
                         [a.getsockname()[1], b.getsockname()[1]])
        for i, m in enumerate(bound):
            self.assertEqual(self.section_at(("127.0.0.1", int(m.group(3).rsplit(":", 1)[1]))), i)
        self.assertEqual(program.stop(), 0)

    def test_reload(self):
        """They stay over a reload, also when it brings another section."""
        a = self.listener()
        program = self.managed([self.sections("127.0.0.1:1")], [a])
        program.wait_log(harness.BOUND.pattern)
        self.sections("127.0.0.1:1", "127.0.0.1:0")
        program.process.send_signal(signal.SIGHUP)
        program.wait_log("Configuration reloaded")
        self.assertEqual(self.section_at(a.getsockname()), 0)
        port = int(program.wait_log(harness.BOUND.pattern, count=2).group(3).rsplit(":", 1)[1])
        self.assertEqual(self.section_at(("127.0.0.1", port)), 1)
        self.assertEqual(program.stop(), 0)

    def test_unix(self):
        """The manager's file of a unix socket is not ours to remove."""
        path = self.path("in.sock")
        a = self.listener(socket.AF_UNIX, path)
        program = self.managed([self.sections(path)], [a])
        program.wait_log(harness.BOUND.pattern)
        self.assertEqual(self.section_at(path, socket.AF_UNIX), 0)
        self.assertEqual(program.stop(), 0)
        self.assertTrue(os.path.exists(path))

    def refused(self, conf, sockets, pattern):
        program = self.managed([conf], sockets)
        self.assertEqual(program.wait(), 1, program.log)
        self.assertRegex(program.log, pattern)

    def test_excess(self):
        self.refused(self.sections("127.0.0.1:0"), [self.listener(), self.listener()],
                     "passed 2 sockets, but there are only 1 accept lines")

    def test_no_listener(self):
        a = self.own(socket.socket())
        self.refused(self.sections("127.0.0.1:0"), [a], "descriptor 3 is no socket that listens")

    def test_no_socket(self):
        self.refused(self.sections("127.0.0.1:0"), [self.own(open("/dev/null"))],
                     "descriptor 3 is no socket")

    def test_of_another(self):
        """What was meant for another process is not touched."""
        a = self.listener()
        program = self.managed([self.sections("127.0.0.1:0")], [a], pid="1")
        port = int(program.wait_log(harness.BOUND.pattern).group(3).rsplit(":", 1)[1])
        self.assertNotEqual(port, a.getsockname()[1])
        self.assertEqual(self.section_at(("127.0.0.1", port)), 0)
        self.assertEqual(program.stop(), 0)


class Watchdog(SystemdCase):
    USEC = 2000000 if SANITIZER else 400000

    def thread(self, program, name):
        for task in os.listdir("/proc/%d/task" % program.pid):
            with open("/proc/%d/task/%s/comm" % (program.pid, task)) as f:
                if f.read().strip() == name:
                    return int(task)
        raise AssertionError("no thread " + name)

    def stop_thread(self, tid):
        """Stops one thread alone, as a debugger would."""
        if LIBC.ptrace(PTRACE_SEIZE, tid, None, None) != 0:
            harness.skip("ptrace: " + os.strerror(ctypes.get_errno()))
        LIBC.ptrace(PTRACE_INTERRUPT, tid, None, None)
        os.waitpid(tid, WALL)

    def hangs(self, name):
        manager = self.manager()
        program = self.managed([self.conf("foreground = yes")], NOTIFY_SOCKET=self.path("notify"),
                               WATCHDOG_USEC=str(self.USEC))
        self.assertIn("READY", manager.await_key("READY"))
        for _ in range(3):
            manager.await_key("WATCHDOG")
        tid = self.thread(program, name)
        self.stop_thread(tid)
        # One that was under way may still come.
        manager.silent_for(self.USEC / 1e6)
        while not manager.silent_for(0.001):
            pass
        self.assertTrue(manager.silent_for(4 * self.USEC / 1e6), "it is fed, though a thread hangs")
        LIBC.ptrace(PTRACE_DETACH, tid, None, None)
        manager.await_key("WATCHDOG")
        manager.await_key("WATCHDOG")
        self.assertEqual(program.stop(), 0)

    def test_accept_thread(self):
        self.hangs("sluss-accept0")

    def test_work_thread(self):
        self.hangs("sluss-work0")

    def test_draining(self):
        """Who drains is alive, too."""
        manager = self.manager()
        backend = self.backend(harness.echo)
        program = self.managed([self.conf("foreground = yes", connect=backend.target)],
                               NOTIFY_SOCKET=self.path("notify"), WATCHDOG_USEC=str(self.USEC))
        manager.await_key("READY")
        wire = self.greets(self.port())
        wire.write(b"x")
        self.assertEqual(wire.read_exactly(1), b"x")
        program.process.send_signal(signal.SIGTERM)
        manager.await_key("STOPPING")
        for _ in range(3):
            manager.await_key("WATCHDOG")
        wire.close()
        self.assertEqual(program.wait(), 0)

    def test_of_another(self):
        """WATCHDOG_PID names another process: nobody waits for ours."""
        manager = self.manager()
        program = self.managed([self.conf("foreground = yes")], NOTIFY_SOCKET=self.path("notify"),
                               WATCHDOG_USEC=str(self.USEC), WATCHDOG_PID="1")
        self.assertIn("READY", manager.next())
        self.assertTrue(manager.silent_for(4 * self.USEC / 1e6))
        self.assertEqual(program.stop(), 0)


class Units(SystemdCase):
    BUILT = os.path.join(os.environ.get("top_builddir", "."), "etc")
    SOURCE = os.path.join(os.environ.get("top_srcdir", "."), "etc")
    NAMES = ("sluss.service", "sluss@.service")

    def unit(self, name):
        path = os.path.join(self.BUILT, name)
        if not os.path.exists(path):
            harness.skip("built --with-systemdsystemunitdir=no")
        return read(path)

    def settings(self, name):
        return dict(line.split("=", 1) for line in self.unit(name).split("\n")
                    if "=" in line and line[0] not in "#[")

    def test_verify(self):
        """What the manager's own tool says about them: nothing."""
        analyze = harness.need("systemd-analyze")
        for name in self.NAMES:
            with open(self.path(name), "w") as f:
                f.write("".join("ExecStart=%s %s\n" % (os.path.abspath(SLUSS), self.path("conf"))
                                if line.startswith("ExecStart=") else line + "\n"
                                for line in self.unit(name).split("\n")))
        with open(self.path("sluss.socket"), "w") as f:
            f.write(read(os.path.join(self.SOURCE, "sluss.socket")))
        done = run(analyze, "verify", "--man=no",
                   *[self.path(name) for name in self.NAMES + ("sluss.socket",)])
        self.assertEqual((done.out, done.err), ("", ""))
        for name in self.NAMES:
            run(analyze, "security", "--offline=true", "--threshold=30", self.path(name))

    def test_complete(self):
        """Nothing is left to be put in, and the program is the one that is installed."""
        for name in self.NAMES:
            self.assertNotRegex(self.unit(name), "@[A-Za-z]+@")
            self.assertRegex(self.settings(name)["ExecStart"], r"^/\S+/sluss /\S+\.conf$")
            self.assertEqual(self.settings(name)["Type"], "notify")

    def test_system_calls(self):
        """Start, privileges, reload, a program of exec, an upgrade and the end need no system call that
        the units forbid."""
        if harness.not_under_sanitizer():
            return
        analyze, strace = harness.need("systemd-analyze"), harness.need("strace")
        need_root()
        allowed = self.expand(analyze, self.settings("sluss.service")["SystemCallFilter"].split())
        used = self.used(strace)
        self.assertLessEqual({"setuid", "capset", "execve", "listen"}, used)
        self.assertEqual(used - allowed, set())

    def expand(self, analyze, words):
        """The names that a filter lets through; sets name other sets."""
        names, done = set(words), set()
        while True:
            sets = {n for n in names - done if n.startswith("@")}
            if not sets:
                return names
            for s in sets:
                lines = run(analyze, "syscall-filter", s).out.split("\n")[1:]
                names |= {l.strip() for l in lines if l.strip() and l.strip()[0] != "#"}
            done |= sets

    def used(self, strace):
        os.chmod(self.dir, 0o755)
        os.mkdir(self.path("run"))
        os.chmod(self.path("run"), 0o777)
        os.symlink("run/log", self.path("log"))
        conf = self.conf("foreground = yes\nsetuid = nobody\npid = %s\noutput = %s\n" %
                         (self.path("run/pid"), self.path("run/log")), "transparent = source")
        with open(conf, "a") as f:
            f.write("\n[exec]\naccept = 127.0.0.1:0\nexec = /bin/cat\ncert = %s\ninsecure = yes\n"
                    % self.pem("server"))
        tracer = self.own(Program([strace, "-f", "-qq", "-o", self.path("calls"), SLUSS, conf]))
        pid = int(wait_for(lambda: os.path.exists(self.path("run/pid")) and
                           read(self.path("run/pid")), "the pid file"))
        self.own(Orphan(pid))
        wire = self.greets(self.port(2))
        wire.write(b"hello")
        self.assertEqual(wire.read_exactly(5), b"hello")
        wire.close()
        os.kill(pid, signal.SIGHUP)
        self.wait_log("Configuration reloaded")
        done = run(SLUSS, "upgrade", self.path("run/pid"))
        successor = self.own(Orphan(int(done.out.split()[1])))
        wait_for(lambda: read(self.path("run/pid")) == "%d\n" % successor.pid, "the new pid")
        os.kill(successor.pid, signal.SIGTERM)
        wait_for(lambda: tracer.process.poll() is not None, "the end")
        names = re.findall(r"^\d+ +([a-z_0-9]+)\(", read(self.path("calls")), re.M)
        return set(names)


if __name__ == "__main__":
    harness.main()
