# shellcheck shell=bash
# PT-02. A daemon that may not ask how long its callers' reads are: what a read leaves behind is never lost without an error.

piece=1048576 # the largest that the kernel hands over at once
[ "$FRONT" = fuse ] || piece=131072
block=$((2 * piece))
head -c $((4 * block)) /dev/urandom >blocks

cartridge unknown
export DAEMON_BEFORE="setpriv --bounding-set -sys_ptrace"
drive_up "image=$WORK/unknown.ptape"
if [ -e /proc/self/syscall ]; then
    check "the start says that lengths can't be learned, and what to do" \
        grep -q 'only of programs of the same user.*give the daemon CAP_SYS_PTRACE' daemon.err
    says "so does doctor" '0|1' 'note +call lengths' setpriv --bounding-set -sys_ptrace pseudotape doctor
    says "with the right doctor says that they can be" '0|1' 'ok +call lengths' pseudotape doctor
else
    says "doctor says that this kernel tells no lengths" '0|1' 'note +call lengths.*no /proc/PID/syscall' pseudotape doctor
fi
check "blocks of two pieces are written" dd if=blocks of="$REWIND" bs=$block status=none
check "and read back by reads of their length" dd if="$REWIND" of=back bs=$block status=none
check "as they were" cmp blocks back
says "a read of less than a piece of a longer block: ENOMEM" 1 'Cannot allocate memory' \
    dd if="$REWIND" of=back bs=65536
says "after a read of a piece of a longer block the next one fails" 1 'Input/output error' \
    dd if="$REWIND" of=back bs=$piece
same "and no more came before" $piece "$(stat -c %s back)"
says "the status says what was lost" 0 "first $piece bytes of a block of $block" pseudotape status
check "the log too" grep -q "first $piece bytes of a block of $block, and the rest is lost" daemon.err
check "that was told once" dd if="$REWIND" of=back bs=$block status=none
if [ "$FRONT" = fuse ]; then
    says "where no read follows, close says it" 1 'Input/output error' dd if="$REWIND" of=back bs=$piece count=1
    says "pv, whose splices can't be told from writes: no success" '[1-9].*' '' bash -c "set -o pipefail; cat blocks | pv -q >$NODE"
else
    check "on CUSE nobody can be told by close" dd if="$REWIND" of=back bs=$piece count=1 status=none
    says "but the next open" 1 'Input/output error' dd if="$REWIND" of=back bs=$block
    check "once" dd if="$REWIND" of=back bs=$block status=none
fi
drive_down
export DAEMON_BEFORE=

if [ -e /proc/self/syscall ]; then
    drive_up "image=$WORK/unknown.ptape"
    check "blocks are written where lengths are known" dd if=blocks of="$REWIND" bs=$block status=none
    says "where they are known it is ENOMEM" 1 'Cannot allocate memory' dd if="$REWIND" of=back bs=$piece
    drive_down
fi
