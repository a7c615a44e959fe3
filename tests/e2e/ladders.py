# SPDX-License-Identifier: BSD-3-Clause
"""
Draws the ladders of docs/flows.md again. A line `<!-- ladder TEST -->` names the test whose first call is drawn below it.
The end points speak slowly, so that two runs draw the same.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "flows.md"
BLOCK = re.compile(r"(<!-- ladder (\S+) -->\n)(?:```\n.*?```\n)?", re.S)


def file_of(test):
    """Where the test leaves its ladder, see rows.py."""
    return re.sub(r"\W+", "-", test.removeprefix("tests/e2e/")).strip("-")


def main():
    page = PAGE.read_text()
    tests = [test for _, test in BLOCK.findall(page)]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", *tests], cwd=ROOT,
                              env=os.environ | {"WEIR_LADDERS": folder})
        missing = [test for test in tests if not (pathlib.Path(folder) / file_of(test)).exists()]
        if done.returncode or missing:
            sys.exit(f"ladders: not drawn: {' '.join(missing) or 'a test failed'}")
        PAGE.write_text(BLOCK.sub(lambda m: f"{m[1]}```\n{(pathlib.Path(folder) / file_of(m[2])).read_text()}```\n", page))


if __name__ == "__main__":
    main()
