# SPDX-License-Identifier: BSD-3-Clause
"""The demo shows what it promises, on no terminal and in less time."""
import json
import subprocess
import sys

import pytest

from lab.daemon import ROOT


@pytest.mark.slow
def test_demo(tmp_path):
    summary = tmp_path / "demo.json"
    for _ in range(2):  # once more if other tests kept sipp from running for seconds
        done = subprocess.run([sys.executable, ROOT / "demo" / "demo.py", "--seconds", "20", "--json", summary],
                              capture_output=True, text=True, timeout=90)
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(summary.read_text())
    assert told["ok"] and len(told["promises"]) >= 8 and told["totals"]["refused"] > 0
    assert "NOT SEEN" not in done.stdout and "demo: everything promised was seen" in done.stdout
