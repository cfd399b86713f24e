"""A program for Gio, with one call before it: the same program with and without, each in a process of its own."""

import faulthandler
import os
import subprocess
import sys
import unittest

LIMIT = 60

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "adopt.py")
with open(EXAMPLE, encoding="utf-8") as example:
    CALLING, PROGRAM = example.read().split("# From here on there is nothing but Gio.\n")

CALL = """
import gi
gi.require_version("Gsock", "1")
from gi.repository import Gsock
Gsock.adopt_gio()
"""


def run(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


class Adopting(unittest.TestCase):
    def test_nothing_is_changed_but_the_call(self):
        self.assertIn("\nGsock.adopt_gio()\n", CALLING)
        self.assertNotIn("Gsock", PROGRAM)
        said = "ok: 22 bytes and back, by a {} with a {}"
        self.assertEqual(run(PROGRAM), [said.format("GTcpConnection", "GSocketInputStream")])
        self.assertEqual(run(CALLING + PROGRAM), [said.format("GsockGioTcpConnection", "GsockSocketInputStream")])

    def test_an_object_of_gios_class_that_is_made_by_hand(self):
        lines = run(
            CALL
            + """
from gi.repository import Gio

class Derived(Gio.TcpConnection):
    pass

sock = Gio.Socket.new(Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, Gio.SocketProtocol.TCP)
for cls in Gio.TcpConnection, Derived:
    connection = cls(socket=sock, graceful_disconnect=True)
    assert isinstance(connection, cls)
    assert connection.get_socket() is sock
    assert connection.get_graceful_disconnect()
    print(type(connection.get_input_stream()).__gtype__.name)
"""
        )
        # Of a class of somebody else's nothing is changed.
        self.assertEqual(lines, ["GsockSocketInputStream", "GSocketInputStream"])

    def test_there_and_back(self):
        lines = run(
            CALL
            + """
from gi.repository import Gio
import socket
ours, peer = socket.socketpair()
gios = Gio.Socket.new_from_fd(ours.detach()).connection_factory_create_connection()
connection = Gsock.SocketConnection.new_from_gio(gios)
assert isinstance(connection, Gsock.UnixConnection)
assert connection.to_gio() is gios
connection.get_output_stream().write_all(b"x", None)
print(peer.recv(10), connection.get_bytes_written())
assert Gsock.SocketConnection.beneath(connection) is connection
"""
        )
        self.assertEqual(lines, ["b'x' 1"])


if __name__ == "__main__":
    faulthandler.dump_traceback_later(2 * LIMIT, exit=True)
    unittest.main()
