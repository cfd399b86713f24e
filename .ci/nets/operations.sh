#!/usr/bin/env bash
# Lists every asynchronous operation of the library's public interface, a line each: its module, and its name.
#
# An operation is a public function, or one of a public trait, that is async, that ends in "_async", or that answers a future or a
# stream; and each function "…_async" that stands in a class of GIO's. cancel.sh compares it with what its drivers have tried.
#
# Exit code: 0 there is a list, 2 there is none.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
cd "$root" || exit 2
# shellcheck source=.ci/lib.sh
. .ci/lib.sh

list=$(tree_files . | grep -E '^(src|subclass)/.*\.rs$' | grep -vE '/(imp|tests|simulation)\.rs$|/simulation/' |
    while IFS= read -r file; do
        printf '\n//FILE %s\n' "$file"
        rust_code "$file"
    done | perl -0777 -ne '
        # What answers a future, by whatever name a module has for it.
        my $future = qr/dyn\s+(?:Future|Stream)\b|impl\s+(?:Future|Stream)\b/;
        for my $part (split /^\/\/FILE /m) {
            $part =~ s/^(\S+)\n// or next;
            (my $module = $1) =~ s/^src\///;
            $module =~ s/(?:\/mod)?\.rs$//;
            $module =~ s/\//::/g;
            my %alias = map { $_ => 1 } qw(OperationFuture UnitFuture JoinHandle);
            while ($part =~ /^(?:pub(?:\([a-z]+\))?\s+)?type\s+(\w+)(?:<\w+>)?\s*=([^;]*);/mg) {
                my ($name, $is) = ($1, $2);
                $alias{$name} = 1 if $is =~ $future;
            }
            my $names = join "|", keys %alias;
            # The public traits, and what is public by itself.
            my $in_trait = "";
            $in_trait .= $1 while $part =~ /^(pub\s+trait\s.*?^\})/msg;
            my %seen;
            my $look = sub {
                my ($text, $public) = @_;
                while ($text =~ /^[ \t]*($public)((?:async\s+|unsafe\s+|extern\s+"[^"]*"\s+)*)fn\s+(\w+)\s*(?:<[^{;]*?>)?\s*\(([^{;]*?)\)\s*(?:->\s*([^{;]*))?[{;]/mg) {
                    my ($how, $name, $answers) = ($2, $3, $5 // "");
                    next unless $how =~ /async/ || $name =~ /_async$/ || $answers =~ $future || $answers =~ /\b(?:$names)\b/;
                    print "${module}::$name\n" unless $seen{$name}++;
                }
            };
            $look->($part, qr/pub\s+/);
            $look->($in_trait, qr//);
            # What GIO calls.
            while ($part =~ /^unsafe\s+extern\s*(?:"[^"]*")?\s*fn\s+(\w+_async)\b/mg) {
                print "${module}::$1\n" unless $seen{$1}++;
            }
        }
    ' | sort -u)
[ -n "$list" ] || exit 2
printf '%s\n' "$list"
