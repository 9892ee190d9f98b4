# shellcheck shell=bash
# The kernel's target core in a guest, for jobs that start pseudotape-scsi: to be sourced after tests/lib/check.sh.

TARGET=/sys/kernel/config/target
export TARGET

# target_core_up: its modules and its tree
target_core_up() {
    local module
    for module in target_core_user tcm_loop sg st; do
        "$PT_BUSYBOX" modprobe "$module" 2>/dev/null || {
            fail "the module $module" "it does not load on $(uname -r)"
            return 1
        }
    done
    [ -d $TARGET ] || mount -t configfs none /sys/kernel/config
    [ -d $TARGET ] || {
        fail "the kernel's tree of targets" "$TARGET is not there"
        return 1
    }
}

# scsi_up ARGUMENT...: starts the daemon for this machine, or for whom $REACHED says; returns when it serves. Then $node and
# $generic are the nodes of drive 0.
scsi_up() {
    mkfifo ready
    # shellcheck disable=SC2086
    ${BEFORE:-} pseudotape-scsi ${REACHED:---local} --ready-fd 3 "$@" >daemon.out 2>>daemon.err 3>ready </dev/null &
    daemon=$!
    # its end closes the descriptor, too
    local line=
    read -r line <ready
    rm ready
    [ "$line" = ready ] || {
        fail "start the daemon" "it ended: $(tail -n 5 daemon.err)"
        return 1
    }
    node=$(sed -n 's|^drive 0: .*\(/dev/nst[0-9]*\).*|\1|p' daemon.out)
    generic=$(sed -n 's|^drive 0: .*\(/dev/sg[0-9]*\).*|\1|p' daemon.out)
}

# scsi_killed: SIGKILL
scsi_killed() {
    kill -KILL "$daemon"
    wait "$daemon" 2>/dev/null
}

# scsi_down NAME CODE: SIGTERM ends the daemon with this code, and nothing is left of it
scsi_down() {
    local code=0
    kill -TERM "$daemon"
    wait "$daemon" || code=$?
    same "$1: the daemon's exit code" "$2" "$code"
    same "$1: nothing is left in configfs" "" "$(find $TARGET/core/user_* $TARGET/loopback 2>/dev/null)"
    same "$1: nor a node" "" "$(ls "$node" "$generic" 2>/dev/null)"
    same "$1: nor what it kept" "" "$(ls -d scsi-* control 2>/dev/null)"
}
