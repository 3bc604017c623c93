#!/usr/bin/env python3
"""Reloads of a process that has given up its privileges and sits in another root folder: the
helper process reads the files and opens the places that the configuration names."""

import os
import pwd
import re
import shutil
import signal
import socket
import ssl

import harness
from harness import Sluss


class Grants(harness.Case):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            harness.skip("needs root")
        os.chmod(self.dir, 0o755)
        for folder in "root", "private", "private/cas", "private/more":
            os.mkdir(self.path(folder))
        os.chmod(self.path("private"), 0o700)
        os.mkdir(self.path("open"))
        os.chmod(self.path("open"), 0o755)
        self.target = self.backend(harness.echo)
        self.show("server")

    def show(self, name):
        """Puts an identity in place as the server's."""
        self.put(self.pem(name), "private/cert.pem")

    def put(self, source, name):
        shutil.copy(source, self.path(name + ".new"))
        os.chmod(self.path(name + ".new"), 0o600)
        os.rename(self.path(name + ".new"), self.path(name))

    def write(self, *lines, name="private/sluss.conf", head=True):
        start = ["foreground = yes", "reloadOnChange = no", "setuid = nobody",
                 "chroot = " + self.path("root"), "TIMEOUTdrain = 0"] if head else []
        with open(self.path(name + ".new"), "w") as f:
            f.write("\n".join(start + list(lines)) + "\n")
        os.rename(self.path(name + ".new"), self.path(name))
        return self.path(name)

    def section(self, name, accept="127.0.0.1:0", *more):
        return ["[%s]" % name, "accept = " + accept, "connect = " + self.target.target,
                "cert = " + self.path("private/cert.pem"), "verifyChain = yes",
                "CApath = " + self.path("private/cas"), *more]

    def start(self, *lines, **kw):
        self.put(self.crt("client"), "private/cas/one.pem")
        return self.own(Sluss(self.write(*lines), **kw))

    def reload(self, sluss, pattern=r"Configuration reloaded"):
        count = len(re.findall(r"Configuration reloaded|Reload failed", sluss.log))
        sluss.process.send_signal(signal.SIGHUP)
        sluss.wait_log(r"Configuration reloaded|Reload failed", count=count + 1)
        return re.findall(r"(Configuration reloaded|Reload failed.*)", sluss.log)[count]

    def reloads(self, sluss):
        self.assertEqual(self.reload(sluss), "Configuration reloaded", sluss.log)

    def ends(self, sluss):
        """In the other root folder there is no /proc, which the search for leaks needs."""
        self.assertEqual(sluss.stop(), 66 if harness.SANITIZER == "address" else 0, sluss.log)

    def connect(self, where):
        """What the server shows to the client identity at a port or a socket."""
        if isinstance(where, int):
            sock = harness.connect(where)
        else:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(where)
        ctx = self.context()
        ctx.load_verify_locations(self.crt("stranger"))
        wire = harness.TlsWire(self.own(sock), ctx, server_hostname="localhost").handshake()
        wire.write(b"hello")
        self.assertEqual(wire.read_exactly(5), b"hello")
        wire.close()
        return wire.tls.getpeercert(True)

    def der(self, name):
        with open(self.crt(name)) as f:
            return ssl.PEM_cert_to_DER_cert(f.read())

    def settled(self, sluss):
        uid = str(pwd.getpwnam("nobody").pw_uid)
        with open("/proc/%d/status" % sluss.pid) as f:
            self.assertIn("Uid:\t" + "\t".join([uid] * 4), f.read())
        self.assertEqual(os.readlink("/proc/%d/root" % sluss.pid), self.path("root"))

    def test_certificate(self):
        """A private file is read anew, out of the reach of the process itself; one that is
        broken or gone is told of, and the old stays."""
        sluss = self.start(*self.section("one"))
        self.settled(sluss)
        self.assertEqual(self.connect(sluss.port), self.der("server"))
        self.show("stranger")
        self.reloads(sluss)
        self.assertEqual(self.connect(sluss.port), self.der("stranger"))
        os.unlink(self.path("private/cert.pem"))
        self.assertIn("cert.pem: there is no such file", self.reload(sluss))
        self.write("nonsense = 1", *self.section("one"))
        self.assertIn("Reload failed", self.reload(sluss))
        sluss.wait_log(r'private/sluss\.conf:6: "nonsense = 1": ')
        self.assertEqual(self.connect(sluss.port), self.der("stranger"))
        self.show("server")
        self.write(*self.section("one"))
        self.reloads(sluss)
        self.assertEqual(self.connect(sluss.port), self.der("server"))
        self.ends(sluss)

    def test_links(self):
        """A link is followed, unless it belongs to the user that the process has become: who
        has taken the process over cannot have the helper read another file for it."""
        nobody = pwd.getpwnam("nobody").pw_uid
        self.put(self.pem("stranger"), "private/other.pem")
        sluss = self.start(*self.section("one"))
        os.unlink(self.path("private/cert.pem"))
        os.symlink("other.pem", self.path("private/cert.pem"))
        self.reloads(sluss)
        self.assertEqual(self.connect(sluss.port), self.der("stranger"))
        for link, target in ("private/cert.pem", "other.pem"), ("private/cas", "cas.real"):
            if link.endswith("cas"):
                os.rename(self.path(link), self.path("private/cas.real"))
                os.symlink(target, self.path(link))
            os.lchown(self.path(link), nobody, -1)
            self.assertIn("symbolic links", self.reload(sluss))
            os.lchown(self.path(link), 0, -1)
            self.reloads(sluss)
        self.ends(sluss)

    def test_folders(self):
        """A folder of CAs and a folder of files to include, as they are now."""
        sluss = self.start("include = " + self.path("private/more"), *self.section("one"))
        os.unlink(self.path("private/cas/one.pem"))
        self.put(self.crt("stranger"), "private/cas/two.pem")
        self.reloads(sluss)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(sluss.port)
        self.put(self.crt("client"), "private/cas/three.pem")
        self.write("TIMEOUTbusy = 77", name="private/more/10.conf", head=False)
        self.write("TIMEOUTidle = x", name="private/more/20.conf", head=False)
        self.assertIn("Reload failed", self.reload(sluss))
        sluss.wait_log(r'private/more/20\.conf:1: "TIMEOUTidle = x": ')
        os.unlink(self.path("private/more/20.conf"))
        self.reloads(sluss)
        self.connect(sluss.port)

    def free_port(self):
        """A port that only root may have."""
        for port in range(700, 1000):
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    pass
        harness.skip("no low port is free")

    def test_places(self):
        """New places: a port that root alone may have, and a socket with an owner; they go
        when they are named no more."""
        port, place = self.free_port(), self.path("private/in.sock")
        sluss = self.start(*self.section("one"))
        self.write(*self.section("one"), *self.section("low", "127.0.0.1:%d" % port),
                   *self.section("file", place, "setgid = 54322"))
        self.reloads(sluss)
        self.connect(port)
        self.connect(place)
        self.assertEqual(os.stat(place).st_gid, 54322)
        # What stays is not opened again.
        bound = len(sluss.bound())
        self.reloads(sluss)
        self.connect(place)
        self.assertEqual(len(sluss.bound()), bound)
        self.write(*self.section("one"))
        self.reloads(sluss)
        self.assertFalse(os.path.exists(place))
        with self.assertRaises(ConnectionRefusedError):
            harness.connect(port)
        self.write(*self.section("one"), *self.section("file", place))
        self.reloads(sluss)
        self.connect(place)
        self.ends(sluss)
        self.assertFalse(os.path.exists(place))

    def test_everywhere(self):
        """A port alone is every address, after a reload as before."""
        port = self.free_port()
        sluss = self.start(*self.section("one"))
        self.write(*self.section("one"), *self.section("all", str(port)))
        self.reloads(sluss)
        self.connect(port)

    def test_on_change(self):
        """By itself, too."""
        self.put(self.crt("client"), "private/cas/one.pem")
        path = self.write("reloadOnChange = yes", *self.section("one"))
        sluss = self.own(Sluss(path))
        self.show("stranger")
        sluss.wait_log("Configuration reloaded")
        self.assertEqual(self.connect(sluss.port), self.der("stranger"))

    def test_commands(self):
        """The files of a command line."""
        self.show("server")
        sluss = self.own(Sluss("server", "--accept", "127.0.0.1:0", "--connect",
                               self.target.target, "--cert", self.path("private/cert.pem"),
                               "--peer", self.crt("client"), "--setuid", "nobody",
                               "--chroot", self.path("root")))
        self.show("stranger")
        self.reloads(sluss)
        self.assertEqual(self.connect(sluss.port), self.der("stranger"))

    def test_helper_killed(self):
        """Without the helper a reload fails, and the process serves on."""
        sluss = self.start(*self.section("one"))
        with open("/proc/%d/task/%d/children" % (sluss.pid, sluss.pid)) as f:
            helper, = f.read().split()
        os.kill(int(helper), signal.SIGKILL)
        self.assertIn("the helper process", self.reload(sluss))
        self.connect(sluss.port)
        self.ends(sluss)

    def test_nothing_to_give_up(self):
        """Who stays what he is needs no helper."""
        self.put(self.crt("client"), "private/cas/one.pem")
        path = self.write("foreground = yes", *self.section("one"), head=False)
        sluss = self.own(Sluss(path))
        with open("/proc/%d/task/%d/children" % (sluss.pid, sluss.pid)) as f:
            self.assertEqual(f.read(), "")


if __name__ == "__main__":
    harness.main()
