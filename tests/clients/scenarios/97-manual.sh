# shellcheck shell=bash
# The man pages as packaging/install puts them: man finds them, no formatter has anything to say about them, and their
# examples work.

if [ "$FRONT" = cuse ]; then
    excluded "man pages" "they are the same where a drive is a device; their examples have a FUSE mount of their own"
    return
fi
export DESTDIR=$WORK/root PROGRAMS=$PSEUDOTAPE_BIN PREFIX=/usr
check "the pages are installed" "$PT_ROOT/packaging/install"
pages=$DESTDIR/usr/share/man
export MANPATH=$pages MANWIDTH=100 MAN_DISABLE_SECCOMP=1
for page in pseudotape pseudotape-load pseudotape-vault-ls pseudotape-dev pseudotape-scsi pseudotape-mirror-run pseudotape-rmt; do
    says "man finds $page" 0 "^EXAMPLES" man "$page"
done
for page in pseudotape pseudotape-scsi pseudotape-mirror pseudotape-rmt pseudotape-vault; do
    says "man finds $page.toml" 0 "^EXAMPLES" man 5 "$page.toml"
done
same "there are pages for every command" yes "$([ "$(find "$pages/man1" -name '*.1' | wc -l)" -ge 80 ] && echo yes)"

# groff and mandoc see different things. A page has no date: the same source makes the same page.
(cd "$pages" && { groff -ww -man -Tutf8 -z man1/* man5/*; mandoc -T lint -W warning man1/* man5/*; }) 2>&1 |
    grep -v 'missing date' >lint || true
same "groff and mandoc have nothing to say" "" "$(cat lint)"

# Each line of the runner is a check.
mkdir run
PSEUDOTAPE_CONTROL=$WORK/run/control PSEUDOTAPE_MIRROR_CONTROL=$WORK/run/mirror \
    python3 "$PT_ROOT/tests/documents/run" 'docs/man/*.md' >examples
tee -a "$RESULTS" <examples
same "the examples were run" yes "$([ "$(grep -c '^ok docs/man/' examples)" -ge 150 ] && echo yes)"
