# shellcheck shell=bash
# A tar archive over three cartridges, changed unattended by a script, written and restored (PT-17).

tree tree 9
for number in 1 2 3 4; do cartridge "volume$number" --capacity 4M --early-warning 512K; done
drive_up "image=$WORK/volume1.ptape"

# tar calls it with the number of the volume that it wants; the drive is closed meanwhile
cat >change <<END
#!/bin/sh
echo "\$TAR_SUBCOMMAND volume \$TAR_VOLUME" >>"$WORK/changes"
pseudotape unload 0 >>"$WORK/changer.log" 2>&1 || exit 1
pseudotape load 0 "$WORK/volume\$TAR_VOLUME.ptape" >>"$WORK/changer.log" 2>&1
END
chmod +x change

check "tar -M writes over cartridges" tar -b 20 -f "$NODE" -M -F ./change --sort=name -c tree
same "tar -M asks for each cartridge once" $'-c volume 2\n-c volume 3' "$(cat changes)"
check "the first cartridge again" pseudotape unload 0
check "the first cartridge again: load" pseudotape load 0 "$WORK/volume1.ptape"
: >changes
mkdir out
check "tar -M reads over cartridges" tar -b 20 -f "$NODE" -M -F ./change -x -p -C out
same "tar -M asks for each cartridge once again" $'-x volume 2\n-x volume 3' "$(cat changes)"
same_tree "tar -M brings everything back" tree out/tree
same "the changer had no trouble" "" "$(grep -i -e error -e fail changer.log)"
drive_down
for number in 1 2 3; do check "verify volume $number" pseudotape verify "volume$number.ptape"; done

# An operator whom tar asks on its terminal, and who quits once.
drive_up "image=$WORK/volume1.ptape"
converse=(python3 "$PT_ROOT/tests/clients/tools/converse.py")
prepare="Prepare volume #[0-9]+ for .* and hit return: \$"
swap='pseudotape unload 0 && pseudotape load 0'
check "tar -M asks for each cartridge" "${converse[@]}" --on "$prepare" '' "$swap '$WORK/volume'\$((NUMBER + 1)).ptape" \
    -- tar -b 20 -f "$NODE" -c -M --sort=name tree
same "tar -M asks for two cartridges" 2 "$(grep -c '^loaded ' <<<"$output")"
check "the first of three cartridges" bash -c "$swap '$WORK/volume1.ptape'"
says "tar -M compares over cartridges" 0 '' "${converse[@]}" --on "$prepare" '' "$swap '$WORK/volume'\$((NUMBER + 1)).ptape" \
    -- tar -b 20 -f "$NODE" -d -M
check "the first of three cartridges once more" bash -c "$swap '$WORK/volume1.ptape'"
# 1 is told to be volume 2
says "tar -M finds that a cartridge is the wrong one" 0 'is not continued on this volume|is out of sequence|does not match' \
    "${converse[@]}" --once "$prepare" '' "$swap '$WORK/volume3.ptape'" --once "$prepare" '' "$swap '$WORK/volume2.ptape'" \
    --once "$prepare" '' "$swap '$WORK/volume3.ptape'" -- tar -b 20 -f "$NODE" -t -M
check "a cartridge for tar -M to end on" bash -c "$swap '$WORK/volume4.ptape'"
says "tar -M ends when the operator quits" 2 'No new volume; exiting' "${converse[@]}" --on "$prepare" q '' -- tar -b 20 -f "$NODE" -c -M tree
drive_down
