#!/usr/bin/env bash
# Shows that the net of faults.sh catches what it is for: each controls/faults-*.patch breaks a copy of the library,
# and the cases that its line `only: REGEX` names must report it. See control.sh.
#
# Exit code: 0 all caught, 1 one was missed, 2 one proved nothing.

set -u

here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
worst=0 caught=0 all=0
for patch in "$here"/controls/faults-*.patch; do
    all=$((all + 1))
    only=$(sed -n 's/^only: *//p' "$patch")
    "$here/control.sh" "$patch" ".ci/nets/faults.sh --only '$only'"
    code=$?
    [ "$code" -ne 0 ] || caught=$((caught + 1))
    [ "$code" -le "$worst" ] || worst=$code
done
echo "faults: $caught of $all controls caught"
exit "$worst"
