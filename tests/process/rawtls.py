"""A TLS 1.3 client made by hand, for hellos that no library would send: it resumes with as many
tickets as it is told to, whether it has their secrets or not (RFC 8446, 4.2.11 and 7)."""

import base64
import hashlib
import hmac
import os
import struct
import time

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

AES128, AES256 = 0x1301, 0x1302
PSK_KE, PSK_DHE_KE = 0, 1
HASHES = {AES128: ("sha256", 32, 16), AES256: ("sha384", 48, 32)}


def vector(size, data):
    return len(data).to_bytes(size, "big") + data


def extension(kind, data):
    return struct.pack("!H", kind) + vector(2, data)


class Der:
    """The elements of one constructed value: (tag, bytes)."""

    def __init__(self, data):
        self.items, at = [], 0
        while at < len(data):
            tag, n, at = data[at], data[at + 1], at + 2
            if n >= 128:
                more = n & 127
                n, at = int.from_bytes(data[at:at + more], "big"), at + more
            self.items.append((tag, data[at:at + n]))
            at += n

    def __getitem__(self, i):
        return self.items[i][1]

    def tagged(self, number):
        """What stands in the explicit tag of that number; b"": it is not there."""
        found = dict(self.items).get(0xa0 + number)
        return b"" if found is None else Der(found)[0]


class Ticket:
    """One that openssl s_client -sess_out wrote: the ticket and its secret."""

    def __init__(self, path):
        with open(path) as f:
            lines = f.read().split("-----")[2]
        fields = Der(Der(base64.b64decode(lines))[0])
        self.suite = int.from_bytes(fields[2], "big")
        self.psk = fields[4]
        self.ticket = fields.tagged(10)
        self.age_add = int.from_bytes(fields.tagged(14), "big") & 0xffffffff
        self.made = int.from_bytes(fields.tagged(1), "big")

    def age(self):
        return (max(0, int((time.time() - self.made) * 1000) - 1000) + self.age_add) & 0xffffffff


class Offer:
    """A ticket in a hello.  mine: whoever sends it has the secret; aged: its age is right."""

    def __init__(self, ticket, mine=True, aged=True):
        self.ticket, self.mine = ticket, mine
        self.age = ticket.age() if aged else (ticket.age() + 0x40000000) & 0xffffffff

    def binder_length(self):
        return HASHES[self.ticket.suite][1]


class Schedule:
    def __init__(self, suite, psk):
        self.name, self.size, self.key = HASHES[suite]
        self.secret = self.extract(bytes(self.size), psk)

    def hash(self, data):
        return hashlib.new(self.name, data).digest()

    def mac(self, key, data):
        return hmac.new(key, data, self.name).digest()

    def extract(self, salt, data):
        return self.mac(salt, data)

    def expand(self, secret, label, context, n):
        info = struct.pack("!H", n) + vector(1, b"tls13 " + label) + vector(1, context)
        out, block, i = b"", b"", 1
        while len(out) < n:
            block = self.mac(secret, block + info + bytes([i]))
            out, i = out + block, i + 1
        return out[:n]

    def derive(self, label, transcript):
        return self.expand(self.secret, label, self.hash(transcript), self.size)

    def step(self, data):
        self.secret = self.extract(self.derive(b"derived", b""), data)

    def finished(self, secret, transcript):
        return self.mac(self.expand(secret, b"finished", b"", self.size), self.hash(transcript))


class Keys:
    """Of one direction."""

    def __init__(self, schedule, secret):
        self.aead = AESGCM(schedule.expand(secret, b"key", b"", schedule.key))
        self.iv = schedule.expand(secret, b"iv", b"", 12)
        self.n = 0

    def nonce(self):
        n, self.n = self.n, self.n + 1
        return bytes(a ^ b for a, b in zip(self.iv, n.to_bytes(12, "big")))

    def seal(self, kind, data):
        head = b"\x17\x03\x03" + struct.pack("!H", len(data) + 17)
        return head + self.aead.encrypt(self.nonce(), data + bytes([kind]), head)

    def open(self, head, body):
        data = self.aead.decrypt(self.nonce(), body, head).rstrip(b"\0")
        return data[-1], data[:-1]


class RawClient:
    def __init__(self, sock, offers, suites=(AES256, AES128), modes=(PSK_DHE_KE,), more=b""):
        self.sock = sock
        self.offers = offers
        self.private = X25519PrivateKey.generate()
        self.hello = self.make_hello(suites, bytes(modes), more)
        sock.sendall(b"\x16\x03\x01" + vector(2, self.hello))

    def make_hello(self, suites, modes, more):
        share = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        binders = 2 + sum(1 + o.binder_length() for o in self.offers)
        exts = extension(10, vector(2, b"\x00\x1d"))
        exts += extension(13, vector(2, bytes.fromhex("040305030804080508060401")))
        exts += extension(43, vector(1, b"\x03\x04"))
        exts += extension(45, vector(1, modes))
        exts += extension(51, vector(2, b"\x00\x1d" + vector(2, share))) + more
        if self.offers:
            identities = vector(2, b"".join(vector(2, o.ticket.ticket) + struct.pack("!I", o.age)
                                            for o in self.offers))
            exts += struct.pack("!HH", 41, len(identities) + binders) + identities
        else:
            binders = 0
        body = (b"\x03\x03" + os.urandom(32) + vector(1, os.urandom(32)) +
                vector(2, b"".join(struct.pack("!H", s) for s in suites)) + b"\x01\x00" +
                struct.pack("!H", len(exts) + binders) + exts)
        hello = b"\x01" + (len(body) + binders).to_bytes(3, "big") + body
        if not self.offers:
            return hello
        return hello + vector(2, b"".join(vector(1, self.binder(o, hello)) for o in self.offers))

    @staticmethod
    def binder(offer, hello):
        schedule = Schedule(offer.ticket.suite, offer.ticket.psk)
        if not offer.mine:
            return os.urandom(schedule.size)
        return schedule.finished(schedule.derive(b"res binder", b""), hello)

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise ConnectionError("ended")
            data += more
        return data

    def record(self, keys=None):
        """The next one that is no change_cipher_spec: (type, content)."""
        while True:
            head = self.exactly(5)
            body = self.exactly(int.from_bytes(head[3:], "big"))
            if head[0] == 20:
                continue
            return keys.open(head, body) if keys and head[0] == 23 else (head[0], body)

    def server_hello(self):
        """Which of the offers the server took, or None.  An alert is an error."""
        kind, self.answer = self.record()
        if kind != 22:
            raise ConnectionError("alert %d" % self.answer[1])
        at = 4 + 2 + 32
        at += 1 + self.answer[at]
        self.suite = int.from_bytes(self.answer[at:at + 2], "big")
        at, self.extensions = at + 5, {}
        while at < len(self.answer):
            kind, n = struct.unpack("!HH", self.answer[at:at + 4])
            self.extensions[kind] = self.answer[at + 4:at + 4 + n]
            at += 4 + n
        chosen = self.extensions.get(41)
        return None if chosen is None else int.from_bytes(chosen, "big")

    def resume(self, chosen):
        """The rest of a handshake that resumes by that offer."""
        self.finish(self.offers[chosen].ticket.psk)

    def finish(self, psk=None):
        """The rest of a handshake, whatever the server proves and asks for."""
        s = Schedule(self.suite, psk or bytes(HASHES[self.suite][1]))
        s.step(self.private.exchange(X25519PublicKey.from_public_bytes(self.extensions[51][4:])))
        said = self.hello + self.answer
        server = Keys(s, s.derive(b"s hs traffic", said))
        mine = s.derive(b"c hs traffic", said)
        messages = b""
        while messages[-(4 + s.size):][:4] != b"\x14" + s.size.to_bytes(3, "big"):
            messages += self.record(server)[1]
        s.step(bytes(s.size))
        said += messages
        self.reads = Keys(s, s.derive(b"s ap traffic", said))
        self.writes = Keys(s, s.derive(b"c ap traffic", said))
        finished = b"\x14" + vector(3, s.finished(mine, self.hello + self.answer + messages))
        self.sock.sendall(Keys(s, mine).seal(22, finished))

    def talk(self, data):
        """Sends data; what comes back."""
        self.sock.sendall(self.writes.seal(23, data))
        while True:
            kind, body = self.record(self.reads)
            if kind == 23:
                return body
            if kind == 21:
                raise ConnectionError("alert %d" % body[1])
