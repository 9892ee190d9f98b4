# shellcheck shell=bash
# PT-17. A cpio archive over two cartridges: cpio asks for the next one on its terminal, in its words or in ours (-M).

if [ "$FRONT" = fuse ]; then
    excluded cpio-volumes "cpio goes on with another volume only on a device, and a FUSE node is a regular file"
    return
fi
tree tree 5
rm "tree/deep/er/and/a"$'\n'"b" # cpio's list of names is one a line
touch -d '2021-02-03 04:05:06 UTC' tree/deep/er/and
for number in 1 2; do cartridge "volume$number" --capacity 4M --early-warning 512K; done
drive_up "image=$WORK/volume1.ptape"
converse=(python3 "$PT_ROOT/tests/clients/tools/converse.py")
swap='pseudotape unload 0 && pseudotape load 0'
next="$swap '$WORK/volume2.ptape'"
(cd tree && find . | sort) >names

for way in "Load next tape and press RETURN" "cartridge 2, please"; do
    options=()
    [[ $way == Load* ]] || options=(-M 'cartridge %d, please')
    rm -rf out
    mkdir out
    # cpio reads the names from its standard input, and its answers from the terminal
    says "cpio -o over two cartridges ($way)" 0 "$way" "${converse[@]}" --on "$way" '' "$next" -- \
        bash -c 'cd tree && cpio -o --quiet -C 65536 "$@" <../names' cpio "${options[@]}" -O "$NODE"
    same "cpio -o asks for one cartridge ($way)" 1 "$(grep -c '^loaded ' <<<"$output")"
    check "the first cartridge again ($way)" bash -c "$swap '$WORK/volume1.ptape'"
    says "cpio -i over two cartridges ($way)" 0 "$way" "${converse[@]}" --on "$way" '' "$next" -- \
        bash -c 'cd out && cpio -i -d -m --quiet -C 65536 "$@"' cpio "${options[@]}" -I "$NODE"
    same "cpio -i asks for one cartridge ($way)" 1 "$(grep -c '^loaded ' <<<"$output")"
    # cpio does not bring back the times of directories and links
    find out '(' -type d -o -type l ')' -exec touch -h -d '2021-02-03 04:05:06 UTC' {} +
    same_tree "cpio brings everything back from two cartridges ($way)" tree out
    check "the first cartridge once more ($way)" bash -c "$swap '$WORK/volume1.ptape'"
done
drive_down
for number in 1 2; do check "verify volume $number" pseudotape verify "volume$number.ptape"; done
