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

# The tests of the tree, a line `file::test` for each, where a file with modules is a folder: functions with
# #[test], and the lines of a macro's list, which makes tests of them. To be called at the root of the tree.
test_names() {
    local file top
    tree_files . | grep -E '^tests/.*\.rs$' | while IFS= read -r file; do
        top=${file#tests/}
        top=${top%%/*}
        rust_code "$file" | TOP=${top%.rs} perl -0777 -ne '
            print "$ENV{TOP}::$1\n" while /\#\[test\]\s*(?:\#\[[^\]]*\]\s*)*(?:\w+\s+)*?fn\s+(\w+)/g;
            for my $list (/^\s*\w+!\s*[\(\{](.*?)^\s*[\)\}];?$/msg) {
                print "$ENV{TOP}::$1\n" while $list =~ /^\s+(\w+)(?:\s*:[^\n]*)?[,;]?\s*$/mg;
            }
        '
    done
}
