# shellcheck shell=bash
# PT-01, PT-17. dump and restore of a small file system, with three record sizes, and over several cartridges.

tree tree 3
truncate -s 24M fs.img
check "mke2fs" mke2fs -q -t ext2 -d tree fs.img

# dump takes a regular file for a directory of the file system that holds it, if it finds one in the table of mounts;
# so it gets to see an empty one
: >empty
dump_image() {
    unshare --mount bash -c 'mount --bind empty /etc/fstab 2>/dev/null; mount -t tmpfs none /proc && exec dump "$@"' dump "$@" fs.img
}
export -f dump_image

cartridge dump
drive_up "image=$WORK/dump.ptape"
file=0
for kibibytes in 10 64 512; do
    check "dump -b $kibibytes" bash -c 'dump_image "$@"' dump -0 -a -b "$kibibytes" -f "$NODE"
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

# Over several cartridges, changed by a script. dump calls it with the device and the number of the volume that ended,
# restore with the number that it wants.
cat >change <<END
#!/bin/sh
next=\$((\$2 + \${STEP:-1}))
echo "\$next" >>"$WORK/changes"
pseudotape unload 0 >>"$WORK/changer.log" 2>&1 || exit 2
pseudotape load 0 "$WORK/volume\$next.ptape" >>"$WORK/changer.log" 2>&1
END
chmod +x change
numbers=(1 2 3 4 5 6)

# volumes NAME OPTION...: a dump over cartridges that the options make
volumes() {
    local name=$1 number
    shift
    for number in "${numbers[@]}"; do cartridge "volume$number" --force --capacity 1M --early-warning 256K; done
    drive_up "image=$WORK/volume1.ptape"
    : >changes
    check "dump over several cartridges, $name" bash -c 'dump_image "$@"' dump -0 -b 10 "$@" -F ./change -f "$NODE"
    if [ "$(wc -l <changes)" -ge 3 ]; then
        ok "dump needs four cartridges or more, $name"
    else
        fail "dump needs four cartridges or more, $name" "it asked for: $(cat changes)"
    fi
}

volumes "each of 700 KiB" -B 700
check "the first cartridge again" pseudotape unload 0
check "the first cartridge again: load" pseudotape load 0 "$WORK/volume1.ptape"
rm -rf out; mkdir out
(cd out && STEP=0 exits "restore from several cartridges" 0 restore -r -b 10 -F ../change -f "$NODE")
rm -rf out/restoresymtable out/lost+found
touch -d '2021-02-03 04:05:06 UTC' out
same_tree "restore from several cartridges brings everything back" tree out
drive_down

# At early warning st takes a write, refuses one, and takes the next; dump tries again what was refused, and writes what it
# got onto the tape that way a second time onto the next volume. restore stumbles over that, from real tapes as well.
volumes "each to early warning" -a
drive_down
excluded "restore of a dump that was cut at early warning" "dump 0.4b47 puts records on both volumes that restore takes twice"
pseudotape dump dump.ptape --file 0 -o whole >/dev/null
for number in $(seq "$(tail -1 changes)"); do
    pseudotape dump "volume$number.ptape" --file 0 -o "volume$number.bytes" >/dev/null
done
python3 "$PT_ROOT/tests/clients/tools/volumes.py" tree whole volume*.bytes | tee -a "$RESULTS"

# Over three cartridges, changed by an operator whom dump and restore ask on their terminal.
for number in 1 2 3; do cartridge "volume$number" --force --capacity 2M --early-warning 256K; done
drive_up "image=$WORK/volume1.ptape"
converse=(python3 "$PT_ROOT/tests/clients/tools/converse.py")
swap='pseudotape unload 0 && pseudotape load 0'
check "dump over three cartridges asks" "${converse[@]}" --on 'Is the new volume mounted and ready to go\?: \("yes" or "no"\) $' yes \
    "$swap '$WORK/'volume\$((NUMBER + 1)).ptape" -- bash -c 'dump_image "$@"' dump -0 -b 10 -B 1300 -f "$NODE"
same "dump over three cartridges asks for two" 2 "$(grep -c '^loaded ' <<<"$output")"
[[ $output =~ "DUMP IS DONE" ]] && ok "dump over three cartridges is done" || fail "dump over three cartridges is done" "$output"
check "the first of three cartridges again" bash -c "$swap '$WORK/volume1.ptape'"
rm -rf out; mkdir out
(cd out && check "restore from three cartridges asks" "${converse[@]}" --on 'otherwise enter tape name .*\) $' '' \
    "$swap '$WORK/'volume\$((NUMBER + 1)).ptape" -- restore -r -b 10 -f "$NODE")
rm -rf out/restoresymtable out/lost+found
touch -d '2021-02-03 04:05:06 UTC' out
same_tree "restore from three cartridges brings everything back" tree out
drive_down
for number in 1 2 3; do check "verify volume $number" pseudotape verify "volume$number.ptape"; done
