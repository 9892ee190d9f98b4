# shellcheck shell=bash
# PT-03, PT-08. Unmodified clients against pseudotape-rmt, and our client against the rmt of tar and of dump.

tree tree 4

# Called like rsh; the server is what $SERVER says, whatever the client asks for.
cat >rsh <<'END'
#!/bin/sh
echo "$*" >>"$WORK/rsh.log"
exec $SERVER
END
chmod +x rsh
export RSH=$WORK/rsh

# server_up ARGUMENT...: a server that keeps the places of its tapes; $SERVER is the way there
server_up() {
    local twentieths=0
    : >server.out # of the server before
    : >server.out # what an earlier server said must not pass for this one's word
    pseudotape-rmt --listen "$WORK/rmt.socket" "$@" >server.out 2>>server.log &
    RMT_SERVER=$!
    until grep -q '^listening' server.out; do
        kill -0 "$RMT_SERVER" 2>/dev/null && [ $twentieths -lt 2400 ] || {
            fail "start pseudotape-rmt" "$(cat server.log)"
            return 1
        }
        sleep 0.05
        twentieths=$((twentieths + 1))
    done
    export SERVER="pseudotape-rmt --via $WORK/rmt.socket"
}

server_down() {
    kill "$RMT_SERVER" && wait "$RMT_SERVER" 2>/dev/null
    rm -f rmt.socket
}

remote_tar() {
    tar --rsh-command="$RSH" --rmt-command=/etc/rmt "$@"
}
remote_cpio() {
    cpio --rsh-command="$RSH" "$@"
}
remote_mt() {
    mt-gnu --rsh-command="$RSH" -f "localhost:$1" "${@:2}"
}
export -f remote_tar remote_cpio remote_mt
# a function for `check`, which starts programs
call() { bash -c '"$@"' call "$@"; }
export -f call

for name in a b c; do cartridge "$name" --capacity 2500K --early-warning 256K; done
cartridge tape
server_up --allow "ntape=$WORK/tape.ptape" --allow-rewinding tape=ntape \
    --allow "a=$WORK/a.ptape" --allow "b=$WORK/b.ptape" --allow "c=$WORK/c.ptape"

# GNU tar
check "tar -c, small records" bash -c 'remote_tar -b 1 -cf localhost:ntape tree/deep/er/and'
check "tar -c, usual records" bash -c 'remote_tar -cf localhost:ntape tree'
check "tar -c, records of 1 MiB" bash -c 'remote_tar -b 2048 -cf root@localhost:ntape tree'
same "tar gives the user to the remote shell" "localhost -l root /etc/rmt" "$(tail -1 rsh.log)"
check "mt rewind" bash -c 'remote_mt ntape rewind'
check "mt fsf" bash -c 'remote_mt ntape fsf 1'
mkdir out
check "tar -x" bash -c 'remote_tar -xpf localhost:ntape -C out'
same_tree "tar brings everything back" tree out/tree
rm -rf out
check "mt fsf over the filemark" bash -c 'remote_mt ntape fsf 1'
mkdir out
check "tar -x, records of 1 MiB" bash -c 'remote_tar -b 2048 -xpf localhost:ntape -C out'
same_tree "tar brings back records of 1 MiB" tree out/tree
rm -rf out
says "records longer than tar's are not cut" 2 'Cannot allocate memory' \
    bash -c 'remote_mt ntape asf 2; remote_tar -tf localhost:ntape'

# GNU mt
says "mt fsf behind the end" 2 'Input/output error' bash -c 'remote_mt ntape rewind; remote_mt ntape fsf 9'
says "an operation that st doesn't know" 2 'Function not implemented' bash -c 'printf "Ontape\n0\nI99\n1\n" | $SERVER >answer
    cat answer; sed -n 3p answer; exit 2'
for operation in "rewind" "fsr 3" "bsr 1" "eom" "bsf 1" "fsf 1" "bsfm 2" "fsfm 1" "seek 0" "retension" "eof 2" "asf 0"; do
    check "mt $operation" bash -c "remote_mt ntape $operation"
done
excluded "mt status" "GNU mt of cpio 2.13 takes no status that is longer than 8 bytes, which Linux has not; the rmt of tar never answers it"

# cpio
check "mt eom before cpio" bash -c 'remote_mt ntape eom'
check "cpio -o" bash -c 'find tree -print0 | remote_cpio -0 -o -H newc -C 10240 -O localhost:ntape'
check "mt bsfm to the file of cpio" bash -c 'remote_mt ntape bsfm 2'
mkdir out
check "cpio -i" bash -c 'cd out && remote_cpio -idm -H newc -C 10240 -I localhost:ntape'
# GNU cpio sets no times of links, nor of directories that it fills afterwards
find out/tree '(' -type d -o -type l ')' -exec touch -h -d '2021-02-03 04:05:06 UTC' {} +
same_tree "cpio brings everything back" tree out/tree
rm -rf out

# dump and restore
truncate -s 24M fs.img
mke2fs -q -t ext2 -d tree fs.img
: >empty
dump_image() {
    unshare --mount bash -c 'mount --bind empty /etc/fstab 2>/dev/null; mount -t tmpfs none /proc && exec dump "$@"' dump "$@" fs.img
}
export -f dump_image
check "mt rewind before dump" bash -c 'remote_mt ntape rewind'
check "dump" bash -c 'dump_image -0 -a -b 64 -f localhost:tape'
mkdir out
(cd out && exits "restore" 0 restore -r -b 64 -f localhost:tape)
rm -rf out/restoresymtable out/lost+found
touch -d '2021-02-03 04:05:06 UTC' out
same_tree "dump and restore bring everything back" tree out
rm -rf out

# A tar archive over three tapes, to early warning
check "tar -M over three remote tapes" bash -c 'remote_tar -b 20 -M -cf localhost:a -f localhost:b -f localhost:c --sort=name tree'
for name in a b c; do check "rewind $name" bash -c "remote_mt $name rewind"; done
mkdir out
check "tar -M from three remote tapes" bash -c 'remote_tar -b 20 -M -xpf localhost:a -f localhost:b -f localhost:c -C out'
same_tree "tar -M brings everything back" tree out/tree
rm -rf out

# What is not configured is not there
for path in /etc/passwd ../a.ptape "$WORK/./a.ptape" "$WORK/link" /dev/null "ntape/../a" ''; do
    ln -sf a.ptape link
    printf 'O%s\n0\nR10\n' "$path" >request
    says "the name '$path' is refused" 0 '^E(13|2)' bash -c '$SERVER <request | tr "\n" " "'
done
check "the server survives a name of 64 KiB" bash -c '{ printf O; head -c 65536 /dev/zero | tr "\0" n; printf "\n2\n"; } | $SERVER | grep -q ^E22'
says "a refusal is logged" 0 "asked for '/etc/passwd', which is not configured" cat server.log
says "a configured path is a name" 0 '^A0 ' bash -c "printf 'O$WORK/a.ptape\n0\n' | \$SERVER | tr '\n' ' '"

# A record that never comes completely is not written
check "rewind before the cut" bash -c 'remote_mt ntape rewind'
bash -c 'printf "Ontape\n2\nW5\nwholeW1000\npart" | $SERVER >answer'
server_down
check "verify what the server wrote" pseudotape verify tape.ptape
same "only whole records are written" whole "$(pseudotape dump tape.ptape)"
for name in a b c; do check "verify $name" pseudotape verify "$name.ptape"; done
says "the first tape of the archive" 0 'tar \(gnu\)' pseudotape ls a.ptape

# Our client, whose other end is the rmt of tar, of dump, and ours, each with a node
cartridge source
drive_up "image=$WORK/source.ptape"
check "the source: tar" tar -b 20 -cf "$NODE" tree
check "the source: large records" tar -b "$LARGE" -cf "$NODE" tree
drive_down
for command in rmt-tar rmt-dump "pseudotape-rmt --allow $NODE=$NODE"; do
    server=${command%% *}
    PATH=$PATH:/usr/sbin command -v "$server" >/dev/null || {
        fail "$server" "it is not installed"
        continue
    }
    cartridge target --force
    drive_up "image=$WORK/target.ptape"
    sink="rmt:localhost:$NODE,command=env PATH=$PATH:/usr/sbin $command"
    check "copy to $server" pseudotape copy source.ptape "$sink"
    check "compare with $server" pseudotape compare source.ptape "$sink"
    mt-st -f "$NODE" rewind
    says "$server has the archive" 0 'tree/deep/er/file4' tar -tf "$NODE"
    drive_down
    check "the copy behind $server is whole" pseudotape verify target.ptape
    check "the copy behind $server is the same" pseudotape compare source.ptape target.ptape

    # Early warning of the other side ends a copy, with the first object that was not copied
    cartridge target --force --capacity 3M --early-warning 256K
    drive_up "image=$WORK/target.ptape"
    exits "a copy that does not fit behind $server" '1|2' pseudotape copy --part source.ptape "$sink"
    next=$(sed -n 's/.*--continue \([0-9]*\).*/\1/p' <<<"$output")
    drive_down
    written=$(pseudotape info --json target.ptape | python3 -c 'import json, sys; print(json.load(sys.stdin)["objects"])' 2>/dev/null)
    same "as many objects are behind $server as were copied" "$next" "$written"
done

# The server dies in the middle of a copy
cartridge long
cartridge target --force
drive_up "image=$WORK/long.ptape"
bytes=60000000
[ "$FRONT" = fuse ] || bytes=20000000 # a guest is slow
pattern 7 $bytes | dd of="$NODE" bs=30000 status=none
drive_down
drive_up "image=$WORK/target.ptape"
server_up --allow "node=$NODE"
# nothing of the copy is carried behind these bytes: it is in its middle however late the server is killed
echo "stop $((bytes / 12))" >link.does
pseudotape copy long.ptape \
    "rmt:localhost:node,command=python3 $PT_ROOT/tests/clients/tools/link.py $WORK/link.does $SERVER" >copy.out 2>&1 &
copy=$!
until [ -e link.does.met ]; do
    kill -0 $copy 2>/dev/null || { fail "a copy that takes its time" "$(cat copy.out)" && break; }
    sleep 0.01
done
kill -KILL "$RMT_SERVER"
wait "$RMT_SERVER" 2>/dev/null
code=0
wait $copy || code=$?
if [ $code = 0 ]; then fail "the copy notices" "exit 0: $(cat copy.out)"; else ok "the copy notices"; fi
says "and says what broke" 0 'the connection broke' cat copy.out
server_up --allow "node=$NODE"
check "a new server takes it up again" pseudotape copy --resume long.ptape "rmt:localhost:node,command=$SERVER"
server_down
drive_down
check "nothing is missing, twice, or half" pseudotape compare long.ptape target.ptape
