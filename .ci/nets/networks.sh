#!/usr/bin/env bash
# Bad networks: a black hole, resets, refusals, loss, a narrow line, cuts in the middle, delay and disorder.
#
#   .ci/nets/networks.sh           four of the scenarios, another choice each day (SEED: a number in its place)
#   .ci/nets/networks.sh --all     all of them
#   .ci/nets/networks.sh NAME…     these
#
# The scenarios are the tests of tests/networks.rs. Each runs in namespaces of its own, of the network, of mounts and of
# processes, which are gone when it ends, however it ends: two ends joined by a pair of devices, nftables and tc on them,
# and a line of TUN devices whose weather the test makes. Each tries what it is about blocking, by callback and by future,
# and where it makes sense a service, Framed and the Reconnector: the right error within the time that was set, or all of the
# data; nothing left; a main loop that goes on.
#
# Needs root, or the right to make namespaces as a user and to open /dev/net/tun; ip, nft, ss, tc, sysctl.
# Exit code: 0 all was right, 1 something was not, 2 the net could not do its work.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2

# --- In the namespaces: makes both ends, and runs one scenario between them --------------------------------

if [ "${1-}" = --inside ]; then
    work=$2 driver=$3 scenario=$4
    set -e
    mount -t tmpfs tmpfs /run
    # One name with an address of each family, and nobody to ask for others.
    printf '127.0.0.1 localhost\nfd77::2 far.test\n10.77.0.2 far.test\n' >"$work/hosts"
    mount --bind "$work/hosts" /etc/hosts
    ip link set lo up
    ip netns add far
    ip -n far link set lo up
    ip link add near type veth peer name far netns far
    ip addr add 10.77.0.1/24 dev near
    ip addr add fd77::1/64 dev near nodad
    ip -n far addr add 10.77.0.2/24 dev far
    ip -n far addr add fd77::2/64 dev far nodad
    # Packets of the size that they would have outside, not put together for speed.
    ip link set near gso_max_segs 1 up
    ip -n far link set far gso_max_segs 1 up
    ip tuntap add gsock-near mode tun
    ip addr add 10.78.0.1/24 dev gsock-near
    ip link set gsock-near up
    ip -n far tuntap add gsock-far mode tun
    ip -n far addr add 10.78.0.2/24 dev gsock-far
    ip -n far link set gsock-far up
    ip netns exec far nft add table inet gsock
    ip netns exec far nft add chain inet gsock arrives '{ type filter hook input priority 0 ; }'
    # Every packet that is refused is answered, and a neighbour that does not answer is soon given up.
    ip netns exec far sysctl -q -w net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
    sysctl -q -w net.ipv4.neigh.near.mcast_solicit=1 net.ipv4.neigh.near.retrans_time_ms=200
    set +e
    mkdir "$work/tmp"
    TMPDIR="$work/tmp" GSOCK_TEST_NETWORK=1 GSOCK_TEST_SLOWNESS=3 G_DEBUG=fatal-criticals \
        timeout -k 5 150 "$driver" --exact "$scenario" --ignored --nocapture --test-threads=1
    exit
fi

# --- Build -------------------------------------------------------------------------------------------------

may_enter_namespaces ip nft ss tc sysctl
if ! [ -r /dev/net/tun ] || ! [ -w /dev/net/tun ]; then broken "no right to open /dev/net/tun"; fi
work=$(mktemp -d) || exit 2
leave_nothing "$work"
ignored_tests_of networks "$work/build"

# --- What is to be tried -----------------------------------------------------------------------------------

all=${#every[@]}
case ${1-} in
    --all) chosen=("${every[@]}") ;;
    "")
        # Four that stand apart in the list.
        seed=${SEED:-$(date +%-j)}
        chosen=()
        for at in 0 1 2 3; do chosen+=("${every[(seed + at * all / 4) % all]}"); done
        echo "networks: four of $all scenarios, seed $seed"
        ;;
    -*) broken "unknown argument $1" ;;
    *)
        chosen=()
        for name; do
            found=$(printf '%s\n' "${every[@]}" | grep -E "(^|::)$name\$") || broken "there is no scenario $name; there are: ${every[*]##*::}"
            chosen+=("$found")
        done
        ;;
esac

# They wait for most of their time.
SECONDS=0
run_in_namespaces 6 "$work" "$root/.ci/nets/networks.sh" "${chosen[@]}"

# --- What came of it ---------------------------------------------------------------------------------------

worst=0 failed=0
for scenario in "${chosen[@]}"; do
    name=${scenario##*::}
    log=$work/$name/log
    sed -n 's/.*tried: \(.*\): \(.*\): \([0-9]*\) \([0-9]*\)$/\1|\2|\3|\4/p' "$log" >>"$work/counted"
    code=$(cat "$work/$name/code")
    ran=$(grep -cE '^test result: .* [1-9][0-9]* passed|^tried: ' "$log")
    [ "$code" -eq 0 ] && [ "$ran" -gt 1 ] && continue
    # It had no say, or did not come to its end: one that was not right.
    grep -q '^tried: ' "$log" || echo "$name|any|1|0" >>"$work/counted"
    grep -E '^wrong: ' "$log" | cut -c 1-200
    grep -A 2 -E 'panicked at|CRITICAL|unexpected ' "$log" | grep -v -e '^--$' -e 'see above' -e RUST_BACKTRACE | cut -c 1-240 | head -n 30
    [ "$ran" -gt 0 ] || tail -n 15 "$log"
    [ "$code" -ne 124 ] || echo "$name: not done after 150 s"
    echo "again: .ci/nets/networks.sh $name"
    worst=1 failed=$((failed + 1))
done
awk -F '|' '
    BEGIN {
        columns = split("blocking callback future service TLS Framed Reconnector relay line left any", column, " ")
        printf "%-24s", "tried / right"
        for (at = 1; at < columns; at++) printf "%12s", column[at]
        print ""
    }
    { if (!($1 in seen)) { order[++count] = $1; seen[$1] }; tried[$1, $2] += $3; right[$1, $2] += $4 }
    END {
        for (row = 1; row <= count; row++) {
            printf "%-24s", order[row]
            for (at = 1; at < columns; at++) {
                key = order[row] SUBSEP column[at]
                printf "%12s", key in tried ? tried[key] " / " right[key] : "-"
            }
            print (order[row], "any") in tried ? "   did not come to its end" : ""
        }
    }
' "$work/counted"
read -r tried right < <(awk -F '|' '{ tried += $3; right += $4 } END { print tried + 0, right + 0 }' "$work/counted")
echo "networks: ${#chosen[@]} of $all scenarios; $SECONDS s"
.ci/nets/figure.sh 17.cases "${#chosen[@]}" "$((${#chosen[@]} - failed))" "bad networks, in which $right of $tried cases are right" "$all"
code=$?
[ "$code" -ne 2 ] || exit 2
[ "$code" -le "$worst" ] || worst=$code
exit "$worst"
