#!/usr/bin/env bash
# Runs the tests under the sanitizer of threads: tsan.sh [--release] [--each N | FILE[=TEST]…]
#
# Without arguments every file of tests; with --each only each N-th, and others on the next day; else the files named,
# and of them the tests whose names contain TEST. With --release as they are optimised.
# GLib is built for it as well, and so is Rust's own library: tsan-tools.sh. A process per file: it goes on after a report,
# and fails at its end.
# What it cannot see: what other libraries do, such as that of TLS; and fences.
#
# Exit code: 0 all is well, 1 something was found, 2 it could not do its work.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
# shellcheck source=.ci/lib.sh
. "$root/.ci/lib.sh"
cd "$root" || exit 2

# Whole programs, which have time limits of their own. The others have functions of the C library's of their own, past the
# sanitizer's.
# And programs inherit what the sanitizer has open.
left_out="examples service_limits refusals exec_storm"
heavy="cancel_points cancel_points_above"
limit=600 # seconds, for one process
at_once=2 # files; they need much memory
report='^WARNING: ThreadSanitizer|^==.*ERROR: ThreadSanitizer'
# shellcheck source=.ci/nets/sanitized.sh
. "$root/.ci/nets/sanitized.sh"
choose "$@"

# A copy of the tree, for a control, uses what the tree has.
own=$(target_folder "$root")
tools=${own%/nets*/build}/tsan
"$root/.ci/nets/tsan-tools.sh" "$tools" || exit 2
symbolizer=$(compgen -c llvm-symbolizer | sort -V | tail -n 1)
[ -n "$symbolizer" ] || broken "needs llvm-symbolizer, to name functions: apt-get install llvm"

# Of this tree alone: cargo takes the files of a copy for those of the tree if both build in one folder.
CARGO_TARGET_DIR=$own/nets/tsan
# The sanitizer that runs is clang's: Debian's rustc has none.
CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-Zsanitizer=thread -Zexternal-clangrt -Clinker=$(cat "$tools/clang") -Clink-arg=-fsanitize=thread"
export CARGO_TARGET_DIR CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS
# Its own library is built from the source, which Rust calls unstable.
export RUSTC=$tools/rustc RUSTC_BOOTSTRAP=1 CARGO_PROFILE_RELEASE_DEBUG=line-tables-only
build=(test -Zbuild-std=std --target "$triple" "${profile[@]}")
# An assertion of glib-rs, in each crate that wraps classes, reads the count of references as if nobody else changed it.
for crate in glib gio gsock; do build+=(--config "profile.dev.package.$crate.debug-assertions=false"); done
SECONDS=0
binaries=$(test_binaries "${build[@]}" "${what[@]}") || broken "the tests do not build"
echo "tsan: built in $SECONDS s"

parts_of() { # file, binary
    case $1 in
        # Its tests take turns, each in every context.
        cancel_points | cancel_points_above) modules_of "$2" ;;
        # Who is besieged has to be quick enough for somebody to get in.
        hostile_peers) "$2" --list | sed -n 's/: test$//p' ;;
        *) echo ;;
    esac
}
make_processes "$binaries"

for part in glib gobject gmodule gio; do libraries=${libraries+$libraries:}$tools/glib/build/$part; done
# 66 is what a test of another process may say. What crashes on purpose must end by its signal.
TSAN_OPTIONS=exitcode=23:handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigill=0:handle_sigfpe=0:suppressions=$root/.ci/nets/tsan.supp:print_suppressions=0:die_after_fork=0:history_size=4
TSAN_OPTIONS+=:external_symbolizer_path=$(command -v "$symbolizer")
export TSAN_OPTIONS
# That of TLS is the installed one.
GIO_MODULE_DIR=$(pkg-config --variable=giomoduledir gio-2.0)
export GIO_MODULE_DIR
# GLib's slices have a mutex of their own kind, which it does not know.
export G_SLICE=always-malloc
# A sanitized test is slow, and the time limits are for those that hang. Reports have stacks of their own.
export GSOCK_TEST_SLOWNESS=6 RUST_BACKTRACE=0
run() { # number, binary, test
    LD_LIBRARY_PATH=$libraries timeout --kill-after=10 "$limit" "$2" --quiet ${3:+"$3"} >"$logs/$1" 2>&1
    echo $? >"$logs/$1.code"
}
run_processes "$binaries" 11.tests
