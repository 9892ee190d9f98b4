#!/usr/bin/env python3
"""A slave with a tape in memory, and with a fault on request. Written from docs/SLAVE-PROTOCOL.md alone.

    memory_slave.py PLACE [FAULT:N[:DETAIL]]      PLACE: the socket or the node of a slave end

N counts writes from 1. FAULT: `die` kills this process before the answer, `half` in the middle of it, `stop` stops
it; `slow:SECONDS` takes that long for every write; `nonsense:N:KIND` answers with garbage, checksum, id, kind, count,
position, long (more payload than a write has) or twice. Prints `attached` when it was greeted, and at the end what
is on its tape, as JSON.
"""

import json
import os
import signal
import socket
import stat
import struct
import sys
import time
import zlib

HEADER = struct.Struct("<IHHQIIIIII")
MAGIC, VERSION, CHECKED = 0x534D508A, 1, 2
HELLO, KEEP_ALIVE, GOODBYE, TEST_READY, MODE, SET_MODE, READ, WRITE, EXTEND, MARKS, SPACE, TO_END, LOCATE, REWIND = (
    *(1, 2, 3),
    *range(16, 27),
)
LOAD, UNLOAD, ERASE, POSITION, CAPACITY, DOOR = range(27, 33)
WELCOME, DONE, FAILED, MODE_IS, CAPACITY_IS = range(0x8001, 0x8006)
FILEMARK, END_OF_DATA, BEGINNING = 1, 3, 4
NO_MEDIUM, ILLEGAL_REQUEST = 2, 10


def message(kind, number, body=b"", payload=b""):
    head = HEADER.pack(
        *(MAGIC, VERSION, kind, number, CHECKED if payload else 0, len(body), len(payload)),
        *(zlib.crc32(body), zlib.crc32(payload) if payload else 0, 0),
    )
    return head[:-4] + struct.pack("<I", zlib.crc32(head[:-4])) + body + payload


class Hangup(Exception):
    """The master is gone, or said goodbye."""


class Line:
    """The bytes to and from the master."""

    def __init__(self, place):
        if stat.S_ISSOCK(os.stat(place).st_mode):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(place)
            self.fd = self.socket.fileno()
        else:
            self.fd = os.open(place, os.O_RDWR)

    def exactly(self, length):
        parts = []
        while length:
            part = os.read(self.fd, length)
            if not part:
                raise Hangup("the master hung up")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def next(self):
        head = self.exactly(HEADER.size)
        magic, version, kind, number, _, body, payload, body_crc, payload_crc, crc = HEADER.unpack(head)
        assert (magic, version, crc) == (MAGIC, VERSION, zlib.crc32(head[:-4])), head.hex()
        body, payload = self.exactly(body), self.exactly(payload)
        assert zlib.crc32(body) == body_crc and (not payload or zlib.crc32(payload) == payload_crc)
        return kind, number, body, payload

    def send(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self.fd, view) :]


class Tape:
    """Objects: bytes, or None for a filemark."""

    def __init__(self):
        self.objects = []
        self.at = 0

    def outcome(self, count=0, block=0, stop=0):
        file = sum(o is None for o in self.objects[: self.at])
        return struct.pack("<QQQIBBBB", count, self.at, file, block, 0, 3, stop, 0)

    def put(self, things):
        self.objects[self.at :] = things
        self.at = len(self.objects)
        return self.outcome(len(things))

    def read(self, length):
        if self.at == len(self.objects):
            return self.outcome(stop=END_OF_DATA), b""
        thing = self.objects[self.at]
        self.at += 1
        if thing is None:
            return self.outcome(stop=FILEMARK), b""
        return self.outcome(1, len(thing)), thing[:length]

    def space(self, count, unit):
        """Blocks (0) or filemarks (1)."""
        step, done, stop = (1 if count > 0 else -1), 0, 0
        while done < abs(count) and not stop:
            index = self.at if step > 0 else self.at - 1
            if not 0 <= index < len(self.objects):
                stop = END_OF_DATA if step > 0 else BEGINNING
                break
            self.at += step
            is_mark = self.objects[index] is None
            if is_mark == bool(unit):
                done += 1
            elif is_mark:
                stop = FILEMARK
        return self.outcome(done, stop=stop)

    def told(self):
        records = [len(o) for o in self.objects if o is not None]
        crc = 0
        for thing in self.objects:
            crc = zlib.crc32(thing or b"mark", crc)
        return {"records": len(records), "bytes": sum(records), "marks": self.objects.count(None), "crc": crc}


class Slave:
    def __init__(self, line, fault):
        self.line, self.tape, self.writes = line, Tape(), 0
        self.fault, *self.details = fault.split(":")

    def strike(self, number, good):
        """The answer to a write, with the fault when its turn has come."""
        self.writes += 1
        if self.fault == "slow":
            time.sleep(float(self.details[0]))
        elif self.fault and self.writes == int(self.details[0]):
            if self.fault == "half":
                self.line.send(good[: len(good) // 2])
            if self.fault in ("half", "die"):
                os.kill(os.getpid(), signal.SIGKILL)
            if self.fault == "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            if self.fault == "nonsense":
                return nonsense(self.details[1], number, self.tape, good)
        return good

    def answer(self, kind, number, body, payload):
        tape, done = self.tape, lambda body, payload=b"": message(DONE, number, body, payload)
        if kind == HELLO:
            names = struct.pack("<8s16s4s32s", b"TEST", b"MEMORY", b"1", b"M1")
            return message(WELCOME, number, names + struct.pack("<IIII", 1, 16 << 20, 1, 0))
        if kind == MODE:
            return message(MODE_IS, number, struct.pack("<IBBBB", 0, 0x40, 1, 0, 0))
        if kind == CAPACITY:
            return message(CAPACITY_IS, number, struct.pack("<QQQQB", 0, 0, 0, 0, 0))
        if kind in (KEEP_ALIVE, TEST_READY, SET_MODE, UNLOAD, DOOR, POSITION):
            return done(tape.outcome())
        if kind == READ:
            return done(*tape.read(struct.unpack("<II", body)[1]))
        if kind == WRITE:  # a bytearray, because extends can be many
            return self.strike(number, done(tape.put([bytearray(payload)])))
        if kind == EXTEND:
            tape.objects[-1] += payload
            return done(tape.outcome(1))
        if kind == MARKS:
            return done(tape.put([None] * struct.unpack("<IBB", body)[0]))
        if kind == SPACE:
            return done(tape.space(*struct.unpack("<qB", body)))
        if kind in (REWIND, LOAD, TO_END, LOCATE):
            wanted = {TO_END: len(tape.objects), LOCATE: struct.unpack("<QBB", body.ljust(10, b"\0"))[0]}.get(kind, 0)
            tape.at = min(wanted, len(tape.objects))
            return done(tape.outcome(stop=END_OF_DATA if tape.at < wanted else 0))
        if kind == ERASE:
            del tape.objects[tape.at :]
            return done(tape.outcome())
        return message(FAILED, number, tape.outcome()[:-1] + bytes([ILLEGAL_REQUEST]))

    def serve(self):
        while True:
            kind, number, body, payload = self.line.next()
            if kind == GOODBYE:
                raise Hangup(body[4:].rstrip(b"\0").decode())
            self.line.send(self.answer(kind, number, body, payload))
            if kind == HELLO:
                print("attached", flush=True)


def nonsense(kind, number, tape, good):
    wrong_position = struct.pack("<QQQIBBBB", 1, tape.at + 5, 0, 0, 0, 3, 0, 0)
    return {
        "garbage": bytes(range(7, 207)),
        "checksum": good[:-1] + bytes([good[-1] ^ 1]),
        "id": message(DONE, number + 1, tape.outcome(1)),
        "kind": message(MODE_IS, number, struct.pack("<IBBBB", 0, 0x40, 1, 0, 0)),
        "request": message(WRITE, number, struct.pack("<I", 0)),
        "count": message(DONE, number, tape.outcome(2)),
        "position": message(DONE, number, wrong_position),
        "long": message(DONE, number, tape.outcome(1), b"more"),
        "twice": good + good,
    }[kind]


def main():
    slave = Slave(Line(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
    why = "it was told to end"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(told(slave, why)))
    try:
        slave.serve()
    except Hangup as end:
        why = str(end)
    except OSError as error:
        why = f"{type(error).__name__} {error.errno}"
    told(slave, why)


def told(slave, why):
    print(json.dumps({**slave.tape.told(), "end": why}), flush=True)
    return 0


main()
