"""A drive that is several."""

import errno

import pytest

from pseudotape import Cartridge, TapeError, TapeMirror


def write(mirror, *blocks):
    with open(mirror.path, "wb", buffering=0) as tape:
        for block in blocks:
            tape.write(block)


@pytest.mark.tape(copies=3)
def test_each_cartridge_gets_all_of_it(tape_mirror):
    write(tape_mirror, b"one", b"two")
    assert [leg["name"] for leg in tape_mirror.mirror_status()["legs"]] == ["a", "b", "c"]
    tape_mirror.mt("offline")
    assert [copy.read() for copy in tape_mirror.cartridges] == [b"onetwo"] * 3


@pytest.mark.tape(capacity="1M", early_warning="128K")
def test_the_shortest_cartridge_ends_the_tape_for_all(new_cartridge, tmp_path):
    short, long = new_cartridge("short"), new_cartridge("long", capacity="4M")
    with TapeMirror(short, long) as mirror:
        with pytest.raises(OSError) as full:
            write(mirror, *[bytes(32768)] * 100)
        assert full.value.errno == errno.ENOSPC
    assert short.read() == long.read()


def test_a_leg_that_fails_is_an_error_for_the_writer_and_at_the_end(tmp_path):
    copies = [Cartridge.create(tmp_path / f"{name}.ptape") for name in "ab"]
    mirror = TapeMirror(*copies)
    write(mirror, b"both have it")
    mirror.inject_leg("b", "write-error,at=2")
    with pytest.raises(OSError) as failed:
        # What a late leg could not write, the next call of the writer tells.
        for _ in range(100):
            write(mirror, b"only one has it")
    assert failed.value.errno == errno.EIO
    mirror.remove_leg_faults("b")
    with pytest.raises(TapeError, match="degraded"):
        mirror.stop()
    assert copies[1].read() == b"both have it"


def test_a_mirror_may_be_allowed_to_end_degraded(tmp_path):
    copies = [Cartridge.create(tmp_path / f"{name}.ptape") for name in "ab"]
    with TapeMirror(*copies, allow_degraded=True) as mirror:
        mirror.inject_leg("b", "write-error,at=0")
        with pytest.raises(OSError):
            for _ in range(100):
                write(mirror, b"block")


def test_a_mirror_needs_cartridges():
    with pytest.raises(ValueError, match="a mirror of 0 cartridges"):
        TapeMirror()


def test_a_mirror_that_can_not_start_leaves_nothing(tmp_path):
    with pytest.raises(TapeError, match="pseudotape-mirror did not start"):
        TapeMirror(tmp_path / "no" / "a.ptape", tmp_path / "no" / "b.ptape")
