# shellcheck shell=bash
# PT-13, PT-17. Amanda's chg-robot with a library of two drives: amlabel and amtape, an amdump over three cartridges,
# amfetchdump by the changer, and amrestore from a drive's node, cartridge by cartridge. On CUSE and on a SCSI library
# it has the node and mtx. On a FUSE mount it has `pseudotape changer` as its mtx.

. "$PT_ROOT/tests/lib/backup.sh"
export CHECK_SECONDS=600 # in a guest beside other work a step takes a minute

check "a library is made" pseudotape library create lib --name vault --drives 2 --slots 5 --import-export 1 --capacity 4M
DAEMON_OPTIONS="--library $WORK/lib" drive_up
check "cartridges are added" pseudotape library add --count 3
mtx_here
tree_of_its_own 9
amanda_up tree <<END
$(amanda_library)
tapecycle 3 tapes
runtapes 3
define tapetype PSEUDO {
    length 4 mbytes
    part_size 1 mbytes
    part_cache_type memory
    blocksize 32 kbytes
}
END

for number in 1 2 3; do
    check "amlabel by the robot, slot $number" "${amanda[@]}" amlabel daily DAILY-$number slot $number
done
says "amtape inventory" 0 'slot +1.*DAILY-1.*PT0001L5' "${amanda[@]}" amtape daily inventory
says "amtape update" 0 'slot +2.*DAILY-2' "${amanda[@]}" amtape daily update
# VT-06: the vault prints the same of the slots that Amanda uses, where Amanda's labels are those of the vault. What only Amanda
# knows is left out.
vault=(pseudotape vault --vault "$WORK/vault")
check "a vault is made" pseudotape vault init "$WORK/vault" --labels 'PT000#L5'
check "with the labels of the cartridges" "${vault[@]}" add --new --count 3 --capacity 4M
listed=$("${amanda[@]}" amtape daily inventory)
same "the vault's inventory is what amtape prints" \
    "$(sed -E 's/label DAILY-(.)/label PT000\1L5/; s/ \(current\)//; s/ \[[^]]*\]$//' <<<"$listed")" \
    "$("${vault[@]}" inventory --changer "library:$PSEUDOTAPE_CONTROL" --as amanda | head -n 3)"
says "amtape show" 0 'slot +1.*DAILY-1' "${amanda[@]}" amtape daily show
says "amtape slot" 0 'DAILY-2' "${amanda[@]}" amtape daily slot 2
says "amtape label" 0 'DAILY-1' "${amanda[@]}" amtape daily label DAILY-1
check "amtape reset" "${amanda[@]}" amtape daily reset

check "amdump ends well" "${amanda[@]}" amdump daily ||
    grep -h -E '^(FAIL|ERROR|WARNING|  *[a-z].*)' amanda/log/log.* | head -n 20
cat amanda/log/log.* >log
same "amdump fills two cartridges and goes on with the third" "DAILY-1 DAILY-2 DAILY-3" \
    "$(sed -n 's/^PART taper .* \(DAILY-[0-9]\) [0-9]* localhost.*/\1/p' log | uniq | xargs)"
same "amdump is done with the disk" 1 "$(grep -c '^DONE taper .* localhost /mnt/tree' log)"
mkdir fetched restored out
chown backup fetched restored
check "amfetchdump" "${amanda[@]}" sh -c 'cd fetched && exec amfetchdump daily localhost /mnt/tree'
check "tar takes what amfetchdump brought" sh -c 'tar -x -p -C out -f fetched/localhost*'
same_tree "amfetchdump brings everything back" tree out

# amrestore knows no changer and no catalog: the operator puts each cartridge into the drive. The parts have their numbers.
for drive in 0 1; do check "amtape eject of drive $drive" "${amanda[@]}" amtape daily eject $drive; done
same "each cartridge is in its own slot again" "slot1 PT0001L5 slot2 PT0002L5 slot3 PT0003L5" \
    "$(pseudotape library show | grep -o 'slot[0-9] \[PT[^]]*' | tr -d '[' | xargs)"
device=tape:${NODES[0]}
[ "$FRONT" != fuse ] || device=tape:/mnt/nodes/npmtm0
for number in 1 2 3; do
    check "cartridge $number comes into drive 0" pseudotape library move "PT000${number}L5" drive0
    says "amrestore of cartridge $number" 0 "Restoring from tape DAILY-$number" "${amanda[@]}" sh -c "cd restored && exec amrestore $device"
    check "and goes back" pseudotape library move "PT000${number}L5" "slot$number"
done
rm -rf out
mkdir out
check "tar takes what amrestore brought" sh -c 'cat restored/localhost.* | tar -x -p -C out -f -'
same_tree "amrestore brings everything back" tree out
drive_down
for number in 1 2 3; do check "verify cartridge $number" pseudotape verify "lib/cartridges/PT000${number}L5.ptape"; done
