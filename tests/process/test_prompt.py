#!/usr/bin/env python3
"""The passphrase of our own key, typed at the start."""

import fcntl
import os
import pty
import re
import select
import signal
import termios

import harness
from test_keys import PASS, KeyCase


class Prompt(KeyCase):
    """The passphrase is typed on a terminal, which we play."""

    def begin(self, *args, command=None):
        """sluss with a controlling terminal that is none of its standard streams."""
        self.master, slave = pty.openpty()
        self.addCleanup(os.close, self.master)
        self.shown = termios.tcgetattr(slave)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        sluss = self.own(harness.Sluss(*(command or self.args(*args)), ready=False,
                                       preexec_fn=own_terminal))
        self.slave = slave
        self.addCleanup(os.close, slave)
        self.said = ""
        return sluss

    def screen(self, pattern, count=1):
        """Reads the terminal until the pattern was there so often."""
        def there():
            if select.select([self.master], [], [], 0)[0]:
                self.said += os.read(self.master, 4096).decode()
            return len(re.findall(pattern, self.said)) >= count
        harness.wait_for(there, "%r on the terminal" % pattern)

    def type(self, text):
        os.write(self.master, text.encode())

    def assert_restored(self):
        def restored():
            return termios.tcgetattr(self.slave)[3] == self.shown[3]
        harness.wait_for(restored, "the terminal as it was")

    def assert_works(self, sluss):
        harness.wait_for(lambda: sluss.bound() or not sluss.alive(), "readiness")
        wire = self.tls(sluss.port)
        wire.write(b"hello")
        self.assertEqual(wire.read_exactly(5), b"hello")
        wire.close()

    def test_typed(self):
        """It is asked for by the key's name and not shown."""
        key = self.locked("-aes256")
        sluss = self.begin(self.cert, "--key", key)
        self.screen("Passphrase of %s: " % re.escape(key))
        self.assertFalse(termios.tcgetattr(self.slave)[3] & termios.ECHO)
        self.type(PASS + "\n")
        self.assert_works(sluss)
        self.assert_restored()
        self.screen(": \r\n")
        self.assertNotIn(PASS, self.said + sluss.log)

    def test_second_try(self):
        sluss = self.begin(self.p12())
        self.screen("Passphrase of ")
        self.type("wrong\n")
        self.screen("Passphrase of ", 2)
        self.type(PASS + "\n")
        self.assert_works(sluss)

    def test_three_tries(self):
        sluss = self.begin(self.cert, "--key", self.locked("-aes256"))
        for i in range(3):
            self.screen("Passphrase of ", i + 1)
            self.type("wrong\n")
        self.assertEqual(sluss.wait(), 1)
        self.assertIn("none of the 3 passphrases that were typed opens the key", sluss.log)
        self.assert_restored()

    def test_nothing_typed(self):
        """The end of the input, and a line that is no passphrase."""
        for text, says in (("\x04", "no passphrase was typed"),
                           ("x" * 1100 + "\n", "the line is too long")):
            sluss = self.begin(self.cert, "--key", self.locked("-aes256"))
            self.screen("Passphrase of ")
            self.type(text)
            self.assertEqual(sluss.wait(), 1)
            self.assertIn(says, sluss.log)
            self.assert_restored()

    def test_signals(self):
        """Whoever interrupts it gets his terminal back as it was."""
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            sluss = self.begin(self.cert, "--key", self.locked("-aes256"))
            self.screen("Passphrase of ")
            if sig == signal.SIGINT:
                self.type("\x03")
            else:
                os.kill(sluss.pid, sig)
            self.assertEqual(sluss.wait(), 1)
            self.assertIn("no passphrase was typed: " + signal.strsignal(sig), sluss.log)
            self.assert_restored()

    def test_stopped(self):
        """Stopped and continued, it asks again."""
        sluss = self.begin(self.cert, "--key", self.locked("-aes256"))
        self.screen("Passphrase of ")
        os.kill(sluss.pid, signal.SIGTSTP)  # which stops nobody in a session of his own
        self.screen("Passphrase of ", 2)
        self.type(PASS + "\n")
        self.assert_works(sluss)

    def conf(self, key, *more):
        return self.write("sluss.conf", "\n".join((
            "foreground = yes", "syslog = no", "profile = strict", "[one]",
            "accept = 127.0.0.1:0", "connect = " + self.target, "cert = " + self.cert,
            "key = " + key, "peer = " + self.crt("client"), *more, "")))

    def test_once_for_all(self):
        """Sections with keys under the same passphrase ask once; a reload that needs the key asks
        nobody."""
        key, other = self.locked("-aes256"), self.locked("-aes128", name="other.key")
        two = ("[two]", "accept = 127.0.0.1:0", "connect = " + self.target,
               "cert = " + self.cert, "key = " + other, "peer = " + self.crt("client"))
        conf = self.conf(key, *two)
        sluss = self.begin(command=[conf])
        self.screen("Passphrase of ")
        self.type(PASS + "\n")
        self.assert_works(sluss)
        self.conf(key, "peer = " + self.crt("stranger"), *two)
        os.kill(sluss.pid, signal.SIGHUP)
        sluss.wait_log("Configuration reloaded")
        wire = self.tls(sluss.port, identity="stranger")
        wire.close()
        self.assertEqual(self.said.count("Passphrase of "), 1)

    def test_check(self):
        """So does check."""
        sluss = self.begin(command=["check", self.conf(self.locked("-aes256"))])
        self.screen("Passphrase of ")
        self.type(PASS + "\n")
        self.assertEqual(sluss.wait(), 0, sluss.log)

    def test_no_terminal(self):
        """Without a terminal nobody is asked, and the log says what to do."""
        done = harness.run(harness.SLUSS, *self.args(self.cert, "--key", self.locked("-aes256")),
                           check=False, start_new_session=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nobody could type its passphrase", done.err)


if __name__ == "__main__":
    harness.main()
