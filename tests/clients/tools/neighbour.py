#!/usr/bin/env python3
"""neighbour.py PID TOKEN...: which of the tokens are in memory or in an open file of a process that others share with it.

Whatever a slave was given by the daemon it could look into: memory that is mapped shared, and each file that it has open. Both are
searched from their beginning to their end. Prints the tokens that were found, in their order.
"""

import os
import stat
import sys

PIECE = 1 << 20


def shared_ranges(pid):
    """Where shared memory is mapped that is no file of a disk."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            fields = line.split(maxsplit=5)
            if fields[1][3] == "s":
                first, behind = (int(number, 16) for number in fields[0].split("-"))
                yield first, behind


def everything(pid):
    """All that it shares, in pieces."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for first, behind in shared_ranges(pid):
            for at in range(first, behind, PIECE):
                yield os.pread(memory.fileno(), min(PIECE, behind - at), at)
    for number in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{number}"
        # Its image is its own, and is no memory.
        if not os.readlink(path).startswith("/memfd:"):
            continue
        with open(path, "rb", buffering=0) as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                while piece := file.read(PIECE):
                    yield piece


def main():
    pid, tokens = sys.argv[1], sys.argv[2:]
    found = set()
    for piece in everything(pid):
        found |= {token for token in tokens if token.encode() in piece}
    print(" ".join(token for token in tokens if token in found))


main()
