#!/usr/bin/env python3
"""A tape that counts what is written and keeps nothing. usage: counting.py SOCKET_OR_NODE
Prints the counts when the master hangs up."""
import socket, struct, sys
from pathlib import Path
from zlib import crc32

path, at, records, size, marks, rewinds = sys.argv[1], 0, 0, 0, 0, 0
if Path(path).is_socket():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    channel = connection.makefile('rwb', buffering=0)
else:
    channel = open(path, 'r+b', buffering=0)

def end(status=0):
    print(f'{records} records, {size} bytes, {marks} filemarks, {rewinds} rewinds', flush=True)
    sys.exit(status)

def get(length):
    data = bytearray()
    while len(data) < length:
        data += channel.read(length - len(data)) or end()  # the master has hung up
    return bytes(data)

def send(kind, body):
    head = struct.pack('<IHHQ5I', 0x534d508a, 1, kind, number, 0, len(body), 0, crc32(body), 0)
    data = head + struct.pack('<I', crc32(head)) + body
    while data:
        data = data[channel.write(data):]

def done(count=0, sense=0):
    send(0x8003 if sense else 0x8002, struct.pack('<QQQI4B', count, at, 0, 0, 0, 1, 0, sense))

while True:
    kind, number, body_length, payload_length, crc = struct.unpack('<6xHQ4xII4xI4x', get(40))
    body, payload = get(body_length), get(payload_length)
    if kind == 1:  # hello: blocks of 1 byte to 16 MiB, nothing through shared memory
        send(0x8001, struct.pack('<8s16s4s32s4I', b'PYTHON', b'COUNTING', b'1', b'', 1, 1 << 24, 1, 0))
    elif kind == 3:  # goodbye
        end(body[4:].rstrip(b'\0').decode() if body[0] != 4 else 0)
    elif kind == 17:  # mode: variable blocks, buffered
        send(0x8004, struct.pack('<I4B', 0, 0, 1, 0, 0))
    elif kind == 20 and crc == crc32(payload):  # write: one block, or several of one size
        count = len(payload) // (struct.unpack('<I', body)[0] or len(payload))
        at, records, size = at + count, records + count, size + len(payload)
        done(count)
    elif kind == 21 and crc == crc32(payload):  # extend: more of the same block
        size += len(payload)
        done(1)
    elif kind == 22:  # write marks
        count = struct.unpack('<I2x', body)[0]
        at, marks = at + count, marks + count
        done(count)
    elif kind == 26:  # rewind
        at, rewinds = 0, rewinds + 1
        done()
    else:  # keep-alive, test ready, position and door: nothing to do; the rest is not known
        done(sense=0 if kind in (2, 16, 30, 32) else 10)
