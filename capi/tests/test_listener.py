"""What the documentation of Gio.SocketListener, Gio.SocketService and Gio.ThreadedSocketService lists, done from Python
on GIO's classes and on gsock's.

One body (`Scenario`) runs on both, with the faces and the tools of test_python.py; what gsock adds is tested below.
"""

import contextlib
import io
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

import test_python as base
from gi.repository import Gio, GLib, GObject, Gsock
from test_python import LIMIT, call, iterate_all, iterate_until


def any_port():
    return Gio.InetSocketAddress.new_from_string("127.0.0.1", 0)


class Mark(GObject.Object):
    """Comes with the connections of a socket."""


# Ends while a connection is served: the thread that serves it wants Python's lock when Python is there no more, for as
# many seconds as its exit code says.
ENDS_MEANWHILE = """
import ctypes, socket, sys, time, gi
gi.require_version("Gsock", "1")
from gi.repository import Gio, GLib, Gsock

class Slow(%s.ThreadedSocketService):
    __gtype_name__ = "Slow"

    def do_run(self, connection, source_object):
        connection.get_output_stream().write_all(b"!", None)
        time.sleep(0.5)
        return True

service = Slow(max_threads=10)
client = socket.create_connection(("127.0.0.1", service.add_any_inet_port(None)))
client.setblocking(False)
while True:
    GLib.MainContext.default().iteration(False)
    try:
        client.recv(1)
        break
    except BlockingIOError:
        pass
libc = ctypes.CDLL(None)
libc.on_exit(libc.sleep, None)
sys.exit(1)
"""


class Tools(base.Tools):
    def setUp(self):
        self.module = self.face.module

    def listen(self, listener, source_object=None):
        """Has it listen on loopback. Returns the port."""
        done, address = listener.add_address(
            any_port(), Gio.SocketType.STREAM, Gio.SocketProtocol.TCP, source_object
        )
        self.assertIs(done, True)
        self.assertEqual(address.get_address().to_string(), "127.0.0.1")
        return address.get_port()

    def client(self, port):
        client = socket.create_connection(("127.0.0.1", port), LIMIT)
        self.addCleanup(client.close)
        return client

    def close_service(self, service):
        service.stop()
        iterate_all()
        service.close()

    def assert_joined(self, connection, client):
        self.assertIs(type(connection), self.face.TcpConnection)
        connection.get_output_stream().write_all(b"ping", None)
        self.assertEqual(client.recv(4, socket.MSG_WAITALL), b"ping")
        client.sendall(b"pong")
        self.assertEqual(connection.get_input_stream().read_bytes(4, None).get_data(), b"pong")


class Scenario(Tools):
    """The body that runs on both."""

    # ---- The listener

    def test_accept(self):
        listener, mark = self.module.SocketListener.new(), Mark()
        port = self.listen(listener, mark)
        client = self.client(port)
        connection, source_object = listener.accept(None)
        self.assertIs(source_object, mark)
        self.assert_joined(connection, client)
        self.client(port)
        accepted, source_object = listener.accept_socket(None)
        self.assertIsInstance(accepted, Gio.Socket)
        self.assertIs(source_object, mark)
        self.assertTrue(accepted.get_blocking())

    def test_accept_async(self):
        listener, mark = self.module.SocketListener(), Mark()
        port = self.listen(listener, mark)
        for start, finish in (
            (listener.accept_async, listener.accept_finish),
            (listener.accept_socket_async, listener.accept_socket_finish),
        ):
            answers = []
            start(None, lambda *answer: answers.append(answer))
            client = self.client(port)
            iterate_until(lambda: answers)
            ((source, result),) = answers
            self.assertIs(source, listener)
            accepted, source_object = finish(result)
            self.assertIs(source_object, mark)
            if isinstance(accepted, Gio.Socket):
                self.assertEqual(accepted.send(b"ping", None), 4)
                self.assertEqual(client.recv(4, socket.MSG_WAITALL), b"ping")
            else:
                self.assert_joined(accepted, client)

    def test_accept_async_in_each_form_of_arguments(self):
        listener = self.module.SocketListener()
        port = self.listen(listener)
        for data, form in base.forms_of({}):
            # Without a callback it would take what is the next one's.
            if data is None:
                continue
            answers = []
            form(listener.accept_async, lambda *answer: answers.append(answer))
            client = self.client(port)
            iterate_until(lambda: answers)
            self.assertEqual(answers[0][2:], data)
            self.assert_joined(listener.accept_finish(answers[0][1])[0], client)

    def test_no_source_object(self):
        listener = self.module.SocketListener()
        port = self.listen(listener)
        client = self.client(port)
        connection, source_object = listener.accept()
        self.assertIsNone(source_object)
        self.assert_joined(connection, client)

    def test_accept_cancelled(self):
        listener, cancellable = self.module.SocketListener(), Gio.Cancellable()
        port = self.listen(listener)
        results = []
        listener.accept_async(cancellable, lambda _, result: results.append(result))
        iterate_all()
        self.assertEqual(results, [])
        cancellable.cancel()
        iterate_until(lambda: results)
        self.assert_fails(Gio.IOErrorEnum.CANCELLED, listener.accept_finish, results[0])
        self.assert_fails(Gio.IOErrorEnum.CANCELLED, listener.accept, cancellable)
        self.client(port)
        self.assertTrue(listener.accept(None)[0].is_connected())

    def test_sockets_of_others(self):
        listener = self.module.SocketListener()
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            added = Gio.Socket.new_from_fd(os.dup(server.fileno()))
        self.assertIs(listener.add_socket(added, None), True)
        client = self.client(port)
        self.assert_joined(listener.accept(None)[0], client)
        listener.close()
        self.assertTrue(added.is_closed())
        self.assert_fails(Gio.IOErrorEnum.CLOSED, listener.add_socket, added, None)
        self.assert_fails(Gio.IOErrorEnum.CLOSED, listener.accept, None)
        self.assert_fails(
            Gio.IOErrorEnum.FAILED, self.module.SocketListener().add_socket, added, None
        )

    def test_ports(self):
        listener, other = self.module.SocketListener(), self.module.SocketListener()
        port = listener.add_any_inet_port(None)
        self.assertGreater(port, 0)
        client = self.client(port)
        self.assert_joined(listener.accept(None)[0], client)
        self.assert_fails(Gio.IOErrorEnum.ADDRESS_IN_USE, other.add_inet_port, port, None)
        listener.close()
        self.assertIs(other.add_inet_port(port, None), True)
        client = self.client(port)
        self.assert_joined(other.accept(None)[0], client)

    def test_the_backlog(self):
        listener, holder = self.module.SocketListener(), base.Holder()
        self.assertEqual(listener.props.listen_backlog, 10)
        listener.set_backlog(77)
        self.assertEqual(listener.props.listen_backlog, 77)
        listener.bind_property(
            "listen-backlog", holder, "text", GObject.BindingFlags.SYNC_CREATE, lambda _, n: str(n)
        )
        listener.props.listen_backlog = 78
        self.assertEqual(holder.text, "78")
        self.assertEqual(self.module.SocketListener(listen_backlog=5).props.listen_backlog, 5)

    def test_the_events(self):
        listener, events = self.module.SocketListener(), []
        listener.connect("event", lambda of, event, sock: events.append((of, event, type(sock))))
        self.listen(listener)
        kinds = Gio.SocketListenerEvent
        names = (kinds.BINDING, kinds.BOUND, kinds.LISTENING, kinds.LISTENED)
        self.assertEqual(events, [(listener, event, Gio.Socket) for event in names])

    def test_a_class_of_ones_own(self):
        calls = []

        class Own(self.module.SocketListener):
            __gtype_name__ = self.face.prefix + "OwnListener"

            def do_event(self, event, sock):
                calls.append((event, sock.get_family()))

            def do_changed(self):
                calls.append("changed")

        self.listen(Own())
        family = Gio.SocketFamily.IPV4
        self.assertEqual(
            calls, [(Gio.SocketListenerEvent(n), family) for n in range(4)] + ["changed"]
        )

    # ---- The service

    def test_an_echo(self):
        service, mark, kept = self.module.SocketService.new(), Mark(), []
        self.assertIsInstance(service, self.module.SocketListener)

        def incoming(of, connection, source_object):
            self.assertIs(of, service)
            self.assertIs(source_object, mark)
            self.assertIs(type(connection), self.face.TcpConnection)
            # Kept, as it would be closed otherwise.
            kept.append(connection)
            read(connection)
            return True

        def read(connection):
            stream = connection.get_input_stream()
            stream.read_bytes_async(100, GLib.PRIORITY_DEFAULT, None, got, connection)

        def got(stream, result, connection):
            data = stream.read_bytes_finish(result)
            if data.get_size() == 0:
                connection.close(None)
                kept.remove(connection)
                return
            connection.get_output_stream().write_all(data.get_data(), None)
            read(connection)

        service.connect("incoming", incoming)
        service.connect("incoming", lambda *_: self.fail("the first one has handled it"))
        port = self.listen(service, mark)
        clients = [self.client(port) for _ in range(5)]
        for n, client in enumerate(clients):
            client.sendall(b"%d" % n)
        iterate_until(lambda: len(kept) == 5)
        for n, client in enumerate(clients):
            client.setblocking(False)
            echo = []

            def has_come(client=client, echo=echo):
                try:
                    echo.append(client.recv(100))
                except BlockingIOError:
                    # Nothing wakes the context for it.
                    iterate_all()
                return echo

            while not has_come():
                pass
            self.assertEqual(echo, [b"%d" % n])
            client.close()
        iterate_until(lambda: not kept)
        self.close_service(service)

    def test_active(self):
        service, seen = self.module.SocketService(), []
        service.connect("notify::active", lambda of, _: seen.append(of.is_active()))
        self.assertIs(service.is_active(), True)
        port = self.listen(service)
        served = []
        service.connect("incoming", lambda *_: served.append(True))
        service.stop()
        iterate_all()
        self.assertIs(service.is_active(), False)
        client = self.client(port)
        iterate_all()
        self.assertEqual(served, [])
        service.start()
        iterate_until(lambda: served)
        # Nobody has kept it.
        self.assertEqual(client.recv(1), b"")
        service.props.active = False
        self.assertEqual(seen, [False, True, False])
        iterate_all()
        service.close()
        self.assertIs(self.module.SocketService(active=False).props.active, False)

    def test_a_service_of_ones_own(self):
        served = []

        class Own(self.module.SocketService):
            __gtype_name__ = self.face.prefix + "OwnService"

            def do_incoming(self, connection, source_object):
                connection.get_output_stream().write_all(b"mine", None)
                served.append(source_object)
                return True

        service, mark = Own(), Mark()
        client = self.client(self.listen(service, mark))
        iterate_until(lambda: served)
        self.assertEqual(served, [mark])
        self.assertEqual(client.recv(10, socket.MSG_WAITALL), b"mine")
        self.close_service(service)

    def test_a_service_of_ones_own_leaves_it_to_its_parent(self):
        parent, handed = self.module.SocketService, []

        class Own(parent):
            __gtype_name__ = self.face.prefix + "LeavingService"

            def do_incoming(self, connection, source_object):
                try:
                    handed.append(parent.do_incoming(self, connection, source_object))
                except TypeError:
                    handed.append(TypeError)
                return True

        service, mark = Own(), Mark()
        for source_object in mark, None:
            self.client(self.listen(service, source_object))
            iterate_until(lambda count=len(handed): len(handed) > count)
        self.assertEqual(handed, [False, False if self.face.hands_on_no_source else TypeError])
        self.close_service(service)

    # ---- The service with threads

    def exchange(self, port, count):
        """Talks to a service from other threads, while the context is iterated here."""
        answers = []

        def talk(n):
            with socket.create_connection(("127.0.0.1", port), LIMIT) as client:
                client.sendall(b"%d" % n)
                client.shutdown(socket.SHUT_WR)
                answers.append((n, client.recv(100, socket.MSG_WAITALL)))
            GLib.MainContext.default().wakeup()

        talkers = [threading.Thread(target=talk, args=(n,)) for n in range(count)]
        for talker in talkers:
            talker.start()
        iterate_until(lambda: len(answers) == count)
        for talker in talkers:
            talker.join()
        self.assertEqual(sorted(answers), [(n, b"served %d" % n) for n in range(count)])

    def serve(self, connection):
        """Reads to the end, and answers: it blocks."""
        self.threads.add(threading.get_ident())
        data = connection.get_input_stream().read_bytes(100, None).get_data()
        connection.get_output_stream().write_all(b"served " + data, None)

    def test_threads(self):
        self.threads = set()
        service = self.module.ThreadedSocketService.new(20)
        self.assertIsInstance(service, self.module.SocketService)
        self.assertEqual(service.props.max_threads, 20)

        def run(of, connection, source_object):
            self.serve(connection)
            return True

        service.connect("run", run)
        self.exchange(self.listen(service), 7)
        self.assertNotIn(threading.get_ident(), self.threads)
        self.close_service(service)

    def test_threads_of_a_class_of_ones_own(self):
        self.threads, marks, serve = set(), [], self.serve

        class Own(self.module.ThreadedSocketService):
            __gtype_name__ = self.face.prefix + "OwnThreadedService"

            def do_run(self, connection, source_object):
                marks.append(source_object)
                serve(connection)
                return True

        service, mark = Own(max_threads=20), Mark()
        self.exchange(self.listen(service, mark), 7)
        self.assertEqual(marks, [mark] * 7)
        self.assertNotIn(threading.get_ident(), self.threads)
        self.close_service(service)


    def test_the_program_ends_while_a_connection_is_served(self):
        program = ENDS_MEANWHILE % self.module.__name__.rsplit(".", 1)[-1]
        ended = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT
        )
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (1, "", ""))


class OnGio(Scenario, unittest.TestCase):
    face = base.GIO


class OnGsock(Scenario, unittest.TestCase):
    face = base.GSOCK


class Additions(Tools, unittest.TestCase):
    """What gsock has beyond GIO."""

    face = base.GSOCK

    def test_the_example_of_the_readme(self):
        readme = pathlib.Path(__file__).parent.parent / "README.md"
        _of_a_connection, example = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
        printed, names = io.StringIO(), {}
        self.assertIn("GLib.MainLoop().run()", example)
        with contextlib.redirect_stdout(printed):
            exec(example.replace("GLib.MainLoop().run()", ""), names)
        client = self.client(int(printed.getvalue()))
        client.sendall(b"echo")
        client.shutdown(socket.SHUT_WR)
        results = []
        started = names["service"].connect("incoming", lambda *_: results.append(None))
        iterate_until(lambda: results)
        names["service"].disconnect(started)
        self.assertEqual(client.recv(10, socket.MSG_WAITALL), b"echo")
        names["service"].drain_async(None, lambda _, result: results.append(result))
        iterate_until(lambda: len(results) == 2)
        self.assertIs(names["service"].drain_finish(results[1]), True)

    def test_the_factory_is_asked_for_the_protocol_that_was_listened_with(self):
        connections, key = self.module.SocketConnection, (Gio.SocketFamily.IPV4, Gio.SocketType.STREAM)

        class Own(self.face.TcpConnection):
            __gtype_name__ = self.face.prefix + "OwnAccepted"

        # The usual one, when the kernel says TCP of the same socket. Not done on GIO's class, whose table of types
        # does not bear a second registration of a key (SC-31).
        connections.factory_register_type(Own.__gtype__, *key, Gio.SocketProtocol.DEFAULT)
        self.addCleanup(
            connections.factory_register_type,
            self.face.TcpConnection.__gtype__,
            *key,
            Gio.SocketProtocol.DEFAULT,
        )
        for protocol, expected in (
            (Gio.SocketProtocol.DEFAULT, Own),
            (Gio.SocketProtocol.TCP, self.face.TcpConnection),
        ):
            listener = self.module.SocketListener.new()
            done, address = listener.add_address(any_port(), key[1], protocol, None)
            self.client(address.get_port())
            connection, _ = listener.accept(None)
            self.assertIs(type(connection), expected)
            self.client(address.get_port())
            _, result = call(listener.accept_async, None)
            self.assertIs(type(listener.accept_finish(result)[0]), expected)

    def test_what_an_accept_and_a_client_make_is_of_a_class_of_ones_own(self):
        connections, key = self.module.SocketConnection, (Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, 0)
        calls = []

        class Own(self.face.TcpConnection):
            __gtype_name__ = self.face.prefix + "OwnAndUsed"
            label = GObject.Property(type=str, default="new")

            def do_get_input_stream(self):
                if not hasattr(self, "buffered"):
                    stream = Gsock.TcpConnection.do_get_input_stream(self)
                    self.buffered = Gio.BufferedInputStream.new(stream)
                return self.buffered

            def do_close_fn(self, cancellable):
                calls.append(("close", self.label))
                return Gsock.TcpConnection.do_close_fn(self, cancellable)

        def is_used(connection, name, other):
            holder = base.Holder()
            self.assertIs(type(connection), Own)
            self.assertEqual(connection.label, "new")
            connection.bind_property("label", holder, "text")
            connection.props.label = name
            self.assertEqual(holder.text, name)
            stream = connection.get_input_stream()
            self.assertIsInstance(stream, Gio.BufferedInputStream)
            other.get_output_stream().write_all(b"buffered", None)
            self.assertEqual(stream.read_bytes(8, None).get_data(), b"buffered")

        connections.factory_register_type(Own, *key)
        self.addCleanup(connections.factory_register_type, self.face.TcpConnection, *key)
        listener, client = Gsock.SocketListener(), Gsock.SocketClient()
        done, address = listener.add_address(any_port(), key[1], 0, None)
        made = client.connect(address, None)
        accepted, _ = listener.accept(None)
        _, result = call(client.connect_async, address, None)
        made_later = client.connect_finish(result)
        _, result = call(listener.accept_async, None)
        accepted_later, _ = listener.accept_finish(result)
        for one, other in (made, accepted), (made_later, accepted_later):
            is_used(accepted if one is made else accepted_later, "accepted", one)
            is_used(one, "made", other)
        # And by a service.
        service, came = Gsock.SocketService(), []
        service.connect("incoming", lambda of, connection, source: came.append(connection))
        done, address = service.add_address(any_port(), key[1], 0, None)
        third = client.connect(address, None)
        iterate_until(lambda: came)
        is_used(came[0], "served", third)
        for connection in made, accepted, made_later, accepted_later, came[0]:
            self.assertTrue(connection.close(None))
        names = ["made", "accepted", "made", "accepted", "served"]
        self.assertEqual(calls, [("close", name) for name in names])
        self.close_service(service)

    def test_the_addresses(self):
        listener = Gsock.SocketListener()
        self.assertEqual(listener.get_addresses(), [])
        ports = [self.listen(listener), self.listen(listener)]
        addresses = listener.get_addresses()
        self.assertEqual([address.get_port() for address in addresses], ports)
        self.assertIs(listener.remove_address(addresses[0]), True)
        self.assertEqual([of.get_port() for of in listener.get_addresses()], ports[1:])
        self.assert_fails(
            Gio.IOErrorEnum.NOT_FOUND, listener.remove_address, addresses[0]
        )
        client = self.client(ports[1])
        self.assert_joined(listener.accept(None)[0], client)

    def test_paths(self):
        listener, flags = Gsock.SocketListener(), Gsock.UnixPathFlags
        with tempfile.TemporaryDirectory() as folder:
            path, mark = os.path.join(folder, "socket"), Mark()
            self.assertIs(listener.add_unix_path(path, 0o640, flags.SAME_USER_ONLY, mark), True)
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o640)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                connection, source_object = listener.accept(None)
                self.assertIs(type(connection), Gsock.UnixConnection)
                self.assertIs(source_object, mark)
            self.assert_fails(
                Gio.IOErrorEnum.ADDRESS_IN_USE,
                Gsock.SocketListener().add_unix_path,
                path,
                0o600,
                flags.NONE,
                None,
            )
            listener.close()
            self.assertFalse(os.path.exists(path))

    def test_a_port_of_a_range(self):
        listener, other = Gsock.SocketListener(), Gsock.SocketListener()
        port = listener.add_any_inet_port(None)
        self.assert_fails(Gio.IOErrorEnum.ADDRESS_IN_USE, other.add_inet_port_in_range, port, port, None)
        found = other.add_inet_port_in_range(port - 50, min(port + 50, 65535), None)
        self.assertNotEqual(found, port)
        self.assertIn(found, range(port - 50, port + 51))

    def test_names_in_no_folder(self):
        listener, name = Gsock.SocketListener(), b"gsock test in Python %d" % os.getpid()
        self.assertIs(listener.add_unix_abstract(name, True, None), True)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(b"\0" + name)
            self.assertIs(type(listener.accept(None)[0]), Gsock.UnixConnection)

    def test_sockets_of_systemd(self):
        self.assertEqual(tuple(Gsock.SocketListener().add_systemd_sockets(None, None)), ([], []))

    def test_limits(self):
        listener = Gsock.SocketListener(max_connections=5)
        self.assertEqual(listener.get_max_connections(), 5)
        listener.set_max_connections(2)
        listener.set_max_connections_per_peer(1)
        listener.set_accept_rate(1000)
        self.assertEqual(listener.props.max_connections, 2)
        self.assertEqual(listener.get_max_connections_per_peer(), 1)
        self.assertEqual(listener.get_accept_rate(), 1000)
        port, results = self.listen(listener), []
        self.client(port)
        connection, _ = listener.accept(None)
        listener.accept_async(None, lambda _, result: results.append(result))
        second = self.client(port)
        iterate_until(lambda: listener.get_refused() == 1)
        self.assertRaises(ConnectionResetError, second.recv, 1)
        self.assertEqual((listener.get_accepted(), listener.get_active_connections()), (1, 1))
        connection.close(None)
        self.assertEqual(listener.get_active_connections(), 0)
        client = self.client(port)
        iterate_until(lambda: results)
        self.assert_joined(listener.accept_finish(results[0])[0], client)

    def test_without_sockets(self):
        listener = Gsock.SocketListener()
        self.assert_fails(Gio.IOErrorEnum.INVALID_ARGUMENT, listener.accept, None)
        results = []
        listener.accept_async(None, lambda _, result: results.append(result))
        iterate_all()
        client = self.client(self.listen(listener))
        iterate_until(lambda: results)
        self.assert_joined(listener.accept_finish(results[0])[0], client)
        self.assert_fails(Gio.IOErrorEnum.INVALID_ARGUMENT, listener.accept_finish, results[0])

    def test_a_close_from_another_thread_ends_a_blocking_accept(self):
        listener, errors = Gsock.SocketListener(), []
        self.listen(listener)

        def accept():
            try:
                listener.accept(None)
            except GLib.Error as error:
                errors.append(error)

        accepter = threading.Thread(target=accept)
        accepter.start()
        listener.close()
        accepter.join()
        self.assertTrue(errors[0].matches(Gio.io_error_quark(), Gio.IOErrorEnum.CLOSED))

    def test_the_error(self):
        service, errors = Gsock.SocketService(), []
        service.connect("error", lambda of, error: errors.append((of, error)))
        # It does not listen.
        service.add_socket(base.tcp_socket(), None)
        iterate_until(lambda: errors)
        ((of, error),) = errors
        self.assertIs(of, service)
        self.assertTrue(error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.INVALID_ARGUMENT))
        service.close()
        self.assertIs(service.is_active(), False)

    def test_drain(self):
        proceed, served = threading.Event(), []

        class Slow(Gsock.ThreadedSocketService):
            __gtype_name__ = "Slow"

            def do_run(self, connection, source_object):
                proceed.wait(LIMIT)
                served.append(connection)
                return True

        service, started, results = Slow(max_threads=2), [], []
        self.assertEqual(service.props.max_threads, 2)
        service.connect("incoming", lambda *_: started.append(True))
        port = self.listen(service)
        self.client(port)
        iterate_until(lambda: started)
        service.drain_async(None, lambda _, result: results.append(result))
        self.assertIs(service.is_active(), False)
        iterate_all()
        self.assertEqual((results, served), ([], []))
        proceed.set()
        iterate_until(lambda: results)
        self.assertEqual(len(served), 1)
        self.assertIs(service.drain_finish(results[0]), True)
        self.assert_fails(Gio.IOErrorEnum.INVALID_ARGUMENT, service.drain_finish, results[0])
        cancellable = Gio.Cancellable()
        cancellable.cancel()
        _, result = call(service.drain_async, cancellable)
        self.assert_fails(Gio.IOErrorEnum.CANCELLED, service.drain_finish, result)


if __name__ == "__main__":
    unittest.main(verbosity=int(os.environ.get("VERBOSITY", "1")), argv=sys.argv)
