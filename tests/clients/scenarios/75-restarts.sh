# shellcheck shell=bash
# 200 times: start, open, and stop the daemon (by SIGTERM and SIGKILL in turn) while the node is open.

cartridge restarts
python3 "$PT_ROOT/tests/clients/tools/restarts.py" "$FRONT" "$NODE_DIR" "$WORK/restarts.ptape" 200 | tee -a "$RESULTS"
same "the restarts were run to their end" 0 "${PIPESTATUS[0]}"
nodes_clear
check "pseudotape verify after the restarts" pseudotape verify restarts.ptape
