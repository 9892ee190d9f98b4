# shellcheck shell=bash
# PT-11, PT-12, PT-04. `pseudotape copy` and `compare` between images, nodes, remote tapes and filters.

tree tree 6
cartridge source
drive_up "image=$WORK/source.ptape"
check "write the source: tar" tar -b 20 -f "$NODE" --sort=name -c tree
check "write the source: tar, large records" tar -b "$LARGE" -f "$NODE" --sort=name -c tree
pattern 7 3000 | dd of="$NODE" bs=1000 status=none
check "write the source: an empty file" mt-st -f "$NODE" weof 2
says "a cartridge in a drive is not copied" 2 'image is in use.*pseudotape unload' pseudotape copy source.ptape null
drive_down
pseudotape dump source.ptape -o source.bytes >/dev/null

# two drives: one that takes everything, one that takes it only in parts
cartridge whole
cartridge part --capacity 9M --early-warning 1M
cartridge rest
drive_up "image=$WORK/whole.ptape" "image=$WORK/part.ptape"
BOTH=${NODES[1]}
check "image to node" pseudotape copy source.ptape "$NODE"
says "image and node hold the same" 0 '^identical: ' pseudotape compare source.ptape "$NODE"
says "node and image hold the same" 0 '^identical: ' pseudotape compare "device:$NODE" source.ptape
check "node to image" pseudotape copy "$NODE" back.ptape
check "there and back it is the same" pseudotape compare source.ptape back.ptape
mt-st -f "$NODE" rewind
mkdir out
check "tar restores from the copy" tar -b 20 -f "$NODE" -x -p -C out
same_tree "the copy restores to the source" tree out/tree
says "a node that is not blank is left alone" 2 'is not blank' pseudotape copy source.ptape "$NODE"
says "a node that rewinds is refused" 2 'name the non-rewinding one' pseudotape copy "$REWIND" x.ptape
exec 9<"$NODE"
says "a node in use is refused" 2 'open in another program' pseudotape compare source.ptape "$NODE"
exec 9<&-

# early warning on a node, whose capacity nobody knows beforehand
says "a node that is too small ends the copy" 1 'first object not copied is [0-9]+: .* has reached early warning' \
    pseudotape copy source.ptape "$BOTH"
next=$(sed -n 's/.*first object not copied is \([0-9]*\):.*/\1/p' <<<"$output")
says "what is there is a beginning of the source" 1 "object $next .* the end of data on " \
    pseudotape compare source.ptape "$BOTH"
pseudotape unload 1 >/dev/null && pseudotape load 1 "$WORK/rest.ptape" >/dev/null
check "the rest goes onto another cartridge" pseudotape copy source.ptape "$BOTH" --continue "$next"
drive_down
cat <(pseudotape dump part.ptape) <(pseudotape dump rest.ptape) >joined.bytes
check "joined they are the source" cmp source.bytes joined.bytes

# killed while it writes to a node, the copy goes on; a copy that was done before this shell could kill it is tried anew
for name in killed slow; do cartridge "$name"; done
drive_up "image=$WORK/killed.ptape"
for _ in {1..30}; do
    pseudotape copy source.ptape "$NODE" >copy.out 2>&1 &
    copy=$!
    until [ "$(stat -c %s killed.ptape)" -gt 200000 ] || ! kill -0 $copy 2>/dev/null; do :; done
    kill -KILL $copy 2>/dev/null
    killed=0
    wait $copy 2>/dev/null || killed=$?
    [ $killed = 0 ] || break
    pseudotape unload 0 >>copy.out 2>&1
    cartridge killed --force
    pseudotape load 0 "$WORK/killed.ptape" >>copy.out 2>&1
done
same "the copy was killed in its middle" 137 "$killed"
# killed between a block and the word to the driver that no filemark is owed for it, it leaves one
says "what it left is a beginning of the source" 1 'and (the end of data|a filemark) on ' pseudotape compare source.ptape "$NODE"
check "it goes on behind what is there" pseudotape copy source.ptape "$NODE" --resume
check "then it is the source" pseudotape compare source.ptape "$NODE"
drive_down

# filters before a node
openssl rand -hex 32 >key
openssl rand 32 >other
chmod 600 key other
cartridge filtered
drive_up "image=$WORK/filtered.ptape"
check "image to node, encrypted" pseudotape copy source.ptape "zstd+aes=key+$NODE"
says "through the filter it is the source" 0 '^identical: ' pseudotape compare source.ptape "lz4+aes=key+$NODE"
says "another key is called another key, and no difference" 2 'encrypted with another key than the one given' \
    pseudotape compare source.ptape "aes=other+$NODE"
says "no key is called no key" 2 'it is encrypted: name the file of its key' pseudotape compare source.ptape "zstd+$NODE"
says "without the filter it is other bytes" 1 'object 0 ' pseudotape compare source.ptape "$NODE"
same "marks are where they were" \
    "$(pseudotape info --json source.ptape | grep -E '"(objects|filemarks)"')" \
    "$(pseudotape copy --json "$NODE" raw.ptape >/dev/null && pseudotape info --json raw.ptape | grep -E '"(objects|filemarks)"')"
# stored blocks are the same volume in an image; exchanged they are told, and can be read where that is asked for
check "the stored blocks in an image are the source" pseudotape compare source.ptape "aes=key+raw.ptape"
mt-st -f "$NODE" rewind
python3 - "$NODE" <<'END'
import os, sys
tape = os.open(sys.argv[1], os.O_RDONLY)
one, two, three = (os.read(tape, 2 << 20) for _ in range(3))
os.close(tape)
os.system(f"mt-st -f '{sys.argv[1]}' rewind")
tape = os.open(sys.argv[1], os.O_WRONLY)
for block in one, three, two:
    assert block and os.write(tape, block) == len(block)
os.close(tape)
END
says "exchanged blocks are told by what they are" 1 'object 1 .* something unreadable on .*: object 1: it was written as object 2 of partition 0' \
    pseudotape compare source.ptape "aes=key+$NODE"
says "they are read where that is asked for" 0 'copied 3 blocks' pseudotape copy "aes-anywhere=key+$NODE" moved.ptape
chmod 644 key
says "a key that others can read is refused" 2 'others than its owner can read or change this key .mode 644' \
    pseudotape compare source.ptape "aes=key+$NODE"
chmod 600 key
head -c 32 /dev/zero >zeros
chmod 600 zeros
says "a key of zeros is refused" 2 'a key of zeros' pseudotape compare source.ptape "aes=zeros+$NODE"
drive_down

# a remote tape
cat >rsh <<'ENDRSH'
#!/bin/sh
exec pseudotape-rmt --via "$WORK/rmt.socket"
ENDRSH
chmod +x rsh
export WORK
cartridge remote
: >server.out
pseudotape-rmt --listen "$WORK/rmt.socket" --allow "tape=$WORK/remote.ptape" >server.out 2>>server.log &
server=$!
until grep -q '^listening' server.out || ! kill -0 $server 2>/dev/null; do sleep 0.05; done
check "image to remote tape" pseudotape copy source.ptape "rmt:vault:tape,rsh=$WORK/rsh"
says "image and remote tape hold the same" 0 '^identical: ' \
    pseudotape compare source.ptape "rmt:vault:tape,rsh=$WORK/rsh"
check "remote tape to image" pseudotape copy "rmt:vault:tape,rsh=$WORK/rsh" far.ptape

# on a terminal, over a slow line: a bar with the rate and the time left
cat >slow.py <<'END'
import os, subprocess, sys, time
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
while data := os.read(0, 65536):
    server.stdin.write(data)
    server.stdin.flush()
    time.sleep(0.01)
server.stdin.close()
server.wait()
END
line="command=python3 $WORK/slow.py $WORK/rsh"
terminal() { python3 "$PT_ROOT/tests/clients/tools/converse.py" --until '^$a' -- "$@"; }
export -f terminal
says "a copy on a terminal shows bytes of how many, the rate, and the time left" 0 \
    '0 B/s [?] left.*[1-9][0-9.]* MiB/1[0-9.]+ MiB [0-9.]+ [KM]iB/s [0-9]+s left.*copied [0-9]{3} blocks' \
    bash -c 'terminal "$@"' copy pseudotape copy --force source.ptape "rmt:vault:tape,$line"
says "and where nobody knows how much there is, bytes and rate" 0 \
    ' [1-9][0-9.]* MiB [0-9.]+ [KM]iB/s.*copied [0-9]{3} blocks' \
    bash -c 'terminal "$@"' copy pseudotape copy "rmt:vault:tape,command=python3 $WORK/slow.py $WORK/rsh" null
kill $server && wait $server 2>/dev/null
check "there and back it is the source" pseudotape compare source.ptape far.ptape
