# shellcheck shell=bash
# Starts and stops pseudotape-dev for shell tests; where FRONT is scsi, pseudotape-scsi in its place.
#
# Needs FRONT (cuse, fuse or scsi), WORK (a directory of this test) and PSEUDOTAPE_BIN (the built programs). After
# `drive_up`, drive N's nodes are ${NODES[N]} (non-rewinding) and ${REWINDING[N]}; NODE and REWIND name drive 0's.

export PSEUDOTAPE_CONTROL=$WORK/control
NODE_DIR=/dev
[ "$FRONT" != fuse ] || NODE_DIR=$WORK/nodes
# shellcheck disable=SC2034
{
    NODES=("$NODE_DIR/npmtm0" "$NODE_DIR/npmtm1")
    REWINDING=("$NODE_DIR/pmtm0" "$NODE_DIR/pmtm1")
    NODE=${NODES[0]}
    REWIND=${REWINDING[0]}
}
PROGRAM=pseudotape-dev
[ "$FRONT" != scsi ] || PROGRAM=pseudotape-scsi
DAEMON=
NODE_DIR_MADE= # whether the daemon makes the directory of its mount, and so has to take it away
# tar's blocking factor for records as large as they can be where their length matters to a reader with less room: a
# kernel that hides from a daemon how much a call asks for (tests/guest/run --uml-old) lets only those of one piece through
export LARGE=2048
[ "$FRONT" != cuse ] || [ -e /proc/self/syscall ] || LARGE=240

# cartridge NAME [OPTION...]: makes the image $WORK/NAME.ptape
cartridge() {
    "$PSEUDOTAPE_BIN/pseudotape" create "$WORK/$1.ptape" "${@:2}" >"$WORK/create.out" 2>&1 || {
        fail "create $1" "$(cat "$WORK/create.out")"
        return 1
    }
}

# drive_up SPEC...: a daemon with one drive for each SPEC; returns when it is ready. $DAEMON_BEFORE starts it, if it is set.
drive_up() {
    local arguments=() spec twentieths=0
    [ -e "$NODE_DIR" ] && NODE_DIR_MADE='' || NODE_DIR_MADE=yes
    for spec in "$@"; do arguments+=(--drive "$spec"); done
    if [ "$FRONT" = cuse ]; then
        arguments+=(--cuse)
    elif [ "$FRONT" = scsi ]; then
        arguments+=(--local)
    else
        arguments+=(--fuse "$NODE_DIR" --uring "${PSEUDOTAPE_TEST_URING:-never}")
    fi
    : >"$WORK/daemon.out"
    # shellcheck disable=SC2086
    ${DAEMON_BEFORE:-} "$PSEUDOTAPE_BIN/$PROGRAM" "${arguments[@]}" --control "$PSEUDOTAPE_CONTROL" ${DAEMON_OPTIONS:-} \
        >"$WORK/daemon.out" 2>>"$WORK/daemon.err" </dev/null &
    DAEMON=$!
    # its last line tells where the control socket is
    until grep -q '^control:' "$WORK/daemon.out" && scsi_nodes && [ -e "$NODE" ]; do
        if ! kill -0 "$DAEMON" 2>/dev/null; then
            fail "start the daemon" "it ended: $(tail -n 5 "$WORK/daemon.err")"
            return 1
        elif [ $twentieths -gt 2400 ]; then
            fail "start the daemon" "not ready after 120 s: $(cat "$WORK/daemon.out" "$WORK/daemon.err")"
            return 1
        fi
        sleep 0.05
        twentieths=$((twentieths + 1))
    done
}

# scsi_nodes: the kernel numbers the nodes of SCSI drives; the daemon says which they are
scsi_nodes() {
    [ "$FRONT" = scsi ] || return 0
    # shellcheck disable=SC2034
    {
        mapfile -t NODES < <(sed -n 's|^drive [0-9]*: .*\(/dev/nst[0-9]*\).*|\1|p' "$WORK/daemon.out")
        mapfile -t REWINDING < <(printf '%s\n' "${NODES[@]/nst/st}")
        mapfile -t CHANGERS < <(sed -n 's|^library [^:]*: .*\(/dev/sg[0-9]*\),.*|\1|p' "$WORK/daemon.out")
        NODE=${NODES[0]-} REWIND=${REWINDING[0]-}
    }
    # as udev does it, which no guest has
    local all=("${NODES[@]}" "${REWINDING[@]}" "${CHANGERS[@]}")
    [ -z "$NODE" ] || { chgrp tape "${all[@]}" && chmod 660 "${all[@]}"; }
}

# daemon_gone SECONDS: waits for the daemon's end; its exit code is in $daemon_code
daemon_gone() {
    local tenths=0
    while kill -0 "$DAEMON" 2>/dev/null; do
        [ $tenths -lt $(($1 * 10)) ] || return 1
        sleep 0.1
        tenths=$((tenths + 1))
    done
    daemon_code=0
    wait "$DAEMON" || daemon_code=$?
    DAEMON=
}

# drive_down: SIGTERM, which has to end the daemon cleanly
drive_down() {
    [ -n "$DAEMON" ] || return 0
    kill -TERM "$DAEMON"
    if ! daemon_gone 120; then
        fail "stop the daemon" "still there 120 s after SIGTERM: $(tail -n 5 "$WORK/daemon.err")"
        drive_kill
    elif [ "$daemon_code" != 0 ]; then
        fail "stop the daemon" "exit $daemon_code after SIGTERM: $(tail -n 5 "$WORK/daemon.err")"
    elif [ -e "$NODE" ]; then
        fail "stop the daemon" "$NODE is still there"
    elif [ "$FRONT" = fuse ] && [ -n "$NODE_DIR_MADE" ] && [ -e "$NODE_DIR" ]; then
        fail "stop the daemon" "$NODE_DIR, which it made, is still there"
    fi
}

# drive_kill: SIGKILL, and what a dead FUSE server leaves behind
drive_kill() {
    kill -KILL "$DAEMON" 2>/dev/null
    daemon_gone 120 2>/dev/null # the shell would tell that it was killed
    nodes_clear
}

# nodes_clear: a killed FUSE server's mount stays until somebody takes it away
nodes_clear() {
    if [ "$FRONT" = fuse ] && grep -q " $NODE_DIR fuse" /proc/mounts; then
        umount -l "$NODE_DIR"
    fi
}

# mt_status [NODE]
mt_status() {
    mt-st -f "${1:-$NODE}" status 2>&1
}

# position: file/block as `mt status` shows them, e.g. 1/0
position() {
    mt_status "$@" | sed -n 's/^File number=\(-\{0,1\}[0-9]*\), block number=\(-\{0,1\}[0-9]*\),.*/\1\/\2/p'
}

# object: what `mt tell` shows
object() {
    mt-st -f "${1:-$NODE}" tell 2>&1 | sed -n 's/^At block \([0-9]*\)\.$/\1/p'
}
