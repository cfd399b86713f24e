#!/usr/bin/env bash
# Checks that the oldest rustc and the oldest GLib are written once, in Cargo.toml:
# check-versions.sh [root of the tree]
#
# A copy elsewhere is right on the day it is written and wrong after the next change. Prose links to
# Cargo.toml; scripts read it. A full version such as the one a behaviour was seen on (three numbers)
# is an observation, not a requirement, and may stand anywhere.

set -u

root=${1:-$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)}
# shellcheck source=.ci/lib.sh
. "$(cd "${BASH_SOURCE[0]%/*}" && pwd)/lib.sh"
cd "$root" || exit 1

failures=0
fail() {
    printf 'check-versions: %s\n' "$*" >&2
    failures=$((failures + 1))
}

rust=$(msrv .)
glib=$(oldest_glib .)
[ -n "$rust" ] || fail "Cargo.toml has no rust-version"
[ -n "$glib" ] || fail "Cargo.toml names no feature v2_NN of gio"
[ "$failures" -eq 0 ] || exit 1

# The bindings are two crates with a feature each: the same number, or one of them is a leftover.
features=$(sed '/^ *#/d' Cargo.toml | grep -oE '"v[0-9]+_[0-9]+"' | sort -u)
[ "$(printf '%s\n' "$features" | wc -l)" -eq 1 ] || fail "Cargo.toml asks for several GLibs: ${features//$'\n'/, }"
count=$(grep -cF "$rust" Cargo.toml)
[ "$count" -eq 1 ] || fail "Cargo.toml says $rust on $count lines"

# Where requirements tend to be repeated. The history and the two lists of observations are left out.
prose=$(tree_files . | grep -E '(\.md|\.toml|^Makefile|^\.ci/.*)$' |
    grep -vE '^(Cargo\.toml|CHANGELOG\.md|docs/(differences|behaviour)\.md)$')

number() { # version: matches it, also with a patch level or as a feature, not inside a longer number
    printf '(^|[^0-9.])v?%s' "${1//./[._]}"
}
for file in $prose; do
    while IFS= read -r hit; do
        fail "$file:$hit: the oldest rustc is written in Cargo.toml only"
    done < <(grep -nE "$(number "$rust")([^0-9]|\$)" "$file" | cut -c 1-120)
    while IFS= read -r hit; do
        fail "$file:$hit: the oldest GLib is written in Cargo.toml only"
    done < <(grep -nE "$(number "$glib")([^0-9.]|\.[^0-9]|\.?\$)" "$file" | cut -c 1-120)
done

[ "$failures" -eq 0 ] && echo "check-versions: each written once"
