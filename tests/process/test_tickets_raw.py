#!/usr/bin/env python3
"""Hellos made by hand that offer more tickets than one, or in ways that no library does.  Each
attack says the line that stops it."""

import copy
import os

import harness
from harness import connect, main
from rawtls import (AES128, AES256, PSK_DHE_KE, PSK_KE, Offer, RawClient, Ticket, extension,
                    vector)
from test_handshake import messages, parse_records
from test_resumption import REUSED, Resumption

CERTIFICATE = 11


class Raw(Resumption):
    def ticket(self, sluss, who, suite, version="-tls1_3"):
        """One that openssl got as that client."""
        pem = who.write(self.dir, "who-%d" % len(os.listdir(self.dir)))[0]
        path = self.path("sess-%d" % len(os.listdir(self.dir)))
        suites = ("-ciphersuites", suite) if version == "-tls1_3" else ("-cipher", suite)
        p = self.own(harness.Program(
            [harness.need("openssl"), "s_client", "-connect", "127.0.0.1:%d" % sluss.port,
             version, "-cert", pem, "-key", pem, "-sess_out", path, "-quiet",
             "-no_ign_eof", *suites],
            stdin=harness.subprocess.PIPE, stdout=harness.subprocess.PIPE))
        p.process.stdin.write(b"hi\n")
        p.process.stdin.flush()
        self.assertEqual(p.process.stdout.read(3), b"hi\n")  # behind the ticket
        p.process.stdin.close()
        p.wait()
        p.process.stdout.close()
        return Ticket(path)

    def client(self, sluss, offers, **kw):
        return RawClient(self.own(connect(sluss.port)), offers, **kw)


class Tickets(Raw):
    def test_one(self):
        """A client made by hand resumes."""
        sluss = self.serve("debug = debug")
        for suite, name in ((AES128, "TLS_AES_128_GCM_SHA256"), (AES256, "TLS_AES_256_GCM_SHA384")):
            mine = self.ticket(sluss, self.bob, name)
            self.assertEqual(mine.suite, suite)
            c = self.client(sluss, [Offer(mine)])
            self.assertEqual(c.server_hello(), 0)
            c.resume(0)
            self.assertEqual(c.talk(b"hello"), b"hello")
            c.sock.close()
        sluss.wait_log(REUSED, count=2)

    def test_second_ticket(self):
        """Bob sends his own ticket and one of alice's that he saw on the wire.  The library asks for
        the suites one after the other: for the first it opens both and uses none, for the second it uses
        bob's, and alice's was the last to be opened.  (ticket.c open_ticket(): is_another().  Without
        it bob is let in as alice.)"""
        sluss = self.serve("debug = debug", "allow = cn=alice", "allow = cn=bob")
        alices = self.ticket(sluss, self.alice, "TLS_AES_256_GCM_SHA384")
        bobs = self.ticket(sluss, self.bob, "TLS_AES_128_GCM_SHA256")
        sluss.wait_log('closed.*CN=alice')
        sluss.wait_log('closed.*CN=bob')
        c = self.client(sluss, [Offer(bobs), Offer(alices, mine=False, aged=False)])
        self.assertEqual(c.server_hello(), 0)
        c.resume(0)
        self.assertEqual(c.talk(b"hello"), b"hello")
        c.sock.close()
        sluss.wait_log(REUSED)
        sluss.wait_log(r"LOG6\[2\]: Service .*CN=bob")
        self.assertNotRegex(sluss.log, r"LOG\d\[2\].*CN=alice")

    def test_old_ticket_beside(self):
        """A ticket of TLS 1.2 beside that of 1.3 is none of this hello.  (The library, and
        behind it is_another().)"""
        sluss = self.serve("debug = debug", "allow = cn=alice", "allow = cn=bob")
        alices = self.ticket(sluss, self.alice, "ECDHE-ECDSA-AES128-GCM-SHA256", "-tls1_2")
        bobs = self.ticket(sluss, self.bob, "TLS_AES_128_GCM_SHA256")
        c = self.client(sluss, [Offer(bobs)], more=extension(35, alices.ticket))
        self.assertEqual(c.server_hello(), 0)
        c.resume(0)
        self.assertEqual(c.talk(b"hello"), b"hello")
        c.sock.close()
        sluss.wait_log(r"LOG6\[2\]: Service .*CN=bob")
        self.assertNotRegex(sluss.log, r"LOG\d\[2\].*CN=alice")

    def hello12(self, *exts, number=b""):
        body = (b"\x03\x03" + os.urandom(32) + vector(1, number) +
                vector(2, b"\xc0\x2b\xc0\x2f\x00\xff") + b"\x01\x00" +
                vector(2, extension(10, vector(2, b"\x00\x1d\x00\x17")) +
                       extension(11, b"\x01\x00") + extension(23, b"") +
                       extension(13, vector(2, bytes.fromhex("040305030804080508060401"))) +
                       b"".join(exts)))
        return b"\x16\x03\x01" + vector(2, b"\x01" + vector(3, body))

    def resumes12(self, sluss, hello):
        """Whether the server goes on without a certificate."""
        c = self.own(connect(sluss.port))
        c.sendall(hello)
        data = b""
        while True:
            for kind, body in parse_records(data):
                if kind == 21:
                    raise ConnectionError("alert %d" % body[1])
                if kind == 20:
                    return True
                if kind == 22 and CERTIFICATE in [k for k, _ in messages(data)]:
                    return False
            more = c.recv(65536)
            if not more:
                raise ConnectionError("ended")
            data += more

    def test_tls12(self):
        """One ticket is opened, whatever number stands beside it; of two, none.  (The library:
        an extension comes once.)"""
        sluss = self.serve()
        suite = "ECDHE-ECDSA-AES128-GCM-SHA256"
        alices, bobs = (extension(35, self.ticket(sluss, who, suite, "-tls1_2").ticket)
                        for who in (self.alice, self.bob))
        before = self.target.count
        self.assertTrue(self.resumes12(sluss, self.hello12(alices)))
        self.assertTrue(self.resumes12(sluss, self.hello12(alices, number=os.urandom(32))))
        self.assertFalse(self.resumes12(sluss, self.hello12(extension(35, b""))))
        self.assertFalse(self.resumes12(sluss, self.hello12(
            extension(35, alices[4:80] + bytes([alices[80] ^ 1]) + alices[81:]),
            number=os.urandom(32))))
        for pair in ((alices, bobs), (alices, alices), (extension(35, b""), alices)):
            with self.assertRaises(ConnectionError):
                self.resumes12(sluss, self.hello12(*pair))
        self.assertEqual(self.target.count, before)

    def test_ticket_of_another(self):
        """Alice's ticket without its secret opens nothing.  (The library: the binder.)"""
        sluss = self.serve()
        alices = self.ticket(sluss, self.alice, "TLS_AES_256_GCM_SHA384")
        bobs = self.ticket(sluss, self.bob, "TLS_AES_256_GCM_SHA384")
        before = self.target.count
        for offers in ([Offer(alices, mine=False)],
                       [Offer(alices, mine=False), Offer(bobs)]):
            with self.assertRaises(ConnectionError):
                self.client(sluss, offers).server_hello()
        self.assertEqual(self.target.count, before)

    def test_odd_tickets(self):
        """What is no ticket of ours, short, long or many, opens nothing: also one of 32 bytes, which
        the library would look for in a cache.  The server goes on."""
        sluss = self.serve()
        mine = self.ticket(sluss, self.bob, "TLS_AES_256_GCM_SHA384")
        before = self.target.count
        for sizes in ([1], [32], [65], [66], [4096], [5000], [60000], 50 * [200]):
            offers = []
            for n in sizes:
                offers.append(Offer(mine, mine=False))
                offers[-1].ticket = copy.copy(mine)
                offers[-1].ticket.ticket = os.urandom(n)
            with self.assertRaises(ConnectionError):
                self.assertIsNone(self.client(sluss, offers).server_hello())
                raise ConnectionError("not resumed")
        self.assertEqual(self.target.count, before)
        c = self.client(sluss, [Offer(mine)])
        self.assertEqual(c.server_hello(), 0)

    def test_without_key_exchange(self):
        """Who offers psk_ke alone does not resume.  (ticket.c ticket_set_up(): only_dhe_psk.)"""
        sluss = self.serve()
        mine = self.ticket(sluss, self.bob, "TLS_AES_256_GCM_SHA384")
        before = self.target.count
        with self.assertRaises(ConnectionError):
            self.assertIsNone(self.client(sluss, [Offer(mine)], modes=[PSK_KE]).server_hello())
            raise ConnectionError("not resumed")
        self.assertEqual(self.target.count, before)
        c = self.client(sluss, [Offer(mine)], modes=[PSK_KE, PSK_DHE_KE])
        self.assertEqual(c.server_hello(), 0)
        c.resume(0)
        self.assertEqual(c.talk(b"hello"), b"hello")
        self.assertIn(51, c.extensions)


if __name__ == "__main__":
    main()
