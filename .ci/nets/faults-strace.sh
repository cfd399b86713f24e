#!/usr/bin/env bash
# A second opinion on faults.sh: some of its cases with the kernel's own answer replaced by strace(1), which also
# sees system calls that go past the C library. The drivers judge by the same rules.
#
# Exit code: 0 all survived, 1 some did not, 2 strace or the drivers cannot run.

set -u

here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
root=${here%/.ci/nets}
cd "$root" || exit 2

# Lines "test, call in the C library, system call, occurrence on its thread, errnos". Only the thread of the
# operation makes these calls in these drivers.
# No EALREADY for a connect: of one that has ended no kernel says so, and no edge would follow.
cases='
reading::read_blocking::tcp recv recvfrom 1 EINTR EAGAIN EIO ECONNRESET
reading::read_async::unix_bare recv recvfrom 3 EINTR EAGAIN EIO ENOMEM
reading::read_polled::tcp_bare recv recvfrom 2 EINTR EAGAIN ETIMEDOUT
writing::write_blocking::unix send sendto 2 EINTR EAGAIN EPIPE
writing::write_async::tcp send sendto 3 EINTR ENOBUFS ECONNRESET
writing::writev_polled::tcp_bare sendmsg sendmsg 2 EINTR EAGAIN EMSGSIZE
connecting::connect_blocking::tcp_bare connect connect 1 EINTR ECONNREFUSED EADDRNOTAVAIL
connecting::connect_async::tcp connect connect 2 ENETUNREACH ETIMEDOUT EHOSTUNREACH
connecting::connect_future::unix connect connect 1 EINTR EAGAIN ENOENT
reading::read_blocking::unix poll poll 1 EINTR ENOMEM
closing::close_gracefully::blocking_tcp shutdown shutdown 1 ENOTCONN ENOBUFS
closing::close_gracefully::async_tcp_bare recv recvfrom 2 EINTR EAGAIN ECONNRESET
'

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
if ! strace -o /dev/null true 2>"$work/out"; then
    cat "$work/out" >&2
    exit 2
fi
CARGO_TERM_COLOR=never cargo test --locked --no-run --test under_faults >"$work/build" 2>&1 || {
    cat "$work/build" >&2
    exit 2
}
driver=$(sed -n 's/^ *Executable .*(\(.*\))$/\1/p' "$work/build" | tail -n 1)

tried=0 survived=0
while read -r test call system nth errnos; do
    [ -n "$test" ] || continue
    for errno in $errnos; do
        number=$(printf '#include <errno.h>\n"" %s\n' "$errno" | ${CC:-cc} -E -P -x c - | sed -n 's/^"" //p')
        play=(env FAULT_BY_TRACER=1 "FAULT_CALL=$call" "FAULT_ERRNO=$number" strace -f -qq -o "$work/trace"
            -e "trace=$system" -e "inject=$system:error=$errno:when=$nth" "$driver" --exact "$test" --nocapture)
        tried=$((tried + 1))
        timeout -k 2 30 "${play[@]}" >"$work/out" 2>&1
        code=$?
        if [ "$code" -eq 0 ] && grep -q INJECTED "$work/trace"; then
            survived=$((survived + 1))
            continue
        fi
        echo "FAILED $test: $system $errno $nth: $(grep -m 1 -A 1 'panicked at' "$work/out" | tr '\n' ' ' | cut -c 1-200) (exit code $code, injected $(grep -c INJECTED "$work/trace"))"
        echo "  ${play[*]}"
    done
done <<<"$cases"
echo "faults by strace: $survived of $tried survived"
.ci/nets/figure.sh 5.cases "$tried" "$survived" "cases of $(grep -c . <<<"$cases") operations, by strace" || exit 1
