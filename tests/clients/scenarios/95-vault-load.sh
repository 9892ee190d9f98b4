# shellcheck shell=bash
# EN-02, VT-02, VT-10: drives load the volumes of a vault by their labels. What was blocked is refused with who, when and why; a
# scratch volume is picked and becomes private; an unload, a program's `mt offline` and the daemon's end close the volume with the
# digests of what was written; a daemon that is killed leaves it open, and the next one says so; without a catalog nothing is loaded.

export PSEUDOTAPE_VAULT=$WORK/mondays
images=$WORK/mondays/images
check "a vault is made" pseudotape vault init "$PSEUDOTAPE_VAULT" --labels 'MON###'
check "blank volumes are made" pseudotape vault add --new --count 6 --capacity 64M
mkdir tree
pattern 7 300000 >tree/data
yes 'what a backup has' | head -n 2000 >tree/text

# digests NAME LABEL EXPECTED: the catalog has a digest of which tape files; `doctor` reads the tape and finds the same ones
digests() {
    same "$1" "$3" "$(pseudotape vault ls "$2" --json | python3 -c '
import json, sys
print(*("none" if file["digest"] is None else "digest" for file in json.load(sys.stdin)["files"]))')"
    says "what is on the tape has these digests" 0 'agree' pseudotape vault doctor --digests
}

drive_up ''
says "a daemon without a vault says what it lacks" 2 'has no vault: start it with --vault' pseudotape load 0 --volume MON001
says "a volume that is loaded past the vault is no secret" 0 'lies in the vault .*which is not told' \
    pseudotape load 0 "$images/MON006.ptape"
check "unload it" pseudotape unload 0
drive_down

export DAEMON_OPTIONS="--vault $PSEUDOTAPE_VAULT"
drive_up '' ''
says "status shows the vault" 0 "vault $PSEUDOTAPE_VAULT" pseudotape status
says "load by label" 0 'loaded volume MON001 \(.*MON001.ptape\) into drive 0' pseudotape load 0 --volume MON001
check "tar writes on it" tar -b 128 -cf "$NODE" -C tree .
check "and a second archive behind it" tar -b 20 -cf "$NODE" -C tree text
says "a volume is in one drive" 2 'MON001 is in drive 0: unload it there' pseudotape load 1 --volume MON001
says "also by the path of its image" 2 'MON001 is in drive 0' pseudotape load 1 "$images/MON001.ptape"
says "the catalog has it open" 0 'open: closed -> open|opening: closed -> open, by the system: drive 0 of pseudotape-dev' \
    pseudotape vault show MON001
check "unload" pseudotape unload 0
says "an unload closes the volume" 0 'MON001 +private' pseudotape vault ls
digests "with the digests of what was written" MON001 'digest digest'

# what lies there already keeps its digest, and what was begun in another load has none
check "load it again" pseudotape load 0 "$images/MON001.ptape"
check "to the end" mt-st -f "$NODE" eod
check "a third archive" tar -b 128 -cf "$NODE" -C tree data
check "a program ejects it" mt-st -f "$NODE" offline
says "that closes it too" 2 'drive 0 holds no cartridge' pseudotape unload 0
digests "what is written behind adds one" MON001 'digest digest digest'
check "load it once more" pseudotape load 0 --volume MON001
check "into the third archive" mt-st -f "$NODE" fsf 2
check "two records on" mt-st -f "$NODE" fsr 2
dd if=tree/text of="$NODE" bs=10k iflag=fullblock count=1 status=none
check "and unload" pseudotape unload 0
digests "the file that was written from its middle has none" MON001 'digest digest none'
check "which a look at it computes" pseudotape vault add "$images/MON001.ptape" --digests
digests "then it has" MON001 'digest digest digest'

# blocked volumes
check "a person blocks it" pseudotape vault mark MON001 notallowed --by ada --reason 'the case is cracked'
says "a blocked volume is refused with who, when and why" 2 \
    'MON001 is notallowed, set by ada on 20[0-9-]*T[0-9:]*Z: the case is cracked' pseudotape load 0 --volume MON001
says "also to be read, and by its path" 2 'MON001 is notallowed' pseudotape load 0 "$images/MON001.ptape"
check "it is lost" pseudotape vault mark MON001 lost --by ada --reason 'fell into the lift'
says "a lost one is refused" 2 'MON001 is lost, set by ada .*fell into the lift' pseudotape load 0 --volume MON001
check "one goes into the category error" pseudotape vault set MON006 --category error
says "it is not loaded to be written" 2 'category error, which is not written' pseudotape load 0 --volume MON006
says "but to be read" 0 'loaded volume MON006 .*read only' pseudotape load 0 --volume MON006 --read-only
says "as often as one likes" 0 'into drive 1' pseudotape load 1 --volume MON006 --read-only
exits "a write is refused" 2 tar -b 128 -cf "$NODE" -C tree text
check "unload the one" pseudotape unload 0
check "and the other" pseudotape unload 1
check "somebody writes the image past the vault" pseudotape write-protect "$images/MON006.ptape" on
says "then a load to be read warns" 0 '^warning: volume MON006 was written past the vault: .*vault add .*MON006.ptape' \
    pseudotape load 0 --volume MON006 --read-only
check "unload it again" pseudotape unload 0
check "the catalog is told of it" pseudotape vault add "$images/MON006.ptape"
says "there is no such volume" 2 'no volume NOBODY' pseudotape load 0 --volume NOBODY

# scratch mounts: the one that nobody used for the longest time
says "a scratch mount" 0 'loaded volume MON002' pseudotape load 0 --scratch
says "the next one" 0 'loaded volume MON003' pseudotape load 1 --scratch
check "one is written" tar -b 128 -cf "${NODES[1]}" -C tree .
check "the blank one is looked at, and unloaded" sh -c "mt-st -f '$NODE' rewind && pseudotape unload 0"
check "unload the written one" pseudotape unload 1
says "what was not written stays scratch" 0 'MON002 +scratch' pseudotape vault ls
says "what was written became private" 0 'MON003 +private' pseudotape vault ls
says "one that was never used comes before it" 0 'loaded volume MON004' pseudotape load 0 --scratch
drive_down
says "the end of the daemon closes what is in its drives" 0 'opening: open -> closed' pseudotape vault show MON004

# a daemon that dies
drive_up '' ''
check "load for a daemon that dies" pseudotape load 0 --volume MON005
check "tar writes" tar -b 128 -cf "$NODE" -C tree .
drive_kill
says "doctor finds the volume open, and the way out" 1 'left-open MON005' pseudotape vault doctor
: >"$WORK/daemon.err"
drive_up '' ''
grep -q 'volume MON005 was left open: drive 0 of pseudotape-dev, process [0-9]* (since .*vault add' "$WORK/daemon.err" &&
    ok "the next start says so by its label" || fail "the next start says so by its label" "$(cat "$WORK/daemon.err")"
says "and does not load it" 2 'MON005 was left open' pseudotape load 0 --volume MON005
says "the catalog is told" 0 'MON005: private' pseudotape vault add "$images/MON005.ptape" --digests
says "then it is loaded" 0 'loaded volume MON005' pseudotape load 0 --volume MON005
check "and has what was written" tar -b 128 --compare -f "$NODE" -C tree
check "unload it at the end" pseudotape unload 0
drive_down

# a library whose cartridge lies in the vault
check "a library" pseudotape library create lib --name shelf --drives 1 --slots 3
export DAEMON_OPTIONS="--vault $PSEUDOTAPE_VAULT --library $WORK/lib"
drive_up ''
check "a volume becomes a cartridge" pseudotape library add "$images/MON003.ptape" --barcode MON003
says "one that is lost does not" 2 'MON001 is lost' pseudotape library add "$images/MON001.ptape" --barcode MON001
check "it is moved into a drive" pseudotape library move MON003 drive0
says "where the rules hold for it" 2 'MON003 is in drive 1' pseudotape load 0 --volume MON003
check "a second archive" sh -c "mt-st -f '${NODES[1]}' eod && tar -b 128 -cf '${NODES[1]}' -C tree text"
check "and back" pseudotape library move MON003 slot1
digests "it was closed with its digests" MON003 'digest digest'
check "it is blocked in its slot" pseudotape vault mark MON003 notallowed --by ada --reason 'to be looked at'
says "the library refuses to load it, as a drive that can't" 2 \
    'library refused: .*MON003 is notallowed, set by ada on .*: to be looked at.*it is in element' pseudotape library move MON003 drive0
drive_down

# VT-02, VT-06: no catalog
mv "$PSEUDOTAPE_VAULT/catalog.sqlite" kept
export DAEMON_OPTIONS="--vault $PSEUDOTAPE_VAULT"
drive_up ''
says "without its catalog the vault needs recovery" 0 'needs recovery.*pseudotape vault recover' pseudotape status
says "and its volumes are refused" 2 'needs recovery.*pseudotape vault recover' pseudotape load 0 --volume MON004
says "also by their paths" 2 'needs recovery' pseudotape load 0 "$images/MON004.ptape"
says "and the node has no tape" 1 'No medium found|No such device or address' head -c 1 "$NODE"
[ ! -e "$PSEUDOTAPE_VAULT/catalog.sqlite" ] && ok "nobody made another one" || fail "nobody made another one" "$(ls -l "$PSEUDOTAPE_VAULT")"
mv kept "$PSEUDOTAPE_VAULT/catalog.sqlite"
says "a catalog that is back is found" 0 'loaded volume MON004' pseudotape load 0 --volume MON004
drive_down
