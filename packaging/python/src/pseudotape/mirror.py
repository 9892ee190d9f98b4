"""A tape drive that is several."""

import os
from string import ascii_lowercase

from . import programs
from .daemon import Daemon
from .drive import ENDS as DRIVE_ENDS
from .drive import TapeDrive, spec

#: How long an open waits for the mirror, and how long the mirror may be silent, in seconds.
SLAVE_SECONDS = 60
#: What an exit code of pseudotape-mirror says.
ENDS = {1: "the mirror was degraded at its end"}


class TapeMirror(TapeDrive):
    """A drive that writes to several cartridges, from now on until :meth:`stop`; also for ``with``.

    Its legs are called ``a``, ``b``, ... in the order of the cartridges. A leg that fails is an error for the program
    that writes, as each is required. ``allow_degraded``: the end of a mirror that lost a leg is no error.
    """

    def __init__(self, *cartridges, allow_degraded=False):
        if not 1 <= len(cartridges) <= 26:
            raise ValueError(f"a mirror of {len(cartridges)} cartridges: give 1 to 26")
        self.cartridges = cartridges
        self.allow_degraded = allow_degraded
        self._mirror = None
        self._make_directory()
        slave = os.path.join(self.directory, "slave")
        self.mirror_control = os.path.join(self.directory, "mirror-control")
        self._start(spec([("slave", slave), ("slave-wait", SLAVE_SECONDS), ("slave-timeout", SLAVE_SECONDS)]))
        try:
            legs = [f"--leg={leg}=image:{os.path.abspath(path)}" for leg, path in zip(ascii_lowercase, cartridges)]
            arguments = ["run", "--slave", slave, "--control", self.mirror_control, *legs]
            self._mirror = Daemon("pseudotape-mirror", arguments, os.path.join(self.directory, "mirror-log"))
        except BaseException:
            super().stop()
            raise

    def log(self):
        """The end of what the mirror has said."""
        return self._mirror.words()

    def _ask_mirror(self, *arguments, ok=(0,)):
        return programs.ask("pseudotape-mirror", *arguments, "--control", self.mirror_control, ok=ok)

    def mirror_status(self):
        """The mirror as ``pseudotape-mirror status --json`` shows it: a dict with ``legs`` and more."""
        return self._ask_mirror("status", ok=(0, 1))

    def inject_leg(self, leg, *faults):
        """Makes a leg fail from now on, as :meth:`TapeDrive.inject` does with a drive."""
        return self._ask_mirror("inject", leg, *faults)["faults"]

    def remove_leg_faults(self, leg, number="all"):
        """Removes the fault of a leg with this number, or all of them."""
        self._ask_mirror("inject", leg, "--remove", str(number))

    def stop(self):
        """Ends the drive, then the mirror, which stores what its legs still have to get."""
        mirror, self._mirror = self._mirror, None
        if mirror is None:
            super().stop()
            return
        try:
            # Nobody can write any more, and the mirror has all of it, when the nodes are gone.
            self._daemon.stop(DRIVE_ENDS)
        finally:
            self._daemon = None
            try:
                mirror.stop({} if self.allow_degraded else ENDS, ok=(0, 1) if self.allow_degraded else (0,))
            finally:
                self._clean_up()

    def kill(self):
        """Ends the mirror and the drive as a crash does (SIGKILL)."""
        mirror, self._mirror = self._mirror, None
        if mirror is not None:
            mirror.kill()
        super().kill()
