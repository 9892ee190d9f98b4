# shellcheck shell=bash
# PT-04, PT-07, PT-09. A mirror one of whose legs is a tape node behind a filter: what programs see is the same from
# either leg, and the end of tape counts what is stored.

tree tree 3
openssl rand -hex 32 >key
openssl rand -hex 32 >other
chmod 600 key other
FAR=${NODES[1]}
filter="zstd+aes=$WORK/key+"

# both OPTION...: a plain image, and a tape node behind the filter, whose cartridge has these options
both() {
    cartridge plain --force
    cartridge stored --force "$@"
    drive_up "slave=$WORK/slave,slave-wait=60,slave-timeout=60" "image=$WORK/stored.ptape"
    mirror_up --leg "plain=$WORK/plain.ptape" --leg "far=${filter}device:$FAR"
}

# lengths: of each record of the first three files, and where the filemarks are
lengths() {
    python3 - "$NODE" <<'END'
import os, sys
tape = os.open(sys.argv[1], os.O_RDONLY)
for _ in range(3):
    lengths = []
    while length := len(os.read(tape, 2 << 20)):
        lengths.append(length)
    print(*lengths)
os.close(tape)
END
}

both
check "tar through the mirror" tar -b 20 -cf "$NODE" --sort=name tree
python3 - "$NODE" "$LARGE" <<'END'
import os, sys
tape = os.open(sys.argv[1], os.O_WRONLY)
for length in (1, 511, 512, 70000, 65536, int(sys.argv[2]) * 512, 3):
    assert os.write(tape, b"a" * length) == length
os.close(tape)
END
check "tar through the mirror, large records" tar -b "$LARGE" -cf "$NODE" --sort=name tree
check "mt rewind" mt-st -f "$NODE" rewind
lengths >expected
same "the second file has the records that were written" "1 511 512 70000 65536 $((LARGE * 512)) 3" "$(sed -n 2p expected)"
for leg in plain far; do same "leg $leg is in step" in-step "$(leg $leg state)"; done
check "mt offline" mt-st -f "$NODE" offline
mirror_down
drive_down
says "through the filter both legs are the same" 0 '^identical: ' pseudotape compare plain.ptape "${filter}stored.ptape"
says "without it they are not" 1 'object 0 ' pseudotape compare plain.ptape stored.ptape
same "nothing readable is stored" 0 "$(grep -c 'tree/deep\|ustar' stored.ptape)"
objects() { pseudotape info --json "$1" | grep -E '"(objects|filemarks)"'; }
same "objects and filemarks are as many" "$(objects plain.ptape)" "$(objects stored.ptape)"

# the filtered leg alone gives everything back
drive_up "slave=$WORK/slave,slave-wait=60,slave-timeout=60" "image=$WORK/stored.ptape"
mirror_up --leg "far=${filter}device:$FAR"
lengths >alone
check "records and filemarks have their places and lengths" cmp expected alone
check "mt rewind" mt-st -f "$NODE" rewind
mkdir out
check "tar restores from the filtered leg" tar -b 20 -C out -xpf "$REWIND"
same_tree "it brings everything back" tree out/tree
mirror_down

# with another key there is nothing to read, and nothing wrong: the leg is refused by name
mirror_up --leg far
says "another key is an error" 2 'leg far: wrong key' pseudotape-mirror load "far=zstd+aes=$WORK/other+device:$FAR"
mirror_down
drive_down

# early warning comes by the bytes that are stored
both --capacity 3M --early-warning 256K
check "32 MiB that compress fit into 3 MiB" bash -c "head -c 33554432 /dev/zero | dd of='$NODE' bs=64k iflag=fullblock status=none"
pattern 5 8388608 >stream
says "what does not compress comes to the end" 1 'No space left on device' dd if=stream of="$NODE" bs=64k
taken=$(sed -n 's/^\([0-9]*\) bytes.*/\1/p' <<<"$output")
same "it is told in the node's zone" 1 $((taken > 2400000 && taken < 3145728))
for leg in plain far; do same "leg $leg is in step then" in-step "$(leg $leg state)"; done
check "mt offline" mt-st -f "$NODE" offline
mirror_down
drive_down
says "both legs hold what was taken" 0 '^identical: ' pseudotape compare plain.ptape "${filter}stored.ptape"
