#!/usr/bin/env bash
# Runs the unit and integration tests: with cargo-nextest where it is installed, else with cargo's own
# runner, so that a machine with nothing but Rust runs the same tests.

set -u

cd "${BASH_SOURCE[0]%/*}/.." || exit 2
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT

if cargo nextest --version >/dev/null 2>&1; then
    echo "test runner: cargo-nextest, a process per test (profile ${NEXTEST_PROFILE:-default})"
    cargo nextest run --locked 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    # Colours or not.
    figure=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | sed -n 's/^ *Summary \[.*\] *\([0-9]*\) tests run: \([0-9]*\) passed.*/\1 \2/p' | tail -n 1)
    # shellcheck disable=SC2086 # two numbers
    [ -z "$figure" ] || .ci/nets/figure.sh 1.own $figure "tests on a context of their own" || code=$((code ? code : 1))
    exit "$code"
fi

echo "test runner: cargo test (cargo-nextest is not installed)"
# nextest ends a test that hangs; here the whole run has a limit, where there is a command for it.
limit=()
if command -v timeout >/dev/null 2>&1; then
    limit=(timeout --kill-after=10 600)
fi
# --tests leaves out the documentation, whose tests have a step of their own.
${limit[@]+"${limit[@]}"} cargo test --locked --tests 2>&1 | tee "$log"
code=${PIPESTATUS[0]}
[ "$code" -ne 124 ] || echo "the tests did not end within 600 s"
exit "$code"
