# shellcheck shell=bash
# PT-17, PT-14, PT-15, PT-03. Bacula with two drives and a changer that are mirrors: two libraries stand behind both. Each
# backup needs three cartridges. It writes both copies, and the tapes of both libraries are changed where the first of them
# is full. First both libraries are on this host; then one of them is on another host, with its changer and its tapes behind
# ssh. What is restored comes from a mix: through the mirrors, where the copy here has a hole that the other host fills; and
# by one library, in which a cartridge is the other one's copy. A guest needs minutes for a backup: it makes the one that
# has all parts, with the other host.

. "$PT_ROOT/tests/lib/backup.sh"
. "$PT_ROOT/tests/lib/hosts.sh"
export CHECK_SECONDS=600 # in a guest beside other work a step takes a minute
changer=$WORK/changer
second= # the mirror that is drive 1
all_down() {
    bacula_kill
    [ -z "$second" ] || kill -KILL "$second" 2>/dev/null
    clean_up
    hosts_down
}
trap all_down EXIT

cartridges=6
[ "$FRONT" = fuse ] || cartridges=3
# The cartridges of b have more room.
for library in a b; do
    check "library $library is made" pseudotape library create $library --drives 2 --slots $cartridges --import-export 0 \
        --capacity "$([ $library = a ] && echo 8M || echo 10M)"
done
# Drives 0 and 1 are the mirrors, drives 2 and 3 those of library a, drives 4 and 5 those of b.
DAEMON_OPTIONS="--library $WORK/a --library $WORK/b --changer library:$changer" \
    drive_up "slave=$WORK/slave0,slave-wait=60,slave-timeout=60" "slave=$WORK/slave1,slave-wait=60,slave-timeout=60"
for library in a b; do check "it has cartridges" pseudotape library --library $library add --count $cartridges; done
second_host "changers=pseudotape changer serve -f $WORK/control/b" \
    "tapes=pseudotape-rmt --allow there0=$NODE_DIR/npmtm4 --allow there1=$NODE_DIR/npmtm5" || return

# mirrors_up TAPE TAPE CHANGER: the mirrors; leg a is library a, and leg b is these tapes and this changer
mirrors_up() {
    local drive sinks=("$1" "$2")
    for drive in 0 1; do
        cat >mirror$drive.toml <<END
by-changer = true
[[leg]]
name = "a"
sink = "device:$NODE_DIR/npmtm$((drive + 2))"
[[leg]]
name = "b"
sink = "${sinks[drive]}"
END
    done
    cat >>mirror0.toml <<END
[[changer]]
name = "both"
socket = "$changer"
drives = ["$PSEUDOTAPE_MIRROR_CONTROL", "$WORK/second.control"]
device = "$WORK/control"
[[changer.leg]]
name = "a"
libraries = ["library:$WORK/control/a"]
[[changer.leg]]
name = "b"
libraries = ["$3"]
END
    export MIRROR_BEFORE=${from_here[*]}
    PSEUDOTAPE_MIRROR_CONTROL=$WORK/second.control SLAVE_END=$WORK/slave1 mirror_up --config mirror1.toml
    second=$MIRROR
    SLAVE_END=$WORK/slave0 mirror_up --config mirror0.toml
}

mirrors_down() {
    mirror_down
    MIRROR=$second second=
    mirror_down
}

# backup JOBID: Bacula fills two cartridges and needs a third one
backup() {
    says "backup $1 is done" 0 'JobStatus=OK' ./bacula 'run job=saved yes' "wait jobid=$1"
    same "two cartridges are full, as large as the smaller ones" 2 \
        "$(grep -c "JobId $1: End of medium on Volume .* Bytes=7," bacula.log)"
    mapfile -t volumes < <(sed -n "s/.*JobId $1: .*olume \"\(PT[^\"]*\)\".*/\1/p" bacula.log | sort -u)
    same "backup $1 is on three cartridges" 3 ${#volumes[@]}
    full=$(sed -n "s/.*JobId $1: End of medium on Volume \"\([^\"]*\)\".*/\1/p" bacula.log | tail -1)
}

# unmounted: the drives are empty, and Bacula's daemons and the mirrors end
unmounted() {
    local drive
    for drive in 0 1; do check "drive $drive is unmounted" ./bacula "unmount storage=Library drive=$drive"; done
    bacula_down
    mirrors_down
}

# copies VOLUME...: both copies of them are the same
copies() {
    local volume
    for volume in "$@"; do
        says "both copies of $volume hold the same" 0 '^identical: [1-9]' \
            pseudotape compare "a/cartridges/$volume.ptape" "b/cartridges/$volume.ptape"
    done
}

legs_here=("device:$NODE_DIR/npmtm4" "device:$NODE_DIR/npmtm5" "library:$WORK/control/b")
legs_there=("rmt:tapes:there0,rsh=$WORK/ssh" "rmt:tapes:there1,rsh=$WORK/ssh" "remote:changers,rsh=$WORK/ssh")
export LIBRARY_CHANGER=$changer
[ "$FRONT" = fuse ] || { LIBRARY_CHANGER=/dev/pmch2 legs_here=("${legs_there[@]}"); }
tree saved 18
mirrors_up "${legs_here[@]}"
bacula_up saved
says "label barcodes" 0 "VolBytes=[0-9]+ .*Volume=\"PT000${cartridges}L5\"" \
    ./bacula "label barcodes storage=Library pool=Tapes drive=0 slots=1-$cartridges" yes

# -- both libraries are here
job=1
if [ "$FRONT" = fuse ]; then
    backup 1
    unmounted
    copies "${volumes[@]}"
    first=$full
    mirrors_up "${legs_there[@]}"
    bacula_start
    job=2
fi

# -- library b is on the other host
backup $job
same "a changer and two tapes of the other host take part" "changers tapes" "$(cut -d ' ' -f 2 ssh.pids | sort -u | xargs)"
# The cartridge is in its slot. In the middle of it the copy here can't be read any more.
copies "$full"
dd if=/dev/zero of="a/cartridges/$full.ptape" bs=1M seek=2 count=4 conv=notrunc status=none
says "the other host has what is damaged here" 0 "JobId=$((job + 1)).*JobStatus=OK" \
    ./bacula "restore jobid=$job all done yes" "wait jobid=$((job + 1))"
same_tree "it is what was saved" saved "out$WORK/saved"
says "the other host reads from the damage on" 0 'is damaged: read from leg b.*reads come from leg b' grep 'leg b$' mirror.err
unmounted
for volume in "${volumes[@]}"; do [ "$volume" = "$full" ] || copies "$volume"; done

[ "$FRONT" = fuse ] || return 0

# -- Bacula's storage daemon with library a alone, and a copy of b in it
check "a full cartridge leaves library a" pseudotape library --library a remove "$first"
check "it leaves library b" pseudotape library --library b remove "$first"
mv "a/cartridges/$first.ptape" "$first.first" && mv "b/cartridges/$first.ptape" a/cartridges/
check "the copy of b takes its place in a" pseudotape library --library a add "a/cartridges/$first.ptape" --to "slot${first:5:1}"
export LIBRARY_DRIVES="2 3" LIBRARY_CHANGER=$WORK/control/a
example bacula-sd-library.conf | storage_daemon
bacula_start
rm -rf out
says "a mix of the copies is restored" 0 'JobId=4.*JobStatus=OK' ./bacula 'restore jobid=1 all done yes' 'wait jobid=4'
same "by the drives of library a" 0 "$(grep -c 'JobId 4: Ready to read .*npmtm[01])' bacula.log)"
same "the copy of b was read" 1 "$(grep -c "JobId 4: Ready to read from volume \"$first\"" bacula.log)"
same_tree "it is what was saved" saved "out$WORK/saved"
bacula_down
