#!/usr/bin/env bash
# Writes the goal table of docs/reliability.md anew from what the nets have printed: reliability.sh COMMIT LOG…
#
# COMMIT is what the nets ran on; a log is what one or more of them printed, such as `make nets >nets.log`. Each figure
# has the day on which its log ended. A goal whose net is in none of the logs is "not measured yet", and so is one that
# has no net. What costs nothing is counted here, in the tree as it is, and has a day alone: facts, and tests of old bugs.
#
# Exit code: 0 written, 2 it could not be.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
page=$root/docs/reliability.md
begin='<!-- from here to the end of the table by .ci/reliability.sh -->'

broken() {
    printf 'reliability: %s\n' "$*" >&2
    exit 2
}

[ $# -ge 2 ] || broken "which commit, and which logs?"
commit=$1
shift
for log; do
    [ -r "$log" ] || broken "$log cannot be read"
done
grep -qxF -e "$begin" "$page" 2>/dev/null || broken "$page has no place for the table"
cd "$root" || exit 2

# What the nets have said last: NAME=day and numbers.
declare -A said
while IFS='=' read -r name numbers; do
    said[$name]=$numbers
done < <(for log; do
    printf '//DAY %s\n' "$(date -u -r "$log" +%F)"
    sed 's/\x1b\[[0-9;]*m//g' "$log"
    printf '//END\n'
done | perl -ne '
    sub tests { print "tests=$day @$ran\n" if $ran; $ran = undef }
    if (/^\/\/DAY (\S+)/) { $day = $1 }
    elsif (/^\/\/END/) { tests() }
    elsif (/Summary \[.*?\]\s+(\d+) tests run: (\d+) passed/) { tests(); $ran = [$1, $2] }
    elsif (/^contexts: (\S+): exit code/) { print "$1=$day @$ran\n" if $ran; $ran = undef }
    elsif (/^cancel points of (\d+) drivers: (\d+) tried, (\d+) right/) { print "cancel=$day $2 $3 $1\n" }
    elsif (/^faults: \d+ drivers, .* cases( \(seed)?/) { $drawn = $1 ? 1 : 0 }
    elsif (/^call\s+tried\s+survived/) { ($table, @all, %calls, @weather) = (1, 0, 0); @weather = (0, 0) }
    elsif ($table && /^all\s+(\d+)\s+(\d+)/) {
        printf "faults=$day $1 $2 %d %d\nweather=$day @weather $drawn\n", scalar(keys %calls), $drawn;
        $table = 0;
    }
    elsif ($table && /^(\S.*?)\s{2,}(\d+)\s+(\d+)/) {
        my ($what, $tried, $survived) = ($1, $2, $3);
        if ($what =~ /weather|\(storm\)|\(1 byte\)/) { $weather[0] += $tried; $weather[1] += $survived }
        elsif ($tried) { $what =~ s/\..*//; $calls{$what} = 1 }
    }
    elsif (/^faults by strace: (\d+) of (\d+) survived/) { print "strace=$day $2 $1\n" }
    elsif (/^(valgrind|asan): (\d+) processes, (\d+) tests, (\d+) with a report, (\d+) not done/) {
        print "$1=$day $3 $4 $5 $2\n";
    }
    elsif (/a_hundred_thousand_connections\S* \.\.\. ok/) { print "many=$day 100000\n" }
    elsif (/^test-capi:.* (\d+) symbols: exported, declared, listed and called/) { print "symbols=$day $1\n" }
')

numbers() { # name of a net; answers day, and numbers
    day=
    got=()
    [ -n "${said[$1]:-}" ] || return 1
    read -r day rest <<<"${said[$1]}"
    read -ra got <<<"$rest"
}

number=0
row() { # figure, goal, command, what there is, met (yes, no), what is missing
    number=$((number + 1))
    printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$number" "$1" "$2" "$3" "$4" "$5" "$6"
}

nothing="not measured yet"
measured() { # name of a net, how its numbers are told: sets told, or says that there are none
    if numbers "$1"; then
        # shellcheck disable=SC2059 # the format is the caller's
        told="$(printf "$2" "${got[@]:0:$(grep -o '%s' <<<"$2" | wc -l)}") ($day, \`$commit\`)"
    else
        told=$nothing
    fi
}
met() { # condition on what `numbers` got, as in [ … ]
    if [ "$told" != "$nothing" ] && [ "$@" ]; then echo yes; else echo no; fi
}

today=$(date -u +%F)
facts=$(.ci/check-facts.sh 2>/dev/null | sed -n 's/^check-facts: //p')
bugs=$(cat tests/*.rs tests/*/*.rs src/*/*.rs | grep -oE '\bbug_[0-9]+_' | sort -u | wc -l)

red=$(find .ci/nets/controls -name 'bug-*.patch' | sed 's/.*bug-\([0-9]*\).*/\1/' | sort -u | wc -l)

table() {
    echo "| no. | figure | goal | by | tried / survived | met | missing |"
    echo "| --- | --- | --- | --- | --- | --- | --- |"

    local own own_met shared shared_met all=0 clean="$nothing"
    measured tests '%s / %s'
    own="own context: $told"
    own_met=$(met "${got[0]:-0}" -eq "${got[1]:-1}")
    [ "$own_met" = no ] || all=${got[0]} clean="of the connections and sockets that support makes: none ($day, \`$commit\`)"
    measured default '%s / %s'
    shared="default context: $told"
    # A part of them is no whole: the C library's are not among them.
    shared_met=$(met "${got[0]:-0}" -eq "${got[1]:-1}" -a "${got[0]:-0}" -ge $((all * 9 / 10)))
    row "tests, each on a context of its own and on the default one, ended by a message that nobody expects" \
        "all pass" "\`make test\`, \`contexts.sh default\`" "$own; $shared" \
        "$([ "$own_met $shared_met" = "yes yes" ] && echo yes || echo no)" \
        "$([ "$shared_met" = yes ] && echo – || echo "the rest of them on the default context: \`make ci\` runs another half each day")"
    row "GIO's own behaviour: one body of a test on its class and on ours" \
        "no difference that is not listed" "\`check-facts.sh\`, \`tests/parity.rs\`" "$facts ($today)" no \
        "GIO's own test programs are not run on ours"
    measured faults '%s / %s, %s calls'
    row "a system call that fails: every errno, first, middle and last time" \
        "all survive with data identical or a clear error; 2,000 cases of 14 calls at least, 5,000 in torture" \
        "\`faults.sh --shallow 2000\`" "$told" "$(met "${got[0]:-0}" -ge 2000 -a "${got[2]:-0}" -ge 14 -a "${got[0]:-0}" -eq "${got[1]:-1}")" \
        "all cases: these were drawn, and what was drawn and not reached does not count; a driver for each class"
    measured weather '%s / %s'
    row "storms of interrupted calls, and one byte at a time" "bytes identical" "\`faults.sh\`" "$told" \
        "$(met "${got[2]:-1}" -eq 0 -a "${got[0]:-0}" -eq "${got[1]:-1}")" "all cases: these were drawn"
    measured strace '%s / %s'
    row "a second opinion on failing calls" "20 cases, same verdicts" "\`faults-strace.sh\`" "$told" \
        "$(met "${got[0]:-0}" -ge 20 -a "${got[0]:-0}" -eq "${got[1]:-1}")" "–"
    local counted="$nothing"
    numbers faults && numbers cancel && counted="each driver of 3 and each point of 6 counts them before and after ($day, \`$commit\`)"
    measured cancel '%s / %s, %s drivers'
    row "cancelled, dropped and closed at every point: after each poll and each iteration" \
        "every operation of every class: one answer, the right code, nothing left" "\`cancel.sh\`" "$told" no \
        "clients, frames and reconnectors have tests of their own that do not count their points; listeners and services have none of this kind"
    row "descriptors left" "0 in 3, 6 and 10" "the drivers of 3 and 6" "$counted" no "10 counts none"
    row "objects left" "0, after each test" "\`tests/support\`" "$clean" no "a count of all objects of our types"
    local files
    files=$(find tests -maxdepth 1 -name '*.rs' | wc -l)
    measured asan '%s tests, %s with a report, %s not done, %s processes'
    row "memory, by the sanitizers of addresses and leaks" "0 reports, and what is broken on purpose is found" "\`asan.sh\`" \
        "$told" "$(met "${got[3]:-0}" -ge "$files" -a "${got[1]:-1}" -eq 0 -a "${got[2]:-1}" -eq 0)" \
        "a run of all files whose figures were kept"
    measured valgrind '%s tests, %s with a report, %s not done, %s processes'
    row "memory, by valgrind" "0 reports, three suppressions of our own at most; all tests in torture" \
        "\`valgrind.sh\`" "$told, $(grep -c '^{' .ci/nets/valgrind.supp) suppressions" no \
        "all tests: its batch is a part"
    row "races of threads" "0 reports, with GLib instrumented" "–" "$nothing" no "GLib built for the sanitizer of threads"
    row "panics in what C calls" "each entry, virtual function and callback: an error, no abort" "–" "$nothing" no \
        "a panic in each; there are tests of some"
    row "bad input from proxies and peers" "each byte of each reply changed, each reply cut short" "–" "$nothing" no \
        "a table of replies; there are tests of some"
    row "fuzz targets" "no crash; what was found is kept" "–" "$nothing" no "targets"
    row "sequences of calls against a model" "20,000 sequences" "–" "$nothing" no \
        "a model of a connection; the unit tests of engine, race and reconnector run seeds in simulated time"
    row "bugs that GIO has had" "44 with a test, 35 of them red on a build broken that way" \
        "\`cargo nextest run -E 'test(/bug_[0-9]+_/)'\`" "$bugs with a test of that number, $red with a build that it is red on ($today)" no \
        "1 to 9 and 36 to 44, which are GIO's own code; the other builds"
    row "bad networks" "silence, resets, refusals, loss, a narrow line, a cut in the middle: the right error in time" "–" \
        "$nothing" no "network namespaces, a relay that delays; there are tests of silence and of resets"
    row "real peers" "12 programs, both directions" "–" "$nothing" no \
        "a table: the client's tests use nginx, openssl, socat, ncat, microsocks, dante and tinyproxy"
    measured many '%s one after the other through a service, each once'
    row "load" "10,000 connections at once, 19,000 in torture, with a third of GIO's memory" \
        "\`tests/many_connections.rs\` (in 1)" "$told" no "19,000; the memory as one figure of [performance.md](performance.md)"
    row "ten minutes of connecting, talking, cancelling, closing" "flat memory, flat descriptors" "–" "$nothing" no "the run"
    row "repetition" "none of 1, 6 and 16 fails in ten runs" "–" "$nothing" no "the runs"
    row "lines and error branches that run in tests" "92 % of lines; each branch hit or excused" "–" "$nothing" no "the run"
    row "mutants that tests notice" "85 % of those that build" "–" "$nothing" no "the run"
    row "dependencies" "licences, sources and versions as said in deny.toml; no advisory" "\`make ci\`" "$nothing" no \
        "cargo-deny where the nets ran"
    measured symbols '%s symbols exported, declared, listed and called'
    row "the C library's interface" "nothing goes between releases" "\`make test-capi\`" "$told" no "a release to compare with"
}

table >"$page.new" || broken "the table cannot be written"
TABLE=$page.new BEGIN=$begin perl -0777 -i -pe '
    BEGIN { open my $new, "<", $ENV{TABLE} or die; $table = do { local $/; <$new> } }
    s/(\Q$ENV{BEGIN}\E\n)\n*(?:\|.*\n)*\n*/$1\n$table\n/
' "$page" || broken "$page cannot be written"
rm "$page.new"
echo "reliability: docs/reliability.md is written"
