#!/usr/bin/env bash
# Unpacks the servers that tests start for themselves under target/servers: their packages, installed, would
# run as daemons. Does nothing where they are there. On Debian and Ubuntu only: elsewhere tests find what is on PATH.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
where=$root/target/servers
# A library of two of them, which few systems have, is unpacked with them.
packages=(microsocks tinyproxy-bin dante-server libwrap0 socat openssl nginx)
programs=(bin/microsocks bin/tinyproxy sbin/danted bin/socat bin/openssl sbin/nginx)

are_there() {
    local program
    for program in "${programs[@]}"; do
        [ -x "$where/usr/$program" ] || return 1
    done
}

are_there && exit 0
printf 'servers: unpacking %s\n' "${packages[*]}"
# Where apt's own user may write, which it need not in the tree.
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
cd "$scratch" || exit 1
if ! apt-get download -q "${packages[@]}" >log 2>&1; then
    cat log
    printf 'servers: apt-get could not download: %s\n' "${packages[*]}"
    exit 1
fi
mkdir -p "$where"
for package in ./*.deb; do
    dpkg-deb -x "$package" "$where" || exit 1
done
are_there && exit 0
printf 'servers: not in their packages: %s\n' "${programs[*]}"
exit 1
