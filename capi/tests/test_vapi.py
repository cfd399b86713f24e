"""Compares what Vala sees of GIO's classes and of gsock's: test_vapi.py gsock-1.vapi gio-2.0.vapi [gio-unix-2.0.vapi]

Each line of GIO's must be in ours, but for the name of the namespace: what a method takes, what may be left out
and may be null, who owns what. What the GIR alone says is compared by test_gir.py.
"""

import pathlib
import re
import sys
import unittest

CLASSES = (
    "SocketConnection",
    "TcpConnection",
    "TcpWrapperConnection",
    "UnixConnection",
    "SocketClient",
    "SocketListener",
    "SocketService",
    "ThreadedSocketService",
)
# What is different on purpose: (class, GIO's line): (why, ours).
SLOT = "it has a slot, which a class of one's own may fill"
DIFFERENT = {
    (
        "SocketConnection",
        "public bool connect (SocketAddress address, Cancellable? cancellable = null) throws Error;",
    ): (
        SLOT,
        "public virtual bool connect (SocketAddress address, Cancellable? cancellable = null) throws Error;",
    ),
    (
        "SocketConnection",
        "public async bool connect_async (SocketAddress address, Cancellable? cancellable = null) throws Error;",
    ): (
        SLOT,
        "public virtual async bool connect_async (SocketAddress address, Cancellable? cancellable = null) throws Error;",
    ),
    ("SocketConnection", "public Socket socket { get; construct; }"): (
        "a binding may give the connection another socket",
        "public Socket socket { owned get; set construct; }",
    ),
}

ours, theirs = ("".join(pathlib.Path(path).read_text() for path in of) for of in (sys.argv[1:2], sys.argv[2:]))


def lines(text, name):
    body = re.search(rf"\tpublic class {name} : [\w.]+ \{{\n(.*?)\n\t\}}", text, re.DOTALL).group(1)
    # When it is there since is no difference to a program.
    body = re.sub(r"\[Version \(since[^]]*\)\]\n", "", body)
    body = re.sub(r"(\[Version \([^]]*?), since = [^]]*\)\]", r"\1)]", body)
    body = re.sub(r"(deprecated = true), deprecated_since = \"[\d.]+\"", r"\1", body)
    body = re.sub(r"\b(GLib|Gsock)\.", "", body).replace("Gsock", "G")
    return {line.strip() for line in body.split("\n") if line.strip()}


class Comparison(unittest.TestCase):
    maxDiff = None

    def test_each_line_of_gios_is_in_ours(self):
        for name in CLASSES:
            expected, found = lines(theirs, name), lines(ours, name)
            self.assertTrue(expected)
            for (of, line), (why, instead) in DIFFERENT.items():
                if of == name:
                    self.assertTrue(why)
                    self.assertIn(line, expected)
                    self.assertNotIn(line, found)
                    expected.discard(line)
                    expected.add(instead)
            with self.subTest(name=name):
                self.assertEqual(expected - found, set())

    def test_what_is_ours_may_be_left_out_where_it_may_be_null(self):
        all_of_them = re.findall(r"\tpublic class (\w+) : ", ours)
        self.assertLess(set(CLASSES), set(all_of_them))
        for name in all_of_them:
            for line in lines(ours, name):
                with self.subTest(line=line):
                    self.assertNotRegex(line, r"Cancellable\? cancellable[,)]")


if __name__ == "__main__":
    del sys.argv[1:]
    unittest.main()
