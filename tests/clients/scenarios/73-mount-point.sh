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
    CHECK_SECONDS=60 says "$1" "$2" "$3" "${@:5}" "$PSEUDOTAPE_BIN/pseudotape-dev" --drive '' --fuse "$4" \
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
    daemon_gone 60 2>/dev/null
    says "what a killed daemon left takes no backup" 2 'not connected|canceled|connection abort' tar -cf "$NODE" tree
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
daemon_gone 60
says "a daemon whose mount goes ends with an error" 0 'was unmounted' cat daemon.err
# shellcheck disable=SC2154 # daemon_gone sets it
same "and takes the directory with it" "1 gone" "$daemon_code $([ -e "$NODE_DIR" ] && echo there || echo gone)"

# Parents that the daemon made go as well; those that hold something else, or were there before, stay.
plain_dir=$NODE_DIR
for other in '' other; do
    NODE_DIR=$WORK/above/one/two NODE=$WORK/above/one/two/npmtm0
    mkdir "$WORK/above"
    drive_up "image=$WORK/mount-point.ptape"
    [ -z "$other" ] || mkdir "$WORK/above/one/$other"
    drive_down
    same "parents that the daemon made go with it${other:+, but not one that holds something else}" \
        "above${other:+ above/one above/one/other}" "$(cd "$WORK" && find above | sort | xargs)"
    rm -r "$WORK/above"
done
NODE_DIR=$plain_dir NODE=$plain_dir/npmtm0

# mounts: what is mounted at the directory, from below
mounts() {
    awk -v point="$NODE_DIR" '$2 == point { print $3 }' /proc/self/mounts | xargs
}

# What lies below at the same directory is nobody's to take away: not where the mount ends with a file open, and not
# where somebody else unmounts.
mkdir "$NODE_DIR"
mount -t tmpfs below "$NODE_DIR"
for how in idle held umount; do
    drive_up "image=$WORK/mount-point.ptape"
    same "a mount above another one: $how" "tmpfs fuse" "$(mounts)"
    case $how in
        idle) drive_down ;;
        held)
            exec 8<"$NODE"
            drive_down
            exec 8<&-
            ;;
        umount)
            umount "$NODE_DIR"
            daemon_gone 60
            ;;
    esac
    same "the one below is still there: $how" tmpfs "$(mounts)"
done
umount "$NODE_DIR"
rmdir "$NODE_DIR"

# A copy of the mount in another mount namespace, as a service has one: the daemon ends for all of them.
for reads in '' yes; do
    [ -n "$reads" ] || mkdir "$NODE_DIR" # one that stays, and so does the copy over it
    drive_up "image=$WORK/mount-point.ptape"
    # shellcheck disable=SC2016 # for the other shell
    unshare -m bash -c '[ -z "$2" ] || exec 7<"$1"; : >"$3"; exec sleep 600' - "$NODE" "$reads" "$WORK/copied" &
    copy=$!
    tenths=0
    until [ -e "$WORK/copied" ] || [ $tenths -gt 600 ]; do
        sleep 0.1
        tenths=$((tenths + 1))
    done
    same "a copy of the mount is elsewhere${reads:+, with a file open}" 1 "$(grep -c " $NODE_DIR fuse" /proc/$copy/mounts)"
    drive_down # with exit code 0
    same "the daemon ends all the same" "" "$(mounts)"
    CHECK_SECONDS=60 says "and the copy is dead" 1 'not connected|No such file' nsenter -m -t $copy head -c 1 "$NODE"
    [ -n "$reads" ] || rmdir "$NODE_DIR"
    kill $copy
    wait $copy 2>/dev/null
    rm "$WORK/copied"
done

# A request that is on its way when the daemon ends does not keep the mount.
lost=
for ((round = 0; round < 10; round++)); do
    drive_up "image=$WORK/mount-point.ptape"
    for _ in 1 2 3; do
        while stat "$NODE" >/dev/null 2>&1; do :; done &
    done
    drive_down
    wait
    lost+=$(mounts)
done
same "no mount stays when programs ask at the same time" "" "$lost"
