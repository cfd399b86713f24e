#!/usr/bin/env bash
# Says what a net has found in the words of docs/reliability.md: figure.sh NUMBER.PART TRIED RIGHT WORDS [OF]
#
# NUMBER.PART stands in goals.txt, with the least that must be tried. WORDS say what was counted. OF is how much there is, where a
# run is of a part: drawn, or this day's. It is met when all that was tried is right, and that was enough and all there is.
# OF may be another part, such as 1.own, for as much as was tried there last. Where goals.txt asks for a share, such as 92%, that much of it must be right.
#
#   figure 6.points: 37704 / 37704 points of 47 drivers: met (2026-12-01, 0123456)
#   figure 9.tests: 1263 / 1263 tests (of 4009): short (2026-12-01, 0123456+)
#
# The plus says that the tree is not quite that commit. The line is printed, and kept in target/figures.txt, from where
# `.ci/reliability.sh` takes it into docs/reliability.md.
#
# Exit code: 0 all that was tried (or the share that is asked for) is right, and something was; 1 it is not; 2 there is no such part.

set -u

nets=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
root=${nets%/*/*}
part=${1-} tried=${2-} right=${3-} words=${4-} of=${5:-0}
target=${CARGO_TARGET_DIR:-$root/target}
# Sanitized builds have a folder of their own in it. What a control's copy says, which is broken on purpose, stays with that copy.
case $target in
    */nets/build) ;;
    */nets/*) target=${target%/nets/*} ;;
esac
case $of in
    *.*)
        of=$(cat "$root/docs/reliability.txt" "$target/figures.txt" 2>/dev/null |
            sed -n "s/^figure $of: \([0-9]*\) .*/\1/p" | tail -n 1)
        # As long as nobody knows, this is a part.
        of=${of:-$((${tried:-0} + 1))}
        ;;
esac
least=$(awk -F ' [|] ' -v part="$part" '$1 == part { print $2 }' "$nets/goals.txt")
if [ -z "$least" ] || ! [[ "$tried $right $of" =~ ^[0-9]+\ [0-9]+\ [0-9]+$ ]]; then
    echo "figure: no such figure, or no numbers: $*" >&2
    exit 2
fi

commit=$(git -C "$root" rev-parse --short=7 HEAD 2>/dev/null || echo unknown)
# What docs say of figures changes no figure.
[ -z "$(git -C "$root" status --porcelain -- ':/' ':!/docs' 2>/dev/null)" ] || commit+=+
verdict=short enough=1
case $least in
    *%) [ $((right * 100)) -ge $((tried * ${least%\%})) ] && [ "$tried" -gt 0 ] || enough=0 ;;
    *) [ "$tried" -eq "$right" ] && [ "$tried" -ge "$least" ] || enough=0 ;;
esac
[ "$enough" -eq 0 ] || [ "$tried" -lt "$of" ] || verdict=met
[ "$tried" -ge "$of" ] || words+=" (of $of)"
mkdir -p "$target"
echo "figure $part: $tried / $right $words: $verdict ($(date -u +%F), $commit)" | tee -a "$target/figures.txt"
case $least in
    *%) [ "$enough" -eq 1 ] ;;
    *) [ "$tried" -gt 0 ] && [ "$tried" -eq "$right" ] ;;
esac
