# shellcheck shell=bash
# PT-01. GNU tar: create, list, compare, extract, append and verify with three
# blocking factors (10 KiB, 256 KiB and 1 MiB records).

tree tree 12
pattern 99 1500000 >late
for factor in 20 512 2048; do
    cartridge "b$factor"
    drive_up "image=$WORK/b$factor.ptape"
    archive=(-b "$factor" -f "$NODE")
    tar -b "$factor" --sort=name -cf expected.tar tree

    check "tar -b $factor create" tar "${archive[@]}" --sort=name -c tree
    same "tar -b $factor leaves one filemark" 1/0 "$(position)"
    mt-st -f "$NODE" rewind
    check "tar -b $factor list" tar "${archive[@]}" -t
    same "tar -b $factor lists every name" "$(tar -tf expected.tar)" "$output"
    mt-st -f "$NODE" rewind
    check "tar -b $factor compare" tar "${archive[@]}" -d
    mt-st -f "$NODE" rewind
    mkdir "out$factor"
    check "tar -b $factor extract" tar "${archive[@]}" -x -p -C "out$factor"
    same_tree "tar -b $factor brings everything back" tree "out$factor/tree"
    mt-st -f "$NODE" rewind
    check "tar -b $factor append" tar "${archive[@]}" -r late
    mt-st -f "$NODE" rewind
    check "tar -b $factor list after append" tar "${archive[@]}" -t
    same "tar -b $factor lists what was appended" "$(tar -tf expected.tar)"$'\n'late "$output"
    mt-st -f "$NODE" rewind
    check "tar -b $factor extract what was appended" tar "${archive[@]}" -x -C "out$factor" late
    check "tar -b $factor brings back what was appended" cmp late "out$factor/late"
    mt-st -f "$NODE" rewind
    if [ "$FRONT" = cuse ]; then
        check "tar -b $factor create and verify" tar "${archive[@]}" --sort=name -c -W tree
    else
        excluded "tar -b $factor create and verify" "tar goes back by MTBSF, which fails at the beginning, or lseek, which fails with ESPIPE on a FUSE node"
    fi
    # behind another file MTBSF finds a filemark to go back over, so that this works on every node
    mt-st -f "$NODE" rewind
    check "tar -b $factor create a first file" tar "${archive[@]}" -c late
    says "tar -b $factor create and verify the second file" 0 '^$' tar "${archive[@]}" --sort=name -c -W tree
    same "tar -b $factor verifies up to the filemark" 1 "$(position | cut -d/ -f1)"
    mt-st -f "$NODE" rewind
    check "tar -b $factor to the rewinding node" tar -b "$factor" -f "$REWIND" --sort=name -c tree
    same "tar -b $factor rewinds" 0/0 "$(position)"
    drive_down

    # what is in the image is what tar wrote, in records of the blocking factor
    check "pseudotape verify after tar -b $factor" pseudotape verify "$WORK/b$factor.ptape"
    check "pseudotape dump after tar -b $factor" pseudotape dump "$WORK/b$factor.ptape" --file 0 -o dumped.tar
    check "tar -b $factor: the image has tar's bytes" cmp expected.tar dumped.tar
    same "tar -b $factor: records of its size only" "$((factor * 512))" \
        "$(pseudotape ls --json "$WORK/b$factor.ptape" | python3 -c '
import json, sys
file = json.load(sys.stdin)["files"][0]
print(*sorted({file["min_block"], file["max_block"]}))')"
    rm -rf "out$factor" expected.tar dumped.tar "b$factor.ptape"
done

# `tar --delete` writes over the archive where the member was and wants to read on behind that, where a tape has no data any
# more. tar gives up; what was before the member is still there.
cartridge delete
drive_up "image=$WORK/delete.ptape"
archive=(-b 20 -f "$NODE")
check "tar for --delete" tar "${archive[@]}" --sort=name -c tree
mt-st -f "$NODE" rewind
says "tar --delete of a member that is not there" 2 'nothing: Not found in archive' tar "${archive[@]}" --delete nothing
mt-st -f "$NODE" rewind
check "tar --delete of a member that is not there changes nothing" tar "${archive[@]}" -d
before=$(tar -b 20 --sort=name -cf - tree | tar -t | sed '/file2$/q' | head -n -1)
mt-st -f "$NODE" rewind
says "tar --delete of a member" 2 'not recoverable' tar "${archive[@]}" --delete tree/deep/er/file2
mt-st -f "$NODE" rewind
tar "${archive[@]}" -t >left 2>left.err
same "tar --delete leaves what was before the member" "$before" "$(head -n "$(wc -l <<<"$before")" left)"
mt-st -f "$NODE" rewind
check "write protection for --delete" pseudotape write-protect 0 on
exits "tar --delete on a protected cartridge" 2 tar "${archive[@]}" --delete tree/deep/er/file1
mt-st -f "$NODE" rewind
check "the rest on a protected cartridge is as it was" bash -c 'tar -b 20 -t -f "$NODE" 2>/dev/null | cmp - left'
drive_down
check "pseudotape verify after tar --delete" pseudotape verify delete.ptape
