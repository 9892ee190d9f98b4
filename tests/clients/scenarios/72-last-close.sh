# shellcheck shell=bash
# PT-02: what close(2) promises is done when it has returned, however the daemon ends next; a filemark comes when
# the last descriptor of an open file is closed, and no earlier.

ROUNDS=${ROUNDS:-40}

# recorded IMAGE: a letter an object
recorded() {
    python3 "$PT_ROOT/tests/clients/tools/recorded.py" "$PSEUDOTAPE_BIN/pseudotape" "$1" 2>&1
}

# rounds_of SIGNAL EXPECTED_CODE: a close, and the signal at once
rounds_of() {
    local round lost=0 codes=
    for ((round = 0; round < ROUNDS; round++)); do
        cartridge "round"
        drive_up "image=$WORK/round.ptape" || return
        daemon=$DAEMON
        python3 - "$NODE" "$daemon" "$1" <<'PYTHON'
import os, sys
node, daemon, signal = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
tape = os.open(node, os.O_WRONLY)
for _ in range(3):
    os.write(tape, b"x" * 10240)
os.close(tape)
os.kill(daemon, signal)
PYTHON
        daemon_gone 50 2>/dev/null || { fail "signal $1 after a close" "the daemon is still there" && return; }
        [ "$daemon_code" = "$2" ] || codes+=" $daemon_code"
        nodes_clear
        [ "$(recorded "$WORK/round.ptape")" = bbbf ] || lost=$((lost + 1))
        rm -f "$WORK/round.ptape"
    done
    same "signal $1 right after a close: filemarks lost in $ROUNDS rounds" 0 "$lost"
    same "signal $1 right after a close: other exit codes than $2" "" "$codes"
}

# A program still has a file of that name open, of a daemon that was killed: that is another file.
cartridge earlier
drive_up "image=$WORK/earlier.ptape"
exec 9<"$NODE"
drive_kill

rounds_of 15 0
rounds_of 9 137 2>/dev/null # the shell tells of each that was killed
exec 9<&-

# Descriptors of one open file: duplicates, children, one on its way to another process.
cartridge shared
drive_up "image=$WORK/shared.ptape"
check "descriptors are passed on" python3 "$PT_ROOT/tests/clients/tools/descriptors.py" "$NODE"
bash -c '{ printf one; /bin/echo two; /bin/echo three; } >"$0"' "$NODE"
(exec 7>"$NODE" && for word in one two; do /bin/echo "$word" >&7; done)
drive_down
same "one filemark for each open file" bbfbbbfbbfbfbbbfbbf "$(recorded "$WORK/shared.ptape")"

# A program that runs another one, and whose descriptors are closed by that: the close comes in the middle of an execve(2), and
# is done when the other program runs. The daemon asks /proc who else has the file open; a kernel (6.18) makes who asks for
# too much of such a process wait for the end of its execve, which waits for the daemon.
cartridge replaced
drive_up "image=$WORK/replaced.ptape"
daemon=$DAEMON
python3 - "$NODE" "$daemon" <<'PYTHON' 2>/dev/null
import os, sys
tape = os.open(sys.argv[1], os.O_WRONLY)  # closed on exec, as Python opens everything
other = os.dup(tape)
os.write(tape, b"x" * 10240)
child = os.fork()
if child == 0:
    os.execv("/bin/true", ["true"])
os.waitpid(child, 0)
os.write(other, b"x" * 10240)
os.execv("/bin/sh", ["sh", "-c", f"kill -9 {sys.argv[2]}"])
PYTHON
daemon_gone 50 2>/dev/null || fail "a program that runs another one" "the daemon is still there"
nodes_clear
same "descriptors that an execve closes: the last one ends the tape file" bbf "$(recorded "$WORK/replaced.ptape")"

# A program that still has its file open when the daemon ends: it is told, and so is the operator.
cartridge held
drive_up "image=$WORK/held.ptape"
exec 8>"$NODE"
printf 'a record' >&8
kill -TERM "$DAEMON"
daemon_gone 50
same "SIGTERM while a program has a file open that it wrote: exit code" 3 "$daemon_code"
if grep -q "npmtm0 was still open by .*pid [0-9]*.*its tape file ends here" "$WORK/daemon.err"; then
    ok "SIGTERM while a program has a file open that it wrote: the log says so"
else
    fail "SIGTERM while a program has a file open that it wrote: the log says so" "$(cat "$WORK/daemon.err")"
fi
exec 8>&-
nodes_clear
same "SIGTERM while a program has a file open that it wrote: the tape file is ended" bf "$(recorded "$WORK/held.ptape")"
drive_up "image=$WORK/held.ptape"
exec 8<"$NODE"
drive_down # exit code 0
exec 8<&-
