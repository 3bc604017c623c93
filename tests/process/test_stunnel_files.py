#!/usr/bin/env python3
"""What programs write that use stunnel: the files of EFS's, Azure's, IBM's and Alibaba's mount
helpers, of xapi, of Heroku's buildpacks and of VolSync, each taken as it is, judged by
`sluss check`, and run against OpenSSL or a real server."""

import os
import re
import signal
import socket

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

import certs
import harness
from harness import PATIENCE, SLUSS, Sluss, need, recv_exactly, run, wait_for
from responder import REVOKED, Responder, informed
from test_peers import listening_port


class Files(harness.Case):
    """A CA, a server named localhost and a client, as their makers would have them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        Files.ca = ca = certs.make("ca", ca=True)
        Files.rsa = certs.make("pool", ca, kind="rsa2048", dns=["localhost"])
        for label, identity in (
                ("ca", ca),
                ("s", certs.make("server", ca, dns=["localhost", "fs-1.efs.example"],
                                 ip=["127.0.0.1"])),
                ("rsa", Files.rsa),
                ("c", certs.make("client", ca)),
                ("other", certs.make("other", dns=["localhost"]))):
            identity.write(cls.shared, label)

    def write(self, text, name="stunnel.conf"):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def values(self, **more):
        """What the generators fill in."""
        return dict({"dir": self.dir, "ca": self.crt("ca"), "pem": self.pem("c"),
                     "crt": self.crt("c")}, **more)

    def checks(self, path):
        """The file is fine; what check prints."""
        return run(SLUSS, "check", path).out

    def refuses(self, path, *patterns):
        done = run(SLUSS, path, check=False)
        self.assertEqual((done.returncode, done.out), (1, ""), done.err)
        for pattern in patterns:
            self.assertRegex(done.err, pattern)
        self.assertRegex(done.err, r"Configuration failed\n\Z")
        again = run(SLUSS, "check", path, check=False)
        self.assertEqual((again.returncode, again.out), (1, ""), again.err)

    def start(self, path, **kw):
        return self.own(Sluss(path, **kw))

    def reversing(self, *more, identity="s", pem=None):
        """openssl s_server that sends every line back, reversed; its port."""
        peer = self.own(harness.Program([
            need("openssl"), "s_server", "-rev", "-quiet", "-accept", "127.0.0.1:0",
            "-cert", pem or self.pem(identity)] + list(more)))
        return listening_port(peer, "127.0.0.1")

    def reverses(self, port):
        with harness.connect(port) as c:
            self.talk(c)

    def talk(self, c):
        c.sendall(b"abc\n")
        self.assertEqual(recv_exactly(c, 4), b"cba\n")

    def is_closed(self, port):
        """No byte comes through to the other end."""
        with harness.connect(port) as c:
            try:
                c.sendall(b"abc\n")
                self.assertEqual(c.recv(4), b"")
            except (ConnectionResetError, BrokenPipeError):
                pass


EFS = """
fips = no
foreground = %(foreground)s
socket = l:SO_REUSEADDR=yes
socket = a:SO_BINDTODEVICE=lo
pid = %(dir)s/stunnel.pid
debug = debug
output = %(dir)s/fs-1.stunnel.log
[efs]
client = yes
accept = 127.0.0.1:%(accept)s
connect = %(host)s:%(port)d
sslVersion = TLSv1.2
renegotiation = no
TIMEOUTbusy = 20
TIMEOUTclose = 0
TIMEOUTidle = 70
delay = yes
verify = 2
CAfile = %(ca)s
cert = %(crt)s
key = %(pem)s
checkHost = %(name)s
"""


class Efs(Files):
    """The mount helper of AWS EFS; its watchdog finds the process by the pid file."""

    def conf(self, port=1, more="", **kw):
        kw = dict({"foreground": "quiet", "accept": "0", "host": "127.0.0.1",
                   "name": "fs-1.efs.example", "port": port}, **kw)
        return self.write(EFS % self.values(**kw) + more)

    def log(self):
        try:
            with open(self.path("fs-1.stunnel.log")) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def bound_port(self):
        found = wait_for(lambda: re.search(r"bound to .*:(\d+)$", self.log(), re.M),
                         "the port in the log")
        return int(found.group(1))

    def test_all_options(self):
        """23 options in all; those of later versions, too."""
        out = self.checks(self.conf(more="sni = fs-1.efs.example\nlibwrap = no\n"))
        for line in ("TIMEOUTclose = 0", "TIMEOUTbusy = 20", "verify = 2", "delay = yes",
                     "sslVersionMax = TLSv1.2", "sni = fs-1.efs.example",
                     "socket = a:SO_BINDTODEVICE=lo"):
            self.assertIn("\n%s\n" % line, out)

    def test_no_warning(self):
        """Where a start warns, stderr is not empty: nothing is said but that one default."""
        err = run(SLUSS, "check", self.conf()).err
        self.assertEqual([l for l in err.splitlines() if "abort = strict" not in l], [])

    def test_ocsp(self):
        """The server's certificate names its responder, which is asked."""
        self.checks(self.conf(more="OCSPaia = yes\n"))
        responder = self.own(Responder(self.ca))
        server = responder.knows(certs.make("server", self.ca, dns=["fs-1.efs.example"],
                                            more=[informed(responder.url)]))
        server.write(self.dir, "named")
        port = self.reversing("-tls1_2", pem=self.path("named.pem"))
        p = self.start(self.conf(port, more="OCSPaia = yes\n"), ready=False)
        self.reverses(self.bound_port())
        self.assertEqual(responder.requests, [server.cert.serial_number])
        self.assertIn("OCSP: Accepted (good)", self.log())
        self.assertEqual(p.stop(), 0)
        responder.knows(server, REVOKED)
        os.unlink(self.path("fs-1.stunnel.log"))
        self.start(self.conf(port, more="OCSPaia = yes\n"), ready=False)
        self.is_closed(self.bound_port())
        wait_for(lambda: "OCSP: Rejected (revoked)" in self.log(), "the reason in the log")

    def test_tunnel(self):
        """With a client certificate, over TLS 1.2; nothing is on stderr with quiet."""
        port = self.reversing("-CAfile", self.crt("ca"), "-Verify", "1",
                              "-verify_return_error", "-tls1_2")
        p = self.start(self.conf(port), ready=False)
        self.reverses(self.bound_port())
        wait_for(lambda: os.path.exists(self.path("stunnel.pid")), "the pid file")
        with open(self.path("stunnel.pid")) as f:
            self.assertEqual(int(f.read()), p.pid)
        self.assertEqual(p.stop(), 0)
        self.assertEqual(p.log, "")
        self.assertFalse(os.path.exists(self.path("stunnel.pid")))

    def test_foreground(self):
        """With debugging wanted it logs to stderr as well."""
        p = self.start(self.conf(foreground="yes"))
        self.assertRegex(p.log, r"LOG5\[.*\]: Service \[efs\] \(FD=\d+\) bound to 127\.0\.0\.1:")

    def test_another_name(self):
        """The server's certificate must name the file system."""
        port = self.reversing()
        self.start(self.conf(port, name="fs-2.efs.example"), ready=False)
        self.is_closed(self.bound_port())
        wait_for(lambda: "names another host" in self.log(), "the reason in the log")

    def test_another_ca(self):
        port = self.reversing(identity="other")
        self.start(self.conf(port, name="localhost"), ready=False)
        self.is_closed(self.bound_port())

    def test_what_the_helper_asks(self):
        """It looks for lines of -help that begin with these words, on stderr."""
        done = run(SLUSS, "-help")
        self.assertEqual(done.out, "")
        lines = done.err.splitlines()
        for word in "foreground", "checkHost", "OCSPaia", "libwrap":
            self.assertTrue([l for l in lines if l.startswith(word)], word)
        self.assertTrue([l for l in lines if l.startswith("foreground") and "quiet" in l])


class Debian(Files):
    SAMPLE = "/usr/share/doc/stunnel4/examples/stunnel.conf-sample"

    def test_sample(self):
        """The file that Debian ships, whose sections ask responders."""
        if not os.path.exists(self.SAMPLE):
            harness.skip("Debian's stunnel4 is not installed, or without its documentation")
        self.assertEqual(self.checks(self.SAMPLE).count("\nOCSPaia = yes\n"), 3)


AZNFS = """
CAFile = %(ca)s
verifyChain = yes
checkHost = localhost
sslVersion = TLSv1.2
debug = debug
output = %(dir)s/stunnel.log
pid = %(dir)s/stunnel.pid

[127.0.0.1]
client = yes
accept = 127.0.0.1:%(accept)s
connect = 127.0.0.1:%(port)d
"""


class Aznfs(Files):
    """Azure's mount helper: a daemon, whose start has succeeded when nothing was printed."""

    def conf(self, port=1, accept="0"):
        return self.write(AZNFS % self.values(port=port, accept=accept))

    def test_check(self):
        self.assertIn("\n[127.0.0.1]\n", self.checks(self.conf()))
        self.checks(self.write(AZNFS % self.values(port=1, accept="1") +
                               "ciphersuites = TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256\n"
                               "curves = P-256:P-384\n"))

    def log(self, pattern):
        """The first match in the daemon's log."""
        def found():
            if not os.path.exists(self.path("stunnel.log")):
                return None
            with open(self.path("stunnel.log")) as f:
                return re.search(pattern, f.read(), re.M)
        return wait_for(found, "/%s/ in the log" % pattern)

    def test_tunnel(self):
        """The parent ends with 0 and no word once all is ready; SIGTERM ends the daemon."""
        done = run(SLUSS, self.conf(self.reversing()))
        self.assertEqual((done.out, done.err), ("", ""))
        with open(self.path("stunnel.pid")) as f:
            pid = int(f.read())
        try:
            self.reverses(int(self.log(r"bound to 127\.0\.0\.1:(\d+)$").group(1)))
        finally:
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not os.path.exists(self.path("stunnel.pid")), "the end")
        self.log(r"LOG5\[main\]: Terminated")

    def test_address_in_use(self):
        """The helper looks for this text when the start failed."""
        taken = self.backend(harness.echo)
        done = run(SLUSS, self.conf(accept=str(taken.port)), check=False)
        self.assertEqual((done.returncode, done.out), (1, ""))
        self.assertIn("127.0.0.1:%d: Address already in use" % taken.port, done.err)


class OtherMounts(Files):
    IBM = ("client = yes\nforeground = yes\n[nfs-share]\naccept = 127.0.0.1:0\n"
           "connect = 127.0.0.1:%(port)d\ncafile = %(ca)s\ncheckHost = localhost\n"
           "verify = 1\n")
    ALIBABA = ("client = yes\nforeground = yes\n[cpfs]\naccept = 127.0.0.1:0\n"
               "connect = 127.0.0.1:%(port)d\nsslVersion = TLSv1.2\nrenegotiation = no\n"
               "TIMEOUTbusy = 20\nlibwrap = no\nverify = 2\nCAfile = %(ca)s\n")

    def runs(self, text):
        path = self.write(text % self.values(port=self.reversing()))
        self.checks(path)
        self.reverses(self.start(path).port)

    def test_ibm(self):
        self.runs(self.IBM)

    def test_ibm_other_ca(self):
        path = self.write(self.IBM % self.values(port=self.reversing(identity="other")))
        self.is_closed(self.start(path).port)

    def test_alibaba(self):
        self.runs(self.ALIBABA)


XAPI = """client = yes
foreground = yes
socket = r:TCP_NODELAY=1
socket = r:TCP_KEEPIDLE=30
socket = a:SO_REUSEADDR=1
TIMEOUTidle = 43200
fips = no
debug = authpriv.5
connect = 127.0.0.1:%(port)d
sslVersion = TLSv1.2
ciphers = ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:!EXPORT
curve = secp384r1
sni = pool
verifyPeer = yes
CAfile = %(pin)s
"""


class Xapi(Files):
    """XenServer's toolstack: no section, the configuration through a descriptor, the tunnel
    on a pair of sockets."""

    def spawn(self, text):
        """sluss -fd N on one end of a socket pair; the other end."""
        r, w = os.pipe()
        os.write(w, text.encode())
        os.close(w)
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE)
        p = self.own(harness.Program([SLUSS, "-fd", str(r)], stdin=theirs, stdout=theirs,
                                     pass_fds=[r]))
        os.close(r)
        theirs.close()
        return p, self.own(ours)

    def test_tunnel(self):
        port = self.reversing("-tls1_2", identity="rsa")
        p, c = self.spawn(XAPI % self.values(port=port, pin=self.crt("rsa")))
        self.talk(c)
        c.close()
        self.assertEqual(p.wait(), 0, p.log)

    def test_not_the_pinned_one(self):
        """Issued by the same CA, but not the very certificate."""
        port = self.reversing("-tls1_2", identity="rsa")
        p, c = self.spawn(XAPI % self.values(port=port, pin=self.crt("s")))
        self.assertEqual(harness.outcome(c)[0], b"")
        self.assertEqual(p.wait(), 0, p.log)
        self.assertRegex(p.log, "VERIFY ERROR: .*error=")

    def test_nobody_there(self):
        """xapi looks for this text; the status is 0 all the same."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            p, c = self.spawn(XAPI % self.values(port=s.getsockname()[1], pin=self.crt("s")))
            self.assertEqual(harness.outcome(c)[0], b"")
            self.assertEqual(p.wait(), 0, p.log)
            self.assertIn("Connection refused", p.log)

    def test_check_host(self):
        """With a path of the CA and a name, too."""
        port = self.reversing("-tls1_2", identity="rsa")
        text = (XAPI % self.values(port=port, pin=self.crt("ca"))).replace(
            "verifyPeer", "verifyChain") + "checkHost = localhost\n"
        p, c = self.spawn(text)
        self.talk(c)
        c.close()
        self.assertEqual(p.wait(), 0, p.log)

    def crl_folder(self, *revoked):
        """A folder with the CA's list of revoked certificates, newly signed."""
        os.makedirs(self.path("crls"), exist_ok=True)
        builder = (x509.CertificateRevocationListBuilder().issuer_name(self.ca.cert.subject)
                   .last_update(certs.now(hours=-1)).next_update(certs.now(days=1))
                   .add_extension(x509.CRLNumber(1), False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                       self.ca.key.public_key()), False))
        for identity in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(identity.cert.serial_number)
                .revocation_date(certs.now(hours=-1)).build())
        with open(self.path("crls/ca.r0"), "wb") as f:
            f.write(builder.sign(self.ca.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return self.path("crls")

    def test_crl(self):
        """A folder of revoked certificates, which the server is in, or not."""
        port = self.reversing("-tls1_2", identity="rsa")
        for revoked, passes in ((), True), ((self.rsa,), False):
            text = (XAPI % self.values(port=port, pin=self.crt("ca"))).replace(
                "verifyPeer", "verifyChain") + "CRLpath = %s\n" % self.crl_folder(*revoked)
            p, c = self.spawn(text)
            if passes:
                self.talk(c)
                c.close()
            else:
                self.assertEqual(harness.outcome(c)[0], b"")
            self.assertEqual(p.wait(), 0, p.log)
            self.assertEqual("revoked" in p.log, not passes, p.log)

    def test_accept_is_an_error(self):
        p, _ = self.spawn(XAPI % self.values(port=1, pin="x") + "accept = 1\n")
        self.assertEqual(p.wait(), 1)
        self.assertRegex(p.log, r'\d+:16: "accept = 1": accept needs a \[section\]')


HEROKU = """foreground = yes
pid = %(dir)s/stunnel.pid
socket = r:TCP_NODELAY=1
options = NO_SSLv3
TIMEOUTidle = 86400
ciphers = HIGH:!ADH:!AECDH:!LOW:!EXP:!MD5:!3DES:!SRP:!PSK:@STRENGTH
debug = notice

[DATABASE_URL]
client = yes
protocol = pgsql
accept = %(dir)s/.s.PGSQL.6100
connect = 127.0.0.1:%(port)d
retry = no
options = NO_TICKET
"""


class Heroku(Files):
    """The buildpacks of Heroku: a unix socket in front of PostgreSQL or Redis."""

    def test_pgsql(self):
        """Verification is not asked for, so it is not done, and that is a warning."""
        def postgres(c):
            self.assertEqual(recv_exactly(c, 8), b"\0\0\0\x08\x04\xd2\x16\x2f")
            c.sendall(b"S")
            wire = harness.TlsWire(c, certs.context(self.dir, certs.make("pg"),
                                                    server_side=True), server_side=True)
            wire.handshake()
            wire.write(wire.read_exactly(3)[::-1])
            wire.close_notify()
            wire.outcome()
        backend = self.backend(postgres)
        path = self.write(HEROKU % self.values(port=backend.port))
        self.checks(path)
        p = self.start(path)
        p.wait_log(r"LOG4\[.*Service \[DATABASE_URL\] needs authentication to prevent MITM")
        with socket.socket(socket.AF_UNIX) as c:
            c.settimeout(PATIENCE)
            c.connect(self.path(".s.PGSQL.6100"))
            c.sendall(b"abc")
            self.assertEqual(recv_exactly(c, 3), b"cba")
        self.assertEqual(backend.errors, [])

    def test_redis(self):
        """Without a protocol, and retry = yes, which means nothing here."""
        text = HEROKU.replace("protocol = pgsql\n", "").replace("retry = no", "retry = yes")
        p = self.start(self.write(text % self.values(port=self.reversing())))
        with socket.socket(socket.AF_UNIX) as c:
            c.settimeout(PATIENCE)
            c.connect(p.bound()[0].replace("unix:", ""))
            self.talk(c)


class Volsync(Files):
    """VolSync's mover shares a key beforehand: the source's side and the destination's."""
    TEXT = ("foreground = yes\noutput = /dev/stdout\npid = %%(dir)s/%(side)s.pid\n"
            "socket = l:SO_KEEPALIVE=1\nsocket = l:TCP_KEEPIDLE=180\nsocket = r:SO_KEEPALIVE=1\n"
            "socket = r:TCP_KEEPIDLE=180\nsyslog = no\n[rsync]\nciphers = PSK\n"
            "PSKsecrets = %%(dir)s/psk\naccept = 127.0.0.1:0\n%(role)sconnect = 127.0.0.1:%(to)d\n")

    def side(self, side, role, to):
        path = self.write(self.TEXT % {"side": side, "role": role, "to": to} % self.values(),
                          side + ".conf")
        self.checks(path)
        return self.own(Sluss(path))

    def test_both_sides(self):
        self.write("volsync:" + 64 * "a5" + "\n", "psk")
        target = self.backend(harness.echo)
        server = self.side("destination", "", target.port)
        client = self.side("source", "client = yes\n", server.port)
        c = self.own(harness.connect(client.port))
        c.sendall(b"@RSYNCD: 31.0")
        self.assertEqual(recv_exactly(c, 13), b"@RSYNCD: 31.0")

    def test_the_rest(self):
        text = "\n".join(l for l in (self.TEXT % {
            "side": "x", "role": "client = yes\n", "to": 1}).splitlines() if "PSK" not in l)
        self.assertIn("\nsocket = r:TCP_KEEPIDLE=180\n",
                      self.checks(self.write(text % self.values() + "\n")))


if __name__ == "__main__":
    harness.main()
