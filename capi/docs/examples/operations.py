"""The operations as the documentation shows them in Python: what stands between two marks is a block of it. It runs on
the loopback; a test does. operations.c and operations.rs show the same ones."""

import os
import socket
import sys

import gi

gi.require_version("Gsock", "1")
from gi.repository import Gio, GLib, GObject, Gsock  # noqa: E402

loop = GLib.MainLoop()
answers = []


def answered(*answer):
    answers.append(answer)
    loop.quit()


def wait():
    loop.run()
    return answers.pop()


# {gsock_socket_listener_add_any_inet_port}
def listen_at_any_port():
    listener = Gsock.SocketListener()
    return listener, listener.add_any_inet_port(None)
# {}


# {gsock_socket_listener_add_inet_port_in_range}
def listen_in_range():
    listener = Gsock.SocketListener()
    # The first of these that is free.
    return listener, listener.add_inet_port_in_range(20000, 20500, None)
# {}


# {gsock_socket_listener_accept}
def next_connection(listener):
    # Waits for one.
    connection, source_object = listener.accept(None)
    return connection
# {}


# {gsock_socket_listener_accept_async gsock_socket_listener_accept_finish}
def on_accepted(listener, result):
    try:
        connection, source_object = listener.accept_finish(result)
        answered(connection)
    except GLib.Error as error:
        print(error.message, file=sys.stderr)


def accept_later(listener):
    listener.accept_async(None, on_accepted)
# {}


# {gsock_socket_client_connect_to_host}
def call(host, port):
    client = Gsock.SocketClient(connect_timeout_ms=10_000)
    return client.connect_to_host(host, port, None)
# {}


# {gsock_socket_client_connect_to_host_async gsock_socket_client_connect_to_host_finish}
def on_called(client, result):
    try:
        answered(client.connect_to_host_finish(result))
    except GLib.Error as error:
        print(error.message, file=sys.stderr)


def call_later(host, port):
    Gsock.SocketClient().connect_to_host_async(host, port, None, on_called)
# {}


# {gsock_socket_connection_factory_create_connection}
def make_connection():
    kind = (Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, Gio.SocketProtocol.TCP)
    # Of the class that is registered for this kind of socket: a Gsock.TcpConnection.
    return Gsock.SocketConnection.factory_create_connection(Gio.Socket.new(*kind))
# {}


# {gsock_socket_connection_connect}
def connect_it(connection, port):
    connection.connect(Gio.InetSocketAddress.new_from_string("127.0.0.1", port), None)
# {}


# {gsock_socket_connection_connect_async gsock_socket_connection_connect_finish}
def on_connected(connection, result):
    try:
        answered(connection.connect_finish(result))
    except GLib.Error as error:
        print(error.message, file=sys.stderr)


def connect_it_later(connection, port):
    address = Gio.InetSocketAddress.new_from_string("127.0.0.1", port)
    connection.connect_async(address, None, on_connected)
# {}


# {gsock_socket_connection_get_state}
def on_state(connection, _property):
    if connection.get_state() == Gsock.ConnectionState.DISCONNECTED:
        print("the peer is gone")


def watch(connection):
    # `connect` connects the socket; signals are connected by GObject's.
    GObject.Object.connect(connection, "notify::state", on_state)
# {}


# {gsock_socket_connection_relay_async gsock_socket_connection_relay_finish}
def on_relayed(a, result):
    try:
        done, there, back = a.relay_finish(result)
        print(there, "bytes there,", back, "back")
        answered(done)
    except GLib.Error as error:
        print(error.message, file=sys.stderr)


def join(a, b):
    a.relay_async(b, None, on_relayed)
# {}


# {gsock_tcp_connection_set_graceful_disconnect}
def close_with_care(connection):
    # The close waits for what is under way, and for the peer's end.
    connection.set_graceful_disconnect(True)
    connection.close(None)
# {}


# {gsock_tcp_connection_set_liveness}
def notice_soon(connection):
    connection.set_liveness(Gsock.Liveness.INTERACTIVE)
# {}


# {gsock_tcp_wrapper_connection_new}
def wrap(connection):
    # Any stream over the connection's socket, such as one that encrypts; here the connection itself.
    return Gsock.TcpWrapperConnection.new(connection, connection.get_socket())
# {}


# {gsock_unix_connection_send_fd}
def hand_over(connection, fd):
    # The descriptor stays ours as well.
    connection.send_fd(fd, None)
# {}


# {gsock_unix_connection_receive_fd}
def take_over(connection):
    # Ours to close.
    return connection.receive_fd(None)
# {}


# {gsock_unix_connection_send_credentials}
def say_who(connection):
    connection.send_credentials(None)
# {}


# {gsock_unix_connection_receive_credentials}
def is_mine(connection):
    credentials = connection.receive_credentials(None)
    return credentials.get_unix_user() == os.geteuid()
# {}


# {gsock_socket_service_new GsockSocketService::incoming}
def on_incoming(_service, connection, _source_object):
    # To go on with it later a reference is kept: it is closed with its last one.
    connection.get_output_stream().write(b"hello", None)
    return True


def serve():
    service = Gsock.SocketService()
    service.connect("incoming", on_incoming)
    # It is active already.
    return service, service.add_any_inet_port(None)
# {}


# {gsock_socket_service_drain_async gsock_socket_service_drain_finish}
def on_drained(service, result):
    service.drain_finish(result)
    service.close()
    answered(service)


def end_in_good_order(service):
    service.drain_async(None, on_drained)
# {}


# {gsock_threaded_socket_service_new GsockThreadedSocketService::run GsockThreadedSocketService:max-threads}
def on_run(_service, connection, _source_object):
    # On a thread of the service, where it may block.
    connection.get_output_stream().write_all(b"hello", None)
    return True


def serve_with_threads():
    service = Gsock.ThreadedSocketService(max_threads=4)
    service.connect("run", on_run)
    return service, service.add_any_inet_port(None)
# {}


# ---- Running them


def must(right):
    if not right:
        raise SystemExit("not as it should be")


def unix_end(end):
    return Gsock.SocketConnection.factory_create_connection_from_fd(end.detach())


def run_service(service, port):
    call_later("127.0.0.1", port)
    connection = wait()[0]
    stream = connection.get_input_stream()
    stream.read_bytes_async(5, GLib.PRIORITY_DEFAULT, None, lambda s, result: answered(s.read_bytes_finish(result)))
    must(wait()[0].get_data() == b"hello")
    end_in_good_order(service)
    wait()


def main():
    another, port = listen_in_range()
    another.close()
    listener, port = listen_at_any_port()
    first = call("127.0.0.1", port)
    one = next_connection(listener)
    second = make_connection()
    watch(second)
    connect_it(second, port)
    accept_later(listener)
    two = wait()[0]
    third = make_connection()
    connect_it_later(third, port)
    must(wait()[0])
    three = next_connection(listener)

    # first – (one, two) – second
    first.get_output_stream().write_all(b"ping", None)
    first.close(None)
    second.get_socket().shutdown(False, True)
    join(one, two)
    must(wait()[0])

    notice_soon(third)
    wrap(three).close(None)
    close_with_care(third)

    left, right = map(unix_end, socket.socketpair())
    hand_over(left, 0)
    os.close(take_over(right))
    say_who(left)
    must(is_mine(right))

    run_service(*serve())
    run_service(*serve_with_threads())
    print("ok")


main()
