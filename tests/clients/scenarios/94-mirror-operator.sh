# shellcheck shell=bash
# PT-18. What an operator sees of a mirror and does to it while a program writes, also when a leg does not answer.

cartridge a
cartridge tape

# reaches NAME COMMAND...: waits until the command succeeds
reaches() {
    local tenths=0 name=$1
    shift
    until "$@"; do
        [ $tenths -lt 1200 ] || {
            fail "$name" "$(pseudotape-mirror status 2>&1) $(tail -n 3 mirror.err)"
            return
        }
        sleep 0.1
        tenths=$((tenths + 1))
    done
    ok "$name"
}

# endless FILE: writes blocks to the drive until it fails, or FILE is there
endless() {
    python3 -c '
import os, sys
tape = os.open(sys.argv[1], os.O_WRONLY)
block, count = b"endless " * 1280, 0
while not os.path.exists(sys.argv[2]):
    os.write(tape, block)
    count += 1
os.close(tape)
print(count)' "$NODE" "$1" >endless.out 2>&1 &
    WRITER=$!
}

writer_ends() {
    local code=0
    touch enough
    wait $WRITER || code=$?
    rm enough
    same "the program ends well ($1)" 0 $code
    [ $code = 0 ] || cat endless.out
}

stored() { [ "$(leg "$1" object)" -gt "$2" ]; }
hangs() { mirror_json | grep -q '"what": "a call of the program"' && [ "$(busy_seconds)" -ge 1 ]; }
waits_for() { pseudotape-mirror status | grep -q "^busy  *a call of the program, for .* s: waits for leg $1\$"; }
left() {
    local status code=0
    status=$(pseudotape-mirror status 2>&1) || code=$?
    [ $code = 1 ] && grep -Eq 'hung up|no longer|can.t take' <<<"$status"
}
busy_seconds() { mirror_json | sed -n 's/^ *"seconds": \([0-9]*\).*/\1/p'; }

pseudotape-rmt --listen "$WORK/rmt.socket" --allow "ntape=$WORK/tape.ptape" >server.out 2>server.log &
RMT_SERVER=$!
reaches "the rmt server is there" grep -q '^listening' server.out
remote="rmt:far:ntape,command=$PSEUDOTAPE_BIN/pseudotape-rmt --via $WORK/rmt.socket"

cat >mirror.toml <<END
slave = "$WORK/slave"
[[leg]]
name = "a"
sink = "$WORK/a.ptape"
[[leg]]
name = "far"
sink = "$remote"
class = "spare"
END

pair_up
"$PSEUDOTAPE_BIN/pseudotape-mirror" run --config mirror.toml >mirror.out 2>>mirror.err </dev/null &
MIRROR=$!
mirror_attached
says "the daemon says what is mirrored where" 0 "leg far: rmt:.* \(spare, sync\)" cat mirror.out

# a leg that does not answer
endless enough
reaches "the program writes" stored far 20
kill -STOP $RMT_SERVER
reaches "the status tells that a call lasts" hangs
says "and answers at once" 0 'busy       a call of the program, for' timeout 30 pseudotape-mirror status
says "each of many times" 0 '' timeout 50 pseudotape-mirror status --watch=0.1 --looks 10
here=$(leg a object)
kill -CONT $RMT_SERVER
reaches "the program goes on" stored far $((here + 5))
writer_ends "a leg that stopped"

# a terminal
check "rewind" mt-st -f "$NODE" rewind
says "watching on a terminal draws over what was there" 0 $'\e\\[2J\e\\[H.*in step.*leg far.*\e\\[H.*leg far' \
    env TERM=xterm script -qec "pseudotape-mirror status --watch=0.2 --looks 2" /dev/null
if grep -q $'\e' <<<"$(pseudotape-mirror status)"; then
    fail "no colours in a pipe" "$(pseudotape-mirror status)"
else
    ok "no colours in a pipe"
fi

# dropped and brought back, twice, while a program writes
endless enough
for round in 1 2; do
    reaches "the program writes ($round)" stored a $((round * 50))
    says "a leg is dropped ($round)" 0 'return far' pseudotape-mirror drop far
    says "the status is degraded then ($round)" 1 'dropped: not mirrored from object' pseudotape-mirror status
    says "the last leg stays ($round)" 2 'last one in step' pseudotape-mirror drop a
    says "the leg comes back ($round)" 0 'far is in step' pseudotape-mirror return far
    check "and all is well ($round)" pseudotape-mirror status
done
# a leg hangs, and the call with it
check "a leg hangs" pseudotape-mirror inject far hang
reaches "the status names the leg that a call waits for" waits_for far
check "the call goes on" pseudotape-mirror inject far --remove all
reaches "the program writes on" stored a 150
writer_ends "drop and return"
mirror_down
kill $RMT_SERVER
wait $RMT_SERVER 2>/dev/null
says "both legs hold the same" 0 '^identical: ' pseudotape compare a.ptape tape.ptape
same "as much as the program wrote" "$(cat endless.out)" \
    "$(pseudotape compare --json a.ptape tape.ptape | sed -n 's/^ *"blocks": \([0-9]*\).*/\1/p' | head -1)"

# the device daemon ends and comes again, in peace and killed
for end in "$WORK/slave" "$NODE_DIR/pmts0"; do
    for how in drive_down drive_kill; do
        cartridge c --force
        cartridge d --force
        SLAVE_END=$end mirror_up --leg "c=$WORK/c.ptape" --leg "d=$WORK/d.ptape"
        check "tar to a mirror at $(basename "$end")" tar -cf "$NODE" --sort=name -C "$PT_ROOT/tests" lib
        $how
        # the mirror hears of it from the kernel a moment after this shell
        reaches "the status tells that the device daemon is gone ($how)" left
        pair_up
        mirror_attached
        same "the mirror is the same process ($how)" "$MIRROR" "$(mirror_json | sed -n 's/^ *"pid": \([0-9]*\).*/\1/p')"
        check "to the end of what is there ($how)" mt-st -f "$NODE" eod
        check "tar goes on behind it ($how)" tar -cf "$NODE" --sort=name -C "$PT_ROOT/tests" lib
        mirror_down
        says "the copies are the same ($how)" 0 '^identical: .* 2 filemarks' pseudotape compare c.ptape d.ptape
    done
done

# twice told to end, with a leg that does not answer
rm -f rmt.socket
: >server.out # what the first server said must not pass for this one's word
pseudotape-rmt --listen "$WORK/rmt.socket" --allow "ntape=$WORK/tape.ptape" >server.out 2>server.log &
RMT_SERVER=$!
reaches "the rmt server is there again" grep -q '^listening' server.out
: >mirror.err # nor may what the mirrors before this one said
mirror_up --leg "a=$WORK/a.ptape" --leg "far=$remote"
endless enough
reaches "the program writes again" stored far 20
kill -STOP $RMT_SERVER
reaches "the leg hangs" hangs
kill -TERM $MIRROR
reaches "it begins to end" grep -q 'ends: signal 15' mirror.err
kill -TERM $MIRROR
if mirror_gone 60; then
    same "told twice it ends at once" 1 "$mirror_code"
else
    fail "told twice it ends at once" "still there after 60 s"
    mirror_kill
fi
{ kill -KILL $RMT_SERVER && wait $RMT_SERVER; } 2>/dev/null
code=0
touch enough
wait $WRITER || code=$?
same "the program gets an error" 1 $code
says "it is EIO or ENXIO" 0 'Errno (5|6)\]' cat endless.out
drive_down
check "what is on the image is whole" pseudotape verify a.ptape
