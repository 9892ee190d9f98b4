# shellcheck shell=bash
# CW-04, CW-07, CW-50: a capsule of the disk farm, alone in a drive: tar gets the file back with all its attributes, also
# from a compressed one. CW-32, CW-34: a merge from another farm. CW-51, CW-52: a volume that is a mount point, and a link that somebody else made. CW-58: whose
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

# CW-32, CW-34: a merge from another farm. The link to it breaks in the middle of the second file.
mkdir other big
for file in first second third; do seq 100000 >"big/$file"; done
check "a volume of another farm" pseudotape farm --root other copy three big
says "its files come" 0 'merged: 3 files added' pseudotape farm merge merged three --source-root other
check "for a server everybody is let in" pseudotape farm acl add any@any --root other
# through a pipe: the server does not want its socket to block, which is the one of head
printf '#!/bin/sh\nshift\ncat | sh -c "$*" | stdbuf -o0 head -c 900000\n' >rsh
chmod +x rsh
from=(pseudotape farm --rsh ./rsh merge cut three --source-root "ssh:here:$WORK/other")
says "a link that breaks is told" 2 'the farm of the sources: the connection to the farm broke' "${from[@]}"
says "what came whole is there" 0 '1 capsule whole; .*; 0 findings' pseudotape farm verify cut
printf '#!/bin/sh\nshift\nexec sh -c "$*"\n' >rsh
says "the same command goes on" 0 'cut: 2 files added, 1 present' "${from[@]}"
says "a volume is not merged into itself" 2 "can't be merged into itself" \
    pseudotape farm --root other merge three three --source-root "$WORK/other/."
says "root's script runs as nobody" 0 nobody pseudotape farm copy scripted src --script 'id -un'
