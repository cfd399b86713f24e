"""A service that sends back what it gets, and a client that awaits it with asyncio.

    python3 examples/python/echo.py

With HOST:PORT it talks to that peer, which must send back what it gets. GLib's main loop has a thread of its own:
operations may be started from any, and are answered on the thread of their main context.
"""

import asyncio
import sys
import threading

import gi

gi.require_version("Gsock", "1")
from gi.repository import Gio, GLib, GObject, Gsock  # noqa: E402

SAID = b"hello from Python\n"


class Echo(Gsock.SocketService):
    """A class of its own, which is given each connection, on GLib's thread."""

    def do_incoming(self, connection, _source_object):
        def spliced(stream, result):
            # Named here, the connection stays until now: it would be closed with its last reference.
            stream.splice_finish(result)
            connection.close_async(GLib.PRIORITY_DEFAULT, None, None)

        source, nothing = connection.get_input_stream(), Gio.OutputStreamSpliceFlags.NONE
        connection.get_output_stream().splice_async(source, nothing, GLib.PRIORITY_DEFAULT, None, spliced)
        return True


async def of_gio(source, name, *arguments):
    """Awaits an operation of GIO's kind: `of_gio(client, "connect_to_host", host, port)`. Cancelling the task cancels
    the operation."""
    loop, cancellable = asyncio.get_running_loop(), Gio.Cancellable()
    future = loop.create_future()

    def settle(set_it, answer):
        if not future.done():
            set_it(answer)

    def answered(_source, result):
        try:
            answer = (settle, future.set_result, getattr(source, name + "_finish")(result))
        except GLib.Error as error:
            answer = (settle, future.set_exception, error)
        loop.call_soon_threadsafe(*answer)

    getattr(source, name + "_async")(*arguments, cancellable, answered)
    try:
        return await future
    except asyncio.CancelledError:
        cancellable.cancel()
        raise


async def talk(host):
    client = Gsock.SocketClient(connect_timeout_ms=10_000, io_timeout_ms=10_000)
    connection = await of_gio(client, "connect_to_host", host, 7)
    # `connect` connects the socket; signals are connected by GObject's.
    GObject.Object.connect(connection, "notify::state", lambda c, _: print("state:", c.get_state().value_nick))
    stream = connection.get_output_stream()
    await of_gio(stream, "write_bytes", GLib.Bytes.new(SAID), GLib.PRIORITY_DEFAULT)
    stream = connection.get_input_stream()
    answer = b""
    while len(answer) < len(SAID):
        some = await of_gio(stream, "read_bytes", len(SAID) - len(answer), GLib.PRIORITY_DEFAULT)
        if not some.get_size():
            raise SystemExit(f"{host}: the peer said too little")
        answer += some.get_data()
    await of_gio(connection, "close", GLib.PRIORITY_DEFAULT)
    return answer


def main():
    loop = GLib.MainLoop()
    service = None
    if len(sys.argv) > 1:
        host = sys.argv[1]
    else:
        service = Echo()
        host = f"127.0.0.1:{service.add_any_inet_port(None)}"
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        answer = asyncio.run(talk(host))
        print(f"ok: {host} said {answer.decode()}", end="")
    except GLib.Error as error:
        sys.exit(f"{host}: {error.message}")
    finally:
        GLib.idle_add(loop.quit)
        thread.join()


if __name__ == "__main__":
    main()
