# shellcheck shell=bash
# PT-17. Bacula with two drives and a changer that are mirrors: two libraries stand behind both. A backup over three
# cartridges writes both copies, and the tapes of both libraries are changed where the first of them is full. What is
# restored comes from a mix: one library, in which a cartridge is the other one's copy.

. "$PT_ROOT/tests/lib/backup.sh"
export CHECK_SECONDS=600 # in a guest beside other work a step takes a minute
changer=$WORK/changer
second= # the mirror that is drive 1
all_down() {
    bacula_kill
    [ -z "$second" ] || kill -KILL "$second" 2>/dev/null
    clean_up
}
trap all_down EXIT

# The cartridges of b have more room.
for library in a b; do
    check "library $library is made" pseudotape library create $library --drives 2 --slots 4 --import-export 0 \
        --capacity "$([ $library = a ] && echo 8M || echo 10M)"
done
# Drives 0 and 1 are the mirrors, drives 2 and 3 those of library a, drives 4 and 5 those of b.
DAEMON_OPTIONS="--library $WORK/a --library $WORK/b --changer library:$changer" \
    drive_up "slave=$WORK/slave0,slave-wait=60,slave-timeout=60" "slave=$WORK/slave1,slave-wait=60,slave-timeout=60"
for library in a b; do check "it has cartridges" pseudotape library --library $library add --count 4; done
for drive in 0 1; do
    cat >mirror$drive.toml <<END
by-changer = true
[[leg]]
name = "a"
sink = "device:$NODE_DIR/npmtm$((drive + 2))"
[[leg]]
name = "b"
sink = "device:$NODE_DIR/npmtm$((drive + 4))"
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
libraries = ["library:$WORK/control/b"]
END
PSEUDOTAPE_MIRROR_CONTROL=$WORK/second.control SLAVE_END=$WORK/slave1 mirror_up --config mirror1.toml
second=$MIRROR
SLAVE_END=$WORK/slave0 mirror_up --config mirror0.toml

export LIBRARY_CHANGER=$changer
[ "$FRONT" = fuse ] || LIBRARY_CHANGER=/dev/pmch2
tree saved 18
bacula_up saved
says "label barcodes" 0 'VolBytes=[0-9]+ .*Volume="PT0004L5"' \
    ./bacula 'label barcodes storage=Library pool=Tapes drive=0 slots=1-4' yes
says "the backup is done" 0 'JobStatus=OK' ./bacula 'run job=saved yes' 'wait jobid=1'
same "two cartridges are full, as large as the smaller ones" 2 "$(grep -c 'End of medium on Volume .* Bytes=7,' bacula.log)"
for drive in 0 1; do check "drive $drive is unmounted" ./bacula "unmount storage=Library drive=$drive"; done
bacula_down
mirror_down
MIRROR=$second second=
mirror_down

mapfile -t volumes < <(grep -o 'Volume "PT000[1-4]L5"' bacula.log | grep -o 'PT[^"]*' | sort -u)
for volume in "${volumes[@]}"; do
    says "both copies of $volume hold the same" 0 '^identical: [1-9]' \
        pseudotape compare "a/cartridges/$volume.ptape" "b/cartridges/$volume.ptape"
done
volume=$(sed -n 's/.*End of medium on Volume "\([^"]*\)".*/\1/p' bacula.log | tail -1)
slot=${volume:5:1}
check "a full cartridge leaves library a" pseudotape library --library a remove "$volume"
check "it leaves library b" pseudotape library --library b remove "$volume"
mv "a/cartridges/$volume.ptape" "$volume.first" && mv "b/cartridges/$volume.ptape" a/cartridges/
check "the copy of b takes its place in a" pseudotape library --library a add "a/cartridges/$volume.ptape" --to "slot$slot"

# Bacula's storage daemon with library a alone
export LIBRARY_DRIVES="2 3" LIBRARY_CHANGER=$WORK/control/a
[ "$FRONT" = fuse ] || LIBRARY_CHANGER=/dev/pmch0
example bacula-sd-library.conf | storage_daemon
bacula_start
says "a mix of the copies is restored" 0 'JobId=2.*JobStatus=OK' ./bacula 'restore jobid=1 all done yes' 'wait jobid=2'
same "by the drives of library a" 0 "$(grep -c 'JobId 2: Ready to read .*npmtm[01])' bacula.log)"
same "the copy of b was read" 1 "$(grep -c "JobId 2: Ready to read from volume \"$volume\"" bacula.log)"
same_tree "it is what was saved" saved "out$WORK/saved"
bacula_down
