#!/usr/bin/env bash
# Counts the lines of the library that the tests run, and its error branches: coverage.sh [--report]
#
# The suite runs once with counters in it (cargo-llvm-cov, in a target folder of its own), and so do two nets that reach what no
# test can, system calls that fail (faults.sh, of some of its cases) and panics (panics.sh); --report counts anew what the last run
# has left. Two figures: lines of src/ and subclass/, and of these the ones that make or pass on an error, each of which must have run or stand
# in coverage-excused.txt with a reason. What did not run is listed in target/nets/coverage/missed.txt, FILE:LINE and its text.
# A process that ends by a signal or by _exit leaves no counts: what runs only in those is missed.
#
# Exit code: 0 enough of both ran, 1 too little did, or a test failed; 2 it could not be counted.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2

cargo llvm-cov --version >/dev/null 2>&1 || broken "needs cargo-llvm-cov: cargo install --locked cargo-llvm-cov"
# They must read what rustc's LLVM writes; rustup's component comes first.
newest() { compgen -c "$1" | grep -E "^$1(-[0-9]+)?\$" | sort -V | tail -n 1; }
if [ -z "${LLVM_COV-}" ] && ! ls "$(rustc --print sysroot)"/lib/rustlib/*/bin/llvm-cov >/dev/null 2>&1; then
    LLVM_COV=$(command -v "$(newest llvm-cov)") || broken "needs llvm-cov: rustup component add llvm-tools, or apt-get install llvm-22"
    LLVM_PROFDATA=$(command -v "$(newest llvm-profdata)") || broken "needs llvm-profdata"
    export LLVM_COV LLVM_PROFDATA
fi

CARGO_TARGET_DIR=$(target_folder "$root")/nets/coverage
# Built once: what makes a second build quick is not needed.
export CARGO_TARGET_DIR CARGO_INCREMENTAL=0
mkdir -p "$CARGO_TARGET_DIR" || exit 2
# Counters make a test slower, and the time limits are for those that hang.
export GSOCK_TEST_SLOWNESS=3
# From here on whatever cargo builds has counters, the nets' drivers too. Within itself its compiler calls itself without end.
[ -z "${__CARGO_LLVM_COV_RUSTC_WRAPPER-}" ] || broken "not from a shell that has the environment of cargo llvm-cov show-env"
counters=$(cargo llvm-cov show-env --sh 2>"$CARGO_TARGET_DIR/told.txt") || broken "$(cat "$CARGO_TARGET_DIR/told.txt")"
eval "$counters"

# A net's processes are many thousands: they add to a few files, where each test of the suite writes its own.
# What it finds is none of this one's, and neither is what it could say in figures: with --only it says none.
net() { # script, its arguments…
    local before=$SECONDS code log=$CARGO_TARGET_DIR/$1.log
    LLVM_PROFILE_FILE=${LLVM_PROFILE_FILE/-%p-/-net-} ".ci/nets/$1" "${@:2}" >"$log" 2>&1
    code=$?
    echo "coverage: $1 took $((SECONDS - before)) s, and ends with $code: $(tail -n 1 "$log")"
    [ "$code" -ne 2 ]
}

SECONDS=0
failed=0
if [ "${1-}" != --report ]; then
    cargo llvm-cov clean --workspace >/dev/null 2>&1
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --locked --no-fail-fast || failed=1
    else
        cargo test --locked --tests || failed=1
    fi
    echo "coverage: the tests took $SECONDS s, building them included"
    # What there is where each descriptor has a source of its own.
    GSOCK_BACK_END=sources cargo test --quiet --locked --test engine poll_function >/dev/null || failed=1
    # Each run the same: all that there is of paths, each errno of calls that few drivers make, and one of the others.
    net faults.sh --only '^listening::.*unix_path.* NTH |( (bind|listen|splice|pipe2|recvmsg) .*| (poll|socket) ENOMEM .*| (getsockopt|setsockopt|getsockname|getpeername|shutdown) ENOBUFS .*| close EIO .*)NTH 1$' || failed=1
    net panics.sh --only '^' || failed=1
fi

lcov=$CARGO_TARGET_DIR/lcov.info
cargo llvm-cov report --lcov --output-path "$lcov" >/dev/null || broken "there is no report"

# A line has run if any of its copies has. Unit tests beside the code are no code of the library.
ROOT=$root LCOV=$lcov EXCUSED=.ci/nets/coverage-excused.txt MISSED=$CARGO_TARGET_DIR/missed.txt perl -e '
    use strict;
    use warnings;
    my (%excused, %ran);
    if (open my $lines, "<", $ENV{EXCUSED}) {
        while (<$lines>) {
            next if /^#/ || !/\S/;
            chomp;
            my ($file, $text, $reason) = split / \| /;
            die "coverage-excused.txt: no reason: $_\n" unless ($reason // "") =~ /\S{3}/;
            $excused{$file}{$text} = 0;
        }
    }
    open my $lcov, "<", $ENV{LCOV} or die;
    my $file;
    while (<$lcov>) {
        if (/^SF:\Q$ENV{ROOT}\E\/((?:src|subclass)\/.*)/ && $1 !~ /simulation|tests?\.rs/) { $file = $1 }
        elsif (/^SF:/) { $file = undef }
        elsif ($file && /^DA:(\d+),(\d+)/) { $ran{$file}{$1} += $2 }
    }
    my ($lines, $hit, $errors, $errors_hit, $errors_excused) = (0) x 5;
    my (%of_file, @missed);
    for my $file (sort keys %ran) {
        open my $source, "<", "$ENV{ROOT}/$file" or die;
        my @text = ("", <$source>);
        my $tests = 1 + $#text;
        for (1 .. $#text) { if ($text[$_] =~ /^#\[cfg\(test\)\]/ && ($text[$_ + 1] // "") =~ /^(?:#.*\n)?mod tests \{/) { $tests = $_; last } }
        for my $line (sort { $a <=> $b } keys %{$ran{$file}}) {
            next if $line >= $tests;
            my $runs = $ran{$file}{$line};
            (my $text = $text[$line] // "") =~ s/^\s+|\s+$//g;
            $lines++;
            $of_file{$file}[0]++;
            if ($runs) { $hit++; $of_file{$file}[1]++ }
            my $error = $text =~ /\bErr\(|map_err|error::|\.unwrap_or_else\(\|_|=> return Err|ok_or/;
            $errors++ if $error;
            if ($runs) { $errors_hit++ if $error }
            else {
                my $why = "";
                if ($error && exists $excused{$file} && exists $excused{$file}{$text}) {
                    $excused{$file}{$text}++;
                    $errors_excused++;
                    $why = "   <- excused";
                } elsif ($error) { $why = "   <- error" }
                push @missed, "$file:$line: $text$why\n";
            }
        }
    }
    open my $missed, ">", $ENV{MISSED} or die;
    print $missed @missed;
    close $missed or die;
    for my $file (sort { ($of_file{$a}[1] // 0) / $of_file{$a}[0] <=> ($of_file{$b}[1] // 0) / $of_file{$b}[0] } keys %of_file) {
        my ($all, $some) = ($of_file{$file}[0], $of_file{$file}[1] // 0);
        printf "%-55s %5d of %5d  %5.1f %%\n", $file, $some, $all, 100 * $some / $all if $some < $all * 0.92;
    }
    my $stale = 0;
    for my $file (sort keys %excused) { for (sort keys %{$excused{$file}}) { unless ($excused{$file}{$_}) { print "excused, and runs or is not there: $file: $_\n"; $stale++ } } }
    print grep { /<- error/ } @missed;
    printf "lines %d %d\nbranches %d %d %d %d\n", $lines, $hit, $errors, $errors_hit, $errors_excused, $stale;
' >"$CARGO_TARGET_DIR/told.txt" || broken "the report cannot be read"
grep -q '^lines [0-9]* [1-9]' "$CARGO_TARGET_DIR/told.txt" || broken "nothing ran"
grep -vE '^(lines|branches) ' "$CARGO_TARGET_DIR/told.txt"
read -r _ lines hit < <(grep '^lines ' "$CARGO_TARGET_DIR/told.txt")
read -r _ errors ran excused stale < <(grep '^branches ' "$CARGO_TARGET_DIR/told.txt")
code=$failed
.ci/nets/figure.sh 22.lines "$lines" "$hit" "lines of src/ and subclass/ ($((hit * 1000 / lines)) of 1,000)" || code=1
.ci/nets/figure.sh 22.branches "$errors" $((ran + excused)) "lines that make or pass on an error, $excused of them excused" || code=1
[ "$stale" -eq 0 ] || code=1
echo "coverage: $SECONDS s; what did not run: ${CARGO_TARGET_DIR#"$root"/}/missed.txt"
exit "$code"
