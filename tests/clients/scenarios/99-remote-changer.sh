# shellcheck shell=bash
# PT-15. A changer of another host: over a socket, over TCP, and over ssh from one network namespace to another; whoever
# serves it is killed in the middle of moves.

. "$PT_ROOT/tests/lib/hosts.sh"
tree tree 1
serving=
serve_down() {
    [ -z "$serving" ] || { kill "$serving" 2>/dev/null && wait "$serving" 2>/dev/null; }
    serving=
}
trap 'serve_down; clean_up; hosts_down' EXIT

# serve_up ADDRESS CHANGER [OPTION...]: serves the changer there; `at` is where
serve_up() {
    : >serve.out
    pseudotape changer serve -f "$2" --listen "$1" "${@:3}" >serve.out 2>>serve.err &
    serving=$!
    until grep -q '^listening: ' serve.out || ! kill -0 "$serving" 2>/dev/null; do sleep 0.05; done
    at=$(sed -n 's/^listening: //p' serve.out)
}

# where CARTRIDGE: the elements that it is in, as the library itself says it
where() {
    pseudotape library list | awk -v cartridge="$1" '$0 ~ cartridge { print $1 }' | xargs
}

check "a library is made" pseudotape library create lib --name vault --drives 2 --slots 5 --capacity 4M
DAEMON_OPTIONS="--library $WORK/lib" drive_up
check "it has cartridges" pseudotape library add --count 3
pseudotape changer -f control status | tail -n +2 >expected

# the same library by every way
says "mtx asks a library by its specification" 0 "$(cat expected)" pseudotape changer -f "library:$WORK/control/vault" status
says "a library that there is not" 1 'there is no library nowhere' pseudotape changer -f "library:$WORK/control/nowhere" status
says "a specification that is none" 1 'neither a path with a / nor an address' pseudotape changer -f remote-socket:nowhere status
says "nobody but ssh serves other machines" 2 'only loopback addresses' \
    pseudotape changer serve -f control --listen 0.0.0.0:0
says "nothing is served where nothing is" 2 'No such file' pseudotape changer serve -f nowhere --listen "$WORK/far"
serve_up "$WORK/far" "$WORK/control" --max-clients 2
far=remote-socket:$at
says "mtx asks it over a socket" 0 "$(cat expected)" pseudotape changer -f "$far" status
check "and loads" pseudotape changer -f "$far" load 2 1
same "the drive is online at the beginning when the move returns" "0/0 BOT ONLINE" \
    "$(position "${NODES[1]}") $(mt_status "${NODES[1]}" | grep -o 'BOT ONLINE')"
exec 3<"${NODES[1]}"
says "what the library refuses is refused here" 1 'Illegal Request.*MOVE MEDIUM from Element Address 258 to 1026 Failed' \
    pseudotape changer -f "$far" unload 2 1
exec 3<&-
check "and unloads" pseudotape changer -f "$far" unload 2 1
says "bad input is refused" 0 '^."refused":"this is no pseudotape-changer' \
    bash -c "printf 'GET / HTTP/1.0\n\n' | pseudotape changer serve -f $far"
says "an endless line ends the connection" 0 '^$' bash -c "head -c 5000 /dev/zero | pseudotape changer serve -f $far"
# two clients that stay, and one more
mkfifo one two
hello() { printf '{"pseudotape-changer":1,"features":[],"client":"%s"}\n' "$1"; }
pseudotape changer serve -f "$far" <one >one.out &
pseudotape changer serve -f "$far" <two >two.out &
exec 4>one 5>two
hello one >&4
hello two >&5
until [ -s one.out ] && [ -s two.out ]; do sleep 0.05; done
says "one client more than there is room for is told so" 1 '2 clients are being served already' \
    pseudotape changer -f "$far" status
exec 4>&- 5>&-
wait %?one %?two 2>/dev/null
serve_down
serve_up 127.0.0.1:0 "library:$WORK/control"
says "mtx asks it over TCP" 0 "$(cat expected)" pseudotape changer -f "remote-socket:$at" status
serve_down
says "who serves no longer is no changer" 1 'Connection refused|No such file' pseudotape changer -f "$far" status

# Killed in the middle of moves: whoever serves, then the daemon itself. Each cartridge is in one place.
bad=0
rounds=4
[ "$FRONT" = fuse ] || rounds=2
for round in $(seq $rounds); do
    serve_up "$WORK/far" "$WORK/control"
    (while pseudotape changer -f "$far" load 1 0 && pseudotape changer -f "$far" unload 1 0; do :; done) >moves.out 2>&1 &
    moves=$!
    sleep "0.$((RANDOM % 40 + 10))"
    if [ $((round % 2)) = 0 ]; then
        kill -KILL "$serving"
        wait "$serving" 2>/dev/null
        serving=
    else
        drive_kill
    fi
    wait "$moves"
    serve_down
    [ -n "$DAEMON" ] || DAEMON_OPTIONS="--library $WORK/lib" drive_up || break
    # the move in hand goes on to its end, and the next question waits for it
    in_drive=$(pseudotape changer -f control status | grep -c 'Element 0:Full .*= PT0001L5')
    in_slot=$(pseudotape changer -f control status | grep -c 'Storage Element 1:Full .*=PT0001L5')
    online=$(mt_status | grep -c ' ONLINE')
    [ $((in_slot + in_drive)) = 1 ] && [ "$online" = "$in_drive" ] || bad=$((bad + 1))
    [ "$in_drive" = 0 ] || pseudotape changer -f control unload 1 0 >/dev/null || bad=$((bad + 1))
done
same "servers and daemons killed in the middle of moves leave each cartridge in one place" "0 $rounds" "$bad $round"

if [ "$FRONT" = cuse ]; then
    # the node itself is a SCSI changer, and can be served as any other one
    says "mtx asks a node by SG_IO" 0 "$(cat expected)" pseudotape changer -f sg:/dev/pmch0 status
    check "and loads" pseudotape changer -f sg:/dev/pmch0 load 3 0
    same "the drive has it" "0/0" "$(position)"
    serve_up "$WORK/far" sg:/dev/pmch0
    says "a served node" 0 'Element 0:Full \(Storage Element 3 Loaded\):VolumeTag = PT0003L5' pseudotape changer -f "$far" status
    check "and unloads" pseudotape changer -f "$far" unload 3 0
    serve_down
    return 0
fi

# Over ssh, from one network namespace to another. A login costs a guest twenty seconds, and there is no node in this.
second_host "far=pseudotape changer serve -f $WORK/control" || return
far=("${from_here[@]}" pseudotape changer -f "remote:far,rsh=$WORK/ssh")
says "mtx asks a changer of another host" 0 "$(cat expected)" "${far[@]}" status
check "and loads" "${far[@]}" load 3 1
says "what it refuses comes back" 1 '^Drive 1 Full' "${far[@]}" load 1 1
check "and unloads" "${far[@]}" unload 3 1
# The link is cut in the middle of a move: what the command says is what is there.
bad=0 moved=0
for round in 1 2 3 4 5 6; do
    : >ssh.pids
    "${far[@]}" load 1 0 >moves.out 2>&1 &
    load=$!
    until [ -s ssh.pids ]; do sleep 0.01; done
    sleep "0.$((RANDOM % 40 + 10))"
    kill -KILL "$(head -1 ssh.pids | cut -d ' ' -f 1)" 2>/dev/null
    wait "$load" && said=1 || said=0
    is=$(pseudotape changer -f control status | grep -c 'Element 0:Full .*= PT0001L5')
    [ "$said" = "$is" ] || bad=$((bad + 1))
    moved=$((moved + is))
    [ "$is" = 0 ] || pseudotape changer -f control unload 1 0 >/dev/null || bad=$((bad + 1))
done
same "six links cut in the middle of a command: it says what is there ($moved were moved)" "0 6" "$bad $round"
