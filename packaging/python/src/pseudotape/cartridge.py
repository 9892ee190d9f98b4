"""A cartridge: an image file."""

import os

from . import programs


class Cartridge:
    """An image file, as ``pseudotape`` makes it. What is on it can be seen while a drive has it."""

    def __init__(self, path):
        self.path = os.path.abspath(path)

    def __fspath__(self):
        return self.path

    def __repr__(self):
        return f"Cartridge({self.path!r})"

    @classmethod
    def create(cls, path, **options):
        """Makes a blank one. The options are those of ``pseudotape create``, with ``_`` for ``-``: ``capacity="10M"``,
        ``early_warning="1M"``, ``label="monday"``, ``worm=True``, ``max_block="64K"``, ``volume_id=UUID``, ``created=TIME``.
        With the last two the same writes make the same file, byte for byte."""
        arguments = []
        for name, value in options.items():
            option = "--" + name.replace("_", "-")
            if value is True:
                arguments.append(option)
            elif value is not False and value is not None:
                arguments.append(f"{option}={value}")
        programs.run("pseudotape", "create", *arguments, "--", path)
        return cls(path)

    def info(self):
        """What ``pseudotape info --json`` says of it: a dict."""
        return programs.ask("pseudotape", "info", self.path)

    def files(self):
        """Its tape files, as ``pseudotape ls --json`` lists them: a list of dicts with ``blocks``, ``bytes``, ``min_block``,
        ``max_block``, ``content``, ``ended`` (by a filemark) and more."""
        return programs.ask("pseudotape", "ls", self.path)["files"]

    def read(self, file=0):
        """The bytes of all blocks of one tape file."""
        return programs.run("pseudotape", "dump", self.path, "--file", str(file))

    def verify(self):
        """Reads all of it; a TapeError says what is damaged."""
        programs.run("pseudotape", "verify", self.path)
