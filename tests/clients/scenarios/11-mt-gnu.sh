# shellcheck shell=bash
# PT-01. Operations of GNU mt that the transcripts of real drives (12, 13) lack.

if [ "$FRONT" = fuse ]; then
    excluded mt-gnu "it refuses what is not a character special file, and a FUSE node is a regular file"
    return
fi
cartridge mt-gnu
drive_up "image=$WORK/mt-gnu.ptape,personality=scsi_debug"
check "mt-gnu rewoffl" mt-gnu -f "$NODE" rewoffl
check "mt load after rewoffl" mt-st -f "$NODE" load
check "mt-gnu eject" mt-gnu -f "$NODE" eject
check "mt load after eject" mt-st -f "$NODE" load
check "mt-gnu eof" mt-gnu -f "$NODE" eof 2
same "mt-gnu eof writes filemarks" 2/0 "$(position)"
