# shellcheck shell=bash
# PT-18, CW-80. Faults on command: what tar, dd and mt see of a drive that fails when it is told to, and what is on the tape then.
# docs/FAULTS.md has the faults; the rules are those of docs/SEMANTICS.md.

bs=10240
pattern 7 $((bs * 8)) >stream

# met NUMBER: how often the fault with that number was met, in the words of the list
met() {
    pseudotape inject 0 | sed -n "s/^  $1 .*: met //p"
}

# until_met NUMBER: waits until a call has met the fault
until_met() {
    local tenths=0
    while [ "$(met "$1")" = "never yet" ]; do
        [ $tenths -lt 1200 ] || {
            fail "fault $1 is met" "not in 120 s"
            return 1
        }
        sleep 0.1
        tenths=$((tenths + 1))
    done
}

# number: of the first fault that is listed
number() {
    pseudotape inject 0 | sed -n '2s/^  \([0-9]*\) .*/\1/p'
}

# clear_faults: none are left
clear_faults() {
    pseudotape inject 0 --remove all >clear.out 2>&1 || fail "remove all faults" "$(cat clear.out)"
}

cartridge one
# A busy drive is waited for longer than any machine stands still.
export DAEMON_OPTIONS="--open-wait 120"
drive_up "image=$WORK/one.ptape"
check "a tape of eight blocks" dd if=stream of="$NODE" bs=$bs
mt-st -f "$NODE" rewind

says "no fault is listed" 0 'no faults' pseudotape inject 0
says "what is no fault is named, with all there are" 2 "no fault 'fire': there are read-error" pseudotape inject 0 fire
says "and an option that a fault has not" 2 "read-error has no option 'rate'" pseudotape inject 0 read-error,rate=5
says "a drive that is not there" 2 'no drive 9' pseudotape inject 9 reset
says "a block behind the end" 2 'object 9 is behind the end: partition 0 holds 9 objects' pseudotape inject 0 read-error,at=9
says "a fault that is not listed" 2 'no fault 5' pseudotape inject 0 --remove 5
says "nothing of that was injected" 0 'no faults' pseudotape inject 0

# ST-READ-11
check "a read error at object 3" pseudotape inject 0 read-error,at=3
says "dd meets it" 1 'Input/output error' dd if="$NODE" of=part bs=$bs
check "and has what is before it" cmp part <(head -c $((3 * bs)) stream)
same "the tape is behind the block" 4 "$(object)"
same "mt status has lost the block" 0/-1 "$(position)"
same "it was met once" once "$(met 1)"
says "the status says that it was injected" 0 'injected fault 1 \(read-error,at=3\): medium error' pseudotape status 0
clear_faults
check "the tape is whole" bash -c "mt-st -f '$NODE' rewind && dd if='$NODE' bs=$bs status=none | cmp - stream"

mt-st -f "$NODE" rewind
check "a read error that keeps the position, twice" pseudotape inject 0 read-error,at=0,position=kept,times=2
exits "it is met" 1 dd if="$NODE" of=/dev/null bs=$bs count=1
exits "and met again" 1 dd if="$NODE" of=/dev/null bs=$bs count=1
check "the third try succeeds" dd if="$NODE" of=/dev/null bs=$bs count=1
same "it is over" "2 times, over" "$(met 2)"
clear_faults

# ST-STAT-05
check "every second block is recovered" pseudotape inject 0 recovered,every=2
check "dd reads them" bash -c "mt-st -f '$NODE' rewind && dd if='$NODE' bs=$bs status=none | cmp - stream"
says "mt status counts them" 0 'Soft error count since last status=4' mt-st -f "$NODE" status
clear_faults

# ST-WRITE-04
mt-st -f "$NODE" rewind
check "a write error at object 2" pseudotape inject 0 write-error,at=2
says "tar meets it" 2 'Input/output error' tar cf "$NODE" stream
clear_faults
check "and writes its archive anew" bash -c "mt-st -f '$NODE' rewind && tar cf '$NODE' stream"
check "which is whole" bash -c "mt-st -f '$NODE' rewind && tar df '$NODE'"

# ST-EOM-01, ST-EOM-02
mt-st -f "$NODE" rewind
check "early warning now" pseudotape inject 0 early-warning
says "dd is at the end of the tape" 1 'No space left on device' dd if=stream of="$NODE" bs=$bs
clear_faults
same "one block and a filemark are on the tape" 2 "$(mt-st -f "$NODE" eod && object)"

# ST-OPEN-10, ST-OPEN-11
check "write protected on the fly" pseudotape inject 0 write-protect
says "dd can't open it to write" 1 'Read-only file system' dd if=stream of="$NODE" bs=$bs
says "mt status shows it" 0 WR_PROT mt-st -f "$NODE" status
clear_faults

# ST-RESET-01, ST-RESET-02
check "a reset" pseudotape inject 0 reset
exits "the position is lost" 2 mt-st -f "$NODE" fsf 1
exits "until a rewind" 2 mt-st -f "$NODE" fsf 1
check "which finds it" mt-st -f "$NODE" rewind
check "again" mt-st -f "$NODE" fsf 1
clear_faults
mt-st -f "$NODE" rewind
check "a position that is lost" pseudotape inject 0 position-lost
exits "no motion succeeds" 2 mt-st -f "$NODE" fsf 1
exits "nor is the position told" 2 mt-st -f "$NODE" tell
check "before a rewind" mt-st -f "$NODE" rewind
same "then it is" 0 "$(object)"
clear_faults

# ST-OPEN-08
check "a busy drive, three times" pseudotape inject 0 busy,times=3
check "dd waits for it" dd if="$NODE" of=/dev/null bs=$bs count=1
clear_faults

# ST-MARK-02
check "a commit that fails" pseudotape inject 0 commit-failure,times=1
exits "mt weof is told" 2 mt-st -f "$NODE" weof 1
check "and the next one is not" mt-st -f "$NODE" weof 1
clear_faults

# ST-LOAD-03
check "a load that fails" pseudotape inject 0 load-failure,times=2
check "the cartridge is taken out" pseudotape unload 0
says "and does not go in" 2 'injected fault [0-9]+, a load failure' pseudotape load 0 "$WORK/one.ptape"
exits "the second time neither" 2 pseudotape load 0 "$WORK/one.ptape"
check "the third time it does" pseudotape load 0 "$WORK/one.ptape"
clear_faults

# ST-OPEN-01
mt-st -f "$NODE" rewind
check "a tape to read" dd if=stream of="$NODE" bs=$bs
mt-st -f "$NODE" rewind
check "a drive that hangs" pseudotape inject 0 hang,on=read
number=$(number)
timeout 300 dd if="$NODE" of=all bs=$bs 2>dd.err &
reader=$!
until_met "$number"
says "another open of a drive that hangs" 1 'Device or resource busy' dd if="$REWIND" of=/dev/null bs=$bs count=1
says "the status is told meanwhile" 0 'hang,on=read: met once' pseudotape status 0
kill -0 $reader 2>/dev/null && ok "the reader waits" || fail "the reader waits" "$(cat dd.err)"
check "it is let go" pseudotape inject 0 --remove "$number"
code=0
wait $reader || code=$?
same "the reader ends" 0 "$code"
check "and has everything" cmp all stream

# A daemon that ends lets go as well, and takes nothing of it into the image.
mt-st -f "$NODE" rewind
check "a drive that hangs, and two more faults" pseudotape inject 0 hang,on=read commit-failure write-protect
number=$(number)
timeout 300 dd if="$NODE" of=/dev/null bs=$bs count=1 2>dd.err &
reader=$!
until_met "$number"
drive_down
wait $reader 2>/dev/null
check "the image is whole" pseudotape verify one.ptape
check "and holds what was written" bash -c "pseudotape dump one.ptape --file 0 | cmp - stream"

# What follows has nothing to do with the kind of node.
[ "$FRONT" = fuse ] || return 0

# In the configuration.
drive_up "image=$WORK/one.ptape,faults=read-error\\,at=1\\,times=1;slow\\,delay=1ms\\,on=read"
says "faults of the configuration are listed" 0 'slow,delay=1ms,on=read: met never yet' pseudotape inject 0
exits "and met" 1 dd if="$NODE" of=/dev/null bs=$bs
same "once" "once, over" "$(met 1)"

# CW-80: off by default, and shown when on.
switches() { env -u RUST_LOG pseudotape doctor | grep -A1 ' switches ' | xargs; }
has() { [[ $2 == *"$3"* ]] && ok "$1" || fail "$1" "$2"; }
clear_faults
has "no switch for tests is on" "$(switches)" "ok switches none"
check "a fault is injected" pseudotape inject 0 slow,delay=1ms
has "the doctor names it" "$(switches)" "note switches on, and can make a drive slow or fail: drive 0: slow,delay=1ms"
has "and what to do" "$(switches)" "pseudotape inject DRIVE --remove all"
clear_faults
has "it is off again" "$(switches)" "ok switches none"
drive_down
says "a configuration with what is no fault" 2 "no fault 'fire'" pseudotape-dev --drive "image=$WORK/one.ptape,faults=fire"
says "or with a block behind the end" 1 'object 99 is behind the end' \
    pseudotape-dev --drive "image=$WORK/one.ptape,faults=read-error\\,at=99" --fuse "$WORK/never" --control "$WORK/never.control"

# Legs of a mirror.
pair_up
mirror_up --leg "a=image:$WORK/a.ptape,create" --leg "b=image:$WORK/b.ptape,create,class=spare"
says "a leg that is not there" 2 'no leg c: the legs are a, b' pseudotape-mirror inject c reset
says "what is no fault" 2 "no fault 'fire'" pseudotape-mirror inject a fire
check "the spare leg can't write object 4" pseudotape-mirror inject b write-error,at=4
check "the job goes on" dd if=stream of="$NODE" bs=$bs
same "without that leg" "out-of-step 4" "$(leg b state) $(leg b not_mirrored_from)"
says "which is met once" 0 'write-error,at=4: met once' pseudotape-mirror inject b
check "the fault is removed" pseudotape-mirror inject b --remove all
check "and a resync brings the leg back" pseudotape-mirror resync b
check "the other leg can't read" pseudotape-mirror inject a read-error,every=1
check "the blocks come from this one" bash -c "mt-st -f '$NODE' rewind && dd if='$NODE' bs=$bs status=none | cmp - stream"
check "nothing fails any more" pseudotape-mirror inject a --remove all
mirror_down 1
drive_down
check "the legs are the same" pseudotape compare a.ptape b.ptape
