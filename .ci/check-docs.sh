#!/usr/bin/env bash
# Checks what the documents promise about the tree: check-docs.sh [root of the tree]
#
# - every example has its line in examples/README.md;
# - every relative link in a Markdown file leads to a file, and its #fragment to a heading;
# - docs/differences.md has a row for each flaw F-1 to F-33, by its number in the column "no.";
# - a row there under "Gone" or "GLib's own" names a test and the GLib on which it was seen;
# - every test that it, docs/reliability.md, README.md or an example's README.md names, as `file::test_name`, exists.

set -u

root=${1:-$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)}
# shellcheck source=.ci/lib.sh
. "$(cd "${BASH_SOURCE[0]%/*}" && pwd)/lib.sh"
cd "$root" || exit 1

failures=0
fail() {
    printf 'check-docs: %s\n' "$*" >&2
    failures=$((failures + 1))
}

files=$(tree_files .)

# An example is examples/name.rs or examples/name/main.rs.
names=$(printf '%s\n' "$files" | sed -nE 's|^examples/([^/]+)\.rs$|\1|p; s|^examples/([^/]+)/main\.rs$|\1|p')
for name in $names; do
    grep -qE "(\`$name\`|[^A-Za-z0-9_]$name\.rs|--example $name([^A-Za-z0-9_]|\$))" examples/README.md 2>/dev/null ||
        fail "examples/README.md has no line for $name"
done

# Links as `line number:target`: [text](target) and [label]: target, outside code.
links_of() { # file
    perl -CSD -ne '
        if (/^\s*(```|~~~)/) { $fence = !$fence; next }
        next if $fence;
        s/`[^`]*`//g;
        print "$.:$1\n" while /\]\(\s*<?([^)\s>]+)>?[^)]*\)/g;
        print "$.:$1\n" if /^\s{0,3}\[[^\]]+\]:\s*<?([^\s>]+)/;
    ' "$1"
}

# The anchors that GitHub makes of the headings of a file.
anchors_of() { # file
    perl -CSD -ne '
        if (/^\s*(```|~~~)/) { $fence = !$fence; next }
        next if $fence;
        print "$1\n" while /<a (?:name|id)="([^"]+)"/g;
        next unless /^\s{0,3}#+\s+(.*?)\s*#*\s*$/;
        my $text = lc $1;
        $text =~ s/\[([^\]]*)\]\([^)]*\)/$1/g;
        $text =~ s/[^\w\- ]//g;
        $text =~ tr/ /-/;
        print $text, ($seen{$text} ? "-$seen{$text}" : ""), "\n";
        $seen{$text}++;
    ' "$1"
}

for file in $(printf '%s\n' "$files" | grep -E '\.md$'); do
    folder=.
    case $file in */*) folder=${file%/*} ;; esac
    while IFS= read -r hit; do
        target=${hit#*:}
        case $target in
            # Elsewhere, or an item that rustdoc resolves (crate::Item, Type::method).
            *://* | mailto:* | *::*) continue ;;
        esac
        path=${target%%#*}
        case $path in
            "") path=$file ;;
            /*) path=.$path ;;
            *) path=$folder/$path ;;
        esac
        if [ ! -e "$path" ]; then
            fail "$file:${hit%%:*}: the link $target leads nowhere"
        elif [[ $target == *'#'* && $path == *.md ]]; then
            anchors_of "$path" | grep -qxF -e "${target#*#}" ||
                fail "$file:${hit%%:*}: $path has no heading for #${target#*#}"
        fi
    done < <(links_of "$file")
done

# What is wrong with the rows of a list of differences, a line for each.
rows_of() { # file
    perl -CSD -ne '
        BEGIN { $flaws = 33 }
        if (/^##\s+(.*?)\s*$/) { $section = $1 }
        if (!/^\|/) { undef %column; next }
        my @cells = split /(?<!\\)\|/, $_, -1;
        s/^\s+|\s+$//g for @cells;
        if (!%column) { @column{@cells} = 0 .. $#cells; next }
        next if /^[|\s:-]+$/;
        my $cell = sub { exists $column{$_[0]} ? $cells[$column{$_[0]}] // "" : "" };
        my $row = "line $.";
        for ($cell->("no.") =~ /\bF-(\d+)/g) {
            print "$row: there is no flaw F-$_\n" if $_ < 1 || $_ > $flaws;
            $seen{$_} = 1;
        }
        next unless $section =~ /^(Gone|GLib.s own)$/;
        print "$row: a row of \"$section\" without a number\n" unless $cell->("no.");
        print "$row: a row of \"$section\" that does not say on which GLib it was seen\n"
            unless $cell->("seen") =~ /^\d+\.\d+\.\d+$/;
        print "$row: a row of \"$section\" without a test\n"
            unless $cell->("test") =~ /`[a-z]\w*(::\w+)+`/;
        END { $seen{$_} or print "no row for the flaw F-$_\n" for 1 .. $flaws }
    ' "$1"
}

if [ ! -f docs/differences.md ]; then
    fail "docs/differences.md is missing"
else
    while IFS= read -r wrong; do
        fail "docs/differences.md: $wrong"
    done < <(rows_of docs/differences.md)
fi

# Paths into crates and details of signals look the same; everything else of this form is a test.
crates='notify|gio|glib|glib_macros|gobject|gsock|libc|once_cell|std|core|alloc|crate|self|super'
tests=$(test_names)
for page in docs/differences.md docs/reliability.md README.md examples/*/README.md; do
    [ -f "$page" ] || continue
    # shellcheck disable=SC2016 # the backticks are Markdown's
    for name in $(grep -oE '`[a-z][a-z0-9_]*(::[a-z][a-z0-9_]*)+`' "$page" | tr -d '`' | sort -u |
        grep -vE "^($crates)::"); do
        grep -qxF -e "$name" <<<"$tests" ||
            fail "$page names the test $name, and there is none of that name"
    done
done

[ "$failures" -eq 0 ] && echo "check-docs: in order"
