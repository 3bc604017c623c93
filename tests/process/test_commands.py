"""The commands as an operator meets them: what they say, how they exit, which
addresses they take, and what keygen makes.

A mistake of the operator is one sentence on stderr that says what to change, and exit
status 1; nothing listens then and no file is lost.
"""

import base64
import datetime
import ipaddress
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

import harness
from harness import SLUSS, Case, Program, connect, echo, run, wait_for

# A user that exists nowhere: nothing else of it runs.
STRANGER_UID = 54321

HAVE_IPV6 = socket.has_ipv6 and os.path.exists("/proc/net/if_inet6")


def make_identity(key, days=(-1, 30), name="made.test", hash_=None):
    """A self-signed certificate from days[0] to days[1] from now, as PEM."""
    now = datetime.datetime.utcnow()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .sign(key, hash_ or hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM))


def key_pem(key, password=None, traditional=False):
    form = serialization.PrivateFormat
    lock = (serialization.BestAvailableEncryption(password) if password
            else serialization.NoEncryption())
    return key.private_bytes(serialization.Encoding.PEM,
                             form.TraditionalOpenSSL if traditional else form.PKCS8, lock)


class Commands(Case):
    """What all these tests share."""

    def write(self, name, data, mode=0o600):
        path = self.path(name)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        os.chmod(path, mode)
        return path

    def read(self, path):
        with open(path, "rb") as f:
            return f.read()

    def refused(self, args, *patterns, **kw):
        """The command exits with 1 and one sentence on stderr that has all the patterns."""
        done = run(SLUSS, *args, check=False, **kw)
        self.assertEqual(done.returncode, 1, "%s: %s%s" % (args, done.out, done.err))
        self.assertEqual(done.out, "", args)
        lines = done.err.splitlines()
        said = [l for l in lines if re.match(r"sluss( keygen)?: ", l)]
        self.assertEqual(len(said), 1, done.err)
        self.assertEqual(said[0], lines[-1], "the error comes last")
        for pattern in patterns:
            self.assertRegex(said[0], pattern)
        self.assertNotRegex(done.err, "bound to")
        return done

    def server_args(self, **change):
        """A complete server command; a value of None leaves an option out."""
        args = {"accept": "127.0.0.1:0", "connect": "echo:", "cert": self.pem("server"),
                "peer": self.crt("client")}
        args.update(change)
        return ["server"] + [w for k, v in args.items() if v is not None
                             for w in ("--" + k, v)]

    def client_args(self, **change):
        args = {"accept": "127.0.0.1:0", "connect": "127.0.0.1:9",
                "cert": self.pem("client"), "peer": self.crt("server")}
        args.update(change)
        return ["client"] + [w for k, v in args.items() if v is not None
                             for w in ("--" + k, v)]

    def starts(self, args, **kw):
        return self.own(harness.Sluss(*args, **kw))

    def echoes(self, port, host="127.0.0.1"):
        """Bytes go through the tunnel at this port and come back."""
        with connect(port, host) as c:
            c.sendall(b"there and back")
            self.assertEqual(harness.recv_exactly(c, 14), b"there and back")

    def stopped(self, program):
        """Ends on SIGTERM with 0."""
        self.assertEqual(program.stop(), 0, program.log)

    def program_for_all(self):
        """A copy of the program in our folder, both open to other users."""
        copy = self.path("sluss")
        shutil.copyfile(SLUSS, copy)
        os.chmod(copy, 0o755)
        os.chmod(self.dir, 0o755)
        return copy


class Overview(Commands):
    """The program without a command, and the texts that it prints."""

    HELPS = (["--help"], ["-h"], ["help"], ["server", "--help"], ["client", "--help"],
             ["keygen", "--help"], ["help", "server"], ["help", "keygen"],
             ["server", "-h"], ["client", "--HELP"])
    VERSIONS = (["--version"], ["-V"], ["version"])

    def test_help_and_version(self):
        """Asked for, they go to stdout and the exit status is 0."""
        for args in self.HELPS:
            done = run(SLUSS, *args)
            self.assertEqual(done.err, "", args)
            self.assertIn("Usage: sluss", done.out)
            for line in done.out.splitlines():
                self.assertLessEqual(len(line), 80, line)
        for args in self.VERSIONS:
            done = run(SLUSS, *args)
            self.assertEqual(done.err, "", args)
            self.assertRegex(done.out, r"^sluss \d+\.\d+\S*\n")

    def test_help_lists_every_option(self):
        """The options that the issue names are in the help of both commands."""
        for command in "server", "client":
            text = run(SLUSS, command, "--help").out
            for option in ("accept", "connect", "cert", "key", "peer", "cafile", "checkhost",
                           "insecure", "abort", "timeoutbusy", "timeoutconnect",
                           "timeoutidle", "timeoutclose", "timeoutdrain", "maxtunnels",
                           "debug", "service"):
                self.assertRegex(text, r"(?m)^  --%s\b" % option)

    def test_help_defaults(self):
        text = re.sub(r"\s+", " ", run(SLUSS, "server", "--help").out)
        for option, default in (("timeoutbusy", "10"), ("timeoutconnect", "10"),
                                ("timeoutidle", "43200"), ("timeoutclose", "60"),
                                ("timeoutdrain", "30"), ("abort", "strict")):
            self.assertRegex(text, r" --%s (?:(?! --).)*Default: %s\." % (option, default))

    def test_output_that_cannot_be_written(self):
        """A text that did not reach its reader is a failure."""
        for args in self.HELPS + self.VERSIONS:
            with self.subTest(args=args), open("/dev/full", "wb") as full:
                done = subprocess.run([SLUSS] + args, stdout=full, stderr=subprocess.PIPE,
                                      timeout=harness.PATIENCE)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(b"No space left on device", done.stderr)

    def test_no_arguments(self):
        """Without a command the overview goes to stderr, and it is an error."""
        done = run(SLUSS, check=False)
        self.assertEqual((done.returncode, done.out), (1, ""))
        self.assertIn("Usage: sluss COMMAND", done.err)
        for command in "server", "client", "keygen":
            self.assertIn("sluss " + command, done.err)

    def test_unknown_command(self):
        self.refused(["sever"], r"unknown command sever \(did you mean server\?\)")
        self.refused(["clinet"], r"unknown command clinet \(did you mean client\?\)")
        self.refused(["keygne"], r"did you mean keygen\?")
        self.refused(["xyzzy"], "unknown command xyzzy: .*sluss --help")
        self.refused([""], "unknown command")
        self.refused(["--accept", "4433"], "unknown command --accept")

    def test_command_without_arguments(self):
        """Each missing part is asked for, with an example of what to add."""
        self.refused(["server"], "--accept is missing: add .*--accept 4433")
        self.refused(["client"], "--accept is missing: add .*--accept 127.0.0.1:6379")
        self.refused(["keygen"], "NAME is missing", "sluss keygen server --dns")


class Options(Commands):
    def test_missing_options(self):
        self.refused(self.server_args(connect=None), "--connect is missing: add ")
        self.refused(self.client_args(connect=None), "--connect is missing: add ")
        self.refused(self.server_args(cert=None), "--cert is missing",
                     "sluss keygen server --dns HOST", "add --cert server.pem")
        self.refused(self.client_args(cert=None), "--cert is missing",
                     "sluss keygen client", "add --cert client.pem")

    def test_missing_peer_and_cafile(self):
        """Verification is mandatory in both modes; the error says what to add."""
        self.refused(self.server_args(peer=None), "which client may pass",
                     "add --peer client.crt", "--cafile ca.crt", "--insecure")
        self.refused(self.client_args(peer=None), "which server may pass",
                     "add --peer server.crt", "--cafile ca.crt", "--insecure")
        self.refused(self.client_args(peer=None) + ["--checkhost", "localhost"],
                     "add --peer server.crt")

    def test_unknown_option(self):
        """The nearest name is offered, where there is one."""
        for wrong, right in (("--acept", "--accept"), ("--conect", "--connect"),
                             ("--certificate", None), ("--ca", "--cafile"),
                             ("--pear", "--peer"), ("-cert", "--cert"),
                             ("--timeout-idle", "--timeoutidle"),
                             ("--chekhost", "--checkhost"), ("--xyzzy", None),
                             ("-x", None), ("--max-tunnels", "--maxtunnels")):
            with self.subTest(option=wrong):
                says = (r"\(did you mean %s\?\)" % right if right
                        else r'"sluss server --help" lists them|did you mean')
                self.refused(self.server_args() + [wrong, "1"],
                             "unknown option " + wrong, says)
        self.refused(self.client_args() + ["--xyzzy=1"], '"sluss client --help"')
        self.refused(["keygen", "x", "--dnss", "a"], r"did you mean --dns\?")

    def test_option_without_value(self):
        self.refused(["server", "--accept"], "--accept needs a value: write --accept ADDRESS")
        self.refused(["server", "--accept", "--connect", "echo:"], "--accept needs a value")
        self.refused(["keygen", "x", "--dns"], "--dns needs a value: write --dns HOST")

    def test_stray_argument(self):
        self.refused(self.server_args() + ["4433"], 'stray argument "4433"', "--name value")
        self.refused(["server", "-"], 'stray argument "-"')
        self.refused(self.server_args() + ["--"], 'stray argument "--"')

    def test_option_names_in_any_case(self):
        """Names are stunnel's, in whatever case, with a blank or "=" before the value."""
        program = self.starts([
            "server", "--ACCEPT", "127.0.0.1:0", "--Connect=echo:", "--cErT",
            self.pem("server"), "--pEER=" + self.crt("client"), "--TIMEOUTidle", "7",
            "--timeoutBUSY=8", "--Debug", "INFO", "--SERVICE", "Any Case"])
        program.wait_log(r"Service \[Any Case\]")
        self.stopped(program)

    def test_bad_values(self):
        for more, *patterns in (
                (["--timeoutidle", "soon"], '"soon" is not a whole number', "1 to .* seconds"),
                (["--timeoutidle", "0"], "--timeoutidle: 0 is out of range: give 1 to"),
                (["--timeoutbusy", "-1"], "--timeoutbusy", "not a whole number"),
                (["--timeoutconnect", "1.5"], "--timeoutconnect", "not a whole number"),
                (["--timeoutclose", "99999999999999999999"], "out of range: give 0 to"),
                (["--timeoutdrain", "10s"], "--timeoutdrain", "not a whole number"),
                (["--maxtunnels", "0"], "--maxtunnels: 0 is out of range: give 1 to"),
                (["--acceptthreads", "257"], "--acceptthreads: 257 is out of range"),
                (["--workerthreads", "many"], "--workerthreads", "not a whole number"),
                (["--debug", "8"], "--debug", "0 to 7", "warning"),
                (["--debug", "loud"], "--debug", '"loud" is not known here'),
                (["--abort", "maybe"], "--abort", "give one of strict, compat"),
                (["--sslversion", "TLSv1.1"], "known attacks", "give TLSv1.2 or TLSv1.3"),
                (["--sslversionmin", "SSLv3"], "SSLv3 is refused"),
                (["--sslversionmax", "TLSv9"], "give one of TLSv1.2, TLSv1.3"),
                (["--sslversionmin", "TLSv1.3", "--sslversionmax", "TLSv1.2"],
                 "is above --sslversionmax"),
                (["--service", ""], "--service", "no good name"),
                (["--service", "a\tb"], "--service", "no good name"),
                (["--checkhost", "a:443"], "--checkhost", "without port"),
                (["--checkhost", "*.test"], "--checkhost", "not a host name"),
                (["--cert", ""], "--cert", "name is empty"),
                (["--insecure=perhaps"], "--insecure", "neither yes nor no"),
                (["--insecure", "no"], 'stray argument "no": write --insecure=no')):
            with self.subTest(more=more):
                self.refused(self.server_args() + more, *patterns)

    def test_insecure(self):
        """It must be asked for, alone, and is logged at each start."""
        for kind in "peer", "cafile", "checkhost":
            self.refused(self.server_args(peer=None) + [
                "--insecure", "--" + kind,
                "localhost" if kind == "checkhost" else self.crt("client")],
                "--insecure contradicts --" + kind, "leave one of them out")
        self.refused(self.server_args(peer=None, cert=None) + ["--insecure"],
                     "--cert is missing")
        self.refused(self.server_args(peer=None) + ["--insecure=no"], "add --peer client.crt")
        self.refused(self.client_args(peer=None, cert=None, key=self.pem("client"))
                     + ["--insecure"], "--key without --cert")
        server = self.starts(self.server_args(peer=None) + ["--insecure"])
        server.wait_log(r"LOG4\[main\]: Service \[server\] INSECURE")
        client = self.starts(self.client_args(
            peer=None, cert=None, connect="127.0.0.1:%d" % server.port) + ["--insecure"])
        client.wait_log(r"LOG4\[main\]: Service \[client\] INSECURE")
        self.echoes(client.port)
        server.ends("peer without certificate")
        client.ends(r"\(not verified\)")
        plain = self.starts(self.server_args() + ["--insecure=no"])
        self.assertNotIn("INSECURE", plain.log)

    def test_checkhost_for_unix_target(self):
        """A CA alone lets in whom it issued for, so the name must be known."""
        target = self.path("target")
        self.refused(self.client_args(peer=None, cafile=self.crt("server"), connect=target),
                     "--checkhost is missing", "gives no name", "add e.g. --checkhost")
        self.stopped(self.starts(self.client_args(
            peer=None, cafile=self.crt("server"), connect=target, checkhost="localhost")))
        # The exact certificate is a name of its own.
        self.stopped(self.starts(self.client_args(connect=target)))

    def test_stdio_and_echo_where_they_make_no_sense(self):
        self.refused(self.server_args(accept="-"), "--accept - is for client mode")
        self.refused(self.client_args(connect="-"), "--connect - is for server mode")
        self.refused(self.client_args(connect="echo:"), "echo: is for server mode")
        self.refused(self.server_args(accept="echo:"), "--accept echo: makes no sense")
        self.refused(self.client_args(accept="-") + ["--accept", "127.0.0.1:0"],
                     "must be the only --accept")
        self.refused(self.server_args(connect="-") + ["--connect", "127.0.0.1:9"],
                     "must be the only --connect")


class Files(Commands):
    """Key and certificate files that are not what they should be."""

    def both_modes(self, change, *patterns):
        self.refused(self.server_args(**change), *patterns)
        self.refused(self.client_args(**change), *patterns)

    def test_missing(self):
        gone = self.path("gone.pem")
        for option in "cert", "key", "peer", "cafile":
            self.both_modes({option: gone}, re.escape(gone), "there is no such file")

    def test_unreadable(self):
        """For another user, whom the file's mode keeps out; the mode is not the only bar."""
        program = self.program_for_all()
        secret = self.write("secret.pem", self.read(self.pem("server")))
        peer = self.write("peer.crt", self.read(self.crt("client")), 0o644)
        kw = {}
        if os.geteuid() == 0:
            kw = {"user": STRANGER_UID, "group": STRANGER_UID, "extra_groups": []}
        else:
            os.chmod(secret, 0)
        for options in (["--cert", secret, "--peer", peer],
                        ["--cert", peer, "--key", secret, "--peer", peer]):
            done = run(program, "server", "--accept", "127.0.0.1:0", "--connect", "echo:",
                       *options, check=False, **kw)
            self.assertEqual(done.returncode, 1, done.err)
            self.assertIn("sluss: %s: permission denied; let the user" % secret, done.err)
        os.chmod(secret, 0o644)
        os.chmod(peer, 0)
        done = run(program, "server", "--accept", "127.0.0.1:0", "--connect", "echo:",
                   "--cert", secret, "--peer", peer, check=False, **kw)
        self.assertEqual(done.returncode, 1, done.err)
        self.assertIn("%s: permission denied" % peer, done.err)

    def test_readable_by_others(self):
        """A warning that says what to do; it still runs.  A certificate may be read."""
        key, crt = self.pem("server"), self.crt("server")
        for mode in 0o644, 0o640, 0o604:
            loose = self.write("loose%o.pem" % mode, self.read(key), mode)
            for change in {"cert": loose}, {"cert": crt, "key": loose}:
                program = self.starts(self.server_args(**change))
                program.wait_log(r"LOG4\[main\]: .*%s can be read by others; run: chmod 600 %s"
                                 % (re.escape(loose), re.escape(loose)))
                self.tls(program.port).close_notify()
                self.stopped(program)
        program = self.starts(self.server_args(cert=crt, key=key))
        self.assertNotIn("can be read", program.log)

    def test_mismatched(self):
        self.both_modes({"cert": self.crt("stranger"), "key": self.pem("client")},
                        "does not belong to the certificate", "--key and --cert",
                        re.escape(self.pem("client")), re.escape(self.crt("stranger")))

    def test_mismatched_kinds(self):
        rsa_key = self.write("rsa.key", key_pem(rsa.generate_private_key(65537, 2048)))
        ed_key = self.write("ed.key", key_pem(ed25519.Ed25519PrivateKey.generate()))
        for key in rsa_key, ed_key:
            self.both_modes({"cert": self.crt("stranger"), "key": key},
                            "does not belong to the certificate", re.escape(key))

    def test_expired_own(self):
        """A loud warning with the date; it runs, and peers refuse it."""
        key = ec.generate_private_key(ec.SECP256R1())
        old = self.write("old.pem", key_pem(key) + make_identity(key, (-30, -2)))
        date = (datetime.datetime.utcnow() - datetime.timedelta(days=2)).strftime("%Y-%m-%d")
        for args in self.server_args(cert=old), self.client_args(cert=old):
            program = self.starts(args)
            program.wait_log(r"LOG4\[main\]: .*OUR OWN CERTIFICATE HAS EXPIRED: %s .*%s"
                             % (re.escape(old), date))
            self.stopped(program)

    def test_not_yet_valid_own(self):
        key = ec.generate_private_key(ec.SECP256R1())
        new = self.write("new.pem", key_pem(key) + make_identity(key, (2, 30)))
        program = self.starts(self.server_args(cert=new))
        program.wait_log(r"LOG4\[main\]: .*not valid yet: %s" % re.escape(new))
        self.stopped(program)

    def test_encrypted(self):
        """Nobody could type a passphrase; the way out is named."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = make_identity(key)
        for traditional in False, True:
            locked = self.write("locked.pem", key_pem(key, b"pass", traditional) + cert)
            self.both_modes({"cert": locked}, re.escape(locked), "the key is encrypted",
                            "openssl pkey -in")

    def test_encrypted_advice_works(self):
        """The command that the message names makes a file that is taken."""
        openssl = harness.need("openssl")
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self.write("c.crt", make_identity(key))
        locked = self.write("locked.key", key_pem(key, b"pass"))
        said = self.refused(self.server_args(cert=cert, key=locked), "encrypted").err
        command = re.search(r'"openssl (pkey [^"]*)"', said).group(1)
        words = shlex.split(command.replace("NEW", self.path("new.key")))
        run(openssl, *words, "-passin", "pass:pass")
        os.chmod(self.path("new.key"), 0o600)
        self.stopped(self.starts(self.server_args(cert=cert, key=self.path("new.key"))))

    def test_malformed(self):
        """Each kind of damage is named, with the file, and where it can be with the line."""
        pem = self.read(self.pem("server")).decode()
        key, crt = (re.search(r"-----BEGIN %s-----\n.*?-----END %s-----\n" % (w, w), pem,
                              re.S).group(0) for w in ("(?:EC )?PRIVATE KEY", "CERTIFICATE"))
        body = key.splitlines()
        cut = "\n".join(body[:-1]) + "\n"
        bad64 = key.replace(body[1], "!" + body[1][1:])
        no_key = body[0] + "\n" + base64.b64encode(b"no key at all").decode() + "\n" + \
            body[-1] + "\n"
        crt_body = crt.splitlines()
        no_crt = crt_body[0] + "\n" + base64.b64encode(b"no certificate").decode() + "\n" + \
            crt_body[-1] + "\n"
        for what, text, patterns in (
                ("text", "no PEM at all\n", ["no certificate in this file"]),
                ("cut key", crt + cut, [r"line \d+: .*has no \"END", "cut short"]),
                ("cut certificate", key + "\n".join(crt_body[:-1]), ["has no \"END"]),
                ("bad base64", crt + bad64, [r"line \d+: .*damaged: it is not base64"]),
                ("no key", crt + no_key, [r"line \d+: the key is damaged", "sluss keygen"]),
                ("no certificate", key + no_crt, [r"line \d+: the certificate is malformed"]),
                ("zeros", "\0" * 5000, ["no certificate in this file"]),
                ("a megabyte too many", "x" * (1024 * 1024 + 1), ["larger than 1 MiB"])):
            with self.subTest(what=what):
                path = self.write("bad.pem", text)
                done = self.refused(self.server_args(cert=path), re.escape(path), *patterns)
                for line in body[1:-1]:
                    self.assertNotIn(line, done.err, "a part of the key is in the message")

    def test_der(self):
        openssl = harness.need("openssl")
        der = self.path("server.der")
        run(openssl, "x509", "-in", self.crt("server"), "-outform", "DER", "-out", der)
        self.refused(self.server_args(cert=der, key=self.pem("server")), re.escape(der),
                     "DER, not PEM", "openssl x509 -inform DER")
        run(openssl, "pkey", "-in", self.pem("server"), "-outform", "DER", "-out", der)
        self.refused(self.server_args(cert=self.crt("server"), key=der), "DER, not PEM",
                     "openssl pkey -inform DER")

    def test_empty(self):
        empty = self.write("empty.pem", b"")
        for option in "cert", "key", "peer", "cafile":
            self.both_modes({option: empty}, re.escape(empty), "the file is empty")

    def test_directory_and_other_kinds(self):
        """Neither a directory nor a pipe, which would be waited for without end."""
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        for option in "cert", "key", "peer", "cafile":
            self.refused(self.server_args(**{option: self.dir}), re.escape(self.dir),
                         "this is a directory")
            self.refused(self.server_args(**{option: fifo}), "not a plain file")
        self.refused(self.server_args(cert="/dev/null"), "/dev/null: ")

    def test_swapped(self):
        """The certificate alone as --cert, the key alone, or the two exchanged."""
        key = ec.generate_private_key(ec.SECP256R1())
        key_file = self.write("own.key", key_pem(key))
        crt_file = self.write("own.crt", make_identity(key))
        public = self.write("own.pub", key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
        self.both_modes({"cert": crt_file}, re.escape(crt_file), "no private key in this file",
                        "name the file that has it")
        self.both_modes({"cert": key_file}, re.escape(key_file), "no certificate in this file")
        self.both_modes({"cert": key_file, "key": crt_file}, "no certificate in this file")
        self.both_modes({"cert": crt_file, "key": crt_file}, "no private key in this file")
        self.both_modes({"cert": crt_file, "key": public}, "no private key in this file")
        self.both_modes({"peer": key_file}, re.escape(key_file), "no certificate in this file")
        self.stopped(self.starts(self.server_args(cert=crt_file, key=key_file)))

    def test_weak(self):
        """Too short a key and SHA-1 are refused, with what to run instead."""
        short = rsa.generate_private_key(65537, 1024)
        long = rsa.generate_private_key(65537, 2048)
        short_pem = self.write("short.pem", key_pem(short) + make_identity(short))
        sha1_pem = self.write("sha1.pem", key_pem(long)
                              + make_identity(long, hash_=hashes.SHA1()))
        for path, word in (short_pem, "1024"), (sha1_pem, "SHA-1"):
            self.both_modes({"cert": path}, re.escape(path), word, "sluss keygen|openssl req")
            self.refused(self.server_args(peer=path), re.escape(path), word,
                         "sluss keygen|openssl req")

    def test_malformed_peer_and_cafile(self):
        good = self.read(self.crt("client"))
        for option in "peer", "cafile":
            for data, pattern in ((b"words\n", "no certificate in this file"),
                                  (good[:200], 'has no "END CERTIFICATE"'),
                                  (good.replace(b"MII", b"NII", 1), "malformed|damaged"),
                                  (good + good[:100], 'line \\d+: .*has no "END'),
                                  (good.replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"),
                                   "TRUSTED CERTIFICATE")):
                with self.subTest(option=option, pattern=pattern):
                    bad = self.write("bad.crt", data)
                    self.both_modes({option: bad}, re.escape(bad), pattern)
        # A good one beside it changes nothing.
        bad = self.write("bad.crt", b"words\n")
        self.refused(self.server_args() + ["--peer", bad], re.escape(bad))

    def test_key_never_shown(self):
        """No part of the key in the arguments, the environment or the log, however loud."""
        pem = self.read(self.pem("server")).decode()
        block = re.search(r"-----BEGIN (EC )?PRIVATE KEY-----\n(.*?)-----END", pem, re.S)
        lines = block.group(2).split()
        der = base64.b64decode("".join(lines))
        scalar = serialization.load_der_private_key(der, None).private_numbers().private_value
        secret = scalar.to_bytes(32, "big")
        program = self.starts(self.server_args() + ["--debug", "7"])
        wire = self.tls(program.port)
        wire.write(b"hello")
        self.assertEqual(wire.read_exactly(5), b"hello")
        wire.close_notify()
        wire.outcome()
        program.ends("closed")
        shown = self.read("/proc/%d/cmdline" % program.pid)
        shown += self.read("/proc/%d/environ" % program.pid)
        self.stopped(program)
        shown += program.log.encode()
        for piece in [l.encode() for l in lines] + [
                secret, secret.hex().encode(), secret.hex().upper().encode(),
                ":".join("%02X" % b for b in secret).encode(), base64.b64encode(secret)]:
            self.assertNotIn(piece, shown)


class Addresses(Commands):
    BAD = (("", "the address is empty: give PORT, HOST:PORT"),
           (":", "lacks the port"),
           ("127.0.0.1:", "lacks the port"),
           ("1.2.3:80", '"1.2.3" is no IPv4 address'),
           ("1.2.3.4.5:80", "is no IPv4 address"),
           ("256.1.1.1:80", "is no IPv4 address"),
           ("[::1]", r"lacks the port: write \[IPV6\]:PORT"),
           ("[::1", "lacks the closing bracket"),
           ("[::1]80", "lacks the port"),
           ("[]:80", "no IPv6 address in its brackets"),
           ("[localhost]:80", "brackets are for IPv6 only"),
           ("[1.2.3.4]:80", "brackets are for IPv6 only"),
           ("::1", "is no IPv6 address"),
           ("fe80::abcd", r"lacks the port: write \[fe80::abcd\]:PORT"),
           ("1:2:3:80", "is no IPv6 address"),
           ("no-such-service", "neither a port number nor a service name"),
           ("65536", "port 65536 is out of range: give 0 to 65535"),
           ("127.0.0.1:99999999999999999999", "is out of range"),
           ("-1", "neither a port number nor a service name"),
           ("+80", "neither a port number"),
           (" 80", "neither a port number"),
           ("80 ", "neither a port number"),
           ("0x50", "neither a port number"),
           ("localhost:no such", "neither a number nor a service name"),
           ("a b:80", "is no host name"),
           ("http://127.0.0.1:80", "is a URL: give HOST:PORT"),
           ("@abstract", "abstract sockets are not supported"),
           ("/" + "x" * 120, "too long: give one of at most 107 bytes"))

    def test_bad_addresses(self):
        """Every kind, for listening and for connecting; the option is named."""
        for text, pattern in self.BAD:
            with self.subTest(address=text):
                self.refused(self.server_args(accept=text), "--accept: ", pattern)
                self.refused(self.client_args(connect=text), "--connect: ", pattern)
        self.refused(self.client_args(connect="127.0.0.1:0"), "nothing listens on port 0")
        self.refused(self.server_args(connect="0"), "nothing listens on port 0")

    def test_port_in_use(self):
        holder = self.own(socket.socket())
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = "127.0.0.1:%d" % holder.getsockname()[1]
        for args in self.server_args(accept=address), self.client_args(accept=address):
            self.refused(args, r"Binding service \[%s\] to %s failed" % (args[0], address),
                         "Address already in use")

    def test_port_in_use_beside_a_free_one(self):
        """Nothing that was opened before the error is left behind."""
        holder = self.own(socket.socket())
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        path = self.path("socket")
        done = run(SLUSS, *self.server_args(accept=path), "--accept",
                   "127.0.0.1:%d" % holder.getsockname()[1], check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Address already in use", done.err)
        self.assertFalse(os.path.lexists(path), "its own unix socket is left")

    def test_address_of_another_machine(self):
        self.refused(self.server_args(accept="192.0.2.1:0"), "Binding service",
                     "Cannot assign requested address")

    def echo_pair(self, server_accept, client_connect=None, client_accept="127.0.0.1:0"):
        """A pair over these addresses in front of an echo; returns both."""
        server = self.server("echo:", accept=server_accept)
        bound = server.bound()[0]
        target = client_connect or bound
        if target.endswith(":PORT"):
            target = target[:-4] + bound.rsplit(":", 1)[1]
        client = self.client(target, accept=client_accept)
        return server, client

    def test_host_and_port(self):
        server, client = self.echo_pair("127.0.0.1:0", "127.0.0.1:PORT")
        self.assertRegex(server.bound()[0], r"^127\.0\.0\.1:[1-9]\d*$")
        self.echoes(client.port)

    def test_name(self):
        """localhost, for listening and for connecting."""
        server, client = self.echo_pair("localhost:0", "localhost:PORT",
                                        client_accept="localhost:0")
        host = client.bound()[0].rsplit(":", 1)[0].strip("[]")
        self.echoes(client.port, host)
        self.assertTrue(ipaddress.ip_address(host).is_loopback)
        server.wait_log("bound to")

    def test_port_alone_as_target(self):
        """A port without a host is this machine's."""
        backend = self.backend(echo)
        server = self.server(str(backend.port))
        client = self.client("%d" % server.port)
        self.echoes(client.port)

    @unittest.skipUnless(HAVE_IPV6 or os.environ.get("SLUSS_NO_SKIP"), "no IPv6 here")
    def test_ipv6(self):
        """In brackets and, since the last colon is the port's, without."""
        for listen, to in (("[::1]:0", "[::1]:PORT"), ("::1:0", "::1:PORT"),
                           ("[::1]:0", "::1:PORT")):
            server, client = self.echo_pair(listen, to)
            self.assertRegex(server.bound()[0], r"^\[::1\]:[1-9]\d*$")
            self.echoes(client.port)
            client.stop()
            self.assertIn("-> [::1]:%d: closed" % server.port, client.log)

    @unittest.skipUnless(HAVE_IPV6 or os.environ.get("SLUSS_NO_SKIP"), "no IPv6 here")
    def test_port_alone_listens_on_both_families(self):
        server = self.server("echo:", accept="0")
        client4 = self.client("127.0.0.1:%d" % server.port)
        client6 = self.client("[::1]:%d" % server.port)
        both = self.client("127.0.0.1:%d" % server.port, accept="0")
        self.echoes(client4.port)
        self.echoes(client6.port)
        self.echoes(both.port)
        self.echoes(both.port, "::1")
        self.assertEqual(len(server.bound()), 1, "one socket for both families")

    def test_several_accepts(self):
        path = self.path("second")
        server = self.starts(self.server_args() + ["--accept", path, "--accept",
                                                   "127.0.0.1:0"])
        wait_for(lambda: len(server.bound()) == 3, "three listeners")
        for target in server.bound():
            client = self.client(target)
            self.echoes(client.port)

    def test_unix_listen_and_connect(self):
        """The path is in the ready line; the file is there while it runs, no longer."""
        backend_path, server_path, client_path = map(self.path, ("b", "s", "c"))
        self.backend(echo, family=socket.AF_UNIX, address=backend_path)
        server = self.server(backend_path, accept=server_path)
        client = self.client(server_path, accept=client_path)
        self.assertTrue(server.bound()[0].endswith(server_path), server.log)
        with socket.socket(socket.AF_UNIX) as c:
            c.settimeout(harness.PATIENCE)
            c.connect(client_path)
            c.sendall(b"over unix sockets")
            c.shutdown(socket.SHUT_WR)
            self.assertEqual(harness.recv_all(c), b"over unix sockets")
        self.stopped(client)
        self.stopped(server)
        self.assertFalse(os.path.lexists(server_path))
        self.assertFalse(os.path.lexists(client_path))

    def test_unix_stale(self):
        """A socket file that nobody listens on is replaced."""
        path = self.path("stale")
        left = socket.socket(socket.AF_UNIX)
        left.bind(path)
        left.listen()
        left.close()
        server = self.server("echo:", accept=path)
        client = self.client(path)
        self.echoes(client.port)
        self.stopped(server)
        self.assertFalse(os.path.lexists(path))

    def test_unix_stale_after_kill(self):
        """sluss killed hard leaves one too; the next start takes the path over."""
        path = self.path("killed")
        first = self.server("echo:", accept=path)
        first.kill()
        self.assertTrue(stat.S_ISSOCK(os.lstat(path).st_mode))
        self.server("echo:", accept=path)
        client = self.client(path)
        self.echoes(client.port)

    def test_unix_live(self):
        """A path in use is an error, and its owner goes on undisturbed."""
        path = self.path("live")
        first = self.server("echo:", accept=path)
        client = self.client(path)
        self.refused(self.server_args(accept=path), "Binding service", re.escape(path),
                     "Address already in use")
        self.echoes(client.port)
        self.assertTrue(first.alive())

    def test_unix_live_with_a_full_backlog(self):
        """An owner that does not accept at the moment is one all the same."""
        path = self.path("busy")
        owner = self.own(socket.socket(socket.AF_UNIX))
        owner.bind(path)
        owner.listen(0)
        waiting = []
        while True:
            c = self.own(socket.socket(socket.AF_UNIX))
            c.setblocking(False)
            try:
                c.connect(path)
            except BlockingIOError:
                break
            waiting.append(c)
            self.assertLess(len(waiting), 100)
        inode = os.lstat(path).st_ino
        self.refused(self.server_args(accept=path), "Address already in use")
        self.assertEqual(os.lstat(path).st_ino, inode)

    def test_unix_other_files(self):
        """A regular file, a folder or a link at that path is not touched."""
        regular = self.write("regular", b"precious")
        link = self.path("link")
        os.symlink(regular, link)
        os.mkdir(self.path("folder"))
        for path in regular, link, self.path("folder"):
            self.refused(self.server_args(accept=path), re.escape(path),
                         "exists and is not a socket", "remove it")
        self.assertEqual(self.read(regular), b"precious")
        self.assertTrue(os.path.islink(link))
        self.refused(self.server_args(accept=self.path("no/folder/here")),
                     "No such file or directory")

    def test_unix_twice(self):
        """The same path twice is a mistake, not a reason to replace our own socket."""
        path = self.path("twice")
        self.refused(self.server_args(accept=path) + ["--accept", path],
                     "Address already in use")
        self.assertFalse(os.path.lexists(path))

    def test_unix_socket_of_a_successor(self):
        """What another process put there after our file was removed is not ours to take."""
        path = self.path("moved")
        first = self.server("echo:", accept=path)
        os.unlink(path)
        successor = self.own(socket.socket(socket.AF_UNIX))
        successor.bind(path)
        successor.listen()
        self.stopped(first)
        self.assertTrue(os.path.lexists(path), "the successor's socket was removed")


class Keygen(Commands):
    def keygen(self, name, *args, check=True, **kw):
        kw.setdefault("cwd", self.dir)
        return run(os.path.abspath(SLUSS), "keygen", name, *args, check=check, **kw)

    def made(self, name):
        """(private key, certificates of the .pem, certificate of the .crt)"""
        pem = self.read(self.path(name + ".pem"))
        certs = [x509.load_pem_x509_certificate(c) for c in re.findall(
            b"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", pem, re.S)]
        crt = self.read(self.path(name + ".crt"))
        self.assertEqual(crt.count(b"BEGIN"), 1)
        self.assertNotIn(b"PRIVATE", crt)
        key = serialization.load_pem_private_key(pem, None)
        return key, certs, x509.load_pem_x509_certificate(crt)

    def extension(self, cert, oid):
        return cert.extensions.get_extension_for_oid(oid)

    def no_files_but(self, *names):
        self.assertEqual(sorted(os.listdir(self.dir)), sorted(names))

    def test_types(self):
        """Every type makes the key it says, and a pair of tunnels runs with it."""
        kinds = (([], ec.EllipticCurvePrivateKey), (["--type", "ecdsa"],
                 ec.EllipticCurvePrivateKey), (["--type", "ed25519"],
                 ed25519.Ed25519PrivateKey), (["--TYPE=RSA3072"], rsa.RSAPrivateKey))
        for i, (args, kind) in enumerate(kinds):
            with self.subTest(type=args):
                name = "t%d" % i
                self.keygen(name, "--dns", "localhost", *args)
                key, certs, crt = self.made(name)
                self.assertIsInstance(key, kind)
                if kind is rsa.RSAPrivateKey:
                    self.assertEqual(key.key_size, 3072)
                if kind is ec.EllipticCurvePrivateKey:
                    self.assertEqual(key.curve.name, "secp256r1")
                self.assertEqual(certs, [crt])
                self.assertEqual(crt.issuer, crt.subject)
                pem, crt = self.path(name + ".pem"), self.path(name + ".crt")
                server = self.starts(self.server_args(cert=pem, peer=crt))
                client = self.starts(self.client_args(
                    cert=pem, peer=crt, connect="127.0.0.1:%d" % server.port))
                self.echoes(client.port)
        self.assertIn("give one of ecdsa, ed25519, rsa3072",
                      self.keygen("x", "--type", "dsa", check=False).err)

    def test_certificate(self):
        """SANs of all kinds as given, both EKUs, a random serial, the dates."""
        before = datetime.datetime.utcnow().replace(microsecond=0)
        self.keygen("all", "--dns", "db.example.org", "--dns", "*.example.org", "--ip",
                    "192.0.2.7", "--ip", "2001:db8::7", "--uri",
                    "spiffe://example.org/db", "--email", "db@example.org", "--cn",
                    "The data base", "--days", "42")
        _, _, cert = self.made("all")
        san = self.extension(cert, ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
        self.assertEqual(san.get_values_for_type(x509.DNSName),
                         ["db.example.org", "*.example.org"])
        self.assertEqual(san.get_values_for_type(x509.IPAddress),
                         [ipaddress.ip_address("192.0.2.7"),
                          ipaddress.ip_address("2001:db8::7")])
        self.assertEqual(san.get_values_for_type(x509.UniformResourceIdentifier),
                         ["spiffe://example.org/db"])
        self.assertEqual(san.get_values_for_type(x509.RFC822Name), ["db@example.org"])
        self.assertEqual(set(self.extension(cert, ExtensionOID.EXTENDED_KEY_USAGE).value),
                         {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH})
        self.assertEqual(cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value,
                         "The data base")
        self.assertFalse(self.extension(cert, ExtensionOID.BASIC_CONSTRAINTS).value.ca)
        self.assertLessEqual(cert.not_valid_before, datetime.datetime.utcnow())
        days = (cert.not_valid_after - before).total_seconds() / 86400
        self.assertAlmostEqual(days, 42, delta=0.1)
        self.keygen("other")
        _, _, other = self.made("other")
        self.assertNotEqual(cert.serial_number, other.serial_number)
        for c in cert, other:
            self.assertGreater(c.serial_number.bit_length(), 64)
            self.assertLessEqual(c.serial_number.bit_length(), 159)
        self.assertEqual(other.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value,
                         "other")

    def test_fingerprint_and_end_date(self):
        """What is printed is what openssl says of the file."""
        openssl = harness.need("openssl")
        for kind in "ecdsa", "ed25519":
            said = self.keygen("fp-" + kind, "--type", kind).out
            crt = self.path("fp-%s.crt" % kind)
            shown = re.search(r"SHA-256 fingerprint: ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})\n",
                              said).group(1)
            real = run(openssl, "x509", "-in", crt, "-noout", "-fingerprint", "-sha256").out
            self.assertEqual(real.strip().split("=")[1], shown)
            _, _, cert = self.made("fp-" + kind)
            self.assertIn("Valid until: %s UTC\n" % cert.not_valid_after, said)

    def test_modes(self):
        """The key's file is for its owner alone, whatever the umask; the other for all."""
        for umask in 0o000, 0o022, 0o077:
            name = "m%o" % umask
            self.keygen(name, umask=umask)
            self.assertEqual(stat.S_IMODE(os.stat(self.path(name + ".pem")).st_mode), 0o600)
            self.assertEqual(stat.S_IMODE(os.stat(self.path(name + ".crt")).st_mode), 0o644)
        self.no_files_but("m0.pem", "m0.crt", "m22.pem", "m22.crt", "m77.pem", "m77.crt")

    def test_no_overwrite(self):
        """One of the two files is enough; nothing is changed."""
        for there in "kept.pem", "kept.crt":
            path = self.write(there, b"precious")
            self.refused(["keygen", self.path("kept")], re.escape(path) + " exists",
                         "--force")
            self.assertEqual(self.read(path), b"precious")
            self.no_files_but(there)
            os.unlink(path)

    def test_force(self):
        self.keygen("again")
        old = self.read(self.path("again.pem")), self.read(self.path("again.crt"))
        os.chmod(self.path("again.pem"), 0o644)
        self.keygen("again", "--force")
        self.assertNotEqual(self.read(self.path("again.pem")), old[0])
        self.assertNotEqual(self.read(self.path("again.crt")), old[1])
        key, certs, crt = self.made("again")
        self.assertEqual(certs, [crt])
        self.assertEqual(key.public_key().public_numbers(), crt.public_key().public_numbers())
        self.assertEqual(stat.S_IMODE(os.stat(self.path("again.pem")).st_mode), 0o600)
        self.no_files_but("again.pem", "again.crt")

    def test_force_spares_links(self):
        """A key is written neither through a link nor over a device."""
        target = self.write("target", b"precious")
        os.symlink(target, self.path("linked.pem"))
        for more in [], ["--force"]:
            self.refused(["keygen", self.path("linked")] + more, "exists")
        self.assertEqual(self.read(target), b"precious")
        self.no_files_but("target", "linked.pem")

    def test_ca(self):
        """--make-ca makes one that issues; openssl verifies what it issued."""
        openssl = harness.need("openssl")
        self.keygen("ca", "--make-ca")
        _, _, ca = self.made("ca")
        basic = self.extension(ca, ExtensionOID.BASIC_CONSTRAINTS)
        self.assertTrue(basic.critical and basic.value.ca)
        self.assertTrue(self.extension(ca, ExtensionOID.KEY_USAGE).value.key_cert_sign)
        for kind in "ecdsa", "ed25519", "rsa3072":
            name = "by-" + kind
            self.keygen(name, "--dns", "localhost", "--ca", "ca.pem", "--type", kind)
            _, certs, crt = self.made(name)
            self.assertEqual(certs, [crt, ca])
            self.assertEqual(crt.issuer, ca.subject)
            self.assertLessEqual(crt.not_valid_after, ca.not_valid_after)
            for purpose in "sslserver", "sslclient":
                run(openssl, "verify", "-x509_strict", "-purpose", purpose, "-CAfile",
                    self.path("ca.crt"), self.path(name + ".crt"))
        server = self.starts(self.server_args(
            cert=self.path("by-ecdsa.pem"), peer=None, cafile=self.path("ca.crt")))
        client = self.starts(self.client_args(
            cert=self.path("by-ed25519.pem"), peer=None, cafile=self.path("ca.crt"),
            connect="localhost:%d" % server.port))
        self.echoes(client.port)

    def test_ca_of_another_type(self):
        for kind in "ed25519", "rsa3072":
            self.keygen("ca-" + kind, "--make-ca", "--type", kind)
            self.keygen("leaf-" + kind, "--ca", "ca-%s.pem" % kind, "--dns", "localhost")
            run(harness.need("openssl"), "verify", "-CAfile", self.path("ca-%s.crt" % kind),
                self.path("leaf-%s.crt" % kind))

    def test_bad_ca(self):
        """A CA's file that is none is named, and nothing is made."""
        self.keygen("ca", "--make-ca")
        for file, patterns in ((self.path("gone.pem"), ["there is no such file"]),
                               (self.path("ca.crt"), ["private key"]),
                               (self.pem("client"), ["CA"]),
                               (self.write("empty", b""), ["the file is empty"]),
                               (self.write("bare", b"-----BEGIN CERTIFICATE-----"
                                           b"-----END CERTIFICATE-----" * 2000), ["malformed"]),
                               (self.dir, ["directory"])):
            self.refused(["keygen", self.path("leaf"), "--ca", file], *patterns)
        self.no_files_but("ca.pem", "ca.crt", "empty", "bare")
        before = self.read(self.path("ca.pem"))
        done = self.keygen("ca", "--ca", "ca.pem", "--force", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is the CA's own file", done.err)
        self.assertEqual(self.read(self.path("ca.pem")), before)

    def test_days_beyond_the_ca(self):
        self.keygen("ca", "--make-ca", "--days", "10")
        self.keygen("leaf", "--ca", "ca.pem")
        _, _, ca = self.made("ca")
        _, _, leaf = self.made("leaf")
        self.assertLessEqual(leaf.not_valid_after, ca.not_valid_after)

    def test_bad_arguments(self):
        name = self.path("x")
        for args, *patterns in (
                (["--days", "0"], "--days: 0 is out of range: give 1 to"),
                (["--days", "ten"], "not a whole number"),
                (["--days", "999999"], "out of range"),
                (["--dns", "a b"], "a b"), (["--dns", ""], "DNS name"),
                (["--ip", "300.1.1.1"], "300.1.1.1"), (["--ip", "localhost"], "localhost"),
                (["--email", "nobody"], "nobody"), (["--uri", "no uri"], "no uri"),
                (["second"], "stray argument"), (["--make-ca=often"], "neither yes nor no"),
                (["--frce"], r"did you mean --force\?")):
            with self.subTest(args=args):
                self.refused(["keygen", name] + args, *patterns)
        self.refused(["keygen", self.path("x.pem")], 'write ".*/x" instead')
        self.refused(["keygen", self.path("x.crt")], "are added to NAME")
        self.refused(["keygen", self.dir + "/"], "names no file")
        self.refused(["keygen", self.path("no/folder/x")], "No such file or directory")
        self.no_files_but()

    def test_disk_full(self):
        """What cannot be written whole leaves nothing, and loses nothing."""
        self.keygen("old")
        before = self.read(self.path("old.pem")), self.read(self.path("old.crt"))

        def small_files():
            import resource
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        for name, more in ("new", []), ("old", ["--force"]):
            done = self.keygen(name, *more, check=False, preexec_fn=small_files)
            self.assertEqual(done.returncode, 1, done.err)
            self.assertIn("cannot write", done.err)
        self.no_files_but("old.pem", "old.crt")
        self.assertEqual((self.read(self.path("old.pem")), self.read(self.path("old.crt"))),
                         before)

    def test_output_that_cannot_be_written(self):
        """The files are made, but the fingerprint reached nobody: an error that says so."""
        with open("/dev/full", "wb") as full:
            done = subprocess.run([SLUSS, "keygen", self.path("x")], stdout=full,
                                  stderr=subprocess.PIPE, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"No space left on device (the files were made)", done.stderr)
        self.no_files_but("x.pem", "x.crt")

    def test_key_not_printed(self):
        done = self.keygen("silent")
        pem = self.read(self.path("silent.pem")).decode()
        key = pem.split("-----BEGIN CERTIFICATE")[0].splitlines()[1:-1]
        for line in key:
            self.assertNotIn(line, done.out + done.err)

    # The next command that is printed, typed.

    def type_in(self, line, **words):
        """A printed command, its capital words replaced, given to a shell."""
        bin_ = self.path("bin")
        if not os.path.isdir(bin_):
            os.mkdir(bin_)
            os.symlink(os.path.abspath(SLUSS), os.path.join(bin_, "sluss"))
        for word, value in words.items():
            self.assertRegex(line, r"\b%s\b" % word)
            line = re.sub(r"\b%s\b" % word, str(value), line)
        # The port of the example may be taken here.
        line = line.replace("--accept 4433", "--accept 127.0.0.1:0")
        env = dict(os.environ, PATH=bin_ + ":" + os.environ["PATH"])
        return ["sh", "-c", "exec " + line.strip()], {"cwd": self.dir, "env": env}

    def type_and_run(self, line, **words):
        argv, kw = self.type_in(line, **words)
        return run(*argv, **kw).out

    def type_and_serve(self, line, **words):
        """Returns the program and the port where it listens."""
        argv, kw = self.type_in(line, **words)
        program = self.own(Program(argv, **kw))
        return program, int(program.wait_log(r"bound to .*:(\d+)$").group(1))

    @staticmethod
    def commands(said, which):
        return [l for l in said.splitlines() if l.startswith("  sluss " + which + " ")]

    def tunnel_as_told(self, said_server, said_client, server_words, client_words):
        """Types what keygen printed at the two ends; bytes go through."""
        backend = self.backend(echo)
        server_line, = self.commands(said_server, "server")
        client_line, = self.commands(said_client, "client")
        server_line = server_line.replace("HOST:PORT", backend.target)
        _, port = self.type_and_serve(server_line, **server_words)
        client_line = client_line.replace("HOST:4433", "localhost:%d" % port)
        _, port = self.type_and_serve(client_line, PORT="127.0.0.1:0", **client_words)
        self.echoes(port)

    def test_next_command(self):
        """For a pair of pinned certificates; one NAME has a blank and a quote."""
        said_server = self.keygen("server", "--dns", "localhost").out
        said_client = self.keygen("my cat's").out
        os.rename(self.path("my cat's.crt"), self.path("copied.crt"))
        self.tunnel_as_told(said_server, said_client, {"OTHER.crt": "copied.crt"},
                            {"OTHER.crt": "server.crt"})

    def test_next_command_of_a_ca(self):
        """What --make-ca prints makes both identities; what these print runs."""
        said = self.keygen("our ca", "--make-ca").out
        server_line, = [l for l in self.commands(said, "keygen") if "HOST" in l]
        client_line, = [l for l in self.commands(said, "keygen") if "HOST" not in l]
        said_server = self.type_and_run(server_line, HOST="localhost")
        said_client = self.type_and_run(client_line)
        self.tunnel_as_told(said_server, said_client, {}, {})


if __name__ == "__main__":
    harness.main()
