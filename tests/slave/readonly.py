#!/usr/bin/env python3
"""A read-only tape. usage: readonly.py SOCKET_OR_NODE DIRECTORY
Each file of the directory, sorted by name, is a block; an empty file is a filemark."""
import socket, struct, sys
from pathlib import Path
from zlib import crc32

path, at = sys.argv[1], 0
tape = [file.read_bytes() for file in sorted(Path(sys.argv[2]).iterdir())]
if Path(path).is_socket():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    channel = connection.makefile('rwb', buffering=0)
else:
    channel = open(path, 'r+b', buffering=0)

def get(length):
    data = b''
    while len(data) < length:
        data += channel.read(length - len(data)) or sys.exit(0)  # the master has hung up
    return data

def send(kind, body, payload=b''):
    head = struct.pack('<IHHQ5I', 0x534d508a, 1, kind, number, 2 if payload else 0,
                       len(body), len(payload), crc32(body), crc32(payload))
    data = head + struct.pack('<I', crc32(head)) + body + payload
    while data:
        data = data[channel.write(data):]

def done(count=0, stop=0, block=b'', payload=b'', sense=0):
    send(0x8003 if sense else 0x8002, struct.pack('<QQQI4B', count, at, tape[:at].count(b''),
         len(block), 0, 3, stop, sense), payload)

while True:
    kind, number, body_length, payload_length = struct.unpack('<6xHQ4xII12x', get(40))
    body, payload = get(body_length), get(payload_length)
    if kind == 1:  # hello: blocks of 1 byte to 16 MiB, nothing through shared memory
        send(0x8001, struct.pack('<8s16s4s32s4I', b'PYTHON', b'READ-ONLY', b'1', b'', 1, 1 << 24, 1, 0))
    elif kind == 3:  # goodbye
        sys.exit(body[4:].rstrip(b'\0').decode() if body[0] != 4 else 0)
    elif kind == 17:  # mode: variable blocks, buffered, write protected
        send(0x8004, struct.pack('<I4B', 0, 0, 1, 1, 0))
    elif kind == 19 and body[:4] == bytes(4):  # read one block
        block, stop, at = (tape[at], 0, at + 1) if at < len(tape) else (b'', 3, at)
        done(1 if block else 0, stop if block or stop else 1, block, block[:struct.unpack('<4xI', body)[0]])
    elif kind == 23 and body[8] < 2:  # space over blocks or filemarks
        (count, over_marks), done_so_far, stop = struct.unpack('<qB', body), 0, 0
        while done_so_far < abs(count) and not stop:
            if at == (len(tape) if count > 0 else 0):
                stop = 3 if count > 0 else 4
            else:
                is_mark, at = tape[at - (count < 0)] == b'', at + (1 if count > 0 else -1)
                done_so_far, stop = done_so_far + (is_mark == over_marks), int(is_mark > over_marks)
        done(done_so_far, stop)
    elif kind in (24, 25, 26, 27):  # to the end of data, locate, rewind, load
        to = {24: len(tape), 25: int.from_bytes(body[:8], 'little')}.get(kind, 0)
        at = min(to, len(tape))
        done(stop=3 if to > at else 0)
    else:  # nothing to do (2, 16, 30, 32); what writes is refused as protected, the rest as unknown
        done(sense=0 if kind in (2, 16, 30, 32) else 6 if kind in (20, 21, 22, 29) else 10)
