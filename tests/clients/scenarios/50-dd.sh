# shellcheck shell=bash
# PT-01, PT-10. dd with records from 512 bytes to 16 MiB: bytes, counts, positions, too small buffers; early warning and the end.

# asks_known BYTES: whether a daemon can know how much a call of about BYTES asks for. It can when the call fits in one
# piece, or from /proc/PID/syscall, which User Mode Linux of Debian 12 has not.
asks_known() {
    [ "$1" -le 126976 ] || [ -e /proc/self/syscall ] && return
    excluded "calls of the wrong size, about $1 bytes" "this kernel hides from a daemon how much a call asks for"
    return 1
}

cartridge dd
drive_up "image=$WORK/dd.ptape"
file=0
for size in 512 10k 64k 128k 256k 1M 16M; do
    bytes=$(numfmt --from=iec "${size^^}")
    pattern "$bytes" $((bytes * 3 + bytes / 2)) >data
    says "dd bs=$size writes" 0 '3\+1 records out' dd if=data of="$NODE" bs="$size"
    file=$((file + 1))
    same "dd bs=$size leaves one filemark" "$file/0" "$(position)"
    mt-st -f "$NODE" asf $((file - 1))
    says "dd bs=$size reads" 0 '3\+1 records in' dd if="$NODE" of=back bs="$size"
    check "dd bs=$size reads what was written" cmp data back
    same "dd bs=$size stops behind the filemark" "$file/0" "$(position)"
    mt-st -f "$NODE" asf $((file - 1))
    if [ "$size" != 16M ]; then
        says "dd reads records of $size into a larger buffer" 0 '0\+4 records in' dd if="$NODE" of=back ibs=$((bytes + 4096))
        check "dd gets the same from a larger buffer, records of $size" cmp data back
    elif asks_known "$bytes"; then
        # as on st: a read of more than the drive's largest block is refused, and nothing moves
        says "dd reads into a buffer over the largest block: EINVAL" 1 'Invalid argument' dd if="$NODE" of=back bs=$((bytes + 1))
        same "a refused read moves nothing" "$((file - 1))/0" "$(position)"
    fi
    mt-st -f "$NODE" asf $((file - 1))
    if asks_known "$bytes"; then
        says "dd reads records of $size into a smaller buffer: ENOMEM" 1 'Cannot allocate memory' \
            dd if="$NODE" of=back bs=$((bytes - 1)) count=1
        same "the record of $size is passed after ENOMEM" "$((file - 1))/1" "$(position)"
    fi
    mt-st -f "$NODE" asf $((file - 1))
    if [ "$FRONT" = cuse ]; then
        # as on st: lseek succeeds and moves nothing, so that dd thinks it has skipped
        says "dd skip=2 passes nothing, records of $size" 0 '3\+1 records in' dd if="$NODE" of=back bs="$size" skip=2
        check "dd skip=2 reads all" cmp data back
    else
        # lseek fails with ESPIPE on a FUSE node, so that dd skips by reading
        says "dd skip=2 passes two records of $size" 0 '1\+1 records in' dd if="$NODE" of=back bs="$size" skip=2
        tail -c +$((bytes * 2 + 1)) data >rest
        check "dd skip=2 reads the rest" cmp rest back
    fi
    mt-st -f "$NODE" asf "$file"
done
if asks_known $((1 << 24)); then
    says "dd with records over the largest block: EINVAL" 1 'Invalid argument' \
        dd if=/dev/zero of="$NODE" bs=$(((1 << 24) + 1)) count=1
    same "a record too large moves nothing" "$file/0" "$(position)"
fi

mt-st -f "$NODE" rewind
check "dd into the middle" dd if=data of="$NODE" bs=1M count=1
mt-st -f "$NODE" eod
same "writing into the middle drops what was behind" 1 "$(position | cut -d/ -f1)"

mt-st -f "$NODE" rewind
check "dd to the rewinding node" dd if=data of="$REWIND" bs=64k count=4
same "the rewinding node rewinds" 0/0 "$(position)"
check "dd from the rewinding node" dd if="$REWIND" of=back bs=64k
head -c 262144 data >expected
check "the rewinding node reads what was written" cmp expected back
drive_down
check "pseudotape verify after dd" pseudotape verify dd.ptape

cartridge small --capacity 2M --early-warning 512K
drive_up "image=$WORK/small.ptape"
says "dd is stopped at early warning" 1 'No space left on device' dd if=/dev/zero of="$NODE" bs=64k
records=$(sed -n 's/^\([0-9]*\)+0 records out/\1/p' <<<"$output")
# 1.5 MiB are 24 records; the one that reaches early warning is written still
same "early warning comes where it should" 24 "$records"
python3 "$PT_ROOT/tests/clients/tools/end_of_medium.py" "$NODE" 65536 32 | tee -a "$RESULTS"
drive_down

cartridge bsd --capacity 2M --early-warning 512K
drive_up "image=$WORK/bsd.ptape,end-of-tape=bsd"
says "end-of-tape=bsd: dd is stopped as well" 1 'No space left on device' dd if=/dev/zero of="$NODE" bs=64k
mt-st -f "$NODE" rewind
same "it hears of early warning by a count of 0, and of the physical end by ENOSPC" "$(
    printf '24 of 65536, 0'
    printf ', 65536, 0%.0s' 1 2 3 4 5 6 7 8
    echo ', ENOSPC'
)" "$(python3 -c '
import errno, os, sys
fd, answers = os.open(sys.argv[1], os.O_WRONLY), []
while not answers or answers[-1] != "ENOSPC":
    try:
        answers.append(str(os.write(fd, bytes(65536))))
    except OSError as error:
        answers.append(errno.errorcode[error.errno])
before = answers.index("0")
print(before, "of 65536,", ", ".join(answers[before:]), flush=True)
os._exit(0)' "$NODE")"
drive_down
