# shellcheck shell=bash
# CW-02, CW-03, CW-04, CW-25, CW-48, CW-53, CW-77: capsules, directories and indexes are as docs/FARM.md and docs/FORMAT.md have them, byte
# by byte: a program that shares no code with ours, and knows only these documents, reads them and gets the files back.

if [ "$FRONT" != fuse ]; then
    excluded "a farm as its document says" "no node is in it: it is the same everywhere"
    return
fi
mkdir -p farm tree/sub many
seq 2000 >tree/long && : >tree/empty && ln -s long tree/link && mkfifo tree/fifo
for name in "$(printf 'n%.0s' {1..255})" $'sub/new\nline' $'sub/\xff\xfe' sub/...; do echo "$name" >"tree/$name"; done
truncate -s 300000 tree/holes && printf end | dd of=tree/holes bs=1 seek=200000 conv=notrunc status=none
# fractions that the tarfile of Python, which has them in a float, does not round
touch -d '1969-01-01T00:00:00.5Z' tree/empty
touch -d '2001-02-03T04:05:06.25Z' tree/long
chmod 640 tree/long
(cd many && seq 4100 | xargs touch)
export PSEUDOTAPE_FARM=$WORK/farm
by_document=(python3 "$PT_ROOT/tests/clients/tools/farm_by_document.py")
read_back() { # VOLUME: what the document leads to is the tree
    rm -rf out && mkdir out
    says "the document leads through $1" 0 "$2" "${by_document[@]}" "farm/$1" out
    rm -f out/tree/fifo # diff takes two of them for different
    same "every file of $1 comes back" "Only in tree: fifo" "$(diff -r --no-dereference tree out/tree)"
    same "with its mode and its time" "$(stat -c '%a %y' tree/long tree/empty)" "$(stat -c '%a %y' out/tree/long out/tree/empty)"
}
for options in "plain" "packed --compression on" "folders --structured" "both --structured --compression on"; do
    # shellcheck disable=SC2086
    check "make a volume: $options" pseudotape farm copy $options tree
    read_back "${options%% *}" '^9 files, 0 pages of an index, next number 10$'
done
# what was released, is missing, has a note, or took another one's place
check "a note" pseudotape farm annotate plain tree/long 'signed by both'
check "a release" pseudotape farm release plain tree/sub/...
touch -d '2040-01-01' tree/long
check "a better file" pseudotape farm compare-add plain tree/long
rm "$(pseudotape farm show plain tree/empty --json | sed -n 's/^  "path": "\(.*\)",$/\1/p')"
check "a gap is filled" pseudotape farm repair plain --yes
rm -rf out && mkdir out
"${by_document[@]}" farm/plain out >list
same "their states" "$(pseudotape farm ls plain --json | python3 -c 'import json, sys
for file in json.load(sys.stdin)["files"]:
    print(*[file[key] for key in ("number", "state", "kind", "bytes")])')" \
    "$(cut -d' ' -f1-4 list | sed '$d')"
same "one is missing and one released" "missing released" "$(cut -d' ' -f2 list | sort | grep -x 'missing\|released' | xargs)"
says "an index" 0 'many: 4100 files added' pseudotape farm copy many many
says "the document leads through it" 0 '^4100 files, 17 pages of an index, next number 4101$' "${by_document[@]}" farm/many out
# it is no judge that takes everything
printf '\1' | dd of=farm/plain/FILE000.dir bs=1 seek=100 conv=notrunc status=none
says "a changed byte is seen" 1 'not as the document says: what is behind the header' "${by_document[@]}" farm/plain out
