"""What the programs have in common around the blocks that they show."""

import gi

gi.require_version("Gsock", "1")
from gi.repository import Gio, GLib, GObject, Gsock  # noqa: E402

# A service of which no server is asked: a label of the DNS has 63 bytes at most.
NO_SERVICE = "a-service-of-a-name-that-is-longer-than-anything-in-the-dns-can-be"
loop = GLib.MainLoop()
answers = []


def answered(*answer):
    """What each callback ends with."""
    answers.append(answer)
    loop.quit()


def wait():
    loop.run()
    return answers.pop()


def must(right):
    if not right:
        raise SystemExit("not as it should be")


def loopback_listener():
    """A listener on loopback, and where it listens."""
    listener = Gsock.SocketListener()
    any_port = Gio.InetSocketAddress.new_from_string("127.0.0.1", 0)
    _, address = listener.add_address(any_port, Gio.SocketType.STREAM, Gio.SocketProtocol.DEFAULT, None)
    return listener, address
