#!/usr/bin/env bash
# Shows that the nets find what they are for: controls.sh [--one-each] [--list] [NAME…], or controls.sh --kinds [NAME…]
#
# Each patch of controls/ breaks a copy of the tree, and each command in its head, `net: COMMAND`, must report
# that: see control.sh. A command runs as few tests as find the fault. With names only those patches (NAME is
# the beginning of one); with --one-each one for each net, another one each day, and of each kind of fault that heads
# name (`fault: KIND`) one at least, but for those whose head says `slow: REASON`; with --kinds only the latter, of those that have
# one of the names; with --list nothing is run, and each patch is named with its nets.
#
# Two at a time, each in a copy of its own: most of a control is one compiler at work on one file, or a test that waits.
# CONTROL_WORKERS says another number. The nets with a build of their own (asan.sh) are the first worker's, so that there is
# one such build.
#
# Exit code: 0 all were caught, 1 one was missed, 2 one proved nothing.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2
# The nets build by themselves, and tell a build that fails from a fault that is found.
export CONTROL_BUILD=true
# Those whose commands build the tests as they are.
plain=' contexts.sh cancel.sh faults.sh faults-strace.sh valgrind.sh networks.sh peers.sh '

in_head() { # patch, word
    sed -n "/^\(diff\|---\) /q; s/^$2: *//p" "$1"
}

# Those whose name begins with one of the arguments, if there are any.
named() { # patches on stdin, names
    local patch name
    while IFS= read -r patch; do
        [ $# -gt 0 ] || echo "$patch"
        for name; do
            case ${patch##*/} in "$name"*) echo "$patch" && break ;; esac
        done
    done
}

# One that the day chooses.
one_of() { # patches
    local there=("$@")
    echo "${there[day % ${#there[@]}]}"
}

list=no
day=${SEED:-$(date +%-j)}
choice=all
while [ $# -gt 0 ]; do
    case $1 in
        --list) list=yes ;;
        --one-each | --kinds) choice=$1 ;;
        *) break ;;
    esac
    shift
done
mapfile -t patches < <(printf '%s\n' .ci/nets/controls/*.patch | named "$@")
if [ "$choice" != all ]; then
    echo "controls: $choice, seed $day"
    quick=()
    for patch in "${patches[@]}"; do
        [ -n "$(in_head "$patch" slow)" ] || quick+=("$patch")
    done
    patches=()
    if [ "$choice" = --one-each ]; then
        for net in $(printf '%s\n' "${quick[@]##*/}" | sed 's/-.*//' | sort -u); do
            mapfile -t of_net < <(printf '%s\n' "${quick[@]}" | named "$net-")
            patches+=("$(one_of "${of_net[@]}")")
        done
    fi
    while IFS= read -r fault; do
        mapfile -t of_fault < <(grep -lx "fault: $fault" "${quick[@]}")
        [ "${#patches[@]}" -gt 0 ] && grep -qx "fault: $fault" "${patches[@]}" && continue
        patches+=("$(one_of "${of_fault[@]}")")
    done < <(grep -hx 'fault: .*' "${quick[@]}" | sed 's/^fault: //' | sort -u)
fi

work=$(mktemp -d) || exit 2
leave_nothing "$work"
nameless=0
: >"$work/own"
: >"$work/rest"
for patch in "${patches[@]}"; do
    name=${patch##*/}
    nets=$(in_head "$patch" net)
    if [ -z "$nets" ]; then
        echo "controls: $name names no net" >&2
        nameless=$((nameless + 1))
        continue
    fi
    while IFS= read -r net; do
        case $plain in
            *" ${net%% *} "*) printf '%s\t%s\n' "$patch" "$net" >>"$work/rest" ;;
            *) printf '%s\t%s\n' "$patch" "$net" >>"$work/own" ;;
        esac
    done <<<"$nets"
done
if [ "$list" = yes ]; then
    cat "$work/own" "$work/rest" | sed 's|^.ci/nets/controls/||' | sort
    exit 0
fi

# Prints a line of a queue and takes it out of it; fails where there is none.
next_of() { # queue
    local line
    exec 8>"$work/lock"
    flock 8
    IFS= read -r line <"$work/$1" && sed -i 1d "$work/$1"
    exec 8>&-
    [ -n "${line-}" ] && printf '%s\n' "$line"
}

worker() { # number
    local line patch net began code
    while { [ "$1" -eq 0 ] && line=$(next_of own); } || line=$(next_of rest); do
        patch=${line%%$'\t'*} net=${line#*$'\t'}
        began=$SECONDS
        CONTROL_COPY=${1#0} .ci/nets/control.sh "$patch" ".ci/nets/$net" </dev/null >"$work/said.$1" 2>&1
        code=$?
        {
            cat "$work/said.$1"
            echo "controls: ${patch##*/} by $net: $((SECONDS - began)) s"
        } >"$work/says.$1"
        # In one piece, whoever else says something.
        cat "$work/says.$1"
        printf '%s %s\n' "$code" "${patch##*/}" >>"$work/codes.$1"
    done
}

SECONDS=0
for ((number = 0; number < ${CONTROL_WORKERS:-2}; number++)); do
    worker "$number" &
done
wait
cat "$work"/codes.* 2>/dev/null >"$work/codes"
tried=$(wc -l <"$work/codes")
caught=$(grep -c '^0 ' "$work/codes")
echo "controls: $tried tried, $caught caught; $SECONDS s"
sed -n 's|^0 |.ci/nets/controls/|p' "$work/codes" | xargs -r grep -h '^fault: ' | sort | uniq -c |
    awk '{ count = $1; $1 = $2 = ""; sub(/^ */, ""); words = words ", " count " of " $0 } END { if (words) print "controls: found" substr(words, 2) }'

# The bugs that GIO has had, each once, whichever of its controls were caught.
bugs_of() { # pattern of codes
    sed -n "s/^$1 bug-\([0-9]*\)-.*/\1/p" "$work/codes" | sort -u | wc -l
}
if grep -q ' bug-' "$work/codes"; then
    all=$(printf '%s\n' .ci/nets/controls/bug-*.patch | sed 's|.*/bug-\([0-9]*\)-.*|\1|' | sort -u | wc -l)
    .ci/nets/figure.sh 16.red "$(bugs_of '[0-9]*')" "$(bugs_of 0)" "bugs whose test is red on a build that is broken that way" "$all"
fi
[ "$tried" -gt 0 ] || exit 2
[ "$nameless" -eq 0 ] || exit 2
exit "$(sort -rn "$work/codes" | sed -n '1s/ .*//p')"
