#!/usr/bin/env bash
# Runs GIO's own test programs on our connections: oracle.sh [PROGRAM…]
#
# Debian packs the programs that GIO is tested with. With the C library preloaded, and GIO adopted before `main`
# (gsock_adopt_gio), each connection that a client, a listener, a service or GDBus makes in them is one of ours. Every case must go as it goes on
# GIO's own class: a program that does not pass is run there too, and is one of ours only if it passes there.
# They are run as they are packed, on a bus of their own.
#
# Exit code: 0 no difference, 1 there is one, 2 it could not be tried.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2

# Those that make connections, and what is built on their streams. But for gapplication, which failed on GIO's own class in 12 of 24
# runs beside other work: it quits an application that may be gone.
programs=(socket socket-address socket-listener socket-service gsocketclient-slow unix-streams unix-fd proxy-test network-address
    pollable io-stream cancellable task tls-interaction tls-certificate tls-bindings tls-database buffered-input-stream
    buffered-output-stream data-input-stream data-output-stream filter-streams converter-stream stream-rw_all sleepy-stream
    async-splice-output-stream async-close-output-stream simple-proxy simple-async-result credentials contexts gsubprocess
    gdbus-addresses gdbus-auth gdbus-bz627724 gdbus-close-pending gdbus-connection gdbus-connection-flush gdbus-connection-loss
    gdbus-connection-slow gdbus-error gdbus-exit-on-close gdbus-export gdbus-introspection gdbus-message
    gdbus-method-invocation gdbus-names gdbus-non-socket gdbus-overflow gdbus-peer gdbus-peer-object-manager gdbus-proxy
    gdbus-proxy-threads gdbus-proxy-unique-name gdbus-proxy-well-known-name gdbus-sasl gdbus-serialization
    gdbus-server-auth gdbus-subscribe gdbus-test-codegen gdbus-threading actions debugcontroller dbus-appinfo)
[ $# -eq 0 ] || programs=("$@")
limit=120  # seconds, for one program
at_once=4

for tool in gcc pkg-config apt-get dpkg-deb dbus-run-session; do
    command -v "$tool" >/dev/null 2>&1 || broken "needs $tool"
done

work=$(target_folder "$root")/nets/oracle
tests=$work/usr/libexec/installed-tests/glib
mkdir -p "$work" || exit 2
if [ ! -x "$tests/socket" ]; then
    scratch=$(mktemp -d) || exit 2
    chmod 755 "$scratch"
    (cd "$scratch" && apt-get download -q libglib2.0-tests >log 2>&1 && dpkg-deb -x ./*.deb "$work") ||
        { cat "$scratch/log" && rm -rf "$scratch" && broken "the package libglib2.0-tests could not be fetched"; }
    rm -rf "$scratch"
fi

cargo build --quiet --locked --package gsock-capi || broken "the C library does not build"
ln -sf "$(target_folder "$root")/debug/libgsock_1.so" "$work/libgsock-1.so.0"
# shellcheck disable=SC2046 # flags
gcc -Wall -Werror -shared -fPIC -o "$work/oracle.so" .ci/nets/oracle.c $(pkg-config --cflags gio-2.0) "$work/libgsock-1.so.0" \
    $(pkg-config --libs gio-2.0) || broken "oracle.c does not build"

# shellcheck disable=SC2119 # there is nothing to remove
leave_nothing
run() { # program, ours or gio
    local own=()
    rm -f "$work/$1.$2.witness"
    [ "$2" = gio ] || own=("LD_PRELOAD=$work/oracle.so" "ORACLE_WITNESS=$work/$1.$2.witness")
    # What the tests are packed with is found beside them; they expect warnings, and say so themselves.
    (cd "$tests" && env -u G_DEBUG G_TEST_SRCDIR="$tests" G_TEST_BUILDDIR="$tests" LD_LIBRARY_PATH="$tests:$work" \
        timeout --kill-after=10 "$limit" dbus-run-session -- env ${own[@]+"${own[@]}"} "$tests/$1" --tap \
        </dev/null >"$work/$1.$2" 2>"$work/$1.$2.err")
    echo $? >"$work/$1.$2.code"
}
passed() { # program, ours or gio: 77 is of one that has left out what this machine lacks
    case $(cat "$work/$1.$2.code") in 0 | 77) ! grep -q '^not ok' "$work/$1.$2" ;; *) false ;; esac
}

SECONDS=0
for program in "${programs[@]}"; do
    [ -x "$tests/$program" ] || continue
    while [ "$(jobs -pr | wc -l)" -ge "$at_once" ]; do wait -n; done
    run "$program" ours &
done
wait

# Without those that a program has left out, which says so in their lines.
cases_in() { # which, program, ours or gio
    grep -E "^$1" "$work/$2.$3" | grep -cviE '# *skip'
}
tried=0 right=0 count=0 without=() missing=()
for program in "${programs[@]}"; do
    [ -x "$tests/$program" ] || { missing+=("$program") && continue; }
    cases=$(cases_in '(not )?ok ' "$program" ours)
    if passed "$program" ours; then
        [ -s "$work/$program.ours.witness" ] || broken "$program was not on our connections"
        tried=$((tried + cases)) right=$((right + cases)) count=$((count + 1))
        continue
    fi
    # Some have moments of their own, which a busy machine misses: one that fails there is no witness.
    stable=yes
    for _ in 1 2 3 4 5; do
        run "$program" gio
        passed "$program" gio || { stable=no && break; }
    done
    if [ "$stable" = no ]; then
        without+=("$program")
        continue
    fi
    cases=$(cases_in 'ok ' "$program" gio)
    good=$(cases_in 'ok ' "$program" ours)
    tried=$((tried + cases)) right=$((right + (good < cases ? good : cases - 1))) count=$((count + 1))
    echo "oracle: $program passes on GIO's class and not on ours (exit code $(cat "$work/$program.ours.code")):"
    tail -n 5 "$work/$program.ours"
    tail -n 10 "$work/$program.ours.err"
done
[ "${#without[@]}" -eq 0 ] || echo "oracle: these do not always pass on GIO's own class here, and say nothing: ${without[*]}"
[ "${#missing[@]}" -eq 0 ] || echo "oracle: these are not among those that Debian packs here: ${missing[*]}"
.ci/nets/figure.sh 2.oracle "$tried" "$right" "cases of $count of GIO's own test programs, $SECONDS s" || exit 1
