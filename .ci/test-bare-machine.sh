#!/usr/bin/env bash
# A Debian that has nothing, and somebody who follows capi/README.md on it: what the library needs is installed, the library is
# built and put into a folder of its own, and the examples of four languages run, each with the command of their
# README. Then the packages are made, and installed, and the examples run again.
#
# The machine is a folder, made by mmdebstrap from where apt gets its packages here, of the release that this machine has. Rust
# is this machine's toolchain, mounted: Debian's is too old, and rustup's is not apt's to give. What cargo
# needs it fetches. Root only.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
cd "$root" || exit 1
# shellcheck source=.ci/lib.sh
. .ci/lib.sh

die() {
    printf 'test-bare-machine: FAILED: %s\n' "$*"
    exit 1
}
say() { printf 'test-bare-machine: %4s s: %s\n' "$SECONDS" "$*"; }

if [ "${1:-}" != --inside ]; then
    [ "$(id -u)" -eq 0 ] || die "only root can make a machine"
    command -v mmdebstrap >/dev/null || die "missing: mmdebstrap; .ci/setup.sh nets installs it"
    # shellcheck source=/dev/null
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    [ -n "$release" ] || die "this machine's release has no name"
    scratch=$(mktemp -d)
    trap 'rm -rf --one-file-system "$scratch"' EXIT
    machine=$scratch/machine
    # A line of apt's for each of its sources.
    # shellcheck disable=SC2016 # apt's own variables
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u |
        mmdebstrap --quiet --variant=minbase "$release" "$machine" - >"$scratch/log" 2>&1 || { cat "$scratch/log" && die mmdebstrap; }
    # The ways to the network that this machine has.
    apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-)' >"$machine/etc/apt/apt.conf.d/90as-outside"
    cat >>"$machine/etc/apt/apt.conf.d/90as-outside" <<<'APT::Get::Assume-Yes "true"; APT::Install-Recommends "false";'
    cp -L /etc/resolv.conf /etc/hosts "$machine/etc/"
    mkdir -p "$machine/etc/ssl/certs" "$machine/opt/rust" "$machine/srv/gsock"
    cp -L /etc/ssl/certs/ca-certificates.crt "$machine/etc/ssl/certs/"
    tree_files . | tar -c -T - | tar -x -C "$machine/srv/gsock" || die "the tree cannot be copied"
    say "a $release of $(chroot "$machine" dpkg-query -W | wc -l) packages"
    unshare --mount --pid --fork --kill-child .ci/test-bare-machine.sh --inside "$machine" "$SECONDS"
    exit
fi

machine=$2
SECONDS=$3
mount --bind -o ro "$(rustc --print sysroot)" "$machine/opt/rust" || die "the toolchain cannot be mounted"
mount -t proc proc "$machine/proc" || die "the machine has no /proc"
mount --rbind /dev "$machine/dev" || die "the machine has no /dev"

within() { # user, command: in the folder of the sources
    local user=$1
    shift
    chroot "$machine" setpriv --reuid "$user" --regid "$user" --init-groups --reset-env \
        env PATH=/opt/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "${proxies[@]}" \
        bash -c "cd /srv/gsock && $*" </dev/null
}
proxies=()
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [ -z "${!name:-}" ] || proxies+=("$name=${!name}")
done
step() { # what, user, command
    local what=$1
    shift
    within "$@" >"$machine/log" 2>&1 || { tail -n 40 "$machine/log" && die "$what"; }
    say "$what"
}

# The commands between the fences of a page's section, without their remarks.
commands_of() { # page, what the first of the block begins with
    awk -v first="$2" '/^```text$/ { block = ""; inside = 1; next }
        /^```$/ { if (inside && index(block, first) == 1) { printf "%s", block; exit } inside = 0 }
        inside { sub(/ +# .*/, ""); block = block $0 "\n" }' "$1"
}
# shellcheck disable=SC2016 # the backticks are Markdown's
mapfile -t examples < <(sed -nE 's/^\| \[`(c|python|gjs|vala)\/.*\| `(.*)` \|$/\2/p' examples/README.md)
[ "${#examples[@]}" -eq 4 ] || die "${#examples[@]} examples of other languages in their README, not 4"
run_examples() { # before each, or nothing
    local example
    for example in "${examples[@]}"; do
        if ! within somebody "$1$example" >"$machine/log" 2>&1 || ! grep -q '^ok: ' "$machine/log"; then
            tail -n 40 "$machine/log"
            die "$example"
        fi
    done
    say "${#examples[@]} examples"
}

mapfile -t install < <(commands_of capi/README.md "make setup-capi")
mapfile -t packages < <(commands_of capi/README.md "cargo fetch")
[ "${#install[@]}-${#packages[@]}" = 3-3 ] || die "capi/README.md says other commands than this knows"

chroot "$machine" useradd --create-home --user-group somebody || die useradd
step "make is there, as on a machine that one programs on" root "apt-get update && apt-get install make"
step "${install[0]}" root "${install[0]}"
chroot "$machine" chown -R somebody:somebody /srv/gsock
step "${install[1]}" somebody "${install[1]}"
grep -q 'Without the pages' "$machine/log" || die "make install does not say that there is no gi-docgen"
run_examples "${install[2]}; "
step "make uninstall" somebody "${install[1]/install/uninstall} && ! find ~/.local/gsock ! -type d | grep ."

step "dpkg-dev is there, as on a machine that one packages on" root "apt-get install dpkg-dev"
step "${packages[0]}" somebody "${packages[0]}"
step "${packages[1]}" somebody "${packages[1]}"
step "${packages[2]}" root "${packages[2]}"
run_examples ""
step "the packages are removed" root "apt-get purge libgsock-1-0 && ! find /usr /etc /var/lib -name '*gsock-1*' | grep ."
say "all passed"
