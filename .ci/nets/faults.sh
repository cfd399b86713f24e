#!/usr/bin/env bash
# Makes each system call of connecting, reading, writing and closing fail, one at a time, and looks whether
# the library survives: faults.sh [--all] [--shallow N] [--seed S] [--only REGEX]
#
# The drivers are the tests of tests/under_faults.rs. Each runs once to count its calls; then once for each call,
# each errno of that call (errnos.txt) and the first, the middle and the last occurrence, in a process of its
# own with shim.c loaded. After that come storms, where every second and third call is interrupted or would
# block, and transfers of one byte at a time. The tests of tests/ports.rs, whole programs on both classes, run three times
# each in weather: calls that are interrupted, would block or move less, by chance.
#
#   --all          every occurrence of every call
#   --shallow N    N cases of a single failure only, chosen by the seed; storms and short transfers are all tried
#   --seed S       a number; printed, and by default the day's
#   --only REGEX   cases whose line "test call errno how n" matches
#
# Prints a line for each case that was not survived, with the command that plays it again, and a table.
# Exit code: 0 all survived, 1 some did not, 2 the net could not do its work.

set -u

here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
root=${here%/.ci/nets}
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2

broken() {
    printf 'faults: %s\n' "$*" >&2
    exit 2
}

all=no shallow=0 seed=$(date +%Y%m%d) only=
while [ $# -gt 0 ]; do
    case $1 in
        --all) all=yes ;;
        --shallow | --seed | --only)
            [ $# -gt 1 ] || broken "$1 wants a value"
            case $1 in
                --shallow) shallow=$2 ;;
                --seed) seed=$2 ;;
                --only) only=$2 ;;
            esac
            shift
            ;;
        *) broken "unknown argument $1" ;;
    esac
    shift
done

work=$(mktemp -d) || exit 2
leave_nothing "$work"

# --- Build -----------------------------------------------------------------------------------------------

target=${CARGO_TARGET_DIR:-$root/target}
case $target in /*) ;; *) target=$root/$target ;; esac
mkdir -p "$target/nets"
# Stays, for the commands that play a case again.
shim=$target/nets/shim.so
${CC:-cc} -O1 -g -fPIC -shared -Wall -Wextra -Werror -o "$shim.new" "$here/shim.c" -ldl || broken "the shim does not build"
mv "$shim.new" "$shim"
CARGO_TERM_COLOR=never cargo test --locked --no-run --test under_faults --test ports >"$work/build" 2>&1 || {
    cat "$work/build" >&2
    broken "the drivers do not build"
}
built() { # test file
    local path
    path=$(sed -n "s|^ *Executable tests/$1\\.rs (\\(.*\\))\$|\\1|p" "$work/build")
    case $path in /*) ;; *) path=$root/$path ;; esac
    [ -x "$path" ] || broken "the drivers are not where cargo says they are: $path"
    printf '%s\n' "$path"
}
driver=$(built under_faults) || exit 2
ports=$(built ports) || exit 2

# --- What there is to try --------------------------------------------------------------------------------

# play: variables as VAR=value…, then the test. After `timeout`, whose own calls are none of ours.
play() {
    local test=${!#}
    timeout -k 2 30 env LD_PRELOAD="$shim" G_DEBUG=fatal-criticals "${@:1:$#-1}" \
        "$driver" --exact "$test" --nocapture --test-threads=1 2>&1
}

# weather: the seed, the file for the count, the test.
weather() {
    timeout -k 2 60 env LD_PRELOAD="$shim" G_DEBUG=fatal-criticals FAULT_WEATHER="$1" FAULT_COUNTS="$2" \
        "$ports" --exact "$3" --nocapture --test-threads=1 2>&1
}

why() { # exit code; the output on standard input
    local line
    line=$(grep -m 1 -A 1 -E 'panicked at' | tr -s '\n ' ' ' | sed 's/^.*panicked at //' | cut -c 1-200)
    case $1 in
        124 | 137) echo "no end in time" ;;
        134 | 133 | 139) echo "died of a signal (exit code $1)${line:+: $line}" ;;
        *) echo "${line:-exit code $1}" ;;
    esac
}

"$driver" --list 2>/dev/null | sed -n 's/: test$//p' >"$work/tests"
[ -s "$work/tests" ] || broken "there are no drivers"
# Each driver once, to count its calls: "test call count" lines of the worker's.
count_calls() { # worker's number
    local test out code
    while IFS= read -r test; do
        rm -f "$work/counted.$1"
        out=$(play FAULT_COUNTS="$work/counted.$1" "$test")
        code=$?
        if [ "$code" -ne 0 ]; then
            echo "FAILED $test: without any fault: $(why "$code" <<<"$out")"
            : >"$work/failed.$1"
        elif [ -e "$work/counted.$1" ]; then
            sed "s/^/$test /" "$work/counted.$1" >>"$work/counts.$1"
        else
            : >"$work/windowless.$1"
            echo "faults: $test does not open the shim's window" >&2
        fi
    done <"$work/tests.$1"
}
workers=$(nproc 2>/dev/null || echo 2)
each_worker() { # function, file with a line for each piece of work
    local i
    for ((i = 0; i < workers; i++)); do
        awk -v n="$workers" -v i="$i" 'NR % n == i' "$2" >"$2.$i"
        "$1" "$i" &
    done
    wait
}
each_worker count_calls "$work/tests"
! ls "$work"/windowless.* >/dev/null 2>&1 || broken "not every driver opens the window"
failed=no
ls "$work"/failed.* >/dev/null 2>&1 && failed=yes
cat "$work"/counts.* >"$work/counts" 2>/dev/null

# Names and numbers of the errnos, as this system has them.
grep -v '^#' "$here/errnos.txt" | tr -s ' ' '\n' | grep '^E' | sort -u >"$work/names"
{
    echo '#include <errno.h>'
    sed 's/.*/"&" &/' "$work/names"
} | ${CC:-cc} -E -P -x c - | sed -n 's/^"\(E[A-Z0-9]*\)" \([0-9]*\)$/\1 \2/p' >"$work/numbers"
[ "$(wc -l <"$work/names")" -eq "$(wc -l <"$work/numbers")" ] || broken "an errno of errnos.txt has no number here"

# A case is a line "test call errno number how n".
perl -we '
    use strict;
    my ($table, $numbers, $all) = @ARGV;
    my (%number, %errnos);
    open my $in, "<", $numbers or die; /^(\S+) (\d+)$/ and $number{$1} = $2 while <$in>;
    open $in, "<", $table or die;
    while (<$in>) { next if /^#/; my ($call, @names) = split; push @{ $errnos{$call} }, @names if $call }
    my %storm = map { $_ => 1 } qw(connect recv send sendmsg recvmsg read write splice poll ppoll read.other write.other);
    my %moves = map { $_ => 1 } qw(recv send sendmsg recvmsg read write splice);
    while (<STDIN>) {
        my ($test, $call, $count) = split;
        # What GLib wakes a thread of its own by is not asked twice, and the thread sleeps on.
        next if $test =~ /^through::/ && $call eq "write.other";
        # GLib has something to say of it on a thread whose messages nobody can expect.
        next if $test eq "serving::threaded_service" && $call eq "poll";
        $errnos{$call} or die "errnos.txt has no line for $call, which $test calls\n";
        my %seen;
        my @nth = $all eq "yes" ? 1 .. $count : grep { !$seen{$_}++ } 1, int(($count + 1) / 2), $count;
        for my $errno (@{ $errnos{$call} }) {
            print "$test $call $errno $number{$errno} NTH $_\n" for @nth;
        }
        if ($storm{$call} && $count > 1) {
            for my $errno (grep { /^(EINTR|EAGAIN)$/ } @{ $errnos{$call} }) {
                # No storm of what is no passing weather.
                next if $call eq "connect" && $errno eq "EAGAIN";
                print "$test $call $errno $number{$errno} EVERY $_\n" for 2, 3;
            }
        }
        # What a SOCKS proxy says is looked at before it is read: less than the look has found comes from no kernel.
        next if $test =~ /^through::socks/;
        print "$test $call - 0 SHORT 1\n" if $moves{$call};
    }
' "$here/errnos.txt" "$work/numbers" "$all" <"$work/counts" >"$work/cases" || broken "no list of cases"
"$ports" --list 2>/dev/null | sed -n 's/: test$//p' >"$work/ports"
[ -s "$work/ports" ] || broken "there are no ports"
while IFS= read -r test; do
    # Another weather each day.
    for n in 1 2 3; do
        echo "$test any - $((seed * 3 + n)) WEATHER 0"
    done
done <"$work/ports" >>"$work/cases"
if [ -n "$only" ]; then
    grep -E -e "$only" "$work/cases" >"$work/chosen"
    mv "$work/chosen" "$work/cases"
fi
# Of those that fail once some may be drawn; storms and what is cut short are all there.
awk '$5 == "NTH"' "$work/cases" >"$work/once"
awk '$5 != "NTH"' "$work/cases" >"$work/rest"
there=$(wc -l <"$work/once")
if [ "$shallow" -gt 0 ]; then
    perl -we 'use strict; use List::Util "shuffle"; srand(shift); print shuffle(<STDIN>)' \
        "$seed" <"$work/once" >"$work/shuffled"
    mv "$work/shuffled" "$work/once"
fi
wanted=$there
[ "$shallow" -eq 0 ] || [ "$shallow" -ge "$there" ] || wanted=$shallow
[ -s "$work/cases" ] || [ "$failed" = yes ] || broken "no case is left"
echo "faults: $(wc -l <"$work/tests") drivers, $(wc -l <"$work/ports") tests of ports; $wanted of $there cases of one call$([ "$wanted" -eq "$there" ] || echo " (seed $seed)"), $(wc -l <"$work/rest") of many"

# --- Try -------------------------------------------------------------------------------------------------

# Each case becomes a line "verdict call how outcome test" in the worker's file.
try_cases() { # worker's number
    local test call errno number how n out code said
    local -a fault
    while read -r test call errno number how n; do
        if [ "$how" = WEATHER ]; then
            rm -f "$work/weather.$1"
            out=$(weather "$number" "$work/weather.$1" "$test")
            code=$?
            if [ "$code" -ne 0 ]; then
                echo "failed $call $how - $test" >>"$work/results.$1"
                printf 'FAILED %s: weather: %s\n  %s\n' "$test" "$(why "$code" <<<"$out")" \
                    "LD_PRELOAD=$shim G_DEBUG=fatal-criticals FAULT_WEATHER=$number $ports --exact $test --nocapture"
            elif grep -qx 'weather 0' "$work/weather.$1"; then
                echo "unreached $call $how - $test" >>"$work/results.$1"
            else
                echo "survived $call $how ok $test" >>"$work/results.$1"
            fi
            continue
        fi
        fault=("FAULT_CALL=$call" "FAULT_$how=$n")
        [ "$how" = SHORT ] || fault+=("FAULT_ERRNO=$number")
        out=$(play "${fault[@]}" "$test")
        code=$?
        said=$(sed -n 's/.*driver: faults \([0-9]*\), outcome \(.*\)$/\1 \2/p' <<<"$out")
        if [ "$code" -ne 0 ] || [ -z "$said" ]; then
            echo "failed $call $how - $test" >>"$work/results.$1"
            printf 'FAILED %s: %s %s %s %s: %s\n  %s\n' "$test" "$call" "$errno" "$how" "$n" \
                "$(why "$code" <<<"$out")" \
                "LD_PRELOAD=$shim G_DEBUG=fatal-criticals ${fault[*]} $driver --exact $test --nocapture"
        elif [ "${said%% *}" = 0 ]; then
            echo "unreached $call $how - $test" >>"$work/results.$1"
        else
            echo "survived $call $how ${said#* } $test" >>"$work/results.$1"
        fi
    done <"$work/now.$1"
}

for ((i = 0; i < workers; i++)); do : >"$work/results.$i"; done
# What was not reached was not tried: as many more are drawn, while there are some.
begin=0 more=$wanted
{
    cat "$work/rest"
    head -n "$more" "$work/once"
} >"$work/now"
while [ -s "$work/now" ]; do
    each_worker try_cases "$work/now"
    begin=$((begin + more))
    tried=$(cat "$work"/results.* | awk '$3 == "NTH" && $1 != "unreached"' | wc -l)
    more=$((wanted - tried))
    [ "$more" -gt 0 ] || break
    tail -n +$((begin + 1)) "$work/once" | head -n "$more" >"$work/now"
done

# --- Report ----------------------------------------------------------------------------------------------

# table: what the rows are, and an awk expression for the row of a result.
table() {
    cat "$work"/results.* | awk -v title="$1" '
        {
            key = '"$2"'
            keys[key]
            if ($1 == "unreached") unreached[key]++; else tried[key]++
            if ($1 == "survived") { survived[key]++; if ($4 == "ok") fine[key]++; else error[key]++ }
        }
        # Without the module and the kind of socket.
        function operation(test, how) {
            if (how == "WEATHER") { sub(/::.*/, "", test); return test " (port)" }
            sub(/^[a-z_]*::/, "", test); sub(/_?(tcp|unix)(_bare)?$/, "", test); sub(/::$/, "", test); return test
        }
        function row(name, t, s, f, e, u) { return sprintf("%-36s %7s %9s %10s %11s %12s", name, t, s, f, e, u) }
        END {
            print row(title, "tried", "survived", "succeeded", "with error", "not reached")
            # Before what sort prints.
            fflush()
            for (key in keys) {
                print row(key, tried[key] + 0, survived[key] + 0, fine[key] + 0, error[key] + 0, unreached[key] + 0) | "sort"
                t += tried[key]; s += survived[key]; f += fine[key]; e += error[key]; u += unreached[key]
            }
            close("sort")
            print row("all", t + 0, s + 0, f + 0, e + 0, u + 0)
        }'
}
# shellcheck disable=SC2016 # awk's own
table operation 'operation($5, $3)'
# shellcheck disable=SC2016 # awk's own
table call '$2 ($3 == "NTH" ? "" : $3 == "EVERY" ? " (storm)" : $3 == "WEATHER" ? " weather" : " (1 byte)")'
# figure: its part, an awk pattern for its results, what they are, and how many there must be, if it is of all.
figure() {
    local tried right calls
    tried=$(cat "$work"/results.* | awk "$2 && \$1 != \"unreached\"" | wc -l)
    right=$(cat "$work"/results.* | awk "$2 && \$1 == \"survived\"" | wc -l)
    calls=$(cat "$work"/results.* | awk "$2 && \$1 != \"unreached\" { print \$2 }" | sort -u | wc -l)
    .ci/nets/figure.sh "$1" "$tried" "$right" "$3 of $calls calls in $(wc -l <"$work/tests") drivers$4" || failed=yes
}
unreached=$(cat "$work"/results.* | grep -c '^unreached')
results=$(cat "$work"/results.* | wc -l)
if grep -q '^failed' "$work"/results.*; then failed=yes; fi
# Occurrences come and go by chance, but not many.
[ $((unreached * 5)) -le "$results" ] || broken "$unreached of $results cases met no fault: too few were tried"
# Some of a call only are none of the figures.
if [ -z "$only" ]; then
    # shellcheck disable=SC2016 # awk's own
    figure 3.cases '$3 == "NTH"' "cases" ", of $there that there are"
    # shellcheck disable=SC2016 # awk's own
    figure 4.cases '$3 != "NTH"' "storms and short transfers" ""
fi
if [ "$failed" = yes ]; then
    echo "faults: NOT SURVIVED"
    exit 1
fi
echo "faults: all survived"
