"""Drives and cartridges, without the fixtures of the plugin where they are not what is tested."""

import errno
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from pseudotape import Cartridge, TapeDrive, TapeError


def write(drive, *blocks):
    with open(drive.path, "wb", buffering=0) as tape:
        for block in blocks:
            assert tape.write(block) == len(block)


def read_block(drive, length=65536):
    with open(drive.path, "rb", buffering=0) as tape:
        return tape.read(length)


def mounts_and_daemons(drive):
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as mounts:
        mounted = [line for line in mounts if drive.nodes in line]
    return mounted, os.path.exists(drive.directory)


def test_what_is_written_is_on_the_cartridge_and_nothing_else_is_left(tmp_path):
    cartridge = Cartridge.create(tmp_path / "a.ptape", capacity="1M", label="monday")
    with TapeDrive(cartridge) as drive:
        pid = drive.pid
        write(drive, b"one", b"four")
        assert cartridge.info()["label"] == "monday"
    assert mounts_and_daemons(drive) == ([], False)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    [file] = cartridge.files()
    assert (file["blocks"], file["min_block"], file["max_block"], file["ended"]) == (2, 3, 4, True)
    assert cartridge.read() == b"onefour"
    cartridge.verify()
    drive.stop()  # a second time


def test_operations_of_mt_move_the_tape(tape_drive):
    write(tape_drive, b"first")
    write(tape_drive, b"second")
    assert tape_drive.status()["position"]["file"] == 2
    tape_drive.mt("bsf", 2)
    tape_drive.mt("fsf")
    assert read_block(tape_drive) == b"second"
    tape_drive.mt("rewind")
    assert read_block(tape_drive) == b"first"
    tape_drive.mt("eod")
    tape_drive.mt("weof", 2)
    assert tape_drive.status()["position"]["file"] == 4
    with pytest.raises(OSError) as failed:
        tape_drive.mt("fsf")
    assert failed.value.errno == errno.EIO
    with pytest.raises(ValueError, match="no operation 'dance'; there are: fsf"):
        tape_drive.mt("dance")


def test_the_rewinding_node_rewinds(tape_drive):
    with open(tape_drive.rewinding_path, "wb", buffering=0) as tape:
        tape.write(b"block")
    assert tape_drive.status()["position"]["object"] == 0


def test_a_cartridge_is_changed(tmp_path):
    first, second = (Cartridge.create(tmp_path / f"{name}.ptape") for name in ("a,comma", "b"))
    with TapeDrive() as drive:
        assert drive.status()["medium"] is None
        with pytest.raises(OSError) as failed:
            write(drive, b"x")
        assert failed.value.errno == errno.ENOMEDIUM
        drive.load(first)
        write(drive, b"on the first")
        drive.unload()
        drive.load(second)
        write(drive, b"on the second")
    assert (first.read(), second.read()) == (b"on the first", b"on the second")
    # A path with a comma also in --drive.
    with TapeDrive(first) as drive:
        assert read_block(drive) == b"on the first"


def test_the_same_writes_make_the_same_file(tmp_path):
    fixed = {"volume_id": "0190a5c0-0000-7000-8000-000000000001", "created": "2026-01-31T12:00:00Z", "capacity": "10M"}
    images = []
    for name in ("a", "b"):
        cartridge = Cartridge.create(tmp_path / f"{name}.ptape", **fixed)
        with TapeDrive(cartridge) as drive:
            write(drive, *[bytes([number]) * 4096 for number in range(20)])
            drive.mt("weof")
            write(drive, b"a second file")
        with open(cartridge, "rb") as image:
            images.append(image.read())
    assert images[0] == images[1]


def test_faults_come_on_command_and_go(tape_drive):
    write(tape_drive, *[b"%d" % number for number in range(4)])
    tape_drive.mt("rewind")
    [fault] = tape_drive.inject("read-error,at=2,position=kept,times=1")
    assert (fault["fault"], fault["met"], fault["over"]) == ("read-error,at=2,position=kept,times=1", 0, False)
    assert [read_block(tape_drive) for _ in range(2)] == [b"0", b"1"]
    with pytest.raises(OSError) as failed:
        read_block(tape_drive)
    assert failed.value.errno == errno.EIO
    assert [read_block(tape_drive) for _ in range(2)] == [b"2", b"3"]
    [fault] = tape_drive.faults()
    assert (fault["met"], fault["over"]) == (1, True)
    tape_drive.inject("busy")
    tape_drive.remove_faults()
    assert tape_drive.faults() == []
    with pytest.raises(TapeError, match=r"\A[^{]*dance"):
        tape_drive.inject("dance")


def test_what_was_committed_outlives_a_crash(tmp_path):
    cartridge = Cartridge.create(tmp_path / "a.ptape")
    drive = TapeDrive(cartridge)
    write(drive, b"closed, and so committed")
    drive.kill()
    assert mounts_and_daemons(drive) == ([], False)
    assert cartridge.read() == b"closed, and so committed"
    cartridge.verify()
    drive.stop()  # there is nothing to end


def test_a_daemon_that_ends_by_itself_is_an_error(tmp_path):
    drive = TapeDrive(Cartridge.create(tmp_path / "a.ptape"))
    os.kill(drive.pid, signal.SIGKILL)
    drive._daemon._process.wait()
    with pytest.raises(TapeError, match=r"pseudotape-dev ended by itself \(exit code -9\)"):
        drive.stop()
    assert mounts_and_daemons(drive) == ([], False)


def test_a_program_that_was_not_done_is_an_error(tmp_path):
    drive = TapeDrive(Cartridge.create(tmp_path / "a.ptape"))
    descriptor = os.open(drive.path, os.O_WRONLY)
    os.write(descriptor, b"block")
    with pytest.raises(TapeError, match="a program still had the drive open"):
        drive.stop()
    assert mounts_and_daemons(drive) == ([], False)
    with pytest.raises(OSError):
        os.close(descriptor)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda path: Cartridge.create(path / "no" / "a.ptape"), "No such file or directory"),
        (lambda path: Cartridge.create(path / "a.ptape", capacity="much"), "much"),
        (lambda path: Cartridge.create(path / "a.ptape", colour="red"), "--colour"),
        (lambda path: TapeDrive(path / "nothing.ptape"), r"did not start \(exit code 1\).*nothing.ptape"),
        (lambda path: TapeDrive(personality="dance"), "dance"),
        (lambda path: Cartridge(path / "nothing.ptape").files(), "nothing.ptape"),
    ],
)
def test_a_refusal_has_the_words_of_the_program(tmp_path, make, words):
    with pytest.raises(TapeError, match=f"(?s){words}"):
        make(tmp_path)


def test_programs_that_are_not_there_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PSEUDOTAPE_BIN", str(tmp_path))
    with pytest.raises(TapeError, match="no program pseudotape in .*PSEUDOTAPE_BIN.*install pseudotape"):
        Cartridge.create(tmp_path / "a.ptape")
    with pytest.raises(TapeError, match="no program pseudotape-dev"):
        TapeDrive()


def test_drives_serve_beside_each_other(tmp_path):
    def backup(number):
        cartridge = Cartridge.create(tmp_path / f"{number}.ptape")
        with TapeDrive(cartridge) as drive:
            write(drive, b"%d" % number)
        return cartridge.read()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(backup, range(16))) == [b"%d" % number for number in range(16)]
