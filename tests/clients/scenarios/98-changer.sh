# shellcheck shell=bash
# PT-13, PT-17. A changer's node as unmodified programs use it: mtx, loaderinfo, scsitape, sg_inq and sg_logs, Bacula's
# mtx-changer with btape's test of an autochanger.

. "$PT_ROOT/tests/lib/backup.sh"

if [ "$FRONT" != cuse ]; then
    excluded "SCSI programs with a changer" "a file of a mount carries no request that points to memory: 'pseudotape changer' is for those"
    return
fi
CH=/dev/pmch0
check "a library is made" pseudotape library create lib --name vault --drives 2 --slots 5 --import-export 1 --capacity 8M
DAEMON_OPTIONS="--library $WORK/lib" drive_up
check "cartridges are added" pseudotape library add --count 3
same "the node has the group of the drives" "$(stat -c '%a %G' "$NODE")" "$(stat -c '%a %G' $CH)"

tag() { printf '%s%*s' "$1" $((32 - ${#1})) ''; }
same "mtx status" "  Storage Changer $CH:2 Drives, 6 Slots ( 1 Import/Export )
Data Transfer Element 0:Empty
Data Transfer Element 1:Empty
      Storage Element 1:Full :VolumeTag=$(tag PT0001L5)
      Storage Element 2:Full :VolumeTag=$(tag PT0002L5)
      Storage Element 3:Full :VolumeTag=$(tag PT0003L5)
      Storage Element 4:Empty
      Storage Element 5:Empty
      Storage Element 6 IMPORT/EXPORT:Empty" "$(mtx -f $CH status 2>&1)"
same "'pseudotape changer' prints what mtx prints" "$(mtx -f $CH status | sed 1d)" \
    "$(pseudotape changer -f "$PSEUDOTAPE_CONTROL" status | sed 1d)"
check "mtx inventory" mtx -f $CH inventory
says "mtx inquiry" 0 'Product Type: Medium Changer' mtx -f $CH inquiry

check "mtx load" mtx -f $CH load 2 1
same "the drive is online at the beginning when the move returns" "0/0 BOT ONLINE" \
    "$(position "${NODES[1]}") $(mt_status "${NODES[1]}" | grep -o 'BOT ONLINE')"
says "mtx status tells where it came from" 0 'Data Transfer Element 1:Full \(Storage Element 2 Loaded\):VolumeTag = PT0002L5' \
    mtx -f $CH status
says "mtx load into a full drive" 1 'Drive 1 Full \(Storage Element 2 loaded\)' mtx -f $CH load 1 1
says "mtx load of an empty slot" 1 'is Empty' mtx -f $CH load 4 0
says "mtx unload into a full slot" 1 'Storage Element 1 is Already Full' mtx -f $CH unload 1 1
check "mtx unload" mtx -f $CH unload 2 1
check "mtx transfer" mtx -f $CH transfer 3 5
check "mtx first" mtx -f $CH first 0
check "mtx next" mtx -f $CH next 0
check "mtx previous" mtx -f $CH previous 0
check "mtx last" mtx -f $CH last 0
says "the last one is loaded" 0 'Data Transfer Element 0:Full .*PT0003L5' mtx -f $CH status
check "mtx unload of the last" mtx -f $CH unload 5 0
check "mtx exchange" mtx -f $CH exchange 1 2 4
says "both are where they were to go" 0 'Element 2:Full :VolumeTag=PT0001L5.*Element 4:Full :VolumeTag=PT0002L5' mtx -f $CH status
check "mtx eepos" mtx -f $CH eepos 1 transfer 4 6
check "mtx transfer from import/export" mtx -f $CH transfer 6 1
says "mtx invert is refused: a tape has one side" 1 'Illegal Request' mtx -f $CH invert transfer 1 4
check "mtx exchange back" mtx -f $CH exchange 1 2 1
check "mtx transfer back" mtx -f $CH transfer 5 3

check "mtx load for a program" mtx -f $CH load 1 0
exec 3<"$NODE"
says "a drive that a program has open gives nothing" 1 'Illegal Request' mtx -f $CH unload 1 0
exec 3<&-
check "mtx unload after it" mtx -f $CH unload 1 0

says "loaderinfo" 0 'Bar Code Reader: Yes' loaderinfo -f $CH
for line in 'Product Type: Medium Changer' "Vendor ID: 'PSEUDO" 'EAAP: Yes' 'Number of Medium Transport Elements: 1' \
    'Number of Storage Elements: 5' 'Number of Import/Export Elements: 1' 'Number of Data Transfer Elements: 2' \
    'Transport Geometry Descriptor Page: Yes' 'Invertable: No' 'Device Configuration Page: Yes'; do
    same "loaderinfo says '$line'" 1 "$(grep -c "^$line" <<<"$output")"
done
same "loaderinfo says what can be moved" 1 "$(grep -c 'Transfer Storage: ' <<<"$output")"
says "tapeinfo knows a changer" 0 'Product Type: Medium Changer' tapeinfo -f $CH
says "scsitape has no tape before it" '[1-9][0-9]*' 'Illegal Request|No|fail' scsitape -f $CH rewind
says "sg_inq knows a changer" 0 'Peripheral device type: medium changer' sg_inq $CH
says "sg_inq page 83h" 0 'vendor specific: CHANGER|T10 vendor' sg_inq --page=di $CH
check "sg_logs" sg_logs $CH
check "sg_turs" sg_turs $CH

# Bacula's script as it is, and btape's test of an autochanger.
script=/etc/bacula/scripts/mtx-changer
says "mtx-changer slots" 0 '^6$' $script $CH slots
says "mtx-changer list" 0 '1:PT0001L5
2:PT0002L5
3:PT0003L5' $script $CH list
check "mtx-changer load" $script $CH load 2 "$NODE" 0
says "mtx-changer loaded" 0 '^2$' $script $CH loaded 2 "$NODE" 0
says "mtx-changer listall" 0 'D:0:F:2:PT0002L5 *
D:1:E
S:1:F:PT0001L5' $script $CH listall
check "mtx-changer unload" $script $CH unload 2 "$NODE" 0
check "mtx-changer transfer" $script $CH transfer 2 6
check "mtx-changer transfer back" $script $CH transfer 6 2
example bacula-sd-library.conf | storage_daemon
# it opens the drive before it asks for a cartridge
mtx -f $CH load 1 0 >/dev/null
btape autochanger.log --once '\n\*$' autochanger '' --once 'y/n\): $' y '' --once '\n\*+$' quit ''
same "btape's test of an autochanger ends well" 0 $?
says "btape's test of an autochanger worked" 0 'The test autochanger worked' cat autochanger.log
drive=$(mtx -f $CH status | sed -n 's/^Data Transfer Element 0:Full (Storage Element \([0-9]\) Loaded).*/\1/p')
[ -z "$drive" ] || check "the drive is emptied" mtx -f $CH unload "$drive" 0
drive_down
