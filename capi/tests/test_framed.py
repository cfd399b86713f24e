"""Frames over a stream, from Python: each method, property and signal."""

import socket
import unittest

import gi

gi.require_version("Gsock", "1")
from gi.repository import Gio, GLib, GObject, Gsock

SECONDS = 20


def connection(fd):
    return Gsock.SocketConnection.factory_create_connection(Gio.Socket.new_from_fd(fd.detach()))


def pair(framing):
    ours, theirs = socket.socketpair()
    return [Gsock.Framed.new(connection(end), framing) for end in (ours, theirs)]


def iterate_until(done):
    late = []
    timer = GLib.timeout_add_seconds(SECONDS, lambda: late.append(True))
    while not done() and not late:
        GLib.MainContext.default().iteration(True)
    if not late:
        GLib.source_remove(timer)
    assert not late, f"not done after {SECONDS} s"


def call(begin, *arguments):
    """What an asynchronous method comes to."""
    results = []
    begin(*arguments, None, lambda _, result: results.append(result))
    iterate_until(lambda: results)
    return results[0]


def text(data):
    return GLib.Bytes.new(data)


class Framed(unittest.TestCase):
    def test_frames_go_in_each_form(self):
        ours, theirs = pair(Gsock.Framing.LENGTH_PREFIXED)
        self.assertTrue(ours.send(text(b"sent")))
        self.assertEqual((ours.get_pending_bytes(), ours.get_pending_frames()), (8, 1))
        self.assertTrue(ours.flush(None))
        self.assertTrue(ours.write_frame(text(b"written"), None))
        self.assertTrue(ours.write_frame_finish(call(ours.write_frame_async, text(b"later"))))
        self.assertTrue(ours.flush_finish(call(ours.flush_async)))
        self.assertTrue(ours.close_finish(call(ours.close_async)))
        self.assertTrue(ours.close(None))
        self.assertEqual(theirs.read_frame(None).get_data(), b"sent")
        self.assertEqual(theirs.read_frame_finish(call(theirs.read_frame_async)).get_data(), b"written")
        self.assertEqual(theirs.read_frame(None).get_data(), b"later")
        # The end, without an error.
        self.assertIsNone(theirs.read_frame(None))

    def test_bytes_between_lines(self):
        ours, theirs = pair(Gsock.Framing.LINES)
        for line in (b"four", b"123456", b"and more"):
            ours.send(text(line))
        ours.flush(None)
        self.assertEqual(theirs.read_frame(None).get_data(), b"four")
        self.assertEqual(theirs.read_exact(4, None).get_data(), b"1234")
        self.assertEqual(theirs.read_exact_finish(call(theirs.read_exact_async, 3)).get_data(), b"56\n")
        self.assertEqual(theirs.take_buffered().get_data(), b"and more\n")

    def test_what_is_between_frames(self):
        ours, theirs = pair(Gsock.Framing.LINES)
        ours.send(text(b"3"))
        ours.send_exact(text(b"a\nb"))
        ours.flush(None)
        self.assertEqual(theirs.read_frame(None).get_data(), b"3")
        self.assertEqual(theirs.read_exact(3, None).get_data(), b"a\nb")
        theirs.set_read_ahead(False)
        with open(__file__, "rb") as file:
            ours.send_with_fds(text(b"a file"), [file.fileno()])
        ours.flush(None)
        self.assertEqual(theirs.read_frame(None).get_data(), b"a file")
        with open(theirs.get_io_stream().receive_fd(None), "rb") as file:
            self.assertTrue(file.read(3) == b'"""')

    def test_errors(self):
        framed = Gsock.Framed.new(None, Gsock.Framing.JSON_LINES)
        for wrong, code in ((b"nonsense", Gio.IOErrorEnum.INVALID_DATA), (b"[]", Gio.IOErrorEnum.NOT_CONNECTED)):
            with self.assertRaises(GLib.Error) as raised:
                framed.send(text(wrong))
            self.assertTrue(raised.exception.matches(Gio.io_error_quark(), code))
        self.assertIsNone(framed.get_last_error())

    def test_properties(self):
        framed = Gsock.Framed(framing=Gsock.Framing.LENGTH_PREFIXED, prefix_size=2,
                              byte_order=Gio.DataStreamByteOrder.LITTLE_ENDIAN, crlf=True)
        self.assertTrue(framed.get_crlf())
        self.assertEqual(framed.get_framing(), Gsock.Framing.LENGTH_PREFIXED)
        self.assertEqual(framed.get_prefix_size(), 2)
        self.assertEqual(framed.get_byte_order(), Gio.DataStreamByteOrder.LITTLE_ENDIAN)
        for name, value in (("max_frame_size", 7), ("read_ahead", False), ("high_water", 5), ("low_water", 3),
                            ("max_pending_bytes", 9), ("keep_queue", True)):
            getattr(framed, "set_" + name)(value)
            self.assertEqual(getattr(framed, "get_" + name)(), value)
            self.assertEqual(getattr(framed.props, name), value)
        # Each by its own name, too.
        framed.set_max_frame_size(framed.get_max_frame_size())
        framed.set_read_ahead(framed.get_read_ahead())
        framed.set_high_water(framed.get_high_water())
        framed.set_low_water(framed.get_low_water())
        framed.set_max_pending_bytes(framed.get_max_pending_bytes())
        framed.set_keep_queue(framed.get_keep_queue())

    def test_the_queue_is_told_of(self):
        ours, _theirs = pair(Gsock.Framing.LINES)
        stream, told = ours.get_io_stream(), []
        ours.set_high_water(3)
        ours.connect("notify::congested", lambda framed, _: told.append(framed.is_congested()))
        ours.connect("drained", lambda _: told.append("drained"))
        shown = Gsock.Framed()
        ours.bind_property("pending-bytes", shown, "max-frame-size", GObject.BindingFlags.SYNC_CREATE)
        ours.set_keep_queue(True)
        ours.set_io_stream(None)
        ours.send(text(b"more"))
        iterate_until(lambda: told == [True])
        self.assertEqual(shown.get_max_frame_size(), 5)
        ours.set_io_stream(stream)
        iterate_until(lambda: told == [True, False, "drained"])
        self.assertEqual(shown.get_max_frame_size(), 0)

    def test_a_failure_is_told_of(self):
        ours, theirs = pair(Gsock.Framing.LINES)
        told = []
        ours.connect("error", lambda framed, error: told.append((framed.get_last_error().code, error.code)))
        theirs.close(None)
        ours.send(text(b"one"))
        iterate_until(lambda: told)
        self.assertEqual(told, [(Gio.IOErrorEnum.BROKEN_PIPE,) * 2])


if __name__ == "__main__":
    unittest.main()
