# shellcheck shell=bash
# The calls of a mount over io_uring and through /dev/fuse: which way is printed and chosen, both give the same tape, a killed
# daemon leaves a mount that the next one clears away, memory stays small, and an idle mount is idle for top as well.

if [ "$FRONT" = cuse ]; then
    excluded "calls over io_uring" "it concerns the files of a mount; nodes of CUSE are in /dev"
    return
fi
# Other tests may use the switch meanwhile: it is held, not turned.
if ! why=$("$PT_ROOT/tests/lib/has-uring" 2>&1); then
    skip "calls over io_uring" "$why"
    return
fi
"$PT_ROOT/tests/lib/with-uring" sleep 600 &
holder=$!

mkdir tree
head -c 3000000 /dev/urandom >tree/one
head -c 70000 /dev/urandom >tree/two

# served WHEN WAY: a tape of its own, written and compared on a mount whose calls come this way
served() {
    cartridge "$1"
    PSEUDOTAPE_TEST_URING=$1 drive_up "image=$WORK/$1.ptape" || return
    check "--uring $1: the way is printed" grep -q "^frontend: fuse, files in .*, by $2 " daemon.out
    for blocks in 1 20 512 4096; do
        check "--uring $1: tar -b $blocks writes" tar -b $blocks -cf "$NODE_DIR/pmtm0" tree
        check "--uring $1: and compares" tar -b $blocks -df "$NODE_DIR/pmtm0"
    done
    drive_down
}

served never /dev/fuse
served always io_uring
check "both tapes are the same" "$PSEUDOTAPE_BIN/pseudotape" compare "$WORK/never.ptape" "$WORK/always.ptape"

export PSEUDOTAPE_TEST_URING=always
drive_up "image=$WORK/always.ptape"
tar -b 4096 -cf "$NODE_DIR/pmtm0" tree
most=$(awk '/^VmHWM:/ { print $2 }' "/proc/$DAEMON/status")
same "a daemon with a drive takes less than 64 MiB" yes "$([ "$most" -lt 65536 ] && echo yes || echo "$most KiB")"
# A thread that waits for a request would count as one that waits for a disk: an idle machine showed 100 % of iowait.
newer=$(printf '6.15\n%s\n' "$(uname -r)" | sort -V | tail -1)
if [ "$newer" = 6.15 ]; then
    skip "an idle mount waits for no disk" "Linux $(uname -r) can't be told so before 6.15"
else
    rings=$(cat "/proc/$DAEMON"/task/*/comm | grep -c '^ring-')
    for ((tries = 0; tries < 1000; tries++)); do
        waiting=$(awk '/^procs_blocked/ { print $2 }' /proc/stat)
        [ "$waiting" -ge "$rings" ] || break
        sleep 0.1
    done
    check "an idle mount waits for no disk ($waiting tasks do, it has $rings threads)" test "$waiting" -lt "$rings"
fi
kill -KILL "$DAEMON"
daemon_gone 60 2>/dev/null # the shell would tell that it was killed
drive_up "image=$WORK/always.ptape"
check "after kill -9 the next daemon serves at the same place" tar -b 4096 -df "$NODE" tree
drive_down
kill "$holder"
