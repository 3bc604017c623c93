"""What the tests of the handshake and of identities share: certificates, forged and odd
ones included, a TLS server in Python to show them to a client, and a Case that looks after
each sluss once more."""

import datetime
import ipaddress
import itertools
import os
import signal
import ssl
import time
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import harness

PEM = serialization.Encoding.PEM
DER = serialization.Encoding.DER

SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH
CODE_SIGNING = ExtendedKeyUsageOID.CODE_SIGNING
# As in <openssl/ssl.h>; the ssl module of Python 3.11 sets it and has no name for it.
OP_IGNORE_UNEXPECTED_EOF = 1 << 7

BOTH = (SERVER_AUTH, CLIENT_AUTH)

KEYS = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
}


def now(days=0, hours=0):
    """The time in UTC, so many days from now, as certificates have it: whole seconds."""
    return (datetime.datetime.utcnow().replace(microsecond=0) +
            datetime.timedelta(days=days, hours=hours))


def name(*parts):
    """A distinguished name of ("CN", "x") pairs."""
    oids = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME,
            "OU": NameOID.ORGANIZATIONAL_UNIT_NAME, "C": NameOID.COUNTRY_NAME}
    return x509.Name([x509.NameAttribute(oids[k], v) for k, v in parts])


class Identity:
    """A certificate, its key, and the certificates that go along with it."""

    def __init__(self, der, key, chain=()):
        self.der = der
        self.key = key
        self.chain = list(chain)
        self.cert = x509.load_der_x509_certificate(der)

    def cert_pem(self):
        return ssl.DER_cert_to_PEM_cert(self.der).encode()

    def key_pem(self):
        return self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption())

    def fingerprint(self):
        """SHA-256 as the log has it."""
        return self.cert.fingerprint(hashes.SHA256()).hex(":").upper()

    def dates(self):
        """Both dates as the log has them."""
        form = "%Y-%m-%d %H:%M:%S UTC"
        return (self.cert.not_valid_before.strftime(form),
                self.cert.not_valid_after.strftime(form))

    def write(self, folder, label):
        """LABEL.pem: key, certificate, chain (mode 600); LABEL.crt: the certificate.  Returns
        both paths."""
        pem, crt = os.path.join(folder, label + ".pem"), os.path.join(folder, label + ".crt")
        with open(pem, "wb") as f:
            os.chmod(pem, 0o600)
            f.write(self.key_pem() + self.cert_pem())
            f.writelines(c.cert_pem() for c in self.chain)
        with open(crt, "wb") as f:
            f.write(self.cert_pem())
        return pem, crt

    def with_chain(self, *chain):
        return Identity(self.der, self.key, chain)


def _hash_for(key, signer_hash):
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else signer_hash


def make(cn="peer.test", issuer=None, kind="p256", key=None, ca=False, dns=(), ip=(), eku=None,
         begins=None, ends=None, signed=hashes.SHA256(), pathlen=None, subject=None, more=()):
    """Makes an identity; self-signed without an issuer.  more: (extension, critical)
    pairs.  A leaf's chain is what leads to the issuer's root, without that."""
    key = key or KEYS[kind]()
    subject = name(("CN", cn)) if subject is None else subject
    signer = issuer.key if issuer else key
    b = (x509.CertificateBuilder().subject_name(subject)
         .issuer_name(issuer.cert.subject if issuer else subject)
         .public_key(key.public_key()).serial_number(x509.random_serial_number())
         .not_valid_before(begins or now(days=-1)).not_valid_after(ends or now(days=30)))
    if ca:
        b = b.add_extension(x509.BasicConstraints(True, pathlen), True)
    b = b.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    if issuer:
        b = b.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
            issuer.key.public_key()), False)
    names = ([x509.DNSName(d) for d in dns] +
             [x509.IPAddress(ipaddress.ip_address(i)) for i in ip])
    if names:
        b = b.add_extension(x509.SubjectAlternativeName(names), False)
    if eku:
        b = b.add_extension(x509.ExtendedKeyUsage(eku), False)
    for extension, critical in more:
        b = b.add_extension(extension, critical)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # SHA-1 on purpose
        cert = b.sign(signer, _hash_for(signer, signed))
    issued = issuer is not None and issuer.cert.issuer != issuer.cert.subject
    return Identity(cert.public_bytes(DER), key, [issuer] + issuer.chain if issued else [])


def forge(victim):
    """A clone of a P-256 certificate with a key of ours: same names, same identifiers, same
    signature bytes, so the signature is wrong."""
    key = KEYS["p256"]()

    def point(k):
        return k.public_bytes(serialization.Encoding.X962,
                              serialization.PublicFormat.UncompressedPoint)
    old, new = point(victim.cert.public_key()), point(key.public_key())
    assert victim.der.count(old) == 1
    return Identity(victim.der.replace(old, new), key)


def bundle(path, *identities):
    """Certificates in one PEM file; returns the path."""
    with open(path, "wb") as f:
        f.writelines(i.cert_pem() for i in identities)
    return path


numbers = itertools.count()


def context(folder, identity=None, server_side=False, version=None, asks=None):
    """An OpenSSL context that shows an identity, however weak.  A client side believes
    everything; a server side asks for the client certificate in the file asks, or for none."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    ctx.set_ciphers("DEFAULT:@SECLEVEL=0")
    ctx.options &= ~OP_IGNORE_UNEXPECTED_EOF
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    if identity is not None:
        # Also of several threads at once each has a file of its own.
        pem = identity.write(folder, "context-%d" % next(numbers))[0]
        ctx.load_cert_chain(pem)
    if asks:
        ctx.verify_mode = ssl.CERT_OPTIONAL
        ctx.load_verify_locations(asks)
        ctx.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if version:
        ctx.minimum_version = ctx.maximum_version = version
    return ctx


def ask(port, data=b"", n=0):
    """What a local program gets of a tunnel that it tells data: (bytes, "open") once n bytes
    came, else (bytes, "eof" or "reset").  A reset may come before connecting is over."""
    got = b""
    try:
        with harness.connect(port) as c:
            c.sendall(data)
            while True:
                more = c.recv(65536)
                got += more
                if not more:
                    return got, "eof"
                if 0 < n <= len(got):
                    return got, "open"
    except (ConnectionResetError, BrokenPipeError):
        return got, "reset"


class TlsServer:
    """A TLS server for sluss clients: what became of each connection is a pair in
    .outcomes, as of TlsWire.outcome(); a handshake that failed is ("", "alert: …")."""

    def __init__(self, ctx):
        self.ctx = ctx
        self.outcomes = []
        self.backend = harness.Backend(self._serve)
        self.port = self.backend.port
        self.target = self.backend.target
        self.close = self.backend.close

    def _serve(self, c):
        c.settimeout(harness.PATIENCE)
        wire = harness.TlsWire(c, self.ctx, server_side=True)
        try:
            wire.handshake()
        except ssl.SSLError as e:
            self.outcomes.append((b"", "alert: " + (e.reason or str(e))))
            return
        except OSError:
            self.outcomes.append((b"", "reset"))
            return
        self.outcomes.append(self._talk(wire))

    def _talk(self, wire):
        """Echoes, so that a tunnel that opened shows."""
        parts = []
        while True:
            try:
                data = wire.read()
            except (ConnectionResetError, BrokenPipeError):
                return b"".join(parts), "reset"
            except ssl.SSLEOFError:
                return b"".join(parts), "truncated"
            except ssl.SSLError as e:
                return b"".join(parts), ("truncated" if "EOF" in str(e) else
                                         "alert: " + (e.reason or str(e)))
            if not data:
                wire.close_notify()
                return b"".join(parts), "close_notify"
            parts.append(data)
            wire.write(data)

    @property
    def count(self):
        return self.backend.count


class CheckedCase(harness.Case):
    """Whatever a test did to it, a sluss has not crashed, ends when it is told to, and no
    sanitizer has a word about it."""

    def own(self, thing):
        super().own(thing)
        if isinstance(thing, harness.Sluss):
            self.addCleanup(self.check, thing)
        return thing

    def check(self, sluss):
        end = time.monotonic() + harness.PATIENCE
        while sluss.alive() and time.monotonic() < end:
            # The second signal cuts tunnels that still stand.
            sluss.process.send_signal(signal.SIGTERM)
            for _ in range(50):
                if not sluss.alive():
                    break
                time.sleep(0.01)
        status = sluss.wait(1)
        self.assertIn(status, (0, 1), sluss.log)
        self.assertNotRegex(sluss.log, "Sanitizer|runtime error:")
