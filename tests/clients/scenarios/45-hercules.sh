# shellcheck shell=bash
# PT-01. Hercules' tapecopy: a tape to an AWS file and back, compared record by record; tapemap says what the file holds.

# It takes for a tape what is below /dev. A FUSE node gets there in a view of the files of its own.
cat >inside <<'END'
#!/bin/sh
[ "$FRONT" = cuse ] || mount --bind "$WORK/nodes" /dev/shm || exit 99
exec "$@"
END
chmod +x inside
export FRONT
hercules=(unshare --mount ./inside)
tape=$NODE
[ "$FRONT" = cuse ] || tape=/dev/shm/${NODE##*/}

# write_tape: files of records of 80 bytes, of 32760 and of sizes up to AWS's largest, 65535; a last file with one record
write_tape() {
    dd if=data of="$NODE" bs=80 count=100 status=none
    dd if=data of="$NODE" bs=32760 count=20 status=none
    for size in 1 2 18 4095 4096 4097 32767 32768 65535; do dd if=data bs="$size" count=1 status=none; done >mixed
    python3 - "$NODE" mixed <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY)
data = open(sys.argv[2], "rb")
for size in (1, 2, 18, 4095, 4096, 4097, 32767, 32768, 65535):
    assert os.write(fd, data.read(size)) == size
END
    dd if=data of="$NODE" bs=500 count=1 status=none
}

pattern 3 1000000 >data
cartridge written
cartridge copied
drive_up "image=$WORK/written.ptape"
write_tape
mt-st -f "$NODE" weof # tapecopy takes two filemarks for the end of the tape
mt-st -f "$NODE" rewind
says "tapecopy from a tape to an AWS file" 0 'Successful completion;.*Bytes read: *807079 ' "${hercules[@]}" tapecopy "$tape" "$WORK/tape.aws"
check "tapemap" tapemap tape.aws
same "tapemap finds the records of the tape" "File 1: Blocks=100, block size min=80, max=80
File 2: Blocks=20, block size min=32760, max=32760
File 3: Blocks=9, block size min=1, max=65535
File 4: Blocks=1, block size min=500, max=500" "$(sed -n 's/\r//; /^File [1-4]: Blocks/p' <<<"$output")"
check "the other cartridge" bash -c "pseudotape unload 0 && pseudotape load 0 '$WORK/copied.ptape'"
says "tapecopy from an AWS file to a tape" 0 'Successful completion;.*Bytes written: *807079 ' "${hercules[@]}" tapecopy "$WORK/tape.aws" "$tape"
drive_down
# after the last file tapecopy writes one filemark more than it read
same "both tapes have the same files of records" "$(pseudotape ls written.ptape | head -n 5)" "$(pseudotape ls copied.ptape | head -n 5)"
for file in 0 1 2 3; do
    for name in written copied; do pseudotape dump "$name.ptape" --file $file -o "$name.bytes" 2>dump.err >&2; done
    check "file $file has the same bytes on both tapes" cmp written.bytes copied.bytes
done
check "verify the copy" pseudotape verify copied.ptape

# hetinit makes a tape file with labels of IBM's kind; its records get onto a tape as they are.
check "hetinit" hetinit -d labels.het PT0001 OWNER
cartridge labels
drive_up "image=$WORK/labels.ptape"
says "tapecopy of labels" 0 'Successful completion' "${hercules[@]}" tapecopy "$WORK/labels.het" "$tape"
mt-st -f "$NODE" rewind
says "the volume label is a record of 80 bytes" 0 '80 bytes' dd if="$NODE" of=label bs=64k count=1
same "the volume label names the volume" VOL1PT0001 "$(iconv -f IBM1047 -t UTF-8 label | head -c 10)"
drive_down
