# shellcheck shell=bash
# What a node is not that is a file of a FUSE mount: each line of README's table, and what to use instead.

if [ "$FRONT" = cuse ]; then
    excluded "files of a mount" "a CUSE node is a character device"
    return
fi
mkdir tree
head -c 3000 /dev/urandom >tree/one
head -c 700000 /dev/urandom >tree/two
tar -cf tree.tar tree
cartridge file-nodes
drive_up "image=$WORK/file-nodes.ptape"

rewind() {
    mt-st -f "$NODE" rewind
}

# lengths: of the records of the file that the tape stands before, each once
lengths() {
    python3 -c 'import os, sys
tape = os.open(sys.argv[1], os.O_RDONLY)
lengths = []
while count := len(os.read(tape, 1 << 20)):
    if count not in lengths:
        lengths.append(count)
print(*lengths)' "$NODE"
}

check "the start names the programs" \
    grep -q '^a file is no device to GNU mt, tar -W, pax, bsdtar, tapecopy, mbuffer -o, shutil.copyfile, busybox cat' daemon.out
says "the reason: GNU tar seeks in what is a regular file" 0 'lseek\([0-9]+, [1-9][0-9]*, SEEK_CUR' \
    strace -e trace=lseek tar -tf tree.tar

says "GNU mt refuses it" '1|2' 'not a character special file' mt-gnu -f "$NODE" status
says "mt-st does not" 0 'BOT' mt-st -f "$NODE" status

says "tar -W can't seek" 0 'Cannot seek' tar -cWf "$NODE" tree
same "and leaves the tape at its beginning" 0/0 "$(position)"
check "tar -c" tar -cf "$NODE" tree
rewind
check "and tar -d instead" tar -df "$NODE"
rewind

check "pax writes" pax -w -f "$NODE" tree
rewind
says "and can't read it" 1 'Cannot allocate memory' pax -f "$NODE"
rewind
says "but through dd" 0 'tree/two' sh -c "dd if='$NODE' bs=1M status=none | pax"
rewind

check "bsdtar writes" bsdtar -cf "$NODE" tree
rewind
last=$(lengths)
same "a short last record" yes "$([[ $last =~ ^10240\ [0-9]+$ ]] && echo yes || echo "$last")"
rewind
check "and reads it" bsdtar -tf "$NODE"
rewind
check "through dd" sh -c "bsdtar -cf - tree | dd of='$NODE' obs=10240 status=none"
rewind
same "all records are of one length" 10240 "$(lengths)"
rewind

says "mbuffer refuses it" 1 'File exists' mbuffer -q -i tree.tar -o "$NODE"
check "but not with -f" mbuffer -q -f -s 10k -i tree.tar -o "$NODE"
rewind

says "shutil.copyfile to a tape" 1 'Illegal seek' python3 -c "import shutil; shutil.copyfile('tree.tar', '$NODE')"
same "writes nothing" 0/0 "$(position)"
same "busybox cat reads nothing from it" "0 0/0" "$(busybox cat "$NODE" | wc -c) $(position)"
check "dd reads it" sh -c "dd if='$NODE' bs=1M status=none | cmp - tree.tar"
rewind
check "shutil.copyfileobj" python3 -c "import shutil
shutil.copyfileobj(open('$NODE', 'rb', buffering=0), open('back', 'wb'), 1 << 20)"
check "copies" cmp back tree.tar
rewind
says "tapecopy takes it for another file than a tape" '[1-9].*' '' tapecopy "$NODE" "$WORK/tape.aws"
says "doctor says so where there is no CUSE" '0|1' '' pseudotape doctor
# shellcheck disable=SC2154
[ -e /dev/cuse ] || same "with what to do instead" yes \
    "$([[ $output == *'tar -W does not verify'*'use tar -c, mt-st rewind or asf, tar -d'* ]] && echo yes)"
