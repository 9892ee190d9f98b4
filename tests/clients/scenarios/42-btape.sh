# shellcheck shell=bash
# PT-01, PT-17. Bacula's own test of a drive, btape: `test`, `rectest`, `qfill`, and `fill` over one, two and three cartridges.
# It judges by itself; each check below is a sentence of its verdict.

. "$PT_ROOT/tests/lib/backup.sh"

# storage BLOCK [LINE...]: a storage daemon's configuration with records of BLOCK bytes
storage() {
    local block=$1
    shift
    storage_daemon <<END
Device {
  Name = Drive-0
  Media Type = Tape
  Device Type = Tape
  Archive Device = "$NODE"
  AutomaticMount = yes
  AlwaysOpen = no
  RemovableMedia = yes
  RandomAccess = no
  Maximum File Size = 20000000
  Maximum Block Size = $block
$(printf '  %s\n' "$@")
}
END
}

quit=(--once '\n\*+$' quit '')

# lines NAME LOG COUNT PATTERN: so many lines of the log match
lines() {
    local got
    got=$(grep -c -E "$4" "$2")
    if [ "$got" = "$3" ]; then ok "$1"; else fail "$1" "$got lines match '$4', not $3: $(grep -v smartall "$2" | tail -n 12)"; fi
}

# btape asks for a cartridge first, and closes the drive then.
cat >change <<END
#!/bin/sh
tenths=0
until pseudotape unload 0 2>unload.err; do
    tenths=\$((tenths + 1))
    [ \$tenths -lt 1200 ] || { cat unload.err && exit 1; }
    sleep 0.1
done
pseudotape load 0 "$WORK/volume\$1.ptape"
END
chmod +x change

cartridge test
drive_up "image=$WORK/test.ptape"
for mode in variable fixed; do
    storage 4096 "$([ $mode = variable ] || echo Minimum Block Size = 4096)"
    mt-st -f "$NODE" setblk "$([ $mode = variable ] && echo 0 || echo 4096)"
    btape "test-$mode.log" --once '\n\*$' "test" '' "${quit[@]}"
    same "btape test ends well, $mode blocks" 0 $?
    lines "btape test writes, rewinds, reads, repositions, $mode blocks" "test-$mode.log" 2 '=== Test Succeeded\. End Write, rewind, and re-read test ==='
    lines "btape test: each of 6 repositions finds its block, $mode blocks" "test-$mode.log" 6 '^Block [0-9]+ re-read correctly\.'
    lines "btape test: the file numbers are what it expects, $mode blocks" "test-$mode.log" 6 '^We should be in file ([0-9]+)\. I am at file \1\. This is correct!'
    same "btape test: the scan shows what was appended, $mode blocks" \
        "$(sed -n '/^=== Sample correct output/,/^Total files/p' "test-$mode.log" | sed '1d; s/64448/BYTES/; s/bytes = .*//')" \
        "$(sed -n '/^Doing Bacula scan/,/^Total files/p' "test-$mode.log" | sed '1d; s/ of [0-9]* bytes/ of BYTES bytes/; s/bytes = .*//')"
    lines "btape test reads its last block again, $mode blocks" "test-$mode.log" 1 '^Block re-read correct\. Test succeeded!'
    lines "btape test spaces forward, $mode blocks" "test-$mode.log" 1 '^=== End Forward space files test ==='
    lines "btape test has nothing to complain of, $mode blocks" "test-$mode.log" 0 'ERR=|[Ff]atal|NOT correct|[Ff]ailed'
done
mt-st -f "$NODE" setblk 0

storage 64512
# no `quit`: after rectest btape frees its job twice and crashes at its end
btape rectest.log --once '\n\*$' rectest '' --once 'y/n\): $' y '' --until '\n\*+$'
same "btape rectest ends well" 0 $?
# records of 1, 2, 3 … bytes until one does not fit the block of 64512 bytes
lines "btape rectest writes records of every size" rectest.log 1 'Block 64476 i=64476$'
lines "btape rectest has nothing to complain of" rectest.log 0 'ERR=|[Ff]atal|[Ff]ailed|Error'

btape qfill.log --once '\n\*$' qfill '' --once '\(1000\): $' 1000 '' "${quit[@]}"
same "btape qfill ends well" 0 $?
lines "btape qfill finds the blocks that it wrote" qfill.log 1 '^Total files=4, blocks=1000, bytes = 64,'
drive_down

# On the kernel's own st this was run by hand: it takes a minute and a half, and what it asks for are cartridges.
[ "$FRONT" != scsi ] || return 0

# fill MODE CARTRIDGE...: fills tapes, asking for a blank one, the first and the second again. Of a second tape it writes
# 1000 blocks, and of the only tape of the simple test it wants to have written more than that. Both want a tape from which 10000 records of
# 32 KiB can be read.
fill() {
    local mode=$1 number=0 size
    shift
    for size in "$@"; do
        number=$((number + 1))
        cartridge "volume$number" --force --capacity "$size" --early-warning 1M
    done
    drive_up "image=$WORK/volume1.ptape"
    storage 64512
    : >changes
    btape "fill-$mode$#.log" --once '\n\*$' fill '' --once '\(s/m\) $' "$mode" '' \
        --on 'Mount blank Volume .* when ready: $' '' "echo blank >>changes; ./change \$NUMBER" \
        --on 'Mount first tape.*ready: $' '' 'echo first >>changes; ./change 1' \
        --on 'Mount second tape.*ready: $' '' "echo second >>changes; ./change $#" "${quit[@]}"
    same "btape fill ends well ($mode, $# cartridges)" 0 $?
}

fill s 340M
same "btape fill s asks for one cartridge" blank "$(cat changes)"
lines "btape fill s: early warning comes after the last block that fits" fill-s1.log 1 '\[SI0202\] End of Volume "TestVolume1" .*Write of 64512 bytes got -1\.'
lines "btape fill s reads the last block at early warning again" fill-s1.log 1 'Re-read of last block succeeded\.'
lines "btape fill s finds the last block" fill-s1.log 1 '^The last block on the tape matches\. Test succeeded\.'
drive_down

fill m 340M 80M
same "btape fill m asks for each cartridge" "blank blank first second" "$(xargs <changes)"
lines "btape fill m finds the last block of the first cartridge" fill-m2.log 1 '^The last block of the first tape matches\.'
lines "btape fill m finds the first block of the second cartridge" fill-m2.log 1 '^The first block on the second tape matches\.'
lines "btape fill m finds the last block of the second cartridge" fill-m2.log 1 '^The last block on the second tape matches\. Test succeeded\.'
lines "btape fill m has nothing to complain of" fill-m2.log 0 'ERR=|[Ff]atal|FAILED|[Ff]ailed'
drive_down

# A second cartridge of less than 1000 blocks makes btape ask for a third, which it takes for the second afterwards.
fill m 340M 20M 80M
same "btape fill m with a small second cartridge asks for a third" "blank blank blank first second" "$(xargs <changes)"
lines "btape fill m, three cartridges: each ends at early warning" fill-m3.log 2 '\[SI0202\] End of Volume'
lines "btape fill m, three cartridges: the last block is read again at each end" fill-m3.log 2 'Re-read of last block succeeded\.'
lines "btape fill m, three cartridges: the last block of the first is found" fill-m3.log 1 '^The last block of the first tape matches\.'
lines "btape fill m, three cartridges: the last block of the third is found" fill-m3.log 1 '^The last block on the second tape matches\. Test succeeded\.'
excluded "btape fill m, three cartridges: the first block of the second cartridge" "btape remembers the block that the first cartridge had no room for, and looks for it on the last"
drive_down
for number in 1 2 3; do check "verify volume $number" pseudotape verify "volume$number.ptape"; done
