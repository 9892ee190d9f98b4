#!/usr/bin/env python3
"""Writes numbered records until something ends it, and keeps a list of what was acknowledged.

    writer.py NODE SIZE ACKNOWLEDGED [LIMIT]

After each record that the drive took, its number is in the file ACKNOWLEDGED before the next is written. The reason
why it ended is its last line of output.
"""

import os
import sys

from checks import outcome, pattern


def main():
    node, size, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    limit = int(sys.argv[4]) if len(sys.argv) > 4 else 1 << 30
    fd = os.open(node, os.O_WRONLY)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    number, answer = 0, size
    while answer == size and number < limit:
        answer = outcome(os.write, fd, pattern(number, size))
        if answer == size:
            number += 1
            os.pwrite(log, b"%d\n" % number, 0)
    print("limit" if answer == size else answer, flush=True)
    outcome(os.close, fd)


main()
