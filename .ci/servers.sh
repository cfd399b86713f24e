#!/usr/bin/env bash
# Unpacks the servers that tests start for themselves under target/servers: their packages, installed, would
# run as daemons. Does nothing where they are there. On Debian and Ubuntu only: elsewhere tests find what is on PATH.
#
# So does systemd-socket-activate, where the system has not got it: with the libraries that it brings and needs, in usr/lib.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
where=$root/target/servers
# A library of two of them, which few systems have, is unpacked with them.
packages=(microsocks tinyproxy-bin dante-server libwrap0 socat ncat openssl nginx libnginx-mod-stream
    haproxy gnutls-bin dnsmasq-base iperf3)
programs=(bin/microsocks bin/tinyproxy sbin/danted bin/socat bin/ncat bin/openssl sbin/nginx
    lib/nginx/modules/ngx_stream_module.so sbin/haproxy bin/gnutls-serv bin/gnutls-cli sbin/dnsmasq bin/iperf3)

# Where the dynamic linker is to look, for what was unpacked.
libraries() {
    local folder found=
    for folder in "$where"/usr/lib/systemd "$where"/usr/lib/*/systemd "$where"/usr/lib/*-linux-* "$where"/lib/*-linux-*; do
        [ -d "$folder" ] && found="$found${found:+:}$folder"
    done
    printf '%s' "$found"
}

can_activate() {
    command -v systemd-socket-activate >/dev/null 2>&1 ||
        LD_LIBRARY_PATH=$(libraries) "$where/usr/bin/systemd-socket-activate" --version >/dev/null 2>&1
}

are_there() {
    local program
    for program in "${programs[@]}"; do
        # Modules may be read, and need not be run.
        [ -r "$where/usr/$program" ] || return 1
    done
    can_activate
}

# The libraries that packages name and the system lacks: what they are called differs from release to release.
lacking() { # package…
    local package
    apt-cache depends --important "$@" 2>/dev/null | sed -n 's/^[ |]*\(Pre\)\{0,1\}Depends: \(lib[a-z0-9.+-]*\)$/\2/p' | sort -u |
        while read -r package; do
            dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
        done
}

are_there && exit 0
# And what these libraries lack themselves.
mapfile -t first < <(lacking ncat haproxy gnutls-bin dnsmasq-base iperf3)
mapfile -t second < <(lacking "${first[@]}")
packages+=("${first[@]}" "${second[@]}")
if ! can_activate; then
    # In some releases the first has a library of its own as a package.
    mapfile -t first < <(lacking systemd)
    mapfile -t second < <(lacking "${first[@]}")
    packages+=(systemd "${first[@]}" "${second[@]}")
    programs+=(systemd-socket-activate)
fi
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
printf 'servers: not in their packages, or of no use: %s\n' "${programs[*]}"
exit 1
