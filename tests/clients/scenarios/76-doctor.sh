# shellcheck shell=bash
# `pseudotape doctor`: whether a drive can be had, which, and with --try that it works. The exit code says the same.

mkdir tmp
export TMPDIR=$WORK/tmp
says "a drive can be had" 0 "ok +a drive +yes: .*$FRONT" pseudotape doctor
says "a drive is tried: $FRONT" 0 "ok +try: $FRONT +a drive was started, a record of 64 KiB written and read, and the drive ended" \
    pseudotape doctor --try
same "nothing stays of it" "" "$(ls tmp; ls "/dev/pmtm0" 2>/dev/null; grep " $WORK/tmp" /proc/mounts)"
says "the report for programs has the trial" 0 '"name": ?"try: '"$FRONT"'"' pseudotape --json doctor --try

cartridge doctor
drive_up "image=$WORK/doctor.ptape"
tried='a drive was started'
[ "$FRONT" = fuse ] || tried='not tried: /dev/pmtm0 is there, so a daemon has it'
says "beside a daemon" 0 "ok +try: $FRONT +$tried.*ok +daemon" pseudotape doctor --try
drive_down

if [ "$FRONT" = fuse ] && [ ! -e /dev/cuse ]; then
    no_mount=(env FUSERMOUNT_PATH=/none/fusermount3 setpriv --bounding-set -sys_admin)
    says "where nobody may mount, there is no drive" 1 "MISSING a drive +no: .*MISSING fuse mount" "${no_mount[@]}" pseudotape doctor
    says "and the trial says why" 1 "MISSING try: fuse +pseudotape-dev: can't mount $WORK/tmp/" "${no_mount[@]}" pseudotape doctor --try
    same "nothing stays of that" "" "$(ls tmp)"
fi
