#!/usr/bin/env bash
# Checks docs/behaviour.md, the numbered facts of GIO's behaviour: check-facts.sh [--figure] [root of the tree]
#
# - each fact names a test, or says why none can be;
# - each test that is named exists, in the file that is named;
# - no number stands twice, and each section holds its own numbers, in order;
# - each number that the tests, the sources and the other documents cite is there.

set -u

figure=no
[ "${1-}" != --figure ] || { figure=yes && shift; }
root=${1:-$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)}
# shellcheck source=.ci/lib.sh
. "$(cd "${BASH_SOURCE[0]%/*}" && pwd)/lib.sh"
cd "$root" || exit 1

page=docs/behaviour.md
failures=0
fail() {
    printf 'check-facts: %s\n' "$*" >&2
    failures=$((failures + 1))
}

if [ ! -f "$page" ]; then
    fail "$page is missing"
    exit 1
fi

# One line per fact: section, number, "test" or "none", and the tests or the reason.
facts=$(perl -CSD -ne '
    sub flush { print join("\t", $section, $fact, @$says ? @$says : ("nothing", "")), "\n" if $fact; $fact = undef }
    if (/^## ([A-Z]+):/) { flush(); $section = $1 }
    elsif (/^## /) { flush(); $section = "-" }
    elsif (/^- \*\*([A-Z]+-[0-9]+[a-z]?)\*\*\s+(.*)/) {
        flush(); ($fact, $says, $field) = ($1, [], "");
        print "empty\t$fact\tnothing\t\n" unless length $2 > 20;
    }
    elsif (/^\s+Test:\s*(.*)/ && $fact) { $says = ["test", $1]; }
    elsif (/^\s+No test:\s*(.*)/ && $fact) { $says = ["none", $1]; }
    elsif (/^\s+(\S.*)/ && $fact && @$says) { $says->[1] .= " $1"; }
    END { flush() }
' "$page")

[ -n "$facts" ] || fail "$page has no facts"
tests=$(test_names)
tested=0 reasoned=0
while IFS=$'\t' read -r section fact kind text; do
    [ -n "$fact" ] || continue
    if [ "$section" = empty ]; then
        fail "$fact says nothing"
        continue
    fi
    [ "$section" = "${fact%%-*}" ] || fail "$fact stands in the section $section"
    case $kind in
        test)
            tested=$((tested + 1))
            # shellcheck disable=SC2016 # the backticks are Markdown's
            names=$(grep -oE '`[a-z][a-z0-9_]*(::[a-z0-9_]+)+`' <<<"$text" | tr -d '`')
            [ -n "$names" ] || fail "$fact names no test"
            for name in $names; do
                grep -qxF -e "$name" <<<"$tests" || fail "$fact names the test $name, and there is none of that name"
            done
            ;;
        none)
            reasoned=$((reasoned + 1))
            [ "${#text}" -gt 15 ] || fail "$fact has no test, and no reason for that"
            ;;
        *) fail "$fact has neither a test nor a reason why none can be" ;;
    esac
done <<<"$facts"

numbers=$(cut -f 2 <<<"$facts" | grep .)
twice=$(sort <<<"$numbers" | uniq -d)
[ -z "$twice" ] || fail "more than once: $(tr '\n' ' ' <<<"$twice")"
for section in $(cut -f 1 <<<"$facts" | grep -v empty | uniq); do
    of_section=$(grep -E "^$section-" <<<"$numbers")
    [ "$of_section" = "$(sort -V <<<"$of_section")" ] || fail "the numbers of $section are not in order"
done

# Cited anywhere, and in no section of the page.
sections=$(cut -f 1 <<<"$facts" | grep -v empty | sort -u | paste -sd '|' -)
if [ -n "$sections" ]; then
    while IFS=: read -r file number; do
        grep -qxF -e "$number" <<<"$numbers" || fail "$file cites $number, which $page does not have"
    done < <(tree_files . | grep -E '^(src|subclass|tests|capi|examples|docs)/.*\.(rs|md|c|h|py)$' | grep -vxF "$page" |
        xargs grep -HoE "\b($sections)-[0-9]+[a-z]?\b" | sort -u)
fi

[ "$failures" -eq 0 ] && echo "check-facts: $((tested + reasoned)) facts, $tested with a test, $reasoned with a reason why none can be"
if [ "$figure" = yes ]; then
    all=$((tested + reasoned))
    .ci/nets/figure.sh 2.facts "$all" $((failures ? 0 : all)) "facts, $reasoned of them with a reason why no test can be"
fi
[ "$failures" -eq 0 ]
