"""What every connection can do, in Python, as the documentation shows it; see operations.py."""

import socket
import sys
import threading

from shown import Gio, GLib, GObject, Gsock, answered, loopback_listener, must, wait


# {GsockSocketConnection}
def say_and_hear(connection, length):
    # Reading, writing and closing are those of every Gio.IOStream.
    connection.get_output_stream().write_all(b"hello", None)
    answer = connection.get_input_stream().read_bytes(length, None).get_data()
    connection.close(None)
    return answer


def on_heard(stream, result):
    try:
        answered(stream.read_bytes_finish(result).get_data())
    except GLib.Error as error:
        print(error.message, file=sys.stderr)


def on_said(stream, result):
    try:
        stream.write_bytes_finish(result)
    except GLib.Error as error:
        print(error.message, file=sys.stderr)


def say_and_hear_later(connection):
    output, source = connection.get_output_stream(), connection.get_input_stream()
    output.write_bytes_async(GLib.Bytes.new(b"hello"), GLib.PRIORITY_DEFAULT, None, on_said)
    source.read_bytes_async(1024, GLib.PRIORITY_DEFAULT, None, on_heard)
# {}


# {GsockSocketConnection:socket gsock_socket_connection_is_connected}
def connect_anew(connection, address):
    family = connection.get_socket().get_family()
    # The object stays the same one: what is bound to its properties stays bound.
    connection.set_socket(Gio.Socket.new(family, Gio.SocketType.STREAM, Gio.SocketProtocol.DEFAULT))
    connection.connect(address, None)
    return connection.is_connected()
# {}


# {GsockSocketConnection:*-address}
def who_talks(connection):
    # They are kept after a close.
    here, there = connection.get_local_address(), connection.get_remote_address()
    return f"{here.to_string()} to {there.to_string()}"
# {}


# {gsock_socket_connection_is_alive gsock_socket_connection_get_last_error gsock_*_get_bytes_*}
def tell_of(connection):
    print("alive" if connection.is_alive() else "not alive")
    print(connection.get_bytes_read(), "bytes read,", connection.get_bytes_written(), "written")
    if error := connection.get_last_error():
        print(error.message)
# {}


# {GsockSocketConnection:alive :state}
def name_of_state(_binding, state):
    return state.value_nick


def show_in(connection, view):
    # In GTK: "sensitive" of a button, "label" of a label.
    flags = GObject.BindingFlags.SYNC_CREATE
    connection.bind_property("alive", view, "enabled", flags)
    connection.bind_property("state", view, "name", flags, name_of_state)
# {}


# {gsock_socket_connection_set_home}
def made_elsewhere(address):
    made = []
    maker = threading.Thread(target=lambda: made.append(Gsock.SocketClient().connect(address, None)))
    maker.start()
    maker.join()
    # Its notifications come to this thread from now on.
    made[0].set_home(GLib.MainContext.default())
    return made[0]
# {}


# {gsock_socket_connection_factory_create_connection_from_fd}
def connection_of(end):
    # The descriptor is the connection's from now on.
    return Gsock.SocketConnection.factory_create_connection_from_fd(end.detach())
# {}


# {gsock_socket_connection_factory_register_type gsock_socket_connection_factory_lookup_type}
class OwnConnection(Gsock.TcpConnection):
    connects = 0

    # A class whose users do not block overrides `do_connect_async` as well.
    def do_connect(self, address, cancellable):
        self.connects += 1
        return Gsock.TcpConnection.do_connect(self, address, cancellable)


def use_own_class():
    kind = (Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, 0)
    # From now on the client, the listener and the factory make it for such sockets.
    Gsock.SocketConnection.factory_register_type(OwnConnection, *kind)
    return Gsock.SocketConnection.factory_lookup_type(*kind) == OwnConnection.__gtype__
# {}


# {gsock_socket_connection_to_gio gsock_socket_connection_new_from_gio}
def there_and_back(connection):
    # What GDBus and others want, on the same transport.
    of_gio = connection.to_gio()
    return of_gio.is_connected() and Gsock.SocketConnection.new_from_gio(of_gio) is connection
# {}


# {gsock_socket_connection_beneath}
def peer_of(stream):
    # Of TLS over a connection, for example, which does not tell.
    connection = Gsock.SocketConnection.beneath(stream)
    return connection and connection.get_remote_address()
# {}


# {gsock_engine_use_poll_function}
def wait_by_one_call():
    # For the global default context; not where a toolkit has a poll function of its own.
    return Gsock.engine_use_poll_function(None, True)
# {}


# {gsock_adopt_gio}
def with_code_of_gio(address):
    # GIO's own client makes its connections on this library's transport from now on.
    Gsock.adopt_gio()
    return Gio.SocketClient().connect(address, None)
# {}


# ---- Running them


class View(GObject.Object):
    enabled = GObject.Property(type=bool, default=False)
    name = GObject.Property(type=str, default="")


def main():
    must(wait_by_one_call())
    listener, address = loopback_listener()
    one = Gsock.SocketClient().connect(address, None)
    other, _ = listener.accept(None)
    must(" to 127.0.0.1:" in who_talks(one))
    view = View()
    show_in(one, view)
    must((view.enabled, view.name) == (True, "connected"))
    other.get_output_stream().write_all(b"there", None)
    say_and_hear_later(one)
    must(wait()[0] == b"there")
    other.get_output_stream().write_all(b"again", None)
    must(there_and_back(one))
    must(peer_of(one))
    must(say_and_hear(one, 5) == b"again")
    tell_of(one)
    must((view.enabled, view.name) == (False, "closed"))
    must(connect_anew(other, address))
    must(made_elsewhere(address).is_alive())

    must(use_own_class())
    kind = (Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, Gio.SocketProtocol.DEFAULT)
    own = Gsock.SocketConnection.factory_create_connection(Gio.Socket.new(*kind))
    own.connect(address, None)
    must(own.connects == 1)

    left, right = map(connection_of, socket.socketpair())
    must(left.is_connected() and right.is_connected())
    must(with_code_of_gio(address).is_connected())
    must(Gsock.engine_use_poll_function(None, False))
    print("ok")


main()
