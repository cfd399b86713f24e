#!/usr/bin/env bash
# Finds out what a build of gsock needs and this machine lacks, says so, and installs it where apt
# is the package manager. Elsewhere it prints what to install and ends with status 1.
#
# Needed: cargo and rustc, a C linker (`cc`), pkg-config, and the development files of GLib.
# How old they may be is written in Cargo.toml and read from there.
# And what tests load when they run: GIO's TLS, which is glib-networking, and libsoup 3; servers that they start
# are unpacked beneath target/, by servers.sh.
#
# `setup.sh library`: not what the tests load, but what the C library's description (GIR) needs, and programs in the
# languages that have examples.
# `setup.sh capi`: what the tests load, what the C library needs, and its tests.
# `setup.sh nets`: and, beyond that, what the nets need: a nightly toolchain, for the sanitizers,
# llvm-symbolizer, strace, patch, iproute2, nftables, sysctl, a bus and, on Debian, mmdebstrap and lintian.
# `setup.sh torture`: and what only long runs need: meson, the clang and LLVM that Debian's newest rustc is made with, and the
# commands of cargo's that fuzz, change and count.
# `setup.sh inspector`: and what examples/inspector and its tests need: GTK, libadwaita, a display without a screen.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
# shellcheck source=.ci/lib.sh
. "$root/.ci/lib.sh"

oldest_rust=$(msrv "$root")
oldest_glib=$(oldest_glib "$root")
# As the build scripts of the bindings do: a cross build names its own pkg-config.
pkg_config=${PKG_CONFIG:-pkg-config}
glib_modules=(gobject-2.0 gio-2.0 gio-unix-2.0)

purpose=${1:-}
case $purpose in "" | library | capi | nets | torture | inspector) ;; *) printf 'setup: there is nothing called %s\n' "$purpose" && exit 1 ;; esac

say() { printf 'setup: %s\n' "$*"; }
found() { command -v "$1" >/dev/null 2>&1; }
there() { [ -e "$1" ]; } # file…: the first of them, or a pattern that nothing matches

rust_problem=""
rust_version=""
look_for_rust() {
    if ! found cargo || ! found rustc; then
        rust_problem="cargo and rustc are missing"
        if [ -x "${CARGO_HOME:-${HOME:-}/.cargo}/bin/cargo" ]; then
            rust_problem="cargo is installed in ${CARGO_HOME:-$HOME/.cargo}/bin, which is not on PATH"
        fi
        return
    fi
    # rustup's rustc is there before a toolchain is.
    if ! rust_version=$(rustc --version 2>/dev/null); then
        rust_problem="rustc is there but does not run (no toolchain installed?)"
        return
    fi
    rust_version=${rust_version#rustc }
    rust_version=${rust_version%%[ -]*}
    if ! at_least "$rust_version" "$oldest_rust"; then
        rust_problem="rustc is $rust_version, gsock needs $oldest_rust or newer"
    fi
}

# The first python3 on PATH need not be the one that the system's packages are for.
has_python() {
    local candidate
    for candidate in ${PYTHON:-python3 /usr/bin/python3}; do
        "$candidate" -c 'import gi' >/dev/null 2>&1 && return
    done
    return 1
}

look_for_library() {
    if ! found g-ir-scanner || ! found g-ir-compiler ||
        ! "$pkg_config" --exists gobject-introspection-1.0 >/dev/null 2>&1; then
        missing+=("gir")
    fi
    has_python || missing+=("python")
    if ! found valac || ! found vapigen; then
        missing+=("vala")
    fi
    found gjs || missing+=("gjs")
}

look_for_capi() {
    look_for_library
    found gcc || missing+=("gcc")
    found g++ || missing+=("g++")
    found clang || missing+=("clang")
    found valgrind || missing+=("valgrind")
    found gi-docgen || missing+=("gi-docgen")
    # Packages are made where there are such packages.
    ! found apt-get || found dpkg-shlibdeps || missing+=("dpkg")
}

look_for_nets() {
    look_for_capi
    [ -n "$(compgen -c llvm-symbolizer)" ] || missing+=("symbolizer")
    found strace || missing+=("strace")
    found patch || missing+=("patch")
    if ! found ip || ! found tc || ! found ss; then missing+=("iproute2"); fi
    found nft || missing+=("nftables")
    found sysctl || missing+=("procps")
    found dbus-run-session || missing+=("bus")
    # A machine is made, and packages are looked at, where there are such packages.
    ! found apt-get || found mmdebstrap || missing+=("mmdebstrap")
    ! found apt-get || found lintian || missing+=("lintian")
}

# Which LLVM Debian's newest rustc is made with; nothing where there is no such package.
llvm() { apt-cache depends rust-web-llvm 2>/dev/null | sed -n 's/^ *Depends: llvm-\([0-9]*\)$/\1/p' | head -n 1; }

look_for_torture() {
    local llvm
    look_for_nets
    found meson || missing+=("meson")
    found ninja || missing+=("ninja")
    llvm=$(llvm)
    [ -z "$llvm" ] || { found "clang-$llvm" && found "llvm-cov-$llvm"; } || missing+=("llvm")
}

# Each is built from its source, in two minutes or so.
cargo_commands=(cargo-fuzz cargo-llvm-cov cargo-mutants cargo-nextest)
get_cargo_commands() {
    local command
    local -a lacking=()
    for command in "${cargo_commands[@]}"; do
        found "$command" || lacking+=("$command")
    done
    [ "${#lacking[@]}" -gt 0 ] || return 0
    say "installing ${lacking[*]}"
    cargo install --locked "${lacking[@]}" && return
    say "cargo could not install: ${lacking[*]}"
    exit 1
}

look_for_inspector() {
    "$pkg_config" --exists 'gtk4 >= 4.8' >/dev/null 2>&1 || missing+=("gtk")
    "$pkg_config" --exists 'libadwaita-1 >= 1.2' >/dev/null 2>&1 || missing+=("adwaita")
    found glib-compile-resources || missing+=("resources")
    found Xvfb || missing+=("xvfb")
}

has_nightly() { cargo +nightly --version >/dev/null 2>&1; }

get_nightly() {
    if ! found rustup; then
        say "missing: a nightly toolchain, for the sanitizers; with rustup: rustup toolchain install nightly"
        exit 1
    fi
    say "installing a nightly toolchain"
    rustup toolchain install nightly --profile minimal
    has_nightly && return
    say "rustup could not install a nightly toolchain"
    exit 1
}

# What is missing: names of things, not of packages.
missing=()
glib_problem=""
glib_version=""
look_for_packages() {
    missing=()
    found cc || missing+=("cc")
    [ -z "$purpose" ] || "look_for_$purpose"
    look_for_glib
    [ "$purpose" = library ] || look_for_what_tests_load
}

# They are where GIO is; unknown where there is no GIO, and then missing with it.
look_for_what_tests_load() {
    local modules libraries
    modules=$("$pkg_config" --variable=giomoduledir gio-2.0 2>/dev/null)
    libraries=$("$pkg_config" --variable=libdir gio-2.0 2>/dev/null)
    there "$modules"/libgiognutls.* || there "$modules"/libgioopenssl.* || missing+=("tls")
    # Which port a service has by its name; a Debian of the smallest kind does not know.
    there "${SETUP_ETC:-/etc}/services" || missing+=("services")
    there "$libraries"/libsoup-3.0.* || "$pkg_config" --exists libsoup-3.0 2>/dev/null || missing+=("soup")
}

look_for_glib() {
    local module
    glib_problem=""
    if ! found "$pkg_config"; then
        missing+=("pkg-config" "glib")
        glib_problem="unknown without pkg-config"
        return
    fi
    for module in "${glib_modules[@]}"; do
        if ! glib_version=$("$pkg_config" --modversion "$module" 2>/dev/null); then
            missing+=("glib")
            glib_problem="$module.pc is missing"
            return
        fi
        if ! at_least "$glib_version" "$oldest_glib"; then
            missing+=("glib")
            glib_problem="$module is $glib_version"
            return
        fi
    done
}

# What the missing things are called where.
packages() { # debian | fedora | arch | macos
    local thing
    local -a names=()
    for thing in "${missing[@]}"; do
        case $1-$thing in
            debian-cc) names+=("gcc" "libc6-dev") ;;
            debian-pkg-config) names+=("pkg-config") ;;
            debian-glib) names+=("libglib2.0-dev") ;;
            fedora-cc | arch-cc) names+=("gcc") ;;
            fedora-pkg-config) names+=("pkgconf-pkg-config") ;;
            fedora-glib) names+=("glib2-devel") ;;
            arch-pkg-config | macos-pkg-config) names+=("pkgconf") ;;
            arch-glib) names+=("glib2") ;;
            macos-glib) names+=("glib") ;;
            macos-cc) ;; # not a package: see below
            debian-g++) names+=("g++") ;;
            fedora-g++) names+=("gcc-c++") ;;
            debian-gir) names+=("gobject-introspection" "libgirepository1.0-dev") ;;
            fedora-gir) names+=("gobject-introspection-devel") ;;
            arch-gir | macos-gir) names+=("gobject-introspection") ;;
            debian-python) names+=("python3-gi") ;;
            fedora-python) names+=("python3-gobject") ;;
            arch-python) names+=("python-gobject") ;;
            macos-python) names+=("pygobject3") ;;
            arch-g++) names+=("gcc") ;;
            # Without the symbols of the C library it does not start.
            debian-valgrind) names+=("valgrind" "libc6-dbg") ;;
            *-tls) names+=("glib-networking") ;;
            debian-soup) names+=("libsoup-3.0-0") ;;
            fedora-soup | arch-soup) names+=("libsoup3") ;;
            macos-soup) names+=("libsoup") ;;
            debian-services) names+=("netbase") ;;
            fedora-services) names+=("setup") ;;
            arch-services) names+=("iana-etc") ;;
            macos-services) ;; # is always there
            debian-dpkg) names+=("dpkg-dev") ;;
            debian-vala) names+=("valac") ;;
            fedora-vala) names+=("vala" "libvala-devel") ;;
            debian-iproute2 | arch-iproute2) names+=("iproute2") ;;
            fedora-iproute2) names+=("iproute" "iproute-tc") ;;
            debian-procps) names+=("procps") ;;
            fedora-procps | arch-procps) names+=("procps-ng") ;;
            debian-bus) names+=("dbus-daemon") ;;
            fedora-bus) names+=("dbus-daemon") ;;
            arch-bus) names+=("dbus") ;;
            debian-ninja | fedora-ninja) names+=("ninja-build") ;;
            debian-llvm) names+=("clang-$(llvm)" "llvm-$(llvm)" "libclang-rt-$(llvm)-dev") ;;
            *-nftables | *-meson | *-ninja) names+=("$thing") ;;
            *-gcc | *-clang | *-valgrind | *-vala | *-gjs | *-gi-docgen | *-strace | *-patch | *-mmdebstrap | *-lintian) names+=("$thing") ;;
            *-symbolizer) names+=("llvm") ;;
            # With what draws the icons, which Debian only recommends, and the font of the desktop.
            debian-gtk) names+=("libgtk-4-dev" "librsvg2-common" "fonts-cantarell") ;;
            debian-adwaita) names+=("libadwaita-1-dev") ;;
            debian-resources) names+=("libglib2.0-dev-bin") ;;
            debian-xvfb) names+=("xvfb") ;;
            fedora-gtk) names+=("gtk4-devel" "abattis-cantarell-fonts") ;;
            fedora-adwaita) names+=("libadwaita-devel") ;;
            fedora-resources) names+=("glib2-devel") ;;
            fedora-xvfb) names+=("xorg-x11-server-Xvfb") ;;
            arch-gtk | macos-gtk) names+=("gtk4") ;;
            arch-adwaita | macos-adwaita) names+=("libadwaita") ;;
            arch-resources) names+=("glib2-devel") ;;
            macos-resources) names+=("glib") ;;
            arch-xvfb) names+=("xorg-server-xvfb") ;;
            macos-xvfb) names+=("xquartz") ;;
        esac
    done
    echo "${names[*]}"
}

tell_what_is_missing() {
    local thing
    for thing in "${missing[@]}"; do
        case $thing in
            cc) say "missing: a C compiler to link with (cc)" ;;
            pkg-config) say "missing: pkg-config" ;;
            gcc | clang | valgrind | gjs | gi-docgen | strace | patch | mmdebstrap | lintian) say "missing: $thing" ;;
            symbolizer) say "missing: llvm-symbolizer" ;;
            iproute2 | nftables | procps | meson | ninja) say "missing: $thing" ;;
            bus) say "missing: a bus to run tests on (dbus-run-session)" ;;
            llvm) say "missing: clang-$(llvm), llvm-$(llvm) and the sanitizers of that clang" ;;
            gtk) say "missing: the development files of GTK 4.8 or newer" ;;
            adwaita) say "missing: the development files of libadwaita 1.2 or newer" ;;
            resources) say "missing: glib-compile-resources" ;;
            xvfb) say "missing: a display without a screen (Xvfb)" ;;
            dpkg) say "missing: what makes Debian packages (dpkg-dev)" ;;
            vala) say "missing: Vala (valac and vapigen)" ;;
            g++) say "missing: a C++ compiler (g++)" ;;
            gir) say "missing: GObject introspection (g-ir-scanner, g-ir-compiler and GIO's GIR)" ;;
            python) say "missing: a python3 with gi (PyGObject)" ;;
            tls) say "missing: TLS for GIO (glib-networking), for the tests" ;;
            services) say "missing: /etc/services, for the tests" ;;
            soup) say "missing: libsoup 3, for the tests" ;;
            glib) say "missing: the development files of GLib $oldest_glib or newer ($glib_problem)" ;;
        esac
    done
}

tell_rust_and_stop() {
    say "missing: Rust $oldest_rust or newer ($rust_problem)"
    case $rust_problem in
        *"not on PATH")
            say "Put that folder on PATH (rustup's file 'env' beside it does), then run make again."
            exit 1
            ;;
    esac
    say "install it with rustup (https://rustup.rs; some distributions have it as the package 'rustup'),"
    say "or as your distribution's packages 'rustc' and 'cargo' where they are new enough;"
    say "with rustup installed, 'rustup update stable' brings an old one up to date."
    say "Then run make again."
    exit 1
}

tell_packages_and_stop() {
    local mac
    say "this script installs with apt only. Install these, then run make again:"
    say "  Debian, Ubuntu:  apt-get install $(packages debian)"
    say "  Fedora:          dnf install $(packages fedora)"
    say "  Arch:            pacman -S $(packages arch)"
    mac=$(packages macos)
    case " ${missing[*]} " in
        *" cc "*) mac="xcode-select --install${mac:+ && brew install $mac}" ;;
        *) mac="brew install $mac" ;;
    esac
    say "  macOS:           $mac"
    exit 1
}

install_with_apt() {
    local -a as_root=() names=()
    read -r -a names <<<"$(packages debian)"
    if [ "$(id -u)" -ne 0 ]; then
        if ! found sudo; then
            say "installing needs root and there is no sudo. Run this as root, then make again:"
            say "  apt-get update && apt-get install -y ${names[*]}"
            exit 1
        fi
        as_root=(sudo)
    fi
    # `env` on the far side of sudo, which drops the variables of this side.
    as_root+=(env DEBIAN_FRONTEND=noninteractive)

    say "installing ${names[*]}"
    # Without the network the lists that are there may still do; if not, the next command says so.
    "${as_root[@]}" apt-get update -q || say "apt-get update failed; trying with the package lists that are there"
    if ! "${as_root[@]}" apt-get install -y -q --no-install-recommends "${names[@]}"; then
        say "apt-get could not install: ${names[*]}"
        exit 1
    fi
}

tell_still_missing_and_stop() {
    say "this is still missing after the installation:"
    tell_what_is_missing
    case " ${missing[*]} " in
        *" glib "*)
            say "the package is libglib2.0-dev. If what it installs is too old, a newer release of the distribution"
            say "has a newer one; a GLib of your own is found through PKG_CONFIG_PATH."
            [ -n "${PKG_CONFIG_PATH:-}${PKG_CONFIG_LIBDIR:-}" ] &&
                say "PKG_CONFIG_PATH or PKG_CONFIG_LIBDIR is set here: it may hide the one just installed."
            ;;
    esac
    exit 1
}

if [ -z "$oldest_rust" ] || [ -z "$oldest_glib" ]; then
    say "Cargo.toml does not say which Rust (rust-version) or which GLib (feature v2_NN) is needed"
    exit 1
fi

look_for_rust
look_for_packages

if [ -n "$rust_problem" ]; then
    # Before anything is installed: without Rust the rest would be for nothing.
    [ "${#missing[@]}" -eq 0 ] || tell_what_is_missing
    tell_rust_and_stop
fi

if [ "${#missing[@]}" -gt 0 ]; then
    tell_what_is_missing
    found apt-get || tell_packages_and_stop
    install_with_apt
    hash -r
    look_for_packages
    [ "${#missing[@]}" -eq 0 ] || tell_still_missing_and_stop
fi

case $purpose in nets | torture) has_nightly || get_nightly ;; esac
[ "$purpose" != torture ] || get_cargo_commands

# What the library's tests start is not installed.
if [ "$purpose" != library ] && [ "$purpose" != inspector ] && found apt-get && found dpkg-deb; then "$root/.ci/servers.sh" || exit 1; fi

say "nothing missing (rustc $rust_version, GLib $glib_version, cc, pkg-config${purpose:+, and for $purpose})"
