#!/usr/bin/env bash
# Proves that each check can fail: a small tree that passes them all, and a copy of it for each planted
# violation. Beside them stand the near misses that must not fail.

set -u

here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
# shellcheck source=.ci/test-lib.sh
. "$here/test-lib.sh"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The oldest versions of the small tree, in pieces: no script of this folder spells a real one, and the
# check that looks for copies reads this file too.
rust=1.60
glib=2.50

sound=$scratch/sound
mkdir -p "$sound"/{src/reactor,src/socket_connection,src/tcp_connection,src/socket_client,subclass,tests,examples,docs,.ci}
cd "$sound" || exit 1
cat >Cargo.toml <<TOML
[package]
name = "sound"
rust-version = "$rust"
[dependencies]
gio = { version = "0.1", features = ["v${glib//./_}"] }
glib = "0.1"
glib-macros = "0.1"
once_cell = "1"
[dev-dependencies]
tempfile = "1"
TOML
touch build.rs README.md LICENSE
cat >src/lib.rs <<'RUST'
//! The word unsafe in a comment.
mod error;
RUST
cat >src/error.rs <<'RUST'
//! Of no class: not even of crate::socket_connection::SocketConnection.
use crate::reactor::{Ready, Wait};
/// A string that looks like code.
pub(crate) const TEXT: &str = "crate::socket_connection";
mod tests {
    use super::*;
}
RUST
cat >src/reactor/mod.rs <<'RUST'
use once_cell::sync::OnceCell;
use crate::{error::TEXT, subclass::structs};
fn call() { unsafe { libc::getpid() }; let _ = structs::X; }
RUST
cat >src/socket_connection/mod.rs <<'RUST'
#[glib_macros::derived]
pub struct SocketConnection(glib::Object);
use crate::{error, reactor::Ready};
RUST
echo 'use crate::socket_connection::SocketConnection;' >src/tcp_connection/mod.rs
echo 'use crate::tcp_connection::TcpConnection;' >src/socket_client/mod.rs
echo 'pub struct X { parent: gio::ffi::GIOStreamClass, type_: glib::ffi::GType }' >subclass/structs.rs
cat >subclass/mod.rs <<'RUST'
pub mod structs;
unsafe fn slot() {}
RUST
printf 'mod support;\n#[test]\nfn it_connects() { on_private_context(|_| {}) }\n' >tests/connection.rs
{
    echo 'mod support;'
    for number in $(seq -w 1 44); do
        printf '#[test]\nfn bug_%s_is_gone() { on_private_context(|_| {}) }\n' "$number"
    done
} >tests/bugs.rs
mkdir tests/faults
printf 'on_both!(\n    peer_resets,\n);\nfn peer_resets() {}\nfn helper() {}\n' >tests/faults/reset.rs
echo 'fn main() {}' >examples/echo.rs
mkdir -p examples/link tests/ports
cat >examples/link/ours.rs <<'RUST'
//! Short.

/* Not
   code. */
fn link() {
    let text = "// no
        comment"; // one
}
RUST
printf '//! Long.\nfn link() {\n%s\n}\n' "$(printf '    step();\n%.0s' 1 2 3 4)" >examples/link/gio.rs
printf '# Link\n| | ours | on GIO |\n| --- | --- | --- |\n| lines of code | 4 | 6 |\n' >examples/link/README.md
printf '#[path = "../../examples/link/%s"]\nmod it;\n' ours.rs gio.rs >tests/ports/link.rs
# shellcheck disable=SC2016 # the backticks are Markdown's
echo '* `echo`: talks to itself' >examples/README.md
others=$(printf 'F-%d, ' {3..33})
cat >docs/differences.md <<MD
# Differences
## Seen on GLib
| C | we | test |
| --- | --- | --- |
| drops | keeps | \`connection::it_connects\`, \`faults::peer_resets\`; not \`gio::prelude\` |
## Gone
| no. | C | we | seen | test |
| --- | --- | --- | --- | --- |
| F-1 | drops | keeps | $glib.6 | \`connection::it_connects\` |
| SC-1 | odd | even | $glib.6 | \`faults::peer_resets\` |
## GLib's own
| no. | what | seen | test |
| --- | --- | --- | --- |
| F-1, F-2 | drops | $glib.6 | \`connection::it_connects\` |
## Kept
| no. | what |
| --- | --- |
| ${others%, } | odd |
MD
cat >docs/behaviour.md <<'MD'
# Behaviour
## SC: GSocketConnection
- **SC-1** A connection connects, and says so afterwards
  in a second line.
  Test: `connection::it_connects`.
- **SC-9** Documented, and nothing a program could see.
  No test: it takes a machine without a network to see it.
MD
cat >README.md <<MD
# Sound
[changes](docs/differences.md#seen-on-glib), [above](#sound), [elsewhere](https://example.org/x.md),
[item](crate::Item), seen on GLib $glib.6
\`\`\`
[not a link](nowhere.md)
\`\`\`
MD
mkdir -p .ci/nets/controls
cat >.ci/nets/controls/net-error.patch <<'PATCH'
An error has another name.

net: net.sh
report: it is not there

--- a/src/lib.rs
+++ b/src/lib.rs
@@ -1,2 +1,2 @@
 //! The word unsafe in a comment.
-mod error;
+mod fault;
PATCH
mkdir -p examples/inspector/{src,resources,tests}
# Near misses: in a comment, and another method.
printf '// no set_label(\nfn show(it: &X) { it.set_label_of_row(1); it.set_port(2) }\n' >examples/inspector/src/lib.rs
echo 'fn drive(it: &Entry) { it.set_text("typed") }' >examples/inspector/tests/drive.rs
cat >examples/inspector/resources/page.ui <<'XML'
<lookup name="state" type="GsockSocketConnection">
<lookup name="accepted" type="GsockSocketListener">
XML
git init -q .

checks=(layout layers versions docs facts tests ports controls inspector)

plant() { # name of the test: a fresh copy to spoil, in which the test then stands
    test_name=$1
    tree=$scratch/tree
    rm -rf "$tree"
    cp -r "$sound" "$tree"
    cd "$tree" || exit 1
}

check() { # layout | layers | versions | docs | facts | tests | ports | controls | inspector
    run "$here/check-$1.sh" "$tree"
}

expect_failure() { # text
    expect_code 1
    expect "$1"
}

for name in "${checks[@]}"; do
    plant "the sound tree passes $name"
    check "$name"
    expect_code 0
done

# ---- the steps that run the checks

test_name="a step names itself and counts its seconds"
run "$here/step" "do nothing" true
expect_code 0
[ "$output" = "== do nothing
== do nothing: 0 s" ]
verdict "name at both ends" $?

test_name="a step passes its command's failure on"
run "$here/step" "fail" bash -c 'echo here; exit 7'
expect_code 7
expect "== fail: FAILED after 0 s (exit code 7)"

test_name="a tool that is there runs, and its failure counts"
run "$here/step" "look" "$here/if-installed.sh" bash bash -c 'exit 3'
expect_code 3

test_name="a tool that is not there is not taken for a check that passed"
run "$here/step" "look" "$here/if-installed.sh" no-such-tool no-such-tool check
expect_code 0
expect "no-such-tool is not installed"
expect "== look: NOT RUN"

# ---- layout

for place in Cargo.toml src subclass tests examples build.rs; do
    plant "$place is missing"
    rm -r "$place"
    check layout
    expect_failure "$place is missing"
done

plant "an unlisted file at the top"
touch notes.txt
check layout
expect_failure "notes.txt: not a listed place"

plant "what git ignores does not count"
echo 'notes.txt' >.gitignore
touch notes.txt
check layout
expect_code 0

plant "an unlisted folder at the top"
mkdir vendor
touch vendor/x
check layout
expect_failure "vendor: not a listed place"

plant "without a checkout too"
rm -rf .git
mkdir vendor target
touch vendor/x target/x
check layout
expect_failure "vendor: not a listed place"
expect_not "target: not"

plant "a dependency is not declared"
sed -i.orig '/^glib-macros/d' Cargo.toml && rm Cargo.toml.orig
check layout
expect_failure "glib-macros is not a direct dependency"

plant "a development dependency is none of the library"
sed -i.orig '/^once_cell/d' Cargo.toml && rm Cargo.toml.orig
echo 'once_cell = "1"' >>Cargo.toml
check layout
expect_failure "once_cell is not a direct dependency"

plant "a dependency in a table of its own"
sed -i.orig '/^once_cell/d' Cargo.toml && rm Cargo.toml.orig
printf '[dependencies.once_cell]\nversion = "1"\n' >>Cargo.toml
check layout
expect_code 0

plant "a dependency is not used"
echo '// once_cell::sync::OnceCell in a comment is no use' >src/reactor/mod.rs
check layout
expect_failure "once_cell is used nowhere"

plant "a path of a machine"
home=/home
echo "see $home/somebody/notes" >>README.md
check layout
expect_failure "README.md:7:see $home/somebody/notes: a path of one machine"

# ---- layers

plant "the class structs name the crate"
echo 'use crate::error::TEXT;' >>subclass/structs.rs
check layers
expect_failure "subclass/structs.rs:2: names crate::error::TEXT"

plant "the class structs name a safe wrapper"
echo 'use gio::{ffi, Socket};' >>subclass/structs.rs
check layers
expect_failure "names gio::Socket"
expect_not "names gio::ffi"

for use in 'use crate::socket_connection::SocketConnection;' \
    'use super::{reactor::Ready, socket_connection::imp};' \
    'use crate::{
    reactor::Ready, factory,
};' \
    'fn f() { crate::tcp_connection::g() }' \
    'use crate::SocketConnection;' \
    'use crate::*;' \
    'use crate::prelude::*;' \
    'use crate::subclass::socket_connection;'; do
    plant "an inner module names a class: $use"
    echo "$use" >>src/error.rs
    check layers
    expect_failure "src/error.rs:"
    expect "an inner module may name inner modules"
done

plant "an inner module in a folder names a class"
echo 'use super::super::socket_connection::X;' >src/reactor/epoll.rs
check layers
expect_failure "src/reactor/epoll.rs:1: names crate::socket_connection::X"

plant "an inner module's sibling counts"
echo 'use crate::factory;' >src/transport_unix.rs
check layers
expect_failure "src/transport_unix.rs:1"

for use in 'use crate::factory;' 'use crate::SocketClient;' 'use crate::socket_listener::SocketListenerExt;' \
    'use crate::subclass::socket_service::X;' 'use crate::{error, ThreadedSocketService};' \
    'fn f() { SocketConnection::factory_lookup_type(a, b, c) }'; do
    plant "a connection names what makes it: $use"
    echo "$use" >>src/tcp_connection/imp.rs
    check layers
    expect_failure "src/tcp_connection/imp.rs:1"
    expect "a connection does not know"
done

plant "so does what one derives from"
echo 'use crate::SocketClient;' >subclass/tcp_connection.rs
check layers
expect_failure "subclass/tcp_connection.rs:1"

plant "the base class names a derived one"
echo 'use crate::TcpConnection;' >>src/socket_connection/mod.rs
check layers
expect_failure "the base class and its streams do not know"

plant "the C face may be unsafe, its build script not"
mkdir -p capi/src
echo 'unsafe extern "C" fn gsock_x() {}' >capi/src/lib.rs
check layers
expect_code 0
echo 'fn main() { unsafe { x() } }' >capi/build.rs
check layers
expect_failure "capi/build.rs:1: unsafe outside the listed files"

plant "unsafe outside the listed files"
printf '// unsafe\n/* unsafe\n /* unsafe */ */ fn f() {\n unsafe { g() } }\n' >src/tcp_connection/imp.rs
check layers
expect_failure "src/tcp_connection/imp.rs:4: unsafe outside the listed files"

plant "an unsafe behind a string that looks like a comment"
echo "fn f() { let _ = (\"//\", 'x', '\"'); unsafe { g() } }" >src/tcp_connection/imp.rs
check layers
expect_failure "src/tcp_connection/imp.rs:1: unsafe"

plant "allowing unsafe code outside the listed files"
echo '#![allow(dead_code, unsafe_code, reason = "x")]' >src/tcp_connection/imp.rs
check layers
expect_failure "src/tcp_connection/imp.rs:1: unsafe"

plant "forbidding it is no use of it"
printf '#![forbid(unsafe_code)]\n#![deny(unsafe_op_in_unsafe_fn)]\nconst X: &str = r#"unsafe "x" {"#;\n' >src/tcp_connection/imp.rs
check layers
expect_code 0

plant "a list that has lost its files is no list"
rm -r src/error.rs src/reactor
check layers
expect_failure "none of the inner modules exists"

plant "the connections have moved away"
rm -r src/socket_connection src/tcp_connection
check layers
expect_failure "no connection exists"

# ---- versions

for file in README.md CONTRIBUTING.md Makefile clippy.toml .ci/setup.sh docs/migrating.md; do
    plant "a second mention of the oldest rustc in $file"
    echo "needs Rust $rust." >>"$file"
    check versions
    expect_failure "$file:"
    expect "the oldest rustc is written in Cargo.toml only"

    plant "a second mention of the oldest GLib in $file"
    echo "needs GLib >= $glib." >>"$file"
    check versions
    expect_failure "$file:"
    expect "the oldest GLib is written in Cargo.toml only"
done

plant "a second mention with a patch level, or as a feature"
printf 'msrv = "%s.0"\n' "$rust" >clippy.toml
printf 'feature v%s\n' "${glib//./_}" >CONTRIBUTING.md
check versions
expect_failure "clippy.toml:1"
expect "CONTRIBUTING.md:1"

plant "longer numbers and observations are none"
printf 'took 1%s s, 1%s0 s; seen on GLib %s.6\n' "$rust" "$glib" "$glib" >CONTRIBUTING.md
echo "GLib $glib" >CHANGELOG.md
check versions
expect_code 0

plant "written twice in Cargo.toml"
echo "# needs $rust" >>Cargo.toml
check versions
expect_failure "on 2 lines"

plant "two bindings that ask for different GLibs"
sed -i.orig 's/^glib = .*/glib = { version = "0.1", features = ["v2_52"] }/' Cargo.toml && rm Cargo.toml.orig
check versions
expect_failure "several GLibs: \"v2_50\", \"v2_52\""

plant "no requirement at all"
sed -i.orig '/rust-version/d' Cargo.toml && rm Cargo.toml.orig
check versions
expect_failure "no rust-version"

# ---- docs

plant "an example without its line"
touch examples/relay.rs
check docs
expect_failure "no line for relay"

plant "an example in a folder without its line"
mkdir examples/chat
touch examples/chat/main.rs
check docs
expect_failure "no line for chat"

plant "a name inside another is no line"
touch examples/ech.rs
check docs
expect_failure "no line for ech"

plant "a link into nothing"
echo '[x](docs/nothing.md)' >>README.md
check docs
expect_failure "README.md:7: the link docs/nothing.md leads nowhere"

plant "a link is relative to its file"
echo '[x](docs/differences.md)' >>docs/differences.md
check docs
expect_failure "the link docs/differences.md leads nowhere"

plant "a reference link into nothing"
printf '[x][y]\n\n[y]: ../nothing.md\n' >>docs/differences.md
check docs
expect_failure "the link ../nothing.md leads nowhere"

plant "a link to a heading that is not there"
echo '[x](docs/differences.md#rows)' >>README.md
check docs
expect_failure "no heading for #rows"

# shellcheck disable=SC2016 # the backticks are Markdown's
for test in '`connection::it_flies`' '`connections::it_connects`' '`faults::peer`' '`faults::helper`'; do
    plant "a test that is not there: $test"
    echo "| a | b | $test |" >>docs/differences.md
    check docs
    expect_failure "differences.md names the test"
done

# shellcheck disable=SC2016 # likewise
plant "a test that is not there, in the README"
# shellcheck disable=SC2016 # the backticks are Markdown's
echo '| a | b | `connection::it_flies` |' >>README.md
check docs
expect_failure "README.md names the test"

for flaw in 1 2 17 33; do
    plant "a flaw without a row: F-$flaw"
    sed -i.orig -E "s/F-$flaw([,| ])/SC-9\1/g" docs/differences.md && rm docs/differences.md.orig
    check docs
    expect_failure "no row for the flaw F-$flaw"
done

plant "a number in the text of a row is no row for it"
sed -i.orig -e 's/F-9, //' -e 's/| odd |/| odd, as F-9 |/' docs/differences.md && rm docs/differences.md.orig
check docs
expect_failure "no row for the flaw F-9"
expect_not "no row for the flaw F-8"

plant "a flaw that there is not"
echo '| F-34 | x |' >>docs/differences.md
check docs
expect_failure "there is no flaw F-34"

for section in "Gone" "GLib's own"; do
    for cell in seen test no.; do
        plant "a row of $section without what stands under $cell"
        # The cells of its rows, by the heading of the column.
        SECTION=$section CELL=$cell perl -i -pe '
            $in = $1 eq $ENV{SECTION} if /^## (.*)/;
            my @cells = split /\|/, $_, -1;
            ($at) = grep { $cells[$_] =~ /^ \Q$ENV{CELL}\E $/ } 0 .. $#cells if /no\./;
            if ($in && /^\|/ && !/no\.|---/) { $cells[$at] = " "; $_ = join "|", @cells }
        ' docs/differences.md
        check docs
        case $cell in
            seen) expect_failure "a row of \"$section\" that does not say on which GLib it was seen" ;;
            test) expect_failure "a row of \"$section\" without a test" ;;
            no.) expect_failure "a row of \"$section\" without a number" ;;
        esac
    done
done

plant "half a version is none"
sed -i.orig "s/ $glib.6 / $glib /" docs/differences.md && rm docs/differences.md.orig
check docs
expect_failure "does not say on which GLib it was seen"

plant "what is kept needs no test"
echo '| F-3 | odd | | |' >>docs/differences.md
check docs
expect_code 0

plant "the list of differences is missing"
rm docs/differences.md
check docs
expect_failure "docs/differences.md is missing"

# ---- facts

plant "the page of facts is missing"
rm docs/behaviour.md
check facts
expect_failure "docs/behaviour.md is missing"

plant "a page without facts"
echo '# Behaviour' >docs/behaviour.md
check facts
expect_failure "has no facts"

plant "a fact with neither test nor reason"
echo '- **SC-10** Something that nobody has looked at.' >>docs/behaviour.md
check facts
expect_failure "SC-10 has neither a test nor a reason"

plant "a reason that is none"
printf -- '- **SC-10** Something that nobody has looked at.\n  No test: cannot.\n' >>docs/behaviour.md
check facts
expect_failure "SC-10 has no test, and no reason"

# shellcheck disable=SC2016 # the backticks are Markdown's
for test in '`connection::it_flies`' '`faults::peer`' '`faults::helper`' 'a test that we have'; do
    plant "a fact's test that is not there: $test"
    printf -- '- **SC-10** Something that nobody has looked at.\n  Test: %s.\n' "$test" >>docs/behaviour.md
    check facts
    expect_failure "SC-10 names"
done

plant "a test whose name is left in a comment"
# shellcheck disable=SC2016 # the backticks are Markdown's
printf -- '- **SC-10** Something that nobody has looked at.\n  Test: `connection::it_flew`.\n' >>docs/behaviour.md
echo '// #[test] fn it_flew() {}' >>tests/connection.rs
check facts
expect_failure "SC-10 names"

plant "a fact that says nothing"
printf -- '- **SC-10** True.\n  No test: it takes a machine without a network.\n' >>docs/behaviour.md
check facts
expect_failure "SC-10 says nothing"

plant "a number that stands twice"
printf -- '- **SC-9** Something that stands there already.\n  No test: it takes a machine without a network.\n' >>docs/behaviour.md
check facts
expect_failure "more than once: SC-9"

plant "numbers out of order"
printf -- '- **SC-2** Something that should stand above.\n  No test: it takes a machine without a network.\n' >>docs/behaviour.md
check facts
expect_failure "the numbers of SC are not in order"

plant "a fact in another's section"
printf -- '- **ST-2** Something about the streams, not here.\n  No test: it takes a machine without a network.\n' >>docs/behaviour.md
check facts
expect_failure "ST-2 stands in the section SC"

plant "a number that is cited and not there"
echo '/// SC-13.' >>tests/connection.rs
check facts
expect_failure "tests/connection.rs cites SC-13"

plant "numbers of other kinds are none"
echo '/// RFC-13, SC-9, XSC-13.' >>tests/connection.rs
check facts
expect_code 0

# ---- tests

plant "a bug of GIO's history without a test"
sed -i.orig 's/bug_20_/bug_2_/' tests/bugs.rs && rm tests/*.orig
check tests
expect_failure "bug 20 of GIO's history has no test"

plant "a control of a bug that runs no test of it"
mkdir -p .ci/nets/controls
sed 's/^net: .*/net: contexts.sh private --test bugs bug_02/' .ci/nets/controls/net-error.patch >.ci/nets/controls/bug-20-gone.patch
check tests
expect_failure "bug-20-gone.patch runs no test of bug_20"

plant "a file of tests without what all share"
printf '#[test]\nfn it_stands() { on_private_context(|_| {}) }\n' >tests/alone.rs
check tests
expect_failure "tests/alone.rs: has no 'mod support;'"

plant "a handler of log messages of a test's own"
echo 'fn quiet() { glib::log_set_default_handler(|_, _, _| ()); }' >>tests/connection.rs
check tests
expect_failure "tests/connection.rs:4: handlers of log messages"

plant "a test on no context"
printf '#[test]\nfn it_stands() { assert!(true) }\n' >>tests/connection.rs
check tests
expect_failure "tests/connection.rs: it_stands runs on no context"

plant "a test that enters a context through other functions"
printf 'fn a() { b() }\nfn b() { c() }\nfn c() { d() }\nfn d() { e() }\nfn e() { on_private_context(|_| {}) }\n#[test]\nfn it_stands() { a() }\n' >>tests/connection.rs
check tests
expect_code 0

# ---- ports

plant "a port that grew without a word"
echo 'fn more() {}' >>examples/link/ours.rs
check ports
expect_failure "examples/link/README.md: it is | lines of code | 5 | 6 |"

plant "a port that is longer than its twin"
printf 'fn more() {}\n%.0s' 1 2 >>examples/link/ours.rs
sed -i.orig 's/| 4 |/| 6 |/' examples/link/README.md && rm examples/link/*.orig
check ports
expect_failure "examples/link: ours has 6 lines of code, GIO's 6"

plant "comments, blank lines and its own tests make a port no longer"
printf '\n// More.\n/* And\n   more. */\n#[cfg(test)]\nmod tests {\n    fn a() {}\n}\n' >>examples/link/ours.rs
check ports
expect_code 0

plant "a part of a port that is said to have more than there is"
for file in ours gio; do
    printf '// --- The end ----\nfn end() {}\n// --- Not that ----\nfn more() {}\n' >>examples/link/$file.rs
done
sed -i.orig 's/| 4 | 6 |/| 6 | 8 |/' examples/link/README.md && rm examples/link/*.orig
# shellcheck disable=SC2016 # the backticks are Markdown's
echo '| of these `The end` | 1 | 2 |' >>examples/link/README.md
check ports
# shellcheck disable=SC2016 # backticks of Markdown
expect_failure 'examples/link/README.md: it is | of these `The end` | 1 | 1 |'

plant "a part of a port that has what is said"
for file in ours gio; do
    printf '// --- The end ----\nfn end() {}\n// --- Not that ----\nfn more() {}\n' >>examples/link/$file.rs
done
sed -i.orig 's/| 4 | 6 |/| 6 | 8 |/' examples/link/README.md && rm examples/link/*.orig
# shellcheck disable=SC2016 # the backticks are Markdown's
echo '| of these `The end` | 1 | 1 |' >>examples/link/README.md
check ports
expect_code 0

plant "an example's README that names a test which is none"
# shellcheck disable=SC2016 # the backticks are Markdown's
echo '`link::it_does_not_exist`' >>examples/link/README.md
check docs
expect_failure "examples/link/README.md names the test link::it_does_not_exist"

plant "a port without a twin"
rm examples/link/gio.rs
check ports
expect_failure "examples/link has no gio.rs"

plant "a port that is not counted"
sed -i.orig '/lines of code/d' examples/link/README.md && rm examples/link/*.orig
check ports
expect_failure "examples/link/README.md has 0 rows"

plant "a port that is not tested"
sed -i.orig 's/gio.rs/other.rs/' tests/ports/link.rs && rm tests/ports/*.orig
check ports
expect_failure "examples/link/gio.rs is in none of tests/ports/"

plant "no ports at all"
rm -r examples/link
check ports
expect_failure "there are no ports"

# ---- controls

plant "a control for what is not there any more"
echo '//! Another first line.' >src/lib.rs
check controls
expect_failure "net-error.patch does not apply"

plant "a control that names no net"
sed -i.orig '/^net:/d' .ci/nets/controls/net-error.patch && rm .ci/nets/controls/*.orig
check controls
expect_failure "net-error.patch has no line 'net: …'"

# ---- inspector

plant "a label that is written to"
echo 'fn show(it: &Label) { it.set_label("now") }' >>examples/inspector/src/lib.rs
check inspector
expect_failure "src/lib.rs:3: writes to a widget"

plant "an entry that is written to"
echo 'fn show(it: &Entry) { it.set_text("now") }' >examples/inspector/src/page.rs
check inspector
expect_failure "src/page.rs:1: writes to a widget"

plant "a template that is bound to no connection"
sed -i '/GsockSocketConnection/d' examples/inspector/resources/page.ui
check inspector
expect_failure "no template is bound to a GsockSocketConnection"

# ---- figures: how goals.txt is held against what nets have found

figures=$scratch/figures
mkdir -p "$figures/.ci/nets" "$figures/docs"
cp "$here/nets/figure.sh" "$figures/.ci/nets/"
cp "$here/reliability.sh" "$figures/.ci/"
printf '%s\n' '1 | tests | all pass' '1.own | 10 | make test' '2 | lines | some' '2.lines | 90% | coverage.sh' >"$figures/.ci/nets/goals.txt"
printf '%s\n' '# What was tried' '<!-- from here to the end of the table by .ci/reliability.sh -->' >"$figures/docs/reliability.md"
figure() { # target folder, arguments
    run env CARGO_TARGET_DIR="$figures/$1" "$figures/.ci/nets/figure.sh" "${@:2}"
}
table() {
    run env CARGO_TARGET_DIR="$figures/target" "$figures/.ci/reliability.sh"
}

test_name="a figure of all that is asked for"
figure target 1.own 12 12 "tests"
expect_code 0
expect "figure 1.own: 12 / 12 tests: met ("
table
expect "12 / 12 tests"
expect "reliability: 1 of 2 goals are met"

test_name="a figure of a part"
figure target 1.own 11 11 "tests" 24
expect_code 0
expect "11 / 11 tests (of 24): short ("
figure target 1.own 9 9 "tests"
expect_code 0
expect "9 / 9 tests: short ("

test_name="a part that went well does not take the place of the whole"
table
expect "reliability: 1 of 2 goals are met"

test_name="what a broken copy says stays with the copy, and what a sanitizer says does not stay with it"
figure target/nets/build 1.own 12 1 "tests"
expect_code 1
figure target/nets-1/build 1.own 12 1 "tests"
figure target/nets/build/nets/asan 1.own 12 1 "tests"
table
expect "reliability: 1 of 2 goals are met"
figure target/nets/asan 1.own 13 13 "tests"
table
expect "13 / 13 tests"

test_name="a share"
figure target 2.lines 100 89 "lines"
expect_code 1
figure target 2.lines 100 90 "lines"
expect_code 0
table
expect "reliability: 2 of 2 goals are met"

test_name="one that is wrong, of however few"
figure target 1.own 1 0 "tests"
expect_code 1
expect "1 / 0 tests: short ("
table
expect "reliability: 1 of 2 goals are met"

test_name="nothing was tried"
figure target 1.own 0 0 "tests"
expect_code 1

test_name="no such figure, and no numbers"
figure target 1.other 1 1 "tests"
expect_code 2
figure target 1.own "" "" "tests"
expect_code 2

test_name="a goal that has grown is not met by what was said before"
figure target 1.own 12 12 "tests"
sed -i.orig 's/^1.own | 10 /1.own | 20 /' "$figures/.ci/nets/goals.txt"
table
expect "reliability: 1 of 2 goals are met"

test_name="a goal that nothing measures"
echo '3 | more | of it' >>"$figures/.ci/nets/goals.txt"
table
expect_code 2
expect "nothing measures 3"

finish
