#!/usr/bin/env bash
# Runs the whole suite with the GLib of the next Debian: newer-glib.sh [ARGUMENT…]
#
# In a system of its own beneath the target folder, made by mmdebstrap in half a minute and kept for the next time; in
# mount and process namespaces of its own, with this machine's Rust. Needs root. The arguments are nextest's: a file
# (--test NAME), a part of a test's name.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2

release=trixie
packages=(libglib2.0-dev pkg-config gcc libc6-dev make glib-networking ca-certificates gsettings-desktop-schemas libsoup-3.0-0
    procps iproute2 openssl socat ncat microsocks tinyproxy-bin nginx-light systemd)
# What is in no package of that release: dante.
without='not test(/dante_is_spoken_with|goes_through_a_proxy_to_nginx/)'

for tool in mmdebstrap unshare chroot cargo-nextest; do
    command -v "$tool" >/dev/null 2>&1 || broken "$tool is missing"
done
[ "$(id -u)" -eq 0 ] || broken "a system of its own is made by root"

target=${CARGO_TARGET_DIR:-$root/target}
case $target in /*) ;; *) target=$root/$target ;; esac
where=$target/newer-glib
system=$where/system
mkdir -p "$where" || exit 2

SECONDS=0
exec 9>"$where/lock"
flock 9 || broken "no lock"
list=${packages[*]}
if [ "$(cat "$where/made" 2>/dev/null)" != "$release $list" ]; then
    rm -rf "$system" "$where/made"
    # Services of those packages are not to start: there is nothing in there that could start them.
    mmdebstrap --quiet --mode=root --variant=apt --include="${list// /,}" "$release" "$system" >"$where/log" 2>&1 ||
        broken "mmdebstrap failed: $where/log"
    echo "$release $list" >"$where/made"
    echo "newer-glib: made the system in $SECONDS s"
fi

cargo_home=${CARGO_HOME:-$HOME/.cargo}
rustup_home=${RUSTUP_HOME:-$HOME/.rustup}
mkdir -p "$system/cargo" "$system/rustup" "$system/tree" "$system/build" || exit 2
cp "$(command -v cargo-nextest)" "$system/usr/bin/" || exit 2
# Rust may have come from somewhere else than rustup.
[ -d "$rustup_home" ] || broken "$rustup_home is missing: Rust is taken from there"

# In the namespaces: what is mounted there is gone with them.
cat >"$where/inside" <<'END'
set -eu
system=$1 tree=$2 cargo_home=$3 rustup_home=$4
shift 4
mount --bind "$cargo_home" "$system/cargo"
mount --bind "$rustup_home" "$system/rustup"
mount --bind "$tree" "$system/tree"
# Its own servers, not those that were unpacked for this machine.
[ ! -d "$system/tree/target/servers" ] || mount -t tmpfs tmpfs "$system/tree/target/servers"
mount -t proc proc "$system/proc"
mount --rbind /dev "$system/dev"
mount -t tmpfs tmpfs "$system/tmp"
exec chroot "$system" /usr/bin/env -i HOME=/root LANG=C.UTF-8 CARGO_HOME=/cargo RUSTUP_HOME=/rustup CARGO_TARGET_DIR=/build \
    PATH=/cargo/bin:/usr/bin:/bin:/usr/sbin:/sbin bash -c 'cd /tree && exec "$@"' inside "$@"
END
inside() { # command…
    unshare --mount --pid --fork --kill-child bash "$where/inside" "$system" "$root" "$cargo_home" "$rustup_home" "$@"
}

version=$(inside pkg-config --modversion gio-2.0) || broken "there is no GIO in the system"
if ! inside cargo test --locked --no-run >"$where/build.log" 2>&1; then
    tail -n 40 "$where/build.log"
    broken "the tests do not build"
fi
echo "newer-glib: built in $SECONDS s, with GLib $version"
inside timeout --kill-after=10 1200 cargo nextest run --locked --no-fail-fast -E "$without" "$@" </dev/null 2>&1 | tee "$where/tests.log"
code=${PIPESTATUS[0]}
echo "newer-glib: GLib $version: exit code $code, $SECONDS s"
if [ $# -eq 0 ]; then
    read -r tried right < <(sed 's/\x1b\[[0-9;]*m//g' "$where/tests.log" |
        sed -n 's/^ *Summary \[.*\] *\([0-9]*\) tests run: \([0-9]*\) passed.*/\1 \2/p' | tail -n 1)
    [ -z "${tried-}" ] || .ci/nets/figure.sh 1.newer "$tried" "$right" "tests with GLib $version" || code=1
fi
[ "$code" -eq 0 ] || exit 1
[ $# -eq 0 ] || exit 0

# Each scenario in which GIO is known to differ from ours says what this GIO does, and what the oldest one did.
inside timeout --kill-after=10 600 cargo nextest run --locked --test parity --success-output immediate differs \
    >"$where/differs.log" 2>&1 </dev/null || broken "the differences do not run: $where/differs.log"
awk '
    / PASS / { name = $NF }
    /GIO: .*; in / {
        all++
        split($0, said, /; in [0-9.]+: /)
        sub(/.*GIO: /, "", said[1])
        if (said[1] != said[2]) { changed++; print "newer-glib: " name ": GIO says " said[1] ", and did say " said[2] }
    }
    END { printf "newer-glib: of %d differences GIO has changed %d\n", all, changed; exit all == 0 }
' "$where/differs.log" || broken "no differences"
