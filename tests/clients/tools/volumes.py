#!/usr/bin/env python3
"""Whether volumes hold all the blocks of a file in its order, apart from what may come twice around a volume's end.

    volumes.py WHOLE VOLUME...

Looks at the blocks of 1 KiB that WHOLE has once only and that are no headers of dump: those have the volume's number.
"""

import sys
from collections import Counter

from checks import fail, ok

BLOCK = 1024
HEADER_MAGIC = (60012).to_bytes(4, "little")  # NFS_MAGIC, at offset 24


def blocks(path):
    with open(path, "rb") as file:
        data = file.read()
    return [data[start : start + BLOCK] for start in range(0, len(data), BLOCK)]


def main():
    whole = blocks(sys.argv[1])
    count = Counter(whole)
    places = {block: place for place, block in enumerate(whole) if count[block] == 1 and block[24:28] != HEADER_MAGIC}
    trouble, found = [], set()
    for path in sys.argv[2:]:
        volume = blocks(path)
        known = [(number, places[block]) for number, block in enumerate(volume) if block in places]
        if len({place - number for number, place in known}) > 1:
            trouble.append(f"{path}: blocks out of order")
        found.update(place for _, place in known)
    missing = len(places) - len(found)
    if missing or len(places) < 1000:
        trouble.append(f"{missing} of {len(places)} blocks are on no volume")
    if trouble:
        fail("the volumes hold the whole dump in order", "; ".join(trouble))
    else:
        ok("the volumes hold the whole dump in order")


main()
