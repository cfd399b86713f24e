#!/usr/bin/env bash
# Runs a command on a display of its own, one that nobody sees: on-display.sh command [argument…]
#
# Nothing of the user's desktop is there: no settings, no session bus, no compositor; GTK draws by itself, without a
# graphics card. GTK_A11Y=test has it keep what a screen reader would be told.

set -u

scratch=$(mktemp -d)
Xvfb -displayfd 3 -screen 0 1600x1200x24 -nolisten tcp 3>"$scratch/display" >"$scratch/log" 2>&1 </dev/null &
server=$!
# shellcheck disable=SC2329 # called by the trap
put_away() {
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    rm -rf "$scratch"
}
trap put_away EXIT

# It writes its number when it can be used.
for ((waited = 0; waited < 300; waited++)); do
    [ ! -s "$scratch/display" ] || break
    if ! kill -0 "$server" 2>/dev/null; then break; fi
    sleep 0.1
done
if [ ! -s "$scratch/display" ]; then
    echo "on-display: Xvfb has not started"
    cat "$scratch/log"
    exit 1
fi

env -u WAYLAND_DISPLAY -u DBUS_SESSION_BUS_ADDRESS -u GTK_THEME -u ADW_DEBUG_COLOR_SCHEME -u ADW_DEBUG_HIGH_CONTRAST \
    DISPLAY=":$(head -n 1 "$scratch/display")" XDG_CONFIG_HOME="$scratch" XDG_DATA_HOME="$scratch" \
    GDK_BACKEND=x11 GSK_RENDERER=cairo GTK_A11Y=test GSETTINGS_BACKEND=memory ADW_DISABLE_PORTAL=1 \
    LC_ALL=C.UTF-8 timeout --kill-after=10 600 "$@" </dev/null
