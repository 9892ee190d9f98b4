# shellcheck shell=bash
# PT-06, PT-18. What becomes of a job and of every leg when something dies, fills up, is slow or is cut; and the command
# that brings it back.

. "$PT_ROOT/tests/lib/trouble.sh"

both_up() {
    pair_up
    mirror_up "$@"
}

both_down() {
    mirror_down "$@"
    drive_down
}

# -- kill -9 of the mirror, between two writes
fresh
pair_up
mirror_up --leg "a=$WORK/a.ptape" --leg "b=$WORK/b.ptape"
begin
feed 20
until_so "20 records are on leg b" stored b 20
mirror_kill 2>/dev/null
feed 1
wrote "kill -9 of the mirror" 20 'No such device or address'
for copy in a b; do holds $copy 20; done
says "kill -9 of the mirror: the copies" 0 '^identical: ' pseudotape compare a.ptape b.ptape
mirror_up --leg "a=$WORK/a.ptape" --leg "b=$WORK/b.ptape"
goes_on "a mirror again" 20

# -- kill -9 of the mirror in a write
fresh
echo "stop $((bs * 10 + 20000))" >link.does
pair_up
mirror_up --leg "a=$WORK/a.ptape" --leg "$far_b"
begin
feed 11
until_so "the link stands still" test -e link.does.met
mirror_kill 2>/dev/null
wrote "kill -9 of the mirror in a write" 10 'Input/output error'
echo pass >link.does
holds b 10
says "a record that was not acknowledged is on one copy at most" '[01]' 'identical|object 10 .*end of data on b' \
    pseudotape compare a.ptape b.ptape
mirror_up --leg "a=$WORK/a.ptape" --leg "$far_b"
says "the legs disagree" 1 'refused: an operator.*legs a and b disagree.*trust' pseudotape-mirror status
says "the shorter one is not trusted by mistake" 2 'leg a holds 1 object more than leg b.*--force' \
    pseudotape-mirror trust b
check "one of them is right" pseudotape-mirror trust --force b
check "the other one is brought to it" pseudotape-mirror resync a
goes_on "trust and resync" 10

# -- kill -9 of the device daemon: the mirror stays, and comes back
fresh
pair_up
mirror_up --leg "a=$WORK/a.ptape" --leg "b=$WORK/b.ptape"
begin
feed 20
until_so "20 records are on leg b" stored b 20
drive_kill
feed 1
wrote "kill -9 of the device daemon" - 'Transport endpoint|Input/output error|connection abort|No such device'
pair_up
until_so "the mirror comes back" mirror_attached
same "the same legs are in it" "in-step in-step" "$(leg a state) $(leg b state)"
goes_on "a device daemon again" 20

# -- kill -9 of the device daemon in a write: both legs have that record, or none
fresh
echo "stop $((bs * 10 + 20000))" >link.does
pair_up
mirror_up --leg "a=$WORK/a.ptape" --leg "$far_b,class=spare"
begin
feed 11
until_so "the link stands still" test -e link.does.met
drive_kill
wrote "kill -9 of the device daemon in a write" - 'Transport endpoint|Input/output error|connection abort|No such device'
pkill -KILL -P "$MIRROR" -f link.py
pair_up
until_so "the mirror comes back after a write that was cut" mirror_attached
echo pass >link.does
says "the leg behind the link is marked" 1 'leg b  out of step: not mirrored from object 10 on' pseudotape-mirror status
holds b 10
says "it is brought back" 0 'in step: 10 objects were there, 1 ' pseudotape-mirror return b
goes_on "after a write that was cut" 11

trouble_full_disk
trouble_slow
# PT-08
trouble_far_away
trouble_cut
trouble_min_legs
trouble_verify_reads
