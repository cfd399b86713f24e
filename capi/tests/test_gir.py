"""Compares what the two GIR files say of GIO's classes and of gsock's: test_gir.py Gio-2.0.gir Gsock-1.gir

Everything that GIO's has, ours must have in the same form: methods, properties, signals and slots, their
arguments and results, and of each its type, whether it may be NULL and who owns it. What ours has beyond it
stands in ADDED, what is said otherwise, with the reason, in DIFFERENT. And each method of these classes, and of their parent, must occur in one of the tests in Python.
"""

import pathlib
import re
import sys
import unittest
import xml.etree.ElementTree as ElementTree

CORE = "{http://www.gtk.org/introspection/core/1.0}"
C = "{http://www.gtk.org/introspection/c/1.0}"
GLIB = "{http://www.gtk.org/introspection/glib/1.0}"
CALLABLES = ("method", "function", "constructor", "virtual-method")
# Where an element stands in its file, and since when it is there: no difference to a caller.
NOT_COMPARED = ("version", "deprecated-version", "filename", "line", "column")
# Of the source, in no binding: GLib's own documentation is not ours.
NOT_DESCENDED = ("doc", "doc-deprecated", "doc-version", "source-position")

# Of ours alone, by class.
ADDED = {
    "SocketConnection": {
        "factory_create_connection",
        "factory_create_connection_from_fd",
        "get_bytes_read",
        "get_bytes_written",
        "get_connect_report",
        "get_last_error",
        "get_state",
        "is_alive",
        "new_from_gio",
        "relay_async",
        "relay_finish",
        "set_home",
        "set_socket",
        "to_gio",
        # Virtual methods, of the same name as the methods.
        "virtual connect",
        "virtual connect_async",
        "virtual connect_finish",
        # Properties.
        "property alive",
        "property bytes-read",
        "property bytes-written",
        "property last-error",
        "property local-address",
        "property remote-address",
        "property state",
    },
    "SocketClient": {
        "connect_with_report",
        "connect_with_report_async",
        "connect_with_report_finish",
        "get_attempt_delay_ms",
        "get_connect_timeout_ms",
        "get_io_timeout_ms",
        "get_multipath",
        "set_attempt_delay_ms",
        "set_connect_timeout_ms",
        "set_io_timeout_ms",
        "set_multipath",
        "property attempt-delay-ms",
        "property connect-timeout-ms",
        "property io-timeout-ms",
        "property multipath",
    },
    "SocketListener": {
        "add_systemd_sockets",
        "add_unix_abstract",
        "add_unix_path",
        "get_accept_rate",
        "get_accepted",
        "get_active_connections",
        "get_addresses",
        "get_max_connections",
        "get_max_connections_per_peer",
        "get_refused",
        "property accept-rate",
        "property accepted",
        "property active-connections",
        "property max-connections",
        "property max-connections-per-peer",
        "property refused",
        "remove_address",
        "set_accept_rate",
        "set_max_connections",
        "set_max_connections_per_peer",
    },
    "SocketService": {"drain_async", "drain_finish", "signal error", "virtual error"},
    "ThreadedSocketService": {"get_max_threads"},
    "TcpConnection": {
        "get_keepalive_params",
        "get_linger_zero",
        "get_no_delay",
        "get_user_timeout",
        "set_keepalive_params",
        "set_linger_zero",
        "set_liveness",
        "set_no_delay",
        "set_user_timeout",
    },
    "TcpWrapperConnection": set(),
    "UnixConnection": {
        "get_peer_credentials",
        "get_peer_pidfd",
        "receive_fd_async",
        "receive_fd_finish",
        "receive_fds",
        "receive_fds_async",
        "receive_fds_finish",
        "send_fd_async",
        "send_fd_finish",
        "send_fds",
        "send_fds_async",
        "send_fds_finish",
    },
}
# For C alone: they use the caller's memory after they have returned, when other languages have taken it back.
FOR_C = {
    "SocketConnection": {"receive_async", "receive_finish", "send_async", "send_finish"},
    "SocketClient": set(),
    "SocketListener": set(),
    "SocketService": set(),
    "ThreadedSocketService": set(),
    "TcpConnection": set(),
    "TcpWrapperConnection": set(),
    "UnixConnection": set(),
}
# What is different on purpose: (class, member): (why, {what: (GIO's, ours)}).
BINDING = "a binding may give the connection another socket"
MISSES = "GIO says it of the signal, and forgets the slot of the same arguments"
OURS = "the function is ours: GIO has the property alone"
PAIRED = "ours has the property too, and the two go by one name"
MAY_BE_NULL = {"parameter {}/nullable": (None, "1"), "parameter {}/allow-none": (None, "1")}


def may_be_null(parameter):
    return {what.format(parameter): said for what, said in MAY_BE_NULL.items()}


DIFFERENT = {
    ("SocketConnection", "property socket"): (
        BINDING,
        {"construct-only": ("1", None), "construct": (None, "1"), "setter": (None, "set_socket")},
    ),
    ("SocketConnection", "get_local_address"): (PAIRED, {"get-property": (None, "local-address")}),
    ("SocketConnection", "get_remote_address"): (PAIRED, {"get-property": (None, "remote-address")}),
    ("SocketClient", "virtual event"): (MISSES, may_be_null("connection")),
    ("SocketClient", "slot event"): (MISSES, may_be_null("connection")),
    ("SocketService", "virtual incoming"): (MISSES, may_be_null("source_object")),
    ("SocketService", "slot incoming"): (MISSES, may_be_null("source_object")),
    ("ThreadedSocketService", "virtual run"): (MISSES, may_be_null("source_object")),
    ("ThreadedSocketService", "slot run"): (MISSES, may_be_null("source_object")),
    ("ThreadedSocketService", "property max-threads"): (OURS, {"getter": (None, "get_max_threads")}),
}
# GIO's function that makes a connection is a method of the socket there.
ELSEWHERE = {"factory_create_connection": ("Socket", "connection_factory_create_connection")}

gio, gsock = (ElementTree.parse(path).getroot().find(CORE + "namespace") for path in sys.argv[1:3])
here = pathlib.Path(__file__).parent
SCENARIOS = ("test_python.py", "test_listener.py", "test_adopt.py")
scenario = "".join((here / name).read_text() for name in SCENARIOS)


def class_of(namespace, name):
    return next(of for of in namespace.findall(CORE + "class") if of.get("name") == name)


def without_namespace(name):
    return name.removeprefix("Gio.") if name else name


def neutral(value):
    """A name without what tells the two libraries apart."""
    value = re.sub(r"\bG(sock)?(?=[A-Z])", "G", without_namespace(value))
    return re.sub(r"\bg(sock)?_", "g_", value)


def said_of(element, where="", said=None):
    """Everything that is said of an element and of what it consists of, flat: {path: value}."""
    said = {} if said is None else said
    for key, value in element.attrib.items():
        key = key.split("}")[-1]
        if key not in NOT_COMPARED and (where or key != "name"):
            said[where + key] = neutral(value)
    order = []
    for part in element:
        tag = part.tag.split("}")[-1]
        if tag in NOT_DESCENDED:
            continue
        if tag == "parameters":
            # The names say where each of them is.
            order = [of.get("name") for of in part]
            for parameter in part:
                kind = parameter.tag.split("}")[-1]
                said_of(parameter, f"{where}{kind} {parameter.get('name')}/", said)
        else:
            said_of(part, f"{where}{tag}/", said)
    if order:
        said[where + "order"] = order
    # Kinds of callables differ in how they are called.
    said[where + "kind"] = element.tag.split("}")[-1]
    return said


def is_for_c(element):
    return element.get("introspectable") == "0"


def members(namespace, name):
    found = {}
    for element in class_of(namespace, name):
        if is_for_c(element):
            continue
        tag, member = element.tag.split("}")[-1], element.get("name")
        if tag == "virtual-method":
            found["virtual " + member] = said_of(element)
        elif tag in CALLABLES:
            found[member] = said_of(element)
        elif tag in ("property", "signal"):
            found[f"{tag} {member}"] = said_of(element)
        elif tag == "implements":
            found["implements " + member] = {}
    return found


def slots(namespace, name):
    """The slots of the class struct, which are what C fills."""
    record = next(of for of in namespace.findall(CORE + "record") if of.get("name") == name + "Class")
    return {
        "slot " + field.get("name"): said_of(field.find(CORE + "callback"))
        for field in record.findall(CORE + "field")
        if field.find(CORE + "callback") is not None and not is_for_c(field)
    }


class Comparison(unittest.TestCase):
    maxDiff = None

    def compare(self, name):
        theirs, ours = members(gio, name), members(gsock, name)
        self.assertEqual(set(ours) - set(theirs), ADDED[name])
        self.same(name, theirs, ours)
        self.same(name, slots(gio, name), slots(gsock, name))

    def same(self, name, theirs, ours):
        self.assertEqual(set(theirs) - set(ours), set())
        for member, said in theirs.items():
            expected = dict(said)
            _, different = DIFFERENT.get((name, member), ("", {}))
            for key, (was, now) in different.items():
                self.assertEqual(expected.get(key), was, f"{member}: {key} of GIO's")
                expected[key] = now
            expected = {key: value for key, value in expected.items() if value is not None}
            with self.subTest(member=member):
                self.assertEqual(ours[member], expected)

    def test_each_exception_is_needed_and_has_a_reason(self):
        for (name, member), (why, different) in DIFFERENT.items():
            self.assertTrue(why and different)
            self.assertIn(member, members(gio, name) | slots(gio, name))

    def test_socket_connection(self):
        self.compare("SocketConnection")

    def test_socket_client(self):
        self.compare("SocketClient")

    def test_socket_listener(self):
        self.compare("SocketListener")

    def test_socket_service(self):
        self.compare("SocketService")

    def test_threaded_socket_service(self):
        self.compare("ThreadedSocketService")

    def test_tcp_connection(self):
        self.compare("TcpConnection")

    def test_what_is_for_c_alone(self):
        for name, ours in FOR_C.items():
            for namespace, expected in (gio, set()), (gsock, ours):
                hidden = {of.get("name") for of in class_of(namespace, name) if is_for_c(of)}
                self.assertEqual(hidden, expected)

    def test_tcp_wrapper_connection(self):
        self.compare("TcpWrapperConnection")

    def test_unix_connection(self):
        self.compare("UnixConnection")

    def test_the_parents(self):
        for name in ADDED:
            theirs, ours = class_of(gio, name), class_of(gsock, name)
            self.assertEqual(without_namespace(ours.get("parent")), theirs.get("parent"))
            self.assertEqual(ours.get(GLIB + "type-name"), "Gsock" + name)
            self.assertEqual(ours.get("abstract"), theirs.get("abstract"))
            self.assertEqual(ours.get(GLIB + "type-struct"), theirs.get(GLIB + "type-struct"))
            self.assertEqual(ours.get(C + "symbol-prefix"), theirs.get(C + "symbol-prefix"))

    def test_what_makes_a_connection(self):
        for ours, (owner, theirs) in ELSEWHERE.items():
            made, was = members(gsock, "SocketConnection")[ours], members(gio, owner)[theirs]
            returned = [
                {key: value for key, value in said.items() if key.startswith("return-value/")}
                for said in (made, was)
            ]
            self.assertTrue(returned[0])
            self.assertEqual(*returned)

    def test_every_method_is_called_from_python(self):
        wanted = set()
        for namespace, name in (
            (gio, "IOStream"),
            (gsock, "SocketConnection"),
            (gsock, "SocketClient"),
            (gsock, "SocketListener"),
            (gsock, "SocketService"),
            (gsock, "ThreadedSocketService"),
            (gsock, "TcpConnection"),
            (gsock, "TcpWrapperConnection"),
            (gsock, "UnixConnection"),
        ):
            wanted |= {of for of in members(namespace, name) if " " not in of}
        self.assertGreater(len(wanted), 30)
        report = next(of for of in gsock.findall(CORE + "record") if of.get("name") == "ConnectReport")
        methods = {of.get("name") for of in report.findall(CORE + "method")}
        # Python does these by itself.
        self.assertLessEqual({"copy", "free"}, methods)
        wanted |= methods - {"copy", "free"}
        missing = {name for name in wanted if not re.search(rf"\.{name}\b", scenario)}
        self.assertEqual(missing, set())

    def test_everything_is_described(self):
        """With a documentation, and with the version that has it since."""
        for element in gsock.iter():
            name = element.get("name")
            tag = element.tag.removeprefix(CORE)
            if tag in CALLABLES + ("class", "property", "enumeration", "constant") and name:
                with self.subTest(name=name, tag=tag):
                    self.assertIsNotNone(element.find(CORE + "doc"))
                    self.assertIsNotNone(element.get("version"))


if __name__ == "__main__":
    del sys.argv[1:3]
    unittest.main()
