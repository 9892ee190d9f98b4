# shellcheck shell=bash
# PT-01, PT-17. Amanda on a `tape:` device: amtapetype measures it; amlabel, amdump, amcheckdump and amfetchdump write, check and
# bring back a small disk list, over two cartridges too.

. "$PT_ROOT/tests/lib/backup.sh"
tree_of_its_own 5
# The whole is 5170 KiB with Amanda's padding: a little more than one cartridge takes before early warning.
for number in 0 1; do cartridge "volume$number" --capacity 6M --early-warning 1M; done
drive_up "image=$WORK/volume0.ptape" "image=$WORK/volume1.ptape"
device0=tape:${NODES[0]} device1=tape:${NODES[1]}
[ "$FRONT" != fuse ] || device0=tape:/mnt/nodes/npmtm0 device1=tape:/mnt/nodes/npmtm1
amanda_up tree <<END
tapecycle 2 tapes
runtapes 2
tpchanger "drives"
define changer drives {
    tpchanger "chg-multi:{first,second}"
    changerfile "/mnt/amanda/changer"
}
define device first {
    tapedev "$device0"
    device_property "LEOM" "TRUE"
}
define device second {
    tapedev "$device1"
    device_property "LEOM" "TRUE"
}
define tapetype PSEUDO {
    length 6 mbytes
    part_size 1 mbytes
    part_cache_type memory
    blocksize 32 kbytes
}
END

for number in 1 2; do
    says "amlabel labels the cartridge of drive $((number - 1))" 0 'Checking label' "${amanda[@]}" amlabel daily "DAILY-$number" slot "$number"
done
exits "amlabel does not label a cartridge twice" 1 "${amanda[@]}" amlabel daily DAILY-3 slot 1
CHECK_SECONDS=300 check "amdump ends well" "${amanda[@]}" amdump daily ||
    grep -h -E '^(FAIL|ERROR|WARNING|  *[a-z].*)' amanda/log/log.* | head -n 20
cat amanda/log/log.* >log
same "amdump writes parts of 1 MiB, and on the second cartridge what the first has no room for" "1/1 1/2 1/3 1/4 1/5 2/1" \
    "$(sed -n 's/^PART taper .* DAILY-\([0-9]\) \([0-9]*\) localhost.*/\1\/\2/p' log | xargs)"
same "amdump is done with the disk" 1 "$(grep -c '^DONE taper .* localhost /mnt/tree' log)"
says "amcheckdump reads it all, and tar finds nothing wrong" 0 'The following volumes are needed: DAILY-1 DAILY-2.*All image .1. successfully validated' \
    "${amanda[@]}" amcheckdump daily
mkdir fetched out
chown backup fetched
CHECK_SECONDS=300 check "amfetchdump" "${amanda[@]}" sh -c 'cd fetched && exec amfetchdump daily localhost /mnt/tree'
check "tar takes what amfetchdump brought" sh -c 'tar -x -p -C out -f fetched/localhost*'
same_tree "amfetchdump brings everything back" tree out
drive_down

# amtapetype writes for a minute to see whether the drive compresses, and gives up where the tape is full before. By a clock
# that runs 600 times as fast it writes for a tenth of a second.
cartridge measured --capacity 65M --early-warning 1M
drive_up "image=$WORK/measured.ptape"
says "amtapetype measures the drive" 0 'define tapetype PSEUDO' "${amanda[@]}" faketime -f "+0 x600" amtapetype -f -b 32k -t PSEUDO daily first
same "amtapetype needs no special treatment of filemarks" "" "$(grep FSF_AFTER_FILEMARK <<<"$output" | grep device-property)"
length=$(sed -n 's/^ *length \([0-9.]*\) kbytes/\1/p' <<<"$output")
# 64 MiB are left before early warning; Amanda's own label is one record of 32 KiB, each file has another
if [[ ${length%.*} -ge 65400 && ${length%.*} -le 65536 ]]; then
    ok "amtapetype finds the length of the tape"
else
    fail "amtapetype finds the length of the tape" "$length KiB: $output"
fi
same "amtapetype sees early warning" "LEOM is supported" "$(grep -o 'LEOM is supported' <<<"$output")"
# what Amanda takes for the room of a filemark is its header, a record of 32 KiB
same "amtapetype finds that a filemark needs no room" 1 "$(grep -c -E 'filemark 3[0-9](\.[0-9]*)? kbytes' <<<"$output")"
drive_down
