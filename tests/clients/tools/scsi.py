#!/usr/bin/env python3
"""SG_IO as no command line asks for it: data in pieces of memory, resets, and news about what an operator did.

    scsi.py TAPE CHANGER      two nodes of one daemon; $PSEUDOTAPE_CONTROL is its socket
"""

import ctypes
import errno
import os
import subprocess
import sys

from checks import ok, position, operation, same, MTREW

SG_IO, SG_SCSI_RESET = 0x2285, 0x2284
FROM_DEVICE, NO_DATA = -3, -1
INQUIRY = bytes((0x12, 0, 0, 0, 96, 0))
READY = bytes(6)
LIBC = ctypes.CDLL(None, use_errno=True)


class Header(ctypes.Structure):
    """struct sg_io_hdr"""

    _fields_ = (
        [(name, ctypes.c_int) for name in ("interface", "direction")]
        + [(name, ctypes.c_ubyte) for name in ("cdb_bytes", "sense_bytes")]
        + [("pieces", ctypes.c_ushort), ("data_bytes", ctypes.c_uint)]
        + [(name, ctypes.c_void_p) for name in ("data", "cdb", "sense")]
        + [("timeout", ctypes.c_uint), ("flags", ctypes.c_uint), ("pack", ctypes.c_int), ("user", ctypes.c_void_p)]
        + [(name, ctypes.c_ubyte) for name in ("status", "masked", "message", "sense_written")]
        + [("host", ctypes.c_ushort), ("driver", ctypes.c_ushort), ("residual", ctypes.c_int)]
        + [("duration", ctypes.c_uint), ("info", ctypes.c_uint)]
    )


class Piece(ctypes.Structure):
    """struct iovec"""

    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def call(node, number, argument):
    """ioctl(2), or the name of its error."""
    if LIBC.ioctl(node, ctypes.c_ulong(number), argument) < 0:
        return errno.errorcode[ctypes.get_errno()]
    return 0


def send(node, cdb, pieces=(), room=None):
    """The header after a command, and its sense; `pieces` are where the data go."""
    sense = ctypes.create_string_buffer(32)
    cdb = ctypes.create_string_buffer(cdb, len(cdb))
    total = sum(len(piece) for piece in pieces)
    header = Header(ord("S"), FROM_DEVICE if pieces else NO_DATA, len(cdb), 32, 0, room or total)
    header.cdb, header.sense = ctypes.addressof(cdb), ctypes.addressof(sense)
    header.timeout = 200000
    if len(pieces) == 1:
        header.data = ctypes.addressof(pieces[0])
    elif pieces:
        listed = (Piece * len(pieces))(*[Piece(ctypes.addressof(piece), len(piece)) for piece in pieces])
        header.pieces, header.data = len(pieces), ctypes.addressof(listed)
    result = call(node, SG_IO, ctypes.byref(header))
    if result != 0:
        return result, None
    return header, bytes(sense)[: header.sense_written]


def reason(node):
    """What TEST UNIT READY says: key, code and qualifier, or that all is well."""
    header, sense = send(node, READY)
    if sense is None:
        return header
    return "good" if header.status == 0 else (sense[2] & 15, sense[12], sense[13])


def in_pieces(name, path):
    node = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    whole = ctypes.create_string_buffer(96)
    header, _ = send(node, INQUIRY, [whole])
    length = 96 - header.residual
    pieces = [ctypes.create_string_buffer(size) for size in (5, 1, 17, 200)]
    header, _ = send(node, INQUIRY, pieces)
    joined = b"".join(bytes(piece) for piece in pieces)
    same(f"{name}: data in pieces are those in one", bytes(whole)[:length], joined[:length])
    same(f"{name}: what is left of the room is told", 223 - length, header.residual)
    same(f"{name}: and nothing is written there", bytes(223 - length), joined[length:])
    cut = [ctypes.create_string_buffer(8), ctypes.create_string_buffer(8)]
    header, _ = send(node, INQUIRY, cut, room=96)
    same(f"{name}: the shorter one of list and length counts", bytes(whole)[:16], bytes(cut[0]) + bytes(cut[1]))
    os.close(node)


def reset(tape, changer):
    node = os.open(tape, os.O_RDWR | os.O_NONBLOCK)
    operation(node, MTREW)
    same("a tape of which nothing is reset", 0, call(node, SG_SCSI_RESET, ctypes.byref(ctypes.c_int(0))))
    same("knows its place", (0, 0), position(node))
    same("SG_SCSI_RESET of the tape", 0, call(node, SG_SCSI_RESET, ctypes.byref(ctypes.c_int(1))))
    same("a reset that there is not", "EIO", call(node, SG_SCSI_RESET, ctypes.byref(ctypes.c_int(9))))
    os.close(node)
    one, other = (os.open(changer, os.O_RDWR) for _ in range(2))
    same("SG_SCSI_RESET of the changer", 0, call(one, SG_SCSI_RESET, ctypes.byref(ctypes.c_int(1))))
    for node in (one, other):
        same("each program hears of it once", [(6, 0x29, 0), "good"], [reason(node), reason(node)])
        os.close(node)


def library(*arguments):
    done = subprocess.run(["pseudotape", "library", *arguments], capture_output=True, text=True, timeout=200, check=False)
    same(f"pseudotape library {' '.join(arguments)}", 0, done.returncode)


def news(changer):
    one, other = (os.open(changer, os.O_RDWR) for _ in range(2))
    same("nothing is new", "good", reason(one))
    library("import", "--barcode", "NEWS01L5")
    late = os.open(changer, os.O_RDWR)
    same("a cartridge in the import/export slot is news", [(6, 0x28, 1), "good"], [reason(one), reason(one)])
    same("but not to who came behind it", "good", reason(late))
    library("add", "--barcode", "NEWS02L5")
    same("the other program hears of both", [(6, 0x28, 1), (6, 0x28, 0), "good"], [reason(other) for _ in range(3)])
    library("export", "NEWS01L5", "--delete")
    for node in (one, other, late):
        os.close(node)


def main():
    tape, changer = sys.argv[1:]
    in_pieces("tape", tape)
    in_pieces("changer", changer)
    reset(tape, changer)
    news(changer)
    ok("scsi.py came to its end")


main()
