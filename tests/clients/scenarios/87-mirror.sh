# shellcheck shell=bash
# PT-07, PT-09, PT-10. Two images of different capacity behind one drive: the first end of tape is the end for both,
# whichever leg has it, and either copy restores.

scale=10
declare -A programs=([small-first]="tar records dump" [large-first]="tar records dump")
# guests have little memory, and that is all their disk; and they are slow
[ "$FRONT" = fuse ] || {
    scale=1
    programs=([small-first]="tar records" [large-first]="records dump")
}
small=$((6 * scale))M
large=$((10 * scale))M
zone=$((256 * scale))K

tree whole 1
tree long $((8 * scale))
pattern 9 $((8 * scale * 1048576)) >stream
truncate -s $((9 * scale))M fs.img
check "mke2fs" mke2fs -q -t ext2 -m 0 -d long fs.img
# the same as in 40-dump.sh
: >empty
dump_image() {
    unshare --mount bash -c 'mount --bind empty /etc/fstab 2>/dev/null; mount -t tmpfs none /proc && exec dump "$@"' dump "$@" fs.img
}
export -f dump_image

# legs A B: makes the two images with these capacities, and starts the pair
legs() {
    cartridge a --force --capacity "$1" --early-warning $zone
    cartridge b --force --capacity "$2" --early-warning $zone
    pair_up
    mirror_up --leg "a=$WORK/a.ptape" --leg "b=$WORK/b.ptape,class=spare"
}

# take_out NAME: both legs are copies; unloads them, and compares
take_out() {
    local object
    object=$(object)
    for name in a b; do
        same "leg $name is in step ($1)" in-step "$(leg $name state)"
        same "leg $name is where the drive is ($1)" "$object" "$(leg $name object)"
    done
    says "the status says the same to people ($1)" 0 'mirror     in step' pseudotape-mirror status
    check "mt offline ($1)" mt-st -f "$NODE" offline
    says "the volumes are out then ($1)" 0 'mirror     no volumes' pseudotape-mirror status
    says "both copies are the same ($1)" 0 '^identical: ' pseudotape compare a.ptape b.ptape
    for copy in a b; do
        check "copy $copy verifies ($1)" pseudotape verify $copy.ptape
    done
}

# from_each COMMAND...: the command, with each copy in the drive alone
from_each() {
    mirror_down
    for copy in a b; do
        mirror_up --leg "one=$WORK/$copy.ptape"
        "$@" $copy
        mirror_down
    done
}

restore_tar() {
    mkdir out
    check "tar restores from copy $1 ($order)" tar -b 20 -C out -xpf "$REWIND"
    same_tree "copy $1 brings everything back ($order)" whole out/whole
    rm -rf out
    check "to the file that did not fit ($order, $1)" mt-st -f "$NODE" asf 1
    says "tar lists what there is of it ($order, $1)" 2 'long/deep/er/file1.*Unexpected EOF' tar -b 20 -tf "$NODE"
}

restore_stream() {
    dd if="$NODE" of=back bs=256k 2>dd.err
    same "every record that was taken is on copy $1 ($order)" "$taken" "$(stat -c %s back)"
    check "and is the same ($order, $1)" cmp -n "$taken" back stream
    rm back
}

restore_dump() {
    says "restore lists the dump from copy $1 ($order)" 0 'deep/er/file1' restore -t -b 10 -f "$REWIND"
}

write_tar() {
    : >mirror.err
    check "tar onto both ($order)" tar -b 20 -cf "$NODE" --sort=name whole
    says "tar until the first leg's end ($order)" 2 'No space left on device' tar -b 20 -cf "$NODE" --sort=name long
    same "the log names the small leg, once ($order)" "$first" "$(sed -n 's/.*leg \([ab]\) reached its early warning.*/\1/p' mirror.err)"
    other=b
    [ $first = a ] || other=a
    same "the small leg is in its zone ($order)" 1 "$(($(leg $first left_bytes) <= 256 * scale * 1024))"
    same "the large leg has room ($order)" 1 "$(($(leg $other left_bytes) > 3 * scale * 1048576))"
    take_out "tar, $order"
    from_each restore_tar
}

write_records() {
    # which way the mirror comes makes no difference
    mirror_down
    SLAVE_END=$NODE_DIR/pmts0 mirror_up --leg "a=$WORK/a.ptape" --leg "b=$WORK/b.ptape,class=spare"
    says "records until the first leg's end ($order)" 1 'No space left on device' dd if=stream of="$NODE" bs=256k iflag=fullblock
    taken=$(sed -n 's/^\([0-9]*\) bytes.*/\1/p' <<<"$output")
    same "it is told in the zone ($order)" 1 $((taken >= (6 * 1024 - 256) * scale * 1024 && taken <= 6 * scale * 1048576))
    take_out "records, $order"
    from_each restore_stream
}

write_dump() {
    says "dump until the first leg's end ($order)" '[13]' 'End of tape detected.*dump is aborted' \
        bash -c 'dump_image "$@"' dump -0 -q -a -b 10 -f "$NODE"
    take_out "dump, $order"
    from_each restore_dump
}

for order in small-first large-first; do
    capacities=("$small" "$large")
    first=a
    [ $order = small-first ] || {
        capacities=("$large" "$small")
        first=b
    }
    for program in ${programs[$order]}; do
        legs "${capacities[@]}"
        "write_$program"
        drive_down
    done
done
