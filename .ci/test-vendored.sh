#!/usr/bin/env bash
# Builds the C library where nothing can be fetched, from nothing, and does with it what test-packages.sh does: from sources
# that `cargo vendor` has brought, for a cargo that knows no registry; then from the registry of this machine. Both on a
# scratch machine without network. The first is the release profile, as packagers build.
#
# It fetches what `cargo vendor` wants and this machine has not got.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
cd "$root" || exit 1
# shellcheck source=.ci/lib.sh
. .ci/lib.sh

die() {
    printf 'test-vendored: FAILED: %s\n' "$*"
    exit 1
}
say() { printf 'test-vendored: %4s s: %s\n' "$SECONDS" "$*"; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
copy=$scratch/gsock nowhere=$scratch/cargo-home
mkdir -p "$copy/.cargo" "$nowhere"
tree_files . | tar -c -T - | tar -x -C "$copy" || die "the tree cannot be copied"
cp -R "$copy" "$scratch/bare"
(cd "$copy" && cargo vendor --locked >.cargo/config.toml 2>"$scratch/log") || { cat "$scratch/log" && die "cargo vendor"; }
say "$(find "$copy/vendor" -mindepth 1 -maxdepth 1 | wc -l) crates are vendored"

cd "$scratch/bare" || exit 1
"$root/.ci/scratch-machine.sh" env CARGO_HOME="$nowhere" make capi OFFLINE=yes >"$scratch/log" 2>&1 &&
    die "the library is built without any sources: what follows would show nothing"
cd "$copy" || exit 1
"$root/.ci/scratch-machine.sh" env CARGO_HOME="$nowhere" PROFILE=release bash -c '
    # It need not be told that there is no network.
    make install PREFIX=/opt/vendored && make uninstall PREFIX=/opt/vendored && rm -r /opt/vendored &&
        .ci/test-packages.sh --inside' || die "vendored"
say "vendored, for release, without network and registry"

cd "$scratch/bare" || exit 1
cargo fetch --locked --quiet || die "cargo fetch"
PROFILE=dev "$root/.ci/scratch-machine.sh" .ci/test-packages.sh --inside || die "from the registry of this machine"
say "from the registry, without network"
