# SPDX-License-Identifier: BSD-3-Clause
"""The overload bench (`./dev bench overload`) in its shortest form: it runs, and what it says of Weir can be believed."""
import json
import subprocess
import sys

import pytest

from lab.daemon import ROOT


@pytest.mark.slow
def test_bench_overload(tmp_path):
    """Weir is told the capacity, so five times too much must bring nearly all of it; plain gateways must do worse."""
    file = tmp_path / "overload.json"
    subprocess.run([sys.executable, str(ROOT / "bench" / "overload.py"), "--kinds", "spring", "--modes", "B", "E",
                    "--seconds", "3", "--settle", "1.5", "--json", str(file), "--plots", str(tmp_path)],
                   check=True, timeout=90, stdout=subprocess.PIPE)
    out = json.loads(file.read_text())
    plain, weir = (out["kinds"]["spring"][mode] for mode in ("B", "E"))
    assert weir["goodput"] > 0.9 and plain["goodput"] < 0.8
    for run in (plain, weir):
        gateways, good = run["gateways"].values(), run["series"]["good"]
        assert sum(good) == sum(g["acked"] for g in gateways) > 500, "goodput is not what gateways saw"
        assert run["odd"] == run["no_call"] == 0
    assert sum(g["refused"] for g in weir["gateways"].values()) == 0
    assert "</svg>" in (tmp_path / "congestion-packets-step.svg").read_text()
