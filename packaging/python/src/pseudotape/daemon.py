"""Starts and ends a daemon."""

import os
import select
import signal
import subprocess
import time

from . import programs
from .errors import TapeError

#: How long a daemon may take to be ready, in seconds. It takes some milliseconds; a machine that does other work takes longer.
READY_SECONDS = 60
#: How long a daemon may take to end. It waits for a program that is in the middle of a write.
END_SECONDS = 120
#: How much of its log is in an error.
TAIL_BYTES = 4000


class Daemon:
    """A daemon that serves until :meth:`stop`. Its log, standard output and error output, is the file ``log``."""

    def __init__(self, name, arguments, log):
        self.name = name
        self.log = log
        readable, writable = os.pipe()
        try:
            with open(log, "wb") as output:
                self._process = subprocess.Popen(
                    [programs.find(name), *map(os.fspath, arguments), "--ready-fd", str(writable)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=(writable,),
                )
        except BaseException:
            os.close(readable)
            raise
        finally:
            os.close(writable)
        try:
            self._wait_until_ready(readable)
        except BaseException:
            self.kill()
            raise
        finally:
            os.close(readable)

    def _wait_until_ready(self, readable):
        told = b""
        until = time.monotonic() + READY_SECONDS
        while not told.endswith(b"\n"):
            left = until - time.monotonic()
            if left <= 0 or not select.select([readable], [], [], left)[0]:
                raise TapeError(f"{self.name} is not ready after {READY_SECONDS} s: {self.words()}")
            part = os.read(readable, 64)
            if not part:
                code = self._process.wait()
                raise TapeError(f"{self.name} did not start (exit code {code}): {self.words()}")
            told += part

    @property
    def pid(self):
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self):
        """Whether it serves."""
        return self._process.poll() is None

    def words(self):
        """The end of its log."""
        with open(self.log, "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - TAIL_BYTES))
            return log.read().decode(errors="replace").strip()

    def stop(self, meanings, ok=(0,)):
        """Ends it by SIGTERM: what is written is stored then. Another exit code than those of ``ok`` is a TapeError, with the
        words that ``meanings`` has for it. So is an end that came before."""
        if not self.is_alive:
            raise TapeError(f"{self.name} ended by itself (exit code {self._process.returncode}): {self.words()}")
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TapeError(f"{self.name} did not end within {END_SECONDS} s and was killed: {self.words()}") from None
        if code not in ok:
            raise TapeError(f"{meanings.get(code, f'{self.name} ended with exit code {code}')}: {self.words()}")

    def kill(self):
        """Ends it as a crash does: nothing is stored that was not stored before."""
        self._process.kill()
        self._process.wait()
