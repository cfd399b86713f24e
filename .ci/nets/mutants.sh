#!/usr/bin/env bash
# Changes one thing in the library at a time and looks whether a test notices: mutants.sh [--shard K/N] [AREA…]
#
# cargo-mutants makes the changes in a copy of the tree. An area (race, factory, operation, reactor, transport; without one
# all of them) has the files that are changed, tests that are quick and tests that are slow: the latter see what the former have
# missed. With --shard only the K-th of N parts of each area, 0/N to N-1/N, for days that share the work: the figure is of all the parts
# of N that were tried of what src/ holds now.
# A change that does not build counts for nothing; one that hangs was noticed. What nobody noticed is printed, and stands in
# target/nets/mutants/AREA/missed.txt. One that changes nothing that could be seen stands in mutants-excused.txt, with the reason.
#
# Exit code: 0 enough were noticed, 1 too few were, 2 it could not be tried.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2

cargo mutants --version >/dev/null 2>&1 || broken "needs cargo-mutants: cargo install --locked cargo-mutants"
shard=()
if [ "${1-}" = --shard ]; then
    shard=(--shard "$2" --sharding round-robin)
    shift 2
fi
[ $# -gt 0 ] || set -- race factory operation reactor transport

# Files; quick tests; slow ones.
area() {
    case $1 in
        race) files=(src/socket_client/race.rs) quick=(--lib) slow=(--test socket_client) ;;
        factory) files=(src/factory.rs) quick=(--test factory) slow=(--test subclass --test factory_order --test factory_accept) ;;
        operation)
            files=('src/operation/*.rs' 'src/operation/task/*.rs') quick=(--lib --test socket_connection)
            slow=(--test streams --test subclass --test home --test faults --test socket_listener)
            ;;
        reactor)
            files=('src/reactor/*.rs') quick=(--lib --test engine)
            slow=(--test streams --test halves --test threads --test fork)
            ;;
        transport)
            files=('src/transport/*.rs') quick=(--lib --test socket_connection --test streams)
            slow=(--test tcp_connection --test unix_connection --test halves --test faults --test socket_listener --test relay --test home)
            ;;
        *) broken "there is no area called $1" ;;
    esac
}

# A copy that keeps its build, with the times of the files.
work=$(target_folder "$root")/nets/mutants
tree=$work/tree
mkdir -p "$work" || exit 2
rm -rf "$tree"
mkdir "$tree" || exit 2
git ls-files -z | xargs -0 cp --parents -p -t "$tree" || broken "the tree cannot be copied"
export CARGO_TARGET_DIR=$work/build
# Each change is built: nothing that a test does not need.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 CARGO_INCREMENTAL=1
export G_DEBUG=fatal-criticals

mutate() { # area, tests…; `which` says which of its changes
    local name=$1
    shift
    local chosen=()
    for file in "${files[@]}"; do chosen+=(--file "$file"); done
    cargo mutants --dir "$tree" --in-place --output "$work/$name" --no-shuffle --colors never --no-times \
        --exclude 'src/**/simulation*' --exclude 'src/reactor/simulation/**' --exclude-re 'impl (fmt::)?(Debug|Display)' \
        ${which[@]+"${which[@]}"} "${chosen[@]}" --timeout 90 --build-timeout 300 --baseline "$baseline" --cargo-arg=--locked \
        -- "$@" 2>&1 | grep -vE '^ *(ok|Auto-set|Found) ' | tail -n 40
    local code=${PIPESTATUS[0]}
    # 2: some were missed, 3: some hung.
    case $code in 0 | 2 | 3) ;; *) broken "cargo mutants ended with $code: see $work/$name/mutants.out/log" ;; esac
}
lines() { cat "$@" 2>/dev/null | wc -l; }

SECONDS=0
tried=0 noticed=0 excused=0
for name; do
    area "$name"
    rm -rf "${work:?}/$name"
    mkdir -p "$work/$name"
    baseline=run
    which=(${shard[@]+"${shard[@]}"})
    mutate "$name" "${quick[@]}"
    first=$work/$name/mutants.out
    caught=$(lines "$first/caught.txt" "$first/timeout.txt")
    if [ "$(lines "$first/missed.txt")" -gt 0 ]; then
        which=()
        while IFS= read -r mutant; do
            which+=(--re "^$(perl -pe 's/([.\\+*?()|\[\]{}^\$])/\\$1/g' <<<"$mutant")\$")
        done <"$first/missed.txt"
        mutate "$name" "${slow[@]}"
        caught=$((caught + $(lines "$first/caught.txt" "$first/timeout.txt")))
    fi
    cp "$first/missed.txt" "$work/$name/missed.txt"
    harmless=0
    while IFS= read -r mutant; do
        # Without its line and column, which move.
        [[ $mutant =~ ^([^:]*):[0-9]+:[0-9]+:\ (.*)$ ]] || broken "what is $mutant?"
        what="${BASH_REMATCH[1]}: ${BASH_REMATCH[2]}"
        if grep -qF -e "$what | " .ci/nets/mutants-excused.txt 2>/dev/null; then
            harmless=$((harmless + 1))
        else
            echo "mutants: nobody noticed: $mutant"
        fi
    done <"$work/$name/missed.txt"
    missed=$(($(lines "$work/$name/missed.txt") - harmless))
    echo "mutants: $name: $((caught + missed)) that build, $caught noticed, $harmless harmless; $SECONDS s"
    tried=$((tried + caught + missed)) noticed=$((noticed + caught)) excused=$((excused + harmless))
done

of=$(for name in race factory operation reactor transport; do
    area "$name"
    for file in "${files[@]}"; do cargo mutants --dir "$tree" --list --file "$file" --exclude 'src/**/simulation*' \
        --exclude 'src/reactor/simulation/**' --exclude-re 'impl (fmt::)?(Debug|Display)' 2>/dev/null; done
done | wc -l)
parts=${shard[1]+, part ${shard[1]}}
if [ -n "$parts" ] && [ "$*" = "race factory operation reactor transport" ]; then
    commit=$(git rev-parse HEAD:src)
    touch "$work/parts"
    grep -v "^$commit ${shard[1]} " "$work/parts" >"$work/parts.new"
    echo "$commit ${shard[1]} $tried $noticed $excused" >>"$work/parts.new"
    mv "$work/parts.new" "$work/parts"
    read -r tried noticed excused parts < <(awk -v commit="$commit" -v of="${shard[1]#*/}" '
        $1 == commit && $2 ~ "/" of "$" { tried += $3; noticed += $4; excused += $5; parts++ }
        END { print tried, noticed, excused, ", " parts " of " of " parts" }' "$work/parts")
fi
words="changes of $*$parts; $excused harmless"
# Some of all do not build, so that the whole is never quite tried: where three of four are, it is.
[ "$tried" -lt $((of * 3 / 4)) ] || of=$tried
.ci/nets/figure.sh 23.mutants "$tried" "$noticed" "$words" "$of" || exit 1
