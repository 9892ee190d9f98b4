# shellcheck shell=bash
# PT-14, PT-17. Two libraries that are one: tar writes over three volumes to both, one script changes the tapes in both,
# and a mix of the copies restores. Every process is killed in the middle of moves. One library is asked by its
# daemon's control socket, on CUSE by SG_IO on its node, the other one as a changer of another host, whose tapes are
# reached by rmt where a login is cheap.

. "$PT_ROOT/tests/lib/hosts.sh"
changer=$WORK/changer
serving=
mirrors_down() {
    [ -z "$serving" ] || { kill "$serving" 2>/dev/null && wait "$serving" 2>/dev/null; }
    clean_up
}
trap mirrors_down EXIT

# Drive 0 is the mirror, drives 1 and 2 are those of library a, drives 3 and 4 those of b, which has more slots.
all_up() {
    DAEMON_OPTIONS="--library $WORK/a --library $WORK/b --changer library:$changer" pair_up
}
far_up() {
    : >serve.out
    pseudotape changer serve -f "$WORK/control/b" --listen "$WORK/far" >serve.out 2>>serve.err &
    serving=$!
    until grep -q '^listening: ' serve.out || ! kill -0 "$serving" 2>/dev/null; do sleep 0.05; done
}
first="library:$WORK/control/a" victims="mirror far daemon mirror far daemon"
[ "$FRONT" = fuse ] || { first=sg:/dev/pmch0 victims="mirror far daemon"; }
# its tapes are what is asked of the other host; no login is shown here
piped_host "far=pseudotape-rmt --allow there=$NODE_DIR/npmtm3"
second="rmt:far:there,rsh=$WORK/ssh"
[ "$FRONT" = fuse ] || second=device:$NODE_DIR/npmtm3
cat >mirror.toml <<END
by-changer = true
[[leg]]
name = "a"
sink = "device:$NODE_DIR/npmtm1"
[[leg]]
name = "b"
sink = "$second"
[[changer]]
name = "both"
socket = "$changer"
drives = ["$PSEUDOTAPE_MIRROR_CONTROL"]
device = "$WORK/control"
[[changer.leg]]
name = "a"
libraries = ["$first"]
[[changer.leg]]
name = "b"
libraries = ["remote-socket:$WORK/far"]
END
both=(pseudotape changer -f "$changer")
# element LIBRARY PATTERN: what a library itself has there
has() { pseudotape changer -f "$WORK/control/$1" status | sed -n "s/^ *$2 *\([0-9]*\):Full.*= *\([A-Z0-9]*\) *$/\1:\2/p" | xargs; }

for library in a b; do
    slots=5
    [ $library = a ] || slots=7
    check "library $library is made" pseudotape library create $library --drives 2 --slots $slots --import-export 0 --capacity 4M
done
all_up
for library in a b; do check "it has cartridges" pseudotape library --library $library add --count 4; done
says "a changer that is not there yet is not ready" 1 'No such file|not ready' pseudotape changer -f control/changer0 status
far_up
mirror_up --config mirror.toml
says "what both libraries have is one changer" 0 'Storage Changer .*changer:2 Drives, 5 Slots.*Element 0:Empty.*Element 4:Full :VolumeTag=PT0004L5' "${both[@]}" status
says "its operator sees how they are paired" 0 'changer both.*unpaired of b: 0 drives, 2 slots' pseudotape-mirror changer status --changer "$changer"
check "a cartridge is loaded in both" "${both[@]}" load 1 0
same "both libraries have it in their first drives" "0:PT0001L5 0:PT0001L5" \
    "$(has a 'Data Transfer Element') $(has b 'Data Transfer Element')"
same "the mirror has the cartridge, at its beginning" "0/0 BOT ONLINE" "$(position) $(mt_status | grep -o 'BOT ONLINE')"
says "what both refuse is refused" 1 '^Drive 0 Full' "${both[@]}" load 2 0
exec 3<"$NODE"
says "a drive that a program has open gives nothing" 1 'MOVE MEDIUM from Element Address 257 to 1025 Failed' "${both[@]}" unload 1 0
exec 3<&-
says "the mirror still has it" 0 'device:.*npmtm1' pseudotape-mirror status
check "and gives it back" "${both[@]}" unload 1 0
same "both libraries have it in their first slots" "1:PT0001L5 1:PT0001L5" \
    "$(has a 'Storage Element' | cut -d ' ' -f 1) $(has b 'Storage Element' | cut -d ' ' -f 1)"
same "no cartridge, no medium" 0 "$(mt_status | grep -c ONLINE)"

# One script changes the tapes of both libraries.
tree files 9
cat >change <<SCRIPT
#!/bin/bash
exec >>"$WORK/changes" 2>&1
old=\$(pseudotape changer -f "$changer" status | sed -n 's/^Data Transfer Element 0:Full (Storage Element \([0-9]*\) Loaded.*/\1/p')
mt-st -f "$NODE" offline && pseudotape changer -f "$changer" unload "\$old" 0 && pseudotape changer -f "$changer" load \$((old + 1)) 0
SCRIPT
chmod +x change
check "the first cartridge" "${both[@]}" load 1 0
check "tar writes over three cartridges" tar -b 64 -M -F ./change -cf "$NODE" files
same "the third cartridge is in the drives" "0:PT0003L5 0:PT0003L5" "$(has a 'Data Transfer Element') $(has b 'Data Transfer Element')"
check "it goes back" "${both[@]}" unload 3 0
for number in 1 2 3; do
    says "both copies of cartridge $number hold the same" 0 '^identical: [1-9]' \
        pseudotape compare "a/cartridges/PT000${number}L5.ptape" "b/cartridges/PT000${number}L5.ptape"
done
# A mix of the copies: the second volume of library b, the others of library a, read in the drives that no mirror has.
cat >change-mix <<SCRIPT
#!/bin/bash
# the copy that is not meant goes to a drive of its own
exec >>"$WORK/changes" 2>&1
number=\$(cat "$WORK/number")
lib=a at=2 drive=npmtm2
[ "\$number" != 2 ] || { lib=b at=4 drive=npmtm4; }
[ ! -e "$WORK/reading" ] || { read -r old there <"$WORK/reading" && mt-st -f "$NODE_DIR/\$there" offline &&
    pseudotape changer -f "$WORK/control/\$old" unload \$((number - 1)) 1 || exit 1; }
pseudotape changer -f "$WORK/control/\$lib" load "\$number" 1 || exit 1
echo "\$lib \$drive" >"$WORK/reading"
echo \$((number + 1)) >"$WORK/number"
[ -z "\$TAR_FD" ] || echo "$NODE_DIR/\$drive" >&"\$TAR_FD"
SCRIPT
chmod +x change-mix
echo 1 >number
check "the first copy" env TAR_FD= ./change-mix
mkdir out
check "tar restores from a mix of the copies" tar -b 64 -M -F ./change-mix -xf "$NODE_DIR/npmtm2" -C out
same "the second volume came from the other library" "4 a npmtm2" "$(cat number) $(cat reading)"
same_tree "what it restores is what it saved" files out/files
check "the last one goes back" pseudotape changer -f "$WORK/control/a" unload 3 1

# A move that one library can't do is done in none.
check "a cartridge of library b is elsewhere" pseudotape changer -f "$WORK/control/b" transfer 4 6
says "a cartridge that one library has not there is out of step" 1 'Not Ready.*MOVE MEDIUM from Element Address 1028 to 257 Failed' \
    "${both[@]}" load 4 0
says "its operator sees it" 1 'element 1028 is out of step: a has PT0004L5, b has no cartridge' \
    pseudotape-mirror changer status --changer "$changer"
check "it is brought back" pseudotape changer -f "$WORK/control/b" transfer 6 4
mv b/cartridges/PT0002L5.ptape b/away
says "a cartridge that one library can't load" 1 'Hardware Error.*MOVE MEDIUM from Element Address 1026 to 257 Failed' "${both[@]}" load 2 0
mv b/away b/cartridges/PT0002L5.ptape
same "is loaded in neither" "" "$(has a 'Data Transfer Element')$(has b 'Data Transfer Element')"
says "nothing is out of step" 0 'changer both' pseudotape-mirror changer status --changer "$changer"

# Killed in the middle of moves: each process in turn. Afterwards each cartridge is in one element of each library; where
# they disagree the mirror says so, and one command settles it.
bad=0 settled=0
for victim in $victims; do
    (while "${both[@]}" load 1 0 && "${both[@]}" unload 1 0; do :; done) >moves.out 2>&1 &
    moves=$!
    sleep "0.$((RANDOM % 60 + 10))"
    case $victim in
        mirror) mirror_kill ;;
        far) kill -KILL "$serving" && wait "$serving" 2>/dev/null ;;
        daemon) drive_kill ;;
    esac
    [ "$victim" = far ] || { kill "$moves" && wait "$moves"; } 2>/dev/null
    [ "$victim" != far ] || { far_up && kill "$moves" && wait "$moves"; } 2>/dev/null
    if [ "$victim" = daemon ]; then
        all_up && mirror_attached
    elif [ "$victim" = mirror ]; then
        mirror_up --config mirror.toml
    fi
    for library in a b; do
        places=$(pseudotape changer -f "$WORK/control/$library" status | grep -c PT0001L5)
        [ "$places" = 1 ] || bad=$((bad + 1))
    done
    if ! pseudotape-mirror changer status --changer "$changer" >state.out 2>&1; then
        settled=$((settled + 1))
        # A mirror whose nodes died has no whole copies any more, and says so once: the settling may be told of it.
        if ! pseudotape-mirror changer settle a --changer "$changer" >settle.out 2>&1 &&
            ! grep -q 'not every volume is a copy' settle.out; then
            fail "settled after the death of $victim" "$(cat settle.out)"
        fi
        check "all is settled after the death of $victim" pseudotape-mirror changer settle a --changer "$changer"
    fi
    # a mirror whose nodes died has no whole copies any more, and says so once
    "${both[@]}" status | grep -q 'Element 0:Empty' || "${both[@]}" unload 1 0 >>moves.out 2>&1 ||
        "${both[@]}" unload 1 0 >>moves.out 2>&1 || bad=$((bad + 1))
    [ "$(has a 'Storage Element' | cut -d ' ' -f 1) $(has b 'Storage Element' | cut -d ' ' -f 1)" = "1:PT0001L5 1:PT0001L5" ] || bad=$((bad + 1))
done
same "processes killed in the middle of moves ($settled were settled): both libraries are one again" 0 "$bad"
if [ "$FRONT" = cuse ]; then
    says "mtx finds the changer behind a node of its own" 0 'Storage Changer /dev/pmch2:2 Drives, 5 Slots' mtx -f /dev/pmch2 status
    says "and loads both" 0 '^Loading media from Storage Element 3 into drive 0...done$' mtx -f /dev/pmch2 load 3 0
    same "both have it" "0:PT0003L5 0:PT0003L5" "$(has a 'Data Transfer Element') $(has b 'Data Transfer Element')"
    check "and unloads both" mtx -f /dev/pmch2 unload 3 0
fi
check "and it goes on" "${both[@]}" load 2 0
same "with the mirror" "0/0" "$(position)"
check "to the end" "${both[@]}" unload 2 0
mirror_down
