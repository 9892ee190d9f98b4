# shellcheck shell=bash
# EN-08, EN-09, EN-10, EN-14, EN-15, EN-16. `pseudotape rescue` of damaged tapes: behind nodes, in images, on a remote tape;
# killed and run again, with another copy, with another tape; what it tells and draws.

# damage IMAGE OFFSET...: other bytes there
damage() {
    local at
    for at in "${@:2}"; do printf 'DAMAGE' | dd of="$1" bs=1 seek="$at" conv=notrunc status=none; done
}

# Three files of 60 blocks of 10000 bytes each, twice the same, and a tape that is another one.
for file in 0 1 2; do pattern "$file" 600000 >"file$file"; done
cartridge source --label RESCUE
drive_up "image=$WORK/source.ptape"
for file in 0 1 2; do
    check "write file $file" dd if="file$file" of="$NODE" bs=10000 status=none
done
drive_down
check "a second copy" pseudotape copy source.ptape second.ptape
cp source.ptape first.ptape
damage first.ptape 100000 105000 700000 1500000
damage second.ptape 400000 1200000
cartridge another --label RESCUE
drive_up "image=$WORK/another.ptape"
for file in 2 1 0; do dd if="file$file" of="$NODE" bs=10000 status=none; done
drive_down

# From a node, whose reads fail: killed with the first bad block, by the command that is told of it.
drive_up "image=$WORK/first.ptape"
says "killed where it meets the first bad block" 137 '' \
    pseudotape rescue "device:$NODE" out.ptape --on-bad 'cat >told; kill -KILL $PPID'
says "whoever asked was told at once, in JSON" 0 '"object":8,' cat told
says "the map says so already" 0 '(^|'$'\n'')bad 8 1 0:3:5:' cat out.ptape.rescue
says "what a kill leaves is no whole copy" 1 'INCOMPLETE' pseudotape verify out.ptape
says "the same command goes on" 1 'not whole: 180 of 183 objects good, 3 bad, 0 not tried' \
    pseudotape rescue "device:$NODE" out.ptape --on-bad 'cat >>more; echo >>more'
same "and tells the others only" 2 "$(grep -c '"error":"EIO"' more)"
same "and does not try the first one again" 0 "$(grep -c '"object":8,' more)"
says "with more tries it does" 1 'bad: object 8: 5 tries with' pseudotape rescue "device:$NODE" out.ptape --tries 5
drive_down
says "what can not be read is an error in the image, with its number" 1 'object 8 .*was already unreadable' \
    pseudotape verify out.ptape
check "what lies around it is the tape" bash -c 'cmp <(pseudotape dump --skip-damaged out.ptape) \
    <(pseudotape dump --skip-damaged first.ptape)'

# A drive that fails on command: behind the bad block afterwards, before it, or with its position lost.
cp source.ptape whole.ptape
drive_up "image=$WORK/source.ptape"
for position in behind kept lost; do
    check "a bad block, and the drive is $position" pseudotape inject 0 "read-error,at=70,position=$position"
    says "it is bad, and nothing else ($position)" 1 'not whole: 182 of 183 objects good, 1 bad, 0 not tried' \
        pseudotape rescue "device:$NODE" "was-$position.ptape"
    check "the map says which ($position)" grep -q '^bad 70 1 0:3:5:' "was-$position.ptape.rescue"
    check "a drive that can ($position)" pseudotape inject 0 --remove all
    says "reads that one ($position)" 0 'read 1 object now.*whole: all 183' \
        pseudotape rescue "device:$NODE" "was-$position.ptape" --tries 6
    says "and it is the tape ($position)" 0 '^identical: ' pseudotape compare whole.ptape "was-$position.ptape"
done
drive_down

# What is seen of it.
says "the map as a picture" 1 '########X#######' pseudotape rescue first.ptape out.ptape --same-tape --tries 3 --picture
says "info draws it too" 0 '########X#######' pseudotape info out.ptape --picture
says "and an image without a map by reading it" 0 '########X#######' pseudotape info first.ptape --picture
check "as SVG" pseudotape info out.ptape --picture=out.svg
check "which is XML" python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' out.svg
says "JSON has it all" 1 '"bad": 3,' pseudotape rescue --json first.ptape out.ptape

# What does not fit together.
says "another tape is refused" 2 'not the tape that this rescue is of: object 0 is' pseudotape rescue another.ptape out.ptape
cp out.ptape.rescue map
printf 'x' | dd of=out.ptape.rescue bs=1 seek=60 conv=notrunc status=none
says "a damaged map is refused, and the one before it named" 2 'out.ptape.rescue: the one before it is out.ptape.rescue.old.*damaged: its checksum' \
    pseudotape rescue second.ptape out.ptape
head -c 100 map >out.ptape.rescue
says "a torn one, too" 2 'it is cut' pseudotape rescue second.ptape out.ptape
cp out.ptape.rescue.old out.ptape.rescue
says "the one before it serves" 1 'not whole: 180 of 183' pseudotape rescue first.ptape out.ptape
mv out.ptape away.ptape
says "a map without its image" 2 'bring it back' pseudotape rescue second.ptape out.ptape
cp another.ptape out.ptape
says "a map with another image" 2 'name the image that belongs to the map' pseudotape rescue second.ptape out.ptape
mv away.ptape out.ptape
says "an image with something on it and no map" 2 'is not blank, and another.ptape.rescue, the map' pseudotape rescue second.ptape another.ptape

# The other copy has other bad blocks: together they are whole.
says "the other copy fills what is missing, and nothing else" 0 'read 3 objects now.*'$'\n''whole: all 183 objects are good' \
    pseudotape rescue second.ptape out.ptape
says "it is the tape" 0 '^identical: ' pseudotape compare source.ptape out.ptape
check "nothing is left to clear away" test ! -e out.ptape.rescue.found
says "it is whole, and says so again without a tape to read" 0 'read 0 objects now' pseudotape rescue first.ptape out.ptape

# A tape can't be written in its middle: what is read waits in an image beside the map.
cartridge tape
drive_up "image=$WORK/tape.ptape"
says "a tape wants a map" 2 'map FILE says where' pseudotape rescue first.ptape "device:$NODE"
says "it is not written while something is missing" 1 'is not written yet' \
    pseudotape rescue first.ptape "device:$NODE" --map m
says "it is when it is whole" 0 'whole: all 183' pseudotape rescue second.ptape "device:$NODE" --map m
says "then it is the tape" 0 '^identical: ' pseudotape compare source.ptape "device:$NODE"
mt-st -f "$NODE" rewind
says "or without what is bad" 1 'not whole: 180 of 183' pseudotape rescue first.ptape "device:$NODE" --map n --leave-out --force
says "with a list of what is where" 1 '"first_object": 9,'$'\n'' *"first_object_there": 8' \
    pseudotape rescue --json first.ptape "device:$NODE" --map n --leave-out --force
mt-st -f "$NODE" rewind
same "blocks of the first file on it" 59 "$(dd if="$NODE" of=/dev/null bs=10000 2>&1 | sed -n 's/+.*in//p')"
drive_down

# One file as bytes.
says "a file with holes is a partial one" 1 'partial: f0.partial.* says where' \
    pseudotape rescue first.ptape --raw-file 0 --output f0
same "of the right length" 600000 "$(stat -c %s f0.partial)"
check "with a map of the hole for ddrescue" grep -qx '0x00013880  0x00002710  -' f0.map
check "and right around it" bash -c 'cmp -n 80000 f0.partial file0 && cmp -i 90000 f0.partial file0'
sum=$(sha256sum <file1 | cut -d' ' -f1)
says "a whole file with the right digest is delivered" 0 '^file 1: .*whole: f1' \
    pseudotape rescue out.ptape --raw-file 1 --output f1 --sha256 "$sum"
check "byte for byte" cmp f1 file1
says "one with another digest is not" 1 'wrong: it has another SHA-256' \
    pseudotape rescue out.ptape --raw-file 2 --output f2 --sha256 "$sum"
check "but kept as a partial one" cmp f2.partial file2
says "a file that is not there" 2 'there is no tape file 7' pseudotape rescue out.ptape --raw-file 7 --output f7

# A remote tape, and a filter.
cat >rsh <<END
#!/bin/sh
exec pseudotape-rmt --allow "tape=$WORK/first.ptape"
END
chmod +x rsh
says "a remote tape" 1 'not whole: 180 of 183' pseudotape rescue "rmt:vault:tape,rsh=$WORK/rsh" far.ptape
(umask 077 && openssl rand -hex 32 >key)
check "an encrypted copy" pseudotape copy source.ptape aes=key+image:secret.ptape,create
damage secret.ptape 900000
says "through a filter" 1 'not whole: 182 of 183' pseudotape rescue aes=key+secret.ptape clear.ptape

# An end is doubted: a tape that was cut off ends early, and so does an older state of it.
head -c 1000000 source.ptape >cut.ptape
drive_up "image=$WORK/cut.ptape"
says "behind a node nothing shows that a tape was cut off" 0 'whole: all 9[0-9] objects' \
    pseudotape rescue "device:$NODE" long.ptape
drive_down
says "a longer copy goes on there" 0 'whole: all 183 objects are good' pseudotape rescue source.ptape long.ptape
says "and it is the tape" 0 '^identical: ' pseudotape compare source.ptape long.ptape
says "an image that lost its end has no whole last file" 1 'partial: end.partial' \
    pseudotape rescue cut.ptape --raw-file 1 --output end
for at in 4096 8192; do dd if=/dev/zero of=cut.ptape bs=1 seek="$at" count=300 conv=notrunc status=none; done
says "nor is one whole that does not know what was committed" 1 'not whole: 9[0-9] objects good' \
    pseudotape rescue cut.ptape unknown.ptape
says "a copy fills it" 0 'whole: all 183 objects are good' pseudotape rescue source.ptape unknown.ptape

# A tape that was written over since is another one, under the same name.
cp first.ptape over.ptape
says "an image with bad blocks" 1 'not whole: 180 of 183' pseudotape rescue over.ptape kept.ptape
drive_up "image=$WORK/over.ptape"
dd if=/dev/zero of="$NODE" bs=10000 count=200 status=none
drive_down
says "is refused when something else is on it" 2 'not the tape that this rescue is of: object 0 is' \
    pseudotape rescue over.ptape kept.ptape --tries 20

# Files where they are not expected.
mkdir other && mount -t tmpfs -o size=1m tmpfs other
says "a map on another file system" 1 'not whole: 180 of 183' pseudotape rescue first.ptape apart.ptape --map other/map
umount other
# A full disk is no damage of the tape, whatever was met on the tape before.
mount -t tmpfs -o size=1100k tmpfs other
says "a full disk is told as one" 2 'other/full.ptape: no room on the host.s disk' \
    pseudotape rescue first.ptape other/full.ptape
same "with the bad objects in the map that were met, and no other" 2 "$(grep -c '^bad' other/full.ptape.rescue)"
mount -o remount,size=4m other
says "with room the same command goes on" 1 'not whole: 180 of 183 objects good, 3 bad, 0 not tried' \
    pseudotape rescue first.ptape other/full.ptape
filled() { head -c "$(df --output=avail -B1 other | tail -1)" /dev/zero >other/ballast; }
filled
says "no room for the map" 2 "can't save the map other/full.ptape.rescue: No space left" \
    pseudotape rescue second.ptape other/full.ptape
rm other/ballast
says "and on again" 0 'whole: all 183 objects are good' pseudotape rescue second.ptape other/full.ptape
says "it is the tape" 0 '^identical: ' pseudotape compare source.ptape other/full.ptape
umount other
mkfifo pipe.ptape.rescue
says "a map that is a pipe is refused" 2 'no regular file' timeout 60 pseudotape rescue first.ptape pipe.ptape
