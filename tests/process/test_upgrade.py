"""Another process takes the place of one that runs: no gap, and no harm when it fails."""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import threading

import harness
from background import BackgroundCase, Orphan, is_running, need_root, read
from harness import PATIENCE, SLUSS, Program, connect, run, wait_for
from test_systemd import SystemdCase


class UpgradeCase(BackgroundCase):
    def start(self, head="foreground = yes\nTIMEOUTdrain = 60", binary=SLUSS, **kw):
        kw.setdefault("connect", self.backend(harness.echo).target)
        self.file = self.conf("pid = %s\n%s" % (self.path("pid"), head), **kw)
        program = self.own(Program([binary, self.file]))
        self.wait_log("bound to")
        wait_for(lambda: os.path.exists(self.path("pid")), "the pid file")
        return program

    def upgrade(self, old):
        """Has the process replaced; returns the new one."""
        done = run(SLUSS, "upgrade", self.path("pid"), check=False)
        self.assertEqual((done.returncode, done.err), (0, ""), self.log())
        m = re.fullmatch(r"Process (\d+) serves instead of (\d+)\n", done.out)
        self.assertEqual(int(m.group(2)), old.pid)
        new = self.own(Orphan(int(m.group(1))))
        wait_for(lambda: os.path.exists(self.path("pid")) and
                 read(self.path("pid")) == "%d\n" % new.pid, "the new pid")
        return new

    def ended(self, old):
        """The old process is over; its stderr lives on in the new one."""
        process = getattr(old, "process", old)
        wait_for(lambda: process.poll() is not None, "the end of %d" % old.pid)
        return process.poll()

    def fails(self, pattern):
        done = run(SLUSS, "upgrade", self.path("pid"), check=False)
        self.assertEqual((done.returncode, done.out), (1, ""))
        self.assertRegex(done.err, pattern)

    def opened(self, port):
        wire = self.greets(port)
        self.echoes(wire)
        return wire

    def echoes(self, wire):
        wire.write(b"hello")
        self.assertEqual(wire.read_exactly(5), b"hello")


class Load:
    """Clients that come all the time, each with a handshake and an echo."""

    def __init__(self, case, port, threads=4):
        self.case, self.port = case, port
        self.done, self.failures = 0, []
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for t in self.threads:
            t.start()

    def _run(self):
        context = self.case.context(identity=None)
        while not self.over.is_set():
            try:
                with connect(self.port) as s:
                    wire = harness.TlsWire(s, context, server_hostname="localhost").handshake()
                    wire.write(b"hello")
                    wire.read_exactly(5)
                    wire.close_notify()
                with self.lock:
                    self.done += 1
            except Exception as e:
                self.failures.append(e)

    def more(self, n=30):
        """Waits until so many more were served."""
        goal = self.done + n
        wait_for(lambda: self.done >= goal or self.failures, "clients to be served")

    def close(self):
        self.over.set()
        for t in self.threads:
            t.join(PATIENCE)


class Upgrade(UpgradeCase):
    def test_idle(self):
        """The new process listens at the same port, the old one ends with 0."""
        old = self.start()
        port = self.port()
        new = self.upgrade(old)
        self.assertEqual(self.ended(old), 0)
        self.opened(port).close()
        self.wait_log(r"Upgrade: process %d serves from here on" % new.pid)
        self.assertEqual(new.stop(), 0)
        self.assertFalse(os.path.exists(self.path("pid")))

    def test_load(self):
        """Three in a row under load: nobody is refused or cut; who was connected stays so, and the
        old process ends when that is over."""
        old = self.start()
        port = self.port()
        load = self.own(Load(self, port))
        load.more()
        first, wires = old, []
        for _ in range(3):
            wires.append((old, self.opened(port)))
            new = self.upgrade(old)
            load.more()
            old = new
        load.close()
        self.assertEqual(load.failures, [], self.log())
        for process, wire in wires:
            self.assertTrue(is_running(process.pid))
            self.echoes(wire)
            wire.close_notify()
            self.assertEqual(wire.outcome(), (b"", "close_notify"))
            wire.close()
            self.assertEqual(self.ended(process), 0)
        self.assertNotEqual(first.pid, new.pid)
        self.assertEqual(new.stop(), 0)

    def test_storm(self):
        """Reloads and the other requests rain on the old process all the while."""
        old = self.start()
        port = self.port()
        load = self.own(Load(self, port, 2))
        for _ in range(3):
            over = threading.Event()

            def rain(pid=old.pid, over=over):
                while not over.wait(0.002):
                    for sig in signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2:
                        try:
                            os.kill(pid, sig)
                        except ProcessLookupError:
                            return

            thread = threading.Thread(target=rain, daemon=True)
            thread.start()
            load.more(5)
            new = self.upgrade(old)
            load.more(5)
            over.set()
            thread.join(PATIENCE)
            self.assertEqual(self.ended(old), 0)
            old = new
        load.close()
        self.assertEqual(load.failures, [])
        self.assertEqual(new.stop(), 0)

    def test_new_configuration(self):
        """What the file says now holds: another section, and one that is gone."""
        old = self.start()
        port = self.port()
        text = read(self.file)
        with open(self.file, "w") as f:
            f.write(text.replace("[service]", "[renamed]") +
                    "\n[more]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:9\ncert = %s\ninsecure = yes\n"
                    % self.pem("server"))
        new = self.upgrade(old)
        self.wait_log(r"Service \[more\] .* bound to")
        self.assertEqual(self.ended(old), 0)
        self.assertEqual(new.stop(), 0)
        self.assertNotEqual(port, 0)

    def test_other_pid_file(self):
        """The old name does not go on to tell a pid that is gone."""
        old = self.start()
        text = read(self.file)
        with open(self.file, "w") as f:
            f.write(text.replace(self.path("pid"), self.path("other")))
        done = run(SLUSS, "upgrade", self.path("pid"))
        new = self.own(Orphan(int(done.out.split()[1])))
        wait_for(lambda: os.path.exists(self.path("other")), "the other pid file")
        self.assertEqual(self.ended(old), 0)
        self.assertFalse(os.path.exists(self.path("pid")))
        self.assertEqual(new.stop(), 0)

    def test_daemon_and_unix(self):
        """A daemon's successor is one, too; the file of a unix socket is handed on, and goes at the
        end of the last."""
        place = self.path("in.sock")
        conf = self.conf("pid = %s" % self.path("pid"), accept=place,
                         connect=self.backend(harness.echo).target)
        old = self.daemon(conf)
        inode = os.stat(place).st_ino
        new = self.upgrade(old)
        self.assertEqual(self.ended(old), 0)
        self.assertEqual(os.stat(place).st_ino, inode)
        for fd in range(3):
            self.assertEqual(new.link("fd/%d" % fd), "/dev/null")
        self.assertEqual(new.link("cwd"), "/")
        s = self.own(socket.socket(socket.AF_UNIX))
        s.settimeout(PATIENCE)
        s.connect(place)
        self.echoes(harness.TlsWire(s, self.context(identity=None),
                                    server_hostname="localhost").handshake())
        s.close()
        self.assertEqual(new.stop(), 0)
        self.assertFalse(os.path.exists(place))

    def test_command_line(self):
        """So is one without a file, from another folder, with a port of the system's choice."""
        old = self.server("echo:", "--pid", self.path("pid"))
        wait_for(lambda: os.path.exists(self.path("pid")), "the pid file")
        port = old.port
        new = self.upgrade(old)
        self.assertEqual(self.ended(old), 0)
        wire = self.tls(port)
        self.echoes(wire)
        wire.close()
        self.assertEqual(new.stop(), 0)

    def test_replaced_program(self):
        """The program file that stands there now is started, not the one that is gone."""
        binary = self.path("sluss")
        shutil.copy(SLUSS, binary)
        old = self.start(binary=binary)
        shutil.copy(SLUSS, binary + ".new")
        os.rename(binary + ".new", binary)
        self.assertRegex(os.readlink("/proc/%d/exe" % old.pid), r"\(deleted\)$")
        new = self.upgrade(old)
        self.assertEqual(os.readlink("/proc/%d/exe" % new.pid), os.path.realpath(binary))
        self.assertEqual(self.ended(old), 0)
        self.assertEqual(new.stop(), 0)

    def test_inherited_limits(self):
        """The successor begins with the limit on open files and the signals that we began with."""
        old = self.start()
        before = Orphan(old.pid).proc("SigIgn")
        limits = read("/proc/%d/limits" % old.pid)
        new = self.upgrade(old)
        self.assertEqual(new.proc("SigIgn"), before)
        self.assertEqual(read("/proc/%d/limits" % new.pid), limits)
        self.assertEqual(self.ended(old), 0)
        self.assertEqual(new.stop(), 0)


class Settled(UpgradeCase):
    """Privileges are given up and the root is another: the helper process starts the successor."""

    def setUp(self):
        super().setUp()
        need_root()
        self.no_leak_search()
        os.chmod(self.dir, 0o755)
        os.mkdir(self.path("run"))
        shutil.chown(self.path("run"), "nobody")
        os.chmod(self.path("run"), 0o755)
        os.symlink("run/pid", self.path("pid"))

    def settled(self, head="foreground = yes\nTIMEOUTdrain = 60", **kw):
        conf = self.conf("chroot = %s\nsetuid = nobody\npid = /run/pid\noutput = /run/log\n%s" %
                         (self.dir, head), connect=self.backend(harness.echo).target, **kw)
        os.symlink("run/log", self.path("log"))
        return conf

    def check(self, new):
        self.assertEqual(new.proc("Uid"), [str(pwd.getpwnam("nobody").pw_uid)] * 4)
        self.assertEqual(new.link("root"), self.dir)

    def test_upgrade(self):
        """Twice, under load, the file changed between; each is as unprivileged as the first."""
        conf = self.settled()
        old = self.own(Program([SLUSS, conf]))
        port = self.port()
        wait_for(lambda: os.path.exists(self.path("pid")), "the pid file")
        load = self.own(Load(self, port))
        load.more(10)
        new = self.upgrade(old)
        self.check(new)
        load.more(10)
        with open(conf, "a") as f:
            f.write("\n[more]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:9\ncert = %s\n"
                    "insecure = yes\n" % self.pem("server"))
        newest = self.upgrade(new)
        self.check(newest)
        load.more(10)
        load.close()
        self.assertEqual(load.failures, [], self.log())
        self.wait_log(r"Service \[more\] .* bound to")
        self.assertEqual(self.ended(old), 0)
        self.assertEqual(self.ended(new), 0)
        self.assertEqual(newest.stop(), 0)
        self.assertEqual(os.listdir(self.path("run")), ["log"])

    def test_failure(self):
        conf = self.settled()
        old = self.own(Program([SLUSS, conf]))
        port = self.port()
        wait_for(lambda: os.path.exists(self.path("pid")), "the pid file")
        with open(conf, "a") as f:
            f.write("nonsense = 1\n")
        self.fails(r'sluss\.conf:\d+: "nonsense = 1"')
        self.opened(port).close()
        self.assertEqual(old.stop(), 0)

    def test_daemon(self):
        old = self.daemon(self.settled(""))
        new = self.upgrade(old)
        self.check(new)
        self.assertEqual(self.ended(old), 0)
        self.opened(self.port()).close()
        self.assertEqual(new.stop(), 0)


class Failure(UpgradeCase):
    def goes_on(self, old, port):
        self.assertTrue(old.alive())
        self.assertEqual(read(self.path("pid")), "%d\n" % old.pid)
        self.opened(port).close()
        wait_for(lambda: not self.children(old.pid), "the failed process to be gone")

    def children(self, pid):
        return read("/proc/%d/task/%d/children" % (pid, pid)).split()

    def test_broken_file(self):
        """The old process goes on, and says why, as does the command; once all is well again it
        can be replaced."""
        old = self.start()
        port = self.port()
        text = read(self.file)
        with open(self.file, "a") as f:
            f.write("nonsense = 1\n")
        for count in (1, 2):
            self.fails(r'sluss\.conf:\d+: "nonsense = 1"')
            self.wait_log(r'Upgrade failed: .*sluss\.conf:\d+: "nonsense = 1"', count)
            self.goes_on(old, port)
        with open(self.file, "w") as f:
            f.write(text)
        new = self.upgrade(old)
        self.assertEqual(self.ended(old), 0)
        self.assertEqual(new.stop(), 0)

    def test_port_in_use(self):
        """What fails after the configuration was read."""
        old = self.start()
        port = self.port()
        taken = self.own(socket.socket())
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with open(self.file, "a") as f:
            f.write("accept = 127.0.0.1:%d\n" % taken.getsockname()[1])
        load = self.own(Load(self, port, 2))
        load.more(5)
        self.fails("Address already in use")
        load.more(5)
        load.close()
        self.assertEqual(load.failures, [])
        self.wait_log("Upgrade failed: .*Address already in use")
        self.goes_on(old, port)
        self.assertEqual(old.stop(), 0)

    def test_no_program(self):
        binary = self.path("sluss")
        shutil.copy(SLUSS, binary)
        old = self.start(binary=binary)
        os.unlink(binary)
        self.fails("the program file cannot be started")
        self.goes_on(old, self.port())
        self.assertEqual(old.stop(), 0)

    def test_program_that_dies(self):
        """One that ends without a word."""
        binary = self.path("sluss")
        shutil.copy(SLUSS, binary)
        old = self.start(binary=binary)
        os.unlink(binary)
        os.symlink(shutil.which("true"), binary)
        self.fails("ended before it served")
        self.goes_on(old, self.port())
        self.assertEqual(old.stop(), 0)

    def test_one_at_a_time(self):
        """A second request while one is under way is refused; a stop sends the successor away."""
        binary = self.path("sluss")
        shutil.copy(SLUSS, binary)
        old = self.start(binary=binary)
        os.unlink(binary)
        with open(binary, "w") as f:
            f.write("#!/bin/sh\nexec sleep 600 2>&-\n")
        os.chmod(binary, 0o755)
        first = self.own(Program([SLUSS, "upgrade", self.path("pid")]))
        self.wait_log("Upgrade: a new process starts")
        self.own(Orphan(self.heir()))
        self.fails("one is under way")
        self.opened(self.port()).close()
        old.process.terminate()
        self.assertEqual(self.ended(old), 0)
        self.assertEqual(first.wait(), 1)
        self.assertRegex(first.log, "this process is stopping")

    def heir(self):
        """The sleeper, whom we have adopted."""
        def found():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    line = read("/proc/%s/cmdline" % pid)
                    parent = read("/proc/%s/stat" % pid).rsplit(")", 1)[1].split()[1]
                except OSError:
                    continue
                if line == "sleep\x00600\x00" and int(parent) == os.getpid():
                    return int(pid)
            return None
        return wait_for(found, "the successor")

    def test_wrong_pid(self):
        """A leftover pid file names somebody else, who must not die of the signal."""
        other = subprocess.Popen(["sleep", "600"])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        with open(self.path("pid"), "w") as f:
            f.write("%d\n" % other.pid)
        self.fails("process %d is no sluss" % other.pid)
        self.assertIsNone(other.poll())
        with open(self.path("pid"), "w") as f:
            f.write("hello\n")
        self.fails("holds no process id")
        os.unlink(self.path("pid"))
        self.fails("No such file")


class Managed(SystemdCase, UpgradeCase):
    def test_main_pid(self):
        """The manager learns of the new process before that speaks, and gets its signs of life; a
        socket of the manager's goes along, and its file stays."""
        manager = self.manager()
        place = self.path("in.sock")
        listener = self.own(socket.socket(socket.AF_UNIX))
        listener.bind(place)
        listener.listen()
        conf = self.conf("pid = %s" % self.path("pid"), accept=place)
        old = self.managed([conf], [listener], NOTIFY_SOCKET=self.path("notify"),
                           WATCHDOG_USEC="2000000")
        self.assertEqual(manager.await_key("READY")["MAINPID"], str(old.pid))
        new = self.upgrade(old)
        self.assertEqual(manager.await_key("MAINPID"), {"MAINPID": str(new.pid)})
        message = manager.await_key("READY")
        self.assertEqual(message["MAINPID"], str(new.pid))
        manager.await_key("WATCHDOG")
        self.assertEqual(self.ended(old), 0)
        s = self.own(socket.socket(socket.AF_UNIX))
        s.settimeout(PATIENCE)
        s.connect(place)
        harness.TlsWire(s, self.context(identity=None), server_hostname="localhost").handshake()
        s.close()
        os.kill(new.pid, signal.SIGTERM)
        manager.await_key("STOPPING")
        self.assertEqual(new.wait(), 0)
        self.assertTrue(os.path.exists(place))


if __name__ == "__main__":
    harness.main()
