# shellcheck shell=bash
# The directory of a mount when no daemon is there: one that the daemon made is gone, so that no program takes a plain file
# in it for a tape; one that holds anything is refused; what a killed daemon left is cleared away.

if [ "$FRONT" = cuse ]; then
    excluded "the directory of a mount" "nodes of CUSE are in /dev"
    return
fi
mkdir tree
head -c 30000 /dev/urandom >tree/one
cartridge mount-point

# started NAME CODE PATTERN DIR [COMMAND...]: a daemon for DIR, started by COMMAND, ends at once with these words
started() {
    CHECK_SECONDS=20 says "$1" "$2" "$3" "${@:5}" "$PSEUDOTAPE_BIN/pseudotape-dev" --drive '' --fuse "$4" \
        --control "$WORK/other"
}

# without the right to mount, and with no helper that has it
no_mount=(env FUSERMOUNT_PATH=/none/fusermount3 setpriv --bounding-set -sys_admin)

drive_up "image=$WORK/mount-point.ptape"
check "a directory that is not there is made" tar -cf "$NODE" tree
started "a second daemon is refused" 1 'already served by another pseudotape-dev' "$NODE_DIR"
drive_down # checks that it is gone
same "it goes with the daemon" gone "$([ -e "$NODE_DIR" ] && ls -a "$NODE_DIR" || echo gone)"
says "without the daemon tar writes nowhere" 2 'No such file or directory' tar -cf "$NODE" tree
started "a mount that fails" 1 "can't mount" "$NODE_DIR" "${no_mount[@]}"
same "leaves nothing either" gone "$([ -e "$NODE_DIR" ] && ls -a "$NODE_DIR" || echo gone)"

mkdir -m 0750 "$NODE_DIR"
before=$(stat -c '%i %a %Z' "$NODE_DIR")
drive_up "image=$WORK/mount-point.ptape"
check "the log says that a directory which was there stays" grep -q 'was there before and stays' daemon.err
drive_down
started "also when its mount fails" 1 "can't mount" "$NODE_DIR" "${no_mount[@]}"
same "as it was" "$before" "$(stat -c '%i %a %Z' "$NODE_DIR")"

# what an unattended job does on such a day
check "a backup goes into a plain file" tar -cf "$NODE" tree
sum=$(sha256sum <"$NODE")
started "the next start says so" 1 'plain file npmtm0 of 40.0 KiB.*may be a backup.*Move it away' "$NODE_DIR"
same "and leaves it alone" "$sum" "$(sha256sum <"$NODE")"
mv "$NODE" saved
drive_up "image=$WORK/mount-point.ptape"
check "once it is moved away, it can be put onto the tape as the message says" dd if=saved of="$NODE" obs=10240 status=none
mt-st -f "$NODE" rewind
check "and read" tar -df "$NODE"
drive_down
cp mount-point.ptape "$NODE_DIR/image.ptape"
started "a directory with images is refused" 1 'it holds image.ptape, which a mount would hide.*does not exist' "$NODE_DIR"
rm -r "$NODE_DIR"

# killed daemons: of a directory that they made, and of one that was there
for made in yes no; do
    [ $made = yes ] || mkdir "$NODE_DIR"
    drive_up "image=$WORK/mount-point.ptape"
    kill -KILL "$DAEMON"
    daemon_gone 10 2>/dev/null
    says "what a killed daemon left takes no backup" 2 'not connected' tar -cf "$NODE" tree
    : >daemon.err
    drive_up "image=$WORK/mount-point.ptape"
    check "the next start clears it away and says so" grep -q 'has died without its end.*cleared away' daemon.err
    same "nothing is mounted twice" 1 "$(grep -c " $NODE_DIR fuse" /proc/mounts)"
    check "and serves" mt-st -f "$NODE" rewind
    NODE_DIR_MADE='' drive_down
    same "a directory that the killed daemon had made is gone: $made" $made "$([ -e "$NODE_DIR" ] && echo no || echo yes)"
done
rmdir "$NODE_DIR"

# somebody else unmounts
drive_up "image=$WORK/mount-point.ptape"
umount "$NODE_DIR"
daemon_gone 20
says "a daemon whose mount goes ends with an error" 0 'was unmounted' cat daemon.err
# shellcheck disable=SC2154 # daemon_gone sets it
same "and takes the directory with it" "1 gone" "$daemon_code $([ -e "$NODE_DIR" ] && echo there || echo gone)"
