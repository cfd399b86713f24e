# shellcheck shell=bash
# The scratch copy of the tree that may be broken, and where it is built. To be sourced; does nothing by itself.
#
# Not in the target folder itself: cargo takes the files of a copy for those of the tree if both build there.

# Sets `tree` and CARGO_TARGET_DIR. One user at a time: the others wait until this process ends. The lock is file 9.
take_copy() { # root of the tree
    local root=$1 target file
    target=${CARGO_TARGET_DIR:-$root/target}
    case $target in /*) ;; *) target=$root/$target ;; esac
    copies=$target/nets
    tree=$copies/tree
    mkdir -p "$tree" || return
    exec 9>"$copies/lock"
    flock 9 || return

    # What has changed gets a new time, also when it changes back: cargo builds by times.
    tree_files "$root" >"$copies/files"
    (cd "$tree" && find . -type f -print | sed 's|^\./||' | sort -u) >"$copies/files.there"
    comm -13 "$copies/files" "$copies/files.there" | while IFS= read -r file; do rm -f "$tree/$file"; done
    while IFS= read -r file; do
        cmp -s "$root/$file" "$tree/$file" && continue
        case $file in */*) mkdir -p "$tree/${file%/*}" ;; esac
        cp "$root/$file" "$tree/$file" && touch "$tree/$file"
    done <"$copies/files"
    export CARGO_TARGET_DIR=$copies/build
}
