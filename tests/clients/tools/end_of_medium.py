#!/usr/bin/env python3
"""Writes on behind early warning, as Documentation/scsi/st.rst describes it, up to the physical end.

    end_of_medium.py NODE SIZE RECORDS

The tape is where a writer just got its first ENOSPC and closed; RECORDS records of SIZE fit in all.
"""

import os
import sys

from checks import MTBSR, MTREW, operation, outcome, pattern, same


def main():
    node, size, room = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    fd = os.open(node, os.O_RDWR)
    operation(fd, MTREW)
    accepted, answers = 0, []
    while len(answers) < 2 * room + 8:
        answer = outcome(os.write, fd, pattern(accepted, size))
        answers.append(answer)
        accepted += answer == size
    first = answers.index("ENOSPC")
    same("before early warning every record is taken", [size] * first, answers[:first])
    zone = answers[first : first + 2 * (room - first)]
    same("behind it errors and records alternate", ["ENOSPC", size] * (room - first), zone)
    rest = answers[first + len(zone) :]
    same("at the physical end nothing is taken any more", ["ENOSPC"] * len(rest), rest)
    same("as many records as the capacity says", room, accepted)
    operation(fd, MTREW)
    kept = 0
    while kept < accepted and os.read(fd, size) == pattern(kept, size):
        kept += 1
    same("every record that was taken is on the tape", accepted, kept)
    # the next write would go to the physical end: step back so that the mark at close fits
    operation(fd, MTBSR)
    os.close(fd)


main()
