#!/usr/bin/env python3
"""Whether volumes hold all the data of a dump in its order, apart from what may come twice around a volume's end.

    volumes.py TREE WHOLE VOLUME...

WHOLE is the dump in one piece. Looks at the blocks of 1 KiB that come from the files of TREE, each once: headers have
times and volume numbers in them, and directories whatever dump had in memory.
"""

import os
import sys
from collections import Counter

from checks import fail, ok

BLOCK = 1024


def blocks(path):
    with open(path, "rb") as file:
        data = file.read()
    return [data[start : start + BLOCK] for start in range(0, len(data), BLOCK)]


def main():
    tree, whole, *volumes = sys.argv[1:]
    whole = blocks(whole)
    count = Counter(whole)
    data = set()
    for directory, _, names in os.walk(tree):
        paths = (os.path.join(directory, name) for name in names)
        data.update(block for path in paths if os.path.isfile(path) for block in blocks(path))
    places = {block: place for place, block in enumerate(whole) if count[block] == 1 and block in data}
    trouble, found = [], set()
    for path in volumes:
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
