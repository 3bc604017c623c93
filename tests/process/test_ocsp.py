#!/usr/bin/env python3
"""Peers that are asked about (OCSP): what a responder says, or does not say, and who
waits for it."""

import contextlib
import datetime
import re
import signal
import socket
import ssl
import time

from certs import CheckedCase, TlsServer, ask, context, make, now
from harness import (SLUSS, VERSIONS, Program, Sluss, TlsWire, connect, echo, free_port, main, run,
                     wait_for)
from responder import GOOD, REVOKED, UNKNOWN, Responder, answer, delegate, informed, serial

TLS13 = ssl.TLSVersion.TLSv1_3
REVOKED_WORDS = "certificate is revoked: "
UNKNOWN_WORDS = "not known whether it is revoked (OCSP): "


class Ocsp(CheckedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ca = make("Root", ca=True)
        cls.other_ca = make("Other", ca=True)

    def setUp(self):
        super().setUp()
        self.target = self.backend(echo)
        self.put("ca.crt", self.ca.cert_pem())
        self.responder = self.own(Responder(self.ca))
        self.alice = self.responder.knows(self.person("alice"))

    def person(self, cn, *urls, issuer=None):
        return make(cn, issuer=issuer or self.ca,
                    more=[informed(*(urls or (self.responder.url,)))])

    def nowhere(self):
        """A port that is taken, and where nobody listens."""
        s = self.own(socket.socket())
        s.bind(("127.0.0.1", 0))
        return "http://127.0.0.1:%d/" % s.getsockname()[1]

    def put(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def conf(self, *options, sections=1):
        lines = ["foreground = yes", "syslog = no", "debug = debug", "TIMEOUTocsp = 30",
                 "TIMEOUTdrain = 1"]
        for i in range(sections):
            lines += ["[s%d]" % i, "accept = 127.0.0.1:0", "connect = " + self.target.target,
                      "cert = " + self.pem("server"), "verifyChain = yes",
                      "CAfile = " + self.path("ca.crt")] + list(options)
        return self.put("conf", "\n".join(lines).encode() + b"\n")

    def serve(self, *options, aia="OCSPaia = yes", sections=1):
        return self.own(Sluss(self.conf(*([aia] if aia else []), *options, sections=sections)))

    def shake(self, port, who, version=TLS13):
        """A connection whose handshake is done."""
        wire = TlsWire(self.own(connect(port)), context(self.dir, who, version=version))
        wire.handshake()
        return wire

    def open(self, port, who, version=TLS13):
        """A tunnel that works."""
        wire = self.shake(port, who, version)
        self.talk(wire)
        return wire

    def talk(self, wire):
        wire.write(b"hello")
        self.assertEqual(wire.read_exactly(5), b"hello")

    def assert_refused(self, sluss, who, why, version=TLS13, port=None, alert=None):
        before, lines = self.target.count, len(sluss.lines)
        with self.assertRaises((ssl.SSLError, ConnectionError)) as raised:
            with self.own(connect(port or sluss.port)) as c:
                wire = TlsWire(c, context(self.dir, who, version=version))
                wire.handshake()
                wire.read_exactly(1)
        wait_for(lambda: why in "\n".join(sluss.lines[lines:]), why + " in\n" + sluss.log)
        self.assertEqual(self.target.count, before)
        if alert:
            self.assertIn(alert, str(raised.exception))


class Answers(Ocsp):

    def test_good(self):
        sluss = self.serve()
        self.open(sluss.port, self.alice)
        sluss.wait_log(r"OCSP: Accepted \(good\)")
        self.assertEqual(self.responder.requests, [self.alice.cert.serial_number])

    def test_ocsp_revoked(self):
        self.responder.knows(self.alice, REVOKED)
        sluss = self.serve()
        for _, version in VERSIONS:
            self.assert_refused(sluss, self.alice, REVOKED_WORDS + '"CN=alice" was revoked at',
                                version, alert="CERTIFICATE_REVOKED")
        sluss.wait_log(r"OCSP: Rejected \(revoked\)")
        sluss.wait_log(r"alert sent: certificate_revoked")

    def test_unknown(self):
        self.responder.knows(self.alice, UNKNOWN)
        sluss = self.serve()
        for _, version in VERSIONS:
            self.assert_refused(sluss, self.alice, UNKNOWN_WORDS + '"CN=alice": the responder ' +
                                self.responder.url + ": it does not know the certificate", version,
                                alert="CERTIFICATE_UNKNOWN")
        sluss.wait_log(r"OCSP: Rejected \(OCSPrequire = yes\)")

    def test_not_required(self):
        """Who is not known passes, and is counted; who is revoked does not."""
        self.responder.knows(self.alice, UNKNOWN)
        sluss = self.serve("OCSPrequire = no")
        self.open(sluss.port, self.alice)
        self.open(sluss.port, self.alice)
        sluss.wait_log(r"lets 127\.0\.0\.1:\d+ pass, since OCSPrequire = no, 2 so far: ")
        sluss.wait_log(r"OCSP: Accepted \(OCSPrequire = no\)")
        self.responder.knows(self.alice, REVOKED)
        self.assert_refused(sluss, self.alice, REVOKED_WORDS)

    def test_of_no_use(self):
        """What is no answer about the certificate says nothing."""
        bob = make("bob", issuer=self.ca)
        good = answer(self.alice, self.ca)
        head = self.responder.head
        stranger = delegate(self.other_ca)
        anyone = make("anyone", issuer=self.ca)
        cases = [
            (b"", "it closed without an answer"),
            (b"\x00garbage\r\n\r\n", "what came is no answer of HTTP/1.x"),
            (b"HTTP/1.0 404 Not Found\r\n\r\nx", "its HTTP status is 404"),
            (b"HTTP/1.1 302 Found\r\nLocation: " + self.responder.url.encode() + b"\r\n\r\n",
             "a redirect, which is not followed"),
            (b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nx", "of another type"),
            (head, "its body is empty"),
            (head + b"garbage", "it is no OCSP answer"),
            (head + good[:-1], "it is no OCSP answer"),
            (head + b"x" * 100000, "its body is larger than 65536 bytes"),
            (head[:-2] + b"Content-Length: 1000000000\r\n\r\n", "its body is larger than 65536"),
            (head + b"0\x03\x0a\x01\x03", 'it says "tryLater"'),
            (head + answer(bob, self.ca), "not about the certificate"),
            (head + answer(self.alice, self.ca, begins=-9, ends=-1), "was to be renewed by"),
            (head + answer(self.alice, self.ca, begins=-9, ends=None), "newer ones are always"),
            (head + answer(self.alice, self.ca, begins=2, ends=5), "it is valid from"),
            (head + answer(self.alice, self.ca, signer=self.other_ca), "not signed by the CA"),
            (head + answer(self.alice, self.ca, signer=stranger, certs=[stranger]),
             "was not issued by the CA"),
            (head + answer(self.alice, self.ca, signer=anyone, certs=[anyone]),
             "no OCSPSigning"),
        ]
        sluss = self.serve()
        for reply, why in cases:
            with self.subTest(why):
                self.responder.reply = lambda request: reply
                self.assert_refused(sluss, self.alice, why)
        self.responder.reply = self.responder.honest
        self.open(sluss.port, self.alice)

    def test_ocsp_down(self):
        """A port where nobody listens."""
        down = make("alice", issuer=self.ca, more=[informed(self.nowhere())])
        self.assert_refused(self.serve(), down, "cannot connect: Connection refused")

    def test_delegated(self):
        signer = delegate(self.ca)
        self.responder.settings = {"signer": signer, "certs": [signer], "ends": None}
        self.open(self.serve().port, self.alice)
        self.assert_refused(self.serve("OCSPflag = NODELEGATED"), self.alice,
                            "not signed by the CA of the certificate that was asked about itself")

    def test_configured_responder(self):
        """OCSP = URL is asked first, and about who names none, too."""
        bob = make("bob", issuer=self.ca)
        first = self.own(Responder(self.ca))
        first.knows(self.alice)
        first.knows(bob, REVOKED)
        sluss = self.serve("OCSP = " + first.url)
        self.open(sluss.port, self.alice)
        self.assert_refused(sluss, bob, REVOKED_WORDS)
        self.assertEqual(self.responder.requests, [])
        self.assertEqual(len(first.requests), 2)

    def test_second_responder(self):
        """Of several, the next is asked when one fails."""
        alice = self.responder.knows(self.person("alice", self.nowhere(), "https://127.0.0.1/",
                                                 self.responder.url))
        self.open(self.serve().port, alice)

    def test_by_name(self):
        """Most certificates name the host of their responder, which is to be looked up."""
        alice, lost = (self.person("alice", self.responder.url.replace("127.0.0.1", host))
                       for host in ("localhost", "nowhere.invalid"))
        self.responder.knows(alice)
        sluss = self.serve()
        self.open(sluss.port, alice)
        self.assertEqual(self.responder.requests, [alice.cert.serial_number])
        self.assert_refused(sluss, lost, "nowhere.invalid")
        self.assertNotIn("out of memory", sluss.log)

    def test_nobody_to_ask(self):
        """As in stunnel, who names no responder passes."""
        sluss = self.serve()
        self.open(sluss.port, make("carol", issuer=self.ca))
        sluss.wait_log('"CN=carol" names no responder')

    def test_chain(self):
        """The CAs between are asked about at the responders that they name."""
        sub = make("Sub", issuer=self.ca, ca=True, more=[informed(self.responder.url)])
        of_sub = self.own(Responder(sub))
        dave = of_sub.knows(self.person("dave", of_sub.url, issuer=sub))
        self.responder.settings = {"ends": None}
        self.responder.knows(sub)
        sluss = self.serve()
        self.open(sluss.port, dave)
        self.assertEqual(self.responder.requests, [sub.cert.serial_number])
        self.responder.knows(sub, REVOKED)
        self.assert_refused(sluss, dave, REVOKED_WORDS + '"CN=Sub" was revoked')

    def test_expired_meanwhile(self):
        """A client that dawdles until the CA of its certificate has expired is not let in unasked."""
        end = now() + datetime.timedelta(seconds=8)
        sub = make("Sub", issuer=self.ca, ca=True, ends=end)
        of_sub = self.own(Responder(sub))
        dave = of_sub.knows(self.person("dave", of_sub.url, issuer=sub), REVOKED)
        sluss = self.serve("TIMEOUTbusy = 60")
        before = self.target.count
        wire = TlsWire(self.own(connect(sluss.port)), context(self.dir, dave, version=TLS13))
        with self.assertRaises(ssl.SSLWantReadError):
            wire.tls.do_handshake()
        wire.flush()
        while True:
            wire.feed()
            try:
                wire.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                pass
        # All but the last record, which is Finished.
        data, at = wire.pending_out(), 0
        while at + 5 + int.from_bytes(data[at + 3:at + 5], "big") < len(data):
            at += 5 + int.from_bytes(data[at + 3:at + 5], "big")
        wire.sock.sendall(data[:at])
        # The date is of whole seconds.
        wait_for(lambda: now() > end + datetime.timedelta(seconds=1.5), "the CA's end")
        wire.sock.sendall(data[at:])
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            wire.write(b"hello")
            wire.read_exactly(1)
        self.assertEqual(self.target.count, before)
        sluss.wait_log(re.escape(UNKNOWN_WORDS + '"CN=Sub": it expired on'))

    def test_redirected(self):
        """Who turns out to be revoked goes where such go."""
        other = self.backend(lambda c: c.sendall(b"else") or echo(c))
        self.responder.knows(self.alice, REVOKED)
        sluss = self.serve("redirect = " + other.target)
        wire = self.shake(sluss.port, self.alice)
        self.assertEqual(wire.read_exactly(4), b"else")
        self.assertEqual(self.target.count, 0)

    def test_redirected_slowly(self):
        """The time that was for the responders is not that for connecting to where such go."""
        full = self.own(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = self.own(socket.socket())
        waiting.connect(full.getsockname())
        self.responder.knows(self.alice, REVOKED)
        honest = self.responder.honest
        self.responder.reply = lambda request: time.sleep(0.5) or honest(request)
        sluss = self.serve("redirect = 127.0.0.1:%d" % full.getsockname()[1], "TIMEOUTbusy = 1",
                           "TIMEOUTconnect = 2")
        self.shake(sluss.port, self.alice)
        sluss.wait_log("Connection timed out")
        self.assertNotIn("resolver", sluss.log)

    def test_openssl(self):
        """The responder of openssl, with its nonce, a delegated signer and a status of each kind."""
        port = free_port()
        people = {s: make(s, issuer=self.ca, more=[informed("http://127.0.0.1:%d" % port)])
                  for s in ("V", "R", "nobody")}
        self.put("index.txt", "".join(
            "%s\t491231235959Z\t%s\t%s\tunknown\t/CN=%s\n" % (
                s, "240101000000Z" if s == "R" else "", serial(p), s)
            for s, p in people.items() if s != "nobody").encode())
        delegate(self.ca).write(self.dir, "signer")
        responder = self.own(Program([
            "openssl", "ocsp", "-port", str(port), "-index", self.path("index.txt"), "-CA",
            self.path("ca.crt"), "-rsigner", self.path("signer.pem"), "-ndays", "1"]))
        # A connection that says nothing, to try whether it listens, would be its end.
        responder.wait_log("waiting for OCSP client connections")
        sluss = self.serve("OCSPnonce = yes")
        self.open(sluss.port, people["V"])
        self.assert_refused(sluss, people["R"], REVOKED_WORDS)
        self.assert_refused(sluss, people["nobody"], "it does not know the certificate")


class Kept(Ocsp):
    """Answers are kept until they are to be renewed, for all services."""

    def test_kept(self):
        sluss = self.serve(sections=2)
        for address in sluss.bound() * 2:
            self.open(int(address.rsplit(":", 1)[1]), self.alice)
        self.assertEqual(len(self.responder.requests), 1)

    def test_revoked_is_kept(self):
        self.responder.knows(self.alice, REVOKED)
        sluss = self.serve()
        for _ in range(2):
            self.assert_refused(sluss, self.alice, REVOKED_WORDS)
        self.assertEqual(len(self.responder.requests), 1)

    def test_no_next_update(self):
        """Newer information is always to be had: it is asked for."""
        self.responder.settings = {"ends": None}
        sluss = self.serve()
        for i in (1, 2):
            self.open(sluss.port, self.alice)
            self.assertEqual(len(self.responder.requests), i)
        self.responder.knows(self.alice, REVOKED)
        self.assert_refused(sluss, self.alice, REVOKED_WORDS)

    def test_ocsp_replay(self):
        """With OCSPnonce each connection asks anew, and an answer without the nonce of its question
        is none."""
        sluss = self.serve("OCSPnonce = yes")
        for _ in range(2):
            self.open(sluss.port, self.alice)
        self.assertEqual(len(set(self.responder.nonces)), 2)
        self.assertEqual([len(n) for n in self.responder.nonces], [32, 32])
        old = self.responder.honest
        self.responder.settings = {"nonce": False}
        self.assert_refused(sluss, self.alice, "it lacks the nonce of the question")
        replayed = self.responder.head + answer(self.alice, self.ca)
        self.responder.reply = lambda request: replayed
        self.assert_refused(sluss, self.alice, "it lacks the nonce of the question")
        self.responder.settings, self.responder.reply = {}, old
        self.open(sluss.port, self.alice)

    def test_resumption(self):
        """A ticket lets nobody pass who has been revoked since."""
        self.responder.settings = {"ends": None}
        sluss = self.serve("sessionResume = yes")
        ctx = context(self.dir, self.alice, version=TLS13)
        wire = TlsWire(self.own(connect(sluss.port)), ctx)
        wire.handshake()
        self.talk(wire)
        session = wire.tls.session
        for status in (GOOD, REVOKED):
            self.responder.knows(self.alice, status)
            wire = TlsWire(self.own(connect(sluss.port)), ctx)
            wire.tls.session = session
            wire.handshake()
            self.assertTrue(wire.tls.session_reused)
            if status == GOOD:
                self.talk(wire)
                session = wire.tls.session
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            wire.read_exactly(1)
        sluss.wait_log(REVOKED_WORDS)


class Live(Ocsp):
    """Open tunnels end at a reload when it was heard meanwhile that their peers are revoked."""

    def test_reload(self):
        bob = self.responder.knows(self.person("bob"))
        self.responder.settings = {"ends": None}
        sluss = self.serve()
        alice_there, bob_there = self.open(sluss.port, self.alice), self.open(sluss.port, bob)
        self.responder.knows(self.alice, REVOKED)
        self.responder.settings = {}
        self.assert_refused(sluss, self.alice, REVOKED_WORDS)
        self.talk(alice_there)
        sluss.process.send_signal(signal.SIGHUP)
        self.assertIn(alice_there.outcome(), ((b"", "close_notify"), (b"", "truncated"),
                                              (b"", "reset")))
        sluss.ends('revoked.*: "CN=alice" was revoked at .* as its responder')
        self.talk(bob_there)


class Waiting(Ocsp):
    """A responder that is slow delays those about whom it is asked, and nobody else."""

    def test_ocsp_slow(self):
        quick = self.own(Responder(self.ca))
        bob = quick.knows(self.person("bob", quick.url))
        sluss = self.serve("TIMEOUTocsp = 600", "TIMEOUTbusy = 600")
        live = self.open(sluss.port, bob)
        self.responder.hold()
        waiting = [self.shake(sluss.port, self.alice) for _ in range(20)]
        wait_for(lambda: self.responder.requests, "a question")
        targets = self.target.count
        for _ in range(5):
            self.talk(live)
            self.talk(self.open(sluss.port, bob))
        carol = quick.knows(self.person("carol", quick.url))
        self.open(sluss.port, carol)
        # They still wait, and have not reached the target.
        self.assertEqual(self.target.count, targets + 6)
        self.assertNotIn("CN=alice", sluss.log)
        self.responder.go()
        for wire in waiting:
            self.talk(wire)
        # One question was enough for all that waited at the time.
        self.assertLess(len(self.responder.requests), 20)

    def test_silent(self):
        """… and not for ever."""
        self.responder.reply = lambda request: None
        sluss = self.serve("TIMEOUTocsp = 1")
        self.assert_refused(sluss, self.alice, "no answer within 1 seconds (TIMEOUTocsp)")
        sluss = self.serve("TIMEOUTocsp = 1", "OCSPrequire = no")
        self.open(sluss.port, self.alice)

    def test_whole_time(self):
        """All responders together get what is left of TIMEOUTbusy."""
        self.responder.reply = lambda request: None
        sluss = self.serve("TIMEOUTocsp = 600", "TIMEOUTbusy = 1")
        self.assert_refused(sluss, self.alice, "within 1 seconds (TIMEOUTbusy)")

    def test_same_turn(self):
        """The whole time is over in the turn of the loop in which the answer comes: what was
        answered is not answered again."""
        make("server", kind="rsa3072").write(self.dir, "slow")
        self.responder.reply = lambda request: None
        sluss = self.serve("TIMEOUTocsp = 1", "TIMEOUTbusy = 1", "OCSPrequire = no",
                           "OCSPnonce = yes", "cert = " + self.path("slow.pem"))
        end = time.monotonic() + 3
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                self.shake(sluss.port, self.alice)
        self.responder.reply = self.responder.honest

        def opens():
            try:
                self.open(sluss.port, self.alice)
                return True
            except (OSError, AssertionError):
                return False  # a second is short on a busy machine
        wait_for(opens, "a tunnel")

    def test_end(self):
        """Who waits does not keep sluss from ending."""
        self.responder.hold()
        sluss = self.serve("TIMEOUTocsp = 600", "TIMEOUTbusy = 600")
        self.shake(sluss.port, self.alice)
        wait_for(lambda: self.responder.requests, "a question")
        sluss.stop()
        self.responder.go()

    def test_gone(self):
        """Who leaves while it is asked about is forgotten."""
        self.responder.hold()
        sluss = self.serve()
        base = sluss.threads()
        for _ in range(3):
            self.shake(sluss.port, self.alice).close()
        wait_for(lambda: self.responder.requests, "a question")
        self.responder.go()
        self.open(sluss.port, self.alice).close()
        self.assertLessEqual(sluss.threads(), base + 1)


class Client(Ocsp):
    """In client mode it is the server that is asked about."""

    def start(self, status, *options):
        self.responder.knows(self.alice, status)
        self.server = self.own(TlsServer(context(self.dir, self.alice, server_side=True)))
        conf = self.put("conf", "\n".join([
            "foreground = yes", "syslog = no", "debug = debug", "[c]", "client = yes",
            "accept = 127.0.0.1:0", "connect = " + self.server.target, "verifyChain = yes",
            "CAfile = " + self.path("ca.crt"), "OCSPaia = yes"] + list(options)).encode() + b"\n")
        return self.own(Sluss(conf))

    def test_good(self):
        self.assertEqual(ask(self.start(GOOD).port, b"hello", 5), (b"hello", "open"))

    def test_revoked(self):
        sluss = self.start(REVOKED)
        got, _ = ask(sluss.port, b"hello")
        self.assertEqual(got, b"")
        sluss.wait_log(REVOKED_WORDS + '"CN=alice" was revoked')
        wait_for(lambda: self.server.outcomes, "the server's end")
        self.assertEqual(self.server.outcomes[0][0], b"")
        self.assertIn("alert", self.server.outcomes[0][1])


    def test_resumed(self):
        """A server that resumes a session is asked about again."""
        self.responder.settings = {"ends": None}
        sluss = self.start(GOOD, "sessionResume = yes")
        self.assertEqual(ask(sluss.port, b"hello", 5), (b"hello", "open"))
        sluss.wait_log("TLS connected: new session negotiated")
        sluss.ends("closed|reset")
        self.assertEqual(ask(sluss.port, b"hello", 5), (b"hello", "open"))
        sluss.wait_log("TLS connected: previous session reused")
        self.assertEqual(len(self.responder.requests), 2)
        self.responder.knows(self.alice, REVOKED)
        self.assertEqual(ask(sluss.port, b"hello")[0], b"")
        sluss.wait_log("TLS connected: previous session reused", count=2)
        sluss.wait_log(REVOKED_WORDS + '"CN=alice" was revoked')


class Options(Ocsp):

    def said(self, *options):
        done = run(SLUSS, "check", self.conf(*options), check=False)
        return done.returncode, done.err

    def test_bad(self):
        for option, why in (
                ("OCSP = https://a/", "https is not spoken to responders"),
                ("OCSP = a", "does not begin with http://"),
                ("OCSPflag = NOVERIFY", "NOVERIFY would make OCSP useless"),
                ("OCSPflag = NOSIGS", "NOSIGS would make OCSP useless"),
                ("OCSPflag = NOPE", '"NOPE" is not known here')):
            status, err = self.said("OCSPaia = yes", option)
            self.assertNotEqual(status, 0)
            self.assertRegex(err, r'conf:\d+: "%s": .*' % option)
            self.assertIn(why, err)

    def test_nobody_is_asked(self):
        """Of the very certificate that is trusted there is no issuer to ask."""
        self.put("alice.crt", self.alice.cert_pem())
        for chain, how, asked in (("no", "verifyPeer = yes", False), ("no", "verify = 4", False),
                                  ("no", "peer = " + self.path("alice.crt"), False),
                                  ("yes", "verifyPeer = yes", True), ("no", "verify = 3", True)):
            with self.subTest(how, chain=chain):
                status, err = self.said("OCSPaia = yes", "verifyChain = " + chain, how)
                self.assertEqual(status, 0)
                self.assertEqual("nobody is asked, since no certificate" in err, not asked)

    def test_moot(self):
        status, err = self.said("OCSPaia = yes", "OCSPflag = NOCHAIN")
        self.assertEqual(status, 0)
        self.assertIn("NOCHAIN changes nothing here", err)
        status, err = self.said("OCSPnonce = yes")
        self.assertEqual(status, 0)
        self.assertIn("ignored without OCSP or OCSPaia", err)


if __name__ == "__main__":
    main()
