# shellcheck shell=bash
# PT-06, PT-07, PT-18. What a mirror daemon does in trouble (91-mirror-trouble.sh), a drive of legs does as well; and what an
# operator does to such a drive while a program writes to it.

# Nobody is a mirror daemon here: the commands find the drive by themselves.
unset PSEUDOTAPE_MIRROR_CONTROL
export XDG_RUNTIME_DIR=$WORK
. "$PT_ROOT/tests/lib/trouble.sh"

both_up() {
    local legs='' options=''
    while [ $# -gt 0 ]; do
        case $1 in
            --leg) legs+=${legs:+;}${2//,/\\,} && shift ;;
            --min-legs) options+=,min-legs=$2 && shift ;;
            --verify-reads) options+=,verify-reads=true ;;
        esac
        shift
    done
    drive_up "legs=$legs$options"
}

# The exit code of the device daemon says nothing of a leg's contents.
both_down() {
    drive_down
}

trouble_full_disk
trouble_slow
trouble_cut
trouble_min_legs
trouble_verify_reads

# -- kill -9 in a write: what was not acknowledged is on one copy at most, and the operator says which one is right
fresh
echo "stop $((bs * 10 + 20000))" >link.does
both_up --leg "a=$WORK/a.ptape" --leg "$far_b"
begin
feed 11
until_so "the link stands still" test -e link.does.met
drive_kill
wrote "kill -9 in a write" - 'Transport endpoint|Input/output error|connection abort|No such device'
pkill -KILL -f "^[^ ]*python3 [^ ]*link.py $WORK/link.does"
echo pass >link.does
holds b 10
says "a record that was not acknowledged is on one copy at most" '[01]' 'identical|object 10 .*end of data on b' \
    pseudotape compare a.ptape b.ptape
differ=no
pseudotape compare a.ptape b.ptape >compare.out || differ=yes
both_up --leg "a=$WORK/a.ptape" --leg "$far_b"
if [ $differ = yes ]; then
    says "the legs disagree" 1 "refused: an operator.*legs a and b disagree.*'pseudotape-mirror --drive 0 trust LEG'" \
        pseudotape-mirror status
    says "nothing is written before the operator decides" 1 '' dd if=stream of="$NODE" bs=$bs count=1
    check "one of them is right" pseudotape-mirror trust --force b
    check "the other one is brought to it" pseudotape-mirror resync a
fi
goes_on "trust and resync" 10

# -- an operator, while a program writes
fresh
both_up --leg "a=$WORK/a.ptape" --leg "b=$WORK/b.ptape,class=spare"
begin
for round in 1 2; do
    feed 5
    until_so "the program writes ($round)" stored a $((given))
    says "a leg is dropped ($round)" 0 "'pseudotape-mirror --drive 0 return b'" pseudotape-mirror drop b
    feed 5
    until_so "the program writes on ($round)" stored a $((given))
    says "the status is degraded then ($round)" 1 'dropped: not mirrored from object' pseudotape-mirror status
    says "the last leg stays ($round)" 2 'last one in step' pseudotape-mirror drop a
    says "the leg comes back ($round)" 0 'b is in step: .* 5 .*copied' pseudotape-mirror return b
done
check "a leg hangs" pseudotape-mirror inject b hang
feed 1
until_so "the status names the leg that the call waits for" \
    bash -c 'pseudotape-mirror status | grep -q "^busy  *a call of the program, for .* s: waits for leg b$"'
check "the call goes on" pseudotape-mirror inject b --remove all
feed 9
wrote "drop, return and a leg that hangs" 30
says "the mirror is whole again" 0 'mirror     in step' pseudotape-mirror status
check "offline" mt-st -f "$NODE" offline
both_down
says "both copies are the same" 0 '^identical: ' pseudotape compare a.ptape b.ptape
for copy in a b; do holds $copy 30; done

# -- SIGTERM in a resync: what the leg has got of it is no copy, and the same command goes on
fresh
both_up --leg "a=$WORK/a.ptape" --leg "$far_b,class=spare"
check "a leg that is away" pseudotape-mirror drop b
check "twenty records without it" dd if=stream of="$NODE" bs=$bs count=20
rm -f link.does.met
echo "stop $((bs * 5 + 20000))" >link.does
pseudotape-mirror return b >return.out 2>&1 &
returning=$!
until_so "the copy to the leg stands still" test -e link.does.met
: >daemon.err # what the daemons before this one said
kill -TERM "$DAEMON"
until_so "the daemon has heard it" grep -q 'ends: signal 15' daemon.err
pkill -KILL -f "^[^ ]*python3 [^ ]*link.py $WORK/link.does"
daemon_gone 120 || fail "SIGTERM in a resync" "still there after 120 s: $(tail -n 3 daemon.err)"
wait $returning
echo pass >link.does
holds a 20
both_up --leg "a=$WORK/a.ptape" --leg "$far_b,class=spare"
# An rmt remote has no place for a mark, so the volumes themselves tell.
says "the legs disagree after it" 1 'refused: an operator.*partition 0 holds 21 objects in a, [0-9] in b' pseudotape-mirror status
says "leg a is the right one" 0 'pseudotape-mirror --drive 0 resync b' pseudotape-mirror trust a
says "the copy goes on" 0 'b is in step' pseudotape-mirror resync b
check "offline after it" mt-st -f "$NODE" offline
both_down
says "both copies are the same after it" 0 '^identical: ' pseudotape compare a.ptape b.ptape
for copy in a b; do holds $copy 20; done

# -- another image in the place of a leg's, and none
cartridge stranger --force --capacity 60M
drive_up "image=$WORK/stranger.ptape"
check "another volume has other records" dd if=stream of="$NODE" bs=$bs skip=100 count=3
drive_down
pseudotape dump stranger.ptape >stranger
fresh
both_up --leg "a=$WORK/a.ptape" --leg "b=$WORK/b.ptape,class=spare"
check "twenty records" dd if=stream of="$NODE" bs=$bs count=20
check "the leg is closed" pseudotape-mirror drop b
mv b.ptape away.ptape
says "no image is there" 2 'b.ptape: no such image' pseudotape-mirror return b
mv stranger.ptape b.ptape
says "another volume that holds something stays as it is" 2 'leg b|b.ptape' pseudotape-mirror return b
mv b.ptape stranger.ptape
check "twenty records behind them" dd if=stream of="$NODE" bs=$bs count=20
mv away.ptape b.ptape
says "the right one comes back" 0 'b is in step' pseudotape-mirror return b
check "the other volume has what it had" cmp <(pseudotape dump stranger.ptape) stranger
check "offline" mt-st -f "$NODE" offline
both_down
says "both copies are the same" 0 '^identical: ' pseudotape compare a.ptape b.ptape

# -- a leg behind a filter, and the wrong key
openssl rand -hex 32 >key
openssl rand -hex 32 >other
chmod 600 key other
fresh
both_up --leg "a=$WORK/a.ptape" --leg "b=zstd+aes=$WORK/key+image:$WORK/b.ptape"
check "dd through the filter" dd if=stream of="$NODE" bs=$bs count=20
check "offline" mt-st -f "$NODE" offline
says "another key is an error that names the leg" 2 'leg b: wrong key' \
    pseudotape-mirror load "a=$WORK/a.ptape" "b=zstd+aes=$WORK/other+image:$WORK/b.ptape"
check "the right one" pseudotape-mirror load "a=$WORK/a.ptape" "b=zstd+aes=$WORK/key+image:$WORK/b.ptape"
check "is read" cmp -n $((bs * 20)) <(dd if="$NODE" bs=$bs status=none) stream
check "offline again" mt-st -f "$NODE" offline
both_down
says "through the filter both are the same" 0 '^identical: ' \
    pseudotape compare a.ptape "zstd+aes=$WORK/key+image:$WORK/b.ptape"

# -- the host of a leg can't be written
fresh
chattr +i b.ptape 2>/dev/null && immutable=yes || immutable=
if [ -n "$immutable" ]; then
    both_up --leg "a=$WORK/a.ptape" --leg "b=$WORK/b.ptape"
    says "the status says that a leg can't be written" '[01]' 'leg b.*b.ptape.*(Operation not permitted|read-only|write)' \
        pseudotape-mirror status
    says "and the program hears it" 1 'Read-only file system|Operation not permitted|Permission denied|Input/output error' \
        dd if=stream of="$NODE" bs=$bs count=1
    both_down
    chattr -i b.ptape
    check "nothing went to the other one either" cmp -s <(pseudotape dump a.ptape) /dev/null
else
    skip "a leg whose host can't be written" "no immutable files here"
fi
