"""The listener in Python, as the documentation shows it; see operations.py."""

import os
import socket
import sys
import tempfile

from shown import Gio, GLib, Gsock, answered, must, wait


# {gsock_socket_listener_new gsock_socket_listener_add_address}
def listen_at(host, port):
    listener = Gsock.SocketListener()
    address = Gio.InetSocketAddress.new_from_string(host, port)
    # For port 0 the effective address has the one that was free.
    _, effective_address = listener.add_address(address, Gio.SocketType.STREAM, Gio.SocketProtocol.TCP, None)
    return listener, effective_address
# {}


# {gsock_socket_listener_add_inet_port}
def listen_at_port(listener, port, mark):
    # Of both families. What is accepted there comes with the mark.
    listener.add_inet_port(port, mark)
# {}


# {gsock_socket_listener_add_socket}
def listen_with(listener, address):
    # One that is set up in a way of one's own; it listens already.
    listening = Gio.Socket.new(address.get_family(), Gio.SocketType.STREAM, Gio.SocketProtocol.DEFAULT)
    listening.bind(address, True)
    listening.listen()
    listener.add_socket(listening, None)
# {}


# {gsock_socket_listener_add_unix_path}
def listen_at_path(listener, path):
    # For the user alone. A file that a crash has left gives way; the file goes with the listener.
    listener.add_unix_path(path, 0o600, Gsock.UnixPathFlags.SAME_USER_ONLY, None)
# {}


# {gsock_socket_listener_add_unix_abstract}
def listen_at_name(listener, name):
    # Of Linux: in no folder.
    listener.add_unix_abstract(name, True, None)
# {}


# {gsock_socket_listener_add_systemd_sockets}
def listen_at_what_systemd_has(listener):
    # Those of a name, or all.
    names, addresses = listener.add_systemd_sockets("http", None)
    return addresses
# {}


# {gsock_socket_listener_get_addresses gsock_socket_listener_remove_address}
def leave_the_first(listener):
    addresses = listener.get_addresses()
    listener.remove_address(addresses[0])
# {}


# {gsock_socket_listener_accept_socket}
def next_socket(listener):
    accepted, mark = listener.accept_socket(None)
    return accepted, mark
# {}


# {gsock_socket_listener_accept_socket_async gsock_socket_listener_accept_socket_finish}
def on_socket(listener, result):
    try:
        accepted, _mark = listener.accept_socket_finish(result)
        answered(accepted)
    except GLib.Error as error:
        print(error.message, file=sys.stderr)


def next_socket_later(listener):
    listener.accept_socket_async(None, on_socket)
# {}


# {gsock_socket_listener_set_backlog GsockSocketListener:listen-backlog :max-* :accept-rate}
def set_limits(listener):
    # How many the kernel keeps before they are accepted: of what is added from now on.
    listener.set_backlog(128)
    # 0 is no limit.
    listener.set_max_connections(1000)
    listener.set_max_connections_per_peer(10)
    listener.set_accept_rate(200)
    print(listener.props.listen_backlog, "in the kernel,", listener.get_max_connections(), "connections,")
    print(listener.get_max_connections_per_peer(), "of one peer,", listener.get_accept_rate(), "a second")
# {}


# {GsockSocketListener:accepted :refused :active-connections}
def count(listener):
    print(listener.get_accepted(), "accepted,", listener.get_refused(), "refused")
    print(listener.get_active_connections(), "there")
# {}


# {GsockSocketListener::event}
def on_event(_listener, event, listening):
    # Here an option of the socket can be set before it is bound.
    if event == Gio.SocketListenerEvent.BINDING:
        listening.set_option(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)


def look_on(listener):
    listener.connect("event", on_event)
# {}


# {gsock_socket_listener_close}
def end(listener):
    # What waits in an accept ends with Gio.IOErrorEnum.CLOSED.
    listener.close()
# {}


def main():
    listener, address = listen_at("127.0.0.1", 0)
    look_on(listener)
    client = Gsock.SocketClient()
    one = client.connect(address, None)
    accepted, mark = next_socket(listener)
    must(accepted.is_connected() and mark is None)
    next_socket_later(listener)
    two = client.connect(address, None)
    must(wait()[0].is_connected())

    other = Gsock.SocketListener()
    port = other.add_any_inet_port(None)
    end(other)
    listen_at_port(listener, port, listener)
    listen_with(listener, Gio.InetSocketAddress.new_from_string("127.0.0.1", 0))
    with tempfile.TemporaryDirectory() as folder:
        listen_at_path(listener, os.path.join(folder, "socket"))
        listen_at_name(listener, b"gsock documentation %d" % os.getpid())
        must(listen_at_what_systemd_has(listener) == [])
        set_limits(listener)
        count(listener)
        leave_the_first(listener)
        end(listener)
        must(os.listdir(folder) == [])
    must(one.is_connected() and two.is_connected())
    print("ok")


main()
