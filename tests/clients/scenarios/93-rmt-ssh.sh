# shellcheck shell=bash
# PT-03, PT-08, EN-17. Remote tapes over a real ssh: a server that a key is tied to, the rmt of tar behind a shell, tar, mt, and
# our client; a tape file of a vault that goes to another host; a link that dies in the middle.

. "$PT_ROOT/tests/lib/hosts.sh"
tree tree 4
export WORK

# An sshd of our own, for the keys of this test alone. The first key may run the server and nothing else. It is on this host:
# a guest has no other one, and one login there is what it can afford.
ssh_key tied "restrict,command=\"$PSEUDOTAPE_BIN/pseudotape-rmt --via $WORK/rmt.socket\""
ssh_key free restrict
ssh_key stranger
# the first free port from one that other runs hardly have
for port in $(seq $((20000 + $$ % 20000)) 7 60000 | head -20); do
    ! sshd_up 127.0.0.1 "$port" || break
done
[ -n "$SSHD" ] || fail "start sshd" "$(cat sshd.log)"
# ssh as everybody calls it, but for the port and who we are
for key in tied free stranger; do ssh_host localhost 127.0.0.1 "$port" $key >ssh_config.$key; done
mkdir tools
cat >tools/ssh <<'END'
#!/bin/sh
echo "$*" >>"$WORK/ssh.log"
exec /usr/bin/ssh -F "$WORK/ssh_config.${KEY:-tied}" "$@"
END
chmod +x tools/ssh
PATH=$WORK/tools:$PATH

# server_up ARGUMENT...: a server that keeps the places of its tapes
server_up() {
    : >server.out
    : >server.out # what an earlier server said must not pass for this one's word
    pseudotape-rmt --listen "$WORK/rmt.socket" "$@" >server.out 2>>server.log &
    RMT_SERVER=$!
    until grep -q '^listening' server.out || ! kill -0 "$RMT_SERVER" 2>/dev/null; do sleep 0.05; done
}
RMT_SERVER=

ssh_down() {
    [ -z "$RMT_SERVER" ] || { kill "$RMT_SERVER" 2>/dev/null && wait "$RMT_SERVER" 2>/dev/null; }
    clean_up
    hosts_down
}
trap ssh_down EXIT

cartridge source
drive_up "image=$WORK/source.ptape"
check "the source" tar -b 20 -cf "$NODE" tree
check "the source: large records" tar -b "$LARGE" -cf "$NODE" tree
drive_down
cartridge other

# the rmt of tar, with a node of ours, as on a machine that knows nothing of us
drive_up "image=$WORK/source.ptape"
mt-st -f "$NODE" rewind
export KEY=free
says "a login banner is told" 2 'no rmt server: it sent .Welcome' \
    pseudotape compare other.ptape "rmt:localhost:$NODE,server=echo Welcome"
check "copy from the rmt of tar over ssh" pseudotape copy "rmt:localhost:$NODE,server=/usr/sbin/rmt-tar" from.ptape
unset KEY
drive_down
check "it is the same" pseudotape compare source.ptape from.ptape

# What follows has no node in it and is the same everywhere, but a login costs a guest twenty seconds.
[ "$FRONT" = fuse ] || return 0

cartridge ntape
cartridge far
server_up --allow "ntape=$WORK/ntape.ptape" --allow-rewinding tape=ntape --allow "far=$WORK/far.ptape"

# tar and mt, whose remote shell is ssh (they want to know the machine too, so it is no alias)
remote=("--rsh-command=$WORK/tools/ssh" --rmt-command=/etc/rmt)
check "tar over ssh" tar "${remote[@]}" -b 20 -cf localhost:ntape --sort=name tree
check "tar over ssh, records of 1 MiB" tar "${remote[@]}" -b 2048 -cf localhost:ntape tree
check "mt over ssh" mt-gnu "--rsh-command=$WORK/tools/ssh" -f localhost:ntape rewind
mkdir out
check "tar restores over ssh" tar "${remote[@]}" -b 20 -xpf localhost:tape -C out
same_tree "everything is back" tree out/tree
says "what the key is tied to runs, whatever is asked" 0 '^E22' \
    bash -c "printf 'Zcat /etc/passwd\n' | ssh localhost cat /etc/passwd"
says "a name that is not configured" 2 'Permission denied' tar "${remote[@]}" -tf "localhost:/etc/passwd"

# our client
check "copy to a tape behind ssh" pseudotape copy source.ptape rmt:localhost:far
same "ssh is asked for no more than the server" \
    "-o BatchMode=yes -o ConnectTimeout=60 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 -T -x -a -- localhost /etc/rmt" \
    "$(tail -1 ssh.log)"
check "compare with it" pseudotape compare source.ptape rmt:localhost:far
check "copy it back" pseudotape copy rmt:localhost:far back.ptape
check "there and back it is the same" pseudotape compare source.ptape back.ptape
says "a key that is not known there" 2 'the command ended: exit status: 255' \
    env KEY=stranger pseudotape compare source.ptape rmt:localhost:far
says "a machine that nobody knows" 2 'the command ended: exit status: 255' pseudotape compare source.ptape rmt:nowhere.invalid:far
says "a name that is not configured, for us" 2 'refuses to open it: Permission denied' pseudotape compare source.ptape rmt:localhost:/etc/passwd

# EN-17: a tape file of a vault goes to another host by ssh, and has its name there when it was read back
export PSEUDOTAPE_VAULT=$WORK/vault KEY=free
check "a vault" pseudotape vault init "$PSEUDOTAPE_VAULT"
cp source.ptape volume.ptape
check "with a volume" pseudotape vault add volume.ptape --label MON001 --digests
pseudotape dump source.ptape --file 1 >wanted
mkdir "it's far"
deliver=(pseudotape vault deliver MON001 --file 1 --to)
says "a tape file is delivered over ssh" 0 'MON001' "${deliver[@]}" "ssh:localhost:$WORK/it's far/"
check "it is that one" cmp wanted "it's far/MON001.1"
same "and nothing else is there" MON001.1 "$(ls "it's far")"
says "what is there is not written over" 2 'exists.*is not taken there' "${deliver[@]}" "ssh:localhost:$WORK/it's far/MON001.1"
says "a key that is not known there takes nothing" 2 'Permission denied.*is not taken there' \
    env KEY=stranger "${deliver[@]}" "ssh:localhost:$WORK/other"
[ ! -e other ] && ok "then nothing has the name" || fail "then nothing has the name" "$(ls -l other)"
unset PSEUDOTAPE_VAULT KEY

# the link dies in the middle
cartridge long
drive_up "image=$WORK/long.ptape"
pattern 7 60000000 | dd of="$NODE" bs=30000 status=none
drive_down
# a copy that was done before this shell could kill the link is tried anew, on a blank tape
for _ in {1..20}; do
    kill "$RMT_SERVER" && wait "$RMT_SERVER" 2>/dev/null
    cartridge far --force
    server_up --allow "far=$WORK/far.ptape"
    pseudotape copy long.ptape rmt:localhost:far >copy.out 2>&1 &
    copy=$!
    until [ "$(stat -c %s far.ptape)" -gt 5000000 ]; do
        kill -0 $copy 2>/dev/null || break
        sleep 0.01
    done
    pkill -KILL -P $copy ssh
    code=0
    wait $copy || code=$?
    [ $code = 0 ] || break
done
same "the copy notices" 2 "$code"
says "and says what broke" 0 'the connection broke.*signal: 9' cat copy.out
says "what is there is a beginning" 1 'the end of data on |a filemark on ' pseudotape compare long.ptape rmt:localhost:far
check "over a new link it goes on" pseudotape copy --resume long.ptape rmt:localhost:far
check "and is the same then" pseudotape compare long.ptape rmt:localhost:far
kill "$RMT_SERVER" && wait "$RMT_SERVER" 2>/dev/null
RMT_SERVER=
check "the server's image is whole" pseudotape verify far.ptape
hosts_down
