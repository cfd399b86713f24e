#!/usr/bin/env bash
# Cancels, drops, closes and nests a main loop at every point of every operation, and sums up the points.
#
#   .ci/nets/cancel.sh [FILTER]     FILTER is one of the test runner's, for some of the operations only
#   .ci/nets/cancel.sh --home [FILTER]    the rules of a connection's home and of fork, without counting
#
#   exit 0   every point that was tried is right
#   exit 1   one is not, a test ended in another way, or nothing was tried
#   exit 2   the tests do not build
#
# CANCEL_LIMIT is the time for all of it, in seconds.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
cd "$root" || exit 2
export G_DEBUG=${G_DEBUG:-fatal-criticals} RUST_BACKTRACE=${RUST_BACKTRACE:-0}

if [ "${1-}" = --home ]; then
    shift
    cargo test --locked --quiet --test home --test fork --no-run || exit 2
    timeout --kill-after=10 300 cargo test --locked --quiet --no-fail-fast --test home --test fork -- "$@" 2>&1 |
        cut -c 1-200
    [ "${PIPESTATUS[0]}" -eq 0 ] || exit 1
    exit 0
fi

cargo test --locked --quiet --test cancel_points --no-run || exit 2

log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
limit=()
if command -v timeout >/dev/null 2>&1; then
    limit=(timeout --kill-after=10 "${CANCEL_LIMIT:-600}")
fi
# One at a time, as they are in any case, so that their lines do not mix.
${limit[@]+"${limit[@]}"} cargo test --locked --quiet --test cancel_points -- \
    --nocapture --test-threads=1 "$@" >"$log" 2>&1
code=$?

sed -n 's/.*cancel points: \([0-9]*\) tried, \([0-9]*\) right: \(.*\)$/\1 \2 \3/p' "$log" | awk '
    {
        tried = $1; right = $2
        $1 = $2 = ""; sub(/^ */, "")
        printf "%-40s %7d tried %7d right%s\n", $0, tried, right, tried == right ? "" : "   <--"
        all += tried; good += right; lines++
    }
    END {
        printf "cancel points of %d drivers: %d tried, %d right\n", lines, all, good
        exit !(all > 0 && all == good)
    }
'
counted=$?
[ "$code" -eq 0 ] && [ "$counted" -eq 0 ] && exit 0

# What was wrong, and with what words.
grep -A 1 -E '^wrong: |panicked at|CRITICAL|SIG[A-Z]+' "$log" | grep -v '^--$' | cut -c 1-200 | head -n 40
case $code in
    0) ;;
    124 | 137) echo "cancel points: not done after ${CANCEL_LIMIT:-600} s" ;;
    *) echo "cancel points: the tests ended with $code" ;;
esac
exit 1
