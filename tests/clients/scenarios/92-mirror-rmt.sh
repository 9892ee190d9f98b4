# shellcheck shell=bash
# PT-03, PT-07, PT-18. An image and a remote tape: behind the rmt of tar, that of dump, and ours; and what becomes of
# both when the server is killed.

tree tree 2
truncate -s 3M fs.img
check "mke2fs" mke2fs -q -t ext2 -m 0 -d tree fs.img
: >empty
pattern 6 4000000 >stream
bs=32768

# far_up CAPACITY: the mirror is drive 0, and the tape behind the server drive 1 of the same daemon
far_up() {
    cartridge near --force --capacity 60M --early-warning 256K
    cartridge far --force --capacity "$1" --early-warning 256K
    drive_up "slave=$WORK/slave,slave-wait=60,slave-timeout=60" "image=$WORK/far.ptape"
    ln -sf "${NODES[1]}" node # dump's rmt takes names of 63 characters at most
}

down() {
    mirror_down
    drive_down
}

for command in rmt-tar rmt-dump "pseudotape-rmt --allow node=${NODES[1]}"; do
    server=${command%% *}
    PATH=$PATH:/usr/sbin command -v "$server" >/dev/null || {
        fail "$server" "it is not installed"
        continue
    }
    far="far=rmt:localhost:node,command=env PATH=$PATH:/usr/sbin $command"

    far_up 60M
    mirror_up --leg "near=$WORK/near.ptape" --leg "$far,class=spare"
    check "the log says whose host is waited for ($server)" grep -q 'leg far: opening rmt:localhost:node' mirror.err
    check "tar to an image and $server" tar -b 20 -cf "$NODE" tree
    # larger ones come in two pieces in User Mode Linux of Debian 12 (docs/decisions/0004-pieces.md), which rmt can't join
    check "a second file, of larger records ($server)" tar -b 200 -cf "$NODE" tree
    check "back to the second one ($server)" mt-st -f "$NODE" asf 1
    check "it is written anew ($server)" dd if=stream of="$NODE" bs=$bs iflag=fullblock
    same "both legs are copies ($server)" "in-step in-step" "$(leg near state) $(leg far state)"
    check "rewind ($server)" mt-st -f "$NODE" rewind
    mkdir out
    check "tar from the mirror ($server)" tar -b 20 -C out -xpf "$REWIND"
    same_tree "it brings everything back ($server)" tree out/tree
    rm -rf out
    check "behind both files ($server)" mt-st -f "$NODE" eod
    file=$(position | cut -d/ -f1)
    # the same as in 40-dump.sh
    check "dump to an image and $server" unshare --mount bash -c 'mount --bind empty /etc/fstab 2>/dev/null
        mount -t tmpfs none /proc && exec dump -0 -b 10 -f "$0" fs.img' "$NODE"
    check "offline ($server)" mt-st -f "$NODE" offline
    down
    for copy in near far; do
        drive_up "image=$WORK/$copy.ptape"
        check "to the dump of the $copy copy ($server)" mt-st -f "$NODE" asf "$file"
        mkdir out
        check "restore from the $copy copy ($server)" bash -c 'cd out && exec restore -r -b 10 -f "$0"' "$NODE"
        rm -rf out/lost+found out/restoresymtable
        touch -r tree out # restore sets no time on the root of what it restores
        same_tree "it brings everything back from the $copy copy ($server)" tree out
        rm -rf out
        drive_down
    done
    says "both copies are the same ($server)" 0 '^identical: ' pseudotape compare near.ptape far.ptape
    for copy in near far; do check "$copy verifies ($server)" pseudotape verify $copy.ptape; done

    # the first end of tape, at the remote leg, which can't say how much fits
    far_up 2M
    mirror_up --leg "near=$WORK/near.ptape" --leg "$far"
    says "records until the end of the remote tape ($server)" 1 'No space left on device' \
        dd if=stream of="$NODE" bs=$bs iflag=fullblock
    taken=$(sed -n 's/^\([0-9]*\) bytes.*/\1/p' <<<"$output")
    check "offline at the end ($server)" mt-st -f "$NODE" offline
    down
    says "both copies end at the same place ($server)" 0 '^identical: ' pseudotape compare near.ptape far.ptape
    check "there is what was acknowledged ($server)" cmp <(pseudotape dump near.ptape) <(head -c "$taken" stream)
done

# kill -9 of the server, in the middle of a job
far="far=rmt:localhost:far,command=$PSEUDOTAPE_BIN/pseudotape-rmt --via $WORK/rmt.socket"
for class in required spare; do
    cartridge near --force --capacity 60M --early-warning 256K
    cartridge far --force --capacity 60M --early-warning 256K
    server_up
    pair_up
    mirror_up --leg "near=$WORK/near.ptape" --leg "$far,class=$class"
    rm -f fifo
    mkfifo fifo
    dd if=fifo of="$NODE" bs=$bs iflag=fullblock 2>dd.err &
    writer=$!
    exec 9>fifo
    dd if=stream bs=$bs count=30 status=none >&9
    tenths=0
    until [ "$(leg far object)" = 30 ]; do
        [ $tenths -lt 1200 ] || {
            fail "30 records are behind the server ($class)" "$(leg far object)"
            break
        }
        sleep 0.1
        tenths=$((tenths + 1))
    done
    server_kill
    dd if=stream bs=$bs skip=30 count=30 status=none >&9 2>/dev/null
    exec 9>&-
    code=0
    wait $writer || code=$?
    if [ $class = required ]; then
        # on FUSE close(2) fails as well, and dd tells no counts then
        told='30\+0 records out'
        [ "$FRONT" != fuse ] || told='closing output file'
        says "kill -9 of the server of a required leg" 1 "Input/output error.*$told" \
            bash -c "cat dd.err; exit $code"
        says "nothing more is written meanwhile" 1 'Input/output error' dd if=stream of="$NODE" bs=$bs count=1
        records=30
    else
        says "kill -9 of the server of a spare leg" 0 '60\+0 records out' bash -c "cat dd.err; exit $code"
        records=60
    fi
    says "the leg is marked, with the last object that is known ($class)" 1 \
        'degraded.*leg far  out of step: not mirrored from object 30 on.*pseudotape-mirror (resync|return) far' \
        pseudotape-mirror status
    same "the other one is a copy ($class)" in-step "$(leg near state)"
    check "what the server left behind verifies ($class)" pseudotape verify far.ptape
    check "it is what was acknowledged ($class)" cmp <(pseudotape dump far.ptape) <(head -c $((bs * 30)) stream)
    says "without a server the leg does not come back ($class)" 2 'far' pseudotape-mirror return far
    server_up
    says "with one it does ($class)" 0 'in step' pseudotape-mirror return far
    says "the mirror is whole again ($class)" 0 'mirror     in step' pseudotape-mirror status
    check "to the end of data ($class)" mt-st -f "$NODE" eod
    check "the job goes on ($class)" dd if=stream of="$NODE" bs=$bs skip=$records count=30
    check "offline again ($class)" mt-st -f "$NODE" offline
    down
    server_kill
    says "both copies are the same ($class)" 0 '^identical: ' pseudotape compare near.ptape far.ptape
    check "with all records ($class)" cmp <(pseudotape dump near.ptape) <(head -c $((bs * (records + 30))) stream)
done

# -- SIGTERM while the server hangs: the mirror ends when its patience does, and says what it left
cartridge near --force --capacity 60M --early-warning 256K
cartridge far --force --capacity 60M --early-warning 256K
server_up
pair_up
mirror_up --end-wait 2 --leg "near=$WORK/near.ptape" --leg "$far"
check "ten records before the server hangs" dd if=stream of="$NODE" bs=$bs count=10
kill -STOP $RMT_SERVER
dd if=stream of="$NODE" bs=$bs skip=10 count=1 2>dd.err &
writer=$!
tenths=0
until mirror_json | grep -q 'a call of the program' || [ $((tenths += 1)) -gt 1000 ]; do sleep 0.1; done
kill -TERM "$MIRROR"
if mirror_gone 120; then
    same "the mirror ends with 1" 1 "$mirror_code"
else
    fail "the mirror ends" "$(tail -n 5 mirror.err)"
    mirror_kill
fi
says "it says how long it waited" 0 'for 2 s no leg did anything' cat mirror.err
says "and for what" 0 'it waited for: a call of the program' cat mirror.err
says "and what it left" 0 'leg far: its volume was not closed' cat mirror.err
server_kill
code=0
wait $writer || code=$?
same "the program is told" 1 "$((code > 0))"
drive_down
check "the other leg has what was acknowledged" cmp -n $((bs * 10)) <(pseudotape dump near.ptape) stream
server_up
pair_up
mirror_up --leg "near=$WORK/near.ptape" --leg "$far"
pseudotape-mirror status >status.out || true
if grep -q disagree status.out; then
    says "the next start says what to do" 0 'trust LEG.*resync LEG' cat status.out
    check "the longer one is right" pseudotape-mirror trust near
fi
check "the other one is brought in step" pseudotape-mirror resync far

# another tape in the same remote drive
check "behind everything" mt-st -f "$NODE" eod
check "the leg is dropped" pseudotape-mirror drop far
server_kill
mv far.ptape right.ptape
cartridge far --force --capacity 60M --early-warning 256K
drive_down
drive_up "image=$WORK/far.ptape"
check "somebody's tape" tar -b 40 -cf "$NODE" tree tree
drive_down
cp far.ptape others.ptape
server_up
pair_up
mirror_attached
says "the leg does not take it for its own, and names both" 2 \
    'not known to be what was in leg far \(it held the first [0-9]+ objects.*began with a block of 32768 bytes.*it is a tape that begins with a block of 20480 bytes .*tree/.*--force' \
    pseudotape-mirror return far
check "nothing was done to it" cmp far.ptape others.ptape
server_kill
mv right.ptape far.ptape
server_up
says "the right one returns" 0 'in step' pseudotape-mirror return far
check "offline after that" mt-st -f "$NODE" offline
down
server_kill
says "both copies are the same again" 0 '^identical: ' pseudotape compare near.ptape far.ptape
