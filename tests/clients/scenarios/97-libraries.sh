# shellcheck shell=bash
# PT-13. Sixty-four drives in four libraries of one daemon: a cartridge goes into each drive and is written. Those of one library
# go back, come into other drives, and have what was written.

options=()
for name in north east south west; do
    check "library $name is made" pseudotape library create $name --drives 16 --slots 18 --capacity 1M --barcodes "${name:0:1}##L5"
    options+=(--library "$WORK/$name")
done
export NODE=$NODE_DIR/npmtm63 # the daemon is up when the last drive is there
DAEMON_OPTIONS="${options[*]}" drive_up
nodes=("$NODE_DIR"/npmtm*)
same "there are 64 drives" 64 ${#nodes[@]}

# ./all NAME WORD...: the same words for the numbers 1 to 16 in one call of our mtx: N is the number, D and R are drives
cat >all <<'SCRIPT'
#!/bin/bash
name=$1 words=()
shift
for number in {1..16}; do
    for word in "$@"; do
        case $word in
            N) word=$number ;;
            D) word=$((number - 1)) ;;
            R) word=$((16 - number)) ;;
        esac
        words+=("$word")
    done
done
exec pseudotape changer -f "$PSEUDOTAPE_CONTROL/$name" "${words[@]}"
SCRIPT
chmod +x all

first=0
for name in north east south west; do
    check "library $name gets its cartridges" pseudotape library --library $name add --count 16
    check "all of them go into its drives" ./all $name load N D || return
    for drive in {0..15}; do
        echo "$name $drive" >"$NODE_DIR/npmtm$((first + drive))" || fail "write drive $((first + drive))" "it refuses"
    done
    first=$((first + 16))
done
# the cartridges of the last library change their drives
check "all of one library go back into their slots" ./all west unload N D || return
check "and into its drives in the other order" ./all west load N R || return
wrong=
for drive in {0..15}; do
    line=$(dd if="$NODE_DIR/npmtm$((48 + drive))" bs=64 count=1 status=none)
    [ "$line" = "west $((15 - drive))" ] || wrong+=" $drive:$line"
done
same "each of its drives reads what another one wrote" "" "$wrong"
same "each library says so" "16 16 16 16" "$(for name in north east south west; do
    pseudotape changer -f "$PSEUDOTAPE_CONTROL/$name" status | grep -c '^Data Transfer Element [0-9]*:Full'
done | xargs)"
if [ "$FRONT" = cuse ]; then
    says "the fourth changer's node is of the fourth library" 0 'Data Transfer Element 15:Full .*= w01L5' mtx -f /dev/pmch3 status
fi
drive_down
