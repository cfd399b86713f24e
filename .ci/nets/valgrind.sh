#!/usr/bin/env bash
# Runs tests under valgrind's memcheck: valgrind.sh [--all | FILE[=TEST]…]
#
# Without arguments what is in `batch`; with --all every file of tests; else the files named, and of them the tests whose
# names contain TEST. It sees what the sanitizers cannot: accesses inside of std, values that were never set, and arguments of
# system calls. Its processors are one at a time, so what is about many threads is not in the batch.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2

batch=(faults socket_connection subclass tcp_connection home prelude factory abi
    streams=ends streams=kinds streams=layers streams=sources streams=an_echo adopt=ownership)
# What --all leaves out: it counts on the processor's speed, or on processes that valgrind does not follow; a
# pthread_create(3) and more of its own, which come before valgrind's; and GIO's factory, which reads freed memory (SC-31).
left_out=(many_connections ports examples fork service_limits refusals factory_order_gio)
# And of the others these tests: GIO's own class, whose leaks are many; TLS, whose arithmetic in assembler valgrind does not follow; vectors whose bytes
# are nobody's; transfers that are counted on to be under way.
skipped=(on_gio tls:: bug_34_vectors st_32_a_blocking_write_all who_writes_waits_for_room_in_turn)
limit=300 # seconds, for one file
at_once=3 # files; they wait, too

command -v valgrind >/dev/null 2>&1 || broken "needs valgrind: apt-get install valgrind"
glib_supp=""
for folder in /usr/share /usr/local/share; do
    [ ! -r "$folder/glib-2.0/valgrind/glib.supp" ] || glib_supp=$folder/glib-2.0/valgrind/glib.supp
done
[ -n "$glib_supp" ] || broken "needs GLib's own glib.supp: apt-get install libglib2.0-dev"

# All files of tests, the biggest first: they take longest. The unit tests are a file like others.
all_files() {
    local file name
    for file in tests/*.rs; do
        name=${file##*/}
        name=${name%.rs}
        case " ${left_out[*]} " in *" $name "*) continue ;; esac
        printf '%s %s\n' "$(cat "$file" "tests/$name"/*.rs 2>/dev/null | wc -c)" "$name"
    done | sort -rn | sed 's/.* //'
    echo gsock
}

files=() tests=() skip=()
whole=""
if [ "${1-}" = --all ]; then
    mapfile -t all < <(all_files)
    set -- "${all[@]}"
    whole=yes
    limit=1500
    # What leaks by GIO's doing, or of what a test has done on purpose, is told by the test's name, as to the sanitizer.
    while read -r name; do skipped+=("$name"); done < <(sed -n 's/^leak:\([a-z_:0-9]*\)$/\1/p' .ci/nets/asan.supp)
    for name in "${skipped[@]}"; do skip+=(--skip "$name"); done
elif [ $# -eq 0 ]; then
    set -- "${batch[@]}"
    whole=part
fi
what=()
for argument; do
    files+=("${argument%%=*}")
    case " ${what[*]-} " in
        *" ${argument%%=*} "*) ;;
        *) if [ "$argument" = gsock ]; then what+=(--lib); else what+=(--test "${argument%%=*}"); fi ;;
    esac
    case $argument in *=*) tests+=("${argument#*=}") ;; *) tests+=("") ;; esac
done

SECONDS=0
binaries=$(test_binaries test "${what[@]}") || broken "the tests do not build"
echo "valgrind: built in $SECONDS s"

logs=$(mktemp -d)
leave_nothing "$logs"
# "possibly lost" is what only a pointer to its inside refers to: that is how Rust's hash maps look.
run() { # number, binary, test
    # A test's name has that of its file in a stack, and not before the test's own process.
    local own=(${skip[@]+"${skip[@]/#${files[$1]}::/}"})
    GSOCK_TEST_SLOWNESS=10 RUST_BACKTRACE=0 timeout --kill-after=10 "$limit" valgrind --quiet --fair-sched=yes --error-exitcode=9 \
        --leak-check=full --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect --num-callers=60 \
        --suppressions="$glib_supp" --suppressions="$root/.ci/nets/valgrind.supp" \
        "$2" --quiet --test-threads=1 ${own[@]+"${own[@]}"} ${3:+"$3"} >"$logs/$1" 2>&1
    echo $? >"$logs/$1.code"
}
SECONDS=0
for i in "${!files[@]}"; do
    binary=$(binary_of "${files[i]}" "$binaries") || broken "no tests in ${files[i]}"
    while [ "$(jobs -pr | wc -l)" -ge "$at_once" ]; do wait -n; done
    run "$i" "$binary" "${tests[i]}" &
done
wait

found=0
late=0
sum=0
for i in "${!files[@]}"; do
    code=$(cat "$logs/$i.code")
    count=$(tests_in "$logs/$i")
    sum=$((sum + count))
    # A test that ends its process well takes the others with it.
    [ "$code" -ne 0 ] || grep -q '^test result: ' "$logs/$i" || code=unfinished
    case $code in
        0)
            [ "$count" -gt 0 ] || [ -z "${tests[i]}" ] || broken "no test of ${files[i]} is called ${tests[i]}"
            continue
            ;;
        124 | 137) late=$((late + 1)) ;;
        *) found=$((found + 1)) ;;
    esac
    echo "valgrind: ${files[i]} ended with $code:"
    cut -c 1-160 "$logs/$i" | head -n 60
done
echo "valgrind: ${#files[@]} processes, $sum tests, $found with a report, $late not done within $limit s; $SECONDS s"
suppressions=$(grep -c '^{' .ci/nets/valgrind.supp)
[ "$suppressions" -le 3 ] || {
    echo "valgrind: $suppressions suppressions of our own, and three are what the goal allows"
    found=$((found + 1))
}
if [ -n "$whole" ]; then
    words="tests without a report, $suppressions suppressions"
    [ "$whole" = part ] || words+=", but for ${#left_out[@]} files and what ${#skipped[@]} names stand for"
    .ci/nets/figure.sh 10.tests "$sum" $((found + late ? 0 : sum)) "$words" "$([ "$whole" = part ] && echo 1.own || echo 0)"
fi
[ "$found" -eq 0 ] || exit 1
[ "$late" -eq 0 ] || exit 2
