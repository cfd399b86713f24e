#!/usr/bin/env bash
# Runs the tests under the sanitizers of addresses and of leaks: asan.sh [--each N | FILE[=TEST]…]
#
# Without arguments every file of tests; with --each only each N-th, and others on the next day; else the files named,
# and of them the tests whose names contain TEST.
# A process per file: it fails on a bad access, and at its end on what nobody refers to any more.
# What they cannot see: accesses inside of std, which is not instrumented.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2

triple=x86_64-unknown-linux-gnu
# GIO 2.74.6 reads freed memory in its own factory once a key is registered twice, which the first does. The
# children of the second have a copy of all that their parents' threads hold, and nobody to free it. The third has a
# pthread_create(3) of its own, past the sanitizer's, which then knows its threads by the wrong names.
left_out=(factory_order_gio fork service_limits)
# Its tests take turns, each in every context: a process for each operation.
apart=cancel_points
# Whole programs have time limits of their own, which a handshake does not keep whose every allocation has its stack
# walked the slow way.
quick=(ports examples)
# But for this one: GIO's leak in it is known by the bottom of its stack, which the quick walk does not get to.
slow_example=the_client_goes_through_a_proxy_to_nginx
limit=480 # seconds, for one process
at_once=4 # files; they wait more than they work

cargo +nightly --version >/dev/null 2>&1 ||
    broken "needs a nightly toolchain: rustup toolchain install nightly --profile minimal"
symbolizer=$(compgen -c llvm-symbolizer | sort -V | tail -n 1)
[ -n "$symbolizer" ] || broken "needs llvm-symbolizer, to name functions: apt-get install llvm"

# The names of the files that are run, the biggest first: they take longest. The unit tests have no file.
file_names() {
    local file name
    for file in tests/*.rs; do
        name=${file##*/}
        name=${name%.rs}
        case " ${left_out[*]} " in *" $name "*) continue ;; esac
        printf '%s %s\n' "$(cat "$file" "tests/$name"/*.rs 2>/dev/null | wc -c)" "$name"
    done | sort -rn | sed 's/.* //'
}

chosen=()
turn=0
if [ "${1-}" = --each ]; then
    each=$2
    today=$(($(date +%s) / 86400 % each))
    while read -r name; do
        [ $((turn++ % each)) -ne "$today" ] || chosen+=("$name")
    done < <(file_names)
    # They are a file like others.
    [ $((turn % each)) -ne "$today" ] || chosen+=(gsock)
    shift 2
    echo "asan: ${#chosen[@]} files of $((turn + 1)), day $today of $each"
fi
files=()
tests=()
for argument; do
    files+=("${argument%%=*}")
    case $argument in *=*) tests+=("${argument#*=}") ;; *) tests+=("") ;; esac
done
what=() # all, and the examples, which a test runs
for file in ${files[@]+"${files[@]}"}; do what+=(--test "$file"); done
for file in ${chosen[@]+"${chosen[@]}"}; do
    case $file in
        gsock) what+=(--lib) ;;
        *) what+=(--test "$file") ;;
    esac
done

# Of this tree alone: cargo takes the files of a copy for those of the tree if both build in one folder.
CARGO_TARGET_DIR=$(target_folder "$root")/nets/asan
RUSTFLAGS="-Zsanitizer=address"
export CARGO_TARGET_DIR RUSTFLAGS
SECONDS=0
# A test runs them.
case " ${files[*]-} ${chosen[*]-} " in *" examples "*)
    cargo +nightly build --quiet --locked --examples --target "$triple" || broken "the examples do not build"
    ;;
esac
binaries=$(test_binaries +nightly test --target "$triple" ${what[@]+"${what[@]}"}) || broken "the tests do not build"
echo "asan: built in $SECONDS s"
if [ "${#files[@]}" -eq 0 ]; then
    # The big ones take longest, and begin.
    while read -r _ name; do
        case " ${left_out[*]} " in *" $name "*) continue ;; esac
        if [ "${#chosen[@]}" -gt 0 ]; then
            case " ${chosen[*]} " in *" $name "*) ;; *) continue ;; esac
        fi
        parts=("")
        if [ "$name" = "$apart" ]; then
            mapfile -t parts < <("$(binary_of "$name" "$binaries")" --list | sed -n 's/: test$//p' | sed 's/^\([a-z_]*::[a-z_]*::\).*/\1/' | sort -u)
            [ "${#parts[@]}" -gt 1 ] || broken "$name has no parts"
        fi
        [ "$name" != examples ] || parts=("--skip=$slow_example" "$slow_example")
        for part in "${parts[@]}"; do
            files+=("$name")
            tests+=("$part")
        done
    done < <(while read -r name binary; do echo "$(stat -c %s "$binary") $name"; done <<<"$binaries" | sort -rn)
fi

# Most objects come from GLib's slices, where a sanitizer sees nothing. GLib has no frame pointers: the
# slow way of walking a stack is the only one that gets through it.
export G_SLICE=always-malloc
# Some of what is suppressed is known by its test, far down in the stack.
export ASAN_OPTIONS=detect_leaks=1:fast_unwind_on_malloc=0:malloc_context_size=250:exitcode=23
export LSAN_OPTIONS=suppressions=$root/.ci/nets/asan.supp:print_suppressions=0
# A sanitized test is slow, and the time limits are for those that hang. Reports have stacks of their own.
export GSOCK_TEST_SLOWNESS=6 RUST_BACKTRACE=0
ASAN_SYMBOLIZER_PATH=$(command -v "$symbolizer")
export ASAN_SYMBOLIZER_PATH

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
run() { # number, binary, test
    local options=$ASAN_OPTIONS
    case " ${quick[*]} " in
        *" ${files[$1]} "*) [ "${3-}" = "$slow_example" ] || options=${options/fast_unwind_on_malloc=0/fast_unwind_on_malloc=1} ;;
    esac
    ASAN_OPTIONS=$options timeout --kill-after=10 "$limit" "$2" --quiet ${3:+"$3"} >"$logs/$1" 2>&1
    echo $? >"$logs/$1.code"
}
SECONDS=0
for i in "${!files[@]}"; do
    binary=$(binary_of "${files[i]}" "$binaries") || broken "no tests in ${files[i]}"
    while [ "$(jobs -pr | wc -l)" -ge "$at_once" ]; do wait -n; done
    run "$i" "$binary" "${tests[i]}" &
done
wait

found=0
late=0
sum=0
for i in "${!files[@]}"; do
    code=$(cat "$logs/$i.code")
    count=$(tests_in "$logs/$i")
    sum=$((sum + count))
    case $code in
        0)
            [ "$count" -gt 0 ] || [ -z "${tests[i]}" ] || broken "no test of ${files[i]} is called ${tests[i]}"
            continue
            ;;
        124 | 137) late=$((late + 1)) ;;
        *) found=$((found + 1)) ;;
    esac
    echo "asan: ${files[i]} ended with $code:"
    # The first report, without the hundred frames of a test's own threads; else what the test said.
    if grep -qE '^==.*ERROR' "$logs/$i"; then
        sed -n '/^==.*ERROR/,$p' "$logs/$i" | grep -vE '^ *#[1-9][0-9]|^ *$' | cut -c 1-200 | head -n 40
        grep -E '^SUMMARY|^test result' "$logs/$i"
    else
        cut -c 1-200 "$logs/$i" | tail -n 60
    fi
done
echo "asan: ${#files[@]} processes, $sum tests, $found with a report, $late not done within $limit s; $SECONDS s"
[ "$found" -eq 0 ] || exit 1
[ "$late" -eq 0 ] || exit 2
