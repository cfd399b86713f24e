#!/usr/bin/env bash
# Runs the unit and integration tests: with cargo-nextest where it is installed, else with cargo's own
# runner, so that a machine with nothing but Rust runs the same tests.

set -u

if cargo nextest --version >/dev/null 2>&1; then
    echo "test runner: cargo-nextest, a process per test (profile ${NEXTEST_PROFILE:-default})"
    exec cargo nextest run --locked
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
exit "$code"
