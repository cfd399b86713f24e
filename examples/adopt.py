"""Gio's own client and service on gsock's transport: one call, and nothing else is changed.

adopt.py brings its own service; adopt.py HOST:PORT talks to yours, which must send back what it gets.
"""

import gi

gi.require_version("Gsock", "1")
from gi.repository import Gsock

Gsock.adopt_gio()

# From here on there is nothing but Gio.

import sys

from gi.repository import Gio, GLib

MESSAGE = b"There and back again.\n"
outcome = []


def echo(service, connection, source):
    streams = connection.get_output_stream(), connection.get_input_stream()
    flags = Gio.OutputStreamSpliceFlags.CLOSE_TARGET
    streams[0].splice_async(streams[1], flags, GLib.PRIORITY_DEFAULT, None, lambda *_: connection.close(None))
    return True


def connected(client, result):
    try:
        connection = client.connect_to_host_finish(result)
        connection.get_output_stream().write_all(MESSAGE, None)
    except GLib.Error as failure:
        return end(failure)
    stream = connection.get_input_stream()
    stream.read_bytes_async(len(MESSAGE), GLib.PRIORITY_DEFAULT, None, answered, connection)


def answered(stream, result, connection):
    try:
        answer = stream.read_bytes_finish(result).get_data()
        connection.close(None)
    except GLib.Error as failure:
        return end(failure)
    if answer != MESSAGE:
        return end("The peer sent back something else")
    names = connection.__gtype__.name, type(stream).__gtype__.name
    print(f"ok: {len(answer)} bytes and back, by a {names[0]} with a {names[1]}")
    end(None)


def end(failure):
    outcome.append(failure)
    loop.quit()
    return False


loop = GLib.MainLoop()
service = Gio.SocketService.new()
service.connect("incoming", echo)
peer = sys.argv[1] if len(sys.argv) > 1 else f"127.0.0.1:{service.add_any_inet_port(None)}"
GLib.timeout_add_seconds(15, end, "The peer has not answered")
Gio.SocketClient.new().connect_to_host_async(peer, 7, None, connected)
loop.run()
if outcome[0]:
    sys.exit(f"adopt: {outcome[0]}")
