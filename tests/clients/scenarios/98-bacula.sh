# shellcheck shell=bash
# PT-13, PT-17. Bacula whole, with a library of two drives: director, catalog, storage daemon, file daemon. It labels by
# barcode, fills three cartridges over two drives in two jobs at once, and restores. On CUSE it has the node and mtx.
# On a FUSE mount it has `pseudotape changer` as its mtx.

. "$PT_ROOT/tests/lib/backup.sh"
trap 'bacula_kill; clean_up' EXIT
export CHECK_SECONDS=600 # in a guest beside other work a step takes a minute

check "a library is made" pseudotape library create lib --name vault --drives 2 --slots 6 --import-export 1 --capacity 8M
DAEMON_OPTIONS="--library $WORK/lib" drive_up
check "cartridges are added" pseudotape library add --count 5
# Of cartridges of 8 MB the first needs two and a little, and the second one and a little.
tree first 17
tree second 10
bacula_up first second

says "label barcodes" 0 'VolBytes=[0-9]+ .*Volume="PT0005L5"' \
    ./bacula 'label barcodes storage=Library pool=Tapes drive=0 slots=1-5' yes
same "each cartridge has its label and is in the catalog" 5 "$(grep -c '^3000 OK label' <<<"$output")"

says "both jobs are done" 0 'JobStatus=OK.*JobStatus=OK' ./bacula 'run job=first yes' 'run job=second yes' 'wait jobid=1' 'wait jobid=2'
same "each had a drive of its own" 'Drive-0 Drive-1' \
    "$(sed -n 's/.*Using Device "\([^"]*\)" to write.*/\1/p' bacula.log | sort | xargs)"
same "three cartridges are full" 3 "$(grep -c 'End of medium on Volume' bacula.log)"
says "the catalog knows it" 0 '' ./bacula 'list media'
same "five cartridges are in use, each for one job only" "5 Used" \
    "$(awk -F'|' '/PT000/ { print $4 }' <<<"$output" | sort | uniq -c | xargs)"
same "the last block before each end was right" 3 "$(grep -c 'Re-read of last block succeeded' bacula.log)"

restored=2
# restores NAME JOBIDS DIRECTORY...: Bacula restores these jobs at once, and the directories are what they were
restores() {
    local name=$1 jobs=$2 directory
    shift 2
    restored=$((restored + 1))
    rm -rf out
    says "$name" 0 "JobId=$restored.*JobStatus=OK" ./bacula "restore jobid=$jobs all done yes" "wait jobid=$restored"
    for directory in "$@"; do same_tree "$name: as they were" "$directory" "out$WORK/$directory"; done
}
restores "one job's files" 2 second
restores "the files of both jobs at once" 1,2 first second

for drive in 0 1; do says "drive $drive is unmounted" 0 '3307|unmounted' ./bacula "unmount storage=Library drive=$drive"; done
says "update slots reads the barcodes" 0 'Catalog record for Volume "PT0005L5" is up to date' ./bacula 'update slots storage=Library drive=0'
same "each cartridge is in its own slot again" "1:PT0001L5 2:PT0002L5 3:PT0003L5 4:PT0004L5 5:PT0005L5" \
    "$(pseudotape changer -f "$PSEUDOTAPE_CONTROL" status | sed -n 's/^ *Storage Element \([0-9]\):Full :VolumeTag=\([^ ]*\) *$/\1:\2/p' | xargs)"
bacula_down
drive_down
for number in 1 2 3 4 5; do check "verify cartridge $number" pseudotape verify "lib/cartridges/PT000${number}L5.ptape"; done
