# shellcheck shell=bash
# VT-01, VT-02, VT-03, VT-04, VT-06, VT-09. The directory of a vault is gone: its tapes are surveyed, in a drive and as images, the
# catalog comes back from the newest backup, the report says what was lost, and the vault goes into service again.

export PSEUDOTAPE_VAULT=$WORK/mondays
images=$WORK/mondays/images
check "a vault is made" pseudotape vault init "$PSEUDOTAPE_VAULT" --labels 'MON###'
check "blank volumes are made" pseudotape vault add --new --count 3 --capacity 64M
pattern 7 300000 >data
drive_up "image=$images/MON001.ptape"
check "tar writes on one" tar -b 128 -cf "$NODE" data
check "unload" pseudotape unload 0
check "the catalog is told" pseudotape vault add "$images/MON001.ptape" --digests

cartridge one --label STACK1
cartridge two --label STACK2
cartridge blank
check "a tape for backups is loaded" pseudotape load 0 "$WORK/one.ptape"
says "a backup goes on the tape in the drive" 0 'backup 1 on .*begins as the stacked volume.* of 3 volumes, at object 2' \
    pseudotape vault backup "device:$NODE"
check "to the second tape file" mt-st -f "$NODE" asf 1
says "tar lists it" 0 'catalog.json.*catalog.sqlite.zst.*catalog.sqlite.zst.b3' bash -c "tar -b 512 -tf '$NODE' | tr '\n' ' '"
check "a volume gets another label" pseudotape vault set MON002 --label TUE001
says "a second backup behind it" 0 'backup 2 on .*, at object 4' pseudotape vault backup "device:$NODE"
says "the drive's tape alone says what is on it" 0 'backup 2' pseudotape vault catalog-of "device:$NODE"
says "an image gets one, too" 0 'backup 3 on ' pseudotape vault backup two.ptape
says "a volume of the vault gets none" 2 'is volume MON001 of this vault' pseudotape vault backup "$images/MON001.ptape"

rm -r "$PSEUDOTAPE_VAULT/catalog.sqlite"
says "a vault without its catalog waits for a person" 2 'needs a recovery' pseudotape vault ls
rm -r "$PSEUDOTAPE_VAULT"
says "the survey shows each tape" 1 'two.ptape +STACK2 +backup +3 .*blank.ptape +- +none .*gone.ptape +- +absent .*newest: backup 3' \
    bash -c "pseudotape vault survey device:$NODE two.ptape blank.ptape gone.ptape | tr '\n' ' '; exit \${PIPESTATUS[0]}"
python3 - two.ptape <<'END'
import sys
with open(sys.argv[1], "r+b") as image:
    at = image.read().rindex(b"catalog.sqlite.zst")
    image.seek(at + 600)
    image.write(b"damage")
END
says "a damaged backup is never the newest" 1 'two.ptape +STACK2 +damaged.*newest: backup 2 ' \
    bash -c "pseudotape vault survey device:$NODE two.ptape | tr '\n' ' '; exit \${PIPESTATUS[0]}"
says "nothing happens by itself" 2 'nothing was changed: with --confirm' pseudotape vault recover "device:$NODE" two.ptape
[ ! -e "$PSEUDOTAPE_VAULT" ] && ok "and there is no vault" || fail "and there is no vault" "$(ls "$PSEUDOTAPE_VAULT")"
says "the vault comes back, and what is lost is said" 1 'perhaps not the newest.*MON001 +LOST-MEDIUM .*1 LOST-MEDIUM, 2 UNKNOWN-INTERVAL' \
    bash -c "pseudotape vault recover device:$NODE two.ptape --roll-forward --event backup --confirm --by ada | tr '\n' ' '; exit \${PIPESTATUS[0]}"
says "the report is kept" 1 '1 LOST-MEDIUM, 2 UNKNOWN-INTERVAL' pseudotape vault report
says "the volume is as it was at the backup" 0 'TUE001 +scratch' pseudotape vault ls
says "the lost one is no blank tape" 0 'MON001 +private +noaccess' pseudotape vault ls
says "the log says where the catalog came from" 0 'recovery: - -> backup 2, by ada' pseudotape vault show
says "it is not in service" 0 'not in service' pseudotape vault inventory
says "the inventory ends the recovery" 0 'TUE001,[-0-9a-f]+,absent,scratch,ok,0,' pseudotape vault online --csv
says "once" 2 'the vault is in service' pseudotape vault online
says "numbers of backups go on behind those that may be somewhere" 0 'backup 1003 on ' pseudotape vault backup "device:$NODE"
drive_down
