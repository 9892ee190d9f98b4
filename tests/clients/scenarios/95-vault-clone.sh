# shellcheck shell=bash
# EN-04, EN-05, EN-09, EN-13: a volume of a vault that a drive wrote is damaged and cloned; the command is killed meanwhile;
# afterwards a drive reads from the clone, by the label of old, what was whole.

export PSEUDOTAPE_VAULT=$WORK/mondays
images=$PSEUDOTAPE_VAULT/images
check "a vault is made" pseudotape vault init "$PSEUDOTAPE_VAULT" --labels 'MON###'
check "blank volumes are made" pseudotape vault add --new --count 2 --capacity 64M
for file in 0 1 2 3; do pattern "$file" 300000 >"file$file"; done
drive_up "image=$images/MON001.ptape"
for file in 0 1 2 3; do
    check "write file $file" dd if="file$file" of="$NODE" bs=10000 status=none
done
check "unload" pseudotape unload 0
check "the catalog is told" pseudotape vault add "$images/MON001.ptape" --digests

# a block in the middle of file 1, and one of file 3
for file in 1 3; do
    python3 - "$images/MON001.ptape" "file$file" <<'END'
import sys
with open(sys.argv[2], "rb") as file:
    wanted = file.read()[100000:100100]
with open(sys.argv[1], "r+b") as image:
    at = image.read().index(wanted)
    image.seek(at)
    image.write(b"DAMAGE")
END
done
clone=(pseudotape vault clone MON001 --to MON002 --ticket-hook 'cat >>tickets')
says "killed with the first bad file" 137 '' "${clone[@]}" --on-bad 'cat >>bad; kill -KILL $PPID'
says "the volume is blocked, and the file is bad" 0 'MON001 .*noaccess, 1 faulty' pseudotape vault ls --availability noaccess
says "what was on it before is written down" 0 '"state": "ok"' cat "$PSEUDOTAPE_VAULT"/clones/*/inventory.json
says "the same command goes on" 1 'MON001 is the clone now, with 2 tape files' "${clone[@]}" --on-bad 'cat >>bad'
same "one incident was opened, and closed" 'open close' "$(sed 's/.*"event":"\([a-z]*\)".*/\1/' tickets | paste -sd' ')"
same "and has one number" 1 "$(grep -o '"incident":"[^"]*"' tickets | sort -u | wc -l)"
says "the log has it" 0 "$(grep -o '"incident":"[^"]*"' tickets | head -1 | cut -d'"' -f4)" pseudotape vault show MON001
says "the owner heard of file 1" 0 '"file":1,' cat bad
says "and of file 3" 0 '"file":3,' cat bad
says "the damaged volume is kept" 0 'MON001 damaged 1 .*noaccess, 2 faulty' pseudotape vault ls --availability noaccess
says "catalog and directory agree" 0 'agree' pseudotape vault doctor --digests

image=$(pseudotape vault show MON001 --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["image"])')
check "a drive has the volume of that label" pseudotape load 0 "$image"
check "rewind" mt-st -f "$NODE" rewind
check "its first file is file 0" bash -c "dd if='$NODE' bs=10000 status=none | cmp - file0"
check "over the filemark" mt-st -f "$NODE" asf 1
check "its second one is file 2" bash -c "dd if='$NODE' bs=10000 status=none | cmp - file2"
check "unload it" pseudotape unload 0
drive_down
