# shellcheck shell=bash
# Starts and stops pseudotape-mirror for shell tests, behind drive 0 of a daemon that `pair_up` starts.

export PSEUDOTAPE_MIRROR_CONTROL=$WORK/mirror.control
MIRROR=

# pair_up: a daemon whose drive 0 is whoever comes to $WORK/slave. Its limits are longer than a machine stands still whose
# processors are taken away for a while.
pair_up() {
    drive_up "slave=$WORK/slave,slave-wait=60,slave-timeout=60"
}

# mirror_up OPTION...: a mirror behind it, at its socket or at $SLAVE_END; returns when the device daemon has taken it.
# $MIRROR_BEFORE starts it, if it is set.
mirror_up() {
    # shellcheck disable=SC2086
    ${MIRROR_BEFORE:-} "$PSEUDOTAPE_BIN/pseudotape-mirror" run --slave "${SLAVE_END:-$WORK/slave}" "$@" \
        >"$WORK/mirror.out" 2>>"$WORK/mirror.err" </dev/null &
    MIRROR=$!
    mirror_attached
}

# mirror_attached: waits until the device daemon has taken the mirror
mirror_attached() {
    local twentieths=0
    until mirror_json | grep -q '"attached": true'; do
        if ! kill -0 "$MIRROR" 2>/dev/null; then
            fail "start the mirror" "it ended: $(tail -n 5 "$WORK/mirror.err")"
            return 1
        elif [ $twentieths -gt 2400 ]; then
            fail "start the mirror" "not at its slave end after 120 s: $(tail -n 5 "$WORK/mirror.err")"
            return 1
        fi
        sleep 0.05
        twentieths=$((twentieths + 1))
    done
}

mirror_json() {
    "$PSEUDOTAPE_BIN/pseudotape-mirror" status --json 2>/dev/null
}

# leg NAME KEY: a value of a leg, from the status
leg() {
    mirror_json | sed -n "/\"name\": \"$1\"/,/}/s/^ *\"${2//-/_}\": \"\{0,1\}\([^\",]*\).*/\1/p"
}

# mirror_gone SECONDS: waits for the end of the mirror; its exit code is in $mirror_code
mirror_gone() {
    local tenths=0
    while kill -0 "$MIRROR" 2>/dev/null; do
        [ $tenths -lt $(($1 * 10)) ] || return 1
        sleep 0.1
        tenths=$((tenths + 1))
    done
    mirror_code=0
    wait "$MIRROR" 2>/dev/null || mirror_code=$?
    MIRROR=
}

# mirror_down [CODE]: SIGTERM, which has to end the mirror with that code (0)
mirror_down() {
    [ -n "$MIRROR" ] || return 0
    kill -TERM "$MIRROR"
    if ! mirror_gone 120; then
        fail "stop the mirror" "still there 120 s after SIGTERM: $(tail -n 5 "$WORK/mirror.err")"
        mirror_kill
    elif [ "$mirror_code" != "${1:-0}" ]; then
        fail "stop the mirror" "exit $mirror_code after SIGTERM: $(tail -n 5 "$WORK/mirror.err")"
    fi
}

# mirror_kill: SIGKILL
mirror_kill() {
    [ -n "$MIRROR" ] || return 0
    kill -KILL "$MIRROR" 2>/dev/null
    mirror_gone 120
}

# server_up: a server at $WORK/rmt.socket that gives other hosts the tape $WORK/far.ptape, as `far`
server_up() {
    : >"$WORK/server.out" # what an earlier server said must not pass for this one's word
    "$PSEUDOTAPE_BIN/pseudotape-rmt" --listen "$WORK/rmt.socket" --allow "far=$WORK/far.ptape" \
        >"$WORK/server.out" 2>>"$WORK/server.log" &
    RMT_SERVER=$!
    until grep -q '^listening' "$WORK/server.out"; do
        kill -0 $RMT_SERVER || {
            fail "start pseudotape-rmt" "$(tail -n 3 "$WORK/server.log")"
            return 1
        }
        sleep 0.05
    done
}

server_kill() {
    kill -KILL $RMT_SERVER
    wait $RMT_SERVER 2>/dev/null
    rm -f "$WORK/rmt.socket"
}
