#!/usr/bin/env bash
# Looks at what the dependencies are, by deny.toml: licences, sources, and versions that stand twice, of each Cargo.lock of the tree,
# and at what is known against them, where the database of advisories can be fetched.
#
# Exit code: 0 all is as deny.toml says, 1 it is not.

set -u

cd "${BASH_SOURCE[0]%/*}/.." || exit 1

# What one of the crates leaves unused of deny.toml is for the others.
allowed=(-A unmatched-skip -A unnecessary-skip -A license-not-encountered)
manifests=(Cargo.toml examples/inspector/Cargo.toml fuzz/Cargo.toml)
tried=0 right=0
look() { # manifest, check
    local workspace=()
    [ "$1" != Cargo.toml ] || workspace=(--workspace)
    cargo deny --config deny.toml --locked --manifest-path "$1" ${workspace[@]+"${workspace[@]}"} check "${allowed[@]}" "$2"
}
for manifest in "${manifests[@]}"; do
    for check in bans licenses sources; do
        tried=$((tried + 1))
        if look "$manifest" "$check"; then right=$((right + 1)); else echo "deny: $check of $manifest"; fi
    done
done
advisories="advisories could not be had"
if cargo deny --config deny.toml fetch db >/dev/null 2>&1; then
    advisories="no advisory"
    for manifest in "${manifests[@]}"; do
        tried=$((tried + 1))
        if look "$manifest" advisories; then right=$((right + 1)); else advisories="an advisory"; fi
    done
fi
.ci/nets/figure.sh 24.checks "$tried" "$right" "checks of ${#manifests[@]} lock files, $advisories" || exit 1
