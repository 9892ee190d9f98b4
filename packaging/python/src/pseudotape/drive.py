"""A tape drive."""

import os
import shutil
import subprocess
import tempfile

from . import mtio, programs
from .daemon import Daemon
from .errors import TapeError

#: What an exit code of pseudotape-dev says.
ENDS = {3: "a program still had the drive open when it ended, and had written"}


def spec(pairs):
    """The value of ``--drive``. A comma in a value has a backslash before it."""
    escaped = [(key, str(value).replace("\\", "\\\\").replace(",", "\\,")) for key, value in pairs if value is not None]
    return ",".join(f"{key}={value}" for key, value in escaped)


class TapeDrive:
    """A drive with a daemon of its own, from now on until :meth:`stop`; also for ``with``.

    ``cartridge`` is a :class:`~pseudotape.Cartridge` or the path of an image; None: the drive is empty. Further options are the
    keys of ``pseudotape-dev --drive``, with ``_`` for ``-``: ``personality="lto5"``, ``capacity="1M"``, ``early_warning="64K"``,
    ``min_block``, ``max_block``, ``serial``, ``options="sili;two-fms"``.

    The nodes are files of a FUSE mount in a directory of its own. They are no character devices, which few programs mind
    (GNU ``mt`` does; ``mt-st`` does not).
    """

    def __init__(self, cartridge=None, **options):
        self._make_directory()
        pairs = [("image", None if cartridge is None else os.path.abspath(cartridge))]
        pairs += [(key.replace("_", "-"), value) for key, value in options.items()]
        self._start(spec(pairs))

    def _make_directory(self):
        # Of its own and with a short path, because the path of a socket has room for 107 bytes.
        self.directory = tempfile.mkdtemp(prefix="pseudotape-")
        self.nodes = os.path.join(self.directory, "nodes")
        self.control = os.path.join(self.directory, "control")
        self._daemon = None

    def _start(self, drive):
        try:
            arguments = ["--drive", drive, "--fuse", self.nodes, "--control", self.control]
            self._daemon = Daemon("pseudotape-dev", arguments, os.path.join(self.directory, "log"))
        except BaseException:
            self._clean_up()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.stop()

    @property
    def path(self):
        """The node that stays where it is when it is closed (``/dev/nst0`` of the kernel)."""
        return os.path.join(self.nodes, "npmtm0")

    @property
    def rewinding_path(self):
        """The node that rewinds when it is closed (``/dev/st0``)."""
        return os.path.join(self.nodes, "pmtm0")

    @property
    def pid(self):
        """Process id of the daemon."""
        return self._daemon.pid

    def log(self):
        """The end of what the daemon has said."""
        return self._daemon.words()

    def _ask(self, *arguments):
        return programs.ask("pseudotape", *arguments, "--control", self.control)

    def status(self):
        """The drive as ``pseudotape status --json`` shows it: a dict with ``position``, ``medium``, ``capacity``, ``flags``,
        ``transfer`` and more."""
        return self._ask("status")["drives"][0]

    def load(self, cartridge):
        """Puts a cartridge in."""
        self._ask("load", "0", os.path.abspath(cartridge))

    def unload(self, force=False):
        """Takes the cartridge out; ``force``: also while a program has the drive open."""
        self._ask("unload", *["--force"] * force, "0")

    def mt(self, operation, count=1):
        """Does an operation of ``mt`` on the node that does not rewind: ``drive.mt("fsf", 2)``. OSError as a program gets it."""
        mtio.operate(self.path, operation, count)

    def inject(self, *faults):
        """Makes the drive fail from now on: ``"read-error,at=7"``, ``"early-warning"``, ``"slow,rate=1M"``. What there is:
        ``pseudotape inject --help``. Returns the faults of the drive, as :meth:`faults` does."""
        return self._ask("inject", "0", *faults)["faults"]

    def faults(self):
        """The faults of the drive: dicts with ``number``, ``fault``, ``met`` (how often) and ``over``."""
        return self._ask("inject", "0")["faults"]

    def remove_faults(self, number="all"):
        """Removes the fault with this number, or all of them."""
        self._ask("inject", "0", "--remove", str(number))

    def stop(self):
        """Ends the daemon, which stores what was written and takes the nodes away. A second call does nothing."""
        if self._daemon is None:
            return
        try:
            self._daemon.stop(ENDS)
        finally:
            self._daemon = None
            self._clean_up()

    def kill(self):
        """Ends the daemon as a crash does (SIGKILL), to see what is on the cartridge then."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon = None
            self._clean_up()

    def _unmount(self):
        for command in (["umount", "-l"], ["fusermount3", "-uz"], ["fusermount", "-uz"]):
            program = shutil.which(command[0])
            if program and subprocess.run([program, *command[1:], self.nodes], capture_output=True, check=False).returncode == 0:
                return
        raise TapeError(f"the mount of a daemon that was killed is still there: umount -l {self.nodes}")

    def _clean_up(self):
        try:
            os.rmdir(self.nodes)
        except FileNotFoundError:
            pass
        except OSError:
            # A daemon that was killed leaves its mount, in which each call fails.
            self._unmount()
            os.rmdir(self.nodes)
        shutil.rmtree(self.directory)
