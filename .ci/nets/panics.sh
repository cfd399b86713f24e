#!/usr/bin/env bash
# Has everything that C, GLib or GObject calls panic, one function at a time: panics.sh [--all] [--only REGEX]
#
# panics-inventory.pl reads from the sources what that is: each `extern "C"` function, each method of ObjectImpl, each other
# function that has a fence (src/fence.rs), and each function of the C library. One that has no fence, or that nothing here
# comes by, is reported, unless it stands below with a reason.
#
# The drivers are the tests of tests/panics.rs. Each runs once to say which fences it comes by; then for each of these a process of
# its own, in which that one panics before it does anything, and another in which it does so afterwards. The driver must end by
# itself, with each operation answered once, somebody told (the error Failed, or a critical message) and nothing left open.
# The C library's functions are called by their symbols, from C.
#
#   --all          every driver that comes by a fence, not the first two
#   --only REGEX   entries whose name matches, such as '^vfunc::'
#
# Prints a line for each case that is not right, with the command that plays it again.
# Exit code: 0 all is right, 1 something is not, 2 the net could not do its work.

set -u

here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
root=${here%/.ci/nets}
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2

broken() {
    printf 'panics: %s\n' "$*" >&2
    exit 2
}

# What has no fence, or is not struck, and why. `@` before a name: one with a fence that is not struck at all; `+`: one that is
# struck only after it has done what it does; `-`: only before.
excused="
fork::count runs in the child of a fork, where nothing may be logged; adds to an atomic
capi::src::socket_listener::give_up calls g_object_unref() and has no code of its own
+reactor::waiters::call calls somebody's waker: where that panics and wakes nobody, nobody else can
-operation::reply::source_object hands out a reference, which somebody who panics behind that has given away
-vfunc::input_stream::create_input_source likewise
-vfunc::output_stream::create_output_source likewise
-io_stream_adapter::input::create_source likewise
-io_stream_adapter::output::create_source likewise
@reactor::source::run GLib is given it and never calls it: dispatch() calls what there is to call
"
# Of glib-rs, where there is no place for a fence of ours.
outside="
ObjectImpl of a user's subclass: glib-rs' own trampolines call it
closures of connect_closure(), connect_local() and of GLib's sources, timeouts and idles: glib-rs calls them
class_init, type_init, instance_init, properties() and signals(): glib-rs, in the registration of a type
finalize: glib-rs drops an object's private data
a panic in a destructor while another panic unwinds: Rust ends the process
"

all=no only=.
while [ $# -gt 0 ]; do
    case $1 in
        --all) all=yes ;;
        --only)
            [ $# -gt 1 ] || broken "--only wants a value"
            only=$2
            shift
            ;;
        *) broken "unknown argument $1" ;;
    esac
    shift
done

work=$(mktemp -d) || exit 2
leave_nothing "$work"

# --- Build -----------------------------------------------------------------------------------------------

target=${CARGO_TARGET_DIR:-$root/target}
case $target in /*) ;; *) target=$root/$target ;; esac
CARGO_TERM_COLOR=never cargo test --locked --no-run --test panics >"$work/build" 2>&1 || {
    cat "$work/build" >&2
    broken "the drivers do not build"
}
driver=$(sed -n 's|^ *Executable tests/panics\.rs (\(.*\))$|\1|p' "$work/build")
case $driver in /*) ;; *) driver=$root/$driver ;; esac
[ -x "$driver" ] || broken "the drivers are not where cargo says they are: $driver"

# --- What there is ---------------------------------------------------------------------------------------

perl "$here/panics-inventory.pl" . >"$work/inventory" || broken "the sources cannot be read"
sed -n 's/^symbol //p' "$work/inventory" | awk -v only="$only" '$1 ~ only' >"$work/symbols"
library=$target/debug/libgsock_1.so caller=$target/nets/panics
if [ -s "$work/symbols" ]; then
    # With debug assertions, without which nothing can be struck.
    cargo build --locked --quiet -p gsock-capi || broken "the C library does not build"
    [ -e "$library" ] || broken "there is no $library"
    mkdir -p "$target/nets"
    # shellcheck disable=SC2046 # flags
    ${CC:-cc} -O1 -g -Wall -Wextra -Werror -o "$caller.new" "$here/panics.c" $(pkg-config --cflags --libs gio-2.0) -ldl ||
        broken "the caller does not build"
    mv "$caller.new" "$caller"
fi
"$driver" --list 2>/dev/null | sed -n 's/: test$//p' >"$work/tests"
[ -s "$work/tests" ] || broken "there are no drivers"

# play: what GSOCK_PANIC is, then the test.
play() {
    timeout -k 2 40 env RUST_BACKTRACE=0 GSOCK_PANIC="$1" \
        "$driver" --exact "$2" --nocapture --test-threads=1 2>&1
}

failed=0
# "ENTRY TEST", by the order of the tests.
while IFS= read -r test; do
    # Of handlers that panic themselves there is nothing to strike.
    case $test in handlers::each_handler_that_panics* | handlers::what_a_handler*) continue ;; esac
    play '?' "$test" >"$work/out" || {
        echo "FAILED $test: without any panic on purpose"
        tail -n 5 "$work/out"
        failed=$((failed + 1))
        continue
    }
    sed -n "s/^.*fence: \(.*\)\$/\1 ${test//\//\\/}/p" "$work/out"
done <"$work/tests" >"$work/reached.all"
grep '^FAILED' -A 5 "$work/reached.all"
grep -v '^FAILED' "$work/reached.all" | grep -E '^[A-Za-z_:$<>]+ [a-z_:0-9]+$' >"$work/reached"

# What is struck on one side only has a fence, and is come by.
is_excused() { # name
    awk -v name="$1" '$1 == name || $1 == "@" name { found = 1 } END { exit !found }' <<<"$excused"
}

# The names of the inventory have no type between module and function: `a::b` is `a::b` or `a::C::b` here.
unreached=0 bare=0
while read -r kind name has place; do
    [ "$kind" != symbol ] || continue
    [[ $name =~ $only ]] || continue
    module=${name%::*} function=${name##*::}
    if [ "$has" = no ]; then
        is_excused "$name" || {
            echo "FAILED $name: has no fence ($place)"
            failed=$((failed + 1)) bare=$((bare + 1))
        }
        continue
    fi
    [ "$function" != "\$method" ] || function='connect_[a-z_]*_notify'
    awk -v re="^$module(::[A-Za-z]+)*::$function\$" '$1 ~ re' "$work/reached" >"$work/its"
    if [ ! -s "$work/its" ]; then
        is_excused "$name" || {
            echo "FAILED $name: nothing here comes by it ($place)"
            failed=$((failed + 1)) unreached=$((unreached + 1))
        }
        continue
    fi
done <"$work/inventory"

most=2
[ "$all" = no ] || most=1000
# A case is a line "what GSOCK_PANIC is, test".
awk -v most="$most" -v only="$only" '
    NR == FNR { if (sub(/^\+/, "")) after[$1]; else if (sub(/^-/, "")) before[$1]; next }
    $1 ~ only && ++count[$1] <= most {
        if (!($1 in after)) print $1, $2
        if (!($1 in before)) print $1 "+", $2
    }
' - "$work/reached" <<<"$excused" >"$work/cases"

# --- Try -------------------------------------------------------------------------------------------------

why() { # exit code; the output on standard input
    case $1 in
        124 | 137) echo "no end in time" ;;
        134 | 133 | 139) echo "died of a signal (exit code $1): $(grep -m 1 -E 'unexpected|cannot unwind|abort' | cut -c 1-200)" ;;
        *) grep -A 1 -E 'panicked at' | tr -s '\n ' ' ' | sed 's/^.*panicked at //' | cut -c 1-250 ;;
    esac
}

try_cases() { # worker's number
    local how test out code struck
    while read -r how test; do
        out=$(play "$how" "$test")
        code=$?
        struck=$(sed -n 's/.*panics: struck \([0-9]*\),.*/\1/p' <<<"$out")
        if [ "$code" -ne 0 ]; then
            echo "failed $how" >>"$work/results.$1"
            printf 'FAILED %s in %s: %s\n  %s\n' "$how" "$test" "$(why "$code" <<<"$out")" \
                "GSOCK_PANIC='$how' $driver --exact $test --nocapture"
        elif [ "${struck:-0}" = 0 ]; then
            echo "unreached $how" >>"$work/results.$1"
        else
            echo "right $how" >>"$work/results.$1"
        fi
    done <"$work/cases.$1"
}

workers=$(nproc 2>/dev/null || echo 2)
for ((i = 0; i < workers; i++)); do
    awk -v n="$workers" -v i="$i" 'NR % n == i' "$work/cases" >"$work/cases.$i"
    : >"$work/results.$i"
    try_cases "$i" &
done
wait
cat "$work"/results.* >"$work/results"
[ "$(wc -l <"$work/results")" -eq "$(wc -l <"$work/cases")" ] || broken "not all cases have a result"

# The C library: one process for all, and one more from behind a function that has ended it.
cp "$work/symbols" "$work/left"
: >"$work/called"
while [ -s "$work/left" ]; do
    timeout -k 2 60 env GSOCK_PANIC='gsock_*' RUST_BACKTRACE=0 "$caller" "$library" <"$work/left" >"$work/out" 2>"$work/errors"
    code=$?
    cat "$work/out" >>"$work/called"
    [ "$code" -ne 0 ] || break
    [ "$code" -ne 2 ] || broken "$(cat "$work/errors")"
    last=$(sed -n 's/^calls //p' "$work/out" | tail -n 1)
    [ -n "$last" ] || broken "the caller ended with $code"
    echo "wrong $last: died (exit code $code)" >>"$work/called"
    sed -i "1,/^$last /d" "$work/left"
done
symbols=$(wc -l <"$work/symbols")
right_symbols=$(grep -c '^right ' "$work/called")
sed -n 's/^wrong /FAILED /p' "$work/called"
[ "$symbols" -eq "$(grep -cE '^(right|wrong) ' "$work/called")" ] || broken "not all functions of the C library were called"

# --- Report ----------------------------------------------------------------------------------------------

# An entry is right if all of its cases are, and one at least was struck.
read -r entries right_entries cases right_cases missed < <(awk '
    { entry = $2; gsub(/[+*]/, "", entry); all[entry]; total++
      if ($1 == "right") { right[entry]++; ok++ }
      if ($1 == "unreached") missed++
      if ($1 == "failed") wrong[entry]++ }
    END { for (entry in all) { n++; if (right[entry] && !wrong[entry]) good++ }
          print n + 0, good + 0, total + 0, ok + 0, missed + 0 }' "$work/results")
echo "panics: $right_cases of $cases cases right, $missed not come by in that run; $right_entries of $entries entries; $right_symbols of $symbols functions of the C library"
echo "panics: excused, $(grep -c . <<<"$excused"):"
grep . <<<"$excused" | sed 's/^[-@+]\{0,1\}/  /'
echo "panics: where no fence can be:"
grep . <<<"$outside" | sed 's/^/  /'
[ "$unreached" -eq 0 ] || echo "panics: $unreached entries that nothing comes by"
if [ "$only" = . ]; then
    "$here/figure.sh" 12.entries $((entries + symbols + unreached + bare)) $((right_entries + right_symbols)) \
        "entries and exported functions, $cases and $symbols panics" || failed=$((failed + 1))
fi
[ "$failed" -eq 0 ] && [ "$right_entries" -eq "$entries" ] && [ "$right_symbols" -eq "$symbols" ] || exit 1
[ $((entries + symbols)) -gt 0 ] || broken "nothing was tried"
