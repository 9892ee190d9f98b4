# shellcheck shell=bash
# PT-02. Calls that a tape node of the kernel does not have: splice, sendfile, copy_file_range, and io_uring, whose calls have
# no length that can be learned. They are refused, and programs fall back to write(2), each call of which is a block.

head -c 3000000 /dev/urandom >data
cartridge splice
drive_up "image=$WORK/splice.ptape"

# blocks_of: how many blocks the first file of the tape has
blocks_of() {
    mt-st -f "$NODE" rewind && mt-st -f "$NODE" fsf 1 && echo $(($(object) - 1))
}

# arrived NAME: the data are the first file, in blocks of the length of the program's writes
arrived() {
    check "$1: the data come back" bash -c "mt-st -f $NODE rewind && dd if=$NODE bs=1M status=none | cmp - data"
    same "$1: in several blocks" yes "$([ "$(blocks_of)" -gt 1 ] && echo yes)"
    mt-st -f "$NODE" rewind
}

check "pv into a tape" bash -c "set -o pipefail; cat data | pv -q >$NODE"
arrived "pv out of a pipe"
check "pv of a file" bash -c "pv -q data >$NODE"
arrived "pv of a file"
check "busybox cat into a tape" bash -c "busybox cat data >$NODE"
arrived "busybox cat"
check "busybox dd into a tape" busybox dd if=data of="$NODE" bs=60000
arrived "busybox dd"
check "cp into a tape" cp data "$NODE"
arrived "cp"
check "cat into a tape" bash -c "cat data >$NODE"
arrived "cat"
mkdir tree && cp data tree/one && cp data tree/two
check "tar through pv" bash -c "set -o pipefail; tar -cf - tree | pv -q -B 10240 >$NODE"
mt-st -f "$NODE" rewind
check "is an archive" bash -c "dd if=$NODE bs=1M status=none | tar --compare -f - tree"
mt-st -f "$NODE" rewind

timeout 300 python3 "$PT_ROOT/tests/clients/tools/spliced.py" "$NODE" data | tee -a "$RESULTS"
same "the calls were tried to their end" 0 "${PIPESTATUS[0]}"

gcc -O1 -Wall -Werror -o uring "$PT_ROOT/tests/clients/tools/uring.c" 2>gcc.err || fail "build uring" "$(cat gcc.err)"
mt-st -f "$NODE" rewind
answers=$(./uring "$NODE" 2>&1)
case $? in
    2) skip "io_uring" "this kernel has none for us: $answers" ;;
    *)
        if [ -e /proc/self/syscall ]; then
            # the kernel takes a file of a mount for empty: it does not ask the daemon
            [ "$FRONT" = fuse ] && refusal=nothing || refusal=EINVAL
            same "what io_uring writes and reads is refused, and what the calls behind it do is blocks" \
                "EINVAL EINVAL EINVAL EINVAL written $refusal read" "$answers"
            same "only those moved the tape" 0/1 "$(position)"
        else
            excluded "io_uring" "without /proc/PID/syscall a daemon can't tell its writes from others: $answers"
        fi
        ;;
esac
