# shellcheck shell=bash
# The control socket while programs use the drives; the configuration file; two drives of one daemon; the nodes' modes.

# field EXPRESSION: of `pseudotape status --json`, with `drive` for drive 0
field() {
    pseudotape status --json | python3 -c '
import json, sys
status = json.load(sys.stdin)
status = status.get("status", status)
drive = status["drives"][0]
print(eval(sys.argv[1]))' "$1" 2>&1
}

cartridge one --capacity 64M --early-warning 4M --label "first label" --barcode PT0001L5
cartridge two
drive_up "image=$WORK/one.ptape" "image=$WORK/two.ptape" ""

same "the daemon says which frontend it uses" "$FRONT" "$(field 'status["frontend"]')"
same "every drive is listed" "[0, 1, 2]" "$(field '[each["drive"] for each in status["drives"]]')"
same "nobody has it open" None "$(field 'drive["open"]')"
same "label and barcode are shown" "first label PT0001L5" "$(field 'drive["medium"]["label"] + " " + drive["medium"]["barcode"]')"
pattern 1 1048576 >data
check "write 16 records" dd if=data of="$NODE" bs=64k
check "write 16 records to the second drive" dd if=data of="${NODES[1]}" bs=64k
same "position after a file" "1 0 17" "$(field '" ".join(str(drive["position"][key]) for key in ("file", "block", "object"))')"
same "bytes written" 1048576 "$(field 'drive["transfer"]["written_bytes"]')"
# the blocks, and 64 bytes for the filemark
same "capacity used" $((1048576 + 64)) "$(field 'drive["capacity"]["used_bytes"]')"
same "capacity left" $((63 * 1048576 - 64)) "$(field 'drive["capacity"]["left_bytes"]')"
same "flags as mt status has them" "$(mt_status | tail -1 | xargs -n1 | sort | xargs)" "$(field '" ".join(sorted(drive["flags"]))')"
says "status for people" 0 'first label' pseudotape status

exec 5<"$NODE"
same "who has it open" "$$" "$(field 'drive["open"]["pid"]')"
says "a cartridge in use stays in" 2 '.' pseudotape unload 0
check "a cartridge in use is taken out by force" pseudotape unload 0 --force
answer=$(dd bs=64k count=1 of=/dev/null <&5 2>&1)
[[ $answer =~ (No medium|Input/output) ]] && ok "the program that had it open gets an error" ||
    fail "the program that had it open gets an error" "$answer"
exec 5<&-
check "and in again" pseudotape load 0 "$WORK/one.ptape"
exits "an image that is in drive 1 does not go into drive 0" 2 pseudotape load 0 "$WORK/two.ptape"
exits "an image that is not there" 2 pseudotape load 2 "$WORK/nothing.ptape"
check "write protection on" pseudotape write-protect 0 on
says "a protected cartridge can't be written" 1 'Read-only file system' dd if=data of="$NODE" bs=64k
says "mt status shows the protection" 0 WR_PROT mt-st -f "$NODE" status
check "write protection off" pseudotape write-protect 0 off
check "a cartridge can be written again" dd if=data of="$NODE" bs=64k
check "reset" pseudotape reset 0
exits "after a reset the position is lost" 2 mt-st -f "$NODE" fsf 1
check "until rewind" mt-st -f "$NODE" rewind
check "and all is as before" mt-st -f "$NODE" fsf 1
options() { pseudotape options 0 "$@" | awk -v name="$option" '$1 == name { print $2 }'; }
option=sili
same "an option that is off" off "$(options)"
check "mt sets it" mt-st -f "$NODE" stsetoptions sili
same "pseudotape options shows it, kept over the close" on "$(options)"
same "pseudotape options clears it" off "$(options sili=off defblksize=512)"
says "a default block size that was set by name is in use" 0 'Tape block size 512 bytes' mt-st -f "$NODE" status
check "and cleared by mt" mt-st -f "$NODE" defblksize -1
option=defblksize
same "pseudotape options shows that, too" none "$(options)"
mt-st -f "$NODE" setblk 0
says "an option that is none is named" 2 "no option 'silly'" pseudotape options 0 silly
says "a mode of its own begins as the plain one" 0 'mode l .*nothing set yet' pseudotape options 0 --mode l
option=sysv
same "and has its own options then" on "$(options --mode l sysv)"
same "which the plain one has not" off "$(options)"
group=root
getent group tape >/dev/null && group=tape
same "the nodes' mode and group" "660 root:$group 660 root:$group" \
    "$(stat -c '%a %U:%G' "$NODE" "$REWIND" | xargs)"
drive_down
check "verify the first" pseudotape verify one.ptape
check "verify the second" pseudotape verify two.ptape

drive_up "image=$WORK/one.ptape,options=two-fms;can-bsr=off"
option=two-fms
same "an option of the configuration" on "$(options)"
option=can-bsr
same "one that it switches off" off "$(options)"
drive_down

export DAEMON_OPTIONS="--mode 0640 --group disk"
drive_up "image=$WORK/one.ptape"
same "mode and group can be chosen" "640 root:disk" "$(stat -c '%a %U:%G' "$NODE")"
drive_down
export DAEMON_OPTIONS=

# start CONFIGURATION: the daemon with a file that it has to refuse
printf '[[drive]]\nimage = "%s"\ncapicity = "1G"\n' "$WORK/one.ptape" >bad.toml
says "an unknown key is named with its line" 2 'capicity' pseudotape-dev --config bad.toml
[[ $output =~ (line\ 3|:3) ]] && ok "and the line" || fail "and the line" "$output"
says "an unknown key of a drive on the command line is named" 2 'capicity' pseudotape-dev --drive capicity=1G
says "a missing image is named" 1 'missing.ptape' pseudotape-dev --drive "$WORK/missing.ptape"
