# shellcheck shell=bash
# A program that writes numbered records to $node for as long as a job wants it, one that reads them, and how long calls lasted
# that lasted. To be sourced after tests/lib/check.sh, in the directory where the programs can lie.

# Says each record that was taken, and how it ended. Calls of more than 50 ms are in the file `pauses`: begin and end.
cat >writer.py <<'END_OF_PROGRAM'
import os, sys, time
tape = os.open(sys.argv[1], os.O_WRONLY)
pauses = open("pauses", "a")
number = 0
try:
    while not os.path.exists("enough"):
        block = number.to_bytes(4, "big") * 5000
        begin = time.monotonic()
        assert os.write(tape, block) == len(block), number
        end = time.monotonic()
        if end - begin > 0.05:
            print(begin, end, file=pauses, flush=True)
        number += 1
        print(number, flush=True)
    os.close(tape)
    print(number, "done", flush=True)
except OSError as error:
    print(number, error.strerror, flush=True)
END_OF_PROGRAM

# Reads the records, and says how many there are, in order and once, and what it was told behind them, where that is no mark.
cat >reader.py <<'END_OF_PROGRAM'
import os, sys
tape = os.open(sys.argv[1], os.O_RDONLY)
number = 0
try:
    while block := os.read(tape, 65536):
        assert block == number.to_bytes(4, "big") * 5000, number
        number += 1
    print(number)
except OSError as error:
    print(number, error.strerror)
END_OF_PROGRAM

# write_begins: a writer writes from the beginning of the tape; what it says comes at descriptor 4
write_begins() {
    mt-st -f "$node" rewind
    rm -f enough told pauses
    mkfifo told
    python3 writer.py "$node" >told 2>writer.err &
    writer=$!
    exec 4<told
    write_goes_on
}

# write_goes_on: until the writer has said a hundred more
write_goes_on() {
    local _
    for _ in {1..100}; do read -r line <&4; done
}

# write_ends: reads to the last line of the writer
write_ends() {
    local next
    # shellcheck disable=SC2034 # for the job
    while read -r next <&4; do line=$next; done
    exec 4<&-
    wait "$writer"
}

# now: seconds of the clock that the writer looks at
now() {
    python3 -c 'import time; print(time.monotonic())'
}

# pause_since TIME: milliseconds of the longest call that ended after it; fails where none has
pause_since() {
    awk -v since="$1" '$2 > since && $2 - $1 > longest { longest = $2 - $1 }
        END { if (longest == 0) exit 1; printf "%d\n", longest * 1000 }' pauses
}
