# shellcheck shell=bash
# PT-05, PT-06. Drives that are other programs: slaves that come by the node or by the socket, how they go, and what
# becomes of them when the daemon ends.

# The third one is for what has to wait for a limit; the others are given longer ones than a machine stands still whose
# processors are taken away for a while.
slave_up() {
    drive_up "slave=$WORK/s0,slave-timeout=60" "slave=$WORK/s1,slave-wait=600" \
        "slave=$WORK/s2,slave-wait=1.5,slave-timeout=8"
}

# serve PLACE: the image tape.ptape is the drive, when this returns; SERVE is the process
serve() {
    pseudotape serve tape.ptape --on "$1" >"$WORK/serve.out" 2>&1 &
    SERVE=$!
    # Not a slave that was there before and whose end the daemon has yet to notice.
    slave_is_there "\"pid\":${SERVE}[,}]"
}

# slave_is_there PATTERN: waits until the status of the first slave end has it
slave_is_there() {
    local tenths=0
    until pseudotape status 0 --json | tr -d ' \n' | grep -q "\"holder\":[^}]*${1//\"/\\\"}"; do
        [ $tenths -lt 600 ] || {
            fail "the slave end has $1" "$(pseudotape status 0) $(cat "$WORK/serve.out")"
            return 1
        }
        sleep 0.1
        tenths=$((tenths + 1))
    done
}

# ends NAME PID CODE: the process ends in time, with that code
ends() {
    local tenths=0 code=0
    while kill -0 "$2" 2>/dev/null; do
        [ $tenths -lt 600 ] || {
            fail "$1" "still there after 60 s"
            kill -KILL "$2"
            return
        }
        sleep 0.1
        tenths=$((tenths + 1))
    done
    wait "$2" || code=$?
    if [[ $code =~ ^($3)$ ]]; then ok "$1"; else fail "$1" "ended with $code"; fi
}

slave_up
says "the node of a slave end is the daemon's user's" 0 '^600 root:root$' stat -c '%a %U:%G' "$NODE_DIR/pmts0"
says "its socket too" 0 '^600 root:root$' stat -c '%a %U:%G' "$WORK/s0"
for way in node socket; do
    python3 "$PT_ROOT/tests/clients/tools/slaves.py" $way "$NODE_DIR" "$WORK/daemon.err" | tee -a "$RESULTS"
    same "the slaves at the $way were run to their end" 0 "${PIPESTATUS[0]}"
done
says "a slave end opened to read only is refused" 1 'Invalid argument' head -c 1 "$NODE_DIR/pmts0"
drive_down

cartridge tape
small_tree "$WORK/tree"
for way in node socket; do
    place=$NODE_DIR/pmts0
    [ $way = node ] || place=$WORK/s0
    slave_up
    serve "$place"
    for blocking in 20 256 2048; do
        check "tar -b $blocking to an image by the $way" tar -C "$WORK" -b $blocking -cf "$REWIND" tree
        mkdir "$WORK/back"
        check "tar -b $blocking from it" tar -C "$WORK/back" -b $blocking -xf "$REWIND"
        check "the same came back" diff -r "$WORK/tree" "$WORK/back/tree"
        rm -r "$WORK/back"
    done
    same "mt sees where the tape is ($way)" 0/0 "$(position)"
    check "spacing ($way)" mt-st -f "$NODE" eod
    same "it is behind the filemark ($way)" 1/-1 "$(position)"
    drive_down
    ends "SIGTERM of the daemon ends the slave at the $way" $SERVE 0
    says "it says why ($way)" 0 'hung up' cat "$WORK/serve.out"
    check "its image verifies ($way)" pseudotape verify tape.ptape

    # a signal ends the slave, between two records and between two programs
    slave_up
    serve "$place"
    exec 8>"$NODE"
    printf one >&8
    printf two >&8
    kill -TERM $SERVE
    ends "SIGTERM of a slave while a program writes, at the $way" $SERVE 3
    says "it says what was cut ($way)" 0 'tape file ends before object 2, without a filemark' cat "$WORK/serve.out"
    exec 8>&-
    same "what was written is on its image ($way)" bb "$(python3 "$PT_ROOT/tests/clients/tools/recorded.py" \
        "$PSEUDOTAPE_BIN/pseudotape" tape.ptape)"
    says "its image was committed ($way)" 0 'is committed, and no longer behind' cat "$WORK/serve.out"
    check "its image verifies then ($way)" pseudotape verify tape.ptape
    serve "$place"
    if [ "$FRONT" = cuse ]; then
        # On a character device close(2) could not say that the slave was gone: the next open does, once.
        says "the next open is told of the close that failed ($way)" 2 'Cannot open: No such device or address' \
            tar -C "$WORK" -cf "$REWIND" tree
    fi
    check "tar to the next one ($way)" tar -C "$WORK" -cf "$REWIND" tree
    kill -INT $SERVE
    ends "SIGINT of a slave that nobody uses, at the $way" $SERVE 0
    drive_down

    slave_up
    serve "$place"
    kill -KILL "$DAEMON"
    daemon_gone 50 2>/dev/null
    ends "kill -9 of the daemon ends the slave at the $way" $SERVE '[02]'
    says "it says what happened ($way)" 0 'hung up|no longer the drive behind' cat "$WORK/serve.out"
    nodes_clear
    slave_up # in the place of the dead daemon's sockets

    # a slave that hangs in the middle of a write keeps nothing from ending
    write_code='import os, sys; os.write(os.open(sys.argv[1], os.O_RDWR), b"x" * 100_000)'
    python3 "$PT_ROOT/tests/clients/tools/memory_slave.py" "$place" stop:1 >"$WORK/serve.out" 2>&1 &
    SERVE=$!
    slave_is_there '"pid"'
    python3 -c "$write_code" "$NODE" >"$WORK/writer.out" 2>&1 &
    WRITER=$!
    # the slave stops itself when the write is there
    tenths=0
    until grep -q '^State:[[:space:]]*T' /proc/$SERVE/status; do
        [ $tenths -lt 600 ] || fail "a write reaches the slave ($way)" "$(cat "$WORK/writer.out" "$WORK/serve.out")"
        [ $tenths -lt 600 ] || break
        sleep 0.1
        tenths=$((tenths + 1))
    done
    drive_down
    ends "SIGTERM with a slave that hangs ends the writer ($way)" $WRITER 1
    says "its write failed ($way)" 0 'Errno (5|103|107)' cat "$WORK/writer.out"
    kill -KILL $SERVE
    wait $SERVE 2>/dev/null
done

touch "$WORK/file"
# In the place of the control socket it is a mistake of the configuration.
while read -r name code; do
    says "a slave socket in the place of $name is refused" "$code" 'slave=SOCKET' \
        timeout 10 pseudotape-dev --drive "slave=$WORK/$name" --fuse "$WORK/other" --control "$WORK/control"
done <<<$'file 1\ncontrol 2'
