#!/usr/bin/env bash
# Lets connections come, talk, be cancelled, half closed, closed and dropped for as long as is asked for, at full rate.
#
#   .ci/nets/soak.sh [--seconds N]     600, of which a fifth is to warm up
#
#   exit 0   each did what it should; memory, descriptors and objects are as they were
#   exit 1   one did not, or something grows or is left at the end
#   exit 2   the test does not build
#
# Clients (callbacks, futures, halves, blocking), Framed, Reconnector, relays, Unix connections that pass descriptors, a service, one of
# threads, and a listener, all in one process; who they talk to, in two others. Each is tried on the addresses 127.0.0.1 to 8, so
# that those that wait for their end do not use up the ports. Two hundred samples are taken; through those after the
# warm-up goes a line of least squares, which may rise by 1 MiB and by 24 descriptors. At the end there are as many descriptors as
# at the beginning, and no object of ours.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
cd "$root" || exit 2
seconds=600
if [ "${1-}" = --seconds ]; then
    seconds=$2
fi
test=what_comes_and_goes_for_long_leaves_nothing
again="GSOCK_SOAK_SECONDS=$seconds NEXTEST_EXECUTION_MODE=process-per-test cargo test --test load -- $test --exact --ignored --nocapture"
export NEXTEST_EXECUTION_MODE=process-per-test G_DEBUG=${G_DEBUG:-fatal-criticals} RUST_BACKTRACE=${RUST_BACKTRACE:-0}
export GSOCK_SOAK_SECONDS=$seconds
ulimit -n "$(ulimit -Hn)" || exit 2

cargo test --locked --quiet --test load --no-run || exit 2

log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
timeout --kill-after=10 "$((seconds + 300))" cargo test --locked --quiet --test load -- \
    "$test" --exact --ignored --nocapture >"$log" 2>&1
code=$?
line=$(grep '^soak: ' "$log")
[ -z "$line" ] || echo "$line"
read -r tried right words < <(sed -n 's/^soak: \([0-9]*\) tried, \([0-9]*\) right: \(.*\)$/\1 \2 operations in \3/p' "$log")
# Less than the ten minutes of the goal is a part of it, however much was done in them.
whole=$((${tried:-0} * 600 / (seconds > 0 ? seconds : 1)))
if [ "$code" -eq 0 ]; then
    .ci/nets/figure.sh 20.operations "${tried:-0}" "${right:-0}" "$words" "$whole" || exit 1
    exit 0
fi
# What grows, or is left, is no operation of its own that could be counted.
[ "${tried:-0}" -ne "${right:-0}" ] || tried=$((${tried:-0} + 1))
.ci/nets/figure.sh 20.operations "$tried" "${right:-0}" "${words:-operations}" "$whole"
grep -E '^wrong: |still: |grows?$|panicked at|CRITICAL' "$log" | cut -c 1-200 | sort | uniq -c | sort -rn | head -n 20
[ "$code" -ne 124 ] || echo "soak: not done after $((seconds + 300)) s"
echo "again: $again"
exit 1
