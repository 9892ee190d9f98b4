#!/usr/bin/env python3
"""A reset between the last write and close(2): `reset.py NODE CONTROL`, with the daemon's control socket."""

import json
import os
import socket
import sys

from checks import MTREW, operation, outcome, position, same


def reset(control):
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.connect(control)
        daemon.sendall(json.dumps({"protocol": 1, "do": "reset", "drive": 0}).encode() + b"\n")
        answer = daemon.makefile("rb").readline()
    same("the drive is reset", True, b"was reset" in answer)


def main():
    node, control = sys.argv[1:]
    fd = os.open(node, os.O_WRONLY)
    os.write(fd, bytes(10_000))
    reset(control)
    same("close(2) behind it: EIO", "EIO", outcome(os.close, fd))
    for _ in range(1000):  # RELEASE comes later than close(2) returns
        fd = outcome(os.open, node, os.O_RDONLY)
        if fd != "EBUSY":
            break
    same("the next open succeeds", True, isinstance(fd, int))
    same("and the file is unknown", -1, position(fd)[0])
    operation(fd, MTREW)
    same("nothing is lost", 10_000, len(outcome(os.read, fd, 20_000)))
    os.close(fd)


main()
