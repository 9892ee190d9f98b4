"""Finds and runs the programs of pseudotape."""

import json
import os
import shutil
import subprocess

from .errors import TapeError

#: Names a directory with the programs; else they are looked for in ``$PATH``.
BIN_VARIABLE = "PSEUDOTAPE_BIN"


def find(name):
    """The path of a program. A directory in ``$PSEUDOTAPE_BIN`` is not left for another place: that would be another version."""
    directory = os.environ.get(BIN_VARIABLE)
    found = shutil.which(name, path=directory) if directory else shutil.which(name)
    if found is None:
        where = f"{directory} (${BIN_VARIABLE})" if directory else "$PATH"
        raise TapeError(
            f"there is no program {name} in {where}: install pseudotape, or set ${BIN_VARIABLE} to the directory of its programs"
        )
    return os.path.abspath(found)


def run(name, *arguments, ok=(0,)):
    """Runs a command and returns its standard output, as bytes. Another exit code than those of ``ok`` is a TapeError."""
    command = [find(name), *map(os.fspath, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode not in ok:
        words = _words(done.stderr) or _words(done.stdout)
        raise TapeError(f"{words} ({' '.join([name, *command[1:]])}: exit code {done.returncode})")
    return done.stdout


def _words(said):
    """What a program says, for people: an error of a command with ``--json`` is an object in the last line."""
    lines = said.decode(errors="replace").strip().splitlines()
    try:
        lines[-1:] = [json.loads(lines[-1])["error"]]
    except (IndexError, KeyError, TypeError, ValueError):
        pass
    return "\n".join(lines)


def ask(name, *arguments, ok=(0,)):
    """Runs a command with ``--json`` and returns what it says."""
    return json.loads(run(name, *arguments, "--json", ok=ok))
