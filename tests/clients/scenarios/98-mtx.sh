# shellcheck shell=bash
# PT-13. What mtx itself prints on a changer's node, byte for byte: recorded once, and run again here by mtx on the node and by
# `pseudotape changer`, which stands in for it under the name `mtx` where a mount can carry no SCSI commands.

# robot FOLDER: a new library with three cartridges
robot() {
    check "a library is made" pseudotape library create "$1" --name vault --serial PTLmtx --drives 2 --slots 5 \
        --import-export 1 --capacity 4M
    DAEMON_OPTIONS="--library $WORK/$1" drive_up
    check "it gets cartridges" pseudotape library add --count 3
}

if [ "$FRONT" = cuse ]; then
    robot itself
    export CHANGER=/dev/pmch0
    replay mtx
    drive_down
else
    excluded "mtx itself" "a file of a mount carries no request that points to memory"
fi
robot ours
mkdir bin
ln -s "$(command -v pseudotape)" bin/mtx
export CHANGER=$PSEUDOTAPE_CONTROL
PATH=$WORK/bin:$PATH replay mtx
drive_down
