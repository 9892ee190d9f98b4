"""Prints what an image holds, a letter an object: b for a block, f for a filemark.

Usage: recorded.py PSEUDOTAPE IMAGE
"""

import json
import subprocess
import sys

program, image = sys.argv[1:]
listed = subprocess.run([program, "--json", "ls", image], stdout=subprocess.PIPE, check=True)
files = json.loads(listed.stdout)["files"]
print("".join("b" * file["blocks"] + "f" * file["ended"] for file in files))
