# shellcheck shell=bash
# A test harness of a page, for the scripts of this folder. To be sourced.
#
# A test calls `run` and then `expect_…`; one that is not met prints what the script printed.

passed=0
failed=0
output=""
code=0

run() { # command [argument…]
    output=$("$@" 2>&1)
    code=$?
}

verdict() { # what was expected, 0 when it came true
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    printf 'FAILED: %s: %s\n' "${test_name:-?}" "$1"
    printf '%s\n' "$output" | sed 's/^/    | /'
}

expect_code() { # exit code
    [ "$code" -eq "$1" ]
    verdict "exit code $1, was $code" $?
}

expect() { # text that the output must contain
    case $output in
        *"$1"*) verdict "says '$1'" 0 ;;
        *) verdict "says '$1'" 1 ;;
    esac
}

expect_not() { # text that the output must not contain
    case $output in
        *"$1"*) verdict "does not say '$1'" 1 ;;
        *) verdict "does not say '$1'" 0 ;;
    esac
}

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
