#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Draws what bench-sim-overload --json FILE has measured: docs/congestion-sim-goodput.svg, -sim-step.svg.

usage: bench/sim_overload/plot.py FILE [FOLDER]
"""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

from overlab import plot  # noqa: E402

LOOK = {
    "law/none": ("#8b949e", "2 3", "no control"),
    "law/none-503": ("#8b949e", "", "gateways' own 503"),
    "law/static": ("#4184e4", "5 3", "told the capacity"),
    "law/aimd": ("#b07d48", "", "learns, AIMD"),
    "stairs/on-receipt": ("#2da44e", "", "learns, on receipt"),
    "stairs/on-dequeue": ("#2da44e", "6 3", "learns, on dequeue"),
    "stairs/never": ("#2da44e", "2 3", "learns, never"),
    "good": ("#2da44e", "", "goodput"),
    "refused": ("#e5534b", "", "refused"),
    "offered": ("#8b949e", "2 3", "offered"),
    "cap": ("#4184e4", "", "limit"),
    "open": ("#b07d48", "", "in use"),
}
TICKS_S = 0.1


def means(run, column, width, scale):
    """One column of a run's series as (seconds, values), means over `width` ticks."""
    values = [row[column] * scale for row in run["series"]]
    return [((i + width / 2) * TICKS_S, sum(values[i:i + width]) / width) for i in range(0, len(values) - width + 1, width)]


def goodput(runs, file):
    page = plot.Page(860, 430, "Goodput against offered load, virtual time")
    loads = [0.8, 1, 1.5, 2, 5, 10]
    panel = plot.Panel(page, plot.TOP, 310, (0.8, 10), (0, 1.1), x_log=True)
    panel.axes("goodput, as a part of the capacity", [(x, f"{x:g}x") for x in loads],
               [(y / 5, f"{y / 5:.1f}") for y in range(6)], "offered load (log)")
    ends = {}
    for name in (n for n in LOOK if n in runs):
        points = [(phase["load"], phase["goodput"]) for phase in runs[name]["phases"][:len(loads)]]
        panel.line(name, points)
        panel.dots(name, points)
        ends[name] = points[-1][1]
    panel.names(ends)
    page.write(file)


def step(run, file):
    """A step of load: what is done of it, and the limit."""
    page = plot.Page(860, 640, "A step of load, virtual time")
    end = len(run["series"]) * TICKS_S
    ticks = [(t, f"{t}") for t in range(0, int(end) + 1, 10)]
    calls = plot.Panel(page, plot.TOP, 220, (0, end), (0, 5))
    limit = plot.Panel(page, plot.TOP + 220 + plot.GAP + 40, 220, (0, end), (0, 120))
    for panel in (calls, limit):
        panel.band(20, 40, "5x offered")
    calls.axes("calls, as a part of the capacity", ticks, [(y, f"{y}") for y in range(6)])
    limit.axes("open INVITEs at one gateway of 32 servers", ticks, [(y, f"{y}") for y in range(0, 121, 20)], "seconds")
    rate, each = 1 / (run["capacity"] * TICKS_S), 1 / 4
    for panel, columns in ((calls, (("offered", 0, rate), ("good", 1, rate), ("refused", 2, rate))),
                           (limit, (("cap", 3, each), ("open", 4, each)))):
        ends = {}
        for name, column, scale in columns:
            points = means(run, column, 2, scale)
            panel.line(name, points)
            ends[name] = points[-1][1]
        panel.names(ends)
    page.write(file)


def main():
    lines = pathlib.Path(sys.argv[1]).read_text().splitlines()
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "docs")
    runs = {run["scenario"]: run for run in map(json.loads, lines)}
    plot.LOOK.update(LOOK)
    goodput(runs, folder / "congestion-sim-goodput.svg")
    step(runs["step/on-receipt"], folder / "congestion-sim-step.svg")


if __name__ == "__main__":
    main()
