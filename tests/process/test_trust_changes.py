#!/usr/bin/env python3
"""Trust that changes while clients come and go: a CA that is replaced by another, and policies with
mistakes."""

import threading

import harness
from certs import context, make
from harness import TlsWire, connect, run, wait_for
from test_revocation import DONE, FAILED, Revocation, crl


class Visitor(threading.Thread):
    """Somebody who comes again and again."""

    def __init__(self, case, port, who):
        super().__init__(daemon=True)
        self.case, self.port = case, port
        self.context = context(case.dir, who)
        self.visits, self.failure, self.enough = 0, None, False
        self.start()

    def run(self):
        while not self.enough and self.failure is None:
            try:
                wire = TlsWire(connect(self.port), self.context)
                try:
                    wire.handshake()
                    self.case.talk(wire)
                finally:
                    wire.close()
                self.visits += 1
            except (OSError, AssertionError) as e:
                self.failure = e

    def comes_again(self):
        """The visit that ends next but one began later than now."""
        seen = self.visits
        wait_for(lambda: self.visits >= seen + 2 or self.failure, "visits")
        self.case.assertIsNone(self.failure)

    def leaves(self):
        self.enough = True
        self.join(harness.PATIENCE)
        self.case.assertIsNone(self.failure)


class Trust(Revocation):
    def test_ca_rotation(self):
        """The old CA, both, the new one alone; who has the right one is never refused, and open
        tunnels of the old one end with it."""
        new_ca = make("New Root", ca=True)
        new = make("new", issuer=new_ca)
        sluss = self.serve()
        self.assert_refused(sluss, new, "issued by no trusted CA")
        old_visitor = Visitor(self, sluss.port, self.alice)
        old_visitor.comes_again()
        self.put("ca.crt", self.ca.cert_pem() + new_ca.cert_pem())
        self.reload(sluss)
        new_visitor = Visitor(self, sluss.port, new)
        new_visitor.comes_again()
        old_visitor.comes_again()
        old_wire, new_wire = self.open(sluss.port, self.bob), self.open(sluss.port, new)
        old_visitor.leaves()
        self.put("ca.crt", new_ca.cert_pem())
        self.reload(sluss)
        self.assertEqual(old_wire.outcome(), (b"", "reset"))
        sluss.wait_log('denied: "CN=bob" was issued by "CN=Root"')
        self.talk(new_wire)
        new_visitor.comes_again()
        new_visitor.leaves()
        self.assert_refused(sluss, self.alice, "issued by no trusted CA")

    def test_policy_reload_broken(self):
        """The old policy stays, whatever is wrong with the new one: who passed passes, who did not
        does not; the log says file and line, `sluss check` and a reload that works end it."""
        self.put("crl", crl(self.ca))
        usual = ("allow = cn=alice", "CRLfile = @crl")
        sluss = self.serve(*usual)
        wire = self.open(sluss.port, self.alice)
        for label, options, why in (
                ("rule", ("allow = cm=alice", "CRLfile = @crl"), r"conf:\d+: .*no key .cm."),
                ("glob", ("allow = dns=a***", "CRLfile = @crl"), r"conf:\d+: .*\*\*\*"),
                ("file", usual + ("CAfile = @no-ca",), "no-ca"),
                ("list", ("allow = cn=alice", "CRLfile = @no-list"), "no-list")):
            with self.subTest(label):
                self.write(*options)
                self.reload(sluss, FAILED)
                self.assertRegex(sluss.log, why)
                done = run(harness.SLUSS, "check", self.path("conf"), check=False)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.out + done.err, why)
                self.talk(wire)
                self.assert_open(sluss, self.alice)
                self.assert_refused(sluss, self.bob, "denied by the rules")
        for label, text, why in (("half", self.ca.cert_pem()[:200], "ca.crt"), ("empty", b"", "ca.crt")):
            with self.subTest(label):
                self.write(*usual)
                self.put("ca.crt", text)
                failed = len(sluss.lines)
                self.reload(sluss, FAILED)
                self.assertRegex("\n".join(sluss.lines[failed:]), why)
                self.talk(wire)
                self.assert_open(sluss, self.alice)
        self.put("ca.crt", self.ca.cert_pem())
        self.write("allow = cn=bob", "CRLfile = @crl")
        self.reload(sluss, DONE)
        self.assertEqual(wire.outcome(), (b"", "reset"))
        self.assert_open(sluss, self.bob)


if __name__ == "__main__":
    harness.main()
