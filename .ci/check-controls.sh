#!/usr/bin/env bash
# Checks that the patches in .ci/nets/controls/ still fit the sources, and say which net is to find them:
# check-controls.sh [--build] [root of the tree]. With --build also that the library of each broken copy compiles, which takes
# some seconds for each.

set -u

builds=no
if [ "${1-}" = --build ]; then
    builds=yes
    shift
fi
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

if [ "$builds" = yes ]; then
    # shellcheck source=.ci/lib.sh
    . .ci/lib.sh
    # shellcheck source=.ci/nets/copy.sh
    . .ci/nets/copy.sh
    export CONTROL_COPY=check
    for control in .ci/nets/controls/*.patch; do
        (
            take_copy "$root" || exit
            patch --batch --forward --fuzz=0 --silent -p1 -d "$tree" <"$control" || exit
            cargo check --locked --quiet --lib --manifest-path "$tree/Cargo.toml" >"$copies/log" 2>&1 || {
                grep -m 3 -A 6 '^error' "$copies/log" >&2
                exit 1
            }
        ) && continue
        echo "check-controls: $control: its copy does not build" >&2
        failures=$((failures + 1))
    done
fi
[ "$failures" -eq 0 ] && echo "check-controls: $count in order"
