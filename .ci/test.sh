#!/usr/bin/env bash
# Runs the unit and integration tests: with cargo-nextest where it is installed, else with cargo's own
# runner, so that a machine with nothing but Rust runs the same tests.
#
# Afterwards it says of how many tests nothing was left: tests/support counts the objects of each, by type, and fails
# those that leave some.

set -u

cd "${BASH_SOURCE[0]%/*}/.." || exit 2
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
log=$scratch/log
# Some tests run as somebody else, too.
mkdir -m 777 "$scratch/counts" && chmod 755 "$scratch" && : >"$scratch/counts/lines" && chmod 666 "$scratch/counts/lines" || exit 2
counts=$scratch/counts/lines
export GSOCK_TEST_COUNTS=$counts

say_what_was_left() {
    # Of a test that runs several times the worst counts.
    awk '{ key = $1 " " $2; made[key] += $4; left[key] += $6; fds[key] += $8; open[key] += $10 }
        END {
            for (key in made) {
                tests++; right += left[key] == 0; objects += made[key]
                if (fds[key] > 0 || open[key] > 0) { opening++; closed += open[key] == 0; descriptors += fds[key] }
            }
            printf "%d %d %d %d %d %d\n", tests, right, objects, opening, closed, descriptors
        }' "$counts" | {
        read -r tests right objects opening closed descriptors
        .ci/nets/figure.sh 8.tests "$tests" "$right" "tests, of whose $objects objects of ours none is left"
        .ci/nets/figure.sh 7.tests "$opening" "$closed" "tests, of whose $descriptors descriptors in our hands none is left open"
    }
}

if cargo nextest --version >/dev/null 2>&1; then
    echo "test runner: cargo-nextest, a process per test (profile ${NEXTEST_PROFILE:-default})"
    cargo nextest run --locked 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    # Colours or not.
    read -r tried passed < <(sed 's/\x1b\[[0-9;]*m//g' "$log" |
        sed -n 's/^ *Summary \[.*\] *\([0-9]*\) tests run: \([0-9]*\) passed.*/\1 \2/p' | tail -n 1)
    [ -z "${tried-}" ] || .ci/nets/figure.sh 1.own "$tried" "$passed" "tests on a context of their own"
    say_what_was_left
    exit "$code"
fi

echo "test runner: cargo test (cargo-nextest is not installed)"
# nextest ends a test that hangs; here the whole run has a limit, where there is a command for it.
limit=()
if command -v timeout >/dev/null 2>&1; then
    limit=(timeout --kill-after=10 600)
fi
# --tests leaves out the documentation, whose tests have a step of their own.
${limit[@]+"${limit[@]}"} cargo test --locked --tests
code=$?
[ "$code" -ne 124 ] || echo "the tests did not end within 600 s"
say_what_was_left
exit "$code"
