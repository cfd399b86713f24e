#!/usr/bin/env bash
# Runs the tests on what is asked for: contexts.sh [default|private|sources|poll-function] [ARGUMENT…]
#
# The usual run gives each test a context of its own; this one, by default, runs each on the process' default
# context, one at a time in a process; "sources" is the portable back end, which watches each descriptor by a
# source of its own; "poll-function" has each context wait by the poller (gsock::engine::use_poll_function).
# The arguments are cargo's: a file (--test NAME) or the
# library (--lib), a part of a test's name. With --each N before them only each N-th test, and others on the next day,
# where there is nextest.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2

context=${1:-default}
[ $# -eq 0 ] || shift
case $context in
    default | private) export GSOCK_TEST_CONTEXT=$context ;;
    sources) export GSOCK_TEST_CONTEXT=private GSOCK_BACK_END=sources ;;
    poll-function) export GSOCK_TEST_CONTEXT=private GSOCK_BACK_END=poll-function ;;
    *) broken "there is nothing called $context" ;;
esac

part=()
each=1
if [ "${1-}" = --each ]; then
    each=$2
    part=(--partition "hash:$(($(date +%s) / 86400 % $2 + 1))/$2")
    shift 2
fi

files=()
for argument; do
    case ${previous:-} in --test) files+=(--test "$argument") ;; esac
    case $argument in --lib) files+=(--lib) ;; esac
    previous=$argument
done
test_binaries test ${files[@]+"${files[@]}"} >/dev/null || broken "the tests do not build"

whole=$#
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
SECONDS=0
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --no-fail-fast ${part[@]+"${part[@]}"} "$@" 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    [ "$code" -ne 4 ] || broken "there is no such test"
else
    [ $# -gt 0 ] || set -- --tests
    timeout --kill-after=10 900 cargo test --locked --no-fail-fast "$@"
    code=$?
fi
echo "contexts: $context: exit code $code, $SECONDS s"
# Without arguments alone it is a figure of the table.
if [ "$context" = default ] && [ "$whole" -eq 0 ]; then
    read -r tried right skipped < <(sed 's/\x1b\[[0-9;]*m//g' "$log" |
        sed -n 's/^ *Summary \[.*\] *\([0-9]*\) tests run: \([0-9]*\) passed.*, \([0-9]*\) skipped.*/\1 \2 \3/p' | tail -n 1)
    [ "$each" -gt 1 ] || skipped=0
    [ -z "${tried-}" ] || .ci/nets/figure.sh 1.default "$tried" "$right" "tests on the default one" $((tried + ${skipped:-0})) || code=1
fi
[ "$code" -eq 0 ] || exit 1
