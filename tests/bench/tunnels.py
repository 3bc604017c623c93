"""sluss, its peers and the plain forwarder: how each is set up for the same work. All get
TLS 1.3 with AES-128-GCM, certificates of one CA on both sides, one thread or process for
the data, and log nothing but errors. Peers have large buffers for bulk, their usual ones
for all else; sluss is set up the same for everything."""

import os
import shutil
import signal
import subprocess
import time

import harness
import measure

MODES = ("server", "client")  # TLS outside, or inside
SUITE = "TLS_AES_128_GCM_SHA256"
PRIORITY = -15  # as of nice(1)
BULK = 262144  # the buffers of peers that let one choose, where much is moved
MAX_TUNNELS = 9900  # two descriptors each, of 20,000


class Unusable(Exception):
    """A program cannot do a work; says why."""


def _place(cpus):
    """Of a new process: its CPUs, and before what else the machine does if we may."""
    os.sched_setaffinity(0, cpus)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
        # Where each session competes as one, this is what counts.
        with open("/proc/self/autogroup", "w") as f:
            f.write(str(PRIORITY))
    except OSError:
        pass


class Process:
    """A program that is pinned to some CPUs and is ended with all it started."""

    def __init__(self, argv, cpus, log, **kw):
        self.log = log
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                argv, stderr=errors, start_new_session=True,
                preexec_fn=lambda: _place(cpus), **kw)
        self.pid = self.process.pid

    def said(self):
        """The end of its log, for messages."""
        with open(self.log, errors="replace") as f:
            return "; ".join(f.read().split("\n")[-4:]).strip("; ")

    def end(self):
        """May be called again."""
        for sig, patience in ((signal.SIGTERM, 1), (signal.SIGKILL, 10)):
            pids = measure.family(self.pid) if self.process.poll() is None else []
            for pid in pids:
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    pass
            try:
                self.process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                pass
        for stream in (self.process.stdin, self.process.stdout):
            try:
                if stream:
                    stream.close()
            except BrokenPipeError:
                pass


def listens(port):
    """Whether some process listens on a port of 127.0.0.1."""
    wanted = "0100007F:%04X" % port
    with open("/proc/net/tcp") as f:
        return any(l.split()[1] == wanted and l.split()[3] == "0A" for l in list(f)[1:])


class Tunnel:
    """One of the programs. Subclasses say what they are called and how they start."""

    name = None
    modes = MODES
    program = None
    version_args = ("-V",)
    tls = True
    forks = False  # a process for each tunnel
    resumes = True

    def __init__(self, places):
        self.places = places  # of certificates, configuration files, logs
        self.path = self.find()

    def find(self):
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        return shutil.which(self.program, path=path)

    def version(self):
        return measure.version(self.path, *self.version_args)

    def start(self, mode, backend, cpus, **options):
        """Starts it as the server or the client of a TLS connection in front of a port;
        returns (its Process, the port where it listens)."""
        port = harness.free_port()
        label = "%s-%s" % (self.name, "-".join([mode] + sorted(options)))
        config = self.places.config(label)
        with open(config, "w") as f:
            f.write(self.config(mode, port, backend, **options))
        process = Process(self.argv(config), cpus, self.places.log(label),
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not listens(port):
            if process.process.poll() is not None or time.monotonic() > end:
                process.end()
                raise Unusable("does not start: " + process.said())
            time.sleep(0.02)
        return process, port


class Sluss(Tunnel):
    name = "sluss"
    version_args = ("--version",)

    def find(self):
        return harness.SLUSS

    def config(self, mode, port, backend, resume=False, threads=1, second=None, **_):
        """second: another port to listen on, and the backend behind it."""
        ends = [(port, backend)] + ([second] if second else [])
        return """foreground = yes
debug = err
acceptThreads = %d
workerThreads = %d
client = %s
cert = %s
CAfile = %s
verifyChain = yes
sslVersion = TLSv1.3
ciphersuites = %s
sessionResume = %s
""" % (threads, threads, "yes" if mode == "client" else "no", self.places.pem(mode),
            self.places.ca, SUITE, "yes" if resume else "no") + "".join("""
[bench%d]
accept = 127.0.0.1:%d
connect = 127.0.0.1:%d
""" % ends for ends in ((i,) + e for i, e in enumerate(ends)))

    def argv(self, config):
        return [self.path, config]


class Stunnel(Tunnel):
    name = "stunnel"
    program = "stunnel4"

    def version(self):
        done = subprocess.run([self.path, "-version"], stderr=subprocess.PIPE)
        said = done.stderr.decode().splitlines()
        return ", ".join(l for l in said if l.startswith(("stunnel ", "Running ")))

    def config(self, mode, port, backend, **_):
        return """foreground = yes
debug = err
syslog = no
pid =
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1

[bench]
client = %s
accept = 127.0.0.1:%d
connect = 127.0.0.1:%d
cert = %s
CAfile = %s
verifyChain = yes
sslVersion = TLSv1.3
ciphersuites = %s
""" % ("yes" if mode == "client" else "no", port, backend, self.places.pem(mode),
            self.places.ca, SUITE)

    def argv(self, config):
        return [self.path, config]


class Haproxy(Tunnel):
    name = "haproxy"
    program = "haproxy"
    version_args = ("-v",)

    def config(self, mode, port, backend, bulk=False, **_):
        tls = "ssl crt %s ca-file %s verify required ssl-min-ver TLSv1.3 ciphersuites %s" % (
            self.places.pem(mode), self.places.ca, SUITE)
        server = mode == "server"
        return """global
    nbthread 1
    maxconn 9900
    tune.bufsize %d

defaults
    mode tcp
    maxconn 9900
    backlog 4096
    timeout connect 10s
    timeout client 10m
    timeout server 10m

listen bench
    bind 127.0.0.1:%d %s
    server backend 127.0.0.1:%d %s
""" % (BULK if bulk else 16384, port, tls if server else "", backend, "" if server else tls)

    def argv(self, config):
        return [self.path, "-db", "-q", "-f", config]


class Nginx(Tunnel):
    name = "nginx"
    program = "nginx"
    version_args = ("-v",)

    def config(self, mode, port, backend, bulk=False, **_):
        pem, ca = self.places.pem(mode), self.places.ca
        server = """ssl_certificate %s;
        ssl_certificate_key %s;
        ssl_verify_client on;
        ssl_client_certificate %s;
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites %s;""" % (pem, pem, ca, SUITE)
        client = """proxy_ssl on;
        proxy_ssl_certificate %s;
        proxy_ssl_certificate_key %s;
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate %s;
        proxy_ssl_name localhost;
        proxy_ssl_protocols TLSv1.3;
        proxy_ssl_conf_command Ciphersuites %s;""" % (pem, pem, ca, SUITE)
        return """load_module %s;
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
error_log stderr crit;
pid %s;

events {
    worker_connections 20000;
}

stream {
    access_log off;
    server {
        listen 127.0.0.1:%d %s backlog=4096;
        proxy_pass 127.0.0.1:%d;
        proxy_buffer_size %d;
        proxy_timeout 10m;
        tcp_nodelay on;
        %s
    }
}
""" % (self.module(), self.places.config("nginx") + ".pid", port,
            "ssl" if mode == "server" else "", backend, BULK if bulk else 16384,
            server if mode == "server" else client)

    @staticmethod
    def module():
        for folder in ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules"):
            path = folder + "/ngx_stream_module.so"
            if os.path.exists(path):
                return path
        return None

    def find(self):
        return super().find() if self.module() else None

    def argv(self, config):
        return [self.path, "-e", "stderr", "-c", config]


class Hitch(Tunnel):
    name = "hitch"
    program = "hitch"
    version_args = ("--version",)
    modes = ("server",)

    def config(self, mode, port, backend, **_):
        return """frontend = "[127.0.0.1]:%d"
backend = "[127.0.0.1]:%d"
pem-file = "%s"
client-verify = required
client-verify-ca = "%s"
tls-protos = TLSv1.3
ciphersuites = "%s"
workers = 1
backlog = 4096
keepalive = 3600
daemon = off
syslog = off
log-level = 0
%s""" % (port, backend, self.places.pem(mode), self.places.ca, SUITE,
            'user = "nobody"\n' if os.geteuid() == 0 else "")

    def argv(self, config):
        return [self.path, "--config=" + config]


class Socat(Tunnel):
    name = "socat"
    program = "socat"
    forks = True

    def version(self):
        done = subprocess.run([self.path, "-V"], stdout=subprocess.PIPE)
        return done.stdout.decode().splitlines()[1]

    def config(self, mode, port, backend, bulk=False, **_):
        size = BULK if bulk else 8192
        tls = "cert=%s,cafile=%s,verify=1,openssl-min-proto-version=TLS1.3" % (
            self.places.pem(mode), self.places.ca)
        listen = "%d,bind=127.0.0.1,reuseaddr,fork,backlog=4096,nodelay" % port
        if mode == "server":
            return "-b %d\nOPENSSL-LISTEN:%s,%s\nTCP:127.0.0.1:%d,nodelay\n" % (
                size, listen, tls, backend)
        return ("-b %d\nTCP-LISTEN:%s\nOPENSSL:127.0.0.1:%d,commonname=localhost,%s,nodelay\n" %
                (size, listen, backend, tls))

    def argv(self, config):
        with open(config) as f:
            return [self.path] + f.read().split()


class Floor(Tunnel):
    """Forwards without TLS: the least that a tunnel can cost."""

    name = "floor"
    tls = False

    def find(self):
        return os.path.join(self.places.tools, "floor")

    def version(self):
        return "our forwarder without TLS, tests/bench/floor.c"

    def start(self, mode, backend, cpus, **options):
        process = Process([self.path, str(backend)], cpus, self.places.log("floor"),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        line = process.process.stdout.readline().split()
        if len(line) != 2:
            process.end()
            raise Unusable(process.said())
        return process, int(line[1])


ALL = (Sluss, Stunnel, Haproxy, Nginx, Hitch, Socat, Floor)
