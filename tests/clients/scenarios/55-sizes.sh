# shellcheck shell=bash
# PT-02. One system call is one record, whatever pieces the kernel makes of it: sizes, alignments, vectors; and reads with
# larger, equal and smaller buffers.

cartridge sizes
drive_up "image=$WORK/sizes.ptape"
python3 "$PT_ROOT/tests/clients/tools/sizes.py" "$NODE" | tee -a "$RESULTS"
same "the table of sizes was run to its end" 0 "${PIPESTATUS[0]}"
drive_down
check "pseudotape verify after the sizes" pseudotape verify sizes.ptape

# ST-WRITE-04: without st's own limits the drive says what is too long, however many pieces the kernel makes of it
cartridge limits
drive_up "image=$WORK/limits.ptape,personality=scsi_debug"
check "options without block limits" pseudotape options 0 no-blklimits
says "a record above the drive's largest is an error" 1 'Input/output error' \
    dd if=/dev/zero of="$NODE" bs=2M count=1
drive_down
if [ "$FRONT" = fuse ] || [ -e /proc/self/syscall ]; then
    same "nothing of it is on the tape" 1 "$(pseudotape ls limits.ptape --json | grep -c '"blocks": 0,')"
else
    excluded "nothing of it is on the tape" "without /proc/PID/syscall the first piece is a record before the last one comes"
fi
