"""Compares what the two GIR files say of GIO's classes and of gsock's: test_gir.py Gio-2.0.gir Gsock-1.gir

Everything that GIO's has, ours must have in the same form: methods, properties, signals and slots, their
arguments and results, and of each its type, whether it may be NULL and who owns it. What ours has beyond it
stands on a page of the documentation, docs/additions.md, what is said otherwise, with the reason, in DIFFERENT. And each
method of these classes, and of their parent, must occur in one of the tests in Python.

That nothing of it slips through is seen by changing each single thing of ours: `Controls`.
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

# What is different on purpose: (class, member): (why, {what: (GIO's, ours)}).
BINDING = "a binding may give the connection another socket"
# The documentation of GIO's signals says so. A class of one's own in Python or JavaScript can hand it to its parent's
# then, which GIO's refuses: test_listener.py shows both.
MISSES = "GIO says it of the signal, and forgets the slot of the same arguments"
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
}
# For C alone: they use the caller's memory after they have returned, when other languages have taken it back.
FOR_C = {("SocketConnection", name) for name in ("receive_async", "receive_finish", "send_async", "send_finish")}
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
# GIO's function that makes a connection is a method of the socket there.
ELSEWHERE = {"factory_create_connection": ("Socket", "connection_factory_create_connection")}

gio, gsock = (ElementTree.parse(path).getroot().find(CORE + "namespace") for path in sys.argv[1:3])
here = pathlib.Path(__file__).parent
# Not this one, which names them all, nor its like.
scenario = "".join(
    path.read_text() for path in sorted(here.glob("test_*.py")) if path.stem not in ("test_gir", "test_vapi", "test_matrix")
)
# What the page says that is beyond GIO's: `[method@Gsock.SocketClient.connect_with_report]` and the like.
LINK = re.compile(r"\[(\w+)@Gsock\.(\w+)(?:::?|\.)?([\w-]*)\]")
additions = LINK.findall((here.parent / "docs" / "additions.md").read_text())
whole = {type_ for _, type_, member in additions if not member}
symbols = (here.parent / "symbols.txt").read_text().split()


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


def differences(name):
    """All that is different and should not be in a class, as text."""
    found = []
    for theirs, ours in (
        (members(gio, name), members(gsock, name)),
        (slots(gio, name), slots(gsock, name)),
    ):
        for member, said in theirs.items():
            expected = dict(said)
            _, different = DIFFERENT.get((name, member), ("", {}))
            for key, (was, now) in different.items():
                if expected.get(key) != was:
                    found.append(f"{member}: {key} of GIO's is {expected.get(key)}, and not {was}")
                expected[key] = now
            have = ours.get(member)
            if have is None:
                found.append(f"{member} is missing")
                continue
            for key in sorted(expected.keys() | have.keys()):
                if expected.get(key) != have.get(key):
                    found.append(f"{member}: {key} is {have.get(key)}, and not {expected.get(key)}")
    theirs, ours = class_of(gio, name), class_of(gsock, name)
    for key in "parent", "abstract", GLIB + "type-struct", C + "symbol-prefix":
        if neutral(theirs.get(key) or "") != neutral(ours.get(key) or ""):
            found.append(f"{key} is {ours.get(key)}")
    if ours.get(GLIB + "type-name") != "Gsock" + name:
        found.append(f"it is called {ours.get(GLIB + 'type-name')}")
    return found


def added(name):
    """What a class has beyond GIO's; a property stands for what gets and sets it."""
    theirs, ours = members(gio, name), members(gsock, name)
    new = set(ours) - set(theirs)
    return {
        member
        for member in new
        if not any(f"property {ours[member].get(key)}" in new for key in ("get-property", "set-property"))
    }


def said_on_the_page(name):
    prefix = {"property": "property ", "signal": "signal ", "vfunc": "virtual "}
    return {prefix.get(kind, "") + member for kind, type_, member in additions if type_ == name and member}


def hidden(namespace):
    return {(name, of.get("name")) for name in CLASSES for of in class_of(namespace, name) if is_for_c(of)}


def is_a_macro(thing):
    return thing.tag in (CORE + "function-macro", CORE + "docsection")


def owner_of(function):
    """The class, record or enumeration that a function stands in."""
    return next((of.get("name") for of in gsock if function in list(of)), None)


def compared(ours, record):
    """What is compared of a class: (parent, element, key)."""
    for element in ours:
        tag, name = element.tag.split("}")[-1], element.get("name")
        if is_for_c(element):
            continue
        if tag == "virtual-method":
            yield ours, element, "virtual " + name
        elif tag in CALLABLES:
            yield ours, element, name
        elif tag in ("property", "signal"):
            yield ours, element, f"{tag} {name}"
    for field in record.findall(CORE + "field"):
        if field.find(CORE + "callback") is not None and not is_for_c(field):
            yield record, field, "slot " + field.get("name")


class Comparison(unittest.TestCase):
    maxDiff = None

    def test_each_class(self):
        for name in CLASSES:
            with self.subTest(name=name):
                self.assertEqual(differences(name), [])

    def test_each_exception_is_needed_and_has_a_reason(self):
        for (name, member), (why, different) in DIFFERENT.items():
            self.assertTrue(why and different)
            self.assertIn(member, members(gio, name) | slots(gio, name))

    def test_what_is_for_c_alone(self):
        self.assertEqual({of for of in hidden(gio)}, set())
        self.assertEqual(hidden(gsock), FOR_C)

    def test_what_is_beyond_gio_is_on_the_page(self):
        for name in CLASSES:
            with self.subTest(name=name):
                for_c = {member for of, member in FOR_C if of == name}
                self.assertEqual(added(name) | for_c, said_on_the_page(name))

    def test_what_is_of_no_class_of_gios_is_on_the_page(self):
        ours = {
            thing.get("name")
            for thing in gsock
            if thing.get("name") and not thing.get(GLIB + "is-gtype-struct-for") and not is_a_macro(thing)
        }
        self.assertEqual(ours - set(CLASSES), whole - set(CLASSES))

    def test_each_symbol_is_gios_or_on_the_page(self):
        of_gio = {of.get(C + "identifier") for of in gio.iter() if of.get(C + "identifier")}
        described = {of.get(C + "identifier"): of for of in gsock.iter() if of.get(C + "identifier")}
        beyond = 0
        for symbol in symbols:
            if symbol.endswith("_get_type") or "g_" + symbol.removeprefix("gsock_") in of_gio:
                continue
            beyond += 1
            with self.subTest(symbol=symbol):
                self.assertIn(symbol, described)
                owner, name = owner_of(described[symbol]), described[symbol].get("name")
                if owner in CLASSES:
                    self.assertIn(name, set(members(gsock, owner)) - set(members(gio, owner)) | {of for _, of in FOR_C})
                else:
                    self.assertIn(owner or name, whole)
        self.assertGreater(beyond, 50)
        # And the other way round: nothing is described that is not there.
        functions = {of for of in described if of.startswith("gsock_")}
        self.assertEqual(functions - set(symbols), set())

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
        names = [of.get("name") for of in gsock.findall(CORE + "class")]
        self.assertLessEqual(set(CLASSES), set(names))
        wanted = {of for of in members(gio, "IOStream") if " " not in of}
        for name in names:
            wanted |= {of for of in members(gsock, name) if " " not in of}
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


def changes(element):
    """Each way to change one thing that is said of an element: (what, do, undo)."""

    def attribute(of, key, value):
        was = of.get(key)

        def put(value):
            if value is None:
                of.attrib.pop(key)
            else:
                of.set(key, value)

        return f"{key} of {of.get('name')}", lambda: put(value), lambda: put(was)

    def removal(of, part):
        at = list(of).index(part)
        return f"no {part.get('name')}", lambda: of.remove(part), lambda: of.insert(at, part)

    callable_ = element.find(CORE + "callback") if element.tag == CORE + "field" else element
    parameters = callable_.find(CORE + "parameters")
    returned = callable_.find(CORE + "return-value")
    parts = list(parameters if parameters is not None else [])
    for part in parts:
        yield removal(parameters, part)
    for part in parts + [of for of in (returned, callable_) if of is not None]:
        if part.get("transfer-ownership"):
            yield attribute(part, "transfer-ownership", "full" if part.get("transfer-ownership") != "full" else "none")
        if part is not callable_:
            yield attribute(part, "nullable", None if part.get("nullable") else "1")
        for type_ in part.iter(CORE + "type"):
            if type_.get("name"):
                yield attribute(type_, "name", "Other")
    if element.tag == CORE + "property":
        for key in "writable", "construct", "construct-only":
            yield attribute(element, key, None if element.get(key) else "1")
    if callable_.get("throws"):
        yield attribute(callable_, "throws", None)


class Controls(unittest.TestCase):
    """That one thing which is different is seen: each is made so, and must be found."""

    def test_each_single_change_is_found(self):
        missed, tried = [], {}
        for name in CLASSES:
            ours = class_of(gsock, name)
            record = next(of for of in gsock.findall(CORE + "record") if of.get("name") == name + "Class")
            of_gio = set(members(gio, name)) | set(slots(gio, name))
            for parent, element, key in list(compared(ours, record)):
                if key not in of_gio:
                    continue
                at = list(parent).index(element)
                removal = "itself", lambda: parent.remove(element), lambda: parent.insert(at, element)
                for what, do, undo in (removal, *changes(element)):
                    do()
                    found = differences(name)
                    undo()
                    kind = what.split(" of ")[0].split()[0]
                    tried[kind] = tried.get(kind, 0) + 1
                    if not found:
                        missed.append(f"{name}: {key}: {what}")
            self.assertEqual(differences(name), [])
        self.assertEqual(missed, [])
        self.assertLessEqual({"itself", "no", "nullable", "transfer-ownership", "name", "writable", "throws"}, set(tried))
        self.assertGreater(sum(tried.values()), 1000)

    def test_an_addition_that_is_not_on_the_page_is_found(self):
        ours = class_of(gsock, "SocketService")
        for tag, name in (CORE + "method", "surprise"), (CORE + "property", "surprise"), (GLIB + "signal", "surprise"):
            ElementTree.SubElement(ours, tag, {"name": name})
            self.assertNotEqual(added("SocketService"), said_on_the_page("SocketService"))
            ours.remove(ours[-1])
        self.assertEqual(added("SocketService"), said_on_the_page("SocketService"))


if __name__ == "__main__":
    del sys.argv[1:3]
    unittest.main()
