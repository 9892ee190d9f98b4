#!/usr/bin/env python3
"""Writes and reads records of many sizes, alignments and vectors, each in one system call.

    sizes.py NODE

The sizes are those where the kernel changes how it cuts a call: one page, 31 and 32 pages (CUSE), 256 pages (FUSE),
and one byte to either side; up to 16 MiB, aligned and not.
"""

import mmap
import os
import sys

from checks import MTFSR, MTREW, excluded, fail, ok, operation, outcome, pattern, pieces_hidden, position, same

KIB = 1024
SIZES = [1, 512, 4095, 4096, 4097, 10 * KIB, 64 * KIB]
for edge in (124, 128, 248, 256, 1020, 1024, 2048, 4096):
    SIZES += [edge * KIB - 1, edge * KIB, edge * KIB + 1]
LARGEST = 16384 * KIB
SIZES += [700 * KIB + 13, LARGEST - 1, LARGEST]


def buffer(size, shift):
    """A buffer that starts `shift` bytes behind a page boundary."""
    return memoryview(mmap.mmap(-1, size + shift + 4096))[shift : shift + size]


def filled(data, shift):
    view = buffer(len(data), shift)
    view[:] = data
    return view


def vector(data, lengths, shift):
    """The data in buffers of the given lengths (the last takes the rest), each `shift` behind a page boundary."""
    parts, start = [], 0
    for length in lengths:
        parts.append(filled(data[start : start + length], shift))
        start += length
    if start < len(data):
        parts.append(filled(data[start:], shift))
    return parts


def cases():
    """Yields (name, bytes of the record, function that writes it)."""
    seed = 0
    for size in SIZES:
        for shift in (0, 100):
            seed += 1
            data = pattern(seed, size)
            yield f"write of {size}, {shift} off a page", data, lambda fd, data=data, shift=shift: os.write(
                fd, filled(data, shift)
            )
    vectors = [
        ("two halves of 64 KiB", 128 * KIB, [64 * KIB]),
        ("100 bytes and 256 KiB", 100 + 256 * KIB, [100]),
        ("64 single bytes", 64, [1] * 63),
        ("40 times 1000 bytes over page edges", 40_000, [1000] * 39),
        ("three uneven parts of 3 MiB", 3 * 1024 * KIB, [1, 1024 * KIB + 1]),
        ("1024 parts", 1024 * 300, [300] * 1023),
    ]
    for name, size, lengths in vectors:
        for shift in (0, 3700):
            seed += 1
            data = pattern(seed, size)
            yield f"writev of {name}, {shift} off a page", data, lambda fd, data=data, lengths=lengths, shift=shift: (
                os.writev(fd, vector(data, lengths, shift))
            )


def write_all(node):
    written = []
    fd = os.open(node, os.O_WRONLY)
    for name, data, write in cases():
        if same(f"{name} returns all of it", len(data), outcome(write, fd)):
            written.append((name, data))
    os.close(fd)
    return written


def read_all(node, written, larger):
    """Reads every record back into a buffer of its size, or a larger one."""
    how = "a larger buffer" if larger else "a buffer of its size"
    fd = os.open(node, os.O_RDONLY)
    operation(fd, MTREW)
    for index, (name, data) in enumerate(written):
        shift = 0 if index % 2 else 100
        # a read of more than the drive's largest block is refused, as by st
        target = buffer(min(len(data) + (5000 if larger else 0), LARGEST), shift)
        got = outcome(os.readv, fd, [target])
        if got != len(data):
            fail(f"read of the {name} into {how}", f"expected {len(data)}, got {got} at {position(fd)}")
        elif target[:got] != data:
            fail(f"read of the {name} into {how}", "other bytes than were written")
        else:
            ok(f"read of the {name} into {how}")
    same(f"the filemark after all of it, {how}", 0, outcome(os.readv, fd, [buffer(4096, 0)]))
    os.close(fd)


def read_too_small(node, written):
    """A buffer that is too small: ENOMEM, nothing of the record, and the tape behind it."""
    fd = os.open(node, os.O_RDONLY)
    hidden = 0
    for index, (name, data) in enumerate(written):
        wrong = []
        following = written[index + 1][1] if index + 1 < len(written) else None
        for size in sorted({1, len(data) // 2, len(data) - 1, 124 * KIB, 128 * KIB, 1024 * KIB, 2048 * KIB}):
            if not 0 < size < len(data):
                continue
            if pieces_hidden() and size >= 124 * KIB:
                hidden += 1
                continue
            operation(fd, MTREW)
            if index:
                operation(fd, MTFSR, index)
            answer = outcome(os.readv, fd, [buffer(size, 0 if size % 2 else 100)])
            if (answer, position(fd)) != ("ENOMEM", (0, index + 1)):
                wrong.append(f"{size} bytes: {answer} at {position(fd)}")
            elif following is not None:
                target = buffer(len(following), 0)
                got = outcome(os.readv, fd, [target])
                if got != len(following) or target != following:
                    wrong.append(f"{size} bytes: the next read gives {got}, or other bytes")
        same(f"reads of the {name} into too small buffers: ENOMEM, the tape behind it", [], wrong)
    if hidden:
        reason = "without /proc/PID/syscall a daemon can't know whether a call asks for more than its first piece"
        excluded(f"{hidden} reads into too small buffers of a piece or more", reason)
    os.close(fd)


def main():
    node = sys.argv[1]
    written = write_all(node)
    read_all(node, written, larger=False)
    read_all(node, written, larger=True)
    few = [entry for entry in written if entry[0].endswith(", 0 off a page") and len(entry[1]) <= 4096 * KIB + 1]
    fd = os.open(node, os.O_WRONLY)
    operation(fd, MTREW)
    for _, data in few:
        os.write(fd, data)
    os.close(fd)
    read_too_small(node, few)

    fd = os.open(node, os.O_RDWR)
    operation(fd, MTREW)
    if pieces_hidden():
        reason = "without /proc/PID/syscall a daemon can't know it before the last piece"
        excluded("calls over the largest block are refused", reason)
    else:
        for more in (1, 4096, LARGEST):
            data = buffer(LARGEST + more, 0)
            same(f"write of {more} over the largest block: EINVAL", "EINVAL", outcome(os.write, fd, data))
            same(f"read of {more} over the largest block: EINVAL", "EINVAL", outcome(os.readv, fd, [data]))
            same("neither moves the tape", (0, 0), position(fd))
    same("write of nothing returns 0", 0, outcome(os.write, fd, b""))
    same("read of nothing returns 0", b"", outcome(os.read, fd, 0))
    same("neither moves the tape", (0, 0), position(fd))
    os.close(fd)


main()
