#!/usr/bin/env bash
# Checks that the patches in .ci/nets/controls/ still fit the sources, and say which net is to find them:
# check-controls.sh [root of the tree]

set -u

root=${1:-$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)}
cd "$root" || exit 1

failures=0
count=0
for control in .ci/nets/controls/*.patch; do
    count=$((count + 1))
    patch --dry-run --batch --forward --fuzz=0 --silent -p1 <"$control" >/dev/null 2>&1 || {
        echo "check-controls: $control does not apply" >&2
        failures=$((failures + 1))
    }
    for word in net report; do
        sed '/^\(diff\|---\) /q' "$control" | grep -q "^$word: " || {
            echo "check-controls: $control has no line '$word: …'" >&2
            failures=$((failures + 1))
        }
    done
done
[ "$failures" -eq 0 ] && echo "check-controls: $count in order"
