# shellcheck shell=bash
# What the scripts of this folder share. To be sourced; does nothing by itself.

# The oldest rustc that gsock builds with, from the one line that says so.
msrv() { # root of the tree
    sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$1/Cargo.toml" | head -n 1
}

# The oldest GLib that gsock builds with: gio's feature `v2_NN` is what the generated bindings ask
# pkg-config for, so the feature is the requirement and every other place would be a copy of it.
oldest_glib() { # root of the tree
    sed -n '/^ *#/d; s/.*"v\([0-9]*\)_\([0-9]*\)".*/\1.\2/p' "$1/Cargo.toml" | sort -t . -k 1,1n -k 2,2n | tail -n 1
}

# Succeeds when a dotted version is not older than another: `1.10` is newer than `1.9`.
at_least() { # version, wanted version
    local -a have want
    local i
    IFS=. read -r -a have <<<"$1"
    IFS=. read -r -a want <<<"$2"
    for i in "${!want[@]}"; do
        if [ "${have[i]:-0}" -ne "${want[i]}" ]; then
            [ "${have[i]:-0}" -gt "${want[i]}" ]
            return
        fi
    done
}

# Prints a Rust file with comments and the insides of strings taken out. Line numbers stay, so that
# what a search finds here can be looked up in the file.
rust_code() { # file
    perl -CSD -0777 -pe '
        s{
            (//[^\n]*)                              # 1: line comment
          | (/\*(?:[^*/]|\*(?!/)|/(?!\*)|(?2))*\*/) # 2: block comment; they nest
          | \br(\#*)"(?s:.*?)"\g3                   # raw string; 3: its hashes
          | "(?:[^"\\]|\\(?s:.))*"                  # string
          | \x27(?:[^\x27\\\n]|\\[^\n]+?)\x27       # character: a quote in it opens no string
        }{ my $text = $&; $text =~ s/[^\n]+//g; $text }gex;
    ' "$1"
}

# The files of a tree, relative to it: what git has or would take in, else (no checkout) what is there.
tree_files() { # root of the tree
    (
        cd "$1" || exit
        if [ -e .git ]; then
            git ls-files --cached --others --exclude-standard | while IFS= read -r file; do
                # Deleted and not yet committed.
                [ ! -e "$file" ] || printf '%s\n' "$file"
            done
        else
            find . -name target -prune -o -type f -print | sed 's|^\./||'
        fi
    ) | sort -u
}

# Whether there is a test of this name: `file::test`, where a file with modules is a folder, and `test` a
# function, or a scenario of the parity tests, which a macro makes two tests of.
test_exists() { # file::name
    local file=tests/${1%%::*}
    grep -rqE "fn ${1##*::}[^A-Za-z0-9_]" "$file.rs" "$file" --include='*.rs' 2>/dev/null
}
