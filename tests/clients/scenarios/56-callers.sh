# shellcheck shell=bash
# PT-02, PT-06. Callers of all kinds: in another pid namespace, two threads, copies of a descriptor, children, interrupted by
# signals, with bad pointers. 32-bit callers: 80-callers32; records of all sizes and of 0 bytes: 55-sizes.

cartridge callers
drive_up "image=$WORK/callers.ptape"
timeout 400 python3 "$PT_ROOT/tests/clients/tools/callers.py" "$NODE" | tee -a "$RESULTS"
same "the callers were run to their end" 0 "${PIPESTATUS[0]}"
drive_down
check "pseudotape verify after the callers" pseudotape verify callers.ptape
