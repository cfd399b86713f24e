#!/usr/bin/env bash
# Tests setup.sh on machines made of fake commands: PATH is one folder, with what the machine "has".
# Nothing is installed and nothing of the real machine but a few text tools is seen.

set -u

here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
# shellcheck source=.ci/test-lib.sh
. "$here/test-lib.sh"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bash=$(command -v bash)

# The tree whose setup.sh is run. The versions are none of the real ones: they must be read, not known.
tree=$scratch/tree
mkdir -p "$tree/.ci"
cp "$here/setup.sh" "$here/lib.sh" "$tree/.ci/"
cat >"$tree/Cargo.toml" <<'TOML'
[package]
rust-version = "1.60"
[dependencies]
gio = { version = "0.1", features = ["v2_50"] }
TOML

# A machine without anything to build with.
machine() { # name of the test
    test_name=$1
    world=$scratch/$((passed + failed))-world
    bin=$world/bin
    mkdir -p "$bin" "$world/home" "$world/etc"
    : >"$world/etc/services"
    : >"$world/log"
    local tool
    for tool in bash env sed sort head tail; do
        ln -s "$(command -v "$tool")" "$bin/$tool"
    done
    user 0
}

fake() { # name, body
    printf '#!%s\n%s\n' "$bash" "$2" >"$bin/$1"
    chmod +x "$bin/$1"
}

user() { fake id "echo $1"; }

rust() { # version
    fake cargo 'exit 0'
    fake rustc "echo 'rustc $1 (0123456 2020-01-01)'"
}

cc() { fake cc 'exit 0'; }

# A GLib with what tests load beside it.
glib() { # version, where (here)
    local where=${2:-$world}
    mkdir -p "$where/bin" "$where/lib"
    printf '#!%s\ncase $* in --variable=*) echo "%s" ;; *libsoup*) exit 1 ;; *) echo %s ;; esac\n' \
        "$bash" "$world/lib" "$1" >"$where/bin/pkg-config"
    chmod +x "$where/bin/pkg-config"
    : >"$where/lib/libgiognutls.so"
    : >"$where/lib/libsoup-3.0.so.0"
}

no_glib() { fake pkg-config 'exit 1'; }

without() { rm "$world/lib/$1"; } # file

# apt-get writes down how it was called; `install` brings a GLib of the given version, or none, or fails.
apt() { # version | nothing | fails
    local install
    case $1 in
        nothing) install=: ;;
        fails) install='echo "E: Unable to locate package"; exit 100' ;;
        *)
            glib "$1" "$world/apt"
            printf '#!%s\n' "$bash" >"$world/apt/bin/cc"
            chmod +x "$world/apt/bin/cc"
            install="$(command -v cp) -R $world/apt/. $world/"
            ;;
    esac
    fake apt-get "echo \"apt-get \$* (frontend \${DEBIAN_FRONTEND:-})\" >>$world/log
if [ \"\$1\" = install ]; then $install; fi"
}

# sudo drops the variables of its caller, as the real one does.
sudo_there() { fake sudo "echo sudo >>$world/log; unset DEBIAN_FRONTEND; exec \"\$@\""; }

setup() {
    run env -i PATH="$bin" HOME="$world/home" SETUP_ETC="$world/etc" "$@" "$bash" "$tree/.ci/setup.sh"
}

expect_log() { # lines that are the whole log of installing
    local log
    log=$(cat "$world/log")
    [ "$log" = "$1" ]
    verdict "installs with: ${1:-nothing}; log: $log" $?
}

machine "nothing is missing"
rust 1.70.0 && cc && glib 2.60.1 && apt nothing
setup
expect_code 0
expect "setup: nothing missing (rustc 1.70.0, GLib 2.60.1, cc, pkg-config)"
expect_log ""
[ "$(printf '%s\n' "$output" | wc -l)" -eq 1 ]
verdict "one line" $?

machine "the smallest Debian knows no services"
rust 1.70.0 && cc && glib 2.60.1 && apt nothing && rm "$world/etc/services"
setup
expect_code 1
expect "missing: /etc/services, for the tests"
expect_log "apt-get update -q (frontend noninteractive)
apt-get install -y -q --no-install-recommends netbase (frontend noninteractive)"

machine "exactly the oldest versions are enough"
rust 1.60.0 && cc && glib 2.50.0
setup
expect_code 0

machine "a nightly counts by its number"
rust 1.61.0-nightly && cc && glib 2.50.0
setup
expect_code 0

machine "numbers are compared as numbers: 1.9 is older than 1.60, 2.100 newer than 2.50"
rust 1.9.0 && cc && glib 2.100.0
setup
expect_code 1
expect "rustc is 1.9.0, gsock needs 1.60 or newer"
expect_not "GLib"

machine "the needs are read from Cargo.toml"
rust 1.70.0 && cc && glib 2.60.1
cp -r "$tree" "$world/tree"
sed -i.orig 's/1\.60/1.99/' "$world/tree/Cargo.toml"
run env -i PATH="$bin" HOME="$world/home" SETUP_ETC="$world/etc" "$bash" "$world/tree/.ci/setup.sh"
expect_code 1
expect "missing: Rust 1.99 or newer"

machine "a Cargo.toml without needs is an error, not 'nothing missing'"
rust 1.70.0 && cc && glib 2.60.1
cp -r "$tree" "$world/tree"
: >"$world/tree/Cargo.toml"
run env -i PATH="$bin" HOME="$world/home" SETUP_ETC="$world/etc" "$bash" "$world/tree/.ci/setup.sh"
expect_code 1
expect "Cargo.toml does not say"

machine "a fresh Debian machine, as root"
rust 1.70.0 && cc && apt 2.60.0
setup
expect_code 0
expect "missing: pkg-config"
expect "missing: the development files of GLib 2.50 or newer (unknown without pkg-config)"
expect "installing pkg-config libglib2.0-dev"
expect "nothing missing (rustc 1.70.0, GLib 2.60.0"
expect_log "apt-get update -q (frontend noninteractive)
apt-get install -y -q --no-install-recommends pkg-config libglib2.0-dev glib-networking libsoup-3.0-0 (frontend noninteractive)"

machine "without a linker too"
rust 1.70.0 && apt 2.60.0
setup
expect_code 0
expect "missing: a C compiler to link with (cc)"
expect "installing gcc libc6-dev pkg-config libglib2.0-dev"

machine "only what is missing is installed"
rust 1.70.0 && cc && no_glib && apt 2.60.0
setup
expect_code 0
expect "gobject-2.0.pc is missing"
expect_log "apt-get update -q (frontend noninteractive)
apt-get install -y -q --no-install-recommends libglib2.0-dev glib-networking libsoup-3.0-0 (frontend noninteractive)"

machine "not root: through sudo"
rust 1.70.0 && cc && no_glib && apt 2.60.0 && user 1000 && sudo_there
setup
expect_code 0
expect_log "sudo
apt-get update -q (frontend noninteractive)
sudo
apt-get install -y -q --no-install-recommends libglib2.0-dev glib-networking libsoup-3.0-0 (frontend noninteractive)"

machine "not root and no sudo: says the command"
rust 1.70.0 && cc && no_glib && apt 2.60.0 && user 1000
setup
expect_code 1
expect "there is no sudo"
expect "apt-get update && apt-get install -y libglib2.0-dev"
expect_log ""

machine "an old GLib is brought up to date where apt can"
rust 1.70.0 && cc && glib 2.48.2 && apt 2.60.0
setup
expect_code 0
expect "missing: the development files of GLib 2.50 or newer (gobject-2.0 is 2.48.2)"
expect "GLib 2.60.0"

machine "an old GLib is told where apt has no newer one"
rust 1.70.0 && cc && glib 2.48.2 && apt nothing
setup
expect_code 1
expect "this is still missing after the installation"
expect "GLib 2.50 or newer (gobject-2.0 is 2.48.2)"
expect "the package is libglib2.0-dev"
expect_not "PKG_CONFIG_LIBDIR is set"

machine "a PKG_CONFIG_PATH that hides the new one is named"
rust 1.70.0 && cc && glib 2.48.2 && apt nothing
setup PKG_CONFIG_PATH=/somewhere
expect_code 1
expect "PKG_CONFIG_PATH or PKG_CONFIG_LIBDIR is set here"

machine "gio-unix has a module of its own"
rust 1.70.0 && cc && apt nothing
# shellcheck disable=SC2016 # the fake's own argument
fake pkg-config '[ "$2" != gio-unix-2.0 ] && echo 2.60.0'
setup
expect_code 1
expect "gio-unix-2.0.pc is missing"

machine "PKG_CONFIG names another pkg-config"
rust 1.70.0 && cc && glib 2.60.0
mv "$bin/pkg-config" "$bin/cross-pkg-config"
no_glib
setup PKG_CONFIG=cross-pkg-config
expect_code 0

machine "what the tests load is installed"
rust 1.70.0 && cc && glib 2.60.0 && apt 2.60.0
without libgiognutls.so
without libsoup-3.0.so.0
setup
expect_code 0
expect "missing: TLS for GIO (glib-networking), for the tests"
expect "missing: libsoup 3, for the tests"
expect_log "apt-get update -q (frontend noninteractive)
apt-get install -y -q --no-install-recommends glib-networking libsoup-3.0-0 (frontend noninteractive)"

machine "one of what the tests load"
rust 1.70.0 && cc && glib 2.60.0
without libsoup-3.0.so.0
setup
expect_code 1
expect_not "glib-networking"
expect "dnf install libsoup3"
expect "pacman -S libsoup3"
expect "brew install libsoup"

machine "GIO's TLS by OpenSSL will do"
rust 1.70.0 && cc && glib 2.60.0
without libgiognutls.so
: >"$world/lib/libgioopenssl.so"
setup
expect_code 0

machine "GIO's TLS is no other module of GIO's"
rust 1.70.0 && cc && glib 2.60.0
without libgiognutls.so
: >"$world/lib/libgiognomeproxy.so"
setup
expect_code 1
expect "apt-get install glib-networking"

machine "apt-get fails"
rust 1.70.0 && cc && no_glib && apt fails
setup
expect_code 1
expect "E: Unable to locate package"
expect "apt-get could not install: libglib2.0-dev"

machine "Fedora, Arch, macOS: a list, and nothing is run"
rust 1.70.0
fake dnf "echo dnf >>$world/log"
fake pacman "echo pacman >>$world/log"
fake brew "echo brew >>$world/log"
sudo_there
setup
expect_code 1
expect "dnf install gcc pkgconf-pkg-config glib2-devel"
expect "pacman -S gcc pkgconf glib2"
expect "xcode-select --install && brew install pkgconf glib"
expect_log ""

machine "the list names only what is missing"
rust 1.70.0 && cc && no_glib
setup
expect_code 1
expect "dnf install glib2-devel"
expect "pacman -S glib2"
expect "macOS:           brew install glib"
expect_not "gcc"

for_capi() {
    # A Python of this machine's own, so that the real one is not seen.
    run env -i PATH="$bin" HOME="$world/home" SETUP_ETC="$world/etc" PYTHON=python3 "$bash" "$tree/.ci/setup.sh" capi
}

capi_tools() {
    local tool
    for tool in gcc g++ clang g-ir-scanner g-ir-compiler valgrind python3 valac vapigen gjs gi-docgen dpkg-shlibdeps strace patch; do
        fake "$tool" 'exit 0'
    done
}

machine "what only the tests of the C library need is not asked for otherwise"
rust 1.70.0 && cc && glib 2.60.1
setup
expect_code 0
expect_not "capi"

machine "nothing is missing for the C library"
rust 1.70.0 && cc && glib 2.60.1 && capi_tools
for_capi
expect_code 0
expect "nothing missing (rustc 1.70.0, GLib 2.60.1, cc, pkg-config, and for capi)"
expect_log ""

machine "what the tests of the C library need is installed"
rust 1.70.0 && cc && glib 2.60.1 && apt nothing
for tool in gcc g++ clang g-ir-scanner g-ir-compiler valgrind python3 valac vapigen gjs gi-docgen dpkg-shlibdeps; do
    sed -i "2i if [ \"\$1\" = install ]; then printf '#!$bash\n' >$bin/$tool; $(command -v chmod) +x $bin/$tool; fi" "$bin/apt-get"
done
for_capi
expect_code 0
expect "missing: a C++ compiler (g++)"
expect "missing: GObject introspection"
expect "missing: a python3 with gi"
expect "missing: clang"
expect "missing: valgrind"
expect "missing: Vala (valac and vapigen)"
expect "missing: gjs"
expect "missing: gi-docgen"
expect "missing: what makes Debian packages (dpkg-dev)"
expect_log "apt-get update -q (frontend noninteractive)
apt-get install -y -q --no-install-recommends gobject-introspection libgirepository1.0-dev python3-gi valac gjs gcc g++ clang valgrind libc6-dbg gi-docgen dpkg-dev (frontend noninteractive)"

machine "introspection without GIO's GIR is not enough"
rust 1.70.0 && cc && capi_tools
# shellcheck disable=SC2016 # the fake's own argument
fake pkg-config '[ "$1" != --exists ] && echo 2.60.0'
for_capi
expect_code 1
expect "missing: GObject introspection"
expect "dnf install gobject-introspection-devel"
expect_not "valgrind"

machine "a Python without gi is not enough"
rust 1.70.0 && cc && glib 2.60.1 && capi_tools
fake python3 'exit 1'
for_capi
expect_code 1
expect "pacman -S python-gobject"

for_library() {
    run env -i PATH="$bin" HOME="$world/home" SETUP_ETC="$world/etc" PYTHON=python3 "$bash" "$tree/.ci/setup.sh" library
}

machine "the library and its languages need nothing of what tests need"
rust 1.70.0 && cc && glib 2.60.1 && apt nothing
without libgiognutls.so
without libsoup-3.0.so.0
for tool in g-ir-scanner g-ir-compiler python3 valac vapigen gjs; do
    sed -i "2i if [ \"\$1\" = install ]; then printf '#!$bash\n' >$bin/$tool; $(command -v chmod) +x $bin/$tool; fi" "$bin/apt-get"
done
for_library
expect_code 0
expect "and for library"
expect_log "apt-get update -q (frontend noninteractive)
apt-get install -y -q --no-install-recommends gobject-introspection libgirepository1.0-dev python3-gi valac gjs (frontend noninteractive)"

for_nets() {
    run env -i PATH="$bin" HOME="$world/home" SETUP_ETC="$world/etc" PYTHON=python3 "$bash" "$tree/.ci/setup.sh" nets
}

nets_tools() {
    local tool
    capi_tools
    for tool in ip tc ss nft sysctl dbus-run-session; do
        fake "$tool" 'exit 0'
    done
}

machine "nothing is missing for the nets"
rust 1.70.0 && cc && glib 2.60.1 && nets_tools
fake llvm-symbolizer-14 'exit 0'
for_nets
expect_code 0
expect "and for nets"
expect_log ""

machine "the nets need a nightly toolchain, and rustup brings it"
rust 1.70.0 && cc && glib 2.60.1 && nets_tools
fake llvm-symbolizer 'exit 0'
# shellcheck disable=SC2016 # the fake's own argument
fake cargo '[ "$1" != +nightly ]'
fake rustup "echo \"rustup \$*\" >>$world/log; printf '#!$bash\n' >$bin/cargo"
for_nets
expect_code 0
expect "installing a nightly toolchain"
expect_log "rustup toolchain install nightly --profile minimal"

machine "without rustup it says what is missing"
rust 1.70.0 && cc && glib 2.60.1 && nets_tools
fake llvm-symbolizer 'exit 0'
# shellcheck disable=SC2016 # the fake's own argument
fake cargo '[ "$1" != +nightly ]'
for_nets
expect_code 1
expect "missing: a nightly toolchain"

machine "machines are made and packages looked at where there is apt"
rust 1.70.0 && cc && glib 2.60.1 && apt nothing && nets_tools
fake llvm-symbolizer 'exit 0'
for_nets
expect_code 1
expect "missing: mmdebstrap"
expect_log "apt-get update -q (frontend noninteractive)
apt-get install -y -q --no-install-recommends mmdebstrap lintian (frontend noninteractive)"

machine "a symbolizer is missing"
rust 1.70.0 && cc && glib 2.60.1 && nets_tools
for_nets
expect_code 1
expect "missing: llvm-symbolizer"
expect "apt-get install llvm"

machine "networks are made with what may be missing"
rust 1.70.0 && cc && glib 2.60.1 && apt nothing && capi_tools
fake mmdebstrap 'exit 0'
fake lintian 'exit 0'
fake llvm-symbolizer 'exit 0'
for_nets
expect_code 1
expect "missing: nftables"
expect "missing: a bus to run tests on"
expect_log "apt-get update -q (frontend noninteractive)
apt-get install -y -q --no-install-recommends iproute2 nftables procps dbus-daemon (frontend noninteractive)"

for_torture() {
    run env -i PATH="$bin" HOME="$world/home" SETUP_ETC="$world/etc" PYTHON=python3 "$bash" "$tree/.ci/setup.sh" torture
}

machine "what long runs need is of the LLVM of Debian's rustc, and cargo's commands are built"
rust 1.70.0 && cc && glib 2.60.1 && apt nothing && nets_tools
fake mmdebstrap 'exit 0'
fake lintian 'exit 0'
fake llvm-symbolizer 'exit 0'
fake apt-cache 'echo "  Depends: llvm-19"'
for tool in meson ninja clang-19 llvm-cov-19; do
    sed -i "2i if [ \"\$1\" = install ]; then printf '#!$bash\n' >$bin/$tool; $(command -v chmod) +x $bin/$tool; fi" "$bin/apt-get"
done
fake cargo-nextest 'exit 0'
# shellcheck disable=SC2016 # the fake's own argument
fake cargo '[ "$1" != install ] || echo "cargo $*" >>'"$world/log"
for_torture
expect_code 0
expect "missing: meson"
expect "missing: clang-19"
expect "and for torture"
expect_log "apt-get update -q (frontend noninteractive)
apt-get install -y -q --no-install-recommends meson ninja-build clang-19 llvm-19 libclang-rt-19-dev (frontend noninteractive)
cargo install --locked cargo-fuzz cargo-llvm-cov cargo-mutants"

for_inspector() {
    run env -i PATH="$bin" HOME="$world/home" SETUP_ETC="$world/etc" "$bash" "$tree/.ci/setup.sh" inspector
}

machine "nothing is missing for the inspector"
rust 1.70.0 && cc && glib 2.60.1
fake glib-compile-resources 'exit 0'
fake Xvfb 'exit 0'
for_inspector
expect_code 0
expect "and for inspector"
expect_log ""

machine "what the inspector needs is installed"
rust 1.70.0 && cc && glib 2.60.1 && apt nothing
fake pkg-config "case \$* in --variable=*) echo $world/lib ;; *gtk4* | *libadwaita*) exit 1 ;; *) echo 2.60.1 ;; esac"
for_inspector
expect_code 1
expect "missing: the development files of GTK 4.8 or newer"
expect "missing: the development files of libadwaita 1.2 or newer"
expect "missing: glib-compile-resources"
expect "missing: a display without a screen (Xvfb)"
expect "this is still missing after the installation"
expect_log "apt-get update -q (frontend noninteractive)
apt-get install -y -q --no-install-recommends libgtk-4-dev librsvg2-common fonts-cantarell libadwaita-1-dev libglib2.0-dev-bin xvfb (frontend noninteractive)"

machine "the inspector's list elsewhere"
rust 1.70.0 && cc && glib 2.60.1
fake glib-compile-resources 'exit 0'
for_inspector
expect_code 1
expect "dnf install xorg-x11-server-Xvfb"
expect "pacman -S xorg-server-xvfb"
expect_not "gtk4"

machine "a purpose that there is not"
rust 1.70.0 && cc && glib 2.60.1
run env -i PATH="$bin" HOME="$world/home" SETUP_ETC="$world/etc" "$bash" "$tree/.ci/setup.sh" everything
expect_code 1
expect "there is nothing called everything"

machine "no Rust: says where to get it and installs nothing"
cc && apt 2.60.0
setup
expect_code 1
expect "missing: Rust 1.60 or newer (cargo and rustc are missing)"
expect "rustup"
expect "missing: pkg-config"
expect_log ""

machine "Rust is there, but not on PATH"
cc && glib 2.60.0
mkdir -p "$world/home/.cargo/bin"
printf '#!%s\n' "$bash" >"$world/home/.cargo/bin/cargo"
chmod +x "$world/home/.cargo/bin/cargo"
setup
expect_code 1
expect ".cargo/bin, which is not on PATH"
expect "Put that folder on PATH"
expect_not "install it"

machine "rustup without a toolchain"
cc && glib 2.60.0
fake cargo 'exit 1'
fake rustc 'echo "error: rustup could not choose a version" >&2; exit 1'
setup
expect_code 1
expect "rustc is there but does not run"

finish
