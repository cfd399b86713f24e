#!/usr/bin/env bash
# Makes what the net of thread sanitizers needs, once, on Debian: tsan-tools.sh FOLDER
#
# - FOLDER/glib/build: GLib from the source of Debian's package, every access of memory and every atomic operation of which
#   the sanitizer sees. With the GLib that is installed it would take each mutex of GLib's for nothing.
# - FOLDER/rustc: a Rust whose own library is there as source, to be built for the sanitizer with everything else: Debian's
#   newest, unpacked and not installed. What rustup installs has a library that is compiled already, without what a
#   sanitizer sees; of a `Mutex` that two threads want at once, or the end of an `Arc`, it would miss the order and report a
#   race where there is none.
# - FOLDER/clang: the name of the clang that links, of the same LLVM: the sanitizer that runs is its.
#
# Nothing of apt's own state changes. It takes three minutes for the first time, and a second where all is there.
#
# Exit code: 0 it is there, 2 it cannot be made.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
[ $# -eq 1 ] || broken "usage: ${0##*/} FOLDER"
mkdir -p "$1" || exit 2
where=$(cd "$1" && pwd)

for tool in apt-get dpkg-deb dpkg-source meson ninja; do
    command -v "$tool" >/dev/null 2>&1 || broken "$tool is missing: .ci/setup.sh nets"
done
exec 9>"$where/lock"
flock 9 || broken "no lock"
SECONDS=0

rust=$where/rust
rust_packages=(rustc-web libstd-rust-web-dev rust-web-src)
rust_version=$(apt-cache policy rustc-web | sed -n 's/^ *Candidate: *//p')
# Without apt's lists what is there will do.
case $rust_version in "" | "(none)") rust_version=$(cat "$rust/made" 2>/dev/null) ;; esac
[ -n "$rust_version" ] || broken "there is no rustc-web: apt-get update, or a Debian that has it"
if [ "$(cat "$rust/made" 2>/dev/null)" != "$rust_version" ]; then
    rm -rf "$rust"
    mkdir -p "$rust/unpacked" || exit 2
    # The library that is compiled already, for build scripts and macros, is a package of that version's name.
    packages=("${rust_packages[@]}")
    packages+=("$(apt-cache depends rustc-web="$rust_version" libstd-rust-web-dev="$rust_version" |
        sed -n 's/^ *Depends: \(libstd-rust-web-[0-9.]*\)$/\1/p' | head -n 1)")
    # Where apt's own user may write, which it need not in the tree.
    scratch=$(mktemp -d) || exit 2
    chmod 755 "$scratch"
    (cd "$scratch" && apt-get download -q "${packages[@]}") >"$rust/log" 2>&1 || {
        cat "$rust/log" >&2
        rm -rf "$scratch"
        broken "apt-get could not download: ${packages[*]}"
    }
    for package in "$scratch"/*.deb; do
        dpkg-deb -x "$package" "$rust/unpacked" || broken "cannot be unpacked: ${package##*/}"
    done
    rm -rf "$scratch"
    echo "$rust_version" >"$rust/made"
    echo "tsan: unpacked rustc $rust_version"
fi
# It looks for its own libraries where they would be if it was installed.
cat >"$where/rustc" <<END
#!/bin/sh
LD_LIBRARY_PATH=\$(echo '$rust'/unpacked/usr/lib/*-linux-gnu)\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
exec '$rust/unpacked/usr/bin/rustc' "\$@"
END
chmod 755 "$where/rustc"
llvm=$("$where/rustc" -vV | sed -n 's/^LLVM version: *\([0-9]*\).*/\1/p')
[ -n "$llvm" ] || broken "Debian's rustc does not run: apt-get install libllvm22, or what it says above"
clang=clang-$llvm
command -v "$clang" >/dev/null 2>&1 || broken "$clang is missing, of the LLVM that Debian's rustc $rust_version has: apt-get install $clang"
[ -n "$(compgen -G "$("$clang" -print-resource-dir)/lib/*/libclang_rt.tsan*.a")" ] ||
    broken "$clang has no sanitizer of threads: apt-get install libclang-rt-$llvm-dev"
echo "$clang" >"$where/clang"

glib=$where/glib
glib_version=$(dpkg-query -W -f='${source:Version}' libglib2.0-dev 2>/dev/null)
[ -n "$glib_version" ] || broken "the development files of GLib are from no package: apt-get install libglib2.0-dev"
options=(--prefix=/usr --buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false -Dtests=false -Dinstalled_tests=false
    -Dgtk_doc=false -Dman=false -Dnls=disabled -Dselinux=disabled -Dlibelf=disabled -Ddtrace=false -Dsystemtap=false)
wanted="$glib_version $clang ${options[*]}"
if [ "$(cat "$glib/made" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$glib"
    mkdir -p "$glib/lists/partial" "$glib/cache/archives/partial" "$glib/source" || exit 2
    # The archive that the installed package is from has its source too.
    read -r archive suite < <(apt-cache policy libglib2.0-dev | awk '/^ *[0-9]+ http/ { print $2, $3; exit }')
    [ -n "${suite-}" ] || broken "apt knows no archive that has libglib2.0-dev"
    echo "deb-src $archive ${suite%%/*} ${suite#*/}" >"$glib/sources.list"
    own=(-q -o Dir::Etc::sourcelist="$glib/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$glib/lists"
        -o Dir::Cache="$glib/cache" -o APT::Sandbox::User=root)
    if ! { apt-get "${own[@]}" update && cd "$glib/source" && apt-get "${own[@]}" source glib2.0; } >"$glib/log" 2>&1; then
        cat "$glib/log" >&2
        broken "apt-get could not fetch GLib's source"
    fi
    cd "$root" || exit 2
    sources=("$glib"/source/glib2.0-*/)
    # GIO, and with it what it needs of the others.
    if ! { CC=$clang CXX=${clang/clang/clang++} meson setup "${options[@]}" "$glib/build" "${sources[0]}" &&
        meson compile -C "$glib/build" gio-2.0:shared_library; } >"$glib/log" 2>&1; then
        tail -n 40 "$glib/log" >&2
        broken "GLib does not build: $glib/log"
    fi
    # Its source is of no use any more, and it is large.
    rm -rf "$glib/lists" "$glib/cache"
    echo "$wanted" >"$glib/made"
    echo "tsan: built GLib $glib_version with $clang in $SECONDS s"
fi
