# shellcheck shell=bash
# PT-07, PT-18. Two drives with legs, and the host of one leg hangs: the other drive is closed whole, the daemon ends after
# end-wait, or when it is told twice, and says what is left.

if [ "$FRONT" = scsi ]; then
    excluded "legs that hang" "the kernel keeps the program until its command has an answer; the job scsi-drives shows what becomes of it"
    return
fi
bs=10240
pattern 11 $((bs * 40)) >stream
# Nobody is a mirror daemon here: the commands find the drive by themselves.
unset PSEUDOTAPE_MIRROR_CONTROL
export XDG_RUNTIME_DIR=$WORK
tree files 1

far="b=rmt:localhost:far\\,command=$PSEUDOTAPE_BIN/pseudotape-rmt --via $WORK/rmt.socket"
hung="legs=a=image:$WORK/near.ptape\\,create;$far,end-wait"
whole="legs=a=image:$WORK/c.ptape\\,create;b=image:$WORK/d.ptape\\,create\\,when=unload"

# hang: drive 0 is in a call that leg b keeps, drive 1 has a file that is not on leg b yet
hang() {
    rm -f near.ptape far.ptape c.ptape d.ptape
    cartridge far
    server_up
    drive_up "$hung=$2" "$whole"
    check "ten records before it hangs ($1)" dd if=stream of="$NODE" bs=$bs count=10 status=none
    check "tar writes to the other drive ($1)" tar cf "${NODES[1]}" files
    kill -STOP $RMT_SERVER
    dd if=stream of="$NODE" bs=$bs skip=10 count=1 2>dd.err &
    writer=$!
    until pseudotape-mirror --drive 0 --control "$PSEUDOTAPE_CONTROL" status --json | grep -q 'a call of the program'; do
        kill -0 $writer || return 1
        sleep 0.1
    done
}

# left NAME: the daemon ended with 1, and nothing of it is left but what the log says
left() {
    local code=0
    same "it ends with 1 ($1)" 1 "${daemon_code-}"
    says "it says what it waited for ($1)" 0 'drive 0: it waited for: a call of the program' cat daemon.err
    says "and what it left ($1)" 0 'drive 0: leg b: its volume was not closed' cat daemon.err
    says "and what to do ($1)" 0 "'pseudotape-mirror --drive 0 trust LEG'" cat daemon.err
    same "of the other drive it says nothing ($1)" 0 "$(grep -c 'drive 1: ' daemon.err)"
    server_kill
    wait $writer || code=$?
    same "the program is told ($1)" 1 "$((code > 0))"
    [ "$FRONT" != fuse ] || same "the mount is gone ($1)" "" "$(grep " $NODE_DIR fuse" /proc/mounts)"
    says "both copies of the other drive are whole ($1)" 0 '^identical: ' pseudotape compare c.ptape d.ptape
    check "with what tar wrote ($1)" bash -c 'pseudotape dump c.ptape | tar d'
    check "what was acknowledged is on leg a ($1)" cmp -n $((bs * 10)) <(pseudotape dump near.ptape) stream
}

: >daemon.err
hang "end-wait" 2 || fail "leg b hangs" "$(cat dd.err)"
kill -TERM "$DAEMON"
daemon_gone 120 || fail "the daemon ends after end-wait" "$(tail -n 5 daemon.err)"
says "it says how long it waited" 0 'drive 0: ends at once: for 2 s no leg did anything' cat daemon.err
left "end-wait"

# a second signal: no leg is waited for any more
: >daemon.err
hang "twice" 1000 || fail "leg b hangs" "$(cat dd.err)"
kill -TERM "$DAEMON"
until [ "$(pseudotape compare c.ptape d.ptape 2>/dev/null | grep -c identical)" = 1 ]; do
    kill -0 "$DAEMON" || break
    sleep 0.1
done
check "it waits for the leg" kill -TERM "$DAEMON"
daemon_gone 120 || fail "the daemon ends when it is told twice" "$(tail -n 5 daemon.err)"
says "it says why" 0 'drive 0: ends at once: was told twice to end' cat daemon.err
left "twice"

# what the legs hold of it is put right at the next start
server_up
drive_up "$hung=60"
if ! pseudotape-mirror status >status.out && grep -q disagree status.out; then
    check "the longer one is right" pseudotape-mirror trust a
fi
check "the other one is brought in step" pseudotape-mirror resync b
check "the mirror is whole" pseudotape-mirror status
drive_down
kill -TERM $RMT_SERVER
wait $RMT_SERVER 2>/dev/null

# a start that waits for a leg ends as well
"$PSEUDOTAPE_BIN/$PROGRAM" --drive "legs=a=image:$WORK/near.ptape;b=rmt:far:/tape\\,command=wc,end-wait=1" \
    --control "$PSEUDOTAPE_CONTROL" --fuse "$WORK/other" 2>daemon.err &
DAEMON=$!
until grep -q 'leg b: opening rmt:far:/tape' daemon.err; do
    kill -0 "$DAEMON" || break
    sleep 0.05
done
kill -TERM "$DAEMON"
daemon_gone 120 || fail "a start that waits for a leg ends" "$(tail -n 5 daemon.err)"
same "it ends with 1" 1 "${daemon_code-}"
says "and says why" 0 'for 1 s no leg did anything' cat daemon.err
