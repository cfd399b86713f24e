#!/usr/bin/env bash
# Cancels, drops, closes and nests a main loop at every point of every operation, and sums up the points.
#
#   .ci/nets/cancel.sh [FILTER]     FILTER is one of the test runner's, for some of the operations only
#   .ci/nets/cancel.sh --home [FILTER]    the rules of a connection's home and of fork, without counting
#
# Each asynchronous operation that operations.sh finds in the library must have been tried.
#
#   exit 0   every point that was tried is right
#   exit 1   one is not, a test ended in another way, nothing was tried, or an operation has no driver
#   exit 2   the tests do not build
#
# CANCEL_LIMIT is the time for all of it, in seconds.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
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

files=(cancel_points cancel_points_above cancel_points_adopted)
cargo test --locked --quiet "${files[@]/#/--test=}" --no-run || exit 2

log=$(mktemp -d) || exit 2
leave_nothing "$log"
limit=()
if command -v timeout >/dev/null 2>&1; then
    limit=(timeout --kill-after=10 "${CANCEL_LIMIT:-600}")
fi
# The files at once, and of each one at a time, as they are in any case, so that their lines do not mix.
pids=()
for file in "${files[@]}"; do
    ${limit[@]+"${limit[@]}"} cargo test --locked --quiet --test "$file" -- \
        --nocapture --test-threads=1 "$@" >"$log/$file" 2>&1 &
    pids+=($!)
done
code=0
for at in "${!files[@]}"; do
    wait "${pids[at]}"
    ended=$?
    [ "$ended" -eq 0 ] && continue
    code=$ended
    case $ended in
        124 | 137) echo "cancel points: ${files[at]} not done after ${CANCEL_LIMIT:-600} s" ;;
        *) echo "cancel points: the tests of ${files[at]} ended with $ended" ;;
    esac
done
# The runner's dot for a test stands before what the next one says.
for file in "${files[@]}"; do sed 's/^\.*wrong: /wrong: /' "$log/$file"; done >"$log/all"

# "tried right name"
sed -n 's/.*cancel points: \([0-9]*\) tried, \([0-9]*\) right: \(.*\)$/\1 \2 \3/p' "$log/all" >"$log/points"
awk '
    {
        tried = $1; right = $2
        $1 = $2 = ""; sub(/^ */, "")
        printf "%-48s %7d tried %7d right%s\n", $0, tried, right, tried == right ? "" : "   <--"
    }
' "$log/points"
read -r drivers tried right < <(awk '{ all += $1; good += $2 } END { print NR, all + 0, good + 0 }' "$log/points")

# What was wrong, and with what words.
grep -A 1 -E '^wrong: |panicked at|CRITICAL|SIG[A-Z]+' "$log/all" | grep -v '^--$' | cut -c 1-200 | head -n 40

# An operation that nobody has tried, or a driver of one that there is not.
words="points of $drivers drivers"
if [ $# -eq 0 ]; then
    .ci/nets/operations.sh >"$log/operations" || exit 2
    sed -n 's/.*cancel points of \([a-z_:]*\)$/\1/p' "$log/all" | sort -u >"$log/tried"
    untried=$(comm -23 "$log/operations" "$log/tried")
    unknown=$(comm -13 "$log/operations" "$log/tried")
    for operation in $untried; do echo "cancel points: no driver of $operation"; done
    for operation in $unknown; do echo "cancel points: a driver of what there is not: $operation"; done
    [ -z "$untried$unknown" ] || code=1
    words+=", of $(comm -12 "$log/operations" "$log/tried" | wc -l) of $(wc -l <"$log/operations") operations"
fi
if [ "$code" -ne 0 ] && [ "$tried" -eq "$right" ]; then
    # Something went wrong that no point is to be blamed for.
    tried=$((tried + 1))
fi
.ci/nets/figure.sh 6.points "$tried" "$right" "$words" || code=1
[ "$code" -eq 0 ] && [ "$tried" -gt 0 ]
