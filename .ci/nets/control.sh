#!/usr/bin/env bash
# Shows that a net catches what it is for: .ci/nets/control.sh PATCHFILE 'COMMAND'
#
# Copies the tree, applies the patch to the copy, builds it, and runs COMMAND there with bash. Succeeds only if
# COMMAND reports the fault: it must end with exit code 1, and each `report: REGEX` line in the head of
# the patch must match a line of what it printed. Whatever else happens is no proof and fails:
#
#   exit 0   caught: the net failed, with its own report
#   exit 1   missed: the net found nothing wrong with the broken copy
#   exit 2   no proof: the patch does not apply, the copy does not build, or the net broke down otherwise
#
# A net keeps to this: 0 = all is well, 1 = something was found, any other code = it could not do its work.
# A patch is `diff -u` or `git diff` with -p1 paths, and prose about what it breaks before its first file.
#
# CONTROL_BUILD is the command that tells whether the copy builds; `true` leaves that to the net. The copy and
# what is built of it stay in nets/ below the target folder, for the next control: one at a time.

set -u

[ $# -eq 2 ] || {
    echo "usage: ${0##*/} PATCHFILE 'COMMAND'" >&2
    exit 2
}
root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/lib.sh
. "$root/.ci/lib.sh"
# shellcheck source=.ci/nets/copy.sh
. "$root/.ci/nets/copy.sh"
patch=$(realpath -e "$1") || exit 2
command=$2
name=${patch##*/}

no_proof() {
    printf 'control %s: NO PROOF: %s\n' "$name" "$*" >&2
    exit 2
}

expected=$(sed -n '/^\(diff\|---\) /q; s/^report: *//p' "$patch")
[ -n "$expected" ] || no_proof "the patch has no line 'report: REGEX' before its first file"

take_copy "$root" || no_proof "there is no copy of the tree"
scratch=$copies

# Without fuzz: a patch that has to guess may break something else.
patch --batch --forward --fuzz=0 -p1 -d "$tree" <"$patch" >"$scratch/log" 2>&1 || {
    cat "$scratch/log" >&2
    no_proof "the patch does not apply"
}
find "$tree" -name '*.orig' -delete

cd "$tree" || exit 2
bash -c "${CONTROL_BUILD:-cargo build --locked --quiet}" 9>&- >"$scratch/log" 2>&1 || {
    tail -n 30 "$scratch/log" >&2
    no_proof "the broken copy does not build"
}
bash -c "$command" 9>&- >"$scratch/log" 2>&1
code=$?
case $code in
    0)
        printf 'control %s: MISSED: the net is content with the broken copy\n' "$name" >&2
        exit 1
        ;;
    1) ;;
    *)
        tail -n 30 "$scratch/log" >&2
        no_proof "the net ended with $code, which is not its report"
        ;;
esac
while IFS= read -r regex; do
    grep -qE -e "$regex" "$scratch/log" || {
        tail -n 30 "$scratch/log" >&2
        no_proof "the net failed, and no line of its output matches: $regex"
    }
done <<<"$expected"
printf 'control %s: caught: %s\n' "$name" "$(grep -m 1 -E -e "${expected%%$'\n'*}" "$scratch/log" | cut -c 1-160)"
