#!/usr/bin/env bash
# Runs a command on a machine that is as this one is, and of which nothing stays: scratch-machine.sh command [argument…]
#
# What it writes, anywhere, is in memory and gone with it. It is root there, has no network but a loopback, and what it
# leaves running ends with it. By root, or through sudo; on Linux, and in a container that may make namespaces.

set -eu

if [ "${1:-}" != --inside ]; then
    [ "$#" -gt 0 ] || { echo "scratch-machine: which command?" && exit 2; }
    # `env` on the far side of sudo, which drops the variables of this side.
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo env "PATH=$PATH" "HOME=$HOME" "PROFILE=${PROFILE:-}")
    # Whoever made the namespace cannot take the folder away from in there.
    memory=$(mktemp -d)
    trap 'rmdir "$memory"' EXIT
    code=0
    "${as_root[@]}" unshare --mount --net --pid --fork --kill-child "$0" --inside "$memory" "$@" || code=$?
    exit "$code"
fi
memory=$2
shift 2

perl -MSocket -e 'socket(my $any, AF_INET, SOCK_DGRAM, 0) or die $!;
    my $up = pack("a16 s x22", "lo", 1);
    ioctl($any, 0x8914, $up) or die "no loopback: $!"' # SIOCSIFFLAGS, IFF_UP

mount -t tmpfs -o mode=755 memory "$memory"
new=$memory/root
number=0
over() { # folder: shows it in the new machine, and keeps what is written to it
    number=$((number + 1))
    mkdir -p "$new" "$memory/$number/written" "$memory/$number/work"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$memory/$number/written,workdir=$memory/$number/work" "$new${1%/}"
}
over /
# What else the machine has of disks: the tree, or a home, may be on one.
while read -r _ folder kind _; do
    case $folder in / | "$memory"* | /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | /run | /run/*) continue ;; esac
    case $kind in proc | sysfs | cgroup* | autofs | *tracefs | bpf | debugfs | mqueue | nsfs | squashfs) continue ;; esac
    [ ! -d "$folder" ] || [ ! -d "$new$folder" ] || over "$folder" || echo "scratch-machine: it has no $folder"
done </proc/self/mounts
mount -t proc proc "$new/proc"
mount --rbind /dev "$new/dev"
[ ! -d /sys ] || mount --rbind /sys "$new/sys"

# shellcheck disable=SC2016 # of the inner shell
exec chroot "$new" "$BASH" -c 'cd "$0" && exec "$@"' "$PWD" "$@"
