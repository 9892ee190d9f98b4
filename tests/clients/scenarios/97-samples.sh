# shellcheck shell=bash
# packaging/install and its inverse, and the sample configurations as it installs them: a drive with a cartridge, and a drive
# that is the mirror of two images, both at work.

export DESTDIR=$WORK/root PROGRAMS=$PSEUDOTAPE_BIN PREFIX=/opt/pt
samples=$PT_ROOT/packaging
if [ "$FRONT" = fuse ]; then
    says "it is installed under DESTDIR" 0 "^installed pseudotape in $DESTDIR" "$PT_ROOT/packaging/install"
    in_place() { (cd "$DESTDIR" && find . -type f | sed 's/^\.//' | sort); }
    same "what it lists is what is there, and the configurations" \
        "$({ "$PT_ROOT/packaging/install" --list && printf '/etc/%s\n' pseudotape.toml pseudotape-scsi.toml pseudotape-mirror.toml pseudotape-rmt.toml pseudotape-stack.conf; } | sort)" "$(in_place)"
    for program in pseudotape pseudotape-dev pseudotape-farm pseudotape-scsi pseudotape-mirror pseudotape-rmt; do
        check "$program is a program there" "$DESTDIR$PREFIX/bin/$program" --version
    done
    for unit in pseudotape pseudotape-farm pseudotape-scsi pseudotape-mirror pseudotape-rmt; do
        same "the unit $unit starts the program that was installed" "$PREFIX/bin/" \
            "$(sed -n 's|^ExecStart=\([^ ]*/\)pseudotape.*|\1|p' "$DESTDIR/usr/lib/systemd/system/$unit.service")"
    done
    for program in pseudotape pseudotape-dev pseudotape-farm pseudotape-scsi pseudotape-mirror pseudotape-rmt; do
        check "the completion of $program is bash" bash -n "$DESTDIR$PREFIX/share/bash-completion/completions/$program"
    done
    samples=$DESTDIR/etc
fi

# The samples, with their directories under that of this test.
mkdir run lib
for name in pseudotape pseudotape-mirror; do
    sed "s|/run/pseudotape-mirror|$WORK/run|; s|/run/pseudotape|$WORK/run|; s|/var/lib/pseudotape|$WORK/lib|" \
        "$samples/$name.toml" >"$name.toml"
done
DAEMON_OPTIONS="--config $WORK/pseudotape.toml" drive_up
tree tree 3
check "a cartridge is made" pseudotape create lib/one.ptape
check "it is loaded into drive 0" pseudotape load 0 "$WORK/lib/one.ptape"
check "tar writes it" tar -b 128 -cf "${NODES[0]}" tree
exits "without a mirror drive 1 is no drive" 2 tar -b 128 -cf "${NODES[1]}" tree
"$PSEUDOTAPE_BIN/pseudotape-mirror" run --config "$WORK/pseudotape-mirror.toml" >mirror.out 2>>mirror.err </dev/null &
# shellcheck disable=SC2034 # mirror_down uses it
MIRROR=$!
mirror_attached
check "tar writes to both images by drive 1" tar -b 128 -cf "${NODES[1]}" tree
check "it goes back" mt-st -f "${NODES[1]}" rewind
check "tar compares" tar -b 128 --compare -f "${NODES[1]}"
mirror_down
drive_down
says "the images are the same" 0 '^identical: [1-9]' pseudotape compare lib/a.ptape lib/b.ptape
says "and hold what drive 0 got" 0 '^identical: [1-9]' pseudotape compare lib/a.ptape lib/one.ptape

if [ "$FRONT" = cuse ]; then
    excluded "installation and removal" "they are the same where a drive is a device, and a guest takes minutes to start so many programs"
    return
fi
# What somebody has said in a configuration is kept, by an installation and by a removal.
echo '#mine' >>"$DESTDIR/etc/pseudotape.toml"
says "a changed configuration is kept" 0 "^kept $DESTDIR/etc/pseudotape.toml; the new sample is" "$PT_ROOT/packaging/install"
same "as it was" '#mine' "$(tail -1 "$DESTDIR/etc/pseudotape.toml")"
same "the new sample lies beside it" 0 "$(cmp "$PT_ROOT/packaging/pseudotape.toml" "$DESTDIR/etc/pseudotape.toml.new" >&2; echo $?)"
says "it is removed" 0 "^removed pseudotape from $DESTDIR; kept: $DESTDIR/etc/pseudotape.toml;" "$PT_ROOT/packaging/install" --remove
same "nothing else is left" /etc/pseudotape.toml "$(in_place)"
rm "$DESTDIR/etc/pseudotape.toml"
check "it is installed again" "$PT_ROOT/packaging/install"
check "and removed" "$PT_ROOT/packaging/install" --remove
same "with its directories" "" "$(ls -A "$DESTDIR" 2>/dev/null)"
says "programs that are not there are named" 2 "there is no program $WORK/nowhere/pseudotape: 'cargo build" \
    env PROGRAMS="$WORK/nowhere" "$PT_ROOT/packaging/install"
exits "an option that there is not is refused" 2 "$PT_ROOT/packaging/install" --frobnicate
