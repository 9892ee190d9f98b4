"""The requests of ``<sys/mtio.h>`` by the names that ``mt`` has for them."""

import fcntl
import os
import struct

#: ``MTIOCTOP``: ``_IOW('m', 1, struct mtop)``.
MTIOCTOP = 0x40086D01
#: Number in ``<sys/mtio.h>`` of each operation, and whether it needs a node that is open for writing.
OPERATIONS = {
    "fsf": (1, False),
    "bsf": (2, False),
    "fsr": (3, False),
    "bsr": (4, False),
    "weof": (5, True),
    "rewind": (6, False),
    "offline": (7, False),
    "eod": (12, False),
    "erase": (13, True),
    "setblk": (20, False),
    "seek": (22, False),
    "load": (30, False),
    "unload": (31, False),
}


def operate(node, operation, count):
    """Opens a node, does one operation, and closes the node. An OSError is the errno that the operation ended with."""
    try:
        number, writes = OPERATIONS[operation]
    except KeyError:
        raise ValueError(f"no operation {operation!r}; there are: {', '.join(OPERATIONS)}") from None
    descriptor = os.open(node, os.O_RDWR if writes else os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, MTIOCTOP, struct.pack("hi", number, count))
    finally:
        os.close(descriptor)
