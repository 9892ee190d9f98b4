# shellcheck shell=bash
# PT-13, PT-17. A library of the daemon: `pseudotape library` as its operator, `pseudotape changer` as mtx, Bacula's mtx-changer
# as it is installed, tar over three cartridges that it changes, and a daemon that is killed in the middle of moves.

# What is installed as /usr/sbin/mtx needs a node that answers SCSI commands. Each command of a changer script gets a view of the
# files in which it is ours, and in which `mt` is the one that takes a file for a tape.
ln -s "$(command -v pseudotape)" mtx
cat >inside <<'SCRIPT'
#!/bin/bash
mount --bind "$(readlink -f "$WORK/mtx")" /usr/sbin/mtx && mount --bind "$(command -v mt-st)" "$(readlink -f /usr/bin/mt)" || exit 99
exec "$@"
SCRIPT
chmod +x inside
export WORK
changer=(unshare --mount "$WORK/inside" /etc/bacula/scripts/mtx-changer "$WORK/control")

check "a library is made" pseudotape library create lib --name vault --drives 2 --slots 5 --import-export 1 --capacity 4M
says "there can be only one in a folder" 2 'there is a library already' pseudotape library create lib
DAEMON_OPTIONS="--library $WORK/lib" drive_up
check "cartridges are added without a restart" pseudotape library add --count 3
says "a library's drive is loaded by its library" 2 "drive 0 is one of library vault" pseudotape load 0 lib/cartridges/PT0001L5.ptape

tag() { printf '%s%*s' "$1" $((32 - ${#1})) ''; }
same "mtx status" "  Storage Changer control:2 Drives, 6 Slots ( 1 Import/Export )
Data Transfer Element 0:Empty
Data Transfer Element 1:Empty
      Storage Element 1:Full :VolumeTag=$(tag PT0001L5)
      Storage Element 2:Full :VolumeTag=$(tag PT0002L5)
      Storage Element 3:Full :VolumeTag=$(tag PT0003L5)
      Storage Element 4:Empty
      Storage Element 5:Empty
      Storage Element 6 IMPORT/EXPORT:Empty" "$(./mtx -f control status)"
same "mtx load" "Loading media from Storage Element 2 into drive 1...done" "$(./mtx -f control load 2 1)"
same "the drive is online at the beginning when the move returns" "0/0 BOT ONLINE" \
    "$(position "${NODES[1]}") $(mt_status "${NODES[1]}" | grep -o 'BOT ONLINE')"
says "mtx load into a full drive" 1 '^Drive 1 Full \(Storage Element 2 loaded\)$' ./mtx -f control load 1 1
says "mtx load of an empty slot" 1 'drive 0...Source Element Address 1028 is Empty$' ./mtx -f control load 4
says "mtx unload of an empty drive" 1 '^Data Transfer Element 0 is Empty$' ./mtx -f control unload
says "mtx unload into a full slot" 1 '^Storage Element 1 is Already Full$' ./mtx -f control unload 1 1
says "mtx with a slot that there is not" 1 "^Invalid <storage-element-number> argument '7' to 'load' command$" ./mtx -f control load 7
says "mtx without a daemon" 1 "^cannot open SCSI device 'nowhere' - No such file or directory$" ./mtx -f nowhere status
says "mtx next" 0 '^Unloading drive 1 into Storage Element 2...done
Loading media from Storage Element 3 into drive 1...done$' ./mtx -f control next 1
says "mtx next at the last cartridge" 1 'No More Media$' ./mtx -f control next 1
check "mtx transfer" ./mtx -f control transfer 3 5
says "mtx last" 0 '^Loading media from Storage Element 5 into drive 0...done$' ./mtx -f control last 0
says "mtx last again" 0 '^loading...done.$' ./mtx -f control last 0
says "mtx previous" 0 '^Unloading drive 0 into Storage Element 5...done
Loading media from Storage Element 2 into drive 0...done$' ./mtx -f control previous
says "mtx first" 0 '^Unloading drive 0 into Storage Element 2...done
Loading media from Storage Element 1 into drive 0...done$' ./mtx -f control first 0
says "mtx previous at the first cartridge" 1 '^No More Media$' ./mtx -f control previous
check "mtx exchange and transfer to import/export" ./mtx -f control exchange 5 2 5 eepos 1 transfer 5 6
says "both are where they were to go" 0 'Element 2:Full :VolumeTag=PT0003L5.*Element 6 IMPORT/EXPORT:Full :VolumeTag=PT0002L5' \
    ./mtx -f control status
check "several commands on one line" ./mtx -f control transfer 6 5 exchange 2 5 unload 1 0 transfer 5 3
same "everything is where it was" "1:PT0001L5 2:PT0002L5 3:PT0003L5" \
    "$(./mtx -f control status | sed -n 's/^ *Storage Element \([0-9]\):Full :VolumeTag=\([^ ]*\) *$/\1:\2/p' | xargs)"
says "mtx inquiry" 0 "Product Type: Medium Changer
Vendor ID: 'PSEUDO  '
Product ID: 'CHANGER         '" ./mtx -f control inquiry

# A cartridge that a program has stays with it.
check "mtx load for a program" ./mtx -f control load 1 0
exec 3<"${NODES[0]}"
says "a drive that a program has open gives nothing" 1 'Sense Key=Illegal Request.*MOVE MEDIUM from Element Address 257 to 1025 Failed' \
    ./mtx -f control unload 1 0
says "show says who has it" 0 "drive0 +\[PT0001L5\] pmtm0 +from slot1, open by bash" pseudotape library show
exec 3<&-
check "mt lock" mt-st -f "$NODE" lock
says "a locked drive gives nothing" 1 'MOVE MEDIUM from Element Address 257 to 1025 Failed' ./mtx -f control unload 1 0
check "mt unlock" mt-st -f "$NODE" unlock
check "mt offline" mt-st -f "$NODE" offline
check "after mt offline it comes" ./mtx -f control unload 1 0

# Bacula's script, as it is.
says "mtx-changer slots" 0 '^6$' "${changer[@]}" slots
says "mtx-changer list" 0 '^1:PT0001L5
2:PT0002L5
3:PT0003L5$' "${changer[@]}" list
check "mtx-changer load" "${changer[@]}" load 2 "$NODE" 0
says "mtx-changer loaded" 0 '^2$' "${changer[@]}" loaded 0 "$NODE" 0
says "mtx-changer listall" 0 'D:0:F:2:PT0002L5 *
D:1:E
S:1:F:PT0001L5 *
S:2:E.*I:6:E' "${changer[@]}" listall
check "mtx-changer unload" "${changer[@]}" unload 2 "$NODE" 0
check "mtx-changer transfer" "${changer[@]}" transfer 2 6
check "mtx-changer transfer back" "${changer[@]}" transfer 6 2

# PT-17: tar changes its cartridges by it.
tree files 9
cat >change <<'SCRIPT'
#!/bin/bash
old=$(unshare --mount "$WORK/inside" /etc/bacula/scripts/mtx-changer "$WORK/control" loaded 0 "$NODE" 0)
mt-st -f "$NODE" offline &&
    unshare --mount "$WORK/inside" /etc/bacula/scripts/mtx-changer "$WORK/control" unload "$old" "$NODE" 0 &&
    unshare --mount "$WORK/inside" /etc/bacula/scripts/mtx-changer "$WORK/control" load $((old + 1)) "$NODE" 0
SCRIPT
chmod +x change
check "the first cartridge" ./mtx -f control load 1 0
check "tar writes over three cartridges" tar -b 64 -M -F ./change -cf "$NODE" files
same "the third cartridge is in the drive" 3 "$(./mtx -f control status | sed -n 's/^Data Transfer Element 0:Full (Storage Element \([0-9]*\) Loaded.*/\1/p')"
check "the third one goes back" ./mtx -f control unload 3 0
check "the first one again" ./mtx -f control load 1 0
mkdir out
check "tar restores from three cartridges" tar -b 64 -M -F ./change -xf "$NODE" -C out
same_tree "what it restores is what it saved" files out/files
check "the drive is emptied" ./mtx -f control unload 3 0

# The operator.
says "a cartridge is imported" 0 'put cartridge PT0004L5 into element 769' pseudotape library import
says "and moved by its barcode" 0 'moved the cartridge of element 769 to 1028' pseudotape library move PT0004L5 slot4
says "and exported" 0 'took cartridge PT0004L5 out: it is .*/lib/cartridges/PT0004L5.ptape' pseudotape library export PT0004L5
says "an image that there is can be added" 0 'put cartridge OLD001L5 into element 1029' \
    sh -c 'mv lib/cartridges/PT0004L5.ptape OLD001L5.ptape && pseudotape library add OLD001L5.ptape --to slot5'
check "and loaded" pseudotape library move OLD001L5 drive1
says "list says it in JSON" 0 '"at":258,"full":true,"barcode":"OLD001L5","source":1029' sh -c 'pseudotape --json library list | tr -d " \n"'
check "and removed" sh -c 'pseudotape library move OLD001L5 slot5 && pseudotape library remove OLD001L5'
says "show watches" 0 'library vault.*library vault' pseudotape library show --watch 0.05 --times 2

# Killed in the middle of moves: afterwards each cartridge is in one element, and the drive holds what the library says.
bad=0
for round in 1 2 3 4 5 6 7 8; do
    (while ./mtx -f control load 1 0 unload 1 0; do :; done) >moves.out 2>&1 &
    moves=$!
    sleep "0.$((RANDOM % 40 + 10))"
    drive_kill
    wait "$moves"
    DAEMON_OPTIONS="--library $WORK/lib" drive_up || break
    in_slot=$(./mtx -f control status | grep -c 'Storage Element 1:Full .*=PT0001L5')
    in_drive=$(./mtx -f control status | grep -c 'Element 0:Full .*= PT0001L5')
    online=$(mt_status | grep -c ' ONLINE')
    [ $((in_slot + in_drive)) = 1 ] && [ "$online" = "$in_drive" ] || bad=$((bad + 1))
    [ "$in_drive" = 0 ] || ./mtx -f control unload 1 0 >/dev/null || bad=$((bad + 1))
done
same "eight daemons killed in the middle of moves leave each cartridge in one place" "0 8" "$bad $round"
