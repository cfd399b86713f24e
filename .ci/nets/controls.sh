#!/usr/bin/env bash
# Shows that the nets find what they are for: controls.sh [--one-each] [NAME…]
#
# Each patch of controls/ breaks a copy of the tree, and each command in its head, `net: COMMAND`, must report
# that: see control.sh. A command runs as few tests as find the fault. With names only those patches (NAME is
# the beginning of one); with --one-each one for each net, another one each day.
#
# Exit code: 0 all were caught, 1 one was missed, 2 one proved nothing.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
cd "$root" || exit 2
# The nets build by themselves, and tell a build that fails from a fault that is found.
export CONTROL_BUILD=true

patches=(.ci/nets/controls/*.patch)
if [ "${1:-}" = --one-each ]; then
    shift
    day=${SEED:-$(date +%-j)}
    echo "controls: one for each net, seed $day"
    chosen=()
    for net in $(printf '%s\n' "${patches[@]##*/}" | sed 's/-.*//' | sort -u); do
        of_net=(.ci/nets/controls/"$net"-*.patch)
        chosen+=("${of_net[day % ${#of_net[@]}]}")
    done
    patches=("${chosen[@]}")
fi

tried=0 caught=0 worst=0
SECONDS=0
for patch in "${patches[@]}"; do
    name=${patch##*/}
    if [ $# -gt 0 ]; then
        wanted=no
        for argument; do case $name in "$argument"*) wanted=yes ;; esac; done
        [ "$wanted" = yes ] || continue
    fi
    nets=$(sed -n '/^\(diff\|---\) /q; s/^net: *//p' "$patch")
    if [ -z "$nets" ]; then
        echo "controls: $name names no net" >&2
        worst=2
        continue
    fi
    while IFS= read -r net; do
        tried=$((tried + 1))
        began=$SECONDS
        .ci/nets/control.sh "$patch" ".ci/nets/$net" </dev/null
        code=$?
        [ "$code" -ne 0 ] || caught=$((caught + 1))
        [ "$code" -le "$worst" ] || worst=$code
        echo "controls: $name by $net: $((SECONDS - began)) s"
    done <<<"$nets"
done
echo "controls: $tried tried, $caught caught; $SECONDS s"
[ "$tried" -gt 0 ] || exit 2
exit "$worst"
