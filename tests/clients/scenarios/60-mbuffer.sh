# shellcheck shell=bash
# PT-01. mbuffer in front of a tape, as people use it to keep a drive streaming.

cartridge mbuffer
drive_up "image=$WORK/mbuffer.ptape"
tree tree 8
tar --sort=name -cf expected.tar tree
truncate -s %262144 expected.tar
for kibibytes in 64 256; do
    mt-st -f "$NODE" rewind
    check "mbuffer writes records of $kibibytes KiB" mbuffer -q -f -i expected.tar -o "$NODE" -s "${kibibytes}k" -m 4M
    same "mbuffer leaves one filemark" 1/0 "$(position)"
    mt-st -f "$NODE" rewind
    check "mbuffer reads records of $kibibytes KiB" mbuffer -q -f -i "$NODE" -o back.tar -s "${kibibytes}k" -m 4M
    check "mbuffer reads what was written" cmp expected.tar back.tar
    mt-st -f "$NODE" rewind
    check "tar through mbuffer" sh -c "tar --sort=name -cf - tree | mbuffer -q -f -s ${kibibytes}k -m 4M -o '$NODE'"
    mt-st -f "$NODE" rewind
    mkdir out
    check "tar from mbuffer" sh -c "mbuffer -q -s ${kibibytes}k -m 4M -i '$NODE' | tar -xf - -p -C out"
    same_tree "tar and mbuffer bring everything back" tree out/tree
    rm -rf out
done
