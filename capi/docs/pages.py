"""Prepares what gi-docgen makes pages of: pages.py GIR FOLDER-OF-GIRS VERSION OUT
And fills in afterwards what it need not read, the blocks: pages.py --fill OUT PAGES

- The comments of the headers are gtk-doc's; gi-docgen makes no links of these. In OUT/Gsock-1.gir they are its own links:
  to our types, properties, signals and functions, and to those of GLib, GObject and GIO.
- The programs in examples/ show what there is, in C, Python and Rust: a block stands between a mark that names functions,
  signals, properties or classes and an empty one. A property stands for what gets and sets it as well, and these for it;
  :name is of the class before, * is anything. To what is named its blocks are added, side by side, and
  OUT/operations.md has all of them by class.

A name of ours that there is not, a thing that does not say since when it is there, a block that one language lacks or
that does not use what it names, and a function, a property or a signal that no block shows, are errors.
"""

import fnmatch
import json
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
CALLABLES = ("method", "constructor", "function")
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


PLACE = re.compile(r'<div class="operation" id="\d+"></div>')
MARK = re.compile(r"\s*(?:/\*|//|#) \{([\w :*?-]*)\}(?: \*/)?")


def blocks(ending):
    """What stands between `{names}` and `{}`, each alone on a line of comment, by names."""
    found = {}
    for path in sorted((here / "examples").glob(f"*.{ending}")):
        names = None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            mark = MARK.fullmatch(line)
            if not mark:
                if names:
                    found[names].append(line)
            elif bool(mark[1]) == bool(names) or tuple(mark[1].split()) in found:
                sys.exit(f"{path}:{number}: this mark should not be here")
            else:
                names = tuple(mark[1].split())
                if names:
                    found[names] = []
    return {names: textwrap.dedent("\n".join(lines)).strip() for names, lines in found.items()}


class Things:
    """What a mark may name, and what of it must be shown."""

    def __init__(self, tree):
        self.elements, self.owners, self.must_be_shown = {}, {}, set()
        for owner in tree.find(CORE + "namespace"):
            if owner.tag == CORE + "function":
                self.add(owner.get(C + "identifier"), owner, owner)
            elif owner.tag in (CORE + "class", CORE + "record", CORE + "interface", CORE + "enumeration"):
                self.of_type(owner)

    def add(self, name, element, owner, needed=True):
        self.elements[name], self.owners[name] = element, owner
        if needed:
            self.must_be_shown.add(name)

    def of_type(self, owner):
        type_ = owner.get(C + "type")
        self.add(type_, owner, owner, needed=False)
        for element in owner:
            name = element.get("name")
            if element.tag.removeprefix(CORE) in CALLABLES:
                self.add(element.get(C + "identifier"), element, owner)
            elif element.tag == GLIB + "signal":
                self.add(f"{type_}::{name}", element, owner)
            elif element.tag == CORE + "property":
                self.add(f"{type_}:{name}", element, owner)

    def property_of(self, name):
        """The property that a function gets or sets."""
        element, owner = self.elements[name], self.owners[name]
        property_ = element.get(GLIB + "get-property") or element.get(GLIB + "set-property")
        return property_ and f"{owner.get(C + 'type')}:{property_}"

    def named(self, names, code):
        """What the names of a mark stand for; of the functions of a property, those that the code calls."""
        found, type_ = [], ""
        for name in names:
            if name.startswith(":"):
                name = type_ + name
            type_ = name.split(":")[0]
            some = fnmatch.filter(self.elements, name)
            found += some or [name]
            found += [of for of in self.elements if self.property_of(of) in some and re.search(rf"\b{of}\b", code)]
        return list(dict.fromkeys(found))


# In Python and Rust these happen by themselves; in Rust a report is a plain value.
BY_ITSELF = ("_copy", "_free")
PLAIN_VALUES = ("gsock_connect_report_",)


def uses(ending, code, name, element):
    """Whether the code uses what its mark names."""
    if "::" in name:
        signal = element.get("name")
        return re.search(rf"\b{signal}\b" if ending != "rs" else rf"\b(connect_)?{signal.replace('-', '_')}\b", code)
    if ":" in name:
        property_ = element.get("name")
        return re.search(rf"\b(\w+_)?({property_}|{property_.replace('-', '_').removesuffix('_ms')})", code)
    if not element.get(C + "identifier"):
        return True
    if ending == "c":
        return re.search(rf"\b({name}|{name.removesuffix('_free')}_unref)\b", code) or name.endswith("_free")
    if name.endswith(BY_ITSELF):
        return True
    member = element.get("name")
    property_ = element.get(GLIB + "get-property") or element.get(GLIB + "set-property") or member
    if ending == "py":
        made = element.tag == CORE + "constructor" and re.search(r"\bGsock\.\w+\(", code)
        return made or re.search(rf"\b({member}|{property_.replace('-', '_')})\b", code)
    stem = re.sub(r"^(get|new|engine)_|_(ms|async|finish)$", "", member)
    return name.startswith(PLAIN_VALUES) or re.search(rf"\b(\w+_)?{stem}s?(_\w+)?\b", code)


def side_by_side(of_languages):
    columns = []
    for ending, code in of_languages.items():
        shown = highlight(code, get_lexer_by_name({"py": "python", "rs": "rust"}.get(ending, ending)), HtmlFormatter())
        columns.append(f"<div><h5>{LANGUAGES[ending]}</h5>{shown}</div>")
    return '<div class="operation">' + "\n".join(columns) + "</div>"


def link_to(things, name, links):
    return links.make(f"{name}()" if things.elements[name].get(C + "identifier") else f"#{name}")


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

    things = Things(tree)
    examples = {ending: blocks(ending) for ending in LANGUAGES}
    shown, wrong = {}, []
    for names, code in examples["c"].items():
        shown[names] = things.named(names, code)
        for name in shown[names]:
            if name not in things.elements:
                wrong.append(f"{name} is shown, and there is none")
                continue
            for ending, language in LANGUAGES.items():
                if names not in examples[ending]:
                    # What is for C alone has no form in Python.
                    if ending != "py" or things.elements[name].get("introspectable") != "0":
                        wrong.append(f"{language} lacks: {' '.join(names)}")
                elif not uses(ending, examples[ending][names], name, things.elements[name]):
                    wrong.append(f"{language} is to show {name}, and does not use it")
    for names in (examples["py"] | examples["rs"]).keys() - examples["c"].keys():
        wrong.append(f"C lacks: {' '.join(names)}")
    if wrong:
        sys.exit("the examples: " + "\n  ".join(dict.fromkeys(wrong)))
    named = {name for some in shown.values() for name in some}
    if missing := things.must_be_shown - named - {things.property_of(name) for name in named}:
        sys.exit("no example shows: " + " ".join(sorted(missing)))

    page, of_owners, filled = ["Title: Operations in C, Python and Rust", "Slug: operations", ""], {}, {}
    for names, some in shown.items():
        columns = f'<div class="operation" id="{len(filled)}"></div>'
        filled[columns] = side_by_side({ending: of[names] for ending, of in examples.items() if names in of})
        first, *others = (link_to(things, name, links) for name in some)
        also = ["With " + ", ".join(others) + ".", ""] if others else []
        owner = things.owners[some[0]]
        kind = owner.tag.removeprefix(CORE)
        heading = f"# [{KINDS[kind]}@{OURS}.{owner.get('name')}]" if kind in KINDS else "# Functions"
        of_owners.setdefault(heading, []).extend([f"## {first}", "", *also, columns, ""])
        for name in dict.fromkeys(some + [things.property_of(name) for name in some]):
            if name in things.elements:
                things.elements[name].find(CORE + "doc").text += f"\n\n{columns}\n"
    for heading in sorted(of_owners):
        page += [heading, "", *of_owners[heading]]

    (out / "blocks.json").write_text(json.dumps(filled))
    (out / "operations.md").write_text("\n".join(page))
    (out / "Gsock-1.toml").write_text((here / "Gsock-1.toml.in").read_text().replace("@version@", version))
    tree.write(out / "Gsock-1.gir", encoding="utf-8", xml_declaration=True)


def fill(out, pages):
    blocks = json.loads((pathlib.Path(out) / "blocks.json").read_text())
    unseen = set(blocks)
    for page in pathlib.Path(pages).glob("*.html"):
        text = page.read_text()
        found = set(PLACE.findall(text))
        if found:
            page.write_text(PLACE.sub(lambda place: blocks[place[0]], text))
            unseen -= found
    if unseen:
        sys.exit(f"no page has {len(unseen)} of the blocks")


if sys.argv[1] == "--fill":
    fill(*sys.argv[2:])
else:
    main(*sys.argv[1:])
