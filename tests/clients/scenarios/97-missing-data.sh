# shellcheck shell=bash
# An image that lost what was committed; one whose daemon was killed; and one on a host's disk that is smaller than the tape.

mkdir -p data
pattern 7 400000 >data/file
cartridge lost
drive_up "image=$WORK/lost.ptape"
check "tar writes" tar -b 64 -cf "$REWIND" data
drive_down
truncate -s 200000 lost.ptape
says "verify finds that data are missing" 1 'committed data are missing: .* from object 5 on' pseudotape verify lost.ptape

# Before, this mark hid what is missing.
drive_up "image=$WORK/lost.ptape"
says "mt status shows WR_PROT" 0 WR_PROT mt-st -f "$NODE" status
says "the status says why, and the way out" 0 'committed data are missing.*accept-loss' pseudotape status
check "what is left can be read" dd if="$NODE" of=back bs=32k count=5
check "to the end of data" mt-st -f "$NODE" eod
exits "no mark is taken" 1 mt-st -f "$NODE" weof 1
says "tar may not write" 2 'Read-only file system' tar -b 64 -cf "$REWIND" data
says "a loss is accepted when no drive has the image" 2 'in use' pseudotape accept-loss lost.ptape
drive_down
says "the unload hid nothing" 1 'committed data are missing' pseudotape verify lost.ptape
lost='committed data are missing: .* from object 5 on'
says "ls tells it" 0 "INCOMPLETE: $lost" pseudotape ls lost.ptape
says "dump tells it" 1 "$lost" pseudotape dump lost.ptape -o dumped
says "copy tells it" 1 "the first object not copied is 5: lost.ptape: $lost" pseudotape copy lost.ptape copied.ptape
says "the copy is marked" 1 'what it misses begins with object 5' pseudotape verify copied.ptape
says "compare tells it, though what is there is the same" 1 "$lost" pseudotape compare lost.ptape copied.ptape
drive_up "image=$WORK/copied.ptape"
check "a program uses that cartridge for something else" tar -b 64 -cf "$REWIND" data
drive_down
says "then it is no unfinished copy any more" 0 'no damage' pseudotape verify copied.ptape

says "the loss is accepted" 0 'data from object 5 on were lost' pseudotape accept-loss lost.ptape
drive_up "image=$WORK/lost.ptape"
says "the load and the status tell it" 0 INCOMPLETE pseudotape status
check "to the end of data again" mt-st -f "$NODE" eod
check "a mark is taken" mt-st -f "$NODE" weof 1
drive_down
says "verify goes on telling it" 1 'what was recorded here from object 5 on was lost' pseudotape verify lost.ptape
says "info too" 0 INCOMPLETE pseudotape info lost.ptape
drive_up "image=$WORK/lost.ptape"
check "tar writes the tape anew" tar -b 64 -cf "$REWIND" data
drive_down
says "then nothing is missing" 0 'no damage' pseudotape verify lost.ptape

# -- an image that is removed while it is loaded stays in, so that it can be copied
cartridge gone
drive_up "image=$WORK/gone.ptape"
check "tar writes before the image goes" tar -b 64 -cf "$NODE" data
rm gone.ptape
says "a commit finds it" 2 'Input/output error' mt-st -f "$NODE" weof 0
says "offline fails" 2 'Input/output error' mt-st -f "$NODE" offline
says "an unload fails and says where the data can be copied" 2 'was removed.*/proc/[0-9]*/fd/[0-9]*.*--force' \
    pseudotape unload 0
copy=$(grep -o '/proc/[0-9]*/fd/[0-9]*' <<<"$output" | head -1)
says "the status says it too" 0 "$copy" pseudotape status
check "there it is copied" cp "$copy" copied.ptape
says "who insists has it taken out" 0 'unloaded .*gone.ptape.*its file is gone' pseudotape unload 0 --force
same "no error is shown of what is out" 0 "$(pseudotape status | grep -c -e "$copy" -e 'last error .*removed')"
check "the copy is loaded" pseudotape load 0 "$WORK/copied.ptape"
same "the new cartridge has no error" 0 "$(pseudotape status --json | grep -c '"last_error": "')"
check "everything is on the copy" tar -b 64 -df "$NODE" data
drive_down

# -- a daemon that was killed: the next load and unload put its image right, for good
cartridge killed
drive_up "image=$WORK/killed.ptape"
check "tar writes before the kill" tar -b 64 -cf "$NODE" data
drive_kill
drive_up "image=$WORK/killed.ptape"
drive_down
for load in second third; do
    drive_up "image=$WORK/killed.ptape"
    drive_down
    same "the $load load reports nothing" "" "$(pseudotape verify killed.ptape | grep found)"
done

# -- the room that is told is never more than the disk's
if mkdir -p small && mount -t tmpfs -o size=8m none small 2>mount.err; then
    left() { python3 -c 'import json, sys; print(json.load(sys.stdin)'"$1"')'; }
    for size in "" "--capacity 1G"; do
        # shellcheck disable=SC2086
        pseudotape create small/a.ptape $size >create.out
        drive_up "image=$WORK/small/a.ptape"
        most=$(df --output=size -B1 small | tail -1)
        told=$(pseudotape status --json | left '["drives"][0]["capacity"]["left_bytes"]')
        same "status tells no more than the disk has (${size:-no limit})" 1 "$((told > 1000000 && told <= most))"
        told=$(pseudotape info --json small/a.ptape | left '["left_bytes"]')
        same "info tells no more than the disk has (${size:-no limit})" 1 "$((told > 1000000 && told <= most))"
        drive_down
        pair_up
        mirror_up --leg "a=$WORK/small/a.ptape"
        told=$(leg a left_bytes)
        same "the leg tells no more than the disk has (${size:-no limit})" 1 "$((told > 1000000 && told <= most))"
        mirror_down
        drive_down
        rm small/a.ptape
    done
    umount small
else
    skip "a small disk" "$(cat mount.err)"
fi
