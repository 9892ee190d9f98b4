# shellcheck shell=bash
# EN-02, EN-21: what an administrator does with a vault by docs/VAULT.md while drives use its volumes: blank volumes are made, one is
# written with tar, the catalog is told of it, damage is found and blocks the volume, a person decides, and a volume goes.

export PSEUDOTAPE_VAULT=$WORK/mondays
images=$WORK/mondays/images
check "a vault is made" pseudotape vault init "$PSEUDOTAPE_VAULT" --labels 'MON###'
says "blank volumes are made" 0 'MON003: scratch, ok' pseudotape vault add --new --count 3 --capacity 64M
tree_small=$WORK/tree
mkdir "$tree_small"
pattern 7 300000 >"$tree_small/data"
yes 'a line that is found again in the image' | head -n 2000 >"$tree_small/text"

drive_up "image=$images/MON001.ptape"
check "tar writes on a volume of the vault" tar -b 128 -cf "$NODE" -C "$tree_small" .
check "and a second archive behind it" tar -b 128 -cf "$NODE" -C "$tree_small" text
says "what a drive has is not taken in" 2 'in use by a drive' pseudotape vault add "$images/MON001.ptape"
says "nor is it removed" 2 'in use by a drive' pseudotape vault rm MON001
check "unload" pseudotape unload 0
says "doctor finds that it was written" 1 'changed MON001' pseudotape vault doctor
says "the catalog is told" 0 'MON001: private, ok, .* in 2 tape files' pseudotape vault add "$images/MON001.ptape" --digests
says "catalog and directory agree" 0 'agree' pseudotape vault doctor --digests
says "the tape files have digests" 0 ' 1 +[0-9]+ +[0-9]+ +[0-9]+ +ok +[0-9a-f]{64}' pseudotape vault ls MON001
says "the log tells who made it private" 0 'category: scratch -> private, by the system' pseudotape vault show MON001

# one byte of the second archive
python3 - "$images/MON001.ptape" <<'END'
import sys
with open(sys.argv[1], "r+b") as image:
    at = image.read().rindex(b"found again")
    image.seek(at)
    image.write(b"F")
END
says "the damage is found and written down" 1 'bad-file MON001 file 1' pseudotape vault doctor --digests --mark
says "the volume is blocked by the system" 0 'MON001 .*noaccess, 1 faulty' pseudotape vault ls --availability noaccess
check "what is good on it can still be read" pseudotape load 0 "$images/MON001.ptape"
check "rewind" mt-st -f "$NODE" rewind
check "the first archive is whole" tar -b 128 --compare -f "$NODE" -C "$tree_small"
check "unload it again" pseudotape unload 0
says "a word makes no bad file good" 2 "still can't be read" pseudotape vault mark MON001 ok --file 1 --by ada --reason hope
says "only a person declares it lost" 2 'by NAME --reason TEXT' pseudotape vault mark MON001 lost --file 1
check "and does" pseudotape vault declare-lost MON001 --file 1 --by ada --reason 'made anew elsewhere'
says "the last copy stays" 2 '1 tape file that somebody wants' pseudotape vault rm MON001
check "it goes with the word for it" pseudotape vault rm MON001 --lose-last-copy --by ada --reason 'copied to MON002'
[ ! -e "$images/MON001.ptape" ] && ok "its image is gone" || fail "its image is gone" "$(ls "$images")"
says "the log keeps who did it" 0 'MON001 volume: private -> -, by ada: copied to MON002' pseudotape vault show
says "catalog and directory agree again" 0 'agree' pseudotape vault doctor

# a disk without a free byte: what is there is looked at
if mkdir small && mount -t tmpfs -o size=1m none small 2>mount.err; then
    export PSEUDOTAPE_VAULT=$WORK/small/v
    check "a vault on a small disk" pseudotape vault init "$PSEUDOTAPE_VAULT"
    check "with a volume" pseudotape vault add --new --label FULL01 --capacity 100K
    dd if=/dev/zero of=small/fill bs=4k status=none 2>/dev/null
    says "the full disk's vault is looked at" 0 'FULL01: scratch, ok|FULL01 +scratch +ok' pseudotape vault ls
    says "doctor looks, too" 0 'agree' pseudotape vault doctor
    says "a change names the disk and the way out" 2 "the disk of $PSEUDOTAPE_VAULT is full.*make room" pseudotape vault add --new
    rm small/fill
    says "with room it goes on" 0 'PT0001: scratch' pseudotape vault add --new --capacity 100K
    umount small
else
    skip "a vault on a full disk" "no small disk can be mounted here: $(cat mount.err)"
fi
