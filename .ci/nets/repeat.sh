#!/usr/bin/env bash
# Runs all tests again and again, and takes none twice: repeat.sh [TIMES] (ten)
#
# The suite has the tests of old bugs and those of every point of cancellation in it. A test that fails in one of the runs
# is named with the run it failed in; nothing is retried. The last run of several has all tests on the process' default main context,
# the others give each a context of its own.
#
# Exit code: 0 none failed, 1 one did, 2 the tests do not build.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2

times=${1:-10}
cargo nextest --version >/dev/null 2>&1 || broken "needs cargo-nextest"
test_binaries test >/dev/null || broken "the tests do not build"
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT

tried=0 right=0 failed=0 runs=0
SECONDS=0
for ((run = 1; run <= times; run++)); do
    context=private
    [ "$run" -eq 1 ] || [ "$run" -lt "$times" ] || context=default
    # Retries of CI's profile are for what is GIO's own; here the other one counts.
    GSOCK_TEST_CONTEXT=$context NEXTEST_PROFILE=default cargo nextest run --locked --no-fail-fast --retries 0 --color never >"$log" 2>&1
    read -r some passed < <(sed -n 's/^ *Summary \[.*\] *\([0-9]*\) tests run: \([0-9]*\) passed.*/\1 \2/p' "$log" | tail -n 1)
    [ -n "${some-}" ] || { tail -n 20 "$log"; broken "run $run has no summary"; }
    tried=$((tried + some)) right=$((right + passed)) runs=$((runs + 1))
    echo "repeat: run $run: $passed of $some, $SECONDS s"
    # Those that are skipped are run by a net alone.
    [ "$context" = private ] || .ci/nets/figure.sh 1.default "$some" "$passed" "tests on the default one" || :
    if [ "$some" -ne "$passed" ]; then
        failed=$((failed + 1))
        grep -E '^ *(FAIL|TIMEOUT|SIG[A-Z]+|ABORT)' "$log" | sort -u | head -n 20
        grep -A 3 'panicked at' "$log" | head -n 40
    fi
done
.ci/nets/figure.sh 21.tests "$tried" "$right" "tests in $runs runs, $((runs - failed)) of which had none that failed" || exit 1
