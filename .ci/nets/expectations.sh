#!/usr/bin/env bash
# Shows that the parity tests can fail: turns each of their expectations round, one at a time, in a scratch
# copy, and counts the tests that notice.
#
#   expectations.sh [--every N] [test name…]
#
# An expectation is one look at an assertion in one test; a table's rows are looked at one by one. With
# --every only one of about N is turned, of each eighth test where N is large: a test has to run before it is known what
# it looks at. Which ones a seed says, which SEED sets and the first line tells.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/lib.sh
. "$root/.ci/lib.sh"
# shellcheck source=.ci/nets/copy.sh
. "$root/.ci/nets/copy.sh"
cd "$root" || exit 1

every=1
if [ "${1:-}" = --every ]; then
    every=$2
    shift 2
fi
seed=${SEED:-$((RANDOM % every))}
jobs=$(($(nproc 2>/dev/null || echo 2) * 3))

take_copy "$root" || exit 2
work=$copies/expectations
rm -rf "$work"
mkdir -p "$work/looks" "$work/runs" || exit 2

cp .ci/nets/inverted.rs "$tree/tests/parity/inverted.rs"
# Before the first module, so that all of them see the macros.
perl -0pi -e 's/^(mod support;)/#[path = "parity\/inverted.rs"]\n#[macro_use]\nmod inverted;\n$1/m' "$tree/tests/parity.rs"
binary=$(cd "$tree" &&
    cargo test --locked --test parity --no-run --message-format=json 2>"$work/build.log" |
    perl -ne 'print "$1\n" if /"name":"parity".*"executable":"([^"]+)"/') || true
if [ -z "$binary" ]; then
    cat "$work/build.log" >&2
    echo "expectations: the scratch copy does not build" >&2
    exit 1
fi

cd "$tree" || exit 2
tests=$("$binary" --list --format terse 2>/dev/null | sed -n 's/: test$//p')
if [ "$#" -gt 0 ]; then
    tests=$(printf '%s\n' "$tests" | grep -F -f <(printf '%s\n' "$@"))
fi
count=$(printf '%s\n' "$tests" | grep -c .)
[ "$count" -gt 0 ] || {
    echo "expectations: no test of that name" >&2
    exit 1
}
all=$count
if [ "$every" -ge 64 ] && [ "$#" -eq 0 ]; then
    tests=$(awk -v seed="$seed" 'NR % 8 == seed % 8' <<<"$tests")
    count=$(printf '%s\n' "$tests" | grep -c .)
    every=$((every / 8))
fi
echo "expectations: $count of $all tests; each ${every}th expectation, seed $seed, $jobs at a time"

export binary work
record() { # test
    local name=${1//::/.}
    # Several at a time, on a machine that may have something else to do.
    EXPECTATIONS=record:$work/looks/$name GSOCK_TEST_SLOWNESS=3 timeout 60 "$binary" --exact "$1" >"$work/runs/$name.record" 2>&1 ||
        echo "$1" >>"$work/failed"
}
export -f record
printf '%s\n' "$tests" | xargs -P "$jobs" -I{} bash -c 'record {}'
if [ -s "$work/failed" ]; then
    echo "expectations: these fail as they are:" >&2
    while read -r name; do
        echo "  $name" >&2
        grep -A 4 -E 'panicked at|CRITICAL|unexpected ' "$work/runs/${name//::/.}.record" | cut -c 1-240 | head -n 20 >&2
    done <"$work/failed"
    exit 1
fi

invert() { # test look
    local out
    out=$(EXPECTATIONS=invert:$2 timeout 60 "$binary" --exact "$1" --nocapture 2>&1)
    local code=$?
    if ! grep -qF "expectation inverted: $2" <<<"$out"; then
        echo "unreached $1 $2"
    elif [ "$code" -eq 0 ]; then
        echo "missed $1 $2"
    else
        echo "caught $1 $2"
    fi
}
export -f invert
for test in $tests; do
    looks=$work/looks/${test//::/.}
    if [ -s "$looks" ]; then
        sed "s|^|$test |" "$looks"
    else
        echo "$test" >>"$work/empty"
    fi
done | awk -v every="$every" -v seed="$((seed / 8))" 'NR % every == seed % every' |
    xargs -P "$jobs" -L 1 bash -c 'invert "$@"' bash >"$work/results"

# What several threads look at has no fixed order: asked for once more, one at a time.
grep '^unreached' "$work/results" | while read -r _ test look; do invert "$test" "$look"; done >"$work/again"
{
    grep -v '^unreached' "$work/results"
    cat "$work/again"
} >"$work/final"
tried=$(grep -c . "$work/final")
caught=$(grep -c '^caught' "$work/final")
grep -v '^caught' "$work/final" | sed 's/^/expectations: /' >&2
if [ -s "$work/empty" ]; then
    sed 's/^/expectations: looks at nothing: /' "$work/empty" >&2
    exit 1
fi
echo "expectations: $tried inverted, $caught caught"
[ "$tried" -gt 0 ] && [ "$tried" -eq "$caught" ]
