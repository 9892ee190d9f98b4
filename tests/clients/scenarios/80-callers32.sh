# shellcheck shell=bash
# A 32-bit program: MTIOCTOP, MTIOCGET and MTIOCPOS with its smaller structures, records of 1 MiB.

if ! gcc -m32 -nostdlib -static -ffreestanding -fno-stack-protector -fno-pie -no-pie -O1 -Wall -Werror \
    -o caller32 "$PT_ROOT/tests/clients/tools/caller32.c" 2>gcc.err; then
    fail "build a 32-bit program" "$(cat gcc.err)"
    return
fi
./caller32 2>/dev/null
if [ $? != 2 ]; then
    excluded "32-bit programs" "this kernel runs none (User Mode Linux has no 32-bit emulation on x86_64)"
    return
fi
cartridge callers32
drive_up "image=$WORK/callers32.ptape"
says "a 32-bit program writes, positions and reads" 0 '^ok' ./caller32 "$NODE"
same "the tape is where a 32-bit program left it" 1/0 "$(position)"
