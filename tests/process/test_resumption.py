#!/usr/bin/env python3
"""Sessions that are resumed: that they are, that the peer stays who it is, and that a ticket lets
nobody in whom the rules of now would not.  Each attack says the line that stops it."""

import datetime
import secrets
import ssl
import threading
import time

import harness
from certs import context, make, now
from harness import VERSIONS, Sluss, TlsWire, connect, main
from test_revocation import TLS13, Revocation, crl

REUSED = "TLS accepted: previous session reused"


class Resumption(Revocation):
    def serve(self, *options, resume="yes", **kw):
        return super().serve("sessionResume = " + resume, *options, **kw)

    def visit(self, port, who, version=TLS13, session=None, ctx=None, name=None):
        """(whether it was resumed, the ticket for next time, the context it belongs to)."""
        ctx = ctx or self.client_context(who, version)
        wire = self.own(TlsWire(self.own(connect(port)), ctx, server_hostname=name))
        if session is not None:
            wire.tls.session = session
        try:
            wire.handshake()
            self.talk(wire)  # of TLS 1.3, the ticket comes behind the handshake
            wire.close_notify()
            return wire.tls.session_reused, wire.tls.session, ctx
        finally:
            wire.close()

    def client_context(self, who, version):
        if who is not None:
            return context(self.dir, who, version=version)
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        ctx.minimum_version = ctx.maximum_version = version
        return ctx

    def first(self, port, who, version):
        reused, session, ctx = self.visit(port, who, version)
        self.assertFalse(reused)
        return {"session": session, "ctx": ctx, "version": version}

    def assert_full(self, port, who, kept):
        self.assertFalse(self.visit(port, who, **kept)[0])

    def again(self, port, who, kept):
        """Whether it was resumed, with the ticket of the last time."""
        reused, kept["session"], _ = self.visit(port, who, **kept)
        return reused

    def assert_resumed(self, port, who, kept):
        """OpenSSL offers a ticket once: the next takes its place."""
        self.assertTrue(self.again(port, who, kept))

    def assert_out(self, sluss, who, kept, why):
        before = self.target.count
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.visit(sluss.port, who, **kept)
        sluss.wait_log(why)
        self.assertEqual(self.target.count, before)


class Works(Resumption):
    def test_resume_matrix(self):
        """Over and over, each time with the ticket of the last; the log knows whose it is."""
        sluss = self.serve("debug = debug")
        for _, version in VERSIONS:
            kept = self.first(sluss.port, self.alice, version)
            for _ in range(20):
                reused, session, _ = self.visit(sluss.port, self.alice, **kept)
                self.assertTrue(reused)
                kept["session"] = session
        sluss.wait_log(REUSED, count=40)
        self.assertEqual(sluss.log.count("TLS accepted: new session negotiated"), 2)
        sluss.wait_log(r"CN=alice", count=42)

    def test_many_at_once(self):
        """Many clients at once, two of them by turns: each stays who it is."""
        sluss = self.serve("debug = debug")
        failed = []

        def come_and_go(who, version):
            try:
                kept = self.first(sluss.port, who, version)
                for _ in range(5):
                    self.assert_resumed(sluss.port, who, kept)
            except Exception as e:
                failed.append(e)
        threads = [threading.Thread(target=come_and_go, args=((self.alice, self.bob)[i % 2],
                                                              VERSIONS[i // 2 % 2][1]))
                   for i in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(failed, [])
        sluss.wait_log(REUSED, count=80)
        for who in ("CN=alice", "CN=bob"):
            sluss.wait_log("LOG6.*" + who, count=48)

    def test_off(self):
        """Without sessionResume there are no tickets."""
        sluss = self.serve(resume="no")
        for _, version in VERSIONS:
            self.assert_full(sluss.port, self.alice, self.first(sluss.port, self.alice, version))

    def test_report(self):
        """Rules that only report say of a client that is resumed what they said at first.
        (ticket.c ticket_adopt(): report.)"""
        sluss = self.serve("allow = report cn=nobody", "debug = notice")
        for i, (_, version) in enumerate(VERSIONS):
            kept = self.first(sluss.port, self.alice, version)
            self.assert_resumed(sluss.port, self.alice, kept)
            sluss.wait_log(r"would refuse .*\(%d so far\): .*CN=alice.*report-only" % (2 * i + 2))

    def test_openssl(self):
        sluss = self.serve("debug = debug")
        pem, _ = self.alice.write(self.dir, "alice")
        for flag in "-tls1_2", "-tls1_3":
            for way in ("-sess_out", "-sess_in"):
                said = harness.s_client(sluss.port, flag, "-cert", pem, way, self.path("sess"))
            self.assertIn("Reused, TLS", said)
        sluss.wait_log(REUSED, count=2)
        sluss.wait_log(r"; TLSv1\.\d \S+ \S+ resumed; peer ", count=2)

    def test_lifetime(self):
        """sessionCacheTimeout counts from the full handshake, however often it was resumed since,
        and that is before there were TIMES_MOST.  (ticket.c holds(): since.)"""
        sluss = self.serve("sessionCacheTimeout = 2")
        for _, version in VERSIONS:
            kept = self.first(sluss.port, self.alice, version)
            for _ in range(100):
                time.sleep(0.1)
                if not self.again(sluss.port, self.alice, kept):
                    break
            else:
                self.fail("it has no end")

    def test_for_ever(self):
        """The library counts tickets in a byte, and fails the handshake when it is full.
        (ticket.c holds(): TIMES_MOST.)"""
        sluss = self.serve()
        kept = self.first(sluss.port, self.alice, TLS13)
        self.assertIn(False, [self.again(sluss.port, self.alice, kept) for _ in range(300)])

    def test_forgotten(self):
        """Who fell out of a small cache begins anew.  (ticket.c holds(): records_find().)"""
        sluss = self.serve("sessionCacheSize = 1")
        for _, version in VERSIONS:
            kept = self.first(sluss.port, self.alice, version)
            spare = self.first(sluss.port, self.alice, version)
            self.visit(sluss.port, self.bob, version)
            self.assert_full(sluss.port, self.alice, kept)
            self.assert_resumed(sluss.port, self.alice, spare)  # known again


class Attacks(Resumption):
    def test_ticket_after_revocation(self):
        """(ticket.c holds(): generation and ticket_admits(); either alone stops it.)"""
        self.put("crl", crl(self.ca, number=1))
        for _, version in VERSIONS:
            self.put("crl", crl(self.ca, number=1))
            sluss = self.serve("CRLfile = @crl")
            kept = self.first(sluss.port, self.alice, version)
            bobs = self.first(sluss.port, self.bob, version)
            self.assert_resumed(sluss.port, self.alice, kept)
            self.put("crl", crl(self.ca, self.alice, number=2))
            self.reload(sluss)
            self.assert_out(sluss, self.alice, kept, "is revoked")
            self.assert_full(sluss.port, self.bob, bobs)
            sluss.stop()

    def test_ca_change(self):
        """(ticket.c holds(): generation and ticket_admits().)"""
        sluss = self.serve()
        for _, version in VERSIONS:
            self.put("ca.crt", self.ca.cert_pem())
            self.reload(sluss)
            kept = self.first(sluss.port, self.alice, version)
            self.put("ca.crt", self.imposter.cert_pem())
            self.reload(sluss)
            self.assert_out(sluss, self.alice, kept, "peer refused")

    def test_policy_change(self):
        """Of names.  (ticket.c generation(): names.)"""
        sluss = self.serve("checkHost = alice")
        for _, version in VERSIONS:
            self.write("sessionResume = yes", "checkHost = alice")
            self.reload(sluss)
            kept = self.first(sluss.port, self.alice, version)
            self.assert_resumed(sluss.port, self.alice, kept)
            self.write("sessionResume = yes", "checkHost = bob")
            self.reload(sluss)
            self.assert_out(sluss, self.alice, kept, "peer refused")

    def test_cert_expiry(self):
        """(ticket.c holds(): ticket_admits().)"""
        for _, version in VERSIONS:
            sluss = self.serve()
            soon = make("soon", issuer=self.ca, ends=now() + datetime.timedelta(seconds=4))
            kept = self.first(sluss.port, soon, version)
            harness.wait_for(lambda: self.is_out(sluss, soon, kept), "its end")
            self.assert_out(sluss, soon, kept, "has expired")
            sluss.stop()

    def is_out(self, sluss, who, kept):
        time.sleep(0.2)
        try:
            self.again(sluss.port, who, kept)
            return False
        except (ssl.SSLError, ConnectionError):
            return True

    def test_ticket_cross_service(self):
        """One key, two services with the same rules.  (ticket.c holds(): service.)"""
        key = ["ticketKeySecret = " + 64 * "a", "ticketMacSecret = " + 64 * "b"]
        self.write("sessionResume = yes", *key)
        here = self.own(Sluss(self.path("conf")))
        with open(self.path("conf")) as f:
            text = f.read()
        self.put("other", text.replace("[s]", "[other]").encode())
        there = self.own(Sluss(self.path("other")))
        for _, version in VERSIONS:
            kept = self.first(here.port, self.alice, version)
            self.visit(there.port, self.alice, version)
            self.assert_resumed(here.port, self.alice, kept)
            self.assert_full(there.port, self.alice, kept)

    def test_ticket_of_a_section(self):
        """Of a section that anyone may enter, at one for alice.  (ticket.c holds(): service,
        generation and ticket_admits(): each alone stops it.)"""
        self.write("sessionResume = yes")
        with open(self.path("conf"), "a") as f:
            f.write("\n".join(["[open]", "sni = s:open.test", "cert = " + self.pem("server"),
                               "connect = " + self.target.target, "sessionResume = yes"]) + "\n")
        sluss = self.own(Sluss(self.path("conf")))
        for _, version in VERSIONS:
            _, session, ctx = self.visit(sluss.port, None, version, name="open.test")
            again = {"session": session, "ctx": ctx, "version": version}
            self.assertTrue(self.visit(sluss.port, None, name="open.test", **again)[0])
            before = self.target.count
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.visit(sluss.port, None, **again)
            self.assertEqual(self.target.count, before)

    def test_session_id_of_a_service_without_verification(self):
        """The library's cache is the process's.  (context.c: SESS_CACHE_OFF; behind it
        ticket.c ticket_adopt(): grant.given.  Only without both it gets in.)  No ticket goes along:
        the client has them off."""
        self.write("sessionResume = yes")
        with open(self.path("conf"), "a") as f:
            f.write("\n".join(["[open]", "sni = s:open.test", "cert = " + self.pem("server"),
                               "connect = " + self.target.target, "sessionResume = yes"]) + "\n")
        sluss = self.own(Sluss(self.path("conf")))
        ctx = self.client_context(None, ssl.TLSVersion.TLSv1_2)
        ctx.options |= ssl.OP_NO_TICKET
        _, session, _ = self.visit(sluss.port, None, ctx=ctx, name="open.test")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.visit(sluss.port, None, ctx=ctx, session=session)


class Keys(Resumption):
    def keys(self, *keys):
        return self.put("keys", "\n".join(("# newest first",) + keys).encode() + b"\n")

    def test_ticket_rotation(self):
        """Of a file: the one before opens, the one before that does not."""
        a, b, c = (secrets.token_hex(32) for _ in range(3))
        self.keys(a)
        sluss = self.serve("ticketKeyFile = @keys")
        for _, version in VERSIONS:
            self.keys(a)
            self.reload(sluss)
            kept = self.first(sluss.port, self.alice, version)
            spare = self.first(sluss.port, self.alice, version)
            self.keys(b, a)
            self.reload(sluss)
            self.assert_resumed(sluss.port, self.alice, spare)
            self.keys(c, b)
            self.reload(sluss)
            self.assert_full(sluss.port, self.alice, kept)

    def test_two_processes(self):
        """A key file shared: a ticket of the one opens at the other, once that knows the peer."""
        self.keys(secrets.token_hex(32))
        one = self.serve("ticketKeyFile = @keys")
        two = self.own(Sluss(self.path("conf")))
        for _, version in VERSIONS:
            kept = self.first(one.port, self.alice, version)
            spare = self.first(one.port, self.alice, version)
            if version == VERSIONS[0][1]:
                self.assert_full(two.port, self.alice, kept)
            self.assert_resumed(two.port, self.alice, spare)

    def test_ticket_across_restart(self):
        """With a shared key a ticket lives on, without it does not."""
        for options, outcome in ((["ticketKeySecret = " + 32 * "1",
                                   "ticketMacSecret = " + 64 * "2"], True), ([], False)):
            for _, version in VERSIONS:
                sluss = self.serve(*options)
                kept = self.first(sluss.port, self.alice, version)
                sluss.stop()
                sluss = self.serve(*options)
                self.visit(sluss.port, self.alice, version)
                self.assertEqual(self.visit(sluss.port, self.alice, **kept)[0], outcome)
                sluss.stop()

    def test_bad_keys(self):
        for options, why in ((["ticketKeySecret = aa"], "go together"),
                             (["ticketKeySecret = " + 31 * "a", "ticketMacSecret = " + 32 * "b"],
                              "ticketKeySecret: 32 or 64 hexadecimal digits"),
                             (["ticketKeyFile = @keys"], "keys: line 2: a key is 64 hexadecimal")):
            self.keys("short")
            self.write("sessionResume = yes", *options)
            done = harness.run(harness.SLUSS, "check", self.path("conf"), check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(why, done.err + done.out)
            self.assertNotIn(31 * "a", done.err + done.out)


if __name__ == "__main__":
    main()
