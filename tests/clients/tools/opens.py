#!/usr/bin/env python3
"""Opens drives at the wrong and the right moment.

    opens.py NODE REWINDING EMPTY IMAGE      EMPTY: the node of drive 1, without a cartridge; IMAGE is in drive 0
"""

import os
import signal
import subprocess
import sys
import time

from checks import fail, ok, outcome, position, same


def released(node):
    """On FUSE a close returns before the daemon hears of it: the next open may come in between."""
    for _ in range(500):
        fd = outcome(os.open, node, os.O_RDONLY | os.O_NONBLOCK)
        if fd != "EBUSY":
            os.close(fd)
            return
        time.sleep(0.02)


def second_opens(node, rewinding):
    for name, flags in (("reading", os.O_RDONLY), ("writing", os.O_RDWR), ("asking", os.O_RDONLY | os.O_NONBLOCK)):
        first = os.open(node, flags)
        for second in (node, rewinding):
            for more in (0, os.O_NONBLOCK):
                what = f"a drive open for {name} is busy for {os.path.basename(second)}, flags {more:#x}"
                same(what, "EBUSY", outcome(os.open, second, os.O_RDONLY | more))
        copy = os.dup(first)
        os.close(first)
        same(f"a drive open for {name} is busy while a copy is open", "EBUSY", outcome(os.open, node, os.O_RDONLY))
        os.close(copy)
        fd = outcome(os.open, node, os.O_RDONLY)
        same(f"a drive open for {name} is free at once after close", True, isinstance(fd, int))
        if isinstance(fd, int):
            os.close(fd)


def empty_drive(empty):
    fd = outcome(os.open, empty, os.O_RDONLY | os.O_NONBLOCK)
    if not isinstance(fd, int):
        fail("an empty drive opens with O_NONBLOCK", fd)
        return
    ok("an empty drive opens with O_NONBLOCK")
    same("its position is unknown", (-1, -1), position(fd))
    same("reading it: no medium", "ENOMEDIUM", outcome(os.read, fd, 10))
    os.close(fd)


def blocked_opener(empty):
    """A process that opens the empty drive and blocks."""
    code = f"import os; os.open({empty!r}, os.O_RDONLY)"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    time.sleep(1)
    return process


def interrupted(empty):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process = blocked_opener(empty)
        same(f"open of an empty drive waits ({number.name})", None, process.poll())
        process.send_signal(number)
        try:
            process.wait(100)
            ok(f"a waiting open ends by {number.name}")
        except subprocess.TimeoutExpired:
            fail(f"a waiting open ends by {number.name}", "still there after 100 s")
            process.kill()
        released(empty)


def waits_for_a_cartridge(empty, image):
    process = blocked_opener(empty)
    for command in (["unload", "0"], ["load", "1", image]):
        done = subprocess.run(["pseudotape", *command], capture_output=True, check=False, timeout=200)
        same(f"pseudotape {command[0]} while an open waits", (0, b""), (done.returncode, done.stderr))
    try:
        same("an open that waits goes on when the cartridge is there", 0, process.wait(100))
    except subprocess.TimeoutExpired:
        fail("an open that waits goes on when the cartridge is there", "still waiting after 100 s")
        process.kill()


def main():
    node, rewinding, empty, image = sys.argv[1:]
    second_opens(node, rewinding)
    empty_drive(empty)
    interrupted(empty)
    waits_for_a_cartridge(empty, image)


main()
