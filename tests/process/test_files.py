#!/usr/bin/env python3
"""Configuration files and the command line around them: sluss CONFIG, -fd, -help and its kin,
the name stunnel, sluss check, the sample files and the completion of bash."""

import os
import re
import signal
import shutil
import socket
import ssl

import harness
from harness import SLUSS, Sluss, echo, recv_exactly, run

SOURCE = os.path.abspath(os.environ.get("top_srcdir", "."))


class Files(harness.Case):
    def write(self, text, name="sluss.conf"):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def section(self, more="", name="s"):
        """A server's, with our defaults."""
        return ("[%s]\nprofile = strict\naccept = 127.0.0.1:0\nconnect = echo:\ncert = %s\n"
                "peer = %s\n%s" % (name, self.pem("server"), self.crt("client"), more))

    def answers(self, port):
        wire = self.tls(port)
        wire.write(b"there")
        self.assertEqual(wire.read_exactly(5), b"there")
        wire.close()

    def failed(self, *args, **kw):
        """It refused to start; what it said."""
        done = run(SLUSS, *args, check=False, **kw)
        self.assertEqual((done.returncode, done.out), (1, ""), done.err)
        return done.err


class Start(Files):
    def test_file(self):
        p = self.own(Sluss(self.write("foreground = yes\n" + self.section())))
        self.answers(p.port)
        self.assertEqual(p.stop(), 0, p.log)

    def test_several_sections(self):
        """Names as they stand, duplicates and none included."""
        p = self.own(Sluss(self.write("foreground = yes\n" + self.section(name=" a b ") +
                                      self.section(name="") + self.section(name=""))))
        harness.wait_for(lambda: len(p.bound()) == 3, "three sockets")
        names = [m.group(1) for m in map(harness.BOUND.search, p.lines) if m]
        self.assertEqual(names, [" a b ", "", ""])
        for address in p.bound():
            self.answers(int(address.rsplit(":", 1)[1]))

    def test_descriptor(self):
        r, w = os.pipe()
        os.write(w, ("foreground = yes\n" + self.section()).encode())
        os.close(w)
        p = self.own(Sluss("-fd", str(r), pass_fds=[r]))
        os.close(r)
        self.answers(p.port)

    def test_include(self):
        os.mkdir(self.path("conf.d"))
        self.write(self.section(name="one"), "conf.d/1")
        self.write(self.section(name="two"), "conf.d/2")
        p = self.own(Sluss(self.write("foreground = yes\ninclude = %s\n"
                                      % self.path("conf.d"))))
        harness.wait_for(lambda: len(p.bound()) == 2, "two sockets")

    def test_brackets(self):
        """[::1]:port is our extension."""
        text = self.section().replace("127.0.0.1:0", "[::1]:0")
        p = self.own(Sluss(self.write("foreground = yes\n" + text)))
        self.assertRegex(p.bound()[0], r"^\[::1\]:\d+$")

    def test_stale_socket_is_replaced(self):
        text = "foreground = yes\n" + self.section().replace("127.0.0.1:0", self.path("sock"))
        p = self.own(Sluss(self.write(text)))
        p.kill()
        self.assertTrue(os.path.exists(self.path("sock")))
        p = self.own(Sluss(self.path("sluss.conf")))
        self.assertEqual(p.stop(), 0)
        self.assertFalse(os.path.exists(self.path("sock")))


class Inetd(Files):
    """No section: TLS or plain on the descriptors 0 and 1, which are one socket here."""

    def spawn(self, text):
        ours, theirs = socket.socketpair()
        ours.settimeout(harness.PATIENCE)
        p = self.own(harness.Program([SLUSS, self.write("foreground = yes\n" + text)],
                                     stdin=theirs, stdout=theirs))
        theirs.close()
        return p, self.own(ours)

    def echoes(self, target):
        """A server whose client is verified; the end passes both ways."""
        p, c = self.spawn("profile = strict\ncert = %s\npeer = %s\n%s\n"
                          % (self.pem("server"), self.crt("client"), target))
        wire = harness.TlsWire(c, self.context(), server_hostname="localhost").handshake()
        wire.sendall(b"x" * 100000)
        self.assertEqual(wire.read_exactly(100000), b"x" * 100000)
        wire.close_notify()
        self.assertEqual(wire.outcome(), (b"", "close_notify"))
        self.assertEqual(p.wait(), 0, p.log)

    def test_server(self):
        self.echoes("connect = " + self.backend(echo).target)

    def test_server_with_program(self):
        self.echoes("exec = /bin/cat\nexecArgs = cat")

    def test_stranger(self):
        """Who may not pass is refused; whoever started us is not told by the status."""
        p, c = self.spawn("profile = strict\ncert = %s\npeer = %s\nconnect = %s\n"
                          % (self.pem("server"), self.crt("server"), self.backend(echo).target))
        try:
            wire = harness.TlsWire(c, self.context(), server_hostname="localhost").handshake()
            self.assertEqual(wire.outcome()[0], b"")
        except (ssl.SSLError, OSError):
            pass
        self.assertEqual(p.wait(), 0, p.log)

    def test_client(self):
        server = self.own(Sluss(self.write("foreground = yes\n" + self.section(), "s.conf")))
        p, c = self.spawn("profile = strict\nclient = yes\ncert = %s\npeer = %s\n"
                          "connect = 127.0.0.1:%d\n" % (self.pem("client"), self.crt("server"),
                                                        server.port))
        c.sendall(b"hello")
        c.shutdown(socket.SHUT_WR)
        self.assertEqual(harness.recv_all(c), b"hello")
        self.assertEqual(p.wait(), 0, p.log)

    def test_background_is_not_for_it(self):
        """Whoever started it waits for its end: foreground = no changes nothing."""
        p, c = self.spawn("foreground = no\nclient = yes\nconnect = 127.0.0.1:1\n")
        self.assertEqual(harness.outcome(c)[0], b"")
        self.assertEqual(p.wait(), 0, p.log)


class Errors(Files):
    def test_all_at_once(self):
        path = self.write("foo = 1\n" + self.section("pid = /x\nTIMEOUTidle = x\n") + "junk\n")
        said = self.failed(path).splitlines()
        self.assertEqual(said, [
            '[!] %s:1: "foo = 1": Specified option name is not valid here' % path,
            '[!] %s:8: "pid = /x": Specified option name is not valid here: it is for the '
            'whole program, so write it before the first section' % path,
            '[!] %s:9: "TIMEOUTidle = x": "x" is not a whole number: give 1 to 31536000 '
            'seconds' % path,
            '[!] %s:10: "junk": there is no = between an option and its value' % path,
            "[!] Configuration failed"])

    def test_no_file(self):
        self.assertIn("none.conf: cannot open the configuration: No such file",
                      self.failed(self.path("none.conf")))

    def test_a_folder(self):
        self.assertIn("Is a directory", self.failed(self.dir))

    def test_descriptor(self):
        self.assertIn("999: cannot read the configuration: Bad file descriptor",
                      self.failed("-fd", "999"))
        self.assertIn('-fd: "x" is not a whole number', self.failed("-fd", "x"))
        self.assertIn("-fd needs the number of a descriptor", self.failed("-fd"))
        self.assertIn("-fd needs the number of a descriptor", self.failed("-fd", "0", "x"))

    def test_stray_argument(self):
        path = self.write("foreground = yes\n" + self.section())
        self.assertIn('stray argument "more"', self.failed(path, "more"))

    def test_missing_certificate(self):
        """What a start finds in the section's files."""
        text = self.section().replace(self.pem("server"), self.path("none.pem"))
        path = self.write("foreground = yes\n" + text + text.replace("[s]", "[t]"))
        missing = '[!] %s:%d: "[%s]": ' + self.path("none.pem") + ": there is no such file"
        said = [line for line in self.failed(path).splitlines() if line.startswith("[!]")]
        self.assertEqual(said, [missing % (path, 2, "s"),
                                missing % (path, 2 + text.count("\n"), "t"),
                                "[!] Configuration failed"])

    def test_address_in_use(self):
        taken = self.backend(echo)
        text = self.section().replace("127.0.0.1:0", "127.0.0.1:%d" % taken.port)
        said = self.failed(self.write("foreground = yes\n" + text))
        self.assertIn("127.0.0.1:%d: Address already in use" % taken.port, said)


class Notes(Files):
    """What stunnel says about itself: on stderr, stdout empty, status 0."""

    def note(self, option):
        done = run(SLUSS, option)
        self.assertEqual(done.out, "")
        return done.err

    def test_help(self):
        said = self.note("-help")
        for word in ("foreground .*quiet", "checkHost ", "OCSPaia ", "libwrap .*Refused",
                     "stack .*Ignored", "include "):
            self.assertRegex(said, r"(?m)^%s" % word)
        # What is said of an option stands in one line.
        for line in said.splitlines()[5:]:
            self.assertRegex(line, r"^([A-Za-z]+ += .*|[A-Za-z-]+ options:| )$")

    def test_version(self):
        said = self.note("-version")
        self.assertRegex(said, r"\AInitializing inetd mode configuration\n"
                         r"sluss \d\S+ on \S+ platform\nCompiled/running with wolfSSL ")
        self.assertRegex(said, r"(?m)^TIMEOUTbusy +\= 300 seconds$")
        self.assertRegex(said, r"(?m)^foreground +\= no$")

    def test_sockets(self):
        said = self.note("-sockets")
        for name in "SO_REUSEADDR", "TCP_NODELAY", "SO_BINDTODEVICE", "TCP_KEEPIDLE":
            self.assertRegex(said, r"(?m)^ +%s " % name)

    def test_options(self):
        said = self.note("-options")
        for name in "NO_SSLv3", "NO_TLSv1_2", "NO_TICKET", "CIPHER_SERVER_PREFERENCE":
            self.assertRegex(said, r"(?m)\b%s$" % name)


class Name(Files):
    """Called stunnel it does the same."""

    def setUp(self):
        super().setUp()
        self.stunnel = self.path("stunnel")
        os.symlink(os.path.abspath(SLUSS), self.stunnel)

    def test_file(self):
        path = self.write("foreground = yes\n" + self.section())
        p = self.own(harness.Program([self.stunnel, path]))
        self.answers(int(p.wait_log(r"bound to 127\.0\.0\.1:(\d+)$").group(1)))
        with open("/proc/%d/comm" % p.pid) as f:
            self.assertEqual(f.read(), "stunnel\n")

    def test_notes(self):
        self.assertEqual(run(self.stunnel, "-help").err, run(SLUSS, "-help").err)

    def test_no_file(self):
        """Whatever is no command is a file, also what begins with -."""
        for name in self.path("none"), "none", "-none":
            done = run(self.stunnel, name, check=False)
            self.assertEqual((done.returncode, done.out), (1, ""))
            self.assertIn("none: cannot open the configuration", done.err)


class Reference(Files):
    """The same file is taken, or refused, by the distribution's stunnel and by us."""
    HEAD = "foreground = yes\nsyslog = no\ndebug = notice\ncert = %s\n"
    BODY = "[s]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:1\n"

    TAKEN = (
        "", "\xef\xbb\xbf", "; c\n # c\n\n\t\n", "TIMEOUTidle = 7\r\n", "fips = no\n",
        "delay=YES\n", "ACCEPT = 127.0.0.1:0\n", "verify = 0\n", "failover = rr\n",
        "socket = l:TCP_NODELAY=1\n", "options = NO_SSLv3\noptions = -NO_SSLv3\n",
        "TIMEOUTclose = 0\n", "debug = daemon.5\n", "setuid = root\n", "curve = secp384r1\n",
        "execArgs = a b\n", "requireCert = yes\n", "sslVersion = TLSv1.2\n", "libwrap = no\n",
        "[s] \naccept=127.0.0.1:0\nconnect=1\nservice=t\n", "RNDbytes = 64\n",
        "[a:b.c]\naccept = 127.0.0.1:0\nconnect = localhost:1\n",
        "[ ]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:1\ndebug = 7\nsetgid = root\n",
        "[]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:1\n[]\naccept = 127.0.0.1:0\n"
        "exec = /bin/cat\n",
        "[c]\nclient = yes\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:1\n",
    )
    REFUSED = (
        "foo = 1\n", "= x\n", "delay = true\n", "delay = 1\n", "junk\n", "debug = 9\n",
        "debug = foo.5\n", "[s] ; c\n", "[s\n", "verify = 5\n", "failover = x\n",
        "socket = l:tcp_nodelay=1\n", "socket = l:SO_FOO=1\n", "socket = x:TCP_NODELAY=1\n",
        "options = NO_SUCH\n", "sslVersion = TLSv9\n", "protocol = foo\n",
        "[t]\naccept = 127.0.0.1:0 ; c\nconnect = 1\n", "key =\n", "include = /etc/hostname\n",
        "TIMEOUTidle = 7s\n", "exec =\n",
        BODY + "pid = /x\n", BODY + "fips = no\n", BODY + "foreground = no\n",
        BODY + "debug = daemon.5\n", BODY + "exec = /bin/cat\n", BODY + "checkHost = a\n",
        BODY + "redirect = 80\n", BODY + "verifyChain = yes\ncheckIP = x\n",
        "[t]\naccept = 127.0.0.1:0\n", "[t]\nconnect = 127.0.0.1:1\n",
        "[t]\nclient = yes\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:1\ncert =\nkey = x\n",
    )

    def takes(self, program, path):
        """Whether it starts; then it is ended."""
        p = self.own(harness.Program([program, path]))
        harness.wait_for(lambda: "Configuration successful" in p.log or not p.alive(),
                         "a verdict of %s" % program)
        taken = p.alive()
        status = p.stop()
        # stunnel says so before it minds signals.
        self.assertIn(status, (0, -signal.SIGTERM) if taken else (1,), p.log)
        return taken

    def both(self, texts, wanted):
        stunnel = harness.need("stunnel")
        for text in texts:
            with self.subTest(text=text):
                path = self.path("x.conf")
                head = self.HEAD % self.pem("server")
                parts = (text, head) if text.startswith("\xef") else (head, text)
                with open(path, "wb") as f:
                    f.write(("".join(parts) + self.BODY).encode("latin-1"))
                self.assertEqual(self.takes(stunnel, path), wanted, "stunnel")
                self.assertEqual(self.takes(SLUSS, path), wanted, "sluss")

    def test_taken(self):
        self.both(self.TAKEN, True)

    def test_refused(self):
        self.both(self.REFUSED, False)


class Check(Files):
    def test_prints_what_holds(self):
        out = run(SLUSS, "check", self.write(
            "TIMEOUTidle = 7\nforeground = yes\n" + self.section("TIMEOUTclose = 8\n"))).out
        for line in ("foreground = yes", "debug = daemon.5", "[s]", "TIMEOUTidle = 7",
                     "TIMEOUTclose = 8", "TIMEOUTbusy = 10", "abort = strict",
                     "cert = " + self.pem("server"), "peer = " + self.crt("client")):
            self.assertIn("\n%s\n" % line, "\n" + out)
        self.assertRegex(out, r'# cert: "CN=server" DNS:localhost, IP:127.0.0.1 valid from '
                         r"\d{4}-\d\d-\d\d \S+ UTC to \d{4}-")
        self.assertRegex(out, r'# peer: "CN=client" DNS:client.test valid from ')

    def test_prints_a_file(self):
        """What it prints means the same: printed again it is the same."""
        more = ("socket = l:SO_LINGER=1:60\nsocket = r:TCP_NODELAY=0\nmaxPerSource = 3/24/64\n"
                "allowFrom = 10.0.0.0/8\nretry = 250\nsni =\n")
        text = (self.section(more.replace("sni =\n", "")) +
                "[c]\nclient = yes\naccept = 127.0.0.1:0\nconnect = 1\nconnect = /s\n" + more +
                "verify = 2\nCAfile = %s\ncheckHost = a\ncheckHost = b\n" % self.crt("server"))
        first = run(SLUSS, "check", self.write("pid = /run/x\nsetEnv = A=b\n" + text)).out
        second = run(SLUSS, "check", self.write(first, "again.conf")).out
        self.assertEqual(first, second)

    def test_secret(self):
        out = run(SLUSS, "check", self.write(
            "[c]\nclient = yes\naccept = 0\nconnect = 1\nprotocol = connect\nprotocolHost = a:1\n"
            "protocolUsername = u\nprotocolPassword = hush\n")).out
        self.assertIn("# protocolPassword is given\n", out)
        self.assertNotIn("hush", out)

    def test_does_not_listen(self):
        """An address in use, and a program that would be root's: nothing is touched."""
        taken = self.backend(echo)
        text = self.section().replace("127.0.0.1:0", "127.0.0.1:%d" % taken.port)
        run(SLUSS, "check", self.write(text))
        run(SLUSS, "check", self.write(self.section().replace("127.0.0.1:0", self.path("sock"))))
        self.assertFalse(os.path.exists(self.path("sock")))

    def test_every_file_is_read(self):
        """The faults of all sections, not only of the first."""
        lost = self.section().replace(self.pem("server"), self.path("lost.pem"))
        said = self.failed("check", self.write(
            "chroot = /no/such/root\nsetuid = nobody-at-all\n" + lost + lost.replace("[s]", "[t]") +
            self.section("[u]\nprofile = strict\naccept = no.such.host.invalid:1\n"
                         "exec = /no/such/program\ncert = %s\npeer = %s\n"
                         % (self.pem("server"), self.path("lost.crt")))))
        for text in (r"\[s\].*lost.pem: there is no such file", r"\[t\].*lost.pem",
                     r"\[u\].*accept: no address found",
                     r"\[u\].*exec: /no/such/program cannot be run: No such file",
                     r"\[u\].*lost.crt", "chroot: /no/such/root is no folder",
                     "nobody-at-all", r"\[!\] Configuration failed"):
            self.assertRegex(said, text)

    def test_warnings(self):
        done = run(SLUSS, "check", self.write("[c]\nclient = yes\naccept = 0\nconnect = 1\n"))
        self.assertIn("[:] %s:1: \"[c]\": Service [c] needs authentication to prevent MITM "
                      "attacks: add verifyChain = yes, CAfile = FILE and checkHost = NAME"
                      % self.path("sluss.conf"), done.err)

    def test_inetd(self):
        out = run(SLUSS, "check", self.write("client = yes\nconnect = h:1\n")).out
        self.assertNotIn("[", out)
        self.assertNotRegex(out, "(?m)^accept =")

    def test_usage(self):
        self.assertIn("Usage: sluss check", run(SLUSS, "check", "--help").out)
        self.assertIn("Usage: sluss check", self.failed("check", "a", "b"))
        self.assertIn("Usage: sluss check", self.failed("check", "--x"))


class Samples(Files):
    """The files to begin with, as they are but for their paths, and with every line in effect."""

    def sample(self, name, uncomment):
        with open(os.path.join(SOURCE, "etc", name)) as f:
            text = f.read()
        if uncomment:
            text = re.sub(r"(?m)^;(?=\[|[A-Za-z]+ =)", "", text)
        for path, real in (("/etc/sluss/server.pem", self.pem("server")),
                           ("/etc/sluss/client.pem", self.pem("client")),
                           ("/etc/sluss/clients.crt", self.crt("client")),
                           ("/etc/sluss/server.crt", self.crt("server")),
                           ("/etc/sluss/ca.crt", self.crt("server")),
                           ("setuid = sluss", "setuid = nobody"),
                           ("setgid = sluss", "setgid = nogroup")):
            text = text.replace(path, real)
        return self.write(text)

    def test_samples(self):
        for name in "server.conf", "client.conf":
            for uncomment in False, True:
                with self.subTest(name=name, uncomment=uncomment):
                    done = run(SLUSS, "check", self.sample(name, uncomment))
                    self.assertEqual(done.err, "")

    def test_tunnel(self):
        """Both run, one against the other."""
        def ports(path, accept, connect):
            with open(path) as f:
                text = f.read()
            text = re.sub("(?m)^accept = .*", "accept = " + accept, text)
            return self.write(re.sub("(?m)^connect = .*", "connect = " + connect, text))
        server = self.own(Sluss(ports(self.sample("server.conf", False), "127.0.0.1:0",
                                      self.backend(echo).target)))
        client = self.own(Sluss(ports(self.sample("client.conf", False), "127.0.0.1:0",
                                      "127.0.0.1:%d" % server.port)))
        with harness.connect(client.port) as c:
            c.sendall(b"hello")
            self.assertEqual(recv_exactly(c, 5), b"hello")


class Completion(Files):
    def complete(self, *words):
        script = ('. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sluss; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = run(harness.need("bash"), "-c", script, "bash",
                   os.path.join(SOURCE, "etc", "completion", "sluss"),
                   os.path.abspath(SLUSS), *words, cwd=self.dir)
        self.assertEqual(done.err, "")
        return done.out.split()

    def test_words(self):
        for words, wanted in ((["se"], ["server"]), (["ch"], ["check"]),
                              (["server", "--timeoutb"], ["--timeoutbusy"]),
                              (["server", "--abort", ""], ["strict", "compat"]),
                              (["client", "--insecure", "="], ["yes", "no"]),
                              (["client", "--insecure", "=", "n"], ["no"]),
                              (["keygen", "x", "--mak"], ["--make-ca"]),
                              (["help", "k"], ["keygen"])):
            with self.subTest(words=words):
                self.assertEqual(self.complete(*words), wanted)

    def test_files(self):
        self.write("")
        for words in (["check", "sl"], ["server", "--cert", "sl"], ["sl"]):
            with self.subTest(words=words):
                self.assertEqual(self.complete(*words), ["sluss.conf"])


class Install(Files):
    def test_stunnel_link(self):
        """A link to us is made, made again, and taken away; another program is not touched."""
        build = os.environ.get("top_builddir", ".")
        if not shutil.which("make") or not os.path.exists(os.path.join(build, "Makefile")):
            harness.skip("there is no make, or no build folder")
        env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}

        def make(target, check=True):
            return run("make", "-C", build, target, "bindir=/bin", "DESTDIR=" + self.dir,
                       check=check, env=env)
        for _ in range(2):
            make("install-stunnel-alternative")
            self.assertEqual(os.readlink(self.path("bin/stunnel")), "sluss")
        self.assertEqual(run(self.path("bin/stunnel"), "-version").out, "")
        make("uninstall-local")
        self.assertFalse(os.path.lexists(self.path("bin/stunnel")))
        self.write("", "bin/stunnel")
        self.assertIn("is there already", make("install-stunnel-alternative", False).err)
        make("uninstall-local")
        self.assertTrue(os.path.exists(self.path("bin/stunnel")))


if __name__ == "__main__":
    harness.main()
