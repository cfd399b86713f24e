#!/usr/bin/env bash
# Makes Debian packages of what `make capi` has built: deb.sh folder make-word…
# It puts libgsock-1-0, libgsock-1-dev and gir1.2-gsock-1 into the folder, and libgsock-1-doc where gi-docgen has made
# its pages. `make deb` calls it.
#
# Nothing is fetched and nothing installed; dpkg-dev is all that it needs. DEB_STRIP=no leaves the symbols of a
# debugger in.

set -euo pipefail

out=$1
shift
words=("$@")

for tool in dpkg-deb dpkg-shlibdeps dpkg-gensymbols dpkg-architecture strip; do
    command -v "$tool" >/dev/null || { echo "deb: missing: $tool (dpkg-dev, binutils)" && exit 1; }
done

# shellcheck source=.ci/lib.sh
. .ci/lib.sh
version=$(sed -n 's/^version *= *"\([0-9.]*\).*/\1/p' Cargo.toml | head -n 1)
revision=$version-1
glib=$(oldest_glib .)
machine=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
architecture=$(dpkg-architecture -qDEB_HOST_ARCH)
maintainer="${DEBFULLNAME:-The gsock developers} <${DEBEMAIL:-gsock@example.org}>"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
umask 022
# The same packages whenever they are made.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
all=$scratch/all
make --no-print-directory -s install-built PREFIX=/usr LIBDIR="/usr/lib/$machine" DESTDIR="$all" "${words[@]}" >/dev/null
# For a prefix that the system does not search, which this one is not.
rm -r "$all/usr/share/gsock-1"
[ "${DEB_STRIP:-yes}" = no ] || strip --strip-unneeded --remove-section=.comment "$all/usr/lib/$machine"/libgsock-1.so.0.*
chmod 644 "$all/usr/lib/$machine"/libgsock-1.so.0.*

for path in "lib/$machine/girepository-1.0/Gsock-1.typelib" share/vala/vapi/gsock-1.vapi; do
    [ -e "$all/usr/$path" ] || { echo "deb: ${path##*/} was not made: missing g-ir-scanner, or valac's vapigen" && exit 1; }
done

into() { # package, path…
    local package=$1 path
    shift
    for path in "$@"; do
        mkdir -p "$scratch/$package/${path%/*}"
        mv "$all/$path" "$scratch/$package/$path"
    done
}
into gir1.2-gsock-1 "usr/lib/$machine/girepository-1.0/Gsock-1.typelib"
into libgsock-1-dev "usr/lib/$machine/libgsock-1.so" "usr/lib/$machine/pkgconfig/gsock-1.pc" usr/include/gsock-1 \
    usr/share/gir-1.0/Gsock-1.gir usr/share/vala/vapi/gsock-1.vapi usr/share/vala/vapi/gsock-1.deps
for path in "$all/usr/lib/$machine"/libgsock-1.so.0*; do
    into libgsock-1-0 "${path#"$all"/}"
done
packages=(libgsock-1-0 libgsock-1-dev gir1.2-gsock-1)
if [ -d "$all/usr/share/doc/gsock-1" ]; then
    packages+=(libgsock-1-doc)
    into libgsock-1-doc usr/share/doc/gsock-1
fi
left=$(find "$all" ! -type d)
[ -z "$left" ] || { echo "deb: in no package: $left" && exit 1; }

# What the library needs, by what it is linked with.
library=$scratch/libgsock-1-0/usr/lib/$machine/libgsock-1.so.0
mkdir -p "$scratch/source/debian" "$scratch/libgsock-1-0/DEBIAN"
printf 'Source: gsock\n\nPackage: libgsock-1-0\nArchitecture: any\n' >"$scratch/source/debian/control"
needs=$(cd "$scratch/source" && dpkg-shlibdeps -O "-S$scratch/libgsock-1-0" "$library" 2>/dev/null)
needs=${needs#shlibs:Depends=}

# And what programs need that are linked with it: no newer one than has what they call. Since when each function is there,
# its documentation says; the next version's are in this one.
{
    echo "libgsock-1.so.0 libgsock-1-0 #MINVER#"
    echo "* Build-Depends-Package: libgsock-1-dev"
    VERSION=$version perl -0777 -ne 'while (/<[a-z:-]+\s([^>]*)>/g) {
        my $tag = $1;
        my ($since) = $tag =~ /(?<![\w-])version="([0-9.]+)"/ or next;
        $since = $ENV{VERSION} if eval "v$since" gt eval "v$ENV{VERSION}";
        print " $_\@Base $since\n" for $tag =~ /(?:c:identifier|glib:get-type)="(gsock_\w+)"/g;
    }' "$scratch/libgsock-1-dev/usr/share/gir-1.0/Gsock-1.gir" | sort -u
} >"$scratch/source/symbols"
(cd "$scratch/source" && dpkg-gensymbols -c4 -plibgsock-1-0 "-v$revision" "-e$library" "-P$scratch/libgsock-1-0" \
    -Isymbols "-O$scratch/libgsock-1-0/DEBIAN/symbols" >"$scratch/log" 2>&1) || {
    cat "$scratch/log"
    echo "deb: a function whose documentation has no \"Since:\", or that is not in the library" && exit 1
}
echo "libgsock-1 0 libgsock-1-0 (>= $version)" >"$scratch/libgsock-1-0/DEBIAN/shlibs"
echo "activate-noawait ldconfig" >"$scratch/libgsock-1-0/DEBIAN/triggers"

package() { # name, section, dependencies, summary, text
    local name=$1 folder=$scratch/$1 documents=$scratch/$1/usr/share/doc/$1 for_machine=$architecture multi=same
    # The pages are the same for all machines.
    [ "$2" != doc ] || for_machine=all multi=foreign
    mkdir -p "$folder/DEBIAN" "$documents"
    {
        printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: gsock\n\n'
        printf 'Files: *\n%s\nLicense: Expat\n' "$(sed -n 's/^Copyright (c) /Copyright: /p' LICENSE)"
        sed '1,/^Copyright/d' LICENSE | sed '1{/^$/d}; s/^$/./; s/^/ /'
    } >"$documents/copyright"
    printf 'gsock (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md of the sources.\n\n -- %s  %s\n' "$revision" \
        "$maintainer" "$(date -R -d "@$SOURCE_DATE_EPOCH")" |
        gzip -9n >"$documents/changelog.Debian.gz"
    {
        printf 'Package: %s\nSource: gsock\nVersion: %s\nArchitecture: %s\n' "$name" "$revision" "$for_machine"
        printf 'Maintainer: %s\nInstalled-Size: %s\n' "$maintainer" "$(du -sk "$folder/usr" | cut -f 1)"
        [ -z "$3" ] || printf 'Depends: %s\n' "$3"
        printf 'Section: %s\nPriority: optional\nMulti-Arch: %s\n' "$2" "$multi"
        printf 'Description: %s\n%s\n' "$4" "$5"
    } >"$folder/DEBIAN/control"
    (cd "$folder" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$folder/DEBIAN/md5sums"
    # Fast where it is only tried: DEB_BUILD=-z0.
    # shellcheck disable=SC2086 # words
    dpkg-deb --root-owner-group ${DEB_BUILD:-} --build "$folder" "$out/${name}_${revision}_$for_machine.deb" >/dev/null
}
mkdir -p "$out"
rm -f "$out"/{libgsock-1-0,libgsock-1-dev,gir1.2-gsock-1,libgsock-1-doc}_*.deb
about=" Connections, clients, listeners and services with the interface of
 GIO's own classes."
package libgsock-1-0 libs "$needs" "GIO's socket layer as GObject classes written in Rust" "$about"
package gir1.2-gsock-1 introspection "libgsock-1-0 (= $revision), gir1.2-glib-2.0" \
    "GIO's socket layer written in Rust - description for other languages" "$about
 .
 This package has what Python, JavaScript and others load."
package libgsock-1-dev libdevel \
    "libgsock-1-0 (= $revision), gir1.2-gsock-1 (= $revision), libglib2.0-dev (>= $glib)" \
    "GIO's socket layer written in Rust - headers" "$about
 .
 This package has the headers, and the bindings for Vala."
[[ " ${packages[*]} " != *" libgsock-1-doc "* ]] ||
    package libgsock-1-doc doc "" "GIO's socket layer written in Rust - documentation of the C library" "$about
 .
 This package has pages for a browser and for devhelp."
ls "$out"/*_"${revision}"_*.deb
