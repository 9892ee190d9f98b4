# shellcheck shell=bash
# A drive that is reset between the last write and close(2): the program that closes is told, as by the kernel's st.

if [ "$FRONT" = cuse ]; then
    excluded "a reset behind the last write" "the kernel asks no daemon what close(2) on a CUSE node is to return"
    return
fi
cartridge reset
drive_up "image=$WORK/reset.ptape"
timeout 300 python3 "$PT_ROOT/tests/clients/tools/reset.py" "$NODE" "$PSEUDOTAPE_CONTROL" | tee -a "$RESULTS"
same "it was tried to its end" 0 "${PIPESTATUS[0]}"
