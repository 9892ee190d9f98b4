#!/usr/bin/env python3
"""Moves a file to a tape and back by calls that are no reads and no writes.

    spliced.py NODE FILE        FILE is longer than 64 KiB
"""

import os
import shutil
import sys

from checks import MTREW, fail, operation, outcome, position, same

KIB = 1024


def refused(name, answer):
    """st has none of these calls; the kernel itself refuses some with errors of its own."""
    same(f"{name} is refused", True, answer in ("EINVAL", "EXDEV", "ESPIPE", "EBADF"))


def into(node, path):
    """Out of a file, or a pipe, into the tape."""
    source = os.open(path, os.O_RDONLY)
    tape = os.open(node, os.O_RDWR)
    operation(tape, MTREW)
    same("sendfile(2) to a tape: EINVAL", "EINVAL", outcome(os.sendfile, tape, source, 0, 64 * KIB))
    refused("copy_file_range(2) to a tape", outcome(os.copy_file_range, source, tape, 64 * KIB))
    reader, writer = os.pipe()
    os.write(writer, bytes(32 * KIB))
    for _ in range(2):
        same("splice(2) to a tape: EINVAL", "EINVAL", outcome(os.splice, reader, tape, 16 * KIB))
    same("nothing was written, and what is in the pipe stays there", ((0, 0), 32 * KIB),
         (position(tape), len(os.read(reader, 64 * KIB))))
    sizes = [10 * KIB, 64 * KIB, 64 * KIB, 100]
    written = [outcome(os.write, tape, bytes(size)) for size in sizes]
    same("writes behind them are blocks of their own", (sizes, (0, 4)), (written, position(tape)))
    same("and a splice behind those is refused as well", "EINVAL", outcome(os.sendfile, tape, source, 0, 64 * KIB))
    operation(tape, MTREW)
    same("the blocks are there", sizes, [len(os.read(tape, 128 * KIB)) for _ in sizes])
    for descriptor in (source, tape, reader, writer):
        os.close(descriptor)


def out_of(node):
    """Out of the tape: the kernel takes a file of a mount for empty, or asks the daemon, which refuses."""
    tape = os.open(node, os.O_RDWR)
    operation(tape, MTREW)
    sink = os.open("sink", os.O_RDWR | os.O_CREAT, 0o600)
    answer = outcome(os.sendfile, sink, tape, None, 64 * KIB)
    same("sendfile(2) out of a tape moves nothing", True, answer in (0, "EINVAL", "EIO"))
    same("and the tape has not moved", (0, 0), position(tape))
    os.close(sink)
    os.close(tape)


def python_copies(node, path):
    """shutil: copyfileobj is read and write; copyfile tries sendfile, and falls back where lseek succeeds."""
    with open(path, "rb") as source, open(node, "wb", buffering=0) as tape:
        shutil.copyfileobj(source, tape, 64 * KIB)
    answer = outcome(shutil.copyfile, path, node)
    if answer not in (node, "ESPIPE"):
        fail("shutil.copyfile to a tape copies or says that it does not", str(answer))
        return
    tape = os.open(node, os.O_RDONLY)
    got = b""
    while data := os.read(tape, 1024 * KIB):
        got += data
    os.close(tape)
    with open(path, "rb") as source:
        same("what shutil wrote first is there", True, got == source.read())


def main():
    node, path = sys.argv[1:]
    into(node, path)
    out_of(node)
    rewinding = os.path.join(os.path.dirname(node), os.path.basename(node).lstrip("n"))
    python_copies(rewinding, path)


main()
