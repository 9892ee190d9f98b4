#!/usr/bin/env python3
"""What a program at the master end sees of slaves that come, go, and misbehave.

    slaves.py node|socket DIRECTORY LOG

DIRECTORY has the nodes of three drives: drive 0 (socket $WORK/s0) fails without a slave, drive 1 (socket $WORK/s1)
waits for one, drive 2 (socket $WORK/s2, slave-timeout 8) for 1.5 seconds. LOG is the daemon's.
"""

import errno
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time

from checks import MTIOCGET, MTREW, fail, ok, operation, outcome, pattern, pieces_hidden, same

KIB = 1024
SIZES = [1, 512, 10 * KIB, 64 * KIB, 124 * KIB, 16 * KIB * KIB]
SIZES += [edge * KIB + more for edge in (128, 1024) for more in (-1, 0, 1)]
NONSENSE = ["garbage", "checksum", "id", "kind", "request", "count", "position", "long", "twice"]
DR_OPEN = 0x0004_0000

way, directory, log = sys.argv[1:]
work = os.environ["WORK"]


def place(drive):
    return f"{work}/s{drive}" if way == "socket" else f"{directory}/pmts{drive}"


def node(drive, name="npmtm"):
    return f"{directory}/{name}{drive}"


class Slave:
    """A process with a tape in memory."""

    def __init__(self, drive=0, fault=""):
        tool = os.path.join(os.path.dirname(__file__), "memory_slave.py")
        command = [sys.executable, tool, place(drive)] + ([fault] if fault else [])
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.greeted = self.process.stdout.readline()
        # greeted, and a moment later attached
        self.is_there(drive, True)

    @staticmethod
    def is_there(drive, wanted):
        since = time.monotonic()
        while time.monotonic() - since < 100:
            if bool(status(drive)["slave"]["holder"]) == wanted:
                return True
            time.sleep(0.02)
        fail(f"drive {drive} has {'a' if wanted else 'no'} slave ({way})", status(drive)["slave"])
        return False

    def is_stopped(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as lines:
            return any(line.startswith("State:") and "T (" in line for line in lines)

    def end(self, number=signal.SIGTERM):
        """Ends it; says what was on its tape."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        try:
            out, err = self.process.communicate(timeout=100)
        except subprocess.TimeoutExpired:
            self.process.kill()
            fail(f"a slave ends ({way})", "still there after 100 s")
            return {}
        lines = out.splitlines()
        return json.loads(lines[-1]) if lines else {"stderr": err}


def status(drive=None):
    command = ["pseudotape", "status", "--json"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=100)
    drives = json.loads(done.stdout)["drives"]
    return drives if drive is None else drives[drive]


def opens(path, flags=os.O_RDWR):
    """An open that may come too early after a close: on FUSE that returns before the daemon hears of it."""
    for _ in range(1000):
        fd = outcome(os.open, path, flags)
        if fd != "EBUSY":
            break
        time.sleep(0.02)
    return fd


def opened(drive=0):
    """Opens a drive that has a slave."""
    fd = opens(node(drive))
    if not isinstance(fd, int):
        fail(name(f"drive {drive} opens"), f"{fd}; {status(drive)}")
        sys.exit(1)
    return fd


def close(fd, drive=0):
    """Closes, and waits until the daemon has heard of it: on FUSE close returns before. Returns what close did."""
    closed = outcome(os.close, fd)
    for _ in range(2000):
        if status(drive)["open"] is None:
            return closed
        time.sleep(0.02)
    fail(name(f"drive {drive} is closed"), status(drive)["open"])


def logged(since, *words):
    with open(log, encoding="utf-8") as file:
        lines = file.read()[since:].splitlines()
    return any(all(word in line for word in words) for line in lines)


def name(text):
    return f"{text} ({way})"


def no_slave():
    since = time.monotonic()
    for flags in (os.O_RDONLY, os.O_RDWR):
        same(name(f"no slave: open with flags {flags} is ENXIO"), "ENXIO", opens(node(0), flags))
    same(name("no slave: that comes at once"), True, time.monotonic() - since < 50)
    import fcntl

    fd = opens(node(0), os.O_RDONLY | os.O_NONBLOCK)
    got = fcntl.ioctl(fd, MTIOCGET, bytes(48))
    same(name("no slave: O_NONBLOCK opens, and the status has DR_OPEN"), DR_OPEN, struct.unpack("<q", got[24:32])[0] & DR_OPEN)
    close(fd)


def transfers():
    slave = Slave()
    written = [pattern(seed, size) for seed, size in enumerate(SIZES)]
    fd = opened()
    wrong = [len(data) for data in written if outcome(os.write, fd, data) != len(data)]
    same(name("records of all sizes are written"), [], wrong)
    close(fd)
    fd = opened()
    operation(fd, MTREW)
    wrong = [len(data) for data in written if outcome(os.read, fd, 16 * KIB * KIB) != data]
    same(name("records of all sizes are read"), [], wrong)
    same(name("the filemark of the close is behind them"), b"", outcome(os.read, fd, 100))
    same(name("a second master is EBUSY"), ["EBUSY"] * 2, [outcome(os.open, node(0, n), os.O_RDONLY) for n in ("pmtm", "npmtm")])
    close(fd)
    told = slave.end()
    expected = {"records": len(SIZES), "bytes": sum(SIZES), "marks": 1}
    same(name("the slave counted what was written"), expected, {key: told.get(key) for key in expected})
    Slave.is_there(0, False)


def second_slaves():
    slave = Slave()
    same(name("a second slave at the node is EBUSY"), "EBUSY", outcome(os.open, f"{directory}/pmts0", os.O_RDWR))
    second = socket.socket(socket.AF_UNIX)
    second.connect(f"{work}/s0")
    second.settimeout(200)
    goodbye = second.recv(4096)
    same(name("a second slave at the socket is told why"), True, b"another slave is attached" in goodbye)
    second.close()
    fd = opened()
    same(name("the first slave goes on"), 5, outcome(os.write, fd, b"hello"))
    close(fd)
    slave.end()
    Slave.is_there(0, False)


def dies(fault, number):
    """A slave that ends in its third write."""
    slave = Slave(fault=f"{fault}:3")
    fd = opened()
    data = pattern(1, 200 * KIB)
    got = [outcome(os.write, fd, data) for _ in range(3)]
    if directory == "/dev" and not pieces_hidden():
        # It comes in two pieces and is handed down with the second, whose error the kernel makes a short count.
        same(name(f"{fault} in a write: a piece of it"), True, isinstance(got[2], int) and 0 < got[2] < len(data))
        got[2] = outcome(os.write, fd, data)
    same(name(f"{fault} in a write: EIO for it"), [len(data), len(data), "EIO"], got)
    same(name(f"{fault} in a write: then ENXIO"), "ENXIO", outcome(os.write, fd, data[: 100 * KIB]))
    same(name(f"{fault} in a write: the process ended so"), number, (slave.wait(), slave.process.returncode)[1])
    # also for the close, which writes no filemark then; on CUSE it can't say so
    same(name(f"{fault} in a write: ENXIO for the close"), None if directory == "/dev" else "ENXIO", close(fd))
    same(name(f"{fault} in a write: ENXIO for who comes next"), "ENXIO", opens(node(0)))
    slave = Slave()
    fd = opened()
    same(name(f"{fault}: a new slave is written to"), 4, outcome(os.write, fd, b"next"))
    close(fd)
    told = slave.end()
    same(name(f"{fault}: and holds no half record"), (1, 4, 1), (told.get("records"), told.get("bytes"), told.get("marks")))
    Slave.is_there(0, False)


def keeps_open():
    """A program that keeps the drive open while its slave is replaced goes on only after it rewinds."""
    slave = Slave(fault="die:2")
    fd = opened()
    got = [outcome(os.write, fd, b"x" * 100) for _ in range(2)]
    same(name("an open drive loses its slave"), [100, "EIO"], got)
    slave.wait()
    slave = Slave()
    same(name("with a new slave its position is lost"), "EIO", outcome(os.write, fd, b"y"))
    # the first one hears that the medium is another one
    got = [outcome(operation, fd, MTREW) for _ in range(2)]
    same(name("with a new slave it is rewound"), ["EIO", None], got)
    same(name("after that it is written"), 1, outcome(os.write, fd, b"y"))
    close(fd)
    told = slave.end()
    same(name("the new slave has that and nothing else"), (1, 1), (told.get("records"), told.get("bytes")))
    Slave.is_there(0, False)


def stops():
    slave = Slave(2, "stop:2")
    code = f"import os; fd = os.open({node(2)!r}, os.O_RDWR)\nfor _ in range(2): os.write(fd, b'x' * 1000)"
    since = time.monotonic()
    writer = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    while not slave.is_stopped() and time.monotonic() - since < 100:
        time.sleep(0.02)
    seen = status(2)
    same(name("a slave that is stopped: the status does not wait for it"), (True, slave.process.pid), (seen["busy"], seen["slave"]["holder"]["pid"]))
    same(name("it shows who has the drive open"), writer.pid, seen["open"]["pid"])
    same(name("a second master is EBUSY at once"), "EBUSY", outcome(os.open, node(2), os.O_RDWR))
    _, err = writer.communicate(timeout=100)
    took = time.monotonic() - since
    same(name("a slave that is stopped: EIO after slave-timeout"), (True, True), ("Errno 5" in err, 8 <= took < 100))
    slave.process.kill()
    slave.wait()
    same(name("a slave that was stopped is dropped"), "ENXIO", opens(node(2)))


def talks_nonsense():
    for kind in NONSENSE:
        before = os.stat(log).st_size
        slave = Slave(fault=f"nonsense:2:{kind}")
        fd = opened()
        got = [outcome(os.write, fd, b"x" * 1000) for _ in range(2)]
        if kind == "twice":
            # its first answer is right; the second one is found by whoever asks next
            same(name(f"nonsense {kind}: found in the next call"), "EIO", got[1] if got[1] == "EIO" else outcome(os.write, fd, b"x"))
        else:
            same(name(f"nonsense {kind}: EIO"), [1000, "EIO"], got)
        close(fd)
        slave.process.wait(100)
        same(name(f"nonsense {kind}: logged with the slave's name"), True, logged(before, "nonsense", f"pid {slave.process.pid}"))
        slave.wait()
        same(name(f"nonsense {kind}: the slave is dropped"), "ENXIO", opens(node(0)))


def is_slow():
    slave = Slave(fault="slow:0.05")
    fd = opened()
    since = time.monotonic()
    written = [pattern(n, 70 * KIB) for n in range(40)]
    times = []
    for data in written:
        began = time.monotonic()
        os.write(fd, data)
        times.append(time.monotonic() - began)
    same(name("a slow slave holds each write up"), True, min(times) >= 0.05 and time.monotonic() - since >= 2)
    operation(fd, MTREW)
    same(name("a slow slave has all of it"), True, all(os.read(fd, 1 << 20) == data for data in written))
    close(fd)
    slave.end()
    Slave.is_there(0, False)


def idle_slave_dies():
    slave = Slave()
    slave.end(signal.SIGKILL)
    since = time.monotonic()
    Slave.is_there(0, False)
    same(name("a slave that dies idle is missed soon"), True, time.monotonic() - since < 90)
    same(name("a slave that died idle: ENXIO"), "ENXIO", opens(node(0)))
    # at once, with no time to notice
    first = Slave()
    first.end(signal.SIGKILL)
    fd = "EBUSY"
    if way == "node":
        fd = opens(place(0))
        same(name("who comes right after a dead slave is taken"), True, isinstance(fd, int))
        if isinstance(fd, int):
            close(fd)
    Slave.is_there(0, False)


def waiting(drive=1):
    # Python asks again after EINTR, unless the handler raises: it runs when the call has ended.
    code = f"""
import errno, os, signal
def handler(*_): os._exit(errno.EINTR)
signal.signal(signal.SIGUSR1, handler)
print("opens", flush=True)
os.open({node(drive)!r}, os.O_RDWR)"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    # however long this is, it still waits
    time.sleep(1)
    same(name("slave-wait: an open without a slave waits"), None, process.poll())
    return process


def waits():
    fd = opens(node(1), os.O_RDONLY | os.O_NONBLOCK)
    same(name("slave-wait: O_NONBLOCK does not wait"), True, isinstance(fd, int))
    close(fd, 1)
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = waiting()
        process.send_signal(number)
        try:
            process.wait(100)
            ok(name(f"slave-wait: a waiting open ends by {number.name}"))
        except subprocess.TimeoutExpired:
            fail(name(f"slave-wait: a waiting open ends by {number.name}"), "still there after 100 s")
            process.kill()
        close(opens(node(1), os.O_RDONLY | os.O_NONBLOCK), 1)
    process = waiting()
    process.send_signal(signal.SIGUSR1)
    try:
        same(name("slave-wait: a signal with a handler ends the open with EINTR"), errno.EINTR, process.wait(100))
    except subprocess.TimeoutExpired:
        fail(name("slave-wait: a signal with a handler ends the open with EINTR"), "still there after 100 s")
        process.kill()
    close(opens(node(1), os.O_RDONLY | os.O_NONBLOCK), 1)
    since = time.monotonic()
    same(name("slave-wait: it ends with ENXIO"), "ENXIO", opens(node(2)))
    took = time.monotonic() - since
    same(name("slave-wait: it takes as long as was configured"), True, 1.5 <= took < 90)
    process = waiting()
    same(name("slave-wait: a second master is EBUSY"), "EBUSY", outcome(os.open, node(1), os.O_RDWR))
    since = time.monotonic()
    slave = Slave(1)
    try:
        same(name("slave-wait: it opens when a slave comes"), 0, process.wait(100))
        # far less than the open would wait
        same(name("slave-wait: at once"), True, time.monotonic() - since < 50)
    except subprocess.TimeoutExpired:
        fail(name("slave-wait: it opens when a slave comes"), "still waiting after 100 s")
        process.kill()
    slave.end()
    Slave.is_there(1, False)


def operator_is_refused():
    slave = Slave()
    for command in (["load", "0", "x.ptape"], ["unload", "0"], ["write-protect", "0", "on"], ["reset", "0"]):
        done = subprocess.run(["pseudotape", *command], capture_output=True, check=False, timeout=100, text=True)
        says = f"pid {slave.process.pid}" in done.stderr
        same(name(f"pseudotape {command[0]} is refused, and says who holds the slave end"), (2, True), (done.returncode, says))
    slave.end()
    Slave.is_there(0, False)


def main():
    no_slave()
    transfers()
    second_slaves()
    dies("die", -signal.SIGKILL)
    dies("half", -signal.SIGKILL)
    keeps_open()
    stops()
    talks_nonsense()
    is_slow()
    idle_slave_dies()
    waits()
    operator_is_refused()
    same(name("nothing is left of the tests"), [None] * 3, [drive["slave"]["holder"] for drive in status()])


main()
