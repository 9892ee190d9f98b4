#!/usr/bin/env python3
"""Runs a program on a terminal of its own and answers what it asks, as an operator would.

    converse.py [--seconds N] (--on | --once) QUESTION ANSWER COMMAND ... [--until QUESTION] -- PROGRAM [ARGUMENT...]

When what the program printed since the last answer matches the regular expression QUESTION, the shell runs COMMAND with
NUMBER set to how often that question has come (from 1), and the line ANSWER is typed. `--once` holds for one answer; at
the question of `--until` the conversation is over and the program killed. Rules are tried in their order.
Prints the conversation. Ends as the program ended, with 0 after `--until`, 124 when the program said nothing for N
seconds (150), 125 when COMMAND failed.
"""

import os
import pty
import re
import select
import signal
import subprocess
import sys


def rules(arguments):
    """The rules in order, the seconds of silence that are allowed, and the program."""
    found, seconds = [], 150
    while arguments and arguments[0] != "--":
        option = arguments.pop(0)
        if option == "--seconds":
            seconds = float(arguments.pop(0))
            continue
        question, answer, command = (arguments.pop(0), "", "") if option == "--until" else arguments[:3]
        if option != "--until":
            del arguments[:3]
        asks = re.compile(question)
        found.append({"option": option, "asks": asks, "answer": answer, "command": command, "number": 0})
    return found, seconds, arguments[1:]


def answered(text, known, terminal):
    """Answers a question in the text; says whether there was one."""
    for rule in known:
        if not rule["asks"].search(text):
            continue
        if rule["option"] == "--until":
            sys.exit(0)
        rule["number"] += 1
        if rule["option"] == "--once":
            known.remove(rule)
        if rule["command"]:
            environment = {**os.environ, "NUMBER": str(rule["number"])}
            done = subprocess.run(["bash", "-c", rule["command"]], env=environment, stdin=subprocess.DEVNULL, check=False)
            if done.returncode:
                print(f"\nconverse.py: '{rule['command']}' ended with {done.returncode}", flush=True)
                sys.exit(125)
        os.write(terminal, rule["answer"].encode() + b"\n")
        return True
    return False


def main():
    known, seconds, program = rules(sys.argv[1:])
    process, terminal = pty.fork()
    if process == 0:
        os.execvp(program[0], program)
    text = ""
    try:
        while True:
            if not select.select([terminal], [], [], seconds)[0]:
                print(f"\nconverse.py: no answer is known, or nothing happened for {seconds} s", flush=True)
                sys.exit(124)
            try:
                data = os.read(terminal, 65536)
            except OSError:  # how a terminal tells that nobody has it open any more
                break
            if not data:
                break
            data = data.decode(errors="replace").replace("\r\n", "\n")
            print(data, end="", flush=True)
            text += data
            if answered(text, known, terminal):
                text = ""
    except SystemExit:
        os.kill(process, signal.SIGKILL)
        raise
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


main()
