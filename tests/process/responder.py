"""A responder (OCSP) in Python that answers as a test wants, or does not."""

import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

import harness
from certs import DER, make, now

GOOD, REVOKED, UNKNOWN = (ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED,
                          ocsp.OCSPCertStatus.UNKNOWN)
BY_NAME = ocsp.OCSPResponderEncoding.NAME
SIGNING = x509.oid.ExtendedKeyUsageOID.OCSP_SIGNING


def informed(*urls):
    """The extension of a certificate that names responders."""
    return (x509.AuthorityInformationAccess([
        x509.AccessDescription(x509.oid.AuthorityInformationAccessOID.OCSP,
                               x509.UniformResourceIdentifier(u)) for u in urls]), False)


def answer(who, issuer, status=GOOD, signer=None, begins=-1, ends=5, request=None, nonce=True,
           certs=(), by=ocsp.OCSPResponderEncoding.HASH):
    """An answer about a certificate, DER; times in hours from now, ends None: no nextUpdate."""
    signer = signer or issuer
    b = ocsp.OCSPResponseBuilder().add_response(
        cert=who.cert, issuer=issuer.cert, algorithm=hashes.SHA1(), cert_status=status,
        this_update=now(hours=begins), next_update=None if ends is None else now(hours=ends),
        revocation_time=now(days=-1) if status == REVOKED else None, revocation_reason=None)
    b = b.responder_id(by, signer.cert)
    if certs:
        b = b.certificates([c.cert for c in certs])
    if request is not None and nonce:
        try:
            found = request.extensions.get_extension_for_class(x509.OCSPNonce)
            b = b.add_extension(found.value, False)
        except x509.ExtensionNotFound:
            pass
    return b.sign(signer.key, hashes.SHA256()).public_bytes(DER)


def serial(who):
    """A serial number as openssl has it: whole bytes."""
    text = "%X" % who.cert.serial_number
    return text if len(text) % 2 == 0 else "0" + text


class Responder:
    """Answers at .url by .reply(request), the whole answer of HTTP or None for silence;
    .requests are those that came.  Nothing is answered before .go() while .hold is set."""

    def __init__(self, issuer=None):
        self.issuer = issuer
        self.who = {}      # by serial number: (identity, status)
        self.settings = {}
        self.requests = []
        self.nonces = []
        self.head = b"HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n\r\n"
        self.reply = self.honest
        self.held = threading.Event()
        self.held.set()
        self.backend = harness.Backend(self._serve)
        self.url = "http://127.0.0.1:%d/" % self.backend.port
        self.close = self.backend.close

    def knows(self, who, status=GOOD):
        self.who[who.cert.serial_number] = (who, status)
        return who

    def hold(self):
        self.held.clear()

    def go(self):
        self.held.set()

    def honest(self, request):
        who, status = self.who[request.serial_number]
        return self.head + answer(who, self.issuer, status, request=request, **self.settings)

    def _serve(self, c):
        data = b""
        while b"\r\n\r\n" not in data:
            more = c.recv(65536)
            if not more:
                return
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += c.recv(65536)
        request = ocsp.load_der_ocsp_request(body)
        self.requests.append(request.serial_number)
        if len(request.extensions):
            self.nonces.append(request.extensions[0].value.nonce)
        self.held.wait(harness.PATIENCE)
        reply = self.reply(request)
        if reply is None:
            c.recv(1)
        elif reply:
            c.sendall(reply)


def delegate(issuer, **kw):
    """A responder's own certificate."""
    return make("Responder", issuer=issuer, eku=kw.pop("eku", (SIGNING,)), **kw)
