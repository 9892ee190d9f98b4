# shellcheck shell=bash
# Sourced by the scenarios of what becomes of a job and of every leg when something dies, fills up, is slow or is cut, and of
# the command that brings it back: of a mirror daemon and of a drive that is a mirror itself. Each of them says how such a
# mirror begins and ends:
#
#   both_up OPTION... --leg LEG...   the drive $NODE is a mirror of these legs; options as of 'pseudotape-mirror run'
#   both_down [CODE]                 SIGTERM ends it, the mirror with that code

bs=32768
pattern 5 $((bs * 200)) >stream
blank=(--force --capacity 60M --early-warning 256K)

# begin: dd writes to the drive what `feed` gives it, record by record
begin() {
    rm -f fifo
    mkfifo fifo
    dd if=fifo of="$NODE" bs=$bs iflag=fullblock 2>dd.err &
    WRITER=$!
    exec 9>fifo
    given=0
}

# feed RECORDS: the next records of the stream; fewer where dd ends meanwhile
feed() {
    dd if=stream bs=$bs skip="$given" count="$1" status=none >&9 2>/dev/null
    given=$((given + $1))
}

# until_so WHAT COMMAND...: waits until the command succeeds
until_so() {
    local tenths=0 what=$1
    shift
    until "$@"; do
        [ $tenths -lt 1200 ] || {
            fail "$what" "not so in 120 s: $(mirror_json | tr -d '\n ') $(tail -qn 3 "$WORK"/{mirror,daemon}.err 2>/dev/null)"
            return 1
        }
        sleep 0.1
        tenths=$((tenths + 1))
    done
}

# stored NAME OBJECTS: whether the leg has as many objects
stored() {
    [ "$(leg "$1" object)" = "$2" ]
}

# wrote NAME RECORDS [ERROR]: dd gets no more; so many records were acknowledged, and then the device failed like that.
# On FUSE close(2) fails as well then, as on a node of the kernel. dd says so, and tells no counts.
wrote() {
    local tenths=0 code=0
    exec 9>&-
    while kill -0 $WRITER 2>/dev/null; do
        [ $tenths -lt 1200 ] || {
            fail "$1" "dd is still there after 120 s"
            kill -KILL $WRITER
            break
        }
        sleep 0.1
        tenths=$((tenths + 1))
    done
    wait $WRITER 2>/dev/null || code=$?
    taken=$(sed -n 's/^\([0-9]*\)+0 records out$/\1/p' dd.err)
    if [ "$2" = - ]; then
        : # dd does not tell where the device is no longer there
    elif [ "$FRONT:${3:+failed}" = fuse:failed ] && grep -q '^dd: closing output file' dd.err; then
        ok "$1: the file can't be closed well either"
    elif [[ $taken =~ ^($2)$ ]]; then
        ok "$1: records that were acknowledged"
    else
        fail "$1: records that were acknowledged" "not $2: $(cat dd.err)"
    fi
    if [ -z "${3:-}" ]; then
        same "$1: dd's exit code" 0 "$code"
    else
        says "$1: the error" 1 "$3" bash -c 'cat dd.err; exit '$code
    fi
}

# holds NAME RECORDS: the image holds these records of the stream, and nothing else
holds() {
    # A leg that was lost is marked, which verify tells beside it (exit code 1).
    check "$1.ptape verifies" grep -q 'no damage' <(pseudotape verify "$1.ptape")
    check "$1.ptape holds the first $2 records" cmp -s <(pseudotape dump "$1.ptape") <(head -c $((bs * $2)) stream)
}

# goes_on NAME RECORDS: the job goes on behind what is there, up to 40 records and a filemark, and both legs hold it
goes_on() {
    check "$1: to the end of data" mt-st -f "$NODE" eod
    same "$1: that is behind the last record" "$2" "$(object)"
    says "$1: the rest" 0 '' dd if=stream of="$NODE" bs=$bs skip="$2" count=$((40 - $2))
    says "$1: the mirror is whole" 0 'mirror     in step' pseudotape-mirror status
    check "$1: offline" mt-st -f "$NODE" offline
    both_down
    says "$1: both copies are the same" 0 '^identical: ' pseudotape compare a.ptape b.ptape
    for copy in a b; do holds $copy 40; done
}

fresh() {
    cartridge a "${blank[@]}"
    cartridge b "${blank[@]}"
    rm -f link.does.met
    echo pass >link.does
}

# far_b: the leg b, behind a link that the file link.does governs
far_b="b=rmt:localhost:b,command=python3 $PT_ROOT/tests/clients/tools/link.py $WORK/link.does $PSEUDOTAPE_BIN/pseudotape-rmt --allow b=$WORK/b.ptape"


# a full disk under one leg: the end of the tape, for both
trouble_full_disk() {
    if mkdir -p full && mount -t tmpfs -o size=4m none full 2>mount.err; then
        full_b() {
            fresh
            rm b.ptape
            pseudotape create "$WORK/full/b.ptape" "${blank[@]}" >create.out
            both_up --leg "a=$WORK/a.ptape" --leg "b=$WORK/full/b.ptape"
        }
        full_b
        says "records until a disk is full" 1 'No space left on device' dd if=stream of="$NODE" bs=$bs
        taken=$(sed -n 's/^\([0-9]*\)+0 records out$/\1/p' <<<"$output")
        same "most of the disk was used" 1 $((taken > 60 && taken < 128))
        says "a full disk is no failure of the leg" 0 'mirror     in step' pseudotape-mirror status
        check "a full disk: offline" mt-st -f "$NODE" offline
        both_down
        says "a full disk: both copies are the same" 0 '^identical: ' pseudotape compare a.ptape full/b.ptape
        holds a "$taken"
        rm full/b.ptape

        full_b
        begin
        feed 20
        until_so "20 records are on leg b" stored b 20
        dd if=/dev/zero of=full/other bs=64k 2>/dev/null
        feed 20
        wrote "a disk that others fill" 2[01] 'No space left on device' # what has a place already is taken
        check "a disk that others fill: offline" mt-st -f "$NODE" offline
        says "a disk that others fill: both copies are the same" 0 '^identical: ' pseudotape compare a.ptape full/b.ptape
        holds a "$taken"
        rm full/other
        says "room again: the mirror takes the same volumes" 0 '' \
            pseudotape-mirror load "a=$WORK/a.ptape" "b=$WORK/full/b.ptape"
        check "room again: to the end of data" mt-st -f "$NODE" eod
        check "room again: the rest" dd if=stream of="$NODE" bs=$bs skip="$taken" count=20
        check "room again: offline" mt-st -f "$NODE" offline
        both_down
        says "room again: both copies are the same" 0 '^identical: ' pseudotape compare a.ptape full/b.ptape
        holds a $((taken + 20))
        rm full/b.ptape
        umount full
    else
        skip "a full disk under a leg" "no file system of its own here: $(cat mount.err)"
    fi
}

# a leg that is slowed to 1 MB/s
trouble_slow() {
    fresh
    echo "slow 1000000 $WORK/hold" >link.does
    both_up --leg "a=$WORK/a.ptape" --leg "$far_b"
    started=$(date +%s%N)
    check "a slow leg: the job" dd if=stream of="$NODE" bs=$bs count=40
    same "a slow leg: the job waits for it" 1 $((($(date +%s%N) - started) / 1000000 > 900))
    # On a FUSE mount dd has ended before the close, which writes the filemark, is at the drive.
    for copy in a b; do until_so "a slow leg: leg $copy has all" stored $copy 41; done
    check "a slow leg: offline" mt-st -f "$NODE" offline
    both_down
    says "a slow leg: both copies are the same" 0 '^identical: ' pseudotape compare a.ptape b.ptape
    holds b 40

    for when in deferred unload; do
        fresh
        # rmt can't say how much fits: what waits may be no more than what its tape takes behind early warning
        cartridge b --force --capacity 60M --early-warning 8M
        echo "slow 1000000 $WORK/hold" >link.does
        both_up --leg "a=$WORK/a.ptape" --leg "$far_b,when=$when,reserve=8M"
        begin
        feed 1
        until_so "when=$when: the leg has the first record" stored b 1
        touch hold
        feed 39
        wrote "when=$when: the job does not wait" 40
        until_so "when=$when: leg a has all" stored a 41
        lag=$(leg b lag_bytes)
        same "when=$when: the status shows how late the leg is" 1 $((lag > bs * 30))
        says "when=$when: so it does for people" 0 'in step, late' pseudotape-mirror status
        mt-st -f "$NODE" offline >offline.out 2>&1 &
        offline=$!
        if [ $when = deferred ]; then
            until_so "when=$when: the unload does not wait" bash -c '! kill -0 $1 2>/dev/null' _ $offline
            same "when=$when: the leg still gets the rest" leaving "$(leg b state)"
        else
            until_so "when=$when: the mirror unloads" bash -c 'pseudotape-mirror status --json | grep -q "\"busy\": {"'
            kill -0 $offline || fail "when=$when: the unload waits" "$(cat offline.out)"
        fi
        rm hold
        wait $offline
        same "when=$when: exit code of the unload" 0 $?
        both_down
        says "when=$when: both copies are the same" 0 '^identical: ' pseudotape compare a.ptape b.ptape
        holds b 40
    done
}

# PT-08: a remote leg that is 200 ms away
trouble_far_away() {
    fresh
    echo "late 200" >link.does
    both_up --leg "a=$WORK/a.ptape" --leg "$far_b"
    started=$(date +%s%N)
    check "200 ms away: the job" dd if=stream of="$NODE" bs=$bs count=10
    same "200 ms away: each record waits for the slower leg" 1 $((($(date +%s%N) - started) / 1000000 >= 2000))
    check "200 ms away: back over the mark" mt-st -f "$NODE" bsf
    check "200 ms away: and over five records" mt-st -f "$NODE" bsr 5
    check "200 ms away: other ones" dd if=stream of="$NODE" bs=$bs skip=5 count=10
    check "200 ms away: offline" mt-st -f "$NODE" offline
    both_down
    says "200 ms away: the order is kept" 0 '^identical: ' pseudotape compare a.ptape b.ptape
    holds b 15
}

# a link that is cut in the middle of a record
trouble_cut() {
    cut_b() {
        fresh
        echo "cut $((bs * 10 + 20000))" >link.does
        both_up --leg "a=$WORK/a.ptape" --leg "$far_b,class=$1"
        begin
    }
    lost='not mirrored from object 10 on.*connection broke.*pseudotape-mirror( --drive 0)? (resync|return) b'

    cut_b spare
    feed 20
    until_so "the job goes on without a spare leg" stored a 20
    says "the spare leg is marked" 1 "mirror     degraded.*$lost" pseudotape-mirror status
    holds b 10
    echo pass >link.does
    says "the link is there again: return" 0 'in step: 10 objects were there, 10 ' pseudotape-mirror return b
    feed 20
    wrote "a spare leg that comes back in the middle of a job" 40
    says "it is a copy again" 0 'mirror     in step' pseudotape-mirror status
    check "a spare leg: offline" mt-st -f "$NODE" offline
    both_down
    says "a spare leg: both copies are the same" 0 '^identical: ' pseudotape compare a.ptape b.ptape
    holds b 40

    cut_b required
    feed 20
    wrote "a link to a required leg is cut" 10 'Input/output error'
    says "the required leg is marked" 1 "mirror     degraded.*$lost" pseudotape-mirror status
    says "nothing more is written meanwhile" 1 'Input/output error' dd if=stream of="$NODE" bs=$bs count=1
    holds b 10
    echo pass >link.does
    says "the link is there again: return of a required leg" 0 'in step' pseudotape-mirror return b
    goes_on "a required leg" 10
}

# min-legs: a spare leg is lost, and what is left are too few
trouble_min_legs() {
    fresh
    echo "cut $((bs * 10 + 20000))" >link.does
    both_up --min-legs 2 --leg "a=$WORK/a.ptape" --leg "$far_b,class=spare"
    begin
    feed 20
    wrote "--min-legs 2 and one of two legs is cut" 10 'Input/output error'
    says "min-legs: nothing more is written meanwhile" 1 'Input/output error' dd if=stream of="$NODE" bs=$bs count=1
    holds b 10
    echo pass >link.does
    says "min-legs: the leg is brought back" 0 'in step' pseudotape-mirror return b
    goes_on "min-legs" 10
}

# verify-reads: two copies of which one has another record in its middle
trouble_verify_reads() {
    fresh
    for copy in a b; do
        cp stream "stream.$copy"
        [ $copy = a ] || printf 'another' | dd of=stream.b bs=1 seek=$((bs * 9 + 5000)) conv=notrunc status=none
        drive_up "image=$WORK/$copy.ptape"
        check "twenty records to $copy alone" dd if=stream.$copy of="$NODE" bs=$bs count=20
        drive_down
    done
    for option in "" --verify-reads; do
        both_up $option --leg "a=$WORK/a.ptape" --leg "b=$WORK/b.ptape"
        if [ -z "$option" ]; then
            says "without --verify-reads the first leg's records are read" 0 '20\+0 records out' dd if="$NODE" of=back bs=$bs
        else
            says "--verify-reads finds the record that differs" 1 'Input/output error.*[^0-9]9\+0 records out' \
                dd if="$NODE" of=back bs=$bs
            says "the status tells of it" '[01]' 'object 9: legs a and b hold different things' pseudotape-mirror status
        fi
        both_down ${option:+1} # a copy that is none is told by the exit code, too
    done
}
