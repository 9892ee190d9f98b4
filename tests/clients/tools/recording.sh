# shellcheck shell=bash
# What was typed at a real st node, replayed on ours: mt-st, GNU mt, tar, cpio, cp, dd, head, dump, restore. One drive for all
# sections of a recording, as it was: options stay from one to the next.

small_tree src
IMAGES=$(mktemp -d /tmp/images.XXXXXX) # dump cuts a longer name
export IMAGES
trap 'rm -rf "$IMAGES"; clean_up' EXIT
truncate -s 20M "$IMAGES/fs.img"
check "mke2fs" mke2fs -q -t ext2 -d src "$IMAGES/fs.img"
mkdir bin
ln -s "$(command -v mt-st)" bin/mt # as it was called
# dump takes a regular file for a directory of the file system that holds it, if it finds one in the table of mounts;
# so it gets to see an empty one
: >empty
cat >bin/dump <<END
#!/bin/sh
exec unshare --mount sh -c 'mount --bind empty /etc/fstab 2>/dev/null
    mount -t tmpfs none /proc && mkdir /proc/self && : >/proc/self/mounts && exec /usr/sbin/dump "\$@"' dump "\$@"
END
chmod +x bin/dump
PATH=$WORK/bin:$PATH

# recording NAME PERSONALITY
recording() {
    local section
    cartridge "$1"
    drive_up "image=$WORK/$1.ptape,personality=$2"
    for section in mt mt-gnu tar cpio dump; do
        if [ "$section-$FRONT" = mt-gnu-fuse ]; then
            excluded "$1-mt-gnu" "GNU mt refuses what is not a character special file, and a FUSE node is a regular file"
        else
            replay "$1-$section"
        fi
    done
    drive_down
}
