"""Checks for tests in Python: one line each, in the form that tests/lib/check.sh counts."""

import errno
import fcntl
import os
import struct

MTIOCTOP = 0x40086D01
MTIOCGET = 0x80306D02
MTIOCPOS = 0x80086D03
MTFSF, MTBSF, MTFSR, MTBSR, MTWEOF, MTREW, MTEOM, MTSEEK = 1, 2, 3, 4, 5, 6, 12, 22


def ok(name):
    print(f"ok {name}", flush=True)


def fail(name, why):
    print(f"FAIL {name}: {why}", flush=True)


def skip(name, reason):
    print(f"skip {name}: {reason}", flush=True)


def excluded(name, reason):
    print(f"excluded {name}: {reason}", flush=True)


def same(name, expected, actual):
    """Whether two values are equal; long bytes are not printed."""
    if expected == actual:
        ok(name)
    else:
        fail(name, f"expected {short(expected)}, got {short(actual)}")
    return expected == actual


def short(value):
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:100]}… ({len(value)} long)"


def outcome(call, *arguments):
    """What a call returns, or the name of its error."""
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


def operation(tape, code, count=1):
    """MTIOCTOP."""
    fcntl.ioctl(tape, MTIOCTOP, struct.pack("<hxxi", code, count))


def position(tape):
    """File and block number as MTIOCGET has them."""
    status = fcntl.ioctl(tape, MTIOCGET, bytes(48))
    return struct.unpack("<qqqqqii", status)[5:7]


def pattern(seed, size):
    """Bytes that tell which record they came from and where in it they were."""
    block = b"".join(struct.pack("<II", seed, offset) for offset in range(0, min(size, 1 << 16) + 8, 8))
    return (block[: 1 << 16] * (size // (1 << 16) + 1))[:size]


def pieces_hidden():
    """Whether this kernel keeps from a daemon how much a read asks for (no /proc/PID/syscall, as in User Mode Linux of Debian 12)."""
    return not os.path.exists("/proc/self/syscall")
