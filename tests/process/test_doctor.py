#!/usr/bin/env python3
"""sluss doctor against our server, openssl s_server with various faults, and what is no TLS
server at all: what it says, and how it exits."""

import os
import re
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certs
import harness
from certs import bundle, make, now
from harness import PATIENCE, SLUSS, Backend, Sluss, need, run, wait_for
from test_revocation import crl

FINE, OPERATOR, UNREACHABLE, NO_TLS, UNTRUSTED, REFUSED = range(6)


class DoctorCase(certs.CheckedCase):

    def setUp(self):
        super().setUp()
        self.ca = make("Doctor CA", ca=True)
        self.cafile = bundle(self.path("ca.crt"), self.ca)
        self.server = make("server", issuer=self.ca, dns=["localhost"], ip=["127.0.0.1"])
        self.client = make("client", issuer=self.ca)
        self.pem = {"server": self.server.write(self.dir, "server")[0],
                    "client": self.client.write(self.dir, "client")[0]}

    def doctor(self, status, target, *args):
        done = run(SLUSS, "doctor", target, "--timeout", PATIENCE, *args, check=False)
        self.assertEqual(done.returncode, status, done.out + done.err)
        self.assertNotRegex(done.err, "Sanitizer|runtime error:")
        return done.err if status == OPERATOR else done.out

    def trusting(self, status, target, *args):
        return self.doctor(status, target, "--cafile", self.cafile, *args)

    def s_server(self, *more, pem=None):
        """openssl s_server; returns its address."""
        out = self.path("out%d" % len(os.listdir(self.dir)))
        with open(out, "wb") as f:
            self.own(harness.Program(
                [need("openssl"), "s_server", "-accept", "127.0.0.1:0", "-cert",
                 pem or self.pem["server"]] + list(more),
                stdin=subprocess.PIPE, stdout=f))  # it ends with its standard input

        def port():
            with open(out, "rb") as f:
                return re.search(rb"ACCEPT 127\.0\.0\.1:(\d+)", f.read())
        return "127.0.0.1:" + wait_for(port, "s_server").group(1).decode()

    def backend(self, handler):
        return self.own(Backend(handler)).target

    def own_server(self, *more):
        backend = self.own(Backend(harness.echo))
        return self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect", backend.target,
                              "--cert", self.pem["server"], *more))


class Ours(DoctorCase):

    def test_fine(self):
        s = self.own_server("--cafile", self.cafile)
        said = self.trusting(FINE, "127.0.0.1:%d" % s.port, "--cert", self.pem["client"])
        for pattern in (r"Address: 127\.0\.0\.1:\d+: connected\n", "TLS 1.3: yes, with TLS_",
                        "TLS 1.2: yes, with .*ECDSA", "Certificate 1 of 1:",
                        "subject: CN=server\n", "names: DNS:localhost, IP:127.0.0.1\n",
                        "issuer: CN=Doctor CA\n", r"valid: .* to .*, (29|30) days left\n",
                        "key: ECDSA P-256\n", re.escape(self.server.fingerprint()),
                        "Client certificate: the server requires one", "Trust: yes\n",
                        "Verdict: all is well\n$"):
            self.assertRegex(said, pattern)
        self.assertNotIn("EXPIRED", said)

    def test_no_certificate(self):
        s = self.own_server("--cafile", self.cafile)
        said = self.trusting(REFUSED, "127.0.0.1:%d" % s.port)
        self.assertRegex(said, r"TLS 1.3: yes, .*but then it sent the alert "
                               r"certificate_required \(116\): .*show one with --cert")
        self.assertRegex(said, "TLS 1.2: no: it sent the alert .*show one with --cert")
        self.assertRegex(said, "Verdict: it sent the alert .*show one with --cert\n$")

    def test_certificate_of_a_stranger(self):
        s = self.own_server("--cafile", self.cafile)
        pem = make("stranger").write(self.dir, "stranger")[0]
        said = self.trusting(REFUSED, "127.0.0.1:%d" % s.port, "--cert", pem)
        self.assertRegex(said, r"Verdict: it sent the alert unknown_ca \(48\): it does not know "
                               "the CA that issued our certificate: .*")
        s.ends("issued by no trusted CA: .*alert sent: unknown_ca")

    def test_expired_client_certificate(self):
        """Our own log says since when."""
        s = self.own_server("--cafile", self.cafile)
        old = make("old", issuer=self.ca, begins=now(days=-9), ends=now(days=-3, hours=-1))
        self.trusting(REFUSED, "127.0.0.1:%d" % s.port, "--cert",
                      old.write(self.dir, "old")[0])
        s.ends(r"has expired: .*it expired on .* UTC, 3 days ago; .*alert sent: ")


    def test_log_of_a_client_that_is_refused(self):
        """The line of our client says what the alert means; in TLS 1.2 handshake_failure for
        want of a certificate is told from that for want of a cipher suite."""
        for args, pattern in (
                (["--cert", make("stranger").write(self.dir, "stranger")[0]],
                 r"the peer refused: it does not know the CA .*alert received: unknown_ca \(48\)"),
                ([], r"the peer refused: it wants a client certificate, or another one; "
                     r"alert received: handshake_failure \(40\)")):
            target = self.s_server("-Verify", "2", "-CAfile", self.cafile, "-tls1_2",
                                   "-verify_return_error")
            conf = self.path("client%d.conf" % len(args))
            with open(conf, "w") as f:
                f.write("foreground = yes\npid =\n[c]\nclient = yes\naccept = 127.0.0.1:0\n"
                        "connect = %s\nCAfile = %s\nverifyChain = yes\n" % (target, self.cafile))
                f.writelines("cert = %s\n" % a for a in args[1:])
            c = self.own(Sluss(conf))
            certs.ask(c.port)
            c.wait_log(pattern)


class OpenSsl(DoctorCase):

    def test_nobody_to_trust(self):
        said = self.doctor(FINE, self.s_server())
        self.assertRegex(said, "Client certificate: the server requires none\n")
        self.assertRegex(said, "Trust: its dates, .*give --cafile or --peer")

    def test_peer(self):
        crt = self.path("server.crt")
        self.doctor(FINE, self.s_server(), "--peer", crt)
        said = self.doctor(UNTRUSTED, self.s_server(), "--peer", self.cafile)
        self.assertRegex(said, "Trust: no: certificate is none of the peer certificates")

    def test_expired(self):
        old = make("old", issuer=self.ca, begins=now(days=-9), ends=now(days=-3, hours=-1),
                   ip=["127.0.0.1"]).write(self.dir, "old")[0]
        target = self.s_server(pem=old)
        for args in ([], ["--cafile", self.cafile]):
            said = self.doctor(UNTRUSTED, target, *args)
            self.assertRegex(said, "EXPIRED 3 days ago")
            self.assertRegex(said, "Trust: no: certificate has expired: .*3 days ago")

    def test_not_valid_yet(self):
        early = make("early", issuer=self.ca, begins=now(days=5, hours=1),
                     ip=["127.0.0.1"]).write(self.dir, "early")[0]
        said = self.trusting(UNTRUSTED, self.s_server(pem=early))
        self.assertRegex(said, "NOT VALID for another 5 days")

    def test_wrong_name(self):
        other = make("other", issuer=self.ca, dns=["other.test"]).write(self.dir, "other")[0]
        target = self.s_server(pem=other)
        for args in ([], ["--cafile", self.cafile]):
            said = self.doctor(UNTRUSTED, target, *args)
            self.assertRegex(said, r"names another host: .*other\.test")
        self.trusting(FINE, target, "--checkhost", "other.test")

    def test_wrong_ca(self):
        crt = bundle(self.path("wrong.crt"), make("Wrong CA", ca=True))
        said = self.doctor(UNTRUSTED, self.s_server(), "--cafile", crt)
        self.assertRegex(said, 'Trust: no: issued by no trusted CA: .*"CN=Doctor CA"')

    def test_weak_certificate(self):
        weak = make("weak", issuer=self.ca, kind="rsa1024", ip=["127.0.0.1"])
        target = self.s_server("-cipher", "DEFAULT:@SECLEVEL=0", pem=weak.write(self.dir, "w")[0])
        said = self.trusting(UNTRUSTED, target)
        self.assertRegex(said, "Trust: no: key or signature is too weak: .* has 1024 bits")

    def test_wrong_use(self):
        """The library refuses it during the handshake; it is said in our words, too."""
        odd = make("odd", issuer=self.ca, eku=[certs.CLIENT_AUTH], ip=["127.0.0.1"])
        said = self.trusting(UNTRUSTED, self.s_server(pem=odd.write(self.dir, "odd")[0]))
        self.assertRegex(said, "Trust: no: certificate is not meant for this use: .*serverAuth")

    def test_old_versions_only(self):
        said = self.trusting(NO_TLS, self.s_server("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"))
        self.assertRegex(said, "TLS 1.3: no: it .*protocol_version")
        self.assertRegex(said, "TLS 1.2: no: it .*(protocol_version|handshake_failure)")
        self.assertRegex(said, "Verdict: it speaks TLS, but none that is spoken here")

    def test_cbc_only(self):
        target = self.s_server("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256")
        said = self.trusting(NO_TLS, target)
        self.assertRegex(said, r"TLS 1.2: no: it sent the alert handshake_failure \(40\): it finds "
                               "no cipher suite")

    def test_one_version(self):
        said = self.trusting(FINE, self.s_server("-tls1_2"))
        self.assertRegex(said, r"TLS 1.3: no: .*\nTLS 1.2: yes, ")
        said = self.trusting(FINE, self.s_server("-tls1_3"))
        self.assertRegex(said, r"TLS 1.3: yes, .*\nTLS 1.2: no: ")

    def test_client_certificate(self):
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version):
                target = self.s_server("-Verify", "2", "-CAfile", self.cafile, version)
                said = self.trusting(REFUSED, target)
                self.assertRegex(said, "Client certificate: the server requires one")
                self.assertRegex(said, "Verdict: it sent the alert .*--cert")
                self.trusting(FINE, target, "--cert", self.pem["client"])

    def test_names_of_the_wanted_cas(self):
        for flag, how in ("-Verify", "requires one"), ("-verify", "asks for one, and does without"):
            target = self.s_server(flag, "2", "-CAfile", self.cafile)
            said = self.trusting(FINE, target, "--cert", self.pem["client"])
            self.assertRegex(said, "Client certificate: the server %s, issued by one of: "
                                   "CN=Doctor CA\n" % how)


class NoTls(DoctorCase):

    def test_plain_http(self):
        def answer(c):
            c.recv(1)
            c.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            harness.echo(c)
        said = self.doctor(NO_TLS, self.backend(answer))
        self.assertRegex(said, "Verdict: the peer speaks plain HTTP.*not the port")

    def test_silent(self):
        target = self.backend(lambda c: c.recv(1) and wait_end(c))
        done = run(SLUSS, "doctor", target, "--timeout", "1", check=False)
        self.assertEqual(done.returncode, NO_TLS, done.out)
        self.assertRegex(done.out, "Verdict: it took the connection and said nothing")

    def test_closes(self):
        said = self.doctor(NO_TLS, self.backend(lambda c: None))
        self.assertRegex(said, "Verdict: it closed the connection without an alert")

    def test_refused(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            said = self.doctor(UNREACHABLE, "127.0.0.1:%d" % s.getsockname()[1])
        self.assertRegex(said, "connection refused")

    def test_no_such_name(self):
        said = self.doctor(UNREACHABLE, "no-such-host.invalid:443")
        self.assertRegex(said, "Address: .*no-such-host.invalid")
        self.assertRegex(said, "Verdict: the server cannot be reached")

    def test_preface(self):
        """What stands before TLS is spoken; without the option the doctor names it."""
        def smtp(c):
            c.sendall(b"220-mail.test\r\n220 ready\r\n")
            f = c.makefile("rb")
            if not f.readline().startswith(b"EHLO"):
                return
            c.sendall(b"250-mail.test\r\n250 HELP\r\n")
            assert f.readline() == b"STARTTLS\r\n"
            c.sendall(b"502 no\r\n")
        target = self.backend(smtp)
        said = self.doctor(NO_TLS, target, "--protocol", "smtp")
        self.assertRegex(said, 'it answered "502 no" where "220 " was expected to STARTTLS')
        self.assertRegex(self.doctor(NO_TLS, target), "not TLS|plain SMTP")


class Judged(DoctorCase):
    """Rules, lists, protocols, shared keys, and sections that say all of it."""

    def conf(self, *lines):
        path = self.path("%d.conf" % len(os.listdir(self.dir)))
        with open(path, "w") as f:
            f.write("\n".join(("foreground = yes", "syslog = no", *lines)) + "\n")
        return path

    def test_rules(self):
        target = self.s_server()
        said = self.trusting(FINE, target, "--allow", "cn=nobody", "--allow", "dns=localhost")
        self.assertIn('Trust: yes, by the rule "allow = dns=localhost"\n', said)
        said = self.trusting(UNTRUSTED, target, "--allow", "cn=nobody")
        self.assertIn("Trust: no: denied by the rules: ", said)
        said = self.trusting(UNTRUSTED, target, "--deny", "cn=server")
        self.assertIn('the rule "deny = cn=server" refuses it', said)
        pin = "cert-sha256=" + self.server.fingerprint().replace(":", "").lower()
        self.assertIn("Trust: yes, by the rule", self.doctor(FINE, target, "--allow", pin))

    def test_revoked(self):
        target = self.s_server()
        for number, gone, status in ((1, (), FINE), (2, (self.server,), UNTRUSTED)):
            with open(self.path("crl.pem"), "wb") as f:
                f.write(crl(self.ca, *gone, number=number))
            said = self.trusting(status, target, "--crlfile", self.path("crl.pem"))
            self.assertIn("Trust: yes" if not gone else "Trust: no: certificate is revoked: ", said)

    def test_application_protocol(self):
        target = self.s_server("-alpn", "h2")
        said = self.trusting(FINE, target, "--alpn", "h2,http/1.1")
        self.assertRegex(said, "TLS 1.3: yes, with .* for h2\n")
        said = self.trusting(NO_TLS, self.own_address(
            self.own_server("--cafile", self.cafile, "--alpn", "x")), "--alpn", "h2", "--cert",
            self.pem["client"])
        self.assertRegex(said, r"no_application_protocol \(120\): it wants another")
        self.assertIn("Verdict: it speaks TLS, but with none of the application protocols", said)
        said = self.trusting(NO_TLS, self.own_address(self.own_server(
            "--cafile", self.cafile, "--alpn", "x", "--alpnrequire")), "--cert", self.pem["client"])
        self.assertIn("Verdict: it speaks TLS, but wants an application protocol: offer it", said)

    @staticmethod
    def own_address(server):
        return "127.0.0.1:%d" % server.port

    def test_shared_key(self):
        """A key that the server has, another under that name, and a name that it does not know."""
        backend = self.own(Backend(harness.echo))
        keys = {}
        for label, text in (("good", "me:" + "a" * 40), ("bad", "me:" + "b" * 40),
                            ("other", "you:" + "a" * 40)):
            keys[label] = self.path(label)
            with open(os.open(keys[label], os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
                f.write(text + "\n")
        s = self.own(Sluss(self.conf("[s]", "accept = 127.0.0.1:0", "connect = " + backend.target,
                                     "PSKsecrets = " + keys["good"])))
        said = self.doctor(FINE, self.own_address(s), "--psksecrets", keys["good"])
        self.assertIn("Verdict: all is well: the key is shared\n", said)
        for label in ("bad", "other"):
            said = self.doctor(REFUSED, self.own_address(s), "--psksecrets", keys[label])
            self.assertRegex(said, r"Verdict: it sent the alert \w+ \(\d+\): ")

    def test_ldap(self):
        """Asked for TLS as LDAP has it, in one piece or many."""
        ctx = certs.context(self.dir, self.server, server_side=True)

        def handler(c, answer=b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0"):
            harness.recv_exactly(c, 31)
            for i in range(len(answer)):
                c.sendall(answer[i:i + 1])
            harness.TlsWire(c, ctx, server_side=True).handshake().outcome()
        self.trusting(FINE, self.backend(handler), "--protocol", "ldap")
        refusal = b"\x30\x0e\x02\x01\x01\x78\x09\x0a\x01\x02\x04\0\x04\2no"
        said = self.trusting(NO_TLS, self.backend(lambda c: handler(c, refusal)),
                             "--protocol", "ldap")
        self.assertIn('the LDAP server refuses StartTLS: result 2 "no"', said)
        said = self.trusting(NO_TLS, self.backend(lambda c: c.sendall(b"220 smtp\r\n")),
                             "--protocol", "ldap")
        self.assertIn("no LDAP server", said)

    def test_section(self):
        """What a section says, of a file with several; what is said beside it counts more."""
        target = self.s_server()
        conf = self.conf("[a]", "client = yes", "accept = 127.0.0.1:0", "connect = " + target,
                         "CAfile = " + self.cafile, "verifyChain = yes", "allow = cn=server",
                         "[b]", "client = yes", "accept = 127.0.0.1:0", "connect = " + target,
                         "CAfile = " + self.cafile, "verifyChain = yes", "deny = cn=server",
                         "[c]", "accept = 127.0.0.1:0", "connect = 127.0.0.1:9",
                         "cert = " + self.pem["server"])
        for section, status, says in (("a", FINE, 'by the rule "allow = cn=server"'),
                                      ("b", UNTRUSTED, 'the rule "deny = cn=server" refuses it'),
                                      ("c", OPERATOR, "this section is a server"),
                                      ("d", OPERATOR, "there is no section d")):
            done = run(SLUSS, "doctor", "--config", conf, "--service", section, check=False)
            self.assertEqual(done.returncode, status, done.out + done.err)
            self.assertIn(says, done.out + done.err)
        said = self.doctor(OPERATOR, target, "--config=" + conf)
        self.assertIn("several sections with client = yes", said)
        said = self.doctor(UNTRUSTED, target, "--config", conf, "--service", "a", "--checkhost",
                           "else.test")
        self.assertIn("names another host", said)
        other = self.path("other.crt")
        with open(other, "wb") as f:
            f.write(make("Other", ca=True).cert_pem())
        self.doctor(UNTRUSTED, target, "--config", conf, "--service", "a", "--cafile", other)
        self.doctor(FINE, target, "--config", conf, "--service", "a", "--cafile", other,
                    "--cafile", self.cafile)

    def test_own_certificate(self):
        """That ours has expired, or is for servers, is said at once."""
        old = make("old", issuer=self.ca, ends=now(days=-1), begins=now(days=-9))
        said = self.trusting(FINE, self.s_server(), "--cert", old.write(self.dir, "old")[0])
        self.assertRegex(said, "^Our certificate: OUR OWN CERTIFICATE HAS EXPIRED: ")
        odd = make("odd", issuer=self.ca, eku=[certs.SERVER_AUTH])
        said = self.trusting(FINE, self.s_server(), "--cert", odd.write(self.dir, "odd")[0])
        self.assertRegex(said, "^Our certificate: .*lacks clientAuth")


class Operator(DoctorCase):

    def test_mistakes(self):
        for args, pattern in (
                ([], "HOST:PORT is missing"),
                (["a:1", "b:2"], "stray argument"),
                (["a:1", "--cret", "x"], "did you mean --cert"),
                (["a:1", "--cafile"], "--cafile needs a value"),
                (["a:1", "--timeout", "soon"], "--timeout: "),
                (["a:1", "--key", "x"], "--key needs --cert"),
                (["a:1", "--protocol", "socks"], "--protocol: only imap"),
                (["a:1", "--cert", self.path("none")], "none"),
                (["a:1", "--cafile", self.path("none")], "none")):
            with self.subTest(args):
                done = run(SLUSS, "doctor", *args, check=False)
                self.assertEqual(done.returncode, OPERATOR, done.out)
                self.assertRegex(done.err, "^sluss: .*" + pattern)
                self.assertEqual(done.out, "")

    def test_help(self):
        said = run(SLUSS, "doctor", "--help").out
        self.assertIn("Exit status:", said)
        self.assertIn("  5  it refuses us\n", said)


def wait_end(c):
    """Says nothing until the other side leaves."""
    while c.recv(65536):
        pass


if __name__ == "__main__":
    harness.main()
