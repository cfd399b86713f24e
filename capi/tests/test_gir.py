"""Compares what the two GIR files say of GIO's classes and of gsock's: test_gir.py Gio-2.0.gir Gsock-1.gir

Everything that GIO's has, ours must have in the same form; what ours has beyond it stands in ADDED.
And each method of these classes, and of their parent, must occur in one of the tests in Python.
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
# What a caller can tell the difference of.
SAID_OF_PARAMETERS = (
    "direction",
    "caller-allocates",
    "transfer-ownership",
    "nullable",
    "optional",
    "allow-none",
    "scope",
    "closure",
    "destroy",
)
SAID_OF_PROPERTIES = ("writable", "readable", "construct", "construct-only", "transfer-ownership")

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
# What is different on purpose: (class, member): {what: (GIO's, ours)}.
DIFFERENT = {
    ("SocketConnection", "property socket"): {
        "construct-only": ("1", None),
        "construct": (None, "1"),
        "setter": (None, "set_socket"),
    },
}
# What may be missing, which GIO's does not say, and a property whose functions have another name than it.
MISSING = {key: "none" if key == "transfer-ownership" else None for key in SAID_OF_PARAMETERS}
SOURCE = {
    "parameter source_object": (
        (("GObject.Object", "GObject*"), MISSING),
        (("GObject.Object", "GObject*"), MISSING | {"nullable": "1", "allow-none": "1"}),
    ),
}
DIFFERENT |= {
    ("SocketClient", "virtual event"): {
        "parameter connection": (
            (("IOStream", "GIOStream*"), MISSING),
            (("IOStream", "GIOStream*"), MISSING | {"nullable": "1", "allow-none": "1"}),
        ),
    },
    ("SocketService", "virtual incoming"): SOURCE,
    ("ThreadedSocketService", "virtual run"): SOURCE,
    ("ThreadedSocketService", "property max-threads"): {"getter": (None, "get_max_threads")},
    ("SocketClient", "property type"): {
        "getter": (None, "get_socket_type"),
        "setter": (None, "set_socket_type"),
    },
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


def type_of(element):
    """The type of a parameter, without the prefix that tells the two libraries apart."""
    found = element.find(CORE + "type")
    if found is None:
        return "array"
    c_type = found.get(C + "type") or ""
    return without_namespace(found.get("name")), re.sub(r"\bG(sock)?(?=[A-Z])", "G", c_type)


def callable_of(element, is_virtual=False):
    said = {
        "kind": element.tag.removeprefix(CORE),
        "throws": element.get("throws"),
        "returns": None,
    }
    returned = element.find(CORE + "return-value")
    said["returns"] = (
        type_of(returned),
        returned.get("transfer-ownership"),
        returned.get("nullable"),
    )
    parameters = element.find(CORE + "parameters")
    for parameter in parameters if parameters is not None else ():
        what = parameter.get("name")
        if parameter.tag == CORE + "instance-parameter":
            said["instance"] = (what, parameter.get("transfer-ownership"))
        else:
            said["parameter " + what] = (
                type_of(parameter),
                {key: parameter.get(key) for key in SAID_OF_PARAMETERS},
            )
    said["order"] = [
        parameter.get("name") for parameter in (parameters if parameters is not None else ())
    ]
    return said


def is_for_c(element):
    return element.get("introspectable") == "0"


def members(namespace, name):
    found = {}
    for element in class_of(namespace, name):
        if is_for_c(element):
            continue
        tag, member = element.tag.removeprefix(CORE), element.get("name")
        if tag == "virtual-method":
            found["virtual " + member] = callable_of(element)
        elif tag in CALLABLES:
            found[member] = callable_of(element)
        elif tag == "property":
            said = {key: element.get(key) for key in SAID_OF_PROPERTIES}
            said["type"] = type_of(element)[0]
            said["getter"], said["setter"] = element.get("getter"), element.get("setter")
            found["property " + member] = said
        elif tag == GLIB + "signal":
            found["signal " + member] = {}
    return found


class Comparison(unittest.TestCase):
    maxDiff = None

    def compare(self, name):
        theirs, ours = members(gio, name), members(gsock, name)
        self.assertEqual(set(ours) - set(theirs), ADDED[name])
        self.assertEqual(set(theirs) - set(ours), set())
        for member, said in theirs.items():
            expected = dict(said)
            for key, (was, now) in DIFFERENT.get((name, member), {}).items():
                self.assertEqual(expected[key], was, f"{member}: {key} of GIO's")
                expected[key] = now
            with self.subTest(member=member):
                self.assertEqual(ours[member], expected)

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

    def test_what_makes_a_connection(self):
        for ours, (owner, theirs) in ELSEWHERE.items():
            made = members(gsock, "SocketConnection")[ours]
            self.assertEqual(made["returns"], members(gio, owner)[theirs]["returns"])

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
