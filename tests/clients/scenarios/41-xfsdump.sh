# shellcheck shell=bash
# PT-01, PT-17. xfsdump and xfsrestore: two dumps on one cartridge, found again by spacing, and one over two cartridges.

mounted=$WORK/mounted # xfsdump wants it from the root
mkdir mounted
truncate -s 320M fs.img # the smallest that mkfs.xfs makes
if [ -n "${PT_BUSYBOX:-}" ]; then # in a guest
    for module in loop crc32c_generic xfs; do "$PT_BUSYBOX" modprobe "$module" 2>/dev/null; done
elif ! grep -qw xfs /proc/filesystems; then
    modprobe xfs
fi
if ! grep -qw xfs /proc/filesystems; then
    excluded xfsdump "this kernel has no xfs (User Mode Linux of Debian 12)"
    return
fi
check "mkfs.xfs" mkfs.xfs -q fs.img
mount -o loop fs.img mounted 2>mount.err || {
    fail "mount an xfs" "$(cat mount.err)"
    return
}
trap 'umount mounted; clean_up' EXIT
tree mounted/tree 3

# xfsdump's own strategy for tapes is for the driver whose major number /proc/devices calls `st`. -m is its strategy for all
# other tapes, with records of one size.
options=(-m -b 262144) files=4
if [ "$FRONT" = scsi ]; then
    # its strategy for tapes ends what it wrote with a file of its own
    options=(-b 262144) files=5
else
    excluded "xfsdump without -m" "it looks for st's major number in /proc/devices, which a node in userspace cannot have"
fi
mkdir inventory # which else would be the machine's, in a directory that xfsdump itself makes when it first runs
mkdir -p /var/lib/xfsdump
cat >inside <<'END'
#!/bin/sh
mount --bind "$WORK/inventory" /var/lib/xfsdump && exec "$@"
END
chmod +x inside
xfs=(unshare --mount ./inside)
links() { find "$1" -type l -exec touch -h -d '2021-02-03 04:05:06 UTC' {} +; } # it brings back no times of links
converse=(python3 "$PT_ROOT/tests/clients/tools/converse.py")
swap='pseudotape unload 0 && pseudotape load 0'

cartridge dumps
drive_up "image=$WORK/dumps.ptape"
says "xfsdump level 0" 0 'Dump Status: SUCCESS' "${xfs[@]}" xfsdump "${options[@]}" -F -L full -M media -l 0 -f "$NODE" "$mounted"
pattern 50 400000 >mounted/tree/new
rm mounted/tree/deep/er/file3
# xfsrestore brings whole seconds back
touch -d '2021-02-03 04:05:06 UTC' mounted/tree mounted/tree/new mounted/tree/deep/er
says "xfsdump level 1 on the same cartridge" 0 'Dump Status: SUCCESS' "${xfs[@]}" xfsdump "${options[@]}" -F -L changes -M media -l 1 -f "$NODE" "$mounted"
# each dump is a file with the data and one with the inventory
same "xfsdump wrote behind what was there" $files/0 "$(position)"
mt-st -f "$NODE" rewind
mkdir out
says "xfsrestore level 0" 0 'Restore Status: SUCCESS' "${xfs[@]}" xfsrestore "${options[@]}" -F -r -L full -f "$NODE" out
check "xfsrestore brings the file back that was removed later" test -f out/tree/deep/er/file3
mt-st -f "$NODE" rewind
says "xfsrestore level 1, behind the other on the cartridge" 0 'Restore Status: SUCCESS' "${xfs[@]}" xfsrestore "${options[@]}" -F -r -L changes -f "$NODE" out
rm -rf out/xfsrestorehousekeepingdir
links out
same_tree "xfsdump and xfsrestore bring everything back" mounted/tree out/tree
drive_down

# What follows is about -m.
[ "$FRONT" != scsi ] || return 0

for number in 1 2; do cartridge "volume$number" --capacity 3M --early-warning 512K; done
drive_up "image=$WORK/volume1.ptape"
change=(--on 'change media dialog(.|\n)*-> $' 2 "$swap '$WORK/'volume\$((NUMBER + 1)).ptape"
    --on 'media label dialog(.|\n)*-> $' media '' --on 'dump selection dialog(.|\n)*-> $' 2 '')
says "xfsdump over two cartridges" 0 'Dump Status: SUCCESS' "${converse[@]}" "${change[@]}" -- \
    "${xfs[@]}" xfsdump "${options[@]}" -J -L full -M media -l 0 -f "$NODE" "$mounted"
same "xfsdump asks for one more" 1 "$(grep -c '^loaded ' <<<"$output")"
check "the first cartridge again" bash -c "$swap '$WORK/volume1.ptape'"
# With -m xfsrestore takes the end of the first cartridge for an error of the drive, and goes on (-R) with the second.
rm -rf out
mkdir out
says "xfsrestore from the first of two cartridges" '[0-2]' 'may resume later using -R' "${converse[@]}" "${change[@]}" -- \
    "${xfs[@]}" xfsrestore "${options[@]}" -J -f "$NODE" out
check "the second cartridge" bash -c "$swap '$WORK/volume2.ptape'"
says "xfsrestore from the second of two cartridges" 0 'Restore Status: SUCCESS' "${converse[@]}" "${change[@]}" -- \
    "${xfs[@]}" xfsrestore "${options[@]}" -J -R -f "$NODE" out
links out
same_tree "xfsdump and xfsrestore bring everything back from two cartridges" mounted/tree out/tree
drive_down
for number in 1 2; do check "verify volume $number" pseudotape verify "volume$number.ptape"; done
