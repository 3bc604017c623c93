#!/usr/bin/env python3
"""What a responder said of our own certificate, shown with it (stapling): from files and from the
responder itself; and that nothing about it ever keeps a client out."""

import os
import re
import signal
import subprocess

from certs import CheckedCase, make
from harness import SLUSS, Sluss, echo, main, need, run, wait_for
from responder import BY_NAME, REVOKED, UNKNOWN, Responder, answer, delegate, informed, serial

NONE = "OCSP response: no response sent"
GOOD = "Cert Status: good"
DONE = r"LOG5\[main\]: Configuration reloaded"


class Stapling(CheckedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ca = make("Root", ca=True)
        cls.other_ca = make("Other", ca=True)
        cls.client_id = make("client", issuer=cls.ca)

    def setUp(self):
        super().setUp()
        self.target = self.backend(echo)
        self.put("ca.crt", self.ca.cert_pem())
        self.client_id.write(self.dir, "client")
        self.responder = self.own(Responder(self.ca))
        self.us = self.responder.knows(make("localhost", issuer=self.ca, dns=["localhost"],
                                            more=[informed(self.responder.url)]))
        self.us.write(self.dir, "us")

    def put(self, name, data):
        with open(self.path(name + ".new"), "wb") as f:
            f.write(data)
        os.rename(self.path(name + ".new"), self.path(name))
        return self.path(name)

    def conf(self, *options, chain=True):
        """CAfile tells whose answers count, and verifyChain also asks clients for a certificate."""
        lines = ["foreground = yes", "syslog = no", "debug = info", "reloadOnChange = no", "[s]",
                 "accept = 127.0.0.1:0", "connect = " + self.target.target,
                 "cert = " + self.path("us.pem")]
        if chain:
            lines += ["verifyChain = yes", "CAfile = " + self.path("ca.crt")]
        return self.put("conf", "\n".join(lines + list(options)).encode() + b"\n")

    def serve(self, *options, **kw):
        return self.own(Sluss(self.conf(*options, **kw)))

    def said(self, sluss, *more):
        """What openssl shows of the answer, from a tunnel that works."""
        p = subprocess.Popen(
            ["openssl", "s_client", "-connect", "127.0.0.1:%d" % sluss.port, "-status", "-cert",
             self.path("client.pem"), "-CAfile", self.path("ca.crt"), "-verify_return_error",
             "-servername", "localhost"] + list(more),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.own_process(p)
        p.stdin.write(b"hello\n")
        p.stdin.flush()
        out = b""
        while b"\nhello\n" not in out:
            more = os.read(p.stdout.fileno(), 65536)
            if not more:
                break
            out += more
        p.stdin.close()
        p.stdout.close()
        p.kill()
        p.wait()
        out = out.decode("utf-8", "replace")
        self.assertIn("\nhello\n", out, sluss.log)
        return out

    def own_process(self, p):
        self.addCleanup(lambda: p.poll() is None and p.kill())

    def shows(self, sluss, words):
        for version in "-tls1_2", "-tls1_3":
            self.assertIn(words, self.said(sluss, version))


class Files(Stapling):

    def test_shown(self):
        self.put("answer", answer(self.us, self.ca))
        sluss = self.serve("OCSPstaple = " + self.path("answer"))
        self.shows(sluss, GOOD)
        self.assertIn("Serial Number: " + serial(self.us), self.said(sluss))

    def test_gnutls(self):
        # By its key it would not find the CA.
        self.put("answer", answer(self.us, self.ca, by=BY_NAME))
        sluss = self.serve("OCSPstaple = " + self.path("answer"))
        for version in "VERS-TLS1.2", "VERS-TLS1.3":
            done = run(need("gnutls-cli"), "--x509cafile", self.path("ca.crt"), "--x509certfile",
                       self.path("client.pem"), "--x509keyfile", self.path("client.pem"),
                       "--priority", "NORMAL:-VERS-ALL:+" + version, "-p", sluss.port,
                       "--verify-hostname", "localhost", "127.0.0.1", stdin=subprocess.DEVNULL)
            self.assertRegex(done.out, r"- Options:.* OCSP status request")
            self.assertIn("- Status: The certificate is trusted", done.out)

    def test_delegated(self):
        signer = delegate(self.ca)
        self.put("answer", answer(self.us, self.ca, signer=signer, certs=[signer]))
        self.shows(self.serve("OCSPstaple = " + self.path("answer")), GOOD)

    def test_of_no_use(self):
        """It is not shown, the log says why once, and clients do not notice."""
        bob = make("bob", issuer=self.ca)
        cases = [
            (answer(self.us, self.ca, begins=-9, ends=-1), "was to be renewed by"),
            (answer(bob, self.ca), "not about the certificate"),
            (answer(self.us, self.ca, signer=self.other_ca), "not signed by the CA"),
            (answer(self.us, self.ca, REVOKED), "us.pem IS REVOKED"),
            (answer(self.us, self.ca, UNKNOWN), "us.pem is not known"),
            (b"garbage", "it is no OCSP answer"),
            (answer(self.us, self.ca) + b"\0" * 20000, "it is larger than 16384 bytes"),
            (b"", "the file is empty"),
            (None, "answer: there is no such file"),
        ]
        for data, why in cases:
            with self.subTest(why):
                if data is None:
                    os.unlink(self.path("answer"))
                else:
                    self.put("answer", data)
                sluss = self.serve("OCSPstaple = " + self.path("answer"))
                self.shows(sluss, NONE)
                sluss.wait_log(r"LOG4\[main\]: Service \[s\] OCSPstaple: no answer is stapled from "
                               "this file: .*" + re.escape(why))
                self.assertEqual(sluss.log.count("no answer is stapled"), 1)
                sluss.stop()

    def test_unknown_ca(self):
        """Without the CA's certificate nobody can tell whether the answer is good."""
        self.put("answer", answer(self.us, self.ca))
        sluss = self.serve("OCSPstaple = " + self.path("answer"), chain=False)
        sluss.wait_log("is neither behind it nor in CAfile")
        self.shows(sluss, NONE)
        # Behind the certificate it may be, too.
        self.us.with_chain(self.ca).write(self.dir, "us")
        self.shows(self.serve("OCSPstaple = " + self.path("answer"), chain=False), GOOD)

    def test_reload(self):
        """A newer answer comes with a reload; one of no use does not replace a good one."""
        self.put("answer", answer(self.us, self.ca, begins=-3))
        sluss = self.serve("OCSPstaple = " + self.path("answer"))
        first = re.search("This Update: .*", self.said(sluss)).group(0)
        for data, changes in ((answer(self.us, self.ca, begins=-2), True), (b"garbage", False),
                              (answer(self.us, self.ca, begins=-1), True)):
            self.put("answer", data)
            count = sluss.log.count("Configuration reloaded")
            sluss.process.send_signal(signal.SIGHUP)
            wait_for(lambda: sluss.log.count("Configuration reloaded") > count, "a reload")
            now = re.search("This Update: .*", self.said(sluss)).group(0)
            self.assertEqual(now != first, changes)
            first = now

    def test_replaced_file(self):
        """… and by itself, when the file is replaced."""
        self.put("answer", b"garbage")
        conf = self.conf("OCSPstaple = " + self.path("answer"))
        with open(conf) as f:
            text = f.read().replace("reloadOnChange = no", "reloadOnChange = yes")
        self.put("conf", text.encode())
        sluss = self.own(Sluss(conf))
        self.shows(sluss, NONE)
        self.put("answer", answer(self.us, self.ca))
        sluss.wait_log(DONE)
        self.shows(sluss, GOOD)

    def test_out_of_date(self):
        """What gets out of date while sluss runs is shown no more; the log says so once."""
        self.put("answer", answer(self.us, self.ca, ends=3 / 3600))
        sluss = self.serve("OCSPstaple = " + self.path("answer"))
        wait_for(lambda: NONE in self.said(sluss), "no answer any more")
        self.said(sluss)
        sluss.wait_log("is out of date: none is stapled")
        self.assertEqual(sluss.log.count("is out of date"), 1)

    def test_several(self):
        """Each certificate has its own, whichever file it is in."""
        rsa = make("localhost", issuer=self.ca, dns=["localhost"], kind="rsa2048")
        rsa.write(self.dir, "rsa")
        self.put("one", answer(rsa, self.ca))
        self.put("two", answer(self.us, self.ca))
        sluss = self.serve("cert = " + self.path("rsa.pem"), "OCSPstaple = " + self.path("one"),
                           "OCSPstaple = " + self.path("two"))
        for who, first in (rsa, "rsa_pss_rsae_sha256:"), (self.us, ""):
            out = self.said(sluss, "-sigalgs", first + "ecdsa_secp256r1_sha256")
            self.assertIn(GOOD, out)
            self.assertIn("Serial Number: " + serial(who), out)
        self.assertNotIn("no answer is stapled", sluss.log)


class Fetching(Stapling):

    def test_fetched(self):
        sluss = self.serve("OCSPstapleFetch = yes")
        sluss.wait_log(r"LOG6\[main\]: Service \[s\] OCSPstapleFetch: an answer about the "
                       r"certificate in .*us\.pem is stapled until \d")
        self.shows(sluss, GOOD)
        # A reload goes on with what there is.
        sluss.process.send_signal(signal.SIGHUP)
        sluss.wait_log(DONE)
        self.shows(sluss, GOOD)
        self.assertEqual(len(self.responder.requests), 1)

    def test_silent(self):
        """A responder that does not answer keeps nobody waiting, not at the start either."""
        self.responder.hold()
        sluss = self.serve("OCSPstapleFetch = yes", "TIMEOUTocsp = 600")
        wait_for(lambda: self.responder.requests, "a question")
        self.shows(sluss, NONE)
        self.responder.go()
        sluss.wait_log("is stapled until")
        self.shows(sluss, GOOD)

    def test_of_no_use(self):
        self.responder.reply = lambda request: self.responder.head + b"garbage"
        sluss = self.serve("OCSPstapleFetch = yes")
        sluss.wait_log(r"LOG4\[main\]: Service \[s\] OCSPstapleFetch: no answer about the "
                       "certificate in .*us.pem; it is tried again: the responder .*: it is no OCSP")
        self.shows(sluss, NONE)

    def test_revoked(self):
        """Our own certificate is revoked: the operator hears of it, clients get no staple."""
        self.responder.knows(self.us, REVOKED)
        sluss = self.serve("OCSPstapleFetch = yes")
        sluss.wait_log("us.pem IS REVOKED")
        self.shows(sluss, NONE)

    def test_nobody_to_ask(self):
        make("localhost", issuer=self.ca).write(self.dir, "us")
        sluss = self.serve("OCSPstapleFetch = yes")
        sluss.wait_log("nobody is asked about the certificate in .*: it names no responder")
        self.shows(sluss, NONE)

    def test_end(self):
        """While it asks, sluss can end."""
        self.responder.hold()
        sluss = self.serve("OCSPstapleFetch = yes", "TIMEOUTocsp = 600")
        wait_for(lambda: self.responder.requests, "a question")
        self.assertEqual(sluss.stop(), 0)
        self.responder.go()


class Options(Stapling):

    def test_client(self):
        conf = self.conf("client = yes", "OCSPstaple = x", "OCSPstapleFetch = yes")
        err = run(SLUSS, "check", conf, check=False).err
        self.assertIn("ignored with client = yes: it is for servers", err)


if __name__ == "__main__":
    main()
