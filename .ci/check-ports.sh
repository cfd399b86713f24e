#!/usr/bin/env bash
# Checks the programs that are worked out twice: check-ports.sh [root of the tree]
#
# A port is a folder of examples/ with a gio.rs, on GIO's types, and an ours.rs, on gsock's.
#
# - it has a README.md, with one row `| lines of code | OURS | GIO |`, which says what there is now; so do rows
#   "| of these `NAME` | OURS | GIO |" of what stands under `// --- NAME ---`;
# - ours is the shorter one;
# - both are tested, by tests/ports/.
#
# A line of code is one that is neither blank nor a comment only; a module `tests` with #[cfg(test)] at the end of a file
# does not count.

set -u

root=${1:-$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)}
# shellcheck source=.ci/lib.sh
. "$(cd "${BASH_SOURCE[0]%/*}" && pwd)/lib.sh"
cd "$root" || exit 1

failures=0
fail() {
    printf 'check-ports: %s\n' "$*" >&2
    failures=$((failures + 1))
}

lines_of() { # file
    # Strings stay: a line of text in one is a line of code.
    perl -CSD -0777 -ne '
        s{^\#\[cfg\(test\)\]\s*mod tests \{.*}{}ms;
        s{
            (//[^\n]*)                              # 1: line comment
          | (/\*(?:[^*/]|\*(?!/)|/(?!\*)|(?2))*\*/) # 2: block comment; they nest
          | \br(\#*)"(?s:.*?)"\g3                   # raw string; 3: its hashes
          | "(?:[^"\\]|\\(?s:.))*"                  # string
          | \x27(?:[^\x27\\\n]|\\[^\n]+?)\x27       # character: a quote in it opens no string
        }{ my $text = $&; $text =~ s/[^\n]+//g if $1 || $2; $text }gex;
        my $count = () = /^.*\S.*$/mg;
        print $count;
    ' "$1"
}

part_of() { # name, file
    awk -v head="// --- $1 -" '/^\/\/ --- /{inside = index($0, head) == 1} inside' "$2"
}

files=$(tree_files .)
ports=$(printf '%s\n' "$files" | sed -nE 's#^(examples/[^/]+)/(gio|ours)\.rs$#\1#p' | sort -u)
count=0
for port in $ports; do
    count=$((count + 1))
    for file in ours.rs gio.rs README.md; do
        [ -f "$port/$file" ] || fail "$port has no $file"
    done
    if [ ! -f "$port/ours.rs" ] || [ ! -f "$port/gio.rs" ]; then continue; fi
    ours=$(lines_of "$port/ours.rs")
    gio=$(lines_of "$port/gio.rs")
    [ "$ours" -lt "$gio" ] || fail "$port: ours has $ours lines of code, GIO's $gio"
    if [ -f "$port/README.md" ]; then
        said=$(grep -ciE '^\| *lines of code *\|' "$port/README.md")
        [ "$said" -eq 1 ] || fail "$port/README.md has $said rows '| lines of code | OURS | GIO |'"
        grep -qiE "^\| *lines of code *\| *$ours *\| *$gio *\|" "$port/README.md" ||
            fail "$port/README.md: it is | lines of code | $ours | $gio |"
        while IFS='`' read -r _ name said; do
            ours=$(part_of "$name" "$port/ours.rs" | lines_of -)
            gio=$(part_of "$name" "$port/gio.rs" | lines_of -)
            [ "${said//[ |]/ }" = "   $ours   $gio  " ] ||
                fail "$port/README.md: it is | of these \`$name\` | $ours | $gio |"
        done < <(grep -E '^\| of these `' "$port/README.md")
    fi
    for file in ours.rs gio.rs; do
        printf '%s\n' "$files" | grep -E '^tests/ports(\.rs|/.*\.rs)$' | tr '\n' '\0' |
            xargs -0 -r grep -qF "/$port/$file\"" || fail "$port/$file is in none of tests/ports/"
    done
done
[ "$count" -gt 0 ] || fail "there are no ports"

[ "$failures" -eq 0 ] && echo "check-ports: $count in order"
