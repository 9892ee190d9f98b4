# shellcheck shell=bash
# Volumes of a vault are stacked on a tape in a drive and on an image, and come back as they went. tar lists and extracts what is on
# the tape. What does not fit goes whole onto the next cartridge; a backup of the catalog is on each (VT-01). A full disk leaves
# nothing of a recall.

export PSEUDOTAPE_VAULT=$WORK/mondays
images=$PSEUDOTAPE_VAULT/images
check "a vault is made" pseudotape vault init "$PSEUDOTAPE_VAULT" --labels 'MON###'
check "blank volumes are made" pseudotape vault add --new --count 3 --capacity 64M
cartridge stk1 --capacity 1600K
cartridge stk2
cartridge stk3
export DAEMON_OPTIONS="--vault $PSEUDOTAPE_VAULT"
drive_up '' ''
TAPE=${NODES[1]}
written() {
    pattern "$1" $(($1 * $1 * 100000)) >"data$1"
    check "load MON00$1" pseudotape load 0 --volume "MON00$1"
    check "write it" tar -b 20 -cf "$NODE" "data$1"
    check "unload it" pseudotape unload 0
}
written 1
mkdir kept
cp "$images/MON001.ptape" kept
check "a blank tape is loaded" pseudotape load 1 "$WORK/stk1.ptape"
says "the first volume is stacked" 0 'MON001: copied on STK001, tape file 1.*backup 1 of the catalog on STK001, tape file 2' \
    pseudotape vault stack MON001 --to primary --drive "device:$TAPE" --new STK001

# tar reads it
check "to the first volume" mt-st -f "$TAPE" asf 1
says "tar lists it" 0 'volume.json.*MON001.ptape.*MON001.ptape.b3' \
    tar --blocking-factor=512 -tvf "$TAPE"
mkdir out
check "back to it" mt-st -f "$TAPE" asf 1
check "tar extracts it" tar --blocking-factor=512 -xf "$TAPE" -C out
check "it is the image" cmp out/MON001.ptape kept/MON001.ptape
says "the line for b3sum names it" 0 '^[0-9a-f]{64}  MON001.ptape$' cat out/MON001.ptape.b3

# its image is gone, and comes back
rm "$images/MON001.ptape"
says "a load says where the image is, and how it comes back" 2 \
    "image of volume MON001 is not on this disk: 'pseudotape vault recall MON001 --drive DRIVE' brings it from STK001" \
    pseudotape load 0 --volume MON001
says "a recall from the tape" 0 'MON001: .* from STK001, tape file 1' pseudotape vault recall MON001 --drive "device:$TAPE"
check "it is what it was" cmp "$images/MON001.ptape" kept/MON001.ptape
check "it is loaded again" pseudotape load 0 --volume MON001 --read-only
check "and read" tar -b 20 --compare -f "$NODE"
check "unload" pseudotape unload 0

# What follows asks nothing more of a node, but that a record of 256 KiB meets the end of the tape: such a record reaches a CUSE node
# in pieces, and where nobody can ask how long it is, in the guest, it ends in an error of the drive.
if [ "$FRONT" = fuse ]; then
    written 2
    written 3
    cp "$images"/MON00[23].ptape kept
    says "the others: one fits, and one does not" 1 \
        'MON002: copied on STK001, tape file 3.*backup 2 .* tape file 4.*STK001 is full, and 1 volume has no copy: MON003' \
        pseudotape vault stack --policy --to primary --drive "device:$TAPE"
    says "the pool says so" 0 'primary +STK001 +full +2 ' pseudotape vault pool
    says "nothing more goes on it" 2 'STK001 is full' pseudotape vault stack MON003 --to primary --drive "device:$TAPE"
    check "the full tape leaves the drive" pseudotape unload 1
    check "the next one comes" pseudotape load 1 "$WORK/stk2.ptape"
    says "a blank tape needs a label" 2 'is blank: --new LABEL' pseudotape vault stack MON003 --to primary --drive "device:$TAPE"
    says "what was left goes there, whole" 0 'MON003: copied on STK002, tape file 1' \
        pseudotape vault stack --policy --to primary --drive "device:$TAPE" --new STK002
    says "then nothing is left" 0 '^$' pseudotape vault stack --policy --to primary --drive "device:$TAPE"
    says "another pool, on an image" 0 'MON003: copied on SEC001, tape file 1' \
        pseudotape vault stack MON003 --to secondary --drive stk3.ptape --new SEC001
    says "a volume with copies is not forgotten unasked" 2 \
        'its copies stay on STK002 \(filling, pool primary\), SEC001 \(filling, pool secondary\)' pseudotape vault rm MON003
    rm "$images/MON001.ptape" "$images/MON003.ptape"
    says "doctor names the tape, too" 1 "missing-image MON001.*vault recall MON001 --drive DRIVE' brings it from STK001" \
        pseudotape vault doctor
    says "a load brings it from the image that it was stacked on" 0 'MON003: .* from SEC001, tape file 1.*loaded volume MON003' \
        pseudotape load 0 --volume MON003 --read-only
    check "unload it" pseudotape unload 0
    check "it is what it was" cmp "$images/MON003.ptape" kept/MON003.ptape
    says "once" 2 'MON003 is here' pseudotape vault recall MON003 --drive stk3.ptape
    says "the wrong tape is told, with the right one" 2 'put one of these in: STK001 \(full, pool primary\)' \
        pseudotape vault recall MON001 --drive "device:$TAPE"
    check "the full tape brings it" pseudotape vault recall MON001 --drive stk1.ptape
    check "as it went" cmp "$images/MON001.ptape" kept/MON001.ptape
    says "catalog and directory agree" 0 'agree' pseudotape vault doctor --digests
fi
drive_down
export DAEMON_OPTIONS=

# a full disk: nothing is left of a recall, and with room it is done
mkdir small
if [ "$FRONT" != fuse ]; then
    : # there is no node in it
elif mount -t tmpfs -o size=32m none small 2>mount.err; then
    export PSEUDOTAPE_VAULT=$WORK/small/vault
    cartridge tape
    check "a vault on a small disk" pseudotape vault init "$PSEUDOTAPE_VAULT" --labels 'SML###'
    check "with a volume" pseudotape vault add --new --capacity 64M
    drive_up "image=$PSEUDOTAPE_VAULT/images/SML001.ptape"
    check "which is written" tar -b 20 -cf "$NODE" data3
    drive_down
    check "the catalog is told" pseudotape vault add "$PSEUDOTAPE_VAULT/images/SML001.ptape" --digests
    cp "$PSEUDOTAPE_VAULT/images/SML001.ptape" small.ptape
    check "it is stacked" pseudotape vault stack SML001 --to primary --drive tape.ptape --new STK001
    rm "$PSEUDOTAPE_VAULT/images/SML001.ptape"
    free=$(df --output=avail -k small | tail -n 1)
    head -c $(((free - 400) * 1024)) /dev/zero >small/filler
    says "a full disk is told" 2 'SML001 from .*the disk of the vault is full' pseudotape vault recall SML001 --drive tape.ptape
    same "and has nothing of it" '' "$(ls -A "$PSEUDOTAPE_VAULT/images")"
    says "the vault is as it was" 1 'missing-image SML001' pseudotape vault doctor
    rm small/filler
    check "with room it comes back" pseudotape vault recall SML001 --drive tape.ptape
    check "whole" cmp "$PSEUDOTAPE_VAULT/images/SML001.ptape" small.ptape
    says "and catalog and directory agree" 0 'agree' pseudotape vault doctor --digests
    check "the small disk goes" umount small
else
    skip "a full disk while recalling" "no file system of its own here: $(cat mount.err)"
fi
