#!/usr/bin/env bash
# Counts the cases of bad input (tests/bad_input.rs): answers of proxies with every byte changed and cut short everywhere,
# names and URIs, control messages, frames; and shows how to play one again that is wrong: bad-input.sh [--every] [FILTER]
#
# A byte that stands for nothing is changed to ten others, with --every to all 255, as the rest is in any case. FILTER is a part of
# the names of the tests to run, and then there is no figure.
#
# Exit code: 0 all are right; 1 one is not, or a test ended in another way; 2 the tests do not build.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2

limit=600 # seconds, for all of it
if [ "${1-}" = --every ]; then
    # There are some times as many cases to a test.
    export BAD_INPUT_EVERY=1 GSOCK_TEST_SLOWNESS=${GSOCK_TEST_SLOWNESS:-4}
    shift
fi
export G_DEBUG=${G_DEBUG:-fatal-criticals} RUST_BACKTRACE=${RUST_BACKTRACE:-0}

binaries=$(test_binaries test --test bad_input) || broken "the tests do not build"
binary=$(binary_of bad_input "$binaries") || broken "there is no tests/bad_input.rs"

log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
SECONDS=0
timeout --kill-after=10 "$limit" "$binary" --nocapture "$@" >"$log" 2>&1
code=$?

sed -n 's/^bad input: \([0-9]*\) cases, \([0-9]*\) right: \(.*\)$/\1 \2 \3/p' "$log" | awk '
    { tried = $1; right = $2; $1 = $2 = ""; sub(/^ */, "")
      printf "%-50s %6d tried %6d right%s\n", $0, tried, right, tried == right ? "" : "   <--" }'
read -r tried right tables < <(sed -n 's/^bad input: \([0-9]*\) cases, \([0-9]*\) right: .*/\1 \2/p' "$log" |
    awk '{ tried += $1; right += $2; tables++ } END { print tried + 0, right + 0, tables + 0 }')

# A line of a wrong case is "wrong: TABLE: LABEL: WHY".
grep -a '^wrong: ' "$log" | head -n 20 | while IFS= read -r line; do
    label=${line#wrong: *: }
    printf '%s\n  %sBAD_INPUT_ONLY=%q cargo test --locked --test bad_input\n' "${line:0:300}" "${BAD_INPUT_EVERY:+BAD_INPUT_EVERY=1 }" "${label%%: *}"
done
if [ "$code" -ne 0 ]; then
    grep -a -A 1 -E 'panicked at|^unexpected |SIG[A-Z]+|FAILED$' "$log" | cut -c 1-200 | head -n 30
    # A process that went leaves its cases uncounted: none of them is right.
    [ "$tried" -gt "$right" ] || { tried=$((tried + 1)); echo "bad-input: ended with exit code $code after $SECONDS s"; }
fi
[ $# -eq 0 ] || { [ "$code" -eq 0 ] && [ "$tried" -gt 0 ]; exit; }
.ci/nets/figure.sh 13.cases "$tried" "$right" "cases of $tables tables, in $SECONDS s"
