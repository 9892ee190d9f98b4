# shellcheck shell=bash
# PT-02. One system call is one record, whatever pieces the kernel makes of it: sizes, alignments, vectors; and reads with
# larger, equal and smaller buffers.

cartridge sizes
drive_up "image=$WORK/sizes.ptape"
python3 "$PT_ROOT/tests/clients/tools/sizes.py" "$NODE" | tee -a "$RESULTS"
same "the table of sizes was run to its end" 0 "${PIPESTATUS[0]}"
drive_down
check "pseudotape verify after the sizes" pseudotape verify sizes.ptape
