"""Writes to a tape through several descriptors of one open file; each open file leaves one filemark.

Usage: descriptors.py NODE

Leaves bbf (a duplicate), bbbf (a child), bbf (a descriptor that nobody has for a moment), bf (one that is replaced).
"""

import os
import socket
import sys

node = sys.argv[1]


def opened():
    tape = os.open(node, os.O_WRONLY)
    os.write(tape, b"first")
    return tape


# A duplicate is closed, and the other one goes on.
tape = opened()
os.close(os.dup(tape))
os.write(tape, b"second")
os.close(tape)

# A child writes and exits, and its parent goes on.
tape = opened()
child = os.fork()
if child == 0:
    os.write(tape, b"of the child")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
os.write(tape, b"of the parent")
os.close(tape)

# The only descriptor is on its way through a socket: no process has it.
tape = opened()
here, there = socket.socketpair()
socket.send_fds(here, [b"x"], [tape])
os.close(tape)
_, (tape,), _, _ = socket.recv_fds(there, 1, 1)
os.write(tape, b"after the way")
os.close(tape)

# dup2 closes what it replaces.
tape = opened()
null = os.open("/dev/null", os.O_WRONLY)
os.dup2(null, tape)
