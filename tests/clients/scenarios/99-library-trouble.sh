# shellcheck shell=bash
# PT-13, PT-14, PT-15. What an operator of libraries reads when something is wrong: a cartridge whose image was removed, a link among
# the images, a file of a library that is empty, an ssh that does not get there, and a leg of a mirror that is stopped.

serving=
trouble_down() {
    # a process that was stopped ends by SIGKILL alone
    [ -z "$serving" ] || { kill -KILL "$serving" 2>/dev/null && wait "$serving" 2>/dev/null; }
    clean_up
}
trap trouble_down EXIT

for library in a b; do
    check "library $library is made" pseudotape library create $library --drives 1 --slots 6 --import-export 0 --capacity 4M
done
DAEMON_OPTIONS="--library $WORK/a --library $WORK/b" drive_up
for library in a b; do check "it has cartridges" pseudotape library --library $library add --count 3; done

# -- elements name cartridges
says "a cartridge is removed by its element" 0 'took cartridge PT0003L5 out: it is .*/a/cartridges/PT0003L5.ptape' \
    pseudotape library --library a remove slot3
says "an empty element has none" 2 'no cartridge with a barcode in slot3' pseudotape library --library a remove slot3
says "an element that there is not" 2 'no cartridge slot77 is in the library' pseudotape library --library a remove slot77
ln -s "$WORK/a/cartridges/PT0003L5.ptape" a/cartridges/LINK01L5.ptape
says "a link among the images is refused by its path too" 2 'LINK01L5.ptape is a link: move what it leads to' \
    pseudotape library --library a add "$WORK/a/cartridges/LINK01L5.ptape"
says "what it leads to is added" 0 'put cartridge PT0003L5 into element 1027' \
    pseudotape library --library a add "$WORK/a/cartridges/PT0003L5.ptape" --to slot3
says "an empty drive of a library says what loads it" 0 "medium +none: 'pseudotape library move' loads one of library a" pseudotape status

# -- an image that is removed while its cartridge is loaded
check "a cartridge is loaded" pseudotape library --library a move PT0001L5 drive0
tree data 1
check "and written" tar -b 20 -cf "$NODE" data
rm a/cartridges/PT0001L5.ptape
says "its image was removed: the cartridge stays" 2 'was removed.*/proc/[0-9]*/fd/[0-9]*.*or until the daemon ends, which loses' \
    pseudotape library --library a move drive0 slot1
same "no option is named that the command has not" 0 "$(grep -c -e --force <<<"$output")"
copy=$(grep -o '/proc/[0-9]*/fd/[0-9]*' <<<"$output" | head -1)
check "what it holds is copied to its place" cp "$copy" a/cartridges/PT0001L5.ptape
says "the daemon goes on" 0 'PT0001L5' pseudotape library --library a list
: >daemon.err
drive_down
says "the end of the daemon is no small matter" 0 'ERROR.*PT0001L5.ptape .its file is gone, and what it held with it' cat daemon.err

# What follows is said by daemons and commands, the same for every kind of node, and a guest takes long for it.
[ "$FRONT" = fuse ] || return 0

# -- a file of a library that is empty
cp a/library.json whole
: >a/library.json
says "an empty library.json has a way out" 1 "library.json: it is not the state of a library: .*the newest copy of it" \
    timeout 60 "$PSEUDOTAPE_BIN/pseudotape-dev" --library a --control "$WORK/other" --fuse "$WORK/other.nodes"
cp whole a/library.json
DAEMON_OPTIONS="--library $WORK/a --library $WORK/b" drive_up
check "the copy is in the drive again, with what was written" tar -b 20 -df "$NODE" data
check "and comes out" pseudotape library --library a move drive0 slot1

# -- a daemon that has only a changer of elsewhere, and an ssh that does not get there
cat >ssh <<'SCRIPT'
#!/bin/sh
echo 'ssh: Could not resolve hostname nas: Name or service not known' >&2
exit 255
SCRIPT
chmod +x ssh
says "ssh says why it did not get there" 1 "the command ended: exit status: 255: ssh: Could not resolve hostname nas" \
    pseudotape changer -f "remote:nas,rsh=$WORK/ssh" status
mkdir only
: >only.out
"$PSEUDOTAPE_BIN/pseudotape-dev" --fuse "$WORK/only/nodes" --drive '' --changer "library:$WORK/control/b" --control "$WORK/only/control" \
    >only.out 2>only.err &
serving=$!
until grep -q '^control:' only.out || ! kill -0 "$serving" 2>/dev/null; do sleep 0.05; done
says "the only changer of a daemon needs no name" 0 'Storage Changer only/control:1 Drives, 6 Slots.*Element 1:Full :VolumeTag=PT0001L5' \
    pseudotape changer -f only/control status
check "and is moved without one" pseudotape changer -f only/control transfer 3 5 transfer 5 3
kill "$serving" && wait "$serving"
serving=

# -- a leg of a mirror that is stopped
: >serve.out
pseudotape changer serve -f "$WORK/control/b" --listen "$WORK/far" >serve.out 2>>serve.err &
serving=$!
until grep -q '^listening: ' serve.out || ! kill -0 "$serving" 2>/dev/null; do sleep 0.05; done
operator=(pseudotape-mirror changer --changer "$WORK/changer")
# mirror_for SECONDS: a mirror of both libraries, whose legs may take so long for a question
mirror_for() {
    cat >mirror.toml <<TOML
slave = "$WORK/mirror.slave"
[[leg]]
name = "null"
sink = "null"
[[changer]]
name = "both"
socket = "$WORK/changer"
question-timeout = $1
[[changer.leg]]
name = "a"
libraries = ["library:$WORK/control/a"]
[[changer.leg]]
name = "b"
libraries = ["remote-socket:$WORK/far"]
TOML
    "$PSEUDOTAPE_BIN/pseudotape-mirror" run --config mirror.toml >mirror.out 2>>mirror.err </dev/null &
    MIRROR=$!
    until [ -S changer ] || ! kill -0 $MIRROR 2>/dev/null; do sleep 0.05; done
}
mirror_for 120
says "the mirror has both legs" 0 'leg b: remote-socket' "${operator[@]}" status
check "a cartridge goes from leg b" pseudotape library --library b remove slot2
says "settle names the leg and what it lacks" 2 "element 1026: a has PT0002L5, b has no cartridge; leg b has no PT0002L5: 'pseudotape library add'" \
    "${operator[@]}" settle a
check "it is brought back" pseudotape library --library b add b/cartridges/PT0002L5.ptape --to slot2
check "nothing is out of step" "${operator[@]}" status
mirror_down
kill -STOP "$serving"
mirror_for 1
says "the status names the leg that is stopped" 1 "can't be asked: leg b, .*no answer within 1 s: whoever has the changer is stopped" \
    "${operator[@]}" status
says "a move is refused" 1 '^leg b, .*no answer within 1 s' pseudotape changer -f changer load 1 0
says "and nothing was moved in the other leg" 0 'slot1 +1025 +PT0001L5' pseudotape library --library a list
mirror_down
kill -CONT "$serving"
mirror_for 120
check "when it runs again it goes on" pseudotape changer -f changer load 1 0
check "in both legs" pseudotape changer -f changer unload 1 0
mirror_down
