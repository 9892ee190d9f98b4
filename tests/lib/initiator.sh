# shellcheck shell=bash
# An iSCSI initiator in a guest: Debian's open-iscsi, as root; to be sourced after tests/lib/check.sh. A check of one of these
# functions is `check NAME "${FUNCTION[@]}" login ...`, since it runs in a process of its own.

: "${INITIATOR_DIR:=/run/initiator}"
# shellcheck disable=SC2016,SC2034 # for who sources this
FUNCTION=(bash -c '"$@"' -)

# await COMMAND...: until it succeeds; a hundred seconds at most
await() {
    local tenths=1000
    until "$@" >/dev/null 2>&1; do
        [ $((tenths -= 1)) -gt 0 ] || return 1
        sleep 0.1
    done
}

# initiator_up: starts its daemon
initiator_up() {
    local module
    # Of this one, kernels of today have no module.
    "$PT_BUSYBOX" modprobe crc32c_generic 2>/dev/null
    for module in iscsi_tcp sg st; do
        "$PT_BUSYBOX" modprobe "$module" || {
            fail "the module $module" "it does not load on $(uname -r)"
            return 1
        }
    done
    mkdir -p "$INITIATOR_DIR" /run/lock/iscsi /etc/iscsi
    rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets
    echo "InitiatorName=iqn.2026-11.test.pseudotape:guest" >/etc/iscsi/initiatorname.iscsi
    echo "iscsid.startup = /bin/true" >>/etc/iscsi/iscsid.conf
    # Its end is one of its whole process group.
    setsid iscsid -f >"$INITIATOR_DIR/iscsid.log" 2>&1 </dev/null &
    initiator=$!
    await initiator_answers || {
        fail "the iSCSI daemon" "it does not answer: $(cat "$INITIATOR_DIR/iscsid.log")"
        return 1
    }
}

initiator_answers() {
    local code=0
    iscsiadm -m session || code=$?
    # 21: it knows no session
    [ $code = 21 ]
}

initiator_down() {
    kill "$initiator" 2>/dev/null
    wait "$initiator" 2>/dev/null
}

# login TARGET [USER SECRET [KEEPALIVE]]: logs in to a target that was found. Asks each KEEPALIVE seconds whether it is there,
# and gives the connection up after as many; without it never.
login() {
    local target=$1 user=${2-} secret=${3-} alive=${4:-0} name value method=None
    [ -z "$user" ] || method=CHAP
    while read -r name value; do
        iscsiadm -m node -T "$target" -o update -n "$name" -v "$value" </dev/null || return
    done <<END
node.session.auth.authmethod $method
node.session.auth.username $user
node.session.auth.password $secret
node.conn[0].timeo.noop_out_interval $alive
node.conn[0].timeo.noop_out_timeout $alive
node.session.initial_login_retry_max 1
END
    iscsiadm -m node -T "$target" --login
}

logout() {
    iscsiadm -m node -T "$1" --logout
}

# session_is STATE: whether the session is in this state
session_is() {
    [ "$(cat /sys/class/iscsi_session/session*/state)" = "$1" ]
}

# tape_of TARGET UNIT: the node of st that a session has for a unit of the target; fails where there is none
tape_of() {
    local session device
    for session in /sys/class/iscsi_session/session*; do
        [ "$(cat "$session/targetname" 2>/dev/null)" = "$1" ] || continue
        for device in "$session"/device/target*/*:"$2"/scsi_tape/nst*[0-9]; do
            device=/dev/${device##*/}
            [ -c "$device" ] && echo "$device" && return
        done
    done
    return 1
}

# tape_comes TARGET UNIT VARIABLE: waits for that node
tape_comes() {
    if await tape_of "$1" "$2"; then
        printf -v "$3" %s "$(tape_of "$1" "$2")"
        ok "unit $2 of $1 is a node of st here"
    else
        fail "a node of st for unit $2 of $1" "none came: $(ls /dev/nst* /sys/class/iscsi_session 2>&1)"
        return 1
    fi
}
export -f await login logout session_is tape_of
