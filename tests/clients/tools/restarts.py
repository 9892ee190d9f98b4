#!/usr/bin/env python3
"""Starts and stops the daemon many times while programs have its nodes open.

    restarts.py FRONT DIRECTORY IMAGE TIMES
"""

import os
import signal
import subprocess
import sys
import time

from checks import MTEOM, fail, ok, operation, outcome, same

# ECANCELED: of a daemon that served over io_uring and was killed
DEAD = {"ENOTCONN", "ECONNABORTED", "ECANCELED", "EIO", "ENODEV", "ENXIO"}
URING = os.environ.get("PSEUDOTAPE_TEST_URING", "never")


def start(front, directory, image):
    """A daemon that is ready."""
    where = ["--cuse"] if front == "cuse" else ["--fuse", directory, "--uring", URING]
    command = ["pseudotape-dev", *where, "--drive", f"image={image}"]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=open("restarts.err", "ab"))
    line = daemon.stdout.readline()
    if not line:
        raise RuntimeError(f"the daemon ended with {daemon.wait()}: {open('restarts.err').read()[-500:]}")
    return daemon


def stop(daemon, number, front, directory):
    daemon.send_signal(number)
    code = daemon.wait(20)
    daemon.stdout.close()
    if number == signal.SIGKILL and front == "fuse":
        subprocess.run(["umount", "-l", directory], check=True)
    return code


def main():
    front, directory, image, times = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    os.makedirs(directory, exist_ok=True)
    node = os.path.join(directory, "npmtm0")
    trouble, old = [], []
    for turn in range(times):
        number = signal.SIGKILL if turn % 2 else signal.SIGTERM
        try:
            daemon = start(front, directory, image)
        except RuntimeError as error:
            trouble.append(f"{turn}: {error}")
            break
        fd = outcome(os.open, node, os.O_RDWR)
        if isinstance(fd, str):
            trouble.append(f"{turn}: open: {fd}")
            daemon.kill()
            break
        outcome(operation, fd, MTEOM)
        wrote = outcome(os.write, fd, b"turn %6d" % turn)
        code = stop(daemon, number, front, directory)
        if wrote != 11:
            trouble.append(f"{turn}: write: {wrote}")
        # 3: a program that had written was not done
        if code != (3 if number == signal.SIGTERM else -9):
            trouble.append(f"{turn}: the daemon's exit code was {code}")
        began = time.monotonic()
        for stale in (fd, *old[-3:]):
            answer = outcome(os.write, stale, b"x")
            if answer not in DEAD:
                trouble.append(f"{turn}: a write to a dead drive gave {answer}")
        if time.monotonic() - began > 1:
            trouble.append(f"{turn}: writes to dead drives took {time.monotonic() - began:.1f} s")
        old.append(fd)
    if trouble:
        fail(f"{times} restarts with open descriptors", "; ".join(trouble[:5]))
    else:
        ok(f"{times} restarts with open descriptors")
    for fd in old:
        outcome(os.close, fd)

    daemon = start(front, directory, image)
    fd = os.open(node, os.O_RDONLY)
    found = []
    while len(found) < 2 * times and (data := outcome(os.read, fd, 100)) != "EIO":
        if data:
            found.append(data)
    os.close(fd)
    same("every record of every turn is there", [b"turn %6d" % turn for turn in range(times)], found)
    same("the last daemon ends well", 0, stop(daemon, signal.SIGTERM, front, directory))


main()
