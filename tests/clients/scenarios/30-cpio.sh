# shellcheck shell=bash
# PT-01. GNU cpio there and back with three record sizes.

tree tree 4
rm "tree/deep/er/and/a"$'\n'"b" # cpio's list of names is one a line
touch -d '2021-02-03 04:05:06 UTC' tree/deep/er/and
cartridge cpio
drive_up "image=$WORK/cpio.ptape"
file=0
for options in -B "-C 65536" "-C 1048576" "-B -H newc" "-B -H crc"; do
    # shellcheck disable=SC2086
    (cd tree && find . | sort | cpio -o --quiet $options -O "$NODE") >cpio.log 2>&1
    same "cpio -o $options ends well" "0 " "$? $(cat cpio.log)"
    file=$((file + 1))
    same "cpio -o $options leaves one filemark" "$file/0" "$(position)"
    # an archive of cpio ends before the filemark for its reader
    mt-st -f "$NODE" asf $((file - 1))
    mkdir out
    # shellcheck disable=SC2086
    (cd out && cpio -i -d -m --quiet $options -I "$NODE") >cpio.log 2>&1
    same "cpio -i $options ends well" "0 " "$? $(cat cpio.log)"
    # cpio does not bring back the times of directories and links
    find out '(' -type d -o -type l ')' -exec touch -h -d '2021-02-03 04:05:06 UTC' {} +
    same_tree "cpio $options brings everything back" tree out
    rm -rf out
    mt-st -f "$NODE" asf "$file"
done
drive_down
check "pseudotape verify after cpio" pseudotape verify cpio.ptape
