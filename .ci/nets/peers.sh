#!/usr/bin/env bash
# Twelve programs of others at the other end: peers.sh [NAME…]
#
# The tests of tests/peers.rs, or those whose name begins with NAME: socat, ncat, microsocks, dante, tinyproxy, nginx, haproxy,
# openssl, gnutls, dnsmasq, systemd (its systemd-socket-activate), iperf3. Servers to which our client goes, clients that come to
# our services, and what stands between the two: what comes back is compared byte for byte, TLS is verified and refused. Each test
# is a process in namespaces of its own, of the network, of mounts and of processes, with names and a resolver of its own; they
# are gone when it ends, however it ends.
#
# The programs are those that servers.sh unpacks beneath target/, or what is on PATH. One that is not there is not skipped: its
# tests fail. Needs root, or the right to make namespaces as a user; ip.
# Exit code: 0 all was right, 1 something was not, 2 the net could not do its work.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2
peers=(socat ncat microsocks dante tinyproxy nginx haproxy openssl gnutls dnsmasq systemd iperf3)

# --- In the namespaces: runs one test ------------------------------------------------------------------------

if [ "${1-}" = --inside ]; then
    work=$2 driver=$3 test=$4
    set -e
    printf '127.0.0.1 localhost peer.test\n' >"$work/hosts"
    printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >"$work/resolv.conf"
    printf 'hosts: files dns\npasswd: files\ngroup: files\nservices: files\n' >"$work/nsswitch.conf"
    for file in hosts resolv.conf nsswitch.conf; do
        [ -e "/etc/$file" ] || broken "there is no /etc/$file to be replaced"
        mount --bind "$work/$file" "/etc/$file"
    done
    ip link set lo up
    # Whom these packets are for is not there.
    ip link add nobody type veth peer name nowhere
    ip addr add 10.66.0.1/24 dev nobody
    ip addr add fd66::1/64 dev nobody nodad
    ip link set nobody up
    ip link set nowhere up
    ip neigh add 10.66.0.9 lladdr 02:00:00:00:00:09 dev nobody
    ip neigh add fd66::9 lladdr 02:00:00:00:00:09 dev nobody
    set +e
    mkdir "$work/tmp"
    # Proxies of the machine's are not for these.
    env -u http_proxy -u https_proxy -u all_proxy -u no_proxy TMPDIR="$work/tmp" GSOCK_TEST_PEERS=1 GSOCK_TEST_SLOWNESS=3 \
        G_DEBUG=fatal-criticals timeout -k 5 150 "$driver" --exact "$test" --ignored --nocapture --test-threads=1
    exit
fi

# --- Build ---------------------------------------------------------------------------------------------------

may_enter_namespaces ip
work=$(mktemp -d) || exit 2
leave_nothing "$work"
# Some of the programs give up their rights.
chmod 755 "$work"
# A copy of the tree that is built beneath another one's target folder has the programs there.
export GSOCK_TEST_SERVERS=$root/target/servers
case ${CARGO_TARGET_DIR-} in
    */nets*/build) [ -d "$GSOCK_TEST_SERVERS" ] || GSOCK_TEST_SERVERS=${CARGO_TARGET_DIR%/nets*/build}/servers ;;
esac

ignored_tests_of peers "$work/build"

# --- What is to be tried -------------------------------------------------------------------------------------

chosen=() asked=()
for peer in "${peers[@]}"; do
    wanted=no
    [ $# -gt 0 ] || wanted=yes
    for name; do case $peer in "${name%%_*}"*) wanted=yes ;; esac; done
    [ "$wanted" = yes ] || continue
    mapfile -t of < <(printf '%s\n' "${every[@]}" | grep "::${peer}_")
    [ "${#of[@]}" -gt 0 ] || broken "there is no test of $peer"
    asked+=("$peer")
    for test in "${of[@]}"; do
        wanted=no
        [ $# -gt 0 ] || wanted=yes
        for name; do case ${test##*::} in "$name"*) wanted=yes ;; esac; done
        [ "$wanted" = no ] || chosen+=("$test")
    done
done
[ "${#chosen[@]}" -gt 0 ] || broken "there is no such peer: $*"

SECONDS=0
run_in_namespaces 4 "$work" "$root/.ci/nets/peers.sh" "${chosen[@]}"

# --- What came of it -----------------------------------------------------------------------------------------

right_peers=0 worst=0
for peer in "${asked[@]}"; do
    is_right=yes
    for test in "${chosen[@]}"; do
        name=${test##*::}
        case $name in "${peer}"_*) ;; *) continue ;; esac
        log=$work/$name/log
        sed -n 's/.*tried: \(.*\): \(.*\): \([0-9]*\) \([0-9]*\)$/\1|\2|\3|\4/p' "$log" >>"$work/counted"
        code=$(cat "$work/$name/code")
        if [ "$code" -eq 0 ] && grep -q 'tried: ' "$log"; then continue; fi
        # It had no say, or did not come to its end: one that was not right.
        if ! grep -q 'tried: ' "$log"; then
            echo "$peer: ${name#*_}|any|1|0" >>"$work/counted"
            grep -q 'panicked at' "$log" || tail -n 5 "$log"
        fi
        grep -E '^wrong: ' "$log" | cut -c 1-200
        grep -A 2 -E 'panicked at|CRITICAL|unexpected ' "$log" | grep -v -e '^--$' -e 'see above' -e RUST_BACKTRACE | cut -c 1-240 | head -n 30
        [ "$code" -ne 124 ] || echo "$name: not done after 150 s"
        echo "again: .ci/nets/peers.sh $name"
        is_right=no worst=1
    done
    [ "$is_right" = no ] || right_peers=$((right_peers + 1))
done
awk -F '|' '
    !($1 in tried) { order[++count] = $1 }
    {
        tried[$1] += $3; right[$1] += $4
        parts[$1] = parts[$1] ($1 in parts && parts[$1] != "" ? ", " : "") $2 " " $3 " / " $4
    }
    END {
        printf "%-42s %7s   %s\n", "peer: what it does", "tried / right", "of these"
        for (row = 1; row <= count; row++) {
            name = order[row]
            printf "%-42s %5d / %-5d   %s%s\n", name, tried[name], right[name], parts[name], tried[name] == right[name] ? "" : "   <--"
        }
    }
' "$work/counted"
read -r tried right < <(awk -F '|' '{ tried += $3; right += $4 } END { print tried + 0, right + 0 }' "$work/counted")
echo "peers: ${#chosen[@]} of ${#every[@]} tests; $SECONDS s"
.ci/nets/figure.sh 18.peers "${#asked[@]}" "$right_peers" "peers in ${#chosen[@]} roles, in which $right of $tried cases are right" "${#peers[@]}"
code=$?
[ "$code" -ne 2 ] || exit 2
[ "$code" -le "$worst" ] || worst=$code
exit "$worst"
