# shellcheck shell=bash
# PT-04: volumes that are no plain images behind a node of the device daemon: compressed, encrypted; and back again.

cartridge plain
cartridge packed
cartridge secret
head -c 32 /dev/urandom >key
chmod 600 key
tree_small=$WORK/tree
mkdir -p "$tree_small"
pattern 3 300000 >"$tree_small/data"
yes 'a line that is found again in no encrypted image' | head -n 20000 >"$tree_small/text"

drive_up "image=zstd+image:$WORK/packed.ptape"
backup() {
    check "tar writes to $1" tar -b 128 -cf "$NODE" -C "$tree_small" .
    check "rewind $1" mt-st -f "$NODE" rewind
    check "tar compares $1" tar -b 128 --compare -f "$NODE" -C "$tree_small"
}
backup "a compressed volume"
check "unload" pseudotape unload 0
size=$(stat -c %s packed.ptape)
[ "$size" -lt 700000 ] && ok "the compressed volume is smaller than what is on it" ||
    fail "the compressed volume is smaller than what is on it" "$size bytes"

check "load an encrypted volume by a relative path" pseudotape load 0 "aes=key+image:secret.ptape"
says "the status names it" 0 "aes=.*secret.ptape" pseudotape status
backup "an encrypted volume"
says "the door of it is kept" 2 'mt unlock' sh -c "mt-st -f '$NODE' lock && pseudotape unload 0"
check "unlocked" mt-st -f "$NODE" unlock
check "unload it" pseudotape unload 0
grep -q 'found again' secret.ptape && fail "nothing of the text is in the image" "it is" || ok "nothing of the text is in the image"

check "load a plain image" pseudotape load 0 "$WORK/plain.ptape"
backup "a plain image"
check "unload the plain image" pseudotape unload 0

check "load the encrypted volume again" pseudotape load 0 "aes=$WORK/key+image:$WORK/secret.ptape"
check "what was written there is there" tar -b 128 --compare -f "$NODE" -C "$tree_small"
says "its image is in use, and can be looked at" 0 'no damage' pseudotape verify secret.ptape
[[ $output == *'in use: shown up to its last commit'* ]] && ok "verify says that it is in use" || fail "verify says that it is in use" "$output"
check "a second archive behind it" sh -c "mt-st -f '$NODE' eod && tar -b 128 -cf '$NODE' -C '$tree_small' ."
check "unload it again" pseudotape unload 0
pseudotape ls --json secret.ptape >before

# what a filter does not read it does not change: the program is refused, and so is the filemark of its close(2)
head -c 32 /dev/urandom >other
chmod 600 other
for wrong in "aes=$WORK/other+" zstd+; do
    says "load it through $wrong, with a warning" 0 'warning: .*(another key|it is encrypted)' \
        pseudotape load 0 "${wrong}image:$WORK/secret.ptape"
    for place in "fsf 1" eod "fsr 1"; do
        # shellcheck disable=SC2086 # a command and its count
        check "mt rewind, $place" sh -c "mt-st -f '$NODE' rewind && mt-st -f '$NODE' $place"
        says "tar is refused there" 2 'Input/output error' tar -b 128 -cf "$NODE" -C "$tree_small" .
        says "a filemark is refused there" 2 'Input/output error' mt-st -f "$NODE" weof 1
        says "an erasure is refused there" 2 'Input/output error' mt-st -f "$NODE" erase
    done
    check "unload it from ${wrong}" pseudotape unload 0
    pseudotape ls --json secret.ptape >after
    check "the volume is as it was" cmp before after
done
says "the log says why" 0 'nothing is written behind object 0' cat "$WORK/daemon.err"
says "a wrong key is called so by copy" 2 'encrypted with another key' \
    pseudotape copy "aes=other+secret.ptape" unread.ptape
says "a wrong key is called so by compare" 2 'encrypted with another key' \
    pseudotape compare plain.ptape "aes=other+secret.ptape"
check "load it with its key" pseudotape load 0 "aes=$WORK/key+image:$WORK/secret.ptape"
for archive in first second; do
    check "its $archive archive is there" tar -b 128 --compare -f "$NODE" -C "$tree_small"
    check "on to the next" mt-st -f "$NODE" fsf 1
done
check "unload and leave" pseudotape unload 0

# An encrypted image whose key nobody names: each way in says so.
unkeyed='its blocks are encrypted, and no key is named'
says "a load without the key" 0 "loaded .*warning: $unkeyed" pseudotape load 0 "$WORK/secret.ptape"
says "the status still says it" 0 "secret.ptape, when it was loaded: $unkeyed" pseudotape status
same "so does the log" 1 "$(grep -c "drive 0: .*secret.ptape: $unkeyed" daemon.err)"
check "unload it" pseudotape unload 0
says "serve, at a slave end that there is not" 2 "$unkeyed" pseudotape serve secret.ptape --on "$WORK/nowhere"
says "a volume that is not there" 2 'nothing.ptape' pseudotape load 0 "zstd+image:$WORK/nothing.ptape"
says "a kind that there is not" 2 "no kind of sink 'floppy'" pseudotape load 0 "floppy:x"
drive_down

# A library, and a daemon that starts with it
check "a library" pseudotape library create lib --name vault --drives 1 --slots 1
mkdir -p lib/cartridges
cp secret.ptape lib/cartridges/PT0001L5.ptape
DAEMON_OPTIONS="--library $WORK/lib" drive_up "image=$WORK/secret.ptape"
same "a daemon that starts with it says so" 2 "$(grep -c "drive 0: .*secret.ptape: $unkeyed" daemon.err)"
check "it is a cartridge" pseudotape library add --barcode PT0001L5
says "so does a library that moves it into a drive" 0 "moved .*warning: $unkeyed" pseudotape library move PT0001L5 drive0
same "and its log" 1 "$(grep -c "drive 1: .*PT0001L5.ptape: $unkeyed" daemon.err)"
drive_down
