#!/usr/bin/env bash
# Installs the C library where the system looks for such things, and takes it away again: into /usr, /usr/local and /opt, and as
# Debian packages. Each time the examples of four languages run by the commands of their README, and afterwards
# nothing is left.
#
# On a scratch machine (scratch-machine.sh): nothing of this one is changed, and there is no network. Whatever would
# install or fetch something is a failure. PROFILE is cargo's; `release` has the packages looked at in full.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
cd "$root" || exit 1
export PROFILE=${PROFILE:-dev}
if [ "${1:-}" != --inside ]; then
    exec .ci/scratch-machine.sh .ci/test-packages.sh --inside
fi

failures=0
fail() {
    printf 'test-packages: FAILED: %s\n' "$*"
    failures=$((failures + 1))
}
say() { printf 'test-packages: %4s s: %s\n' "$SECONDS" "$*"; }
die() {
    fail "$@"
    exit 1
}

scratch=$(mktemp -d)
version=$(sed -n 's/^version *= *"\([0-9.]*\).*/\1/p' Cargo.toml | head -n 1)
python=""
for candidate in ${PYTHON:-python3 /usr/bin/python3}; do
    if [ -z "$python" ] && "$candidate" -c 'import gi' >/dev/null 2>&1; then
        python=$candidate
    fi
done
missing=()
[ -n "$python" ] || missing+=("python3 with gi")
for tool in cargo make cc pkg-config g-ir-scanner g-ir-compiler gi-docgen gjs valac vapigen timeout ldconfig readelf; do
    command -v "$tool" >/dev/null 2>&1 || missing+=("$tool")
done
is_debian() { command -v dpkg >/dev/null 2>&1; }
if is_debian; then
    for tool in dpkg-deb dpkg-shlibdeps dpkg-gensymbols dpkg-architecture; do
        command -v "$tool" >/dev/null 2>&1 || missing+=("$tool")
    done
    [ "$PROFILE" != release ] || command -v lintian >/dev/null 2>&1 || missing+=(lintian)
fi
[ "${#missing[@]}" -eq 0 ] || die "missing: ${missing[*]}"

# Whoever is called here would have installed or fetched something.
mkdir -p "$scratch/bin"
for tool in apt apt-get aptitude sudo su rustup dnf pacman brew pip pip3 curl wget git-remote-https; do
    printf '#!/bin/sh\necho "%s $*" >>%s/called\nexit 1\n' "$tool" "$scratch" >"$scratch/bin/$tool"
    chmod +x "$scratch/bin/$tool"
done
# The first python3 on PATH need not be the one that the system's packages are for.
ln -s "$(command -v "$python")" "$scratch/bin/python3"
export PATH=$scratch/bin:$PATH PYTHONDONTWRITEBYTECODE=1

# ---- What stands where

files() { # every file of the system's folders, and when it was written
    find /usr /opt /etc /var/lib/dpkg/info /var/lib/dpkg/triggers ! -type d ! -path /etc/ld.so.cache ! -name Lock -printf '%p %T@\n' 2>/dev/null | sort
}
nothing_left() { # after what
    ldconfig
    diff "$scratch/before" <(files) >"$scratch/log" || {
        head -n 20 "$scratch/log"
        fail "$1 leaves something, or takes something else away"
    }
    diff "$scratch/no-gsock" <(find /usr /opt /var/lib -name '*gsock*' 2>/dev/null) || fail "$1 leaves a folder of ours"
    ! pkg-config --exists gsock-1 || fail "$1 leaves gsock-1.pc"
    ! "$python" -c "$load" 2>/dev/null || fail "$1 leaves something that Python can load"
}
load='import gi
gi.require_version("Gsock", "1")
from gi.repository import Gsock
assert Gsock.SocketClient().get_timeout() == 0'
! pkg-config --exists gsock-1 || die "gsock is installed on this machine: $(pkg-config --variable=prefix gsock-1)"

# ---- The examples

mkdir -p "$scratch/at"
ln -s "$root/examples" "$scratch/at/examples"
# shellcheck disable=SC2016 # the backticks are Markdown's
mapfile -t commands < <(sed -nE 's/^\| \[`(c|python|gjs|vala)\/.*\| `(.*)` \|$/\1 \2/p' examples/README.md)
[ "${#commands[@]}" -eq 4 ] || die "${#commands[@]} examples of other languages in their README, not 4"
ran=0
examples() { # where it is installed, folder of the library, file to be sourced or -, language… (all)
    local where=$1 folder=$2 source=$3 line language output code
    shift 3
    for line in "${commands[@]}"; do
        language=${line%% *}
        [ "$#" -eq 0 ] || [[ " $* " == *" $language "* ]] || continue
        rm -f "$scratch/at/echo"
        output=$(cd "$scratch/at" && {
            # shellcheck source=/dev/null
            [ "$source" = - ] || . "$source"
            G_DEBUG=fatal-criticals timeout --kill-after=10 60 bash -c "${line#* }" 2>&1 </dev/null
        })
        code=$?
        case $code-$output in
            0-*"ok: "*) ran=$((ran + 1)) ;;
            *) fail "$where: ${line#* } (exit code $code): $output" ;;
        esac
        # It is not another one that it runs with.
        [ ! -x "$scratch/at/echo" ] || (
            # shellcheck source=/dev/null
            [ "$source" = - ] || . "$source"
            [ "$(ldd "$scratch/at/echo" | sed -n 's/.*libgsock-1.so.0 => \(.*\) (.*/\1/p' | xargs realpath)" = "$(realpath "$folder/libgsock-1.so.0")" ]
        ) || fail "$where: the program in $language is not linked with $folder/libgsock-1.so.0"
    done
}
examples_fail() { # after what; that the examples have been run by what was there
    local line
    for line in "${commands[@]}"; do
        ! (cd "$scratch/at" && timeout 60 bash -c "${line#* }" >/dev/null 2>&1 </dev/null) || fail "after $1 the example in ${line%% *} runs"
    done
}

quietly() { # what, command…
    local what=$1
    shift
    "$@" >"$scratch/log" 2>&1 || { tail -n 20 "$scratch/log" && fail "$what" && return 1; }
}
make_quietly() { # target, word…
    quietly "make $*" make --no-print-directory "$@"
}

# ---- make install, make uninstall

libdir=/usr/lib
! is_debian || libdir=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
installed_files=(libgsock-1.so libgsock-1.so.0 "libgsock-1.so.0.$version" girepository-1.0/Gsock-1.typelib pkgconfig/gsock-1.pc)
is_all_there() { # prefix, folder of libraries, beneath
    local file found word
    for file in "${installed_files[@]/#/$2/}" "$1"/include/gsock-1/gsock/gsock.h "$1"/share/doc/gsock-1/{index.html,gsock-1.devhelp2} \
        "$1"/share/{gir-1.0/Gsock-1.gir,gsock-1/env.sh,vala/vapi/gsock-1.{vapi,deps}}; do
        [ -e "${3:-}$file" ] || fail "make install does not install $file"
    done
    diff <(cd capi/include/gsock && echo *.h) <(cd "${3:-}$1/include/gsock-1/gsock" && echo *.h) || fail "other headers in $1"
    found=$(PKG_CONFIG_PATH=${3:-}$2/pkgconfig pkg-config --keep-system-libs --cflags --libs gsock-1)
    for word in "-I$1/include/gsock-1" "-L$2" -lgsock-1; do
        case " $found " in *" $word "*) ;; *) fail "gsock-1.pc for $1 does not say $word" ;; esac
    done
}

# Built here where it is not yet; otherwise cargo finds that nothing is to be done, and asks nobody.
make_quietly install PREFIX=/opt/first OFFLINE=yes || die "nothing to be tested"
make_quietly uninstall PREFIX=/opt/first
rm -rf /opt/first
say "built without network ($PROFILE)"
ldconfig
files >"$scratch/before"
find /usr /opt /var/lib -name '*gsock*' >"$scratch/no-gsock" 2>/dev/null
grep -q /usr/bin/ "$scratch/before" || die "the files of the machine cannot be listed"
examples_fail "nothing"

words=(PREFIX=/usr LIBDIR="$libdir")
make_quietly install-built "${words[@]}"
ldconfig
is_all_there /usr "$libdir"
examples /usr "$libdir" -
make_quietly uninstall "${words[@]}"
nothing_left "make uninstall from /usr"
say "/usr: $ran programs"

make_quietly install-built
ldconfig
is_all_there /usr/local /usr/local/lib
# The system's own compilers and linkers look there.
ran=0
examples "/usr/local, unsaid" /usr/local/lib - c vala
examples /usr/local /usr/local/lib /usr/local/share/gsock-1/env.sh
make_quietly uninstall
nothing_left "make uninstall from /usr/local"
say "/usr/local: $ran programs"

# Staged as packagers do, then moved to where it is to be.
words=(PREFIX=/opt/gsock DESTDIR="$scratch/stage")
make_quietly install-built "${words[@]}"
is_all_there /opt/gsock /opt/gsock/lib "$scratch/stage"
! grep -rqI "$scratch" "$scratch/stage" || fail "what is staged names the folder that it is staged in"
cp -a "$scratch/stage/." /
ran=0
examples /opt/gsock /opt/gsock/lib /opt/gsock/share/gsock-1/env.sh
make_quietly uninstall "${words[@]}"
[ -z "$(find "$scratch/stage" ! -type d -o -name '*gsock*' ! -path "$scratch/stage/opt/gsock")" ] || fail "make uninstall leaves what is staged"
make_quietly uninstall PREFIX=/opt/gsock
find /opt/gsock -depth -type d -empty -delete
nothing_left "make uninstall from /opt/gsock"
examples_fail "make uninstall"
say "/opt/gsock, staged: $ran programs"

# A machine without gi-docgen: said, and no more than that.
output=$(make --no-print-directory install DOC=no PREFIX=/opt/gsock OFFLINE=yes 2>&1) || fail "make install without gi-docgen: $output"
case $output in *"Without the pages"*gi-docgen*) ;; *) fail "make install does not say that it makes no pages" ;; esac
[ ! -e /opt/gsock/share/doc ] || fail "make install DOC=no installs pages"
[ -e /opt/gsock/lib/girepository-1.0/Gsock-1.typelib ] || fail "make install DOC=no does not install the rest"
make_quietly uninstall PREFIX=/opt/gsock
find /opt/gsock -depth -type d -empty -delete
nothing_left "make uninstall without pages"

# ---- Debian packages

names=(libgsock-1-0 libgsock-1-dev gir1.2-gsock-1 libgsock-1-doc)
needs_of() { # package: what it is of no use without
    case $1 in
        libgsock-1-0) echo libglib2.0-0 libc6 ;;
        libgsock-1-dev) echo libgsock-1-0 gir1.2-gsock-1 libglib2.0-dev ;;
        gir1.2-gsock-1) echo libgsock-1-0 gir1.2-glib-2.0 ;;
    esac
}
look_at_package() { # package, file
    local need needs
    [ "$(dpkg-deb -f "$2" Package)" = "$1" ] || fail "$1 is called otherwise"
    dpkg-deb -c "$2" >"$scratch/list" || fail "the package $1 cannot be listed"
    dpkg-deb -x "$2" "$scratch/unpacked" || fail "the package $1 cannot be unpacked"
    awk '!/^d/ { print $6 }' "$scratch/list" >>"$scratch/in-packages"
    ! awk '$2 != "root/root" || $1 !~ /^l/ && substr($1, 6) ~ /w/' "$scratch/list" | grep . ||
        fail "$1 has files of somebody's"
    needs=", $(dpkg-deb -f "$2" Depends), "
    for need in $(needs_of "$1"); do
        case $needs in *", $need "* | *", $need, "*) ;; *) fail "$1 does not need $need" ;; esac
    done
}
look_at_library() { # library, file of its package
    local needed
    readelf -d "$1" | grep -q 'SONAME.*\[libgsock-1\.so\.0\]' || fail "the soname is not libgsock-1.so.0"
    ! readelf -d "$1" | grep -E 'R(UN)?PATH' || fail "the library names folders of libraries"
    needed=$(readelf -d "$1" | sed -nE 's/.*NEEDED.*\[(lib(glib|gobject|gio)-2\.0|libc|libm|libgcc_s|ld-linux[a-z0-9-]*)\.so.*/\1/; t; s/.*NEEDED/&/p')
    [ -z "$needed" ] || fail "the library is linked with $needed"
    ! readelf -SW "$1" | grep -E ' \.(symtab|debug_[a-z]+|comment) ' || fail "the library is not stripped"
    diff <(nm -D --defined-only "$1" | awk '{ print $3 }' | sort) capi/symbols.txt || fail "stripping has taken symbols"
    dpkg-deb -e "$2" "$scratch/control"
    diff <(awk '/^ / { print $1 }' "$scratch/control/symbols" | sed 's/@Base$//' | sort) capi/symbols.txt ||
        fail "the symbols of the package are not those of capi/symbols.txt"
    ! awk '/^ / { print $2 }' "$scratch/control/symbols" | grep -e - || fail "a symbol is there since a revision of Debian's"
    [ "$(cat "$scratch/control/shlibs")" = "libgsock-1 0 libgsock-1-0 (>= $version)" ] || fail "the package's shlibs"
    grep -q ldconfig "$scratch/control/triggers" || fail "ldconfig is not asked for"
}
# What a release shows: no folder of whoever built it, no complaint of lintian's, the same once more.
look_at_release() { # file…
    local folder found
    for folder in "$root" "${CARGO_HOME:-$HOME/.cargo}" "$(rustc --print sysroot)" "$scratch"; do
        found=$(grep -rlaF "$folder/" "$scratch/unpacked")
        [ -z "$found" ] || fail "$folder is named in $found"
    done
    grep -qaF /gsock/ "$scratch/unpacked$libdir/libgsock-1.so.0" || grep -qaF /cargo/ "$scratch/unpacked$libdir/libgsock-1.so.0" ||
        fail "no source is named, so that the search for folders shows nothing"
    # No upload, no bug of Debian's that it closes; devhelp finds its books in share/doc.
    lintian --allow-root --fail-on error,warning \
        --suppress-tags initial-upload-closes-no-bugs,stray-devhelp-documentation "$@" || fail "lintian"
    mkdir "$scratch/first" && cp "$@" "$scratch/first"
    make_quietly deb DEB_OUT="$scratch/deb"
    for file in "$@"; do
        cmp "$file" "$scratch/first/${file##*/}" || fail "${file##*/} is another one when it is made once more"
    done
}

test_packages() {
    local name file found
    local -a packages=() options=()
    # Packing is what takes long.
    [ "$PROFILE" = release ] || options=(env DEB_BUILD=-Znone)
    quietly "make deb" "${options[@]}" make --no-print-directory deb DEB_OUT="$scratch/deb" || return
    mkdir "$scratch/unpacked"
    for name in "${names[@]}"; do
        file=$(compgen -G "$scratch/deb/${name}_*.deb") || { fail "there is no package $name" && continue; }
        packages+=("$file")
        look_at_package "$name" "$file"
    done
    [ -z "$(sort "$scratch/in-packages" | uniq -d)" ] || fail "a file is in two packages"
    look_at_library "$scratch/unpacked$libdir/libgsock-1.so.0" "$(compgen -G "$scratch/deb/libgsock-1-0_*.deb")"
    [ "$PROFILE" != release ] || look_at_release "${packages[@]}"

    quietly "dpkg -i" dpkg -i "${packages[@]}" || return
    [ -z "$(dpkg --verify "${names[@]}")" ] || fail "dpkg --verify: $(dpkg --verify "${names[@]}")"
    for file in "$libdir"/{libgsock-1.so.0,libgsock-1.so,pkgconfig/gsock-1.pc,girepository-1.0/Gsock-1.typelib} \
        /usr/include/gsock-1/gsock/gsock.h /usr/share/{gir-1.0/Gsock-1.gir,vala/vapi/gsock-1.vapi,doc/gsock-1/index.html}; do
        dpkg -S "$file" >/dev/null 2>&1 || fail "$file is in no package"
    done
    ran=0
    # No ldconfig and no env.sh.
    examples packages "$libdir" -
    # What a package of such a program would need; the last one was of Vala's.
    mkdir -p "$scratch/other/debian"
    printf 'Source: other\n\nPackage: other\nArchitecture: any\n' >"$scratch/other/debian/control"
    found=$(cd "$scratch/other" && dpkg-shlibdeps -O "$scratch/at/echo" 2>&1)
    case $found in *"libgsock-1-0 (>= 0."*) ;; *) fail "a program linked with it does not need the package: $found" ;; esac
    quietly "dpkg -P" dpkg -P "${names[@]}"
    nothing_left "dpkg -P"
    examples_fail "dpkg -P"
    say "packages: $(wc -l <"$scratch/in-packages") files in ${#packages[@]}, $ran programs"
}
if is_debian; then
    test_packages
else
    say "packages: not made, this system has others than Debian's"
fi

# ---- That what is left, and what is wrong, is found

control() { # what, command that must find a failure…
    local what=$1
    shift
    local before=$failures
    "$@" >/dev/null 2>&1
    if [ "$failures" -gt "$before" ]; then
        failures=$before
    else
        fail "not caught: $what"
    fi
}
leave() { # file
    touch "$1"
    nothing_left control
    rm "$1"
}
control "a file that is left" leave /usr/lib/left
control "a library that is left" leave "$libdir/libgsock-1.so.0"
control "an install without headers" is_all_there /usr "$libdir"
! is_debian || control "a library that is not stripped" look_at_library "$(compgen -G "${CARGO_TARGET_DIR:-target}/capi/$PROFILE/libgsock-1.so.0")" \
    "$(compgen -G "$scratch/deb/libgsock-1-0_*.deb")"
(apt-get install anything)
grep -q "^apt-get install anything$" "$scratch/called" || fail "not caught: a package that is installed"
sed -i '$d' "$scratch/called"

[ ! -s "$scratch/called" ] || fail "something was to be installed or fetched: $(sort -u "$scratch/called")"
if [ "$failures" -gt 0 ]; then
    say "$failures failures"
    exit 1
fi
say "all passed"
