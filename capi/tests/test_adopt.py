"""A program for Gio, with one call before it: the same program with and without, each in a process of its own."""

import faulthandler
import os
import subprocess
import sys
import unittest

LIMIT = 60

PROGRAM = """
from gi.repository import Gio, GLib

def echo(service, connection, source):
    def received(stream, result):
        data = stream.read_bytes_finish(result).get_data()
        if data:
            connection.get_output_stream().write_all(data.upper(), None)
            stream.read_bytes_async(100, GLib.PRIORITY_DEFAULT, None, received)
        else:
            connection.close(None)
    connection.get_input_stream().read_bytes_async(100, GLib.PRIORITY_DEFAULT, None, received)
    return True

def connected(client, result):
    connection = client.connect_to_host_finish(result)
    assert isinstance(connection, Gio.TcpConnection)
    connection.get_output_stream().write_all(b"there and back again", None)
    connection.get_input_stream().read_bytes_async(100, GLib.PRIORITY_DEFAULT, None, answered, connection)

def answered(stream, result, connection):
    print(stream.read_bytes_finish(result).get_data().decode())
    connection.close(None)
    print(connection.is_closed(), connection.get_socket().is_closed())
    print("streams:", type(stream).__gtype__.name, connection.__gtype__.name)
    loop.quit()

loop = GLib.MainLoop()
service = Gio.SocketService.new()
port = service.add_any_inet_port(None)
service.connect("incoming", echo)
Gio.SocketClient.new().connect_to_host_async("127.0.0.1", port, None, connected)
loop.run()
"""

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
        before, after = run(PROGRAM), run(CALL + PROGRAM)
        self.assertEqual(before[:2], ["THERE AND BACK AGAIN", "True True"])
        self.assertEqual(after[:2], before[:2])
        self.assertEqual(before[2:], ["streams: GSocketInputStream GTcpConnection"])
        self.assertEqual(after[2:], ["streams: GsockSocketInputStream GsockGioTcpConnection"])

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
"""
        )
        self.assertEqual(lines, ["b'x' 1"])


if __name__ == "__main__":
    faulthandler.dump_traceback_later(2 * LIMIT, exit=True)
    unittest.main()
