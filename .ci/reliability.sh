#!/usr/bin/env bash
# Writes the table of docs/reliability.md anew, and prints it: reliability.sh [LOG…]
#
# What the nets have said (`figure …` of nets/figure.sh) is in target/figures.txt, and in the logs that are named. The last word on each
# figure is kept in docs/reliability.txt. A run of a part does not take the place of one of the whole, unless something was found
# in it. A figure that no net has said yet is "not measured yet", and its goal is not met.
#
# Exit code: 0 written, 2 it could not be.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
page=$root/docs/reliability.md
kept=$root/docs/reliability.txt
goals=$root/.ci/nets/goals.txt
begin='<!-- from here to the end of the table by .ci/reliability.sh -->'

broken() {
    printf 'reliability: %s\n' "$*" >&2
    exit 2
}

logs=("$@")
said=${CARGO_TARGET_DIR:-$root/target}/figures.txt
[ ! -r "$said" ] || logs+=("$said")
for log in "${logs[@]}"; do
    [ -r "$log" ] || broken "$log cannot be read"
done
grep -qxF -e "$begin" "$page" 2>/dev/null || broken "$page has no place for the table"
[ -e "$kept" ] || : >"$kept" || broken "$kept cannot be written"

GOALS=$goals KEPT=$kept PAGE=$page BEGIN=$begin perl -e '
    use strict;
    use warnings;
    my (@rows, %parts, %row_of);
    open my $goals, "<", $ENV{GOALS} or die;
    while (<$goals>) {
        chomp;
        next if /^#/ || !/\S/;
        my @columns = split / \| /;
        if ($columns[0] =~ /^\d+$/) { push @rows, [@columns] }
        else { push @{$parts{$columns[0] =~ s{\..*}{}r}}, [@columns[0, 2, 1]] }
    }
    my %last;
    for my $file ($ENV{KEPT}, @ARGV) {
        open my $lines, "<", $file or die;
        while (<$lines>) {
            s/\x1b\[[0-9;]*m//g;
            next unless /^figure (\S+): (\d+) \/ (\d+) (.*): (met|short) (\(\S+, \S+\))$/;
            my %new = (tried => $2, right => $3, words => $4, verdict => $5, when => $6, line => $_);
            my $old = $last{$1};
            next if $old && $old->{verdict} eq "met" && $new{tried} < $old->{tried} && $new{tried} == $new{right};
            $last{$1} = \%new;
        }
    }
    my ($table, $met) = ("| no. | figure | goal | by | tried / right | met |\n| --- | --- | --- | --- | --- | --- |\n", 0);
    open my $kept, ">", $ENV{KEPT} or die;
    for my $row (@rows) {
        my (@by, @told);
        my $row_met = "yes";
        die "goals.txt: nothing measures $row->[0]\n" unless $parts{$row->[0]};
        for my $part (@{$parts{$row->[0]}}) {
            my ($name, $command, $least) = @$part;
            push @by, $command unless grep { $_ eq $command } @by;
            my $figure = $last{$name};
            if ($figure) {
                (my $when = $figure->{when}) =~ s/, (\S+)\)/, `$1`)/;
                push @told, "$figure->{tried} / $figure->{right} $figure->{words} $when";
                print $kept $figure->{line};
            } else { push @told, "not measured yet" }
            # A goal may ask for more by now than when that was said.
            $row_met = "no" unless $figure && $figure->{verdict} eq "met" && ($least =~ /%/ || $figure->{tried} >= $least);
        }
        $met++ if $row_met eq "yes";
        $table .= sprintf "| %s | %s | %s | %s | %s | %s |\n", @$row[0 .. 2], join(", ", @by), join("; ", @told), $row_met;
    }
    close $kept or die;
    open my $page, "<", $ENV{PAGE} or die;
    my $text = do { local $/; <$page> };
    $text =~ s/(\Q$ENV{BEGIN}\E\n)\n*(?:\|.*\n)*\n*/$1\n$table\n/;
    open $page, ">", $ENV{PAGE} or die;
    print $page $text;
    close $page or die;
    print $table;
    printf "reliability: %d of %d goals are met; docs/reliability.md is written\n", $met, scalar @rows;
' ${logs[@]+"${logs[@]}"} || broken "$page cannot be written"
