# shellcheck shell=bash
# PT-13. What SCSI programs see of a drive's node: tapeinfo, sg_inq, sg_logs and others ask by SG_IO. Then, of a drive and of
# a changer: data in pieces of memory, resets, and news about what an operator did.

if [ "$FRONT" != cuse ]; then
    excluded "SCSI commands to a drive" "a file of a mount carries no request that points to memory"
    return
fi
cartridge scsi --capacity 64M
check "a library is made" pseudotape library create lib --name vault --drives 1 --slots 3 --import-export 1 --capacity 4M
DAEMON_OPTIONS="--library $WORK/lib" drive_up "image=$WORK/scsi.ptape,personality=lto5"
head -c 100000 /dev/urandom >data
dd if=data of="$NODE" bs=10000 status=none
mt-st -f "$NODE" weof 1

check "tapeinfo" tapeinfo -f "$NODE"
for line in 'Product Type: Tape Drive' "Vendor ID: 'IBM" "Product ID: 'ULT3580-TD5" 'Ready: yes' \
    'BufferedMode: yes' 'Density Code: 0x58' 'BlockSize: 0' 'DataCompEnabled: ' 'MinBlock: 1' 'MaxBlock: 8388608'; do
    same "tapeinfo says '$line'" 1 "$(grep -c "^$line" <<<"$output")"
done
same "tapeinfo says the place" "Block Position: $(object)" "$(grep '^Block Position' <<<"$output")"
serial=$(sed -n "s/^SerialNumber: '\(.*\)'/\1/p" <<<"$output")
says "sg_inq says the same serial number" 0 "Unit serial number: $serial\$" sg_inq "$NODE"
says "sg_inq knows a tape drive" 0 'Peripheral device type: tape' sg_inq "$NODE"
says "page 83h names the drive" 0 "ULT3580-TD5.*$serial" sg_inq --page=di "$NODE"
check "sg_turs" sg_turs "$NODE"
says "sg_logs lists the pages" 0 'Tape *[Aa]lert' sg_logs "$NODE"
says "sg_logs tells what was written" 0 'Total bytes processed = 100000' sg_logs --page=2 "$NODE"
check "sg_logs tells what was moved" sg_logs --page=0xc "$NODE"
check "sg_logs tells TapeAlert" sg_logs --page=0x2e "$NODE"
check "sg_modes reads the pages" sg_modes --all "$NODE"
says "a command that would move the tape is refused" 9 'Invalid command operation code' \
    sg_raw --readonly "$NODE" 01 00 00 00 00 00
same "nothing has moved" 2/0 "$(position)"
mt-st -f "$NODE" rewind
check "the data are what was written" cmp data <(dd if="$NODE" bs=10000 status=none)

says "the library's status names its node" 0 '"nodes": *\[[[:space:]]*"/dev/pmch0"' pseudotape library list --json
check "sg_reset of the changer" sg_reset --device /dev/pmch0
timeout 400 python3 "$PT_ROOT/tests/clients/tools/scsi.py" "$NODE" /dev/pmch0 | tee -a "$RESULTS"
same "it was tried to its end" 0 "${PIPESTATUS[0]}"
says "a reset is for root" '[1-9][0-9]*' 'Permission denied|requires CAP_SYS_ADMIN' \
    setpriv --reuid=1 --regid=tape --clear-groups sg_reset --device /dev/pmch0
drive_down
