# shellcheck shell=bash
# What the nets that run test binaries share. To be sourced; does nothing by itself.
#
# A net's exit code: 0 = all is well, 1 = something was found, 2 = it could not do its work.

broken() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 2
}

target_folder() { # root of the tree
    local target=${CARGO_TARGET_DIR:-$1/target}
    case $target in /*) ;; *) target=$1/$target ;; esac
    printf '%s\n' "$target"
}

# Builds the tests and prints a line "NAME BINARY" for each file of tests. The arguments are cargo's.
test_binaries() {
    local log
    log=$(mktemp)
    if ! cargo "$@" --locked --no-run >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    sed -n 's/^ *Executable .*(\(.*\))$/\1/p' "$log" | while IFS= read -r binary; do
        name=${binary##*/}
        printf '%s %s\n' "${name%-*}" "$binary"
    done
    rm -f "$log"
}

# Picks the line of a name out of the lines that `test_binaries` prints.
binary_of() { # name, lines
    awk -v name="$1" '$1 == name { print $2; found = 1 } END { exit !found }' <<<"$2"
}

# The tests of tests/FILE.rs that are run by a net alone: sets `driver`, the binary, and `every`, their names.
ignored_tests_of() { # FILE, a file for what the build says
    CARGO_TERM_COLOR=never cargo test --locked --no-run --test "$1" >"$2" 2>&1 || {
        cat "$2" >&2
        broken "the tests of $1 do not build"
    }
    driver=$(sed -n "s|^ *Executable tests/$1\\.rs (\\(.*\\))\$|\\1|p" "$2")
    case $driver in /*) ;; *) driver=$PWD/$driver ;; esac
    [ -x "$driver" ] || broken "the tests of $1 are not where cargo says they are: $driver"
    mapfile -t every < <("$driver" --list --ignored --format terse | sed -n 's/: test$//p' | sort)
    [ "${#every[@]}" -gt 0 ] || broken "there are no tests in $1"
}

# Namespaces of the network, of mounts and of processes, which are gone when what runs in them ends.
enter_namespaces=(unshare --net --mount --pid --fork --kill-child --mount-proc)
[ "$(id -u)" -eq 0 ] || enter_namespaces+=(--map-root-user)
may_enter_namespaces() { # the tools that are used there…
    local tool said
    for tool in unshare timeout "$@"; do
        command -v "$tool" >/dev/null 2>&1 || broken "$tool is missing"
    done
    said=$("${enter_namespaces[@]}" ip link set lo up 2>&1) || broken "no right to make namespaces: $said"
}

# Runs each test as SCRIPT --inside FOLDER DRIVER TEST, at most N at a time. FOLDER is WORK/NAME, with its log and its exit code.
run_in_namespaces() { # N, WORK, SCRIPT, TEST…
    local most=$1 work=$2 script=$3 test folder
    shift 3
    for test; do
        while [ "$(jobs -rp | wc -l)" -ge "$most" ]; do wait -n; done
        folder=$work/${test##*::}
        mkdir "$folder"
        {
            "${enter_namespaces[@]}" "$script" --inside "$folder" "$driver" "$test" >"$folder/log" 2>&1 9>&-
            echo $? >"$folder/code"
        } &
    done
    wait
}

# How many tests a binary said it has run, from what it wrote. Processes that a test starts say so before it.
tests_in() { # file
    sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed.*/\1 \2/p' "$1" |
        awk 'END { print $1 + $2 }'
}

# At the end nothing is left: what is named is removed, and what this process has started and not awaited is ended, where it goes
# because of a signal too. In namespaces of their own processes hear no other signal.
leave_nothing() { # file or folder…
    to_remove=("$@")
    trap 'end_below $$; rm -rf "${to_remove[@]}"' EXIT
    trap 'exit 2' INT TERM HUP
}
end_below() { # process
    local child children
    read -r -d '' -a children < <(cat "/proc/$1"/task/*/children 2>/dev/null)
    for child in "${children[@]}"; do
        end_below "$child"
        kill -KILL "$child" 2>/dev/null
    done
}
