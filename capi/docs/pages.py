"""Prepares what gi-docgen makes pages of: pages.py GIR FOLDER-OF-GIRS VERSION OUT

- The comments of the headers are gtk-doc's; gi-docgen makes no links of these. In OUT/Gsock-1.gir they are its own links:
  to our types, properties, signals and functions, and to those of GLib, GObject and GIO.
- To each operation that examples/operations.{c,py,rs} show its blocks are added, side by side, and OUT/operations.md has
  all of them by class.

A name of ours that there is not, a thing that does not say since when it is there, an operation that one language lacks, and a class without any are errors.
"""

import pathlib
import re
import sys
import textwrap
import xml.etree.ElementTree as ET

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

CORE = "{http://www.gtk.org/introspection/core/1.0}"
C = "{http://www.gtk.org/introspection/c/1.0}"
GLIB = "{http://www.gtk.org/introspection/glib/1.0}"
KINDS = {"class": "class", "interface": "iface", "record": "struct", "union": "struct", "enumeration": "enum",
         "bitfield": "flags", "callback": "callback", "alias": "alias"}
LANGUAGES = {"c": "C", "py": "Python", "rs": "Rust"}
VERSIONED = [CORE + tag for tag in ("class", "enumeration", "bitfield", "function", "method", "constructor", "property",
                                    "virtual-method", "constant")] + [GLIB + "signal"]
OURS = "Gsock"
here = pathlib.Path(__file__).parent


class Names:
    """What C calls it, and what gi-docgen's link to it is."""

    def __init__(self):
        self.types, self.functions = {}, {}

    def add(self, tree):
        namespace = tree.find(CORE + "namespace")
        prefix = namespace.get("name")
        for thing in namespace:
            kind, name = thing.tag.removeprefix(CORE), thing.get("name")
            if kind == "function":
                self.functions[thing.get(C + "identifier")] = f"[func@{prefix}.{name}]"
            if kind not in KINDS or thing.get(GLIB + "is-gtype-struct-for"):
                continue
            link = "error" if thing.get(GLIB + "error-domain") else KINDS[kind]
            self.types[thing.get(C + "type")] = (link, f"{prefix}.{name}", thing)
            for call, word in ("method", "method"), ("constructor", "ctor"), ("function", "func"):
                for function in thing.iter(CORE + call):
                    self.functions[function.get(C + "identifier")] = f"[{word}@{prefix}.{name}.{function.get('name')}]"

    @staticmethod
    def has(thing, tag, name):
        return any(child.get("name") == name for child in thing.iter(tag))


class Links:
    def __init__(self, names):
        self.names, self.wrong = names, []

    def unknown(self, text):
        if text.lower().startswith(OURS.lower()) and not text.endswith("Class"):
            self.wrong.append(text)
        return f"`{text}`"

    def of_member(self, match):
        type_, colons, name = match.groups()
        tag, word = (GLIB + "signal", "signal") if colons == "::" else (CORE + "property", "property")
        known = self.names.types.get(type_)
        # `notify::state` and the like are of no class.
        if known is None or not self.names.has(known[2], tag, name):
            return self.unknown(f"{type_}{colons}{name}")
        return f"[{word}@{known[1]}{colons}{name}]"

    def of_type(self, match):
        known = self.names.types.get(match[1])
        return f"[{known[0]}@{known[1]}]" if known else self.unknown(match[1])

    def of_function(self, match):
        return self.names.functions.get(match[1]) or self.unknown(match[1] + "()")

    def make(self, text):
        text = re.sub(r"#(\w+\.\w+\(\))", r"`\1`", text)
        text = re.sub(r"(?<!\w)#([A-Z]\w+)(::?)([a-z][a-z0-9-]*\w)", self.of_member, text)
        text = re.sub(r"(?<!\w)#([A-Z]\w+)", self.of_type, text)
        return re.sub(r"(?<![\w`.])(g(?:sock)?_\w+)\(\)", self.of_function, text)


def blocks(path):
    """What stands between `{name}` and `{}`, each alone on a line of comment."""
    name, found = None, {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        mark = re.fullmatch(r"\s*(?:/\*|//|#) \{(\w*)\}(?: \*/)?", line)
        if not mark:
            if name:
                found[name].append(line)
        elif bool(mark[1]) == bool(name) or mark[1] in found:
            sys.exit(f"{path}:{number}: this mark should not be here")
        else:
            name = mark[1] or None
            if name:
                found[name] = []
    return {name: textwrap.dedent("\n".join(lines)).strip() for name, lines in found.items()}


def side_by_side(of_languages):
    columns = []
    for ending, code in of_languages.items():
        shown = highlight(code, get_lexer_by_name({"py": "python", "rs": "rust"}.get(ending, ending)), HtmlFormatter())
        columns.append(f"<div><h5>{LANGUAGES[ending]}</h5>{shown}</div>")
    return '<div class="operation">' + "\n".join(columns) + "</div>"


def main(gir, girs, version, out):
    out = pathlib.Path(out)
    for prefix, uri in ("", CORE), ("c", C), ("glib", GLIB):
        ET.register_namespace(prefix, uri.strip("{}"))
    tree, names = ET.parse(gir), Names()
    names.add(tree.getroot())
    for other in "GLib-2.0", "GObject-2.0", "Gio-2.0":
        names.add(ET.parse(f"{girs}/{other}.gir").getroot())

    links = Links(names)
    for doc in tree.iter(CORE + "doc"):
        doc.text = links.make(doc.text)
    if links.wrong:
        sys.exit("the comments name what there is not: " + " ".join(sorted(set(links.wrong))))

    unversioned = [thing.get("name") for tag in VERSIONED for thing in tree.iter(tag) if not thing.get("version")]
    if unversioned:
        sys.exit("the comments do not say since when: " + " ".join(unversioned))

    examples = {ending: blocks(here / f"examples/operations.{ending}") for ending in LANGUAGES}
    everything = set().union(*examples.values())
    for ending, some in examples.items():
        if missing := everything - set(some):
            sys.exit(f"operations.{ending} lacks: " + " ".join(sorted(missing)))

    page = ["Title: Operations in C, Python and Rust", "Slug: operations", ""]
    for class_ in tree.iter(CORE + "class"):
        of_class = []
        for function in class_:
            name = function.get(C + "identifier")
            if name not in everything:
                continue
            everything.remove(name)
            shown = side_by_side({ending: some[name] for ending, some in examples.items()})
            of_class += [f"## {names.functions[name]}", "", shown, ""]
            function.find(CORE + "doc").text += f"\n\n{shown}\n"
        if not of_class:
            sys.exit(f"no operation of {class_.get('name')} is shown")
        page += [f"# [class@{OURS}.{class_.get('name')}]", "", *of_class]
    if everything:
        sys.exit("shown, and there is none: " + " ".join(sorted(everything)))

    (out / "operations.md").write_text("\n".join(page))
    (out / "Gsock-1.toml").write_text((here / "Gsock-1.toml.in").read_text().replace("@version@", version))
    tree.write(out / "Gsock-1.gir", encoding="utf-8", xml_declaration=True)


main(*sys.argv[1:])
