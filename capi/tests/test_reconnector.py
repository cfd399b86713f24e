"""Gsock.Reconnector from Python: one connection through many sockets, bindings, and the three forms of the wait."""

import faulthandler
import socket
import threading
import unittest

import gi

gi.require_version("Gsock", "1")
from gi.repository import Gio, GLib, GObject, Gsock  # noqa: E402

# A test that hangs is ended, and says where.
faulthandler.dump_traceback_later(60, exit=True)

State = Gsock.ReconnectorState


def listener():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(8)
    return sock


def connectable(sock):
    return Gio.InetSocketAddress.new_from_string(*sock.getsockname())


def until(condition):
    context = GLib.MainContext.default()
    # So that an iteration without an event ends too.
    tick = GLib.timeout_add(5, lambda: True)
    while not condition():
        context.iteration(True)
    GLib.source_remove(tick)


class Label(GObject.Object):
    """What a program shows."""

    state = GObject.Property(type=Gsock.ConnectionState, default=Gsock.ConnectionState.UNCONNECTED)
    address = GObject.Property(type=Gio.SocketAddress)
    stream = GObject.Property(type=Gio.IOStream)


class Reconnector(unittest.TestCase):
    def setUp(self):
        self.listener = listener()
        self.addCleanup(self.listener.close)
        self.client = Gsock.SocketClient()
        self.reconnector = Gsock.Reconnector.new(self.client, connectable(self.listener))
        self.reconnector.set_initial_delay_ms(5)
        self.reconnector.set_max_delay_ms(20)
        self.told = []
        for signal in ("attempt", "attempt-failed", "connected", "disconnected", "given-up"):
            self.reconnector.connect(signal, lambda _, *rest, signal=signal: self.told.append((signal, *rest)))

    def accept(self):
        until(lambda: self.reconnector.get_state() == State.CONNECTED)
        return self.listener.accept()[0]

    def test_bindings_live_through_reconnects(self):
        label = Label()
        streams = []
        label.connect("notify::stream", lambda it, _: streams.append(it.stream))
        sync = GObject.BindingFlags.SYNC_CREATE
        self.reconnector.bind_property("io-stream", label, "stream", sync)
        streams.clear()
        self.reconnector.start()
        peer = self.accept()
        connection = self.reconnector.get_connection()
        self.assertIsInstance(connection, Gsock.TcpConnection)
        states = []
        label.connect("notify::state", lambda it, _: states.append(it.state))
        connection.bind_property("state", label, "state", sync)
        connection.bind_property("remote-address", label, "address", sync)
        for number in range(4):
            self.assertEqual(label.state, Gsock.ConnectionState.CONNECTED)
            self.assertEqual(label.address.get_port(), self.listener.getsockname()[1])
            peer.sendall(b"hello")
            self.assertEqual(connection.get_input_stream().read_bytes(5, None).get_data(), b"hello")
            self.assertEqual(connection.get_bytes_read(), 5)
            peer.close()
            # The state may have passed when somebody looks.
            until(lambda: states.count(Gsock.ConnectionState.DISCONNECTED) == number + 1)
            peer = self.accept()
            self.assertEqual(self.reconnector.get_connection(), connection)
            self.assertEqual(len(streams), number + 2)
        self.assertEqual(self.reconnector.get_io_stream(), connection)
        peer.close()
        self.reconnector.stop()
        self.assertEqual(self.reconnector.props.state, State.STOPPED)
        self.assertEqual(self.told[0], ("attempt", 1))
        self.assertEqual(self.told[1], ("connected", connection))
        self.assertEqual(self.told[2], ("disconnected", None))

    def test_frames_go_over_each_connection(self):
        framed = Gsock.Framed(framing=Gsock.Framing.LINES, keep_queue=True)
        self.reconnector.bind_property("io-stream", framed, "io-stream", GObject.BindingFlags.SYNC_CREATE)
        losses = []

        def on_disconnected(_reconnector, error):
            # There is no connection now: it goes over the next one.
            framed.send(GLib.Bytes.new(b"meanwhile"))
            losses.append(error)

        self.reconnector.connect("disconnected", on_disconnected)
        framed.send(GLib.Bytes.new(b"before"))
        self.reconnector.start()
        for number, expected in enumerate((b"before\n", b"meanwhile\n", b"meanwhile\n")):
            with self.accept() as peer, peer.makefile("rb") as lines:
                until(lambda: framed.get_pending_frames() == 0)
                self.assertEqual(lines.readline(), expected)
            until(lambda: len(losses) > number)
        self.reconnector.stop()

    def test_waits(self):
        stream = self.reconnector.wait_connected(None)
        self.assertEqual(stream, self.reconnector.get_io_stream())
        self.reconnector.stop()
        results = []
        self.reconnector.wait_connected_async(None, lambda it, result: results.append(it.wait_connected_finish(result)))
        until(lambda: results)
        self.assertEqual(results, [stream])
        self.reconnector.retry_now()
        until(lambda: ("disconnected", None) in self.told[-3:] and self.reconnector.get_state() == State.CONNECTED)
        self.reconnector.stop()
        cancellable = Gio.Cancellable()
        cancellable.cancel()
        with self.assertRaises(GLib.Error) as raised:
            self.reconnector.wait_connected(cancellable)
        self.assertTrue(raised.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED))

    def test_waits_on_another_thread(self):
        results = []
        thread = threading.Thread(target=lambda: results.append(self.reconnector.wait_connected(None)))
        thread.start()
        until(lambda: not thread.is_alive())
        self.assertEqual(results, [self.reconnector.get_io_stream()])
        self.reconnector.stop()

    def test_gives_up(self):
        self.listener.close()
        self.reconnector.set_max_attempts(2)
        self.assertEqual(self.reconnector.get_max_attempts(), 2)
        self.reconnector.start()
        until(lambda: self.reconnector.get_state() == State.GIVEN_UP)
        self.assertEqual([told[0] for told in self.told], ["attempt", "attempt-failed"] * 2 + ["given-up"])
        refused = (Gio.io_error_quark(), Gio.IOErrorEnum.CONNECTION_REFUSED)
        self.assertTrue(self.told[-1][1].matches(*refused))
        self.assertTrue(self.reconnector.get_last_error().matches(*refused))
        self.assertEqual(self.reconnector.get_attempt(), 2)
        self.assertEqual(self.reconnector.get_next_attempt_in_ms(), 0)

    def test_settings(self):
        it = self.reconnector
        self.assertEqual(it.get_client(), self.client)
        self.assertEqual(it.get_connectable().get_port(), self.listener.getsockname()[1])
        self.assertEqual((it.get_initial_delay_ms(), it.get_max_delay_ms()), (5, 20))
        it.set_stable_after_ms(7)
        it.set_debounce_ms(8)
        it.set_jitter(0.25)
        it.set_reconnect(False)
        self.assertEqual((it.get_stable_after_ms(), it.get_debounce_ms()), (7, 8))
        self.assertEqual((it.get_jitter(), it.get_reconnect()), (0.25, False))
        self.assertEqual(it.props.jitter, 0.25)
        self.assertEqual(it.get_network_monitor(), Gio.NetworkMonitor.get_default())
        it.set_network_monitor(None)
        self.assertIsNone(it.get_network_monitor())
        it.props.network_monitor = Gio.NetworkMonitor.get_default()
        self.assertIsNotNone(it.get_network_monitor())
        made = Gsock.Reconnector(client=self.client, connectable=connectable(self.listener), max_attempts=3)
        self.assertEqual(made.get_max_attempts(), 3)


if __name__ == "__main__":
    unittest.main()
