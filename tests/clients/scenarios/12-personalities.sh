# shellcheck shell=bash
# Every kind of drive as mt sees it (of LTO the first, as the later ones differ in numbers alone): density names that mt knows, block limits, setmarks, partitions, the door.

names=(generic scsi_debug mhvtl lto5 dds)
densities=('0x58 \(LTO-5\)' '0x0 \(default\)' '0x58 \(LTO-5\)' '0x58 \(LTO-5\)' '0x25 \(DDS-3\)')
largest=(16777216 1048576 2097152 8388608 16777215)
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
    case $name in
        lto5 | dds) says "$name: no partition is larger than the medium" 2 'Input/output error' mt-st -f "$NODE" mkpartition 64 ;;
    esac
    check "$name: two partitions" mt-st -f "$NODE" mkpartition 8
    check "$name: the second one" mt-st -f "$NODE" setpartition 1
    # the first status after the change tells the counters of the partition left
    mt-st -f "$NODE" status >/dev/null
    says "$name: which the status shows" 0 'partition=1\.' mt-st -f "$NODE" status
    check "$name: the door is locked" mt-st -f "$NODE" lock
    says "$name: the operator can't take the cartridge out then" 2 'drive 0 is locked.*mt unlock.*--force' pseudotape unload 0
    check "$name: and unlocked" mt-st -f "$NODE" unlock
    check "$name: now the operator can" pseudotape unload 0
    # a cartridge that was changed behind st's back: the drive announces it, and the counters begin anew
    check "$name: a cartridge" pseudotape load 0 "$WORK/$name.ptape"
    check "$name: marks on it" mt-st -f "$NODE" weof 3
    check "$name: the operator takes it out" pseudotape unload 0
    cartridge "$name-2" --capacity 64M
    check "$name: and puts another one in" pseudotape load 0 "$WORK/$name-2.ptape"
    same "$name: its counters begin at 0" 0/0 "$(position)"
    drive_down
done

# WORM: what is written stays, and more can be written behind it.
cartridge worm --worm --capacity 64M
drive_up "image=$WORK/worm.ptape"
pattern 1 300000 >data
for number in 1 2; do
    check "WORM: file $number" dd if=data of="$NODE" bs=30000
    check "WORM: rewind after it" mt-st -f "$NODE" rewind
    says "WORM: overwriting is refused ($number)" 1 'Input/output error' dd if=data of="$NODE" bs=30000 count=1
    check "WORM: rewind again" mt-st -f "$NODE" rewind
    says "WORM: a filemark over it is refused ($number)" 2 'Input/output error' mt-st -f "$NODE" weof
    says "WORM: erasing is refused ($number)" 2 'Input/output error' mt-st -f "$NODE" erase
    check "WORM: to the end of data" mt-st -f "$NODE" eod
done
check "WORM: rewind before reading" mt-st -f "$NODE" rewind
for number in 1 2; do
    dd if="$NODE" of=back bs=30000 2>/dev/null
    check "WORM: file $number is there" cmp data back
done
check "WORM: a lock" mt-st -f "$NODE" lock
check "WORM: --force takes a cartridge out of a locked drive" pseudotape unload --force 0
drive_down
check "WORM: the image verifies" pseudotape verify worm.ptape
