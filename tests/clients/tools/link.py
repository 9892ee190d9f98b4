#!/usr/bin/env python3
"""A link to a command that can be slow, stop, or be cut. usage: link.py CONTROL COMMAND [ARGUMENT...]

Carries bytes between its standard input and output and those of the command. The file CONTROL says, when it starts,
what becomes of those to the command:
    pass          all of them arrive
    cut N         only the first N arrive; then both directions end
    stop N        only the first N arrive; then nothing more does, and nothing ends
    slow N FILE   N in a second, and none while FILE is there
    late N        all of them arrive; what the command answers to them comes N milliseconds late
When a limit was met, CONTROL.met is there."""
import os
import select
import subprocess
import sys
import threading
import time

control = sys.argv[1]
with open(control) as file:
    what, *rest = file.read().split()
limit = int(rest[0]) if rest else None
server = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def back():
    while data := server.stdout.read1(65536):
        if what == 'late':
            time.sleep(limit / 1000)
        os.write(1, data)
    os._exit(0)


def met():
    open(control + '.met', 'w').close()


threading.Thread(target=back, daemon=True).start()
carried = 0
while True:
    room = limit - carried if what in ('cut', 'stop') else 16384
    if room == 0:
        met()
        if what == 'stop':
            client = select.poll()
            client.register(0, 0)
            client.poll()
        server.kill()
        os._exit(1)
    data = os.read(0, min(room, 16384))
    if not data:
        server.stdin.close()
        sys.exit(server.wait())
    while what == 'slow' and os.path.exists(rest[1]):
        met()
        time.sleep(0.02)
    server.stdin.write(data)
    server.stdin.flush()
    carried += len(data)
    if what == 'slow':
        time.sleep(len(data) / limit)
