# shellcheck shell=bash
# CW-04, CW-07, CW-50: a capsule of the disk farm, alone in a drive: tar gets the file back with all its attributes, also
# from a compressed one. CW-51, CW-52: a volume that is a mount point, and a link that somebody else made. CW-58: whose
# script runs.

mkdir -p farm src
pattern 3 300000 >src/letter
chmod 640 src/letter
touch -d '2001-02-03 04:05:06.789' src/letter
echo short >"src/a name
of two lines"
export PSEUDOTAPE_FARM=$WORK/farm
check "a volume of two files" pseudotape farm copy letters src
says "a copy onto it changes nothing" 2 'may be added to letters, but not copied' pseudotape farm copy letters src
says "its capsules are whole" 0 '2 capsules whole' pseudotape farm verify letters
says "it is listed" 0 'src/letter' pseudotape farm ls letters
check "a compressed volume of them" pseudotape farm copy packed src --compression on

mkdir farm/disk
mount -t tmpfs -o size=8m disk farm/disk
check "a volume on another disk" pseudotape farm add disk src
umount farm/disk
says "it is not made where nothing is mounted" 2 'nothing is mounted at' pseudotape farm add disk src
same "nothing came below the mount point" "" "$(ls -A farm/disk)"
mkdir elsewhere
ln -s ../elsewhere farm/led
chown -h 12345 farm/led
says "a link of somebody else leads nowhere" 2 'user 12345 made' pseudotape farm add led src

# Nothing but the capsules is left.
cp farm/letters/FILE0000002.ptape alone.ptape
cp farm/packed/FILE0000002.ptape packed.ptape
mv src kept
rm -r farm
check "an empty tape" pseudotape create out.ptape
drive_up "$WORK/alone.ptape" "$WORK/packed.ptape" "$WORK/out.ptape"
check "tar gets it back" tar -xpf "$NODE"
same "it is the same" "$(cat kept/letter | md5sum) $(stat -c '%a %u:%g %y %s' kept/letter)" \
    "$(cat src/letter | md5sum) $(stat -c '%a %u:%g %y %s' src/letter)"
rm -r src
check "tar and zstd get it back from the compressed one" \
    bash -c "set -o pipefail; dd if='${NODES[1]}' bs=10240 status=none | tar --zstd -xpf -"
same "it is the same" "$(cat kept/letter | md5sum) $(stat -c '%a %u:%g %y %s' kept/letter)" \
    "$(cat src/letter | md5sum) $(stat -c '%a %u:%g %y %s' src/letter)"

# CW-05: from the farm to a drive, and from the drive to the farm: each archive is a tape file.
mkdir farm
tape=${NODE%0}2
check "a volume" pseudotape farm copy letters src
check "an archive on a drive" pseudotape farm write letters src/letter --to "device:$tape"
check "another one behind it" pseudotape farm write letters --all --as second --to "device:$tape"
check "rewound" mt -f "$tape" rewind
says "the first comes back" 0 '1 file added' pseudotape farm copy back --from "device:$tape"
check "and the next" pseudotape farm add back --from "device:$tape"
says "under its new title" 0 'second/src/letter' pseudotape farm ls back
says "root's script runs as nobody" 0 nobody pseudotape farm copy scripted src --script 'id -un'
