#!/usr/bin/env bash
# Plays the corpora of the fuzz targets (tests/corpus/), and fuzzes them (fuzz/): fuzz.sh [--seconds N] [TARGET…]
#
# Without --seconds the corpora are played by a plain test, which needs neither nightly nor cargo-fuzz. With it each
# target (or those that are named) also runs for N seconds under the sanitizers of addresses and leaks. What is found goes
# to fuzz/ below the target folder, and the line that plays it again is printed.
#
# Exit code: 0 nothing was found; 1 something was; 2 it does not build, or cargo-fuzz or a nightly toolchain is missing.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2

triple=x86_64-unknown-linux-gnu
# GIO's SOCKS leaks a few bytes for each agreement, and its functions have no names in a stack.
leaky=" proxies names "

seconds=0
if [ "${1-}" = --seconds ]; then
    seconds=${2:?}
    shift 2
fi
targets=("$@")
[ $# -gt 0 ] || targets=(proxies ancillary names frames operations)

# --- The corpora ---------------------------------------------------------------------------------------------

log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
runs=0 crashes=0
binaries=$(test_binaries test --test corpus) || broken "the tests do not build"
binary=$(binary_of corpus "$binaries") || broken "there is no tests/corpus.rs"
for target in "${targets[@]}"; do
    inputs=(tests/corpus/inputs/"$target"/*)
    runs=$((runs + ${#inputs[@]}))
    # A test has the name of its module's folder in what it tells.
    case $target in
        ancillary) of=control_messages ;;
        *) of=$target ;;
    esac
    RUST_BACKTRACE=0 timeout --kill-after=10 200 "$binary" --exact "what_was_found_of_${of}_is_right" --nocapture >"$log" 2>&1
    code=$?
    if [ "$code" -ne 0 ] || ! grep -q "^corpus: ${#inputs[@]} inputs: $target" "$log"; then
        crashes=$((crashes + 1))
        echo "FAILED $target: $(grep -a -o 'tests/corpus/inputs/.*' "$log" | tail -n 1): $(grep -a -A 1 -m 1 -E 'panicked at|^unexpected ' "$log" | tr '\n' ' ' | cut -c 1-250) (exit code $code)"
        echo "  cargo test --locked --test corpus what_was_found_of_${of}_is_right -- --nocapture"
    fi
done
echo "fuzz: corpora: $runs inputs of ${#targets[@]} targets, $crashes failed"

# --- The fuzzer ----------------------------------------------------------------------------------------------

if [ "$seconds" -gt 0 ]; then
    cargo +nightly --version >/dev/null 2>&1 ||
        broken "needs a nightly toolchain: rustup toolchain install nightly --profile minimal"
    cargo fuzz --version >/dev/null 2>&1 || broken "needs cargo-fuzz: cargo install --locked cargo-fuzz"
    folder=$(target_folder "$root")/fuzz
    SECONDS=0
    for target in "${targets[@]}"; do
        # Not all at once where a part was asked for: linking takes a while.
        (cd fuzz && cargo +nightly fuzz build --target-dir "$folder" "$target") >"$log" 2>&1 || {
            tail -n 40 "$log" >&2
            broken "$target does not build"
        }
    done
    echo "fuzz: built in $SECONDS s"
    symbolizer=$(compgen -c llvm-symbolizer | sort -V | tail -n 1)
    # Most objects come from GLib's slices, where a sanitizer sees nothing.
    export G_SLICE=always-malloc G_DEBUG=fatal-criticals RUST_BACKTRACE=0
    [ -z "$symbolizer" ] || ASAN_SYMBOLIZER_PATH=$(command -v "$symbolizer")
    [ -z "$symbolizer" ] || export ASAN_SYMBOLIZER_PATH
    for target in "${targets[@]}"; do
        leaks=1
        case $leaky in *" $target "*) leaks=0 ;; esac
        mkdir -p "$folder/found/$target" "$folder/crashes"
        fuzzer=$folder/$triple/release/$target
        play=(env "G_SLICE=always-malloc" "ASAN_OPTIONS=detect_leaks=$leaks" "$fuzzer" -timeout=25 -rss_limit_mb=2048)
        "${play[@]}" -max_total_time="$seconds" -max_len=512 -print_final_stats=1 -detect_leaks="$leaks" \
            -artifact_prefix="$folder/crashes/$target-" "$folder/found/$target" "tests/corpus/inputs/$target" >"$log" 2>&1
        code=$?
        done_=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
        # Where it ends in a crash it says of the last line how many there were.
        [ -n "$done_" ] || done_=$(grep -a -o '^#[0-9]*' "$log" | tail -n 1 | tr -d '#')
        runs=$((runs + ${done_:-1}))
        printf 'fuzz: %-12s %8d runs in %d s\n' "$target" "${done_:-0}" "$seconds"
        if [ "$code" -ne 0 ]; then
            crashes=$((crashes + 1))
            found=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
            echo "FAILED $target: $(grep -a -A 1 -m 1 -E 'panicked at|^unexpected |ERROR: ' "$log" | tr '\n' ' ' | cut -c 1-250) (exit code $code)"
            echo "  ${play[*]} ${found:-tests/corpus/inputs/$target/*}"
        fi
    done
fi
.ci/nets/figure.sh 14.runs "$runs" "$((runs - crashes))" "runs of ${#targets[@]} targets without a crash"
