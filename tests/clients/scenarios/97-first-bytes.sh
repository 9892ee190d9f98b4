# shellcheck shell=bash
# CW-75: the desktop (GLib, by shared-mime-info) and file(1) know images, capsules and directories of farms by the files of packaging:
# by their first bytes where the names say nothing, and a capsule by its name. What only begins like one is none.

if [ "$FRONT" = cuse ]; then
    excluded "what files are called" "no drive is used: it is the same as beside the FUSE mount"
    return
fi
mkdir -p share/mime/packages farm
cp "$PT_ROOT/packaging/mime/pseudotape.xml" share/mime/packages/
check "the types are made without a complaint" bash -c '[ -z "$(XDG_DATA_HOME=$PWD/share update-mime-database share/mime 2>&1)" ]'
check "an image is made" pseudotape create one.ptape
check "one that has several partitions" pseudotape create --worm worm.ptape
echo text >text
check "a farm has a volume" pseudotape farm --root farm copy V text
check "one that is structured and compressed" pseudotape farm --root farm copy Z text --structured --compression on
cp one.ptape image && cp farm/V/FILE000.dir directory && cp farm/V/FILE0000001.ptape capsule
head -c 7 one.ptape >'cut' && printf 'pseudotape farming\n' >words

called() { XDG_DATA_HOME=$WORK/share XDG_DATA_DIRS=$WORK/none gio info -a standard::content-type "$1" | sed -n 's/^.*standard::content-type: //p'; }
desktop() { same "the desktop calls $1 $2" "$2" "$(called "$1")"; }
desktop one.ptape application/x-pseudotape-image
desktop image application/x-pseudotape-image
desktop farm/V/FILE0000001.ptape application/x-pseudotape-capsule
desktop capsule application/x-pseudotape-image
desktop farm/V/FILE000.dir application/x-pseudotape-directory
desktop directory application/x-pseudotape-directory
desktop words text/plain

magic() { file -b -m "$PT_ROOT/packaging/magic/pseudotape" "$@"; }
same "the fragment of file(1) has no fault" "" "$(cd "$WORK" && file -C -m "$PT_ROOT/packaging/magic/pseudotape" 2>&1)"
same "file knows an image" "pseudotape image, format 1" "$(magic image)"
same "and one that is WORM" "pseudotape image, format 1, WORM" "$(magic worm.ptape)"
same "file knows a capsule by its bytes" "pseudotape capsule of a disk farm" "$(magic capsule)"
same "one that is compressed is an image" "pseudotape image, format 1" "$(magic farm/Z/FILE0000001.ptape)"
same "file knows a directory" "pseudotape directory of a volume of a disk farm, version 1, 1 files" "$(magic directory)"
same "with its marks" "pseudotape directory of a volume of a disk farm, version 2, compressed, structured, 1 files" \
    "$(magic farm/Z/FILE000.dir)"
same "the types of file are those of the desktop" \
    "application/x-pseudotape-image application/x-pseudotape-capsule application/x-pseudotape-directory" \
    "$(magic --mime-type image capsule directory | xargs)"
same "what is cut off is none" "" "$(magic cut words | grep pseudotape\ )"
