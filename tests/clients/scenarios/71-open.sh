# shellcheck shell=bash
# PT-06 (its master end). Who may open a drive, and when: second opens, no medium, waiting for a cartridge, being interrupted.

cartridge open
# longer than this takes on a slow machine
export DAEMON_OPTIONS="--open-wait 600"
drive_up "image=$WORK/open.ptape" ""
python3 "$PT_ROOT/tests/clients/tools/opens.py" "$NODE" "$REWIND" "${NODES[1]}" "$WORK/open.ptape" | tee -a "$RESULTS"
same "the opens were run to their end" 0 "${PIPESTATUS[0]}"
drive_down

unset DAEMON_OPTIONS
drive_up ""
CHECK_SECONDS=50 says "an open of an empty drive gives up after some seconds, not the two minutes of st" 1 'No medium found' \
    head -c 1 "$NODE"
drive_down
export DAEMON_OPTIONS="--open-wait 1"
drive_up ""
CHECK_SECONDS=50 says "open gives up after --open-wait" 1 'No medium found' head -c 1 "$NODE"
says "mt status of an empty drive" 0 'DR_OPEN' mt-st -f "$NODE" status
drive_down
