# shellcheck shell=bash
# PT-05. The two slaves of docs/SLAVE-PROTOCOL.md, as a third party would write them: one serves a tape that can only be
# read, one counts what is written. At the node and at the socket of a real drive.

SCRIPTS=$PT_ROOT/tests/slave
# one byte, usual records, and one byte to either side of where the kernel cuts calls
SIZES="1 512 10240 65536 131071 131072 131073 1048575 1048576 1048577 16777216"

# slave SCRIPT ARGUMENT...: it is the drive, when this returns; SLAVE is the process
slave() {
    python3 "$SCRIPTS/$1" "${@:2}" >"$WORK/slave.out" 2>&1 &
    SLAVE=$!
    local tenths=0
    until pseudotape status 0 --json | grep -q '"way"'; do
        [ $tenths -lt 600 ] || {
            fail "$1 attaches" "$(cat "$WORK/slave.out")"
            return 1
        }
        sleep 0.1
        tenths=$((tenths + 1))
    done
}

slave_ended() {
    local tenths=0
    while kill -0 $SLAVE 2>/dev/null; do
        [ $tenths -lt 600 ] || {
            fail "$1" "still there after 60 s"
            kill -KILL $SLAVE
            return
        }
        sleep 0.1
        tenths=$((tenths + 1))
    done
    wait $SLAVE
    same "$1" 0 $?
}

# a tape as the read-only slave wants it: an archive, a filemark, blocks of all sizes, a filemark
small_tree "$WORK/tree"
tar -C "$WORK" -b 20 -cf "$WORK/archive" tree
mkdir "$WORK/tape"
split -b 10240 -d -a 4 "$WORK/archive" "$WORK/tape/0"
: >"$WORK/tape/1"
for size in $SIZES; do pattern "$size" "$size" >"$WORK/tape/2$(printf %08d "$size")"; done
: >"$WORK/tape/3"

for way in node socket; do
    place=$NODE_DIR/pmts0
    [ $way = node ] || place=$WORK/s0
    drive_up "slave=$WORK/s0"
    slave readonly.py "$place" "$WORK/tape"
    mkdir "$WORK/back"
    check "tar reads the archive of a read-only slave ($way)" tar -C "$WORK/back" -b 20 -xf "$REWIND"
    check "it is the same ($way)" diff -r "$WORK/tree" "$WORK/back/tree"
    rm -r "$WORK/back"
    check "the first filemark is passed ($way)" mt-st -f "$NODE" fsf 1
    check "dd reads the blocks behind it ($way)" dd if="$NODE" of="$WORK/blocks" bs=16M status=none
    check "they are the same ($way)" cmp "$WORK/blocks" <(cat "$WORK"/tape/2*)
    says "the tape of a read-only slave is write protected ($way)" 1 'Read-only file system' \
        dd if=/dev/zero of="$NODE" bs=10k count=1
    drive_down
    slave_ended "the read-only slave ends with the daemon ($way)"

    drive_up "slave=$WORK/s0"
    slave counting.py "$place"
    records=0 bytes=0
    for size in $SIZES; do
        check "dd writes records of $size ($way)" dd if=/dev/zero of="$NODE" bs="$size" count=3 status=none
        records=$((records + 3)) bytes=$((bytes + 3 * size)) marks=$((${marks:-0} + 1))
    done
    check "tar writes ($way)" tar -C "$WORK" -b 20 -cf "$NODE" tree
    archive=$(stat -c %s "$WORK/archive")
    drive_down
    slave_ended "the counting slave ends with the daemon ($way)"
    expected="$((records + archive / 10240)) records, $((bytes + archive)) bytes, $((marks + 1)) filemarks"
    says "it counted what was written ($way)" 0 "^$expected" cat "$WORK/slave.out"
    marks=0
done
