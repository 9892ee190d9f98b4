# shellcheck shell=bash
# PT-14, PT-15, PT-03, PT-17. A library here and a library of another host are one: its changer is reached over ssh, its tapes by
# rmt over ssh, from one network namespace to another. tar fills three cartridges, both copies are the same, and a restore
# takes the second one from the other host. Then the road between the hosts goes away in the middle of a record and of a move.

. "$PT_ROOT/tests/lib/hosts.sh"
trap 'clean_up; hosts_down' EXIT
second_host "changers=pseudotape changer serve -f $WORK/control/b" \
    "tapes 192.0.2.2=pseudotape-rmt --allow there=$NODE_DIR/npmtm3 --allow other=$NODE_DIR/npmtm4" || return

# One daemon has the nodes of both hosts: drive 0 is the mirror, drives 1 and 2 are those of library a, drives 3 and 4 those of b.
for library in a b; do
    check "library $library is made" pseudotape library create $library --drives 2 --slots 5 --import-export 0 --capacity 4M
done
DAEMON_OPTIONS="--library $WORK/a --library $WORK/b" pair_up
for library in a b; do check "it has cartridges" pseudotape library --library $library add --count 4; done
changer=$WORK/changer
cat >mirror.toml <<END_OF_FILE
by-changer = true
[[leg]]
name = "here"
sink = "device:$NODE_DIR/npmtm1"
[[leg]]
name = "there"
sink = "rmt:tapes:there,rsh=$WORK/ssh"
[[changer]]
name = "both"
socket = "$changer"
drives = ["$PSEUDOTAPE_MIRROR_CONTROL"]
device = "$WORK/control"
[[changer.leg]]
name = "here"
libraries = ["library:$WORK/control/a"]
[[changer.leg]]
name = "there"
libraries = ["remote:changers,rsh=$WORK/ssh"]
END_OF_FILE
MIRROR_BEFORE=${from_here[*]} mirror_up --config mirror.toml
both=(pseudotape changer -f "$changer")
operator=(pseudotape-mirror changer --changer "$changer")
# road_down: nothing gets from one host to the other any more, and here every connection finds that out at once
road_down() {
    road down
    links_get KILL changers tapes
}
# links_get SIGNAL HOST...: for what the mirror has started to get to these
links_get() {
    local host pid parent
    for host in "${@:2}"; do
        for pid in $(sed -n "s/ $host\$//p" ssh.pids); do
            # this has to be quick: a move goes on meanwhile
            [ -r "/proc/$pid/stat" ] && read -r _ _ _ parent _ <"/proc/$pid/stat" && [ "$parent" = "$MIRROR" ] && kill -s "$1" "$pid"
        done
    done
}
# in_drives: what the libraries themselves have in their first drives
in_drives() {
    local library
    for library in a b; do
        pseudotape changer -f "$WORK/control/$library" status | sed -n 's/^Data Transfer Element 0:Full.*= *\([A-Z0-9]*\) *$/\1/p'
    done | xargs
}

# -- one job over three cartridges
tree files 9
cat >change <<SCRIPT
#!/bin/bash
exec >>"$WORK/changes" 2>&1
old=\$(pseudotape changer -f "$changer" status | sed -n 's/^Data Transfer Element 0:Full (Storage Element \([0-9]*\) Loaded.*/\1/p')
mt-st -f "$NODE" offline && pseudotape changer -f "$changer" unload "\$old" 0 && pseudotape changer -f "$changer" load \$((old + 1)) 0
SCRIPT
chmod +x change
check "the first cartridge" "${both[@]}" load 1 0
CHECK_SECONDS=200 check "tar writes over three cartridges on both hosts" tar -b 64 -M -F ./change -cf "$NODE" files
same "the third cartridge is in the drives" "PT0003L5 PT0003L5" "$(in_drives)"
check "it goes back" "${both[@]}" unload 3 0
for number in 1 2 3; do
    says "both copies of cartridge $number hold the same" 0 '^identical: [1-9]' \
        pseudotape compare "a/cartridges/PT000${number}L5.ptape" "b/cartridges/PT000${number}L5.ptape"
done

# A mix of the copies: the second volume is read on the other host, by the rmt of tar; the others here.
cat >change-mix <<SCRIPT
#!/bin/bash
exec >>"$WORK/changes" 2>&1
number=\$(cat "$WORK/number")
here=(pseudotape changer -f "$WORK/control/a") far=(pseudotape changer -f "remote:changers,rsh=$WORK/ssh")
case \$number in
    1) "\${here[@]}" load 1 1 ;;
    2) mt-st -f $NODE_DIR/npmtm2 offline && "\${here[@]}" unload 1 1 && "\${far[@]}" load 2 1 && tape=192.0.2.2:other ;;
    3) "\${far[@]}" unload 2 1 && "\${here[@]}" load 3 1 && tape=$NODE_DIR/npmtm2 ;;
esac || exit 1
echo \$((number + 1)) >"$WORK/number"
[ -z "\$tape" ] || echo "\$tape" >&"\$TAR_FD"
SCRIPT
chmod +x change-mix
echo 1 >number
check "the first copy" "${from_here[@]}" ./change-mix
mkdir out
CHECK_SECONDS=200 check "tar restores from a mix of the copies" "${from_here[@]}" \
    tar --rsh-command="$WORK/ssh" -b 64 -M -F ./change-mix -xf "$NODE_DIR/npmtm2" -C out
same "the second volume came from the other host" "4 1" "$(cat number) $(grep -c 'remote:changers.*\|Loading media from Storage Element 2 into drive 1...done' changes)"
same_tree "what it restores is what it saved" files out/files
check "the last one goes back" pseudotape changer -f "$WORK/control/a" unload 3 1

# -- the road goes away in the middle of a record
bs=32768
pattern 6 $((90 * bs)) >stream
check "the fourth cartridge" "${both[@]}" load 4 0
mkfifo fifo
dd if=fifo of="$NODE" bs=$bs iflag=fullblock 2>dd.err &
writer=$!
exec 9>fifo
dd if=stream bs=$bs count=30 status=none >&9
tenths=0
until [ "$(leg there object)" = 30 ]; do
    [ $tenths -lt 1000 ] || { fail "30 records are on the other host" "$(leg there object)" && break; }
    sleep 0.1
    tenths=$((tenths + 1))
done
# what is to carry the next record has stopped, and then it is gone with the road
links_get STOP tapes
dd if=stream bs=$bs skip=30 count=1 status=none >&9
sleep 0.5 # for the record to be on its way; where it is not yet, it does not get away
road_down
dd if=stream bs=$bs skip=31 count=29 status=none >&9 2>/dev/null
exec 9>&-
code=0
wait $writer || code=$?
says "a record that did not get there is an error" 1 'Input/output error' bash -c "cat dd.err; exit $code"
# on CUSE the first open after a close that failed hears of it
says "nothing is written meanwhile" 1 'Input/output error' dd if=stream of="$NODE" bs=$bs count=1
says "the leg is named, with what it misses" 1 'leg there  *out of step: not mirrored from object 30 on' pseudotape-mirror status
says "so is the leg of the changer" 1 "can't be asked: .*there: .*(Network is unreachable|the command ended: exit status: 255)" "${operator[@]}" status
road up
# the other host finds out by itself that its client is gone, and the tape there is free then
tenths=0
until pseudotape-mirror return there >return.out 2>&1; do
    [ $tenths -lt 1000 ] || { fail "the leg comes back" "$(cat return.out)" && break; }
    sleep 0.1
    tenths=$((tenths + 1))
done
says "the mirror is whole again" 0 'mirror     in step' pseudotape-mirror status
check "to the end of data" mt-st -f "$NODE" eod
same "nothing is lost that was answered" 30 "$(object)"
check "the job goes on" dd if=stream of="$NODE" bs=$bs skip=30 count=60
check "the cartridge goes back" "${both[@]}" unload 4 0
says "both copies of it hold the same" 0 '^identical: [1-9]' pseudotape compare a/cartridges/PT0004L5.ptape b/cartridges/PT0004L5.ptape
check "with all records" cmp <(pseudotape dump a/cartridges/PT0004L5.ptape) stream

# What follows moves cartridges and touches no tape: it is the same for every kind of node, and a guest takes minutes for it.
if [ "$FRONT" != fuse ]; then
    mirror_down
    return 0
fi

# -- the link dies in the middle of a move: the inventory says that it was done
# From here on the transport of library b is slow, so that its moves have a middle.
drive_down
cat >dev.toml <<END_OF_FILE
[[library]]
folder = "$WORK/a"
[[library]]
folder = "$WORK/b"
[library.delay]
carry = 2
END_OF_FILE
DAEMON_OPTIONS="--config $WORK/dev.toml" pair_up
mirror_attached
# begin_move SLOT: begins to load it, and returns when library a is done: b is in the middle then
begin_move() {
    "${both[@]}" load "$1" 0 >moves.out 2>&1 &
    move=$!
    until pseudotape changer -f "$WORK/control/a" status | grep -q 'Element 0:Full' || ! kill -0 "$move" 2>/dev/null; do sleep 0.02; done
}
# again SLOT: on a machine that stood still the move was over before its link was cut. Then another one is begun.
again() {
    "${operator[@]}" settle here >again.out 2>&1
    [ -z "$(in_drives)" ] || "${both[@]}" unload "$1" 0 >>again.out 2>&1
}
for _ in 1 2 3 4 5; do
    begin_move 2
    logins=$(grep -c changers ssh.pids)
    links_get KILL changers
    code=0
    wait $move || code=$?
    logins=$(($(grep -c changers ssh.pids) - logins))
    [ $logins = 0 ] || break
    again 2
done
same "a move whose link dies is done, and was looked for by a new link" "0 PT0002L5 PT0002L5 1" "$code $(in_drives) $logins"
check "it goes back" "${both[@]}" unload 2 0

# -- the road goes away in the middle of a move: nobody knows, and the operator settles it
for _ in 1 2 3 4 5; do
    begin_move 3
    road_down
    code=0
    wait $move || code=$?
    road up
    "${operator[@]}" status >state.out 2>&1
    ! grep -q 'element 257 is out of step: here has no cartridge, there has PT0003L5' state.out || break
    again 3
done
says "a move of which nothing is known is no success" 1 'Not Ready.*MOVE MEDIUM from Element Address 1027 to 257 Failed' \
    bash -c "cat moves.out; exit $code"
says "the operator sees what both sides have" 1 'element 257 is out of step: here has no cartridge, there has PT0003L5' \
    "${operator[@]}" status
check "and settles it" "${operator[@]}" settle here
check "nothing is out of step" "${operator[@]}" status
check "and it goes on" "${both[@]}" load 3 0
same "in both libraries" "PT0003L5 PT0003L5 0/0" "$(in_drives) $(position)"
mirror_down
