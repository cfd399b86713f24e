#!/usr/bin/env bash
# Checks that the inspector's widgets follow by bindings alone: check-inspector.sh [root of the tree]
#
# - no code of it writes to a label, a title, a subtitle or an icon: what is shown is bound, in the templates;
# - each template that is bound to a connection names a class of gsock in a lookup, and there are such templates.
#
# Its test types into entries, as a user does: tests are not looked at.

set -u

root=${1:-$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)}
# shellcheck source=.ci/lib.sh
. "$(cd "${BASH_SOURCE[0]%/*}" && pwd)/lib.sh"
cd "$root/examples/inspector" || exit 1

failures=0
fail() {
    printf 'check-inspector: %s\n' "$*" >&2
    failures=$((failures + 1))
}

writers='set_(label|text|markup|title|subtitle|icon_name|visible|sensitive|css_classes|tooltip_text)[^A-Za-z0-9_]'
count=0
while IFS= read -r file; do
    count=$((count + 1))
    while IFS= read -r hit; do
        fail "$file:${hit%%:*}: writes to a widget; bind it in the template"
    done < <(rust_code "$file" | grep -nE "$writers")
done < <(find src -name '*.rs' | sort)
[ "$count" -gt 0 ] || fail "there is no code"

for class in GsockSocketConnection GsockSocketListener; do
    bound=$(cat resources/*.ui 2>/dev/null | grep -c "<lookup name=\"[a-z-]*\" type=\"$class\">")
    [ "$bound" -gt 0 ] || fail "no template is bound to a $class"
done

[ "$failures" -eq 0 ] && echo "check-inspector: $count files in order"
