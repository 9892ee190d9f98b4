"""Fixtures for pytest: ``cartridge``, ``tape_drive``, ``tape_mirror``, ``new_cartridge``.

``@pytest.mark.tape(capacity="1M", personality="lto5")`` says how the cartridge is made and what the drive is like.
"""

import pytest

from . import Cartridge, TapeDrive, TapeError, TapeMirror, programs

#: Options of the mark that are those of the drive; the others are those of ``Cartridge.create``.
DRIVE_OPTIONS = {"personality", "serial", "options", "announces_medium", "end_of_tape"}
#: Size of a cartridge where the test does not say one: a test that writes without end comes to an end.
CAPACITY = "64M"
#: How many cartridges a ``tape_mirror`` has where the test does not say it.
COPIES = 2


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "tape(**options): how the fixtures cartridge, tape_drive and tape_mirror are made: the options of 'pseudotape create' "
        "(capacity, early_warning, worm, ...), of the drive (personality, options, serial, ...), copies (of tape_mirror)",
    )


def pytest_report_header():
    try:
        return programs.run("pseudotape", "--version").decode().strip() + f", {programs.find('pseudotape')}"
    except TapeError as error:
        return f"pseudotape: {error}"


def _asked(request):
    """The options of the marks, those of the cartridge, those of the drive, and the number of copies."""
    asked = {}
    # From the module to the test: what is nearer wins.
    for mark in reversed(list(request.node.iter_markers("tape"))):
        if mark.args:
            raise TapeError(f"pytest.mark.tape takes options by name, as capacity='1M', not {mark.args!r}")
        asked.update(mark.kwargs)
    copies = asked.pop("copies", COPIES)
    drive = {key: asked.pop(key) for key in DRIVE_OPTIONS & asked.keys()}
    return {"capacity": CAPACITY, **asked}, drive, copies


@pytest.fixture
def new_cartridge(request, tmp_path):
    """Makes cartridges: ``new_cartridge("second", capacity="1M")``. What is not said comes from the mark."""

    def make(name, **options):
        return Cartridge.create(tmp_path / f"{name}.ptape", **{**_asked(request)[0], **options})

    return make


@pytest.fixture
def cartridge(new_cartridge):
    """A blank :class:`~pseudotape.Cartridge`."""
    return new_cartridge("cartridge")


@pytest.fixture
def tape_drive(request, cartridge):
    """A :class:`~pseudotape.TapeDrive` with ``cartridge`` in it. A daemon that ended by itself is an error of the test."""
    with TapeDrive(cartridge, **_asked(request)[1]) as drive:
        yield drive


@pytest.fixture
def tape_mirror(request, new_cartridge):
    """A :class:`~pseudotape.TapeMirror` of two blank cartridges, or of as many as ``copies`` says."""
    _, drive, copies = _asked(request)
    if drive:
        raise TapeError(f"a tape_mirror has no option {', '.join(sorted(drive))}: its legs are what they are")
    with TapeMirror(*[new_cartridge(f"copy-{number}") for number in range(copies)]) as mirror:
        yield mirror
