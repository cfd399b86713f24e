#!/usr/bin/env bash
# Runs the tests under the sanitizers of addresses and of leaks: asan.sh [--release] [--each N | FILE[=TEST]…]
#
# Without arguments every file of tests; with --each only each N-th, and others on the next day; else the files named,
# and of them the tests whose names contain TEST. With --release as they are optimised.
# A process per file: it fails on a bad access, and at its end on what nobody refers to any more.
# What they cannot see: accesses inside of std, which is not instrumented.
#
# Exit code: 0 all is well, 1 something was found, 2 it could not do its work.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
# shellcheck source=.ci/lib.sh
. "$root/.ci/lib.sh"
cd "$root" || exit 2

# GIO 2.74.6 reads freed memory in its own factory once a key is registered twice, which the first does. The
# children of the second have a copy of all that their parents' threads hold, and nobody to free it. The third has a
# pthread_create(3) of its own, past the sanitizer's, which then knows its threads by the wrong names; the fourth has more such functions.
left_out="factory_order_gio fork service_limits refusals"
# Whole programs have time limits of their own, which a handshake does not keep whose every allocation has its stack
# walked the slow way. A part of a file is one where it takes minutes otherwise.
quick=(ports examples hostile_peers cancel_points_above=through_proxies::by_tls::)
# But for this one: GIO's leak in it is known by the bottom of its stack, which the quick walk does not get to.
slow_example=the_client_goes_through_a_proxy_to_nginx
heavy="cancel_points cancel_points_above"
limit=480 # seconds, for one process
at_once=4 # files; they wait more than they work
report='^==.*ERROR'
# shellcheck source=.ci/nets/sanitized.sh
. "$root/.ci/nets/sanitized.sh"
choose "$@"

cargo +nightly --version >/dev/null 2>&1 ||
    broken "needs a nightly toolchain: rustup toolchain install nightly --profile minimal"
symbolizer=$(compgen -c llvm-symbolizer | sort -V | tail -n 1)
[ -n "$symbolizer" ] || broken "needs llvm-symbolizer, to name functions: apt-get install llvm"

# Of this tree alone: cargo takes the files of a copy for those of the tree if both build in one folder.
CARGO_TARGET_DIR=$(target_folder "$root")/nets/asan
RUSTFLAGS="-Zsanitizer=address"
# With optimisation too: lines in what is reported.
export CARGO_TARGET_DIR RUSTFLAGS CARGO_PROFILE_RELEASE_DEBUG=line-tables-only
SECONDS=0
# A test runs them.
if is_chosen examples; then
    cargo +nightly build --quiet --locked --examples --target "$triple" "${profile[@]}" || broken "the examples do not build"
fi
binaries=$(test_binaries +nightly test --target "$triple" "${profile[@]}" "${what[@]}") || broken "the tests do not build"
echo "asan: built in $SECONDS s"

parts_of() { # file, binary
    case $1 in
        # Its tests take turns, each in every context: a process for each operation.
        cancel_points | cancel_points_above) modules_of "$2" ;;
        # Thousands of connections each, whose every allocation has its stack walked the slow way, or as many descriptors as there may be.
        bad_input | hostile_peers) "$2" --list | sed -n 's/: test$//p' ;;
        examples) printf '%s\n' "--skip=$slow_example" "$slow_example" ;;
        *) echo ;;
    esac
}
make_processes "$binaries"

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

run() { # number, binary, test
    local options=$ASAN_OPTIONS
    case " ${quick[*]} " in
        *" ${files[$1]} "* | *" ${files[$1]}=${3-} "*) [ "${3-}" = "$slow_example" ] || options=${options/fast_unwind_on_malloc=0/fast_unwind_on_malloc=1} ;;
    esac
    ASAN_OPTIONS=$options timeout --kill-after=10 "$limit" "$2" --quiet ${3:+"$3"} >"$logs/$1" 2>&1
    echo $? >"$logs/$1.code"
}
run_processes "$binaries" 9.tests
