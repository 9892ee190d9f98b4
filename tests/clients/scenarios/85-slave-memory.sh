# shellcheck shell=bash
# PT-05. Two slaves at once: payloads of both go through the same threads and buffers of the daemon, and a slave sees those of its own
# drive only. A long record of one is in the daemon's memory when a short one of the other comes, both ways.

drive_up "slave=$WORK/s0,slave-timeout=60" "slave=$WORK/s1,slave-timeout=60"
serving=()
for number in 0 1; do
    cartridge "tape$number"
    pseudotape serve "tape$number.ptape" --on "$WORK/s$number" >"$WORK/serve$number.out" 2>&1 &
    serving+=($!)
    tenths=0
    until pseudotape status $number --json | grep -q '"way"'; do
        [ $tenths -lt 600 ] || fail "slave $number is the drive" "$(cat "$WORK/serve$number.out")"
        [ $tenths -lt 600 ] || break
        sleep 0.1
        tenths=$((tenths + 1))
    done
    yes "payload-of-drive-$number" | head -c 1000000 >"$WORK/payload$number"
done
for first in 0 1; do
    for round in 1 2 3; do
        check "a long record to drive $first ($round)" dd if="$WORK/payload$first" of="$NODE_DIR/npmtm$first" bs=1000000 \
            count=1 status=none
        check "a short one to drive $((1 - first)) ($round)" dd if="$WORK/payload$((1 - first))" \
            of="$NODE_DIR/npmtm$((1 - first))" bs=2000 count=1 status=none
    done
    check "drive $first is rewound" mt-st -f "$NODE_DIR/npmtm$first" rewind
    check "drive $first is read" dd if="$NODE_DIR/pmtm$first" of=/dev/null bs=1000000 count=1 status=none
done
for number in 0 1; do
    same "slave $number has seen the payload of its drive, and of no other" "payload-of-drive-$number" \
        "$(python3 "$PT_ROOT/tests/clients/tools/neighbour.py" "${serving[number]}" payload-of-drive-0 payload-of-drive-1)"
done
drive_down
wait "${serving[@]}"
