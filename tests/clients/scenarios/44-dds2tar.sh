# shellcheck shell=bash
# PT-01. dds2tar: dds2index makes an index of a tar archive with places on the tape, dds2tar seeks to them (MTIOCPOS, MTSEEK) and
# brings single files, mt-dds tells the place. On a drive of the same family, with setmarks.

tree tree 4
rm "tree/deep/er/and/a"$'\n'"b" # its index has a line for each file
touch -d '2021-02-03 04:05:06 UTC' tree/deep/er/and
# dds2tar asks a program for the maker of the drive, which looks into /proc/scsi: a drive of HP counts places in records
mkdir bin out
printf '#!/bin/sh\necho HP\n' >bin/scsi_vendor
chmod +x bin/scsi_vendor
PATH=$WORK/bin:$PATH

cartridge dds
drive_up "image=$WORK/dds.ptape,personality=dds"
check "a first file for dds2tar" tar -b 20 -c -f "$NODE" tree/deep/er/file1
check "an archive for dds2tar" tar -b 20 -c -f "$NODE" --sort=name tree
mt-st -f "$NODE" asf 1
first=$(object)
check "mt-dds tell" sh -c 'mt-dds -f "$NODE" tell >location'
same "mt-dds tells the place" "first block number is $first" "$(head -1 location)"
check "dds2index" sh -c 'dds2index -f "$NODE" -t index'
# a line: magic, place of the record on the tape, block of 512 bytes in it, size, name
same "dds2index lists every name" "$(tar --sort=name -cf - tree | tar -t | sort)" "$(sed -n 's/^ustar .*: *[0-9]* //p' index | sort)"
tar -b 20 --sort=name -cf expected.tar tree
tar -b 20 --sort=name -cf expected.tar tree
same "dds2index knows the place of each header" \
    "$(tar -tRf expected.tar | sed -n 's/^block \([0-9]*\): \(.*\)$/\1 \2/p' | grep '[^/]$' | grep -v Block)" \
    "$(sed -n 's/^ustar *\([0-9]*\) *\([0-9]*\): *[0-9]* \(.*[^/]\)$/\1 \2 \3/p' index |
        while read -r record block name; do echo "$(((record - first) * 20 + block)) $name"; done)"
for name in deep/er/file4 deep/er/file2 "deep/10241 bytes"; do
    mt-st -f "$NODE" rewind
    check "dds2tar brings $name" sh -c 'dds2tar -f "$NODE" -t index "tree/$1" | tar -x -p -C out -f -' sh "$name"
    check "dds2tar brings the bytes of $name" cmp "tree/$name" "out/tree/$name"
    rm -rf out/tree
done
excluded "mt-dds comp-query and comp-log" "they send SCSI commands of their own (SCSI_IOCTL_SEND_COMMAND), and there is no SCSI device under a node in userspace"
drive_down
