#!/usr/bin/env python3
"""What a shell makes of a line when the tab key is pressed: complete.py bash|zsh SCRIPT LINE...

Starts the real shell on a terminal of its own, reads the script, and prints what each line has become. A line ends with
1 when the shell does not answer.
"""
import os
import pty
import re
import select
import sys
import time

SECONDS = 100
HOME, END, TAB = "\x01", "\x05", "\t"
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "PS1='$ '; bind 'set enable-bracketed-paste off'; source {}"),
    "zsh": (["zsh", "-f", "-i"], "PS1='$ '; bindkey -e; autoload -Uz compinit; compinit -u -D; source {}"),
}


def read_until(terminal, pattern):
    """What the shell prints until a line matches; the match."""
    seen, until = "", time.monotonic() + SECONDS
    while time.monotonic() < until:
        if select.select([terminal], [], [], 1)[0]:
            try:
                seen += os.read(terminal, 4096).decode(errors="replace")
            except OSError:
                break
            if found := re.search(pattern, seen.replace("\r", "\n"), re.MULTILINE):
                return found
    sys.exit(f"complete.py: the shell did not answer: {seen}")


def main():
    shell, script, *lines = sys.argv[1:]
    command, set_up = SHELLS[shell]
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "dumb"
        os.execvp(command[0], command)
    # The words of the answer are not those of the line that is typed.
    os.write(terminal, (set_up.format(script) + "; echo 'is-'ready\n").encode())
    read_until(terminal, r"^is-ready$")
    for line in lines:
        os.write(terminal, f"{line}{TAB}{HOME}echo '<'{END}'>'\n".encode())
        print(read_until(terminal, r"^<(.*)>$")[1], flush=True)
    os.write(terminal, b"exit\n")
    os.close(terminal)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
