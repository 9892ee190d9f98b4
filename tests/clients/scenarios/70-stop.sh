# shellcheck shell=bash
# The daemon's end in the middle of writing: SIGTERM commits, SIGKILL loses nothing that was acknowledged; whoever
# opens the node of a dead daemon, or still has it open, gets an error at once.

writer() {
    : >"$WORK/acknowledged"
    python3 "$PT_ROOT/tests/clients/tools/writer.py" "$NODE" "$1" "$WORK/acknowledged" >"$WORK/writer.out" 2>&1 &
    WRITER=$!
    # so many records that it is in the middle of writing
    local tenths=0
    until [ "0$(cat "$WORK/acknowledged")" -ge 20 ] || [ $tenths -gt 600 ]; do
        sleep 0.1
        tenths=$((tenths + 1))
    done
}

# writer_ended NAME PATTERN: it is over, by an error that matches
writer_ended() {
    local tenths=0
    while kill -0 "$WRITER" 2>/dev/null; do
        if [ $tenths -gt 600 ]; then
            fail "$1" "still there after 60 s"
            kill -KILL "$WRITER"
            return
        fi
        sleep 0.1
        tenths=$((tenths + 1))
    done
    wait "$WRITER"
    if [[ $(cat "$WORK/writer.out") =~ $2 ]]; then ok "$1"; else fail "$1" "$(cat "$WORK/writer.out")"; fi
}

# all_there NAME SIZE: every record that was acknowledged can be read
all_there() {
    local acknowledged records
    acknowledged=$(cat "$WORK/acknowledged")
    read -r records _ < <(python3 "$PT_ROOT/tests/clients/tools/reader.py" "$NODE" "$2")
    if [ "${acknowledged:-0}" -gt 0 ] && [ "${records:-0}" -ge "$acknowledged" ]; then
        ok "$1"
    else
        fail "$1" "acknowledged ${acknowledged:-nothing}, found ${records:-nothing}"
    fi
}

for size in 10240 1048576; do
    cartridge "term$size"
    drive_up "image=$WORK/term$size.ptape"
    writer $size
    kill -TERM "$DAEMON"
    if ! daemon_gone 60; then
        fail "SIGTERM during records of $size ends the daemon" "it is there after 60 s"
        drive_kill
    elif [ -e "$NODE" ]; then
        fail "SIGTERM during records of $size ends the daemon" "$NODE is still there"
    else
        # 3: a program was not done
        same "SIGTERM during records of $size ends the daemon: exit code" 3 "$daemon_code"
    fi
    # a number: the pieces of a record that the daemon had taken, a short write
    writer_ended "SIGTERM during records of $size: the writer gets an error" '^(ECONNABORTED|ENOTCONN|EIO|ENODEV|ENXIO|[0-9]+)$'
    check "SIGTERM during records of $size: the image verifies" pseudotape verify "term$size.ptape"
    drive_up "image=$WORK/term$size.ptape"
    all_there "SIGTERM during records of $size: all acknowledged records are there" $size
    drive_down

    cartridge "kill$size"
    drive_up "image=$WORK/kill$size.ptape"
    writer $size
    kill -KILL "$DAEMON"
    daemon_gone 50 2>/dev/null
    # a node that is still there (FUSE) fails, one that is gone (CUSE) is not found; neither blocks. Where the kernel is
    # just about to end the mount, the call is one that was under way (ECONNABORTED).
    CHECK_SECONDS=60 says "opening the node of a dead daemon fails at once" 1 \
        'No such file|not connected|No such device|connection abort' head -c 1 "$NODE"
    # a number: as above
    writer_ended "SIGKILL during records of $size: the writer gets an error" '^(ECANCELED|ECONNABORTED|ENOTCONN|EIO|ENODEV|[0-9]+)$'
    nodes_clear
    drive_up "image=$WORK/kill$size.ptape"
    all_there "SIGKILL during records of $size: all acknowledged records are there" $size
    drive_down
    check "SIGKILL during records of $size: the image verifies after that" pseudotape verify "kill$size.ptape"
    rm -f "$WORK"/*.ptape
done

# Marks without end: the program that asked for them dies at once when it is killed, the drive is free for the next
# program, and the end of the daemon waits for no marks.
marks_begin() {
    local before tenths=0
    before=$(stat -c %s "$WORK/marks.ptape")
    mt-st -f "$NODE" weof 2147483647 >"$WORK/marks.out" 2>&1 &
    MARKS=$!
    until [ "$(stat -c %s "$WORK/marks.ptape")" -gt $((before + 100000)) ] || [ $tenths -gt 600 ]; do
        sleep 0.1
        tenths=$((tenths + 1))
    done
}

# marks_ended NAME: the program is gone within 60 s
marks_ended() {
    local tenths=0
    while kill -0 "$MARKS" 2>/dev/null && [ $tenths -lt 600 ]; do
        sleep 0.1
        tenths=$((tenths + 1))
    done
    if kill -0 "$MARKS" 2>/dev/null; then fail "$1" "still there after 60 s"; else ok "$1"; fi
}

cartridge marks
drive_up "image=$WORK/marks.ptape"
marks_begin
kill -KILL "$MARKS"
# the shell would tell that it was killed
marks_ended "a killed program dies while it writes marks without end" 2>/dev/null
wait "$MARKS" 2>/dev/null
CHECK_SECONDS=60 check "and the drive is free for the next one" mt-st -f "$NODE" rewind
check "which writes" dd if=/dev/zero of="$NODE" bs=10240 count=3 status=none
marks_begin
kill -TERM "$DAEMON"
if daemon_gone 60; then
    ok "SIGTERM while a program writes marks without end ends the daemon"
else
    fail "SIGTERM while a program writes marks without end ends the daemon" "it is there after 60 s"
    drive_kill
fi
marks_ended "and the program"
wait "$MARKS"
check "the image verifies" pseudotape verify marks.ptape
rm -f "$WORK"/*.ptape
