# shellcheck shell=bash
# CW-06, CW-32, CW-46, CW-47, CW-55, CW-58, CW-59, CW-62, CW-63, CW-67: a farm of another host over a real ssh, by a key that is tied to it.

if [ "$FRONT" != fuse ]; then
    excluded "a farm over ssh" "no node is in it: it is the same everywhere"
    return
fi
. "$PT_ROOT/tests/lib/hosts.sh"
. "$PT_ROOT/tests/lib/farm.sh"
export WORK
mkdir -p farm tree/sub
seq 100000 >tree/long && seq 10 >tree/sub/short && ln -s long tree/link
ssh_key tied "restrict,command=\"$PSEUDOTAPE_BIN/pseudotape-farm serve --stdio --root $WORK/farm --user ada@depot\""
ssh_key other "restrict,command=\"$PSEUDOTAPE_BIN/pseudotape-farm serve --stdio --root $WORK/farm --user bob@depot\""
# the first free port from one that other runs hardly have
for port in $(seq $((20000 + $$ % 20000)) 7 60000 | head -20); do
    ! sshd_up 127.0.0.1 "$port" || break
done
[ -n "$SSHD" ] || fail "start sshd" "$(cat sshd.log)"
for key in tied other; do ssh_host localhost 127.0.0.1 "$port" $key >ssh_config.$key; done
mkdir tools
cat >tools/ssh <<'END'
#!/bin/sh
exec /usr/bin/ssh -F "$WORK/ssh_config.${KEY:-tied}" "$@"
END
chmod +x tools/ssh
PATH=$WORK/tools:$PATH
trap 'hosts_down; clean_up' EXIT

echo "script-user = \"$(id -un)\"" >farm.toml
far=(pseudotape farm --config farm.toml --root ssh:localhost:)
says "nobody comes in before somebody is on the list" 2 'ada@depot may not use this farm' "${far[@]}" ls
check "ada comes in" pseudotape farm acl add ada@depot --root farm
says "bob does not" 2 'bob@depot may not use this farm' env KEY=other "${far[@]}" ls
says "whatever root is asked for, the key is tied to one" 2 "this server serves $WORK/farm, and not /" \
    pseudotape farm --root ssh:localhost:/ ls

check "copy" "${far[@]}" copy V tree
says "add finds all present" 0 'V: 0 files added, .* present' "${far[@]}" add V tree
same "both hosts list the same" "$(pseudotape farm --root farm ls V)" "$("${far[@]}" ls V)"
says "verify" 0 '; 0 findings' "${far[@]}" verify V
check "merge, where the farm is" "${far[@]}" merge all V
mkdir out
check "extract" "${far[@]}" extract all --all -C out
check "everything is back" diff -r --no-dereference tree out/tree
far_farm_in_order
far_farm_lends
says "CW-66: nothing is run where the server does not allow it" 2 "this server runs no commands" "${far[@]}" remote true

# the farm's host has a script of its own, for a key of its own
ssh_key heard "restrict,command=\"PATH=$PATH $PSEUDOTAPE_BIN/pseudotape-farm serve --stdio --root $WORK/farm --user ada@depot \
--script $WORK/hear --script-user $(id -un) --script-seconds 2\""
ssh_host localhost 127.0.0.1 "$port" heard >ssh_config.heard
export KEY=heard
far_farm_hears
unset KEY

# CW-42, CW-44: two hosts with volumes of their own in one root, by their keys
mkdir own
for key in ada@depot bob@attic; do
    ssh_key "${key%@*}" "restrict,command=\"$PSEUDOTAPE_BIN/pseudotape-farm serve --stdio --private --root $WORK/own --user $key\""
    ssh_host localhost 127.0.0.1 "$port" "${key%@*}" >"ssh_config.${key%@*}"
    check "$key may come" pseudotape farm acl add "$key" --root own
    check "$key has a V" env KEY="${key%@*}" "${far[@]}" copy V "tree/$([ "$key" = ada@depot ] && echo long || echo sub)"
done
same "each in its folder" "attic/V depot/V" "$(cd own && echo */V)"
says "ada sees hers" 0 'tree/long' env KEY=ada "${far[@]}" ls V
says "bob may not read them" 2 'bob@attic may not read private volumes of depot' env KEY=bob "${far[@]}" --owner depot ls V
check "until the list of depot lets him" pseudotape farm acl add bob@attic --root own/depot
says "then he may" 0 'tree/long' env KEY=bob "${far[@]}" --owner depot ls V
says "and changes nothing" 2 'changed by depot only' env KEY=bob "${far[@]}" --owner depot add V tree

# A link that dies while an archive is on its way: the archive waits in the middle of its second member.
head -c 3000000 /dev/urandom >first && head -c 3000000 /dev/urandom >second
tar -cf long.tar first second
mkfifo road
"${far[@]}" add cut --tar road >cut.out 2>&1 &
add=$!
exec 8<>road
timeout 100 head -c 5000000 long.tar >&8
until [ -e farm/cut/FILE0000002.ptape.tmp ] || ! kill -0 $add 2>/dev/null; do sleep 0.05; done
says "another writer is told who holds the volume" 2 'volume cut is busy, held by ada@depot' \
    "${far[@]}" add cut first --lock-wait 0
says "a reader is not in its way" 2 'nothing is not in volume cut' "${far[@]}" show cut nothing
pkill -KILL -P $add ssh
exec 8>&-
code=0
wait $add || code=$?
same "the command notices" 2 $code
says "and says what to do" 0 'the same command goes on' cat cut.out
# its session is over when its file is gone
until [ -z "$(ls farm/.sessions)" ]; do sleep 0.05; done
same "nothing half is left" "$(printf 'FILE000.dir\nFILE0000001.ptape')" "$(find farm/cut -type f -printf '%f\n' | LC_ALL=C sort)"
says "what came whole counts" 0 '1 capsule whole.*; 0 findings' "${far[@]}" verify cut
says "the same command goes on" 0 'cut: 1 file added, 1 present' "${far[@]}" add cut --tar long.tar
check "extract both" "${far[@]}" extract cut --all -C out
check "they are the same" bash -c 'cmp first out/first && cmp second out/second'
says "release says by whom" 0 '1 file released' "${far[@]}" release cut first
says "and the capsule knows it" 0 'released by ada@depot' "${far[@]}" show cut first
check "who is taken off the list" pseudotape farm acl del ada@depot --root farm
says "comes in no more" 2 'ada@depot may not use this farm' "${far[@]}" ls
says "a host where nothing serves" 4 "can't reach the farm at ssh:nowhere:: the command ended: exit status: 255" \
    pseudotape farm --root ssh:nowhere: ls
