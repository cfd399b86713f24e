#!/usr/bin/env bash
# Shows that the nets of memory, messages, contexts and counters catch what they are for: controls-memory.sh [NAME…]
#
# Each patch of controls/ that is listed here breaks a copy of the tree, and the command beside it must find
# that. A command runs as few tests as find the fault: what is shown is that the net reports it.
# With names only those patches.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# The nets build by themselves, and tell a build that fails from a fault that is found.
export CONTROL_BUILD=true

controls=(
    "lsan-leaked-memory      asan.sh tcp_connection=graceful"
    "lsan-leaked-object      asan.sh socket_connection=addresses"
    "asan-use-after-free     asan.sh socket_connection=connect_finish"
    "asan-object-use-after-free asan.sh socket_connection=addresses"
    "asan-overrun            asan.sh streams=between_two_of_ours_while_blocking"
    "lsan-leaked-memory      valgrind.sh tcp_connection=graceful"
    "valgrind-read-in-std    valgrind.sh socket_connection=connect_finish"
    "critical-rare-path      contexts.sh private --test socket_connection"
    "critical-structured     contexts.sh private --test threads blocked"
    "context-default         contexts.sh private --test home handlers"
    "context-thread-default  contexts.sh default --test home handlers"
    "counters-descriptor     contexts.sh private --test leaks cancelled_connects"
    "counters-object         contexts.sh private --test leaks cancelled_connects"
    "counters-outlives       contexts.sh private --test socket_connection the_socket"
    "counters-handler        contexts.sh private --test leaks no_handlers"
    "counters-source         contexts.sh private --test leaks no_source"
)

tried=0
failed=0
SECONDS=0
for control in "${controls[@]}"; do
    read -r patch command <<<"$control"
    [ $# -eq 0 ] || case " $* " in *" $patch "*) ;; *) continue ;; esac
    tried=$((tried + 1))
    began=$SECONDS
    "$root/.ci/nets/control.sh" "$root/.ci/nets/controls/$patch.patch" ".ci/nets/$command" ||
        failed=$((failed + 1))
    echo "controls: $patch by $command: $((SECONDS - began)) s"
done
echo "controls: $tried tried, $((tried - failed)) caught; $SECONDS s"
[ "$tried" -gt 0 ] && [ "$failed" -eq 0 ]
