# shellcheck shell=bash
# Every kind of drive as mt sees it: density names that mt knows, block limits, setmarks, partitions, the door.

names=(generic scsi_debug lto5 dds)
densities=('0x58 \(LTO-5\)' '0x0 \(default\)' '0x58 \(LTO-5\)' '0x25 \(DDS-3\)')
largest=(16777216 1048576 2097152 16777215)
for number in "${!names[@]}"; do
    name=${names[number]}
    cartridge "$name" --capacity 64M
    drive_up "image=$WORK/$name.ptape,personality=$name"
    says "$name: the density has a name" 0 "Density code ${densities[number]}" mt-st -f "$NODE" status
    exits "$name: a block of one byte more than the largest" 1 dd if=/dev/zero of="$NODE" bs=$((largest[number] + 1)) count=1
    check "$name: a block of 64 KiB" dd if=/dev/zero of="$NODE" bs=64k count=1
    check "$name: rewind" mt-st -f "$NODE" rewind
    case $name in
        dds) check "$name: a setmark" mt-st -f "$NODE" wset 1 ;;
        *) exits "$name: no setmarks" 2 mt-st -f "$NODE" wset 1 ;;
    esac
    exits "$name: partitions need their option" 2 mt-st -f "$NODE" setpartition 1
    check "$name: which is set" mt-st -f "$NODE" stsetoptions can-partitions
    check "$name: two partitions" mt-st -f "$NODE" mkpartition 8
    check "$name: the second one" mt-st -f "$NODE" setpartition 1
    # the first status after the change tells the counters of the partition left
    mt-st -f "$NODE" status >/dev/null
    says "$name: which the status shows" 0 'partition=1\.' mt-st -f "$NODE" status
    check "$name: the door is locked" mt-st -f "$NODE" lock
    check "$name: and unlocked" mt-st -f "$NODE" unlock
    drive_down
done
