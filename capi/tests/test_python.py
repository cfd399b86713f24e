"""What the documentation of Gio.SocketConnection lists, done from Python on GIO's class and on gsock's.

One body (`Scenario`) runs on both; `FACES` has what differs. What gsock adds is tested below. Which
methods there are, and with which parameters, is compared by test_gir.py.
"""

import asyncio
import contextlib
import faulthandler
import gc
import importlib.util
import io
import os
import pathlib
import re
import socket
import sys
import threading
import unittest

import gi

gi.require_version("Gsock", "1")
from gi.repository import Gio, GLib, GObject, Gsock  # noqa: E402

# A test that hangs is ended, and says where.
LIMIT = 60
faulthandler.dump_traceback_later(LIMIT, exit=True)


class Face:
    """One of the two sides, and what is different there."""

    def __init__(self, module, prefix, create, **differences):
        self.module = module
        self.prefix = prefix
        self.create = create
        self.SocketConnection = module.SocketConnection
        self.TcpConnection = module.TcpConnection
        self.TcpWrapperConnection = module.TcpWrapperConnection
        self.UnixConnection = module.UnixConnection
        self.SocketClient = module.SocketClient
        self.__dict__.update(differences)


GIO = Face(
    Gio,
    "G",
    # A method of the socket, in GIO's GIR.
    lambda sock: sock.connection_factory_create_connection(),
    # F-16: NULL without an error on this GLib, and nothing after a close.
    keeps_addresses=False,
    # SC-3.
    socket_is_writable=False,
    # F-10.
    notifies_closed=False,
    # F-13.
    closes_the_base=False,
    # Its description of the slots says that there is always a source object.
    hands_on_no_source=False,
)
GSOCK = Face(
    Gsock,
    "Gsock",
    Gsock.SocketConnection.factory_create_connection,
    keeps_addresses=True,
    socket_is_writable=True,
    notifies_closed=True,
    closes_the_base=True,
    hands_on_no_source=True,
)


def tcp_socket(protocol=Gio.SocketProtocol.DEFAULT):
    return Gio.Socket.new(Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, protocol)


class Peer:
    """A listener on loopback that hands out what connects to it."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(LIMIT)
        self.port = self.listener.getsockname()[1]
        self.address = Gio.InetSocketAddress.new_from_string("127.0.0.1", self.port)

    def accept(self):
        accepted, _ = self.listener.accept()
        accepted.settimeout(LIMIT)
        return accepted

    def close(self):
        self.listener.close()


# A service of which no server is asked: a label of the DNS has 63 bytes at most.
NO_SERVICE = "s" * 64


def deserted_address():
    peer = Peer()
    peer.close()
    return peer.address


def call(start, *arguments):
    """Starts an asynchronous operation and returns (source, result, user data) of its callback."""
    answers = []
    start(*arguments, lambda *answer: answers.append(answer))
    assert not answers, "called back before the start has returned"
    iterate_until(lambda: answers)
    assert len(answers) == 1
    return answers[0]


def forms_of(given):
    """Each form of arguments that the documentation of Gio's bindings has for an asynchronous operation, of which these
    are the first: (user data of the callback or None where there is none, form)."""
    values = tuple(given.values())
    return (
        (None, lambda start, done: start(*values)),
        (None, lambda start, done: start(*values, None)),
        (None, lambda start, done: start(*values, None, None)),
        (None, lambda start, done: start(**given, cancellable=None)),
        ((), lambda start, done: start(*values, Gio.Cancellable(), done)),
        ((), lambda start, done: start(*values, callback=done)),
        ((), lambda start, done: start(**given, cancellable=None, callback=done)),
        (("user",), lambda start, done: start(*values, None, done, "user")),
        (("user", 7), lambda start, done: start(*values, None, done, "user", 7)),
        ((7,), lambda start, done: start(*values, None, done, user_data=7)),
    )


def iterate_until(done):
    context = GLib.MainContext.default()
    while not done():
        context.iteration(True)


def iterate_all():
    while GLib.MainContext.default().iteration(False):
        pass


def on_notify(connection, name, handler):
    # `connect` of these classes hides GObject's.
    return GObject.Object.connect(connection, "notify::" + name, handler)


class Holder(GObject.Object):
    """The target of bindings."""

    socket = GObject.Property(type=Gio.Socket)
    closed = GObject.Property(type=bool, default=False)
    graceful = GObject.Property(type=bool, default=False)
    state = GObject.Property(type=Gsock.ConnectionState, default=Gsock.ConnectionState.UNCONNECTED)
    alive = GObject.Property(type=bool, default=False)
    text = GObject.Property(type=str, default="")


class Tools:
    def setUp(self):
        self.peer = Peer()
        self.addCleanup(self.peer.close)

    def unconnected(self, protocol=Gio.SocketProtocol.DEFAULT):
        return self.face.create(tcp_socket(protocol))

    def connected(self):
        connection = self.unconnected()
        self.assertIs(connection.connect(self.peer.address, None), True)
        accepted = self.peer.accept()
        self.addCleanup(accepted.close)
        return connection, accepted

    def assert_fails(self, code, function, *arguments):
        with self.assertRaises(GLib.Error) as caught:
            function(*arguments)
        error = caught.exception
        self.assertEqual(error.domain, "g-io-error-quark")
        self.assertEqual(error.code, code)
        self.assertTrue(error.matches(Gio.io_error_quark(), code))
        self.assertTrue(error.message)


class Scenario(Tools):
    """The body that runs on both classes."""

    # ---- The types

    def test_the_types(self):
        base, tcp = self.face.SocketConnection, self.face.TcpConnection
        self.assertEqual(base.__gtype__.name, self.face.prefix + "SocketConnection")
        self.assertEqual(tcp.__gtype__.name, self.face.prefix + "TcpConnection")
        self.assertTrue(issubclass(base, Gio.IOStream))
        self.assertTrue(issubclass(tcp, base))
        self.assertEqual(base.__gtype__.parent, Gio.IOStream.__gtype__)
        connection = self.unconnected()
        self.assertIs(type(connection), tcp)

    def test_built_with_a_socket(self):
        sock = tcp_socket()
        for connection in (
            self.face.SocketConnection(socket=sock),
            GObject.new(self.face.SocketConnection, socket=sock),
        ):
            self.assertIs(type(connection), self.face.SocketConnection)
            self.assertIs(connection.get_socket(), sock)

    # ---- connect, connect_async, connect_finish, is_connected

    def test_connect(self):
        connection = self.unconnected()
        self.assertIs(connection.is_connected(), False)
        self.assertIs(connection.connect(self.peer.address, None), True)
        self.assertIs(connection.is_connected(), True)

    def test_connect_with_named_and_left_out_arguments(self):
        self.assertTrue(self.unconnected().connect(address=self.peer.address, cancellable=None))
        self.assertTrue(self.unconnected().connect(self.peer.address))

    def test_connect_refused(self):
        self.assert_fails(
            Gio.IOErrorEnum.CONNECTION_REFUSED,
            self.unconnected().connect,
            deserted_address(),
            None,
        )

    def test_connect_cancelled(self):
        cancellable = Gio.Cancellable()
        cancellable.cancel()
        connection = self.unconnected()
        self.assert_fails(
            Gio.IOErrorEnum.CANCELLED, connection.connect, self.peer.address, cancellable
        )
        self.assertIs(connection.is_connected(), False)

    def test_connect_of_something_else(self):
        connection = self.unconnected()
        for address in (None, connection, "127.0.0.1"):
            with self.assertRaises(TypeError):
                connection.connect(address, None)

    def test_connect_async(self):
        connection = self.unconnected()
        source, result = call(connection.connect_async, self.peer.address, None)
        self.assertIs(source, connection)
        self.assertIsInstance(result, Gio.AsyncResult)
        self.assertIs(connection.connect_finish(result), True)
        self.assertIs(connection.is_connected(), True)

    def test_connect_async_with_user_data(self):
        connection = self.unconnected()
        answers = []
        connection.connect_async(
            self.peer.address, None, lambda *answer: answers.append(answer), "user", 7
        )
        iterate_until(lambda: answers)
        ((source, result, *data),) = answers
        self.assertEqual(data, ["user", 7])
        self.assertTrue(source.connect_finish(result))

    def test_connect_async_without_a_callback(self):
        connection = self.unconnected()
        connection.connect_async(self.peer.address, None, None)
        iterate_until(connection.is_connected)

    def test_connect_async_in_each_form_of_arguments(self):
        for data, form in forms_of({"address": self.peer.address}):
            connection = self.unconnected()
            answers = []
            form(connection.connect_async, lambda *answer: answers.append(answer))
            iterate_until(connection.is_connected)
            if data is not None:
                iterate_until(lambda: answers)
                self.assertEqual(answers[0][2:], data)
                self.assertTrue(connection.connect_finish(answers[0][1]))

    def test_the_clients_operations_in_each_form_of_arguments(self):
        client, port = self.face.SocketClient(), self.peer.port
        for name, given, finds in (
            ("connect", {"connectable": self.peer.address}, True),
            ("connect_to_host", {"host_and_port": "127.0.0.1", "default_port": port}, True),
            ("connect_to_uri", {"uri": f"some://127.0.0.1:{port}", "default_port": 0}, True),
            ("connect_to_service", {"domain": "localhost", "service": NO_SERVICE}, False),
        ):
            finish = getattr(client, name + "_finish")
            for data, form in forms_of(given):
                answers = []
                form(getattr(client, name + "_async"), lambda *answer: answers.append(answer))
                if data is None:
                    # Nobody hears of it.
                    iterate_all()
                    continue
                iterate_until(lambda: answers)
                ((source, result, *more),) = answers
                self.assertIs(source, client)
                self.assertEqual(tuple(more), data)
                if finds:
                    self.assertTrue(finish(result).is_connected())
                else:
                    self.assertRaises(GLib.Error, finish, result)

    def test_closing_in_each_form_of_arguments(self):
        for data, form in forms_of({"io_priority": GLib.PRIORITY_DEFAULT}):
            connection, accepted = self.connected()
            answers = []
            form(connection.close_async, lambda *answer: answers.append(answer))
            iterate_until(connection.is_closed)
            if data is not None:
                iterate_until(lambda: answers)
                self.assertEqual(answers[0][2:], data)
                self.assertTrue(connection.close_finish(answers[0][1]))
            self.assertEqual(accepted.recv(1), b"")

    def test_reads_time_out(self):
        connection, _accepted = self.connected()
        connection.get_socket().set_timeout(1)
        stream = connection.get_input_stream()
        self.assert_fails(Gio.IOErrorEnum.TIMED_OUT, stream.read_bytes, 1, None)
        _, result = call(stream.read_bytes_async, 1, GLib.PRIORITY_DEFAULT, None)
        self.assert_fails(Gio.IOErrorEnum.TIMED_OUT, stream.read_bytes_finish, result)

    def test_connect_async_refused(self):
        connection = self.unconnected()
        _, result = call(connection.connect_async, deserted_address(), None)
        self.assert_fails(
            Gio.IOErrorEnum.CONNECTION_REFUSED, connection.connect_finish, result
        )

    def test_connect_async_cancelled(self):
        cancellable = Gio.Cancellable()
        cancellable.cancel()
        connection = self.unconnected()
        _, result = call(connection.connect_async, self.peer.address, cancellable)
        self.assert_fails(Gio.IOErrorEnum.CANCELLED, connection.connect_finish, result)

    # ---- get_local_address, get_remote_address, get_socket, the property socket

    def test_the_addresses(self):
        connection, accepted = self.connected()
        local, remote = connection.get_local_address(), connection.get_remote_address()
        self.assertEqual(remote.get_port(), self.peer.port)
        self.assertEqual(
            (local.get_address().to_string(), local.get_port()), accepted.getpeername()
        )

    def test_the_addresses_before_and_after(self):
        connection = self.unconnected()
        self.assertEqual(connection.get_local_address().get_port(), 0)
        if self.face.keeps_addresses:
            self.assert_fails(Gio.IOErrorEnum.NOT_CONNECTED, connection.get_remote_address)
        else:
            self.assertIsNone(connection.get_remote_address())

        connection, accepted = self.connected()
        ours = accepted.getpeername()[1]
        connection.close(None)
        if self.face.keeps_addresses:
            self.assertEqual(connection.get_remote_address().get_port(), self.peer.port)
            self.assertEqual(connection.get_local_address().get_port(), ours)
        else:
            self.assertIsNone(connection.get_remote_address())
            self.assert_fails(Gio.IOErrorEnum.FAILED, connection.get_local_address)

    def test_the_socket(self):
        sock = tcp_socket()
        connection = self.face.create(sock)
        self.assertIs(connection.get_socket(), sock)
        self.assertIs(connection.props.socket, sock)
        self.assertIs(connection.get_property("socket"), sock)
        spec = self.face.SocketConnection.find_property("socket")
        self.assertEqual(spec.value_type, Gio.Socket.__gtype__)
        self.assertTrue(spec.flags & GObject.ParamFlags.READABLE)
        construct_only = bool(spec.flags & GObject.ParamFlags.CONSTRUCT_ONLY)
        self.assertIs(construct_only, not self.face.socket_is_writable)

    def test_a_binding_from_the_socket(self):
        sock, holder = tcp_socket(), Holder()
        connection = self.face.create(sock)
        binding = connection.bind_property(
            "socket", holder, "socket", GObject.BindingFlags.SYNC_CREATE
        )
        self.assertIs(holder.socket, sock)
        self.assertIs(binding.props.source, connection)
        binding.unbind()

    # ---- A connection around another stream

    def test_a_wrapper(self):
        inner, peer = self.connected()
        base = Gio.SimpleIOStream.new(inner.get_input_stream(), inner.get_output_stream())
        wrapper = self.face.TcpWrapperConnection.new(base, inner.get_socket())
        self.assertIs(type(wrapper), self.face.TcpWrapperConnection)
        self.assertTrue(issubclass(self.face.TcpWrapperConnection, self.face.TcpConnection))
        self.assertIs(wrapper.get_base_io_stream(), base)
        self.assertIs(wrapper.props.base_io_stream, base)
        self.assertIs(wrapper.get_input_stream(), base.get_input_stream())
        self.assertIs(wrapper.get_output_stream(), base.get_output_stream())
        peer.sendall(b"through it")
        self.assertEqual(wrapper.get_input_stream().read_bytes(16, None).get_data(), b"through it")
        self.assertIs(wrapper.close(None), True)
        # F-13.
        self.assertIs(base.is_closed(), self.face.closes_the_base)
        self.assertEqual(peer.recv(1), b"")

    # ---- send_fd, receive_fd, send_credentials, receive_credentials

    def unix_pair(self, kind=socket.SOCK_STREAM):
        made = []
        for end in socket.socketpair(socket.AF_UNIX, kind):
            made.append(self.face.create(Gio.Socket.new_from_fd(end.detach())))
        return made

    def test_a_descriptor(self):
        one, other = self.unix_pair()
        self.assertIs(type(one), self.face.UnixConnection)
        self.assertTrue(issubclass(self.face.UnixConnection, self.face.SocketConnection))
        with open("/dev/null", "rb") as file:
            self.assertIs(one.send_fd(file.fileno(), None), True)
            received = other.receive_fd(None)
            self.assertNotEqual(received, file.fileno())
            self.assertFalse(os.get_inheritable(received))
            with os.fdopen(received, "rb") as same:
                self.assertTrue(os.path.sameopenfile(same.fileno(), file.fileno()))
        self.assert_fails(Gio.IOErrorEnum.FAILED, one.send_fd, 1000000, None)

    def test_credentials(self):
        one, other = self.unix_pair()
        self.assertIs(one.send_credentials(None), True)
        credentials = other.receive_credentials(None)
        self.assertIsInstance(credentials, Gio.Credentials)
        self.assertEqual(credentials.get_unix_pid(), os.getpid())
        source, result = call(one.send_credentials_async, None)
        self.assertIs(source, one)
        self.assertIs(one.send_credentials_finish(result), True)
        _, result = call(other.receive_credentials_async, None)
        credentials = other.receive_credentials_finish(result)
        self.assertEqual(credentials.get_unix_user(), os.geteuid())

    # ---- factory_register_type, factory_lookup_type, and what makes connections

    def test_the_factory(self):
        base, tcp = self.face.SocketConnection, self.face.TcpConnection
        lookup = base.factory_lookup_type
        for family in (Gio.SocketFamily.IPV4, Gio.SocketFamily.IPV6):
            for protocol in (Gio.SocketProtocol.DEFAULT, Gio.SocketProtocol.TCP):
                self.assertEqual(lookup(family, Gio.SocketType.STREAM, protocol), tcp.__gtype__)
        self.assertEqual(
            lookup(Gio.SocketFamily.UNIX, Gio.SocketType.STREAM, 0),
            self.face.UnixConnection.__gtype__,
        )
        self.assertEqual(
            lookup(Gio.SocketFamily.IPV4, Gio.SocketType.DATAGRAM, 0), base.__gtype__
        )
        self.assertEqual(
            lookup(family=Gio.SocketFamily.IPV4, type=Gio.SocketType.STREAM, protocol_id=132),
            base.__gtype__,
        )

    def test_a_class_of_ones_own(self):
        base, prefix = self.face.SocketConnection, self.face.prefix
        calls = []

        class Mine(base):
            __gtype_name__ = prefix + "Mine"
            label = GObject.Property(type=str, default="new")

            def do_close_fn(self, cancellable):
                calls.append("close")
                return base.do_close_fn(self, cancellable)

            def do_get_input_stream(self):
                # Once: C borrows it.
                if not hasattr(self, "buffered"):
                    calls.append("input")
                    stream = base.do_get_input_stream(self)
                    self.buffered = Gio.BufferedInputStream.new(stream)
                return self.buffered

        # A kind for which nothing is registered: GIO frees the entry that a second registration makes
        # while it is in use.
        kind = (Gio.SocketFamily.UNIX, Gio.SocketType.DATAGRAM, Gio.SocketProtocol.DEFAULT)
        self.assertEqual(base.factory_lookup_type(*kind), base.__gtype__)
        base.factory_register_type(Mine, *kind)
        self.assertEqual(base.factory_lookup_type(*kind), Mine.__gtype__)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(theirs.close)
        theirs.settimeout(LIMIT)
        connection = self.face.create(Gio.Socket.new_from_fd(ours.detach()))
        self.assertIs(type(connection), Mine)
        self.assertEqual(connection.label, "new")
        connection.props.label = "used"
        self.assertEqual(connection.get_property("label"), "used")

        theirs.sendall(b"buffered")
        stream = connection.get_input_stream()
        self.assertIsInstance(stream, Gio.BufferedInputStream)
        self.assertEqual(stream.read_bytes(8, None).get_data(), b"buffered")
        self.assertTrue(connection.close(None))
        self.assertEqual(calls, ["input", "close"])
        with self.assertRaises(OSError):
            theirs.sendall(b"nobody is there")

    def test_the_other_virtual_functions(self):
        base = self.face.TcpConnection
        calls = []

        class Other(base):
            __gtype_name__ = self.face.prefix + "Other"

            def do_get_output_stream(self):
                if not hasattr(self, "buffered"):
                    calls.append("output")
                    stream = base.do_get_output_stream(self)
                    self.buffered = Gio.BufferedOutputStream.new(stream)
                return self.buffered

            # PyGObject cannot hand the callback to the parent's, of any class; a task can call it.
            def do_close_async(self, priority, cancellable, callback, *data):
                calls.append(("close_async", priority))
                Gio.Task.new(self, cancellable, callback).return_boolean(True)

            def do_close_finish(self, result):
                calls.append("close_finish")
                return result.propagate_boolean()

        connection = Other(socket=tcp_socket())
        connection.connect(self.peer.address, None)
        accepted = self.peer.accept()
        self.addCleanup(accepted.close)
        stream = connection.get_output_stream()
        self.assertIsInstance(stream, Gio.BufferedOutputStream)
        stream.write_all(b"buffered", None)
        self.assertTrue(stream.flush(None))
        self.assertEqual(accepted.recv(8, socket.MSG_WAITALL), b"buffered")
        _, result = call(connection.close_async, GLib.PRIORITY_HIGH, None)
        self.assertIs(connection.close_finish(result), True)
        self.assertEqual(
            calls, ["output", ("close_async", GLib.PRIORITY_HIGH), "close_finish"]
        )
        self.assertIs(connection.is_closed(), True)

    # ---- Inherited from IOStream

    def test_the_streams(self):
        connection, accepted = self.connected()
        source, sink = connection.get_input_stream(), connection.get_output_stream()
        self.assertIsInstance(source, Gio.PollableInputStream)
        self.assertIsInstance(sink, Gio.PollableOutputStream)
        self.assertIs(connection.get_input_stream(), source)
        self.assertIs(connection.props.input_stream, source)
        self.assertIs(connection.props.output_stream, sink)

        done, written = sink.write_all(b"hello", None)
        self.assertEqual((done, written), (True, 5))
        self.assertEqual(accepted.recv(5, socket.MSG_WAITALL), b"hello")
        accepted.sendall(b"answer")
        self.assertEqual(source.read_bytes(6, None).get_data(), b"answer")

    def test_the_streams_asynchronously(self):
        connection, accepted = self.connected()
        source, sink = connection.get_input_stream(), connection.get_output_stream()
        _, result = call(
            sink.write_bytes_async, GLib.Bytes.new(b"hello"), GLib.PRIORITY_DEFAULT, None
        )
        self.assertEqual(sink.write_bytes_finish(result), 5)
        self.assertEqual(accepted.recv(5, socket.MSG_WAITALL), b"hello")
        answers = []
        source.read_bytes_async(
            6, GLib.PRIORITY_DEFAULT, None, lambda *answer: answers.append(answer)
        )
        iterate_all()
        self.assertEqual(answers, [])
        accepted.sendall(b"answer")
        iterate_until(lambda: answers)
        ((_, result),) = answers
        self.assertEqual(source.read_bytes_finish(result).get_data(), b"answer")

    def test_close(self):
        connection, accepted = self.connected()
        self.assertIs(connection.is_closed(), False)
        self.assertIs(connection.props.closed, False)
        self.assertIs(connection.close(None), True)
        self.assertIs(connection.is_closed(), True)
        self.assertIs(connection.props.closed, True)
        self.assertIs(connection.is_connected(), False)
        self.assertEqual(accepted.recv(1), b"")
        self.assertIs(connection.close(None), True)
        self.assert_fails(
            Gio.IOErrorEnum.CLOSED, connection.get_input_stream().read_bytes, 1, None
        )
        self.assert_fails(
            Gio.IOErrorEnum.CLOSED, connection.connect, self.peer.address, None
        )

    def test_close_async(self):
        connection, accepted = self.connected()
        source, result = call(connection.close_async, GLib.PRIORITY_DEFAULT, None)
        self.assertIs(source, connection)
        self.assertIs(connection.close_finish(result), True)
        self.assertIs(connection.is_closed(), True)
        self.assertEqual(accepted.recv(1), b"")

    def test_the_notification_of_closed(self):
        connection, _ = self.connected()
        seen = []
        on_notify(connection, "closed", lambda of, spec: seen.append((spec.name, of.is_closed())))
        connection.close(None)
        iterate_all()
        self.assertEqual(seen, [("closed", True)] if self.face.notifies_closed else [])

    def test_pending(self):
        connection, _ = self.connected()
        self.assertIs(connection.has_pending(), False)
        self.assertIs(connection.set_pending(), True)
        self.assertIs(connection.has_pending(), True)
        self.assert_fails(Gio.IOErrorEnum.PENDING, connection.set_pending)
        self.assert_fails(Gio.IOErrorEnum.PENDING, connection.close, None)
        connection.clear_pending()
        self.assertIs(connection.has_pending(), False)
        self.assertTrue(connection.close(None))
        self.assert_fails(Gio.IOErrorEnum.CLOSED, connection.set_pending)

    def test_splice(self):
        (first, one), (second, other) = self.connected(), self.connected()
        answers = []
        first.splice_async(
            second,
            Gio.IOStreamSpliceFlags.CLOSE_STREAM1
            | Gio.IOStreamSpliceFlags.CLOSE_STREAM2
            | Gio.IOStreamSpliceFlags.WAIT_FOR_BOTH,
            GLib.PRIORITY_DEFAULT,
            None,
            lambda *answer: answers.append(answer),
        )
        received = []

        def talk():
            one.sendall(b"there")
            received.append(other.recv(5, socket.MSG_WAITALL))
            other.sendall(b"back")
            received.append(one.recv(4, socket.MSG_WAITALL))
            one.close()
            other.close()

        talker = threading.Thread(target=talk)
        talker.start()
        iterate_until(lambda: answers)
        talker.join()
        self.assertIs(Gio.IOStream.splice_finish(answers[0][1]), True)
        self.assertEqual(received, [b"there", b"back"])
        self.assertTrue(first.is_closed() and second.is_closed())

    # ---- Inherited from GObject

    def test_signals_need_gobjects_connect(self):
        connection = self.unconnected()
        with self.assertRaises(TypeError):
            connection.connect("notify::socket", print)
        seen = []
        handler = on_notify(connection, "socket", lambda of, spec: seen.append(spec.name))
        connection.notify("socket")
        self.assertEqual(seen, ["socket"])
        connection.disconnect(handler)
        connection.notify("socket")
        self.assertEqual(seen, ["socket"])

    def test_it_goes_with_its_last_reference(self):
        connection, accepted = self.connected()
        gone = []
        connection.weak_ref(gone.append, "gone")
        del connection
        gc.collect()
        iterate_all()
        self.assertEqual(gone, ["gone"])
        self.assertEqual(accepted.recv(1), b"")

    # ---- TcpConnection

    def test_graceful_disconnect(self):
        connection, accepted = self.connected()
        holder = Holder()
        connection.bind_property("graceful-disconnect", holder, "graceful")
        self.assertIs(connection.get_graceful_disconnect(), False)
        connection.set_graceful_disconnect(True)
        self.assertIs(connection.get_graceful_disconnect(), True)
        self.assertIs(connection.props.graceful_disconnect, True)
        self.assertIs(holder.graceful, True)
        connection.props.graceful_disconnect = False
        self.assertIs(connection.get_graceful_disconnect(), False)
        self.assertIs(holder.graceful, False)

        connection.set_graceful_disconnect(True)
        order = []

        def end():
            order.append(accepted.recv(1))
            accepted.close()

        ender = threading.Thread(target=end)
        ender.start()
        connection.close(None)
        # It has waited for the peer, who has seen our end.
        self.assertEqual(order, [b""])
        ender.join()


    # --- The client --------------------------------------------------------------------------------

    def test_the_clients_properties(self):
        client = self.face.SocketClient.new()
        address = Gio.InetSocketAddress.new_from_string("127.0.0.1", 0)
        resolver = Gio.SimpleProxyResolver.new("socks5://127.0.0.1:1", None)
        for get, set_, value in (
            (client.get_family, client.set_family, Gio.SocketFamily.IPV4),
            (client.get_socket_type, client.set_socket_type, Gio.SocketType.DATAGRAM),
            (client.get_protocol, client.set_protocol, Gio.SocketProtocol.UDP),
            (client.get_local_address, client.set_local_address, address),
            (client.get_timeout, client.set_timeout, 7),
            (client.get_enable_proxy, client.set_enable_proxy, False),
            (client.get_tls, client.set_tls, True),
            (
                client.get_tls_validation_flags,
                client.set_tls_validation_flags,
                Gio.TlsCertificateFlags.EXPIRED,
            ),
            (client.get_proxy_resolver, client.set_proxy_resolver, resolver),
        ):
            self.assertNotEqual(get(), value)
            set_(value)
            self.assertEqual(get(), value)
        client.set_local_address(None)
        client.set_proxy_resolver(None)
        self.assertIsNone(client.get_local_address())
        self.assertEqual(client.get_proxy_resolver(), Gio.ProxyResolver.get_default())

    def test_the_client_connects(self):
        peer = Peer()
        client = self.face.SocketClient()
        events = []
        # A method of the client is called so, too.
        GObject.Object.connect(client, "event", lambda *args: events.append(args[1]))
        host = f"127.0.0.1:{peer.port}"
        made = [
            client.connect(peer.address, None),
            client.connect_to_host(host, 0, None),
            client.connect_to_uri(f"some://{host}", 0, None),
        ]
        for connection in made:
            self.assertIsInstance(connection, self.face.TcpConnection)
            self.assertTrue(connection.is_connected())
        once = ["RESOLVING", "RESOLVED", "CONNECTING", "CONNECTED", "COMPLETE"]
        self.assertEqual(
            events, [getattr(Gio.SocketClientEvent, name) for name in once] * len(made)
        )
        with self.assertRaises(GLib.Error) as raised:
            client.connect_to_service("localhost", NO_SERVICE, None)
        self.assertEqual(raised.exception.domain, "g-resolver-error-quark")

    def test_the_client_connects_asynchronously(self):
        peer = Peer()
        client = self.face.SocketClient()
        host = f"127.0.0.1:{peer.port}"
        results = []

        def done(source, result):
            self.assertEqual(source, client)
            results.append(result)

        client.connect_async(peer.address, None, done)
        client.connect_to_host_async(host, 0, None, done)
        client.connect_to_uri_async(f"some://{host}", 0, None, done)
        context = GLib.MainContext.default()
        while len(results) < 3:
            context.iteration(True)
        finishes = (
            client.connect_finish,
            client.connect_to_host_finish,
            client.connect_to_uri_finish,
        )
        for finish, result in zip(finishes, results):
            self.assertTrue(finish(result).is_connected())
        client.connect_to_service_async("localhost", NO_SERVICE, None, done)
        while len(results) < 4:
            context.iteration(True)
        with self.assertRaises(GLib.Error):
            client.connect_to_service_finish(results[3])

    def test_the_client_leaves_a_proxy_to_the_program(self):
        peer = Peer()
        client = self.face.SocketClient()
        resolver = Gio.SimpleProxyResolver.new(f"own://127.0.0.1:{peer.port}", None)
        client.set_proxy_resolver(resolver)
        client.add_application_proxy("own")
        connection = client.connect_to_host("far.test", 70, None)
        self.assertEqual(
            connection.get_remote_address().get_destination_hostname(), "far.test"
        )


class OnGio(Scenario, unittest.TestCase):
    face = GIO


class OnGsock(Scenario, unittest.TestCase):
    face = GSOCK


class Additions(Tools, unittest.TestCase):
    """What gsock has beyond GIO."""

    face = GSOCK

    def test_the_version(self):
        self.assertEqual(
            (Gsock.MAJOR_VERSION, Gsock.MINOR_VERSION, Gsock.MICRO_VERSION),
            tuple(int(number) for number in os.environ["GSOCK_VERSION"].split(".")),
        )

    def test_the_example_of_the_readme(self):
        readme = pathlib.Path(__file__).parent.parent / "README.md"
        example, _of_a_service = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
        self.assertIn("8000", example)
        printed, names = io.StringIO(), {}
        with contextlib.redirect_stdout(printed):
            exec(example.replace("8000", str(self.peer.port)), names)
            names["connection"].close(None)
        self.assertEqual(printed.getvalue().split()[-2:], ["connected", "closed"])

    def test_the_clients_own_properties(self):
        client = Gsock.SocketClient()
        for get, set_, value in (
            (client.get_connect_timeout_ms, client.set_connect_timeout_ms, 5000),
            (client.get_io_timeout_ms, client.set_io_timeout_ms, 7),
            (client.get_attempt_delay_ms, client.set_attempt_delay_ms, 20),
            (client.get_multipath, client.set_multipath, True),
        ):
            self.assertNotEqual(get(), value)
            set_(value)
            self.assertEqual(get(), value)
        self.assertEqual(client.props.io_timeout_ms, 7)

    def test_the_client_reports(self):
        client = Gsock.SocketClient()
        results = []

        def later(where):
            client.connect_with_report_async(where, None, lambda _, result: results.append(result))
            while not results:
                GLib.MainContext.default().iteration(True)
            return client.connect_with_report_finish(results.pop())

        for connect in (lambda where: client.connect_with_report(where, None), later):
            report, connection = connect(self.peer.address)
            self.assertTrue(connection.is_connected())
            self.assertIsNone(report.get_error())
            for report in (report, connection.get_connect_report()):
                self.assertEqual(report.get_n_attempts(), 1)
                self.assertEqual(report.get_attempt_address(0).get_port(), self.peer.port)
                self.assertIsNone(report.get_attempt_error(0))
                self.assertGreaterEqual(report.get_attempt_begun(0), 0)
                self.assertEqual(report.get_attempt_took(0), report.get_connect_time())
                self.assertGreaterEqual(report.get_resolve_time(), 0)
                self.assertEqual((report.get_proxy_time(), report.get_tls_time()), (-1, -1))
            report, connection = connect(deserted_address())
            self.assertIsNone(connection)
            for error in (report.get_error(), report.get_attempt_error(0)):
                self.assertTrue(error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CONNECTION_REFUSED))
        self.assertIsNone(self.unconnected().get_connect_report())

    def test_the_state(self):
        state = Gsock.ConnectionState
        connection, holder, seen = self.unconnected(), Holder(), []
        connection.bind_property("state", holder, "state")
        connection.bind_property("alive", holder, "alive", GObject.BindingFlags.SYNC_CREATE)
        self.assertIs(holder.alive, False)
        on_notify(connection, "state", lambda of, spec: seen.append(of.get_state()))
        self.assertEqual(connection.get_state(), state.UNCONNECTED)
        self.assertIs(connection.is_alive(), False)
        connection.connect(self.peer.address, None)
        self.assertEqual(connection.props.state, state.CONNECTED)
        self.assertIs(connection.is_alive(), True)
        self.assertIs(connection.props.alive, True)
        self.assertEqual((holder.state, holder.alive), (state.CONNECTED, True))
        self.peer.accept().close()
        iterate_until(lambda: connection.get_state() == state.DISCONNECTED)
        iterate_until(lambda: not holder.alive)
        self.assertEqual(holder.state, state.DISCONNECTED)
        self.assertIs(connection.is_connected(), True)
        connection.close(None)
        self.assertEqual(connection.get_state(), state.CLOSED)
        self.assertEqual(
            [of for of in seen if of != state.CONNECTING],
            [state.CONNECTED, state.DISCONNECTED, state.CLOSED],
        )

    def test_a_label_is_bound(self):
        connection, holder = self.unconnected(), Holder()
        connection.bind_property(
            "state",
            holder,
            "text",
            GObject.BindingFlags.SYNC_CREATE,
            lambda _, state: state.value_nick,
        )
        self.assertEqual(holder.text, "unconnected")
        connection.connect(self.peer.address, None)
        self.assertEqual(holder.text, "connected")

    def test_the_last_error(self):
        connection = self.unconnected()
        self.assertIsNone(connection.get_last_error())
        self.assertIsNone(connection.props.last_error)
        with self.assertRaises(GLib.Error):
            connection.connect(deserted_address(), None)
        error = connection.get_last_error()
        self.assertIsInstance(error, GLib.Error)
        self.assertTrue(
            error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CONNECTION_REFUSED)
        )
        connection.connect(self.peer.address, None)
        self.assertIsNone(connection.get_last_error())

    def test_the_counters(self):
        connection, accepted = self.connected()
        connection.get_output_stream().write_all(b"12345", None)
        accepted.sendall(b"123")
        connection.get_input_stream().read_bytes(3, None)
        self.assertEqual(connection.get_bytes_written(), 5)
        self.assertEqual(connection.get_bytes_read(), 3)
        self.assertEqual(connection.props.bytes_written, 5)
        self.assertEqual(connection.props.bytes_read, 3)

    def test_the_socket_is_writable(self):
        connection, holder = self.unconnected(), Holder()
        connection.bind_property("socket", holder, "socket", GObject.BindingFlags.BIDIRECTIONAL)
        first, second, third = tcp_socket(), tcp_socket(), tcp_socket()
        self.assertIs(connection.set_socket(first), True)
        self.assertIs(holder.socket, first)
        connection.props.socket = second
        self.assertIs(holder.socket, second)
        holder.socket = third
        self.assertIs(connection.get_socket(), third)
        connection.close(None)
        self.assert_fails(Gio.IOErrorEnum.CLOSED, connection.set_socket, first)
        self.assertIs(connection.get_socket(), third)

    def test_set_home(self):
        connections = []
        maker = threading.Thread(target=lambda: connections.append(self.connected()))
        maker.start()
        maker.join()
        ((connection, accepted),) = connections
        connection.set_home(None)
        seen = []
        on_notify(connection, "state", lambda of, _: seen.append(threading.current_thread()))
        accepted.close()
        iterate_until(lambda: seen)
        self.assertEqual(seen, [threading.current_thread()])

    def test_a_connection_of_a_descriptor(self):
        accepted = None
        with socket.create_connection(("127.0.0.1", self.peer.port)) as ours:
            accepted = self.peer.accept()
            self.addCleanup(accepted.close)
            connection = Gsock.SocketConnection.factory_create_connection_from_fd(ours.detach())
        self.assertIsInstance(connection, Gsock.TcpConnection)
        self.assertTrue(connection.is_alive())
        connection.close(None)
        self.assertEqual(accepted.recv(1), b"")
        self.assert_fails(
            Gio.IOErrorEnum.INVALID_ARGUMENT,
            Gsock.SocketConnection.factory_create_connection_from_fd,
            os.open("/dev/null", os.O_RDONLY),
        )

    def test_the_options_of_tcp(self):
        connection, _ = self.connected()
        self.assertIs(connection.set_no_delay(True), True)
        self.assertEqual(tuple(connection.get_no_delay()), (True, True))
        self.assertIs(connection.set_linger_zero(True), True)
        self.assertEqual(tuple(connection.get_linger_zero()), (True, True))
        self.assertEqual(tuple(connection.get_keepalive_params()), (True, False, 0, 0, 0))
        self.assertIs(connection.set_keepalive_params(30, 7, 3), True)
        self.assertEqual(tuple(connection.get_keepalive_params()), (True, True, 30, 7, 3))
        self.assertIs(connection.set_user_timeout(1500), True)
        self.assertEqual(tuple(connection.get_user_timeout()), (True, 1500))
        self.assertIs(connection.set_liveness(Gsock.Liveness.INTERACTIVE), True)
        self.assertGreater(connection.get_user_timeout()[1], 1500)
        self.assert_fails(
            Gio.IOErrorEnum.INVALID_ARGUMENT, connection.set_keepalive_params, 0, 7, 3
        )

    def test_relay(self):
        a, client = self.connected()
        b, server = self.connected()
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        server.sendall(b"an answer")
        server.shutdown(socket.SHUT_WR)
        source, result = call(a.relay_async, b, None)
        self.assertIs(source, a)
        self.assertEqual(tuple(a.relay_finish(result)), (True, 8, 9))
        self.assertEqual(server.recv(100, socket.MSG_WAITALL), b"question")
        self.assertEqual(client.recv(100, socket.MSG_WAITALL), b"an answer")
        self.assert_fails(Gio.IOErrorEnum.INVALID_ARGUMENT, a.relay_finish, result)

    def test_relay_cancelled(self):
        (a, client), (b, server) = self.connected(), self.connected()
        cancellable = Gio.Cancellable()
        answers = []
        a.relay_async(b, cancellable, lambda *answer: answers.append(answer))
        client.sendall(b"left")
        iterate_until(lambda: b.get_bytes_written() == 4)
        self.assertEqual(answers, [])
        cancellable.cancel()
        iterate_until(lambda: answers)
        self.assert_fails(Gio.IOErrorEnum.CANCELLED, a.relay_finish, answers[0][1])
        self.assertEqual(server.recv(4, socket.MSG_WAITALL), b"left")
        _, result = call(a.relay_async, a, None)
        self.assert_fails(Gio.IOErrorEnum.INVALID_ARGUMENT, a.relay_finish, result)

    def test_descriptors(self):
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
            one, other = (
                self.face.create(Gio.Socket.new_from_fd(end.detach()))
                for end in socket.socketpair(socket.AF_UNIX, kind)
            )
            self.assertIs(type(one), Gsock.UnixConnection)
            with open("/dev/null", "rb") as file:
                number = file.fileno()
                self.assertIs(one.send_fds([number, number, number], None), True)
                received = other.receive_fds(3, None)
                self.assertEqual(len(received), 3)
                _, result = call(one.send_fd_async, number, None)
                self.assertIs(one.send_fd_finish(result), True)
                _, result = call(other.receive_fd_async, None)
                received.append(other.receive_fd_finish(result))
                _, result = call(one.send_fds_async, [number, number], None)
                self.assertIs(one.send_fds_finish(result), True)
                _, result = call(other.receive_fds_async, 9, None)
                received += other.receive_fds_finish(result)
                self.assertEqual(len(received), 6)
                for fd in received:
                    self.assertTrue(os.path.sameopenfile(fd, number))
                    os.close(fd)
            self.assert_fails(Gio.IOErrorEnum.INVALID_ARGUMENT, one.send_fds, [], None)
            self.assert_fails(
                Gio.IOErrorEnum.INVALID_ARGUMENT, other.receive_fd_finish, result
            )
            one.close(None)
            self.assert_fails(Gio.IOErrorEnum.CONNECTION_CLOSED, other.receive_fd, None)
            self.assert_fails(Gio.IOErrorEnum.CONNECTION_CLOSED, other.receive_fds, 2, None)

    def test_the_peer(self):
        one, _other = (
            self.face.create(Gio.Socket.new_from_fd(end.detach()))
            for end in socket.socketpair(socket.AF_UNIX)
        )
        self.assertEqual(one.get_peer_credentials().get_unix_pid(), os.getpid())
        try:
            os.close(one.get_peer_pidfd())
        except GLib.Error as error:
            # Linux before 6.5.
            self.assertEqual(error.code, Gio.IOErrorEnum.NOT_SUPPORTED)

    def test_a_class_in_the_place_of_a_built_in_one(self):
        class Instead(Gsock.TcpConnection):
            __gtype_name__ = "Instead"

        register = Gsock.SocketConnection.factory_register_type
        kind = (Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, Gio.SocketProtocol.TCP)
        register(Instead, *kind)
        self.assertIs(type(self.unconnected(Gio.SocketProtocol.TCP)), Instead)
        register(Gsock.TcpConnection, *kind)
        self.assertIs(type(self.unconnected(Gio.SocketProtocol.TCP)), Gsock.TcpConnection)

    def test_the_client_times_out_and_is_cancelled(self):
        # The handshake of TLS is a part of connecting; nobody answers it.
        impatient = Gsock.SocketClient(connect_timeout_ms=50, tls=True)
        self.assert_fails(Gio.IOErrorEnum.TIMED_OUT, impatient.connect, self.peer.address, None)
        _, result = call(impatient.connect_async, self.peer.address, None)
        self.assert_fails(Gio.IOErrorEnum.TIMED_OUT, impatient.connect_finish, result)
        client, cancellable = Gsock.SocketClient(io_timeout_ms=50), Gio.Cancellable()
        connection = client.connect(self.peer.address, None)
        stream = connection.get_input_stream()
        self.assert_fails(Gio.IOErrorEnum.TIMED_OUT, stream.read_bytes, 1, None)
        self.assertIs(connection.is_alive(), True)
        cancellable.cancel()
        self.assert_fails(Gio.IOErrorEnum.CANCELLED, client.connect, self.peer.address, cancellable)
        _, result = call(client.connect_async, self.peer.address, cancellable)
        self.assert_fails(Gio.IOErrorEnum.CANCELLED, client.connect_finish, result)

    def test_awaited_with_asyncio(self):
        example = pathlib.Path(__file__).parents[2] / "examples" / "python" / "echo.py"
        spec = importlib.util.spec_from_file_location("example", example)
        of_gio = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(of_gio)
        of_gio = of_gio.of_gio
        listener = Gsock.SocketListener()
        port = listener.add_any_inet_port(None)
        client = Gsock.SocketClient()

        async def talk():
            # Cancelled as a task, and by a limit of asyncio's: what comes afterwards is there for the next one.
            task = asyncio.create_task(of_gio(listener, "accept"))
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(of_gio(listener, "accept"), 0.02)
            connection, (accepted, _) = await asyncio.gather(
                of_gio(client, "connect_to_host", "127.0.0.1", port), of_gio(listener, "accept")
            )
            self.assertEqual(
                connection.get_local_address().get_port(), accepted.get_remote_address().get_port()
            )
            with self.assertRaises(GLib.Error) as caught:
                await of_gio(client, "connect", deserted_address())
            self.assertEqual(caught.exception.code, Gio.IOErrorEnum.CONNECTION_REFUSED)

        # GLib's loop has a thread of its own.
        loop = GLib.MainLoop()
        runner = threading.Thread(target=loop.run)
        runner.start()
        try:
            asyncio.run(asyncio.wait_for(talk(), LIMIT))
        finally:
            GLib.idle_add(loop.quit)
            runner.join()

    def test_connect_overridden(self):
        calls = []

        class Counting(Gsock.SocketConnection):
            __gtype_name__ = "Counting"

            def do_connect(self, address, cancellable):
                calls.append(("connect", address.get_port()))
                return Gsock.SocketConnection.do_connect(self, address, cancellable)

            def do_connect_finish(self, result):
                calls.append(("connect_finish",))
                return Gsock.SocketConnection.do_connect_finish(self, result)

        connection = Counting(socket=tcp_socket())
        self.assertIs(connection.connect(self.peer.address, None), True)
        self.assertEqual(calls, [("connect", self.peer.port)])
        self.assert_fails(
            Gio.IOErrorEnum.CONNECTION_REFUSED,
            Counting(socket=tcp_socket()).connect,
            deserted_address(),
            None,
        )
        del calls[:]
        connection = Counting(socket=tcp_socket())
        _, result = call(connection.connect_async, self.peer.address, None)
        self.assertIs(connection.connect_finish(result), True)
        self.assertEqual(calls, [("connect_finish",)])

    def test_connect_async_overridden(self):
        class Answering(Gsock.SocketConnection):
            __gtype_name__ = "Answering"
            fails = False

            # PyGObject cannot hand the callback to the parent's, of any class; a task can call it.
            def do_connect_async(self, address, cancellable, callback, *data):
                task = Gio.Task.new(self, cancellable, callback)
                if self.fails:
                    task.return_error(
                        GLib.Error.new_literal(
                            Gio.io_error_quark(), "not today", Gio.IOErrorEnum.BUSY
                        )
                    )
                else:
                    task.return_boolean(True)

        connection = Answering(socket=tcp_socket())
        _, result = call(connection.connect_async, self.peer.address, None)
        self.assertIs(connection.connect_finish(result), True)
        self.assert_fails(
            Gio.IOErrorEnum.INVALID_ARGUMENT, connection.connect_finish, result
        )
        connection.fails = True
        _, result = call(connection.connect_async, self.peer.address, None)
        self.assert_fails(Gio.IOErrorEnum.BUSY, connection.connect_finish, result)

    def test_a_close_from_another_thread_ends_a_blocking_read(self):
        connection, _ = self.connected()
        stream = connection.get_input_stream()
        errors = []

        def read():
            try:
                stream.read_bytes(1, None)
            except GLib.Error as error:
                errors.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        connection.close(None)
        reader.join()
        self.assertTrue(errors[0].matches(Gio.io_error_quark(), Gio.IOErrorEnum.CLOSED))


if __name__ == "__main__":
    unittest.main(verbosity=int(os.environ.get("VERBOSITY", "1")), argv=sys.argv)
