#!/usr/bin/env bash
# `cargo build` of what is given to others: build.sh argument…
# Messages of panics name source files. Here they do so without the folders of whoever builds.

set -euo pipefail

cargo_home=${CARGO_HOME:-${HOME:-/nowhere}/.cargo}
# Of two that fit, rustc takes the last.
folders=(
    "$cargo_home=/cargo"
    "$("${RUSTC:-rustc}" --print sysroot)/lib/rustlib/src/rust=/rust"
    "$PWD=/gsock"
)
flags=("${folders[@]/#/--remap-path-prefix=}")

separator=$'\x1f'
if [ -n "${CARGO_ENCODED_RUSTFLAGS:-}" ]; then
    for flag in "${flags[@]}"; do
        CARGO_ENCODED_RUSTFLAGS+=$separator$flag
    done
    export CARGO_ENCODED_RUSTFLAGS
elif [ -n "${RUSTFLAGS:-}" ]; then
    export RUSTFLAGS="$RUSTFLAGS ${flags[*]}"
else
    # Added to those of cargo's own configuration.
    list=$(printf "'%s'," "${flags[@]}")
    exec cargo --config "build.rustflags = [$list]" build "$@"
fi
exec cargo build "$@"
