# shellcheck shell=bash
# VT-02, VT-03, VT-05, VT-06. The tapes of a vault lie in a library: each is loaded, surveyed and put back, the catalog comes back from
# the newest backup, and the inventory has the slots as Bacula's mtx-changer lists them.

# Bacula's script gets a view of the files in which mtx is ours, as in 97-library.sh.
ln -s "$(command -v pseudotape)" mtx
cat >inside <<'SCRIPT'
#!/bin/bash
mount --bind "$(readlink -f "$WORK/mtx")" /usr/sbin/mtx && mount --bind "$(command -v mt-st)" "$(readlink -f /usr/bin/mt)" || exit 99
exec "$@"
SCRIPT
chmod +x inside
export WORK

export PSEUDOTAPE_VAULT=$WORK/mondays
check "a vault is made" pseudotape vault init "$PSEUDOTAPE_VAULT" --labels 'MON###'
check "with volumes" pseudotape vault add --new --count 2 --capacity 4M
check "a library is made" pseudotape library create lib --drives 2 --slots 4 --capacity 16M
DAEMON_OPTIONS="--library $WORK/lib" drive_up
check "with cartridges" pseudotape library add --count 3
for slot in 2 1; do
    check "slot $slot into the drive" ./mtx -f control load $slot 0
    check "a backup on it" pseudotape vault backup "device:$NODE" --new PT000${slot}L5
    [ $slot = 1 ] || check "and back" ./mtx -f control unload $slot 0
done
before=$(./mtx -f control status)
through=(--changer library:control --drive "device:$NODE")
words() { tr '\n' ' ' | tr -s ' '; }
says "each slot is surveyed, first what is in the drive" 1 \
    '^slot 1 \(PT0001L5\) PT0001L5 backup 2 .* slot 2 \(PT0002L5\) PT0002L5 backup 1 .* slot 3 \(PT0003L5\) - none .*newest: backup 2 .* on slot 1 ' \
    bash -c "pseudotape vault survey ${through[*]} | sed 1d | tr '\n' ' ' | tr -s ' ' | sed 's/^ //'; exit \${PIPESTATUS[0]}"
same "and everything is where it was" "$before" "$(./mtx -f control status)"
exec 3<"$NODE"
says "a drive that a program has open is not used" 1 'slot 2 \(PT0002L5\) .*absent.* open by ' pseudotape vault survey "${through[@]}"
exec 3<&-
same "and everything is where it was then" "$before" "$(./mtx -f control status)"
# A signal comes while the library does not answer: the command has said that it wants to hear of it. SIGHUP is the last
# that it asks for, so that SIGINT is sure to be heard. Before bash's child becomes the command it can catch SIGHUP as
# well, but it ignores SIGINT, as each background process of a script does.
caught() {
    local mask
    [ "$(cat "/proc/$1/comm")" = pseudotape ] || return 1
    mask=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status") && (((16#${mask:-0} & 3) == 3))
}
kill -STOP "$DAEMON"
pseudotape vault survey "${through[@]}" >survey.out 2>&1 &
survey=$!
until caught $survey || ! kill -0 $survey; do sleep 0.05; done
kill -INT $survey
kill -CONT "$DAEMON"
wait $survey
same "a survey that a signal ends" "2 pseudotape: ended by a signal" "$? $(cat survey.out)"
same "leaves everything where it was" "$before" "$(./mtx -f control status)"
says "there is no such drive" 2 'there is no drive 2: it has 2' pseudotape vault survey "${through[@]}" --drive-number 2

rm "$PSEUDOTAPE_VAULT/catalog.sqlite"
says "the catalog comes back from a slot" 0 'is backup 2 of .*, from slot 1 \(PT0001L5\)' \
    pseudotape vault recover "${through[@]}" --roll-forward --event backup --confirm
same "and everything is where it was again" "$before" "$(./mtx -f control status)"
check "a volume of the vault is a cartridge, too" pseudotape library add "$PSEUDOTAPE_VAULT/images/MON001.ptape" --barcode MON001
# It came into slot 1, which was free: the cartridge in the drive belongs into the next one.
script=(unshare --mount "$WORK/inside" /etc/bacula/scripts/mtx-changer "$WORK/control")
says "the inventory is what Bacula's mtx-changer lists" 0 '^1:MON001.2:PT0002L5.3:PT0003L5.4:PT0001L5.?$' "${script[@]}" list
same "as vault online prints it" "$("${script[@]}" list)" "$(pseudotape vault online --changer library:control --as bacula)"
same "and the whole is what mtx-changer lists for Bareos" "$("${script[@]}" listall | sed 's/ *$//')" \
    "$(pseudotape vault inventory --changer library:control --as bareos)"
says "Amanda's form has the drive" 0 'slot 1: label MON001 barcode MON001.*slot 4: unknown state barcode PT0001L5 \(in drive 0\)' \
    pseudotape vault inventory --changer library:control --as amanda
says "the inventory has the slot" 0 'MON001 +present +scratch +ok +0 +1 .*MON002 +present +scratch +ok +0 +- .*PT0003L5 +unknown ' \
    pseudotape vault inventory --changer library:control
drive_down
