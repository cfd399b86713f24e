#!/usr/bin/env bash
# Checks that the crate can be packaged as it is, without a warning and without the network, and that what
# its documentation includes is in the package. It is not built from there: that takes as long as a clean build.

set -u

cd "${BASH_SOURCE[0]%/*}/.." || exit 1

if ! said=$(cargo package --locked --offline --allow-dirty --no-verify --package gsock 2>&1); then
    printf '%s\n' "$said" >&2
    exit 1
fi
if grep -i '^warning' <<<"$said" >&2; then
    printf 'check-package: a package is made without a warning\n' >&2
    exit 1
fi
files=$(cargo package --locked --offline --allow-dirty --list --package gsock) || exit 1
failures=0
while read -r included; do
    if ! grep -qxF -- "$included" <<<"$files"; then
        printf 'check-package: %s is not in the package\n' "$included" >&2
        failures=$((failures + 1))
    fi
done < <(grep -rhoP 'include_str!\("\.\./\K[^"]+' src/*.rs)
[ "$failures" -eq 0 ] || exit 1
printf 'check-package: %s files\n' "$(wc -l <<<"$files")"
