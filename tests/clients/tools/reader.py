#!/usr/bin/env python3
"""Reads what writer.py wrote, from the beginning of the tape, and prints how many whole records in order there are.

    reader.py NODE SIZE
"""

import os
import sys

from checks import MTREW, operation, outcome, pattern


def main():
    node, size = sys.argv[1], int(sys.argv[2])
    fd = os.open(node, os.O_RDONLY)
    operation(fd, MTREW)
    number = 0
    while (data := outcome(os.read, fd, size + 1)) == pattern(number, size):
        number += 1
    print(number, data if isinstance(data, str) else len(data))


main()
