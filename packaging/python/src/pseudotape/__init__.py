"""Tape drives for tests.

A :class:`TapeDrive` is a file that behaves as a tape node of Linux does: records, filemarks, positions, end of tape. Its
cartridge is a :class:`Cartridge`, an image file. A :class:`TapeMirror` writes one tape to several cartridges. Faults come on
command: ``drive.inject("write-error,at=7")``.

The package needs the programs ``pseudotape``, ``pseudotape-dev`` and ``pseudotape-mirror`` (``$PSEUDOTAPE_BIN`` or ``$PATH``), and
FUSE: ``pseudotape doctor`` says what is missing on a machine.
"""

from .cartridge import Cartridge
from .drive import TapeDrive
from .errors import TapeError
from .mirror import TapeMirror

__all__ = ["Cartridge", "TapeDrive", "TapeError", "TapeMirror"]
