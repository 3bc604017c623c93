#!/usr/bin/env python3
"""Real services behind a pair of tunnels: redis, nginx and PostgreSQL, each worked by
its own client through sluss client, sluss server and a unix socket.

Everything must arrive as it would without us, every tunnel must end as closed, and
both programs must come back to the descriptors and threads they started with.
"""

import hashlib
import os
import pwd
import random
import re
import signal

import harness
from harness import Case, Program, need, run, wait_for


class Service(Case):
    def program(self, *argv, **kw):
        return self.own(Program(argv, **kw))

    def in_front_of(self, path):
        """A pair of tunnels in front of a unix socket; the port where it is entered."""
        wait_for(lambda: os.path.exists(path), path)
        self.tunnels = self.pair(path)
        self.before = [self.baseline(t) for t in self.tunnels]
        return self.tunnels[1].port

    def well_ended(self, least):
        """Both have forgotten all their tunnels, at least so many, and all were closed."""
        for program, before in zip(self.tunnels, self.before):
            self.back_to(program, before)
            self.assertEqual(program.stop(), 0, program.log)
            ends = [l for l in program.lines if re.search(r"LOG\d\[\d+\]: Service ", l)]
            self.assertEqual([l for l in ends if ": closed; TLSv1.3 " not in l], [])
            self.assertGreaterEqual(len(ends), least)
            self.assertIn("Terminated: %d tunnels ended, 0 cut" % len(ends), program.log)
            self.assertEqual([l for l in program.lines if re.search(r"LOG[0-4]\[", l)], [])


class Redis(Service):
    N = 20000

    def calls(self, command):
        """How often redis served a command, as it counts itself."""
        stats = run(need("redis-cli"), "-s", self.path("redis"), "info", "commandstats").out
        return int(re.search(r"^cmdstat_%s:calls=(\d+)" % command, stats, re.M).group(1))

    def test_redis(self):
        """redis-benchmark, plain and pipelined: every request is served, once."""
        if harness.not_under_sanitizer():
            return
        self.program(need("redis-server"), "--port", "0", "--unixsocket", self.path("redis"),
                     "--dir", self.dir, "--save", "", "--appendonly", "no")
        port = self.in_front_of(self.path("redis"))
        for pipeline in (1, 16):
            done = run(need("redis-benchmark"), "-h", "127.0.0.1", "-p", port, "-n", self.N,
                       "-c", "16", "-P", pipeline, "-d", "512", "-t", "set,get", "--csv")
            self.assertEqual(re.findall(r'^"([SG]ET)","\d', done.out, re.M), ["SET", "GET"])
        for command in ("set", "get"):
            self.assertEqual(self.calls(command), 2 * self.N)

        value = random.Random(2).randbytes(4 << 20)
        cli = (need("redis-cli"), "-h", "127.0.0.1", "-p", port)
        self.assertEqual(run(*cli, "-x", "set", "big", input=value).out, "OK\n")
        self.assertTrue(run(*cli, "get", "big").stdout == value + b"\n", "another value")
        self.well_ended(4 * 16 + 2)


class Nginx(Service):
    CONFIGURATION = """
daemon off;
master_process off;
error_log stderr;
pid %(dir)s/pid;
events { }
http {
    access_log off;
    client_body_temp_path %(dir)s/body;
    proxy_temp_path %(dir)s/proxy;
    fastcgi_temp_path %(dir)s/fastcgi;
    uwsgi_temp_path %(dir)s/uwsgi;
    scgi_temp_path %(dir)s/scgi;
    server { listen unix:%(dir)s/nginx; root %(dir)s/www; }
}
"""
    SIZE = 10 * 1000 * 1000
    PARALLEL = 6

    def test_nginx(self):
        """curl gets a file of 10 MB byte-exact, several at once and twice in a row."""
        if harness.not_under_sanitizer():
            return
        os.mkdir(self.path("www"))
        data = random.Random(3).randbytes(self.SIZE)
        with open(self.path("www/file"), "wb") as f:
            f.write(data)
        with open(self.path("conf"), "w") as f:
            f.write(self.CONFIGURATION % {"dir": self.dir})
        self.program(need("nginx"), "-p", self.dir, "-c", self.path("conf"), "-e", "stderr")
        port = self.in_front_of(self.path("nginx"))

        url = "http://127.0.0.1:%d/file" % port
        curls = [self.program(need("curl"), "--silent", "--show-error", "--fail",
                              "-o", self.path("first%d" % i), url,
                              "-o", self.path("second%d" % i), url)
                 for i in range(self.PARALLEL)]
        for curl in curls:
            self.assertEqual(curl.wait(), 0, curl.log)
        expected = hashlib.sha256(data).hexdigest()
        for i in range(self.PARALLEL):
            for name in ("first%d", "second%d"):
                with open(self.path(name % i), "rb") as f:
                    self.assertEqual(hashlib.sha256(f.read()).hexdigest(), expected)
        self.well_ended(self.PARALLEL)


class PostgreSQL(Service):
    CLIENTS = 8
    EACH = 100

    # What pgbench adds to one table it adds to three others.
    SUMS = ("select (select sum(abalance) from pgbench_accounts) = h.sum and "
            "(select sum(tbalance) from pgbench_tellers) = h.sum and "
            "(select sum(bbalance) from pgbench_branches) = h.sum, h.count "
            "from (select sum(delta), count(*) from pgbench_history) h")

    def as_postgres(self):
        """The start of a command that runs as the server's own user: it refuses root."""
        if os.geteuid() != 0:
            return []
        return [need("setpriv"), "--reuid", "postgres", "--regid", "postgres", "--init-groups"]

    def folder(self):
        """A folder that the server's user owns and can reach."""
        path = self.path("pg")
        os.mkdir(path, 0o700)
        if os.geteuid() == 0:
            try:
                user = pwd.getpwnam("postgres")
            except KeyError:
                harness.skip("there is no user postgres")
            os.chown(path, user.pw_uid, user.pw_gid)
            os.chmod(self.dir, 0o711)
        return path

    def test_postgresql(self):
        """pgbench: every transaction is done, none fails, and the sums agree."""
        if harness.not_under_sanitizer():
            return
        folder = self.folder()
        user = self.as_postgres()
        data = os.path.join(folder, "data")
        here = {"cwd": folder, "env": dict(os.environ, LC_ALL="C", PGSSLMODE="disable")}
        run(*user, need("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync",
            "--locale=C", **here)
        postgres = self.program(*user, need("postgres"), "-D", data, "-k", folder, "-h", "",
                                "-F", **here)
        # Fast shutdown: a killed server would leave its children and shared memory.
        self.addCleanup(postgres.stop, signal.SIGINT)
        postgres.wait_log("ready to accept connections")
        port = self.in_front_of(os.path.join(folder, ".s.PGSQL.5432"))

        where = ("-h", "127.0.0.1", "-p", port, "-U", "postgres")
        run(need("pgbench"), *where, "-i", "-s", "1", "--quiet", "postgres", **here)
        done = run(need("pgbench"), *where, "-c", self.CLIENTS, "-j", "2", "-t", self.EACH,
                   "postgres", **here)
        total = self.CLIENTS * self.EACH
        self.assertIn("transactions actually processed: %d/%d\n" % (total, total), done.out)
        self.assertIn("number of failed transactions: 0 ", done.out)
        sums = run(need("psql"), *where, "-X", "-A", "-t", "-c", self.SUMS, "postgres", **here)
        self.assertEqual(sums.out, "t|%d\n" % total)
        self.well_ended(self.CLIENTS + 2)


if __name__ == "__main__":
    harness.main()
