#!/usr/bin/env bash
# Checks who may name whom, and where `unsafe` may stand: check-layers.sh [root of the tree]
#
#   subclass/structs.rs  <-  the inner modules  <-  a class  <-  subclass/<class>.rs  <-  the next class
#
# The inner modules (errors, readiness, operations, trampolines) know no class; a connection does not
# know who makes connections. A path against the arrows means that the parts are cut wrongly.

set -u

root=${1:-$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)}
here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
# shellcheck source=.ci/lib.sh
. "$here/lib.sh"
cd "$root" || exit 1

# Modules that know no class. They may name each other and subclass::structs, nothing else of ours.
inner=(error fence fork living thread simulation reactor transport operation vfunc home)

# A connection, from the base class up. A class may name those to its left.
connections=(socket_connection tcp_connection tcp_wrapper_connection unix_connection)
streams=(socket_input_stream socket_output_stream)

# What makes connections. No connection may name it.
makers=(factory socket_client socket_listener socket_service threaded_socket_service reconnector)

# Where `unsafe` may stand, as patterns of `case`: everywhere else the compiler checks. An entry without
# an unsafe line is reported, so that the list does not outlive its reasons.
unsafe_allowed=(
    'src/error.rs'                 # asks GIO for its errno table
    'src/fork.rs'                  # pthread_atfork
    'src/reactor*'                 # a GSource's C functions, epoll
    'src/transport*'               # system calls on the descriptor; the proof why a GSocket may be sent
    'src/operation*'               # GTask as C sees it
    'src/vfunc*'                   # the fence that C calls into
    'src/framed/calls.rs'          # GTask as C sees it
    'src/framed/ends.rs'           # GIO's asynchronous functions
    'src/home*'                    # hands what is not Send to the thread it belongs to
    'src/socket_client/answers.rs' # GIO's asynchronous functions
    'src/socket_client/calls.rs'   # GTask as C sees it; a look at a class of GIO's
    'src/socket_listener/calls.rs' # GTask as C sees it
    'src/socket_client/report.rs'  # what an object carries
    'src/reconnector/calls.rs'     # GTask as C sees it; GIO's asynchronous close
    'src/socket_service/calls.rs'  # GTask as C sees it
    'src/socket_connection/mod.rs' # declares set_home, which is unsafe to call
    'src/socket_connection/raw.rs' # memory and callbacks that C vouches for
    'src/socket_listener/activation.rs' # descriptors that somebody else has made
    'src/socket_listener/place.rs' # system calls on a folder and what is in it
    'src/relay/task.rs'            # GTask as C sees it
    'src/threaded_socket_service/job.rs' # hands a connection to the thread that serves it
    'src/unix_connection/ancillary.rs' # control messages
    'src/unix_connection/sender.rs' # the kernel's structure, for GIO; a descriptor for a process
    'src/unix_connection/tasks.rs' # GTask as C sees it
    'src/interop*'                 # derives from GIO's classes, and changes a slot of theirs
    'src/io_stream_adapter/*'      # class slots, memory that C lends, what is not Send in a place that must be
    'subclass/*'                   # class structs and the functions in their slots
    'capi/src/*'                   # functions that C calls
    'capi/tests/*'                 # calls such functions as C does
    'capi/docs/examples/connection.rs' # shows set_home
)

failures=0
fail() {
    printf 'check-layers: %s\n' "$*" >&2
    failures=$((failures + 1))
}

joined() { # word…
    local IFS='|'
    printf '%s' "$*"
}

# CamelCase: the classes as the crate's root names them.
types() { # module…
    local module
    for module in "$@"; do
        printf '%s\n' "$module" | perl -pe 's/(?:^|_)(\w)/\u$1/g; s/_//g'
    done
}

# The files of a module: src/x.rs, src/x/… (and src/x_more.rs for a module that has grown siblings).
files_of() { # module…
    local module
    for module in "$@"; do
        printf '%s\n' "$sources" | grep -E "^src/$module(\.rs|/.*|_[a-z_]+\.rs)$"
    done
}

paths_of() { # file
    rust_code "$1" | "$here/rust-paths" "$1"
}

# Fails for each path in a file that matches the first pattern and not the second.
forbid() { # file, forbidden, except, why
    local hit
    while IFS= read -r hit; do
        fail "$1:${hit%%:*}: names ${hit#*:}: $4"
    done < <(paths_of "$1" | grep -E "^[0-9]+:($2)" | grep -vE "^[0-9]+:($3)")
}

nothing='^$'
files=$(tree_files . | grep -E '\.rs$')
sources=$(grep -E '^(src|subclass)/' <<<"$files")

# The innermost: C structs, made of C types.
if [ -f subclass/structs.rs ]; then
    forbid subclass/structs.rs 'crate(::|$)' "$nothing" \
        "the class structs stand on the C types alone"
    forbid subclass/structs.rs '(gio|glib)::' '(gio|glib)::(ffi|gobject_ffi)(::|$)' \
        "the class structs may use gio::ffi, glib::ffi and glib::gobject_ffi only"
fi

inner_names=$(joined "${inner[@]}")
inner_files=$(files_of "${inner[@]}")
[ -n "$inner_files" ] || fail "none of the inner modules exists ($inner_names): is the list out of date?"
for file in $inner_files; do
    forbid "$file" 'crate(::|$)' "crate::(($inner_names)(_[a-z_]+)?|subclass::structs)(::|\$)" \
        "an inner module may name inner modules and subclass::structs only"
done

connection_files=$(files_of "${connections[@]}" "${streams[@]}")
[ -n "$connection_files" ] || fail "no connection exists: is the list out of date?"
maker_modules=$(joined "${makers[@]}")
# shellcheck disable=SC2046 # one word a line
maker_types=$(joined $(types "${makers[@]}"))
for file in $connection_files $(printf '%s\n' "$sources" | grep -E "^subclass/($(joined "${connections[@]}"))\.rs$"); do
    forbid "$file" "crate::(subclass::)?(($maker_modules)|($maker_types)(Ext|Impl|ImplExt)?)(::|\$)" "$nothing" \
        "a connection does not know who makes connections"
    forbid "$file" '(.*::)?factory_(create_connection|lookup_type|register_type|register)$' "$nothing" \
        "a connection does not know the factory"
done

# The base class and the streams know no derived class.
derived=("${connections[@]:1}")
derived_modules=$(joined "${derived[@]}")
# shellcheck disable=SC2046 # one word a line
derived_types=$(joined $(types "${derived[@]}"))
for file in $(files_of "${connections[0]}" "${streams[@]}"); do
    forbid "$file" "crate::(subclass::)?(($derived_modules)|($derived_types)(Ext|Impl|ImplExt)?)(::|\$)" "$nothing" \
        "the base class and its streams do not know the classes derived from it"
done

# The tests of the library have their lints; the C face is a crate that sees the library as any other does.
used=" "
for file in $sources $(grep -E '^capi/' <<<"$files"); do
    # `unsafe_code` and other words that begin with it are names of lints.
    lines=$(rust_code "$file" | grep -nE '(^|[^A-Za-z0-9_])unsafe([^A-Za-z0-9_]|$)|allow\(([^)]*[^a-z_])?unsafe_code|expect\(([^)]*[^a-z_])?unsafe_code')
    [ -n "$lines" ] || continue
    allowed=no
    for i in "${!unsafe_allowed[@]}"; do
        # shellcheck disable=SC2254 # a pattern, on purpose
        case $file in
            ${unsafe_allowed[i]})
                allowed=yes
                used="$used$i "
                ;;
        esac
    done
    [ "$allowed" = yes ] || fail "$file:${lines%%:*}: unsafe outside the listed files"
done
for i in "${!unsafe_allowed[@]}"; do
    case $used in
        *" $i "*) ;;
        *) echo "check-layers: note: '${unsafe_allowed[i]}' may hold unsafe code, and none is there" ;;
    esac
done

[ "$failures" -eq 0 ] && echo "check-layers: $(printf '%s\n' "$sources" | wc -l | tr -d ' ') files in order"
