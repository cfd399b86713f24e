"""Checks README.md, the table of what is tested in which language: test_matrix.py [README.md]

Each cell names tests, or says why there can be none, which stands in CANNOT too; each test is one of that language; and
the text of the tests of a cell has what MUST says of its line.
"""

import pathlib
import re
import sys
import unittest

here = pathlib.Path(__file__).parent
page = pathlib.Path(sys.argv.pop(1)) if sys.argv[1:] and sys.argv[1].endswith(".md") else here / "README.md"
LANGUAGES = ("C", "Python", "JavaScript", "Vala")

# What the text of a test has, in any of the languages. All of a line's must be there.
CONNECT = r"\bconnect \(|connection_connect \(|\.connect\(|\bconnect,"
REFUSED, CANCELLED, TIMED_OUT = "CONNECTION_REFUSED", "CANCELLED", "TIMED_OUT"
MUST = {
    "connect": (CONNECT, "is_connected|instanceof"),
    "connect, asynchronous": ("connect_async", r"connect_finish|await|yield"),
    "refused": (CONNECT, REFUSED, "deserted"),
    "refused, asynchronous": ("connect_async", REFUSED, "deserted"),
    "cancelled": (CONNECT, CANCELLED),
    "cancelled, asynchronous": ("connect_async", CANCELLED),
    "a read times out": (r"read(_bytes)?\b", TIMED_OUT, "set_timeout|io_timeout_ms"),
    "a read times out, asynchronous": (r"read(_bytes)?_async|readToEnd", TIMED_OUT),
    "a connect times out": (r"client_connect \(|\.connect\b", TIMED_OUT, "connect_timeout_ms"),
    "a connect times out, asynchronous": ("connect_async", TIMED_OUT, "connect_timeout_ms"),
    "addresses": ("local_address", "remote_address"),
    "notify on state": (r'notify::state|notify\["state"\]|on_notify\(connection, "state"',),
    "binding on state": ("bind_property", r"['\"]state['\"]", "DISCONNECTED"),
    "binding on alive": ("bind_property", r"['\"]alive['\"]", "DISCONNECTED"),
    "binding to socket": ("bind_property", r"['\"]socket['\"]", "set_socket|SYNC_CREATE"),
    "subclass: connect": (CONNECT, "connects|calls"),
    "subclass: connect_async": ("connect_async", "async_connects|Gio.Task.new|connects == 11"),
    "subclass: close": ("closes|close",),
    "subclass: a stream": ("Buffered|BUFFERED|Own",),
    "subclass: a property": ("label|assert_is_my_own",),
    "factory: register and look up": ("factory_register_type", "factory_lookup_type"),
    "factory: an accept makes the subclass": ("factory_register_type", r"\baccept\b|listener_accept \(", "accept_async"),
    "factory: the client makes the subclass": ("factory_register_type", r"client_connect \(|client\.connect ?\(", "connect_async"),
    "client to a host": (r"connect_to_host\b|call_it|where",),
    "client to a host, asynchronous": (r"connect_to_host_async|where",),
    "client to a service and a URI": (r"connect_to_uri|where", r"connect_to_service|where"),
    "client: events": (r"events",),
    "client: report": (r"with_report|get_connect_report", "get_n_attempts"),
    "listener accepts": (r"accept(_by)? ?\(", "source|mark"),
    "listener accepts, asynchronous": ("accept_async",),
    "listener accepts a socket": (r"accept_socket",),
    "an accept is cancelled": ("accept_async", CANCELLED),
    "service: the signal incoming": ("incoming",),
    "service: a subclass": ("Own|Greeter|OWN|derived|Derived",),
    "service: drain": ("drain_async",),
    "service with threads: run": (r"run|Threaded",),
    "descriptors": (r"send_fd\b", r"receive_fd\b"),
    "descriptors, asynchronous": ("send_fd_async", "receive_fd_async"),
    "several descriptors": (r"send_fds\b", r"receive_fds\b"),
    "several descriptors, asynchronous": ("send_fds_async", "receive_fds_async"),
    "credentials": (r"send_credentials\b", r"receive_credentials\b"),
    "credentials, asynchronous": ("send_credentials_async", "receive_credentials_async"),
    "relay": ("relay_async",),
    "frames": (r"read_frame ?\(", r"write_frame ?\(", r"flush ?\(", r"pending_frames"),
    "frames, asynchronous": ("read_frame_async", "write_frame_async", "close_async"),
    "frames: the end": (r"assert_null \(gsock_framed_read_frame|assertIsNone\(\w+\.read_frame|read_frame \(\) == null|read_frame\(null\) === null",),
    "frames: bytes between them": ("send_exact", r"read_exact ?\(", "take_buffered"),
    "frames: descriptors": ("send_with_fds", r"receive_fds? ?\("),
    "frames: the queue is told of": ("congested", "drained", "high_water"),
    "frames: a failure is told of": (r"['\"]error['\"]|\.error\.connect",),
    "connects again: one object for all sockets": ("attempt|told_by", r"disconnected|losses_in", r"get_connection|\.connection\b"),
    "connects again: waits": (r"wait_connected ?\(",),
    "connects again: waits, asynchronous": ("wait_connected_async", r"wait_connected_finish|await|yield"),
    "connects again: a wait is cancelled": (r"wait_connected(_async)? ?\(", CANCELLED),
    "connects again: gives up": ("max_attempts", "told|failed", REFUSED),
    "connects again: frames": (r"bind_property \(.*io-stream|bind_property\(.io-stream", "keep_queue", "meanwhile"),
}
# Why there can be no test.
CANNOT = {
    ("subclass: connect_async", "JavaScript"): "gjs has no callbacks among the arguments of a slot",
    ("service with threads: run", "JavaScript"): "JavaScript runs on one thread",
}


def tests_in_c():
    found = {}
    for path in sorted(here.glob("test-*.c")):
        text = path.read_text()
        bodies = dict(re.findall(r"^(\w+) \(void\)\n(\{.*?^\})", text, re.DOTALL | re.MULTILINE))
        for name, function in re.findall(r'g_test_add_func \("([^"]+)", (\w+)\)', text):
            found[name] = bodies[function]
    return found


def tests_in_python():
    text = "".join(path.read_text() for path in sorted(here.glob("test_*.py")) if path.stem != "test_matrix")
    return dict(re.findall(r"^    def (test_\w+)\(self\):\n(.*?)(?=^    def |^    # -|^\S|\Z)", text, re.DOTALL | re.MULTILINE))


def tests_in_javascript():
    text = (here / "test-gjs.js").read_text()
    found = re.findall(r"^    async (\w+|'(?:[^'\\]|\\.)*')\(\) \{\n(.*?)^    \},$", text, re.DOTALL | re.MULTILINE)
    return {name.strip("'").replace("\\'", "'"): body for name, body in found}


def tests_in_vala():
    text = (here / "test-vala.vala").read_text()
    bodies = dict(re.findall(r"^(?:async )?void (test_\w+) \(\) throws Error \{\n(.*?)^\}", text, re.DOTALL | re.MULTILINE))
    run = text[text.index("async void all ()"):]
    return {name: body for name, body in bodies.items() if f"{name} ();" in run}


TESTS = dict(zip(LANGUAGES, (tests_in_c(), tests_in_python(), tests_in_javascript(), tests_in_vala())))


def table():
    """{line: {language: cell}}"""
    rows = [re.split(r" ?\| ?", line.strip().strip("|").strip()) for line in page.read_text().splitlines() if line.startswith("| ")]
    head, _, *lines = rows
    assert tuple(head[-4:]) == LANGUAGES, head
    return {line[0]: dict(zip(LANGUAGES, line[1:])) for line in lines}


class Matrix(unittest.TestCase):
    def test_the_lines_are_those_that_must_be_there(self):
        self.assertEqual(list(table()), list(MUST))

    def test_each_cell_has_a_test_that_does_what_its_line_says(self):
        cells = 0
        for line, languages in table().items():
            self.assertEqual(tuple(languages), LANGUAGES, line)
            for language, cell in languages.items():
                with self.subTest(line=line, language=language):
                    if (line, language) in CANNOT:
                        self.assertEqual(cell, f"*{CANNOT[line, language]}*")
                        continue
                    names = re.findall(r"`([^`]+)`", cell)
                    self.assertTrue(names)
                    self.assertEqual(", ".join(f"`{name}`" for name in names), cell)
                    self.assertLessEqual(set(names), set(TESTS[language]))
                    text = "".join(TESTS[language][name] for name in names)
                    for word in MUST[line]:
                        self.assertRegex(text, word)
                    cells += 1
        self.assertEqual(cells, len(MUST) * len(LANGUAGES) - len(CANNOT))

    def test_the_tests_were_found(self):
        for language, tests in TESTS.items():
            self.assertGreater(len(tests), 10, language)


if __name__ == "__main__":
    unittest.main()
