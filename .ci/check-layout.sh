#!/usr/bin/env bash
# Checks what stands where: check-layout.sh [root of the tree]
#
# - the places that everything else relies on exist;
# - nothing stands at the top that is not listed here: a new place there is a decision, not an accident;
# - the crates the library stands on are direct dependencies, and are used;
# - no file names a path of somebody's machine.

set -u

root=${1:-$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)}
# shellcheck source=.ci/lib.sh
. "$(cd "${BASH_SOURCE[0]%/*}" && pwd)/lib.sh"
cd "$root" || exit 1

places=(Cargo.toml src subclass tests examples build.rs)
allowed=("${places[@]}"
    README.md LICENSE CHANGELOG.md CONTRIBUTING.md SECURITY.md
    Makefile Cargo.lock deny.toml rustfmt.toml clippy.toml .config .ci .gitignore
    docs benches capi fuzz
)
dependencies=(glib gio glib-macros once_cell)

failures=0
fail() {
    printf 'check-layout: %s\n' "$*" >&2
    failures=$((failures + 1))
}

for place in "${places[@]}"; do
    [ -e "$place" ] || fail "$place is missing"
done

files=$(tree_files .)
for entry in $(printf '%s\n' "$files" | cut -d / -f 1 | sort -u); do
    case " ${allowed[*]} " in
        *" $entry "*) ;;
        *) fail "$entry: not a listed place at the top of the tree" ;;
    esac
done

# The names in [dependencies], also in the form [dependencies.name].
declared=$(awk '
    /^\[/ { here = ($0 == "[dependencies]") }
    /^\[dependencies\./ { sub(/^\[dependencies\./, ""); sub(/\].*/, ""); print }
    here && /^[A-Za-z0-9_-]+[ .=]/ { sub(/[ .=].*/, ""); print }
' Cargo.toml 2>/dev/null)
code=$(printf '%s\n' "$files" | grep -E '^(src|subclass)/.*\.rs$' | while IFS= read -r file; do rust_code "$file"; done)
for name in "${dependencies[@]}"; do
    printf '%s\n' "$declared" | grep -qx -e "$name" || fail "$name is not a direct dependency in Cargo.toml"
    # Not behind another path: `gio::glib::` uses gio.
    grep -qE "(^|[^A-Za-z0-9_:])(::)?${name//-/_}::" <<<"$code" || fail "$name is used nowhere in src/ or subclass/"
done

# A folder that only one machine has; behind a word or a dot it is a part of something longer.
machine_path='(^|[^A-Za-z0-9_.~})/-])/(home|Users|root|work|workspace|builds)/[A-Za-z0-9._-]'
while IFS= read -r hit; do
    [ -z "$hit" ] || fail "$hit: a path of one machine"
done < <(printf '%s\n' "$files" | tr '\n' '\0' | xargs -0 grep -nIE "$machine_path" /dev/null | cut -c 1-160)

[ "$failures" -eq 0 ] && echo "check-layout: in order"
