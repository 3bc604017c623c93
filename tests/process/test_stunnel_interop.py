#!/usr/bin/env python3
"""The same options for the distribution's stunnel and for us, each as the server of the other:
versions, suites, curves, whom to verify and how, names, redirect.  A tunnel opens, with what
was to be negotiated, or does not, whichever of the two has which part."""

import os
import random
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certs
import harness
from certs import bundle, make
from harness import Program, Sluss, echo, run, wait_for
from cryptography import x509



def ports_of(program):
    """Of each section, once all are open."""
    program.wait_log("Accepting new connections")
    return {m.group(1): int(m.group(3).rsplit(":", 1)[1])
            for m in map(harness.BOUND.search, list(program.lines)) if m}


class Stunnel(Program):
    """stunnel with a configuration file."""

    def __init__(self, path):
        super().__init__([harness.need("stunnel4"), path])
        wait_for(lambda: "Accepting new connections" in self.log or not self.alive(),
                 "readiness of stunnel\n" + self.log)
        if not self.alive():
            raise AssertionError("stunnel ended:\n" + self.log)

    @property
    def port(self):
        return next(iter(ports_of(self).values()))


class Interop(certs.CheckedCase):

    def setUp(self):
        super().setUp()
        harness.need("stunnel4")
        self.ca = make("ca", ca=True)
        email = x509.SubjectAlternativeName([
            x509.DNSName("server.test"), x509.RFC822Name("op@server.test"),
            x509.IPAddress(certs.ipaddress.ip_address("127.0.0.1"))])
        identities = {
            "server": make("server", issuer=self.ca, more=[(email, False)]),
            "rsa": make("rsa", issuer=self.ca, kind="rsa2048", dns=["server.test"]),
            "leaf": make("leaf", issuer=self.ca, dns=["client.test"]),
            "sibling": make("sibling", issuer=self.ca, dns=["other.test"]),
            "stranger": make("stranger", dns=["server.test", "client.test"]),
        }
        self.files = {"CA": bundle(self.path("ca.crt"), self.ca)}
        for name, identity in identities.items():
            pem, crt = identity.write(self.dir, name)
            self.files[name.upper()] = pem
            self.files[name.upper() + "_CRT"] = crt
            self.files[name.upper() + "_CA"] = bundle(self.path(name + "-ca.crt"), identity, self.ca)
        self.files["FOLDER"] = self.path("folder")
        os.mkdir(self.files["FOLDER"])
        bundle(self.path("folder/ca.pem"), self.ca)
        bundle(self.path("folder/leaf.pem"), identities["leaf"])
        bundle(self.path("folder/server.pem"), identities["server"])
        run("openssl", "rehash", self.files["FOLDER"])
        self.behind = self.backend(echo)

    def config(self, *sections, head=""):
        path = self.path("%d.conf" % len(os.listdir(self.dir)))
        with open(path, "w") as f:
            f.write("foreground = yes\npid =\nsyslog = no\ndebug = 7\n" + head)
            for name, text in sections:
                f.write("[%s]\n%s\n" % (name, text.format(**self.files).replace("; ", "\n")))
        return path

    def server_text(self, options, target=None):
        cert = "" if "cert =" in options else "cert = {SERVER}; "
        return "accept = 127.0.0.1:0; connect = %s; TIMEOUTclose = 1; %s%s" % (
            target or self.behind.target, cert, options)

    def client_text(self, options, port):
        return "client = yes; accept = 127.0.0.1:0; connect = 127.0.0.1:%d; TIMEOUTclose = 1; %s" % (
            port, options)

    def start(self, kind, *sections):
        return self.own(kind(self.config(*sections)))

    def pairs(self, server_options, client_options, target=None):
        """Both arrangements: (what it is, sluss, the port of the client's end)."""
        for ours in ("server", "client"):
            kinds = (Sluss, Stunnel) if ours == "server" else (Stunnel, Sluss)
            server = self.start(kinds[0], ("s", self.server_text(server_options, target)))
            client = self.start(kinds[1], ("c", self.client_text(client_options, server.port)))
            yield ours, server if ours == "server" else client, client.port

    def talk(self, port, data=b"hello", answer=b"hello"):
        """"open", or "refused"."""
        got, end = certs.ask(port, data, len(answer))
        if end == "open":
            self.assertEqual(got, answer)
            return "open"
        self.assertEqual(got, b"")
        return "refused"

    def opens(self, server_options, client_options, negotiated=""):
        for ours, sluss, port in self.pairs(server_options, client_options):
            with self.subTest(ours=ours, server=server_options, client=client_options):
                self.assertEqual(self.talk(port), "open", sluss.log)
                sluss.ends("closed; .*" + negotiated)

    def refuses(self, server_options, client_options, says="(refused|failed|alert)"):
        for ours, sluss, port in self.pairs(server_options, client_options):
            with self.subTest(ours=ours, server=server_options, client=client_options):
                before = self.behind.count
                self.assertEqual(self.talk(port), "refused", sluss.log)
                sluss.wait_log(says)
                self.assertEqual(self.behind.count, before)


class Protocol(Interop):

    def test_versions(self):
        self.opens("", "", "TLSv1.3 ")
        self.opens("sslVersion = TLSv1.2", "", "TLSv1.2 ")
        self.opens("", "sslVersion = TLSv1.2", "TLSv1.2 ")
        self.opens("sslVersion = TLSv1.3", "sslVersionMin = TLSv1.2", "TLSv1.3 ")
        self.opens("sslVersionMax = TLSv1.2", "sslVersion = all", "TLSv1.2 ")
        self.opens("options = NO_TLSv1_3", "", "TLSv1.2 ")
        self.opens("", "options = NO_TLSv1_3", "TLSv1.2 ")
        self.opens("options = NO_TLSv1_2", "options = -NO_TLSv1_2", "TLSv1.3 ")
        self.refuses("sslVersionMin = TLSv1.3", "sslVersionMax = TLSv1.2")
        self.refuses("sslVersion = TLSv1.2", "sslVersion = TLSv1.3")
        self.refuses("options = NO_TLSv1_2", "options = NO_TLSv1_3")

    def test_ciphers(self):
        only = "sslVersion = TLSv1.2; ciphers = "
        self.opens(only + "ECDHE-ECDSA-AES256-GCM-SHA384", "", "_ECDSA_WITH_AES_256_GCM")
        self.opens("", only + "ECDHE-ECDSA-AES128-GCM-SHA256", "_ECDSA_WITH_AES_128_GCM")
        self.opens("cert = {RSA}; " + only + "CHACHA20:!aNULL", "", "_RSA_WITH_CHACHA20")
        self.opens("cert = {RSA}", only + "HIGH:!aNULL:!AES256:!CHACHA20:@STRENGTH",
                   "_RSA_WITH_AES_128_GCM")
        self.opens(only + "HIGH:!ADH:!AECDH:!LOW:!EXP:!MD5:!3DES:!SRP:!PSK:@STRENGTH",
                   only + "ECDHE+AESGCM:!AES256", "AES_128_GCM")
        self.refuses(only + "AES128", only + "AES256")
        self.refuses(only + "aECDSA", only + "aRSA")

    def test_order(self):
        """The client's order holds unless the server wants its own."""
        suites = "sslVersion = TLSv1.2; ciphers = ECDHE-ECDSA-%s:ECDHE-ECDSA-%s"
        ours = suites % ("AES128-GCM-SHA256", "AES256-GCM-SHA384")
        theirs = suites % ("AES256-GCM-SHA384", "AES128-GCM-SHA256")
        self.opens(ours, theirs, "AES_256_GCM")
        self.opens(ours + "; options = CIPHER_SERVER_PREFERENCE", theirs, "AES_128_GCM")

    def test_ciphersuites(self):
        only = "sslVersion = TLSv1.3; ciphersuites = "
        self.opens(only + "TLS_CHACHA20_POLY1305_SHA256", "", "TLS_CHACHA20_POLY1305_SHA256")
        self.opens("", only + "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256")
        self.opens(only + "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256",
                   only + "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384")
        self.refuses(only + "TLS_AES_256_GCM_SHA384", only + "TLS_AES_128_GCM_SHA256")

    def test_curves(self):
        for version in ("TLSv1.2", "TLSv1.3"):
            # In 1.2 the curve of an ECDSA certificate would have to be among them.
            v = "sslVersion = %s; " % version
            s = "cert = {RSA}; " + v
            self.opens(s + "curves = secp384r1", "", "SECP384R1")
            self.opens("cert = {RSA}", v + "curves = P-384", "SECP384R1")
            self.opens(s + "curves = prime256v1:secp521r1", v + "curves = P-521", "SECP521R1")
            self.opens(s, v + "curve = X25519", "X25519")
            self.refuses(s + "curves = secp384r1", v + "curves = prime256v1")

    def test_security_level(self):
        chain = "verifyChain = yes; CAfile = {CA}; securityLevel = %d"
        self.opens("cert = {RSA}", chain % 2, "TLSv1.3 ")
        self.refuses("cert = {RSA}", chain % 3)
        self.opens("", chain % 3, "TLSv1.3 ")

    def test_tickets_and_compression(self):
        self.opens("options = NO_TICKET", "options = NO_TICKET; options = NO_COMPRESSION")


# A server's options, and who may come: with the leaf, its sibling, a stranger, nobody.
SERVER_MODES = (
    ("", "yyyy"),
    ("verify = 0", "yyyy"),
    ("requireCert = yes; CAfile = {CA}", "yyyn"),
    ("verifyChain = yes; CAfile = {CA}", "yynn"),
    ("verifyChain = yes; CApath = {FOLDER}", "yynn"),
    ("verifyPeer = yes; CAfile = {LEAF_CRT}", "ynnn"),
    ("verifyPeer = yes; CApath = {FOLDER}", "ynnn"),
    ("verifyPeer = yes; CAfile = {STRANGER_CRT}", "nnyn"),
    ("verify = 1; CAfile = {CA}", "yyny"),
    ("verify = 2; CAfile = {CA}", "yynn"),
    ("verify = 2; CAfile = {LEAF_CRT}", "nnnn"),
    ("verify = 3; CAfile = {LEAF_CA}", "ynnn"),
    ("verify = 4; CAfile = {LEAF_CRT}", "ynnn"),
    ("verifyChain = yes; CAfile = {CA}; checkHost = client.test", "ynnn"),
    ("verifyChain = yes; CAfile = {CA}; checkHost = no.test; checkHost = other.test", "nynn"),
)

# A client's options, and whether the server "server" may be it, and the server "stranger".
CLIENT_MODES = (
    ("", "yy"),
    ("verifyChain = yes; CAfile = {CA}", "yn"),
    ("verifyChain = yes; CApath = {FOLDER}", "yn"),
    ("verifyPeer = yes; CAfile = {SERVER_CRT}", "yn"),
    ("verifyPeer = yes; CAfile = {STRANGER_CRT}", "ny"),
    ("verify = 1; CAfile = {CA}", "yn"),
    ("verify = 2; CAfile = {CA}", "yn"),
    ("verify = 3; CAfile = {SERVER_CA}", "yn"),
    ("verify = 3; CAfile = {CA}", "nn"),
    ("verify = 4; CAfile = {SERVER_CRT}", "yn"),
    ("verifyChain = yes; CAfile = {CA}; checkHost = server.test", "yn"),
    ("verifyChain = yes; CAfile = {CA}; checkHost = elsewhere.test", "nn"),
    ("verifyChain = yes; CAfile = {CA}; checkIP = 127.0.0.1", "yn"),
    ("verifyChain = yes; CAfile = {CA}; checkIP = 127.0.0.2", "nn"),
    ("verifyChain = yes; CAfile = {CA}; checkEmail = op@server.test", "yn"),
    ("verifyChain = yes; CAfile = {CA}; checkEmail = no@server.test", "nn"),
    ("verifyPeer = yes; CAfile = {STRANGER_CRT}; checkHost = server.test", "ny"),
)


class Verification(Interop):

    def try_one(self, ours, sluss, port, options, may):
        with self.subTest(ours=ours, options=options):
            before = self.behind.count
            self.assertEqual(self.talk(port), "open" if may == "y" else "refused", sluss.log)
            if may == "y":
                wait_for(lambda: self.behind.count > before, "the backend's connection")
            else:
                self.assertEqual(self.behind.count, before)

    def test_servers(self):
        """Each mode as a server of theirs and ours; clients of the other, all in one process."""
        whos = ("leaf", "sibling", "stranger", None)
        for server_kind, client_kind in ((Sluss, Stunnel), (Stunnel, Sluss)):
            servers = [(options, may, self.start(server_kind, ("s", self.server_text(options))))
                       for options, may in SERVER_MODES]
            sections = []
            for i, (options, may, server) in enumerate(servers):
                for who in whos:
                    text = self.client_text("cert = {%s}" % who.upper() if who else "", server.port)
                    sections.append(("%d %s" % (i, who), text))
            client = self.start(client_kind, *sections)
            ports = ports_of(client)
            for i, (options, may, server) in enumerate(servers):
                for who, y in zip(whos, may):
                    sluss = server if server_kind is Sluss else client
                    self.try_one("server" if server_kind is Sluss else "client", sluss,
                               ports["%d %s" % (i, who)], "%s / %s" % (options, who), y)

    def test_clients(self):
        whos = ("server", "stranger")
        for server_kind, client_kind in ((Sluss, Stunnel), (Stunnel, Sluss)):
            servers = [self.start(server_kind, ("s", self.server_text("cert = {%s}" % who.upper())))
                       for who in whos]
            client = self.start(client_kind, *[
                ("%d %s" % (i, who), self.client_text(options, server.port))
                for i, (options, _) in enumerate(CLIENT_MODES)
                for who, server in zip(whos, servers)])
            ports = ports_of(client)
            for i, (options, may) in enumerate(CLIENT_MODES):
                for who, y, server in zip(whos, may, servers):
                    sluss = server if server_kind is Sluss else client
                    with self.subTest(ours="server" if server_kind is Sluss else "client",
                                      options=options, server=who):
                        self.assertEqual(self.talk(ports["%d %s" % (i, who)]),
                                         "open" if y == "y" else "refused", sluss.log[-3000:])


WORDS = """HIGH ALL AES AES128 AES256 AESGCM CHACHA20 ECDHE EECDH kECDHE kEECDH ECDH aRSA aECDSA
ECDSA RSA kRSA DHE DH aNULL eNULL SHA SHA1 SHA256 SHA384 MD5 MEDIUM LOW TLSv1.2 TLSv1 SSLv3 PSK
SRP CAMELLIA ARIA AESCCM 3DES RC4 ADH AECDH FIPS ECDHE-RSA-AES128-GCM-SHA256 AES128-SHA NOSUCH
ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-AES256-SHA384""".split()


class Words(Interop):
    """Cipher strings as OpenSSL reads them, in a random choice that is always the same."""

    def string(self, choice):
        parts = ["DEFAULT"] if choice.random() < 0.1 else []
        for i in range(choice.randint(1, 6)):
            parts.append((choice.choice("   !-+").strip() if parts else "") +
                         "+".join(choice.sample(WORDS, choice.choice((1, 1, 1, 2, 2, 3)))))
        if choice.random() < 0.3:
            parts.append("@STRENGTH")
        return choice.choice(":: ,").join(parts)

    def suites(self, string):
        """Those of OpenSSL's that we have."""
        done = run("openssl", "ciphers", "-stdname", string, check=False)
        names = [l.split()[0] for l in done.out.splitlines() if l.split()]
        return [n for n in names if re.match("TLS_ECDHE_(ECDSA|RSA)_WITH_(AES_..._GCM|CHACHA20)_", n)]

    def test_strings(self):
        choice = random.Random(1)
        wanted = {}
        while len(wanted) < 60:
            string = self.string(choice)
            if self.suites(string):
                wanted[string] = self.suites(string)
        path = self.config(*[("%d" % i, self.client_text("ciphers = " + string, 1))
                             for i, string in enumerate(wanted)])
        sections = run(harness.SLUSS, "check", path).out.split("\n[")[1:]
        self.assertEqual(len(sections), len(wanted))
        for section, (string, suites) in zip(sections, wanted.items()):
            with self.subTest(string=string):
                self.assertIn("\nciphers = %s\n" % ":".join(suites), section)


class Elsewhere(Interop):

    def test_redirect(self):
        outside = self.backend(lambda c: (c.recv(5), c.sendall(b"elsewhere"), c.recv(1)))
        options = "verifyChain = yes; CAfile = {CA}; redirect = %s" % outside.target
        for who, answer in (("leaf", b"hello"), ("stranger", b"elsewhere"), (None, b"elsewhere")):
            for ours, sluss, port in self.pairs(options, "cert = {%s}" % who.upper() if who else ""):
                with self.subTest(ours=ours, who=who):
                    self.assertEqual(self.talk(port, answer=answer), "open", sluss.log)

    def test_asked_name(self):
        """Our clients ask stunnel's sections by name."""
        named = self.backend(lambda c: (c.recv(5), c.sendall(b"named"), c.recv(1)))
        server = self.start(Stunnel, ("s", self.server_text("")), (
            "named", "sni = s:name.test; connect = %s; cert = {SERVER}" % named.target))
        for options, answer in (("", b"hello"), ("sni = name.test", b"named"),
                                ("sni =", b"hello"), ("sni = other.test", b"hello")):
            client = self.start(Sluss, ("c", self.client_text(options, ports_of(server)["s"])))
            self.assertEqual(self.talk(client.port, answer=answer), "open", client.log)


if __name__ == "__main__":
    harness.main()
