#!/usr/bin/env python3
"""Prefaces with real servers and their own clients: PostgreSQL, Exim, Dovecot, slapd and
haproxy, each started on loopback with a folder of its own, in both roles where sluss has both.

A server that refuses what comes in clear proves that TLS was there; one without TLS proves
that sluss was the one who spoke it."""

import grp
import imaplib
import os
import poplib
import pwd
import re
import signal
import smtplib
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from harness import PATIENCE, Case, Program, connect, free_port, need, run, wait_for

MESSAGE = "From: a@test\r\nTo: b@test\r\nSubject: hi\r\n\r\nthrough the lock %s\r\n"


def user_name():
    return pwd.getpwuid(os.geteuid()).pw_name


class Real(Case):
    def setUp(self):
        super().setUp()
        os.chmod(self.dir, 0o711)

    def program(self, *argv, **kw):
        return self.own(Program(argv, **kw))

    def folder(self, name, user=None):
        """A folder of the test's, which a server's user owns if we can give it away."""
        path = self.path(name)
        os.mkdir(path, 0o700)
        if user and os.geteuid() == 0:
            self.give(path, user)
        return path

    def give(self, path, user):
        try:
            who = pwd.getpwnam(user)
        except KeyError:
            harness.skip("there is no user " + user)
        os.chown(path, who.pw_uid, who.pw_gid)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def key_for(self, user):
        """Certificate and key of the server, readable for a user."""
        path = self.path("server.pem")
        with open(self.pem("server")) as f, open(path, "w") as g:
            os.chmod(path, 0o600)
            g.write(f.read())
        if os.geteuid() == 0:
            self.give(path, user)
        return path

    def up(self, port, program):
        """Waits until somebody listens."""
        def listens():
            if not program.alive():
                raise AssertionError(program.log)
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        wait_for(listens, "%s on port %d" % (program.argv[0], port))
        return "127.0.0.1:%d" % port

    def closed_well(self, program, least=1):
        """Every tunnel of a sluss came to a proper end."""
        ends = wait_for(lambda: [l for l in list(program.lines) if re.search(
            r"LOG\d\[\d+\]: Service \[\w+\] .* -> ", l)][least - 1:] and
            [l for l in list(program.lines) if " -> " in l], "ends in\n" + program.log)
        self.assertEqual([l for l in ends if ": closed; TLSv1.3 " not in l], [])
        self.assertEqual([l for l in program.lines if re.search(r"LOG[0-4]\[", l)], [])


class PostgreSQL(Real):
    def start(self, *options, hba):
        folder = self.folder("pg", "postgres")
        user = [] if os.geteuid() != 0 else [
            need("setpriv"), "--reuid", "postgres", "--regid", "postgres", "--init-groups"]
        self.here = {"cwd": folder, "env": dict(os.environ, LC_ALL="C", HOME=folder)}
        data = os.path.join(folder, "data")
        run(*user, need("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync",
            "--locale=C", **self.here)
        with open(os.path.join(data, "pg_hba.conf"), "w") as f:
            f.write(hba)
        self.pg_port = free_port()
        pg = self.program(*user, need("postgres"), "-D", data, "-k", folder, "-p", self.pg_port,
                          "-F", *options, **self.here)
        self.addCleanup(pg.stop, signal.SIGINT)
        pg.wait_log("ready to accept connections")
        return os.path.join(folder, ".s.PGSQL.%d" % self.pg_port)

    def psql(self, port, query, *settings, check=True):
        where = "host=127.0.0.1 port=%d user=postgres dbname=postgres %s" % (
            port, " ".join(settings))
        return run(need("psql"), where, "-X", "-A", "-t", "-c", query, check=check, **self.here)

    ABOUT_TLS = "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()"

    def test_client(self):
        """psql without TLS, through us, to a PostgreSQL that takes nothing else."""
        if harness.not_under_sanitizer():
            return
        pem = self.key_for("postgres")
        self.start("-h", "127.0.0.1", "-c", "ssl=on", "-c", "ssl_cert_file=" + pem, "-c",
                   "ssl_key_file=" + pem, hba="hostssl all all 127.0.0.1/32 trust\n")
        refused = self.psql(self.pg_port, "select 1", "sslmode=disable", check=False)
        self.assertIn("no pg_hba.conf entry", refused.err)
        client = self.client("127.0.0.1:%d" % self.pg_port, "--protocol", "pgsql")
        done = self.psql(client.port, self.ABOUT_TLS, "sslmode=disable")
        self.assertEqual(done.out, "t|TLSv1.3\n")
        done = self.psql(client.port, "select count(*), sum(n) from generate_series(1, 200000) n",
                         "sslmode=disable")
        self.assertEqual(done.out, "200000|20000100000\n")
        self.closed_well(client, 2)

    def test_server(self):
        """psql with TLS, through us, to a PostgreSQL that has none."""
        if harness.not_under_sanitizer():
            return
        path = self.start("-h", "", hba="local all all trust\n")
        server = self.server(path, "--protocol", "pgsql")
        done = self.psql(server.port, self.ABOUT_TLS, "sslmode=verify-full",
                         "sslrootcert=" + self.crt("server"), "sslcert=" + self.pem("client"),
                         "sslkey=" + self.pem("client"))
        self.assertEqual(done.out, "f|\n")
        done = self.psql(server.port, r"\conninfo", "sslmode=require",
                         "sslcert=" + self.pem("client"), "sslkey=" + self.pem("client"))
        self.assertIn("SSL connection (protocol: TLSv1.3", done.out)
        self.closed_well(server, 2)
        refused = self.psql(server.port, "select 1", "sslmode=disable", check=False)
        self.assertIn("TLS is required here", refused.err)
        server.ends("no agreement with the peer while negotiating in clear: the client asks "
                    "for no TLS")


class Smtp(Real):
    CONF = """
exim_user = %(user)s
exim_group = %(group)s
deliver_drop_privilege = true
spool_directory = %(dir)s/spool
log_file_path = %(dir)s/spool/%%slog
pid_file_path = %(dir)s/spool/pid
daemon_smtp_ports = %(port)d
local_interfaces = 127.0.0.1
primary_hostname = mx.test
host_lookup =
tls_advertise_hosts = %(tls)s
tls_certificate = %(pem)s
auth_advertise_hosts = *
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
begin acl
mail:
  require condition = %(needs)s
  accept
rcpt:
  accept
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = %(dir)s/spool/mail
  delivery_date_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{user}}{eq{$auth3}{secret}}}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{user}}{eq{$auth2}{secret}}}}
"""

    def start(self, tls, needs="true"):
        user = "Debian-exim" if os.geteuid() == 0 else user_name()
        self.folder("spool", user)
        port = free_port()
        conf = self.write("exim.conf", self.CONF % {
            "user": user, "group": grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name,
            "dir": self.dir, "port": port, "tls": "*" if tls else "",
            "pem": self.key_for(user), "needs": needs})
        exim = self.program(need("exim4"), "-C", conf, "-bdf")
        return self.up(port, exim)

    def delivered(self, word):
        def text():
            try:
                with open(self.path("spool/mail")) as f:
                    mail = f.read()
            except FileNotFoundError:
                return None
            return mail if word in mail else None
        return wait_for(text, "the mail")

    def test_client(self):
        """A client without TLS, through us, to an Exim that takes mail with TLS only."""
        if harness.not_under_sanitizer():
            return
        exim = self.start(True, "${if def:tls_in_cipher}")
        client = self.client(exim, "--protocol", "smtp")
        with smtplib.SMTP("127.0.0.1", client.port, "me.test", PATIENCE) as smtp:
            smtp.sendmail("a@test", ["b@test"], MESSAGE % "client")
        self.assertIn("esmtps", self.delivered("lock client"))
        self.closed_well(client)

    def test_client_login(self):
        """With a name and password: Exim takes mail only from whoever has logged in."""
        if harness.not_under_sanitizer():
            return
        exim = self.start(True, "${if def:authenticated_id}${if def:sender_host_authenticated}")
        for way in ("plain", "login"):
            conf = self.write("conf-" + way, """
client = yes
foreground = yes
debug = info
syslog = no
[smtp]
accept = 127.0.0.1:0
connect = %s
protocol = smtp
protocolUsername = user
protocolPassword = secret
protocolAuthentication = %s
cert = %s
CAfile = %s
verifyPeer = yes
""" % (exim, way, self.pem("client"), self.crt("server")))
            client = self.own(harness.Sluss(conf))
            with smtplib.SMTP("127.0.0.1", client.port, "me.test", PATIENCE) as smtp:
                smtp.sendmail("a@test", ["b@test"], MESSAGE % way)
            self.assertIn("esmtpsa", self.delivered("lock " + way))
            self.assertNotIn("secret", client.log)

    def test_server(self):
        """A client with STARTTLS, through us, to an Exim that has none."""
        if harness.not_under_sanitizer():
            return
        server = self.server(self.start(False), "--protocol", "smtp")
        with smtplib.SMTP("127.0.0.1", server.port, "me.test", PATIENCE) as smtp:
            with self.assertRaises(smtplib.SMTPResponseException):
                smtp.sendmail("a@test", ["b@test"], MESSAGE % "clear")
            smtp.ehlo()
            smtp.starttls(context=self.context())
            smtp.sendmail("a@test", ["b@test"], MESSAGE % "server")
        self.assertNotIn("lock clear", self.delivered("lock server"))
        server.ends(" TLSv1.3 ")  # Python ends it without a close_notify


class Mail(Real):
    CONF = """
base_dir = %(dir)s/run
state_dir = %(dir)s/state
log_path = /dev/stderr
protocols = imap pop3
listen = 127.0.0.1
ssl = %(ssl)s
ssl_cert = <%(pem)s
ssl_key = <%(pem)s
disable_plaintext_auth = %(no_plain)s
mail_location = maildir:%(dir)s/mail/%%u
first_valid_uid = 1
first_valid_gid = 1
%(users)s
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=%(uid)d gid=%(gid)d home=%(dir)s/mail/%%u
}
service imap-login {
  chroot =
  inet_listener imap {
    port = %(imap)d
  }
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = %(pop3)d
  }
  inet_listener pop3s {
    port = 0
  }
}
service anvil {
  chroot =
}
"""

    def start(self, tls):
        """Dovecot; where IMAP and POP3 are."""
        user = "dovecot" if os.geteuid() == 0 else user_name()
        who = pwd.getpwnam(user)
        self.folder("mail", user)
        ports = {"imap": free_port(), "pop3": free_port()}
        conf = self.write("dovecot.conf", self.CONF % dict(
            ports, dir=self.dir, ssl="required" if tls else "no", pem=self.key_for("root")
            if os.geteuid() == 0 else self.pem("server"), no_plain="yes" if tls else "no",
            uid=who.pw_uid, gid=who.pw_gid, users="" if os.geteuid() == 0 else
            "default_internal_user = %s\ndefault_login_user = %s\n" % (user, user)))
        self.dovecot = dovecot = self.program(need("dovecot"), "-F", "-c", conf)
        self.addCleanup(dovecot.stop)
        return [self.up(ports[p], dovecot) for p in ("imap", "pop3")]

    def imap(self, imap):
        """Logs in, puts a mail there, and reads it again."""
        imap.login("user", "secret")
        imap.append("INBOX", None, None, (MESSAGE % "imap").encode())
        imap.select()
        self.assertIn(b"through the lock imap", imap.fetch("1", "(BODY[])")[1][0][1])
        imap.logout()

    def pop3(self, pop3):
        pop3.user("user")
        pop3.pass_("secret")
        self.assertEqual(pop3.stat()[0], 1)
        self.assertIn(b"through the lock imap", pop3.retr(1)[1])
        pop3.quit()

    def test_client(self):
        """Clients without TLS, through us, to a Dovecot that logs that it saw TLS (it does not
        insist on it where both ends have one address)."""
        if harness.not_under_sanitizer():
            return
        imap, pop3 = self.start(True)
        client = self.client(imap, "--protocol", "imap")
        self.imap(imaplib.IMAP4("127.0.0.1", client.port, PATIENCE))
        self.dovecot.wait_log(r"imap-login: .*Login: user=<user>.* TLS,")
        self.closed_well(client)
        client = self.client(pop3, "--protocol", "pop3")
        self.pop3(poplib.POP3("127.0.0.1", client.port, PATIENCE))
        self.dovecot.wait_log(r"pop3-login: .*Login: user=<user>.* TLS,")
        self.closed_well(client)

    def test_server(self):
        """Clients with STARTTLS, through us, to a Dovecot that has none."""
        if harness.not_under_sanitizer():
            return
        imap, pop3 = self.start(False)
        server = self.server(imap, "--protocol", "imap")
        c = imaplib.IMAP4("127.0.0.1", server.port, PATIENCE)
        with self.assertRaises(imaplib.IMAP4.error):
            c.login("user", "secret")
        c.starttls(self.context())
        self.assertNotIn("STARTTLS", c.capabilities)
        self.imap(c)
        server.ends(" TLSv1.3 ")
        server = self.server(pop3, "--protocol", "pop3")
        c = poplib.POP3("127.0.0.1", server.port, PATIENCE)
        c.stls(self.context())
        self.pop3(c)
        server.ends(" TLSv1.3 ")


class Ldap(Real):
    CONF = """
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %(dir)s/slapd.pid
TLSCertificateFile %(crt)s
TLSCertificateKeyFile %(pem)s
security tls=1
database mdb
suffix "dc=test"
directory %(dir)s/db
rootdn "cn=admin,dc=test"
rootpw secret
"""

    def test_client(self):
        """ldapadd and ldapsearch without TLS, through us, to a slapd that wants it."""
        if harness.not_under_sanitizer():
            return
        slapd = need("slapd")
        self.folder("db")
        port = free_port()
        conf = self.write("slapd.conf", self.CONF % {
            "dir": self.dir, "crt": self.crt("server"), "pem": self.pem("server")})
        target = self.up(port, self.program(slapd, "-d", "0", "-h", "ldap://127.0.0.1:%d" % port,
                                            "-f", conf))
        login = ("-x", "-D", "cn=admin,dc=test", "-w", "secret")
        env = dict(os.environ, LDAPNOINIT="1")
        refused = run(need("ldapsearch"), "-H", "ldap://" + target, *login, "-b", "dc=test",
                      check=False, env=env)
        self.assertIn("TLS confidentiality required", refused.err)
        client = self.client(target, "--protocol", "ldap")
        url = "ldap://127.0.0.1:%d" % client.port
        self.write("entry", "dn: dc=test\nobjectClass: organization\nobjectClass: dcObject\n"
                   "o: the lock\ndc: test\n")
        run(need("ldapadd"), "-H", url, *login, "-f", self.path("entry"), env=env)
        done = run(need("ldapsearch"), "-H", url, *login, "-LLL", "-b", "dc=test", "o", env=env)
        self.assertIn("o: the lock", done.out)
        self.closed_well(client, 2)


class Haproxy(Real):
    HEAD = """
defaults
  timeout connect 30s
  timeout client 60s
  timeout server 60s
"""

    def start(self, port, conf):
        haproxy = self.program(need("haproxy"), "-db", "-f", self.write("haproxy.conf",
                                                                        self.HEAD + conf))
        return self.up(port, haproxy)

    def test_out(self):
        """haproxy behind us reads our headers: who came, and the name he asked for."""
        if harness.not_under_sanitizer():
            return
        port = free_port()
        target = self.start(port, """
frontend behind
  mode http
  bind 127.0.0.1:%d accept-proxy
  http-request return status 200 content-type text/plain lf-string "%%[src] %%[src_port] %%[dst_port] name=%%[fc_pp_authority]"
""" % port)
        for protocol, name in (("proxy", ""), ("proxy2", "localhost")):
            server = self.server(target, "--protocol", protocol)
            sock = self.own(connect(server.port))
            wire = harness.TlsWire(sock, self.context(), server_hostname="localhost").handshake()
            wire.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = wire.outcome()[0].decode()
            self.assertTrue(answer.endswith("127.0.0.1 %d %d name=%s" % (
                sock.getsockname()[1], server.port, name)), answer)

    def test_in(self):
        """haproxy in front of us: the client's own address is in our log."""
        if harness.not_under_sanitizer():
            return
        backend = self.backend(harness.echo)
        server = self.server(backend.target, "--proxyin", "--proxyfrom", "127.0.0.1")
        for i, how in enumerate(("send-proxy", "send-proxy-v2", "send-proxy-v2-ssl",
                                 "send-proxy-v2 proxy-v2-options crc32c,authority"), 1):
            port = free_port()
            self.start(port, """
listen front
  mode tcp
  bind 127.0.0.1:%d
  server sluss 127.0.0.1:%d %s
""" % (port, server.port, how))
            sock = self.own(connect(port))
            wire = harness.TlsWire(sock, self.context(), server_hostname="localhost").handshake()
            wire.sendall(b"hello")
            self.assertEqual(wire.read_exactly(5), b"hello")
            wire.close_notify()
            self.assertEqual(wire.outcome(), (b"", "close_notify"))
            server.ends(r"\] 127.0.0.1:%d -> .*: closed; " % sock.getsockname()[1])


if __name__ == "__main__":
    harness.main()
