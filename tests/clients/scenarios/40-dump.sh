# shellcheck shell=bash
# dump and restore of a small file system, with three record sizes, and over several cartridges.

tree tree 3
truncate -s 24M fs.img
check "mke2fs" mke2fs -q -t ext2 -d tree fs.img
cartridge dump
drive_up "image=$WORK/dump.ptape"
file=0
for kibibytes in 10 64 512; do
    check "dump -b $kibibytes" dump -0 -a -b "$kibibytes" -f "$NODE" fs.img
    file=$((file + 1))
    same "dump -b $kibibytes leaves one filemark" "$file/0" "$(position)"
    mt-st -f "$NODE" asf $((file - 1))
    says "restore -t, records of $kibibytes KiB" 0 'deep/er/file4' restore -t -b "$kibibytes" -f "$NODE"
    mt-st -f "$NODE" asf $((file - 1))
    mkdir out
    (cd out && exits "restore -r, records of $kibibytes KiB" 0 restore -r -b "$kibibytes" -f "$NODE")
    rm -rf out/restoresymtable out/lost+found tree.mounted
    # restore sets no time on the root of what it restores
    touch -d '2021-02-03 04:05:06 UTC' out
    same_tree "restore -b $kibibytes brings everything back" tree out
    rm -rf out
    mt-st -f "$NODE" asf "$file"
done
exits "restore with too small records" 1 restore -t -b 5 -f "$NODE"
drive_down
check "pseudotape verify after dump" pseudotape verify dump.ptape

for number in 1 2 3 4 5 6; do cartridge "volume$number" --capacity 1M --early-warning 256K; done
drive_up "image=$WORK/volume1.ptape"
# dump and restore call it with the device and the number of the volume that ended
cat >change <<END
#!/bin/sh
next=\$((\$2 + \${STEP:-1}))
echo "\$next" >>"$WORK/changes"
pseudotape unload 0 >>"$WORK/changer.log" 2>&1 || exit 2
pseudotape load 0 "$WORK/volume\$next.ptape" >>"$WORK/changer.log" 2>&1
END
chmod +x change
check "dump over several cartridges" dump -0 -a -b 10 -F ./change -f "$NODE" fs.img
[ "$(wc -l <changes)" -ge 2 ] && ok "dump needs three cartridges or more" ||
    fail "dump needs three cartridges or more" "it asked for: $(cat changes)"
check "the first cartridge again" pseudotape unload 0
check "the first cartridge again: load" pseudotape load 0 "$WORK/volume1.ptape"
mkdir out
# restore asks with the number that it wants
(cd out && STEP=0 exits "restore from several cartridges" 0 restore -r -b 10 -F ../change -f "$NODE")
rm -rf out/restoresymtable out/lost+found
touch -d '2021-02-03 04:05:06 UTC' out
same_tree "restore from several cartridges brings everything back" tree out
