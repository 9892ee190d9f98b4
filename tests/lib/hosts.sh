# shellcheck shell=bash
# A second host for shell tests, and ssh to it, with nothing of the system's own but its programs: the keys, the sshd and
# the configuration of ssh are in $WORK. `hosts_down` ends it all.

SSHD=
_namespace=pt$$
_far=192.0.2.2 # an address for examples
from_here=()   # stands before a command that runs on this host of the two

# second_host "NAME=COMMAND"...: another host, which knows one command for each key. `$WORK/ssh NAME` runs it there, whatever
# else it is asked for, and writes its process and NAME to ssh.pids. NAME can have another name behind a space: tar asks for
# the address of its host itself, so that a name of ours does not do. `road` is between the two hosts.
#
# They are network namespaces with an sshd. A guest has no such network, and a login costs it twenty seconds: there the road
# is a pipe.
second_host() {
    if [ "$FRONT" != fuse ]; then
        piped_host "$@"
        return
    fi
    check "two network namespaces" sh -c "
        ip netns add $_namespace && ip netns add $_namespace-far &&
        ip -n $_namespace link add road type veth peer name road netns $_namespace-far &&
        ip -n $_namespace addr add 192.0.2.1/30 dev road && ip -n $_namespace-far addr add $_far/30 dev road &&
        ip -n $_namespace link set road up && ip -n $_namespace-far link set road up" || return
    # ip netns exec would give it a copy of the mounts too
    from_here=(nsenter "--net=/run/netns/$_namespace")
    local served names
    : >ssh_config
    for served in "$@"; do
        names=${served%%=*}
        ssh_key "${names%% *}" "restrict,command=\"$PSEUDOTAPE_BIN/${served#*=}\""
        ssh_host "$names" "$_far" 22 "${names%% *}" >>ssh_config
    done
    sshd_up "$_far" 22 nsenter "--net=/run/netns/$_namespace-far" || fail "start sshd" "$(cat sshd.log)"
    _ssh_program "exec /usr/bin/ssh -F $WORK/ssh_config \"\$@\""
}

# piped_host "NAME=COMMAND"...: the same without a network, on every kind of node
piped_host() {
    local served name
    _ssh_program "
[ ! -e $WORK/road.down ] || { echo 'ssh: connect to host $_far port 22: Network is unreachable' >&2 && exit 255; }
case \$1 in
$(for served in "$@"; do
        for name in ${served%%=*}; do echo "$name) exec $PSEUDOTAPE_BIN/${served#*=} ;;"; done
    done)
esac
echo \"ssh: Could not resolve hostname \$1\" >&2 && exit 255"
}

# _ssh_program LINES: what is called like ssh
_ssh_program() {
    : >ssh.pids
    printf '#!/bin/sh\necho "$$ $1" >>%s\n%s\n' "$WORK/ssh.pids" "$1" >ssh
    chmod +x ssh
}

# road down|up: the road between the hosts
road() {
    if [ ${#from_here[@]} -gt 0 ]; then
        ip -n "$_namespace" link set road "$1"
    elif [ "$1" = down ]; then
        : >road.down
    else
        rm -f road.down
    fi
}

# ssh_key NAME [OPTIONS]: makes a key, key-NAME. With options for authorized_keys, sshd lets it in.
ssh_key() {
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/key-$1"
    [ -z "${2-}" ] || printf '%s %s\n' "$2" "$(cat "key-$1.pub")" >>authorized_keys
}

# ssh_host NAMES ADDRESS PORT KEY: the words of a configuration of ssh for a host
ssh_host() {
    cat <<END
Host $1
    HostName $2
    Port $3
    User $(id -un)
    IdentityFile $WORK/key-$4
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile $WORK/known_hosts
    StrictHostKeyChecking yes
    ConnectTimeout 20
END
}

# sshd_up ADDRESS PORT [BEFORE...]: an sshd that knows our keys alone, started by BEFORE; fails where it can't listen there
sshd_up() {
    [ -e key-host ] || ssh_key host
    mkdir -p /run/sshd # sshd insists on it
    cat >sshd_config <<END
ListenAddress $1:$2
HostKey $WORK/key-host
PidFile none
AuthorizedKeysFile $WORK/authorized_keys
AuthenticationMethods publickey
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
END
    local host="[$1]:$2"
    [ "$2" != 22 ] || host=$1
    printf '%s %s\n' "$host" "$(cut -d ' ' -f 1,2 key-host.pub)" >known_hosts
    : >sshd.log
    "${@:3}" /usr/sbin/sshd -D -e -f "$WORK/sshd_config" 2>sshd.log &
    SSHD=$!
    until grep -q 'Server listening' sshd.log; do
        # its last line may have come since
        kill -0 "$SSHD" 2>/dev/null || grep -q 'Server listening' sshd.log || { SSHD= && return 1; }
        sleep 0.05
    done
}

# hosts_down: ends what there is of them
hosts_down() {
    [ -z "$SSHD" ] || { kill "$SSHD" 2>/dev/null && wait "$SSHD" 2>/dev/null; }
    SSHD=
    ip netns del "$_namespace" 2>/dev/null
    ip netns del "$_namespace-far" 2>/dev/null
}
