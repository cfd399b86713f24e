"""What is of frames, in Python, as the documentation shows it; see operations.py."""

import socket
import sys

from shown import Gio, GLib, Gsock, answered, must, wait


# {gsock_framed_new gsock_framed_send gsock_framed_flush gsock_framed_read_frame}
def ask(stream, question):
    framed = Gsock.Framed.new(stream, Gsock.Framing.LINES)
    # Queued; in a main loop it is written by itself.
    framed.send(GLib.Bytes.new(question))
    framed.flush(None)
    # None is the end.
    return framed.read_frame(None)
# {}


# {gsock_framed_read_frame_async gsock_framed_read_frame_finish}
def read_later(framed):
    def on_read(framed, result):
        answered(framed.read_frame_finish(result))

    framed.read_frame_async(None, on_read)
# {}


# {gsock_framed_write_frame}
def write_now(framed, frame):
    # Waits for room, and until it is written.
    framed.write_frame(frame, None)
# {}


# {gsock_framed_write_frame_async gsock_framed_write_frame_finish}
def write_later(framed, frame):
    def on_written(framed, result):
        answered(framed.write_frame_finish(result))

    framed.write_frame_async(frame, None, on_written)
# {}


# {gsock_framed_send_exact gsock_framed_read_exact}
def send_a_body(framed, body):
    framed.send(GLib.Bytes.new(b"%d" % body.get_size()))
    framed.send_exact(body)
    framed.flush(None)


def read_a_body(framed):
    length = int(framed.read_frame(None).get_data())
    return framed.read_exact(length, None)
# {}


# {gsock_framed_read_exact_async gsock_framed_read_exact_finish}
def read_exactly_later(framed, count):
    def on_read(framed, result):
        answered(framed.read_exact_finish(result))

    framed.read_exact_async(count, None, on_read)
# {}


# {gsock_framed_take_buffered}
def nothing_was_sent_ahead(framed):
    return framed.take_buffered().get_size() == 0
# {}


# {gsock_framed_flush_async gsock_framed_flush_finish}
def flush_later(framed):
    def on_flushed(framed, result):
        answered(framed.flush_finish(result))

    framed.flush_async(None, on_flushed)
# {}


# {gsock_framed_close}
def close_now(framed):
    # Writes what is queued first.
    framed.close(None)
# {}


# {gsock_framed_close_async gsock_framed_close_finish}
def close_later(framed):
    def on_closed(framed, result):
        answered(framed.close_finish(result))

    framed.close_async(None, on_closed)
# {}


# {gsock_framed_send_with_fds}
def send_a_file(framed, name, file):
    framed.send_with_fds(name, [file.fileno()])
# {}


# {GsockFramed:io-stream}
def go_on_with(framed, stream):
    if framed.get_io_stream() != stream:
        framed.set_io_stream(stream)
# {}


# {GsockFramed:framing :prefix-size :byte-order :crlf}
def with_short_lengths():
    framed = Gsock.Framed(framing=Gsock.Framing.LENGTH_PREFIXED, prefix_size=2,
                          byte_order=Gio.DataStreamByteOrder.LITTLE_ENDIAN, crlf=False)
    must(framed.get_framing() == Gsock.Framing.LENGTH_PREFIXED and framed.get_prefix_size() == 2)
    must(framed.get_byte_order() == Gio.DataStreamByteOrder.LITTLE_ENDIAN and not framed.get_crlf())
    return framed
# {}


# {GsockFramed:max-frame-size :read-ahead :high-water :low-water :max-pending-bytes :keep-queue}
def set_bounds(framed):
    framed.set_max_frame_size(2 * framed.get_max_frame_size())
    framed.set_high_water(framed.get_max_pending_bytes() // 2)
    framed.set_low_water(framed.get_high_water() // 2)
    framed.set_max_pending_bytes(4 * framed.get_low_water())
    # For what follows a frame and is for somebody else, and for a stream that is replaced.
    framed.set_read_ahead(not framed.get_read_ahead())
    framed.set_keep_queue(not framed.get_keep_queue())
# {}


# {GsockFramed:pending-bytes :pending-frames :congested :last-error}
def is_at_rest(framed):
    queued = framed.get_pending_bytes(), framed.get_pending_frames()
    return queued == (0, 0) and not framed.is_congested() and framed.get_last_error() is None
# {}


# {GsockFramed::drained GsockFramed::error}
def hear_of_the_queue(framed):
    framed.connect("drained", lambda framed: answered(framed.get_pending_bytes()))
    framed.connect("error", lambda _framed, error: print("not written:", error.message))
# {}


def end(it):
    return Gsock.SocketConnection.factory_create_connection(Gio.Socket.new_from_fd(it.detach()))


def main():
    ours, theirs = map(end, socket.socketpair())
    text = GLib.Bytes.new(b"text")
    there = Gsock.Framed.new(theirs, Gsock.Framing.LINES)
    write_now(there, text)
    must(ask(ours, b"question").get_data() == b"text")
    must(there.read_frame(None).get_data() == b"question")

    with_short_lengths()
    here = Gsock.Framed()
    go_on_with(here, ours)
    write_later(here, text)
    must(wait()[0])
    read_later(there)
    must(wait()[0].get_data() == b"text")
    send_a_body(here, text)
    must(read_a_body(there).get_data() == b"text")
    send_a_body(here, text)
    must(there.read_frame(None).get_data() == b"4")
    read_exactly_later(there, 4)
    must(wait()[0].get_data() == b"text")
    must(nothing_was_sent_ahead(there))

    set_bounds(there)
    send_a_file(here, text, sys.stdout)
    flush_later(here)
    must(wait()[0])
    must(there.read_frame(None).get_data() == b"text")
    open(theirs.receive_fd(None), "w").close()

    hear_of_the_queue(here)
    here.set_high_water(1)
    here.send(text)
    must(not is_at_rest(here))
    must(wait() == (0,))
    must(is_at_rest(here))
    close_later(here)
    must(wait()[0])
    close_now(there)
    print("ok")


if __name__ == "__main__":
    main()
