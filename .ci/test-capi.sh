#!/usr/bin/env bash
# Builds the C library, installs it into a folder of its own and tests it there: its symbols, its headers,
# C programs (also under ASan and valgrind), Python, Vala, JavaScript, what its GIR says, the pages of its documentation
# and what they show, and that each of these nets holds.
#
# PROFILE is cargo's; the default builds soonest. Nothing is left out: what is missing is named, and is a
# failure. `.ci/setup.sh capi` installs it.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
cd "$root" || exit 1

# Seconds for one test program, many times what it takes.
limit=300
# Rounds of the thread test where each costs more.
rounds_asan=200
rounds_valgrind=40
tests=(functions types arguments threads relay unix-functions unix-arguments client-functions client-arguments
    listener-functions listener-arguments service-functions service-arguments framed-functions framed-arguments
    reconnector-functions reconnector-arguments gio)

failures=0
fail() {
    printf 'test-capi: FAILED: %s\n' "$*"
    failures=$((failures + 1))
}
say() { printf 'test-capi: %4s s: %s\n' "$SECONDS" "$*"; }
die() {
    fail "$@"
    exit 1
}

# ---- What must be there

missing=()
for tool in cargo make gcc g++ clang clang++ pkg-config nm readelf g-ir-scanner g-ir-compiler valgrind valac vapigen gjs gi-docgen timeout; do
    command -v "$tool" >/dev/null 2>&1 || missing+=("$tool")
done
# The first python3 on PATH need not be the one that the system's packages are for.
python=""
for candidate in ${PYTHON:-python3 /usr/bin/python3}; do
    if [ -z "$python" ] && "$candidate" -c 'import gi' >/dev/null 2>&1; then
        python=$candidate
    fi
done
[ -n "$python" ] || missing+=("python3 with gi (PyGObject)")
gio_gir=$(pkg-config --variable=girdir gobject-introspection-1.0 2>/dev/null)/Gio-2.0.gir
[ -f "$gio_gir" ] || missing+=("Gio-2.0.gir")
glib_supp=$(pkg-config --variable=prefix glib-2.0 2>/dev/null)/share/glib-2.0/valgrind/glib.supp
# Where valac has its own: beside itself.
gio_vapi=$(compgen -G "$(dirname "$(command -v valac || echo /)")/../share/vala-*/vapi/gio-2.0.vapi" | tail -n 1)
[ -f "$gio_vapi" ] || missing+=("gio-2.0.vapi")
[ -f "$glib_supp" ] || missing+=("glib.supp")
if [ "${#missing[@]}" -gt 0 ]; then
    printf 'test-capi: missing: %s\n' "${missing[@]}"
    die "not run; .ci/setup.sh capi installs what is missing"
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PROFILE=${PROFILE:-dev}
prefix=$scratch/prefix
version=$(sed -n 's/^version *= *"\([0-9.]*\).*/\1/p' Cargo.toml | head -n 1)

# ---- Build, install, uninstall

make --no-print-directory -s install PREFIX="$prefix" || die "make install"
say "installed into a folder of its own"

# ---- Symbols, headers, versions

lib=$prefix/lib/libgsock-1.so.0
exported=$(nm -D --defined-only "$lib" | awk '{ print $3 }' | sort)
same_symbols() { # list
    diff "$1" - <<<"$exported"
}
same_symbols capi/symbols.txt || fail "the exported symbols are not those of capi/symbols.txt"
declared=$(sed 's|/\*.*||; /^ \*/d' capi/include/gsock/*.h | grep -oE '\bgsock_[a-z0-9_]+ *\(void\)|\bgsock_[a-z0-9_]+ +\(' |
    sed 's/ *(.*//' | sort -u)
# Those of the types are declared by G_DECLARE_DERIVABLE_TYPE and G_DECLARE_FINAL_TYPE.
declared=$(printf '%s\n' "$declared" gsock_{socket,tcp,tcp_wrapper,unix}_connection_get_type \
    gsock_{socket_client,socket_listener,socket_service,threaded_socket_service,framed,reconnector}_get_type | sort -u)
diff <(printf '%s\n' "$declared") capi/symbols.txt || fail "the headers and capi/symbols.txt do not agree"
# As a compiler reads them: what a program was built against stays as it was.
# shellcheck disable=SC2046 # flags
prototypes=$(echo '#include <gsock/gsock.h>' | gcc -aux-info "$scratch/prototypes" -fsyntax-only -x c -Icapi/include \
    $(pkg-config --cflags gio-2.0 gio-unix-2.0) - && sed -n 's|^/\*.*\*/ extern \(.*\bgsock_.*;\)$|\1|p' "$scratch/prototypes" | sort)
diff capi/prototypes.txt - <<<"$prototypes" || fail "the headers do not declare what capi/prototypes.txt says"
while IFS= read -r symbol; do
    case $symbol in *_get_type) continue ;; esac
    for test in functions arguments; do
        case $test-$symbol in
            # Takes no pointer.
            arguments-*_factory_lookup_type | arguments-*_client_new) continue ;;
            arguments-*_socket_listener_new | arguments-gsock_socket_service_new) continue ;;
        esac
        case $test-$symbol in
            *-gsock_framed_*) file=test-framed-$test.c ;;
            *-gsock_unix_*) file=test-unix-$test.c ;;
            *-gsock_socket_client_* | *_connect_report*) file=test-client-$test.c ;;
            *-gsock_reconnector_*) file=test-reconnector-$test.c ;;
            *-gsock_socket_listener_*) file=test-listener-$test.c ;;
            *-gsock_socket_service_* | *-gsock_threaded_*) file=test-service-$test.c ;;
            # Adopting is for a whole process.
            *_gio | *_beneath) file="test-gio.c" ;;
            functions-*_relay_*) file="test-relay.c" ;;
            *) file=test-$test.c ;;
        esac
        grep -q "$symbol\b" "capi/tests/$file" || fail "$file does not call $symbol"
    done
done <capi/symbols.txt
readelf -d "$lib" | grep -q 'SONAME.*\[libgsock-1\.so\.0\]' || fail "the soname is not libgsock-1.so.0"
readelf -d "$lib" | grep -q NODELETE || fail "the library can be unloaded"
symbols=$(wc -l <capi/symbols.txt)
say "$symbols symbols: exported, declared, listed and called"
.ci/nets/figure.sh 25.symbols "$symbols" "$(grep -cxF -f <(printf '%s\n' "$exported") capi/symbols.txt)" \
    "symbols exported, declared with the same prototype, listed and called" || fail "symbols are missing"

macros=$(sed -nE 's/^#define GSOCK_(MAJOR|MINOR|MICRO)_VERSION \(([0-9]+)\)$/\2/p' capi/include/gsock/gsock-version.h |
    paste -s -d .)
[ "$macros" = "$version" ] || fail "the header says $macros, Cargo.toml $version"

# From here on everything is found through the prefix alone. Cargo must not see this: it would build anew.
installed() { # command [argument…]
    (
        # shellcheck source=/dev/null
        . "$prefix/share/gsock-1/env.sh"
        exec "$@"
    )
}
flags=$(installed pkg-config --cflags gsock-1) || die "pkg-config does not find gsock-1"
libs=$(installed pkg-config --libs gsock-1)
[ "$(installed pkg-config --modversion gsock-1)" = "$version" ] || fail "gsock-1.pc has another version"

# Every warning that clang has, but of three kinds: comments are gtk-doc's, which are no Doxygen; a struct is called
# `_GsockX`, as GLib's are.
everything=(-Weverything -Wno-documentation -Wno-documentation-unknown-command -Wno-reserved-identifier)
# Those of GLib's headers are GLib's.
# shellcheck disable=SC2001 # each word, not the first
system_flags=$(sed 's/-I/-isystem /g' <<<"$(pkg-config --cflags gio-unix-2.0)")
header_compiles() { # compiler, standard, header…
    local compiler=$1 standard=$2 language=c header words=()
    shift 2
    case $standard in c++*) language=c++ ;; esac
    for header in "$@"; do
        words+=(-include "$header")
    done
    # shellcheck disable=SC2206 # words
    case $compiler in
        clang*) words+=("${everything[@]}" "-I$prefix/include/gsock-1" $system_flags) ;;
        *) words+=(-Wall -Wextra -Wpedantic $flags) ;;
    esac
    "$compiler" -x "$language" -std="$standard" -Werror -fsyntax-only "${words[@]}" - <<<"extern int nothing;"
}
headers=("$prefix"/include/gsock-1/gsock/*.h)
headers=("${headers[@]/#*\//gsock/}")
for standard in c99 c17 c++17; do
    compilers=(gcc clang)
    case $standard in c++*) compilers=(g++ clang++) ;; esac
    for compiler in "${compilers[@]}"; do
        # Each by itself, in the oldest C and in C++; and all of them in one, twice.
        [ "$standard" = c17 ] || for header in "${headers[@]}"; do
            header_compiles "$compiler" "$standard" "$header" || fail "$header as $standard with $compiler"
        done
        header_compiles "$compiler" "$standard" "${headers[@]}" "${headers[@]}" ||
            fail "all headers, twice, as $standard with $compiler"
    done
done
[ "${#headers[@]}" -gt 8 ] || fail "${#headers[@]} headers"
say "${#headers[@]} headers, each by itself and together, as C99, C17 and C++17, with gcc and clang"

# Each macro that GIO has for its eight classes, with our prefix; eight classes of six macros.
classes='(SOCKET_(CONNECTION|CLIENT|LISTENER|SERVICE)|(TCP|TCP_WRAPPER|UNIX)_CONNECTION|THREADED_SOCKET_SERVICE)'
# shellcheck disable=SC2046 # words
gcc -dM -E $(pkg-config --cflags gio-unix-2.0) -include gio/gio.h -include gio/gunixconnection.h -x c /dev/null |
    sed -nE "s/^#define G_((TYPE_|IS_)?$classes(_CLASS|_GET_CLASS)?)(\\([a-z]+\\))? .*/GSOCK_\\1\\7/p" >"$scratch/macros"
[ "$(wc -l <"$scratch/macros")" -eq 48 ] || fail "GIO's headers have $(wc -l <"$scratch/macros") macros for the classes, not 48"
{
    printf '#include <gsock/gsock.h>\nvoid use (gpointer inst);\nvoid\nuse (gpointer inst)\n{\n'
    sed -E 's/\([a-z]+\)/ (inst)/; s/.*/  (void) (&);/' "$scratch/macros"
    echo '}'
} >"$scratch/macros.c"
macros_compile() { # file
    # shellcheck disable=SC2086 # words
    gcc -std=c17 -Wall -Wextra -Werror $flags -fsyntax-only "$1"
}
if macros_compile "$scratch/macros.c"; then
    say "$(wc -l <"$scratch/macros") macros of GIO's classes are there"
else
    fail "a macro that GIO has is missing"
fi

# ---- C

compile() { # test, program, flag…
    local test=$1 program=$2
    shift 2
    # shellcheck disable=SC2086 # words
    gcc -std=c17 -g -O1 -Wall -Wextra -Werror "$@" $flags "capi/tests/test-$test.c" -o "$program" $libs
}

# Runs a test program; `passed` is the number of its tests that did.
passed=0
run() { # what, command…
    local what=$1 output code
    shift
    output=$(G_SLICE=always-malloc installed timeout --kill-after=10 "$limit" "$@" 2>&1)
    code=$?
    passed=$(grep -c '^ok ' <<<"$output")
    if [ "$code" -ne 0 ] || [ "$passed" -eq 0 ] || [ "$(grep -oE '^1\.\.[0-9]+' <<<"$output")" != "1..$passed" ]; then
        printf '%s\n' "$output" | tail -n 60
        fail "$what (exit code $code)"
    fi
}

valgrind=(valgrind -q --leak-check=full --error-exitcode=9
    "--show-leak-kinds=definite,indirect,possible" "--errors-for-leak-kinds=definite,indirect,possible"
    --suppressions="$glib_supp" --suppressions=capi/tests/valgrind.supp)
plain=0 asan=0 memcheck=0
for test in "${tests[@]}"; do
    program=$scratch/$test
    compile "$test" "$program" || { fail "test-$test.c" && continue; }
    run "$test" "$program"
    plain=$((plain + passed))
    run "$test under valgrind" env ROUNDS="$rounds_valgrind" "${valgrind[@]}" "$program"
    memcheck=$((memcheck + passed))
    compile "$test" "$program-asan" -fsanitize=address,undefined -fno-sanitize-recover=all ||
        { fail "test-$test.c with ASan" && continue; }
    run "$test under ASan and UBSan" env ROUNDS="$rounds_asan" ASAN_OPTIONS=detect_leaks=1 "$program-asan"
    asan=$((asan + passed))
done
say "C: $plain tests; $memcheck under valgrind, $asan under ASan and UBSan"

# What frees a pointer of each type that the GIR describes.
gir=$prefix/share/gir-1.0/Gsock-1.gir
"$python" capi/tests/autoptr.py "$gir" >"$scratch/autoptr.c" || fail autoptr.py
compile_autoptr() { # compiler, source, flag…
    local compiler=$1 source=$2
    shift 2
    # shellcheck disable=SC2086 # words
    "$compiler" -std=gnu99 -g -Wall -Wextra -Werror "$@" $flags "$source" -o "$scratch/autoptr" $libs || fail "$source with $compiler"
}
compile_autoptr clang "$scratch/autoptr.c"
run "g_autoptr with clang" "$scratch/autoptr"
compile_autoptr gcc "$scratch/autoptr.c" -fsanitize=address,undefined -fno-sanitize-recover=all
run "g_autoptr under ASan" env ASAN_OPTIONS=detect_leaks=1 "$scratch/autoptr"
[ "$passed" -ge 9 ] || fail "g_autoptr of $passed types"
say "g_autoptr: $passed types"

# Programs for GIO, each as it is and renamed: it must do the same.
programs=0 lines=0
for source in capi/tests/renamed/*.c; do
    name=$(basename "$source" .c)
    sed -E -f capi/rename.sed "$source" >"$scratch/$name.c"
    ! diff -q "$source" "$scratch/$name.c" >/dev/null || fail "nothing is renamed in $name.c"
    for side in gio gsock; do
        renamed=$source options=$(pkg-config --cflags --libs gio-unix-2.0)
        [ "$side" = gio ] || renamed=$scratch/$name.c options="$flags $libs"
        # shellcheck disable=SC2086 # words
        gcc -std=c17 -Wall -Wextra -Wno-unused-parameter -Werror "$renamed" -o "$scratch/$name-$side" $options ||
            fail "$name.c for $side does not compile"
        G_DEBUG=fatal-criticals installed timeout --kill-after=10 "$limit" "$scratch/$name-$side" >"$scratch/$name-$side.out" ||
            fail "$name.c for $side does not end as it should"
    done
    if [ "$(tail -n 1 "$scratch/$name-gio.out")" = end ] && diff "$scratch/$name-gio.out" "$scratch/$name-gsock.out"; then
        programs=$((programs + 1)) lines=$((lines + $(wc -l <"$scratch/$name-gio.out")))
    else
        fail "$name.c does something else when it is renamed"
    fi
done
say "$programs programs for GIO, renamed, print the same $lines lines"

# shellcheck disable=SC2016 # the backticks are Markdown's
awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' capi/README.md >"$scratch/readme.c"
grep -q gsock_ "$scratch/readme.c" || fail "capi/README.md has no example in C"
# shellcheck disable=SC2086 # words
gcc -Wall -Wextra -Werror -Wno-unused-function $flags -c "$scratch/readme.c" -o "$scratch/readme.o" ||
    fail "the example in capi/README.md does not compile"

# ---- Rust: the fence

if timeout --kill-after=10 "$limit" cargo test --locked --quiet --package gsock-capi >"$scratch/log" 2>&1; then
    say "Rust: $(awk '/^test result: ok\./ { sum += $4 } END { print sum }' "$scratch/log") tests"
else
    tail -n 60 "$scratch/log"
    fail "cargo test"
fi

# ---- Python, and what the GIR says

run_python() { # file, argument…
    GSOCK_VERSION=$version G_DEBUG=fatal-criticals installed timeout --kill-after=10 "$limit" "$python" "$@" >"$scratch/log" 2>&1
}
for test in "test_python.py" "test_listener.py" "test_framed.py" "test_reconnector.py" "test_adopt.py" "test_matrix.py" "test_gir.py $gio_gir $gir" \
    "test_vapi.py $prefix/share/vala/vapi/gsock-1.vapi $gio_vapi ${gio_vapi%/*}/gio-unix-2.0.vapi"; do
    # shellcheck disable=SC2086 # words
    if run_python capi/tests/$test && ! grep -q skipped "$scratch/log"; then
        say "Python: $(sed -nE 's/^Ran ([0-9]+) tests.*/\1/p' "$scratch/log") tests (${test%% *})"
    else
        tail -n 60 "$scratch/log"
        fail "${test%% *}"
    fi
done

# ---- Vala and JavaScript

# valac's C is not for the eyes of gcc: its warnings are off.
compile_vala() { # source, program
    installed valac --fatal-warnings -X -w --pkg gsock-1 --pkg posix -d "$scratch" -o "$2" "$1"
}
language() { # what, name, command…
    local what=$1 name=$2
    shift 2
    # A critical ends a program in any of them.
    run "$name" env G_DEBUG=fatal-criticals "$@"
    say "$what: $passed tests"
}
if compile_vala capi/tests/test-vala.vala test-vala; then
    language Vala test-vala.vala "$scratch/test-vala"
else
    fail "test-vala.vala does not compile"
fi
language JavaScript test-gjs.js gjs capi/tests/test-gjs.js

# The examples, by the very commands of their README.
mkdir -p "$scratch/examples-at/bin"
ln -s "$(command -v "$python")" "$scratch/examples-at/bin/python3"
ln -s "$root/examples" "$scratch/examples-at/examples"
examples=0
# shellcheck disable=SC2016 # the backticks are Markdown's
commands=$(sed -nE 's/^\| \[`(c|python|gjs|vala)\/.*\| `(.*)` \|$/\2/p' examples/README.md)
while IFS= read -r command; do
    for peer in "" " 127.0.0.1:1"; do
        output=$(cd "$scratch/examples-at" && PATH=$scratch/examples-at/bin:$PATH G_DEBUG=fatal-criticals \
            installed timeout --kill-after=10 60 bash -c "$command$peer" 2>&1)
        code=$?
        case $code-$peer-$output in
            0--*"ok: "*) examples=$((examples + 1)) ;;
            1-" "*"Connection refused"*) ;;
            *) fail "$command$peer (exit code $code): $output" ;;
        esac
    done
done <<<"$commands"
[ "$examples" -eq 4 ] || fail "$examples examples of other languages, not 4"
say "examples: $examples as their README says"

# ---- Documentation

# What the pages show in Rust is among the tests of the crate, above.
run_shown() { # what, command…
    local what=$1
    shift
    if ! G_DEBUG=fatal-criticals PYTHONDONTWRITEBYTECODE=1 installed timeout --kill-after=10 60 "$@" \
        >"$scratch/log" 2>&1 </dev/null || [ "$(tail -n 1 "$scratch/log")" != ok ]; then
        tail -n 20 "$scratch/log"
        fail "$what"
    fi
}
programs=0
for source in capi/docs/examples/*.c; do
    name=$(basename "$source" .c)
    # shellcheck disable=SC2086 # words
    gcc -std=c17 -g -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=all $flags "$source" \
        -o "$scratch/shown-$name" $libs || fail "$source does not compile"
    run_shown "$source" "$scratch/shown-$name"
    run_shown "${source%.c}.py" "$python" "${source%.c}.py"
    [ "$name" = operations ] || grep -q "^mod $name;" capi/docs/examples/operations.rs ||
        fail "operations.rs does not run $name.rs"
    programs=$((programs + 1))
done

pages_of() { # folder of documents, GIR; what `make doc-c` does with them
    rm -rf "$scratch/pages"
    make --no-print-directory -s doc-c-pages DOC_OUT="$scratch/pages" capi_docs="$1" capi_gir="$2" >"$scratch/log" 2>&1
}
pages_lead_somewhere() {
    "$python" - "$scratch/pages" <<'PYTHON'
import pathlib, re, sys
folder = pathlib.Path(sys.argv[1])
pages = {page.name: page.read_text() for page in folder.glob("*.html")}
wrong = [(name, link) for name, text in pages.items() for link in re.findall(r'href="([^":#]+)"', text)
         if not (folder / link).exists()]
sys.exit(f"links that lead nowhere: {wrong}" if wrong else None)
PYTHON
}
if pages_of capi/docs "$gir"; then
    pages_lead_somewhere || fail "the pages of the documentation"
    classes=0
    while IFS= read -r class; do
        classes=$((classes + 1))
        [ -s "$scratch/pages/class.$class.html" ] || fail "there is no page for Gsock$class"
        grep -q "class@Gsock\.$class\]" capi/docs/overview.md || fail "the overview says nothing of Gsock$class"
    done < <(sed -nE 's/^ *<class name="([A-Za-z]+)".*/\1/p' "$gir")
    [ "$classes" -ge 10 ] || fail "the GIR has $classes classes"
    shown=$(grep -c '<h5>Rust</h5>' "$scratch/pages/operations.html")
    [ "$shown" -gt 0 ] || fail "the operations are not shown"
    say "documentation: $(find "$scratch/pages" -name '*.html' | wc -l) pages, $shown blocks of $programs programs in C, Python and Rust"
else
    tail -n 20 "$scratch/log"
    fail "make doc-c"
fi

# ---- That the nets hold: each of these must be caught

caught=0
control() { # what, command that must fail…
    local what=$1
    shift
    if "$@" >/dev/null 2>&1; then
        fail "not caught: $what"
    else
        caught=$((caught + 1))
    fi
}
sed 1d capi/symbols.txt >"$scratch/symbols"
control "a symbol more than listed" same_symbols "$scratch/symbols"
mkdir -p "$scratch/spoilt/gsock"
cp capi/include/gsock/*.h "$scratch/spoilt/gsock"
sed -i 's/gpointer padding\[10\]/gpointer padding[9]/' "$scratch/spoilt/gsock/gsock-tcp-connection.h"
flags_right=$flags
flags="-I$scratch/spoilt $flags"
compile types "$scratch/spoilt/types" || fail "the control of the sizes does not compile"
control "a class struct that is too small" installed timeout "$limit" "$scratch/spoilt/types"
flags=$flags_right
# That each single change is found, test_gir.py shows by itself; here, that it says so.
run_python capi/tests/test_gir.py "$gio_gir" "$gir" Comparison || fail "the controls of test_gir.py show nothing"
sed 's/<method name="get_socket"/<method name="get_sockets"/' "$gir" >"$scratch/spoilt.gir"
control "a method of another name" run_python capi/tests/test_gir.py "$gio_gir" "$scratch/spoilt.gir" Comparison
sed 's/ nullable="1"//' "$gir" >"$scratch/spoilt.gir"
control "an argument that may not be NULL" run_python capi/tests/test_gir.py "$gio_gir" "$scratch/spoilt.gir" Comparison
sed 's/<instance-parameter name="client" transfer-ownership="none"/<instance-parameter name="client" transfer-ownership="full"/' \
    "$gir" >"$scratch/spoilt.gir"
control "an owner that is another" run_python capi/tests/test_gir.py "$gio_gir" "$scratch/spoilt.gir" Comparison
sed 's/<type name="Gio.SocketListenerEvent"/<type name="Gio.SocketClientEvent"/' "$gir" >"$scratch/spoilt.gir"
control "an argument of a signal of another type" run_python capi/tests/test_gir.py "$gio_gir" "$scratch/spoilt.gir" Comparison
sed 's/<glib:signal name="run"/<glib:signal name="runs"/' "$gir" >"$scratch/spoilt.gir"
control "a signal of another name" run_python capi/tests/test_gir.py "$gio_gir" "$scratch/spoilt.gir" Comparison
sed 's/<field name="changed"/<field name="change"/' "$gir" >"$scratch/spoilt.gir"
control "a slot of another name" run_python capi/tests/test_gir.py "$gio_gir" "$scratch/spoilt.gir" Comparison
sed '/<parameter name="address"/,/<.parameter>/d' "$gir" >"$scratch/spoilt.gir"
control "a parameter that is not there" run_python capi/tests/test_gir.py "$gio_gir" "$scratch/spoilt.gir" Comparison
sed '/<property name="graceful-disconnect"/,/<.property>/d' "$gir" >"$scratch/spoilt.gir"
control "a property that is not there" run_python capi/tests/test_gir.py "$gio_gir" "$scratch/spoilt.gir" Comparison
sed '/<glib:signal name="incoming"/,/<.glib:signal>/d' "$gir" >"$scratch/spoilt.gir"
control "a signal that is not there" run_python capi/tests/test_gir.py "$gio_gir" "$scratch/spoilt.gir" Comparison
sed 's/"drain_async"/"drain_soon_async"/' "$gir" >"$scratch/spoilt.gir"
control "an addition that is on no page" run_python capi/tests/test_gir.py "$gio_gir" "$scratch/spoilt.gir" Comparison
sed '/<property name="listen-backlog"/,/>/s/construct="1"//' "$gir" >"$scratch/spoilt.gir"
control "a property that is not set at construction" run_python capi/tests/test_gir.py "$gio_gir" "$scratch/spoilt.gir" Comparison
sed 's/Cancellable? cancellable = null/Cancellable? cancellable/' "$prefix/share/vala/vapi/gsock-1.vapi" >"$scratch/spoilt.vapi"
control "an argument that Vala asks for" run_python capi/tests/test_vapi.py "$scratch/spoilt.vapi" "$gio_vapi" \
    "${gio_vapi%/*}/gio-unix-2.0.vapi"
# shellcheck disable=SC2016 # the backticks are Markdown's
spoilt_table() { # [test]: what stands for Vala's in the line of relay
    sed 's/`test_relay` |$/'"${1:+\`$1\`} |/" capi/tests/README.md >"$scratch/spoilt.md"
}
spoilt_table
control "a language that lacks a test" run_python capi/tests/test_matrix.py "$scratch/spoilt.md"
spoilt_table test_delay
control "a test that is not there" run_python capi/tests/test_matrix.py "$scratch/spoilt.md"
spoilt_table test_connect
control "a test of something else" run_python capi/tests/test_matrix.py "$scratch/spoilt.md"
sed 's/#GsockSocketClient:tls set/#GsockSocketClient:tsl set/' "$gir" >"$scratch/spoilt.gir"
control "a comment that names what there is not" pages_of capi/docs "$scratch/spoilt.gir"
sed '/<property name="multipath"/,/<.property>/{/<doc /,/<.doc>/d}' "$gir" >"$scratch/spoilt.gir"
control "a property without documentation" pages_of capi/docs "$scratch/spoilt.gir"
sed '/<property name="multipath"/,/<.property>/s/ version="[0-9.]*"//' "$gir" >"$scratch/spoilt.gir"
control "a property of no version" pages_of capi/docs "$scratch/spoilt.gir"
cp -r capi/docs "$scratch/docs"
sed -i 's/class@Gsock.SocketClient\]/class@Gsock.SocketClients]/' "$scratch/docs/overview.md"
control "a page with a link to nothing" pages_of "$scratch/docs" "$gir"
cp capi/docs/overview.md "$scratch/docs"
sed -i '/{gsock_socket_listener_accept}/,/{}/d' "$scratch/docs/examples/operations.rs"
control "an operation that is not shown in Rust" pages_of "$scratch/docs" "$gir"
for ending in c py; do
    sed -i '/{gsock_socket_listener_accept}/,/{}/d' "$scratch/docs/examples/operations.$ending"
done
control "a function that no example shows" pages_of "$scratch/docs" "$gir"
cp capi/docs/examples/operations.* "$scratch/docs/examples"
sed -i 's/\.add_inet_port(/.add_any_inet_port(/' "$scratch/docs/examples/listener.py"
control "an example that does not use what it shows" pages_of "$scratch/docs" "$gir"
sed 's/GSOCK_IS_SOCKET_SERVICE_CLASS/GSOCK_IS_SOCKET_SERVICES_CLASS/' "$scratch/macros.c" >"$scratch/spoilt.c"
control "a macro that is missing" macros_compile "$scratch/spoilt.c"
sed 's/g_autoptr (GsockConnectReport) copy/GsockConnectReport *copy/' "$scratch/autoptr.c" >"$scratch/spoilt.c"
compile_autoptr gcc "$scratch/spoilt.c" -fsanitize=address,undefined
control "a report that nobody frees" installed timeout "$limit" env ASAN_OPTIONS=detect_leaks=1 "$scratch/autoptr"
mkdir -p "$scratch/spoilt/gsock"
sed '/^#include/d' capi/include/gsock/gsock-tcp-connection.h >"$scratch/spoilt/gsock/alone.h"
control "a header that is nothing by itself" header_compiles clang c99 "$scratch/spoilt/gsock/alone.h"
cat >"$scratch/leak.c" <<'C'
#include <gsock/gsock.h>
int
main (void)
{
  GSocket *socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  GSocket *borrowed;
  GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection (socket);
  borrowed = gsock_socket_connection_get_socket (connection);
  g_object_unref (socket);
#ifdef LEAK
  (void) borrowed;
#else
  /* Borrowed for as long as the connection is there, and no longer. */
  g_object_unref (connection);
  g_socket_get_fd (borrowed);
#endif
  return 0;
}
C
for control in LEAK USE; do
    # shellcheck disable=SC2086 # words
    gcc "-D$control" $flags "$scratch/leak.c" -o "$scratch/$control" $libs ||
        fail "the control $control of valgrind does not compile"
done
under_valgrind() { # program
    G_SLICE=always-malloc installed timeout "$limit" "${valgrind[@]}" "$1"
}
control "a connection that is leaked" under_valgrind "$scratch/LEAK"
control "a socket used after its connection" under_valgrind "$scratch/USE"
say "controls: $caught caught"

if [ "$failures" -gt 0 ]; then
    say "$failures failures"
    exit 1
fi
say "all passed"
