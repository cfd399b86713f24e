# shellcheck shell=bash
# What the nets of the sanitizers share: which files of tests are run, their processes, and what is said of them at the end.
# To be sourced, after binaries.sh and at the root of the tree; does nothing by itself.
#
# A net says what it does not run, in `left_out`; whose parts get a process each, in `apart`; how long a process may take, in
# `limit`; which files no day's part has, because they take minutes, in `heavy`; how many run at once, in `at_once`; by which regex a report begins, in `report`; and runs a process by a function of
# its own: run NUMBER BINARY TEST, which writes "$logs/NUMBER" and "$logs/NUMBER.code".

# What a net sets, and what it takes from here.
: "${left_out=}" "${heavy=}" "${apart=}" "${limit=}" "${at_once=}" "${report=}"

net=${0##*/}
net=${net%.sh}
# shellcheck disable=SC2034 # the nets build for it
triple=x86_64-unknown-linux-gnu

# The names of the files that are run, the biggest first: they take longest. The unit tests have no file.
file_names() {
    local file name
    for file in tests/*.rs; do
        name=${file##*/}
        name=${name%.rs}
        case " $left_out " in *" $name "*) continue ;; esac
        printf '%s %s\n' "$(cat "$file" "tests/$name"/*.rs 2>/dev/null | wc -c)" "$name"
    done | sort -rn | sed 's/.* //'
}

# How many tests there are in those, and beside the code.
tests_there() {
    local file
    {
        test_names | grep -vE "^(${left_out// /|})::"
        tree_files . | grep -E '^(src|subclass)/.*\.rs$' | while IFS= read -r file; do grep -o '#\[test\]' "$file"; done
    } | wc -l
}

# [--release] [--each N | FILE[=TEST]…]: sets `profile`, which is cargo's, `files` and `tests`, if they are named, `chosen`, if a
# part is, and `what`, which is cargo's and names the same.
choose() {
    local argument each turn today name file
    profile=() files=() tests=() chosen=() what=()
    if [ "${1-}" = --release ]; then
        profile=(--release)
        shift
    fi
    if [ "${1-}" = --each ]; then
        each=$2 turn=0
        today=$(($(date +%s) / 86400 % each))
        while read -r name; do
            case " $heavy " in *" $name "*) continue ;; esac
            [ $((turn++ % each)) -ne "$today" ] || chosen+=("$name")
        done < <(file_names)
        # They are a file like others.
        [ $((turn % each)) -ne "$today" ] || chosen+=(gsock)
        shift 2
        echo "$net: ${#chosen[@]} files of $((turn + 1)), day $today of $each"
    fi
    for argument; do
        files+=("${argument%%=*}")
        case $argument in *=*) tests+=("${argument#*=}") ;; *) tests+=("") ;; esac
    done
    if [ "${#files[@]}" -eq 0 ] && [ "${#chosen[@]}" -eq 0 ]; then
        mapfile -t chosen < <(file_names && echo gsock)
        whole=yes
    fi
    for file in "${files[@]}" "${chosen[@]}"; do
        case " ${what[*]} " in *" --test $file "*) continue ;; esac
        case $file in
            gsock) what+=(--lib) ;;
            *) what+=(--test "$file") ;;
        esac
    done
}

is_chosen() { # file
    case " ${files[*]} ${chosen[*]} " in *" $1 "*) ;; *) return 1 ;; esac
}

# The processes of the files that nobody named: a file each, but for what `parts_of FILE BINARY` of the net says, a part a line.
make_processes() { # lines of `test_binaries`
    local name part parts
    [ "${#files[@]}" -eq 0 ] || return 0
    # The big ones take longest, and begin.
    while read -r _ name; do
        case " ${chosen[*]} " in *" $name "*) ;; *) continue ;; esac
        mapfile -t parts < <(parts_of "$name" "$(binary_of "$name" "$1")")
        for part in "${parts[@]:-}"; do
            files+=("$name")
            tests+=("$part")
        done
    done < <(while read -r name binary; do echo "$(stat -c %s "$binary") $name"; done <<<"$1" | sort -rn)
}

# The modules of a file of tests, for one whose tests take turns: each in a process of its own.
modules_of() { # binary
    "$1" --list | sed -n 's/: test$//p' | sed 's/^\([a-z_]*::[a-z_]*::\).*/\1/' | sort -u
}

# Runs them, says what was found, and ends the net: with its figure, if it has one.
run_processes() { # lines of `test_binaries`, number of the figure
    local i binary code count bad=0 found=0 late=0 sum=0 right name
    logs=$(mktemp -d)
    leave_nothing "$logs"
    # All tests of a file are at it in one process.
    ulimit -S -n "$(ulimit -H -n)" || broken "no right to raise the limit of descriptors to the hard one"
    SECONDS=0
    for i in "${!files[@]}"; do
        binary=$(binary_of "${files[i]}" "$1") || broken "no tests in ${files[i]}"
        while [ "$(jobs -pr | wc -l)" -ge "$at_once" ]; do wait -n; done
        run "$i" "$binary" "${tests[i]}" &
    done
    wait

    for i in "${!files[@]}"; do
        code=$(cat "$logs/$i.code")
        count=$(tests_in "$logs/$i")
        # A test that ends its process well takes the others, and the look for leaks, with it.
        [ "$code" -ne 0 ] || grep -q '^test result: ' "$logs/$i" || code=unfinished
        if [ "$code" = 0 ]; then
            [ "$count" -gt 0 ] || [ -z "${tests[i]}" ] || broken "no test of ${files[i]} is called ${tests[i]}"
            sum=$((sum + count))
            continue
        fi
        # It may have ended before it could say how many it has run.
        [ "$count" -gt 0 ] || count=1
        sum=$((sum + count)) bad=$((bad + count))
        case $code in 124 | 137) late=$((late + 1)) ;; *) found=$((found + 1)) ;; esac
        name=${files[i]}${tests[i]:+=${tests[i]}}
        echo "$net: $name ended with $code; again: .ci/nets/$net.sh ${profile[*]}${profile:+ }$name"
        # The first report, without the hundred frames of a test's own threads; else what the test said.
        if grep -qE "$report" "$logs/$i"; then
            sed -nE "/$report/,\$p" "$logs/$i" | grep -vE '^ *#[1-9][0-9]|^ *$' | cut -c 1-200 | head -n 60
            grep -E '^SUMMARY|^test result' "$logs/$i" | sort | uniq -c | sort -rn | head -n 20
        else
            cut -c 1-200 "$logs/$i" | tail -n 60
        fi
    done
    right=$((sum - bad))
    echo "$net: ${#files[@]} processes, $sum tests, $found with a report, $late not done within $limit s; $SECONDS s"
    .ci/nets/figure.sh "$2" "$sum" "$right" "tests, of ${#files[@]} processes${profile:+, optimised}" \
        "$([ -n "${whole-}" ] && echo 0 || tests_there)" || true
    [ "$found" -eq 0 ] || exit 1
    [ "$late" -eq 0 ] || exit 2
    exit 0
}
