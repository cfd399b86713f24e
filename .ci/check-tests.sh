#!/usr/bin/env bash
# Checks that no test slips past the nets: check-tests.sh [--figure] [root of the tree]
#
# - each file of tests takes in tests/support, whose writer ends the process on a message that nobody expects;
# - nobody else touches the handlers of log messages, or which of them are fatal;
# - each bug of GIO's history that docs/reliability.md counts, 1 to 44, has a test `bug_NN_…`, and no other number has; with
#   --figure their count is said as a figure;
# - each control `bug-NN-…` breaks what a test of that number looks at;
# - each test runs on a context that support gives it, private or the default one as asked for. Those
#   that need none are listed here, with the reason.

set -u

figure=no
[ "${1-}" != --figure ] || { figure=yes && shift; }
root=${1:-$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)}
# shellcheck source=.ci/lib.sh
. "$(cd "${BASH_SOURCE[0]%/*}" && pwd)/lib.sh"
cd "$root" || exit 1

# FILE or FILE:TEST, from tests/ on.
without_context="
abi.rs:the_class_structs_are_laid_out_as_documented numbers of the compiler
abi.rs:the_instance_structs_are_their_parents numbers of the compiler
examples.rs other processes
cancel_points_above/stage.rs a macro, whose bodies stand in the files that name it
under_faults/ends.rs a macro, whose bodies stand in the files that name it
introspection.rs:a_difference_that_is_not_listed_is_found_and_so_is_one_that_is_none of the comparison itself
first_use.rs other processes, and no context before them
harness.rs:what_does_not_go_through_a_context_cannot_log_unseen as it says
harness.rs:a_limit_ends_a_test_and_a_panic_goes_through runs support itself
"

failures=0
fail() {
    printf 'check-tests: %s\n' "$*" >&2
    failures=$((failures + 1))
}

files=$(tree_files . | grep -E '^tests/.*\.rs$')
for file in $files; do
    case ${file#tests/} in
        */*) ;;
        *)
            rust_code "$file" | grep -qE '^mod support;' || fail "$file: has no 'mod support;'"
            ;;
    esac
    [ "$file" != tests/support/log.rs ] || continue
    touches=$(rust_code "$file" | grep -nE 'log_(un)?set_|log_remove_handler|log_set_(always_fatal|fatal_mask)|g_test_(expect|trap|log)' | head -n 1)
    [ -z "$touches" ] || fail "$file:${touches%%:*}: handlers of log messages are for tests/support/log.rs"
done

# In tests/, or beside what they are about.
bugs=$({
    test_names
    tree_files . | grep -E '^src/.*\.rs$' | while IFS= read -r file; do
        rust_code "$file" | perl -0777 -ne 'print "src::$1\n" while /\#\[test\]\s*fn\s+(\w+)/g'
    done
} | sed -n 's/^.*::bug_\([0-9]*\)_.*/\1/p')
known=44
tested=$(awk 'NF { print $1 + 0 }' <<<"$bugs" | sort -nu)
for number in $(seq "$known"); do
    grep -qx "$number" <<<"$tested" || fail "bug $number of GIO's history has no test bug_$(printf %02d "$number")_…"
done
for number in $tested; do
    [ "$number" -le "$known" ] || fail "bug $number is none of the $known of docs/reliability.md"
done
controlled=
for control in .ci/nets/controls/bug-*.patch; do
    [ -e "$control" ] || continue
    number=${control##*/bug-}
    number=${number%%-*}
    grep -qE "^net: .*bug_$number( |$)" "$control" || fail "$control runs no test of bug_$number"
    controlled+=$number$'\n'
done
controlled=$(sort -u <<<"$controlled")
if [ "$figure" = yes ]; then
    .ci/nets/figure.sh 16.tests "$known" "$(grep -c . <<<"$tested")" "bugs of GIO's with a test of their number" || failures=$((failures + 1))
fi

# The tests whose bodies name no entry of support, nor a function of the tests that does.
loose=$(for file in $files; do
    printf '\n//FILE %s\n' "${file#tests/}"
    # Without comments and strings, so that braces and names are those of code.
    rust_code "$file"
done | perl -0777 -ne '
    my (%body, @tests, $file);
    # A function ends in its line, or where a brace stands below its "fn".
    for (split /^\/\/FILE /m) {
        s/^(\S+)\n// or next;
        $file = $1;
        while (/((?:^[ \t]*\#\[[^\n]*\n)*)^([ \t]*)(?:pub(?:\([a-z]+\))?[ ]+)?(?:unsafe[ ]+)?(?:extern "[^"]*"[ ]+)?fn[ ]+(\w+)([^\n]*\{[^\n]*\}[ ]*$|.*?^\2\})/msg) {
            my ($attributes, $name, $text) = ($1, $3, $4);
            $body{$name} .= $text;
            push @tests, [$file, $name, $text] if $attributes =~ /\#\[test\]/;
        }
    }
    my %enters = map { $_ => 1 } qw(on_private_context on_private_context_within on_default_context);
    # Until nothing is added: through however many functions.
    for (my $before = 0; $before != keys %enters;) {
        $before = keys %enters;
        for my $name (keys %body) {
            next if $enters{$name};
            $enters{$name} = 1 if grep { $enters{$_} } $body{$name} =~ /(\w+)[ ]*(?:::<[^>]*>)?\(/g;
        }
    }
    for (@tests) {
        my ($file, $name, $text) = @$_;
        print "$file $name\n" unless grep { $enters{$_} } $text =~ /(\w+)[ ]*(?:::<[^>]*>)?\(/g;
    }
    printf "COUNT %d\n", scalar @tests;
')
count=0
excused=0
while read -r file name; do
    case $file in
        COUNT) count=$name ;;
        *)
            if grep -qE "^$file(:$name)? [^ ]" <<<"$without_context"; then
                excused=$((excused + 1))
            else
                fail "tests/$file: $name runs on no context of support's"
            fi
            ;;
    esac
done <<<"$loose"
[ "$count" -gt 0 ] || fail "there are no tests"

[ "$failures" -eq 0 ] && echo "check-tests: in order ($count tests, $excused without a context; of $known bugs $(grep -c . <<<"$controlled") with a control)"
