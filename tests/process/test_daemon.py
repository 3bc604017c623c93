"""Into the background and its errors, the pid file, privileges, chroot."""

import os
import pwd
import shutil
import signal
import socket
import stat

import harness
from background import BackgroundCase, Orphan, need_root, read
from harness import SLUSS, Program, run, wait_for


class Daemon(BackgroundCase):
    def test_silent_success(self):
        """Nothing on stdout and stderr, exit 0, and it serves by then; those who read the
        two see their end, although the daemon lives."""
        backend = self.backend(harness.echo)
        conf = self.conf("pid = %s" % self.path("pid"), connect=backend.target)
        daemon = self.daemon(conf)
        wire = self.greets(self.port())
        wire.write(b"hello")
        self.assertEqual(wire.read_exactly(5), b"hello")
        wire.close()
        self.assertEqual(daemon.stop(), 0)

    def test_detached(self):
        """Its own session, the root folder, nothing of ours open."""
        daemon = self.daemon(self.conf("pid = %s" % self.path("pid")))
        self.assertEqual(os.getsid(daemon.pid), daemon.pid)
        self.assertEqual(daemon.link("cwd"), "/")
        for fd in range(3):
            self.assertEqual(daemon.link("fd/%d" % fd), "/dev/null")
        self.assertEqual(daemon.stop(), 0)

    def failure(self, conf, pattern):
        done = run(SLUSS, conf, check=False)
        self.assertEqual((done.returncode, done.out), (1, ""))
        self.assertRegex(done.err, pattern)
        self.assertFalse(os.path.exists(self.path("pid")))

    def test_failure_to_bind(self):
        taken = self.own(socket.socket())
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        self.failure(self.conf("pid = %s" % self.path("pid"), accept="127.0.0.1:%d" % port),
                     r"127\.0\.0\.1:%d: Address already in use" % port)

    def test_failure_to_open_the_log(self):
        self.failure(self.conf("output = %s/none/log\npid = %s" % (self.dir, self.path("pid"))),
                     r"none/log: No such file or directory")

    def test_failure_to_write_the_pid(self):
        self.failure(self.conf("pid = %s/none/pid" % self.dir),
                     r"none/pid\S*: No such file or directory")

    def test_relative_pid(self):
        """The daemon goes to another folder: a relative name would not be found again."""
        conf = self.conf("pid = here.pid")
        done = run(os.path.abspath(SLUSS), conf, check=False, cwd=self.dir)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.err, r"here\.pid.*must begin with /")
        program = self.own(Program([os.path.abspath(SLUSS), self.conf("pid = here.pid\nforeground = yes")],
                                   cwd=self.dir))
        wait_for(lambda: os.path.exists(self.path("here.pid")), "the pid file")
        self.assertEqual(program.stop(), 0)
        self.assertFalse(os.path.exists(self.path("here.pid")))

    def test_relative_names(self):
        """Names of files are meant from the folder of the start, also by a reload, and when a file is
        replaced."""
        conf = self.conf("pid = %s" % self.path("pid"))
        text = read(conf)
        with open(conf, "w") as f:
            f.write(text.replace(self.pem("server"), "own.pem"))
        shutil.copy(self.pem("server"), self.path("own.pem"))
        done = run(os.path.abspath(SLUSS), "sluss.conf", check=False, cwd=self.dir)
        self.assertEqual((done.returncode, done.err), (0, ""))
        daemon = self.own(Orphan(int(read(self.path("pid")))))
        os.kill(daemon.pid, signal.SIGHUP)
        self.wait_log("Configuration reloaded")
        shutil.copy(self.pem("stranger"), self.path("new.pem"))
        os.rename(self.path("new.pem"), self.path("own.pem"))
        self.wait_log("Configuration reloaded", count=2)
        self.assertEqual(daemon.link("cwd"), "/")
        self.assertEqual(daemon.stop(), 0)

    def test_foreground_quiet(self):
        """No fork, and no log on stderr, but in its file."""
        program = self.own(Program([SLUSS, self.conf("foreground = quiet\npid = %s"
                                                     % self.path("pid"))]))
        self.greets(self.port())
        self.assertEqual(int(read(self.path("pid"))), program.pid)
        self.assertEqual(program.stop(), 0)
        self.assertEqual(program.lines, [])

    def test_foreground_yes(self):
        program = self.own(Program([SLUSS, self.conf("foreground = yes")]))
        program.wait_log(r"Service \[service\] \(FD=\d+\) bound to ")
        self.port()
        self.assertEqual(program.stop(), 0)


class PidFile(BackgroundCase):
    def start(self):
        return self.server("echo:", "--pid", self.path("pid"))

    def pid_of(self, program):
        return lambda: (os.path.exists(self.path("pid")) and
                        read(self.path("pid")) == "%d\n" % program.pid)

    def test_contents(self):
        """Its pid while it runs; a leftover is replaced; gone at the end."""
        with open(self.path("pid"), "w") as f:
            f.write("1\n")
        program = self.start()
        wait_for(self.pid_of(program), "the pid file")
        self.assertEqual(stat.S_IMODE(os.stat(self.path("pid")).st_mode) & 0o133, 0)
        self.assertEqual(program.stop(), 0)
        self.assertEqual(os.listdir(self.dir), [])

    def test_not_ours(self):
        """What another process wrote there since then stays."""
        program = self.start()
        wait_for(self.pid_of(program), "the pid file")
        with open(self.path("pid"), "w") as f:
            f.write("1\n")
        self.assertEqual(program.stop(), 0)
        self.assertEqual(read(self.path("pid")), "1\n")

    def test_link(self):
        """A link is replaced and never followed."""
        with open(self.path("victim"), "w") as f:
            f.write("precious")
        os.symlink(self.path("victim"), self.path("pid"))
        os.symlink(self.path("victim"), self.path("pid.new"))
        program = self.start()
        wait_for(lambda: not os.path.islink(self.path("pid")), "the link to go")
        wait_for(self.pid_of(program), "the pid file")
        self.assertEqual(read(self.path("victim")), "precious")
        self.assertEqual(program.stop(), 0)

    def test_no_file(self):
        """A device or a folder is no place for it."""
        os.mkdir(self.path("pid"))
        program = self.own(Program([SLUSS, "server", "--accept", "127.0.0.1:0", "--connect",
                                    "echo:", "--cert", self.pem("server"), "--insecure",
                                    "--pid", self.path("pid")]))
        self.assertEqual(program.wait(), 1)
        self.assertRegex(program.log, "pid: .* is not a file")


class Privileges(BackgroundCase):
    def setUp(self):
        super().setUp()
        need_root()
        os.chmod(self.dir, 0o755)
        self.nobody = pwd.getpwnam("nobody")

    def settled(self, *more, **kw):
        """A server that has given up its privileges, which the pid file tells."""
        os.mkdir(self.path("run"))
        os.chown(self.path("run"), self.nobody.pw_uid, self.nobody.pw_gid)
        pid = kw.pop("pid", self.path("run/pid"))
        program = self.server("echo:", "--pid", pid, *more, **kw)
        wait_for(lambda: os.path.exists(self.path("run/pid")), "the pid file")
        return program, Orphan(program.pid)

    def works(self, program):
        wire = self.tls(program.port)
        wire.write(b"hello")
        self.assertEqual(wire.read_exactly(5), b"hello")
        wire.close()

    def test_user(self):
        """All ids, the user's own groups, no capability; every thread."""
        program, process = self.settled("--setuid", "nobody")
        for task in os.listdir("/proc/%d/task" % program.pid):
            thread = Orphan(int(task))
            self.assertEqual(thread.proc("Uid"), [str(self.nobody.pw_uid)] * 4)
            self.assertEqual(thread.proc("Gid"), [str(self.nobody.pw_gid)] * 4)
            self.assertEqual(thread.proc("Groups"),
                             [str(g) for g in os.getgrouplist("nobody", self.nobody.pw_gid)])
            for caps in "CapPrm", "CapEff", "CapInh", "CapAmb":
                self.assertEqual(int(thread.proc(caps)[0], 16), 0, caps)
        self.assertEqual(os.stat(self.path("run/pid")).st_uid, self.nobody.pw_uid)
        self.works(program)
        self.assertEqual(program.stop(), 0)
        self.assertEqual(os.listdir(self.path("run")), [])

    def test_numbers(self):
        """Numbers need no entry; with setgid it is that group alone."""
        os.mkdir(self.path("run"))
        os.chown(self.path("run"), 54321, 54322)
        program = self.server("echo:", "--pid", self.path("run/pid"), "--setuid", "54321",
                              "--setgid", "54322")
        wait_for(lambda: os.path.exists(self.path("run/pid")), "the pid file")
        process = Orphan(program.pid)
        self.assertEqual(process.proc("Uid"), ["54321"] * 4)
        self.assertEqual(process.proc("Gid"), ["54322"] * 4)
        self.assertEqual(process.proc("Groups"), ["54322"])
        self.works(program)

    def test_number_alone(self):
        """A number without an entry names no group: the warning says what is left."""
        program = self.server("echo:", "--setuid", "54321")
        program.wait_log("setuid = 54321 has no entry .* so the group stays 0: add setgid")
        process = Orphan(program.pid)
        wait_for(lambda: process.proc("Uid") == ["54321"] * 4, "the user")
        self.assertEqual(process.proc("Gid"), ["0"] * 4)
        self.assertEqual(process.proc("Groups"), [])
        self.assertEqual(program.stop(), 0)

    def test_unknown(self):
        for option, word in ("--setuid", "user"), ("--setgid", "group"):
            program = self.own(Program([SLUSS, "server", "--accept", "127.0.0.1:0", "--connect",
                                        "echo:", "--cert", self.pem("server"), "--insecure",
                                        option, "no-such-one"]))
            self.assertEqual(program.wait(), 1)
            self.assertRegex(program.log, 'there is no %s "no-such-one"' % word)

    def test_not_root(self):
        """Who may not change is told so, and nothing runs as somebody else."""
        os.chmod(harness.Case.shared, 0o755)
        os.chmod(self.pem("server"), 0o644)
        self.addCleanup(os.chmod, self.pem("server"), 0o600)
        program = self.own(Program([SLUSS, "server", "--accept", "127.0.0.1:0", "--connect",
                                    "echo:", "--cert", self.pem("server"), "--insecure",
                                    "--setuid", "daemon"], user=self.nobody.pw_uid,
                                   group=self.nobody.pw_gid, extra_groups=[]))
        self.assertEqual(program.wait(), 1)
        self.assertRegex(program.log, "Operation not permitted; start as root")

    def test_transparent(self):
        """The one right that transparent connections need is kept, and no other."""
        pid = self.path("run/pid")
        os.mkdir(self.path("run"))
        os.chown(self.path("run"), self.nobody.pw_uid, self.nobody.pw_gid)
        conf = self.conf("setuid = nobody\nforeground = yes\npid = %s\noutput = %s/run/log" %
                         (pid, self.dir), "transparent = source", connect="127.0.0.1:9")
        program = self.own(Program([SLUSS, conf]))
        wait_for(lambda: os.path.exists(pid), "the pid file\n" + program.log)
        CAP_NET_RAW = 13
        process = Orphan(program.pid)
        self.assertEqual(process.proc("Uid"), [str(self.nobody.pw_uid)] * 4)
        for task in os.listdir("/proc/%d/task" % program.pid):
            for caps in "CapPrm", "CapEff":
                self.assertEqual(int(Orphan(int(task)).proc(caps)[0], 16), 1 << CAP_NET_RAW)
        self.assertEqual(program.stop(), 0)

    def test_chroot(self):
        """The new root holds, names of the pid file are inside, and TLS goes on working with
        nothing there: new connections need no file."""
        self.no_leak_search()
        program, process = self.settled("--chroot", self.dir, "--setuid", "nobody",
                                        pid="/run/pid")
        self.assertEqual(process.link("root"), self.dir)
        self.assertEqual(process.link("cwd"), self.dir)
        # A folder that is still open is a way out.
        fds = "/proc/%d/fd" % program.pid
        self.assertEqual([fd for fd in os.listdir(fds)
                          if os.path.isdir(os.path.join(fds, fd))], [])
        self.works(program)
        self.assertEqual(program.stop(), 0)
        self.assertEqual(os.listdir(self.path("run")), [])

    def test_chroot_localhost(self):
        """localhost needs no hosts file in the new root."""
        self.no_leak_search()
        backend = self.backend(harness.echo)
        os.mkdir(self.path("run"))
        program = self.server("localhost:%d" % backend.port, "--chroot", self.dir,
                              "--pid", "/run/pid")
        wait_for(lambda: os.path.exists(self.path("run/pid")), "the pid file")
        self.works(program)

    def test_chroot_syslog(self):
        """The syslog daemon is found before the new root hides it."""
        self.no_leak_search()
        unshare = harness.need("unshare")
        if run(unshare, "-m", "true", check=False).returncode != 0:
            harness.skip("no mount namespace to be had")
        dev = self.path("dev")
        os.mkdir(dev)
        for name, minor in ("null", 3), ("urandom", 9):
            os.mknod(os.path.join(dev, name), 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        syslog = self.own(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        syslog.bind(os.path.join(dev, "log"))
        syslog.settimeout(harness.PATIENCE)
        os.mkdir(self.path("root"))
        conf = self.conf("chroot = %s\nforeground = yes\nsyslog = yes\noutput = /log" %
                         self.path("root"))
        program = self.own(Program([unshare, "-m", "/bin/sh", "-c",
                                    'mount --bind "$0" /dev && exec "$@"', dev, SLUSS, conf]))
        while b"bound to" not in syslog.recv(4096):
            pass
        process = Orphan(program.pid)
        self.assertEqual(process.link("root"), self.path("root"))
        os.kill(program.pid, signal.SIGUSR1)  # opens it anew, without the name
        while b"Log reopened" not in syslog.recv(4096):
            pass
        self.assertEqual(program.stop(), 0)

    def test_socket_owner(self):
        """A section's setuid and setgid are those of its unix socket, not of the process."""
        place = self.path("in.sock")
        program = self.own(Program([SLUSS, self.conf(
            "foreground = yes", "setuid = nobody\nsetgid = 54322", accept=place)]))
        wait_for(lambda: os.path.exists(place) and
                 os.stat(place).st_uid == self.nobody.pw_uid, "the socket's owner")
        self.assertEqual(os.stat(place).st_gid, 54322)
        self.wait_log(r"bound to ")
        self.assertEqual(Orphan(program.pid).proc("Uid"), ["0"] * 4)
        self.assertEqual(program.stop(), 0)
        self.assertFalse(os.path.exists(place))


if __name__ == "__main__":
    harness.main()
