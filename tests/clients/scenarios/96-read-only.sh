# shellcheck shell=bash
# PT-04, PT-18. A volume that can only be read is a protected cartridge: behind a node, behind rmt, as a leg of a mirror.

mkdir -p data kept
pattern 7 200000 >data/file
cartridge kept/a
cartridge kept/z
cartridge good
for volume in "$WORK/kept/a.ptape" "lz4+image:$WORK/kept/z.ptape" "$WORK/good.ptape"; do
    drive_up "image=$volume"
    check "tar writes to $volume" tar -b 64 -cf "$REWIND" data
    drive_down
done
cat kept/*.ptape >before
pseudotape ls good.ptape >good.list

# only_read NAME SPEC WHY: what programs get from it
only_read() {
    drive_up "image=$2"
    says "$1: mt status shows WR_PROT" 0 WR_PROT mt-st -f "$NODE" status
    says "$1: tar may not write" 2 'Read-only file system' tar -b 64 -cf "$REWIND" data
    check "$1: tar reads" tar -b 64 -df "$REWIND"
    says "$1: pseudotape status says why" 0 "read only \($3" pseudotape status
    drive_down
}

cat >rsh <<'END'
#!/bin/sh
exec "$PSEUDOTAPE_BIN/pseudotape-rmt" --allow "tape=$WORK/kept/a.ptape"
END
chmod +x rsh

only_read "option ro" "image:$WORK/kept/a.ptape\\,ro" 'opened for reading only'
if chattr +i kept/a.ptape 2>chattr.err; then
    only_read "immutable file" "$WORK/kept/a.ptape" '.*Operation not permitted'
    chattr -i kept/a.ptape
else
    skip "immutable file" "$(cat chattr.err)"
fi
if mount --bind kept kept 2>mount.err && mount -o remount,ro,bind kept 2>>mount.err; then
    only_read "read-only mount" "$WORK/kept/a.ptape" '.*Read-only file system'
    only_read "read-only mount, compressed" "lz4+image:$WORK/kept/z.ptape" '.*Read-only file system'
    says "read-only mount: rmt answers E30" 2 'Read-only file system' \
        tar --rsh-command="$WORK/rsh" -b 64 -cf localhost:tape data
    check "read-only mount: rmt reads" tar --rsh-command="$WORK/rsh" -b 64 -df localhost:tape
    for class in required spare; do
        ends=$([ $class = required ] && echo 0 || echo 1) # what was not mirrored is told at the end
        pair_up
        mirror_up --leg "a=$WORK/good.ptape" --leg "b=$WORK/kept/a.ptape,class=$class"
        says "$class leg: its status says why" 0 'read only .*Read-only file system' pseudotape-mirror status
        if [ $class = required ]; then
            says "$class leg: nothing can be written" 2 'Read-only file system' tar -b 64 -cf "$REWIND" data
            check "$class leg: tar reads" tar -b 64 -df "$REWIND"
        else
            check "$class leg: the job goes on without it" tar -b 64 -cf "$REWIND" data
            same "$class leg: it is out of step" out-of-step "$(leg b state)"
        fi
        mirror_down "$ends"
        drive_down
        check "$class leg: the good leg is as long as before" cmp good.list <(pseudotape ls good.ptape)
    done
    umount kept
else
    skip "read-only mount" "$(cat mount.err)"
fi
check "nothing was written" cmp before <(cat kept/*.ptape)
