#!/usr/bin/env python3
"""Calls a tape in the ways in which programs can share, interrupt and mistake a descriptor.

    callers.py NODE [part]      with `part` only that: `other` writes and reads as a caller of another pid namespace
"""

import ctypes
import errno
import os
import signal
import subprocess
import sys
import threading

from checks import MTFSR, MTREW, excluded, fail, operation, outcome, pattern, pieces_hidden, position, same

KIB = 1024
LIBC = ctypes.CDLL(None, use_errno=True)
SIZES = [1, 4096, 128 * KIB, 128 * KIB + 1, 1024 * KIB, 1024 * KIB + 1, 4096 * KIB + 5, 16384 * KIB]


def write_files(node, records):
    fd = os.open(node, os.O_WRONLY)
    answers = [outcome(os.write, fd, data) for data in records]
    os.close(fd)
    return answers


def rewound(node, flags=os.O_RDONLY):
    fd = os.open(node, flags)
    operation(fd, MTREW)
    return fd


def read_all(fd, count):
    """So many records, and whether a filemark follows."""
    got = [outcome(os.read, fd, 16384 * KIB) for _ in range(count)]
    return got, outcome(os.read, fd, 100)


def other_namespace(node):
    """In a process that is number 1 of a pid namespace of its own."""
    os.close(rewound(node))
    records = [pattern(number, size) for number, size in enumerate(SIZES)]
    same("a caller in another pid namespace is number 1 there", 1, os.getpid())
    same("it writes records of all sizes", SIZES, write_files(node, records))
    fd = rewound(node)
    got, mark = read_all(fd, len(SIZES))
    same("it reads them back, a record for each call", (True, b""), (got == records, mark))
    os.close(fd)


def two_threads(node):
    """Two threads on one descriptor: each call is one record, whole, and each record goes to one call."""
    count, size = 20, 300 * KIB + 7
    if pieces_hidden():
        reason = "without /proc/PID/syscall a daemon can't know where a call ends when another's pieces come between"
        excluded("two threads on one descriptor with records of more than a piece", reason)
        size = 100 * KIB + 7
    records = [[pattern(thread * 100 + number, size) for number in range(count)] for thread in range(2)]
    fd = rewound(node, os.O_RDWR)
    answers = [[], []]

    def writer(thread):
        for data in records[thread]:
            answers[thread].append(outcome(os.write, fd, data))

    got = [[], []]

    def reader(thread):
        for _ in range(count):
            got[thread].append(outcome(os.read, fd, size + 1000))

    for work in (writer, reader):
        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if work is writer:
            same("two threads write through one descriptor", [[size] * count] * 2, answers)
            same("each of their calls made a record", (0, 2 * count), position(fd))
            operation(fd, MTREW)
    same("two threads read through one descriptor", sorted(records[0] + records[1]), sorted(got[0] + got[1]))
    same("a read of both finds the end", b"", outcome(os.read, fd, size))
    os.close(fd)
    fd = rewound(node)
    tape, _ = read_all(fd, 2 * count)
    os.close(fd)
    for thread in range(2):
        mine = [data for data in tape if data in records[thread]]
        same(f"the records of thread {thread} are in its order", True, mine == records[thread])


def copies(node):
    """Copies of a descriptor, in the same process and in a child, are one open: one position, one close."""
    fd = rewound(node, os.O_RDWR)
    copy = os.dup(fd)
    same("a write through a descriptor", 3000, outcome(os.write, fd, pattern(1, 3000)))
    same("a write through its copy", 200 * KIB, outcome(os.write, copy, pattern(2, 200 * KIB)))
    os.close(copy)
    same("closing a copy writes no filemark", (0, 2), position(fd))
    child = os.fork()
    if child == 0:
        done = outcome(os.write, fd, pattern(3, 200 * KIB + 1)) == 200 * KIB + 1
        os._exit(0 if done else 1)
    same("a child writes through the descriptor it inherits", 0, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    same("its end writes no filemark", (0, 3), position(fd))
    same("the parent goes on behind it", 5000, outcome(os.write, fd, pattern(4, 5000)))
    child = os.fork()
    if child == 0:
        signal.pause()
    os.close(fd)
    same("a child keeps the drive open", "EBUSY", outcome(os.open, node, os.O_RDONLY))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for _ in range(1000):  # on FUSE the daemon hears of the last close later than the child's parent of its end
        fd = outcome(os.open, node, os.O_RDONLY)
        if fd != "EBUSY":
            break
    same("the end of the last holder writes one filemark", (1, 0), position(fd))
    operation(fd, MTREW)
    got, mark = read_all(fd, 4)
    wanted = [pattern(1, 3000), pattern(2, 200 * KIB), pattern(3, 200 * KIB + 1), pattern(4, 5000)]
    same("all of it is there, in order", (True, b""), (got == wanted, mark))
    os.close(fd)


def signals(node):
    """A signal every millisecond: each call is done once, as a whole. Python calls again after EINTR."""
    heard = []
    signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
    records = [pattern(number, size) for number, size in enumerate([64 * KIB, 1024 * KIB, 4096 * KIB + 3, 16384 * KIB] * 3)]
    fd = rewound(node, os.O_RDWR)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    answers = [outcome(os.write, fd, data) for data in records]
    signal.setitimer(signal.ITIMER_REAL, 0)
    same("writes in a rain of signals", [len(data) for data in records], answers)
    same("each write made one record", (0, len(records)), position(fd))
    operation(fd, MTREW)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    got, mark = read_all(fd, len(records))
    signal.setitimer(signal.ITIMER_REAL, 0)
    same("reads in a rain of signals", (True, b""), (got == records, mark))
    same("signals came in the middle of it", True, len(heard) > 5)
    os.close(fd)


def call(name, *arguments):
    """The return value of a C function, or the name of its errno."""
    answer = getattr(LIBC, name)(*arguments)
    return errno.errorcode[ctypes.get_errno()] if answer < 0 else answer


def bad_pointers(node):
    fd = rewound(node, os.O_RDWR)
    for number in range(3):
        os.write(fd, pattern(number, 10_000))
    operation(fd, MTREW)
    nowhere = ctypes.c_void_p(4096)
    size = ctypes.c_size_t(10_000)
    same("read into a bad pointer: EFAULT", "EFAULT", call("read", fd, nowhere, size))
    operation(fd, MTREW)
    same("write from a bad pointer: EFAULT", "EFAULT", call("write", fd, nowhere, size))
    same("a write from a bad pointer makes no record", (0, 0), position(fd))
    for name, request in (("MTIOCTOP", 0x40086D01), ("MTIOCGET", 0x80306D02), ("MTIOCPOS", 0x80086D03)):
        same(f"{name} with a bad pointer: EFAULT", "EFAULT", call("ioctl", fd, ctypes.c_ulong(request), nowhere))
    operation(fd, MTFSR, 1)
    same("the tape is as it was", (10_000, pattern(1, 10_000)), (10_000, outcome(os.read, fd, 20_000)))
    # no bytes at all: the pointer is not looked at
    operation(fd, MTREW)
    for name in ("read", "write"):
        same(f"{name} of 0 bytes", 0, call(name, fd, nowhere, ctypes.c_size_t(0)))
    same("neither moves the tape", (0, 0), position(fd))
    os.close(fd)


def main():
    node = sys.argv[1]
    if sys.argv[2:] == ["other"]:
        other_namespace(node)
        return
    code = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, __file__, node, "other"], check=False, timeout=300
    ).returncode
    if code != 0:
        fail("a caller in another pid namespace", f"it ended with {code}")
    two_threads(node)
    copies(node)
    signals(node)
    bad_pointers(node)


main()
