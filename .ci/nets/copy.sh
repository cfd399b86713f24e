# shellcheck shell=bash
# The scratch copy of the tree that may be broken, and where it is built. To be sourced; does nothing by itself.
#
# Not in the target folder itself: cargo takes the files of a copy for those of the tree if both build there.

# Sets `tree` and CARGO_TARGET_DIR. One user at a time: the others wait until this process ends. The lock is file 9.
# CONTROL_COPY names another copy than the usual one, for who works beside it.
take_copy() { # root of the tree
    local root=$1 target file
    target=${CARGO_TARGET_DIR:-$root/target}
    case $target in /*) ;; *) target=$root/$target ;; esac
    copies=$target/nets${CONTROL_COPY:+-$CONTROL_COPY}
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
    seed_builds "$target" "$copies/build"
    export CARGO_TARGET_DIR=$copies/build
}

# What the tree's own builds have made of the dependencies is the same for a copy of it, a minute's work: taken over
# where nothing was built yet. Libraries, which cargo replaces and never changes, are linked.
seed_builds() { # the tree's target folder, the copy's
    local from=$1/debug to=$2/debug
    [ -d "$from/.fingerprint" ] && [ ! -e "$to" ] || return 0
    mkdir -p "$to.new/deps" "$to.new/.fingerprint" "$to.new/build" || return 0
    (
        cd "$from" || exit
        find deps -maxdepth 1 -type f -name 'lib*' ! -name 'libgsock*' -exec cp -al -t "$to.new/deps" {} +
        find deps -maxdepth 1 -type f -name '*.d' ! -name 'gsock*' -exec cp -a -t "$to.new/deps" {} +
        for part in .fingerprint build; do
            find "$part" -mindepth 1 -maxdepth 1 ! -name 'gsock*' -exec cp -a -t "$to.new/$part" {} +
        done
    ) 2>/dev/null
    mv "$to.new" "$to"
}
