# shellcheck shell=bash
# PT-12, PT-17. Jobs over several volumes through a mirror, changed by a script: any copy of a volume goes with any
# copy of the others, and what differs is found.

numbers=(1 2 3 4)

# volumes CAPACITY: blank images for both legs; those of b are larger, and end where those of a do
volumes() {
    local number
    for number in "${numbers[@]}"; do
        cartridge "a$number" --force --capacity "$1" --early-warning 512K
        cartridge "b$number" --force --capacity 5M --early-warning 512K
    done
}

# change_script NAME NEXT: takes out what is in the mirror, and puts in the volumes with the number NEXT (shell text)
change_script() {
    cat >"$1" <<END
#!/bin/sh
next=$2
echo "\$next" >>"$WORK/changes"
exec >>"$WORK/changer.log" 2>&1
mt-st -f "$NODE" offline || exit 1
set --
for leg in \$(cat "$WORK/legs"); do
    set -- "\$@" "\$leg=$WORK/\$(sed -n "s/^\$leg \$next //p" "$WORK/shelf").ptape"
done
pseudotape-mirror load "\$@"
END
    chmod +x "$1"
}

# shelf LEG=VOLUME,VOLUME,...: which volumes the script has, in their order
shelf() {
    local leg number name names
    : >shelf
    : >legs
    for leg in "$@"; do
        number=0
        IFS=, read -ra names <<<"${leg#*=}"
        for name in "${names[@]}"; do
            number=$((number + 1))
            echo "${leg%%=*} $number $name" >>shelf
        done
        echo "${leg%%=*}" >>legs
    done
    : >changes
    : >changer.log
}

no_trouble() {
    same "the changer had no trouble ($1)" "" "$(grep -v '^loaded: ' changer.log)"
}

# same_pairs NAME: both copies of each volume that was written hold the same
same_pairs() {
    local number
    for number in "${numbers[@]}"; do
        says "volume $number is the same on both legs ($1)" 0 '^identical: [1-9]' \
            pseudotape compare "a$number.ptape" "b$number.ptape"
    done
}

tree tree 9
volumes 4M
# shellcheck disable=SC2016 # the script's own variables
change_script change '$TAR_VOLUME'
numbers=(1 2 3)
shelf a=a1,a2,a3,a4 b=b1,b2,b3,b4
pair_up
mirror_up --leg "a=$WORK/a1.ptape" --leg "b=$WORK/b1.ptape"
check "tar -M writes over volumes" tar -b 20 -f "$NODE" -M -F ./change --sort=name -c tree
same "it asks for two more" $'2\n3' "$(cat changes)"
no_trouble "tar writes"
same "both legs are copies at the end" "in-step in-step" "$(leg a state) $(leg b state)"
check "the last volumes are taken out" pseudotape-mirror unload
mirror_down
same_pairs tar

# every mix of the copies, and each leg's own set; guests are slow
mixes=("a1,b2,a3" "b1,a2,b3" "a1,a2,b3" "b1,b2,a3" "a1,b2,b3" "b1,a2,a3" "a1,a2,a3" "b1,b2,b3")
[ "$FRONT" = fuse ] || mixes=("${mixes[@]:0:2}")
for mix in "${mixes[@]}"; do
    shelf "one=$mix"
    mirror_up --leg "one=$WORK/${mix%%,*}.ptape"
    mkdir out
    check "tar -M restores from $mix" tar -b 20 -f "$NODE" -M -F ./change -x -p -C out
    same_tree "$mix brings everything back" tree out/tree
    no_trouble "$mix"
    rm -rf out
    mirror_down
done

# a volume of another job is found before anybody restores from it
says "compare says where two volumes differ" 1 'block|object' pseudotape compare a2.ptape b3.ptape
mirror_up --leg a --leg b
says "volumes that disagree are refused" 2 'legs a and b disagree: partition 0 holds [0-9]+ objects in a, [0-9]+ in b; .*trust LEG' \
    pseudotape-mirror load "a=$WORK/a2.ptape" "b=$WORK/b3.ptape"
says "the status says why" 1 'refused.*disagree' pseudotape-mirror status
says "the drive is not ready then" 0 'General status bits on \(10000\)' mt-st -f "$NODE" status
exits "nothing can be read" 1 dd if="$NODE" of=/dev/null bs=64k count=1 iflag=nonblock
check "they can be taken out" pseudotape-mirror unload
says "one leg's volume alone is no set" 2 'leg b needs a volume' pseudotape-mirror load "a=$WORK/a1.ptape"
says "a volume that is not there is named with its leg" 2 'leg b: .*nowhere.ptape: no such image' \
    pseudotape-mirror load "a=$WORK/a1.ptape" "b=$WORK/nowhere.ptape"
says "all or none" 0 'no volumes' pseudotape-mirror status
check "the right ones" pseudotape-mirror load "a=$WORK/a1.ptape" "b=$WORK/b1.ptape"
says "volumes are changed only when the others are out" 2 'volumes are in' \
    pseudotape-mirror load "a=$WORK/a2.ptape" "b=$WORK/b2.ptape"
mirror_down
drive_down

# dump, with its own script: it is called with the device and the number of the volume that ended, restore with the
# number that it wants
tree small 3
truncate -s 8M fs.img
check "mke2fs" mke2fs -q -t ext2 -m 0 -d small fs.img
: >empty
dump_image() {
    unshare --mount bash -c 'mount --bind empty /etc/fstab 2>/dev/null; mount -t tmpfs none /proc && exec dump "$@"' dump "$@" fs.img
}
export -f dump_image
numbers=(1 2 3 4)
volumes 2M
# shellcheck disable=SC2016
change_script change '$(($2 + ${STEP:-1}))'
shelf a=a1,a2,a3,a4 b=b1,b2,b3,b4
pair_up
mirror_up --leg "a=$WORK/a1.ptape" --leg "b=$WORK/b1.ptape"
# each volume a little shorter than the early warning: 40-dump.sh says why
check "dump over several volumes" bash -c 'dump_image "$@"' dump -0 -b 10 -B 1400 -F ./change -f "$NODE"
same "it asks for two more" $'2\n3' "$(cat changes)"
no_trouble "dump writes"
mirror_down
numbers=(1 2 3)
same_pairs dump
for mix in a1,b2,a3 b1,a2,b3; do
    shelf "one=$mix"
    mirror_up --leg "one=$WORK/${mix%%,*}.ptape"
    mkdir out
    (cd out && STEP=0 exits "restore from $mix" 0 restore -r -b 10 -F ../change -f "$NODE")
    rm -rf out/restoresymtable out/lost+found
    touch -d '2021-02-03 04:05:06 UTC' out
    same_tree "the dump on $mix brings everything back" small out
    rm -rf out
    mirror_down
done
drive_down
