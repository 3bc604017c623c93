"""Programs that are no children of the test: daemons, and those that take another's place."""

import ctypes
import os
import re
import signal

import harness
from harness import BOUND, SLUSS, Case, run, wait_for

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Daemons become our children, so that their status can be had and none is left."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def need_root():
    if os.geteuid() != 0:
        harness.skip("needs root")


def read(path):
    with open(path) as f:
        return f.read()


def is_running(pid):
    """Whether a process is there and no zombie."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Orphan:
    """A process by its pid, which becomes our child once its parent has ended."""

    def __init__(self, pid):
        self.pid = pid
        self.status = None

    def poll(self):
        if self.status is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                return None
            if pid == self.pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def wait(self):
        """The exit status; None when the process was another one's child to the end."""
        wait_for(lambda: self.poll() is not None or not os.path.exists("/proc/%d" % self.pid),
                 "the end of %d" % self.pid)
        return self.status

    def stop(self, sig=signal.SIGTERM):
        if self.poll() is None:
            os.kill(self.pid, sig)
        return self.wait()

    def close(self):
        if self.poll() is None and is_running(self.pid):
            os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def proc(self, key):
        """A line of its status, as words."""
        with open("/proc/%d/status" % self.pid) as f:
            for line in f:
                if line.startswith(key + ":"):
                    return line.split()[1:]
        raise KeyError(key)

    def link(self, name):
        return os.readlink("/proc/%d/%s" % (self.pid, name))


class BackgroundCase(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        adopt_orphans()

    def no_leak_search(self):
        """A sanitizer looks for leaks by a thread's files in /proc, which a new root lacks."""
        before = os.environ.get("ASAN_OPTIONS", "")
        os.environ["ASAN_OPTIONS"] = before + ":detect_leaks=0"
        self.addCleanup(os.environ.__setitem__, "ASAN_OPTIONS", before)

    def conf(self, head="", section="", accept="127.0.0.1:0", connect=None, name="sluss.conf"):
        """A configuration file with one server section, its log in "log"."""
        text = ("output = %s\nsyslog = no\ndebug = info\n%s\n[service]\naccept = %s\n"
                "connect = %s\ncert = %s\ninsecure = yes\n%s\n" % (
                    self.path("log"), head, accept, connect or self.path("nobody.sock"),
                    self.pem("server"), section))
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def log(self):
        try:
            with open(self.path("log")) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, count=1):
        """Waits for a line in the log's file; returns the match (the count-th)."""
        def found():
            hits = list(re.finditer(pattern, self.log(), re.M))
            return hits[count - 1] if len(hits) >= count else None
        return wait_for(found, "/%s/ in the log" % pattern)

    def port(self, count=1):
        return int(self.wait_log(BOUND.pattern, count).group(3).rsplit(":", 1)[1])

    def daemon(self, conf, pid="pid"):
        """Starts a daemon, which must be silent."""
        done = run(SLUSS, conf, check=False)
        self.assertEqual((done.returncode, done.out, done.err), (0, "", ""))
        return self.own(Orphan(int(read(self.path(pid)))))

    def greets(self, port):
        """A TLS handshake with whoever listens, whose target may be missing."""
        sock = self.own(harness.connect(port))
        return harness.TlsWire(sock, self.context(identity=None),
                               server_hostname="localhost").handshake()
